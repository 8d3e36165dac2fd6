"""In what sense draws are near a reference: metrics as values.

A metric says which arrays are compared, how units lie on them, and with what weights; the engine
minimizes a sum of squares all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, NamedTuple, Protocol

import jax
import numpy as np

from ..symmetry import Axis, Element, Symmetry, SymmetryError, Units, kinds
from ..symmetry.arguments import check_arguments
from ..symmetry.symmetry import on_opened_arrays
from .engine.objective import Arrays
from .packing import refuse_not_finite


class View(NamedTuple):
    """What a metric compares.

    :param draws: name -> array of shape ``(batch, *shape)``.
    :param reference: name -> array of shape ``shape``; ``None`` where the reference is to come
        from the draws.
    :param sym: the same units, on these arrays.
    :param weights: name -> weights of squares, tied to the reference's slots; ``None``: all 1.
    """

    draws: Arrays
    reference: Arrays | None
    sym: Symmetry
    weights: Arrays | None = None


def opened_view(view: View) -> View:
    """What a metric compares, on arrays in which every run of a batch is an axis of its own."""
    sym, way = on_opened_arrays(view.sym, {name: x.shape[1:] for name, x in view.draws.items()})
    if not way.steps:
        return view
    reference = None if view.reference is None else way.open(view.reference)
    weights = None if view.weights is None else way.open(view.weights)
    return View(way.open(view.draws, lead=1), reference, sym, weights)


class Metric(Protocol):
    """Anything with a :meth:`view`."""

    def view(self, draws: Arrays, reference: Arrays | None, sym: Symmetry) -> View:
        """The arrays to compare.

        :param draws: site name -> array of shape ``(batch, *site)``.
        :param reference: site name -> array of shape ``site``, or ``None``.
        """
        ...


def _metric_fault(value: Any) -> str | None:
    if isinstance(value, type):
        return f"Write {value.__name__}()." if hasattr(value, "view") else ""
    return None if callable(getattr(value, "view", None)) and not hasattr(value, "dtype") else ""


GivenMetric = Annotated[
    Metric, kinds.Kind("a metric: Euclidean(), Whitened(scale), Wasserstein(...)", _metric_fault)
]


@dataclass(frozen=True)
class Euclidean:
    """The distance of the sites as they are."""

    def view(self, draws: Arrays, reference: Arrays | None, sym: Symmetry) -> View:
        return View(draws, reference, sym)


@dataclass(frozen=True)
class Whitened:
    """Differences in units of a posterior standard deviation.

    :param scale: site name -> positive floats of the site's shape, one for each slot of the
        reference: a diagonal approximation of the posterior there, or ``1 / sqrt(Fisher)``.

    >>> from numpyro_sym import mixture
    >>> from numpyro_sym.alignment import align
    >>> sites, reference = {"mu": np.array([[3.0, 1.0]])}, {"mu": np.array([0.0, 2.0])}
    >>> metric = Whitened({"mu": np.array([0.5, 1.0])})
    >>> align(sites, reference, mixture(2, {"mu": 0}), metric=metric).distance
    array([2.23606798])
    """

    scale: kinds.Sites = field(hash=False)

    def __post_init__(self) -> None:
        check_arguments(type(self), vars(self))

    def view(self, draws: Arrays, reference: Arrays | None, sym: Symmetry) -> View:
        scale = _positive(self.scale, {name: draws[name].shape[1:] for name in sym.sites}, "scale")
        with np.errstate(over="ignore"):  # whoever compares refuses what no unit holds
            return View(draws, reference, sym, {name: s**-2 for name, s in scale.items()})


@dataclass(frozen=True)
class Wasserstein:
    """The 2-Wasserstein distance between Gaussians with diagonal covariances.

    ``|m0 - m1|**2 + |s0 - s1|**2`` with means ``m`` (the sites) and standard deviations ``s``:
    Rossi, Singh and Hannagan 2023, arXiv 2310.10171. Signs do not touch standard deviations; scales
    scale them.

    :param scale: site name -> standard deviations, of the sites' shapes with sample dimensions.
    :param reference_scale: those of the reference, where that is a point.
    """

    scale: kinds.Sites = field(hash=False)
    reference_scale: kinds.Sites | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        check_arguments(type(self), vars(self))

    def view(self, draws: Arrays, reference: Arrays | None, sym: Symmetry) -> View:
        shapes = {name: draws[name].shape for name in sym.sites}
        flat = {name: s for name, s in self.scale.items() if name in shapes}
        for name, s in flat.items():
            if np.size(s) == np.prod(shapes[name]):
                flat[name] = np.asarray(s).reshape(shapes[name])  # (batch, *site)
        both = {**draws, **_renamed(_positive(flat, shapes, "scale"), draws)}
        # The same units, on means and on standard deviations.
        wide = Symmetry(_with_scales(u) for u in sym)
        if reference is None:
            return View(both, None, wide)
        if self.reference_scale is None:
            raise SymmetryError(
                "Wasserstein: where the reference is a point, give its reference_scale too."
            )
        of_point = {name: shape[1:] for name, shape in shapes.items()}
        at = _positive(self.reference_scale, of_point, "reference_scale")
        return View(both, {**reference, **_renamed(at, draws)}, wide)


@dataclass(frozen=True)
class Activations:
    """What the units compute on given inputs, rather than their parameters (activation matching).

    Li et al. 2016, Ainsworth et al. 2023. One assignment for each ``Units``: exact.

    :param apply: function of a point (site name -> array) and the inputs that returns, for each
        ``Units``, an array whose last axis runs over its units: the outputs of the activation
        function. The first axes run over the units' batch, where they have one.
    :param inputs: passed to ``apply``.
    """

    apply: kinds.Function
    inputs: Any = field(hash=False)

    def __post_init__(self) -> None:
        check_arguments(type(self), vars(self))

    def view(self, draws: Arrays, reference: Arrays | None, sym: Symmetry) -> View:
        seen = Symmetry(_on_activations(u, sym) for u in sym)
        some = next(iter(draws.values()))
        batched = jax.jit(jax.vmap(lambda point: self.apply(point, self.inputs)))
        at = None
        if reference is not None:
            at = self._read(self.apply(reference, self.inputs), seen, (), some.dtype)
        found = self._read(batched(dict(draws)), seen, (len(some),), some.dtype)
        return View(found, at, seen)

    def _read(
        self, found: Mapping[str, Any], seen: Symmetry, sample: tuple[int, ...], dtype
    ) -> dict[str, np.ndarray]:
        arrays = {}
        for u in seen:
            if u.name not in found:
                raise SymmetryError(
                    f"Activations: apply returned nothing for Units {u.name!r}; only "
                    f"{sorted(found)}."
                )
            arrays[u.name] = np.asarray(found[u.name], dtype)
            refuse_not_finite("Activations", u.name, arrays[u.name], "the activations")
        seen.check_shapes({name: a.shape for name, a in arrays.items()}, sample)
        return arrays


def in_stacks(who: str, metric: Metric, sym: Symmetry, lead: int) -> Metric:
    """A metric of sites as one of the arrays that they are stacked into.

    :param who: the name that an error begins with.
    :param lead: how many leading sample dimensions the draws have.
    :raises SymmetryError: where it is a metric of someone's own.
    """
    if isinstance(metric, Euclidean):
        return metric
    if isinstance(metric, Whitened):
        return Whitened(sym.stack(metric.scale))
    if isinstance(metric, Wasserstein):
        at = metric.reference_scale
        of_draws = sym.stack(metric.scale, sample_ndim=lead)
        return Wasserstein(of_draws, None if at is None else sym.stack(at))
    if isinstance(metric, Activations):
        apply = metric.apply
        return Activations(lambda point, inputs: apply(sym.unstack(point), inputs), metric.inputs)
    raise SymmetryError(
        f"{who}: the units have a site each ({', '.join(sym.stacks)}), and how "
        f"{type(metric).__name__} sees these stacked is not known. Pass sym.on_arrays(), and the "
        "sites as sym.stack(sites) gives them."
    )


def _on_activations(u: Units, sym: Symmetry) -> Units:
    """Units on arrays that bear their names, the batch first and the units last, and on the sets
    that they permute.
    """
    sets = {}
    for v in sym:
        axis = sym.axis_of_sets(u, v)
        if axis is not None:
            sets[v.name] = axis
    own = Axis(-1, batch=tuple(range(len(u.batch))))
    return Units(u.name, u.n, incoming={u.name: own}, axes=sets, kind=u.kind, batch=u.batch)


def act_on_scales(
    sym: Symmetry, elements: Mapping[str, Element], scales: Mapping[str, Any]
) -> dict[str, Any]:
    """``sym.act`` on standard deviations, which signs leave alone."""
    unsigned = {name: Element(e.permutation, abs(e.factor)) for name, e in elements.items()}
    return sym.act(unsigned, scales)


def _scale_name(site: str) -> str:
    return f"{site} (scale)"


def _renamed(scales: Arrays, draws: Arrays) -> dict[str, np.ndarray]:
    return {_scale_name(name): s.astype(draws[name].dtype) for name, s in scales.items()}


def _with_scales(units: Units) -> Units:
    axes = dict(units.axes)
    for site, axs in units.placements:
        if units.has_signs:
            axs = tuple(replace(a, power=0) for a in axs)
        axes[_scale_name(site)] = axs
    return units.with_axes(axes)


def _positive(
    given: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], what: str
) -> dict[str, np.ndarray]:
    out = {}
    for name, shape in shapes.items():
        if name not in given:
            raise SymmetryError(f"{what} lacks site {name!r}; it has {sorted(given)}.")
        out[name] = np.asarray(given[name], float)
        if out[name].shape != shape:
            raise SymmetryError(
                f"{what} of site {name!r} has shape {out[name].shape}; expected {shape}."
            )
        if not (np.isfinite(out[name]) & (out[name] > 0)).all():
            raise SymmetryError(f"{what} of site {name!r} must be positive and finite.")
    return out
