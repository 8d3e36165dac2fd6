"""``data.nsym``: what this package does to an ArviZ object, as methods of the object."""

from __future__ import annotations

import sys
from typing import Any

import xarray as xr

from ...symmetry import Symmetry
from ...symmetry.deprecated import warn_renamed
from .._diagnose import Diagnosis, diagnose
from .._lppd import lppd
from ..chains._functional_modes import FunctionalModes, modes_of_chains
from ..compact import CompactPosterior, compact_posterior
from ..invariants import invariant_functions
from ..screen import judged
from ._rebasin import rebasin
from .record import Elements, act_on_group, elements_of

NAME = "nsym"


class SymmetryAccessor:
    """Methods of this package on an ArviZ object: ``data.nsym.rebasin(sym)`` is ``rebasin(data,
    sym)``.

    On xarray's DataTree (ArviZ 1.x) as a registered accessor, and on ArviZ 0.x's InferenceData.

    >>> import arviz as az, numpy as np, numpyro_sym as nsym
    >>> mu = np.random.default_rng(0).normal([-3.0, 3.0], 0.1, size=(4, 100, 2))
    >>> mu[2:] = mu[2:, :, ::-1]
    >>> groups = {"posterior": {"mu": mu}}
    >>> data = az.from_dict(groups) if az.__version__ >= "1" else az.from_dict(**groups)
    >>> nsym.diagnostics.register_accessor()
    >>> aligned = data.nsym.rebasin(nsym.mixture(2, {"mu": 0}))
    >>> type(aligned) is type(data)
    True
    """

    def __init__(self, data: Any) -> None:
        self._data = data

    def rebasin(self, sym: Symmetry, **options: Any) -> Any:
        """:func:`numpyro_sym.rebasin` of this object."""
        return rebasin(self._data, sym, **options)

    def diagnose(self, sym: Symmetry, **options: Any) -> Diagnosis:
        """:func:`numpyro_sym.diagnose` of this object."""
        return diagnose(self._data, sym, **options)

    def elements(self, sym: Symmetry, group: str = "posterior") -> Elements:
        """:func:`numpyro_sym.diagnostics.elements_of` this object."""
        return elements_of(self._data, sym, group)

    def act(self, sym: Symmetry, elements: Elements, group: str = "posterior") -> Any:
        """:func:`numpyro_sym.diagnostics.act_on_group` of this object."""
        return act_on_group(self._data, sym, elements, group)

    def compact(self, sym: Symmetry | None = None, **options: Any) -> CompactPosterior:
        """:func:`numpyro_sym.compact_posterior` of this object."""
        return compact_posterior(self._data, sym, **options)

    def functional_modes(self, sym: Symmetry, invariant: Any = None) -> FunctionalModes:
        """:func:`numpyro_sym.diagnostics.functional_modes` of this object's chains, by its
        invariant functions.
        """
        found = invariant_functions(self._data, sym, invariant)
        return modes_of_chains(judged(found))

    def chain_modes(self, sym: Symmetry, invariant: Any = None) -> FunctionalModes:
        """The old name of :meth:`functional_modes`."""
        warn_renamed("nsym.chain_modes", "functional_modes")
        return self.functional_modes(sym, invariant)

    def lppd(self, **options: Any) -> Any:
        """:func:`numpyro_sym.diagnostics.lppd` of this object."""
        return lppd(self._data, **options)


def register_accessor() -> None:
    """Give ArviZ objects the attribute ``nsym``.

    Done when this package is imported, for DataTree and, where ArviZ 0.x was imported before, for
    InferenceData. Where it is imported after, call this once.
    """
    if NAME not in vars(xr.DataTree):
        xr.register_datatree_accessor(NAME)(SymmetryAccessor)
    old = getattr(sys.modules.get("arviz.data.inference_data"), "InferenceData", None)
    if old is not None and not hasattr(old, NAME):
        setattr(old, NAME, property(SymmetryAccessor))


register_accessor()
