"""What a claim rests on besides its proof, so that nobody uses it unasked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..models import ModelView
from ..symmetry import Units
from .reading import reaching

#: What a claim may rest on, in words.
CAVEATS = {
    "evaluated": (
        "found by evaluation, not proved: no rule shows it, but it held at every point tried."
    ),
    "values": "rests on the values of these data: with others of the same shape it need not hold.",
    "untouched": "moves only sites that the likelihood never sees.",
}


def caveats_of(
    view: ModelView,
    units: Sequence[Units],
    evaluated: Sequence[Units],
    for_any_data: Iterable[Units] | None,
) -> dict[str, frozenset[str]]:
    """For each of the units, keys of :data:`CAVEATS`.

    :param evaluated: those that nothing proves.
    :param for_any_data: what is proved whatever the data; ``None`` where all that is proved is so.
    """
    touched = reaching(view, view.observed)
    general = None
    if for_any_data is not None:
        several = list(for_any_data)
        general = {where(u) for u in several} | {where(u.with_kind("permutation")) for u in several}
    found = {}
    for u in units:
        some = set()
        if u in evaluated:
            some.add("evaluated")
        elif general is not None and where(u) not in general:
            some.add("values")
        if touched.isdisjoint(u.sites):
            some.add("untouched")
        found[u.name] = frozenset(some)
    return found


def where(u: Units) -> tuple:
    """Units but for their name; on which of several axes their sign is said to act does
    not matter.
    """
    places = frozenset((site, replace(a, power=None)) for site, axes in u.placements for a in axes)
    return u.n, u.kind, places
