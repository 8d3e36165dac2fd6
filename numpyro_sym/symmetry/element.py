"""Group elements as plain arrays, of NumPy or of JAX."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from .short import short_repr

Array = Any  # a NumPy or a JAX array


class Element(NamedTuple):
    """A permutation of slots and a factor for each: ``new[i] = factor[i] * old[permutation[i]]``.

    Where units have a batch, every set of the batch has a permutation and factors of its own.

    :param permutation: ints of shape ``(*sample, *batch, n)``, each row a permutation of ``0 ..
        n-1``.
    :param factor: floats of shape ``(*sample, *batch, n)``.
    """

    permutation: Array
    factor: Array

    def __repr__(self) -> str:
        return short_repr(self)

    def for_each(self, sample_shape: tuple[int, ...]) -> Element:
        """The same element for each of some draws.

        :param sample_shape: put before the element's own dimensions.
        """
        xp = namespace(*self)
        permutation, factor = (xp.broadcast_to(x, (*sample_shape, *np.shape(x))) for x in self)
        return Element(permutation, factor)


def namespace(*arrays: Array) -> Any:
    """NumPy where every array is NumPy's (its dtype and the host are kept), else jax.numpy."""
    return np if all(isinstance(a, (np.ndarray, np.generic)) for a in arrays) else jnp
