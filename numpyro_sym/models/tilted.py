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
from numpyro.contrib.control_flow.scan import scan_wrapper
from numpyro.primitives import Messenger

from ..symmetry import SymmetryError
from .view import ModelView, Point, run_program

NO_ENTRIES = (
    "label_probabilities: the entries of site {site!r} cannot be told apart where its values are "
    "summed out: it has a sample_shape, or its batch is that of no plate. Write numpyro.plate "
    "around it, or draw it: Predictive(model, draws, infer_discrete=True)."
)

BACKWARDS = (
    "label_probabilities: site {site!r} stands in scan(..., reverse=True), whose steps NumPyro "
    "adds up in the other order when their sites are summed out. Write the scan forwards, over "
    "inputs in reverse."
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
        densities = run_program(view.program, data, point)
        ends = len(view.priors) + len(view.observed)
        return sum(densities[:ends], start=jnp.zeros(()))

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


#: What NumPyro puts before the names of sites in the first steps of a scan: once in the last of
#: them, twice in the one before.
_EARLIER = "_PREV_"


class _Adding(Messenger):
    def __init__(self, site: str, added: jax.Array) -> None:
        super().__init__()
        self.site, self.added = site, added
        self._scan: dict = {}  # the message of the one that is running, or ran last

    def process_message(self, msg: dict) -> None:
        if msg["type"] == "control_flow" and msg["fn"] is scan_wrapper:
            self._scan = msg  # that its sites are summed out is noted there by handlers further out
        elif msg["type"] == "sample" and msg["name"].replace(_EARLIER, "") == self.site:
            added = self._of_entries(msg, msg["name"].count(_EARLIER))
            msg["fn"] = _WithMore(msg["fn"], added)

    def _of_entries(self, msg: dict, earlier: int) -> jax.Array:
        """What is added to the entries of this message: all, one step of a scan, or the steps after
        the first ones.
        """
        added, there = self.added, msg["fn"].batch_shape
        if earlier:
            added = added[self._first_steps() - earlier]
        elif msg.get("_control_flow_done", False):
            added = added[self._first_steps() :]
            # Time is the first axis, plates are the last, and what is summed out lies between.
            between = [1] * (len(there) - added.ndim + 1)
            added = added.reshape(len(added), *between, *added.shape[1:])
        entries = added.shape[:-1]
        # What is summed out lies to the left of the entries.
        fits = len(there) >= len(entries) and all(
            n in (1, m) for n, m in zip(entries, there[len(there) - len(entries) :], strict=True)
        )
        if not fits:
            raise SymmetryError(NO_ENTRIES.format(site=self.site))
        return added

    def _first_steps(self) -> int:
        """How many steps of the scan NumPyro runs one by one, before it stacks the others."""
        _, _, xs, length, reverse = self._scan["args"]
        history = self._scan["kwargs"]["history"]
        if not self._scan["kwargs"].get("enum", False) or history == 0:
            return 0
        if reverse:
            raise SymmetryError(BACKWARDS.format(site=self.site))
        if length is None:
            length = len(jax.tree.leaves(xs)[0])
        return min(2 * min(history, length) - 1, length)


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
