"""Small but certain disagreements, which R-hat below its limit hides."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from scipy.stats import norm

from .screen import normal_scores

#: The chance that anything is reported of chains that are all well.
FALSE_ALARM = 1e-3
_BLOCK = 2**21
#: Stretches of so many draws are looked at, one after every half of it.
STRETCH = 20


def drifting(
    draws: xr.Dataset, figures: Mapping[str, xr.Dataset], least_ess: float, tests: int
) -> dict[str, float]:
    """Variables in which chains move with time or lie apart by more than chance explains.

    Trends of single chains, the trend of all, and how far each chain lies from the others; and
    stretches of draws: of single chains, and the first of all chains, which are burn-in. In normal
    scores and in units of the standard errors that the effective sample size gives.

    :param draws: over ``chain`` and ``draw``.
    :param figures: of these draws, as :func:`figures.figures_of` gives.
    :param least_ess: entries with fewer effective draws are left out.
    :param tests: over how many entries in all the chance of a false alarm is shared.
    :returns: name -> the largest number of standard errors, where it is too large.
    """
    if not draws.data_vars:
        return {}
    chains, count = draws.sizes["chain"], draws.sizes["draw"]
    shared = FALSE_ALARM / 2 / max(1, tests)  # by both kinds of contrasts
    limits = [norm.isf(shared / 2 / (2 * chains + 1))]
    limits.append(norm.isf(shared / 2 / (1 + chains * (1 + 2 * count // STRETCH))))
    found = {}
    for name, x in draws.items():
        ess = figures["ess_bulk"][name].values.ravel()
        # (sample, entry)
        flat = x.transpose("chain", "draw", ...).values.reshape(chains * count, -1)
        enough = np.flatnonzero(ess >= least_ess)
        step = max(1, _BLOCK // (chains * count))
        worst = [0.0, 0.0]
        for i in range(0, len(enough), step):
            some = enough[i : i + step]
            # (entry, chain, draw)
            z = normal_scores(flat[:, some].T).reshape(len(some), chains, count)
            memory = chains * count / np.minimum(ess[some], chains * count)
            error = np.sqrt(memory)[:, None]
            for kind, contrasts in enumerate((_contrasts(z), _stretches(z))):
                worst[kind] = max(worst[kind], float((contrasts / error).max()))
        if worst[0] > limits[0] or worst[1] > limits[1]:
            found[str(name)] = max(worst)
    return found


def _contrasts(z: np.ndarray) -> np.ndarray:
    """Standard normal for independent draws of one law, ``(entry, contrast)``."""
    _, chains, count = z.shape
    time = np.arange(count) - (count - 1) / 2
    trend = z @ (time / np.sqrt(np.sum(time**2)))
    together = trend.sum(-1, keepdims=True) / np.sqrt(chains)
    if chains == 1:
        return np.abs(trend)
    mean = z.mean(-1)
    apart = (mean - mean.mean(-1, keepdims=True)) * np.sqrt(count / (1 - 1 / chains))
    return np.abs(np.concatenate([trend, together, apart], -1))


def _stretches(z: np.ndarray) -> np.ndarray:
    """The same, of stretches of draws: of each chain, and the first of all chains together."""
    entries, _, count = z.shape
    if count < 2 * STRETCH:
        return np.zeros((entries, 1))
    # Sums of half a stretch each, then of neighbors.
    half = STRETCH // 2
    halves = z[..., : count - count % half].reshape(*z.shape[:2], -1, half).sum(-1)
    sums = halves[..., 1:] + halves[..., :-1]
    first = sums[..., 0].sum(-1, keepdims=True) / np.sqrt(z.shape[1])
    every = np.concatenate([sums.reshape(entries, -1), first], -1)
    return np.abs(every) / np.sqrt(STRETCH)
