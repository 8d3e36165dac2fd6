"""Whether parameters are those of a guide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from numpyro import handlers

from ...symmetry import SymmetryError
from ...symmetry.arguments import describe


def refuse_others_params(
    who: str,
    guide: Callable[..., Any],
    params: Mapping[str, Any],
    args: tuple,
    kwargs: Mapping[str, Any],
) -> None:
    """Raise where a guide would start with values of its own in place of parameters that are not
    given.

    :param who: the name that the error begins with.
    :param guide: a guide that has been set up.
    :param params: parameter name -> array, or a tree of arrays.
    :raises SymmetryError: naming a parameter that is missing, or of another shape.
    """
    own = _params_of(who, guide, args, kwargs)
    for name, shape in own.items():
        if name not in params:
            raise SymmetryError(
                f"{who}: params lack {name!r}; they hold {sorted(params)}. Pass the parameters "
                "that SVI trained for this guide: svi.run(...).params, or svi.get_params(state)."
            )
        if shape is not None and np.shape(params[name]) != shape:
            raise SymmetryError(
                f"{who}: parameter {name!r} is {describe(params[name])}; this guide's has shape "
                f"{shape}. Are they another model's?"
            )


def _params_of(
    who: str, guide: Callable[..., Any], args: tuple, kwargs: Mapping[str, Any]
) -> dict[str, tuple[int, ...] | None]:
    """Parameter name -> shape, ``None`` for a tree of arrays; the guide is run on shapes alone."""
    seen: dict[str, tuple[int, ...] | None] = {}

    def run() -> None:
        with handlers.block(), handlers.seed(rng_seed=jax.random.key(0)):
            trace = handlers.trace(guide).get_trace(*args, **kwargs)
        for name, site in trace.items():
            if site["type"] == "param":
                is_array = hasattr(site["value"], "shape")
                seen[name] = np.shape(site["value"]) if is_array else None

    try:
        jax.eval_shape(run)
    except SymmetryError:
        raise
    except Exception as error:
        raise SymmetryError(
            f"{who}: the guide raised {type(error).__name__} when it was run: {error}. Pass the "
            "model's own arguments after params, as one would to run it."
        ) from error
    return seen
