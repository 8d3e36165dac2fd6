"""How many nats a guide gains from being symmetrized, from below and from above."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp

from ...symmetry import Symmetry, SymmetryError
from ...symmetry.parts_of_rows import in_parts
from ..bases.base import Base
from ._guess import REPORTING, importance, log_tau
from .by_name import exact_by_parts
from .orbit import Drawn, on_opened_sites

#: Draws that are worked on at once.
_AT_ONCE = 8


class SymmetryInformation(NamedTuple):
    """Estimates of ``I(g; w)`` in nats, each a mean with its standard error.

    :param lower: expected to be at most ``I``.
    :param lower_error: its standard error.
    :param upper: expected to be at least ``I``.
    :param upper_error: its standard error.
    :param log_order: ``log|G|``, which ``I`` cannot exceed.
    """

    lower: float
    lower_error: float
    upper: float
    upper_error: float
    log_order: float

    def __str__(self) -> str:
        return (
            f"I(g; w) between {self.lower:.2f} +- {self.lower_error:.2f} and {self.upper:.2f} +- "
            f"{self.upper_error:.2f} of log|G| = {self.log_order:.2f} nats"
        )


def information(
    rng_key: jax.Array, sym: Symmetry, base: Base, num_samples: int, num_importance: int
) -> SymmetryInformation:
    """Estimate ``I(g; w)`` of a base guide.

    Importance weights of the guess bracket it: averaged with the identity among them they bound
    it from below, without it from above. Another bound from above is the sum over units of what
    each tells when the others are in place, as ``H(g | w) >= sum_l H(g_l | w, g_-l)``; the lower of
    the two is told.

    :param rng_key: a JAX random key.
    :param num_samples: draws of the base.
    :param num_importance: elements in each average, the identity counted.
    :returns: a :class:`SymmetryInformation`.
    :raises SymmetryError: where a number is out of range.
    """
    for name, number in (("num_samples", num_samples), ("num_importance", num_importance)):
        if not isinstance(number, int) or number < 2:
            raise SymmetryError(
                f"symmetry_information: {name} must be an int of at least 2; got {number!r}."
            )

    keys = jax.random.split(rng_key, num_samples)
    low, high = in_parts(
        lambda some: _bracket(base, some, sym, num_importance), keys, "draws", _AT_ONCE
    )
    high = high.reshape(num_samples, -1)
    high = high[:, high.mean(0).argmin()]
    return SymmetryInformation(
        float(low.mean()),
        float(low.std() / num_samples**0.5),
        float(high.mean()),
        float(high.std() / num_samples**0.5),
        sym.log_order,
    )


# One program for all calls alike. The base is an argument: as a constant its arrays would be folded
# when compiling, slowly.
@partial(jax.jit, static_argnames=("sym", "num_importance"))
def _bracket(
    base: Base, keys: jax.Array, sym: Symmetry, num_importance: int
) -> tuple[jax.Array, jax.Array]:
    """Of each of some draws of the base, what bounds the information from below, and what from
    above.
    """

    def one(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        key_base, key_exact, key_moments, key_elements = jax.random.split(key, 4)
        sites, held = base.sample(key_base)
        opened, drawn = on_opened_sites(sym, Drawn(base, sites, held))
        sites = dict(drawn.sites)
        x, q, _ = drawn.stand_in(opened, key_moments)
        if not drawn.evaluates_elsewhere:
            return sym.log_order + log_tau(opened, x, q, REPORTING), jnp.asarray(sym.log_order)
        log_q_sym = exact_by_parts(opened, drawn, key_exact)
        if log_q_sym is not None:
            both = drawn(sites) - log_q_sym
            return both, both
        log_ratios, _ = importance(
            key_elements, opened, drawn, sites, x, q, num_importance, REPORTING
        )
        lower = logsumexp(log_ratios) - jnp.log(num_importance)
        uppers = [_without_identity(log_ratios)]
        if len(sym) > 1:  # all the other units told, no unit is harder to place than it is
            each = (
                (Symmetry([u]), key)
                for u, key in zip(opened.units, jax.random.split(key_exact, len(sym)), strict=True)
            )
            alone = [
                importance(key, part, drawn, sites, x, q, num_importance)[0] for part, key in each
            ]
            uppers.append(jnp.stack([_without_identity(ratios) for ratios in alone]).sum())
        return sym.log_order - lower, sym.log_order - jnp.stack(uppers)

    return jax.lax.map(one, keys, batch_size=_AT_ONCE)


def _without_identity(log_ratios: jax.Array) -> jax.Array:
    """Log of the mean of the ratios at elements drawn: without bias in the mean, so below ``-log
    p(e | w)`` in logs.
    """
    return logsumexp(log_ratios[1:]) - jnp.log(len(log_ratios) - 1)
