"""One of two functions with its gradient: as ``lax.cond``, in every mode."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from numpyro_sym.guides.bounds.branches import either_way

pytestmark = pytest.mark.usefixtures("x64")


def sine(x, y):
    return (jnp.sin(x["a"]) * y).sum()


def cube(x, y):
    return (x["a"] ** 3).sum() + (y**2).sum()


def choice(x, y):
    return y[0] > 0


CHOSEN = either_way(choice, sine, cube)


@pytest.fixture
def x():
    return {"a": jnp.array([0.3, -1.2])}


@pytest.mark.parametrize("first", [0.5, -0.5])
def test_values_and_derivatives_are_those_of_the_branch_taken(x, first):
    y = jnp.array([first, 2.0])
    taken = sine if first > 0 else cube
    np.testing.assert_allclose(CHOSEN(x, y), taken(x, y))
    jax.tree.map(np.testing.assert_allclose, jax.grad(CHOSEN)(x, y), jax.grad(taken)(x, y))
    check_grads(CHOSEN, (x, y), order=2, modes=("fwd", "rev"))


def test_many_points_at_once_each_take_their_own(x):
    ys = jnp.array([[0.5, 2.0], [-0.5, 1.0]])
    got = jax.vmap(jax.grad(CHOSEN, 1), (None, 0))(x, ys)
    np.testing.assert_allclose(got, [jax.grad(sine, 1)(x, ys[0]), jax.grad(cube, 1)(x, ys[1])])


def test_only_one_branch_runs_where_the_choice_is_the_same_for_all():
    """Particles share their parameters: the program keeps a conditional."""
    ran = []

    def counted(function, name):
        def wrapped(x, y):
            jax.debug.callback(lambda: ran.append(name))
            return function(x, y)

        return wrapped

    both = either_way(lambda x, y: y[0] > 0, counted(sine, "sine"), counted(cube, "cube"))
    xs = {"a": jnp.ones((3, 2))}
    jax.block_until_ready(jax.jit(jax.vmap(jax.grad(both), (0, None)))(xs, jnp.ones(2)))
    jax.effects_barrier()
    assert set(ran) == {"sine"}
