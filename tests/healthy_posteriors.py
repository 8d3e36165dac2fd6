"""Posteriors in which nothing is wrong but labels.

A case is a function of nothing that gives groups, the symmetry, and options of ``diagnose``.
"""

import numpy as np
from posteriors import CHAINS, DRAWS, MODELS, healthy, noise, relabel

HEALTHY = {}


def good(name):
    """Registers a change that leaves every model's posterior healthy."""

    def register(change):
        for model in MODELS:

            def case(model=model):
                groups, sym = healthy(model)
                options = change(groups, sym)
                return groups, sym, options or {}

            HEALTHY[f"{model}: {name}"] = case
        return change

    return register


@good("as it is")
def _(groups, sym):
    pass


@good("switched by chain")
def _(groups, sym):
    relabel(groups, sym)


@good("switched at every draw")
def _(groups, sym):
    relabel(groups, sym, each=True)


@good("no log likelihood")
def _(groups, sym):
    relabel(groups, sym)
    del groups["log_likelihood"]


@good("potential energy alone")
def _(groups, sym):
    groups["sample_stats"] = {"potential_energy": -groups["sample_stats"]["lp"]}
    del groups["log_likelihood"]


@good("what PyMC leaves unfilled")
def _(groups, sym):
    for name in ("smallest_eigval", "largest_eigval"):
        groups["sample_stats"][name] = np.full((CHAINS, DRAWS), np.nan)


@good("nothing invariant but what is outside")
def _(groups, sym):
    relabel(groups, sym)
    del groups["log_likelihood"], groups["sample_stats"]


@good("invariants named")
def _(groups, sym):
    relabel(groups, sym)
    return {"invariant": ["theta", "tau"]}


@good("single precision")
def _(groups, sym):
    relabel(groups, sym)
    for group in groups.values():
        for name, x in group.items():
            group[name] = x.astype(np.float32) if x.dtype.kind == "f" else x


@good("integers, flags, triangles and heavy tails outside")
def _(groups, sym):
    rng = np.random.default_rng(7)
    triangle = np.tril(noise(rng, 3, 3))
    triangle[..., 0, 0] = 1.0
    groups["posterior"] |= {
        "counts": rng.poisson(3.0, (CHAINS, DRAWS, 7)),
        "flags": rng.random((CHAINS, DRAWS, 4)) < 0.3,
        "triangle": triangle,
        "horseshoe": np.abs(rng.standard_cauchy((CHAINS, DRAWS, 6))),
    }


@good("rejections")
def _(groups, sym):
    """A third of the moves are refused: the draw before is kept, in every group."""
    refused = np.random.default_rng(3).random((CHAINS, DRAWS)) < 0.3
    refused[:, 0] = False
    kept = np.maximum.accumulate(np.where(refused, 0, np.arange(DRAWS)), axis=1)
    at = np.arange(CHAINS)[:, None]
    for group in groups.values():
        for name, x in group.items():
            group[name] = x[at, kept]


@good("as many entries that stay where they are")
def _(groups, sym):
    relabel(groups, sym, each=True)
    n = sym.units[0].n
    groups["posterior"]["nu"] = np.arange(n) + noise(np.random.default_rng(1), n)
    groups["posterior"]["table"] = noise(np.random.default_rng(2), n, 3)
    z = np.random.default_rng(3).random((CHAINS, DRAWS, 5, 1)) < np.arange(1, n) / n
    groups["posterior"]["z"] = z.sum(-1)


@good("order statistics")
def _(groups, sym):
    """Invariant, one for each unit, and in order."""
    relabel(groups, sym, each=True)
    first = np.abs(groups["posterior"][sym.sites[0]])
    groups["posterior"]["sorted"] = np.sort(
        first.reshape(CHAINS, DRAWS, -1, first.shape[-1]).sum(2)
    )


def fine(name):
    """Registers one healthy case."""

    def register(case):
        HEALTHY[name] = case
        return case

    return register


@fine("many observations")
def _():
    return *healthy("mixture", observations=800), {}


@fine("memory within chains")
def _():
    groups, sym = healthy("tanh", memory=0.5)
    relabel(groups, sym)
    return groups, sym, {}


@fine("two long chains")
def _():
    groups, sym = healthy("pair", chains=2, draws=2000)
    return groups, sym, {}


@fine("eight chains")
def _():
    groups, sym = healthy("mixture", chains=8)
    relabel(groups, sym)
    return groups, sym, {}


@fine("many predictions outside")
def _():
    groups, sym = healthy("mixture")
    theta = groups["posterior"]["theta"]
    groups["posterior"]["f"] = theta @ np.random.default_rng(2).normal(size=(5, 1500))
    return groups, sym, {}


@fine("energies and short trees")
def _():
    groups, sym = healthy("tanh")
    stats = groups["sample_stats"]
    stats["tree_depth"] = np.full((CHAINS, DRAWS), 5)
    stats["energy"] = -stats["lp"] + 0.5 * np.random.default_rng(4).chisquare(9, (CHAINS, DRAWS))
    stats["acceptance_rate"] = np.random.default_rng(5).random((CHAINS, DRAWS))
    stats["reached_max_treedepth"] = np.zeros((CHAINS, DRAWS), bool)
    return groups, sym, {}


@fine("labels of clear points")
def _():
    groups, sym = healthy("mixture")
    z = np.tile(np.arange(12) % 3, (CHAINS, DRAWS, 1))
    rng = np.random.default_rng(6)
    for point, chance in ((11, 0.4), (10, 0.05), (9, 0.003)):
        z[..., point] = rng.random((CHAINS, DRAWS)) < chance
    groups["posterior"]["z"] = z
    return groups, sym, {}


@fine("deep trees that may be deeper")
def _():
    groups, sym = healthy("pair")
    groups["sample_stats"]["tree_depth"] = np.full((CHAINS, DRAWS), 10)
    return groups, sym, {"max_tree_depth": 12}
