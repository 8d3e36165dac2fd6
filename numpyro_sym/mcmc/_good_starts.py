"""Where chains begin: the best of many optimized starts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer import init_to_uniform
from numpyro.infer.util import initialize_model

from ..models import latent_sites
from ..symmetry import SymmetryError, kinds
from ..symmetry.arguments import check_arguments
from ..symmetry.bars import advance, expect, progress

#: Steps are made in so many runs of one program, at most.
_RUNS = 16


def good_starts(
    rng_key: kinds.RngKey,
    model: kinds.Model,
    *args: Any,
    num_chains: kinds.Positive = 4,
    num_tries: kinds.Positive = 128,
    num_steps: kinds.Positive = 500,
    within: kinds.NotNegativeNumber = 5.0,
    init_strategy: kinds.Function = init_to_uniform,
    progress_bar: bool = True,
    **kwargs: Any,
) -> dict[str, jax.Array]:
    """Starts in the best modes that many short optimizations find, for
    ``MCMC.run(init_params=...)``.

    A symmetry-free posterior still has modes that are no copies of each other: two components that
    share one cluster while a third covers two others, and chains stay where they start. Adam runs
    from ``num_tries`` random starts at once; those that end within a few nats of the best are kept,
    and each chain gets one of them.

    Modes that are left out are never visited by chains that start elsewhere and cannot leave: R-hat
    no longer tells of them. A mode with a lower peak may be wide and hold more of the posterior;
    raise ``within`` where that is to be feared, and compare with chains that start at random.

    :param rng_key: a JAX random key.
    :param model: the model that is sampled, reparameterized or not.
    :param args: its arguments.
    :param num_chains: how many starts to return.
    :param num_tries: how many to optimize.
    :param num_steps: steps of Adam, at a rate that falls from .1 to 0.
    :param within: by how many nats an end may lie below the best.
    :param init_strategy: NumPyro's, for the random starts.
    :param progress_bar: whether to show one where it takes long.
    :param kwargs: the model's keyword arguments.
    :returns: latent site -> unconstrained values ``(num_chains, *site)``; without the leading
        dimension for one chain.
    :raises SymmetryError: where a number is not positive, no try ends at a finite density, or fewer
        end near the best than there are chains.

    >>> import jax, jax.numpy as jnp, numpyro, numpyro.distributions as dist
    >>> from numpyro_sym.mcmc import good_starts
    >>> def model():  # the peak at 9 is e**-9 as high as the other
    ...     which = dist.Categorical(logits=jnp.array([0.0, -9.0]))
    ...     two = dist.Normal(jnp.array([0.0, 9.0]), 1.0)
    ...     numpyro.sample("x", dist.MixtureSameFamily(which, two))
    >>> good_starts(jax.random.key(0), model, num_chains=3)["x"].round(2) + 0.0
    Array([0., 0., 0.], dtype=float32)
    """
    import optax

    check_arguments(good_starts, locals())
    if num_tries < num_chains:
        raise SymmetryError(
            f"good_starts: {num_tries} tries give {num_chains} chains no start of their own. "
            "Raise num_tries."
        )
    _refuse_unreadable(model, args, kwargs)
    key_starts, key_choice = jax.random.split(rng_key)
    keys = jax.random.split(key_starts, num_tries)
    info = initialize_model(
        keys, model, init_strategy=init_strategy, model_args=args, model_kwargs=kwargs
    )
    adam = optax.adam(optax.cosine_decay_schedule(0.1, num_steps))

    def step(_: int, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        point, state = carry
        updates, state = adam.update(jax.grad(info.potential_fn)(point), state)
        return optax.apply_updates(point, updates), state

    @jax.jit
    @partial(jax.vmap, in_axes=(0, None))
    def run(carry: tuple[Any, Any], steps: Any) -> tuple[tuple[Any, Any], jax.Array]:
        end = jax.lax.fori_loop(0, steps, step, carry)
        return end, info.potential_fn(end[0])

    starts = info.param_info.z
    carry = (starts, jax.vmap(adam.init)(starts))
    with progress("good_starts", "steps", progress_bar):
        expect("steps", num_steps)
        size, behind = -(-num_steps // _RUNS), None
        for begun in range(0, num_steps, size):
            carry, potential = run(carry, min(size, num_steps - begun))
            # A run is waited for when the next has been handed over: the device never waits.
            if begun:
                jax.block_until_ready(behind)
                advance("steps", size)
            behind = potential
        ends, potential = jax.device_get((carry[0], potential))
        advance("steps", num_steps - begun)
    potential = np.where(np.isfinite(potential), potential, np.inf)
    if not np.isfinite(potential.min()):
        raise SymmetryError(
            f"good_starts: none of {num_tries} tries ended at a finite log density."
        )
    good = np.flatnonzero(potential <= potential.min() + within)
    if len(good) < num_chains:
        raise SymmetryError(
            f"good_starts: only {len(good)} of {num_tries} tries ended within {within} nats of the "
            f"best, so {num_chains} chains would share starts, and R-hat could not tell. Raise "
            "num_tries, num_steps or within."
        )
    chosen = jax.random.choice(key_choice, good, (num_chains,), replace=False)
    if num_chains == 1:
        chosen = chosen[0]
    return {name: jnp.asarray(x[chosen]) for name, x in ends.items()}


def _refuse_unreadable(model: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> None:
    """Raise where the model cannot be run with these arguments, or has nothing to start."""
    try:
        sites, _ = latent_sites(model, args, kwargs)
    except SymmetryError:
        raise
    except Exception as error:
        raise SymmetryError(
            f"good_starts: the model raised {type(error).__name__} when it was run: {error}. Pass "
            "the model's own arguments after it."
        ) from error
    if not sites:
        raise SymmetryError(
            "good_starts: the model has no latent sites, so there is nothing to start."
        )
