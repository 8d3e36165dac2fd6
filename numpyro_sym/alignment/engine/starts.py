"""Where descents begin: cheap guesses, an annealed one, and those of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol

import numpy as np

from ...symmetry import Element, Symmetry, SymmetryError, kinds
from ...symmetry.arguments import check_arguments
from ...symmetry.validity import check_elements
from .annealing import BRIEF, annealed
from .objective import Arrays
from .scores import Scores

BUILT_IN = ("identity", "forward", "annealed", "random")
#: A start that is chosen, and has no name for others: annealed in few steps.
BRIEFLY = "annealed in few steps"


class Start(Protocol):
    """A function that guesses, for a batch of draws, elements from which a descent goes on."""

    def __call__(
        self, sym: Symmetry, draws: Arrays, reference: Arrays, rng: np.random.Generator
    ) -> Mapping[str, Element]:
        """Elements that bring the draws somewhere near their references.

        :param sym: the ``Units`` that are matched together: a part of the whole symmetry.
        :param draws: site name -> array of shape ``(batch, *site)``.
        :param reference: site name -> array of shape ``(1, *site)`` or ``(batch, *site)``.
        :param rng: the one source of what is random.
        :returns: units name -> :class:`~numpyro_sym.Element`, of NumPy arrays of shape ``(batch,
            *units.shape)``.
        """
        ...


#: Starts of others, by name.
_registered: dict[str, Start] = {}


def register_start(name: kinds.Name) -> Callable[[Start], Start]:
    """Let ``starts=`` of :func:`align` take a start of one's own by a name.

    >>> from numpyro_sym import Element
    >>> from numpyro_sym.alignment import register_start
    >>> @register_start("reversed")
    ... def reversed_units(sym, draws, reference, rng):
    ...     batch = len(draws[sym.sites[0]])
    ...     return {u.name: Element(*(np.tile(a, (batch, *(1,) * len(u.shape)))
    ...                               for a in (np.arange(u.n)[::-1], np.ones(u.n)))) for u in sym}

    :param name: the name to give in ``starts``.
    :returns: a decorator of a :class:`Start`; a start of that name gives way to it.
    :raises SymmetryError: where the name is one of this package's own.
    """
    check_arguments(register_start, locals())
    if name in BUILT_IN:
        raise SymmetryError(
            f"register_start: {name!r} is a start of this package's own; choose another name."
        )

    def register(start: Start) -> Start:
        if not callable(start):
            raise SymmetryError(f"register_start: expected a function; got {start!r}.")
        _registered[name] = start
        return start

    return register


def start_names() -> tuple[str, ...]:
    """The names that ``starts`` may hold."""
    return (*BUILT_IN, *_registered)


def _starts_fault(value: Any) -> str | None:
    is_list = isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 0
    if is_list and set(map(str, value)) <= set(start_names()):
        return None
    return f"Known are {', '.join(start_names())}."


GivenStarts = Annotated[Sequence[str], kinds.Kind("a sequence of names of starts", _starts_fault)]


def make_start(name: str, scores: Scores, seed: int) -> Mapping[str, Element]:
    """Elements of shape ``(batch, *units.shape)`` to descend from, by one of :func:`start_names`.

    ``"forward"`` is the empty start: see :func:`descend`.
    """
    if name == "forward":
        return {}
    if name == "annealed":
        return annealed(scores)
    if name == BRIEFLY:
        return annealed(scores, BRIEF)
    objective = scores.objective
    return start_without_scores(name, objective.sym, scores.draws, objective.reference, seed)


def start_without_scores(
    name: str, sym: Symmetry, draws: Arrays, reference: Arrays, seed: int
) -> dict[str, Element]:
    """The same where no scores are at hand: the draws as they came, for what needs some."""
    some = draws[sym.sites[0]]
    if name == "random":
        return random(sym, len(some), some.dtype, seed)
    if name not in _registered:
        return unmoved(sym, len(some), some.dtype)
    elements = dict(_registered[name](sym, draws, reference, np.random.default_rng(seed)))
    who = f"start {name!r}"
    if elements.keys() != {u.name for u in sym}:
        raise SymmetryError(
            f"{who}: expected elements of {[u.name for u in sym]}; got {sorted(elements)}."
        )
    check_elements(who, sym.units, elements)
    for u in sym:
        permutation, factor = elements[u.name]
        expected = (len(some), *u.shape)
        if np.shape(permutation) != expected:
            raise SymmetryError(
                f"{who}: the element of {u.name!r} has shape {np.shape(permutation)}; expected "
                f"{expected}, one for each draw."
            )
        elements[u.name] = Element(np.array(permutation), np.array(factor, some.dtype))
    return elements


def unmoved(sym: Symmetry, batch: int, dtype: np.dtype) -> dict[str, Element]:
    """The draws as they came."""
    elements = {}
    for u in sym:
        shape = (batch, *u.shape)
        elements[u.name] = Element(_straight(u.n, shape), np.ones(shape, dtype))
    return elements


def random(sym: Symmetry, batch: int, dtype: np.dtype, seed: int) -> dict[str, Element]:
    """Uniform permutations, and signs where there are signs; scales are left to the descent."""
    rng = np.random.default_rng(seed)
    elements = {}
    for u in sym:
        shape = (batch, *u.shape)
        permutation = rng.permuted(_straight(u.n, shape), axis=-1)
        factor = rng.choice([-1, 1], shape) if u.has_signs else np.ones(shape)
        elements[u.name] = Element(permutation, factor.astype(dtype))
    return elements


def _straight(n: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(np.arange(n), shape).copy()
