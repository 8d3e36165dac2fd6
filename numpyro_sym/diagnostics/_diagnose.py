"""Raw, aligned and invariant figures side by side, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ..discovery.motions import told_of_motions
from ..symmetry import Symmetry, Table, Tabular, kinds
from ..symmetry.arguments import check_arguments
from .ambiguity import doubt
from .arviz._rebasin import Reference, rebasin
from .arviz._to_arviz import ChainDraws, taken
from .arviz.groups import get_group, posterior_of, site_arrays
from .arviz.record import RECORDS, Elements, elements_of
from .chains._functional_modes import FunctionalModes, modes_of_chains
from .chains.by_chain import FEWEST
from .indicators import with_indicators
from .invariants import invariant_functions, outside
from .labels import share_within
from .parts import Parts
from .rhat_ess import FIGURES, figures_of, worst
from .sampler import companion, of_other_runs, sampler_troubles
from .scales import log_scales, used_symmetry
from .screen import judged
from .troubles import troubles_of
from .verdict import (
    LIMIT,
    chains_of,
    doubts,
    harmless,
    largest,
    too_short,
    verdicts,
    with_labels,
    with_troubles,
)

#: What a table shows both as it came and aligned.
_IN_PAIRS = ("rhat", "ess_bulk", "ess_tail")


@dataclass(frozen=True, repr=False)
class Diagnosis(Tabular):
    """What :func:`diagnose` found; ``print`` it for a table.

    :param verdicts: findings in plain words, one a line.
    :param sites: Dataset over ``site``, worst first: ``rhat``, ``ess_bulk``, ``ess_tail`` and
        ``mcse`` (of the mean), each ``_raw`` and ``_aligned``; the worst over the site's entries.
        Every variable of the posterior has a row here or among ``invariant``, those outside the
        symmetry as they came only.
    :param invariant: Dataset over ``function``, worst first: the same of functions that no element
        of the symmetry changes. Where these are bad, no alignment makes the chains agree.
    :param entries: R-hat of every entry of every site; ``labels`` is ``"raw"`` or ``"aligned"``. Of
        variables outside the symmetry with more than 200 entries the worst, and evenly spaced ones.
    :param alignment: Dataset over ``chain`` and ``draw``: ``distance_before``, ``distance``,
        ``gap``, ``exact``, and ``doubt``, the chance that the runner-up is the right element.
    :param modes: chains grouped by what they predict; ``None`` where too few draws, or values that
        are not finite, tell nothing.
    """

    verdicts: tuple[str, ...]
    sites: xr.Dataset
    invariant: xr.Dataset
    entries: xr.Dataset
    alignment: xr.Dataset
    modes: FunctionalModes | None

    @property
    def fine(self) -> bool:
        """Whether nothing in the posterior is wrong but labels, every variable of it looked at."""
        return all(harmless(line) for line in self.verdicts)

    def to_datatree(self) -> xr.DataTree:
        """All of it as one xarray object; the verdicts are an attribute."""
        groups = ("sites", "invariant", "entries", "alignment")
        tree = xr.DataTree.from_dict({name: getattr(self, name) for name in groups})
        tree.attrs["verdicts"] = list(self.verdicts)
        return tree

    def to_dataframe(self) -> Any:
        """A ``pandas.DataFrame``, a row for each variable and invariant function, worst first.

        Columns: ``rhat``, ``ess_bulk``, ``ess_tail`` and ``mcse``, each ``_raw`` and ``_aligned``;
        of invariant functions, which nothing moves, the two are one. ``invariant`` tells them.
        """
        import pandas as pd

        sites = self.sites.to_dataframe().rename_axis("name").assign(invariant=False)
        functions = self.invariant.to_dataframe().rename_axis("name")
        both = {}
        for figure in FIGURES:
            both[f"{figure}_raw"] = both[f"{figure}_aligned"] = functions[figure]
        return pd.concat([sites, pd.DataFrame(both).assign(invariant=True)])

    def _table(self) -> Table:
        header = ["", "R-hat raw", "aligned", "bulk ESS raw", "aligned"]
        header += ["tail ESS raw", "aligned", "MCSE aligned"]
        rows: list[list[object]] = []
        for name in self.sites["site"].values:
            row = self.sites.sel(site=name)
            aligned = {f: _cell(f, row[f"{f}_aligned"]) for f in FIGURES}
            if all(np.isnan(row[f"{f}_aligned"]) for f in FIGURES):
                # Outside the symmetry nothing is aligned.
                aligned = dict.fromkeys(FIGURES, "")
            cells: list[object] = [str(name)]
            for f in _IN_PAIRS:
                cells += [_cell(f, row[f"{f}_raw"]), aligned[f]]
            rows.append([*cells, aligned["mcse"]])
        for name in self.invariant["function"].values:
            row = self.invariant.sel(function=name)
            cells = [f"{name} (invariant)"]
            for f in _IN_PAIRS:
                cells += [_cell(f, row[f]), ""]
            rows.append([*cells, ""])
        return Table(header, rows, above=[*self.verdicts, ""])

    def __repr__(self) -> str:
        return str(self)


def diagnose(
    data: ChainDraws,
    sym: Symmetry,
    *,
    invariant: kinds.NameOrNames | None = None,
    reference: Reference = "mean",
    max_tree_depth: int = 10,
    **options: Any,
) -> Diagnosis:
    """R-hat, ESS and MCSE of every variable, raw and aligned, beside those of invariant functions.

    Aligned figures are a little optimistic, since alignment to a reference shrinks the spread;
    invariant ones are not. The first verdict reads all three:

    - *label switching only*: raw bad, aligned and invariant good;
    - *another functional mode in chain 3*: it has settled, far from the others, on other functions;
    - *mixing badly*: chains disagree on functions, and none has settled;
    - *not enough draws*: R-hat is good or the chains mix well, but there is too little of them;
    - *same functions, other weights*: a symmetry that is not named, or a flat direction; what
      :func:`numpyro_sym.find_symmetry` found that is no permutation is said beside it;
    - *nothing can be told*: the invariant functions are constant, or no numbers;
    - *all well*.

    Whatever else is wrong follows, a line each, and then nothing is fine: variables outside the
    symmetry in which chains disagree, or that follow its labels; R-hat between 1.01 and 1.05 and
    small but certain drifts (*not sure*); NaN and infinite values; what never moves; chains that
    are copies, relabeled or not, and draws that come again; groups of another run; divergences,
    trajectories cut short and low E-BFMI; tails without a mean; ambiguous alignment; one chain.
    Labels that change within chains are told, too, and are no fault.

    Permutations and signs alone are judged: of scaled ``Units`` the scale has a row of its own. Of
    labels of units (``values``) the share of each label is judged, and of single entries whether
    they bear it, where at least 20 draws say so and 20 do not: the numbers themselves mean nothing.

    :param data: an ArviZ object with a posterior, of either generation; or an MCMC that has run or
        a dict of draws ``(chain, draw, *site)``, made one by
        :func:`numpyro_sym.diagnostics.to_arviz`, with the log joint of the MCMC's model.
    :param sym: the model's :class:`~numpyro_sym.Symmetry`.
    :param invariant: names of posterior variables that the symmetry leaves as they are, such as
        predictions. They are judged beside what is always judged: the log likelihood, summed and of
        each observation, where there is such a group, and ``lp``, ``potential_energy`` and
        ``energy`` of the sample statistics. Where there is none of all these: every float variable
        outside the symmetry that cannot name single units.
    :param reference: as in :func:`numpyro_sym.rebasin`.
    :param max_tree_depth: the depth at which NUTS was told to end a trajectory.
    :param options: ``metric``, ``starts``, ``scales`` and ``progress_bar`` of
        :func:`numpyro_sym.rebasin`.
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
    data, sym, new_name = taken(data, sym, log_joint=True)
    if invariant is not None:
        several = [invariant] if isinstance(invariant, str) else invariant
        invariant = [new_name(name) for name in several]
    posterior = posterior_of(data)
    functions = invariant_functions(data, sym, invariant)
    done = rebasin(data, sym, reference=reference, keep_elements=True, **options)
    elements = elements_of(done, used_symmetry(sym, options.get("scales", ()), "diagnose"))
    parts = _parts(posterior, posterior_of(done), functions, sym, elements)
    finite = all(np.isfinite(x.values).all() for x in functions.values())
    figures = parts.map(figures_of)
    names = posterior["chain"].values
    lines, modes = _findings(parts, figures, names, finite)
    if not too_short(posterior.sizes["draw"], len(names)):
        troubles = [*of_other_runs(data, posterior)]
        troubles += troubles_of(posterior, parts, figures, sym, elements)
        stats = companion(data, "sample_stats", posterior)
        if stats is not None:
            troubles += sampler_troubles(stats, max_tree_depth)
        lines = with_troubles(lines, tuple(troubles))
        lines = with_labels(lines, share_within(elements))

    alignment = get_group(done, RECORDS["posterior"])
    alignment = alignment[["distance_before", "distance", "gap", "exact"]]
    size = sum(posterior[site].size for site in sym.sites) // alignment["gap"].size
    chance = doubt(alignment["distance"], alignment["gap"], size)
    lines += doubts(chance)
    if any(line.startswith("same functions, other weights") for line in lines):
        lines += told_of_motions(sym.notes)
    if len(names) == 1:
        lines += ("one chain: a mode that it has not visited cannot be seen",)
    tables = _tables(figures)
    rows = _rows(tables)
    return Diagnosis(
        lines,
        _worst_first(rows, rows["rhat_aligned"].fillna(rows["rhat_raw"])),
        _worst_first(tables.functions, tables.functions["rhat"]),
        _entries(figures),
        alignment.assign(doubt=(("chain", "draw"), chance)),
        modes,
    )


def _parts(
    posterior: xr.Dataset,
    aligned: xr.Dataset,
    functions: xr.Dataset,
    sym: Symmetry,
    elements: Elements,
) -> Parts:
    """The draws that are judged: every variable of the posterior, and the invariant functions."""
    sites = list(sym.sites)
    arrays = sym.stack(site_arrays(posterior, sym.sites), sample_ndim=2)  # (chain, draw, *site)
    scales = log_scales(arrays, sym.without_values().on_arrays(), elements)
    labels = with_indicators(posterior, aligned, sym)
    others = [name for name in outside(posterior, sym) if name not in functions]
    return Parts(
        posterior[sites].assign(scales[0].data_vars).assign(labels[0].data_vars),
        aligned[sites].assign(scales[1].data_vars).assign(labels[1].data_vars),
        judged(_as_floats(posterior[others])),
        judged(_as_floats(functions)),
    )


def _findings(
    parts: Parts, figures: Parts, names: np.ndarray, finite: bool
) -> tuple[tuple[str, ...], FunctionalModes | None]:
    """The verdicts on figures, those on the greatest mode's chains alone after them;
    and the modes.
    """
    count = parts.after.sizes["draw"]
    tables = _tables(figures)
    known = finite and count >= FEWEST and len(parts.functions.data_vars) > 0
    modes = modes_of_chains(parts.functions) if known else None
    lines = verdicts(tables, modes, names, count, finite)
    if modes is None or not largest(tables.functions) > LIMIT:
        return lines, modes
    chains = np.flatnonzero(modes.label == 0)
    if 1 < len(chains) < len(names):
        some = parts.map(lambda draws: draws.isel(chain=chains, missing_dims="ignore"))
        tables = _tables(some.map(figures_of))
        alone = verdicts(tables, modes_of_chains(some.functions), names[chains], count, True)
        who = chains_of(names, modes.label == 0)
        lines += tuple(f"{who} alone: {line}" for line in alone)
    return lines, modes


def _tables(figures: Parts) -> Parts:
    """The worst figures of each variable."""
    return Parts(*map(worst, figures, ("site", "site", "site", "function")))


def _rows(tables: Parts) -> xr.Dataset:
    """A row for each variable; outside the symmetry as they came only."""
    sites = tables.before["site"].values.tolist()
    names = [*sites, *tables.others["site"].values.tolist()]
    blank = np.full(len(names) - len(sites), np.nan)
    out = {}
    for f in FIGURES:
        raw = np.concatenate([tables.before[f].values, tables.others[f].values])
        out[f"{f}_raw"] = ("site", raw)
        out[f"{f}_aligned"] = ("site", np.concatenate([tables.after[f].values, blank]))
    return xr.Dataset(out, coords={"site": names})


def _entries(figures: Parts) -> xr.Dataset:
    """R-hat of every entry that was judged, raw and aligned."""
    others = figures.others["rhat"]
    raw = figures.before["rhat"].assign(others.data_vars)
    aligned = figures.after["rhat"].assign(xr.full_like(others, np.nan).data_vars)
    return xr.concat([raw, aligned], "labels").assign_coords(labels=["raw", "aligned"])


def _as_floats(draws: xr.Dataset) -> xr.Dataset:
    return draws.map(lambda x: x if x.dtype.kind == "f" else x.astype(float), keep_attrs=True)


def _worst_first(table: xr.Dataset, by: xr.DataArray) -> xr.Dataset:
    (dim,) = by.dims
    order = np.argsort(-np.nan_to_num(by.values, nan=-np.inf), kind="stable")
    return table.isel({dim: order})


def _cell(figure: str, value: xr.DataArray) -> str:
    number = float(value)
    if np.isnan(number):
        return "nan"
    if figure.startswith("ess"):
        return f"{number:.0f}"
    return f"{number:.3f}" if figure == "rhat" and number < 100 else f"{number:.2g}"
