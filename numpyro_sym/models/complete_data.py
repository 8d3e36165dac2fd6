"""The complete-data joint of a model: its discrete sites not summed out, but a part of the point.

Where labels of units move with the parameters, log p(y, g theta, g z) = log p(y, theta, z) for
every value of the labels: what a symmetry with ``values`` is checked by, and what kernels that draw
labels leave as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from numpyro.infer import init_to_uniform

from ..symmetry import SymmetryError
from .enumeration import is_discrete, states_of
from .numpyro_model import could_not_run, read_numpyro_model
from .view import Densities, ModelView, Point, run_program


class DiscreteSite(NamedTuple):
    """A discrete latent site.

    :param shape: of its value.
    :param states: how many values each entry has, ``0 .. states - 1``; ``None`` where that is no
        such list.
    :param value: one value of it.
    """

    shape: tuple[int, ...]
    states: int | None
    value: np.ndarray


def discrete_sites(
    model: Callable[..., Any], args: tuple, kwargs: Mapping[str, Any]
) -> dict[str, DiscreteSite]:
    """The discrete latent sites of a model, by name.

    :raises SymmetryError: where the model cannot be run with these arguments.
    """
    found: dict[str, DiscreteSite] = {}

    def note(strategy: Callable[..., Any] | None) -> dict[str, Any]:
        seeded = handlers.seed(model, jax.random.key(0))
        with handlers.block():
            started = (
                seeded if strategy is None else handlers.substitute(seeded, substitute_fn=strategy)
            )
            trace = handlers.trace(started).get_trace(*args, **kwargs)
        values = {}
        for name, site in trace.items():
            if is_discrete(site):
                values[name] = site["value"]
                zeros = np.zeros(jnp.shape(site["value"]), jnp.result_type(site["value"]))
                found[name] = DiscreteSite(zeros.shape, _states(name, site), zeros)
        return values

    try:  # on shapes alone: to draw from priors takes longer to compile
        jax.eval_shape(lambda: note(init_to_uniform))
    except Exception as error:
        raise could_not_run(model, error) from error
    if any(site.states is None for site in found.values()):
        drawn = note(None)
        found = {name: site._replace(value=np.asarray(drawn[name])) for name, site in found.items()}
    return found


def _states(name: str, site: dict) -> int | None:
    try:
        return states_of({name: site})[name]
    except SymmetryError:
        return None


def read_complete_data(
    model: Callable[..., Any],
    args: tuple,
    kwargs: Mapping[str, Any],
    sites: Mapping[str, DiscreteSite],
) -> ModelView:
    """The model with discrete sites that are given like the others; those not named are summed out.

    Random points have random values of these sites, all alike where that many are known.

    :param sites: of :func:`discrete_sites`.
    :raises SymmetryError: where the model cannot be read so.
    """
    start = {name: site.value for name, site in sites.items()}

    def complete(values: Mapping[str, Any]) -> Any:
        return handlers.condition(model, data=dict(values))(*args, **kwargs)

    complete.__name__ = getattr(model, "__name__", type(model).__name__)
    view = read_numpyro_model(complete, (start,), {})
    given = {f"argument 0[{name!r}]": name for name in start}
    if not given.keys() <= view.data.keys():
        raise SymmetryError(
            f"The model does not run with any values of its discrete sites {sorted(start)}."
        )
    rest = {name: x for name, x in view.data.items() if name not in given}
    structure = jax.tree.structure(
        jax.eval_shape(view.evaluate, jax.eval_shape(lambda: _zeros(view.shapes)))
    )

    def densities(data: Mapping[str, Any], point: Point) -> Densities:
        whole = {**data, **{key: point[name] for key, name in given.items()}}
        outcome = run_program(view.program, whole, {name: point[name] for name in view.shapes})
        latent, observed, inside = jax.tree.unflatten(structure, outcome)
        latent |= {name: observed.pop(name) for name in sites}
        inside |= {name: jnp.ones((), bool) for name in sites}
        return latent, observed, inside

    def values(rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {name: _random(site, rng) for name, site in sites.items()}

    def improved(rng: np.random.Generator) -> Iterator[Point]:
        for point in view.improved(rng):  # good for the values that were there
            yield {**point, **start}

    return replace(
        view,
        shapes={**view.shapes, **{name: site.shape for name, site in sites.items()}},
        draw=lambda rng, *scale: {**view.draw(rng, *scale), **values(rng)},
        near=lambda rng: {**view.near(rng), **values(rng)},
        improved=improved,
        program=jax.make_jaxpr(densities)(rest, {**_zeros(view.shapes), **start}),
        data=rest,
        evaluate=jax.jit(partial(densities, rest)),
        observed=tuple(name for name in view.observed if name not in sites),
    )


def _zeros(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    return {name: jnp.zeros(shape) for name, shape in shapes.items()}


def _random(site: DiscreteSite, rng: np.random.Generator) -> np.ndarray:
    if site.states is None:
        return site.value
    return rng.integers(site.states, size=site.shape).astype(site.value.dtype)


def label_sites_there(
    sites: Mapping[str, DiscreteSite], named: Sequence[tuple[str, str, int]]
) -> list[str]:
    """Those of a symmetry's sites of labels that a model draws: all of them, or none where it has
    no discrete site.

    :param sites: the model's discrete sites.
    :param named: site, the name of the units that it labels, and how many there are.
    :raises SymmetryError: where the model has other discrete sites, or a site has other values.
    """
    for site, units, n in named if sites else ():
        if site not in sites:
            raise SymmetryError(
                f"Units {units!r}: the model has no discrete site {site!r} that could hold their "
                "labels (values); its "
                f"discrete sites are {sorted(sites)}."
            )
        if sites[site].states != n:
            count = sites[site].states
            told = "no finite list of values" if count is None else f"{count} values"
            raise SymmetryError(
                f"Units {units!r} (n = {n}): site {site!r} cannot hold their labels (values): it "
                f"has {told}, and not "
                f"0 .. {n - 1}."
            )
    return [site for site, _, _ in named] if sites else []
