"""Operations that do the same to every slice of a batch, so that what holds of one slice holds of each by itself.

Let a permutation move one slice alone: index ``i`` of a batch axis. A *slice* is a value of which
the walk knows the type at that one index; its ``batch`` says along which axes it was cut, and there
its length is 1. Where an equation acts slice by slice, its rule is applied to the slices: those at
other indices do not change, and neither does what is no slice. Everywhere else slices are *joined*:
nothing may move them, so that what comes out does not change, whatever the equation does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from types import SimpleNamespace
from typing import Any, NamedTuple

from .inference import Batch, Rule, Value, Walk, entry_by_entry, rules

JOINED = "the sets of a batch meet"


class Cut(NamedTuple):
    """How an equation acts slice by slice, along one dimension of the batch.

    :param inputs: the axis at which each input is cut; ``None`` where every slice sees it whole.
    :param outputs: the axis on which the slices of each output lie.
    :param params: parameters of the equation that tell shapes, as they are for one slice.
    """

    inputs: tuple[int | None, ...]
    outputs: tuple[int, ...]
    params: dict[str, Any] = {}


Cutter = Callable[[Any, Sequence[int | None]], Cut | None]
_cutters: dict[str, Cutter] = {}


def cuts(*primitives: str) -> Callable[[Cutter], Cutter]:
    """Register how primitives act slice by slice.

    A cutter is a function of the equation and of the axis along which each input is a batch of
    slices (``None``: it is none). It returns a :class:`Cut`, or ``None`` where slices meet.
    """

    def register(cutter: Cutter) -> Cutter:
        _cutters.update(dict.fromkeys(primitives, cutter))
        return cutter

    return register


# What the walk does with slices -----------------------------------------------------------------------


def joined(walk: Walk, x: Value, shape: Sequence[int]) -> Value:
    """All slices as the one value that they are: nothing may move them, so it does not change.

    :param shape: of the whole.
    """
    if not x.batch:
        return x
    walk.kill(x, JOINED)
    return walk.value(shape, [walk.fresh(n, walk.because(JOINED)) for n in shape])


def at_one_index(walk: Walk, x: Value, axes: Iterable[int | None]) -> Value:
    """One slice of a value that does not change: length 1 along these axes."""
    for k in axes:
        if k is None or x.shape[k] == 1:
            continue
        is_constant = x.axes[k] is None
        walk.kill(x, "a slice is taken at any position", [k])
        known = x.known.take([0], k) if is_constant and x.known is not None else None
        x = x._replace(
            shape=(*x.shape[:k], 1, *x.shape[k + 1 :]),
            axes=(*x.axes[:k], None, *x.axes[k + 1 :]),
            known=known,
        )
    return x


def shape_of(atom: Any) -> tuple[int, ...]:
    """The shape of an equation's input or output, of all slices."""
    return tuple(atom.aval.shape)


def apply_to_slices(walk: Walk, eqn: Any, values: Sequence[Value], rule: Rule) -> list[Value] | None:
    """Outputs of an equation of which an input at least is a slice; ``None`` where slices meet.

    :param rule: of the primitive.
    """
    plan = _plan(eqn, [x.batch for x in values])
    if plan is None:
        return None
    cuts_of_inputs, batches, one = plan
    inputs = []
    for x, axes in zip(values, cuts_of_inputs, strict=True):
        inputs.append(x._replace(batch=()) if x.batch else at_one_index(walk, x, axes))
    out = rule(walk, one, *inputs)
    typed = [x if isinstance(x, Value) else walk.constant(x) for x in ([out] if isinstance(out, Value) else out)]
    return [x._replace(batch=batch, known=None) for x, batch in zip(typed, batches, strict=True)]


def _plan(eqn: Any, batches: Sequence[Batch]) -> tuple[list[Batch], list[Batch], Any] | None:
    """Where each input is cut and each output a slice, and the equation as it is for one slice."""
    (num_dims,) = {len(b) for b in batches if b}
    inputs: list[Batch] = [()] * len(batches)
    outputs: list[Batch] = [()] * len(eqn.outvars)
    params = dict(eqn.params)
    shapes = [list(shape_of(v)) for v in eqn.outvars]
    for d in range(num_dims):
        axes = [b[d] if b else None for b in batches]
        if all(k is None for k in axes):  # inside a loop over this dimension: all there is is one slice
            cut = Cut((None,) * len(axes), ())
            outs: Sequence[int | None] = [None] * len(outputs)
        else:
            if any(b and k is None for b, k in zip(batches, axes, strict=True)):
                return None
            found = _cutters.get(eqn.primitive.name, _no_cut)(eqn, axes)
            if found is None or any(k is not None and k != at for k, at in zip(axes, found.inputs, strict=True)):
                return None
            cut, outs = found, found.outputs
            params |= {name: _both(params[name], eqn.params[name], new) for name, new in cut.params.items()}
        inputs = [(*b, k) for b, k in zip(inputs, cut.inputs, strict=True)]
        outputs = [(*b, k) for b, k in zip(outputs, outs, strict=True)]
        for shape, k in zip(shapes, outs, strict=True):
            if k is not None:
                shape[k] = 1
    outvars = [SimpleNamespace(aval=SimpleNamespace(shape=tuple(s), ndim=len(s))) for s in shapes]
    one = SimpleNamespace(
        primitive=eqn.primitive, params=params, invars=eqn.invars, outvars=outvars, source_info=eqn.source_info
    )
    return inputs, outputs, one


def _both(so_far: Sequence[int], given: Sequence[int], new: Sequence[int]) -> tuple[int, ...]:
    """A parameter that several dimensions of a batch change, each in a place of its own."""
    return tuple(b if b != a else s for s, a, b in zip(so_far, given, new, strict=True))


def _no_cut(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    """Primitives whose rule is that of an elementwise one act entry by entry, whoever registered them."""
    return elementwise(eqn, axes) if rules.get(eqn.primitive.name) in entry_by_entry else None


# How primitives act slice by slice ---------------------------------------------------------------------


def _the(axes: Iterable[int | None]) -> int | None:
    """The axis on which all slices lie, if there is one."""
    some = {k for k in axes if k is not None}
    return some.pop() if len(some) == 1 else None


def _set(values: Sequence[int], k: int, new: int) -> tuple[int, ...]:
    return (*values[:k], new, *values[k + 1 :])


def elementwise(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    """Slices of all inputs meet entry by entry; an input of length 1 there is in every slice."""
    k = _the(axes)
    out = shape_of(eqn.outvars[0])
    if k is None:
        return None
    inputs: list[int | None] = []
    for v in eqn.invars:
        shape = shape_of(v)
        if shape and len(shape) != len(out):
            return None
        inputs.append(k if shape and shape[k] == out[k] else None)
    return Cut(tuple(inputs), (k,) * len(eqn.outvars))


@cuts("optimization_barrier")
def barrier(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    if None in axes:
        return None
    return Cut(tuple(axes), tuple(axes))  # type: ignore[arg-type]


@cuts("transpose")
def transpose(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    return Cut((axes[0],), (list(eqn.params["permutation"]).index(axes[0]),))


@cuts("broadcast_in_dim")
def broadcast_in_dim(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    k = axes[0]
    if k is None or any(a is not None for a in axes[1:]):
        return None
    shape, to = eqn.params["shape"], eqn.params["broadcast_dimensions"][k]
    if shape[to] != shape_of(eqn.invars[0])[k]:
        return None
    return Cut((k,) + (None,) * (len(axes) - 1), (to,), {"shape": _set(shape, to, 1)})


@cuts("squeeze", "reshape")
def reshape(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    """The axis stays an axis of its own: as many entries come before it, and it is as long."""
    k = axes[0]
    if k is None or len(axes) > 1 or (eqn.primitive.name == "reshape" and eqn.params["dimensions"]):
        return None
    old, new = shape_of(eqn.invars[0]), shape_of(eqn.outvars[0])
    for to, n in enumerate(new):
        if n == old[k] and prod(new[:to]) == prod(old[:k]):
            return Cut((k,), (to,))
    return None


@cuts("reduce_sum", "reduce_max", "reduce_min", "reduce_and", "reduce_or", "reduce_xor", "reduce_prod")
@cuts("argmax", "argmin")
def reduce(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    k, gone = axes[0], eqn.params["axes"]
    if k is None or k in gone:
        return None
    return Cut((k,), (k - sum(a < k for a in gone),))


@cuts("cumsum", "cummax", "cummin", "cumprod", "cumlogsumexp")
def cumulate(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    return None if axes[0] in (None, eqn.params["axis"]) else Cut((axes[0],), (axes[0],))


@cuts("rev")
def rev(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    return None if axes[0] is None or axes[0] in eqn.params["dimensions"] else Cut((axes[0],), (axes[0],))


@cuts("sort")
def sort(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    return None if _the(axes) == eqn.params["dimension"] else elementwise(eqn, axes)


@cuts("dot_general")
def dot_general(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    """Slices of both factors meet along a batch dimension; a free axis of one meets all of the other."""
    contracted, batched = eqn.params["dimension_numbers"]
    for k, b in enumerate(zip(*batched, strict=True)):
        if any(a is not None and a == at for a, at in zip(axes, b, strict=True)):
            return Cut(tuple(b), (k,))
    if None not in axes:
        return None
    side = 0 if axes[0] is not None else 1
    k = axes[side]
    if k in contracted[side]:
        return None
    free = [[i for i in range(len(shape_of(v))) if i not in (*contracted[s], *batched[s])] for s, v in enumerate(eqn.invars)]
    before = len(batched[0]) + (len(free[0]) if side else 0)
    return Cut(tuple(axes), (before + free[side].index(k),))


@cuts("concatenate")
def concatenate(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    k = _the(axes)
    return None if k in (None, eqn.params["dimension"]) else Cut((k,) * len(axes), (k,))


@cuts("stack")
def stack(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    k = _the(axes)
    return None if k is None else Cut((k,) * len(axes), (k + (k >= eqn.params["axis"]),))


@cuts("split", "unstack")
def split(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    k, along = axes[0], eqn.params["axis"]
    if k in (None, along):
        return None
    to = k if "sizes" in eqn.params else k - (k > along)
    return Cut((k,), (to,) * len(eqn.outvars))


@cuts("pad")
def pad(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    k = axes[0]
    if k is None or axes[1] is not None or any(eqn.params["padding_config"][k]):
        return None
    return Cut((k, None), (k,))


@cuts("slice")
def slice_(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    """Slices pass where all of them are taken."""
    k, stops = axes[0], eqn.params["limit_indices"]
    if k is None or shape_of(eqn.outvars[0])[k] != shape_of(eqn.invars[0])[k]:
        return None
    return Cut((k,), (k,), {"limit_indices": _set(stops, k, 1)})


@cuts("dynamic_slice")
def dynamic_slice(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    k, sizes = axes[0], eqn.params["slice_sizes"]
    if k is None or any(a is not None for a in axes[1:]) or sizes[k] != shape_of(eqn.invars[0])[k]:
        return None
    return Cut((k,) + (None,) * (len(axes) - 1), (k,), {"slice_sizes": _set(sizes, k, 1)})


@cuts("gather")
def gather(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    """An axis that is taken whole passes, if the same is looked up in every slice."""
    k, dims, sizes = axes[0], eqn.params["dimension_numbers"], eqn.params["slice_sizes"]
    dropped = {*dims.collapsed_slice_dims, *dims.operand_batching_dims}
    if k is None or axes[1] is not None or k in {*dropped, *dims.start_index_map}:
        return None
    if sizes[k] != shape_of(eqn.invars[0])[k]:
        return None
    windows = [i for i in range(len(sizes)) if i not in dropped]
    return Cut((k, None), (dims.offset_dims[windows.index(k)],), {"slice_sizes": _set(sizes, k, 1)})


@cuts("cholesky")
def cholesky(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    k = axes[0]
    return None if k is None or k >= len(shape_of(eqn.invars[0])) - 2 else Cut((k,), (k,))


@cuts("triangular_solve")
def triangular_solve(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    k = _the(axes)
    return None if k is None or k >= len(shape_of(eqn.invars[0])) - 2 else Cut((k, k), (k,))


@cuts("conv_general_dilated")
def convolution(eqn: Any, axes: Sequence[int | None]) -> Cut | None:
    """Images pass one by one."""
    dims = eqn.params["dimension_numbers"]
    if axes[1] is not None or axes[0] != dims.lhs_spec[0] or eqn.params["batch_group_count"] != 1:
        return None
    return Cut((axes[0], None), (dims.out_spec[0],))
