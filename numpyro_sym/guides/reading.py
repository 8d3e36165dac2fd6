"""NumPyro guides read as base guides: at their parameters, inside a running program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import numpyro
from numpyro import handlers
from numpyro.distributions import biject_to
from numpyro.infer.autoguide import (
    AutoContinuous,
    AutoDAIS,
    AutoDelta,
    AutoGuideList,
    AutoLaplaceApproximation,
    AutoNormal,
    AutoSemiDAIS,
    AutoSurrogateLikelihoodDAIS,
)

from ..symmetry import SymmetryError
from .base import Base, Factorised, Flat, Product, Traced

_WITHOUT_DENSITY = (AutoDelta, AutoDAIS, AutoLaplaceApproximation, AutoSemiDAIS, AutoSurrogateLikelihoodDAIS)


def refuse_without_density(guide: Any) -> None:
    """Raise for guides whose density over the model's sites cannot be told."""
    for part in guide if isinstance(guide, AutoGuideList) else [guide]:
        if isinstance(part, _WITHOUT_DENSITY):
            raise SymmetryError(
                f"AutoSymmetrized: {type(part).__name__} has no tractable density over the model's sites, so there is "
                "nothing to average. Use AutoNormal, another AutoContinuous guide, or a guide of your own whose sample "
                "sites are the model's."
            )
    if not callable(guide):
        raise SymmetryError(f"AutoSymmetrized: expected a NumPyro guide; got {type(guide).__name__}.")


def read_base(
    guide: Callable[..., Any], names: tuple[str, ...], args: tuple, kwargs: Mapping[str, Any]
) -> tuple[Base, dict[str, Any]]:
    """Run a guide, let its parameters reach the caller, and tell its distribution over the model's sites.

    ``AutoNormal`` samples its other sites as it always does; every other guide may tie them to
    those of the symmetry, and is read whole.

    :param guide: a NumPyro guide.
    :param names: sites of the symmetry.
    :returns: the base over the sites of the symmetry and those that hang on them; values of the others.
    :raises SymmetryError: where a guide written by hand has no density over the model's sites.
    """
    if isinstance(guide, AutoGuideList):
        read = [read_base(part, names, args, kwargs) for part in guide]
        parts = tuple(base for base, _ in read if base.shapes)
        return Product(parts), {name: x for _, others in read for name, x in others.items()}
    key = numpyro.prng_key()
    seeded = nullcontext() if key is None else handlers.seed(rng_seed=key)
    if isinstance(guide, AutoNormal):
        # Its sites of the symmetry are hidden and only tell their distributions.
        with handlers.block(hide=list(names)), handlers.trace() as trace, seeded:
            values = guide(*args, **kwargs)
        inside = {name: trace[name]["fn"] for name in names if name in trace}
        return Factorised(inside), {name: x for name, x in values.items() if name not in names}
    with handlers.block(hide_fn=lambda site: site["type"] == "sample"), handlers.trace() as trace, seeded:
        guide(*args, **kwargs)
    if isinstance(guide, AutoContinuous):
        transforms = {n: biject_to(guide.prototype_trace[n]["fn"].support) for n in guide._init_locs}
        return Flat(trace[f"_{guide.prefix}_latent"]["fn"], guide._unpack_latent, transforms), {}
    return _written_by_hand(guide, trace, args, kwargs), {}


def _written_by_hand(
    guide: Callable[..., Any], trace: Mapping[str, Any], args: tuple, kwargs: Mapping[str, Any]
) -> Traced:
    plates = {name: site["args"][0] for name, site in trace.items() if site["type"] == "plate"}
    supports = {}
    for name, site in trace.items():
        if site["type"] != "sample":
            continue
        if site["infer"].get("is_auxiliary") or site["fn"].support is None or site["fn"].support.is_discrete:
            raise SymmetryError(
                f"AutoSymmetrized: site {name!r} of the guide is auxiliary or discrete, so the guide has no tractable "
                "density over the model's sites. Marginalise it, or leave it out."
            )
        for frame in site["cond_indep_stack"]:
            if plates.get(frame.name, frame.size) != frame.size:
                raise SymmetryError(
                    f"AutoSymmetrized: site {name!r} of the guide stands in the subsampled plate {frame.name!r}. Put "
                    "local sites into a guide of their own, joined to this one by AutoGuideList."
                )
        supports[name] = site["fn"].support
    params = {name: site["value"] for name, site in trace.items() if site["type"] == "param"}
    return Traced(params, guide, args, kwargs, supports)
