"""A model whose discrete site has more log probability for some of its values.

The derivative of the log joint, that site summed out, with respect to what is added to value ``k``
of entry ``i`` is the probability of that value there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.primitives import Messenger

from ..symmetry import SymmetryError
from .view import ModelView, Point, run_program

NO_ENTRIES = (
    "label_probabilities: site {site!r} stands in a scan (or has a sample_shape), so its entries "
    "cannot be told apart. "
    "Draw it: Predictive(model, draws, infer_discrete=True)."
)

#: What the reader calls the first argument of a model.
ADDED = "argument 0"


def slope(view: ModelView, nothing: np.ndarray, point: Point) -> jax.Array:
    """The derivative of the log joint with respect to what is added to the site's log
    probabilities.
    """

    def joint(added: jax.Array) -> jax.Array:
        data = {name: added if name == ADDED else x for name, x in view.data.items()}
        # Latent sites, observed ones, then whether values lie in their supports.
        densities = run_program(view.program, data, point)[: len(view.shapes) + len(view.observed)]
        return sum(densities, start=jnp.zeros(()))

    return jax.grad(joint)(jnp.asarray(nothing))


class Tilted:
    """A model with one argument, which is added to the log probabilities of a site's values."""

    def __init__(
        self, model: Callable[..., Any], site: str, args: tuple, kwargs: Mapping[str, Any]
    ) -> None:
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
            entries = self.added.shape[:-1]  # what is summed out lies to the left of these
            there = msg["fn"].batch_shape
            if there[len(there) - len(entries) :] != entries:
                raise SymmetryError(NO_ENTRIES.format(site=self.site))
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
