"""What draws predict, and the loss of a model at a point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..models import read_numpyro_model
from ..symmetry import SymmetryError, kinds
from ..symmetry.arguments import check_arguments, describe
from ..symmetry.bars import progress
from ..symmetry.deprecated import renamed_arguments
from ..symmetry.parts_of_rows import mapped_in_parts
from ..symmetry.programs import of_one_draw, outcome_of
from .arviz.samples import flat_draws


@renamed_arguments(sites="var_names")
def predict_draws(
    data: Any,
    predict: kinds.Function,
    *,
    var_names: kinds.VarNames | None = None,
    batch_size: kinds.Positive = 64,
    progress_bar: bool = True,
) -> np.ndarray:
    """A function of every draw: class probabilities for :func:`agreement`, say.

    :param data: an ArviZ object, or a mapping of draws ``(draw, *site)``.
    :param predict: site name -> array of one draw, to an array; traced by JAX.
    :param var_names: which variables it reads; by default all that hold floats.
    :param batch_size: draws that are worked on at once.
    :param progress_bar: whether to show one where it takes long.
    :returns: an array ``(draw, ...)``, chains one after another.
    :raises SymmetryError: where a site is missing.

    >>> predict_draws({"w": np.arange(3.0)}, lambda point: 2 * point["w"]).tolist()
    [0.0, 2.0, 4.0]
    """
    check_arguments(predict_draws, locals())
    draws = {name: jnp.asarray(x) for name, x in flat_draws(data, var_names).items()}
    found = outcome_of("predict_draws", "predict", predict, of_one_draw(draws))
    if not hasattr(found, "shape"):
        raise SymmetryError(
            f"predict_draws: predict must return one array; it returns {describe(found)}."
        )
    with progress("predict_draws", "draws", progress_bar):
        return mapped_in_parts(predict, draws, "draws", batch_size)


def model_loss(model: kinds.Model, *args: Any, **kwargs: Any) -> Callable[[Mapping[str, Any]], Any]:
    """The negative log likelihood of a NumPyro model as a function of a point, for
    :func:`loss_barrier`.

    :param model: a NumPyro model.
    :param args: the model's arguments, observations among them.
    :param kwargs: the model's keyword arguments.
    :returns: site name -> array to a number, summed over observations; sites that are not latent
        are not looked at.
    :raises SymmetryError: where the model cannot be run or observes nothing; when the function is
        called, where a latent site is missing.

    >>> import numpyro, numpyro.distributions as dist
    >>> def model(y):
    ...     mu = numpyro.sample("mu", dist.Normal(0, 1))
    ...     numpyro.sample("y", dist.Normal(mu, 1).expand([2]).to_event(1), obs=y)
    >>> round(float(model_loss(model, np.zeros(2, np.float32))({"mu": 0.0})), 3)
    1.838
    """
    check_arguments(model_loss, locals())
    view = read_numpyro_model(model, args, kwargs)
    view.refuse_impure()
    if not view.observed:
        raise SymmetryError(
            "model_loss: the model observes nothing; pass the observations as its arguments."
        )

    def loss(point: kinds.Sites) -> Any:
        check_arguments(loss, locals())
        missing = [name for name in view.shapes if name not in point]
        if missing:
            raise SymmetryError(
                f"model_loss: the point lacks latent sites {missing}; it has {sorted(point)}."
            )
        for name, shape in view.shapes.items():
            if np.shape(point[name]) != tuple(shape):
                raise SymmetryError(
                    f"model_loss: site {name!r} of the point is {describe(point[name])}; the "
                    f"model's has shape {shape}."
                )
        _, observed, _ = view.evaluate({name: point[name] for name in view.shapes})
        return -sum(jnp.sum(x) for x in observed.values())

    return loss
