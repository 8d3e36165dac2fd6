"""What was found, and what was not and why, in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, count

from ..models import ModelView
from ..symmetry import Units
from .classes import Class, Reading
from .inference import MET
from .layout import Layout, Occurrence, Reason

MOST_REASONS = 3


DIVIDER = re.compile("-?[./:|>~]+")  # of scopes, modules and their arrays
ARRAYS = {"bias", "embedding", "kernel", "scale", "weight"}  # in any module: no name for units


class Namer:
    """Names that tell where units live, each given once.

    The plate that the units are drawn in, else the module whose arrays most of them are
    (``Dense_0`` of ``net/Dense_0.kernel`` and of ``net.Dense_0.kernel``), else the first site. Of
    paths the last readable part.
    """

    def __init__(self, view: ModelView) -> None:
        self.plates = view.plates
        self.used: set[str] = set()

    def __call__(self, units: Units, role: str = "") -> Units:
        places = [(site, a.axis) for site, axes in units.placements for a in axes]
        plates = [self.plates.get(site, {}).get(axis) for site, axis in places if units.n > 1]
        modules = [_module(DIVIDER.split(site)) for site, _ in places if DIVIDER.search(site)]
        paths = [DIVIDER.split(plate) for plate in plates if plate] or modules or [[places[0][0]]]
        name = first = Counter(map(_readable, paths)).most_common(1)[0][0] + role
        for i in count(2):
            if name not in self.used:
                break
            name = f"{first}_{i}"
        self.used.add(name)
        return units.renamed(name)


def _module(path: Sequence[str]) -> Sequence[str]:
    """Where the module is whose array this is; the array itself where it stands in a scope and no
    module.
    """
    return path[:-1] if len(path) > 2 or path[-1] in ARRAYS else path


def _readable(path: Sequence[str]) -> str:
    """The last part that is no number, with the numbers that follow: ``layers.0`` of
    ``net.layers.0``.
    """
    start = max((i for i, part in enumerate(path) if part and not part.isdecimal()), default=0)
    return ".".join(path[start:])


def reasons_of(layout: Layout | None) -> list[Reason]:
    """Why positions along an axis are told apart, each reason once."""
    found: dict[Reason, None] = {}
    for factor in chain.from_iterable(layout or ()):
        if isinstance(factor, Occurrence):
            found |= factor.var.reasons
            inside = factor.var.parts
        else:
            inside = factor
        found |= dict.fromkeys(reasons_of(inside))
    return list(found)


def explain(
    joint: Reading,
    likelihood: Reading,
    units: Sequence[Units],
    prior_factors: Sequence[str] = (),
) -> Iterator[str]:
    """One line for each group of axes that nothing moves.

    :param joint: what the whole model says, and ``likelihood`` what the observed sites alone say.
    :param prior_factors: names of factors that are a part of the prior.
    """
    explained: set[tuple[str, int]] = set()
    for u in units:
        for site, axs in u.placements:
            explained |= {(site, axis.axis) for axis in axs if u.n > 1}
    for c in likelihood.classes:
        told_apart = any(reasons_of(joint.sites[site].axes[axis]) for site, axis in c.where)
        if c.alive and told_apart and not explained.issuperset(c.where):
            explained.update(c.where)
            yield _forbidden(c, joint, prior_factors)
    groups: dict[tuple[Reason, ...], list[str]] = {}
    for name, value in joint.sites.items():
        for axis, layout in enumerate(value.axes):
            if layout is not None and (name, axis) not in explained:
                reasons = tuple(reasons_of(layout)[:MOST_REASONS])
                groups.setdefault(reasons, []).append(f"{name}[{axis}]")
    for reasons, places in groups.items():
        if not reasons:
            continue
        head = "not exchangeable"
        if any(r.opaque for r in reasons) or all(r.text == MET for r in reasons):
            head = "could not prove that its positions may be exchanged"
        yield f"{' '.join(places)}: {head}: {_listed(reasons)}."


def _forbidden(c: Class, joint: Reading, prior_factors: Sequence[str]) -> str:
    """The likelihood allows it; which prior does not?"""
    supports = {f"support of {s}": f"{s!r} (its support)" for s in joint.sites}
    priors = {s: repr(s) for s in joint.sites} | supports
    priors |= {name: f"the factor {name!r}" for name in prior_factors}
    found: dict[Reason, None] = {}
    for site, axis in c.where:
        found |= dict.fromkeys(reasons_of(joint.sites[site].axes[axis]))
    reasons = [r for r in found if r.feeds and priors.keys() >= r.feeds]
    allowed = f"{c}: the likelihood lets its {c.var.size} positions be permuted"
    if not reasons:
        return f"{allowed}; the priors were not proved to."
    told: frozenset[str] = frozenset().union(*(r.feeds for r in reasons))
    listed = [f"the prior of {priors[site]}" for site in sorted(told) if site not in prior_factors]
    listed += [priors[site] for site in sorted(told) if site in prior_factors]
    who = " and ".join(listed).replace(" and the prior of ", " and ")
    if any(r.opaque for r in reasons):
        unproved = f"that {who} does too could not be proved"
        return f"{allowed}; {unproved}: {_listed(reasons[:MOST_REASONS])}."
    return f"{allowed}, but {who} tells them apart: {_listed(reasons[:MOST_REASONS])}."


def _listed(reasons: Sequence[Reason]) -> str:
    told = []
    for r in reasons:
        at = f" at {r.source}" if r.source else ""
        told.append(f"{r.text} ({r.primitive}{at})" if r.primitive else r.text)
    return "; ".join(told)
