"""Raw, aligned and invariant figures side by side, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ..symmetry import Symmetry, kinds, text_table
from ..symmetry.arguments import check_arguments
from .ambiguity import doubt
from .chain_modes import FEWEST, ChainModes, chain_modes
from .figures import FIGURES, figures_of, worst
from .functions import invariant_functions
from .groups import ArvizData, get_group, posterior_of
from .rebasin import Reference, rebasin
from .record import RECORDS
from .verdict import LIMIT, SWITCHING, WELL, chains_of, doubts, verdicts


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What :func:`diagnose` found; ``print`` it for a table.

    :param verdicts: findings in plain words, one a line.
    :param sites: Dataset over ``site``, worst first: ``rhat``, ``ess_bulk``, ``ess_tail`` and ``mcse`` (of the
        mean), each ``_raw`` and ``_aligned``; the worst over the site's entries.
    :param invariant: Dataset over ``function``, worst first: the same of functions that no element of
        the symmetry changes. Where these are bad, no alignment makes the chains agree.
    :param entries: R-hat of every entry of every site; ``labels`` is ``"raw"`` or ``"aligned"``.
    :param alignment: Dataset over ``chain`` and ``draw``: ``distance_before``, ``distance``, ``gap``, ``exact``,
        and ``doubt``, the chance that the runner-up is the right element.
    :param modes: chains grouped by what they predict; ``None`` where too few draws, or values that
        are not finite, tell nothing.
    """

    verdicts: tuple[str, ...]
    sites: xr.Dataset
    invariant: xr.Dataset
    entries: xr.Dataset
    alignment: xr.Dataset
    modes: ChainModes | None

    @property
    def fine(self) -> bool:
        """Whether nothing is wrong but labels: never where an invariant R-hat is above 1.05."""
        return set(self.verdicts) <= {SWITCHING, WELL}

    def to_datatree(self) -> xr.DataTree:
        """All of it as one xarray object; the verdicts are an attribute."""
        groups = {name: getattr(self, name) for name in ("sites", "invariant", "entries", "alignment")}
        tree = xr.DataTree.from_dict(groups)
        tree.attrs["verdicts"] = list(self.verdicts)
        return tree

    def __str__(self) -> str:
        header = ["", "R-hat raw", "aligned", "bulk ESS raw", "aligned", "tail ESS raw", "aligned", "MCSE aligned"]
        rows: list[list[object]] = []
        for name in self.sites["site"].values:
            row = self.sites.sel(site=name)
            pairs = [
                _cell(f, row[f"{f}_{how}"]) for f in ("rhat", "ess_bulk", "ess_tail") for how in ("raw", "aligned")
            ]
            rows.append([str(name), *pairs, _cell("mcse", row["mcse_aligned"])])
        for name in self.invariant["function"].values:
            row = self.invariant.sel(function=name)
            figures = [cell for f in ("rhat", "ess_bulk", "ess_tail") for cell in (_cell(f, row[f]), "")]
            rows.append([f"{name} (invariant)", *figures, ""])
        return "\n".join([*self.verdicts, "", text_table(header, rows)])

    __repr__ = __str__


def diagnose(
    data: ArvizData,
    sym: Symmetry,
    *,
    invariant: kinds.NameOrNames | None = None,
    reference: Reference = "mean",
    **options: Any,
) -> Diagnosis:
    """R-hat, ESS and MCSE of every site, raw and aligned, beside those of invariant functions.

    Aligned figures are a little optimistic, since alignment to a reference shrinks the spread;
    invariant ones are not. The verdicts read all three:

    - *label switching only*: raw bad, aligned and invariant good;
    - *another functional mode in chain 3*: it has settled, far from the others, on other functions;
    - *mixing badly*: chains disagree on functions, and none has settled;
    - *not enough draws*: R-hat is good or the chains mix well, but there is too little of them;
    - *same functions, other weights*: a symmetry that is not named, or a flat direction;
    - *alignment ambiguous*: units are so alike that the runner-up is often as near;
    - *all well*.

    :param data: an ArviZ object with a posterior, of either generation.
    :param sym: the model's :class:`~numpyro_sym.Symmetry`.
    :param invariant: names of posterior variables that the symmetry leaves as they are, such as
        predictions. Left out: the log likelihood, summed and of each observation, where there is
        such a group, else ``lp`` of the sample statistics, else every posterior variable that is no
        site of the symmetry.
    :param reference: as in :func:`numpyro_sym.rebasin`.
    :param options: ``metric`` and ``starts`` of :func:`numpyro_sym.rebasin`.
    :returns: a :class:`Diagnosis`.
    :raises SymmetryError: as :func:`numpyro_sym.rebasin`, and where there is nothing invariant.

    >>> import arviz as az, numpy as np, numpyro_sym as nsym
    >>> rng = np.random.default_rng(0)
    >>> mu = rng.normal([-3.0, 3.0], 0.1, size=(4, 200, 2))
    >>> mu[2:] = mu[2:, :, ::-1]
    >>> draws = {"mu": mu, "total": mu.sum(-1)}
    >>> data = az.from_dict({"posterior": draws}) if az.__version__ >= "1" else az.from_dict(draws)
    >>> result = nsym.diagnose(data, nsym.mixture(2, {"mu": 0}), invariant="total")
    >>> result.verdicts
    ('label switching only',)
    >>> bool(result.sites["rhat_raw"].max() > 1.5), bool(result.sites["rhat_aligned"].max() < 1.05)
    (True, True)
    """
    check_arguments(diagnose, locals())
    posterior = posterior_of(data)
    functions = invariant_functions(data, sym, invariant)
    done = rebasin(data, sym, reference=reference, keep_elements=True, **options)
    sites = list(sym.sites)
    before, after = posterior[sites], posterior_of(done)[sites]
    alignment = get_group(done, RECORDS["posterior"])[["distance_before", "distance", "gap", "exact"]]
    size = sum(int(np.prod(x.shape)) for x in after.isel(chain=0, draw=0).values())
    chance = doubt(alignment["distance"], alignment["gap"], size)

    found = [figures_of(draws) for draws in (before, after, functions)]
    raw, aligned, told = (worst(f, dim) for f, dim in zip(found, ("site", "site", "function"), strict=True))
    finite = all(np.isfinite(x.values).all() for x in functions.values())
    modes = chain_modes(functions) if finite and functions.sizes["draw"] >= FEWEST else None
    names = posterior["chain"].values
    lines = verdicts(raw, aligned, told, modes, names, posterior.sizes["draw"], finite)
    if modes is not None and float(told["rhat"].max()) > LIMIT and 1 < (modes.label == 0).sum() < len(names):
        lines += _among(np.flatnonzero(modes.label == 0), before, after, functions, names)
    lines += doubts(chance)
    if len(names) == 1:
        lines += ("one chain: a mode that it has not visited cannot be seen",)
    both = {f"{f}_{how}": table[f] for f in FIGURES for how, table in (("raw", raw), ("aligned", aligned))}
    return Diagnosis(
        lines,
        _worst_first(xr.Dataset(both), "rhat_aligned"),
        _worst_first(told, "rhat"),
        xr.concat([f["rhat"] for f in found[:2]], "labels").assign_coords(labels=["raw", "aligned"]),
        alignment.assign(doubt=(("chain", "draw"), chance)),
        modes,
    )


def _among(chains: np.ndarray, before: xr.Dataset, after: xr.Dataset, functions: xr.Dataset, names: Any) -> tuple:
    """The verdict on the chains of the greatest mode alone."""
    some = [draws.isel(chain=chains) for draws in (before, after, functions)]
    raw, aligned, told = (worst(figures_of(d), dim) for d, dim in zip(some, ("site", "site", "function"), strict=True))
    lines = verdicts(raw, aligned, told, chain_modes(some[2]), names[chains], before.sizes["draw"], True)
    who = chains_of(names, np.isin(np.arange(len(names)), chains))
    return tuple(f"{who} alone: {line}" for line in lines)


def _worst_first(table: xr.Dataset, by: str) -> xr.Dataset:
    (dim,) = table[by].dims
    return table.isel({dim: np.argsort(-np.nan_to_num(table[by].values, nan=-np.inf), kind="stable")})


def _cell(figure: str, value: xr.DataArray) -> str:
    number = float(value)
    if np.isnan(number):
        return "nan"
    return f"{number:.0f}" if figure.startswith("ess") else f"{number:.3f}" if figure == "rhat" else f"{number:.2g}"
