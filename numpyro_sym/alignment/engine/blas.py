"""One thread of BLAS where products are many and small."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

#: From so many units on one product is worth several threads.
LARGE = 1024

_LOCK = Lock()
_ENTERED: list[Any] = []  # by the first block, once for each that is entered


@contextmanager
def one_thread(n: int) -> Iterator[None]:
    """Products of ``n`` units by ``n`` in the calling thread.

    BLAS's own threads wait for each other in each product, up to a hundred times as long as they
    work where others use the processors. Blocks may overlap, in one thread or several: each
    that is left gives back what the first one found.
    """
    if n >= LARGE:
        yield
        return
    with _LOCK:
        first = _ENTERED[0] if _ENTERED else _controller().limit(limits=1, user_api="blas")
        _ENTERED.append(first)
    try:
        yield
    finally:
        with _LOCK:
            _ENTERED.pop().restore_original_limits()


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController  # it looks through what is loaded: when needed

    return ThreadpoolController()
