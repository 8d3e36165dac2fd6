"""What is not symmetric, and why, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..symmetry import Units
from .classes import Class
from .layout import Layout, Reason, Var
from .model import NumPyroModel

MOST_REASONS = 3


def reasons_of(layout: Layout) -> list[Reason]:
    """Why positions along an axis are told apart, each reason once."""
    found: dict[Reason, None] = {}

    def visit(var: Var) -> None:
        found.update(var.reasons)
        for term in var.parts or ():
            for part in term:
                visit(part)

    for term in layout:
        for occ in term:
            visit(occ.var)
    return list(found)


def explain(view: NumPyroModel, joint: Any, likelihood: Any, units: Sequence[Units]) -> Iterator[str]:
    """One line for each group of axes that nothing moves.

    :param joint: the :class:`Reading` of the whole model.
    :param likelihood: that of the observed sites alone.
    """
    moved = {(s, a.axis) for u in units if u.n > 1 for s, axs in u.placements for a in axs}
    told: set[tuple[str, int]] = set()
    for c in likelihood.classes:
        where = dict.fromkeys((p.site, p.axis) for p in c.places)
        if not c.alive or not any(place not in moved for place in where):
            continue
        told |= set(where)
        yield _forbidden(c, joint, where)
    groups: dict[tuple[Reason, ...], list[str]] = {}
    for name, value in joint.sites.items():
        for axis, layout in enumerate(value.axes):
            if layout is not None and (name, axis) not in moved | told:
                reasons = tuple(reasons_of(layout))[:MOST_REASONS]
                groups.setdefault(reasons, []).append(f"{name}[{axis}]")
    for reasons, places in groups.items():
        unsure = any(r.opaque for r in reasons)
        head = "could not prove that its positions may be exchanged" if unsure else "not exchangeable"
        yield f"{' '.join(places)}: {head}: {_listed(reasons)}."


def _forbidden(c: Class, joint: Any, where: Iterable[tuple[str, int]]) -> str:
    """The likelihood allows it; which prior does not?"""
    sites = {*joint.sites, *(f"support of {s}" for s in joint.sites)}
    reasons: dict[Reason, None] = {}
    for site, axis in where:
        layout = joint.sites[site].axes[axis]
        reasons.update(dict.fromkeys(r for r in reasons_of(layout) if r.feeds and r.feeds <= sites))
    places = " ".join(f"{s}[{a}]" for s, a in where)
    allowed = f"{places}: the likelihood lets its {c.n} positions be permuted"
    blamed = sorted({site for r in reasons for site in r.feeds})
    if not blamed:
        return f"{allowed}; the priors were not proved to."
    who = " and ".join(
        repr(s) if not s.startswith("support of ") else f"{s.removeprefix('support of ')!r} (its support)"
        for s in blamed
    )
    listed = _listed(list(reasons)[:MOST_REASONS])
    if any(r.opaque for r in reasons):
        return f"{allowed}; that the prior of {who} does too could not be proved: {listed}."
    return f"{allowed}, but the prior of {who} tells them apart: {listed}."


def _listed(reasons: Sequence[Reason]) -> str:
    if not reasons:
        return "its units belong to classes that cannot be listed"
    return "; ".join(
        r.text + (f" ({r.primitive}{' at ' + r.source if r.source else ''})" if r.primitive else "") for r in reasons
    )
