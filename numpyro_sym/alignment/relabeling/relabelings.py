"""What several relabeling methods say, in one labeling."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...symmetry import Element, Table, short_repr
from .clustering import BestClustering


class Relabelings(NamedTuple):
    """Relabeling methods side by side, all in the labels of the best clustering.

    :param elements: method -> units name -> the :class:`~numpyro_sym.Element` of each draw, so that
        ``sym.act(r.elements["stephens"], draws)`` is the draws in that method's labels.
    :param settled: method -> whether its labels came to rest.
    :param clusterings: method -> ints ``(observations,)``: each observation's commonest label.
    :param clustering: the :class:`BestClustering`: one partition for all methods.
    :param agreement: floats ``(methods, methods)``: the share of labels, of all draws and
        observations, that two methods name alike.
    :param similarity: floats ``(observations, observations)``, as of :func:`similarity_matrix`.
    """

    elements: dict[str, dict[str, Element]]
    settled: dict[str, bool]
    clusterings: dict[str, np.ndarray]
    clustering: BestClustering
    agreement: np.ndarray
    similarity: np.ndarray

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods, in the order of the agreement."""
        return tuple(self.elements)

    def to_dataframe(self) -> Any:
        """The table as a ``pandas.DataFrame``, a row for each method.

        Its columns: ``settled``; ``clustering``, the share of observations whose commonest label is
        that of the best clustering; and the agreement with each method, under its name.
        """
        import pandas as pd

        columns: dict[str, Any] = {
            "settled": list(self.settled.values()),
            "clustering": self._with_the_best(),
        }
        columns |= dict(zip(self.methods, self.agreement.T, strict=True))
        return pd.DataFrame(columns, index=pd.Index(self.methods, name="method"))

    def __str__(self) -> str:
        return str(self._table())

    def _repr_html_(self) -> str:
        return self._table().to_html()

    def _table(self) -> Table:
        rows = []
        best = self._with_the_best()
        for method, share, row in zip(self.methods, best, self.agreement, strict=True):
            told = "yes" if self.settled[method] else "no"
            rows.append([method, told, *(f"{x:.3f}" for x in (share, *row))])
        return Table(["method", "settled", "clustering", *self.methods], rows)

    def _with_the_best(self) -> list[float]:
        best = self.clustering.labels
        return [float((self.clusterings[method] == best).mean()) for method in self.methods]
