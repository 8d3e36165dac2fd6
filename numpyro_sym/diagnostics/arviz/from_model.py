"""What a model says of draws that a file does not: a function that no relabeling changes."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...alignment.packing import refuse_not_finite
from ...models import read_numpyro_model
from ...models.view import ModelView, Point, in_double_precision
from ...symmetry import SymmetryError, kinds
from ...symmetry.arguments import check_arguments
from ...symmetry.bars import progress
from ...symmetry.parts_of_rows import mapped_in_parts
from .groups import (
    ArvizData,
    get_group,
    group_names,
    posterior_of,
    sample_dims,
    site_arrays,
    with_groups,
)

#: Draws that are worked on at once.
BATCH_SIZE = 64


def with_log_joint(
    data: ArvizData, model: kinds.Model, *args: Any, progress_bar: bool = True, **kwargs: Any
) -> Any:
    """Draws with their log joint density and log likelihood, both of the model, among the sample
    statistics.

    For :func:`diagnose`, which needs a function that the symmetry leaves as it is, where the file
    has none: draws of another program, or a model whose discrete sites are summed out, of which
    NumPyro computes no log likelihood. Discrete sites are summed out here, too, whether or not they
    were drawn.

    :param data: an ArviZ object with a posterior.
    :param model: the NumPyro model of these draws.
    :param args: the model's arguments, observations among them.
    :param progress_bar: whether to show one where it takes long.
    :param kwargs: the model's keyword arguments.
    :returns: an object of the same type whose group ``sample_stats`` has ``log_joint`` and, where
        the model observes something, ``log_likelihood``: float64 over chains and draws, of values
        on their own supports.
    :raises SymmetryError: where the model cannot be run, or the draws lack one of its sites, do not
        fit it, or are no finite floats.

    >>> import arviz as az, numpyro, numpyro.distributions as dist
    >>> def model(y):
    ...     mu = numpyro.sample("mu", dist.Normal(0, 1).expand([2]).to_event(1))
    ...     numpyro.sample("y", dist.Normal(mu.sum(), 1), obs=y)
    >>> draws = {"mu": np.array([[[0.0, 1.0], [1.0, 0.0]]])}
    >>> data = az.from_dict({"posterior": draws}) if az.__version__ >= "1" else az.from_dict(draws)
    >>> with_log_joint(data, model, np.ones(3)).sample_stats["log_joint"].values.round(3).tolist()
    [[-5.095, -5.095]]
    """
    check_arguments(with_log_joint, locals())
    posterior = posterior_of(data)

    def densities() -> dict[str, np.ndarray]:
        view = read_numpyro_model(model, args, kwargs)
        view.refuse_impure()
        return _densities(view, posterior)

    with progress("with_log_joint", "draws", progress_bar):
        found = in_double_precision(densities)
    dims = sample_dims(posterior)
    coords = {dim: posterior[dim] for dim in dims if dim in posterior.coords}
    stats = xr.Dataset(coords=coords)
    if "sample_stats" in group_names(data):
        stats = get_group(data, "sample_stats")
    stats = stats.assign({name: (dims, x) for name, x in found.items()})
    return with_groups(data, {"sample_stats": stats})


def draws_for(
    who: str, view: ModelView, posterior: xr.Dataset
) -> tuple[dict[str, jax.Array], tuple[int, ...]]:
    """The draws of a model's sites in one row each, in double precision, and their sample shape.

    :raises SymmetryError: where the draws lack a site, do not fit the model, or are no finite
        floats.
    """
    sites = {name: np.asarray(x) for name, x in site_arrays(posterior, tuple(view.shapes)).items()}
    lead = len(sample_dims(posterior))
    rows = {}
    for name, x in sites.items():
        if not jnp.issubdtype(x.dtype, jnp.floating):
            raise SymmetryError(
                f"{who}: draws of site {name!r} have dtype {x.dtype}; expected floats."
            )
        refuse_not_finite(who, name, x, "the draws")
        if x.shape[lead:] != tuple(view.shapes[name]):
            raise SymmetryError(
                f"{who}: draws of site {name!r} have the shape {x.shape[lead:]}; the model's has "
                f"{tuple(view.shapes[name])}."
            )
        rows[name] = jnp.asarray(np.array(x.reshape(-1, *x.shape[lead:]), float))  # (draw, *site)
    return rows, next(iter(sites.values())).shape[:lead]


def _densities(view: ModelView, posterior: xr.Dataset) -> dict[str, np.ndarray]:
    """Sums over all sites and over the observed ones, of the shape of the draws."""
    rows, sample = draws_for("with_log_joint", view, posterior)
    joint, likelihood = mapped_in_parts(partial(_sums, view), rows, "draws", BATCH_SIZE)
    found = {"log_joint": joint.reshape(sample)}
    if view.observed:
        found["log_likelihood"] = likelihood.reshape(sample)
    return found


def _sums(view: ModelView, point: Point) -> tuple[Any, Any]:
    latent, observed, _ = view.evaluate(point)
    likelihood = sum(observed.values(), start=jnp.zeros(()))
    return sum(latent.values(), start=likelihood), likelihood
