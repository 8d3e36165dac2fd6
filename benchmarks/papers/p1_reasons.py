"""Why a tenth of the barrier stays at temperature 1: one thing changed at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.scipy.special import logsumexp

from numpyro_sym import Element

from .data import Split, digits
from .frame import Experiment, Figures, Grid, Rows, Setting, Verdict
from .gaussians import Gaussian, barrier, fit, of_seed
from .networks import Network, dense
from .p1_ways import elements_by, moved, way

#: What is changed -> options of :func:`fit`, given the setting's steps.
TRAINED = {
    "nothing": {},
    "gradient of 4 draws": {"draws": 4},
    "4 times the steps": {"times": 4},
    "same start": {"same": True},
    "temperature .1": {"temperature": 0.1},
    "temperature .01": {"temperature": 0.01},
    "temperature .01, rate .01": {"temperature": 0.01, "rate": 0.01},
    "4 times the rate": {"rate": 0.012},
}
#: What is changed after training: of the runs of "nothing".
AFTER = ("matched by the barrier", "deviations left out", "one factor on the logits")


def run(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """A pair of networks a seed, and what became of it."""
    split = digits()
    network = dense(64, setting["width"], 1)
    changed = setting["changed"]
    options = dict(TRAINED.get(changed, {}))
    steps = setting["steps"] * options.pop("times", 1)
    each = [network_seed for seed in seeds for network_seed in (2 * seed, 2 * seed + 1)]
    if options.pop("same", False):
        options["starts"] = [2 * (seed // 2) for seed in each]
    many = fit(network, split, each, steps=steps, **options)
    for index in range(len(seeds)):
        start, end = of_seed(many, 2 * index), of_seed(many, 2 * index + 1)
        raw = way(network, start, end, split)
        used = float(np.mean([in_use(network, g) for g in (start, end)]))
        end = moved(network, end, elements_by("means and sds", network, start, end, split))
        if changed == "matched by the barrier":
            end = swapped(network, start, end, split)
        if changed == "deviations left out":
            none = jax.tree.map(np.zeros_like, start[1])
            start, end = (start[0], none), (end[0], none)
        found = way(network, start, end, split)
        if changed == "one factor on the logits":
            found = {"nll": confident(network, start, end, split)}
        yield {
            "NLL at an end": max(found["nll"][0], found["nll"][-1]),
            "units in use": used,
            "barrier, as trained": barrier(raw["nll"]),
            "barrier, aligned": barrier(found["nll"]),
        }


def in_use(network: Network, gaussian: Gaussian) -> int:
    """Units whose weights are more than a nat from their prior."""
    loc, scale = gaussian

    def nats(name: str) -> np.ndarray:
        ratio = scale[name] ** 2 + loc[name] ** 2
        sd = network.prior_sd(name)
        return 0.5 * (ratio / sd**2 - 1) - np.log(scale[name] / sd)

    each = nats("w1").sum(0) + nats("b1") + nats("w2").sum(1)
    return int((each > 1).sum())


def swapped(
    network: Network, start: Gaussian, end: Gaussian, data: Split, units: int = 20
) -> Gaussian:
    """The second moved further, by the exchange of two units that lowers the loss half-way most (on
    training images), until none does: what any other way of matching could gain.
    """
    x, y = jnp.asarray(data.x[:500]), jnp.asarray(data.y[:500])
    weight = np.linalg.norm(start[0]["w2"], axis=1) + np.linalg.norm(end[0]["w2"], axis=1)
    worth = np.argsort(-weight)[:units]
    width = len(weight)
    swaps = [np.arange(width)]
    for number, i in enumerate(worth):
        for j in worth[:number]:
            order = np.arange(width)
            order[[i, j]] = j, i
            swaps.append(order)
    orders = jnp.asarray(np.stack(swaps))
    for _ in range(3 * units):
        losses = half_way(network.logits, network.symmetry, start, end, x, y, orders)
        best = int(np.argmin(losses))
        if best == 0:
            return end
        element = Element(np.asarray(orders[best]), np.ones(width))
        end = moved(network, end, {"hidden": element})
    return end


@partial(jax.jit, static_argnums=(0, 1))
def half_way(
    logits: Any, sym: Any, start: Gaussian, end: Gaussian, x: Any, y: Any, orders: Any
) -> Any:
    """The marginalized loss of the Gaussian half-way, for each order of the second's units."""
    draws = 16
    at, unflatten = ravel_pytree(start[0])
    noise = jax.random.normal(jax.random.key(5, impl="rbg"), (draws, len(at)))

    def of_order(order: Any) -> Any:
        element = {"hidden": Element(order, jnp.ones(len(order)))}
        there = tuple({**part, **sym.act(element, {n: part[n] for n in sym.sites})} for part in end)
        loc, scale = (
            (ravel_pytree(a)[0] + ravel_pytree(b)[0]) / 2 for a, b in zip(start, there, strict=True)
        )

        def of_draw(eps: Any) -> Any:
            found = jax.nn.log_softmax(logits(unflatten(loc + scale * eps), x))
            return jnp.take_along_axis(found, y[:, None], 1)[:, 0]

        return -(logsumexp(jax.vmap(of_draw)(noise), 0) - jnp.log(draws)).mean()

    return jax.lax.map(of_order, orders)


def confident(network: Network, start: Gaussian, end: Gaussian, data: Split) -> np.ndarray:
    """The marginalized loss on test images when logits are multiplied by the factor that is best on
    training images, at each point of the way, ends included.
    """
    sides = [(data.x[:500], data.y[:500]), (data.x_test, data.y_test)]
    train, test = (scaled_losses(network.logits, start, end, x, y) for x, y in sides)
    best = np.asarray(train).argmin(1)  # (point)
    return np.take_along_axis(np.asarray(test), best[:, None], 1)[:, 0]


@partial(jax.jit, static_argnums=0)
def scaled_losses(logits: Any, start: Gaussian, end: Gaussian, x: Any, y: Any) -> Any:
    """(point, factor)."""
    draws = 32
    (loc0, unflatten), (scale0, _), (loc1, _), (scale1, _) = (
        ravel_pytree(part) for part in (*start, *end)
    )
    noise = jax.random.normal(jax.random.key(6, impl="rbg"), (draws, len(loc0)))

    def at(t: Any) -> Any:
        loc, scale = (1 - t) * loc0 + t * loc1, (1 - t) * scale0 + t * scale1
        found = jax.lax.map(lambda eps: logits(unflatten(loc + scale * eps), x), noise)

        def loss(factor: Any) -> Any:
            log_p = logsumexp(jax.nn.log_softmax(factor * found), axis=0) - jnp.log(draws)
            return -jnp.take_along_axis(log_p, y[:, None], 1).mean()

        return jax.lax.map(loss, jnp.linspace(0.8, 4.0, 33))

    return jax.lax.map(at, jnp.linspace(0, 1, 11))


#: What is changed -> what it would be if it took the barrier away.
REASONS = {
    "gradient of 4 draws": "the noise of gradients",
    "4 times the steps": "too few steps",
    "matched by the barrier": "the matching (exchanges are chosen by the loss half-way itself)",
    "deviations left out": "the deviations (the networks at the means)",
    "one factor on the logits": "confidence (one factor on the logits, at each point of the way)",
    "temperature .01": "temperature (.01)",
    "same start": "the start (both runs from one)",
}


def says(rows: Rows) -> Verdict:
    """A reason is one that takes half of the barrier."""
    there = {s["changed"]: rows.of(**s) for s in rows.settings()}
    whole = float(there["nothing"].mean("barrier, aligned"))
    yes, no = [], []
    for changed, reason in REASONS.items():
        if changed in there:
            told = f"{reason}: {there[changed].told('barrier, aligned')}"
            kind = yes if float(there[changed].mean("barrier, aligned")) < whole / 2 else no
            kind.append(told)
    got = f"{there['nothing'].told('barrier, aligned')} as it is"
    recipe = there.get("temperature .01, rate .01")
    if recipe:
        got += f". Recipe: temperature .01, learning rate .01: {recipe.told('barrier, aligned')}"
    why = f"It is {'; '.join(yes)}. It is not {'; '.join(no)}."
    return Verdict(got, "explained", why)


def draw(ax: Any, rows: Rows) -> None:
    names = [s["changed"] for s in rows.settings()]
    mean = [float(rows.of(changed=n).mean("barrier, aligned")) for n in names]
    error = [float(rows.of(changed=n).error("barrier, aligned")) for n in names]
    ax.barh(names, mean, xerr=error, color="C0", capsize=2)
    ax.invert_yaxis()
    ax.axvline(0.01, color="gray", lw=0.8)
    ax.tick_params(axis="y", labelsize=7)
    ax.set(xlabel="barrier, nats an image", title="Aligned SVI, one thing changed")


def grid(width: int, steps: int, seeds: int) -> Grid:
    changes = [*TRAINED, *AFTER]
    return Grid([{"width": width, "steps": steps, "changed": c} for c in changes], seeds)


EXPERIMENT = Experiment(
    "barrier_reasons",
    "(Why is it not zero at temperature 1? Digits, one hidden layer.)",
    run,
    small=grid(64, 1000, 2),
    full=grid(128, 2000, 4),
    says=says,
    draw=draw,
)
