"""Units whose batch runs along a part of an axis, on arrays where that run is an axis itself.

Heads that lie on one axis with their inner dimensions, or the groups of a convolution, are a batch
that has no axis to itself. Whoever matches, folds or bounds works on arrays in which it has one: an
axis of ``outer * m * inner`` entries becomes one of ``m`` sets, and after it one of ``outer *
inner`` entries, one set's. Nothing is copied but where NumPy must.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .axis import Axis, Step, close_axes, open_axes
from .element import Array
from .units import Units

_MANY = 64  # dimensions: where no array is there to be counted, axes count from the end of these


@dataclass(frozen=True)
class Run:
    """One run of a batch along an axis of a site, as it was given, and of how many sets."""

    run: Axis
    m: int


@dataclass(frozen=True)
class Opened:
    """Units on opened arrays.

    :param units: the same units, under the same names; every dimension of a batch a whole axis.
    :param steps: site name -> how its array is opened; of the sites where there is anything to do.
    """

    units: tuple[Units, ...]
    steps: Mapping[str, tuple[Step, ...]]

    def open(self, sites: Mapping[str, Array], lead: int = 0) -> dict[str, Array]:
        """Arrays ``(*sample, *site)`` by site, opened; others as they are.

        :param lead: how many leading sample dimensions there are.
        """
        out = dict(sites)
        for site in self.steps.keys() & out.keys():
            out[site] = open_axes(out[site], self.steps[site], lead)
        return out

    def close(self, sites: Mapping[str, Array], lead: int = 0) -> dict[str, Array]:
        """The inverse of :meth:`open`."""
        out = dict(sites)
        for site in self.steps.keys() & out.keys():
            out[site] = close_axes(out[site], self.steps[site], lead)
        return out

    def shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        """Shapes of sites after they were opened."""
        out = dict(shapes)
        for site in self.steps.keys() & out.keys():
            out[site] = opened_shape(out[site], self.steps[site])
        return out


def opened_shape(shape: tuple[int, ...], steps: Sequence[Step]) -> tuple[int, ...]:
    """The shape of an array after it was opened."""
    for axis, outer, inner in steps:
        sets = shape[axis] // (outer * inner)
        shape = (*shape[:axis], sets, outer * inner, *shape[axis + 1 :])
    return shape


def opened(units: Sequence[Units], ndims: Mapping[str, int] | None = None) -> Opened:
    """Units on arrays in which every run of a batch is an axis of its own.

    :param units: of which :func:`why_not_opened` has nothing to say.
    :param ndims: site name -> how many dimensions its array has, where arrays are at hand.
    """
    of_sites = _runs_of_sites(units, ndims)
    if not of_sites:
        return Opened(tuple(units), {})
    steps = {site: tuple(runs.whole.opened()[1]) for site, runs in of_sites.items()}
    return Opened(tuple(_on_opened(u, of_sites) for u in units), steps)


def why_not_opened(units: Sequence[Units]) -> str | None:
    """Why units lie along an axis in another way than the runs of batches along it allow; ``None``
    where they do not.
    """
    of_sites = _runs_of_sites(units, None)
    for u in units:
        for site, axis in u.everywhere:
            if site in of_sites and not of_sites[site].has_place_for(u, axis):
                return (
                    f"Units {u.name!r} lie on axis {axis} of site {site!r}, along which the batch "
                    "of other units runs in blocks: only units that permute these blocks, or lie "
                    "in each, go together with it. Leave one of the two out."
                )
    return None


def _runs_of_sites(units: Sequence[Units], ndims: Mapping[str, int] | None) -> dict[str, _Runs]:
    """The runs of all sites along which there are any."""
    given: dict[str, list[tuple[Units, Axis]]] = {}
    for u in units:
        for site, axis in u.everywhere:
            given.setdefault(site, []).append((u, axis))
    found: dict[str, _Runs] = {}
    for site, some in given.items():
        if not all(axis.is_plain for _, axis in some):
            ndim = _MANY if ndims is None else ndims[site]
            found[site] = _Runs.of([(u, axis.resolved(ndim)) for u, axis in some], ndim)
    return found


def _on_opened(u: Units, of_sites: Mapping[str, _Runs]) -> Units:
    """The same units on opened arrays."""
    axes = u.axes
    values = u.values
    for site, runs in of_sites.items():
        if site in axes:
            axes[site] = tuple(runs.opened(u, axis) for axis in axes[site])
        if site in values:
            values[site] = runs.opened(u, values[site])
    if axes == u.axes and values == u.values:
        return u
    return u.with_axes(axes, values)


@dataclass(frozen=True)
class _Runs:
    """The runs of batches along the axes of one site, which all units have in common.

    :param by_axis: axis -> the runs along it, each along what the one before it has left.
    """

    by_axis: Mapping[int, tuple[Run, ...]]
    ndim: int

    @classmethod
    def of(cls, given: Sequence[tuple[Units, Axis]], ndim: int) -> _Runs:
        """From units and their axes on the site: along each axis the longest row of runs."""
        by_axis: dict[int, tuple[Run, ...]] = {}
        for u, axis in given:
            for k, own in _by_axis(u, axis).items():
                by_axis[k] = max(by_axis.get(k, ()), own, key=len)
        return cls(by_axis, ndim)

    @property
    def whole(self) -> Axis:
        """All runs, in the order in which they are opened."""
        return Axis(batch=tuple(r.run for k in sorted(self.by_axis) for r in self.by_axis[k]))

    def rest(self, k: int) -> int:
        """Where an axis of the site, or what its runs leave of it, lies in the opened array."""
        return replace(self.whole, axis=k).opened()[0].axis

    def place(self, k: int, i: int) -> int:
        """Where the ``i``-th run along an axis lies in the opened array."""
        before = sum(len(self.by_axis[other]) for other in self.by_axis if other < k)
        return self.whole.opened()[0].batch_axes[before + i]

    def has_place_for(self, u: Units, axis: Axis) -> bool:
        """Whether units lie in what the runs leave of an axis, permute a run, or turn all."""
        own = axis.resolved(self.ndim)
        of_batch = _by_axis(u, own)
        for k, runs in of_batch.items():
            if runs != self.by_axis[k][: len(runs)]:
                return False
        if any(b in self.by_axis for b in own.batch_runs if not isinstance(b, Axis)):
            return False
        further = [] if own.is_of_labels else self._further(u, own)
        if not further:
            return True
        if u.n == 1:
            return _whole_repetitions(own, further) is not None
        return own.start is None and self._permutes(u, own, further[0])

    def opened(self, u: Units, axis: Axis) -> Axis:
        """An axis of units, in the opened array."""
        own = axis.resolved(self.ndim)
        batch: list[int] = []
        seen = dict.fromkeys(self.by_axis, 0)
        for b in own.batch_runs:
            if isinstance(b, Axis):
                batch.append(self.place(b.axis, seen[b.axis]))
                seen[b.axis] += 1
            else:
                batch.append(self.rest(b))
        if own.is_of_labels:
            return Axis(batch=tuple(batch))
        further = self._further(u, own)
        if not further:
            return replace(own, axis=self.rest(own.axis), batch=tuple(batch))
        if self._permutes(u, own, further[0]):
            where = self.place(own.axis, seen[own.axis])
            return Axis(where, power=own.power, batch=tuple(batch))
        # One factor for an array or a part of it: for what the runs leave of that, of every set.
        start, length = _whole_repetitions(own, further) or (None, 1)
        return Axis(self.rest(own.axis), start, length, 1, own.power, tuple(batch))

    def _further(self, u: Units, own: Axis) -> Sequence[Run]:
        """The runs along the units' own axis that are none of their batch."""
        mine = _by_axis(u, own).get(own.axis, ())
        return self.by_axis.get(own.axis, ())[len(mine) :]

    @staticmethod
    def _permutes(u: Units, own: Axis, run: Run) -> bool:
        """Whether units are the sets of a run."""
        return Run(Axis(own.axis, outer=own.outer, inner=own.inner), u.n) == run


def _whole_repetitions(own: Axis, further: Sequence[Run]) -> tuple[int | None, int] | None:
    """Where the block of a single unit lies in what runs leave of its axis, and how long it is;
    ``None`` where it does not hold the same entries of every set.
    """
    last = further[-1].run
    if own.start is None:
        return None, last.outer * last.inner
    m = further[0].m
    once = m * further[0].run.inner  # all sets, one repetition
    if len(further) > 1 or own.start % once or own.length(1) % once:
        return None
    return own.start // m, own.length(1) // m


def _by_axis(u: Units, axis: Axis) -> dict[int, tuple[Run, ...]]:
    """The runs of one axis' batch, by the axis along which they lie."""
    found: dict[int, tuple[Run, ...]] = {}
    for b, m in zip(axis.batch_runs, u.batch, strict=True):
        if isinstance(b, Axis):
            found[b.axis] = (*found.get(b.axis, ()), Run(b, m))
    return found
