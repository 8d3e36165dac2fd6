"""Every public callable with healthy arguments, and what is bad for each of them."""

import inspect
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import bad_values as bad
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import xarray as xr
from bad_values import DRAWS_OF, PAIR, POINT, element_of, model, without
from numpyro.infer import MCMC, NUTS, init_to_uniform
from numpyro.infer.autoguide import AutoNormal

import numpyro_sym as nsym
from numpyro_sym import alignment, diagnostics, discovery, guides, mcmc, plots, symmetry
from numpyro_sym.alignment import Euclidean, Wasserstein, Whitened
from numpyro_sym.symmetry import Axis, Symmetry, Units

KEY = jax.random.key(0)
COMPONENT = PAIR["component"]
RELU = nsym.mlp(["w1", "w2"], [2], kind="scaled")
DRAWS = {"mu": DRAWS_OF}
SCALE = {"mu": np.array([0.1, 0.2])}


def _dataset(**variables):
    dims = ("chain", "draw", "unit")
    return xr.Dataset({name: (dims[: x.ndim], x) for name, x in variables.items()})


def tree(**groups):
    return xr.DataTree.from_dict(groups)


_CHAINS = np.random.default_rng(1).normal([-3.0, 3.0], 0.1, size=(4, 40, 2))
_CHAINS[2:] = _CHAINS[2:, :, ::-1]
DATA = tree(
    posterior=_dataset(mu=_CHAINS, total=_CHAINS.sum(-1)),
    log_likelihood=_dataset(y=np.random.default_rng(2).normal(size=(4, 40, 3))),
)
ALIGNED = nsym.rebasin(DATA, PAIR, keep_elements=True)
CHAIN_ELEMENTS = diagnostics.elements_of(ALIGNED, PAIR)


def _data(**changes):
    return tree(posterior=_dataset(**{"mu": _CHAINS, "total": _CHAINS.sum(-1), **changes}))


_BROKEN = _CHAINS.copy()
_BROKEN[1, 3, 0] = np.nan
NO_DATA = bad.ANYTHING | {
    "a dict of draws": DRAWS,
    "a Dataset": _dataset(mu=_CHAINS),
    "no groups": tree(),
    "no posterior": tree(prior=_dataset(mu=_CHAINS)),
    "no chains": tree(posterior=xr.Dataset({"mu": (("draw", "unit"), DRAWS_OF)})),
    "no draws": _data(mu=_CHAINS[:, :0], total=_CHAINS[:, :0, 0]),
    "a symmetry": PAIR,
    "an MCMC": bad.MODEL["an MCMC"],
    "one array": _CHAINS,
}
#: Where draws are looked at.
NO_DRAWS = {
    "a missing site": tree(posterior=_dataset(nu=_CHAINS)),
    "NaN": _data(mu=_BROKEN),
    "an infinity": _data(mu=np.where(np.isnan(_BROKEN), np.inf, _BROKEN)),
    "ints": _data(mu=_CHAINS.astype(int)),
    "bools": _data(mu=_CHAINS > 0),
    "complex numbers": _data(mu=_CHAINS.astype(complex)),
    "another number of units": _data(mu=np.concatenate([_CHAINS, _CHAINS], -1)),
    "a site without units": _data(mu=_CHAINS[..., 0]),
}
GROUP = without(bad.ANYTHING) | {"another group": "prior"}
_READS_ANY_SITE = {name: bad.DRAWS[name] for name in ("another number of units", "another site")}


class Argument(NamedTuple):
    """A healthy value and a catalogue of bad ones."""

    good: Any
    bad: dict[str, Any]


class Call(NamedTuple):
    """A callable, its arguments by name, and arguments that come after them."""

    function: Callable
    arguments: dict[str, Argument]
    rest: tuple = ()

    def __call__(self, **changes):
        given = {name: argument.good for name, argument in self.arguments.items()} | changes
        if not self.rest:
            return self.function(**given)
        # What comes after must come by position.
        parameters = [p for p in inspect.signature(self.function).parameters.values() if p.name in given]
        positional = [given.pop(p.name) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        return self.function(*positional, *self.rest, **given)


def sym(catalogue=None, **more):
    return Argument(PAIR, bad.SYMMETRY | (bad.OTHERS if catalogue is None else catalogue) | more)


def choice(good, *also):
    return Argument(good, without(bad.CHOICE, *also))


POSITIVE, NOT_NEGATIVE, BOOL = (
    Argument(good, catalogue) for good, catalogue in ((2, bad.POSITIVE), (1, bad.NOT_NEGATIVE), (True, bad.BOOL))
)
KEYS, SEED = Argument(KEY, bad.KEY), Argument(0, bad.SEED)
SAMPLE_SHAPE = Argument((2,), bad.SAMPLE_SHAPE)
DRAWN = Argument(DRAWS, bad.DRAWS)
AT = Argument(POINT, bad.POINTS)
SPREAD = Argument(SCALE, bad.SCALES)
PAIR_OF = bad.ANYTHING | {
    "means alone": (POINT,),
    "three dicts": (POINT, SCALE, SCALE),
    "negative deviations": (POINT, {"mu": np.array([-1.0, 1.0])}),
    "NaN": ({"mu": np.array([np.nan, 1.0])}, SCALE),
    "no sites": ({}, {}),
    "other shapes": (POINT, {"mu": np.ones(3)}),
    "another site": ({"nu": POINT["mu"]}, {"nu": SCALE["mu"]}),
    "one dict": POINT,
}
GAUSSIAN = Argument((POINT, SCALE), PAIR_OF)
NUMBERS = bad.ARRAY


def maybe(argument):
    """``None`` leaves it out."""
    return Argument(argument.good, without(argument.bad, "None"))


METRIC = Argument(
    Euclidean(),
    bad.ANYTHING
    | {"a class of metrics": Euclidean, "another word": "euclidean", "scales": SCALE}
    | {"scales of another shape": Whitened({"mu": np.ones(3)}), "no scale": Whitened({"nu": np.ones(2)})}
    | {"scales of zero": Whitened({"mu": np.zeros(2)}), "scales of NaN": Whitened({"mu": np.array([np.nan, 1.0])})}
    | {"scales beyond numbers": Whitened({"mu": np.full(2, 1e-200)})}
    | {"deviations of other draws": Wasserstein({"mu": np.ones((3, 2))}, {"mu": np.ones(2)})},
)
STARTS = maybe(
    Argument(
        ["forward"],
        without(bad.ANYTHING) | {"another word": ["sideways"], "one word": "forward", "a number": ["forward", 3]},
    )
)
SIZES = {"of 1e25": {"mu": 1e25 * DRAWS_OF}, "of 1e-30": {"mu": 1e-30 * DRAWS_OF}}

# Symmetries --------------------------------------------------------------------------------------


def symmetry_calls():
    axes = Argument({"mu": 0}, bad.AXES)
    some_axes = maybe(axes)
    name = Argument("a", bad.NAME)
    kind = choice("permutation")
    names = without(bad.NAMES, "no site") | {"a string of names": "ab"}
    mu = {"incoming": some_axes, "n": POSITIVE, "name": name, "kind": kind}
    yield "Units", Call(Units, mu)
    yield "Units: outgoing", Call(Units, {"outgoing": some_axes, "n": Argument(2, {}), "name": Argument("a", {})})
    yield "Units: axes", Call(Units, {"axes": some_axes, "n": Argument(2, {}), "name": Argument("a", {})})
    of_axis = without(bad.ANYTHING, "an int", "a negative int")
    yield (
        "Axis",
        Call(
            Axis,
            {
                "axis": Argument(0, of_axis),
                "start": Argument(1, without(of_axis, "None") | {"a negative int": -1}),
                "outer": POSITIVE,
                "inner": POSITIVE,
                "power": Argument(1, without(of_axis, "None")),
            },
        ),
    )
    several = without(bad.ANYTHING, "an empty list", "an empty tuple") | {
        "no Units": [PAIR],
        "one name twice": [COMPONENT] * 2,
    }
    notes = without(bad.ANYTHING, "an empty list", "an empty tuple", "an empty dict", "a string array") | {
        "a number": [3]
    }
    yield "Symmetry", Call(Symmetry, {"units": Argument([COMPONENT], several), "notes": Argument(["a note"], notes)})
    yield (
        "mlp",
        Call(
            nsym.mlp,
            {
                "weights": Argument(["w1", "w2"], names | {"one too few": ["w1"], "one name twice": ["w1", "w1"]}),
                "widths": Argument([2], without(bad.ANYTHING) | {"zero": [0], "a float": [2.0], "True": [True]}),
                "biases": maybe(
                    Argument(
                        ["b1"],
                        without(names, "a list of None") | {"of the weights": ["w1"], "too many": ["b1", "b2", "b3"]},
                    )
                ),
                "kind": kind,
                "layout": choice("in,out"),
                "name": name,
            },
        ),
    )
    yield (
        "mixture",
        Call(nsym.mixture, {"n": POSITIVE, "axes": Argument({"mu": 0}, bad.AXES | {"none": {}}), "name": name}),
    )
    hmm = {"n": POSITIVE, "transition": Argument("A", bad.NAME), "name": name}
    twice = {"the transitions'": "A"}
    yield (
        "hmm",
        Call(
            nsym.hmm,
            hmm
            | {
                "initial": maybe(Argument("pi", bad.NAME | twice)),
                "emissions": Argument({"mu": 0}, some_axes.bad | {"the transitions'": {"A": 0}}),
            },
        ),
    )
    loadings = Argument({"L": 1}, without(bad.AXES, "one axis twice") | {"none": {}, "one axis twice": {"L": (1, 1)}})
    yield (
        "factor_model",
        Call(nsym.factor_model, {"n": POSITIVE, "loadings": loadings, "factors": some_axes, "name": name}),
    )
    yield (
        "factor_model: axes",
        Call(nsym.factor_model, {"n": Argument(2, {}), "loadings": Argument({"L": 1}, {}), "axes": some_axes}),
    )


def group_calls():
    elements = Argument(element_of([1, 0]), bad.ELEMENTS | bad.FACTORS)
    sample = Argument((), without(bad.SAMPLE_SHAPE) | {"of other sites": (3,)})
    moved = Argument(POINT, without(bad.POINTS, "NaN at one place", "an infinity", "an empty dict") | {"no sites": {}})
    yield "Symmetry.act", Call(PAIR.act, {"g": elements, "sites": moved})
    yield "Symmetry.inverse", Call(PAIR.inverse, {"g": elements})
    yield "Symmetry.compose", Call(PAIR.compose, {"g": elements, "h": elements})
    yield "Symmetry.sample", Call(PAIR.sample, {"rng_key": KEYS, "sample_shape": SAMPLE_SHAPE})
    yield "Symmetry.identity", Call(PAIR.identity, {"sample_shape": SAMPLE_SHAPE})
    yield "Symmetry.select", Call(PAIR.select, {"kind": Argument("permutation", bad.KINDS)})
    yield "Symmetry[...]", Call(PAIR.__getitem__, {"name": Argument("component", bad.ANYTHING)})
    renaming = without(bad.ANYTHING, "an empty dict") | {"another name": {"other": "a"}, "a number": {"component": 3}}
    yield "Symmetry.rename", Call(PAIR.rename, {"names": Argument({"component": "a"}, renaming)})
    shapes = Argument({"mu": (2,)}, bad.SHAPES)
    yield "Symmetry.check_shapes", Call(PAIR.check_shapes, {"shapes": shapes, "sample": sample})
    yield (
        "Symmetry.check",
        Call(
            PAIR.check,
            {
                "model": Argument(model, bad.MODEL | bad.RUN),
                "num_points": POSITIVE,
                "num_elements": POSITIVE,
                "rng_seed": SEED,
            },
        ),
    )
    checked = bad.OTHERS | bad.SYMMETRY
    checked = without(checked, "no Units")
    yield "Symmetry.check: self", Call(Symmetry.check, {"self": Argument(PAIR, {}), "model": Argument(model, {})})
    yield (
        "find_symmetry",
        Call(
            nsym.find_symmetry,
            {
                "model": Argument(model, bad.MODEL | bad.RUN),
                "include": Argument("permutation", bad.KINDS),
                "rng_seed": SEED,
            },
        ),
    )


# Alignment ---------------------------------------------------------------------------------------


def alignment_calls():
    reference = Argument(POINT, bad.REFERENCE)
    lead = maybe(Argument(1, without(bad.NOT_NEGATIVE, "a bool of NumPy") | {"of other draws": 2, "none": 0}))
    draws = Argument(DRAWS, bad.DRAWS)
    options = {"starts": STARTS, "metric": METRIC, "num_threads": maybe(POSITIVE)}
    common = {"sites": draws, "reference": reference, "sym": sym(), "sample_ndim": lead}
    yield "align", Call(nsym.align, common | options)
    far = {"sites far apart": nsym.Symmetry([COMPONENT])}
    assert far
    in_jit = without(bad.POINTS, "NaN at one place", "an infinity") | {"ints": {"mu": np.array([1, 2])}}
    yield (
        "align_in_jit",
        Call(
            alignment.align_in_jit,
            {
                "sites": Argument(POINT, in_jit),
                "reference": Argument(POINT, in_jit),
                "sym": sym(bad.OTHERS | bad.SCALED),
                "max_sweeps": POSITIVE,
            },
        ),
    )
    means = {name: value for name, value in bad.DRAWS.items() if name != "an empty dict"} | {"no sites": {}}
    yield (
        "align_gaussians",
        Call(
            alignment.align_gaussians,
            {
                "loc": Argument(POINT, without(means, "no draws")),
                "scale": Argument(SCALE, bad.SCALES | {"zero": {"mu": np.zeros(2)}}),
                "reference_loc": AT,
                "reference_scale": Argument(SCALE, bad.SCALES | {"zero": {"mu": np.zeros(2)}}),
                "sym": sym(),
            },
        ),
    )
    where = without(NUMBERS, "an int", "a negative int", "a float", "an empty list", "an empty tuple", "bools") | {
        "none": []
    }
    yield (
        "wasserstein_geodesic",
        Call(
            alignment.wasserstein_geodesic,
            {"loc0": AT, "scale0": SPREAD, "loc1": AT, "scale1": SPREAD, "t": Argument(np.array([0.0, 1.0]), where)},
        ),
    )
    yield (
        "sorted_section",
        Call(
            alignment.sorted_section,
            {
                "sym": sym(
                    bad.OTHERS | bad.SCALED
                    if False
                    else {k: v for k, v in bad.OTHERS.items() if k != "no Units"} | bad.SCALED
                ),
                "shapes": Argument({"mu": (2,)}, bad.SHAPES),
                "keys": maybe(Argument({"component": "mu"}, without(bad.ANYTHING, "an empty dict") | BAD_SORT_KEYS)),
            },
        ),
    )
    section = alignment.sorted_section(PAIR, {"mu": (2,)})
    folded = without(bad.POINTS, "NaN at one place", "an infinity")
    yield "Section.fold", Call(section.fold, {"sites": Argument(POINT, folded)})
    relu = {"w1": np.ones((5, 3, 2)), "w2": np.ones((5, 2, 1))}
    scaled = Argument(
        relu,
        {k: v for k, v in bad.DRAWS.items()} | {"zeros of one axis": {"w1": np.ones((5, 3)), "w2": np.ones((5, 2))}},
    )
    gauges = {
        "sites": scaled,
        "sym": Argument(RELU, bad.SYMMETRY | bad.OTHERS),
        "sample_ndim": Argument(1, bad.NOT_NEGATIVE),
    }
    for gauge in (alignment.minimum_mass, alignment.unit_norm, alignment.unit_variance):
        yield gauge.__name__, Call(gauge, gauges)
    matrices = Argument(
        np.random.default_rng(0).normal(size=(4, 6, 2)),
        without(NUMBERS) | {"ints": np.ones((3, 2), int), "a vector": np.ones(3)},
    )
    yield (
        "varimax",
        Call(
            alignment.varimax,
            {"loadings": matrices, "normalise": BOOL, "tolerance": Argument(1e-7, bad.POSITIVE_NUMBER)},
        ),
    )
    yield "align_varimax", Call(alignment.align_varimax, {"loadings": matrices, "normalise": BOOL})
    reference = maybe(Argument(np.ones((6, 2)), matrices.bad | {"another shape": np.ones((5, 2))}))
    yield "align_procrustes", Call(alignment.align_procrustes, {"loadings": matrices, "reference": reference})
    yield "Whitened", Call(Whitened, {"scale": Argument(SCALE, NO_SITES)})
    yield (
        "Wasserstein",
        Call(Wasserstein, {"scale": Argument(SCALE, NO_SITES), "reference_scale": maybe(Argument(SCALE, NO_SITES))}),
    )
    yield (
        "Activations",
        Call(
            alignment.Activations, {"apply": Argument(lambda point, x: {}, bad.FUNCTION), "inputs": Argument(None, {})}
        ),
    )


#: What is no dict of arrays, whatever the sites; others are refused where they are used.
NO_SITES = {
    name: value
    for name, value in bad.POINTS.items()
    if name
    not in ("an empty dict", "NaN at one place", "an infinity", "no axis", "another number of units", "another site")
}
BAD_SORT_KEYS = {
    "another site": {"component": "nu"},
    "other units": {"other": "mu"},
    "another statistic": {"component": ("mu", "median")},
    "no such row": {"component": ("mu", 7)},
    "True for a row": {"component": ("mu", True)},
    "a number": {"component": 3},
    "three of a pair": {"component": ("mu", "sum", 0)},
    "a name for all": "mu",
}


def relabelling_calls():
    labels = np.array([[1, 1, 0], [0, 0, 1]])
    allocations = Argument(labels, bad.LABELS)
    n = Argument(2, bad.POSITIVE | {"too few": 1})
    p = np.array([[[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]] * 2)
    probabilities = Argument(p, bad.PROBABILITIES)
    numbers = Argument(np.array([[3.0, 1.0]]), without(NUMBERS, "bools") | {"bools": np.array([[True, False]])})
    pivot = Argument(labels[0], bad.LABELS | {"of other observations": np.array([0, 1])})
    yield "ecr", Call(alignment.ecr, {"allocations": allocations, "pivot": pivot, "n": n})
    yield "ecr_iterative", Call(alignment.ecr_iterative, {"allocations": allocations, "n": n})
    yield "ecr_soft", Call(alignment.ecr_soft, {"allocations": allocations, "probabilities": probabilities})
    yield "stephens", Call(alignment.stephens, {"probabilities": probabilities})
    data = Argument(np.array([0.0, 0.2, 5.0]), NUMBERS | {"of other observations": np.zeros(2)})
    yield "data_based", Call(alignment.data_based, {"allocations": allocations, "data": data, "n": n})
    features = Argument(np.array([[[5.1], [0.2]]]), NUMBERS | {"other features": np.zeros((1, 2, 3))})
    pivot = Argument(np.array([[0.0], [5.0]]), NUMBERS | {"other components": np.zeros((3, 1))})
    yield "pivotal", Call(alignment.pivotal, {"parameters": features, "pivot": pivot})
    yield "ordering", Call(alignment.ordering, {"values": numbers})


# Chunked and on disk -----------------------------------------------------------------------------


def chunked_calls():
    import dask.array as da

    draws = Argument({"mu": da.from_array(DRAWS_OF, chunks=(10, 2))}, bad.DRAWS | {"arrays in memory": DRAWS})
    reference = Argument(POINT, bad.REFERENCE)
    metric = Argument(Euclidean(), {k: v for k, v in METRIC.bad.items() if not isinstance(v, Whitened)})
    yield (
        "align_chunked",
        Call(
            _computed,
            {
                "sites": draws,
                "reference": reference,
                "sym": sym(),
                "sample_ndim": maybe(Argument(1, bad.POSITIVE)),
                "metric": metric,
                "num_threads": POSITIVE,
                "max_iterations": POSITIVE,
            },
        ),
    )
    yield (
        "rebasin_to_zarr",
        Call(
            _in_a_new_store,
            {
                "data": Argument(DATA, NO_DATA | NO_DRAWS),
                "sym": sym(),
                "reference": ALIGNED_TO,
                "progress_bar": Argument(False, without(bad.BOOL) | {"True in a string": "True"}),
            },
        ),
    )


def _computed(sites, reference, sym, sample_ndim, metric, num_threads, max_iterations):
    found = alignment.align_chunked(
        sites,
        reference,
        sym,
        sample_ndim=sample_ndim,
        metric=metric,
        num_threads=num_threads,
        max_iterations=max_iterations,
    )
    return found.distance.compute()


def _in_a_new_store(data, sym, reference, progress_bar):
    with tempfile.TemporaryDirectory() as folder:
        return diagnostics.rebasin_to_zarr(
            data, Path(folder) / "store", sym, reference=reference, progress_bar=progress_bar
        )


# Diagnostics -------------------------------------------------------------------------------------

ALIGNED_TO = Argument("mean", without(bad.REFERENCE, "an array") | {"an array": POINT["mu"], "one index of two": 3})


def diagnostics_calls():
    data = Argument(DATA, NO_DATA | NO_DRAWS)
    options = {"reference": ALIGNED_TO, "metric": METRIC, "starts": STARTS}
    yield "rebasin", Call(nsym.rebasin, {"data": data, "sym": sym()} | options | {"keep_elements": BOOL})
    invariant = maybe(Argument("total", without(bad.CHOICE, "an empty list") | {"moved": "mu", "no names": []}))
    yield "diagnose", Call(nsym.diagnose, {"data": data, "sym": sym(), "invariant": invariant, "reference": ALIGNED_TO})
    either = {k: v for k, v in NO_DATA.items() if k not in ("a dict of draws",)}
    flat = Argument(DATA, either)
    yield (
        "compact_posterior",
        Call(
            nsym.compact_posterior,
            {
                "data": Argument(DRAWS, bad.DRAWS | either | {"one draw": {"mu": DRAWS_OF[:1]}}),
                "sym": Argument(PAIR, without(bad.SYMMETRY | bad.OTHERS, "None", "no Units")),
                "sites": maybe(Argument(["mu"], bad.NAMES)),
                "rank": Argument(1, bad.NOT_NEGATIVE | {"more than draws": 100}),
                "reference": Argument("mean", bad.REFERENCE),
            },
        ),
    )
    compact = nsym.compact_posterior(DRAWS, PAIR)
    yield "CompactPosterior.sample", Call(compact.sample, {"rng_key": KEYS, "sample_shape": SAMPLE_SHAPE})
    yield (
        "CompactPosterior.auto_normal_params",
        Call(compact.auto_normal_params, {"prefix": Argument("auto", without(bad.ANYTHING, "a string"))}),
    )
    yield "CompactPosterior.to_arviz", Call(compact.to_arviz, {"rng_key": KEYS, "num_draws": POSITIVE})
    yield (
        "elements_of",
        Call(
            diagnostics.elements_of,
            {
                "data": Argument(ALIGNED, NO_DATA | {"not aligned": DATA}),
                "sym": sym({k: v for k, v in bad.OTHERS.items() if k == "another model's"}),
                "group": Argument("posterior", GROUP),
            },
        ),
    )
    elements = bad.ELEMENTS | {"of other draws": PAIR.identity((3,)), "without draws": element_of([1, 0])}
    twice = CHAIN_ELEMENTS["component"].permutation.copy()
    twice[0, 0] = 0
    elements |= {"one slot twice in a draw": element_of(twice)}
    yield (
        "act_on_group",
        Call(
            diagnostics.act_on_group,
            {
                "data": Argument(
                    DATA, NO_DATA | {k: NO_DRAWS[k] for k in ("a missing site", "another number of units")}
                ),
                "sym": sym(without(bad.OTHERS, "no Units")),
                "elements": Argument(CHAIN_ELEMENTS, elements),
                "group": Argument("posterior", GROUP),
            },
        ),
    )
    x = np.random.default_rng(0).normal(size=(4, 20, 2))
    functions = Argument(
        x,
        NUMBERS
        | {
            "too few draws": x[:, :5],
            "no draws": np.zeros((4, 0)),
            "no functions": {},
            "of other draws": {"a": x, "b": x[:, :9]},
        },
    )
    yield "chain_modes", Call(diagnostics.chain_modes, {"functions": functions})
    yield "modes_seen", Call(diagnostics.modes_seen, {"label": Argument([0, 0, 1], NUMBERS)})
    yield (
        "lppd",
        Call(
            diagnostics.lppd,
            {
                "data": Argument(
                    x,
                    NUMBERS
                    | {
                        "a Dataset of a posterior": _dataset(mu=_CHAINS),
                        "a posterior alone": _data(),
                        "too few dimensions": x[0],
                        "plus infinity": np.full((1, 2, 3), np.inf),
                    },
                ),
                "by_chain": BOOL,
            },
        ),
    )
    table = np.array([[0.9, 0.1], [0.2, 0.8]])
    some = Argument(table, without(bad.PROBABILITIES) | {"other classes": np.full((2, 3), 1 / 3)})
    yield "agreement", Call(diagnostics.agreement, {"first": some, "second": some})
    yield "total_variation", Call(diagnostics.total_variation, {"first": some, "second": some})
    yield (
        "mutual_information",
        Call(diagnostics.mutual_information, {"probabilities": Argument(table[:, None], bad.PROBABILITIES)}),
    )
    orders = Argument([1, 2, 3], without(NUMBERS) | {"one": [1], "another length": [1, 2]})
    yield "kendall_tau", Call(diagnostics.kendall_tau, {"first": orders, "second": orders})
    sample = Argument(
        DRAWS, without(bad.DRAWS, "one array", "ints", "bools") | either | {"one draw": {"mu": DRAWS_OF[:1]}}
    )
    sample = Argument(
        DRAWS,
        {k: v for k, v in sample.bad.items() if k not in ("no axis", "another number of units", "one array")}
        | {"of other sizes": {"mu": np.zeros((20, 3))}},
    )
    yield (
        "mmd",
        Call(
            diagnostics.mmd,
            {
                "first": sample,
                "second": sample,
                "sites": maybe(Argument(["mu"], bad.NAMES)),
                "num_permutations": POSITIVE,
                "seed": SEED,
            },
        ),
    )
    permutations = Argument(
        [[0, 1, 2]], without(NUMBERS) | {"one slot twice": [0, 0, 1], "counted from 1": [1, 2, 3], "floats": [0.0, 1.0]}
    )
    yield "num_transpositions", Call(diagnostics.num_transpositions, {"permutation": permutations})
    given = Argument(
        element_of([[1, 0]]), without(bad.ELEMENTS, "of other units", "of three units", "lists", "an empty dict")
    )
    yield (
        "transpositions",
        Call(
            diagnostics.transpositions,
            {"elements": given, "other": maybe(Argument(element_of([[1, 0]]), without(bad.ELEMENTS, "lists")))},
        ),
    )
    yield (
        "compare_gaussians",
        Call(diagnostics.compare_gaussians, {"first": GAUSSIAN, "second": GAUSSIAN, "sym": sym()}),
    )
    loss = Argument(lambda point: jnp.sum(point["mu"] ** 2), bad.FUNCTION | bad.NO_NUMBER)
    points = Argument(3, bad.POSITIVE | {"one": 1, "two": 2, "a billion": 10**9})
    unlike = Argument(POINT, without(bad.POINTS, "another site") | {"another site": {"nu": POINT["mu"]}})
    yield "loss_barrier", Call(nsym.loss_barrier, {"loss": loss, "start": unlike, "end": unlike, "num_points": points})
    each = {k: v for k, v in bad.NO_NUMBER.items() if k not in ("a vector",)}
    log_likelihood = Argument(lambda point: -(point["mu"] ** 2), bad.FUNCTION | each)
    yield (
        "marginalised_barrier",
        Call(
            diagnostics.marginalised_barrier,
            {
                "log_likelihood": log_likelihood,
                "start": GAUSSIAN,
                "end": GAUSSIAN,
                "rng_key": KEYS,
                "num_draws": POSITIVE,
                "num_points": points,
            },
        ),
    )
    shares = Argument([0.0, 0.5], without(NUMBERS) | {"more than all": [1.5], "negative shares": [-0.5]})
    pruned = {"loc": AT_ANY, "scale": Argument(SCALE, {k: v for k, v in bad.SCALES.items()}), "by": choice("sd")}
    yield "pruning_masks", Call(diagnostics.pruning_masks, pruned | {"fractions": shares})
    score = Argument(lambda point: point["mu"].sum(), bad.FUNCTION | bad.NO_NUMBER)
    yield (
        "pruning_curve",
        Call(
            diagnostics.pruning_curve,
            pruned | {"score": score, "fractions": maybe(shares), "fixed": maybe(Argument({}, without(NO_SITES)))},
        ),
    )
    predict = Argument(
        lambda point: point["mu"].sum(),
        bad.FUNCTION | {k: v for k, v in bad.NO_NUMBER.items() if k not in ("a vector", "a complex number", "nothing")},
    )
    plain = Argument(
        DRAWS,
        {
            k: v
            for k, v in bad.DRAWS.items()
            if k
            not in (
                "NaN at one place",
                "an infinity",
                "no axis",
                "another number of units",
                "one array",
                "ints",
                "bools",
            )
        },
    )
    yield (
        "predict_draws",
        Call(
            diagnostics.predict_draws,
            {"data": plain, "predict": predict, "sites": maybe(Argument(["mu"], bad.NAMES)), "batch_size": POSITIVE},
        ),
    )
    yield "model_loss", Call(diagnostics.model_loss, {"model": Argument(model, bad.MODEL | bad.RUN)})
    yield (
        "model_loss(model)",
        Call(
            diagnostics.model_loss(model),
            {"point": Argument({"mu": POINT["mu"]}, without(bad.POINTS, "NaN at one place", "an infinity"))},
        ),
    )
    accessor = diagnostics.SymmetryAccessor(DATA)
    yield "SymmetryAccessor.rebasin", Call(accessor.rebasin, {"sym": sym()})
    yield "SymmetryAccessor.diagnose", Call(accessor.diagnose, {"sym": sym()})
    yield (
        "SymmetryAccessor.compact",
        Call(accessor.compact, {"sym": Argument(PAIR, without(bad.SYMMETRY | bad.OTHERS, "None", "no Units"))}),
    )
    yield "SymmetryAccessor.chain_modes", Call(accessor.chain_modes, {"sym": sym({}), "invariant": invariant})
    yield (
        "SymmetryAccessor.act",
        Call(
            accessor.act,
            {
                "sym": sym(without(bad.OTHERS, "no Units")),
                "elements": Argument(CHAIN_ELEMENTS, elements),
                "group": Argument("posterior", GROUP),
            },
        ),
    )
    yield (
        "SymmetryAccessor.elements",
        Call(diagnostics.SymmetryAccessor(ALIGNED).elements, {"sym": sym({}), "group": Argument("posterior", GROUP)}),
    )
    assert flat


AT_ANY = Argument(POINT, {k: v for k, v in bad.POINTS.items()})


# Guides ------------------------------------------------------------------------------------------

PARAMS = Argument({"mu_auto_loc": np.array([-1.0, 1.0]), "mu_auto_scale": np.ones(2)}, bad.PARAMS)


@cache
def trained():
    """A guide that was run."""
    guide = nsym.AutoSymmetrizedNormal(model, PAIR, check=False)
    with numpyro.handlers.seed(rng_seed=0), numpyro.handlers.substitute(data=PARAMS.good):
        guide()
    return guide


def guides_calls():
    # Whether the symmetry is the model's own is seen on the first call.
    any_sym = Argument(PAIR, without(bad.SYMMETRY, "None") | bad.SCALED)
    importance = maybe(POSITIVE)
    common = {"sym": any_sym, "bound": choice("guess"), "num_importance": importance, "check": BOOL}
    yield "AutoSymmetrizedNormal", Call(nsym.AutoSymmetrizedNormal, {"model": Argument(model, bad.MODEL)} | common)
    yield (
        "AutoSymmetrized",
        Call(
            nsym.AutoSymmetrized,
            {"base_guide": Argument(AutoNormal(model), bad.GUIDE), "model": maybe(Argument(model, bad.MODEL))} | common,
        ),
    )
    first = {
        "guide": Argument(lambda sym: nsym.AutoSymmetrizedNormal(model, sym), {}),
        "sym": Argument(PAIR, without(bad.OTHERS, "no Units")),
    }
    yield "AutoSymmetrizedNormal, run", Call(_run_guide, first)
    guide = trained()
    levels = Argument(0.5, without(bad.ANYTHING) | {"zero": 0.0, "one": 1.0, "beyond one": [0.5, 1.5]})
    drawn = {"rng_key": KEYS, "params": PARAMS, "sample_shape": SAMPLE_SHAPE}
    yield "guide.sample_posterior", Call(guide.sample_posterior, drawn)
    yield "guide.sample_component", Call(guide.sample_component, drawn)
    yield "guide.component", Call(guide.component, {"params": PARAMS})
    yield "guide.median", Call(guide.median, {"params": PARAMS})
    yield "guide.quantiles", Call(guide.quantiles, {"params": PARAMS, "quantiles": levels})
    counts = {"num_samples": Argument(2, bad.AT_LEAST_TWO), "num_importance": Argument(2, bad.AT_LEAST_TWO)}
    yield "guide.symmetry_information", Call(guide.symmetry_information, {"rng_key": KEYS, "params": PARAMS} | counts)
    plain = AutoNormal(model)
    with numpyro.handlers.seed(rng_seed=0):
        plain()
    others = bad.ANYTHING | {
        "never run": AutoNormal(model),
        "a model": model,
        "a kernel": NUTS(model),
        "a class": AutoNormal,
    }
    both = Argument(plain, others)
    yield (
        "align_guides",
        Call(nsym.align_guides, {"guide0": both, "params0": PARAMS, "guide1": both, "params1": PARAMS, "sym": sym()}),
    )


def _run_guide(guide, sym):
    with numpyro.handlers.seed(rng_seed=0):
        return guide(sym)()


# Sampling ----------------------------------------------------------------------------------------


def mcmc_calls():
    any_sym = Argument(PAIR, without(bad.SYMMETRY, "None") | bad.SCALED)
    keys = maybe(
        Argument(
            {"component": "mu"},
            without(bad.ANYTHING, "an empty dict") | {"a class of sections": mcmc.Nearest} | BAD_SORT_KEYS,
        )
    )
    # Which rows there are is seen where shapes are.
    keys = Argument(keys.good, without(keys.bad, "no such row"))
    kernel = Argument(NUTS(model), bad.KERNEL)
    yield (
        "Folded",
        Call(
            nsym.Folded,
            {
                "kernel": kernel,
                "sym": any_sym,
                "keys": keys,
                "where": choice("draws"),
                "random_element": BOOL,
                "check": BOOL,
            },
        ),
    )
    yield (
        "FoldedNUTS",
        Call(nsym.FoldedNUTS, {"model": Argument(model, bad.MODEL), "sym": any_sym, "keys": keys, "check": BOOL}),
    )
    yield "PermutationSampler", Call(nsym.PermutationSampler, {"kernel": kernel, "sym": any_sym, "check": BOOL})
    yield "FoldedNUTS, run", Call(_run_kernel, {"sym": Argument(PAIR, without(bad.OTHERS, "no Units"))})
    yield "Nearest", Call(mcmc.Nearest, {"reference": AT_SOME})
    yield "ApproximatelyNearest", Call(mcmc.ApproximatelyNearest, {"reference": AT_SOME, "sweeps": POSITIVE})
    shapes = Argument({"mu": (2,)}, bad.SHAPES)
    yield "Nearest.section", Call(mcmc.Nearest(POINT).section, {"sym": sym(bad.OTHERS | bad.SCALED), "shapes": shapes})
    yield (
        "ReferenceSetReparam",
        Call(
            nsym.ReferenceSetReparam,
            {"sym": Argument(PAIR, bad.SYMMETRY | bad.SCALED | {"no Units": Symmetry()}), "keys": keys},
        ),
    )
    ordered = without(bad.ANYTHING) | {k: v for k, v in BAD_SORT_KEYS.items() if k != "no such row"}
    yield (
        "OrderedReparam",
        Call(
            nsym.OrderedReparam,
            {
                "sym": Argument(PAIR, bad.SYMMETRY | bad.SCALED | {"no Units": Symmetry()}),
                "keys": Argument({"component": "mu"}, ordered),
            },
        ),
    )
    yield (
        "ScaleReparam",
        Call(nsym.ScaleReparam, {"sym": Argument(RELU, bad.SYMMETRY | {"no scales": PAIR, "no Units": Symmetry()})}),
    )
    number = Argument(3, without(bad.POSITIVE, "None") | {"a billion": 10**9})
    method = choice("exact")
    yield (
        "chains_needed",
        Call(nsym.chains_needed, {"num_modes": number, "confidence": Argument(0.9, bad.PROBABILITY), "method": method}),
    )
    p = without(NUMBERS, "None") | {
        "do not sum to 1": [0.5, 0.4],
        "zero": [1.0, 0.0],
        "negative": [1.5, -0.5],
        "near zero": [1 - 1e-300, 1e-300],
    }
    yield "chains_needed: probabilities", Call(nsym.chains_needed, {"probabilities": Argument([0.5, 0.5], p)})
    modes = Argument(
        np.random.default_rng(0).normal(size=(4, 30, 2)),
        without(NUMBERS) | {"two dimensions": np.zeros((4, 30)), "too few": np.zeros((1, 3, 2))},
    )
    yield (
        "functional_modes",
        Call(
            mcmc.functional_modes,
            {
                "draws": modes,
                "num_modes": maybe(POSITIVE),
                "num_neighbours": maybe(Argument(20, bad.POSITIVE | {"too many": 10**6})),
                "max_modes": Argument(5, bad.POSITIVE | {"too many": 10**6}),
                "rng_seed": SEED,
            },
        ),
    )
    yield (
        "remove_symmetry",
        Call(
            mcmc.remove_symmetry,
            {
                "sites": Argument(DRAWS, bad.DRAWS | SIZES | {"one draw": {"mu": DRAWS_OF[:1]}}),
                "sym": sym(bad.OTHERS | bad.SCALED),
                "sample_ndim": Argument(1, bad.POSITIVE | {"of other draws": 2}),
                "num_neighbours": POSITIVE,
                "penalty": Argument(1.0, bad.POSITIVE_NUMBER),
                "max_sweeps": POSITIVE,
            },
        ),
    )
    steps = {
        "num_chains": Argument(1, bad.POSITIVE | {"more than tries": 9}),
        "num_tries": Argument(3, bad.POSITIVE),
        "num_steps": Argument(2, bad.POSITIVE),
        "within": Argument(50.0, without(bad.ANYTHING, "an int", "a float")),
    }
    yield (
        "good_starts",
        Call(
            mcmc.good_starts,
            {
                "rng_key": KEYS,
                "model": Argument(model, bad.MODEL | bad.RUN),
                "init_strategy": Argument(init_to_uniform, bad.FUNCTION),
            }
            | steps,
        ),
    )


AT_SOME = Argument(
    POINT, {k: v for k, v in bad.POINTS.items() if k not in ("no axis", "another number of units", "another site")}
)


def _run_kernel(sym):
    mcmc = MCMC(nsym.FoldedNUTS(model, sym, max_tree_depth=1), num_warmup=1, num_samples=1, progress_bar=False)
    mcmc.run(KEY)


# Pictures ----------------------------------------------------------------------------------------


def plots_calls():
    import matplotlib

    matplotlib.use("Agg")
    ax = Argument(None, bad.AX)
    chain = Argument(0, without(bad.ANYTHING, "a negative int") | {"no such chain": 9})
    elements = Argument(CHAIN_ELEMENTS, bad.ELEMENTS | {"without chains": element_of([[1, 0]])})
    units = Argument("component", bad.ANYTHING)
    matrix = {"elements": elements, "units": units, "first": chain, "second": chain}
    yield "assignment_matrix", Call(plots.assignment_matrix, matrix)
    yield "plot_assignment", Call(plots.plot_assignment, matrix | {"ax": ax})
    barrier = diagnostics.LossBarrier(1.0, np.linspace(0, 1, 3), np.zeros(3), np.zeros(3))
    yield (
        "plot_barrier",
        Call(plots.plot_barrier, {"barriers": Argument(barrier, bad.ANYTHING | {"others": {"a": 1.0}}), "ax": ax}),
    )
    curve = diagnostics.PruningCurve(np.linspace(0, 1, 3), np.zeros(3), "sd")
    yield (
        "plot_pruning",
        Call(
            plots.plot_pruning,
            {
                "curves": Argument(curve, bad.ANYTHING | {"others": {"a": 1.0}}),
                "ylabel": Argument("score", without(bad.ANYTHING, "a string")),
                "ax": ax,
            },
        ),
    )
    entry = Argument(
        ("mu", 0),
        without(bad.ANYTHING)
        | {
            "no such entry": ("mu", 7),
            "no index": "mu",
            "too many": ("mu", 0, 0),
            "a slice": ("mu", slice(None)),
            "another site": ("nu", 0),
            "a float": ("mu", 0.5),
        },
    )
    data = Argument(DATA, NO_DATA)
    axes = Argument(None, bad.AX)
    yield "plot_pairs", Call(plots.plot_pairs, {"before": data, "after": data, "x": entry, "y": entry, "axes": axes})
    yield "plot_traces", Call(plots.plot_traces, {"before": data, "after": data, "entry": entry, "axes": axes})
    counts = Argument([0, 1], without(NUMBERS, "an int") | {"too many": [9], "negative": [-1], "floats": [0.5]})
    yield (
        "plot_transpositions",
        Call(plots.plot_transpositions, {"counts": counts, "n": Argument(3, without(bad.POSITIVE)), "ax": ax}),
    )
    cards = {k: v for k, v in bad.DRAWS.items()} | {"one draw": {"mu": DRAWS_OF[:1]}}
    cards = {k: v for k, v in cards.items() if k != "ints"}
    several = {"data": Argument(DRAWS, cards), "sym": sym(), "units": units}
    yield "unit_cards", Call(plots.unit_cards, several)
    yield "plot_unit_cards", Call(plots.plot_unit_cards, several | {"columns": POSITIVE, "axes": axes})
    yield (
        "plot_rhat",
        Call(plots.plot_rhat, {"diagnosis": Argument(_diagnosis(), bad.ANYTHING | {"data": DATA}), "ax": ax}),
    )


@cache
def _diagnosis():
    return nsym.diagnose(DATA, PAIR, invariant="total")


FAMILIES = (
    symmetry_calls,
    group_calls,
    alignment_calls,
    relabelling_calls,
    chunked_calls,
    diagnostics_calls,
    guides_calls,
    mcmc_calls,
    plots_calls,
)

_RESULT = "a result: a plain tuple or a record that the library makes"
_INSIDE = "for those who extend the library: rules, readers, metrics of their own"
#: Public names that no call here reaches, and why.
NOT_REACHED = {
    **dict.fromkeys(("Alignment", "Card", "ChainModes", "Changes", "CheckReport", "CompactPosterior"), _RESULT),
    **dict.fromkeys(("Diagnosis", "Element", "GaussianAlignment", "GuideAlignment", "JitAlignment"), _RESULT),
    **dict.fromkeys(("LossBarrier", "MMD", "Modes", "ModesSeen", "PruningCurve", "Relabelling", "Removed"), _RESULT),
    **dict.fromkeys(("Rescaled", "Rotated", "Section", "SymmetryInformation", "SymmetryAccessor"), _RESULT),
    **dict.fromkeys(("Metric", "ModelView", "Trial", "Value", "Walk", "SymmetryInUse"), _INSIDE),
    **dict.fromkeys(("register_reader", "register_rule", "rules", "read_numpyro_model", "latent_sites"), _INSIDE),
    **dict.fromkeys(("act_on_axis", "namespace", "text_table"), _INSIDE),
    "Euclidean": "takes no arguments",
    "SymmetryError": "is raised",
    "register_accessor": "takes no arguments",
    "Point": "a type for annotations",
    "SortKey": "a type for annotations",
}


def exported():
    """Names that the package and its layers export."""
    layers = (nsym, symmetry, alignment, discovery, guides, mcmc, diagnostics, plots)
    names = {
        name
        for layer in layers
        for name, value in vars(layer).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    return names
