"""Which bound on the symmetrised density: the choice by name, and the parts into which a symmetry falls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from math import log
from typing import Any, Literal, get_args

import jax

from ...symmetry import Symmetry, SymmetryError
from ..bases.base import Factorised
from ._exact import LARGEST_LISTED, exact
from ._guess import guess
from ._infonce import infonce
from .orbit import Bound, Drawn
from .permanent import LARGEST_PERMANENT
from .sets import Limits, independent_parts, is_at_most, log_gain, sums_for

BoundName = Literal["auto", "exact", "guess", "infonce"]

#: What ``bound="auto"`` sums exactly; beyond it a guess is cheaper.
AUTO = Limits(units=LARGEST_PERMANENT, elements=LARGEST_LISTED, pairs=2**16)

#: What ``bound="exact"`` goes up to.
EXACT = Limits(units=16, elements=50_000, pairs=2**22)


def choose_bound(name: BoundName, num_importance: int | None) -> Bound:
    """The bound of a name, its number of elements checked.

    :param name: ``"auto"``, ``"exact"``, ``"guess"`` or ``"infonce"``.
    :param num_importance: elements in the average; ``None``: 1 for the guess, 16 for InfoNCE.
    :raises SymmetryError: where the name or the number is none.
    """
    if name not in get_args(BoundName):
        raise SymmetryError(f"bound must be one of {get_args(BoundName)}; got {name!r}.")
    if num_importance is not None and (not isinstance(num_importance, int) or num_importance < 1):
        raise SymmetryError(f"num_importance must be a positive int or None; got {num_importance!r}.")
    if name == "infonce":
        return partial(infonce, num_elements=num_importance or 16)
    if name == "guess":
        return partial(guess, num_elements=num_importance or 1)
    return partial(by_parts, only_exact=name == "exact", num_elements=num_importance or 1)


def by_parts(
    sym: Symmetry,
    log_q: Drawn,
    sites: Mapping[str, Any],
    rng_key: jax.Array,
    *,
    only_exact: bool = False,
    num_elements: int = 1,
) -> jax.Array:
    """``log q_sym``: each independent part exactly where that is affordable, else by the guess.

    :param only_exact: raise where a part is too large, instead of guessing.
    :param num_elements: elements in the guess's average.
    :raises SymmetryError: where an exact density is asked for and out of reach.
    """
    total = log_q(sites)
    for part, drawn in _parts(sym, log_q):
        total += _one_part(part, drawn, rng_key, only_exact, num_elements) - drawn(drawn.sites)
    return total


def _one_part(sym: Symmetry, drawn: Drawn, rng_key: jax.Array, only_exact: bool, num_elements: int) -> jax.Array:
    limits = EXACT if only_exact else AUTO
    field = drawn.mean_field(sym)
    sums = None if field is None else sums_for(sym, field, limits)
    if field is not None and sums is not None:
        return drawn(drawn.sites) + log_gain(sums, field) - sym.log_order
    elsewhere = evaluates_elsewhere(drawn)
    if elsewhere and is_at_most(sym, limits.elements):
        return exact(sym, drawn, drawn.sites, rng_key)
    if only_exact:
        raise SymmetryError(
            f"bound='exact': a group of 10**{sym.log_order / log(10):.1f} elements over {[u.name for u in sym.units]} "
            f"is out of reach (up to {EXACT.elements} elements in one list; of a mean-field guide up to that in each "
            f"set of a batch, or {EXACT.units} units of a Units that shares no site with others"
            + ("" if elsewhere else "; this base guide has a density at its own draws alone")
            + "). Use bound='auto' or 'guess'."
        )
    return guess(sym, drawn, drawn.sites, rng_key, num_elements=num_elements)


def evaluates_elsewhere(drawn: Drawn) -> bool:
    """Whether the base has a density at other points than its own draws (a flow without an inverse has none)."""
    try:
        jax.eval_shape(lambda: drawn(dict(drawn.sites)))
    except SymmetryError:
        return False
    return True


def _parts(sym: Symmetry, log_q: Drawn) -> Iterator[tuple[Symmetry, Drawn]]:
    """Units that share no site, apart where the base's sites are independent."""
    if not isinstance(log_q.base, Factorised):
        yield sym, log_q
        return
    for part in independent_parts(sym):
        held = None if log_q.intermediates is None else {name: log_q.intermediates[name] for name in part.sites}
        sites = {name: log_q.sites[name] for name in part.sites}
        yield part, Drawn(log_q.base.only(part.sites), sites, held)
