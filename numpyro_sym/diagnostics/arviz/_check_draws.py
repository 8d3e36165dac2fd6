"""A symmetry held against draws, where there is no model but a function of one draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr

from ...models.trial import moving_element
from ...symmetry import CheckReport, Symmetry, SymmetryError, kinds
from ...symmetry.action import act_on_sites
from ...symmetry.arguments import check_arguments, describe
from ...symmetry.bars import advance, expect, progress
from ...symmetry.deprecated import renamed_arguments
from ...symmetry.randomness import seed_of
from ._to_arviz import ChainDraws, taken
from .groups import get_group, group_names, posterior_of, sample_dims, site_arrays
from .record import how_known

#: What files call the log density of a draw.
NAMES = ("lp", "log_joint", "lp__")


class Precision(NamedTuple):
    """What rounding may change, of a function that gives numbers of one type.

    :param epsilon: of the type.
    :param always: what is rounding in any case, a share of the density.
    :param least: the same, in nats.
    :param factor: how many times what was measured is rounding.
    :param most: what that may come to, a share of the density.
    """

    epsilon: float
    always: float
    least: float
    factor: float
    most: float


DOUBLE = Precision(float(np.finfo(np.float64).eps), 1e-9, 1e-7, 64.0, 1e-6)
# Sixteen last bits: a sum of units in another order.
SINGLE = Precision(float(np.finfo(np.float32).eps), 16 * 1.2e-7, 1e-6, 8.0, 1e-4)
#: How often rounding is measured where a change asks for it.
DISTURBED = 8


@dataclass(frozen=True)
class DrawsReport:
    """What :func:`check_draws` compared.

    :param report: changes under elements of the symmetry, as ``Symmetry.check`` reports them.
    :param spreads: what the file holds -> standard deviation, over the draws that were looked at,
        of its difference from the function: near 0 where they are one but for a constant.
    """

    report: CheckReport
    spreads: dict[str, float]

    def __str__(self) -> str:
        lines = [str(self.report)]
        for name, spread in self.spreads.items():
            lines.append(f"differs from {name} of the file by a constant +- {spread:.2g}")
        return "\n".join(lines)


@renamed_arguments(rng_seed="rng_key")
def check_draws(
    data: ChainDraws,
    sym: Symmetry,
    log_density: kinds.Function,
    *,
    num_draws: kinds.Positive = 20,
    num_elements: kinds.Positive = 3,
    rng_key: kinds.RngKeyOrSeed = 0,
    progress_bar: bool = True,
) -> DrawsReport:
    """Raise unless a log density is the same at draws and where a symmetry moves them.

    For files without a model: a symmetry that was written by hand is refused where it does not
    hold. Whether the function is what the file was sampled from, the file tells where it holds
    ``lp``, ``log_joint`` or a log likelihood: see :attr:`DrawsReport.spreads`. (Stan's ``lp__`` is
    that of unconstrained values, without constants.)

    Draws are given in double precision. Where a function computes in single precision, what its
    rounding explains is measured, at draws whose last bits are disturbed.

    :param data: an ArviZ object, an MCMC, or a dict of draws ``(chain, draw, *site)``.
    :param sym: the symmetry; scales are held against the function too, which is then to be the log
        likelihood.
    :param log_density: site name -> array of one draw, to a number; of NumPy or JAX.
    :param num_draws: how many draws, evenly spaced.
    :param num_elements: how many random elements at each.
    :param rng_key: a JAX random key, or a seed, of the elements.
    :param progress_bar: whether to show one where it takes long.
    :returns: a :class:`DrawsReport`.
    :raises SymmetryError: where a density changes, naming the units and by how much; where the
        function fails, or gives no finite number.

    >>> import numpyro_sym as nsym
    >>> draws = {"mu": np.random.default_rng(0).normal(size=(2, 30, 3))}
    >>> sym = nsym.mixture(3, {"mu": 0})
    >>> print(check_draws(draws, sym, lambda at: -(at["mu"] ** 2).sum()).report.rows[0][:3])
    ('component', 'permutation', 'log density')
    """
    check_arguments(check_draws, locals())
    data, sym, _ = taken(data, sym)
    posterior = posterior_of(data)
    site_arrays(posterior, sym.sites)  # says what is missing
    rows, where = _evenly(posterior, num_draws)
    sym.check_shapes({name: np.shape(x) for name, x in rows[0].items()})
    rng = np.random.default_rng(seed_of(rng_key))
    with jax.enable_x64(True), progress("check_draws", "draws", progress_bar):
        expect("draws", len(rows) * len(sym))
        before = [_density(log_density, row) for row in rows]
        found = []
        for u in sym:
            worst = (0.0, DOUBLE.least)
            for row, (density, precision) in zip(rows, before, strict=True):
                allowed = precision.least + precision.always * abs(density)
                for _ in range(num_elements):
                    moved = act_on_sites(u, moving_element(u, rng), row)
                    change = abs(_density(log_density, moved)[0] - density)
                    if change > allowed:
                        measured = _rounding(log_density, row, density, precision, rng)
                        allowed = max(allowed, min(measured, precision.most * abs(density)))
                    worst = max(worst, (change, allowed), key=lambda pair: pair[0] / pair[1])
                    if not change <= allowed:
                        raise SymmetryError(
                            f"check_draws: Units {u.name!r} ({u.describe_axes()}) are no symmetry "
                            f"of log_density: at a draw it changes by {change:.2g} nats, of which "
                            f"rounding explains {allowed:.2g}."
                        )
                advance("draws")
            found.append((u.name, u.kind, "log density", *worst))
    report = CheckReport(tuple(found), len(rows), num_elements)
    return DrawsReport(report, _spreads(data, where, [density for density, _ in before]))


def _evenly(
    posterior: xr.Dataset, num_draws: int
) -> tuple[list[dict[str, np.ndarray]], np.ndarray]:
    """Some draws, each as site name -> array, and their numbers in the flat row of all."""
    lead = len(sample_dims(posterior))
    flat = {}
    for name, x in site_arrays(posterior, tuple(map(str, posterior.data_vars))).items():
        x = np.asarray(x)
        flat[name] = x.reshape(-1, *x.shape[lead:])
    count = len(next(iter(flat.values())))
    where = np.unique(np.linspace(0, count - 1, num_draws).astype(int))
    rows = []
    for i in where:
        row = {}
        for name, x in flat.items():
            is_float = np.issubdtype(x.dtype, np.floating)
            row[name] = np.asarray(x[i], np.float64 if is_float else x.dtype)
        rows.append(row)
    return rows, where


def _density(
    log_density: Callable[..., Any], row: dict[str, np.ndarray]
) -> tuple[float, Precision]:
    """The density of a draw, and in which precision it is told."""
    try:
        value = log_density(row)
        number = float(value)
    except Exception as error:
        raise SymmetryError(
            f"check_draws: log_density raised {type(error).__name__} at a draw with sites "
            f"{sorted(row)}: {error}. It takes a dict of one draw's arrays, to one number."
        ) from error
    if isinstance(value, (str, bool)) or np.ndim(value) or not np.isfinite(number):
        raise SymmetryError(
            f"check_draws: log_density gives {describe(value)} at a draw; expected a finite number."
        )
    is_single = getattr(value, "dtype", np.dtype(float)) != np.float64
    return number, SINGLE if is_single else DOUBLE


def _rounding(
    log_density: Callable[..., Any],
    row: dict[str, np.ndarray],
    density: float,
    precision: Precision,
    rng: np.random.Generator,
) -> float:
    """What rounding explains at a draw: some times the change where its last bits are disturbed."""
    largest = 0.0
    for _ in range(DISTURBED):
        other = {}
        for name, x in row.items():
            if np.issubdtype(x.dtype, np.floating):
                x = x * (1 + precision.epsilon * rng.choice([-1.0, 1.0], x.shape))
            other[name] = x
        try:
            largest = max(largest, abs(_density(log_density, other)[0] - density))
        except SymmetryError:  # a last bit outside of the support
            continue
    return precision.factor * largest


def _spreads(data: Any, where: np.ndarray, densities: list[float]) -> dict[str, float]:
    """How far from one constant the file's own densities differ from the function."""
    held: dict[str, np.ndarray] = {}
    if "sample_stats" in group_names(data):
        stats = get_group(data, "sample_stats")
        held |= {name: stats[name].values.ravel() for name in NAMES if name in stats}
    posterior = posterior_of(data)
    held |= {name: posterior[name].values.ravel() for name in NAMES if name in posterior}
    if "log_likelihood" in group_names(data):
        total: Any = 0.0
        for each in get_group(data, "log_likelihood").values():
            lead = each.transpose(*sample_dims(posterior), ...).values
            total = total + lead.reshape(*lead.shape[:2], -1).sum(-1)
        held["log_likelihood"] = np.ravel(total)
    size = int(np.prod([posterior.sizes[dim] for dim in sample_dims(posterior)]))
    spreads = {}
    for name, x in held.items():
        if len(x) == size:
            spreads[name] = float(np.std(x[where] - np.asarray(densities)))
    return spreads


def checked(data: Any, sym: Symmetry, log_density: Callable[..., Any] | None) -> str:
    """How a symmetry is known, in words: checked here where there is a function of a draw."""
    known = how_known(sym)
    if log_density is None:
        return known
    known = known.removesuffix(", not checked")
    report = check_draws(data, sym, log_density).report
    return f"{known}, checked by a log density at {report.num_points} draws"
