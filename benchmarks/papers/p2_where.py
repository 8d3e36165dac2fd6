"""Where symmetrizing helps: over width, number of images, depth and activation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.scipy.special import logsumexp

from .data import Split, images
from .frame import Experiment, Figures, Grid, Rows, Setting, Verdict
from .gaussians import calibration_error
from .guides import elbo, fit_guide, gaussian_of
from .networks import Network, dense
from .pictures import widths_below

GAINED, ADDED = "gained", {"calibration error": "added"}
GUIDES = {"plain": False, "symmetrized": True}


def run(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """Both guides from the same start; differences are of pairs."""
    split = images(setting["data"], data, setting["images"])
    inputs = split.x.shape[1]
    network = dense(inputs, setting["width"], setting["layers"], kind=setting["activation"])
    found = {}
    for name, symmetrized in GUIDES.items():
        params = fit_guide(network, split, list(seeds), symmetrized, setting["steps"])
        found[name] = {
            "ELBO": elbo(network, split, params, False),
            "ELBO_sym": elbo(network, split, params, True),
            **predicted(network, split, params),
        }
    for index in range(len(seeds)):
        plain, ours = ({k: float(v[index]) for k, v in f.items()} for f in found.values())
        figures: Figures = {"log of the order": float(network.symmetry.log_order)}
        figures["ELBO of plain"] = plain["ELBO"]
        figures["ELBO_sym gained by reporting it"] = plain["ELBO_sym"] - plain["ELBO"]
        figures["and by training on it"] = ours["ELBO_sym"] - plain["ELBO_sym"]
        figures["LPPD of plain"] = plain["LPPD"]
        for name in ("LPPD", "accuracy", "calibration error", "AUROC, unlike images"):
            figures[f"{name} {ADDED.get(name, GAINED)}"] = ours[name] - plain[name]
        yield figures


def predicted(network: Network, data: Split, params: Any, draws: int = 100) -> dict[str, Any]:
    """LPPD, accuracy, calibration error, and how well entropy tells images whose pixels are
    shuffled (in one order for all).
    """
    x, y = jnp.asarray(data.x_test[:1000]), jnp.asarray(data.y_test[:1000])
    order = np.random.default_rng(0).permutation(x.shape[1])
    both = jnp.concatenate([x, x[:, order]])
    loc, scale = gaussian_of(network, params)
    _, unflatten = ravel_pytree(jax.tree.map(lambda w: w[0], loc))
    size = sum(np.prod(s, dtype=int) for s in network.shapes.values())
    noise = jax.random.normal(jax.random.key(3, impl="rbg"), (draws, size))

    def of_seed(gaussian: Any) -> Any:
        at, sd = (ravel_pytree(part)[0] for part in gaussian)

        def of_draw(eps: Any) -> Any:
            return jax.nn.log_softmax(network.logits(unflatten(at + sd * eps), both))

        return logsumexp(jax.lax.map(of_draw, noise), axis=0) - jnp.log(draws)

    log_p = jax.jit(lambda g: jax.lax.map(of_seed, g))((loc, scale))  # (seed, image, class)
    entropy = np.asarray(-(jnp.exp(log_p) * log_p).sum(-1))
    log_p = log_p[:, : len(x)]
    right = jnp.take_along_axis(log_p, jnp.broadcast_to(y, log_p.shape[:2])[..., None], 2)
    return {
        "LPPD": np.asarray(right.mean((1, 2))),
        "accuracy": np.asarray((log_p.argmax(2) == y).mean(1)),
        "calibration error": np.asarray([calibration_error(jnp.exp(p), y) for p in log_p]),
        "AUROC, unlike images": np.asarray([auroc(e[len(x) :], e[: len(x)]) for e in entropy]),
    }


def auroc(high: np.ndarray, low: np.ndarray) -> float:
    """The share of pairs that are in order, ties half."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(high, low).statistic) / (len(high) * len(low))


def named(setting: Setting) -> str:
    many = f"{setting['layers']} x {setting['width']}"
    return f"{setting['images']} {setting['data']}, {many} {setting['activation']}"


def says(rows: Rows) -> Verdict:
    """A difference counts where it is two standard errors from zero."""
    figures = ("and by training on it", "LPPD gained", "calibration error added")
    told, good = [], []
    for setting in rows.settings():
        own = rows.of(**setting)
        each = [own.told(figure) for figure in figures]
        told.append(f"{named(setting)}: {', '.join(each)}")
        sure = 2 * float(np.nan_to_num(own.error("LPPD gained"), nan=np.inf))
        mean = float(own.mean("LPPD gained"))
        good.append(0 if abs(mean) < sure else np.sign(mean))
    better, worse = good.count(1), good.count(-1)
    got = "ELBO_sym and LPPD gained and calibration error added by training on it: " + "; ".join(
        told
    )
    shares = []
    for setting in rows.settings():
        own = rows.of(**setting)
        gained = float(own.mean("ELBO_sym gained by reporting it"))
        shares.append(gained / float(own.mean("log of the order")))
    why = (
        f"Predictions are surely better in {better} of {len(good)} settings and surely worse in "
        f"{worse}. Merely reporting the symmetrized ELBO after plain training gains "
        f"{min(shares):.0%} to {max(shares):.0%} of the log of the group's order "
        "(above 100% is the noise of two ELBOs, which do not share their 100 draws)."
    )
    met = "met" if 2 * better > len(good) and not worse else "partly" if better else "not met"
    return Verdict(got, met, why)


def draw(ax: Any, rows: Rows) -> None:
    """LPPD gained against width, one line a setting of all else."""
    others: dict[str, list[Setting]] = {}
    for setting in rows.settings():
        rest = named({**setting, "width": "w"})
        others.setdefault(rest, []).append(setting)
    for label, settings in others.items():
        settings = sorted(settings, key=lambda s: s["width"])
        mean = [float(rows.of(**s).mean("LPPD gained")) for s in settings]
        error = [float(rows.of(**s).error("LPPD gained")) for s in settings]
        ax.errorbar([s["width"] for s in settings], mean, error, marker=".", capsize=2, label=label)
    ax.axhline(0, color="gray", lw=0.8)
    widths_below(ax, (s["width"] for s in rows.settings()))
    ax.set(ylabel="test LPPD gained", title="Symmetrized training")
    ax.legend(fontsize=8)


def cell(
    width: int,
    num_images: int = 200,
    activation: str = "relu",
    layers: int = 1,
    data: str = "digits",
    steps: int = 2000,
) -> Setting:
    setting = {"data": data, "images": num_images, "width": width, "layers": layers}
    return {**setting, "activation": activation, "steps": steps}


SMALL = [
    *[cell(w, n, steps=1000) for n in (100, 1000) for w in (50, 10)],
    cell(50, 100, "tanh", steps=1000),
    cell(50, 100, layers=2, steps=1000),
]
FULL = [
    *[cell(w, n) for n in (100, 1000) for w in (5, 20, 50)],
    *[cell(w, n, "tanh") for n in (100, 1000) for w in (5, 20, 50)],
    *[cell(w, n, layers=2) for n in (100, 1000) for w in (5, 20, 50)],
    *[cell(w, n) for n in (50, 400, 1437) for w in (5, 20, 50, 100, 200)],
    *[cell(w, n) for n in (100, 1000) for w in (100, 200)],
    *[cell(w, 8000, data="MNIST") for w in (5, 20, 50)],
]

EXPERIMENT = Experiment(
    "where",
    "Symmetrized guides give a higher ELBO and better predictions than plain mean-field ones "
    "(MLPs on images).",
    run,
    small=Grid(SMALL, 3),
    full=Grid(FULL, 10),
    says=says,
    draw=draw,
)
