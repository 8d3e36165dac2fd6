"""A found symmetry without an exact section: the largest part that has one is folded, and said."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.infer import MCMC, NUTS

import numpyro_sym as nsym
from numpyro_sym import SymmetryError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(4, 3)).astype(np.float32), RNG.normal(size=4).astype(np.float32)


def normal(name, *shape):
    return numpyro.sample(name, dist.Normal(0, 1).expand(shape).to_event(len(shape)))


def fused_attention(x, y):
    """One matrix makes the queries, keys and values of two heads of two dimensions."""
    q, k, v = jnp.moveaxis((x @ normal("qkv", 3, 12)).reshape(-1, 3, 2, 2), 1, 0)
    weights = jax.nn.softmax(jnp.einsum("thd,shd->hts", q, k), -1)
    out = jnp.einsum("hts,shd->thd", weights, v).reshape(-1, 4)
    numpyro.sample("y", dist.Normal(out @ normal("o", 4), 1).to_event(1), obs=y)


def gram(y):
    """Rows and columns of one matrix, with signs that nothing else shows."""
    w = normal("w", 2, 3)
    numpyro.sample("y", dist.Normal(((w @ w.T) ** 2).sum(), 1).expand(y.shape).to_event(1), obs=y)


#: model, arguments, kinds of the units found, and of those folded. A head's sign is the product of
#: the signs of what stands in it.
MODELS = {
    "fused attention": (
        fused_attention,
        (X, Y),
        {"qkv": "permutation", "qkv_2": "signed", "qkv.sign": "signed"},
        {"qkv": "permutation", "qkv_2": "signed"},
    ),
    "gram": (gram, (Y,), {"w": "signed", "w_2": "signed"}, {"w": "permutation", "w_2": "signed"}),
}


def kinds_of(sym):
    return {u.name: u.kind for u in sym}


# In double precision: the two chains are compiled apart, and in single their last bits grow from
# draw to draw.
@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ["gram", pytest.param("fused attention", marks=pytest.mark.slow)])
def test_the_part_with_an_exact_section_is_folded_and_said(name, caplog):
    model, args, found, folded = MODELS[name]
    whole = nsym.find_symmetry(model, *args)
    assert kinds_of(whole) == found
    with pytest.raises(SymmetryError, match="no exact section"):
        MCMC(nsym.FoldedNUTS(model, whole), num_warmup=1, num_samples=1).run(
            jax.random.key(0), *args
        )

    draws = {}
    for make in (NUTS, nsym.FoldedNUTS):
        mcmc = MCMC(make(model), num_warmup=10, num_samples=20, progress_bar=False)
        mcmc.run(jax.random.key(0), *args)
        draws[make] = mcmc.get_samples()
    kernel = mcmc.sampler
    assert kinds_of(kernel.sym) == folded

    first, second = (r.getMessage() for r in caplog.records if r.name == "numpyro_sym")
    assert first.startswith("FoldedNUTS: no exact section reads all signs that were found (")
    assert all(f"{unit} (" in first for unit in found)
    assert second == f"FoldedNUTS: found in the model and used: {told_of(kernel)}."

    # A fold is constant on orbits: of each draw of NUTS, of its copies, and of the draw as it came
    # out.
    settle = jax.jit(jax.vmap(lambda sites: kernel.section.settle(sites)[1]))
    for copy in (draws[NUTS], draws[nsym.FoldedNUTS], *copies(kernel.sym, draws[NUTS])):
        again = settle(copy)
        for site, x in draws[nsym.FoldedNUTS].items():
            np.testing.assert_allclose(again[site], x, rtol=1e-9, atol=1e-9)
    moved = {
        site: np.abs(x - draws[NUTS][site]).max() for site, x in draws[nsym.FoldedNUTS].items()
    }
    assert max(moved.values()) > 0.1


def copies(sym, draws, count=8):
    """The draws, each moved by a random element."""
    size = len(next(iter(draws.values())))
    keys = jax.random.split(jax.random.key(1), count)
    return [sym.act(sym.sample(key, (size,)), draws) for key in keys]


def told_of(kernel):
    return repr(kernel).removeprefix("<FoldedNUTS: ").removesuffix(">")
