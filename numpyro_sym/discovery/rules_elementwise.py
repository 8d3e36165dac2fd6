"""Rules of primitives that act entry by entry: axes align, factors pass by a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import jax
import numpy as np

from .exponents import ONE, Exponents
from .inference import WHOLE, Combine, Rule, Value, Walk, entry_by_entry, register_rule
from .layout import Var

# What a primitive does with a sign, and with a positive factor: "keep" it (the same one of every
# input), let it "vanish" (allow none), need the "same" of every input and lose it, or lose "any".
TABLE = {
    ("keep", "keep"): "neg copy reduce_precision stop_gradient add sub add_any",
    ("keep", "vanish"): "tanh sin tan sinh asin asinh atan atanh erf erf_inv bessel_i1e",
    ("any", "vanish"): "cos cosh bessel_i0e",
    ("any", "keep"): "abs",
    ("keep", "any"): "sign",
    ("any", "any"): "is_finite",
    ("vanish", "keep"): "max min",
    ("vanish", "same"): "gt lt ge le",
    ("vanish", "vanish"): (
        "exp exp2 log log1p expm1 logistic erfc lgamma digamma polygamma floor ceil round "
        "nextafter rem atan2 pow igamma igammac igamma_grad_a random_gamma_grad "
        "regularized_incomplete_beta zeta acos acosh clamp and or xor not population_count clz "
        "shift_left shift_right_logical shift_right_arithmetic"
    ),
}
POWERS = {
    "square": Fraction(2),
    "sqrt": Fraction(1, 2),
    "rsqrt": Fraction(-1, 2),
    "cbrt": Fraction(1, 3),
}


def elementwise(walk: Walk, eqn: Any, inputs: Sequence[Value], combine: Combine) -> Value:
    """Axes of all inputs aligned, one of length 1 with any; exponents as ``combine`` says.

    A constant 0 answers to every factor, so ``combine`` does not see it.
    """
    shape = eqn.outvars[0].aval.shape
    active = [v for v in inputs if not v.zero] or inputs[:1]
    axes = []
    for i in range(len(shape)):
        # A number fits along any axis.
        beside = [v.axes[i] if v.shape else None for v in active]
        axes.append(walk.merge(beside, combine))
    return walk.value(shape, axes, combine(WHOLE, [v.exponents for v in active]))


def passing(walk: Walk, sign: str, scale: str) -> Combine:
    """The ``combine`` of one line of the table."""

    def combine(var: Var, each: list[Exponents]) -> Exponents:
        out = ONE
        for mode, is_sign in ((sign, True), (scale, False)):
            forms = [c.of(is_sign) for c in each]
            if mode == "vanish":
                for form in forms:
                    walk.demand(var, form)
            elif mode != "any":
                walk.same(var, forms)
            if mode == "keep":
                out = out.times(forms[0])
        return out

    return combine


def register_elementwise(*primitives: str) -> Callable[[Rule], Rule]:
    """Register the rule of primitives that act entry by entry."""

    def register(rule: Rule) -> Rule:
        entry_by_entry.add(rule)
        return register_rule(*primitives)(rule)

    return register


def _register(sign: str, scale: str, names: str) -> None:
    register_elementwise(*names.split())(
        lambda walk, eqn, *xs: elementwise(walk, eqn, xs, passing(walk, sign, scale))
    )


for _modes, _names in TABLE.items():
    _register(*_modes, _names)


@register_elementwise("mul", "div")
def mul(walk: Walk, eqn: Any, *inputs: Value) -> Value:
    power = 1 if eqn.primitive.name == "mul" else -1

    def combine(_: Var, each: list[Exponents]) -> Exponents:
        # One of two where the other is 0.
        return each[0].times(each[1], power) if each[1:] else each[0]

    return elementwise(walk, eqn, inputs, combine)


@register_elementwise("eq", "ne")
def equality(walk: Walk, eqn: Any, *inputs: Value) -> Value:
    """Equal values stay equal; what is compared with infinity is finite whatever its factor."""
    constants = [x.known for x in inputs if x.known is not None]
    mode = "any" if any(np.all(np.isinf(x)) for x in constants) else "same"
    return elementwise(walk, eqn, inputs, passing(walk, mode, mode))


@register_elementwise("integer_pow", *POWERS)
def power(walk: Walk, eqn: Any, x: Value) -> Value:
    """An odd power keeps the sign, a cube root too; an even one loses it; a root of an even order
    has none.
    """
    exponent = POWERS.get(eqn.primitive.name) or Fraction(eqn.params["y"])
    if exponent.denominator == 1:
        sign = "keep" if exponent % 2 else "any"
    else:
        sign = "keep" if exponent.denominator % 2 else "vanish"
    passed = passing(walk, sign, "any")

    def combine(var: Var, each: list[Exponents]) -> Exponents:
        return passed(var, each).times(each[0].of(sign=False), exponent)

    return elementwise(walk, eqn, [x], combine)


@register_elementwise("convert_element_type")
def convert_element_type(walk: Walk, eqn: Any, x: Value) -> Value:
    """Another float type is the same number; a cast to int or bool answers to no factor."""
    mode = "keep" if jax.dtypes.issubdtype(eqn.params["new_dtype"], np.inexact) else "vanish"
    return elementwise(walk, eqn, [x], passing(walk, mode, mode))


@register_elementwise("select_n")
def select_n(walk: Walk, eqn: Any, which: Value, *cases: Value) -> Value:
    """The choice answers to no factor, the cases all alike."""
    value = elementwise(walk, eqn, cases, walk.same)
    walk.vanish(which)
    choice = which.axes if which.shape else (None,) * len(value.shape)
    pairs = zip(value.axes, choice, strict=True)
    axes = [walk.merge(pair, lambda _, each: each[0]) for pair in pairs]
    return walk.value(value.shape, axes, value.exponents)
