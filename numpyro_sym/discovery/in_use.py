"""The symmetry that a guide or a kernel uses: the one it was given, or the model's own."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..models import ModelView, Trial
from ..models.hidden import hidden_sites
from ..models.numpyro_model import program_as_run, read_numpyro_model
from ..models.purity import same_program
from ..models.view import in_double_precision
from ..symmetry import Symmetry, SymmetryError
from .find import at_compile_time, symmetry_of
from .labels import found_with_labels

LOGGER = logging.getLogger("numpyro_sym")


class _Known(NamedTuple):
    """A symmetry, and the program of which it is one; ``None`` where that is of no use."""

    sym: Symmetry
    program: Any = None

    def __reduce__(self) -> tuple[type[_Known], tuple[Symmetry]]:
        """JAX's programs cannot be pickled; the symmetry goes on without."""
        return _Known, (self.sym,)

    def __deepcopy__(self, memo: dict[int, Any]) -> _Known:
        return self


class SymmetryInUse:
    """A symmetry for each set of the model's arguments: verified where it was given, else found.

    A guide or a kernel stands where NumPyro's own stood, so what is found here is only what it may
    use unasked: proved, for any values of the data, on sites that the likelihood sees. Where
    nothing is found, or nothing can be read, that is the empty symmetry, and the rest is NumPyro's;
    ``sym.explain()`` tells why.

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
        self._known: dict[bytes, _Known] = {}
        self._labeled: tuple[Symmetry, Symmetry] | None = None

    def of(self, args: tuple, kwargs: Mapping[str, Any] | None) -> Symmetry:
        """The symmetry to use with these arguments; found or verified once for each set of them.

        What is found holds for any values of array arguments, so it is found once for each set of
        shapes; what was given is verified for each set of values.

        :param args: the model's arguments. Where they are traced by JAX, a given symmetry is taken
            as it is, and one is found as for any values.
        :raises SymmetryError: where a symmetry was given that does not hold.
        """
        kwargs, model = dict(kwargs or {}), self.model
        if model is None:
            return self.sym if self.sym is not None else Symmetry()
        if self.sym is not None and (not self.check or is_traced((args, kwargs))):
            return self.sym
        for key in _keys(args, kwargs):
            if key in self._known:
                return self._known[key].sym
        if self.sym is not None:
            self.sym.check(model, *args, progress_bar=False, **kwargs)
            self._known[key] = _Known(self.sym, self._program(model, args, kwargs))
            return self.sym
        known, any_values = self._found(model, *jax.tree.map(_stand_in, (args, kwargs)))
        self._known[fingerprint((args, kwargs), values=not any_values)] = known
        return known.sym

    def forgets(self, args: tuple, kwargs: Mapping[str, Any] | None) -> bool:
        """Forget what is known with these arguments if the model has become another one since.

        Arrays and numbers that it closes over may have changed, or objects among its arguments that
        are known by their names alone. To be asked where a run starts: it costs one run of the
        model, and nothing where no symmetry is used.
        """
        kwargs, model = dict(kwargs or {}), self.model
        if model is None or is_traced((args, kwargs)):
            return False
        for key in _keys(args, kwargs):
            known = self._known.get(key)
            if known is None or known.program is None:
                continue
            with at_compile_time():
                now = self._program(model, args, kwargs)
            if now is None or not same_program(known.program, now):
                del self._known[key]
                return True
        return False

    @staticmethod
    def _program(model: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
        """The model's program now; ``None`` where it does not run."""
        try:
            return in_double_precision(partial(program_as_run, model, args, kwargs))
        except SymmetryError:
            return None

    def with_labels(self, sym: Symmetry, args: tuple, kwargs: Mapping[str, Any] | None) -> Symmetry:
        """What was found, with the sites that hold labels of its units; looked for once, when it is
        asked for.

        A kernel or a guide itself has no use for them where they are summed out.

        :param sym: of :meth:`of`, with these arguments.
        """
        if self.model is None:
            return sym
        if self._labeled is None or self._labeled[0] is not sym:
            with at_compile_time():
                labeled = found_with_labels(sym, self.model, args, dict(kwargs or {}))
            self._labeled = (sym, labeled)
        return self._labeled[1]

    def _found(
        self, model: Callable[..., Any], args: tuple, kwargs: dict[str, Any]
    ) -> tuple[_Known, bool]:
        """What may be used unasked, and whether it holds for any values of array arguments."""

        def find() -> tuple[Symmetry, Any, bool]:
            view = read_numpyro_model(model, args, kwargs)
            kinds = ("permutation", "signed")
            sym = symmetry_of(
                view, partial(_trial, view), kinds, any_data=True, evaluate=self.evaluated
            )
            return sym, view.as_run, view.any_arguments and not self.evaluated

        try:
            with at_compile_time():
                sym, program, any_values = in_double_precision(find)
        except SymmetryError as error:
            return _Known(Symmetry(notes=[f"No symmetry was looked for: {error}"])), True
        used = sym.unconditional(*(["evaluated"] if self.evaluated else []))
        if (
            len(used) == 0
            and all("untouched" in some for some in sym.caveats.values())
            and len(sym) > 0
        ):
            self._tell_of_untouched(sym, hidden_sites(model, args, kwargs))
        return _Known(used, program if used.units else None), any_values

    def _tell_of_untouched(self, sym: Symmetry, hidden: Collection[str]) -> None:
        """Logged; and warned of where the model hides sites, so that it is a part of one.

        A model that has no observations at all is run as NumPyro runs it, without a warning.
        Kernels keep warnings to themselves, for a density is a whole model to them.
        """
        named = ", ".join(repr(u.name) for u in sym)
        told = (
            f"{self.who}: the model shows no observations that depend on its units ({named}), so "
            "their symmetry may be "
            "that of a part alone, and it is not used. Give the whole model, or pass sym= to use "
            "it."
        )
        LOGGER.warning("%s", told)
        if hidden:
            warnings.warn(f"{told} Hidden are {sorted(hidden)}.", stacklevel=2)


def _trial(view: ModelView) -> Trial:
    return Trial(view, 2, np.random.default_rng(0))


def described(sym: Symmetry) -> str:
    """A symmetry in one line: which units, which signs."""
    if not sym.units:
        return "no symmetry"
    what = {"permutation": "{n} exchangeable", "signed": "{n} exchangeable with signs"}
    told = []
    for u in sym:
        moves = "a sign" if u.n == 1 else what[u.kind].format(n=u.n)
        told.append(f"{u.name} ({moves}: {u.describe_axes()})")
    return ", ".join(told)


def _keys(args: tuple, kwargs: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Under which a symmetry may be known: for any values of arrays, and for these."""
    return fingerprint((args, kwargs), values=False), fingerprint((args, kwargs))


def is_traced(tree: Any) -> bool:
    """Whether any array is a tracer, so that there are no numbers to look at."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))


def fingerprint(tree: Any, values: bool = True) -> bytes:
    """A digest of a pytree: its structure, every array's shape and dtype, and what the leaves hold.

    :param values: whether two arrays of one shape and dtype differ where their numbers do.
    """
    leaves, structure = jax.tree.flatten(tree)
    digest = hashlib.blake2b(f"{structure} {values} {jnp.zeros(()).dtype}".encode(), digest_size=16)
    for leaf in leaves:
        digest.update(_told(leaf, values))
    return digest.digest()


def _told(leaf: Any, values: bool) -> bytes:
    if not isinstance(leaf, (np.ndarray, jax.Array)):
        return repr(leaf).encode()
    told = f"{leaf.shape} {leaf.dtype}".encode()
    if isinstance(leaf, jax.core.Tracer) or (not values and leaf.ndim > 0):
        return told
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.extended):
        leaf = jax.random.key_data(leaf)
    return told + np.ascontiguousarray(leaf).tobytes()


def _stand_in(x: Any) -> Any:
    """An array in place of one that is traced: what is found holds for any values."""
    if not isinstance(x, jax.core.Tracer):
        return x
    if jnp.issubdtype(x.dtype, jnp.floating):
        return np.random.default_rng(0).normal(size=x.shape).astype(x.dtype)
    if jax.dtypes.issubdtype(x.dtype, jax.dtypes.extended):
        return jax.random.key(0)
    return np.zeros(x.shape, x.dtype)
