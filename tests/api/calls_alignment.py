"""Alignment, sections, gauges, rotations and relabeling."""

import tempfile
from pathlib import Path

import bad_values as bad
import dask.array as da
import numpy as np
from bad_values import DRAWS_OF, PAIR, without
from calling import (
    ALIGNED_TO,
    AT,
    BOOL,
    DATA,
    DRAWN,
    DRAWS,
    NOT_NEGATIVE,
    POSITIVE,
    REFERENCE,
    SCALE,
    SHAPES,
    SORT_KEYS,
    SPREAD,
    Argument,
    call,
    sym,
)

import numpyro_sym as nsym
from numpyro_sym import alignment, diagnostics
from numpyro_sym.alignment import Euclidean, Wasserstein, Whitened

_WITH_LABELS = nsym.mixture(2, {"mu": 0}, assignments="z")
_LABELED = {"mu": np.zeros((3, 2)), "z": np.array([[0, 1], [1, 0], [0, 1]])}
_RELU = nsym.mlp(["w1", "w2"], [2], kind="scaled")
METRIC = Argument(
    Euclidean(),
    bad.ANYTHING
    | {
        "a class of metrics": Euclidean,
        "another word": "euclidean",
        "scales": SCALE,
        "scales of another shape": Whitened({"mu": np.ones(3)}),
        "no scale": Whitened({"nu": np.ones(2)}),
        "scales of zero": Whitened({"mu": np.zeros(2)}),
        "scales of NaN": Whitened({"mu": np.array([np.nan, 1.0])}),
        "scales beyond numbers": Whitened({"mu": np.full(2, 1e-200)}),
        "deviations of other draws": Wasserstein({"mu": np.ones((3, 2))}, {"mu": np.ones(2)}),
    },
)
STARTS = Argument(
    ["forward"],
    without(bad.ANYTHING, "None")
    | {"another word": ["sideways"], "one word": "forward", "a number": ["forward", 3]},
)
_NEVER_FINITE = ("NaN at one place", "an infinity")  # what is traced or only moved may be NaN
_IN_JIT = AT.less(*_NEVER_FINITE).more(ints={"mu": np.array([1, 2])})
#: What is no dict of arrays, whatever the sites are; the rest is refused where they are known.
NO_SITES = without(
    bad.POINTS,
    "an empty dict",
    *_NEVER_FINITE,
    "no axis",
    "another number of units",
    "another site",
)
_POSITIVE_SPREAD = SPREAD.more(zero={"mu": np.zeros(2)})
_GAUGES = {
    "sites": Argument({"w1": np.ones((5, 3, 2)), "w2": np.ones((5, 2, 1))}, bad.DRAWS).more(
        zero_axes={"w1": np.ones(5), "w2": np.ones(5)}
    ),
    "sym": Argument(_RELU, bad.SYMMETRY | bad.OTHERS),
    "sample_ndim": NOT_NEGATIVE,
}
_LOADINGS = Argument(np.random.default_rng(0).normal(size=(4, 6, 2)), bad.ARRAY).more(
    ints=np.ones((3, 2), int), a_vector=np.ones(3)
)
_AT_LOADINGS = Argument(np.ones((6, 2)), _LOADINGS.bad).or_none.more(another_shape=np.ones((5, 2)))

_LABELS = np.array([[1, 1, 0], [0, 0, 1]])
_ALLOCATIONS = Argument(_LABELS, bad.LABELS)
# Partitions may have any numbers that are not negative.
_ANY_LABELS = Argument(_LABELS, without(bad.LABELS, "counted from 1", "unsigned and too large"))
# Of a group a label too large is a group without observations; ints alone are ever good.
_GROUPS = Argument(np.zeros(3, int), bad.LABELS).or_none.more(
    of_other_observations=np.array([0, 1])
)
_NUMBER = POSITIVE.more(too_few=1)
_PROBABILITIES = Argument(np.array([[[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]] * 2), bad.PROBABILITIES)


def _chunked(**arguments):
    return alignment.align_chunked(**arguments).distance.compute()


def _in_a_new_store(data, **arguments):
    with tempfile.TemporaryDirectory() as folder:
        return diagnostics.rebasin_to_zarr(data, Path(folder) / "store", **arguments)


_COVARIANCE = Argument(
    np.eye(2),
    bad.ANYTHING
    | {
        "another size": np.eye(3),
        "not symmetric": np.triu(np.ones((2, 2))),
        "negative": -np.eye(2),
        "deviations": np.ones(2),
        "NaN at one place": np.full((2, 2), np.nan),
    },
)

CALLS = {
    "register_start": call(
        alignment.register_start, name=Argument("a start", bad.NAME | {"its own": "forward"})
    ),
    "align": call(
        nsym.align,
        sites=DRAWN,
        reference=REFERENCE,
        sym=sym(),
        sample_ndim=NOT_NEGATIVE.or_none.more(of_other_draws=2, none=0),
        starts=STARTS,
        metric=METRIC,
        num_threads=POSITIVE.or_none,
    ),
    "align_in_jit": call(
        alignment.align_in_jit,
        sites=_IN_JIT,
        reference=_IN_JIT,
        sym=sym(bad.OTHERS | bad.SCALED),
        max_sweeps=POSITIVE,
    ),
    "align_chunked": call(
        _chunked,
        sites=Argument({"mu": da.from_array(DRAWS_OF, chunks=(10, 2))}, bad.DRAWS).more(
            in_memory=DRAWS
        ),
        reference=REFERENCE,
        sym=sym(),
        sample_ndim=Argument(1, bad.POSITIVE).or_none.more(of_other_draws=5),
        metric=METRIC,
        num_threads=POSITIVE,
        max_iterations=POSITIVE,
        progress_bar=BOOL,
    ),
    "rebasin_to_zarr": call(
        _in_a_new_store,
        data=DATA,
        sym=sym(),
        reference=ALIGNED_TO,
        progress_bar=Argument(False, bad.BOOL),
    ),
    "align_gaussians": call(
        alignment.align_gaussians,
        loc=AT,
        scale=_POSITIVE_SPREAD,
        reference_loc=AT,
        reference_scale=_POSITIVE_SPREAD,
        sym=sym(),
    ),
    "align_full_gaussians": call(
        alignment.align_full_gaussians,
        loc=AT,
        covariance=_COVARIANCE,
        reference_loc=AT,
        reference_covariance=_COVARIANCE,
        sym=sym(bad.OTHERS | bad.SCALED),
    ),
    "bures_wasserstein_geodesic": call(
        alignment.bures_wasserstein_geodesic,
        loc0=AT,
        covariance0=_COVARIANCE.more(singular=np.zeros((2, 2))),
        loc1=AT,
        covariance1=_COVARIANCE,
        t=Argument(np.array([0.0, 1.0]), bad.ARRAY).less("an int", "a negative int", "a float"),
    ),
    "wasserstein_geodesic": call(
        alignment.wasserstein_geodesic,
        loc0=AT,
        scale0=SPREAD,
        loc1=AT,
        scale1=SPREAD,
        t=Argument(np.array([0.0, 1.0]), bad.ARRAY).less("an int", "a negative int", "a float"),
    ),
    "sorted_section": call(
        alignment.sorted_section,
        sym=sym(without(bad.OTHERS, "no Units") | bad.SCALED),
        shapes=SHAPES,
        keys=SORT_KEYS.more(no_such_row={"component": ("mu", 7)}),
    ),
    "SortedSection.fold": call(
        alignment.sorted_section(PAIR, {"mu": (2,)}).fold, sites=AT.less(*_NEVER_FINITE)
    ),
    "minimum_mass": call(alignment.minimum_mass, **_GAUGES),
    "unit_norm": call(alignment.unit_norm, **_GAUGES),
    "unit_variance": call(alignment.unit_variance, **_GAUGES),
    "varimax": call(
        alignment.varimax,
        loadings=_LOADINGS,
        normalize=BOOL,
        tolerance=Argument(1e-7, bad.POSITIVE_NUMBER),
    ),
    "align_varimax": call(
        alignment.align_varimax, loadings=_LOADINGS, reference=_AT_LOADINGS, normalize=BOOL
    ),
    "align_procrustes": call(
        alignment.align_procrustes, loadings=_LOADINGS, reference=_AT_LOADINGS
    ),
    "Whitened": call(Whitened, scale=Argument(SCALE, NO_SITES)),
    "Wasserstein": call(
        Wasserstein,
        scale=Argument(SCALE, NO_SITES),
        reference_scale=Argument(SCALE, NO_SITES).or_none,
    ),
    "Activations": call(
        alignment.Activations,
        apply=Argument(lambda point, x: {}, bad.FUNCTION),
        inputs=Argument(None, {}),
    ),
    "ecr": call(
        alignment.ecr,
        allocations=_ALLOCATIONS,
        pivot=Argument(_LABELS[0], bad.LABELS).more(of_other_observations=np.array([0, 1])),
        n=_NUMBER,
        groups=_GROUPS,
    ),
    "align_by_labels": call(
        alignment.align_by_labels,
        sites=Argument(
            _LABELED, {"None": None, "an int": 7, "no labels": {"mu": np.zeros((3, 2))}}
        ),
        sym=Argument(_WITH_LABELS, bad.SYMMETRY).more(no_labels=bad.PAIR),
        pivot=Argument({"z": np.array([0, 1])}, bad.ANYTHING).or_none,
        sample_ndim=Argument(1, bad.POSITIVE).more(too_many=3),
    ),
    "ecr_iterative": call(
        alignment.ecr_iterative, allocations=_ALLOCATIONS, n=_NUMBER, groups=_GROUPS
    ),
    "ecr_soft": call(
        alignment.ecr_soft, allocations=_ALLOCATIONS, probabilities=_PROBABILITIES, groups=_GROUPS
    ),
    "stephens": call(alignment.stephens, probabilities=_PROBABILITIES, groups=_GROUPS),
    "data_based": call(
        alignment.data_based,
        allocations=_ALLOCATIONS,
        data=Argument(np.array([0.0, 0.2, 5.0]), bad.ARRAY).more(of_other_observations=np.zeros(2)),
        n=_NUMBER,
        groups=_GROUPS,
    ),
    "relabel": call(
        alignment.relabel,
        sites=Argument(_LABELED, {"None": None, "an int": 7, "no draws": {"mu": np.zeros(2)}}),
        sym=Argument(_WITH_LABELS, bad.SYMMETRY).more(scaled=_RELU),
        probabilities=Argument(
            np.full((3, 2, 2), 0.5), bad.PROBABILITIES | {"other draws": np.full((2, 2, 2), 0.5)}
        ).or_none,
        data=Argument(np.array([0.0, 5.0]), bad.ARRAY).or_none.more(
            of_other_observations=np.zeros(3)
        ),
        order_by=Argument("mu", bad.ANYTHING).or_none.more(no_site="nu"),
        methods=Argument(["ecr"], bad.ANYTHING).or_none.more(
            another=["median"], twice=["ecr", "ecr"], one_word="ecr"
        ),
        loss=Argument("binder", bad.ANYTHING).more(another="squared"),
        sample_ndim=Argument(1, bad.POSITIVE).more(too_many=3),
    ),
    "similarity_matrix": call(alignment.similarity_matrix, allocations=_ANY_LABELS),
    "best_clustering": call(
        alignment.best_clustering,
        allocations=_ANY_LABELS,
        loss=Argument("vi", bad.ANYTHING).more(another="squared"),
    ),
    "pivotal": call(
        alignment.pivotal,
        parameters=Argument(np.array([[[5.1], [0.2]]]), bad.ARRAY).more(
            other_features=np.zeros((1, 2, 3))
        ),
        pivot=Argument(np.array([[0.0], [5.0]]), bad.ARRAY).more(other_components=np.zeros((3, 1))),
    ),
    "ordering": call(alignment.ordering, values=Argument(np.array([[3.0, 1.0]]), bad.ARRAY)),
}
