"""The symmetry of a model: a product of groups, one for each ``Units``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf, log, prod
from typing import Any

import jax
import numpy as np

from . import algebra, kinds
from .action import act_on_sites
from .arguments import check_arguments, refusal
from .axis import Axis
from .bars import progress
from .deprecated import renamed_arguments
from .element import Array, Element
from .errors import SymmetryError
from .opening import Opened, opened
from .products import Outers, outers_of
from .randomness import seed_of
from .report import CheckReport
from .stacks import stacked, stacked_shapes, unstacked, why_not_stacked
from .table import Table, Tabular
from .units import Units
from .validity import check_element, check_labels

Elements = dict[str, Element]
Sites = Mapping[str, Array]


@jax.tree_util.register_static
@dataclass(frozen=True, init=False, repr=False)
class Symmetry(Tabular):
    """What leaves a model as it is: permutations, signs or scales of its units.

    A value: hashable, compared by content, picklable, static under ``jax.jit``. Group elements
    are plain arrays, ``{units name: Element(permutation, factor)}``, so that whole batches of
    them pass through ``jit`` and ``vmap``.

    The groups of ``Units`` that commute make a direct product. Where some permute the axes on
    which the batch of others runs, as the members of an ensemble do with each member's hidden
    units, the two make a wreath product: the inner units act first, then the outer ones, in
    whatever order they are given.

    :param units: the :class:`Units`, each with a name of its own; :attr:`order` multiplies.
    :param notes: how it was found and what was not, line by line, for :meth:`explain`; two
        symmetries that differ in nothing else are equal.
    :param caveats: units name -> what the claim rests on besides a proof; see
        :meth:`unconditional`.
    :param certain: units name -> a smaller symmetry of these units that has fewer caveats.
    :raises SymmetryError: where two have the same name, or lie on one axis and neither commute
        nor make a wreath product.

    >>> hidden = Units("hidden", 3, incoming={"w1": 1, "b1": 0}, outgoing={"w2": 0}, kind="signed")
    >>> sym = Symmetry([hidden])
    >>> sym.order
    48
    >>> print(sym)
    units   n  kind    order  acts on
    hidden  3  signed  48     w1[1] b1[0] w2[0]
    >>> unit = Units("unit", 3, axes={"w": Axis(1, batch=0)}, batch=4)
    >>> Symmetry([unit, Units("member", 4, axes={"w": 0})]).order == 6**4 * 24
    True
    """

    units: tuple[Units, ...]
    notes: tuple[str, ...] = field(default=(), compare=False)
    caveats: Mapping[str, frozenset[str]] = field(default_factory=dict, compare=False)
    certain: Mapping[str, Symmetry] = field(default_factory=dict, compare=False)
    _outers: Outers = field(default_factory=dict, compare=False)

    def __init__(
        self,
        units: Iterable[Units] = (),
        *,
        notes: Iterable[str] = (),
        caveats: Mapping[str, Iterable[str]] | None = None,
        certain: Mapping[str, Symmetry] | None = None,
    ) -> None:
        units = _all_units(units)
        names = [u.name for u in units]
        for name in names:
            if names.count(name) > 1:
                raise SymmetryError(
                    f"Symmetry: two Units are called {name!r}. Give each a name of its own."
                )
        object.__setattr__(self, "units", units)
        object.__setattr__(self, "notes", _all_notes(notes))
        given = {name: frozenset(some) for name, some in (caveats or {}).items()}
        object.__setattr__(self, "caveats", {name: given.get(name, frozenset()) for name in names})
        smaller = {name: part for name, part in (certain or {}).items() if name in names}
        object.__setattr__(self, "certain", smaller)
        object.__setattr__(self, "_outers", outers_of(units))
        self._refuse_other_stacks()

    def _refuse_other_stacks(self) -> None:
        """What is stacked for one is stacked alike for all, and no site by itself for any."""
        stacks = self.stacks
        for u in self.units:
            named = set(u.axes) - dict(u.stacked).keys()
            other = next((array for array in stacks if array in named), None)
            wrong = other or next((a for a, sites in u.stacked if stacks[a] != sites), None)
            if wrong is not None:
                raise SymmetryError(
                    f"Symmetry: {wrong!r} is stacked of other sites, or of none, for Units "
                    f"{u.name!r}. Stack it alike for all of them."
                )
            if why := why_not_stacked("Symmetry", stacks, named, u.values):
                raise SymmetryError(why)

    # What it is ------------------------------------------------------------------------------

    @property
    def order(self) -> int | float:
        """How many elements the group has, an exact int; infinite where units scale."""
        return prod(u.order for u in self.units)

    @property
    def log_order(self) -> float:
        """Natural logarithm of :attr:`order`."""
        return sum(u.log_order for u in self.units)

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites along which units lie, each once, but for those that hold labels."""
        labels = set(self.label_sites)
        sites: dict[str, None] = {}
        for u in self.units:
            stacks = dict(u.stacked)
            for site in u.sites:
                if site not in labels:
                    sites |= dict.fromkeys(stacks.get(site, (site,)))
        return tuple(sites)

    @property
    def stacks(self) -> dict[str, tuple[str, ...]]:
        """Array -> its sites, where each unit has a site of its own; see :class:`Units`."""
        return {array: sites for u in self.units for array, sites in u.stacked}

    def on_arrays(self) -> Symmetry:
        """The same symmetry of stacked sites: for whoever takes arrays only.

        >>> sym = Symmetry([Units("component", 2, stacked={"mu": ("mu1", "mu2")})])
        >>> sym.sites, sym.on_arrays().sites
        (('mu1', 'mu2'), ('mu',))
        """
        if not self.stacks:
            return self
        certain = {name: part.on_arrays() for name, part in self.certain.items()}
        units = [u.on_arrays() for u in self.units]
        return Symmetry(units, notes=self.notes, caveats=self.caveats, certain=certain)

    def stack(self, sites: kinds.Sites, *, sample_ndim: kinds.NotNegative = 0) -> dict[str, Array]:
        """Sites in stacks, as :meth:`on_arrays` moves them.

        :param sites: site name -> array of shape ``(*sample, *site shape)``.
        :param sample_ndim: how many leading sample dimensions they have.
        :returns: a new dict, with an array ``(*sample, n, *site shape)`` in place of each stack.
        :raises SymmetryError: where a part of a stack is missing, or shapes differ.

        >>> import numpy as np
        >>> sym = Symmetry([Units("component", 2, stacked={"mu": ("mu1", "mu2")})])
        >>> sym.stack({"mu1": np.array(1.0), "mu2": np.array(3.0)})["mu"].tolist()
        [1.0, 3.0]
        """
        check_arguments(Symmetry.stack, locals())
        return stacked(self.stacks, sites, sample_ndim)

    def unstack(
        self, sites: kinds.Sites, *, like: kinds.Names = (), sample_ndim: kinds.NotNegative = 0
    ) -> dict[str, Array]:
        """The inverse of :meth:`stack`.

        :param sites: what it gave.
        :param like: names of sites, in the order in which they are wanted.
        :param sample_ndim: how many leading sample dimensions they have.
        :returns: a new dict.
        """
        check_arguments(Symmetry.unstack, locals())
        return unstacked(self.stacks, sites, list(like), sample_ndim)

    @property
    def label_sites(self) -> tuple[str, ...]:
        """Names of the sites that hold labels of units: ``values``. They are moved where they are
        there.
        """
        return tuple(site for u in self.units for site in u.values)

    @property
    def in_order_of_action(self) -> tuple[Units, ...]:
        """The units as they act one after the other: those that permute the batch of others come
        after these.
        """
        return tuple(sorted(self.units, key=self._depth)) if self._outers else self.units

    def _depth(self, units: Units) -> int:
        """How many units stand inside each other below these."""
        depth = 0
        for inner in self.units:
            outers = self._outers.get(inner.name, ())
            if any(outer.name == units.name for outer in outers):
                depth = max(depth, 1 + self._depth(inner))
        return depth

    def outer_of(self, units: Units) -> tuple[tuple[int, Units], ...]:
        """The units that permute the batch of these, each with the dimension of the batch.

        :param units: some of the symmetry's own.
        :returns: pairs (dimension, outer units), by dimension; empty where nothing permutes the
            batch.
        :raises SymmetryError: where there is no such ``Units``.

        >>> unit = Units("unit", 3, axes={"w": Axis(1, batch=0)}, batch=4)
        >>> sym = Symmetry([unit, Units("member", 4, axes={"w": 0})])
        >>> sym.outer_of(unit)
        ((0, Units('member', 4, kind='permutation', acts on w[0])),)
        """
        check_arguments(Symmetry.outer_of, locals())
        self[units.name]
        outers = self._outers.get(units.name, ())
        return tuple((outer.dimension, self[outer.name]) for outer in outers)

    def axis_of_sets(self, outer: Units, inner: Units) -> Axis | None:
        """Where outer units lie on arrays ``(*batch, ...)`` that hold something of each set of
        inner units.

        :param outer: some of the symmetry's own, and ``inner`` others.
        :returns: the axis, ``None`` where the outer units do not permute the sets of the inner
            ones.

        >>> unit = Units("unit", 3, axes={"w": Axis(2, batch=(0, 1))}, batch=(6, 4))
        >>> head = Units("head", 4, axes={"w": Axis(1, batch=0)}, batch=6)
        >>> print(Symmetry([unit, head]).axis_of_sets(head, unit))
        [1 over 0]
        """
        check_arguments(Symmetry.axis_of_sets, locals())
        for found in self._outers.get(self[inner.name].name, ()):
            if found.name == outer.name:
                return Axis(found.dimension, batch=found.within)
        return None

    def __getitem__(self, name: str) -> Units:
        check_arguments(Symmetry.__getitem__, locals())
        for u in self.units:
            if u.name == name:
                return u
        raise SymmetryError(
            f"Symmetry has no Units called {name!r}; it has {[u.name for u in self.units]}."
        )

    def __iter__(self) -> Iterator[Units]:
        return iter(self.units)

    def __len__(self) -> int:
        return len(self.units)

    def __str__(self) -> str:
        return super().__str__() if self.units else "no symmetry"

    def _table(self) -> Table:
        rows = []
        for u in self.units:
            size = u.describe_size() if u.batch else u.n
            rows.append([u.name, size, u.kind, _short(u), u.describe_axes()])
        none = [] if self.units else ["no symmetry"]
        return Table(("units", "n", "kind", "order", "acts on"), rows, above=none)

    def __repr__(self) -> str:
        return f"Symmetry({list(self.units)!r})"

    def explain(self) -> str:
        """How the symmetry is known, and what was not found to be symmetric and why.

        :returns: a line a fact.

        >>> Symmetry([Units("component", 3, axes={"mu": 0})]).explain()
        'declared by hand'
        """
        return "\n".join(self.notes) or "declared by hand"

    # Adjusting it ----------------------------------------------------------------------------

    def with_notes(self, notes: kinds.Names) -> Symmetry:
        """The same symmetry with further lines for :meth:`explain`.

        >>> print(Symmetry().with_notes(["Nothing was looked for."]).explain())
        Nothing was looked for.
        """
        every = [*self.notes, *notes]
        return Symmetry(self.units, notes=every, caveats=self.caveats, certain=self.certain)

    def select(self, kind: kinds.FactorKinds) -> Symmetry:
        """The subgroup with only these kinds of factors.

        Units of another kind keep their permutations where ``"permutation"`` is among the kinds,
        and are left out where it is not.

        :param kind: one kind or several of ``"permutation"``, ``"signed"``, ``"scaled"``.
        :returns: the smaller :class:`Symmetry`.
        :raises SymmetryError: where a kind is unknown.

        >>> hidden = Units("hidden", 3, incoming={"w1": 1}, outgoing={"w2": 0}, kind="scaled")
        >>> relu = Symmetry([hidden])
        >>> relu.select(kind=("permutation", "signed")).order
        6
        """
        check_arguments(Symmetry.select, locals())
        chosen = (kind,) if isinstance(kind, str) else tuple(kind)
        kept = []
        for u in self.units:
            if u.kind in chosen:
                kept.append(u)
            elif "permutation" in chosen:
                kept.append(u.with_kind("permutation"))
        certain = {name: part.select(kind) for name, part in self.certain.items()}
        return Symmetry(kept, notes=self.notes, caveats=self.caveats, certain=certain)

    def refuse_scaled(self, who: str) -> None:
        """Raise where units are scaled: for whoever moves the posterior, not the likelihood alone.

        :param who: the name that the error begins with.
        :raises SymmetryError: naming the units and the way out.
        """
        for u in self.units:
            if u.kind == "scaled":
                raise SymmetryError(
                    f"{who}: Units {u.name!r} are scaled: a symmetry of the likelihood that the "
                    "prior breaks, so not "
                    "one of the posterior. Use sym.select(kind=('permutation', 'signed')) to keep "
                    "their permutations."
                )

    def refuse_stacks(self, who: str, remedy: str) -> None:
        """Raise where units have a site each: for whoever meets sites one at a time.

        :param who: the name that the error begins with.
        :param remedy: what to do instead, a sentence.
        :raises SymmetryError: naming the sites.
        """
        for array, sites in self.stacks.items():
            raise SymmetryError(
                f"{who}: the units of {array!r} have a site each ({', '.join(sites)}), and the "
                f"sites of a model are met one after another. {remedy}"
            )

    def without(self, *names: str) -> Symmetry:
        """The symmetry without the named ``Units``.

        :raises SymmetryError: where there is no such ``Units``.
        """
        for name in names:
            self[name]
        kept = [u for u in self.units if u.name not in names]
        return Symmetry(kept, notes=self.notes, caveats=self.caveats, certain=self.certain)

    def without_values(self) -> Symmetry:
        """The same symmetry of everything but labels: what distances and densities of numbers are
        about.

        :returns: a :class:`Symmetry` of the same ``Units``, whose elements are those of this one.
        :raises SymmetryError: where some ``Units`` lie along nothing else.

        >>> print(Symmetry([Units("component", 3, axes={"mu": 0}, values=("z",))]).without_values())
        units      n  kind         order  acts on
        component  3  permutation  6      mu[0]
        """
        labels = set(self.label_sites)
        if not labels:
            return self
        kept = []
        for u in self.units:
            axes = {site: axs for site, axs in u.axes.items() if site not in labels}
            if not axes:
                raise SymmetryError(
                    f"Units {u.name!r} lie along no site but labels ({u.describe_axes()}), by "
                    "which alone they cannot "
                    "be told apart here. Name a site that they lie along in axes, or leave these "
                    "units out."
                )
            kept.append(u.with_values(()).with_axes(axes))
        certain = {name: part.without_values() for name, part in self.certain.items()}
        return Symmetry(kept, notes=self.notes, caveats=self.caveats, certain=certain)

    def rename(self, names: Mapping[str, str]) -> Symmetry:
        """The same symmetry under other names, ``{old: new}``.

        :raises SymmetryError: where there is no such ``Units``.
        """
        check_arguments(Symmetry.rename, locals())
        for name in names:
            self[name]
        renamed = [u.renamed(names.get(u.name, u.name)) for u in self.units]
        caveats = {names.get(name, name): some for name, some in self.caveats.items()}
        certain = {}
        for name, part in self.certain.items():
            certain[names.get(name, name)] = part.rename({name: names.get(name, name)})
        return Symmetry(renamed, notes=self.notes, caveats=caveats, certain=certain)

    def rename_sites(self, names: Mapping[str, str]) -> Symmetry:
        """The same symmetry of sites under other names, ``{old: new}``: of the same model in
        another program.

        :raises SymmetryError: where it acts on no such site, or two sites would have one name.

        >>> Symmetry([Units("component", 3, axes={"mu": 0})]).rename_sites({"mu": "loc"}).sites
        ('loc',)
        """
        check_arguments(Symmetry.rename_sites, locals())
        every = dict.fromkeys([*self.sites, *self.label_sites])
        for site in names:
            if site not in every:
                raise SymmetryError(f"Symmetry acts on no site {site!r}; it acts on {list(every)}.")
        after = [names.get(site, site) for site in every]
        for site in after:
            if after.count(site) > 1:
                raise SymmetryError(
                    f"rename_sites: two sites would be called {site!r}. Give each a name of its "
                    "own."
                )
        renamed = [u.with_sites_renamed(names) for u in self.units]
        certain = {}
        for name, part in self.certain.items():
            there = {*part.sites, *part.label_sites}
            certain[name] = part.rename_sites(
                {old: new for old, new in names.items() if old in there}
            )
        return Symmetry(renamed, notes=self.notes, caveats=self.caveats, certain=certain)

    def unconditional(self, *accepted: str) -> Symmetry:
        """The part that holds whatever the data are: what guides and kernels use unasked.

        Units that :func:`numpyro_sym.find_symmetry` found may be marked in :attr:`caveats`:
        ``"evaluated"`` (found by evaluating the model, not proved), ``"values"`` (holds for these
        values of the data, such as two equal rows) or ``"untouched"`` (moves only sites that the
        likelihood never sees). Of units of which a part is certain, that part is kept: the one
        permutation of all sets where it was not proved that each set has its own.

        :param accepted: marks that are accepted nevertheless.
        :returns: the :class:`Symmetry` without units that have another mark.

        >>> sym = Symmetry([Units("group", 2, axes={"mu": 0})], caveats={"group": {"values"}})
        >>> len(sym.unconditional()), len(sym.unconditional("values"))
        (0, 1)
        """
        kept: list[Units] = []
        caveats: dict[str, frozenset[str]] = {}
        for u in self.units:
            holds = not self.caveats[u.name] - set(accepted)
            part = self if holds else self.certain.get(u.name, Symmetry()).unconditional(*accepted)
            if u.name in part.caveats:
                kept.append(part[u.name])
                caveats[u.name] = part.caveats[u.name]
        return Symmetry(kept, notes=self.notes, caveats=caveats, certain=self.certain)

    # The group -------------------------------------------------------------------------------

    def identity(self, sample_shape: kinds.SampleShape = ()) -> Elements:
        """The element that moves nothing, with arrays of shape ``(*sample_shape, *batch, n)``."""
        check_arguments(Symmetry.identity, locals())
        return {u.name: algebra.identity(u, sample_shape) for u in self.units}

    def sample(self, rng_key: kinds.RngKey, sample_shape: kinds.SampleShape = ()) -> Elements:
        """Uniform elements (positive factors: standard log-normal).

        :param rng_key: a JAX random key.
        :param sample_shape: how many, as leading dimensions.
        """
        check_arguments(Symmetry.sample, locals())
        keys = jax.random.split(rng_key, max(len(self.units), 1))
        return {
            u.name: algebra.sample(u, key, sample_shape)
            for u, key in zip(self.units, keys, strict=False)
        }

    def compose(self, g: kinds.Elements, h: kinds.Elements) -> Elements:
        """The element that acts like ``h``, then ``g``: ``act(compose(g, h), x) == act(g, act(h,
        x))``.

        :raises SymmetryError: where one is no element of the group, or lacks ``Units``.
        """
        check_arguments(Symmetry.compose, locals())
        for u in self.units:
            for element in (g, h):
                check_element("compose", u, self._element(element, u))
        return {
            u.name: algebra.compose(self._behind(g[u.name], u, h), h[u.name]) for u in self.units
        }

    def inverse(self, g: kinds.Elements) -> Elements:
        """The element that undoes ``g``.

        :raises SymmetryError: where it is no element of the group, or lacks ``Units``.
        """
        check_arguments(Symmetry.inverse, locals())
        for u in self.units:
            check_element("inverse", u, self._element(g, u))
        back: Elements = {}
        for u in reversed(self.in_order_of_action):  # what was done last is undone first
            back[u.name] = self._behind(algebra.inverse(g[u.name]), u, back)
        return {u.name: back[u.name] for u in self.units}

    def _behind(self, element: Element, u: Units, h: Mapping[str, Element]) -> Element:
        """The element that, acting before the outer units of ``h``, does what ``element`` does
        after them.

        Its set ``c`` is the set of ``element`` to whose place the outer permutation sends ``c``.
        """
        outers = {outer.name: outer for outer in self._outers.get(u.name, ())}
        outermost_first = reversed(self.in_order_of_action) if outers else ()
        # Each finds the sets where those outside of it have not moved them yet.
        for v in outermost_first:
            if v.name in outers:
                dimension, name, within = outers[v.name]
                sent_to = algebra.inverse(h[name]).permutation
                element = algebra.moved_batch(element, sent_to, dimension, len(u.batch), within)
        return element

    def elements(self) -> Elements:
        """Every element once, along a leading dimension of length :attr:`order`; identity first.

        :raises SymmetryError: where the group has more than a million elements.
        """
        if self.log_order > _LARGE or self.order > 10**6:
            raise SymmetryError(f"elements: a group of order {_short(self)} is too large to list.")
        each = [algebra.enumerate_elements(u) for u in self.units]
        counts = [len(e.permutation) for e in each]
        grid = np.indices(counts).reshape(len(counts), -1) if counts else np.zeros((0, 1), int)
        every: Elements = {}
        for u, element, rows in zip(self.units, each, grid, strict=True):
            every[u.name] = Element(element.permutation[rows], element.factor[rows])
        return every

    def act(
        self, g: kinds.Elements, sites: kinds.Sites, *, sample_ndim: kinds.NotNegative | None = None
    ) -> dict[str, Array]:
        """Move the arrays of all sites together.

        :param g: ``{units name: Element}``, arrays of shape ``(*sample, *batch, n)``.
        :param sites: site name -> array of shape ``(*sample, *site shape)``; NumPy or JAX. Sites
            that the symmetry does not name pass through; labels may be missing.
        :param sample_ndim: how many leading sample dimensions the sites have; by default as many as
            the element. One element, which has none, then moves every draw alike.
        :returns: a new dict of the same shapes, dtypes and order.
        :raises SymmetryError: where ``g`` is no element of the group, a site is missing, or an axis
            or a sample shape does not fit.

        >>> import jax, jax.numpy as jnp
        >>> sym = Symmetry([Units("component", 3, axes={"mu": 0})])
        >>> g = {"component": Element(jnp.array([2, 0, 1]), jnp.ones(3))}
        >>> sym.act(g, {"mu": jnp.array([10.0, 20.0, 30.0])})["mu"].tolist()
        [30.0, 10.0, 20.0]
        """
        check_arguments(Symmetry.act, locals())
        out = dict(sites)
        if not self.units:
            return out
        first = self.units[0]
        sample = np.shape(self._element(g, first).permutation)[: -len(first.shape)]
        for u in self.units:
            check_element("act", u, self._element(g, u))
            if np.shape(g[u.name].permutation) != (*sample, *u.shape):
                raise SymmetryError(
                    f"act: the element of {u.name!r} has shape {np.shape(g[u.name].permutation)}; "
                    f"expected {(*sample, *u.shape)}."
                )
        there = [site for site in (*self.sites, *self.label_sites) if site in sites]
        if sample_ndim and not sample and there:
            sample = np.shape(sites[there[0]])[:sample_ndim]
            g = {u.name: g[u.name].for_each(sample) for u in self.units}
        if sample_ndim is not None and sample_ndim != len(sample):
            raise SymmetryError(
                f"act: sample_ndim is {sample_ndim}, and the element has sample shape {sample}; "
                "expected an element "
                "for each draw, or one without sample dimensions for all."
            )
        self.check_shapes({s: np.shape(x) for s, x in sites.items()}, sample)
        for u in self.units:
            for site in u.values.keys() & sites.keys():
                check_labels("act", u, site, sites[site])
        for u in self.in_order_of_action:
            out = act_on_sites(u, g[u.name], out, len(sample))
        return out

    def moved_labels(
        self, g: kinds.Elements, sites: kinds.Sites, *, sample_ndim: kinds.NotNegative = 0
    ) -> Sites:
        """The labels among the sites, moved by an element that is known: what rides along with an
        alignment or a fold.

        :param g: units name -> Element, of those units at least that the labels name or lie along.
        :param sites: site name -> array of shape ``(*sample, *site shape)``.
        :param sample_ndim: how many leading sample dimensions the element has, and the sites.
        :returns: the sites that hold labels, and no others, moved.
        :raises SymmetryError: where numbers are no labels, or an axis does not fit.

        >>> import numpy as np
        >>> sym = Symmetry([Units("component", 3, axes={"mu": 0}, values=("z",))])
        >>> g = {"component": Element(np.array([2, 0, 1]), np.ones(3))}
        >>> sym.moved_labels(g, {"mu": np.zeros(3), "z": np.array([0, 0, 2])})["z"].tolist()
        [1, 1, 0]
        """
        check_arguments(Symmetry.moved_labels, locals())
        labels = {site: sites[site] for site in self.label_sites if site in sites}
        for u in self.in_order_of_action:
            named = [site for site in (*u.sites, *u.values) if site in labels]
            if not named:
                continue
            check_element("act", u, self._element(g, u))
            sample = np.shape(g[u.name].permutation)[: -len(u.shape)]
            for site in named:
                shape = np.shape(labels[site])
                if len(sample) != sample_ndim or shape[:sample_ndim] != sample:
                    raise SymmetryError(
                        f"act: site {site!r} has shape {shape}, and the element of {u.name!r} "
                        f"sample shape {sample}; "
                        f"expected {sample_ndim} leading dimensions of both to be the same."
                    )
            for site in u.values.keys() & labels.keys():
                _check_axis(u, site, u.values[site], np.shape(labels[site])[sample_ndim:])
                check_labels("act", u, site, labels[site])
            labels = act_on_sites(u, g[u.name], labels, sample_ndim)
        return labels

    def _element(self, g: Mapping[str, Any], u: Units) -> Element:
        try:
            return g[u.name]
        except KeyError:
            raise SymmetryError(
                f"The element lacks Units {u.name!r}; it has {sorted(g)}."
            ) from None

    # Does it fit? ----------------------------------------------------------------------------

    def check_shapes(self, shapes: kinds.Shapes, sample: kinds.SampleShape = ()) -> None:
        """Raise unless every site but labels is there and every axis has the length that its units
        need.

        :param shapes: site name -> shape ``(*sample, *site shape)``.
        :param sample: the leading sample dimensions that every shape begins with.
        :raises SymmetryError: naming the units, the site, its shape and what was expected.
        """
        check_arguments(Symmetry.check_shapes, locals())
        if self.stacks:
            self.on_arrays().check_shapes(stacked_shapes(self.stacks, shapes, len(sample)), sample)
            return
        labels = set(self.label_sites)
        for u in self.units:
            for site, axis in u.everywhere:
                if site not in shapes and site in labels:
                    continue
                if site not in shapes:
                    raise SymmetryError(
                        f"Units {u.name!r} act on site {site!r}, which is not there; there are "
                        f"{sorted(shapes)}."
                    )
                if shapes[site][: len(sample)] != tuple(sample):
                    raise SymmetryError(
                        f"Site {site!r} has shape {shapes[site]}; its leading dimensions must be "
                        f"{tuple(sample)}."
                    )
                _check_axis(u, site, axis, tuple(shapes[site][len(sample) :]))
        self._refuse_other_products(
            {site: len(shape) - len(sample) for site, shape in shapes.items()}
        )

    def _refuse_other_products(self, ndims: Mapping[str, int]) -> None:
        """With the numbers of dimensions known, axes 1 and -1 of a matrix are seen to be one."""
        resolved = []
        for u in self.units:
            there = [(site, axs) for site, axs in u.placements if site in ndims]
            axes = {site: tuple(a.resolved(ndims[site]) for a in axs) for site, axs in there}
            values = {site: a.resolved(ndims[site]) for site, a in u.labeled if site in ndims}
            resolved.append(u.with_axes({**u.axes, **axes}, {**u.values, **values}))
        if outers_of(resolved) != self._outers:
            raise SymmetryError(
                "Some Units permute the batch of others, which shows only when axes are counted "
                "from the same end. "
                "Count the axes of each site from one end in all Units."
            )

    @renamed_arguments(rng_seed="rng_key")
    def check(
        self,
        model: kinds.Model,
        *args: Any,
        num_points: kinds.Positive = 3,
        num_elements: kinds.Positive = 4,
        rng_key: kinds.RngKeyOrSeed = 0,
        progress_bar: bool = True,
        **kwargs: Any,
    ) -> CheckReport:
        """Evaluate the model in float64 at random points under random elements of the group.

        Permutations and signs must leave the log joint density as it is, and every value in its
        support; scales must leave the log likelihood as it is.

        :param model: a NumPyro model.
        :param args: the model's arguments.
        :param num_points: how many random points to try.
        :param num_elements: how many random elements to try at each point, for each ``Units``.
        :param rng_key: a JAX random key, or a seed, of the points and elements.
        :param progress_bar: whether to show one where it takes long.
        :param kwargs: the model's keyword arguments.
        :returns: a :class:`CheckReport`; ``print`` it for a table.
        :raises SymmetryError: naming the units, the site and the axis that break it.

        >>> import jax.numpy as jnp, numpyro, numpyro.distributions as dist
        >>> def model():
        ...     numpyro.sample("mu", dist.Normal(0, jnp.array([1.0, 2.0])).to_event(1))
        >>> Symmetry([Units("component", 2, axes={"mu": 0})]).check(model)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        numpyro_sym.symmetry.errors.SymmetryError: ... the prior of site 'mu' tells its 2 entries...
        """
        check_arguments(Symmetry.check, locals())
        # Points up, as plot does: a symmetry is checked on a model.
        from ..models.check import check_model

        with progress("check", "evaluations", progress_bar):
            seed = seed_of(rng_key)
            return check_model(self, model, args, kwargs, num_points, num_elements, seed)

    def plot(self, shapes_or_draw: Any = None, **options: Any) -> Any:
        """Which axes of which arrays belong together, drawn with matplotlib.

        :param shapes_or_draw: as for :func:`numpyro_sym.plots.plot_symmetry`: site name -> shape,
            one draw, or an ArviZ object.
        :param options: its other arguments.
        :returns: the matplotlib axes.
        :raises SymmetryError: as there.
        """
        # Points up, as check does.
        from ..plots import plot_symmetry

        return plot_symmetry(self, shapes_or_draw, **options)


def _all_units(given: Iterable[Units]) -> tuple[Units, ...]:
    """What a symmetry is made of, one ``Units`` or several."""
    if isinstance(given, Units):
        return (given,)
    if (
        not isinstance(given, Iterable)
        or isinstance(given, (str, Mapping))
        or hasattr(given, "dtype")
    ):
        raise SymmetryError(refusal("Symmetry", "units", given, "Units, or several in a list"))
    units = tuple(given)
    for u in units:
        if not isinstance(u, Units):
            raise SymmetryError(refusal("Symmetry", "units", given, "Units, or several in a list"))
    return units


def _all_notes(given: Iterable[str]) -> tuple[str, ...]:
    is_several = (
        isinstance(given, Iterable) and not isinstance(given, str) and not hasattr(given, "dtype")
    )
    notes = tuple(given) if is_several else None
    if notes is None or not all(isinstance(note, str) for note in notes):
        raise SymmetryError(refusal("Symmetry", "notes", given, "several strings"))
    return notes


def _check_axis(u: Units, site: str, axis: Axis, shape: tuple[int, ...]) -> None:
    where = f"Units {u.name!r} (n = {u.n}), site {site!r} of shape {shape}"
    if not axis.is_of_labels and not -len(shape) <= axis.axis < len(shape):
        raise SymmetryError(f"{where}: there is no axis {axis.axis}.")
    for b in axis.batch_axes:
        if not -len(shape) <= b < len(shape):
            raise SymmetryError(f"{where}: there is no axis {b} for the batch.")
    whole = [b % len(shape) for b in axis.batch_runs if not isinstance(b, Axis)]
    others = {b.axis % len(shape) for b in axis.batch_runs if isinstance(b, Axis)}
    if not axis.is_of_labels:
        others.add(axis.axis % len(shape))
    if len(set(whole)) < len(whole) or not others.isdisjoint(whole):
        raise SymmetryError(f"{where}: axis {axis} names one axis of the array twice.")
    left = axis.left_by_batch(shape, u.batch)
    if left is None:
        # Along one axis each run is of what the one before it left: the last one's blocks count.
        sets: dict[int, int] = {}
        each: dict[int, int] = {}
        for run, b, m in zip(axis.batch_runs, axis.batch_axes, u.batch, strict=True):
            sets[b] = sets.get(b, 1) * m
            each[b] = run.outer * run.inner if isinstance(run, Axis) else 1
        needed = {b: sets[b] * each[b] for b in sets}
        b = next((b for b in sets if shape[b] != needed[b]), axis.batch_axes[0])
        blocks = f", {sets[b]} blocks of {each[b]}" if each[b] > 1 else ""
        raise SymmetryError(
            f"{where}: axis {b} has length {shape[b]}; the batch of {u.describe_size()} needs "
            f"{needed[b]}{blocks}."
        )
    if axis.is_of_labels:
        return
    length, need = left[axis.axis], axis.length(u.n)
    if axis.start is None and length != need:
        raise SymmetryError(
            f"{where}: axis {axis.axis} has length {length}; expected {need}. "
            "For units inside a longer axis use numpyro_sym.Axis(axis, start, outer, inner)."
        )
    if axis.offset + need > length:
        raise SymmetryError(
            f"{where}: axis {axis.axis} has length {length}; the block from {axis.offset} needs "
            f"{axis.offset + need}."
        )


def on_opened_arrays(
    sym: Symmetry, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[Symmetry, Opened]:
    """A symmetry on arrays in which every run of a batch is an axis, and the way there and back.

    :param shapes: site name -> shape, without sample dimensions.
    :returns: the symmetry itself where there is nothing to open.
    """
    way = opened(sym.units, {site: len(shape) for site, shape in shapes.items()})
    if not way.steps:
        return sym, way
    return Symmetry(way.units, notes=sym.notes, caveats=sym.caveats), way


def _short(group: Units | Symmetry) -> str:
    """The order of a group in a few letters; of a large one it is not computed."""
    if group.log_order == inf:
        return "inf"
    if group.log_order >= _LARGE:
        return f"10**{int(group.log_order / log(10))}"
    return str(group.order) if group.order < 10**6 else f"{group.order:.3e}"


_LARGE = 300 * log(10)
