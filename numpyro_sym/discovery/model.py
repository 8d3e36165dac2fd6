"""The one place where discovery reads NumPyro: a model as functions of plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from numpyro.distributions import biject_to, constraints
from numpyro.infer import init_to_uniform
from numpyro.infer.util import compute_log_probs
from numpyro.primitives import Messenger

from ..symmetry import ModelView, SymmetryError, register_reader

Point = Mapping[str, Any]
Trace = dict[str, dict]


def latent_sites(model: Callable[..., Any], args: tuple, kwargs: dict) -> tuple[Trace, tuple[str, ...]]:
    """The model's unobserved sample sites, each as NumPyro's trace tells it, and the names of its deterministic ones.

    Random choices of the model, a minibatch's rows among them, are those of one fixed seed.
    """
    trace = _run(model, args, kwargs, init_to_uniform)
    return _latent(trace), tuple(name for name, site in trace.items() if site["type"] == "deterministic")


def _run(model: Callable[..., Any], args: tuple, kwargs: dict, values: Callable[[dict], Any]) -> Trace:
    with handlers.block(), _ToldApart():
        seeded = handlers.substitute(handlers.seed(model, jax.random.key(0)), substitute_fn=values)
        return handlers.trace(seeded).get_trace(*args, **kwargs)


def _latent(trace: Trace) -> Trace:
    sites = {
        name: {**site, "frames": tuple(site["cond_indep_stack"])}
        for name, site in trace.items()
        if site["type"] == "sample" and not site["is_observed"]
    }
    full = {name: site["args"][0] for name, site in trace.items() if site["type"] == "plate"}
    for site in sites.values():
        site["subsampled"] = any(full.get(f.name, f.size) != f.size for f in site["frames"])
    return sites


def read_numpyro_model(model: Callable[..., Any], args: tuple, kwargs: dict) -> ModelView:
    """A NumPyro model as densities and supports of its latent sites' constrained values.

    :raises SymmetryError: where it cannot be run with these arguments, has no latent sites, or discrete ones.
    """
    if not callable(model):
        raise SymmetryError(f"Expected a NumPyro model (a callable); got {type(model).__name__}.")
    args, kwargs = jax.tree.map(_widest, (args, kwargs))
    trace, free_shapes = _shapes_of_a_run(model, args, kwargs)
    sites = _latent(trace)
    if not sites:
        raise SymmetryError("The model has no latent sample sites: there is nothing to be symmetric.")
    curved = [n for n, s in sites.items() if s["fn"].support is not constraints.real]

    @jax.jit
    def constrained(free: Point) -> dict[str, Any]:
        run = _run(model, args, kwargs, _constrained(free))
        return {n: run[n]["value"] for n in curved}

    def draw(rng: np.random.Generator, scale: float = 1.0) -> dict[str, np.ndarray]:
        free = {n: rng.normal(scale=scale, size=shape) for n, shape in free_shapes.items()}
        return free | (jax.device_get(constrained(free)) if curved else {})

    @jax.jit
    def evaluate(point: Point) -> tuple[dict, dict, dict]:
        with handlers.block(), _ToldApart():
            every, run = compute_log_probs(handlers.seed(model, jax.random.key(0)), args, kwargs, dict(point))
        latent = {name: every.pop(name) for name in sites}
        return latent, every, {name: jnp.all(run[name]["fn"].support(run[name]["value"])) for name in sites}

    return ModelView(
        shapes={name: tuple(np.shape(site["value"])) for name, site in sites.items()},
        draw=draw,
        evaluate=evaluate,
        observed=tuple(n for n, s in trace.items() if s["type"] == "sample" and s["is_observed"]),
        local=frozenset(name for name, site in sites.items() if site["subsampled"]),
        plates={name: _plates_of(site) for name, site in sites.items()},
    )


def _shapes_of_a_run(model: Callable[..., Any], args: tuple, kwargs: dict) -> tuple[Trace, dict[str, tuple]]:
    """A trace without values, and the shapes of the latent sites' unconstrained values."""
    seen: list[tuple[Trace, dict[str, tuple]]] = []

    def run() -> None:
        trace = _run(model, args, kwargs, _constrained(None))
        supports = {n: biject_to(s["fn"].support) for n, s in _latent(trace).items()}
        seen.append((trace, {n: t.inverse_shape(np.shape(trace[n]["value"])) for n, t in supports.items()}))

    try:
        jax.eval_shape(run)
    except SymmetryError:
        raise
    except Exception as error:
        name = getattr(model, "__name__", type(model).__name__)
        raise SymmetryError(
            f"The model {name!r} raised {type(error).__name__} when it was run: {error}. Pass the model's own "
            "arguments after it, as one would to run it."
        ) from error
    return seen[0]


def _constrained(free: Point | None) -> Callable[[dict], Any]:
    """A substitution of latent sites by unconstrained values, or zeros, carried into their supports."""

    def value(site: dict) -> Any:
        if site["type"] != "sample" or site["is_observed"]:
            return None
        support = site["fn"].support
        if support.is_discrete:
            raise SymmetryError(
                f"Site {site['name']!r} is discrete. Marginalise it in the model (MixtureSameFamily, logsumexp, or "
                "numpyro.contrib.funsor.config_enumerate with a log density of your own) and pass that model."
            )
        transform = biject_to(support)
        shape = transform.inverse_shape(tuple(site["kwargs"].get("sample_shape", ())) + tuple(site["fn"].shape()))
        return transform(jnp.zeros(shape) if free is None else free[site["name"]])

    return value


class _ToldApart(Messenger):
    """Random values for parameters: training moves them, and then they tell their positions apart."""

    def postprocess_message(self, msg: dict) -> None:
        if msg["type"] == "param":
            transform = biject_to(msg["kwargs"].get("constraint", constraints.real))
            rng = np.random.default_rng(0)

            def moved(x: Any) -> Any:
                free = transform.inv(jnp.asarray(x))
                return transform(free + rng.normal(size=free.shape).astype(free.dtype))

            msg["value"] = jax.tree.map(moved, msg["value"])


def _plates_of(site: dict) -> dict[int, str]:
    batch = len(np.shape(site["value"])) - site["fn"].event_dim
    return {batch + frame.dim: frame.name for frame in site["frames"] if batch + frame.dim >= 0}


def _widest(x: Any) -> Any:
    """Floating arrays in the session's widest precision; anything else as it came."""
    is_floating = isinstance(x, (jax.Array, np.ndarray)) and jnp.issubdtype(x.dtype, jnp.floating)
    return jnp.asarray(x, float) if is_floating else x


register_reader(read_numpyro_model)
