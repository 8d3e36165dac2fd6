"""What was found, and what was not and why, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ..symmetry import ModelView, Units
from .classes import Class, Reading
from .inference import MET
from .layout import Layout, Occ, Reason

MOST_REASONS = 3


class Namer:
    """Names that tell where units live, each given once.

    The plate that the units are drawn in, else the module whose arrays most of them are (``Dense_0`` of
    ``net/Dense_0.kernel``), else the first site.
    """

    def __init__(self, view: ModelView) -> None:
        self.plates = view.plates
        self.used: Counter[str] = Counter()

    def __call__(self, units: Units, role: str = "") -> Units:
        places = [(site, a.axis) for site, axes in units.placements for a in axes]
        plates = Counter(p for site, axis in places if units.n > 1 and (p := self.plates.get(site, {}).get(axis)))
        modules = Counter(site.rpartition(".")[0].rpartition("/")[2] for site, _ in places if "." in site)
        name = next((c.most_common(1)[0][0] for c in (plates, modules) if c), places[0][0]) + role
        self.used[name] += 1
        return units.renamed(name if self.used[name] == 1 else f"{name}_{self.used[name]}")


def reasons_of(layout: Layout | None) -> list[Reason]:
    """Why positions along an axis are told apart, each reason once."""
    found: dict[Reason, None] = {}
    for factor in (f for term in layout or () for f in term):
        if isinstance(factor, Occ):
            found.update(factor.var.reasons)
        found.update(dict.fromkeys(reasons_of(factor.var.parts if isinstance(factor, Occ) else factor)))
    return list(found)


def explain(joint: Reading, likelihood: Reading, units: Sequence[Units]) -> Iterator[str]:
    """One line for each group of axes that nothing moves.

    :param joint: what the whole model says, and ``likelihood`` what the observed sites alone say.
    """
    explained = {(s, a.axis) for u in units if u.n > 1 for s, axs in u.placements for a in axs}
    for c in likelihood.classes:
        told_apart = any(reasons_of(joint.sites[site].axes[axis]) for site, axis in c.where)
        if c.alive and told_apart and not explained.issuperset(c.where):
            explained.update(c.where)
            yield _forbidden(c, joint)
    groups: dict[tuple[Reason, ...], list[str]] = {}
    for name, value in joint.sites.items():
        for axis, layout in enumerate(value.axes):
            if layout is not None and (name, axis) not in explained:
                groups.setdefault(tuple(reasons_of(layout)[:MOST_REASONS]), []).append(f"{name}[{axis}]")
    for reasons, places in ((r, p) for r, p in groups.items() if r):
        unsure = any(r.opaque for r in reasons) or all(r.text == MET for r in reasons)
        head = "could not prove that its positions may be exchanged" if unsure else "not exchangeable"
        yield f"{' '.join(places)}: {head}: {_listed(reasons)}."


def _forbidden(c: Class, joint: Reading) -> str:
    """The likelihood allows it; which prior does not?"""
    supports = {f"support of {s}": f"{s!r} (its support)" for s in joint.sites}
    priors = {s: repr(s) for s in joint.sites} | supports
    found = dict.fromkeys(r for site, axis in c.where for r in reasons_of(joint.sites[site].axes[axis]))
    reasons = [r for r in found if r.feeds and priors.keys() >= r.feeds]
    allowed = f"{c}: the likelihood lets its {c.var.size} positions be permuted"
    if not reasons:
        return f"{allowed}; the priors were not proved to."
    who = " and ".join(priors[s] for s in sorted({site for r in reasons for site in r.feeds}))
    if any(r.opaque for r in reasons):
        return f"{allowed}; that the prior of {who} does too could not be proved: {_listed(reasons[:MOST_REASONS])}."
    return f"{allowed}, but the prior of {who} tells them apart: {_listed(reasons[:MOST_REASONS])}."


def _listed(reasons: Sequence[Reason]) -> str:
    where = {r: f" ({r.primitive}{' at ' + r.source if r.source else ''})" if r.primitive else "" for r in reasons}
    return "; ".join(r.text + where[r] for r in reasons)
