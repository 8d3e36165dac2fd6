"""Readable names for what was found, from the names of sites and plates."""

from __future__ import annotations

from collections import Counter

from ..symmetry import Units
from .model import NumPyroModel


class Namer:
    """Names that tell where units live, each given once.

    The plate that the units are drawn in, else the module whose arrays most of them are
    (``Dense_0`` of ``net/Dense_0.kernel``), else the first site.
    """

    def __init__(self, model: NumPyroModel) -> None:
        self.plates = model.plates
        self.used: Counter[str] = Counter()

    def __call__(self, units: Units, unit: int | None = None, role: str = "") -> str:
        base = self._base(units) + (f".{role}" if role else "")
        name = base if unit is None else f"{base}[{unit}]"
        self.used[name] += 1
        return name if self.used[name] == 1 else f"{name}_{self.used[name]}"

    def _base(self, units: Units) -> str:
        places = [(site, axis) for site, axes in units.placements for axis in axes]
        plates = [self.plates.get(s, {}).get(a.axis) for s, a in places if units.n > 1]
        named = [p for p in plates if p is not None]
        if named:
            return Counter(named).most_common(1)[0][0]
        stems = Counter(site.rpartition(".")[0].rpartition("/")[2] for site, _ in places if "." in site)
        if stems:
            return stems.most_common(1)[0][0]
        return places[0][0]
