"""What comes into units and what goes out of them: read off the contractions of a program.

Signs tell no direction, for a sign is its own inverse. A contraction does: of ``tanh(x @ w1 + b1) @
w2`` one side was computed, and what runs along its axis comes into the units; the other is a site
as it stands, and goes out of them. This is for words and pictures: no symmetry rests on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..models import ModelView
from ..symmetry import Units
from . import program
from .inference import calls, entry_by_entry, rules
from .rules_control import parts_of_scan

#: A site and one of its axes.
Key = tuple[str, int]
#: Primitives whose inputs and outputs have axes at the same places.
IN_PLACE = {"concatenate", "pad", "rev", "slice", "dynamic_slice", "dynamic_update_slice", "split"}
IN_PLACE |= {"cumsum", "cummax", "cummin", "cumprod", "cumlogsumexp"}
IN_PLACE |= {"reduce_window_sum", "reduce_window_max", "reduce_window_min"}
MOST_STEPS = 4  # of a loop, until its carry is settled


class Flow(NamedTuple):
    """What led to a value.

    :param computed: whether a contraction or a reduction did; a site, however scaled, is not.
    :param axes: for each axis, the axes of sites that run along it.
    """

    computed: bool
    axes: tuple[frozenset[Key], ...]


#: Of a contraction: what runs along the axis of the computed side, and of the other.
Contractions = set[tuple[frozenset[Key], frozenset[Key]]]
NOTHING: frozenset[Key] = frozenset()


def with_directions(view: ModelView, units: Sequence[Units]) -> list[Units]:
    """The same units, with what their sites do in the model's program.

    :param units: as they were found; where the program does not tell, nothing is said.
    """
    try:
        found = contractions(view)
    except Exception:
        # Parameters that a version of JAX spells otherwise.
        if program.RAISE_FAULTS:
            raise
        return list(units)
    return [u.with_roles(_roles(view, u, found)) for u in units]


def _roles(view: ModelView, u: Units, found: Contractions) -> dict[str, tuple[int, ...]]:
    """For each axis of each site 1 for what comes in, -1 for what goes out, 0 for what does both or
    neither.
    """
    keys = {}
    for site, axs in u.placements:
        ndim = len(view.shapes.get(site, ()))
        keys[site] = [(site, axis.axis % ndim) if ndim else None for axis in axs]
    own = {key for each in keys.values() for key in each if key is not None}
    comes_in, goes_out = set[Key](), set[Key]()
    for computed, bare in found:
        if own & computed and own & bare:
            comes_in |= own & computed
            goes_out |= own & bare
    roles = {}
    for site, each in keys.items():
        roles[site] = tuple(int(key in comes_in) - int(key in goes_out) for key in each)
    return roles


def contractions(view: ModelView) -> Contractions:
    """All contractions of a model's program in which sites meet what was computed of sites."""
    found: Contractions = set()
    data = [Flow(False, (NOTHING,) * np.ndim(x)) for _, x in sorted(view.data.items())]
    sites = []
    for name, shape in sorted(view.shapes.items()):
        sites.append(Flow(False, tuple(frozenset([(name, k)]) for k in range(len(shape)))))
    _run(view.program, [*data, *sites], found)
    return found


def _run(jaxpr: Any, inputs: Sequence[Flow], found: Contractions) -> list[Flow]:
    """What led to the outputs of a program."""
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    env: dict[Any, Flow] = {v: _plain(v) for v in jaxpr.constvars}
    env.update(zip(jaxpr.invars, inputs, strict=True))

    def read(atom: Any) -> Flow:
        return _plain(atom) if hasattr(atom, "val") else env[atom]

    for eqn in jaxpr.eqns:
        outputs = _step(eqn, [read(a) for a in eqn.invars], found)
        env.update(zip(eqn.outvars, outputs, strict=True))
    return [read(a) for a in jaxpr.outvars]


def _plain(atom: Any) -> Flow:
    return Flow(False, (NOTHING,) * len(atom.aval.shape))


def _step(eqn: Any, inputs: list[Flow], found: Contractions) -> list[Flow]:
    """What led to the outputs of one equation; along axes of which nothing is known, nothing
    runs.
    """
    name = eqn.primitive.name
    if name in calls:
        inner = next(eqn.params[n] for n in ("jaxpr", "call_jaxpr", "fun_jaxpr") if n in eqn.params)
        return _run(inner, inputs, found)
    if name == "scan":
        return _scan(eqn, inputs, found)
    if name == "while":
        before, own = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
        consts, carry = inputs[before : before + own], inputs[before + own :]
        return _looped(eqn.params["body_jaxpr"], consts, carry, [], found)[0]
    if name == "cond":
        ends = [_run(branch, inputs[1:], found) for branch in eqn.params["branches"]]
        return [_joined(outs) for outs in zip(*ends, strict=True)]
    computed = any(x.computed for x in inputs)
    shapes = [a.aval.shape for a in eqn.invars]
    out = eqn.outvars[0].aval.shape
    if name == "dot_general":
        x, y = inputs
        return [_dot_general(eqn, x, y, found)]
    if name == "conv_general_dilated":
        x, y = inputs
        return [_convolution(eqn, x, y, found)]
    if name in rules and rules[name] in entry_by_entry:
        axes = _along(_spread(inputs, shapes, out), len(out))
    elif name in IN_PLACE:
        axes = _along([x.axes for x in inputs if len(x.axes) == len(out)], len(out))
    elif name == "transpose":
        axes = tuple(inputs[0].axes[k] for k in eqn.params["permutation"])
    elif name == "squeeze":
        gone = [k % len(shapes[0]) for k in eqn.params["dimensions"]]
        axes = tuple(a for k, a in enumerate(inputs[0].axes) if k not in gone)
    elif name == "broadcast_in_dim":
        where = dict(zip(eqn.params["broadcast_dimensions"], inputs[0].axes, strict=True))
        axes = tuple(where.get(k, NOTHING) for k in range(len(out)))
    elif name == "reshape":
        axes = _reshaped(inputs[0].axes, shapes[0], out)
    elif name.startswith("reduce_") and "axes" in eqn.params:
        computed = True
        axes = tuple(a for k, a in enumerate(inputs[0].axes) if k not in eqn.params["axes"])
    else:
        axes = (NOTHING,) * len(out)
    flows = []
    for v in eqn.outvars:
        ndim = len(v.aval.shape)
        flows.append(Flow(computed, axes if len(axes) == ndim else (NOTHING,) * ndim))
    return flows


def _along(each: Iterable[tuple[frozenset[Key], ...]], ndim: int) -> tuple[frozenset[Key], ...]:
    """What runs along the axes of values that lie on each other."""
    axes = [NOTHING] * ndim
    for one in each:
        axes = [mine | its for mine, its in zip(axes, one, strict=True)]
    return tuple(axes)


def _spread(
    inputs: Sequence[Flow], shapes: Sequence[tuple[int, ...]], out: tuple[int, ...]
) -> Iterator[tuple[frozenset[Key], ...]]:
    """What runs along the axes of values that are spread over one shape: nothing where an axis of
    one entry is.
    """
    for x, shape in zip(inputs, shapes, strict=True):
        if len(shape) == len(out):
            of_axes = zip(x.axes, shape, out, strict=True)
            yield tuple(own if n == new else NOTHING for own, n, new in of_axes)


def _joined(flows: Sequence[Flow]) -> Flow:
    """One value that may be either."""
    axes = _along([x.axes for x in flows], len(flows[0].axes))
    return Flow(any(x.computed for x in flows), axes)


def _contracted(x: Flow, i: int, y: Flow, j: int, found: Contractions) -> None:
    if x.computed != y.computed:
        computed, bare = (x.axes[i], y.axes[j]) if x.computed else (y.axes[j], x.axes[i])
        if computed and bare:
            found.add((computed, bare))


def _dot_general(eqn: Any, x: Flow, y: Flow, found: Contractions) -> Flow:
    (contract_x, contract_y), (batch_x, batch_y) = eqn.params["dimension_numbers"]
    for i, j in zip(contract_x, contract_y, strict=True):
        _contracted(x, i, y, j, found)
    axes = [x.axes[i] | y.axes[j] for i, j in zip(batch_x, batch_y, strict=True)]
    axes += [a for i, a in enumerate(x.axes) if i not in (*contract_x, *batch_x)]
    axes += [a for j, a in enumerate(y.axes) if j not in (*contract_y, *batch_y)]
    return Flow(True, tuple(axes))


def _convolution(eqn: Any, x: Flow, kernel: Flow, found: Contractions) -> Flow:
    dims = eqn.params["dimension_numbers"]
    _contracted(x, dims.lhs_spec[1], kernel, dims.rhs_spec[1], found)
    axes = [NOTHING] * len(x.axes)
    axes[dims.out_spec[0]] = x.axes[dims.lhs_spec[0]]
    axes[dims.out_spec[1]] = kernel.axes[dims.rhs_spec[0]]
    return Flow(True, tuple(axes))


def _reshaped(
    axes: Sequence[frozenset[Key]], before: Sequence[int], after: Sequence[int]
) -> tuple[frozenset[Key], ...]:
    """What ran along some axes runs along all those into which, together, they are reshaped."""
    out = [NOTHING] * len(after)
    i = j = 0
    while i < len(before) and j < len(after):
        # The shortest runs of axes of one length, from here on.
        first, second = i, j
        i, j = i + 1, j + 1
        while (old := prod(before[first:i])) != (new := prod(after[second:j])):
            i, j = (i + 1, j) if old < new else (i, j + 1)
        along = NOTHING.union(*axes[first:i])
        for k in range(second, j):
            out[k] = along if after[k] > 1 else NOTHING
    return tuple(out)


def _scan(eqn: Any, inputs: list[Flow], found: Contractions) -> list[Flow]:
    begin, first = parts_of_scan(eqn)
    slices = [Flow(x.computed, x.axes[1:]) for x in inputs[first:]]
    consts, carry = inputs[:begin], inputs[begin:first]
    ends, outs = _looped(eqn.params["jaxpr"], consts, carry, slices, found)
    return [*ends, *(Flow(y.computed, (NOTHING, *y.axes)) for y in outs)]


def _looped(
    body: Any,
    consts: Sequence[Flow],
    carry: Sequence[Flow],
    slices: Sequence[Flow],
    found: Contractions,
) -> tuple[list[Flow], list[Flow]]:
    """The carry after as many steps as change it, and what else a step gives."""
    state, outs = list(carry), list[Flow]()
    for _ in range(MOST_STEPS):
        results = _run(body, [*consts, *state, *slices], found)
        ends, outs = results[: len(state)], results[len(state) :]
        after = [_joined(both) for both in zip(state, ends, strict=True)]
        if after == state:
            break
        state = after
    return state, outs
