"""Symmetries of every wiring, each with its sites' shapes: the registry the laws run over."""

from __future__ import annotations

import jax
import numpy as np

from numpyro_sym import Axis, Element, Symmetry, Units, factor_model, hmm, mixture, mlp


def _residual(blocks: int = 2, width: int = 4, hidden: int = 3) -> tuple[Symmetry, dict]:
    stream: dict = {"w_in": 1, "b_in": 0}
    readers: dict = {"w_out": 0}
    inner = []
    shapes: dict = {"w_in": (1, width), "b_in": (width,), "w_out": (width, 1)}
    for i in range(blocks):
        stream[f"down{i}"] = 1
        readers[f"up{i}"] = 0
        inner.append(
            Units(f"block{i}", hidden, incoming={f"up{i}": 1, f"c{i}": 0}, outgoing={f"down{i}": 0})
        )
        shapes.update({f"up{i}": (width, hidden), f"c{i}": (hidden,), f"down{i}": (hidden, width)})
    return Symmetry([Units("stream", width, incoming=stream, outgoing=readers), *inner]), shapes


def _cases() -> dict[str, tuple[Symmetry, dict[str, tuple[int, ...]]]]:
    weights = {"w1": (2, 4), "b1": (4,), "w2": (4, 3), "b2": (3,), "w3": (3, 2)}
    deep = mlp(["w1", "w2", "w3"], [4, 3], biases=["b1", "b2"])
    one = {"w1": (3, 4), "b1": (4,), "w2": (4, 2)}
    # The deep network again in one flat vector.
    sizes = [("w1", 8), ("b1", 4), ("w2", 12), ("b2", 3), ("w3", 6)]
    starts = dict(
        zip([n for n, _ in sizes], np.cumsum([0] + [s for _, s in sizes]).tolist(), strict=False)
    )
    flat = Symmetry(
        [
            Units(
                "hidden1",
                4,
                incoming={"theta": (Axis(0, starts["w1"], outer=2), Axis(0, starts["b1"]))},
                outgoing={"theta": Axis(0, starts["w2"], inner=3, power=-1)},
                kind="signed",
            ),
            Units(
                "hidden2",
                3,
                incoming={"theta": (Axis(0, starts["w2"], outer=4), Axis(0, starts["b2"]))},
                outgoing={"theta": Axis(0, starts["w3"], inner=2, power=-1)},
                kind="signed",
            ),
        ]
    )
    lstm = Units(
        "cell",
        3,
        incoming={"kernel": Axis(1, outer=4), "bias": Axis(0, outer=4)},
        outgoing={"kernel": Axis(0, start=2)},
    )
    conv = Symmetry(
        [
            Units("channel", 3, incoming={"k1": -1, "b1": 0}, outgoing={"k2": 2}),
            Units("channel2", 2, incoming={"k2": 3, "b2": 0}, outgoing={"dense": Axis(0, outer=4)}),
        ]
    )
    return {
        "layer": (mlp(["w1", "w2"], [4], biases=["b1"]), one),
        "signed layer": (mlp(["w1", "w2"], [4], biases=["b1"], kind="signed"), one),
        "scaled layer": (mlp(["w1", "w2"], [4], biases=["b1"], kind="scaled"), one),
        "deep": (deep, weights),
        "deep signed": (
            mlp(["w1", "w2", "w3"], [4, 3], biases=["b1", "b2"], kind="signed"),
            weights,
        ),
        "deep scaled": (
            mlp(["w1", "w2", "w3"], [4, 3], biases=["b1", "b2"], kind="scaled"),
            weights,
        ),
        "residual": _residual(),
        "flat": (flat, {"theta": (33,)}),
        "mixture": (mixture(4, {"weights": 0, "mu": 0}), {"weights": (4,), "mu": (4, 2)}),
        "hmm": (
            hmm(4, transition="A", initial="pi", emissions={"mu": 0}),
            {"A": (4, 4), "pi": (4,), "mu": (4, 2)},
        ),
        "factors": (
            factor_model(3, loadings={"L": 1}, factors={"z": 1}),
            {"L": (5, 3), "z": (7, 3)},
        ),
        "rnn": (
            Symmetry(
                [
                    Units(
                        "state",
                        4,
                        incoming={"u": 1, "r": 1, "b": 0},
                        outgoing={"r": 0, "v": 0},
                        kind="signed",
                    )
                ]
            ),
            {"u": (2, 4), "r": (4, 4), "b": (4,), "v": (4, 1)},
        ),
        "lstm": (Symmetry([lstm]), {"kernel": (5, 12), "bias": (12,)}),
        "conv": (
            conv,
            {"k1": (2, 2, 1, 3), "b1": (3,), "k2": (2, 2, 3, 2), "b2": (2,), "dense": (8, 2)},
        ),
    }


CASES = _cases()
FINITE = [name for name, (sym, _) in CASES.items() if sym.order < float("inf")]
LINEAR = ["layer", "signed layer", "mixture", "factors"]


def draws(
    name: str, sample: tuple[int, ...] = (), seed: int = 0, dtype=np.float64
) -> dict[str, np.ndarray]:
    """Standard normal sites of one case."""
    rng = np.random.default_rng(seed)
    return {
        site: rng.normal(size=(*sample, *shape)).astype(dtype)
        for site, shape in CASES[name][1].items()
    }


def elements(sym: Symmetry, sample: tuple[int, ...] = (), seed: int = 0) -> dict[str, Element]:
    """Random elements as NumPy arrays in double precision."""
    with jax.enable_x64(True):
        return {
            n: Element(*map(np.asarray, e))
            for n, e in sym.sample(jax.random.key(seed), sample).items()
        }


def distance(a, b, sites) -> np.ndarray:
    """Euclidean distances over all sites, plainly."""
    squares = [np.square(np.asarray(a[s]) - np.asarray(b[s])) for s in sites]
    lead = squares[0].ndim - np.asarray(b[sites[0]]).ndim
    return np.sqrt(sum(q.reshape(*q.shape[:lead], -1).sum(-1) for q in squares))


def brute_force(sym: Symmetry, point, reference) -> float:
    """The least distance over every element of a finite group."""
    every = {n: Element(*map(np.asarray, e)) for n, e in sym.elements().items()}
    copies = {s: np.broadcast_to(x, (sym.order, *x.shape)) for s, x in point.items()}
    return distance(sym.act(every, copies), reference, sym.sites).min()
