"""Networks on which alignment is measured: symmetry, shapes, and the wiring for the plain
algorithm.
"""

from __future__ import annotations

import jax
import numpy as np

from numpyro_sym import Element, Symmetry, Units, mlp


def dense(inputs, widths, outputs):
    """A multilayer perceptron."""
    dims = [inputs, *widths, outputs]
    weights = [f"w{i}" for i in range(len(dims) - 1)]
    biases = [f"b{i}" for i in range(len(widths))]
    sym = mlp(weights, widths, biases=biases)
    shapes = {w: (dims[i], dims[i + 1]) for i, w in enumerate(weights)} | {
        b: (dims[i + 1],) for i, b in enumerate(biases)
    }
    return sym, shapes


def residual(inputs=1, outputs=1, width=32, hidden=32, blocks=2):
    """A residual network: one stream of units that every block reads and writes."""
    stream = {"w_in": 1, "b_in": 0}
    readers = {"w_out": 0}
    inner = []
    shapes = {"w_in": (inputs, width), "b_in": (width,), "w_out": (width, outputs)}
    for i in range(blocks):
        stream |= {f"down{i}": 1, f"d{i}": 0}
        readers[f"up{i}"] = 0
        inner.append(
            Units(f"block{i}", hidden, incoming={f"up{i}": 1, f"u{i}": 0}, outgoing={f"down{i}": 0})
        )
        shapes |= {
            f"up{i}": (width, hidden),
            f"u{i}": (hidden,),
            f"down{i}": (hidden, width),
            f"d{i}": (width,),
        }
    return Symmetry([Units("stream", width, incoming=stream, outgoing=readers), *inner]), shapes


def wiring(sym):
    """For the plain algorithm: units -> list of (site, axis)."""
    return {u.name: [(site, a.axis) for site, axs in u.placements for a in axs] for u in sym}


def draws(network, batch, noise, seed):
    """A reference, draws near permuted copies of it (or unrelated: noise None), and the planted
    distances.
    """
    sym, shapes = network
    rng = np.random.default_rng(seed)
    reference = {site: rng.normal(size=shape) for site, shape in shapes.items()}
    if noise is None:
        return (
            reference,
            {site: rng.normal(size=(batch, *shape)) for site, shape in shapes.items()},
            None,
        )
    away = {site: noise * rng.normal(size=(batch, *shape)) for site, shape in shapes.items()}
    planted = np.sqrt(sum(np.square(a).reshape(batch, -1).sum(1) for a in away.values()))
    with jax.enable_x64(True):
        g = {
            n: Element(*map(np.asarray, e))
            for n, e in sym.sample(jax.random.key(seed), (batch,)).items()
        }
    return reference, sym.act(g, {site: reference[site] + a for site, a in away.items()}), planted
