"""Draws of an ArviZ object brought to one representative each, and handed back as they came."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Protocol, TypedDict, TypeVar, Unpack, overload

import numpy as np
import xarray as xr

from ...alignment import Alignment, Euclidean, Metric, align_chunked
from ...alignment._align import aligned, reference_fault
from ...alignment.engine.starts import GivenStarts
from ...alignment.metrics import GivenMetric
from ...symmetry import Symmetry, kinds
from ...symmetry.arguments import check_arguments
from ..scales import used_symmetry
from ._check_draws import checked
from ._to_arviz import ChainDraws, has_run, taken, to_arviz
from .groups import (
    get_group,
    group_names,
    posterior_of,
    sample_dims,
    site_arrays,
    with_groups,
    with_sites,
)
from .record import RECORDS, record_of, summary_of

#: The groups whose draws are brought to the reference.
ALIGNED_GROUPS = ("posterior", "warmup_posterior")

EUCLIDEAN = Euclidean()


def _fault(value: Any) -> str | None:
    is_whole = has_run(value) or "posterior" in group_names(value)
    return None if is_whole else reference_fault(value)


#: What :func:`rebasin` takes: a name, a draw, a point, or an ArviZ object.
Reference = Annotated[
    Any,
    kinds.Kind(
        "a point (site name -> array), an aligned ArviZ object, 'first', 'mean' or the index of a "
        "draw",
        _fault,
    ),
]


Xarray = TypeVar("Xarray", xr.DataTree, xr.Dataset)
#: An ArviZ object of another type.
T = TypeVar("T")


class Run(Protocol):
    """An MCMC that has run."""

    def get_samples(self, group_by_chain: bool = ...) -> Any:
        """Its draws."""


class Options(TypedDict, total=False):
    """What :func:`rebasin` takes by keyword; for type checkers."""

    reference: Reference
    metric: GivenMetric
    starts: GivenStarts | None
    scales: str | Sequence[str]
    keep_elements: bool
    log_density: kinds.Function | None
    progress_bar: bool


@overload
def rebasin(data: Xarray, sym: Symmetry, **options: Unpack[Options]) -> Xarray: ...
@overload
def rebasin(data: Run | dict[str, Any], sym: Symmetry, **options: Unpack[Options]) -> Any: ...
@overload
def rebasin(data: T, sym: Symmetry, **options: Unpack[Options]) -> T: ...
def rebasin(
    data: ChainDraws,
    sym: Symmetry,
    *,
    reference: Reference = "mean",
    metric: GivenMetric = EUCLIDEAN,
    starts: GivenStarts | None = None,
    scales: str | Sequence[str] = (),
    keep_elements: bool = False,
    log_density: kinds.Function | None = None,
    progress_bar: bool = True,
) -> Any:
    """Align every draw to one reference by the element of the symmetry that brings it closest.

    Chains and draws that differ only by labels, order or signs come to lie on each other, so that
    R-hat, ESS and summaries of single weights mean something. What is not a symmetry is not
    repaired: two chains in different functional modes stay apart. Aligning to a reference shrinks
    the spread a little; :func:`numpyro_sym.diagnose` shows raw and aligned figures beside those of
    an invariant function (Ainsworth et al. 2023, Git Re-Basin; Xiao et al. 2023).

    Draws that are dask arrays come back as such, aligned chunk by chunk when they are computed;
    :func:`rebasin_to_zarr` writes them so that an interrupted run can be taken up again.

    :param data: an ArviZ object with a posterior: InferenceData (0.x) or DataTree (1.x), of a
        sampler or (``arviz.from_numpyro_svi``) of a guide. An MCMC that has run, or a dict, site
        name -> array ``(chain, draw, *site)``, is made one by
        :func:`numpyro_sym.diagnostics.to_arviz`.
    :param sym: the model's :class:`~numpyro_sym.Symmetry`; of scaled ``Units`` the permutations are
        used.
    :param reference: ``"mean"``: the mean of the aligned draws, repeated until it is still;
        ``"first"``: the first draw of the first chain; ``(chain, draw)``: that draw (of a guide,
        its number); a dict site name -> array, a point; or an aligned ArviZ object, whose mean it
        is: so several runs come to one labeling.
    :param metric: in what sense near, as in :func:`numpyro_sym.align`.
    :param starts: where the search for the nearest begins, as in :func:`numpyro_sym.align`.
    :param scales: names of scaled ``Units`` whose scales are to be brought to the reference's too.
        Scales are symmetries of the likelihood alone: what comes back are then no draws of the
        posterior, and the attribute ``rebasin`` says so.
    :param keep_elements: add a group ``rebasin`` (and ``warmup_rebasin``) with each draw's element,
        distances and gap, for :func:`numpyro_sym.diagnostics.elements_of`.
    :param log_density: site name -> array of one draw, to a number: where there is no model, the
        symmetry is first held against it, as by :func:`numpyro_sym.diagnostics.check_draws`. The
        attribute ``rebasin`` says whether it was.
    :param progress_bar: whether to show one where it takes long.
    :returns: an object of the same type. Posterior and warm-up draws of the symmetry's sites are
        aligned, and labels of units moved with them; dims, coords, attrs, dtypes and every other
        variable and group are as they were, and ``data`` is not changed. What was done is told by
        the attribute ``rebasin`` of the groups that moved. Deterministics that name single units
        stay: see
        :func:`numpyro_sym.diagnostics.act_on_group`.
    :raises SymmetryError: where there is no posterior, it is empty, holds NaN or infinite draws,
        lacks a site, or a shape does not fit; where ``scales`` names no scaled ``Units``.

    >>> import arviz as az, numpy as np, numpyro_sym as nsym
    >>> mu = np.random.default_rng(0).normal([-3.0, 3.0], 0.1, size=(4, 100, 2))
    >>> mu[2:] = mu[2:, :, ::-1]  # two chains call the components by the other's name
    >>> groups = {"posterior": {"mu": mu}}
    >>> data = az.from_dict(groups) if az.__version__ >= "1" else az.from_dict(**groups)
    >>> aligned = nsym.rebasin(data, nsym.mixture(2, {"mu": 0}))
    >>> bool(np.ptp(aligned.posterior["mu"].mean(("chain", "draw")).values) > 5.9)
    True
    """
    check_arguments(rebasin, locals())
    data, sym, new_name = taken(data, sym)
    posterior = posterior_of(data)
    used = used_symmetry(sym, scales, "rebasin")
    known = checked(data, used, log_density)
    point, told = point_of(_renamed(reference, new_name), sym)
    changed: dict[str, Any] = {}
    for group in ALIGNED_GROUPS:
        if group not in group_names(data):
            continue
        dataset = posterior if group == "posterior" else get_group(data, group)
        found = align_dataset(dataset, point, sym, metric, starts, scales, progress_bar)
        point = found.reference
        changed[group] = with_sites(dataset, found.sites)
        changed[group].attrs["rebasin"] = summary_of(
            found, sym, told, type(metric).__name__, scales, known
        )
        # Elements of an earlier alignment are no longer what moved these draws.
        changed[RECORDS[group]] = record_of(found, dataset, used) if keep_elements else None
    return with_groups(data, changed)


def _renamed(reference: Any, new_name: Callable[[str], str]) -> Any:
    """A reference under the names of the draws; an MCMC as an ArviZ object."""
    if has_run(reference):
        return to_arviz(reference)
    if isinstance(reference, Mapping) and "posterior" not in group_names(reference):
        return {new_name(name): x for name, x in reference.items()}
    return reference


def point_of(reference: Reference, sym: Symmetry) -> tuple[Any, str]:
    """A reference as :func:`align` takes it, where an ArviZ object is the mean of its draws; and
    its name.
    """
    if isinstance(reference, (str, int, tuple)):
        return reference, str(reference)
    if "posterior" not in group_names(reference):
        return reference, "point"
    posterior = posterior_of(reference)
    lead = tuple(range(len(sample_dims(posterior))))
    draws = site_arrays(posterior, sym.sites)
    mean = {name: np.asarray(x.mean(lead)) for name, x in draws.items()}
    return mean, "mean of another posterior"


def align_dataset(
    dataset: xr.Dataset,
    reference: Any,
    sym: Symmetry,
    metric: Metric = EUCLIDEAN,
    starts: GivenStarts | None = None,
    scales: str | Sequence[str] = (),
    progress_bar: bool = True,
) -> Alignment:
    """The alignment of a group's draws, by scales only where named: of dask arrays where it holds
    such.
    """
    sym = used_symmetry(sym, scales, "rebasin")
    labels = [site for site in sym.label_sites if site in dataset]
    draws = site_arrays(dataset, (*sym.sites, *labels))
    lead = len(sample_dims(dataset))
    work = align_chunked if dataset[list(draws)].chunks else partial(aligned, "rebasin")
    return work(
        draws,
        reference,
        sym,
        sample_ndim=lead,
        metric=metric,
        starts=starts,
        progress_bar=progress_bar,
    )
