"""When a guide asks which symmetry to use: where there are numbers to look at, and not at every
step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import get_opaque_trace_state
from numpyro import handlers

from ..discovery import SymmetryInUse
from ..discovery.in_use import fingerprint
from ..symmetry import Symmetry

#: The state in which nothing is being traced.
_AT_REST = get_opaque_trace_state(convention="flax")


class Asking:
    """The symmetry of a guide that is called again and again, with these arguments or others.

    It is asked for on the first call, and anew for arguments that were not seen before: outside of
    any trace, as in ``SVI.init`` and ``SVI.evaluate``, or while a program is staged, as in
    ``SVI.run``, which happens once. Steps of ``SVI.update`` that are not compiled, arguments that
    are traced, and calls that show no data, as those for predictions, go on with what is in use.

    :param in_use: where it is found, or verified.
    """

    def __init__(self, in_use: SymmetryInUse) -> None:
        self._in_use = in_use
        self._seen: dict[bytes, Symmetry | None] = {}  # None: these arguments show no data
        self.last: Symmetry | None = None

    def of(self, args: tuple, kwargs: Mapping[str, Any]) -> Symmetry:
        """The symmetry for these arguments.

        :raises SymmetryError: where one was given that does not hold.
        """
        if self.last is None and _traced((args, kwargs)):
            self.last = self._ask(args, kwargs)
        elif not _traced((args, kwargs)) and (self.last is None or _asks_once()):
            self.last = self._of_numbers(args, kwargs)
        assert self.last is not None
        return self.last

    def _of_numbers(self, args: tuple, kwargs: Mapping[str, Any]) -> Symmetry | None:
        key = fingerprint((args, kwargs))
        # A fit starts, or an evaluation: the model may have become another one.
        if self._seen.get(key) is not None and _at_rest() and self._forgets(args, kwargs):
            del self._seen[key]
        if key not in self._seen:
            asks = self.last is None or _shows_data(self._in_use.model, args, kwargs)
            self._seen[key] = self._ask(args, kwargs) if asks else None
        seen = self._seen[key]
        return self.last if seen is None else seen

    def _ask(self, args: tuple, kwargs: Mapping[str, Any]) -> Symmetry:
        with handlers.block(), jax.ensure_compile_time_eval() if _staged() else nullcontext():
            return self._in_use.of(args, kwargs)

    def _forgets(self, args: tuple, kwargs: Mapping[str, Any]) -> bool:
        with handlers.block():
            return self._in_use.forgets(args, kwargs)

    def __deepcopy__(self, memo: dict[int, Any]) -> Asking:
        """Copies of a guide, of which SteinVI makes many, share what was found."""
        other = Asking(self._in_use)
        other._seen, other.last = self._seen, self.last
        return other


def _traced(tree: Any) -> bool:
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))


def _staged() -> bool:
    """Whether operations on constants go into a program, as under ``jit`` and ``scan``."""
    return isinstance(jnp.asarray(np.zeros(())), jax.core.Tracer)


def _asks_once() -> bool:
    """Whether this call is none of many steps that are differentiated or batched one by one."""
    return _at_rest() or _staged()


def _at_rest() -> bool:
    """Whether nothing is being traced."""
    return get_opaque_trace_state(convention="flax") == _AT_REST


def _shows_data(model: Callable[..., Any] | None, args: tuple, kwargs: Mapping[str, Any]) -> bool:
    """Whether a model observes anything with these arguments."""
    observed: list[bool] = []

    def run() -> None:
        with handlers.block(), handlers.seed(rng_seed=0):
            trace = handlers.trace(model).get_trace(*args, **kwargs)
        observed.extend(site["type"] == "sample" and site["is_observed"] for site in trace.values())

    try:
        jax.eval_shape(run)
    except Exception:
        # Arguments for the guide alone: nothing is learnt of the model, and nothing claimed.
        return False
    return any(observed)
