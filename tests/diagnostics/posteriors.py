"""A catalogue of posteriors, healthy and broken in one way each, as plain NumPy draws.

A case is a function of nothing that gives groups ``{group: {name: array (chain, draw, ...)}}``, the
symmetry, and options of ``diagnose``.
"""

import numpy as np

import numpyro_sym as nsym

CHAINS, DRAWS = 4, 1000
PAIR = nsym.mixture(2, {"mu": 0})
MIXTURE = nsym.mixture(3, {"mu": 0, "weights": 0})
TANH = nsym.mlp(["w1", "w2"], [4], biases=["b1", None], kind="signed")
RELU = nsym.mlp(["w1", "w2"], [4], biases=["b1", None], kind="scaled")
STATES = nsym.hmm(3, transition="transition", initial="initial", emissions={"mu": 0})
FACTORS = nsym.Symmetry([nsym.Units("factor", 2, incoming={"loadings": 1}, outgoing={"scores": 1}, kind="signed")])

HEALTHY, BROKEN = {}, {}


def noise(rng, *shape, memory=0.0, chains=CHAINS, draws=DRAWS):
    """Standard normal numbers, autoregressive along the draws."""
    x = rng.normal(size=(chains, draws, *shape))
    for i in range(1, draws if memory else 0):
        x[:, i] = memory * x[:, i - 1] + np.sqrt(1 - memory**2) * x[:, i]
    return x


def simplex(rng, loc, **kwargs):
    """Points near a point of a simplex."""
    x = np.log(loc) + 0.1 * noise(rng, *np.shape(loc), **kwargs)
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def pair(rng, **kwargs):
    return {"mu": np.array([-3.0, 3.0]) + 0.2 * noise(rng, 2, **kwargs)}


def mixture(rng, **kwargs):
    return {
        "mu": np.array([-4.0, 0.0, 4.0]) + 0.2 * noise(rng, 3, **kwargs),
        "weights": simplex(rng, [0.6, 0.2, 0.2], **kwargs),
    }


def network(rng, **kwargs):
    """Weights of four hidden units, well apart."""
    plan = np.random.default_rng(8)
    loc = {"w1": plan.normal(size=(3, 4)), "b1": plan.normal(size=4), "w2": plan.normal(size=(4, 2))}
    return {name: 3 * x + 0.1 * noise(rng, *x.shape, **kwargs) for name, x in loc.items()}


def states(rng, **kwargs):
    return {
        "transition": simplex(rng, 0.1 + 0.7 * np.eye(3), **kwargs),
        "initial": simplex(rng, [0.5, 0.3, 0.2], **kwargs),
        "mu": np.array([-3.0, 0.0, 3.0]) + 0.1 * noise(rng, 3, **kwargs),
    }


def factors(rng, **kwargs):
    plan = np.random.default_rng(9)
    return {
        "loadings": 2 * plan.normal(size=(5, 2)) + 0.1 * noise(rng, 5, 2, **kwargs),
        "scores": 2 * plan.normal(size=(6, 2)) + 0.1 * noise(rng, 6, 2, **kwargs),
    }


MODELS = {
    "pair": (pair, PAIR),
    "mixture": (mixture, MIXTURE),
    "tanh": (network, TANH),
    "relu": (network, RELU),
    "states": (states, STATES),
    "factors": (factors, FACTORS),
}


def healthy(name="mixture", seed=0, observations=20, **kwargs):
    """Groups of a healthy posterior and its symmetry: a tail of nuisances, a likelihood of all of it."""
    rng = np.random.default_rng(seed)
    make, sym = MODELS[name]
    posterior = make(rng, **kwargs)
    posterior["theta"] = 2 + noise(rng, 5, **kwargs)
    posterior["tau"] = np.exp(0.3 * noise(rng, **kwargs))
    rows = np.random.default_rng(1).normal(size=(observations, 5))
    f = posterior["theta"] @ rows.T
    each = -0.5 * (np.sin(np.arange(observations)) - f) ** 2 / 10 - np.log(posterior["tau"])[..., None]
    stats = {
        "lp": each.sum(-1) - 0.5 * (posterior["theta"] ** 2).sum(-1),
        "diverging": np.zeros(each.shape[:2], bool),
        "n_steps": rng.choice([3, 7], each.shape[:2]),
    }
    return {"posterior": posterior, "sample_stats": stats, "log_likelihood": {"y": each}}, sym


def act(groups, sym, permutations, factors=None):
    """The same draws under other labels: ``permutations`` of shape ``(chain, draw, n)`` for each units."""
    g = {}
    for u in sym:
        p = permutations[u.name]
        f = np.ones(p.shape) if factors is None else factors[u.name]
        g[u.name] = nsym.Element(p, f)
    moved = sym.act(g, {site: groups["posterior"][site] for site in sym.sites})
    groups["posterior"] |= {site: np.asarray(x) for site, x in moved.items()}


def relabel(groups, sym, each=False, seed=5):
    """Labels drawn at random, one for a chain or one for each draw; signs too."""
    rng = np.random.default_rng(seed)
    some = groups["posterior"][sym.sites[0]]
    shape = some.shape[:2] if each else (len(some), 1)
    permutations, factors = {}, {}
    for u in sym:
        p = rng.permuted(np.tile(np.arange(u.n), (*shape, 1)), axis=-1)
        s = rng.choice([-1.0, 1.0], p.shape) if u.kind == "signed" else np.ones(p.shape)
        if not each:
            p[0], s[0] = np.arange(u.n), 1.0
            p[1] = np.roll(np.arange(u.n), 1)
        permutations[u.name] = np.broadcast_to(p, (*some.shape[:2], u.n))
        factors[u.name] = np.broadcast_to(s, (*some.shape[:2], u.n))
    act(groups, sym, permutations, factors)


# Healthy ------------------------------------------------------------------------------------


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


def fine(name):
    """Registers one healthy case."""

    def register(case):
        HEALTHY[name] = case
        return case

    return register


@fine("many observations")
def _():
    return *healthy("mixture", observations=2000), {}


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
    z[..., 11] = np.random.default_rng(6).random((CHAINS, DRAWS)) < 0.4
    groups["posterior"]["z"] = z
    return groups, sym, {}


@fine("deep trees that may be deeper")
def _():
    groups, sym = healthy("pair")
    groups["sample_stats"]["tree_depth"] = np.full((CHAINS, DRAWS), 10)
    return groups, sym, {"max_tree_depth": 12}


# Broken -------------------------------------------------------------------------------------


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
    mu = groups["posterior"]["mu"]
    mu[2:] = mu[2:, :, [1, 2, 0]]
    z[2:] = np.array([2, 0, 1])[z[2:]]
    groups["posterior"]["z"] = z


@bad("signed twin in step", "tanh", told="mask follows the labels of hidden")
def _(groups, sym):
    groups["posterior"]["mask"] = 3 * np.ones(4) + 0.1 * noise(np.random.default_rng(0), 4)
    sites = {**{n: (a[0].axis) for n, a in sym.units[0].axes.items()}}
    groups["posterior"]["w1"][2:] *= -1
    groups["posterior"]["b1"][2:] *= -1
    groups["posterior"]["w2"][2:] *= -1
    groups["posterior"]["mask"][2:] *= -1
    assert sites


@bad("counts that disagree", told="counts")
def _(groups, sym):
    rng = np.random.default_rng(0)
    groups["posterior"]["counts"] = rng.poisson([[[2.0]], [[2.0]], [[2.0]], [[4.0]]], (CHAINS, DRAWS, 2))


@bad("a flag that disagrees", told="flag")
def _(groups, sym):
    rng = np.random.default_rng(0)
    chance = np.array([0.2, 0.2, 0.7, 0.2])[:, None]
    groups["posterior"]["flag"] = rng.random((CHAINS, DRAWS)) < chance


@bad("complex numbers", told="hold no real numbers")
def _(groups, sym):
    groups["posterior"]["wave"] = noise(np.random.default_rng(0)) * 1j


@bad("memory outside", told="not enough draws")
def _(groups, sym):
    groups["posterior"]["tau"] = noise(np.random.default_rng(0), memory=0.98)


@bad("two modes visited seldom", told="tau")
def _(groups, sym):
    which = (np.cumsum(np.random.default_rng(0).random((CHAINS, DRAWS)) < 0.004, 1) % 2).astype(float)
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


@bad("one observation of a thousand apart", told="another functional mode in chain 3", observations=1000)
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


@bad("one observation that moves slowly", told="each y", observations=1000)
def _(groups, sym):
    groups["log_likelihood"]["y"][..., 777] = noise(np.random.default_rng(0), memory=0.98)


@bad("one observation is NaN", told="NaN or infinite", observations=1000)
def _(groups, sym):
    groups["log_likelihood"]["y"][0, 5, 777] = np.nan


@bad("one observation is impossible", told="NaN or infinite", observations=1000)
def _(groups, sym):
    groups["log_likelihood"]["y"][0, 5, 777] = -np.inf


@bad("lp apart beside a log likelihood that is not", told="lp")
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
    groups["log_likelihood"]["y"][..., 0] = np.random.default_rng(0).standard_cauchy((CHAINS, DRAWS))


@bad("Cauchy lp", told="lp has tails too heavy")
def _(groups, sym):
    groups["sample_stats"]["lp"] = np.random.default_rng(0).standard_cauchy((CHAINS, DRAWS))


@bad("log likelihood of two chains", told="another run: log_likelihood has 2 chains")
def _(groups, sym):
    groups["log_likelihood"]["y"] = groups["log_likelihood"]["y"][:2]


@bad("log likelihood of fewer draws", told="another run: log_likelihood has 500 draws")
def _(groups, sym):
    groups["log_likelihood"]["y"] = groups["log_likelihood"]["y"][:, :500]


@bad("log likelihood of two chains and nothing else", told="another run")
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


@bad("tau is frozen in a chain, where the others' middle is", told="stuck in single chains: tau")
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


@bad("all chains are one, relabelled", told="copies: chains 0, 1, 2 and 3 share draws")
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


@bad("every draw ten times, relabelled", told="copies: draws come again")
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
