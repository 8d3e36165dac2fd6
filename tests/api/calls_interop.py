"""Log densities, pytrees, checkpoints and files."""

import bad_values as bad
import jax.numpy as jnp
import numpy as np
from bad_values import POINT, without
from calling import Argument, call
from numpyro.distributions import constraints

from numpyro_sym import LogDensity, interop


def density(at):
    return {"prior": -jnp.sum(at["mu"] ** 2), "fit": -((jnp.sum(at["mu"]) - 1.0) ** 2)}


#: A pytree with an array of floats in it.
_NOT_FLOATS = without(bad.ANYTHING, "a float", "NaN", "infinity", "an empty array")
_LIKE = Argument(POINT, _NOT_FLOATS | {"other sites": {"nu": POINT["mu"]}})
_MOVED = Argument(POINT, without(bad.POINTS, "NaN at one place", "an infinity"))
_OTHER = {
    "a vector": lambda at: at["mu"],
    "nothing": lambda at: None,
    "NumPy's": lambda at: float(at["mu"].sum()),
}

CALLS = {
    "LogDensity": call(
        LogDensity,
        fn=Argument(density, bad.ANYTHING | _OTHER),
        position=Argument(
            POINT,
            bad.ANYTHING
            | {
                "ints": {"mu": np.array([1, 2])},
                "NaN at one place": {"mu": np.array([np.nan, 1.0])},
                "one path twice": {"a.b": np.ones(1), "a": {"b": np.ones(1)}},
            },
        ),
        supports=Argument({"mu": constraints.real}, bad.ANYTHING)
        .or_none.less("an empty dict")
        .more(
            another_site={"nu": constraints.real},
            no_constraint={"mu": 3},
            outside={"mu": constraints.positive},
            of_matrices={"mu": constraints.positive_definite},
        ),
        likelihood=Argument("fit", bad.ANYTHING).or_none.more(another="y", another_in_a_list=["y"]),
    ),
    "LogDensity.of_function": call(
        LogDensity.of_function,
        fn=Argument(lambda at: at["mu"] ** 2, bad.ANYTHING | {"nothing": lambda at: None}),
        position=Argument(POINT, bad.ANYTHING),
    ),
    "sites_of": call(interop.sites_of, pytree=Argument(POINT, _NOT_FLOATS)),
    "pytree_of": call(interop.pytree_of, sites=_MOVED, like=_LIKE),
    "stacked_sites": call(
        interop.stacked_sites,
        pytrees=Argument(
            [POINT, POINT], bad.ANYTHING | {"one alone": POINT, "of another": [POINT, {}]}
        ),
    ),
    "pytrees_of": call(
        interop.pytrees_of,
        sites=Argument({"mu": np.ones((3, 2))}, _MOVED.bad | {"one": POINT}),
        like=_LIKE,
    ),
}
