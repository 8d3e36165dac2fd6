"""A model that has become another one since its symmetry was found: a kernel or a guide that is
used again sees it.
"""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas
import pytest
from numpyro.infer import SVI, Trace_ELBO

import numpyro_sym as nsym
from numpyro_sym import SymmetryError

EQUAL, UNEQUAL = [1.0, 1.0, 1.0], [0.1, 1.0, 10.0]
LONG = 200


class Settings:
    """An object that is known by its address alone."""

    def __init__(self, scale):
        self.scale = np.array(scale)


def density(scale, y):
    w = numpyro.sample("w", dist.Normal(0, jnp.asarray(scale)).to_event(1))
    numpyro.sample("y", dist.Normal((w**3).sum(), 1.0), obs=y)


def closes_over_an_array():
    """An array whose place is taken by another one."""
    held = {"scale": np.array(EQUAL)}

    def change():
        held["scale"] = np.array(UNEQUAL)

    return lambda y: density(held["scale"], y), (), change


def closes_over_numbers():
    held = list(EQUAL)

    def change():
        held[:] = UNEQUAL

    return lambda y: density(held, y), (), change


def chooses_by_a_flag():
    held = {"weighted": False}

    def model(y):
        w = numpyro.sample("w", dist.Normal(0, 1).expand([3]).to_event(1))
        weights = jnp.arange(3.0) if held["weighted"] else jnp.ones(3)
        numpyro.sample("y", dist.Normal(w @ weights, 1.0), obs=y)

    def change():
        held["weighted"] = True

    return model, (), change


def is_given_an_object():
    settings = Settings(EQUAL)

    def change():
        settings.scale = np.array(UNEQUAL)

    return lambda y, settings: density(settings.scale, y), (settings,), change


def is_given_a_table():
    """Of a long table, ``repr`` shows the first and the last rows."""
    table = pandas.DataFrame({"scale": np.ones(LONG)})

    def change():
        table.loc[LONG // 2, "scale"] = 100.0

    return lambda y, table: density(table.scale.values, y), (table,), change


CHANGING = [
    closes_over_an_array,
    closes_over_numbers,
    chooses_by_a_flag,
    is_given_an_object,
    is_given_a_table,
]
Y = jnp.array(0.5)


def moves(sym):
    return any(u.n > 1 for u in sym)


def start(kernel, others):
    kernel.init(jax.random.key(0), 1, None, (Y, *others), {})
    return kernel.sym


@pytest.mark.parametrize("made", CHANGING)
def test_a_kernel_does_not_fold_by_what_was(made):
    model, others, change = made()
    kernel = nsym.FoldedNUTS(model)
    before = start(kernel, others)
    assert moves(before)
    change()
    after = start(kernel, others)
    assert not any(u in after.units for u in before if u.n > 1)


@pytest.mark.parametrize("made", [closes_over_an_array, is_given_an_object])
def test_a_symmetry_that_was_given_is_verified_again(made):
    model, others, change = made()
    kernel = nsym.FoldedNUTS(model, nsym.mixture(3, {"w": 0}))
    start(kernel, others)
    start(kernel, others)
    change()
    with pytest.raises(SymmetryError, match="prior of site 'w' tells its 3 entries apart"):
        start(kernel, others)


@pytest.mark.parametrize("made", [closes_over_an_array, is_given_an_object])
def test_a_guide_does_not_average_by_what_was(made):
    model, others, change = made()
    guide = nsym.AutoSymmetrizedNormal(model)
    svi = SVI(model, guide, numpyro.optim.Adam(0.1), Trace_ELBO())
    svi.init(jax.random.key(0), Y, *others)
    assert moves(guide.sym)
    change()
    svi.init(jax.random.key(0), Y, *others)
    assert not moves(guide.sym)


def test_nothing_is_made_anew_where_the_model_is_the_same():
    """Not even where data that it closes over are other ones: what was found holds for any."""
    held = {"y": np.array(0.5)}

    def model():
        density(EQUAL, held["y"])

    kernel = nsym.FoldedNUTS(model)
    kernel.init(jax.random.key(0), 1, None, (), {})
    prepared = kernel._last
    held["y"] = np.array(1.5)
    kernel.init(jax.random.key(1), 1, None, (), {})
    assert kernel._last is prepared


def equal(y):
    density(EQUAL, y)


def test_pickled_after_use():
    """Programs stay behind, what was found goes along."""
    kernel = nsym.FoldedNUTS(equal)
    start(kernel, ())
    again = pickle.loads(pickle.dumps(kernel._in_use))
    assert again.of((Y,), {}) == kernel.sym
    guide = nsym.AutoSymmetrizedNormal(equal)
    svi = SVI(equal, guide, numpyro.optim.Adam(0.1), Trace_ELBO())
    params = svi.get_params(svi.init(jax.random.key(0), Y))
    again = pickle.loads(pickle.dumps(guide))
    one, other = (g.sample_posterior(jax.random.key(1), params)["w"] for g in (guide, again))
    np.testing.assert_array_equal(one, other)
