"""The symmetry that a guide or a kernel uses: the one it was given, or the model's own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from ..symmetry import Symmetry, SymmetryError
from .find import find_symmetry


class SymmetryInUse:
    """A symmetry for each set of the model's arguments: verified where it was given, else found.

    A guide or a kernel stands where NumPyro's own stood, so what is found here is only what it may
    use unasked: where nothing is found, or nothing can be read, that is the empty symmetry and the
    rest is NumPyro's.

    :param who: the class that uses it, for warnings and errors.
    :param model: a NumPyro model; ``None`` where there is none.
    :param sym: the symmetry as the user gave it, if they did.
    :param check: whether to verify a given symmetry.
    :param evaluated: whether to use what was found by evaluating the model, and not proved.
    """

    def __init__(
        self,
        who: str,
        model: Callable[..., Any] | None,
        sym: Symmetry | None,
        *,
        check: bool = True,
        evaluated: bool = False,
    ) -> None:
        self.who, self.model, self.sym = who, model, sym
        self.check, self.evaluated = check, evaluated
        self._known: dict[bytes, Symmetry] = {}

    def of(self, args: tuple, kwargs: Mapping[str, Any] | None) -> Symmetry:
        """The symmetry to use with these arguments; found or verified once for each set of them.

        :raises SymmetryError: where a symmetry was given that does not hold.
        """
        kwargs = dict(kwargs or {})
        if self.model is None or _traced((args, kwargs)):
            return self.sym if self.sym is not None else Symmetry()
        key = fingerprint((args, kwargs))
        if key not in self._known:
            self._known[key] = self._for(args, kwargs)
        return self._known[key]

    def _for(self, args: tuple, kwargs: dict[str, Any]) -> Symmetry:
        if self.sym is not None:
            if self.check:
                self.sym.check(self.model, *args, **kwargs)
            return self.sym
        try:
            return find_symmetry(self.model, *args, include=("permutation", "signed"), **kwargs)
        except SymmetryError:
            return Symmetry()


def fingerprint(tree: Any) -> bytes:
    """A digest of a pytree: its structure, and every leaf's shape, dtype and content."""
    leaves, structure = jax.tree.flatten(tree)
    digest = hashlib.blake2b(str(structure).encode(), digest_size=16)
    for leaf in leaves:
        if isinstance(leaf, (np.ndarray, jax.Array)) and not jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.extended):
            array = np.asarray(leaf)
            digest.update(f"{array.shape} {array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        else:
            digest.update(repr(leaf).encode())
    return digest.digest()


def _traced(tree: Any) -> bool:
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))
