"""Raw, aligned and invariant R-hat and ESS side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ..symmetry import Symmetry, SymmetryError, text_table
from .groups import get_group, group_names, posterior_of
from .rebasin import Reference, rebasin


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What :func:`diagnose` found; ``print`` it for a table.

    :param sites: Dataset over ``site``: ``rhat_raw``, ``rhat_aligned`` (largest over the site's
        entries), ``ess_raw``, ``ess_aligned`` (bulk, smallest over the entries).
    :param invariant: Dataset over ``function``: ``rhat`` and ``ess`` of functions that no element
        of the symmetry changes. Where these are bad, no alignment makes the chains agree.
    """

    sites: xr.Dataset
    invariant: xr.Dataset

    def __str__(self) -> str:
        rows: list[list[object]] = [
            [
                str(site),
                *(_figure(row[f"rhat_{how}"]) for how in ("raw", "aligned")),
                *(_figure(row[f"ess_{how}"], 0) for how in ("raw", "aligned")),
            ]
            for site, row in ((s, self.sites.sel(site=s)) for s in self.sites["site"].values)
        ]
        for name in self.invariant["function"].values:
            row = self.invariant.sel(function=name)
            rows.append([f"{name} (invariant)", _figure(row["rhat"]), "", _figure(row["ess"], 0), ""])
        return text_table(["", "R-hat raw", "aligned", "ESS raw", "aligned"], rows)

    __repr__ = __str__


def diagnose(
    data: Any, sym: Symmetry, *, invariant: str | Sequence[str] | None = None, reference: Reference = "mean"
) -> Diagnosis:
    """R-hat and ESS of every site, raw and aligned, beside those of an invariant function.

    Aligned figures are a little optimistic, since alignment to a reference shrinks the spread;
    invariant ones are not. Read all three: raw bad, aligned and invariant good is label switching
    only; invariant bad means that the chains differ in what they predict.

    :param data: an ArviZ object with a posterior, of either generation.
    :param sym: the model's :class:`~numpyro_sym.Symmetry`.
    :param invariant: names of posterior variables that the symmetry leaves as they are, such as
        predictions. Left out: the log likelihood summed over observations where there is such a
        group, else ``lp`` of the sample statistics, else every posterior variable that is no site
        of the symmetry.
    :param reference: as in :func:`numpyro_sym.rebasin`.
    :returns: a :class:`Diagnosis`.
    :raises SymmetryError: as :func:`numpyro_sym.rebasin`, and where there is nothing invariant.

    >>> import arviz as az, numpy as np, numpyro_sym as nsym
    >>> rng = np.random.default_rng(0)
    >>> mu = rng.normal([-3.0, 3.0], 0.1, size=(4, 100, 2))
    >>> mu[2:] = mu[2:, :, ::-1]
    >>> draws = {"mu": mu, "total": mu.sum(-1)}
    >>> data = az.from_dict({"posterior": draws}) if az.__version__ >= "1" else az.from_dict(draws)
    >>> result = nsym.diagnose(data, nsym.mixture(2, {"mu": 0}), invariant="total")
    >>> bool(result.sites["rhat_raw"].max() > 1.5), bool(result.sites["rhat_aligned"].max() < 1.05)
    (True, True)
    """
    posterior = posterior_of(data)
    functions = _invariant(data, posterior, sym, invariant)
    aligned = posterior_of(rebasin(data, sym, reference=reference))
    sites = list(sym.sites)
    rhat_raw, ess_raw = _summary(posterior[sites])
    rhat_aligned, ess_aligned = _summary(aligned[sites])
    rhat, ess = _summary(functions)
    return Diagnosis(
        xr.Dataset(
            {
                "rhat_raw": ("site", rhat_raw),
                "rhat_aligned": ("site", rhat_aligned),
                "ess_raw": ("site", ess_raw),
                "ess_aligned": ("site", ess_aligned),
            },
            coords={"site": sites},
        ),
        xr.Dataset(
            {"rhat": ("function", rhat), "ess": ("function", ess)},
            coords={"function": list(functions)},
        ),
    )


def _invariant(data: Any, posterior: xr.Dataset, sym: Symmetry, names: str | Sequence[str] | None) -> xr.Dataset:
    if names is not None:
        names = [names] if isinstance(names, str) else list(names)
        for name in names:
            if name not in posterior:
                raise SymmetryError(
                    f"invariant: the posterior has no variable {name!r}; it has {list(posterior.data_vars)}."
                )
            if name in sym.sites:
                raise SymmetryError(f"invariant: {name!r} is moved by the symmetry, so it is not invariant.")
        return posterior[names]
    groups = group_names(data)
    if "log_likelihood" in groups:
        each = get_group(data, "log_likelihood")
        total = sum(x.sum([d for d in x.dims if d not in ("chain", "draw")]) for x in each.values())
        return xr.Dataset({"log_likelihood": total})
    if "sample_stats" in groups and "lp" in (stats := get_group(data, "sample_stats")):
        return stats[["lp"]]
    others = [name for name in posterior.data_vars if name not in sym.sites]
    if not others:
        raise SymmetryError(
            "diagnose: nothing invariant to compare with. Pass arviz.from_numpyro(mcmc, log_likelihood=True), or make "
            "predictions a numpyro.deterministic site and name it in invariant=."
        )
    return posterior[others]


def _summary(dataset: xr.Dataset) -> tuple[list[float], list[float]]:
    """For each variable the largest R-hat and the smallest bulk ESS over its entries."""
    try:
        import arviz as az
    except ImportError as error:
        raise ImportError("diagnose needs ArviZ: pip install 'numpyro_sym[arviz]'.") from error
    loaded = dataset.load()
    rhat, ess = az.rhat(loaded), az.ess(loaded)
    return [float(rhat[name].max()) for name in loaded], [float(ess[name].min()) for name in loaded]


def _figure(value: xr.DataArray, digits: int = 3) -> str:
    number = float(value)
    return "nan" if np.isnan(number) else f"{number:.{digits}f}"
