"""Varimax for many draws at once: pairs of factors in turn, then Newton's method for the slow."""

from __future__ import annotations

import numpy as np

from ..symmetry.bars import advance, expect

_MAX_SWEEPS = 1000
#: From this sweep on, draws that turn by less than _NEAR radians take a Newton step between sweeps.
_SWEEPS_ALONE, _NEAR = 12, 0.03
_BLOCK = 512  # draws of a sweep: what a processor's cache holds


def most_varied(loadings: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """The rotation of greatest variance of squared loadings, and whether each draw's has settled.

    Draws that have settled are turned no more: most take few sweeps and some take hundreds, for
    sweeps converge linearly. Of the slow ones the last sweeps are spared by Newton's method.

    :param loadings: floats ``(draw, variable, factor)``, whose fourth powers are in range.
    :param tolerance: largest angle by which a pair of factors of a settled draw is to be turned.
    :returns: orthogonal matrices ``(draw, factor, factor)``, and booleans ``(draw,)``.
    """
    draws, variables, n = loadings.shape
    expect("draws", draws)
    rotation = np.broadcast_to(np.eye(n), (draws, n, n)).copy()
    settled = np.zeros(draws, bool)
    # (factor, row, draw): the loadings of each variable, and below them the rotation so far.
    x = np.concatenate([loadings, rotation], 1).T.copy()
    left = np.arange(draws)  # which draws the last axis has
    largest = np.full(draws, np.inf)
    for sweep in range(_MAX_SWEEPS):
        if sweep >= _SWEEPS_ALONE:
            near = np.flatnonzero(largest <= _NEAR)
            x[..., near] = _newton(x[..., near].T, variables).T
        largest = np.concatenate(
            [_sweep(x[..., k : k + _BLOCK], variables) for k in range(0, len(left), _BLOCK)]
        )
        still = largest <= tolerance
        if still.any():
            rotation[left[still]] = x[:, variables:, still].T
            settled[left[still]] = True
            advance("draws", int(still.sum()))
            left, x, largest = left[~still], x[..., ~still], largest[~still]
        if not len(left):
            break
    advance("draws", len(left))
    rotation[left] = x[:, variables:].T
    return rotation, settled


def _sweep(x: np.ndarray, variables: int) -> np.ndarray:
    """Turn every pair of factors once, in place; the largest sine of a draw's angles.

    In the order (0, 1), (0, 2), ..., (1, 2), ...: pairs of one sum have no factor in common, and
    what comes before them has a smaller sum, so that they are turned together.
    """
    n = len(x)
    largest = np.zeros(x.shape[-1])
    squares = np.square(x[:, :variables])
    for total in range(1, 2 * n - 2):
        lowest, end = max(0, total - n + 1), (total + 1) // 2
        # Pair k is of lowest + k and of total - lowest - k.
        i, j = slice(lowest, end), slice(total - lowest, total - end, -1)
        first, second = x[i], x[j]
        product = first[:, :variables] * second[:, :variables]
        cosine, sine = _planar_turn(squares[i] - squares[j], product)
        turned = first * cosine
        turned += second * sine
        second *= cosine
        second -= first * sine
        first[:] = turned
        for k in (i, j):
            np.square(x[k, :variables], out=squares[k])
        np.maximum(largest, np.abs(sine).max((0, 1)), out=largest)
    return largest


def _planar_turn(difference: np.ndarray, product: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of the best angle for two factors: Kaiser 1958, equation 5.

    With u = x^2 - y^2 and v = 2 x y of every variable, the angle is a fourth of that of the point
    ``(mean(u^2 - v^2) - mean(u)^2 + mean(v)^2, 2 mean(u v) - 2 mean(u) mean(v))``. It is halved
    twice by square roots, cheaper than by arc tangents.

    :param difference: ``x^2 - y^2``, ``(pair, variable, draw)``.
    :param product: ``x y``, ``(pair, variable, draw)``.
    :returns: ``(pair, 1, draw)``.
    """
    number = difference.shape[1]
    u, v = difference.sum(1), product.sum(1)
    across = 4 * (_dot(difference, product) - u * v / number)
    along = _dot(difference, difference) - 4 * _dot(product, product)
    along -= (u**2 - 4 * v**2) / number
    length = np.sqrt(along**2 + across**2)
    # Of half the angle: the point and (length, 0), added. Behind the origin, where they would
    # cancel, the same direction by its other side.
    sum_ = length + np.abs(along)
    ahead = along >= 0
    cosine = np.where(ahead, sum_, np.abs(across))
    sine = np.where(ahead, across, np.copysign(sum_, across))
    length = np.sqrt(cosine**2 + sine**2)
    flat = length == 0  # every angle is as good
    length[flat], cosine[flat] = 1.0, 1.0
    fourth = np.sqrt((1 + cosine / length) / 2)
    return fourth[:, None], (sine / (2 * length * fourth))[:, None]


def _dot(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.einsum("kij,kij->kj", x, y)


def _newton(x: np.ndarray, variables: int) -> np.ndarray:
    """A Newton step over all pairs at once, where it does not lower the criterion.

    :param x: the loadings and below them the rotation, ``(draw, row, factor)``.
    """
    gradient, curvature = _derivatives(x[:, :variables])
    before = _criterion(x[:, :variables])
    steepest = np.abs(curvature).max((-1, -2), initial=0)[..., None, None]
    # Never singular, or the step is taken anew below.
    ridge = (1e-12 * steepest + np.finfo(float).tiny) * np.eye(gradient.shape[-1])
    step = np.linalg.solve(ridge - curvature, gradient[..., None])[..., 0]
    moved = _turned(x, step)
    expected = (gradient * step).sum(-1) / 2
    rise = _criterion(moved[:, :variables]) - before
    # Near a maximum the rise is what was expected, but for rounding. Elsewhere the curvature has
    # both signs: a step climbs where all are taken as negative.
    as_expected = (expected >= 0) & (rise >= expected / 4 - 1e-13 * before)
    rows = np.flatnonzero(~as_expected)
    values, vectors = np.linalg.eigh(curvature[rows])
    steep = np.maximum(np.abs(values), 1e-10 * steepest[rows, 0] + np.finfo(float).tiny)
    along = (vectors.swapaxes(-1, -2) @ gradient[rows, :, None]) / steep[..., None]
    moved[rows] = _turned(x[rows], (vectors @ along)[..., 0])
    climbs = _criterion(moved[:, :variables]) >= before
    return np.where(climbs[:, None, None], moved, x)


def _derivatives(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the criterion, times the number of variables, by the angles of all pairs together.

    With loadings ``z exp(K)``, K antisymmetric, to second order it grows by the sum over columns
    ``K_j`` of ``slope_j' K_j + 1/2 K_j' F_j K_j``.

    :returns: the gradient ``(draw, pair)`` and the Hessian ``(draw, pair, pair)``.
    """
    n, variables = z.shape[-1], z.shape[-2]
    zt, squares = z.swapaxes(-1, -2), np.square(z)
    total = squares.sum(1)  # (draw, factor)
    products = zt @ z
    slope = 4 * zt @ (z * (squares - total[:, None] / variables))
    rows, columns = np.triu_indices(n, 1)
    pair = np.zeros((n, n), int)  # which pair two factors are
    pair[rows, columns] = pair[columns, rows] = np.arange(len(rows))
    hessian = np.zeros((len(z), len(rows), len(rows)))
    for j in range(n):
        column = products[:, :, j, None]
        f = 12 * (zt * squares[:, None, :, j]) @ z - (slope + slope.swapaxes(-1, -2)) / 2
        f -= 4 / variables * (2 * column * column.swapaxes(-1, -2))
        f -= 4 / variables * total[:, j, None, None] * products
        others = np.delete(np.arange(n), j)
        sign = np.where(others < j, 1.0, -1.0)  # K is antisymmetric
        at = pair[others, j]
        hessian[:, at[:, None], at] += sign[:, None] * sign * f[:, others[:, None], others]
    return slope[:, rows, columns] - slope[:, columns, rows], hessian


def _turned(x: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """All rows, with each pair of factors turned by its angle, to second order."""
    n = x.shape[-1]
    rows, columns = np.triu_indices(n, 1)
    half = np.zeros((len(x), n, n))
    half[:, rows, columns], half[:, columns, rows] = angles / 2, -angles / 2
    # Cayley's transform: orthogonal, whatever the angles
    return x @ np.linalg.solve(np.eye(n) - half, np.eye(n) + half)


def _criterion(z: np.ndarray) -> np.ndarray:
    """Summed variances of squared loadings, times the number of variables."""
    return z.shape[-2] * np.square(z).var(-2).sum(-1)
