"""What draws say once they are aligned, for people who use ArviZ."""

import typing as _typing

from ._agreement import agreement as agreement
from ._agreement import total_variation as total_variation
from ._diagnose import Diagnosis as Diagnosis
from ._diagnose import diagnose as diagnose
from ._loss_barrier import LossBarrier as LossBarrier
from ._loss_barrier import loss_barrier as loss_barrier
from ._loss_barrier import marginalized_barrier as marginalized_barrier
from ._lppd import lppd as lppd
from ._mmd import MMD as MMD
from ._mmd import mmd as mmd
from ._transpositions import num_transpositions as num_transpositions
from ._transpositions import transpositions as transpositions
from .arviz._align_rotations import align_rotations as align_rotations
from .arviz._check_draws import DrawsReport as DrawsReport
from .arviz._check_draws import check_draws as check_draws
from .arviz._label_probabilities import label_probabilities as label_probabilities
from .arviz._rebasin import rebasin as rebasin
from .arviz._scalars import stack_scalars as stack_scalars
from .arviz._scalars import unstack_scalars as unstack_scalars
from .arviz._to_arviz import to_arviz as to_arviz
from .arviz.accessor import SymmetryAccessor as SymmetryAccessor
from .arviz.accessor import register_accessor as register_accessor
from .arviz.from_model import with_log_joint as with_log_joint
from .arviz.record import act_on_group as act_on_group
from .arviz.record import elements_of as elements_of
from .arviz.to_zarr import rebasin_to_zarr as rebasin_to_zarr
from .chains._functional_modes import FunctionalModes as FunctionalModes
from .chains._functional_modes import functional_modes as functional_modes
from .chains.needed import chains_needed as chains_needed
from .chains.rarefaction import ModesSeen as ModesSeen
from .chains.rarefaction import modes_seen as modes_seen
from .compact import CompactPosterior as CompactPosterior
from .compact import compact_posterior as compact_posterior
from .diversity import mutual_information as mutual_information
from .predictions import model_loss as model_loss
from .predictions import predict_draws as predict_draws
from .pruning import PruningCurve as PruningCurve
from .pruning import pruning_curve as pruning_curve
from .pruning import pruning_masks as pruning_masks
from .rank_correlation import kendall_tau as kendall_tau
from .weight_space import compare_gaussians as compare_gaussians

if not _typing.TYPE_CHECKING:
    from ..symmetry.deprecated import renamed as _renamed
    from .chains._functional_modes import modes_of_chains as _modes_of_chains

    __getattr__ = _renamed(
        __name__,
        {
            "ChainModes": ("FunctionalModes", FunctionalModes),
            "Modes": ("FunctionalModes", FunctionalModes),
            "chain_modes": ("functional_modes(..., by='chain')", _modes_of_chains),
            "marginalised_barrier": ("marginalized_barrier", marginalized_barrier),
        },
    )
