"""Operations that do the same to every slice of a batch, so that what holds of one slice holds of
each by itself.

Let a permutation move one slice alone: index ``i`` of a batch axis. A *slice* is a value of which
the walk knows the type at that one index; its ``batch`` says along which axes it was cut, and there
its length is 1. Where an equation acts slice by slice, its rule is applied to the slices: those at
other indices do not change, and neither does what is no slice. Everywhere else slices are *joined*:
nothing may move them, so that what comes out does not change, whatever the equation does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from types import SimpleNamespace
from typing import Any, NamedTuple

from .inference import Batch, Block, Lies, Rule, Value, Walk, entry_by_entry, rules

JOINED = "the sets of a batch meet"


#: In place of an output's axis: the slices go into one sum, and so meet as what each adds to it.
MEET = "meet"


class Cut(NamedTuple):
    """How an equation acts slice by slice, along one dimension of the batch.

    :param inputs: where each input is cut; ``None`` where every slice sees it whole.
    :param outputs: where the slices of each output lie, or :data:`MEET`.
    :param params: parameters of the equation that tell shapes, as they are for one slice.
    """

    inputs: Sequence[Lies]
    outputs: Sequence[Lies | str]
    params: Mapping[str, Sequence[int] | int] = {}


Cutter = Callable[[Any, Sequence[Lies]], Cut | None]
_cutters: dict[str, Cutter] = {}


def cuts(*primitives: str, blocks: bool = False) -> Callable[[Cutter], Cutter]:
    """Register how primitives act slice by slice.

    A cutter is a function of the equation and of where each input is a batch of slices (``None``:
    nowhere). It returns a :class:`Cut`, or ``None`` where slices meet.

    :param blocks: whether it knows of slices that lie in a block of an axis.
    """

    def register(cutter: Cutter) -> Cutter:
        def of_axes(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
            if any(isinstance(k, Block) for k in lies):
                return None
            return cutter(eqn, lies)

        _cutters.update(dict.fromkeys(primitives, cutter if blocks else of_axes))
        return cutter

    return register


# What the walk does with slices -------------------------------------------------------------------


def joined(walk: Walk, x: Value, shape: Sequence[int]) -> Value:
    """All slices as the one value that they are: nothing may move them, so it does not change.

    :param shape: of the whole.
    """
    if not x.batch:
        return x
    walk.kill(x, JOINED)
    return walk.value(shape, [walk.fresh(n, walk.because(JOINED)) for n in shape])


def at_one_index(walk: Walk, x: Value, places: Iterable[Lies]) -> Value:
    """One slice of a value that does not change, at any index."""
    text = "a slice is taken at any position"
    for where in places:
        if where is None:
            continue
        k, size = (where.axis, where.size) if isinstance(where, Block) else (where, x.shape[where])
        is_constant = x.axes[k] is None
        walk.kill(x, text, [k])
        n = x.shape[k] // size
        known = x.known.take(range(n), k) if is_constant and x.known is not None else None
        axis = None if is_constant else walk.fresh(n, walk.because(text))
        x = Value(
            (*x.shape[:k], n, *x.shape[k + 1 :]),
            (*x.axes[:k], axis, *x.axes[k + 1 :]),
            x.exponents,
            known,
        )
    return x


def shape_of(atom: Any) -> tuple[int, ...]:
    """The shape of an equation's input or output, of all slices."""
    return tuple(atom.aval.shape)


def apply_to_slices(
    walk: Walk, eqn: Any, values: Sequence[Value], rule: Rule
) -> list[Value] | None:
    """Outputs of an equation of which an input at least is a slice; ``None`` where slices meet.

    :param rule: of the primitive.
    """
    plan = _plan(eqn, [x.batch for x in values])
    if plan is None:
        return None
    places, outputs, one = plan
    inputs = []
    for x, where in zip(values, places, strict=True):
        inputs.append(x._replace(batch=()) if x.batch else at_one_index(walk, x, where))
    out = rule(walk, one, *inputs)
    found = []
    outs = [out] if isinstance(out, Value) else out
    for x, (batch, meet), v in zip(outs, outputs, eqn.outvars, strict=True):
        typed = x if isinstance(x, Value) else walk.constant(x)
        one_of = typed._replace(batch=batch, known=None, pieces=())
        found.append(joined(walk, one_of, shape_of(v)) if meet else one_of)
    return found


def _plan(
    eqn: Any, batches: Sequence[Batch]
) -> tuple[list[Batch], list[tuple[Batch, bool]], Any] | None:
    """Where each input is cut; where each output is a slice, and whether they meet; the equation
    for one slice.
    """
    (num_dims,) = {len(b) for b in batches if b}
    inputs: list[Batch] = [()] * len(batches)
    outputs: list[tuple[Batch, bool]] = [((), False)] * len(eqn.outvars)
    params = dict(eqn.params)
    shapes = [list(shape_of(v)) for v in eqn.outvars]
    for d in range(num_dims):
        lies = [b[d] if b else None for b in batches]
        if all(k is None for k in lies):
            # Inside a loop over this dimension one slice is all there is.
            cut = Cut([None] * len(lies), [None] * len(shapes))
        else:
            found = _cutters.get(eqn.primitive.name, _no_cut)(eqn, lies)
            if found is None:
                return None
            for batch, k, at in zip(batches, lies, found.inputs, strict=True):
                if batch and (k is None or k != at):
                    return None
            cut = found
        for name, new in cut.params.items():
            both = _both(params[name], eqn.params[name], new)
            if both is None:
                return None
            params[name] = both
        inputs = [(*b, k) for b, k in zip(inputs, cut.inputs, strict=True)]
        for i, (shape, place) in enumerate(zip(shapes, cut.outputs, strict=True)):
            batch, meet = outputs[i]
            k = None if isinstance(place, str) else place
            outputs[i] = ((*batch, k), meet or place == MEET)
            if isinstance(k, Block):
                shape[k.axis] //= k.size
            elif isinstance(k, int):
                shape[k] = 1
    outvars = [SimpleNamespace(aval=SimpleNamespace(shape=tuple(s), ndim=len(s))) for s in shapes]
    one = SimpleNamespace(
        primitive=eqn.primitive,
        params=params,
        invars=eqn.invars,
        outvars=outvars,
        source_info=eqn.source_info,
    )
    return inputs, outputs, one


def _both(so_far: Any, given: Any, new: Any) -> Any:
    """A parameter that several dimensions of a batch change; ``None`` where two do in one place."""
    if isinstance(new, int):
        return so_far * new // given  # a count of groups: each dimension takes its part
    both = []
    for s, a, b in zip(so_far, given, new, strict=True):
        if a not in (s, b):
            return None
        both.append(s if b == a else b)
    return tuple(both)


def _no_cut(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    """Primitives whose rule is that of an elementwise one act entry by entry, whoever registered
    them.
    """
    if rules.get(eqn.primitive.name) not in entry_by_entry:
        return None
    return elementwise(eqn, lies)


# How primitives act slice by slice ----------------------------------------------------------------


def _the(lies: Iterable[Lies]) -> Lies:
    """Where all slices lie, if that is one place."""
    places = {k for k in lies if k is not None}
    return places.pop() if len(places) == 1 else None


def _set(values: Sequence[int], k: int, new: int) -> tuple[int, ...]:
    return (*values[:k], new, *values[k + 1 :])


def _is_cut(k: Lies, other: Any) -> bool:
    """Whether the first input alone is a batch of slices."""
    return k is not None and all(x is None for x in other)


def elementwise(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    """Slices of all inputs meet entry by entry; an input of length 1 there is in every slice."""
    where, out = _the(lies), shape_of(eqn.outvars[0])
    if where is None:
        return None
    k = axis_of(where)
    assert k is not None
    inputs: list[Lies] = []
    for v in eqn.invars:
        shape = shape_of(v)
        if shape and len(shape) != len(out):
            return None
        inputs.append(where if shape and shape[k] == out[k] else None)
    return Cut(inputs, [where] * len(eqn.outvars))


@cuts("optimization_barrier", blocks=True)
def optimization_barrier(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    """Several values as they are, each by itself."""
    return None if None in lies else Cut(lies, lies)


def axis_of(where: Lies) -> int | None:
    """The axis on which slices lie, or a block of which they are."""
    return where.axis if isinstance(where, Block) else where


def _on(where: Lies, axis: int) -> Lies:
    """The same slices on another axis of the same length."""
    return where._replace(axis=axis) if isinstance(where, Block) else axis


def _length_of_one(where: Lies, length: int) -> int:
    """How long an axis is in one slice."""
    return length // where.size if isinstance(where, Block) else 1


def _block(axis: int, outer: int, size: int, length: int) -> Lies:
    """A block of an axis, or the axis itself where the block is all of it."""
    return axis if size == length else Block(axis, outer, size)


@cuts("transpose", blocks=True)
def transpose(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    to = [*eqn.params["permutation"]].index(axis_of(lies[0]))
    return Cut(lies, [_on(lies[0], to)])


@cuts("broadcast_in_dim", blocks=True)
def broadcast_in_dim(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    (where, *others), shape = lies, eqn.params["shape"]
    k = axis_of(where)
    if k is None or not _is_cut(where, others):
        return None
    to = eqn.params["broadcast_dimensions"][k]
    if shape[to] != shape_of(eqn.invars[0])[k]:
        return None
    one = _set(shape, to, _length_of_one(where, shape[to]))
    return Cut(lies, [_on(where, to)], {"shape": one})


@cuts("squeeze", "reshape", blocks=True)
def reshape(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    """As many entries come before an index as did, and behind it: an axis, or a block of a longer
    one.
    """
    where, *others = lies
    if where is None or any(x is not None for x in others):
        return None
    if eqn.primitive.name == "reshape" and eqn.params["dimensions"]:
        return None
    old, new = shape_of(eqn.invars[0]), shape_of(eqn.outvars[0])
    k, outer, size = where if isinstance(where, Block) else Block(where, 1, old[where])
    before = prod(old[:k]) * outer
    for to, n in enumerate(new):
        outer, rest = divmod(before, prod(new[:to]))
        if rest == 0 and n > 1 and n % (outer * size) == 0:
            return Cut(lies, [_block(to, outer, size, n)])
    return None


def _reduced(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    (where, *others), gone = lies, eqn.params["axes"]
    if not _is_cut(where, others):
        return None
    k = axis_of(where)
    assert k is not None
    if k in gone:
        return Cut(lies, [MEET])
    return Cut(lies, [_on(where, k - sum(a < k for a in gone))])


@cuts(
    "reduce_sum",
    "reduce_max",
    "reduce_min",
    "reduce_and",
    "reduce_or",
    "reduce_xor",
    "reduce_prod",
    blocks=True,
)
def reduce(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    """Over the batch as well: then of each slice what it adds to the whole."""
    return _reduced(eqn, lies)


@cuts("argmax", "argmin")
def argmax(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    return None if lies[0] in eqn.params["axes"] else _reduced(eqn, lies)


@cuts("cumsum", "cummax", "cummin", "cumprod", "cumlogsumexp")
def cumulated(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    return None if lies[0] == eqn.params["axis"] else Cut(lies, lies)


@cuts("rev")
def rev(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    return None if lies[0] in eqn.params["dimensions"] else Cut(lies, lies)


@cuts("sort")
def sort(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    return None if _the(lies) == eqn.params["dimension"] else elementwise(eqn, lies)


@cuts("dot_general", blocks=True)
def dot_general(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    """Slices of both factors meet along a batch dimension; a free axis of one meets all of the
    other.
    """
    contracted, batched = eqn.params["dimension_numbers"]
    axes = [axis_of(where) for where in lies]
    for pairs, is_batch in (
        (zip(*batched, strict=True), True),
        (zip(*contracted, strict=True), False),
    ):
        for k, pair in enumerate(pairs):
            if any(at is not None and at == own for at, own in zip(axes, pair, strict=True)):
                where = next(w for w in lies if w is not None)
                # Contracted, each slice adds its own product to the sum.
                inputs = [_on(where, own) for own in pair]
                return Cut(inputs, [_on(where, k) if is_batch else MEET])
    if None not in lies:
        return None
    side = 0 if lies[0] is not None else 1
    free = []
    for s, v in enumerate(eqn.invars):
        free.append([i for i in range(len(shape_of(v))) if i not in (*contracted[s], *batched[s])])
    before = len(batched[0]) + (len(free[0]) if side else 0)
    along = axes[side]
    assert along is not None
    return Cut(lies, [_on(lies[side], before + free[side].index(along))])


@cuts("concatenate")
def concatenate(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    k = _the(lies)
    return None if k is None or k == eqn.params["dimension"] else Cut([k] * len(lies), [k])


@cuts("stack")
def stack(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    k = _the(lies)
    if not isinstance(k, int):
        return None
    return Cut([k] * len(lies), [k + (k >= eqn.params["axis"])])


@cuts("split", "unstack", blocks=True)
def split(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    """Along another axis; or along that of a block, into pieces of whole repetitions of it."""
    (where,), along = lies, eqn.params["axis"]
    k = axis_of(where)
    assert k is not None
    if k != along:
        to = k if "sizes" in eqn.params else k - (k > along)
        return Cut(lies, [_on(where, to)] * len(eqn.outvars))
    if not isinstance(where, Block) or "sizes" not in eqn.params:
        return None
    places = []
    for size in eqn.params["sizes"]:
        place = _repetitions(where, shape_of(eqn.invars[0])[k], size)
        if place is None:
            return None
        places.append(place)
    sizes = tuple(size // where.size for size in eqn.params["sizes"])
    return Cut(lies, places, {"sizes": sizes})


def _repetitions(where: Block, length: int, taken: int) -> Lies:
    """Where slices lie in a run of the axis of which they are a block; ``None`` where it is not
    made of whole repetitions of all slices.
    """
    one = length // where.outer  # all slices once
    return None if taken % one else _block(where.axis, taken // one, where.size, taken)


@cuts("pad")
def pad(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    k, fill = lies
    if not isinstance(k, int) or fill is not None or any(eqn.params["padding_config"][k]):
        return None
    return Cut(lies, [k])


@cuts("slice", blocks=True)
def slice_(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    """Where all indices are taken, or whole repetitions of all slices."""
    (where,), starts, stops = lies, eqn.params["start_indices"], eqn.params["limit_indices"]
    k = axis_of(where)
    assert k is not None
    length, taken = shape_of(eqn.invars[0])[k], shape_of(eqn.outvars[0])[k]
    if taken == length:
        one = _length_of_one(where, length)
        return Cut(lies, [where], {"limit_indices": _set(stops, k, one)})
    strides = eqn.params["strides"]
    if not isinstance(where, Block) or (strides and strides[k] != 1):
        return None
    place = _repetitions(where, length, taken)
    if place is None or starts[k] % (length // where.outer):
        return None
    begin, end = starts[k] // where.size, stops[k] // where.size
    changed = {"start_indices": _set(starts, k, begin), "limit_indices": _set(stops, k, end)}
    return Cut(lies, [place], changed)


@cuts("dynamic_slice")
def dynamic_slice(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    (k, *starts), sizes = lies, eqn.params["slice_sizes"]
    if not isinstance(k, int) or not _is_cut(k, starts) or sizes[k] != shape_of(eqn.invars[0])[k]:
        return None
    return Cut(lies, [k], {"slice_sizes": _set(sizes, k, 1)})


@cuts("gather")
def gather(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    """An axis that is taken whole passes, if the same is looked up in every slice."""
    (k, looked_up), dims, sizes = lies, eqn.params["dimension_numbers"], eqn.params["slice_sizes"]
    dropped = {*dims.collapsed_slice_dims, *dims.operand_batching_dims}
    if not isinstance(k, int) or looked_up is not None or k in {*dropped, *dims.start_index_map}:
        return None
    if sizes[k] != shape_of(eqn.invars[0])[k]:
        return None
    windows = [i for i in range(len(sizes)) if i not in dropped]
    return Cut(lies, [dims.offset_dims[windows.index(k)]], {"slice_sizes": _set(sizes, k, 1)})


@cuts("cholesky")
def cholesky(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    is_matrix = lies[0] in (len(shape_of(eqn.invars[0])) - 2, len(shape_of(eqn.invars[0])) - 1)
    return None if is_matrix else Cut(lies, lies)


@cuts("triangular_solve")
def triangular_solve(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    k, ndim = _the(lies), len(shape_of(eqn.invars[0]))
    return None if k in (None, ndim - 2, ndim - 1) else Cut([k, k], [k])


@cuts("conv_general_dilated", blocks=True)
def convolution(eqn: Any, lies: Sequence[Lies]) -> Cut | None:
    """Images pass one by one; groups of channels too, and channels as in a product of matrices."""
    dims, groups = eqn.params["dimension_numbers"], eqn.params["feature_group_count"]
    if eqn.params["batch_group_count"] != 1:
        return None
    images, kernels = lies
    if kernels is None and images == dims.lhs_spec[0]:
        return Cut(lies, [dims.out_spec[0]])
    channels, (to, each) = dims.lhs_spec[1], dims.rhs_spec[:2]
    in_images = None if images is None else axis_of(images)
    in_kernels = None if kernels is None else axis_of(kernels)
    if in_images not in (None, channels) or in_kernels not in (None, to, each):
        return None
    if groups == 1 and in_kernels == to and images is None:
        return Cut(lies, [_on(kernels, dims.out_spec[1])])
    if groups == 1 and in_kernels != to:
        # Contracted, each slice of channels adds its own part to the sum.
        where = kernels if images is None else images
        return Cut([_on(where, channels), _on(where, each)], [MEET])
    if in_kernels == each:
        return None
    return _groups(eqn, lies, groups)


def _groups(eqn: Any, lies: Sequence[Lies], groups: int) -> Cut | None:
    """Slices that are groups of a convolution, or several groups each."""
    dims = eqn.params["dimension_numbers"]
    (images, kernels), channels, to = lies, dims.lhs_spec[1], dims.rhs_spec[0]
    shape_in, shape_out = (shape_of(v) for v in eqn.invars[:2])
    lengths = shape_in[channels], shape_out[to]
    some, length = (images, lengths[0]) if images is not None else (kernels, lengths[1])
    outer, size = (some.outer, some.size) if isinstance(some, Block) else (1, length)
    if outer != 1 or groups % size:
        return None
    inputs = [_block(channels, 1, size, lengths[0]), _block(to, 1, size, lengths[1])]
    out = _block(dims.out_spec[1], 1, size, lengths[1])
    return Cut(inputs, [out], {"feature_group_count": groups // size})
