"""Functional modes: how many there are, which chains and draws sit in which, what each weighs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from ...alignment.ranges import unit_of
from ...symmetry import SymmetryError, Table, kinds, short_repr
from ...symmetry.arguments import check_arguments
from ...symmetry.arrays import real_array
from ...symmetry.deprecated import renamed_arguments
from ...symmetry.randomness import seed_of
from .by_chain import FEWEST, chains_apart
from .spectral import clusters


class FunctionalModes(NamedTuple):
    """Chains and draws grouped by what they predict; ``print`` it for a table.

    :param label: for each chain its mode, that of most of its draws. 0 is the mode of most chains
        (by draws: of most draws); ties go to the first.
    :param labels: ints ``(chain, draw)``: the mode of each draw.
    :param weights: the share of draws in each mode.
    :param probabilities: the share of chains that are in each mode, for :func:`chains_needed`;
        modes that are no chain's own are left out.
    :param unseen: an estimate (Good and Turing) of the probability that a further chain settles in
        a mode that no chain has found: the share of chains that are alone in theirs.
    :param separation: ``(chain, chain)``: how many standard deviations apart two chains are in the
        function that tells them apart best, among those in which both have settled; ``None`` where
        modes are those of draws.
    :param settled: for each chain, whether its quarters agree on every function; ``None`` likewise.
    """

    label: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    probabilities: np.ndarray
    unseen: float
    separation: Any
    settled: Any

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def num_modes(self) -> int:
        """How many modes there are."""
        return len(self.weights)

    def __str__(self) -> str:
        return str(self._table())

    def _repr_html_(self) -> str:
        return self._table().to_html()

    def to_dataframe(self) -> Any:
        """A ``pandas.DataFrame``, a row for each mode: its chains, how many they are, and its share
        of the draws.
        """
        return self._table().to_dataframe()

    def _table(self) -> Table:
        rows: list[list[object]] = []
        for mode, weight in enumerate(self.weights):
            chains = np.flatnonzero(self.label == mode)
            rows.append([mode, ", ".join(map(str, chains)), len(chains), f"{weight:.3f}"])
        return Table(("mode", "chains", "how many", "share of draws"), rows)


@renamed_arguments(draws="functions", num_neighbours="num_neighbors", rng_seed="rng_key")
def functional_modes(
    functions: Any,
    *,
    by: Literal["draw", "chain"] = "draw",
    num_modes: kinds.Positive | None = None,
    num_neighbors: kinds.Positive | None = None,
    max_modes: kinds.Positive = 10,
    rng_key: kinds.RngKeyOrSeed = 0,
) -> FunctionalModes:
    """Group draws, or whole chains, by what they predict.

    Give what the symmetry does not move: predictions at some inputs, log likelihoods, or aligned
    draws side by side; raw weights would count each copy of a mode as one of its own.

    :param functions: a Dataset, a dict of arrays, or one array, of shape ``(chain, draw, ...)``.
    :param by: ``"draw"``: spectral clustering of all draws, as in Wiese et al. 2023, section 4.2;
        several functions lie side by side in their own units. ``"chain"``: chains that stay
        together. Two are in different modes where some function of each has settled (the quarters
        of the chain agree) and their means lie more than two standard deviations apart, so that
        the two together have two tops; a mode is a connected component of chains that are not
        apart.
    :param num_modes: by draws: how many modes; by default as many as there are groups of draws
        between which hardly a draw lies: eigenvalues below 5e-4 of the normalized Laplacian of the
        graph of nearest neighbors.
    :param num_neighbors: by draws: neighbors of each in that graph, a twentieth of the draws by
        default, at least 10; a mode of fewer draws is not told.
    :param max_modes: by draws: the most modes to look for.
    :param rng_key: by draws: a JAX random key, or a seed, of the clustering.
    :returns: a :class:`FunctionalModes`.
    :raises SymmetryError: where the functions are not of that shape, not finite, or the draws too
        few: by chains 8 of each are needed.

    >>> import numpy as np
    >>> from numpyro_sym.diagnostics import functional_modes
    >>> centers = np.array([0.0, 0.0, 9.0, 0.0])[:, None, None]
    >>> draws = centers + np.random.default_rng(0).normal(size=(4, 50, 2))
    >>> functional_modes(draws).probabilities.tolist()
    [0.75, 0.25]
    >>> functional_modes(draws, by="chain").label.tolist()
    [0, 0, 1, 0]
    """
    check_arguments(functional_modes, locals())
    x = _flat(functions)
    if by == "chain":
        return modes_of_chains(x)
    x = x / unit_of(x)  # only ratios of distances count
    points = x.reshape(-1, x.shape[-1])  # (draw of any chain, function)
    num_neighbors = max(10, len(points) // 20) if num_neighbors is None else num_neighbors
    if len(points) <= max(num_neighbors, max_modes) + 1 or (num_modes or 1) > max_modes:
        raise SymmetryError(
            f"functional_modes: {len(points)} draws are too few for {num_neighbors} neighbors "
            f"and up to {max_modes} modes, or num_modes = {num_modes} exceeds max_modes."
        )
    labels = clusters(points, num_modes, num_neighbors, max_modes, seed_of(rng_key))
    order = np.argsort(-np.bincount(labels), kind="stable")
    # The most visited mode has number 0.
    labels = np.argsort(order)[labels].reshape(x.shape[:2])
    own = np.array([np.bincount(chain).argmax() for chain in labels])
    return _modes(own, labels)


def modes_of_chains(functions: Any) -> FunctionalModes:
    """:func:`functional_modes` by chains."""
    x = _flat(functions)
    chains, draws, _ = x.shape
    if draws < FEWEST:
        raise SymmetryError(
            f"functional_modes: {draws} draws a chain are too few; expected at least {FEWEST}."
        )
    component, distance, settled = chains_apart(x)
    _, first, sizes = np.unique(component, return_index=True, return_counts=True)
    ranked = np.lexsort((first, -sizes))
    # The mode of most chains has number 0.
    label = np.argsort(ranked)[component]
    found = _modes(label, np.broadcast_to(label[:, None], (chains, draws)))
    return found._replace(separation=distance, settled=settled)


def _modes(label: np.ndarray, labels: np.ndarray) -> FunctionalModes:
    """What the modes of chains and of draws say of further chains."""
    weights = np.bincount(labels.ravel()) / labels.size
    chains = np.bincount(label, minlength=len(weights))
    probabilities = chains[chains > 0] / len(label)
    unseen = float((chains == 1).sum() / len(label))
    return FunctionalModes(label, labels, weights, probabilities, unseen, None, None)


def _flat(functions: Any) -> np.ndarray:
    """All functions side by side, ``(chain, draw, function)``."""
    if isinstance(functions, xr.Dataset):
        functions = {str(n): x.transpose("chain", "draw", ...).values for n, x in functions.items()}
    given = list(functions.values()) if isinstance(functions, Mapping) else [functions]
    arrays = []
    for x in given:
        a = real_array("functional_modes", "functions", x, _EXPECTED, ndim=2)
        arrays.append(a.astype(float))
    shapes = [a.shape for a in arrays]
    if len({shape[:2] for shape in shapes}) != 1 or 0 in shapes[0]:
        raise SymmetryError(
            f"functional_modes: functions must be {_EXPECTED}; got shapes {shapes}."
        )
    return np.concatenate([a.reshape(*a.shape[:2], -1) for a in arrays], -1)


_EXPECTED = "finite values, as a Dataset, a dict of arrays or one array of shape (chain, draw, ...)"
