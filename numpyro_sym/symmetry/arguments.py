"""What public functions take: one check for each kind of argument, found by its annotation.

A public function begins with ``check_arguments(function, locals())``. Each argument is held
against its annotation: a class, ``int``, ``bool``, ``str``, a ``Literal``, a union of these, or
``Annotated[..., Kind]`` with one of the kinds of :mod:`.kinds`. What does not fit is refused in
one form: who, which argument, what came, what was expected, what to do.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import jax
import numpy as np

from .errors import SymmetryError


@dataclass(frozen=True)
class Kind:
    """A kind of argument.

    :param expected: what fits, in words.
    :param fault: value -> ``None`` where it fits, else what to do about it: a sentence, or an empty
        one.
    """

    expected: str
    fault: Callable[[Any], str | None]


def check_arguments(
    function: Callable[..., Any], given: Mapping[str, Any], who: str | None = None
) -> None:
    """Raise unless the arguments of a call are what the function's annotations say.

    :param function: the function, or the ``__init__`` or another method of a class.
    :param given: parameter name -> value: ``locals()`` at the top of the function.
    :param who: the name that the error begins with, where that is not the function's own but its
        caller's.
    :raises SymmetryError: naming the first that does not fit; where two have changed places, both.
    """
    kinds = kinds_of(function)
    who = _name_of(function, given) if who is None else who
    for name, kind in kinds.items():
        remedy = kind.fault(given[name])
        if remedy is not None:
            other = _exchanged(name, kinds, given)
            if other is not None:
                raise SymmetryError(_exchange(who, function, name, other, given))
            raise SymmetryError(refusal(who, name, given[name], kind.expected, remedy))


def refusal(who: str, name: str, value: Any, expected: str, remedy: str = "") -> str:
    """The one form of an error about an argument."""
    return f"{who}: {name} must be {expected}; got {describe(value)}. {remedy}".rstrip()


def describe(value: Any) -> str:
    """What came, in a few words."""
    if isinstance(value, jax.core.Tracer):
        return f"a traced array of shape {value.shape}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        text = repr(value)
        return text if len(text) < 60 else f"{text[:56]}..."
    if isinstance(getattr(value, "shape", None), tuple) and hasattr(value, "dtype"):
        kind = f"{type(value).__name__} of shape {tuple(value.shape)} and dtype {value.dtype}"
        is_number = value.shape == () and value.dtype != object
        return f"{value!r} ({kind})" if is_number else f"an array ({kind})"
    if isinstance(value, Mapping):
        if not len(value):
            return f"an empty {type(value).__name__}"
        keys = ", ".join(repr(key) for key in list(value)[:6])
        return f"a {type(value).__name__} with keys {keys}"
    if inspect.isroutine(value):
        return f"the function {getattr(value, '__name__', '?')}"
    if isinstance(value, (tuple, list)) and type(value) in (tuple, list):
        if not len(value):
            return f"an empty {type(value).__name__}"
        text = ", ".join(describe(x) for x in value[:3])
        more = ", ..." if len(value) > 3 else ""
        return f"a {type(value).__name__} ({text}{more})"
    return _with_article(type(value).__name__)


@cache
def kinds_of(function: Callable[..., Any]) -> dict[str, Kind]:
    """Parameter name -> kind, of those whose annotation says more than ``Any``."""
    hints = get_type_hints(function, include_extras=True)
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in hints and parameter.kind not in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            kind = _kind_of(hints[name])
            if kind is not None:
                found[name] = kind
    return found


#: What to do where a value is of none of the classes that its argument takes: class name -> value
#: -> a sentence.
REMEDIES: dict[str, Callable[[Any], str]] = {}


def _kind_of(hint: Any) -> Kind | None:
    """The kind that an annotation stands for; ``None`` where anything goes."""
    origin = get_origin(hint)
    if hint is Any:
        return None
    if origin is Annotated:
        return next(
            (x for x in hint.__metadata__ if isinstance(x, Kind)), _kind_of(hint.__origin__)
        )
    if origin in (Union, UnionType):
        return _any_of([_kind_of(part) for part in get_args(hint)])
    if origin is Literal:
        return _among(get_args(hint))
    if hint is type(None):
        return _NONE
    if hint in _PLAIN:
        return _PLAIN[hint]
    cls = origin or hint
    if not inspect.isclass(cls) or _is_loose(cls):
        return None
    return _instance_of(cls)


_NONE = Kind("None", lambda value: None if value is None else "")


def _is_loose(cls: type) -> bool:
    """Whether ``isinstance`` tells little or nothing: protocols, and ``object``."""
    return cls is object or getattr(cls, "_is_protocol", False)


def _any_of(kinds: list[Kind | None]) -> Kind | None:
    some = [kind for kind in kinds if kind is not None]
    if len(some) < len(kinds):
        return None

    def fault(value: Any) -> str | None:
        remedies = [kind.fault(value) for kind in some]
        if None in remedies:
            return None
        return next((remedy for remedy in remedies if remedy), "")

    # That an argument may be left out is no help to who gave one.
    return Kind(" or ".join(kind.expected for kind in some if kind is not _NONE), fault)


def _among(values: tuple[Any, ...]) -> Kind:
    listed = ", ".join(map(repr, values))
    return Kind(
        f"one of {listed}", lambda value: None if isinstance(value, str) and value in values else ""
    )


def _instance_of(cls: type) -> Kind:
    def fault(value: Any) -> str | None:
        if isinstance(value, cls) and not (isinstance(value, (str, bytes)) and cls is not str):
            return None
        return REMEDIES[cls.__name__](value) if cls.__name__ in REMEDIES else ""

    return Kind(_WORDS.get(cls.__name__, _with_article(cls.__name__)), fault)


#: Words for classes that are no one's own.
_WORDS = {
    "Mapping": "a dict",
    "Sequence": "a list or tuple",
    "Iterable": "a list or tuple",
    "Callable": "a function",
}


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOaeio' else 'a'} {name}"


def _is_int(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_bool(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_))


def is_number(value: Any) -> bool:
    """Whether a value is one real number: of Python, of NumPy, or a concrete array without
    dimensions.
    """
    if isinstance(value, (bool, np.bool_, str, jax.core.Tracer)):
        return False
    if isinstance(value, (int, float, np.integer, np.floating)):
        return True
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return getattr(value, "shape", None) == () and isinstance(kind, str) and kind in ("i", "u", "f")


_PLAIN: dict[Any, Kind] = {
    int: Kind("an int", lambda value: None if _is_int(value) else ""),
    float: Kind(
        "a finite number",
        lambda value: None if is_number(value) and np.isfinite(float(value)) else "",
    ),
    bool: Kind("True or False", lambda value: None if _is_bool(value) else ""),
    str: Kind("a string", lambda value: None if isinstance(value, str) else ""),
}


def _exchanged(name: str, kinds: Mapping[str, Kind], given: Mapping[str, Any]) -> str | None:
    """Another argument whose value fits here, where the value that came here fits there."""
    for other, kind in kinds.items():
        fits_there = kind.fault(given[name]) is None
        fits_here = kinds[name].fault(given[other]) is None
        # What fits anyhow tells nothing: the two must be wrong as they stand, or one of a class of
        # its own.
        if other != name and fits_there and fits_here and kinds[name].expected != kind.expected:
            return other
    return None


def _exchange(
    who: str, function: Callable[..., Any], name: str, other: str, given: Mapping[str, Any]
) -> str:
    written = []  # positional parameters come first in a signature
    for p in inspect.signature(function).parameters.values():
        if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in ("self", "who"):
            written.append(p.name)
        elif p.kind is p.KEYWORD_ONLY and p.name in (name, other):
            written.append(f"{p.name}=...")
    return (
        f"{who}: {name} and {other} have changed places: {name} is {describe(given[name])} and "
        f"{other} is "
        f"{describe(given[other])}. Write {who}({', '.join(written)})."
    )


def _name_of(function: Callable[..., Any], given: Mapping[str, Any]) -> str:
    """How the caller calls it: of a constructor, the class that is made."""
    if function.__name__ in ("__init__", "__post_init__") and "self" in given:
        return type(given["self"]).__name__
    return function.__name__
