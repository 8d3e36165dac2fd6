"""NumPyro guides read as base guides: at their parameters, inside a running program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import numpyro
import numpyro.distributions as dist
from numpyro import handlers
from numpyro.distributions import biject_to
from numpyro.infer.autoguide import (
    AutoContinuous,
    AutoDelta,
    AutoGuide,
    AutoGuideList,
    AutoLaplaceApproximation,
    AutoNormal,
    AutoSemiDAIS,
)
from numpyro.primitives import Messenger

from ...models.enumeration import has_discrete, without_discrete
from ...symmetry import SymmetryError
from .base import Base, Factorized, Flat, Product, Traced


def parts_of(guide: Any) -> list[Any]:
    """The guides that a guide is made of: itself, or the parts of a list."""
    if not isinstance(guide, AutoGuideList):
        return [guide]
    parts = []
    for member in guide:
        parts += parts_of(member)
    return parts


def set_up(guide: AutoGuide, args: tuple, kwargs: Mapping[str, Any]) -> None:
    """Let a guide and its parts look at their model, where they did not yet."""
    if guide.prototype_trace is not None:
        return
    if not isinstance(guide, AutoGuideList):
        guide._setup_prototype(*args, **kwargs)
        return
    with handlers.block(), handlers.seed(rng_seed=_any_key()):
        guide(*args, **kwargs)  # what NumPyro demands of lists, it looks at in this call


def _any_key() -> jax.Array:
    """The caller's random key, or a fixed one where it has none."""
    key = numpyro.prng_key()
    return jax.random.key(0) if key is None else key


def hide_discrete(guide: AutoGuide, args: tuple, kwargs: Mapping[str, Any]) -> None:
    """Let a guide that did not yet look at its model see no discrete sites: ``TraceEnum_ELBO`` sums
    them out.
    """
    for part in parts_of(guide):
        model = getattr(part, "model", None)
        if model is not None and part.prototype_trace is None and has_discrete(model, args, kwargs):
            part.model = without_discrete(model)


def refuse_without_density(guide: Any) -> None:
    """Raise for guides whose density over the model's sites cannot be told; parts of a list may be
    such.
    """
    if not callable(guide):
        raise SymmetryError(
            f"AutoSymmetrized: expected a NumPyro guide; got {type(guide).__name__}."
        )
    for part in parts_of(guide):
        if hasattr(part, "symmetry_information"):
            raise SymmetryError(
                f"AutoSymmetrized: {type(part).__name__} is symmetrized already. Symmetrize the "
                "whole, or its parts."
            )
    if not isinstance(guide, AutoGuideList):
        _refuse_without_density(guide)


def refuse_parts(guide: Any, names: tuple[str, ...]) -> None:
    """Raise where a part without a density has sites of the symmetry.

    :param names: these sites.
    """
    for part in parts_of(guide):
        if _has_any(part, names):
            _refuse_without_density(part)


def _refuse_without_density(guide: Any) -> None:
    if not _has_density(guide):
        raise SymmetryError(
            f"AutoSymmetrized: {type(guide).__name__} has no tractable density over the model's "
            "sites, so there is nothing to average. Use AutoNormal, another AutoContinuous guide, "
            "or a guide of your own whose sample sites are the model's."
        )


def _has_any(part: Any, names: tuple[str, ...]) -> bool:
    """Whether a guide has some of these sites; of one written by hand that is not known before it
    is read.
    """
    if isinstance(part, AutoGuideList):
        return any(_has_any(member, names) for member in part)
    return not isinstance(part, AutoGuide) or any(name in part._init_locs for name in names)


def _has_density(guide: Any) -> bool:
    if isinstance(guide, AutoContinuous):
        # Whoever draws in a way of their own (annealing, rejection) has more random numbers than
        # the row.
        drawn = type(guide)._sample_latent is AutoContinuous._sample_latent
        return drawn and not isinstance(guide, AutoLaplaceApproximation)
    return not isinstance(guide, (AutoDelta, AutoSemiDAIS))


def refuse_model(who: str, trace: Mapping[str, Any]) -> None:
    """Raise for a model where a guide belongs: it observes, and it has nothing to train."""
    for name, site in trace.items():
        if site["type"] == "sample" and site["is_observed"]:
            raise SymmetryError(
                f"{who}: expected a guide; this one observes site {name!r}, as a model does. "
                "Write AutoSymmetrizedNormal(model), or AutoSymmetrized(AutoNormal(model))."
            )


def read_base(
    guide: Callable[..., Any], names: tuple[str, ...], args: tuple, kwargs: Mapping[str, Any]
) -> Base:
    """Run a guide, let its parameters reach the caller, and tell its distribution over the model's
    sites.

    Of an ``AutoNormal`` only the sites of the symmetry are told, as its others are independent of
    them, and of a list the parts that have such sites; every other guide may tie sites together and
    is read whole.

    :param guide: a NumPyro guide.
    :param names: sites of the symmetry.
    :returns: the base over the sites of the symmetry and those that hang on them.
    :raises SymmetryError: where a guide written by hand has no density over the model's sites.
    """
    if isinstance(guide, AutoGuideList):
        parts = (read_base(part, names, args, kwargs) for part in guide if _has_any(part, names))
        return Product(tuple(part for part in parts if part.shapes))
    # Its own draws are not used.
    seeded = handlers.seed(rng_seed=_any_key())
    only_params = handlers.block(hide_fn=lambda site: site["type"] != "param")
    with only_params, handlers.trace() as trace, seeded:
        guide(*args, **kwargs)
    if isinstance(guide, AutoNormal):
        return Factorized({name: trace[name]["fn"] for name in names if name in trace})
    if isinstance(guide, AutoContinuous):
        sites = guide.prototype_trace
        transforms = {name: biject_to(sites[name]["fn"].support) for name in guide._init_locs}
        return Flat(trace[f"_{guide.prefix}_latent"]["fn"], guide._unpack_latent, transforms)
    return _written_by_hand(guide, trace, args, kwargs)


def place(
    guide: Any,
    values: Mapping[str, Any],
    event_dims: Mapping[str, int],
    args: tuple,
    kwargs: Mapping[str, Any],
) -> dict[str, Any]:
    """Sample the guide's sites in its order: those with values at these, the others as it does.

    :param values: site name -> constrained value.
    :param event_dims: site name -> number of event dimensions in the model.
    :returns: site name -> value, all sites of the guide.
    """
    if isinstance(guide, AutoGuideList):
        placed: dict[str, Any] = {}
        for part in guide:
            if _has_any(part, tuple(values)):
                placed |= place(part, values, event_dims, args, kwargs)
            else:
                placed |= part(*args, **kwargs)
        return placed
    if isinstance(guide, AutoNormal):
        with _Placed(values, event_dims):
            return guide(*args, **kwargs)
    mine = guide._init_locs if isinstance(guide, AutoContinuous) else values
    sampled = {}
    for name, event_dim in event_dims.items():
        if name in mine and name in values:
            point = dist.Delta(values[name], event_dim=event_dim)
            sampled[name] = numpyro.sample(name, point)
    return sampled


def draws_of(
    guide: Any,
    rng_key: jax.Array,
    params: Mapping[str, Any],
    args: tuple,
    kwargs: Mapping[str, Any],
    sample_shape: tuple[int, ...],
) -> dict[str, jax.Array]:
    """Draws of the guide itself, at its parameters.

    :returns: site name -> array with leading dimensions ``sample_shape``.
    """
    if isinstance(guide, AutoGuide):
        return guide.sample_posterior(rng_key, params, *args, sample_shape=sample_shape, **kwargs)

    def one(key: jax.Array) -> dict[str, jax.Array]:
        with handlers.block(), handlers.seed(rng_seed=key), handlers.substitute(data=params):
            trace = handlers.trace(guide).get_trace(*args, **kwargs)
        return {name: site["value"] for name, site in trace.items() if site["type"] == "sample"}

    for _ in sample_shape:
        one = jax.vmap(one)
    return one(jax.random.split(rng_key, sample_shape) if sample_shape else rng_key)


class _Placed(Messenger):
    """Turns sample sites into points."""

    def __init__(self, values: Mapping[str, Any], event_dims: Mapping[str, int]) -> None:
        self.values, self.event_dims = values, event_dims
        super().__init__(None)

    def process_message(self, msg: dict[str, Any]) -> None:
        name = str(msg.get("name"))
        if msg["type"] == "sample" and name in self.values:
            msg["value"] = self.values[name]
            msg["fn"] = dist.Delta(msg["value"], event_dim=self.event_dims[name])


def _written_by_hand(
    guide: Callable[..., Any], trace: Mapping[str, Any], args: tuple, kwargs: Mapping[str, Any]
) -> Traced:
    plates = {name: site["args"][0] for name, site in trace.items() if site["type"] == "plate"}
    supports = {}
    for name, site in trace.items():
        if site["type"] != "sample":
            continue
        support = site["fn"].support
        if site["infer"].get("is_auxiliary") or support is None or support.is_discrete:
            raise SymmetryError(
                f"AutoSymmetrized: site {name!r} of the guide is auxiliary or discrete, so the "
                "guide has no tractable density over the model's sites. Marginalize it, or leave "
                "it out."
            )
        for frame in site["cond_indep_stack"]:
            if plates.get(frame.name, frame.size) != frame.size:
                raise SymmetryError(
                    f"AutoSymmetrized: site {name!r} of the guide stands in the subsampled plate "
                    f"{frame.name!r}. Put local sites into a guide of their own, joined to this "
                    "one by AutoGuideList."
                )
        supports[name] = support
    params = {name: site["value"] for name, site in trace.items() if site["type"] == "param"}
    # Compiled anew for arguments: what is in them is not compared.
    bound = partial(guide, *args, **kwargs) if args or kwargs else guide
    return Traced(params, bound, supports)
