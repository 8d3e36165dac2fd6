"""Posteriors that are broken in one way each.

A case is a function of nothing that gives groups, the symmetry, and options of ``diagnose``.
"""

import numpy as np
from posteriors import CHAINS, DRAWS, healthy, noise, relabel

BROKEN = {}


def bad(name, model="mixture", told="", **kwargs):
    """Registers what breaks a posterior, and what the findings must say of it."""

    def register(change):
        def case():
            groups, sym = healthy(model, **kwargs)
            options = change(groups, sym)
            return groups, sym, options or {}

        BROKEN[name] = (case, told)
        return change

    return register


# Sites outside the symmetry


@bad("theta at +-2", told="theta")
def _(groups, sym):
    groups["posterior"]["theta"][:2] += 4


@bad("theta at +-2, labels switched", told="theta")
def _(groups, sym):
    relabel(groups, sym)
    groups["posterior"]["theta"][:2, :, 3] += 4


@bad("theta a little apart", told="theta")
def _(groups, sym):
    groups["posterior"]["theta"][1, :, 2] += 0.5


@bad("theta apart by a fifth", told="theta")
def _(groups, sym):
    groups["posterior"]["theta"][1, :, 2] += 0.25


@bad("a site of NaN", told="NaN or infinite values in tau")
def _(groups, sym):
    groups["posterior"]["tau"][:] = np.nan


@bad("one NaN", told="NaN or infinite values in theta")
def _(groups, sym):
    groups["posterior"]["theta"][2, 17, 4] = np.nan


@bad("one infinity", told="NaN or infinite values in tau")
def _(groups, sym):
    groups["posterior"]["tau"][3, 900] = np.inf


@bad("a NaN among thousands", told="NaN or infinite values in f")
def _(groups, sym):
    groups["posterior"]["f"] = noise(np.random.default_rng(0), 1200)
    groups["posterior"]["f"][0, 0, 611] = np.nan


@bad("one of thousands apart", told="R-hat of f")
def _(groups, sym):
    groups["posterior"]["f"] = noise(np.random.default_rng(0), 1200)
    groups["posterior"]["f"][2, :, 611] += 2


@bad("a hyper-scale that disagrees", told="tau")
def _(groups, sym):
    groups["posterior"]["tau"][3] *= 2


@bad("another pair that switches", told="nu")
def _(groups, sym):
    nu = np.array([-3.0, 3.0]) + 0.2 * noise(np.random.default_rng(0), 2)
    nu[1::2] = nu[1::2, :, ::-1]
    groups["posterior"]["nu"] = nu


@bad("another pair that switches, of as many units", "pair", told="nu")
def _(groups, sym):
    relabel(groups, sym)
    nu = np.array([-3.0, 3.0]) + 0.2 * noise(np.random.default_rng(0), 2)
    nu[2:] = nu[2:, :, ::-1]
    groups["posterior"]["nu"] = nu


@bad("a twin that switches in step", "pair", told="nu follows the labels of component")
def _(groups, sym):
    groups["posterior"]["nu"] = 1.5 * groups["posterior"]["mu"]
    for name in ("mu", "nu"):
        groups["posterior"][name][2:] = groups["posterior"][name][2:, :, ::-1]


@bad("labels of points in step", told="z follows the labels of component")
def _(groups, sym):
    z = np.tile(np.arange(12) % 3, (CHAINS, DRAWS, 1))
    for name in sym.sites:
        groups["posterior"][name][2:] = groups["posterior"][name][2:, :, [1, 2, 0]]
    z[2:] = np.array([2, 0, 1])[z[2:]]
    groups["posterior"]["z"] = z


@bad("signed twin in step", "tanh", told="mask follows the labels of hidden")
def _(groups, sym):
    groups["posterior"]["mask"] = 3 + 0.1 * noise(np.random.default_rng(0), 4)
    for name in ("w1", "b1", "w2", "mask"):
        groups["posterior"][name][2:] *= -1


@bad("counts that disagree", told="counts")
def _(groups, sym):
    rng = np.random.default_rng(0)
    groups["posterior"]["counts"] = rng.poisson(
        [[[2.0]], [[2.0]], [[2.0]], [[4.0]]], (CHAINS, DRAWS, 2)
    )


@bad("a flag that disagrees", told="flag")
def _(groups, sym):
    rng = np.random.default_rng(0)
    chance = np.array([0.2, 0.2, 0.7, 0.2])[:, None]
    groups["posterior"]["flag"] = rng.random((CHAINS, DRAWS)) < chance


@bad("complex numbers", told="hold no real numbers")
def _(groups, sym):
    groups["posterior"]["wave"] = noise(np.random.default_rng(0)) * 1j


@bad("memory outside", told="tau")
def _(groups, sym):
    groups["posterior"]["tau"] = noise(np.random.default_rng(0), memory=0.98)


@bad("some memory outside", told="not enough draws: bulk ESS of tau")
def _(groups, sym):
    groups["posterior"]["tau"] = noise(np.random.default_rng(3), memory=0.9)


@bad("two modes visited seldom", told="tau")
def _(groups, sym):
    which = (np.cumsum(np.random.default_rng(0).random((CHAINS, DRAWS)) < 0.004, 1) % 2).astype(
        float
    )
    groups["posterior"]["tau"] = noise(np.random.default_rng(1)) + 6 * which


@bad("tails that disagree", told="tau")
def _(groups, sym):
    x = noise(np.random.default_rng(0))
    x[2] = np.clip(x[2], -0.8, 0.8)
    groups["posterior"]["tau"] = x


# Functions of the draws


@bad("another functional mode", told="another functional mode in chain 3")
def _(groups, sym):
    groups["log_likelihood"]["y"][3] -= 30


@bad(
    "one observation of a thousand apart",
    told="another functional mode in chain 3",
    observations=1000,
)
def _(groups, sym):
    y = groups["log_likelihood"]["y"]
    y[3, :, 137] += 9 * y[..., 137].std()
    y[3, :, 138] -= 9 * y[..., 137].std()


@bad("one observation of thousands a little apart", told="each y", observations=3000)
def _(groups, sym):
    y = groups["log_likelihood"]["y"]
    y[2, :, 777] += 0.5 * y[..., 777].std()


@bad("one observation with half the variance", told="each y", observations=1000)
def _(groups, sym):
    y = groups["log_likelihood"]["y"]
    y[..., 777] = noise(np.random.default_rng(0))
    y[1, :, 777] *= 0.5


@bad("one observation that moves slowly", told="mixing badly", observations=1000)
def _(groups, sym):
    groups["log_likelihood"]["y"][..., 777] = noise(np.random.default_rng(0), memory=0.98)


@bad("one observation is NaN", told="NaN or infinite", observations=1000)
def _(groups, sym):
    groups["log_likelihood"]["y"][0, 5, 777] = np.nan


@bad("one observation is impossible", told="NaN or infinite", observations=1000)
def _(groups, sym):
    groups["log_likelihood"]["y"][0, 5, 777] = -np.inf


@bad("lp apart beside a log likelihood that is not", told="another functional mode")
def _(groups, sym):
    groups["sample_stats"]["lp"][2] += 20


@bad("potential energy apart", told="potential_energy")
def _(groups, sym):
    energy = -groups["sample_stats"].pop("lp")
    energy[2] += 0.6 * energy.std()
    groups["sample_stats"]["potential_energy"] = energy


@bad("lp is NaN once", told="NaN or infinite")
def _(groups, sym):
    groups["sample_stats"]["lp"][2, 5] = np.nan


@bad("lp is infinite once", told="NaN or infinite")
def _(groups, sym):
    groups["sample_stats"]["lp"][2, 5] = -np.inf


@bad("lp never changes", told="lp")
def _(groups, sym):
    groups["sample_stats"]["lp"][:] = -3.0


@bad("log likelihood never changes", told="log_likelihood")
def _(groups, sym):
    groups["log_likelihood"]["y"][:] = -1.0


@bad("log likelihood never changes, and there is nothing else", told="never change")
def _(groups, sym):
    groups["log_likelihood"]["y"][:] = -1.0
    del groups["sample_stats"]


@bad("Cauchy log likelihood", told="log_likelihood has tails too heavy")
def _(groups, sym):
    groups["log_likelihood"]["y"][..., 0] = np.random.default_rng(0).standard_cauchy(
        (CHAINS, DRAWS)
    )


@bad("Cauchy lp", told="lp has tails too heavy")
def _(groups, sym):
    groups["sample_stats"]["lp"] = np.random.default_rng(0).standard_cauchy((CHAINS, DRAWS))


@bad("log likelihood of two chains", told="another run: log_likelihood has 2 chains")
def _(groups, sym):
    groups["log_likelihood"]["y"] = groups["log_likelihood"]["y"][:2]


@bad("log likelihood of fewer draws", told="another run: log_likelihood has 500 draws")
def _(groups, sym):
    groups["log_likelihood"]["y"] = groups["log_likelihood"]["y"][:, :500]


@bad("log likelihood of two chains and nothing else", told="no invariant functions")
def _(groups, sym):
    groups["log_likelihood"]["y"] = groups["log_likelihood"]["y"][:2]
    del groups["sample_stats"]
    groups["posterior"] = {n: x for n, x in groups["posterior"].items() if n in sym.sites}


@bad("statistics of other chains", told="another run: sample_stats has 3 chains")
def _(groups, sym):
    groups["sample_stats"] = {n: x[:3] for n, x in groups["sample_stats"].items()}


@bad("a named invariant is blind, theta disagrees", told="theta")
def _(groups, sym):
    groups["posterior"]["blind"] = noise(np.random.default_rng(0))
    groups["posterior"]["theta"][1] += 3
    return {"invariant": "blind"}


@bad("a named invariant is constant, theta disagrees", told="theta")
def _(groups, sym):
    groups["posterior"]["blind"] = np.ones((CHAINS, DRAWS))
    groups["posterior"]["theta"][1] += 3
    return {"invariant": "blind"}


@bad("a named invariant is blind, the log likelihood disagrees", told="another functional mode")
def _(groups, sym):
    groups["log_likelihood"]["y"][3] -= 30
    return {"invariant": "tau"}


@bad("a named invariant is blind, lp disagrees", told="another functional mode")
def _(groups, sym):
    groups["sample_stats"]["lp"][3] -= 300
    return {"invariant": "tau"}


# What the sampler says


@bad("one divergence", told="divergences: 1 of 4000")
def _(groups, sym):
    groups["sample_stats"]["diverging"][2, 7] = True


@bad("many divergences, labels switched", told="divergences")
def _(groups, sym):
    relabel(groups, sym)
    groups["sample_stats"]["diverging"][:, ::10] = True


@bad("trees of depth ten", told="largest tree depth")
def _(groups, sym):
    groups["sample_stats"]["tree_depth"] = np.full((CHAINS, DRAWS), 10)


@bad("1023 steps", told="largest tree depth")
def _(groups, sym):
    groups["sample_stats"]["n_steps"][:, ::3] = 1023


@bad("flagged trees", told="largest tree depth")
def _(groups, sym):
    flags = np.zeros((CHAINS, DRAWS), bool)
    flags[0, ::5] = True
    groups["sample_stats"]["reached_max_treedepth"] = flags


@bad("trees as deep as they may be", told="largest tree depth")
def _(groups, sym):
    groups["sample_stats"]["n_steps"][:, ::3] = 255
    return {"max_tree_depth": 8}


@bad("acceptance is NaN", told="NaN or infinite values in acceptance_rate")
def _(groups, sym):
    rate = np.ones((CHAINS, DRAWS))
    rate[1, 4] = np.nan
    groups["sample_stats"]["acceptance_rate"] = rate


@bad("energies in small steps", told="E-BFMI")
def _(groups, sym):
    groups["sample_stats"]["energy"] = noise(np.random.default_rng(0), memory=0.9)


# Draws that do not move


@bad("tau is frozen", told="never moves: tau")
def _(groups, sym):
    groups["posterior"]["tau"][:] = 0.7


@bad("an entry of theta is frozen", told="never moves: theta")
def _(groups, sym):
    groups["posterior"]["theta"][..., 2] = 0.7


@bad("all means are frozen", told="never moves: mu")
def _(groups, sym):
    groups["posterior"]["mu"][:] = [-4.0, 0.5, 4.0]


@bad("one mean is frozen", told="never moves: mu")
def _(groups, sym):
    groups["posterior"]["mu"][..., 1] = 0.25


@bad("one mean is frozen, labels switch", told="never moves: mu")
def _(groups, sym):
    groups["posterior"]["mu"][..., 1] = 0.25
    relabel(groups, sym, each=True)


@bad("tau is frozen in a chain", told="tau")
def _(groups, sym):
    groups["posterior"]["tau"][2] = groups["posterior"]["tau"][2, 0]


@bad("tau is frozen in a chain, where the others' middle is", told="tau")
def _(groups, sym):
    groups["posterior"]["tau"] = noise(np.random.default_rng(0), chains=16)[:4]
    groups["posterior"]["tau"][2] = 0.6745


@bad("a chain is frozen", told="mixing badly in chain 2")
def _(groups, sym):
    for group in groups.values():
        for x in group.values():
            x[2] = x[2, :1]


@bad("every chain is frozen", told="mixing badly")
def _(groups, sym):
    for group in groups.values():
        for x in group.values():
            x[:] = x[:, :1]


@bad("all chains are frozen at one point", told="never")
def _(groups, sym):
    for group in groups.values():
        for x in group.values():
            x[:] = x[:1, :1]


@bad("a chain stops half way", told="")
def _(groups, sym):
    for group in groups.values():
        for x in group.values():
            x[2, 500:] = x[2, 500]


# Draws that were had before


@bad("a chain is another's copy", told="copies: chains 0 and 2 share draws")
def _(groups, sym):
    for group in groups.values():
        for x in group.values():
            x[2] = x[0]


@bad("all chains are one", told="copies: chains 0, 1, 2 and 3 share draws")
def _(groups, sym):
    for group in groups.values():
        for x in group.values():
            x[:] = x[:1]


@bad("all chains are one, relabeled", told="copies: chains 0, 1, 2 and 3 share draws")
def _(groups, sym):
    for group in groups.values():
        for x in group.values():
            x[:] = x[:1]
    relabel(groups, sym)


@bad("copies with other signs", "tanh", told="copies: chains 0 and 1 share draws")
def _(groups, sym):
    for group in groups.values():
        for x in group.values():
            x[1] = x[0]
    relabel(groups, sym, each=True)


@bad("copies with a little noise", told="copies: chains 0 and 2 move together")
def _(groups, sym):
    rng = np.random.default_rng(0)
    for group in groups.values():
        for x in group.values():
            if x.dtype.kind == "f":
                x[2] = x[0] + 1e-3 * x.std() * rng.normal(size=x[0].shape)
    relabel(groups, sym)


@bad("theta is copied alone", told="copies: chains 1 and 3 move together")
def _(groups, sym):
    groups["posterior"]["theta"][3] = groups["posterior"]["theta"][1]


@bad("a mirrored copy of theta", told="copies: chains 1 and 3 move together")
def _(groups, sym):
    groups["posterior"]["theta"][3] = 4 - groups["posterior"]["theta"][1]


@bad("a copy in another order", told="copies: chains 1 and 3 share draws")
def _(groups, sym):
    order = np.random.default_rng(0).permutation(DRAWS)
    for group in groups.values():
        for x in group.values():
            x[3] = x[1, order]


@bad("a copy some steps later", told="copies: chains 0 and 1 share draws")
def _(groups, sym):
    for group in groups.values():
        for x in group.values():
            x[1, 100:] = x[0, :-100]


@bad("a tenth is copied", told="copies: chains 0 and 1 share draws")
def _(groups, sym):
    for group in groups.values():
        for x in group.values():
            x[1, :100] = x[0, :100]


@bad("every draw twice", told="copies: draws come again")
def _(groups, sym):
    for group in groups.values():
        for x in group.values():
            x[:, 500:] = x[:, :500]


@bad("every draw ten times, relabeled", told="copies: draws come again")
def _(groups, sym):
    for group in groups.values():
        for x in group.values():
            x[:] = np.concatenate([x[:, :100]] * 10, 1)
    relabel(groups, sym, each=True)


@bad("five draws over and over in all chains", told="copies")
def _(groups, sym):
    for group in groups.values():
        for x in group.values():
            x[:] = np.concatenate([x[:1, :5]] * 200, 1)


# Scales


@bad("scales that differ between chains", "relu", told="scale of hidden")
def _(groups, sym):
    rescale(groups, np.array([1.0, 1.0, 3.0, 3.0])[:, None, None] * np.ones((CHAINS, DRAWS, 4)))


@bad("a scale that wanders", "relu", told="scale of hidden")
def _(groups, sym):
    walk = 0.8 * noise(np.random.default_rng(0), memory=0.995)
    rescale(groups, np.exp(walk)[..., None] * np.array([1.0, 0, 0, 0]) + np.array([0, 1.0, 1, 1]))


@bad("scales that differ, labels switched", "relu", told="scale of hidden")
def _(groups, sym):
    rescale(groups, np.array([1.0, 1.0, 3.0, 3.0])[:, None, None] * np.ones((CHAINS, DRAWS, 4)))
    relabel(groups, sym)


def rescale(groups, scale):
    posterior = groups["posterior"]
    posterior["w1"] *= scale[..., None, :]
    posterior["b1"] *= scale
    posterior["w2"] /= scale[..., None]


# Small disagreements


@bad("a chain with half the variance", told="log_likelihood")
def _(groups, sym):
    total = noise(np.random.default_rng(0))
    total[2] *= np.sqrt(0.5)
    groups["log_likelihood"] = {"y": total}


@bad("tau with half the standard deviation in a chain", told="tau")
def _(groups, sym):
    groups["posterior"]["tau"] = noise(np.random.default_rng(0))
    groups["posterior"]["tau"][2] *= 0.5


@bad("means with half the standard deviation in a chain", told="mu")
def _(groups, sym):
    mu = groups["posterior"]["mu"]
    mu[2] = (mu[2] + np.array([-4.0, 0, 4])) / 2
    relabel(groups, sym)


@bad("a drift of .6 standard deviations", told="tau")
def _(groups, sym):
    groups["posterior"]["tau"] = noise(np.random.default_rng(0)) + np.linspace(-0.3, 0.3, DRAWS)


@bad("a drift of .6 standard deviations in one chain", told="drift")
def _(groups, sym):
    groups["posterior"]["tau"] = noise(np.random.default_rng(0))
    groups["posterior"]["tau"][3] += np.linspace(-0.3, 0.3, DRAWS)


@bad("means that drift, labels switched", told="mu")
def _(groups, sym):
    groups["posterior"]["mu"] += 0.2 * np.linspace(-0.3, 0.3, DRAWS)[:, None]
    relabel(groups, sym, each=True)


@bad("a log likelihood that drifts", told="log_likelihood")
def _(groups, sym):
    total = noise(np.random.default_rng(0)) + np.linspace(-0.3, 0.3, DRAWS)
    groups["log_likelihood"] = {"y": total}


# What was seen before


@bad("one chain", told="one chain", chains=1)
def _(groups, sym):
    pass


@bad("forty draws", told="not enough draws", draws=40)
def _(groups, sym):
    pass


@bad("chains that mix slowly", told="", memory=0.98)
def _(groups, sym):
    pass


@bad("signs that are not named", "pair", told="same functions, other weights")
def _(groups, sym):
    groups["posterior"]["mu"] += 1
    groups["posterior"]["mu"][2] *= -1


@bad("units that are alike", "pair", told="ambiguous")
def _(groups, sym):
    groups["posterior"]["mu"] = 0.2 * noise(np.random.default_rng(0), 2)


# Averages over labels: what follows labels that change within chains, where no R-hat is bad


@bad("a twin that is averaged over labels", told="nu follows the labels of component")
def _(groups, sym):
    relabel(groups, sym, each=True)
    groups["posterior"]["nu"] = 1.5 * groups["posterior"]["mu"]


@bad("one that follows labels a little", told="nu follows the labels of component")
def _(groups, sym):
    relabel(groups, sym, each=True)
    loud = noise(np.random.default_rng(0), 3)
    groups["posterior"]["nu"] = 0.1 * groups["posterior"]["mu"] + loud


@bad("a table with a row for each state", "states", told="rows follows the labels of state")
def _(groups, sym):
    relabel(groups, sym, each=True)
    level = groups["posterior"]["mu"][..., None]
    groups["posterior"]["rows"] = level + noise(np.random.default_rng(0), 3, 7)


@bad("signs that are averaged", "tanh", told="mask follows the labels of hidden")
def _(groups, sym):
    relabel(groups, sym, each=True)
    sign = np.sign(groups["posterior"]["w2"][..., 0])
    groups["posterior"]["mask"] = sign * (3 + 0.1 * noise(np.random.default_rng(0), 4))


@bad("labels of points at every draw", told="z follows the labels of component")
def _(groups, sym):
    relabel(groups, sym, each=True)
    slot = np.argsort(np.argsort(groups["posterior"]["mu"], -1), -1)
    # The component of a point is the one whose mean has the point's rank.
    groups["posterior"]["z"] = np.argsort(slot, -1)[..., np.arange(12) % 3]


@bad("named as invariant, and averaged", told="nu follows the labels of component")
def _(groups, sym):
    relabel(groups, sym, each=True)
    groups["posterior"]["nu"] = groups["posterior"]["mu"] + 5
    return {"invariant": "nu"}


# Draws before the chains have settled


@bad("a few draws of burn-in, very far away", told="burn-in: chains 0, 1, 2 and 3")
def _(groups, sym):
    groups["posterior"]["theta"][:, :5] += 100


@bad("burn-in of a site outside", told="chains drift or lie apart in theta")
def _(groups, sym):
    groups["posterior"]["theta"][:, :20] += 10 * np.linspace(1, 0, 20)[:, None]


@bad("burn-in of everything", told="burn-in: chains 0, 1, 2 and 3")
def _(groups, sym):
    relabel(groups, sym)
    groups["posterior"]["mu"][:, :10] += 20
    groups["log_likelihood"]["y"][:, :10] -= 20
    groups["sample_stats"]["lp"][:, :10] -= 160


# A few draws elsewhere


@bad("one chain elsewhere for a moment", told="chains drift or lie apart in theta")
def _(groups, sym):
    groups["posterior"]["theta"][1, 500:520, 2] += 8


@bad("ten draws of one chain very far away", told="chains drift or lie apart in tau")
def _(groups, sym):
    groups["posterior"]["tau"][2, 633:643] += 1000


@bad("a unit elsewhere for a moment", told="chains drift or lie apart in mu")
def _(groups, sym):
    relabel(groups, sym)
    groups["posterior"]["mu"][1, 500:520] += 2.0


@bad("predictions elsewhere for a moment", told="chains drift or lie apart")
def _(groups, sym):
    groups["log_likelihood"]["y"][3, 200:225] -= 8
