"""The one place where discovery reads NumPyro: a model as functions of plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from numpyro.distributions import biject_to, constraints
from numpyro.infer import init_to_uniform
from numpyro.infer.util import compute_log_probs

from ..symmetry import ModelView, SymmetryError, register_reader

Point = Mapping[str, Any]


@dataclass(frozen=True)
class NumPyroModel(ModelView):
    """A NumPyro model as a :class:`ModelView` that JAX can trace.

    :param draw_from: NumPy generator (and how far from the centre) -> a random point, on the host.
    :param evaluate: point -> log density of each latent site, of each observed site (and factor),
        and for each latent site whether its value lies in its support.
    :param observed: names of the observed sites and factors.
    :param plates: site name -> {axis: name of the plate that the axis runs over}.
    """

    draw_from: Callable[..., dict[str, np.ndarray]] = field(kw_only=True)
    evaluate: Callable[[Point], tuple[dict, dict, dict]] = field(kw_only=True)
    observed: tuple[str, ...] = field(kw_only=True)
    plates: Mapping[str, Mapping[int, str]] = field(kw_only=True)


def latent_sites(model: Callable[..., Any], args: tuple, kwargs: dict) -> tuple[dict[str, dict], tuple[str, ...]]:
    """The model's unobserved sample sites, each as NumPyro's trace tells it, and the names of its deterministic ones.

    Random choices of the model, a minibatch's rows among them, are those of one fixed seed.
    """
    with handlers.block():
        seeded = handlers.substitute(handlers.seed(model, jax.random.key(0)), substitute_fn=init_to_uniform)
        trace = handlers.trace(seeded).get_trace(*args, **kwargs)
    return _latent(trace), tuple(name for name, site in trace.items() if site["type"] == "deterministic")


def _latent(trace: Mapping[str, dict]) -> dict[str, dict]:
    sites = {
        name: {**site, "frames": tuple(site["cond_indep_stack"])}
        for name, site in trace.items()
        if site["type"] == "sample" and not site["is_observed"]
    }
    full = {name: site["args"][0] for name, site in trace.items() if site["type"] == "plate"}
    for site in sites.values():
        site["subsampled"] = any(full.get(f.name, f.size) != f.size for f in site["frames"])
    return sites


def read_numpyro_model(model: Callable[..., Any], args: tuple, kwargs: dict) -> NumPyroModel:
    """A NumPyro model as densities and supports of its latent sites' constrained values.

    :raises SymmetryError: where it cannot be run with these arguments, has no latent sites, or
        discrete ones.
    """
    if not callable(model):
        raise SymmetryError(f"Expected a NumPyro model (a callable); got {type(model).__name__}.")
    args, kwargs = jax.tree.map(_widest, (args, kwargs))

    def simulate(free: Point | None) -> dict[str, dict]:
        """A trace at unconstrained values; at zeros where none are given."""
        with handlers.block():
            seeded = handlers.seed(model, jax.random.key(0))
            placed = handlers.substitute(seeded, substitute_fn=_constrained(free))
            return handlers.trace(placed).get_trace(*args, **kwargs)

    sites, observed = _described(model, simulate)
    shapes = {n: biject_to(s["fn"].support).inverse_shape(np.shape(s["value"])) for n, s in sites.items()}
    curved = [n for n, s in sites.items() if s["fn"].support is not constraints.real]

    def constrain(free: Point) -> dict[str, Any]:
        trace = simulate(free)
        return {n: trace[n]["value"] for n in curved}

    constrained = jax.jit(constrain)

    def draw_from(rng: np.random.Generator, scale: float = 1.0) -> dict[str, np.ndarray]:
        free = {n: rng.normal(scale=scale, size=shape) for n, shape in shapes.items()}
        return free | (jax.device_get(constrained(free)) if curved else {})

    def evaluate(point: Point) -> tuple[dict, dict, dict]:
        with handlers.block():
            seeded = handlers.seed(model, jax.random.key(0))
            every, trace = compute_log_probs(seeded, args, kwargs, dict(point))
        latent = {name: every.pop(name) for name in sites}
        inside = {name: jnp.all(trace[name]["fn"].support(trace[name]["value"])) for name in sites}
        return latent, every, inside

    evaluated = jax.jit(evaluate)
    return NumPyroModel(
        shapes={name: tuple(np.shape(site["value"])) for name, site in sites.items()},
        draw=lambda rng_key: draw_from(np.random.default_rng(np.asarray(jax.random.key_data(rng_key)))),
        log_probs=lambda point: evaluated(point)[:2],
        in_support=lambda point: {name: bool(x) for name, x in evaluated(point)[2].items()},
        local=frozenset(name for name, site in sites.items() if site["subsampled"]),
        draw_from=draw_from,
        evaluate=evaluated,
        observed=observed,
        plates={name: _plates_of(site) for name, site in sites.items()},
    )


def _described(model: Callable[..., Any], simulate: Callable[..., Any]) -> tuple[dict[str, dict], tuple[str, ...]]:
    """The latent sites and the names of the observed ones, from a run on shapes alone."""
    traces: list[dict[str, dict]] = []
    try:
        jax.eval_shape(lambda: traces.append(simulate(None)))
    except SymmetryError:
        raise
    except Exception as error:
        name = getattr(model, "__name__", type(model).__name__)
        raise SymmetryError(
            f"The model {name!r} raised {type(error).__name__} when it was run: {error}. Pass the model's own "
            "arguments after it, as one would to run it."
        ) from error
    sites = _latent(traces[0])
    if not sites:
        raise SymmetryError("The model has no latent sample sites: there is nothing to be symmetric.")
    return sites, tuple(n for n, s in traces[0].items() if s["type"] == "sample" and s["is_observed"])


def _constrained(free: Point | None) -> Callable[[dict], Any]:
    """A substitution of latent sites by unconstrained values carried into their supports."""

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


def _plates_of(site: dict) -> dict[int, str]:
    batch = len(np.shape(site["value"])) - site["fn"].event_dim
    return {batch + frame.dim: frame.name for frame in site["frames"] if batch + frame.dim >= 0}


def _widest(x: Any) -> Any:
    """Floating arrays in the session's widest precision; anything else as it came."""
    if isinstance(x, (jax.Array, np.ndarray)) and jnp.issubdtype(x.dtype, jnp.floating):
        return jnp.asarray(x, float)
    return x


register_reader(read_numpyro_model)
