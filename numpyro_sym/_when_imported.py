"""Something to do once another package is imported: at once, or when somebody does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any


def when_imported(package: str, work: Callable[[], Any]) -> None:
    """Do something now where a package is imported already, else right after its import.

    >>> when_imported("sys", lambda: print("there"))
    there
    """
    if package in sys.modules:
        work()
    else:
        sys.meta_path.insert(0, _Finder(package, work))


class _Finder(MetaPathFinder):
    """Finds the package as all others do, and steps aside."""

    def __init__(self, package: str, work: Callable[[], Any]) -> None:
        self.package, self.work = package, work

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != self.package:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        loader: Any = spec and spec.loader
        if loader is not None:
            execute = loader.exec_module

            def then_work(module: ModuleType) -> None:
                execute(module)
                self.work()

            loader.exec_module = then_work
        return spec
