"""How probable each value of a discrete site is, given the other parameters of a draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.extend.core import jaxpr_as_fun
from numpyro.primitives import Messenger

from ...models import read_numpyro_model
from ...models.complete_data import discrete_sites
from ...models.view import ModelView, Point, in_double_precision
from ...symmetry import SymmetryError, kinds
from ...symmetry.arguments import check_arguments
from .from_model import BATCH_SIZE, draws_for
from .groups import ArvizData, posterior_of


def label_probabilities(data: ArvizData, model: kinds.Model, *args: Any, site: kinds.Name, **kwargs: Any) -> np.ndarray:
    """The probabilities of a discrete site's values in every draw, all other discrete sites summed out.

    What :func:`~numpyro_sym.alignment.relabelling.stephens` and ``ecr_soft`` ask for, of draws that hold the
    parameters alone. With a term ``e[i, k]`` added to the log probability of value ``k`` at entry ``i``, the
    derivative of the summed log joint is the probability, exactly.

    :param data: an ArviZ object with a posterior.
    :param model: the NumPyro model of these draws.
    :param args: the model's arguments, observations among them.
    :param site: the discrete site, of a model that sums it out.
    :param kwargs: the model's keyword arguments.
    :returns: float64 of shape ``(*sample, *site, values)``; sums over the last axis are 1.
    :raises SymmetryError: where the model has no such site, it cannot be summed out or stands in a ``scan``, or the
        draws do not fit the model.

    >>> import arviz as az, numpyro, numpyro.distributions as dist
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
    read_numpyro_model(model, args, kwargs)  # refuses a model that cannot be run, or summed up
    there = discrete_sites(model, args, kwargs)
    if site not in there:
        raise SymmetryError(f"label_probabilities: the model has no discrete site {site!r}; it has {sorted(there)}.")
    states = there[site].states
    if states is None:
        raise SymmetryError(f"label_probabilities: the values of site {site!r} are no list 0 .. n-1 to sum over.")
    nothing = np.zeros((*there[site].shape, states))

    def probabilities() -> np.ndarray:
        view = read_numpyro_model(_Tilted(model, site, args, kwargs), (nothing,), {})
        view.refuse_impure()
        rows, sample = draws_for("label_probabilities", view, posterior)
        each = jax.jit(partial(jax.lax.map, partial(_slope, view, nothing), batch_size=BATCH_SIZE))
        return np.asarray(each(rows)).reshape(*sample, *nothing.shape)

    return in_double_precision(probabilities)


def _slope(view: ModelView, nothing: np.ndarray, point: Point) -> jax.Array:
    """The derivative of the log joint with respect to what is added to the site's log probabilities."""

    def joint(added: jax.Array) -> jax.Array:
        data = {name: added if name == ADDED else x for name, x in view.data.items()}
        leaves = jax.tree.leaves((data, dict(point)))
        types = [variable.aval.dtype for variable in view.program.jaxpr.invars]
        outcome = jaxpr_as_fun(view.program)(*(jnp.asarray(x, t) for x, t in zip(leaves, types, strict=True)))
        densities = outcome[: len(view.shapes) + len(view.observed)]
        return sum(densities, start=jnp.zeros(()))

    return jax.grad(joint)(jnp.asarray(nothing))


#: What the reader calls the first argument of a model.
ADDED = "argument 0"


class _Tilted:
    """A model with one argument, which is added to the log probabilities of a site's values."""

    def __init__(self, model: Callable[..., Any], site: str, args: tuple, kwargs: Mapping[str, Any]) -> None:
        self.model, self.site, self.args, self.kwargs = model, site, args, kwargs
        self.__name__ = getattr(model, "__name__", type(model).__name__)

    def __call__(self, added: jax.Array) -> None:
        with _Adding(self.site, added):
            self.model(*self.args, **self.kwargs)


class _Adding(Messenger):
    def __init__(self, site: str, added: jax.Array) -> None:
        super().__init__()
        self.site, self.added = site, added

    def process_message(self, msg: dict) -> None:
        if msg["type"] == "sample" and msg["name"] == self.site:
            if msg["fn"].batch_shape != self.added.shape[:-1]:
                raise SymmetryError(
                    f"label_probabilities: site {self.site!r} stands in a scan (or has a sample_shape), so its entries "
                    "cannot be told apart. Draw it: Predictive(model, draws, infer_discrete=True)."
                )
            msg["fn"] = _WithMore(msg["fn"], self.added)


class _WithMore(dist.Distribution):
    """A discrete distribution with more log probability for some values.

    :param fn: the distribution.
    :param added: floats of shape ``(*fn.batch_shape, values)``.
    """

    pytree_data_fields = ("fn", "added")

    def __init__(self, fn: dist.Distribution, added: jax.Array) -> None:
        self.fn, self.added = fn, added
        super().__init__(fn.batch_shape, fn.event_shape, validate_args=False)

    @property
    def support(self) -> Any:
        return self.fn.support

    @property
    def has_enumerate_support(self) -> bool:
        return self.fn.has_enumerate_support

    def enumerate_support(self, expand: bool = True) -> Any:
        return self.fn.enumerate_support(expand=expand)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> Any:
        return self.fn.sample(key, sample_shape)

    def log_prob(self, value: Any) -> Any:
        # One of the values is the value: (*value, values), and summed over the values.
        is_value = jnp.asarray(value)[..., None] == jnp.arange(self.added.shape[-1])
        return self.fn.log_prob(value) + (is_value * self.added).sum(-1)
