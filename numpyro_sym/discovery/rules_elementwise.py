"""Rules of primitives that act entry by entry: axes align, factors pass by a table."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from .characters import ONE, Char
from .inference import Combine, Value, Walk, register_rule
from .layout import Var


def elementwise(walk: Walk, eqn: Any, inputs: Sequence[Any], combine: Combine) -> list[Value]:
    """Axes of all inputs aligned, one of length 1 with any; characters as ``combine`` says.

    A constant 0 answers to every factor, so ``combine`` does not see it.
    """
    shape = eqn.outvars[0].aval.shape
    values = walk.values(inputs)
    active = [v for v in values if not v.zero] or values[:1]
    axes = [walk.merge([v.axes[i] if v.shape else None for v in active], combine) for i in range(len(shape))]
    char = combine(None, [v.char for v in active])
    return [walk.value(shape, axes, char)]


def _invariant(walk: Walk, var: Var | None, chars: list[Char]) -> Char:
    for c in chars:
        walk.demand(var, c)
    return ONE


def _odd(walk: Walk, var: Var | None, chars: list[Char]) -> Char:
    walk.demand(var, Char((), chars[0].degree))
    return Char(chars[0].parity, ())


def _even(walk: Walk, var: Var | None, chars: list[Char]) -> Char:
    walk.demand(var, Char((), chars[0].degree))
    return ONE


def _modulus(walk: Walk, var: Var | None, chars: list[Char]) -> Char:
    return Char((), chars[0].degree)


def _sign(walk: Walk, var: Var | None, chars: list[Char]) -> Char:
    return Char(chars[0].parity, ())


def _linear(walk: Walk, var: Var | None, chars: list[Char]) -> Char:
    return chars[0]


def _free(walk: Walk, var: Var | None, chars: list[Char]) -> Char:
    return ONE


def _alike(walk: Walk, var: Var | None, chars: list[Char]) -> Char:
    return walk.same(var, chars)


def _ordered(walk: Walk, var: Var | None, chars: list[Char]) -> Char:
    """Positive factors keep an order, signs turn it round."""
    for c in chars:
        walk.demand(var, Char(c.parity, ()))
    return walk.same(var, chars)


def _compared(walk: Walk, var: Var | None, chars: list[Char]) -> Char:
    _ordered(walk, var, chars)
    return ONE


def _product(walk: Walk, var: Var | None, chars: list[Char]) -> Char:
    return chars[0].times(chars[1]) if len(chars) > 1 else chars[0]


def _quotient(walk: Walk, var: Var | None, chars: list[Char]) -> Char:
    return chars[0].times(chars[1], -1) if len(chars) > 1 else chars[0]


TABLE = {
    _linear: "neg copy reduce_precision stop_gradient",
    _odd: "tanh sin tan sinh asin asinh atan atanh erf erf_inv bessel_i1e",
    _even: "cos cosh bessel_i0e",
    _modulus: "abs",
    _sign: "sign",
    _free: "is_finite",
    _alike: "add sub add_any",
    _ordered: "max min",
    _compared: "gt lt ge le",
    _product: "mul",
    _quotient: "div",
    _invariant: (
        "exp exp2 log log1p expm1 logistic erfc lgamma digamma polygamma floor ceil round nextafter rem atan2 "
        "igamma igammac igamma_grad_a random_gamma_grad regularized_incomplete_beta zeta acos acosh clamp and or xor "
        "not population_count clz shift_left shift_right_logical shift_right_arithmetic"
    ),
}


def _register(combine: Any, names: str) -> None:
    @register_rule(*names.split())
    def rule(walk: Walk, eqn: Any, *inputs: Any) -> list[Value]:
        return elementwise(walk, eqn, inputs, lambda var, chars: combine(walk, var, chars))


for _combine, _names in TABLE.items():
    _register(_combine, _names)


@register_rule("eq", "ne")
def equality(walk: Walk, eqn: Any, *inputs: Any) -> list[Value]:
    """Equal values stay equal; what is compared with infinity is finite whatever its factor."""
    rest = [x for x in inputs if isinstance(x, Value) or not np.all(np.isinf(x))]

    def combine(var: Var | None, chars: list[Char]) -> Char:
        if len(rest) == len(inputs):
            walk.same(var, chars)
        return ONE

    return elementwise(walk, eqn, rest, combine)


@register_rule("integer_pow")
def integer_pow(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    return elementwise(walk, eqn, [x], lambda var, chars: chars[0].to_power(eqn.params["y"]))


@register_rule("square")
def square(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    return elementwise(walk, eqn, [x], lambda var, chars: chars[0].to_power(2))


@register_rule("cbrt")
def cbrt(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    return elementwise(
        walk, eqn, [x], lambda var, chars: Char(chars[0].parity, chars[0].to_power(Fraction(1, 3)).degree)
    )


def _positive_power(walk: Walk, eqn: Any, x: Value, power: Fraction) -> list[Value]:
    def combine(var: Var | None, chars: list[Char]) -> Char:
        walk.demand(var, Char(chars[0].parity, ()))
        return chars[0].to_power(power)

    return elementwise(walk, eqn, [x], combine)


@register_rule("sqrt")
def sqrt(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    return _positive_power(walk, eqn, x, Fraction(1, 2))


@register_rule("rsqrt")
def rsqrt(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    return _positive_power(walk, eqn, x, Fraction(-1, 2))


@register_rule("pow")
def power(walk: Walk, eqn: Any, x: Any, y: Any) -> list[Value]:
    if isinstance(y, np.ndarray) and y.ndim == 0 and float(2 * y).is_integer() and isinstance(x, Value):
        return _positive_power(walk, eqn, x, Fraction(float(y)))
    return elementwise(walk, eqn, [x, y], lambda var, chars: _invariant(walk, var, chars))


@register_rule("convert_element_type")
def convert_element_type(walk: Walk, eqn: Any, x: Value) -> list[Value]:
    """Another float type is the same number; a cast to int or bool answers to no factor."""
    exact = np.issubdtype(eqn.params["new_dtype"], np.inexact)
    return elementwise(walk, eqn, [x], lambda var, chars: (_linear if exact else _invariant)(walk, var, chars))


@register_rule("select_n")
def select_n(walk: Walk, eqn: Any, which: Any, *cases: Any) -> list[Value]:
    """The choice answers to no factor, the cases all alike."""
    (value,) = elementwise(walk, eqn, cases, walk.same)
    chooser = walk.values([which])[0]
    walk.vanish(chooser)
    # The choice has no characters left: aligning it with the cases only ties positions.
    layouts = [chooser.axes[i] if chooser.shape else None for i in range(len(value.shape))]

    def first(var: Var | None, chars: list[Char]) -> Char:
        return chars[0]

    return [walk.value(value.shape, map(lambda a, b: walk.merge([a, b], first), value.axes, layouts), value.char)]
