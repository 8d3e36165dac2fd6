"""Pictures."""

import bad_values as bad
import matplotlib
import numpy as np
from bad_values import DRAWS_OF, PAIR, element_of
from calling import CHAIN_ELEMENTS, DATA, EITHER, OBJECT, POSITIVE, UNITS, Argument, call, sym

import numpyro_sym as nsym
from numpyro_sym import alignment, diagnostics, plots

matplotlib.use("Agg")

_AX = Argument(None, bad.AX)
_FIGSIZE = Argument(None, bad.ANYTHING).or_none.more(
    one_number=(3,), three=(1, 2, 3), zero=(0.0, 2.0), words=("a", "b"), an_axes_of_one=np.ones(2)
)
_VAR_NAMES = Argument(None, bad.ANYTHING).or_none.more(
    no_site=["absent"], all_but_one_that_is_not_there="~absent", a_number=["mu", 3]
)
_COORDS = Argument(None, bad.ANYTHING).less("None", "an empty dict")
_COORDS = _COORDS.more(
    no_such_dimension={"nu": 0}, no_such_coordinate={"unit": 9}, a_number={3: 0}, none={"unit": []}
)
_SELECTION = {"var_names": _VAR_NAMES, "coords": _COORDS}
_DRAWING = {"ax": _AX, "figsize": _FIGSIZE}
_CHAIN = Argument(0, bad.ANYTHING).less("a negative int").more(no_such_chain=9)
_MATRIX = {
    "elements": Argument(CHAIN_ELEMENTS, bad.ELEMENTS).more(without_chains=element_of([[1, 0]])),
    "units": UNITS,
    "first": _CHAIN,
    "second": _CHAIN,
}
_ENTRY = Argument(("mu", 0), bad.ANYTHING).or_none.more(
    no_such_entry=("mu", 7),
    no_index="mu",
    too_many=("mu", 0, 0),
    a_slice=("mu", slice(None)),
    another_site=("nu", 0),
    a_float=("mu", 0.5),
)
_CARDS = {
    "data": EITHER.less("ints").more(one_draw={"mu": DRAWS_OF[:1]}),
    "sym": sym(),
    "units": UNITS,
    **_SELECTION,
}
_WAY, _ZERO = np.linspace(0, 1, 3), np.zeros(3)

CALLS = {
    "assignment_matrix": call(plots.assignment_matrix, **_MATRIX),
    "plot_assignment": call(plots.plot_assignment, **_MATRIX, **_DRAWING),
    "plot_barrier": call(
        plots.plot_barrier,
        barriers=Argument(diagnostics.LossBarrier(1.0, _WAY, _ZERO, _ZERO), bad.ANYTHING).more(
            others={"a": 1.0}
        ),
        **_DRAWING,
    ),
    "plot_pruning": call(
        plots.plot_pruning,
        curves=Argument(diagnostics.PruningCurve(_WAY, _ZERO, "sd"), bad.ANYTHING).more(
            others={"a": 1.0}
        ),
        ylabel=Argument("score", bad.ANYTHING).less("a string"),
        **_DRAWING,
    ),
    "plot_pairs": call(
        plots.plot_pairs, before=OBJECT, after=OBJECT, x=_ENTRY, y=_ENTRY, **_SELECTION, **_DRAWING
    ),
    "plot_traces": call(
        plots.plot_traces,
        before=OBJECT,
        after=OBJECT,
        entry=_ENTRY,
        **_SELECTION,
        **_DRAWING,
    ),
    "plot_transpositions": call(
        plots.plot_transpositions,
        counts=Argument([0, 1], bad.ARRAY)
        .less("an int")
        .more(too_many=[9], negative=[-1], floats=[0.5]),
        n=Argument(3, bad.POSITIVE),
        **_DRAWING,
    ),
    "plot_relabelings": call(
        plots.plot_relabelings,
        relabelings=Argument(
            alignment.relabel(
                {"z": np.array([[0, 1], [1, 0]])}, nsym.mixture(2, {"mu": 0}, assignments="z")
            ),
            bad.ANYTHING,
        ).more(one_method=alignment.ecr_iterative([[0, 1], [1, 0]], 2)),
        **_DRAWING,
    ),
    "unit_cards": call(plots.unit_cards, **_CARDS),
    "plot_unit_cards": call(plots.plot_unit_cards, **_CARDS, columns=POSITIVE, **_DRAWING),
    "plot_rhat": call(
        plots.plot_rhat,
        diagnosis=Argument(nsym.diagnose(DATA.good, PAIR, invariant="total"), bad.ANYTHING).more(
            data=DATA.good
        ),
        **_SELECTION,
        **_DRAWING,
    ),
    "plot_symmetry": call(
        plots.plot_symmetry,
        sym=sym(),
        shapes_or_draw=Argument({"mu": (2,)}, bad.SHAPES).less("None", "an array for a shape"),
        var_names=_VAR_NAMES,
        columns=POSITIVE,
        **_DRAWING,
    ),
}
