# ruff: noqa: E501 - one operation a line
"""Random programs from a grammar of primitives, and whether every symmetry claimed of them is
there.

A program takes some arrays and returns one number. It is built by applying random operations to a
growing pool of values; axis lengths repeat, so that axes meet often, and constants range from
plain ones (which keep a symmetry) to random ones (which break it). Odd seeds draw operations as
often as models have them, even seeds all alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from disturbed import values

from numpyro_sym import Symmetry, SymmetryError, Units
from numpyro_sym.discovery._explain import Namer
from numpyro_sym.discovery.find import proved, read_program
from numpyro_sym.models import Trial, read_numpyro_model
from numpyro_sym.models.check import holds
from numpyro_sym.models.rounding import QUICK
from numpyro_sym.models.trial import moving_element
from numpyro_sym.symmetry import Element

LENGTHS = (1, 2, 3, 3, 4, 6)
UNARY: list[Callable] = [
    jnp.tanh, jnp.sin, jnp.cos, jnp.abs, jnp.square, jnp.exp, jax.nn.relu, jax.nn.gelu, jnp.negative, jnp.sign,
    jax.nn.softplus, jax.nn.sigmoid, lambda x: x**3, lambda x: jnp.sqrt(jnp.abs(x)), lambda x: jnp.cbrt(x),
    lambda x: jnp.log1p(x * x), lambda x: jnp.clip(x, -0.7, 0.7), lambda x: jax.nn.leaky_relu(x),
    lambda x: 1.0 / (1.0 + jnp.abs(x)), lambda x: jax.scipy.special.erf(x), lambda x: x * 2.0, lambda x: x - 0.3,
    lambda x: jnp.where(x > 0, x, 0.0), lambda x: jnp.where(x > 0.1, x, -x), lambda x: jax.checkpoint(jnp.tanh)(x),
    lambda x: jnp.floor(x), lambda x: (x > 0).astype(x.dtype), lambda x: jax.lax.stop_gradient(x),
    lambda x: jax.lax.rsqrt(x * x), lambda x: jnp.isfinite(x) * x, lambda x: jnp.where(x == 0, 1.0, x),
]  # fmt: skip
BINARY: list[Callable] = [
    jnp.add, jnp.subtract, jnp.multiply, jnp.maximum, jnp.minimum, lambda x, y: x / (1.0 + y * y),
    lambda x, y: jnp.where(x > y, x, y), lambda x, y: jnp.where(x > 0, y, 0.0), jnp.logaddexp, jnp.arctan2,
    lambda x, y: x / jnp.where(y == 0, 1.0, y), lambda x, y: (x == y) * x, lambda x, y: (x < y) * 1.0,
]  # fmt: skip
REDUCE: list[Callable] = [
    jnp.sum, jnp.mean, jnp.max, jnp.min, jnp.prod, jax.scipy.special.logsumexp,
    lambda x, axis: jnp.argmax(x, axis).astype(x.dtype), lambda x, axis: jnp.var(x, axis),
    lambda x, axis: jnp.linalg.norm(x, axis=axis), lambda x, axis: jnp.median(x, axis),
]  # fmt: skip
KEEP: list[Callable] = [
    lambda x, axis: jax.nn.softmax(x, axis), lambda x, axis: jnp.sort(x, axis), lambda x, axis: jnp.cumsum(x, axis),
    lambda x, axis: jnp.flip(x, axis), lambda x, axis: jnp.roll(x, 1, axis), lambda x, axis: jnp.argsort(x, axis) * 1.0,
    lambda x, axis: x - x.mean(axis, keepdims=True), lambda x, axis: jax.lax.cummax(x, axis % x.ndim),
    lambda x, axis: jnp.concatenate([x, x], axis), lambda x, axis: jnp.repeat(x, 2, axis),
    lambda x, axis: jnp.take(x, np.arange(x.shape[axis]), axis), lambda x, axis: x / (1 + jnp.sum(x * x, axis, keepdims=True)),
    lambda x, axis: jnp.take(x, np.arange(x.shape[axis])[::-1].copy(), axis), lambda x, axis: jnp.diff(x, axis=axis, prepend=0.0),
]  # fmt: skip


class Grammar:
    """Random choices from one seed, the same whenever the program runs."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def pick(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def shape(self, most: int = 3) -> tuple[int, ...]:
        return tuple(int(self.pick(LENGTHS)) for _ in range(self.rng.integers(1, most + 1)))

    def constant(self, shape: tuple[int, ...]) -> Any:
        """Plain, in runs, of the identity, zero, or random."""
        kind = self.rng.integers(6)
        if kind == 0:
            return jnp.full(shape, 0.5)
        if kind == 1 and shape:
            axis = int(self.rng.integers(len(shape)))
            runs = np.sort(self.rng.integers(0, 2, shape[axis]))
            return jnp.broadcast_to(
                (1.0 + runs).reshape([-1 if i == axis else 1 for i in range(len(shape))]), shape
            )
        if kind == 2 and len(shape) == 2 and shape[0] == shape[1]:
            return 0.3 + 2 * jnp.eye(shape[0])
        if kind == 3:
            return jnp.zeros(shape)
        if kind == 4 and shape:
            axis = int(self.rng.integers(len(shape)))
            values = self.rng.normal(size=shape[axis])
            return jnp.broadcast_to(
                values.reshape([-1 if i == axis else 1 for i in range(len(shape))]), shape
            )
        return jnp.asarray(self.rng.normal(size=shape))

    # Operations: each takes the pool, returns a new value or None where none fits ----------------

    def stacked_layers(self, pool):
        """A scan over two stacks, the carry beside them: layers with weights of their own."""
        x = self.pick([v for v in pool if v.ndim == 3] or pool)
        fits = [
            y
            for y in pool
            if y.ndim >= 2 and x.ndim == 3 and y.shape[:2] == (x.shape[0], x.shape[2])
        ]
        if x.ndim != 3:
            return None
        f, g = self.pick(UNARY), self.pick(UNARY)
        y = self.pick(fits) if fits else x[:, 0]
        start = self.pick([jnp.zeros(x.shape[1]), 0.3 * jnp.ones(x.shape[1]), x[0, :, 0]])

        def layer(carry, weights):
            w, v = weights
            hidden = f(carry @ w) * v.reshape(v.shape[0], -1).sum(1)
            return carry + w @ g(hidden), hidden if w.shape[0] == 2 else hidden.sum()

        return jax.lax.scan(layer, start, (x, y), reverse=bool(self.rng.random() < 0.3))[
            int(self.rng.integers(2))
        ]

    def members(self, pool):
        """A vmap over the first axis of two arrays, with a third that all of them see."""
        x = self.pick([v for v in pool if v.ndim >= 2] or pool)
        fits = [y for y in pool if y.ndim and x.ndim >= 2 and y.shape[0] == x.shape[0]]
        if x.ndim < 2:
            return None
        y, z = self.pick(fits), self.pick(pool)
        f, g, h, k = self.pick(UNARY), self.pick(BINARY), self.pick(REDUCE), self.pick(KEEP)
        how = self.rng.integers(5)

        def member(a, b):
            if how == 0 and a.ndim == 2 and b.ndim:
                return (
                    f(jnp.tensordot(a, b, (self_axis(a, b), 0)))
                    if self_axis(a, b) is not None
                    else f(a)
                )
            if how == 1 and a.shape == b.shape:
                return g(f(a), b)
            if how == 2 and a.ndim == 1:
                return jax.lax.scan(lambda c, w: (f(c * w) + b.sum(), c * w), a.sum(), a)[1]
            if how == 3 and _broadcasts(a.shape, z.shape):
                return g(f(a), z)
            return k(f(a), axis=-1) * h(b, axis=0).sum() if b.ndim else h(f(a), axis=0)

        return jax.vmap(member)(x, y)

    def recurrent_members(self, pool):
        """A recurrence whose carry runs over a batch beside the steps."""
        x = self.pick([v for v in pool if v.ndim >= 2] or pool)
        if x.ndim < 2:
            return None
        f, g = self.pick(UNARY), self.pick(BINARY)
        start = self.pick([jnp.zeros(x.shape), jnp.ones(x.shape), x, jnp.zeros_like(x) + x.mean(0)])

        def step(carry, t):
            carry = g(f(carry), x) * 0.5 + t
            return carry, carry.sum(-1)

        return jax.lax.scan(step, start, jnp.arange(3.0))[int(self.rng.integers(2))]

    def block_diagonal(self, pool):
        """Products block by block, the blocks in any order or as one long axis."""
        x = self.pick([v for v in pool if v.ndim == 3] or pool)
        fits = [
            y for y in pool if y.ndim == 2 and x.ndim == 3 and y.shape == (x.shape[0], x.shape[1])
        ]
        flat = [
            y for y in pool if y.ndim == 1 and x.ndim == 3 and y.shape[0] == x.shape[0] * x.shape[1]
        ]
        if fits and self.rng.random() < 0.6:
            how = self.pick(["bij,bi->bj", "bij,bi->jb", "bij,bi->j", "bij,bi->b", "bij,bi->"])
            return jnp.einsum(how, x, self.pick(fits))
        if flat:
            return jnp.einsum("bij,bi->bj", x, self.pick(flat).reshape(x.shape[:2])).reshape(-1)
        return None

    def unary(self, pool):
        return self.pick(UNARY)(self.pick(pool))

    def with_constant(self, pool):
        x = self.pick(pool)
        shape = tuple(n if self.rng.random() < 0.7 else 1 for n in x.shape)
        y = self.constant(shape)
        return self.pick(BINARY)(*((x, y) if self.rng.random() < 0.5 else (y, x)))

    def binary(self, pool):
        x = self.pick(pool)
        fits = [y for y in pool if _broadcasts(x.shape, y.shape)]
        return self.pick(BINARY)(x, self.pick(fits))

    def outer(self, pool):
        x, y = self.pick(pool), self.pick(pool)
        return x.reshape(x.shape + (1,) * y.ndim) * y if x.ndim + y.ndim <= 3 else None

    def contract(self, pool):
        x = self.pick(pool)
        pairs = [
            (i, y, j)
            for y in pool
            for i, n in enumerate(x.shape)
            for j, m in enumerate(y.shape)
            if n == m > 1
        ]
        if not pairs:
            return None
        i, y, j = self.pick(pairs)
        return jnp.tensordot(x, y, (i, j)) if x.ndim + y.ndim <= 5 else None

    def batched(self, pool):
        x = self.pick([v for v in pool if v.ndim >= 2] or pool)
        same = [y for y in pool if y.ndim >= 2 and x.ndim >= 2 and y.shape[:2] == x.shape[:2]]
        return (
            jnp.einsum(
                "abi,abj->aij",
                x[..., None][:, :, :1].reshape(*x.shape[:2], -1),
                self.pick(same).reshape(*x.shape[:2], -1),
            )
            if same
            else None
        )

    def reduce(self, pool):
        x = self.pick(pool)
        return self.pick(REDUCE)(x, axis=int(self.rng.integers(x.ndim))) if x.ndim else None

    def keep(self, pool):
        x = self.pick(pool)
        return self.pick(KEEP)(x, axis=int(self.rng.integers(x.ndim))) if x.ndim else None

    def transpose(self, pool):
        x = self.pick(pool)
        return jnp.transpose(x, self.rng.permutation(x.ndim))

    def reshape(self, pool):
        x = self.pick(pool)
        shapes = [
            s
            for s in [(x.size,), (2, -1), (3, -1), (-1, 2), (-1, 3), (2, -1, 3)]
            if _fits(x.size, s)
        ]
        return x.reshape(self.pick(shapes))

    def slice(self, pool):
        x = self.pick(pool)
        if not x.ndim:
            return None
        axis = int(self.rng.integers(x.ndim))
        start = int(self.rng.integers(x.shape[axis]))
        stop = int(self.rng.integers(start + 1, x.shape[axis] + 1))
        step = int(self.pick([1, 1, 1, 2]))
        return x[(slice(None),) * axis + (slice(start, stop, step),)]

    def index(self, pool):
        x = self.pick(pool)
        if not x.ndim:
            return None
        axis = int(self.rng.integers(x.ndim))
        if self.rng.random() < 0.5:
            return jnp.take(x, int(self.rng.integers(x.shape[axis])), axis)
        return jnp.take(x, self.rng.integers(x.shape[axis], size=int(self.pick([2, 3]))), axis)

    def lookup(self, pool):
        """A position that depends on a value."""
        x, y = self.pick(pool), self.pick(pool)
        if not x.ndim:
            return None
        where = jnp.argmax(y.reshape(-1)) % x.shape[0]
        return self.pick([lambda: x[where], lambda: jax.lax.dynamic_slice_in_dim(x, where, 1, 0)])()

    def join(self, pool):
        x = self.pick(pool)
        if not x.ndim:
            return None
        axis = int(self.rng.integers(x.ndim))
        fits = [
            y
            for y in pool
            if y.ndim == x.ndim
            and all(
                i == axis or a == b for i, (a, b) in enumerate(zip(x.shape, y.shape, strict=True))
            )
        ]
        parts = [x, self.pick(fits), self.pick(fits)][: int(self.rng.integers(2, 4))]
        return jnp.concatenate(parts, axis)

    def stack(self, pool):
        x = self.pick(pool)
        fits = [y for y in pool if y.shape == x.shape]
        return (
            jnp.stack([x, self.pick(fits), self.pick(fits)], int(self.rng.integers(x.ndim + 1)))
            if x.ndim < 3
            else None
        )

    def pad(self, pool):
        x = self.pick(pool)
        if not x.ndim:
            return None
        value = float(self.pick([0.0, 0.0, 1.0]))
        return jnp.pad(
            x,
            [(int(self.rng.integers(2)), int(self.rng.integers(2))) for _ in x.shape],
            constant_values=value,
        )

    def scan(self, pool):
        x = self.pick([v for v in pool if v.ndim >= 2] or pool)
        if x.ndim < 2:
            return None
        fits = [y for y in pool if y.shape in (x.shape[1:], ())]
        f, g = self.pick(BINARY), self.pick(UNARY)
        w = self.pick(fits) if fits else 1.0
        start = self.pick([jnp.zeros(x.shape[1:]), jnp.ones(x.shape[1:]), x[0]])

        def step(carry, row):
            carry = f(g(carry), row) * w
            return carry, carry + row

        return jax.lax.scan(step, start, x, reverse=bool(self.rng.random() < 0.3))[
            int(self.rng.integers(2))
        ]

    def mapped(self, pool):
        x = self.pick(pool)
        if not x.ndim:
            return None
        y = self.pick(pool)
        f, g = self.pick(UNARY), self.pick(BINARY)
        if _broadcasts(x.shape[1:], y.shape) and self.rng.random() < 0.5:
            return jax.lax.map(lambda row: f(g(row, y)), x)
        if y.ndim and y.shape[0] == x.shape[0] and _broadcasts(x.shape[1:], y.shape[1:]):
            return jax.lax.map(lambda rows: f(g(rows[0], rows[1])), (x, y))
        return jax.lax.map(lambda row: f(row) * row.sum(), x)

    def mapped_twice(self, pool):
        """A body that also sees the whole array that it is mapped over."""
        x = self.pick([v for v in pool if v.ndim == 2] or pool)
        if x.ndim != 2:
            return None
        f = self.pick(UNARY)
        return jax.lax.map(lambda row: f(x @ row) if x.shape[1] == row.shape[0] else row, x)

    def branch(self, pool):
        x, c = self.pick(pool), self.pick(pool)
        f, g = self.pick(UNARY), self.pick(UNARY)
        return jax.lax.cond(c.sum() > 0, f, g, x)

    def loop(self, pool):
        x = self.pick(pool)
        f = self.pick(UNARY)
        return jax.lax.fori_loop(
            0, int(self.pick([2, 3])), lambda i, v: 0.5 * f(v) + 0.1 * i * v, x
        )

    def until(self, pool):
        x = self.pick(pool)
        large = lambda v: (jnp.sum(v * v) > 2.0) & (jnp.sum(v * v) < jnp.inf)  # noqa: E731 - infinities have no half
        return jax.lax.while_loop(large, lambda v: v * 0.5, x)

    def matrix(self, pool):
        x = self.pick([v for v in pool if v.ndim >= 2] or pool)
        if x.ndim < 2:
            return None
        k = jnp.einsum("...ij,...kj->...ik", x, x) + 2.0 * jnp.eye(x.shape[-2])
        chol = jnp.linalg.cholesky(k)
        return self.pick([
            lambda: k, lambda: chol, lambda: jnp.log(jnp.diagonal(chol, axis1=-2, axis2=-1)).sum(-1),
            lambda: jax.lax.linalg.triangular_solve(chol, x, left_side=True, lower=True),
        ])()  # fmt: skip

    def pool_window(self, pool):
        x = self.pick([v for v in pool if v.ndim >= 2] or pool)
        if x.ndim < 2 or x.shape[0] < 2:
            return None
        window = (2, *(1,) * (x.ndim - 1))
        return self.pick([
            lambda: jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID"),
            lambda: jax.lax.reduce_window(x, 0.0, jax.lax.add, window, (1,) * x.ndim, "SAME"),
        ])()  # fmt: skip

    def convolve(self, pool):
        """One axis of space; channels in groups where they divide."""
        xs = [v for v in pool if v.ndim == 3]
        ks = [k for k in pool if k.ndim == 3]
        if not xs or not ks:
            return None
        x, k = self.pick(xs), self.pick(ks)
        groups = [g for g in (1, 2, 3) if x.shape[2] == g * k.shape[1] and k.shape[2] % g == 0]
        if not groups:
            return None
        return jax.lax.conv_general_dilated(
            x,
            k,
            (1,),
            "SAME",
            dimension_numbers=("NWC", "WIO", "NWC"),
            feature_group_count=self.pick(groups),
        )

    COMMON = (
        *(
            "unary",
            "unary",
            "unary",
            "with_constant",
            "with_constant",
            "binary",
            "binary",
            "binary",
            "outer",
        ),
        *(
            "contract",
            "contract",
            "contract",
            "batched",
            "reduce",
            "reduce",
            "keep",
            "transpose",
            "reshape",
            "reshape",
        ),
        *(
            "slice",
            "index",
            "lookup",
            "join",
            "stack",
            "pad",
            "scan",
            "mapped",
            "mapped_twice",
            "branch",
            "loop",
        ),
        *("until", "matrix", "pool_window", "convolve", "convolve"),
    )
    #: What batches are made of, besides.
    BATCHED = (
        *(
            "unary",
            "unary",
            "with_constant",
            "binary",
            "contract",
            "batched",
            "reduce",
            "keep",
            "transpose",
            "reshape",
        ),
        *(
            "slice",
            "index",
            "lookup",
            "join",
            "stack",
            "pad",
            "scan",
            "mapped",
            "mapped_twice",
            "branch",
            "loop",
            "matrix",
        ),
        *(
            "stacked_layers",
            "stacked_layers",
            "members",
            "members",
            "members",
            "recurrent_members",
            "recurrent_members",
        ),
        *("block_diagonal", "block_diagonal", "block_diagonal"),
    )
    RARE = tuple(dict.fromkeys(COMMON))


def _broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return (
        all(n == m or 1 in (n, m) for n, m in zip(a[::-1], b[::-1], strict=False))
        and abs(len(a) - len(b)) < 2
    )


def self_axis(a: Any, b: Any) -> int | None:
    """The first axis of a matrix that is as long as an array's first."""
    return next((i for i, n in enumerate(a.shape) if n == b.shape[0]), None)


def _fits(size: int, shape: tuple[int, ...]) -> bool:
    known = -int(np.prod(shape)) if -1 in shape else int(np.prod(shape))
    return size % known == 0 and size >= known


def random_program(
    seed: int, batches: bool = False
) -> tuple[dict[str, tuple[int, ...]], Callable[[dict], Any]]:
    """Shapes of the inputs, and a function of them that returns one number.

    :param batches: whether operations are drawn that batches of units are made of, and shapes that
        they fit.
    """
    setup = Grammar(seed)
    shapes = {f"x{i}": setup.shape() for i in range(setup.rng.integers(2, 5))}
    if batches:
        m, n, k = (int(setup.pick((2, 3, 4))) for _ in range(3))
        options = [
            (m, n, k),
            (m, k),
            (m, n),
            (m,),
            (m, k, n),
            (n, m, k),
            (m, n * k),
            (m * n,),
            (k, m),
            (m, n, k),
        ]
        shapes = {f"x{i}": setup.pick(options) for i in range(setup.rng.integers(2, 5))}
    steps = int(setup.rng.integers(3, 12))

    def program(point: dict) -> Any:
        grammar = Grammar(seed + 10**6)
        pool = [point[name] for name in shapes]
        new = []
        for _ in range(steps):
            common = Grammar.BATCHED if batches else Grammar.COMMON
            out = getattr(grammar, grammar.pick(common if seed % 2 or batches else Grammar.RARE))(
                pool
            )
            if out is not None and 0 < out.size <= 500 and out.ndim <= 3:
                pool.append(jnp.asarray(out, float))
                new.append(pool[-1])
        ends = [
            lambda v: jnp.sum(v * v), jnp.sum, lambda v: jnp.sum(jnp.cos(v)), lambda v: jnp.sum(jnp.tanh(v)),
            lambda v: jax.scipy.special.logsumexp(v), lambda v: jnp.sum(jnp.abs(v)), lambda v: jnp.sum(v * grammar.constant(v.shape)),
        ]  # fmt: skip
        return sum(
            grammar.pick(ends)(v) for v in [*new[-3:], *(pool[: int(grammar.rng.integers(2))])]
        )

    return shapes, program


class Claim(NamedTuple):
    """What the walk claims of a program, and what comes of it.

    :param units: the claim.
    :param verdict: ``"holds"``; ``"false"``; ``"turns on rounding"`` where the value after the move
        is one that the program returns at the very point when its operations round otherwise;
        ``"not judged"`` where every point is chaotic or infinite.
    """

    units: Units
    verdict: str

    @property
    def is_false(self) -> bool:
        return self.verdict == "false"


def claims(seed: int, program: Any = None) -> Iterator[Claim]:
    """What the walk through a (random) program claims, before any check, and whether it is so."""
    shapes, program = program or random_program(seed)
    view = view_of(shapes, program)
    reading = read_program(view)
    units = []
    for kinds in (("permutation", "signed"), ("permutation", "scaled")):
        units += [u for u in proved(view, reading, kinds, Namer(view), []) if u not in units]
    yield from judged(seed, shapes, program, units)


def claims_of_batches(seed: int, program: Any = None) -> Iterator[Claim]:
    """What the walk claims of slices along random axes, one by one, and whether it is so."""
    shapes, program = program or random_program(seed, batches=True)
    yield from claims_along(
        shapes, program, _random_batches(shapes, np.random.default_rng(seed + 7)), seed
    )


def claims_along(
    shapes: dict, program: Callable, batches: Iterable[dict[str, tuple[int, ...]]], seed: int = 0
) -> Iterator[Claim]:
    """What the walk claims of one slice along given axes, and whether it is so.

    :param batches: site name -> the axes of a batch, each.
    """
    view = view_of(shapes, program)
    units: list[Units] = []
    for batch in batches:
        for c in read_program(view, batch=batch).classes:
            for kind in ("permutation", "signed", "scaled") if c.alive else ():
                found = c.units(kind, shapes, batch) if c.kind((kind,)) == kind else None
                if isinstance(found, Units) and found not in units:
                    units.append(found)
    yield from judged(seed, shapes, program, units)


def _random_batches(shapes: dict, rng: np.random.Generator) -> Iterator[dict[str, tuple[int, ...]]]:
    """Axes of one length on some of the inputs, or of two lengths."""
    for _ in range(6):
        order = rng.permutation(sorted({n for s in shapes.values() for n in s if n > 1}))
        lengths = order[: 1 + (rng.random() < 0.3)]
        batch = {}
        for name, shape in shapes.items():
            options = [[k for k, n in enumerate(shape) if n == m] for m in lengths]
            if all(options) and rng.random() < 0.8:
                axes = tuple(int(o[0] if rng.random() < 0.7 else rng.choice(o)) for o in options)
                if len(set(axes)) == len(axes):
                    batch[name] = axes
        if batch:
            yield batch


def view_of(shapes: dict, program: Callable) -> Any:
    """A program as the walk reads it."""
    rng = np.random.default_rng(0)

    def densities(point):
        return dict.fromkeys(shapes, 0.0), {"y": program(point)}, dict.fromkeys(shapes, True)

    jaxpr = jax.make_jaxpr(densities)({n: rng.normal(size=s) for n, s in shapes.items()})
    return SimpleNamespace(
        shapes=shapes, priors=sorted(shapes), observed=("y",), program=jaxpr, data={}, plates={}
    )


def judged(seed: int, shapes: dict, program: Callable, units: list[Units]) -> Iterator[Claim]:
    """What comes of claims at random points."""
    if units:
        rng = np.random.default_rng(seed)
        points = [{n: rng.normal(size=s) for n, s in shapes.items()} for _ in range(2)]
        judge = Judge(program, points, rng)
        yield from (Claim(u, judge(u)) for u in units)


class Judge:
    """Whether units leave a program's value as it is, by moving points.

    :param program: a function of a point.
    :param points: where to look; chaotic and infinite ones are left out.
    """

    def __init__(self, program: Callable, points: Sequence[dict], rng: np.random.Generator) -> None:
        self.program, self.rng, self.value = (
            program,
            rng,
            partial(jax.jit, compiler_options=QUICK)(program),
        )
        # A chaotic program turns the rounding of a sum into any change: such points say nothing.
        self.points = [p for p in points if _well_conditioned(self.value, p, rng)]
        self.before = [float(self.value(p)) for p in self.points]

    def __call__(self, u: Units) -> str:
        turns = False
        for point, before in zip(self.points, self.before, strict=True):
            for _ in range(2):
                element = moving_element(u, self.rng) if u.batch else random_element(u, self.rng)
                after = float(self.value(Symmetry([u]).act({u.name: element}, point)))
                if _same(after, before):
                    continue
                if not any(_same(after, v) for v in values(self.program, point, self.rng, 30)):
                    return "false"
                turns = True
        if turns:
            return "turns on rounding"
        return "holds" if self.points else "not judged"


def _same(after: float, before: float) -> bool:
    return abs(after - before) <= 1e-7 * (1.0 + abs(before))


def _well_conditioned(value: Callable, point: dict, rng: np.random.Generator) -> bool:
    """Whether relative changes of the size of rounding hardly change the value.

    They may turn a chaotic program round, and one that compares a vanishing sum with 0.
    """
    v = float(value(point))
    if not np.isfinite(v):
        return False
    for _ in range(12):
        near = {n: x * (1 + 1e-14 * rng.normal(size=x.shape)) for n, x in point.items()}
        if not abs(float(value(near)) - v) <= 1e-8 * (1.0 + abs(v)):
            return False
    return True


def check_faults(seed: int) -> Iterator[tuple[Units, str, str]]:
    """Of a random program as a model: claims, what ``Symmetry.check`` says of each, and what is so.

    Beside what the walk claims, some axes of one length at random, most of which are no symmetry.

    :returns: units, ``"passed"`` or ``"refused"``, and the verdict of :class:`Judge`.
    """
    shapes, program = random_program(seed)

    def model() -> None:
        point = {
            n: numpyro.sample(n, dist.Normal().expand(s).to_event(len(s)))
            for n, s in shapes.items()
        }
        numpyro.factor("y", program(point))

    made = list(claims(seed))
    rng = np.random.default_rng(seed)
    guess = _random_units(shapes, rng)
    units = [c.units for c in made] + ([] if guess is None else [guess])
    try:
        trial = Trial(
            read_numpyro_model(model, (), {}),
            num_points=3,
            rng=np.random.default_rng(0),
            num_elements=4,
        )
    except SymmetryError:  # not finite at enough points
        return
    judge = Judge(
        program,
        [*trial.points, *({n: rng.normal(size=s) for n, s in shapes.items()} for _ in range(6))],
        rng,
    )
    for u in units:
        if holds(u, trial.changes([u], trial.everywhere)):
            yield u, "passed", judge(u)
        else:
            yield u, "refused", _at_points_of_the_check(program, trial, judge(u), rng)


def _random_units(shapes: dict, rng: np.random.Generator) -> Units | None:
    """Permutations of one or two axes of one length."""
    axes = [(site, k) for site, shape in shapes.items() for k, n in enumerate(shape) if n > 1]
    if not axes:
        return None
    site, k = axes[rng.integers(len(axes))]
    n, where = shapes[site][k], {site: k}
    others = [(s, j) for s, j in axes if s != site and shapes[s][j] == n]
    if others and rng.random() < 0.5:
        where.update([others[rng.integers(len(others))]])
    return Units("guess", n, axes=where)


def _at_points_of_the_check(
    program: Callable, trial: Trial, verdict: str, rng: np.random.Generator
) -> str:
    """The verdict, unless rounding alone changes the program's value at a point that the check
    tried.
    """
    if verdict != "holds":
        return verdict
    for at in trial.everywhere:
        found = values(program, at.sites, rng, 30)
        if not all(_same(v, found[0]) for v in found):
            return "turns on rounding"
    return verdict


def random_element(u: Units, rng: np.random.Generator) -> Element:
    factor = {
        "permutation": np.ones(u.n),
        "signed": rng.choice([-1.0, 1.0], u.n),
        "scaled": np.exp(rng.normal(size=u.n)),
    }
    if u.kind == "signed":
        factor["signed"][rng.integers(u.n)] = -1.0
    permutation = np.roll(np.arange(u.n), 1) if rng.random() < 0.5 else rng.permutation(u.n)
    return Element(permutation, factor[u.kind])
