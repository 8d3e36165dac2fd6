"""Posteriors of six symmetric models, as plain NumPy draws: ``{group: {name: array (chain, draw,
...)}}``.
"""

import numpy as np

import numpyro_sym as nsym

CHAINS, DRAWS = 4, 1000
PAIR = nsym.mixture(2, {"mu": 0})
MIXTURE = nsym.mixture(3, {"mu": 0, "weights": 0})
TANH = nsym.mlp(["w1", "w2"], [4], biases=["b1", None], kind="signed")
RELU = nsym.mlp(["w1", "w2"], [4], biases=["b1", None], kind="scaled")
STATES = nsym.hmm(3, transition="transition", initial="initial", emissions={"mu": 0})
FACTORS = nsym.Symmetry(
    [nsym.Units("factor", 2, incoming={"loadings": 1}, outgoing={"scores": 1}, kind="signed")]
)


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
    loc = {
        "w1": plan.normal(size=(3, 4)),
        "b1": plan.normal(size=4),
        "w2": plan.normal(size=(4, 2)),
    }
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


def healthy(name="mixture", seed=0, observations=8, **kwargs):
    """Groups of a healthy posterior and its symmetry: a tail of nuisances, a likelihood of all of
    it.
    """
    rng = np.random.default_rng(seed)
    make, sym = MODELS[name]
    posterior = make(rng, **kwargs)
    posterior["theta"] = 2 + noise(rng, 5, **kwargs)
    posterior["tau"] = np.exp(0.3 * noise(rng, **kwargs))
    rows = np.random.default_rng(1).normal(size=(observations, 5))
    f = posterior["theta"] @ rows.T
    each = (
        -0.5 * (np.sin(np.arange(observations)) - f) ** 2 / 10 - np.log(posterior["tau"])[..., None]
    )
    stats = {
        "lp": each.sum(-1) - 0.5 * (posterior["theta"] ** 2).sum(-1),
        "diverging": np.zeros(each.shape[:2], bool),
        "n_steps": rng.choice([3, 7], each.shape[:2]),
    }
    return {"posterior": posterior, "sample_stats": stats, "log_likelihood": {"y": each}}, sym


def act(groups, sym, permutations, factors=None):
    """The same draws under other labels: ``permutations`` of shape ``(chain, draw, n)`` for each
    units.
    """
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
