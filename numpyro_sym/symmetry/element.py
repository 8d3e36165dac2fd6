"""Group elements as plain arrays, and their algebra.

One element of one :class:`~numpyro_sym.Units` is a pair of arrays ``(..., n)`` with any leading
sample dimensions. Every function works on NumPy and on JAX arrays alike.
"""

from __future__ import annotations

from itertools import permutations, product
from math import factorial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .units import Units

Array = Any  # a NumPy or a JAX array


class Element(NamedTuple):
    """A permutation of slots and a factor for each: ``new[i] = factor[i] * old[permutation[i]]``.

    :param permutation: ints of shape ``(..., n)``, each row a permutation of ``0 .. n-1``.
    :param factor: floats of shape ``(..., n)``.
    """

    permutation: Array
    factor: Array


def namespace(*arrays: Array) -> Any:
    """NumPy where every array is NumPy's (its dtype and the host are kept), else jax.numpy."""
    return np if all(isinstance(a, (np.ndarray, np.generic)) for a in arrays) else jnp


def identity(units: Units, sample_shape: tuple[int, ...] = ()) -> Element:
    """The element that moves nothing."""
    shape = (*sample_shape, units.n)
    return Element(jnp.broadcast_to(jnp.arange(units.n), shape), jnp.ones(shape))


def compose(g: Element, h: Element) -> Element:
    """The element that acts like ``h``, then ``g``."""
    xp = namespace(*g, *h)
    return Element(
        xp.take_along_axis(h.permutation, g.permutation, -1),
        g.factor * xp.take_along_axis(h.factor, g.permutation, -1),
    )


def inverse(g: Element) -> Element:
    """The element that undoes ``g``."""
    xp = namespace(*g)
    back = xp.argsort(g.permutation, -1)
    return Element(back, 1.0 / xp.take_along_axis(g.factor, back, -1))


def sample(units: Units, rng_key: jax.Array, sample_shape: tuple[int, ...] = ()) -> Element:
    """Uniform elements; positive factors, which have no uniform law, are standard log-normal."""
    shape = (*sample_shape, units.n)
    key_permutation, key_factor = jax.random.split(rng_key)
    permutation = jax.random.permutation(
        key_permutation, jnp.broadcast_to(jnp.arange(units.n), shape), axis=-1, independent=True
    )
    if units.kind == "signed":
        factor = jax.random.rademacher(key_factor, shape, dtype=float)
    elif units.kind == "scaled":
        factor = jnp.exp(jax.random.normal(key_factor, shape))
    else:
        factor = jnp.ones(shape)
    return Element(permutation, factor)


def enumerate_elements(units: Units) -> Element:
    """Every element once, along a leading dimension of length ``units.order``; identity first."""
    signs = np.array(list(product((1.0, -1.0), repeat=units.n))) if units.kind == "signed" else np.ones((1, units.n))
    perms = np.array(list(permutations(range(units.n))))
    return Element(
        np.repeat(perms, len(signs), axis=0),
        np.tile(signs, (factorial(units.n), 1)),
    )
