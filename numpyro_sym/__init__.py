"""Symmetries of NumPyro models: guides, NUTS and diagnostics that know about them."""

import importlib as _importlib
import importlib.metadata as _metadata
import typing as _typing

from ._when_imported import when_imported as _when_imported
from .alignment import Alignment as Alignment
from .alignment import align as align
from .discovery import find_symmetry as find_symmetry
from .guides import AutoSymmetrized as AutoSymmetrized
from .guides import AutoSymmetrizedNormal as AutoSymmetrizedNormal
from .guides import SymmetryInformation as SymmetryInformation
from .guides import align_guides as align_guides
from .interop import LogDensity as LogDensity
from .mcmc import Folded as Folded
from .mcmc import FoldedNUTS as FoldedNUTS
from .mcmc import OrderedReparam as OrderedReparam
from .mcmc import PermutationSampler as PermutationSampler
from .mcmc import ReferenceSetReparam as ReferenceSetReparam
from .mcmc import ScaleReparam as ScaleReparam
from .symmetry import Axis as Axis
from .symmetry import CheckReport as CheckReport
from .symmetry import Element as Element
from .symmetry import Symmetry as Symmetry
from .symmetry import SymmetryError as SymmetryError
from .symmetry import Units as Units
from .symmetry import factor_model as factor_model
from .symmetry import hmm as hmm
from .symmetry import mixture as mixture
from .symmetry import mlp as mlp

if _typing.TYPE_CHECKING:
    from . import diagnostics as diagnostics
    from .diagnostics import Diagnosis as Diagnosis
    from .diagnostics import chains_needed as chains_needed
    from .diagnostics import compact_posterior as compact_posterior
    from .diagnostics import diagnose as diagnose
    from .diagnostics import loss_barrier as loss_barrier
    from .diagnostics import rebasin as rebasin

__version__ = _metadata.version("numpyro_sym")

#: Names of the layer that needs xarray and scipy.stats: imported when one is first asked for.
_OF_DIAGNOSTICS = {
    "Diagnosis",
    "chains_needed",
    "compact_posterior",
    "diagnose",
    "loss_barrier",
    "rebasin",
}


def _diagnostics() -> _typing.Any:
    return _importlib.import_module(".diagnostics", __name__)


def __getattr__(name: str) -> _typing.Any:
    if name == "diagnostics":
        return _diagnostics()
    if name in _OF_DIAGNOSTICS:
        return getattr(_diagnostics(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), "diagnostics", *_OF_DIAGNOSTICS})


# It gives xarray's trees their ``nsym``.
_when_imported("xarray", _diagnostics)
