"""From a model's program to the types of its sites."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ..models import ModelView
from ..symmetry import Axis
from .classes import Reading, read_classes, where_slices_lie
from .constants import as_constant
from .inference import Value, Walk, one_slice
from .program import needed, walk_jaxpr


def read_program(
    view: ModelView,
    only: Iterable[str] | None = None,
    any_data: bool = False,
    batch: Mapping[str, tuple[int | Axis, ...]] | None = None,
) -> Reading:
    """Types of the latent sites, from a walk through the program of the model's densities.

    :param only: names of the sites whose densities (and supports) must be invariant; all.
    :param any_data: whether data may have any values; else they are constants as they are.
    :param batch: site name -> where a batch runs. Types are those of one slice of these sites, at
        any index, while all other slices and sites stay as they are.
    """
    walk, names = Walk(any_data=any_data), sorted(view.shapes)
    supports = {n: f"support of {n}" for n in names}
    wanted = {*view.priors, *view.observed, *supports.values()} if only is None else set(only)
    outputs = [
        *view.priors,
        *sorted(view.observed),
        *supports.values(),
    ]  # a dict's leaves come sorted
    feeds = [frozenset([n]) if n in wanted else None for n in outputs]
    data = []
    for name, x in sorted(view.data.items()):
        data.append(walk.data(name, np.shape(x)) if any_data else as_constant(x))
    sites = {n: _site(walk, n, shape, batch) for n, shape in view.shapes.items()}
    types = walk_jaxpr(walk, view.program, [*data, *(sites[n] for n in names)], feeds)
    for value, feed in zip(types, feeds, strict=True):
        if feed is not None and isinstance(value, Value):
            walk.feeds = feed
            walk.vanish(value)
    if batch is not None:
        sites = {n: sites[n] for n in batch}
    likelihood = [*view.observed, *supports.values()]
    return read_classes(walk, sites, likelihood, reaching(view, view.observed))


def _site(
    walk: Walk,
    name: str,
    shape: tuple[int, ...],
    batch: Mapping[str, tuple[int | Axis, ...]] | None,
) -> Value:
    """The type of a latent site; with a batch, of one slice of those that have it, and of others as
    of data.
    """
    if batch is None:
        return walk.unknown_value(shape)
    if name not in batch:
        return walk.data(f"site {name!r}", shape)
    lies = where_slices_lie(batch[name], shape)
    return walk.unknown_value(one_slice(shape, lies))._replace(batch=lies)


def reaching(view: ModelView, densities: Iterable[str]) -> frozenset[str]:
    """Names of the latent sites from whose values these sites' densities are computed."""
    wanted, names = {*densities}, sorted(view.shapes)
    outputs = [*view.priors, *sorted(view.observed)]
    feeds = [frozenset([n]) if n in wanted else None for n in outputs]
    # The last outputs are values in their supports.
    use = needed(view.program.jaxpr, [*feeds, *(None for _ in names)])[1]
    inputs = view.program.jaxpr.invars[len(view.data) :]
    return frozenset(n for n, v in zip(names, inputs, strict=True) if v in use)
