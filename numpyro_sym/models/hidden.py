"""Sites that handlers around a model hide from whoever runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpyro import handlers
from numpyro.infer import init_to_uniform
from numpyro.primitives import Messenger


def hidden_sites(model: Callable[..., Any], args: tuple, kwargs: Mapping[str, Any]) -> set[str]:
    """Names of the random sites that a ``block`` around a model hides; the model is run where there
    is one.

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
    with handlers.block():
        # Improper priors cannot be drawn from.
        started = handlers.substitute(handlers.seed(model, 0), substitute_fn=init_to_uniform)
        trace = handlers.trace(started).get_trace(*args, **kwargs)
    return {name for name, site in trace.items() if site["type"] == "sample"}
