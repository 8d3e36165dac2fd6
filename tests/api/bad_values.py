"""Values that mean nothing, kind by kind of argument.

Each catalogue says what is bad for one kind. What is a healthy value for an argument is left out
by name where the argument is described: a healthy value that is accepted is no silent answer.
"""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS
from numpyro.infer.autoguide import AutoNormal
from numpyro.infer.mcmc import MCMCKernel

import numpyro_sym as nsym
from numpyro_sym import Element, Symmetry, Units

#: The good symmetry of most calls, and arrays that fit it.
PAIR = nsym.mixture(2, {"mu": 0})
POINT = {"mu": np.array([-3.0, 3.0])}


OBSERVED = np.float32(0.5)


def model(y=OBSERVED):
    mu = numpyro.sample("mu", dist.Normal(0, 5).expand([2]).to_event(1))
    numpyro.sample("y", dist.Normal(mu.sum(), 1.0), obs=y)


class Thing:
    """Of no kind at all."""

    def __repr__(self):
        return "Thing()"


#: Bad for every argument that does not take just this.
ANYTHING = {
    "None": None,
    "a thing": Thing(),
    "a string": "nonsense",
    "bytes": b"bytes",
    "an int": 7,
    "a negative int": -1,
    "a float": 1.5,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "True": True,
    "a complex number": 1j,
    "an empty list": [],
    "an empty tuple": (),
    "an empty dict": {},
    "a list of None": [None],
    "a class": Symmetry,
    "a module": np,
    "an empty array": np.zeros(0),
    "an object array": np.array([None, Thing()], object),
    "a string array": np.array(["a", "b"]),
    "a complex array": np.array([1j, 2j]),
}


def without(catalogue, *names):
    """A catalogue less what is healthy; every name must be there."""
    for name in names:
        assert name in catalogue, name
    return {name: value for name, value in catalogue.items() if name not in names}


# Numbers ---------------------------------------------------------------------------------------

POSITIVE = without(ANYTHING, "an int") | {
    "zero": 0,
    "a whole float": 2.0,
    "an array": np.array([1]),
    "a float32": np.float32(2),
    "a bool of NumPy": np.bool_(True),
    "a number in a string": "2",
}
NOT_NEGATIVE = without(POSITIVE, "zero")
AT_LEAST_TWO = POSITIVE | {"one": 1}
POSITIVE_NUMBER = without(ANYTHING, "an int", "a float") | {
    "zero": 0.0,
    "an array": np.array([1.0]),
}
PROBABILITY = without(ANYTHING) | {"zero": 0.0, "one": 1.0, "an array": np.array([0.5])}
BOOL = without(ANYTHING, "True") | {"zero": 0, "one": 1, "an array": np.array([True])}
KEY = ANYTHING | {
    "zero": 0,
    "two keys": jax.random.split(jax.random.key(0)),
    "two floats": np.zeros(2),
    "three words": np.zeros(3, np.uint32),
}
KEY_OR_SEED = without(KEY, "an int", "zero")
SAMPLE_SHAPE = without(ANYTHING, "an empty tuple") | {
    "a list": [2],
    "a tuple of floats": (2.0,),
    "a tuple of bools": (True,),
    "a negative length": (-1,),
}

# Names -----------------------------------------------------------------------------------------

NAME = without(ANYTHING, "a string") | {"an empty string": "", "a tuple": ("mu",)}
CHOICE = ANYTHING | {"another word": "other", "a list of words": ["mu"], "an empty string": ""}
NAMES = without(ANYTHING, "an empty list", "an empty tuple", "an empty dict") | {
    "a number among names": ["mu", 3],
    "no site": ["absent"],
    "a matrix": np.zeros((2, 2)),
}
AXES = without(ANYTHING, "an empty dict") | {
    "a list of names": ["mu"],
    "a name for an axis": {"mu": "0"},
    "a float for an axis": {"mu": 0.0},
    "True for an axis": {"mu": True},
    "None for an axis": {"mu": None},
    "a number for a site": {3: 0},
    "one axis twice": {"mu": (0, 0)},
}
SHAPES = ANYTHING | {
    "another length": {"mu": (3,)},
    "no axis": {"mu": ()},
    "another site": {"nu": (2,)},
    "a negative length": {"mu": (-2,)},
    "an int for a shape": {"mu": 2},
    "a list for a shape": {"mu": [2]},
    "an array for a shape": POINT,
}
KINDS = without(ANYTHING) | {
    "another word": "sign",
    "one of two": ("permutation", "sign"),
    "a number": ("permutation", 3),
}

# A symmetry and its elements -------------------------------------------------------------------

SYMMETRY = ANYTHING | {
    "Units": PAIR["component"],
    "several Units": list(PAIR),
    "a model": model,
    "elements": PAIR.identity(),
    "draws": POINT,
}
#: Of another model.
OTHERS = {
    "no Units": Symmetry(),
    "another site": nsym.mixture(2, {"absent": 0}),
    "another number of units": nsym.mixture(3, {"mu": 0}),
    "an axis that is not there": nsym.mixture(2, {"mu": 1}),
    "another model's": nsym.mlp(["w1", "w2"], [2], kind="signed"),
}
SCALED = {"scales": Symmetry([Units("unit", 2, incoming={"mu": 0}, kind="scaled")])}


def element_of(permutation, factor=None):
    permutation = np.asarray(permutation)
    return {
        "component": Element(
            permutation, np.ones(permutation.shape) if factor is None else np.asarray(factor)
        )
    }


ELEMENTS = ANYTHING | {
    "an element without a name": PAIR.identity()["component"],
    "of other units": {"other": PAIR.identity()["component"]},
    "of three units": element_of([0, 1, 2]),
    "one slot twice": element_of([0, 0]),
    "no such slot": element_of([1, 2]),
    "a negative slot": element_of([-1, 0]),
    "floats": element_of([0.0, 1.0]),
    "bools": element_of([False, True]),
    "lists": {"component": Element([1, 0], [1.0, 1.0])},
    "a plain tuple": {"component": (np.array([1, 0]), np.ones(2))},
    "a symmetry": PAIR,
}
#: Where factors count.
FACTORS = {
    "factors of 2": element_of([1, 0], [2.0, 2.0]),
    "factors of NaN": element_of([1, 0], [np.nan, 1.0]),
    "signs of a permutation": element_of([1, 0], [-1.0, 1.0]),
    "too few factors": element_of([1, 0], [1.0]),
}

# Arrays by site --------------------------------------------------------------------------------


def _sites(x):
    """Arrays that are no numbers, in place of one that is: ``x``."""
    x = np.asarray(x)
    broken = {
        "NaN at one place": np.where(np.arange(x.size).reshape(x.shape) == 0, np.nan, x),
        "an infinity": np.where(np.arange(x.size).reshape(x.shape) == 0, np.inf, x),
        "complex numbers": x.astype(complex),
        "objects": x.astype(object),
        "strings": x.astype(str),
        "a list": x.tolist(),
        "None in place of an array": None,
        "a word": "mu",
    }
    return {f"{what}": {"mu": value} for what, value in broken.items()}


def _shapes(x):
    x = np.asarray(x)
    return {
        "no axis": {"mu": np.float64(1.0)},
        "another number of units": {"mu": np.concatenate([x, x], -1)},
        "another site": {"nu": x},
        "a number for a name": {"mu": x, 3: x},
    }


_TYPES = {"ints": int, "bools": bool}


def _types(x):
    return {what: {"mu": np.asarray(x).astype(dtype)} for what, dtype in _TYPES.items()}


#: One point of the good symmetry.
POINTS = ANYTHING | _sites(POINT["mu"]) | _shapes(POINT["mu"]) | {"a symmetry": PAIR}
DRAWS_OF = np.random.default_rng(0).normal([-3.0, 3.0], 0.1, size=(20, 2))
#: Draws with one leading dimension.
DRAWS = (
    ANYTHING
    | _sites(DRAWS_OF)
    | _shapes(DRAWS_OF)
    | _types(DRAWS_OF)
    | {"no draws": {"mu": np.zeros((0, 2))}, "a symmetry": PAIR, "one array": DRAWS_OF}
)
#: Standard deviations of one point.
SCALES = POINTS | {"negative": {"mu": np.array([-1.0, 1.0])}}
REFERENCE = (
    without(ANYTHING, "an int", "a negative int")
    | _sites(POINT["mu"])
    | _shapes(POINT["mu"])
    | {
        "a draw that is not there": 1000,
        "half a draw": (0, 0.5),
        "another word": "median",
        "a symmetry": PAIR,
        "an array": POINT["mu"],
        "too many indices": (0, 0, 0),
    }
)
PARAMS = ANYTHING | {
    "one missing": {"mu_auto_loc": np.zeros(2)},
    "NaN": {"mu_auto_loc": np.array([np.nan, 0.0]), "mu_auto_scale": np.ones(2)},
    "another model's": {"w_auto_loc": np.zeros(2), "w_auto_scale": np.ones(2)},
    "another shape": {"mu_auto_loc": np.zeros(3), "mu_auto_scale": np.ones(3)},
    "objects": {"mu_auto_loc": np.array([None, None]), "mu_auto_scale": np.ones(2)},
    "words": {"mu_auto_loc": "loc", "mu_auto_scale": "scale"},
    "a list of arrays": [np.zeros(2), np.ones(2)],
}

# Programs --------------------------------------------------------------------------------------

_NUTS = NUTS(model)
MODEL = ANYTHING | {
    "a kernel": _NUTS,
    "a guide": AutoNormal(model),
    "an MCMC": MCMC(_NUTS, num_warmup=1, num_samples=1, progress_bar=False),
    "the class of a kernel": NUTS,
    "a symmetry": PAIR,
}
#: Where the model is run.
RUN = {
    "a model without sites": lambda *args, **kwargs: None,
    "a model that fails": lambda *args, **kwargs: 1 / 0,
    "a model of other arguments": lambda a, b, c, d: None,
}


class _OfNoDensity(MCMCKernel):
    """A kernel with neither model nor potential function, by which nothing can be verified."""

    sample_field = "z"

    def init(self, *args):
        raise NotImplementedError

    def sample(self, *args):
        raise NotImplementedError


KERNEL = ANYTHING | {
    "a model": model,
    "a guide": AutoNormal(model),
    "an MCMC": MODEL["an MCMC"],
    "the class of a kernel": NUTS,
    "a kernel of no density": _OfNoDensity(),
}
#: Where a model is needed, and a potential function is not enough.
OF_POTENTIAL = {"a kernel without a model": NUTS(potential_fn=lambda z: jnp.sum(z["mu"] ** 2))}
GUIDE = ANYTHING | {
    "a kernel": _NUTS,
    "the class of a guide": AutoNormal,
    "params": PARAMS["NaN"],
    "a symmetry": PAIR,
}
FUNCTION = ANYTHING | {"a symmetry": PAIR, "an array": np.zeros(2), "a dict": POINT}
#: Functions of a point that cannot be called, or give no number.
NO_NUMBER = {
    "a function of another site": lambda point: point["absent"].sum(),
    "a function of two": lambda a, b: a,
    "a function that fails": lambda point: 1 / 0,
    "a function of NumPy": lambda point: np.linalg.norm(np.asarray(point["mu"])),
    "a vector": lambda point: point["mu"],
    "a word": lambda point: "word",
    "nothing": lambda point: None,
    "a complex number": lambda point: 1j * point["mu"].sum(),
}

# Arrays ----------------------------------------------------------------------------------------

ARRAY = without(ANYTHING) | {
    "NaN at one place": np.array([[0.5, np.nan], [0.5, 0.5]]),
    "an infinity": np.array([[0.5, np.inf], [0.5, 0.5]]),
    "ragged rows": [[1.0], [1.0, 2.0]],
    "a dict": POINT,
    "a symmetry": PAIR,
    "bools": np.array([[True, False], [True, True]]),
}
PROBABILITIES = ARRAY | {
    "negative": np.array([[[1.5, -0.5]]]),
    "do not sum to 1": np.array([[[0.5, 0.6]]]),
    "too few dimensions": np.array([0.5, 0.5]),
    "logits": np.array([[[2.0, -3.0]]]),
    "ints": np.array([[[2, 3]]]),
}
LABELS = ARRAY | {
    "counted from 1": np.array([[1, 2, 2]]),
    "negative": np.array([[-1, 0, 1]]),
    "floats": np.array([[0.0, 1.0, 1.0]]),
    "unsigned and too large": np.array([[0, 200, 1]], np.uint8),
}
AX = without(ANYTHING, "None") | {
    "three axes": np.array([None, None, None]),
    "an array": np.zeros(2),
}
