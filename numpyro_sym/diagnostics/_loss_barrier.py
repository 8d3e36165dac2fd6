"""The loss on the straight way between two networks, or between two Gaussians over networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from ..alignment import wasserstein_geodesic
from ..symmetry import SymmetryError, kinds, short_repr
from ..symmetry.arguments import check_arguments
from ..symmetry.bars import progress
from ..symmetry.parts_of_rows import mapped_in_parts
from ..symmetry.programs import of_one_draw, refuse_no_number

Sites = Mapping[str, Any]
#: Both ends and something between them.
PointsOnTheWay = Annotated[int, kinds.whole(3, 100_000)]


class LossBarrier(NamedTuple):
    """The loss along a way between two ends.

    :param height: the barrier: the largest excess. 0 where the way never rises above the straight
        line between the ends' losses.
    :param t: where on the way, from 0 to 1.
    :param loss: the loss there.
    :param excess: the loss less ``(1 - t) loss(0) + t loss(1)``.
    """

    height: float
    t: np.ndarray
    loss: np.ndarray
    excess: np.ndarray

    def __repr__(self) -> str:
        return short_repr(self)


def loss_barrier(
    loss: kinds.Function,
    start: kinds.Point,
    end: kinds.Point,
    *,
    num_points: PointsOnTheWay = 25,
    progress_bar: bool = True,
) -> LossBarrier:
    """The loss barrier between two points, along the straight line.

    ``max_t loss((1 - t) a + t b) - (1 - t) loss(a) - t loss(b)``: Ainsworth, Hayase and Srinivasa
    2023, arXiv 2209.04836. Two networks in one basin up to symmetry have none once they are
    aligned.

    :param loss: site name -> array to a number; traced by JAX.
    :param start: site name -> array.
    :param end: likewise, with the same sites.
    :param num_points: points on the way, ends included.
    :param progress_bar: whether to show one where it takes long.
    :returns: a :class:`LossBarrier`.
    :raises SymmetryError: where sites or shapes differ.

    >>> import numpy as np
    >>> left, right = {"w": np.float32(-1)}, {"w": np.float32(1)}
    >>> loss_barrier(lambda p: (p["w"] ** 2 - 1.0) ** 2, left, right).height
    1.0
    """
    check_arguments(loss_barrier, locals())
    _refuse_unlike(start, end)
    start, end = _all_floats(start), _all_floats(end)
    zero = {name: np.zeros_like(x) for name, x in start.items()}
    t = _points(num_points)
    points, _ = wasserstein_geodesic(start, zero, end, zero, t)
    losses = _mapped("loss_barrier", loss, jax.tree.map(jnp.asarray, points), progress_bar)
    return _barrier("loss_barrier", t, losses)


def marginalized_barrier(
    log_likelihood: kinds.Function,
    start: kinds.Gaussian,
    end: kinds.Gaussian,
    rng_key: kinds.RngKey,
    *,
    num_draws: kinds.Positive = 64,
    num_points: PointsOnTheWay = 25,
    progress_bar: bool = True,
) -> LossBarrier:
    """The barrier of the marginalized loss between two diagonal Gaussians, along the Wasserstein
    geodesic.

    ``L(q) = -sum_i log E_q p(y_i | x_i, w)``, the expectation inside the logarithm: Rossi, Singh
    and Hannagan 2023, arXiv 2310.10171. All points on the way share their standard normal draws, so
    that the barrier's Monte Carlo error is far below that of the losses.

    :param log_likelihood: site name -> array to the log density of each observation,
        ``(observation,)``; traced by JAX.
    :param start: means and standard deviations, each site name -> array.
    :param end: likewise.
    :param rng_key: a JAX random key.
    :param num_draws: draws for the expectation.
    :param num_points: points on the way, ends included.
    :param progress_bar: whether to show one where it takes long.
    :returns: a :class:`LossBarrier`, in nats summed over observations.
    :raises SymmetryError: where sites or shapes differ.

    >>> import jax, jax.numpy as jnp, numpy as np
    >>> def log_likelihood(point):
    ...     return jax.scipy.stats.norm.logpdf(jnp.zeros(3), jnp.prod(point["w"]), 1.0)
    >>> a, b, s = ({"w": np.array(x, np.float32)} for x in ([4, 0], [0, 4], [0.1, 0.1]))
    >>> marginalized_barrier(log_likelihood, (a, s), (b, s), jax.random.key(0)).height > 1
    True
    """
    check_arguments(marginalized_barrier, locals())
    for first, second in ((start[0], end[0]), (start[0], start[1]), (end[0], end[1])):
        _refuse_unlike(first, second)
    start = (_all_floats(start[0]), _all_floats(start[1]))
    end = (_all_floats(end[0]), _all_floats(end[1]))
    t = _points(num_points)
    loc, scale = wasserstein_geodesic(*start, *end, t)
    noise = {}
    keys = jax.random.split(rng_key, len(start[0]))
    for (name, x), key in zip(start[0].items(), keys, strict=True):
        noise[name] = jax.random.normal(key, (num_draws, *np.shape(x)))

    def marginal(at: tuple[Sites, Sites]) -> jax.Array:
        mean, spread = at

        def of_draw(eps: Sites) -> jax.Array:
            return log_likelihood({name: mean[name] + spread[name] * eps[name] for name in mean})

        each = jax.lax.map(of_draw, noise)  # (draw, observation)
        return -(logsumexp(each, axis=0) - jnp.log(num_draws)).sum()

    way = jax.tree.map(jnp.asarray, (loc, scale))
    losses = _mapped("marginalized_barrier", marginal, way, progress_bar)
    return _barrier("marginalized_barrier", t, losses)


def _points(num_points: int) -> np.ndarray:
    return np.linspace(0, 1, num_points)


def _all_floats(sites: Sites) -> dict[str, Any]:
    """As floats: between two ints lie numbers that are none."""
    floats = dict(sites)
    for name, x in sites.items():
        if not jnp.issubdtype(jnp.result_type(x), jnp.floating):
            floats[name] = np.asarray(x, float)
    return floats


def _mapped(who: str, loss: Callable[..., Any], points: Any, progress_bar: bool) -> np.ndarray:
    """The loss at every point on the way, one number each."""
    refuse_no_number(who, "the loss", loss, of_one_draw(points))
    with progress(who, "points", progress_bar):
        return mapped_in_parts(loss, points, "points")


def _barrier(who: str, t: np.ndarray, losses: Any) -> LossBarrier:
    loss = np.asarray(losses, float)
    if np.isnan(loss).any() or not np.isfinite(loss[[0, -1]]).all():
        raise SymmetryError(
            f"{who}: the loss is NaN on the way or infinite at an end, so there is no barrier to "
            "tell."
        )
    excess = loss - (1 - t) * loss[0] - t * loss[-1]
    return LossBarrier(float(excess.max()), t, loss, excess)


def _refuse_unlike(first: Sites, second: Sites) -> None:
    shapes = {name: np.shape(x) for name, x in first.items()}
    others = {name: np.shape(x) for name, x in second.items()}
    if shapes != others:
        raise SymmetryError(
            f"A way leads between the same sites of the same shapes; got {shapes} and {others}."
        )
