"""Whether a symmetry holds: the model's own densities before and after it acts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .axis import Axis
from .errors import SymmetryError
from .table import text_table
from .trial import Changes, Trial
from .units import Units
from .view import ModelView


@dataclass(frozen=True)
class CheckReport:
    """What a check compared.

    :param rows: for each ``Units``: name, kind, what was held equal, and at the point where it
        changed most for what rounding explains: the change and what rounding explains, in nats.
    :param num_points: points tried, far out and where a posterior may be.
    :param num_elements: random elements tried at each point for each ``Units``.
    """

    rows: tuple[tuple[str, str, str, float, float], ...]
    num_points: int
    num_elements: int

    def __str__(self) -> str:
        table = text_table(["units", "kind", "held equal", "largest change", "rounding"], self.rows)
        return (
            f"{table}\nin nats, at {self.num_points} points, {self.num_elements} elements each; "
            "changes that rounding explains pass"
        )


def check_symmetry(
    units: Sequence[Units], view: ModelView, num_points: int, num_elements: int, rng_seed: int
) -> CheckReport:
    """Compare densities at random points before and after each ``Units`` acts; raise where they differ."""
    if num_points < 1 or num_elements < 1:
        raise SymmetryError(f"check: num_points and num_elements must be at least 1; got {num_points}, {num_elements}.")
    trial = Trial(view, num_points, np.random.default_rng(rng_seed), num_elements)
    rows = []
    for u in units:
        changes = trial.changes([u], trial.everywhere)
        if not holds(u, changes):
            raise SymmetryError(_explain(u, changes, trial))
        what, change = "log joint", changes.joint
        if u.kind == "scaled":
            what, change = "log likelihood", changes.likelihood
        rows.append((u.name, u.kind, what, abs(change.nats), change.allowed))
    return CheckReport(tuple(rows), len(trial.everywhere), num_elements)


def holds(u: Units, changes: Changes) -> bool:
    """Whether units that changed so much are a symmetry: of the joint, or with scales of the likelihood."""
    if u.kind == "scaled":
        return changes.likelihood.is_rounding
    return changes.joint.is_rounding and not changes.left_support


def _explain(u: Units, change: Changes, trial: Trial) -> str:
    head = f"Units {u.name!r} are no symmetry of this model"
    if u.kind != "scaled":
        for site in change.left_support:
            return f"{head}: they move the value of site {site!r} out of its support."
        for site, d in change.latent.items():
            # A prior that varies along the axis shows at its own site, whatever the rest does.
            if not d.is_rounding and site in u.sites and change.likelihood.is_rounding:
                axes = ", ".join(str(a.axis) for a in u.axes[site])
                why = _kind_thatholds(u, trial)
                return (
                    f"{head}: the prior of site {site!r} tells its {u.n} entries apart along axis {axes} "
                    f"(its log density changes by {abs(d.nats):.2g} nats).{why}"
                )
    remedy = _remedy(u, trial)
    what = "log likelihood" if u.kind == "scaled" else "log joint density"
    sites = {**change.observed, **({} if u.kind == "scaled" else change.latent)}
    changed = ", ".join(f"{s!r} by {abs(d.nats):.2g} nats" for s, d in sites.items() if not d.is_rounding)
    return f"{head}: the {what} changes ({changed or 'in sum'}). {remedy}"


def _kind_thatholds(u: Units, trial: Trial) -> str:
    if u.kind == "permutation":
        return ""
    plain = u.with_kind("permutation")
    if holds(plain, trial.changes([plain], trial.everywhere)):
        return " With kind='permutation' it holds."
    return ""


def _remedy(u: Units, trial: Trial) -> str:
    """The one change to the specification that makes it hold, if there is one."""
    for text, other in _edits(u, trial.view.shapes):
        if holds(other, trial.changes([other], trial.everywhere)):
            return text
    if _kind_thatholds(u, trial):
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
