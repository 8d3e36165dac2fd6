"""How probable each value of a discrete site is, given the other parameters of a draw."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ...models import read_numpyro_model
from ...models.complete_data import discrete_sites
from ...models.tilted import NO_ENTRIES, Tilted, slope
from ...models.view import in_double_precision
from ...symmetry import SymmetryError, kinds
from ...symmetry.arguments import check_arguments
from ...symmetry.bars import progress
from ...symmetry.parts_of_rows import mapped_in_parts
from .from_model import BATCH_SIZE, draws_for
from .groups import ArvizData, posterior_of


def label_probabilities(
    data: ArvizData,
    model: kinds.Model,
    *args: Any,
    site: kinds.Name,
    progress_bar: bool = True,
    **kwargs: Any,
) -> np.ndarray:
    """The probabilities of a discrete site's values in every draw, all other discrete sites summed
    out.

    What :func:`~numpyro_sym.alignment.stephens` and ``ecr_soft`` ask for, of draws that
    hold the parameters alone. With a term ``e[i, k]`` added to the log probability of value ``k``
    at entry ``i``, the derivative of the summed log joint is the probability, exactly.

    :param data: an ArviZ object with a posterior.
    :param model: the NumPyro model of these draws.
    :param args: the model's arguments, observations among them.
    :param site: the discrete site, of a model that sums it out.
    :param progress_bar: whether to show one where it takes long.
    :param kwargs: the model's keyword arguments.
    :returns: float64 of shape ``(*sample, *site, values)``; sums over the last axis are 1.
    :raises SymmetryError: where the model has no such site or it cannot be summed out, or the draws
        do not fit the model.

    >>> import arviz as az, jax.numpy as jnp, numpyro, numpyro.distributions as dist
    >>> def model(y):
    ...     mu = numpyro.sample("mu", dist.Normal(0, 5).expand([2]).to_event(1))
    ...     with numpyro.plate("rows", len(y)):
    ...         z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
    ...         numpyro.sample("y", dist.Normal(mu[z], 1.0), obs=y)
    >>> draws = {"mu": np.array([[[0.0, 4.0], [4.0, 0.0]]])}
    >>> data = az.from_dict({"posterior": draws}) if az.__version__ >= "1" else az.from_dict(draws)
    >>> label_probabilities(data, model, np.array([0.0, 2.0]), site="z").round(3).tolist()
    [[[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]]]
    """
    check_arguments(label_probabilities, locals())
    posterior = posterior_of(data)
    there = discrete_sites(model, args, kwargs)
    if site not in there:
        raise SymmetryError(
            f"label_probabilities: the model has no discrete site {site!r}; it has {sorted(there)}."
        )
    states = there[site].states
    if states is None:
        raise SymmetryError(
            f"label_probabilities: the values of site {site!r} are no list 0 .. n-1 to sum over."
        )
    nothing = np.zeros((*there[site].shape, states))

    def probabilities() -> np.ndarray:
        view = read_numpyro_model(Tilted(model, site, args, kwargs), (nothing,), {})
        view.refuse_impure()
        rows, sample = draws_for("label_probabilities", view, posterior)
        of_draw = partial(slope, view, nothing)
        with progress("label_probabilities", "draws", progress_bar):
            found = mapped_in_parts(of_draw, rows, "draws", BATCH_SIZE)
        return found.reshape(*sample, *nothing.shape)

    found = in_double_precision(probabilities)
    if not np.allclose(found.sum(-1), 1, atol=1e-6):
        raise SymmetryError(NO_ENTRIES.format(site=site))
    return found
