"""Old names, of arguments and of what is exported: they still work, and say what they are now."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from .errors import SymmetryError

P = ParamSpec("P")
R = TypeVar("R")


def renamed_arguments(**new: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take keyword arguments by their old names, with a ``DeprecationWarning``.

    :param new: old name -> new name.
    """

    def decorated(function: Callable[P, R]) -> Callable[P, R]:
        who = function.__name__

        @wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            for old in new.keys() & kwargs.keys():
                if new[old] in kwargs:
                    raise SymmetryError(
                        f"{who}: {old} is the old name of {new[old]}; got both. Give {new[old]}."
                    )
                warn_renamed(f"{who}: the argument {old}", new[old])
                kwargs[new[old]] = kwargs.pop(old)
            return function(*args, **kwargs)

        return called

    return decorated


def renamed(module: str, new: Mapping[str, tuple[str, Any]]) -> Callable[[str], Any]:
    """A module's ``__getattr__`` that gives what was exported by another name.

    :param module: its ``__name__``.
    :param new: old name -> what it is called now, and the thing.
    """

    def old_name(name: str) -> Any:
        if name not in new:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        called, thing = new[name]
        warn_renamed(f"{module}.{name}", called)
        return thing

    return old_name


def warn_renamed(old: str, new: str) -> None:
    """Warn who called the function that calls this."""
    warnings.warn(f"{old} is now called {new}.", DeprecationWarning, stacklevel=3)
