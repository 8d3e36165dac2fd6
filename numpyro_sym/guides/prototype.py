"""What a guide learns of its model on the first call: its symmetry, what it can act on, what is computed from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from numpyro import handlers
from numpyro.distributions import biject_to

from ..discovery import find_symmetry, latent_sites
from ..symmetry import Symmetry, SymmetryError


def found(model: Callable[..., Any] | None, args: tuple, kwargs: dict[str, Any]) -> Symmetry:
    """The model's own symmetry, as far as a guide can act on it: on sites that are never subsampled.

    :raises SymmetryError: where there is no model to find it from.
    """
    if model is None:
        raise SymmetryError("AutoSymmetrized: give sym, or the model to find it from.")
    with handlers.block():
        sym = find_symmetry(model, *args, include=("permutation", "signed"), **kwargs)
        sites, _ = latent_sites(model, args, kwargs)
    local = {name for name, site in sites.items() if site["subsampled"]}
    return sym.without(*(u.name for u in sym if local & set(u.sites)))


def refuse_subsampled(sym: Symmetry, latent: Mapping[str, Any], full_sizes: Mapping[str, int]) -> None:
    """Raise where a site of the symmetry is there in part only.

    :param latent: site name -> its message in the guide's trace.
    :param full_sizes: plate name -> its size without subsampling.
    """
    for name in sym.sites:
        for frame in latent[name]["cond_indep_stack"]:
            if full_sizes[frame.name] != frame.size:
                raise SymmetryError(
                    f"Site {name!r} stands in the subsampled plate {frame.name!r}; a symmetry can act only on "
                    "whole sites. Take its Units out of the symmetry (Symmetry.without), or do not subsample."
                )


def traced(tree: Any) -> bool:
    """Whether any array is a tracer, so that there are no numbers to check."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))


def with_deterministic(
    latent: dict[str, jax.Array], trace: Mapping[str, Any], postprocess: Callable[[Any], dict[str, jax.Array]]
) -> dict[str, jax.Array]:
    """Constrained values, and the model's deterministic sites computed from them.

    :param latent: site name -> array with any leading sample dimensions.
    :param trace: the guide's trace.
    :param postprocess: NumPyro's map from unconstrained values to all sites.
    """
    name = next(iter(latent))
    lead = np.shape(latent[name])[: np.ndim(latent[name]) - np.ndim(trace[name]["value"])]
    free = {n: biject_to(trace[n]["fn"].support)._inverse(x) for n, x in latent.items()}
    if not lead:
        return postprocess(free)
    rows = jax.tree.map(lambda x: x.reshape(-1, *x.shape[len(lead) :]), free)
    return jax.tree.map(lambda x: x.reshape(*lead, *x.shape[1:]), jax.lax.map(postprocess, rows))
