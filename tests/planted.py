"""Draws with planted label switching, as ArviZ objects of the generation that is installed."""

import hashlib

import arviz as az
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import xarray as xr

import numpyro_sym as nsym

K = 3
MIXTURE = nsym.mixture(K, {"mu": 0, "weights": 0})


def planted(dtype=np.float64, switched=True):
    """Four chains of a mixture's posterior whose components are named in four different orders."""
    rng = np.random.default_rng(0)
    draws = {
        "mu": rng.normal([-4.0, 0.0, 4.0], 0.2, (4, 250, K)),
        "weights": rng.dirichlet([60.0, 20.0, 20.0], (4, 250)),
        "shift": rng.normal(size=(4, 250)),
    }
    if switched:
        for chain, order in enumerate([[0, 1, 2], [2, 0, 1], [1, 0, 2], [2, 1, 0]]):
            for name in ("mu", "weights"):
                draws[name][chain] = draws[name][chain][:, order]
        # Within a chain too: one half of it calls them by other names.
        for name in ("mu", "weights"):
            draws[name][0, 125:] = draws[name][0, 125:][:, [1, 2, 0]]
    return {name: x.astype(dtype) for name, x in draws.items()}


def log_likelihood(mu, weights):
    """Of ten observations, one value a draw and observation."""
    y = np.linspace(-5, 5, 10)
    mixture = dist.MixtureSameFamily(
        dist.Categorical(probs=jnp.asarray(weights)[..., None, :]),
        dist.Normal(jnp.asarray(mu)[..., None, :], 1.0),
    )
    return np.asarray(mixture.log_prob(y))


def arviz(groups, **kwargs):
    """An ArviZ object of the generation that is installed, from ``{group: draws}``."""
    if az.__version__ >= "1":
        return az.from_dict(groups, save_warmup=True, **kwargs)
    return az.from_dict(**groups, save_warmup=True, **kwargs)


def switched():
    """All groups that ArviZ users have, with attrs and named coords."""
    draws = planted()
    made = arviz(
        {
            "posterior": draws,
            "sample_stats": {"lp": np.random.default_rng(1).normal(size=(4, 250))},
            "log_likelihood": {"y": log_likelihood(draws["mu"], draws["weights"])},
            "observed_data": {"y": np.linspace(-5, 5, 10)},
        },
        coords={"component": ["a", "b", "c"]},
        dims={"mu": ["component"], "weights": ["component"]},
    )
    made.posterior.attrs["made_by"] = "a test"
    made.posterior["mu"].attrs["unit"] = "metre"
    return made


def rhat(posterior):
    worst = az.rhat(posterior if isinstance(posterior, xr.Dataset) else posterior.to_dataset())
    return {name: float(worst[name].max()) for name in worst}


def dataset(data, group="posterior"):
    node = data[group]
    return node.to_dataset() if isinstance(node, xr.DataTree) else node


def chains(seed=0, num_chains=4, num_draws=400, switch=True, mode_of=None, memory=0.0, spread=0.2):
    """Chains of a mixture's locations with all that can be wrong planted, and what they predict.

    :param switch: whether chains name components in random orders.
    :param mode_of: ``{chain: shift}``: those chains' middle component lies elsewhere.
    :param memory: of the autoregression within a chain; its stationary spread is the same.
    """
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(num_chains, num_draws, K))
    for i in range(1, num_draws):
        noise[:, i] = memory * noise[:, i - 1] + np.sqrt(1 - memory**2) * noise[:, i]
    mu = np.array([-4.0, 0.0, 4.0]) + spread * noise
    for chain, shift in (mode_of or {}).items():
        mu[chain, :, 1] += shift
    f = np.stack([np.sin(mu).sum(-1), (mu**2).sum(-1), (mu**3).sum(-1)], -1)
    if switch:
        orders = [[0, 1, 2], [2, 0, 1], [1, 0, 2], [2, 1, 0]]
        mu = np.stack([x[:, orders[i % 4]] for i, x in enumerate(mu)])
    return arviz({"posterior": {"mu": mu, "f": f}})


LOCATIONS = nsym.mixture(K, {"mu": 0})


def fingerprint(data):
    """A hash of every value, name, order and attribute of an ArviZ object."""
    names = list(data.children) if isinstance(data, xr.DataTree) else list(data.groups())
    seen = hashlib.sha256(repr([type(data).__name__, names, dict(data.attrs)]).encode())
    for group in names:
        ds = dataset(data, group)
        seen.update(
            repr([group, list(ds.data_vars), list(ds.coords), dict(ds.sizes), ds.attrs]).encode()
        )
        for name, x in ds.variables.items():
            seen.update(
                repr([name, x.dims, str(x.dtype), x.attrs, np.asarray(x.values).tobytes()]).encode()
            )
    return seen.hexdigest()


def rebuilt(data, posterior):
    """An ArviZ object of the same type with this posterior alone."""
    if isinstance(data, xr.DataTree):
        return xr.DataTree.from_dict({"posterior": posterior})
    return az.InferenceData(posterior=posterior)


TWO_LAYERS = nsym.mlp(["w1", "w2", "w3"], [6, 5], biases=["b1", "b2", None], kind="signed")
SHAPES = {"w1": (3, 6), "b1": (6,), "w2": (6, 5), "b2": (5,), "w3": (5, 2)}


def gaussian_network(num_draws=600, seed=0):
    """A Gaussian over a network's weights, draws of it, and the same draws with units renamed at
    random.
    """
    rng = np.random.default_rng(seed)
    loc = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    scale = {name: rng.uniform(0.05, 0.2, size=shape) for name, shape in SHAPES.items()}
    draws = {
        name: loc[name] + scale[name] * rng.normal(size=(num_draws, *s))
        for name, s in SHAPES.items()
    }
    g = {
        u.name: nsym.Element(
            rng.permuted(np.tile(np.arange(u.n), (num_draws, 1)), axis=1),
            rng.choice([-1.0, 1.0], (num_draws, u.n)),
        )
        for u in TWO_LAYERS
    }
    return (loc, scale), draws, TWO_LAYERS.act(g, draws)


def two_layers(point, x):
    """What the network predicts: logits ``(point, class)``."""
    return (
        jnp.tanh(jnp.tanh(x @ point["w1"] + point["b1"]) @ point["w2"] + point["b2"]) @ point["w3"]
    )
