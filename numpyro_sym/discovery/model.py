"""The one place where discovery reads NumPyro: a model as functions of plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from numpyro.distributions import biject_to
from numpyro.infer import init_to_uniform
from numpyro.infer.util import compute_log_probs

from ..symmetry import ModelView, SymmetryError, register_reader


def latent_sites(model: Callable[..., Any], args: tuple, kwargs: dict) -> tuple[dict[str, dict], tuple[str, ...]]:
    """The model's unobserved sample sites, each as NumPyro's trace tells it, and the names of its deterministic ones.

    Random choices of the model, a minibatch's rows among them, are those of one fixed seed.
    """
    with handlers.block():
        seeded = handlers.substitute(handlers.seed(model, jax.random.key(0)), substitute_fn=init_to_uniform)
        trace = handlers.trace(seeded).get_trace(*args, **kwargs)
    sites = {
        name: {**site, "frames": tuple(site["cond_indep_stack"])}
        for name, site in trace.items()
        if site["type"] == "sample" and not site["is_observed"]
    }
    full = {name: site["args"][0] for name, site in trace.items() if site["type"] == "plate"}
    for site in sites.values():
        site["subsampled"] = any(full.get(f.name, f.size) != f.size for f in site["frames"])
    return sites, tuple(name for name, site in trace.items() if site["type"] == "deterministic")


def read_numpyro_model(model: Callable[..., Any], args: tuple, kwargs: dict) -> ModelView:
    """A NumPyro model as densities and supports of its latent sites' constrained values.

    :raises SymmetryError: where it has no latent sites, or discrete ones.
    """
    if not callable(model):
        raise SymmetryError(f"Expected a NumPyro model (a callable); got {type(model).__name__}.")
    args, kwargs = jax.tree.map(_widest, (args, kwargs))
    sites, _ = latent_sites(model, args, kwargs)
    if not sites:
        raise SymmetryError("The model has no latent sample sites: there is nothing to be symmetric.")
    for name, site in sites.items():
        if site["fn"].support.is_discrete:
            raise SymmetryError(
                f"Site {name!r} is discrete. Marginalise it in the model (MixtureSameFamily, logsumexp, or "
                "numpyro.contrib.funsor.config_enumerate with a log density of your own) and pass that model."
            )
    supports = {name: site["fn"].support for name, site in sites.items()}
    transforms = {name: biject_to(support) for name, support in supports.items()}
    shapes = {name: tuple(np.shape(site["value"])) for name, site in sites.items()}

    def draw(rng_key: jax.Array) -> dict[str, Any]:
        keys = jax.random.split(rng_key, len(sites))
        free = {name: transforms[name].inverse_shape(shapes[name]) for name in sites}
        return {n: transforms[n](jax.random.normal(k, free[n])) for n, k in zip(sites, keys, strict=True)}

    @jax.jit
    def log_probs(point: Mapping[str, Any]) -> tuple[dict, dict]:
        with handlers.block():
            seeded = handlers.seed(model, jax.random.key(0))
            every, _ = compute_log_probs(seeded, args, kwargs, dict(point))
        latent = {name: every.pop(name) for name in sites}
        return latent, every

    def in_support(point: Mapping[str, Any]) -> dict[str, bool]:
        return {name: bool(jnp.all(supports[name](point[name]))) for name in sites}

    local = frozenset(name for name, site in sites.items() if site["subsampled"])
    return ModelView(shapes, draw, log_probs, in_support, local)


def _widest(x: Any) -> Any:
    """Floating arrays in the session's widest precision; anything else as it came."""
    if isinstance(x, (jax.Array, np.ndarray)) and jnp.issubdtype(x.dtype, jnp.floating):
        return jnp.asarray(x, float)
    return x


register_reader(read_numpyro_model)
