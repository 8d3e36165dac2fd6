"""Whether a symmetry holds: the model's own densities before and after it acts.

This file knows no model's language. Whoever can read a model registers a reader that turns it
into a :class:`ModelView`: functions of plain arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from .axis import Axis
from .errors import SymmetryError
from .table import text_table
from .units import Units

if TYPE_CHECKING:
    from .symmetry import Symmetry


@dataclass(frozen=True)
class ModelView:
    """A model as functions of a dict of latent values, on their constrained supports.

    :param shapes: latent site name -> shape.
    :param draw: random key -> a random point.
    :param log_probs: point -> (log density of each latent site, of each observed site).
    :param in_support: point -> for each latent site, whether its value lies in its support.
    :param local: names of latent sites that stand in a subsampled plate.
    """

    shapes: Mapping[str, tuple[int, ...]]
    draw: Callable[[jax.Array], dict[str, Any]]
    log_probs: Callable[[Mapping[str, Any]], tuple[dict[str, Any], dict[str, Any]]]
    in_support: Callable[[Mapping[str, Any]], dict[str, bool]]
    local: frozenset[str] = frozenset()


Reader = Callable[[Callable[..., Any], tuple, dict], ModelView]
_readers: list[Reader] = []


def register_reader(reader: Reader) -> None:
    """Let ``Symmetry.check`` read models; the layer that knows their language calls this."""
    _readers[:] = [reader]


def read_model(model: Callable[..., Any], args: tuple, kwargs: dict) -> ModelView:
    """The model as a :class:`ModelView`, by the registered reader."""
    return _readers[0](model, args, kwargs)


@dataclass(frozen=True)
class CheckReport:
    """What a check compared.

    :param rows: for each ``Units``: name, kind, what was held equal, and the largest relative
        change of it that was seen.
    :param num_points: random points tried.
    :param num_elements: random elements tried at each point for each ``Units``.
    :param tolerance: the largest relative change that passes.
    """

    rows: tuple[tuple[str, str, str, float], ...]
    num_points: int
    num_elements: int
    tolerance: float

    def __str__(self) -> str:
        table = text_table(["units", "kind", "held equal", "largest change"], self.rows)
        return (
            f"{table}\n{self.num_points} points, {self.num_elements} elements each; "
            f"relative changes up to {self.tolerance:g} pass"
        )


def check_symmetry(
    sym: Symmetry, view: ModelView, num_points: int, num_elements: int, rng_key: jax.Array
) -> CheckReport:
    """Compare densities at random points before and after each ``Units`` acts; raise where they differ."""
    if num_points < 1 or num_elements < 1:
        raise SymmetryError(f"check: num_points and num_elements must be at least 1; got {num_points}, {num_elements}.")
    key_points, key_elements = jax.random.split(rng_key)
    trial = _Trial.at_random(type(sym), view, num_points, num_elements, key_points, key_elements)
    rows = []
    for u in sym.units:
        change = trial.changes(u)
        worst = _judged(u, change)
        if not worst <= trial.tolerance:
            raise SymmetryError(_explain(u, change, trial, view))
        rows.append((u.name, u.kind, "log likelihood" if u.kind == "scaled" else "log joint", worst))
    return CheckReport(tuple(rows), num_points, num_elements, trial.tolerance)


@dataclass(frozen=True)
class _Changes:
    """Largest relative change by site, of the sums, and the sites that left their support."""

    latent: Mapping[str, float]
    observed: Mapping[str, float]
    joint: float
    likelihood: float
    left_support: tuple[str, ...]


@dataclass(frozen=True)
class _Trial:
    """Random points with their densities, and the keys of the elements to try there."""

    product: Callable[[list[Units]], Symmetry]
    view: ModelView
    points: list[dict[str, Any]]
    before: list[tuple[dict, dict]]
    num_elements: int
    key: jax.Array
    tolerance: float

    @classmethod
    def at_random(cls, product, view, num_points, num_elements, key_points, key_elements) -> _Trial:
        points, before = [], []
        for key in jax.random.split(key_points, 10 * num_points):
            point = view.draw(key)
            densities = view.log_probs(point)
            if all(np.isfinite(v) for group in densities for v in group.values()):
                points.append(point)
                before.append(densities)
            if len(points) == num_points:
                break
        if not points:
            raise SymmetryError(
                "check: the log joint is not finite at any of the random points tried, so nothing can be compared."
            )
        # Sums of N terms carry rounding of about 1e-16 * N of their size; a model that computes in
        # float32 whatever it is given can be held to no more than single precision.
        single = any(v.dtype == np.float32 for group in before[0] for v in group.values())
        return cls(product, view, points, before, num_elements, key_elements, 1e-4 if single else 1e-9)

    def changes(self, u: Units) -> _Changes:
        sym = self.product([u])
        latent: dict[str, float] = {}
        observed: dict[str, float] = {}
        joint = likelihood = 0.0
        left: set[str] = set()
        for point, (latent_0, observed_0) in zip(self.points, self.before, strict=True):
            size = 1.0 + sum(abs(float(v)) for group in (latent_0, observed_0) for v in group.values())
            elements = sym.sample(self.key, (self.num_elements,))
            for i in range(self.num_elements):
                moved = sym.act(jax.tree.map(lambda a, i=i: a[i], elements), point)
                latent_1, observed_1 = self.view.log_probs(moved)
                left |= {s for s, inside in self.view.in_support(moved).items() if not inside}
                by_latent = {s: float(latent_1[s] - v) for s, v in latent_0.items()}
                by_observed = {s: float(observed_1[s] - v) for s, v in observed_0.items()}
                for total, by in ((latent, by_latent), (observed, by_observed)):
                    for s, d in by.items():
                        total[s] = _larger(total.get(s, 0.0), d / size)
                likelihood = _larger(likelihood, sum(by_observed.values()) / size)
                joint = _larger(joint, (sum(by_latent.values()) + sum(by_observed.values())) / size)
        return _Changes(latent, observed, joint, likelihood, tuple(sorted(left)))


def _larger(a: float, change: float) -> float:
    """The larger absolute change; one that is not a number counts as infinite."""
    return max(a, abs(change)) if np.isfinite(change) else float("inf")


def _judged(u: Units, change: _Changes) -> float:
    if u.kind == "scaled":
        return change.likelihood
    return float("inf") if change.left_support else change.joint


def _explain(u: Units, change: _Changes, trial: _Trial, view: ModelView) -> str:
    head = f"Units {u.name!r} are no symmetry of this model"
    if u.kind != "scaled":
        for site in change.left_support:
            return f"{head}: they move the value of site {site!r} out of its support."
        for site, d in change.latent.items():
            # A prior that varies along the axis shows at its own site, whatever the rest does.
            if d > trial.tolerance and site in u.sites and change.likelihood <= trial.tolerance:
                axes = ", ".join(str(a.axis) for a in u.axes[site])
                why = _kind_that_holds(u, trial)
                return (
                    f"{head}: the prior of site {site!r} tells its {u.n} entries apart along axis {axes} "
                    f"(its log density changes by a relative {d:.2g}).{why}"
                )
    remedy = _remedy(u, trial, view)
    what = "log likelihood" if u.kind == "scaled" else "log joint density"
    sites = {**change.observed, **({} if u.kind == "scaled" else change.latent)}
    changed = ", ".join(f"{s!r} by {d:.2g}" for s, d in sites.items() if d > trial.tolerance)
    return f"{head}: the {what} changes ({changed or 'in sum'}). {remedy}"


def _kind_that_holds(u: Units, trial: _Trial) -> str:
    if u.kind == "permutation":
        return ""
    plain = u.with_kind("permutation")
    if _judged(plain, trial.changes(plain)) <= trial.tolerance:
        return " With kind='permutation' it holds."
    return ""


def _remedy(u: Units, trial: _Trial, view: ModelView) -> str:
    """The one change to the specification that makes it hold, if there is one."""
    for text, other in _edits(u, view.shapes):
        try:
            change = trial.changes(other)
        except SymmetryError:
            continue
        if _judged(other, change) <= trial.tolerance:
            return text
    if _kind_that_holds(u, trial):
        return "With kind='permutation' it holds; their factors are what breaks it."
    listed = ", ".join(f"{s!r} axis {a.axis}" for s, axs in u.placements for a in axs)
    return f"Check the axes named ({listed}) and whether a site or an axis is missing."


def _edits(u: Units, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[str, Units]]:
    """Specifications one step away: an axis moved, forgotten, too many, or with another power."""
    powers = {1: "incoming", -1: "outgoing", 0: "axes"}
    for site, axs in u.placements:
        for i, a in enumerate(axs):
            rest = axs[:i] + axs[i + 1 :]
            taken = {x.axis % len(shapes[site]) for x in axs}
            for k, length in enumerate(shapes[site]):
                if k not in taken and length == u.n:
                    moved = {**u.axes, site: (*rest, Axis(k, power=a.power))}
                    yield f"Site {site!r}: axis {k} makes it hold, not axis {a.axis}.", u.with_axes(moved)
            for power, word in powers.items():
                if u.kind != "permutation" and power != a.power:
                    moved = {**u.axes, site: (*rest, Axis(a.axis, a.start, a.outer, a.inner, power))}
                    yield f"Site {site!r}, axis {a.axis}: name it in {word}.", u.with_axes(moved)
            dropped = {s: x for s, x in {**u.axes, site: rest}.items() if x}
            if dropped:
                yield f"Site {site!r}, axis {a.axis}: leave it out.", u.with_axes(dropped)
    for site, shape in shapes.items():
        taken = {a.axis % len(shape) for a in u.axes.get(site, ())} if shape else set()
        for k, length in enumerate(shape):
            if length != u.n or k in taken:
                continue
            for power, word in powers.items():
                if u.kind == "permutation" and power:
                    continue
                added = {**u.axes, site: (*u.axes.get(site, ()), Axis(k, power=power))}
                yield f"Site {site!r}, axis {k} must move too: add {word}={{{site!r}: {k}}}.", u.with_axes(added)
