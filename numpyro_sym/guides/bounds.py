"""Which bound on the symmetrised density: the choice by name, and the parts into which a symmetry falls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp

from ..symmetry import Symmetry, SymmetryError, Units
from .base import Factorised
from .evidence import fit_of, signed
from .exact import LARGEST_LISTED, exact
from .guess import guess
from .infonce import infonce
from .orbit import Bound, Drawn
from .permanent import LARGEST_PERMANENT, log_permanent

BoundName = Literal["auto", "exact", "guess", "infonce"]

#: What ``bound="exact"`` goes up to: units in one permanent, elements in one list.
EXACT_UNITS, EXACT_ELEMENTS = 16, 50_000


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
    elsewhere = evaluates_elsewhere(drawn)
    splits = len(sym) == 1 and _one_axis_each(sym, drawn) and drawn.stand_in(sym, rng_key).exact
    if splits and sym.units[0].n <= (EXACT_UNITS if only_exact else LARGEST_PERMANENT):
        return permanent(sym, drawn, drawn.sites, rng_key)
    if elsewhere and sym.order <= (EXACT_ELEMENTS if only_exact else LARGEST_LISTED):
        return exact(sym, drawn, drawn.sites, rng_key)
    if only_exact:
        raise SymmetryError(
            f"bound='exact': a group of order {sym.order:.3g} over {[u.name for u in sym.units]} is out of reach "
            f"(up to {EXACT_ELEMENTS} elements in one list, {EXACT_UNITS} units of one mean-field Units"
            + ("" if elsewhere else "; this base guide has a density at its own draws alone")
            + "). Use bound='auto' or 'guess'."
        )
    return guess(sym, drawn, drawn.sites, rng_key, num_elements=num_elements)


def permanent(sym: Symmetry, log_q: Drawn, sites: Mapping[str, Any], rng_key: jax.Array) -> jax.Array:
    """``log q_sym`` of one ``Units`` of a mean-field guide: a matrix permanent, signs folded into its entries.

    :returns: a scalar.
    """
    (u,) = sym.units
    x, q, _ = log_q.stand_in(sym, rng_key)
    fit = fit_of(sym, u, {}, x, q)
    log_weights = fit.either if signed(u) else fit.even
    return log_q(sites) + log_permanent(log_weights) - jnp.trace(fit.even + fit.odd) - sym.log_order


def evaluates_elsewhere(drawn: Drawn) -> bool:
    """Whether the base has a density at other points than its own draws (a flow without an inverse has none)."""
    try:
        jax.eval_shape(lambda: drawn(dict(drawn.sites)))
    except SymmetryError:
        return False
    return True


def _one_axis_each(sym: Symmetry, drawn: Drawn) -> bool:
    return all(
        len({a.axis % jnp.ndim(drawn.sites[s]) for a in axes}) == 1 for u in sym.units for s, axes in u.placements
    )


def _parts(sym: Symmetry, log_q: Drawn) -> Iterator[tuple[Symmetry, Drawn]]:
    """Units that share no site, apart where the base's sites are independent."""
    if not isinstance(log_q.base, Factorised):
        yield sym, log_q
        return
    groups: list[list[Units]] = []
    for u in sym.units:
        joined = [g for g in groups if any(set(u.sites) & set(v.sites) for v in g)]
        groups = [g for g in groups if g not in joined] + [[v for g in joined for v in g] + [u]]
    for group in groups:
        part = Symmetry(group)
        held = None if log_q.intermediates is None else {name: log_q.intermediates[name] for name in part.sites}
        sites = {name: log_q.sites[name] for name in part.sites}
        yield part, Drawn(log_q.base.only(part.sites), sites, held)
