"""Sites that handlers around a model hide from whoever runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpyro import handlers
from numpyro.primitives import Messenger


def hidden_sites(model: Callable[..., Any], args: tuple, kwargs: Mapping[str, Any]) -> set[str]:
    """Names of the random sites that a ``block`` around a model hides; the model is run where there is one.

    :param model: a NumPyro model, wrapped in handlers or not.
    :param args: its arguments, and ``kwargs`` its keyword arguments.
    """
    inside = model
    while isinstance(inside, Messenger) and not isinstance(inside, handlers.block):
        inside = inside.fn
    if not isinstance(inside, handlers.block):
        return set()
    return _random_sites(inside.fn, args, kwargs) - _random_sites(model, args, kwargs)


def _random_sites(model: Callable[..., Any], args: tuple, kwargs: Mapping[str, Any]) -> set[str]:
    with handlers.block(), handlers.seed(rng_seed=0):
        trace = handlers.trace(model).get_trace(*args, **kwargs)
    return {name for name, site in trace.items() if site["type"] == "sample"}
