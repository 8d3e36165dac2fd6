"""Relabeling: seconds of every method, and objectives against those of R's label.switching.

Draws are those of a Gibbs sampler, their labels exchanged at random in every draw: components that
overlap, as many as the data have, and many more; and one posterior that is sharp. R's algorithms
(Papastamoulis 2016) begin with the labels as the draws came; here they are written plainly, with
SciPy's assignment solver. Objectives of both are computed by the same functions. Processor time on
one thread, medians.

python benchmarks/alignment_relabeling.py [--quick]
"""

# ruff: noqa: E402
from __future__ import annotations

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import sys
import time
from functools import partial

import numpy as np
from json_lines import say
from scipy.optimize import linear_sum_assignment

from numpyro_sym.alignment import (
    data_based,
    ecr,
    ecr_iterative,
    ecr_soft,
    ordering,
    pivotal,
    stephens,
)

#: case -> draws, labels, observations, components of the data, their distance; sd is .5
CASES = {
    "8 overlapping components": (1000, 8, 200, 8, 1.5),
    "8 components, 4 in the data": (1000, 8, 200, 4, 3.0),
    "12 components": (1000, 12, 300, 12, 2.0),
    "50 components": (500, 50, 300, 50, 3.0),
}
TINY = 1e-300


def data(observations, components, distance):
    rng = np.random.default_rng(1)
    center = distance * np.arange(components)
    return center[np.arange(observations) % components] + 0.5 * rng.normal(size=observations)


def gibbs(y, n, draws, burn_in=200, thinning=2):
    """Probabilities, labels and locations of a normal mixture's draws, their labels shuffled."""
    rng = np.random.default_rng(0)
    mean, variance = y.mean(), y.var()
    mu, precision, share = rng.choice(y, n), np.full(n, 4 / variance), np.full(n, 1 / n)
    kept = []
    for t in range(burn_in + draws * thinning):
        log_p = np.log(share) + np.log(precision) / 2 - precision * (y[:, None] - mu) ** 2 / 2
        p = np.exp(log_p - log_p.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        z = (p.cumsum(1) < rng.random((len(y), 1))).sum(1).clip(max=n - 1)
        if t >= burn_in and (t - burn_in) % thinning == 0:
            kept.append((p, z, mu))
        count, total = np.bincount(z, minlength=n), np.bincount(z, y, n)
        share = rng.dirichlet(1.0 + count)
        spread = 1 / (count * precision + 1 / variance)
        mu = spread * (total * precision + mean / variance) + np.sqrt(spread) * rng.normal(size=n)
        squares = np.bincount(z, (y - mu[z]) ** 2, n)
        precision = rng.gamma(2 + count / 2, 1 / (0.2 * variance / n + squares / 2))
        order = rng.permutation(n)
        mu, precision, share = mu[order], precision[order], share[order]
    return tuple(np.array(x) for x in zip(*kept, strict=True))


def sharp(draws, n, observations):
    """Shuffled draws of components so far apart that most probabilities are next to nothing."""
    rng = np.random.default_rng(0)
    center = 3.0 * np.arange(n)
    truth = rng.permutation(np.arange(observations) % n)
    y = center[truth] + 0.5 * rng.normal(size=observations)
    shuffle = rng.permuted(np.tile(np.arange(n), (draws, 1)), axis=1)
    mu = np.take_along_axis(center + 0.2 * rng.normal(size=(draws, n)), shuffle, -1)
    p = np.exp(-2 * np.square(y[None, :, None] - mu[:, None, :]))
    p /= p.sum(-1, keepdims=True)
    return {"mu": mu, "p": p, "z": p.argmax(-1), "y": y, "truth": truth}


# R's algorithms, plainly --------------------------------------------------------------------------


def by_turns(draws, n, cost_of, pivot_of, limit=100):
    """Permutations by turns in pivot and labels, begun with the labels as they are."""
    permutation, before = np.tile(np.arange(n), (draws, 1)), np.inf
    for _ in range(limit):
        pivot, total = pivot_of(permutation), 0.0
        for d in range(draws):
            cost = cost_of(pivot, d)
            permutation[d] = linear_sum_assignment(cost)[1]
            total += cost[np.arange(n), permutation[d]].sum()
        if before - total < 1e-6:
            break
        before = total
    return permutation


def plain_stephens(p):
    own = (p * np.log(np.maximum(p, TINY))).sum(1)

    def pivot_of(permutation):
        mean = np.take_along_axis(p, permutation[:, None, :], -1).mean(0)
        return np.log(np.maximum(mean, TINY))

    return by_turns(len(p), p.shape[-1], lambda at, d: own[d] - at.T @ p[d], pivot_of)


def plain_ecr(z, n, pivot_of):
    def cost_of(pivot, d):
        agree = np.zeros((n, n))
        np.add.at(agree, (pivot, z[d]), 1)
        return -agree

    return by_turns(len(z), n, cost_of, pivot_of)


def plain_iterative(z, n):
    def commonest(permutation):
        new = np.take_along_axis(np.argsort(permutation, -1), z, -1)
        return np.stack([(new == k).sum(0) for k in range(n)]).argmax(0)

    return plain_ecr(z, n, commonest)


def plain_soft(z, p):
    def likeliest(permutation):
        return np.take_along_axis(p, permutation[:, None, :], -1).mean(0).argmax(-1)

    return plain_ecr(z, p.shape[-1], likeliest)


# What both are judged by --------------------------------------------------------------------------


def divergence(p, permutation):
    """Summed over draws, of the mean relabeled probabilities from the draw's."""
    moved = np.take_along_axis(p, permutation[:, None, :], -1)
    log_mean = np.log(np.maximum(moved.mean(0), TINY))
    return float((moved * (np.log(np.maximum(moved, TINY)) - log_mean)).sum())


def disagreements(z, permutation):
    """With the commonest label of each observation."""
    new = np.take_along_axis(np.argsort(permutation, -1), z, -1)
    counts = np.stack([(new == k).sum(0) for k in range(permutation.shape[-1])])
    return int(z.size - counts.max(0).sum())


def unlikely(z, p, permutation):
    """With the likeliest label of each observation under the mean relabeled probabilities."""
    new = np.take_along_axis(np.argsort(permutation, -1), z, -1)
    mean = np.take_along_axis(p, permutation[:, None, :], -1).mean(0)
    return int((new != mean.argmax(-1)).sum())


def timed(work, repeats=1):
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        found = work()
        taken.append(time.process_time() - start)
    return found, round(float(np.median(taken)), 4)


def compare(case, draws, n, observations, components, distance):
    p, z, _ = gibbs(data(observations, components, distance), n, draws)
    rows = (
        ("stephens", lambda: stephens(p), lambda: plain_stephens(p), partial(divergence, p)),
        (
            "ecr_iterative",
            lambda: ecr_iterative(z, n),
            lambda: plain_iterative(z, n),
            partial(disagreements, z),
        ),
        ("ecr_soft", lambda: ecr_soft(z, p), lambda: plain_soft(z, p), partial(unlikely, z, p)),
    )
    for method, ours, plain, judge in rows:
        found, seconds = timed(ours)
        theirs, plain_seconds = timed(plain)
        say(
            **{
                "overlapping": case,
                "method": method,
                "draws": draws,
                "objective": round(judge(found.permutation), 1),
                "R's objective": round(judge(theirs), 1),
                "settled": found.settled,
                "seconds": seconds,
                "R's algorithm": plain_seconds,
            }
        )


def every_method(draws, n, observations, repeats):
    wide = sharp(draws, n, observations)
    for dtype in ("float32", "float64"):
        d = {**wide, "mu": wide["mu"].astype(dtype), "p": wide["p"].astype(dtype)}
        methods = {
            "ecr": lambda d=d: ecr(d["z"], d["truth"], n),
            "ecr_iterative": lambda d=d: ecr_iterative(d["z"], n),
            "ecr_soft": lambda d=d: ecr_soft(d["z"], d["p"]),
            "stephens": lambda d=d: stephens(d["p"]),
            "pivotal": lambda d=d: pivotal(d["mu"][..., None], d["mu"][0][:, None]),
            "data_based": lambda d=d: data_based(d["z"], d["y"], n),
            "ordering": lambda d=d: ordering(d["mu"]),
        }
        for method, work in methods.items():
            found, seconds = timed(work, repeats)
            moved = np.take_along_axis(d["mu"], found.permutation, -1)
            say(
                **{
                    "sharp posterior": f"{n} components",
                    "method": method,
                    "dtype": dtype,
                    "draws": draws,
                    "seconds": seconds,
                    "largest sd": round(float(moved.std(0).max()), 3),
                    "smallest sd before": round(float(d["mu"].std(0).min()), 1),
                }
            )


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    for case, (draws, *sizes) in CASES.items():
        compare(case, draws // 5 if quick else draws, *sizes)
    every_method(*(1000, 50, 200, 1) if quick else (10_000, 50, 200, 3))
