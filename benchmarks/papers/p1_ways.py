"""Pairs of trained networks: how they are aligned, and the loss on the way between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from numpyro_sym import align
from numpyro_sym.alignment import Activations, align_gaussians

from .data import Split
from .frame import Figures
from .gaussians import Gaussian, along, barrier, of_seed
from .networks import Network

DRAWS = 32
ALIGNED = ("as trained", "means", "means and sds", "activations")


def moved(network: Network, gaussian: Gaussian, elements: Any) -> Gaussian:
    """Means and standard deviations moved; deviations without signs."""
    sym, (loc, scale) = network.symmetry, gaussian
    positive = {n: type(e)(e.permutation, abs(e.factor)) for n, e in elements.items()}
    some = [{n: part[n] for n in sym.sites} for part in gaussian]
    return {**loc, **sym.act(elements, some[0])}, {**scale, **sym.act(positive, some[1])}


def by_means(network: Network, start: Gaussian, end: Gaussian, **options: Any) -> Any:
    """The elements that bring means together, whatever the deviations."""
    sites = network.symmetry.sites
    loc, reference = ({n: part[0][n] for n in sites} for part in (end, start))
    return align(loc, reference, network.symmetry, sample_ndim=0, **options).elements


def elements_by(how: str, network: Network, start: Gaussian, end: Gaussian, data: Split) -> Any:
    """Where the second is to be moved, by one of ``ALIGNED``."""
    if how == "means":
        return by_means(network, start, end)
    if how == "activations":
        metric = Activations(network.hidden, data.x[:500])
        return by_means(network, start, end, metric=metric)
    sites = network.symmetry.sites
    loc, scale = ({n: part[n] for n in sites} for part in end)
    return align_gaussians(loc, scale, *start, network.symmetry).elements


def way(network: Network, start: Gaussian, end: Gaussian, data: Split) -> dict[str, np.ndarray]:
    """NLL, accuracy and calibration error of test images, at eleven points."""
    draws = DRAWS if any(np.any(s) for s in start[1].values()) else 1
    key = jax.random.key(9, impl="rbg")
    x, y = data.x_test, data.y_test
    return jax.device_get(along(network.logits, start, end, x, y, key, draws))


def pairs(network: Network, many: Gaussian, data: Split) -> Iterator[Figures]:
    """Barriers in nats an image between the first and the second, the third and the fourth ..."""
    number = len(next(iter(many[0].values())))
    plain = not any(np.any(s) for s in many[1].values())
    for first in range(0, number, 2):
        start, end = of_seed(many, first), of_seed(many, first + 1)
        figures: Figures = {}
        for how in ALIGNED:
            if how == "means and sds" and plain:
                continue
            there = end
            if how != "as trained":
                there = moved(network, end, elements_by(how, network, start, end, data))
            found = way(network, start, there, data)
            if not figures:
                figures["NLL at an end"] = max(found["nll"][0], found["nll"][-1])
                figures["accuracy at an end"] = min(found["accuracy"][0], found["accuracy"][-1])
            figures[f"barrier, {how}"] = barrier(found["nll"])
            if how in ("as trained", "means"):
                figures[f"accuracy lost, {how}"] = barrier(1 - found["accuracy"])
                figures[f"calibration error added, {how}"] = barrier(found["ece"])
                figures[f"NLL, {how}"] = found["nll"].tolist()
        yield figures
