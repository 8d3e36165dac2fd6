"""Which bound on the symmetrized density: the choice by name, and the parts into which a symmetry
falls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import log
from typing import Annotated, Any

import jax

from ...symmetry import Symmetry, SymmetryError, kinds
from ...symmetry.arguments import check_arguments
from ..bases.base import is_factorized
from ._exact import LARGEST_LISTED, exact
from ._guess import guess
from ._infonce import infonce
from .orbit import Bound, Drawn
from .permanent import LARGEST_PERMANENT
from .sets import Limits, independent_parts, is_at_most, log_gain, sums_for

#: As :data:`Bound`, with ``num_elements``: how many elements are in the average, by keyword.
NamedBound = Callable[..., jax.Array]

#: Bounds by name: how many elements are in the average -> the bound.
_named: dict[str, Callable[[int], Bound]] = {
    "auto": lambda num_elements: partial(by_parts, num_elements=num_elements),
    "exact": lambda num_elements: partial(by_parts, only_exact=True, num_elements=num_elements),
    "guess": lambda num_elements: partial(guess, num_elements=num_elements),
    "infonce": lambda num_elements: partial(infonce, num_elements=num_elements),
}
BUILT_IN = tuple(_named)
#: Elements in the average where no number is given; 1 for the others.
_usual = {"infonce": 16}


def _bound_fault(value: Any) -> str | None:
    return (
        None
        if isinstance(value, str) and value in _named
        else f"Known are {', '.join(map(repr, _named))}."
    )


BoundName = Annotated[str, kinds.Kind("the name of a bound", _bound_fault)]

#: What ``bound="auto"`` sums exactly; beyond it a guess is cheaper.
AUTO = Limits(units=LARGEST_PERMANENT, elements=LARGEST_LISTED, pairs=2**16)

#: What ``bound="exact"`` goes up to.
EXACT = Limits(units=16, elements=50_000, pairs=2**22)


def register_bound(
    name: kinds.Name, *, num_importance: kinds.Positive = 1
) -> Callable[[NamedBound], NamedBound]:
    """Let ``bound=`` of a symmetrized guide take a bound of one's own by a name.

    What is registered is a function ``(sym, drawn, sites, rng_key, *, num_elements)`` that returns
    a scalar: a value of which the expectation over draws of the base is at least that of ``log
    q_sym``, so that the ELBO stays a lower bound. ``drawn(sites)`` is the log density of the base,
    ``drawn.base`` the base guide; see ``docs/extending.md``.

    >>> from numpyro_sym.guides import register_bound
    >>> @register_bound("none")
    ... def unsymmetrized(sym, drawn, sites, rng_key, *, num_elements):
    ...     return drawn(sites)

    :param name: the name to give as ``bound``.
    :param num_importance: the usual number of elements in its average.
    :returns: a decorator of the bound; a bound of that name gives way to it.
    :raises SymmetryError: where the name is one of this package's own.
    """
    check_arguments(register_bound, locals())
    if name in BUILT_IN:
        raise SymmetryError(
            f"register_bound: {name!r} is a bound of this package's own; choose another name."
        )

    def register(bound: NamedBound) -> NamedBound:
        if not callable(bound):
            raise SymmetryError(f"register_bound: expected a function; got {bound!r}.")
        _named[name] = lambda num_elements: partial(bound, num_elements=num_elements)
        _usual[name] = num_importance
        return bound

    return register


def choose_bound(name: BoundName, num_importance: kinds.Positive | None) -> Bound:
    """The bound of a name.

    :param name: ``"auto"``, ``"exact"``, ``"guess"``, ``"infonce"``, or one that was registered.
    :param num_importance: elements in the average; ``None``: 1 for the guess, 16 for InfoNCE.
    :raises SymmetryError: where the name or the number is none.
    """
    check_arguments(choose_bound, locals(), "bound")
    return _named[name](num_importance or _usual.get(name, 1))


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
        log_density = summed(part, drawn, rng_key, EXACT if only_exact else AUTO)
        if log_density is None and only_exact:
            raise SymmetryError(_out_of_reach(part, drawn))
        if log_density is None:
            log_density = guess(part, drawn, drawn.sites, rng_key, num_elements=num_elements)
        total += log_density - drawn(drawn.sites)
    return total


def exact_by_parts(sym: Symmetry, log_q: Drawn, rng_key: jax.Array) -> jax.Array | None:
    """``log q_sym`` of the draw itself; ``None`` where a part of the group is too large."""
    total = log_q(log_q.sites)
    for part, drawn in _parts(sym, log_q):
        log_density = summed(part, drawn, rng_key, EXACT)
        if log_density is None:
            return None
        total += log_density - drawn(drawn.sites)
    return total


def summed(sym: Symmetry, drawn: Drawn, rng_key: jax.Array, limits: Limits) -> jax.Array | None:
    """The symmetrized density summed over the group, in logs; ``None`` where that is out of reach.

    :param limits: what counts as affordable.
    """
    field = drawn.mean_field(sym)
    sums = None if field is None else sums_for(sym, field, limits)
    if field is not None and sums is not None:
        return drawn(drawn.sites) + log_gain(sums, field) - sym.log_order
    if is_at_most(sym, limits.elements) and drawn.evaluates_elsewhere:
        return exact(sym, drawn, drawn.sites, rng_key)
    return None


def _out_of_reach(sym: Symmetry, drawn: Drawn) -> str:
    at_draws_alone = (
        ""
        if drawn.evaluates_elsewhere
        else "; this base guide has a density at its own draws alone"
    )
    return (
        f"bound='exact': a group of 10**{sym.log_order / log(10):.1f} elements over "
        f"{[u.name for u in sym.units]} is "
        f"out of reach (up to {EXACT.elements} elements in one list; of a mean-field guide up to "
        "that in each set of a "
        f"batch, or {EXACT.units} units of a Units that shares no site with "
        f"others{at_draws_alone}). "
        "Use bound='auto' or 'guess'."
    )


def _parts(sym: Symmetry, log_q: Drawn) -> Iterator[tuple[Symmetry, Drawn]]:
    """Units that share no site, apart where the base's sites are independent."""
    if not is_factorized(log_q.base):
        yield sym, log_q
        return
    for part in independent_parts(sym):
        held = (
            None
            if log_q.intermediates is None
            else {name: log_q.intermediates[name] for name in part.sites}
        )
        sites = {name: log_q.sites[name] for name in part.sites}
        yield part, Drawn(log_q.base.only(part.sites), sites, held)
