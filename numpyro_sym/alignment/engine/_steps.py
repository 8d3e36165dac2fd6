"""Elements of some of a symmetry's units, one step after another; on the host or traced."""

from __future__ import annotations

from collections.abc import Mapping

from ...symmetry import Element, Symmetry


def after(
    sym: Symmetry, step: Mapping[str, Element], before: Mapping[str, Element]
) -> dict[str, Element]:
    """What some units did first and others then, as one element of those that moved.

    Units that commute keep what they did. Where the step is one of units whose sets others have
    permuted already, it is told as what comes before these.
    """
    moved = [u for u in sym if u.name in step or u.name in before]
    if not step.keys() & before.keys() and not any(sym.outer_of(u) for u in moved):
        return {**before, **step}
    still = sym.identity()
    total = sym.compose({**still, **step}, {**still, **before})
    return {u.name: total[u.name] for u in moved}
