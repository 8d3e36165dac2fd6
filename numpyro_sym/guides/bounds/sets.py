"""The symmetrized density of a mean-field guide, set by set.

A mean-field density is a product over the sets of a batch, and each set has elements of its own. So
the sum over the group is a product of sums over one set's elements, each a matrix permanent or a
short list, whatever the number of sets. Units that permute the sets make a permanent of such sums;
a few other units are listed around them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log, prod
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.scipy.special import logsumexp

from ...symmetry import Axis, Symmetry, Units
from .beliefs import Fit, Gaussian, Sites, fit_of, in_every_set, odd, signed, summed_out
from .outer import inner_units
from .permanent import log_permanent


class MeanField(NamedTuple):
    """A draw of independent Normals.

    :param x: site name -> the draw, where ``transforms`` has no such site in the Normals' own
        coordinates.
    :param q: the Normals.
    :param transforms: site name -> transform from the Normals to the draw, where the action is
        another before it.
    """

    x: Sites
    q: Gaussian
    transforms: Mapping[str, dist.transforms.Transform]


class Limits(NamedTuple):
    """What is summed exactly.

    :param units: rows of a permanent.
    :param elements: terms of a list.
    :param pairs: terms of all the sums that hold every set against every place.
    """

    units: int
    elements: int
    pairs: int


def is_at_most(sym: Symmetry, elements: int) -> bool:
    """Whether a group has no more than so many elements; the order of a large one is
    not computed.
    """
    return sym.log_order < log(elements) + 1 and sym.order <= elements


def independent_parts(sym: Symmetry) -> list[Symmetry]:
    """Units that share no site, apart."""
    groups: list[list[Units]] = []
    for u in sym.units:
        joined = [g for g in groups if any(set(u.sites) & set(v.sites) for v in g)]
        groups = [g for g in groups if g not in joined] + [[v for g in joined for v in g] + [u]]
    return [Symmetry(group) for group in groups]


class Sums(NamedTuple):
    """How the sum over a group is computed.

    :param family: units with one batch, summed set by set.
    :param inside: their symmetry within one set.
    :param outer: units that permute the sets, summed by a permanent; ``None`` where none do.
    :param listed: the others, around all this.
    """

    family: tuple[Units, ...]
    inside: Symmetry
    outer: Units | None
    listed: Symmetry


def sums_for(sym: Symmetry, field: MeanField, limits: Limits) -> Sums | None:
    """A way to sum over the group that is affordable, ``None`` where there is none."""
    ndims = {site: jnp.ndim(x) for site, x in field.x.items()}
    innermost = [u for u in sym.units if not inner_units(sym, u)]
    batch = max(innermost, key=lambda u: u.log_order).batch
    family = tuple(u for u in innermost if u.batch == batch)
    inside = _one_set(family, ndims, field)
    if inside is None:
        return None
    terms = _terms(inside, field, limits)
    if terms is None:
        return None
    others = [u for u in sym.units if u not in family]
    if len(others) == 1 and _pairs_up(sym, others[0], family, ndims, field):
        outer = others[0]
        if outer.n <= limits.units and outer.n * prod(batch) * terms <= limits.pairs:
            return Sums(family, inside, outer, Symmetry())
    listed = Symmetry(others)
    if others and not is_at_most(listed, limits.elements // terms):
        return None
    return Sums(family, inside, None, listed)


class Total(NamedTuple):
    """Log of a sum over elements, and its term at the identity, computed in the same way: roundings
    cancel.
    """

    sum: jax.Array
    identity: jax.Array


def log_gain(sums: Sums, field: MeanField) -> jax.Array:
    """``log sum_g q(g^-1 w) - log q(w)``."""
    if len(sums.listed) == 0:
        total = _over_sets(sums, field)
        return total.sum - total.identity
    each = jax.vmap(lambda g: _over_sets(sums, field._replace(x=sums.listed.act(g, field.x))))
    every = each(sums.listed.elements())  # the identity is the first of them
    return logsumexp(every.sum) - every.identity[0]


def log_density(field: MeanField) -> jax.Array:
    """Log density of the draw; of sites in the Normals' coordinates, the Normals' own."""
    total = jnp.zeros(())
    for site, x in field.x.items():
        fn = dist.Normal(field.q.loc[site], jnp.sqrt(field.q.variance[site]))
        if site in field.transforms:
            fn = dist.TransformedDistribution(fn, field.transforms[site])
        total += fn.log_prob(x).sum()
    return total


# One set --------------------------------------------------------------------------------------


def _one_set(
    family: tuple[Units, ...], ndims: Mapping[str, int], field: MeanField
) -> Symmetry | None:
    """The family's symmetry within one set, whose arrays lack the axes of the batch; ``None`` where
    it has none.
    """
    batch_axes = _batch_axes(family, ndims)
    if batch_axes is None:
        return None
    for site, batch in batch_axes.items():
        # Entries that a transform ties together must be of one set.
        if site in field.transforms and any(
            b >= ndims[site] - _event_dim(field.transforms[site]) for b in batch
        ):
            return None
    inside = []
    for u in family:
        placed = {}
        for site, axes in u.placements:
            placed[site] = tuple(_without_batch(a.resolved(ndims[site])) for a in axes)
        inside.append(Units(u.name, u.n, axes=placed, kind=u.kind))
    return Symmetry(inside)


def _batch_axes(
    family: tuple[Units, ...], ndims: Mapping[str, int]
) -> dict[str, tuple[int, ...]] | None:
    """Site name -> the axes on which the batch runs; ``None`` where one site has it in two ways."""
    found: dict[str, tuple[int, ...]] = {}
    for u in family:
        for site, axes in u.placements:
            for axis in axes:
                own = axis.resolved(ndims[site]).batch_axes
                if found.setdefault(site, own) != own:
                    return None
    return found


def _without_batch(axis: Axis) -> Axis:
    before = sum(b < axis.axis for b in axis.batch_axes)
    return Axis(axis.axis - before, axis.start, axis.outer, axis.inner, axis.power)


def _event_dim(transform: dist.transforms.Transform) -> int:
    return max(transform.domain.event_dim, transform.codomain.event_dim)


def _is_permanent(part: Symmetry, field: MeanField) -> bool:
    """Whether units move whole rows of independent Normals, each along one axis."""
    one_axis_each = all(
        len({a.axis for a in axes}) == 1 for u in part.units for _, axes in u.placements
    )
    return (
        len(part) == 1
        and one_axis_each
        and not any(site in field.transforms for site in part.sites)
    )


def _terms(inside: Symmetry, field: MeanField, limits: Limits) -> int | None:
    """How many terms the sum over one set's elements has, ``None`` where they are too many."""
    total = 0
    for part in independent_parts(inside):
        if _is_permanent(part, field):
            if part.units[0].n > limits.units:
                return None
            total += 2 ** part.units[0].n
        else:
            if not is_at_most(part, limits.elements):
                return None
            total += int(part.order)
    return total


def _inside(inside: Symmetry, field: MeanField) -> Total:
    """Over one set's elements: the draw and the Normals lack the axes of the batch."""
    total = Total(jnp.zeros(()), jnp.zeros(()))
    for part in independent_parts(inside):
        mine = _only(field, part.sites)
        each = _permanent(part, mine) if _is_permanent(part, field) else _list(part, mine)
        total = Total(total.sum + each.sum, total.identity + each.identity)
    return total


def _permanent(part: Symmetry, field: MeanField) -> Total:
    (u,) = part.units
    fit = fit_of(part, u, {}, field.x, field.q)
    return Total(log_permanent(summed_out(u, fit)), jnp.trace(fit.even + fit.odd))


def _list(part: Symmetry, field: MeanField) -> Total:
    each = jax.vmap(lambda g: log_density(field._replace(x=part.act(g, field.x))))(part.elements())
    return Total(logsumexp(each), each[0])


def _only(field: MeanField, sites: tuple[str, ...]) -> MeanField:
    x, loc, variance = (
        {site: a[site] for site in sites} for a in (field.x, field.q.loc, field.q.variance)
    )
    transforms = {site: t for site, t in field.transforms.items() if site in sites}
    return MeanField(x, Gaussian(loc, variance), transforms)


# All sets -------------------------------------------------------------------------------------


def _pairs_up(
    sym: Symmetry,
    outer: Units,
    family: tuple[Units, ...],
    ndims: Mapping[str, int],
    field: MeanField,
) -> bool:
    """Whether the sum over the elements of ``outer`` is a permanent over pairs of a set and its
    place.
    """
    if set(inner_units(sym, outer)) != set(family):
        return False
    in_sets = {site for u in family for site in u.sites}
    for site, axes in outer.placements:
        if len({a.axis % ndims[site] for a in axes}) > 1:
            return False
        if site not in in_sets and site in field.transforms:
            return False
    return True


def _over_sets(sums: Sums, field: MeanField) -> Total:
    """Over all elements but those of the listed units."""
    mine = _only(field, sums.inside.sites)
    rest = _only(field, tuple(site for site in field.x if site not in mine.x))
    if sums.outer is not None:
        return _over_places(sums, sums.outer, mine, rest)
    sets = _in_sets(sums, mine)
    each = jax.vmap(lambda x, q: _inside(sums.inside, MeanField(x, q, field.transforms)))(
        sets.x, sets.q
    )
    alone = log_density(rest)
    return Total(each.sum.sum() + alone, each.identity.sum() + alone)


def _over_places(sums: Sums, outer: Units, field: MeanField, rest: MeanField) -> Total:
    """A permanent whose entries are sums over one set's elements: of each set's draw under each
    place's Normals.

    Where the outer units have a batch, a product of such.

    :param field: the sites of the sets.
    :param rest: those on which the outer units alone lie.
    """
    alone = {site: axes for site, axes in outer.axes.items() if site in rest.x}
    nothing = Fit(
        jnp.zeros((*outer.batch, outer.n, outer.n)), jnp.zeros((*outer.batch, outer.n, outer.n))
    )
    own = fit_of(Symmetry(), outer.with_axes(alone), {}, rest.x, rest.q) if alone else nothing
    right = _pairs(sums, outer, field)
    log_weights = own.even + own.odd + right.sum
    identity = jnp.trace(own.even + own.odd + right.identity, axis1=-2, axis2=-1)
    if signed(outer):
        turned = {
            s: -x if any(odd(outer, a) for a in outer.axes[s]) else x for s, x in field.x.items()
        }
        wrong = _pairs(sums, outer, field._replace(x=turned))
        log_weights = jnp.logaddexp(log_weights, own.even - own.odd + wrong.sum)
    return Total(in_every_set(outer, log_permanent)(log_weights).sum(), identity.sum())


def _pairs(sums: Sums, outer: Units, field: MeanField) -> Total:
    """Sums over one set's elements, ``(*outer.batch, sets, places)``, the rest of the family's
    batch summed up.
    """
    inner = sums.family[0]
    where = Symmetry([inner, outer]).axis_of_sets(outer, inner)
    assert where is not None
    sets = _in_sets(sums, field, first=(*where.batch_axes, where.axis))
    one = jax.vmap(lambda x, q: _inside(sums.inside, MeanField(x, q, field.transforms)))
    pairs = jax.vmap(jax.vmap(one, (None, 0)), (0, None))
    each = in_every_set(outer, pairs)(sets.x, sets.q)
    return Total(each.sum.sum(-1), each.identity.sum(-1))


def _in_sets(sums: Sums, field: MeanField, first: tuple[int, ...] = ()) -> MeanField:
    """Arrays with the sets along one axis, behind the dimensions of the batch that are to come
    first.
    """
    u = sums.family[0]
    batch_axes = _batch_axes(sums.family, {site: jnp.ndim(x) for site, x in field.x.items()})
    assert batch_axes is not None
    lead = (*(u.batch[d] for d in first), -1)
    order = (*first, *(d for d in range(len(u.batch)) if d not in first))

    def sliced(site: str, x: jax.Array) -> jax.Array:
        axes = [batch_axes[site][d] for d in order]
        x = jnp.moveaxis(x, axes, range(len(axes)))
        return x.reshape(*lead, *x.shape[len(axes) :])

    x, loc, variance = (
        {s: sliced(s, a) for s, a in part.items()}
        for part in (field.x, field.q.loc, field.q.variance)
    )
    return MeanField(x, Gaussian(loc, variance), field.transforms)
