"""Symmetries, their elements, and where they come from."""

import bad_values as bad
import numpy as np
from bad_values import PAIR, POINT, element_of, without
from calling import (
    KEY_OR_SEED,
    POSITIVE,
    RNG_KEY,
    RUN_MODEL,
    SAMPLE_SHAPE,
    SHAPES,
    Argument,
    call,
    choice,
)

import numpyro_sym as nsym
from numpyro_sym import Axis, Symmetry, Units

_UNITS = PAIR["component"]
_AXES = Argument({"mu": 0}, bad.AXES).or_none
_NAME = Argument("a", bad.NAME)
_KIND = choice("permutation")
_NAMES = without(bad.NAMES, "no site") | {"a string of names": "ab"}
_INT = Argument(1, without(bad.ANYTHING, "an int", "a negative int"))
_WIDTHS = bad.ANYTHING | {"zero": [0], "a float": [2.0], "True": [True]}
_LABELS = (
    Argument("z", bad.ANYTHING)
    .or_none.less("a string")
    .more(no_name="", none_in_a_list=[None], twice=["z", "z"])
)
_SEVERAL = without(bad.ANYTHING, "an empty list", "an empty tuple")
_ELEMENTS = Argument(element_of([1, 0]), bad.ELEMENTS | bad.FACTORS)
# NaN is moved like any other number.
_MOVED = Argument(POINT, without(bad.POINTS, "NaN at one place", "an infinity"))

_APART = Symmetry([Units("a", 2, stacked={"mu": ("mu1", "mu2")})])
_SCATTERED = {"mu1": np.zeros(1), "mu2": np.ones(1)}

CALLS = {
    "Units": call(Units, name=_NAME, n=POSITIVE, incoming=_AXES, kind=_KIND),
    "Units: outgoing": call(Units, name=Argument("a", {}), n=Argument(2, {}), outgoing=_AXES),
    "Units: axes": call(Units, name=Argument("a", {}), n=Argument(2, {}), axes=_AXES),
    "Units: values": call(
        Units,
        name=Argument("a", {}),
        n=Argument(2, {}),
        axes=Argument({"mu": 0}, {}),
        values=Argument(("z",), bad.ANYTHING)
        .less("an empty list", "an empty tuple", "an empty dict")
        .more(
            an_axis={"z": 0},
            an_axis_of_units={"z": Axis(0)},
            a_number=(3,),
            along=("mu",),
            twice=("z", "z"),
        ),
    ),
    "Units: stacked": call(
        Units,
        name=Argument("a", {}),
        n=Argument(2, {}),
        axes=Argument({"w": 0}, {}),
        stacked=Argument({"mu": ("mu1", "mu2")}, bad.ANYTHING)
        .or_none.less("an empty dict")
        .more(one_name={"mu": "mu1"}, twice={"mu": ("m", "m")}, alone_too={"mu": ("w", "m")}),
    ),
    "Axis": call(
        Axis,
        axis=_INT,
        start=_INT.or_none.more(negative=-1),
        outer=POSITIVE,
        inner=POSITIVE,
        power=_INT.or_none,
    ),
    "Symmetry": call(
        Symmetry,
        units=Argument(
            [_UNITS],
            _SEVERAL | {"a symmetry in a list": [PAIR], "one name twice": [_UNITS, _UNITS]},
        ),
        notes=Argument(["a note"], without(_SEVERAL, "an empty dict") | {"a number": [3]}),
    ),
    "mlp": call(
        nsym.mlp,
        weights=Argument(
            ["w1", "w2"], _NAMES | {"one too few": ["w1"], "one name twice": ["w1", "w1"]}
        ),
        widths=Argument([2], _WIDTHS),
        biases=Argument(["b1"], _NAMES)
        .or_none.less("a list of None")
        .more(a_weight=["w1"], too_many=["b1", "b2", "b3"]),
        kind=_KIND,
        layout=choice("in,out"),
        name=_NAME,
    ),
    "mixture": call(
        nsym.mixture, n=POSITIVE, axes=Argument({"mu": 0}, bad.AXES).more(none={}), name=_NAME
    ),
    "mixture: assignments": call(
        nsym.mixture,
        n=Argument(2, {}),
        axes=Argument({"mu": 0}, {}),
        assignments=_LABELS.more(of_components="mu"),
    ),
    "hmm": call(
        nsym.hmm,
        n=POSITIVE,
        transition=Argument("A", bad.NAME),
        initial=Argument("pi", bad.NAME).or_none.more(the_transitions="A"),
        emissions=_AXES.more(the_transitions={"A": 0}),
        states=_LABELS,
        name=_NAME,
    ),
    "factor_model": call(
        nsym.factor_model,
        n=POSITIVE,
        loadings=Argument({"L": 1}, bad.AXES).more(none={}),
        factors=_AXES,
        name=_NAME,
    ),
    "factor_model: axes": call(
        nsym.factor_model, n=Argument(2, {}), loadings=Argument({"L": 1}, {}), axes=_AXES
    ),
    "Symmetry.act": call(PAIR.act, g=_ELEMENTS, sites=_MOVED),
    "Symmetry.act: sample_ndim": call(
        PAIR.act,
        g=Argument(element_of([1, 0]), {}),
        sites=Argument(POINT, {}),
        sample_ndim=Argument(0, bad.NOT_NEGATIVE).or_none.more(more_than_there_are=1),
    ),
    "Symmetry.stack": call(
        _APART.stack,
        sites=Argument(
            _SCATTERED,
            bad.ANYTHING
            | {"one of two": {"mu1": np.ones(1)}, "its array": {**_SCATTERED, "mu": np.ones(2)}},
        ).less("an empty dict"),
        sample_ndim=Argument(0, bad.NOT_NEGATIVE),
    ),
    "Symmetry.unstack": call(
        _APART.unstack,
        sites=Argument({"mu": np.ones((2, 1))}, bad.ANYTHING).less("an empty dict"),
        like=Argument(["mu1"], without(bad.NAMES, "no site")),
        sample_ndim=Argument(0, bad.NOT_NEGATIVE),
    ),
    "Symmetry.inverse": call(PAIR.inverse, g=_ELEMENTS),
    "Symmetry.compose": call(PAIR.compose, g=_ELEMENTS, h=_ELEMENTS),
    "Symmetry.sample": call(PAIR.sample, rng_key=RNG_KEY, sample_shape=SAMPLE_SHAPE),
    "Symmetry.identity": call(PAIR.identity, sample_shape=SAMPLE_SHAPE),
    "Symmetry.select": call(PAIR.select, kind=Argument("permutation", bad.KINDS)),
    "Symmetry[...]": call(PAIR.__getitem__, name=Argument("component", bad.ANYTHING)),
    "Symmetry.rename": call(
        PAIR.rename,
        names=Argument({"component": "a"}, bad.ANYTHING)
        .less("an empty dict")
        .more(another_name={"other": "a"}, a_number={"component": 3}),
    ),
    "Symmetry.rename_sites": call(
        PAIR.rename_sites,
        names=Argument({"mu": "a"}, bad.ANYTHING)
        .less("an empty dict")
        .more(another_site={"nu": "a"}, a_number={"mu": 3}),
    ),
    "Symmetry.check_shapes": call(
        PAIR.check_shapes,
        shapes=SHAPES,
        sample=Argument((), bad.SAMPLE_SHAPE).more(of_other_sites=(3,)),
    ),
    "Symmetry.check": call(
        PAIR.check, model=RUN_MODEL, num_points=POSITIVE, num_elements=POSITIVE, rng_key=KEY_OR_SEED
    ),
    "Symmetry.check: of others": call(
        lambda sym: sym.check(bad.model), sym=Argument(PAIR, without(bad.OTHERS, "no Units"))
    ),
    "find_symmetry": call(
        nsym.find_symmetry,
        model=RUN_MODEL,
        include=Argument("permutation", bad.KINDS),
        rng_key=KEY_OR_SEED,
    ),
}
