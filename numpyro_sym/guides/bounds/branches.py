"""One of two functions, differentiated inside the branch that is taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def either_way(
    choice: Callable[..., jax.Array],
    when_true: Callable[..., jax.Array],
    when_false: Callable[..., jax.Array],
) -> Callable[..., jax.Array]:
    """``when_true`` or ``when_false``, two functions of pytrees of reals to a scalar.

    The gradient of ``lax.cond`` keeps what either branch needs and fills what was not computed
    with zeros, which costs more than the cheaper branch. Here a branch returns its value together
    with its gradient, and nothing else is kept. Derivatives in forward mode and of higher order
    are as usual.

    :param choice: of the same arguments; a boolean.

    >>> f = either_way(lambda x: x > 0, jnp.sin, lambda x: 2 * x)
    >>> [float(jax.grad(f)(x)) for x in (0.0, -1.0)]
    [2.0, 2.0]
    """

    @jax.custom_jvp
    def value(*args: Any) -> jax.Array:
        return jax.lax.cond(choice(*args), when_true, when_false, *args)

    @value.defjvp
    def value_and_tangent(args: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
        every = tuple(range(len(args)))
        branches = (jax.value_and_grad(f, every) for f in (when_true, when_false))
        at_args, gradient = jax.lax.cond(choice(*args), *branches, *args)
        each = jax.tree.map(lambda g, t: (g * t).sum(), gradient, tangents)
        return at_args, sum(jax.tree.leaves(each), jnp.zeros_like(at_args))

    return value
