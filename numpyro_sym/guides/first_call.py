"""What a guide learns of its model on the first call: which sites it can act on, what is computed
from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from numpyro.distributions import biject_to

from ..models import cut_plates
from ..symmetry import Symmetry, SymmetryError


def local_sites(latent: Mapping[str, Any], full_sizes: Mapping[str, int]) -> set[str]:
    """Sites that are there in part only, for they stand in a subsampled plate.

    :param latent: site name -> its message in the guide's trace.
    :param full_sizes: plate name -> its size without subsampling.
    """
    cut = {name: cut_plates(site["cond_indep_stack"], full_sizes) for name, site in latent.items()}
    return {name for name, plates in cut.items() if plates}


def refuse_subsampled(
    sym: Symmetry, latent: Mapping[str, Any], full_sizes: Mapping[str, int]
) -> None:
    """Raise where a site of the symmetry is there in part only.

    :param latent: site name -> its message in the guide's trace.
    :param full_sizes: plate name -> its size without subsampling.
    """
    for name in latent.keys() & set(sym.sites):
        for plate in cut_plates(latent[name]["cond_indep_stack"], full_sizes):
            raise SymmetryError(
                f"Site {name!r} stands in the subsampled plate {plate!r}; a symmetry can act only "
                "on whole sites. Take its Units out of the symmetry (Symmetry.without), or do not "
                "subsample."
            )


def with_deterministic(
    latent: dict[str, jax.Array],
    trace: Mapping[str, Any],
    postprocess: Callable[[Any], dict[str, jax.Array]],
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
    # (*sample, *site) to (draw, *site), and back
    rows = jax.tree.map(lambda x: x.reshape(-1, *x.shape[len(lead) :]), free)
    return jax.tree.map(lambda x: x.reshape(*lead, *x.shape[1:]), jax.lax.map(postprocess, rows))
