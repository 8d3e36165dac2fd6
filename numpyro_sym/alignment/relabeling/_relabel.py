"""Every relabeling method at once, in one labeling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike

from ...symmetry import Element, Symmetry, SymmetryError, Units, kinds
from ...symmetry.arguments import check_arguments
from ...symmetry.bars import progress, tracked
from ...symmetry.labels import labels_by_set
from ...symmetry.validity import check_labels
from .._align import align
from ._data_based import data_based
from ._ecr import commonest, ecr, ecr_iterative, ecr_soft
from ._stephens import stephens
from .by_parameters import ordering
from .clustering import Loss, clustering_of, similarity_matrix
from .relabelings import Relabelings
from .result import as_floats, as_probabilities, cheapest, relabeled


@dataclass(frozen=True)
class _Given:
    """What there is to relabel by; draws are one flat batch.

    :param labels: ints ``(draw, observation)``.
    :param probabilities: floats ``(draw, observation, n)``, or ``None``.
    :param data: as :func:`data_based` takes them, or ``None``.
    :param values: floats ``(draw, n)`` to order by, or ``None``.
    :param sites: the draws as they came.
    :param pivot: labels of the best clustering, and ``draw``, which draw's they are.
    """

    labels: np.ndarray
    probabilities: Any
    data: Any
    values: Any
    sites: Mapping[str, Any]
    sym: Symmetry
    pivot: np.ndarray
    draw: tuple[int, ...]
    sample_ndim: int

    @property
    def n(self) -> int:
        (units,) = self.sym
        return units.n

    def aligned(self, reference: Any) -> tuple[np.ndarray, bool]:
        """By all parameters, to a draw or to the mean."""
        (units,) = self.sym
        r = align(self.sites, reference, self.sym, sample_ndim=self.sample_ndim)
        permutation = np.asarray(r.elements[units.name].permutation)
        return permutation.reshape(-1, units.n), True


def _of(run: Callable[[_Given], Any]) -> Callable[[_Given], tuple[np.ndarray, bool]]:
    """A method's permutations ``(draw, n)``, and whether they settled."""

    def permutations(given: _Given) -> tuple[np.ndarray, bool]:
        r = run(given)
        return r.permutation, r.settled

    return permutations


#: Method -> what it needs beside labels, and how it is run.
_METHODS: dict[str, tuple[tuple[str, ...], Callable[[_Given], tuple[np.ndarray, bool]]]] = {
    "ecr": ((), _of(lambda g: ecr(g.labels, g.pivot, g.n))),
    "ecr_iterative": ((), _of(lambda g: ecr_iterative(g.labels, g.n))),
    "ecr_soft": (("probabilities",), _of(lambda g: ecr_soft(g.labels, g.probabilities))),
    "stephens": (("probabilities",), _of(lambda g: stephens(g.probabilities))),
    "data_based": (("data",), _of(lambda g: data_based(g.labels, g.data, g.n))),
    "pivotal": (("parameters",), lambda g: g.aligned(g.draw)),
    "mean": (("parameters",), lambda g: g.aligned("mean")),
    "ordering": (("order_by",), _of(lambda g: ordering(g.values))),
}


def _methods_fault(value: Any) -> str | None:
    if isinstance(value, str):
        return f"Write [{value!r}]."
    if not isinstance(value, (list, tuple)) or not value:
        return ""
    known = all(isinstance(name, str) and name in _METHODS for name in value)
    return None if known and len(set(value)) == len(value) else ""


GivenMethods = Annotated[
    Sequence[str],
    kinds.Kind(f"a list of different ones of {list(_METHODS)}", _methods_fault),
]


def relabel(
    sites: kinds.Sites,
    sym: Symmetry,
    *,
    probabilities: ArrayLike | None = None,
    data: ArrayLike | None = None,
    order_by: kinds.Name | None = None,
    methods: GivenMethods | None = None,
    loss: Loss = "binder",
    sample_ndim: kinds.Positive = 1,
    progress_bar: bool = True,
) -> Relabelings:
    """Relabel draws by every method that they allow, and say how far the methods agree.

    The labels are those of the best clustering (:func:`best_clustering`), a partition of the
    observations that no relabeling changes; each method's are brought to them by one permutation
    for all draws. Papastamoulis 2016 compares methods so, in R's label.switching. Memory grows with
    the square of the observations: of very many, pass a part.

    ======================================  ==================================================
    method                                  needs
    ======================================  ==================================================
    ``"ecr"``, with the best clustering     labels
    ``"ecr_iterative"``                     labels
    ``"ecr_soft"``, ``"stephens"``          ``probabilities``
    ``"data_based"``                        ``data``
    ``"pivotal"``, ``"mean"``               all sites along which the units lie: :func:`align` to
                                            the best clustering's draw, or to the mean
    ``"ordering"``                          ``order_by``
    ======================================  ==================================================

    :param sites: site name -> array ``(*sample, *site)``, NumPy or JAX: labels, parameters.
    :param sym: one ``Units`` that are permuted. The sites of their labels are the ``values`` that
        they name; where the draws hold none, each observation's likeliest label by
        ``probabilities`` stands for it.
    :param probabilities: floats ``(*sample, observations, n)``: of each observation's component,
        given a draw.
    :param data: floats ``(observations,)`` or ``(observations, features)``.
    :param order_by: a site of shape ``(*sample, n)``, or the array that sites are stacked into.
    :param methods: which methods; all that can be run by default.
    :param loss: what the best clustering is least in: ``"binder"`` or ``"vi"``.
    :param sample_ndim: how many leading sample dimensions there are.
    :param progress_bar: whether to show one, of the methods, where they take long.
    :returns: a :class:`Relabelings`; ``print`` shows the table of agreement.
    :raises SymmetryError: where units have factors or a batch, or are several; where there are no
        labels, or a method lacks what it needs.

    >>> from numpyro_sym import mixture
    >>> draws = {"mu": np.array([[0.0, 5.0], [5.1, 0.0]]), "z": np.array([[0, 0, 1], [1, 1, 0]])}
    >>> r = relabel(draws, mixture(2, {"mu": 0}, assignments="z"), methods=["ecr", "mean"])
    >>> print(r)
    method  settled  clustering  ecr    mean
    ecr     yes      1.000       1.000  1.000
    mean    yes      1.000       1.000  1.000
    """
    check_arguments(relabel, locals())
    sites, sym = sym.stack(sites, sample_ndim=sample_ndim), sym.on_arrays()
    units = _only_units(sym)
    p = None
    if probabilities is not None:
        p = as_probabilities(probabilities, "relabel: probabilities")
    sample = _sample_shape(units, sites, p, sample_ndim)
    if p is not None:
        p = _by_draw(p, sample, units.n)
    labels = _labels(units, sites, p, sample)
    y = None if data is None else _data(data, labels.shape[-1])
    values = None if order_by is None else _values(sites, order_by, (*sample, units.n))
    parameters = bool(sym.sites) and all(site in sites for site in sym.sites)
    optional = {"probabilities": p, "data": y, "order_by": values}
    there = {name for name, x in optional.items() if x is not None}
    to_run = _to_run(there | ({"parameters"} if parameters else set()), methods)
    similarity = similarity_matrix(labels)
    best = clustering_of(labels, similarity, sample, loss)
    given = _Given(labels, p, y, values, sites, sym, best.labels, best.draw, sample_ndim)
    elements, settled, moved = {}, {}, {}
    with progress("relabel", "methods", progress_bar):
        for method in tracked("methods", to_run, len(to_run)):
            permutation, settled[method] = _METHODS[method][1](given)
            permutation = _in_labels_of(best.labels, labels, permutation)
            moved[method] = relabeled(labels, permutation)
            permutation = permutation.reshape(*sample, units.n)
            elements[method] = {units.name: Element(permutation, np.ones(permutation.shape))}
    agreement = [[float((a == b).mean()) for b in moved.values()] for a in moved.values()]
    clusterings = {method: commonest(z, units.n) for method, z in moved.items()}
    return Relabelings(elements, settled, clusterings, best, np.array(agreement), similarity)


def _only_units(sym: Symmetry) -> Units:
    if len(sym) != 1:
        raise SymmetryError(
            f"relabel: the symmetry has {len(sym)} Units {[u.name for u in sym]}; expected one. "
            "Choose by sym.select or sym.without."
        )
    (units,) = sym
    if units.has_factors or units.batch:
        what = f"are {units.kind}" if units.has_factors else f"have a batch {units.batch}"
        raise SymmetryError(
            f"relabel: Units {units.name!r} {what}; expected plain permutations of one set. Use "
            "numpyro_sym.align, or a single method with its groups."
        )
    return units


def _sample_shape(
    units: Units, sites: Mapping[str, Any], p: np.ndarray | None, lead: int
) -> tuple[int, ...]:
    there = [np.shape(sites[site]) for site in (*units.values, *units.sites) if site in sites]
    if p is not None:
        there.append(p.shape)
    shapes = {shape[:lead] for shape in there}
    if len(shapes) != 1 or any(len(shape) <= lead for shape in there):
        raise SymmetryError(
            f"relabel: labels, parameters and probabilities must share {lead} leading sample "
            f"dimensions; got shapes {there}."
        )
    return shapes.pop()


def _by_draw(p: np.ndarray, sample: tuple[int, ...], n: int) -> np.ndarray:
    """Probabilities as ``(draw, observation, n)``."""
    if p.ndim < len(sample) + 2 or p.shape[-1] != n:
        raise SymmetryError(
            f"relabel: probabilities have shape {p.shape}; expected {(*sample, 'observations', n)}."
        )
    return p.reshape(int(np.prod(sample)), -1, n)


def _labels(
    units: Units, sites: Mapping[str, Any], p: np.ndarray | None, sample: tuple[int, ...]
) -> np.ndarray:
    """``(draw, observation)``."""
    parts = []
    for site, axis in units.labeled:
        if site in sites:
            check_labels("relabel", units, site, sites[site])
            parts.append(labels_by_set(np.asarray(sites[site]), axis, len(sample)).astype(int))
    if not parts:
        if p is None:
            raise SymmetryError(
                f"relabel: no site holds labels of Units {units.name!r}: they name "
                f"{list(units.values)} in values, and there are {sorted(sites)}. Pass "
                "probabilities (numpyro_sym.diagnostics.label_probabilities), or use "
                "numpyro_sym.align."
            )
        return p.argmax(-1)
    labels = np.concatenate(parts, -1)
    labels = labels.reshape(int(np.prod(sample)), -1)
    if not labels.size or (p is not None and p.shape[:2] != labels.shape):
        raise SymmetryError(
            f"relabel: labels have shape {labels.shape} (draws, observations), and probabilities "
            f"{None if p is None else p.shape}."
        )
    return labels


def _data(given: Any, observations: int) -> np.ndarray:
    y = as_floats(given, 1, "relabel: data")
    if y.ndim > 2 or len(y) != observations:
        raise SymmetryError(
            f"relabel: data have shape {y.shape}; expected one row for each of {observations} "
            "observations."
        )
    return y


def _values(sites: Mapping[str, Any], site: str, shape: tuple[int, ...]) -> np.ndarray:
    if site not in sites or np.shape(sites[site]) != shape:
        there = {name: np.shape(x) for name, x in sites.items()}
        raise SymmetryError(
            f"relabel: order_by={site!r} must be a site of shape {shape}; there are {there}."
        )
    return np.asarray(sites[site]).reshape(-1, shape[-1])


def _to_run(there: set[str], methods: Sequence[str] | None) -> list[str]:
    """The methods asked for, or those that what is there allows."""
    lacking = {}
    for method, (needs, _) in _METHODS.items():
        missing = [need for need in needs if need not in there]
        if missing:
            lacking[method] = missing
    if methods is None:
        return [method for method in _METHODS if method not in lacking]
    for method in methods:
        if method in lacking:
            raise SymmetryError(
                f"relabel: method {method!r} needs {' and '.join(lacking[method])}, which did not "
                f"come. Without: {[m for m in _METHODS if m not in lacking]}."
            )
    return list(methods)


def _in_labels_of(pivot: np.ndarray, labels: np.ndarray, permutation: np.ndarray) -> np.ndarray:
    """One permutation for all draws on top of theirs, that agrees with the pivot most often."""
    n = permutation.shape[-1]
    new = relabeled(labels, permutation)
    cells = np.broadcast_to(pivot * n, new.shape) + new
    agree = np.bincount(cells.ravel(), minlength=n * n).reshape(1, n, n)
    (order,), _ = cheapest(-agree.astype(float))
    return permutation[:, order]
