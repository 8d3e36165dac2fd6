"""Pytrees as sites and back: an array of floats is a site, named by its path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..symmetry import SymmetryError, kinds, namespace
from ..symmetry.arguments import check_arguments, describe

#: The name of the one array that is a whole pytree.
ALONE = "position"


def sites_of(pytree: Any) -> dict[str, Any]:
    """The arrays of floats of a pytree, each under its path.

    Keys, indices and attributes on the way are joined by dots: ``layers.0.weight``. What is no
    array of floats (functions, counters, random keys) is no site. A pytree whose arrays have
    leading dimensions in common, a stack of networks say, gives draws.

    :param pytree: nested dicts, lists, tuples, dataclasses; a module or state of flax, nnx or
        equinox.
    :returns: site name -> array, as it came, in the order of the pytree's leaves.
    :raises SymmetryError: where there is no array of floats, or two paths are one name.

    >>> sites_of({"layers": [{"w": np.zeros((2, 3))}, {"w": np.zeros(3)}]})["layers.1.w"].shape
    (3,)
    """
    return {name: x for name, x in _named_leaves("sites_of", pytree) if name is not None}


def pytree_of(sites: kinds.Sites, like: Any) -> Any:
    """A pytree with the arrays of its sites in their places: the inverse of :func:`sites_of`.

    :param sites: site name -> array of shape ``(*sample, *shape)``, for every site of the pytree.
    :param like: a pytree of the same structure; what is no site is taken from it.
    :returns: a new pytree, whose arrays have the sites' leading sample dimensions.
    :raises SymmetryError: where a site is missing, is none of the pytree's, or has another shape.

    >>> network = {"w": np.zeros(2), "activation": np.tanh}
    >>> pytree_of({"w": np.ones(2)}, like=network)["w"].tolist()
    [1.0, 1.0]
    """
    check_arguments(pytree_of, locals())
    return _filled("pytree_of", sites, like)


def stacked_sites(pytrees: Sequence[Any]) -> dict[str, Any]:
    """The sites of several pytrees of one structure, checkpoints of a network say, as draws.

    :param pytrees: a list of one or more.
    :returns: site name -> array of shape ``(len(pytrees), *shape)``.
    :raises SymmetryError: where there are none, or their structures or shapes differ.

    >>> stacked_sites([{"w": np.zeros(2)}, {"w": np.ones(2)}])["w"].shape
    (2, 2)
    """
    if not isinstance(pytrees, (list, tuple)) or not pytrees:
        raise SymmetryError(
            f"stacked_sites: pytrees must be a list of pytrees; got {describe(pytrees)}. One alone "
            "goes to sites_of."
        )
    every = []
    for number, tree in enumerate(pytrees):
        named = _named_leaves(f"stacked_sites: pytree {number}", tree)
        every.append({name: x for name, x in named if name is not None})
    first = _shapes(every[0])
    for number, sites in enumerate(every):
        shapes = _shapes(sites)
        for name in sorted(first.keys() | shapes.keys()):
            if first.get(name) != shapes.get(name):
                raise SymmetryError(
                    f"stacked_sites: pytree {number} differs from the first: site {name!r} has "
                    f"shape {shapes.get(name)}; expected {first.get(name)}."
                )
    xp = namespace(*(x for sites in every for x in sites.values()))
    return {name: xp.stack([sites[name] for sites in every]) for name in first}


def pytrees_of(sites: kinds.Sites, like: Any) -> list[Any]:
    """Draws of a pytree's sites as a list of pytrees: the inverse of :func:`stacked_sites`.

    :param sites: site name -> array of shape ``(number, *shape)``.
    :param like: a pytree of the same structure.
    :returns: as many pytrees.
    :raises SymmetryError: as :func:`pytree_of`, and where the sites have no leading dimension, or
        several.

    >>> len(pytrees_of({"w": np.zeros((3, 2))}, like={"w": np.zeros(2)}))
    3
    """
    check_arguments(pytrees_of, locals())
    _filled("pytrees_of", sites, like)
    samples = set()
    for name, leaf in _named_leaves("pytrees_of", like):
        if name is not None:
            samples.add(np.shape(sites[name])[: np.ndim(sites[name]) - np.ndim(leaf)])
    if len(samples) != 1 or len(next(iter(samples))) != 1:
        raise SymmetryError(
            f"pytrees_of: the sites have the sample shapes {sorted(samples)}; expected one leading "
            "dimension, the same for all. One pytree: pytree_of."
        )
    ((number,),) = samples
    return [pytree_of({name: x[i] for name, x in sites.items()}, like) for i in range(number)]


def _shapes(sites: kinds.Sites) -> dict[str, tuple[int, ...]]:
    return {name: np.shape(x) for name, x in sites.items()}


def _filled(who: str, sites: kinds.Sites, like: Any) -> Any:
    leaves = _named_leaves(who, like)
    names = {name for name, _ in leaves if name is not None}
    if names != set(sites):
        missing, others = sorted(names - set(sites)), sorted(set(sites) - names)
        raise SymmetryError(
            f"{who}: the sites are not those of the pytree: missing are {missing}, and unknown are "
            f"{others}."
        )
    new = []
    for name, leaf in leaves:
        if name is None:
            new.append(leaf)
            continue
        own, given = np.shape(leaf), np.shape(sites[name])
        if given[len(given) - len(own) :] != own:
            raise SymmetryError(
                f"{who}: site {name!r} has shape {given}; expected "
                f"(*sample, {', '.join(map(str, own))})."
            )
        new.append(sites[name])
    return jax.tree.unflatten(jax.tree.structure(like), new)


def _named_leaves(who: str, pytree: Any) -> list[tuple[str | None, Any]]:
    """Every leaf with the name of its site, ``None`` where it is none."""
    found: list[tuple[str | None, Any]] = []
    seen: set[str] = set()
    for path, leaf in jax.tree_util.tree_flatten_with_path(pytree)[0]:
        if not is_floating(leaf):
            found.append((None, leaf))
            continue
        name = path_name(path)
        if name in seen:
            raise SymmetryError(
                f"{who}: two arrays of the pytree have the path {name!r}. Rename a key that has a "
                "dot."
            )
        seen.add(name)
        found.append((name, leaf))
    if not seen:
        raise SymmetryError(
            f"{who}: {describe(pytree)} holds no array of floats; expected a pytree of parameters."
        )
    return found


def path_name(path: Any) -> str:
    """The name of a leaf: its path, with dots between the parts."""
    # A variable of nnx holds its array in an attribute of this name.
    if len(path) > 1 and is_attribute(path[-1]) and path[-1].name == "value":
        path = path[:-1]
    return jax.tree_util.keystr(path, simple=True, separator=".") or ALONE


def is_attribute(key: Any) -> bool:
    """Whether a step of a path is an attribute of a module or a dataclass."""
    return isinstance(key, jax.tree_util.GetAttrKey)


def is_floating(x: Any) -> bool:
    """Whether something is an array of floats, or a float; traced, too."""
    if isinstance(x, (np.ndarray, np.generic, jax.Array)):
        return bool(jnp.issubdtype(x.dtype, jnp.floating))
    return isinstance(x, float)
