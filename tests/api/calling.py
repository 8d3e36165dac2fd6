"""A public callable, healthy arguments for it, and what is bad for each of them."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import bad_values as bad
import jax
import numpy as np
import xarray as xr
from bad_values import DRAWS_OF, PAIR, POINT, without

import numpyro_sym as nsym
from numpyro_sym import diagnostics


class Argument(NamedTuple):
    """A healthy value and a catalogue of bad ones."""

    good: Any
    bad: Mapping[str, Any]

    def less(self, *names):
        """The same where some of the bad values are healthy."""
        return Argument(self.good, without(self.bad, *names))

    def more(self, **bad):
        """The same with further bad values; their names have underscores for spaces."""
        return Argument(
            self.good,
            {**self.bad, **{name.replace("_", " "): value for name, value in bad.items()}},
        )

    @property
    def or_none(self):
        """The same where it may be left out."""
        return self.less("None")


class Call(NamedTuple):
    """A callable and its arguments by name."""

    function: Callable
    arguments: dict[str, Argument]

    def __call__(self, **changes):
        return self.function(
            **{name: argument.good for name, argument in self.arguments.items()} | changes
        )

    def cases(self):
        """Every (argument, what is bad about it, value)."""
        return [
            (name, what, value)
            for name, argument in self.arguments.items()
            for what, value in argument.bad.items()
        ]


def call(function, /, **arguments):
    """A call, and whether it shows a bar among its arguments where the function takes it."""
    if "progress_bar" in inspect.signature(function).parameters:
        arguments.setdefault("progress_bar", BOOL)
    return Call(function, arguments)


# Arguments that many callables take ------------------------------------------------------------

KEY = jax.random.key(0)
SCALE = {"mu": np.array([0.1, 0.2])}
DRAWS = {"mu": DRAWS_OF}

POSITIVE = Argument(2, bad.POSITIVE)
NOT_NEGATIVE = Argument(1, bad.NOT_NEGATIVE)
BOOL = Argument(True, bad.BOOL)
RNG_KEY = Argument(KEY, bad.KEY)
KEY_OR_SEED = Argument(0, bad.KEY_OR_SEED)
SAMPLE_SHAPE = Argument((2,), bad.SAMPLE_SHAPE)
SHAPES = Argument({"mu": (2,)}, bad.SHAPES)
DRAWN = Argument(DRAWS, bad.DRAWS)
AT = Argument(POINT, bad.POINTS)
SPREAD = Argument(SCALE, bad.SCALES)
REFERENCE = Argument(POINT, bad.REFERENCE)
ARRAY = Argument(None, bad.ARRAY)
VAR_NAMES = Argument(["mu"], bad.NAMES).or_none
UNITS = Argument("component", bad.ANYTHING)
MODEL = Argument(bad.model, bad.MODEL)
#: A model that is run before the call returns.
RUN_MODEL = Argument(bad.model, bad.MODEL | bad.RUN)
GAUSSIAN = Argument(
    (POINT, SCALE),
    bad.ANYTHING
    | {
        "means alone": (POINT,),
        "three dicts": (POINT, SCALE, SCALE),
        "negative deviations": (POINT, {"mu": np.array([-1.0, 1.0])}),
        "NaN": ({"mu": np.array([np.nan, 1.0])}, SCALE),
        "no sites": ({}, {}),
        "other shapes": (POINT, {"mu": np.ones(3)}),
        "another site": ({"nu": POINT["mu"]}, {"nu": SCALE["mu"]}),
        "one dict": POINT,
    },
)
SORT_KEYS = Argument(
    {"component": "mu"},
    without(bad.ANYTHING, "None", "an empty dict")
    | {
        "another site": {"component": "nu"},
        "other units": {"other": "mu"},
        "another statistic": {"component": ("mu", "median")},
        "True for a row": {"component": ("mu", True)},
        "a number": {"component": 3},
        "three of a pair": {"component": ("mu", "sum", 0)},
        "a name for all": "mu",
    },
)


def sym(catalogue=bad.OTHERS):
    """The good symmetry; no symmetries, and those of other models where the call can tell."""
    return Argument(PAIR, bad.SYMMETRY | catalogue)


def choice(good):
    return Argument(good, bad.CHOICE)


# ArviZ objects -----------------------------------------------------------------------------------


def dataset(**variables):
    dims = ("chain", "draw", "unit")
    return xr.Dataset({name: (dims[: x.ndim], x) for name, x in variables.items()})


def tree(**groups):
    return xr.DataTree.from_dict(groups)


CHAINS = np.random.default_rng(1).normal([-3.0, 3.0], 0.1, size=(4, 40, 2))
CHAINS[2:] = CHAINS[2:, :, ::-1]
_NAN = CHAINS.copy()
_NAN[1, 3, 0] = np.nan


def data_with(**changes):
    """A posterior of two components whose labels switch."""
    return tree(posterior=dataset(**{"mu": CHAINS, "total": CHAINS.sum(-1), **changes}))


_HEALTHY = tree(
    posterior=dataset(mu=CHAINS, total=CHAINS.sum(-1)),
    log_likelihood=dataset(y=np.random.default_rng(2).normal(size=(4, 40, 3))),
)
#: An object with a posterior, whatever it holds.
OBJECT = Argument(
    _HEALTHY,
    bad.ANYTHING
    | {
        "a dict of draws": DRAWS,
        "a Dataset": dataset(mu=CHAINS),
        "no groups": tree(),
        "no posterior": tree(prior=dataset(mu=CHAINS)),
        "no chains": tree(posterior=xr.Dataset({"mu": (("draw", "unit"), DRAWS_OF)})),
        "no draws": data_with(mu=CHAINS[:, :0], total=CHAINS[:, :0, 0]),
        "a symmetry": PAIR,
        "an MCMC": bad.MODEL["an MCMC"],
        "one array": CHAINS,
    },
)
#: Sites that the good symmetry cannot move.
_UNFIT = {
    "a missing site": tree(posterior=dataset(nu=CHAINS)),
    "another number of units": data_with(mu=np.concatenate([CHAINS, CHAINS], -1)),
    "a site without units": data_with(mu=CHAINS[..., 0]),
}
MOVED_OBJECT = Argument(_HEALTHY, OBJECT.bad | _UNFIT)
#: An object whose draws are compared.
DATA = Argument(
    _HEALTHY,
    MOVED_OBJECT.bad
    | {
        "NaN": data_with(mu=_NAN),
        "an infinity": data_with(mu=np.where(np.isnan(_NAN), np.inf, _NAN)),
        "ints": data_with(mu=CHAINS.astype(int)),
        "bools": data_with(mu=CHAINS > 0),
        "complex numbers": data_with(mu=CHAINS.astype(complex)),
    },
)
#: Draws in an ArviZ object or in a dict.
EITHER = Argument(DRAWS, bad.DRAWS | without(OBJECT.bad, "a dict of draws"))
GROUP = Argument("posterior", bad.ANYTHING | {"another group": "prior"})
ALIGNED_TO = Argument("mean", bad.REFERENCE | {"one index of two": 3})

ALIGNED = nsym.rebasin(_HEALTHY, PAIR, keep_elements=True)
CHAIN_ELEMENTS = diagnostics.elements_of(ALIGNED, PAIR)
