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
_CHAIN = Argument(0, bad.ANYTHING).less("a negative int").more(no_such_chain=9)
_MATRIX = {
    "elements": Argument(CHAIN_ELEMENTS, bad.ELEMENTS).more(without_chains=element_of([[1, 0]])),
    "units": UNITS,
    "first": _CHAIN,
    "second": _CHAIN,
}
_ENTRY = Argument(("mu", 0), bad.ANYTHING).more(
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
}
_WAY, _ZERO = np.linspace(0, 1, 3), np.zeros(3)

CALLS = {
    "assignment_matrix": call(plots.assignment_matrix, **_MATRIX),
    "plot_assignment": call(plots.plot_assignment, **_MATRIX, ax=_AX),
    "plot_barrier": call(
        plots.plot_barrier,
        barriers=Argument(diagnostics.LossBarrier(1.0, _WAY, _ZERO, _ZERO), bad.ANYTHING).more(
            others={"a": 1.0}
        ),
        ax=_AX,
    ),
    "plot_pruning": call(
        plots.plot_pruning,
        curves=Argument(diagnostics.PruningCurve(_WAY, _ZERO, "sd"), bad.ANYTHING).more(
            others={"a": 1.0}
        ),
        ylabel=Argument("score", bad.ANYTHING).less("a string"),
        ax=_AX,
    ),
    "plot_pairs": call(plots.plot_pairs, before=OBJECT, after=OBJECT, x=_ENTRY, y=_ENTRY, axes=_AX),
    "plot_traces": call(plots.plot_traces, before=OBJECT, after=OBJECT, entry=_ENTRY, axes=_AX),
    "plot_transpositions": call(
        plots.plot_transpositions,
        counts=Argument([0, 1], bad.ARRAY)
        .less("an int")
        .more(too_many=[9], negative=[-1], floats=[0.5]),
        n=Argument(3, bad.POSITIVE),
        ax=_AX,
    ),
    "plot_relabellings": call(
        plots.plot_relabellings,
        relabellings=Argument(
            alignment.relabel(
                {"z": np.array([[0, 1], [1, 0]])}, nsym.mixture(2, {"mu": 0}, assignments="z")
            ),
            bad.ANYTHING,
        ).more(one_method=alignment.ecr_iterative([[0, 1], [1, 0]], 2)),
        axes=_AX,
    ),
    "unit_cards": call(plots.unit_cards, **_CARDS),
    "plot_unit_cards": call(plots.plot_unit_cards, **_CARDS, columns=POSITIVE, axes=_AX),
    "plot_rhat": call(
        plots.plot_rhat,
        diagnosis=Argument(nsym.diagnose(DATA.good, PAIR, invariant="total"), bad.ANYTHING).more(
            data=DATA.good
        ),
        ax=_AX,
    ),
}
