"""Progress bars: opened by public functions, moved by the loops inside them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import tqdm

T = TypeVar("T")
#: Work of fewer seconds shows no bar.
DELAY = 2.0
#: Where one of these is in the environment there is nobody to look: those that NumPyro asks for.
_UNWATCHED = ("CI", "PYTEST_XDIST_WORKER")


class Bar:
    """How far some work is; drawn by tqdm once it takes long.

    :param what: what stands before it.
    :param unit: of what is counted.
    :param shown: whether it is drawn at all.
    """

    def __init__(self, what: str, unit: str, shown: bool) -> None:
        self.what, self.unit, self.shown = what, unit, shown
        self.total, self.done, self.began = 0, 0, time.perf_counter()
        self._drawn: Any = None

    def expect(self, number: int) -> None:
        """So much more is to be done."""
        self.total += number
        if self._drawn is not None:
            self._drawn.total = self.total

    def advance(self, number: int) -> None:
        """So much more is done."""
        self.done += number
        if self._drawn is not None:
            self._drawn.update(number)
        elif self.shown and time.perf_counter() - self.began >= DELAY:
            # A total of nothing is one that nobody knows.
            self._drawn = tqdm.tqdm(desc=self.what, unit=f" {self.unit}", total=self.total or None)
            self._drawn.start_t -= time.perf_counter() - self.began
            self._drawn.update(self.done)

    def close(self) -> None:
        """Leave it as it stands."""
        if self._drawn is not None:
            self._drawn.close()


#: The bar of this thread's work. Other threads do not see it, and those who start them count.
_open: ContextVar[Bar | None] = ContextVar("_open", default=None)


def is_shown(progress_bar: bool) -> bool:
    """Whether who was told to show a bar has anybody to show it to."""
    return progress_bar and not any(name in os.environ for name in _UNWATCHED)


@contextmanager
def progress(what: str, unit: str, shown: bool) -> Iterator[None]:
    """A bar for the work inside. Within another's work there is no bar but that one.

    :param what: the public function.
    :param unit: what its loops count, by :func:`expect` and :func:`advance`; loops inside that
        count something else do not move it.
    :param shown: its argument ``progress_bar``.
    """
    if _open.get() is not None:
        yield
        return
    bar = Bar(what, unit, is_shown(shown))
    token = _open.set(bar)
    try:
        yield
    finally:
        _open.reset(token)
        bar.close()


def expect(unit: str, number: int) -> None:
    """So much more work is known of, to a bar that counts in this unit."""
    bar = _open.get()
    if bar is not None and bar.unit == unit:
        bar.expect(number)


def advance(unit: str, number: int = 1) -> None:
    """So much more work is done."""
    bar = _open.get()
    if bar is not None and bar.unit == unit:
        bar.advance(number)


def tracked(unit: str, items: Iterable[T], number: int) -> Iterator[T]:
    """The items, each counted when the next one is asked for.

    :param number: how many there are.
    """
    expect(unit, number)
    for item in items:
        yield item
        advance(unit)
