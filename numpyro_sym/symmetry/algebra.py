"""The algebra of group elements.

One element of one :class:`~numpyro_sym.Units` is a pair of arrays ``(*sample, *batch, n)``: any
leading sample dimensions, then the batch of the units. Every function works on NumPy and on JAX
arrays alike.
"""

from __future__ import annotations

from itertools import permutations, product

import jax
import jax.numpy as jnp
import numpy as np

from .element import Array, Element, namespace
from .units import Units


def identity(units: Units, sample_shape: tuple[int, ...] = ()) -> Element:
    """The element that moves nothing."""
    shape = (*sample_shape, *units.shape)
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
    shape = (*sample_shape, *units.shape)
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
    one_set = _enumerate_one_set(units)
    count = len(one_set.permutation)
    # Row k, written in base `count`, says which element each set of the batch takes.
    rows = np.arange(count**units.sets)[:, None]
    digits = rows // count ** np.arange(units.sets)[::-1] % count
    shape = (len(rows), *units.shape)
    return Element(*(a[digits].reshape(shape) for a in one_set))


def _enumerate_one_set(units: Units) -> Element:
    signs = np.ones((1, units.n))
    if units.has_signs:
        signs = np.array(list(product((1.0, -1.0), repeat=units.n)))
    perms = np.array(list(permutations(range(units.n))))
    return Element(np.repeat(perms, len(signs), axis=0), np.tile(signs, (len(perms), 1)))


def moved_batch(
    g: Element, permutation: Array, dimension: int, batch_ndim: int, within: tuple[int, ...] = ()
) -> Element:
    """The element whose set ``c`` along one batch dimension is that of set ``permutation[c]`` of
    ``g``.

    :param g: arrays of shape ``(*sample, *batch, n)``.
    :param permutation: ints of shape ``(*sample, *own batch, m)``, ``m`` the length of that batch
        dimension.
    :param dimension: which batch dimension.
    :param batch_ndim: how many there are.
    :param within: for each dimension of the permutation's own batch, which batch dimension of ``g``
        it is.
    """
    xp = namespace(*g, permutation)
    places = (*within, dimension)
    lead = permutation.ndim - len(places)
    # Its dimensions in the order in which g has them, with length 1 along the others and along the
    # units.
    in_order = xp.transpose(
        permutation, (*range(lead), *(lead + int(k) for k in np.argsort(places)))
    )
    shape = [1] * batch_ndim
    for place, length in zip(sorted(places), in_order.shape[lead:], strict=True):
        shape[place] = length
    index = in_order.reshape(*in_order.shape[:lead], *shape, 1)
    return Element(*(xp.take_along_axis(a, index, lead + dimension) for a in g))
