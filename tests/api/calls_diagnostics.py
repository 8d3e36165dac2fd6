"""What is asked of draws."""

from functools import partial

import bad_values as bad
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from bad_values import DRAWS_OF, PAIR, element_of, model, without
from calling import (
    ALIGNED,
    ALIGNED_TO,
    AT,
    BOOL,
    CHAIN_ELEMENTS,
    CHAINS,
    DATA,
    DRAWS,
    EITHER,
    GAUSSIAN,
    GROUP,
    KEY_OR_SEED,
    MOVED_OBJECT,
    NOT_NEGATIVE,
    OBJECT,
    POSITIVE,
    RNG_KEY,
    RUN_MODEL,
    SAMPLE_SHAPE,
    SPREAD,
    VAR_NAMES,
    Argument,
    call,
    choice,
    data_with,
    dataset,
    sym,
)
from calls_alignment import METRIC, NO_SITES, STARTS

import numpyro_sym as nsym
from numpyro_sym import diagnostics

_ONE_DRAW = {"mu": DRAWS_OF[:1]}
_MAYBE_SYM = Argument(PAIR, bad.SYMMETRY | bad.OTHERS).less("None", "no Units")
_MOVING_SYM = sym(without(bad.OTHERS, "no Units"))
_INVARIANT = choice("total").or_none.more(moved="mu", moved_too=["total", "mu"])
_X = np.random.default_rng(0).normal(size=(4, 20, 2))
_SCALARS = {"mu[1]": _X[..., 0], "mu[2]": _X[..., 1]}
_LOADINGS = np.random.default_rng(1).normal(size=(2, 5, 6, 2))
_TABLE = np.array([[0.9, 0.1], [0.2, 0.8]])
_CLASSES = Argument(_TABLE, bad.PROBABILITIES).more(other_classes=np.full((2, 3), 1 / 3))
_ORDER = Argument([1, 2, 3], bad.ARRAY).more(one=[1], another_length=[1, 2])
# Any arrays of as many numbers will do, ints among them.
_SAMPLE = EITHER.less("another number of units", "one array", "ints").more(
    one_draw=_ONE_DRAW, other_sizes={"mu": np.zeros((20, 3))}
)
_PLAIN = EITHER.less("NaN at one place", "an infinity", "another number of units", "ints", "bools")
_POINTS_ON_THE_WAY = Argument(3, bad.POSITIVE).more(one=1, two=2, a_billion=10**9)
_NUMBER_OF_A_POINT = bad.FUNCTION | bad.NO_NUMBER
_PRUNED = {"loc": AT, "scale": SPREAD, "by": choice("sd")}
_SHARES = Argument([0.0, 0.5], bad.ARRAY).more(more_than_all=[1.5], negative_shares=[-0.5])

_TWICE = CHAIN_ELEMENTS["component"].permutation.copy()
_TWICE[0, 0] = 0
_OF_CHAINS = Argument(CHAIN_ELEMENTS, bad.ELEMENTS).more(
    of_other_draws=PAIR.identity((3,)),
    without_draws=element_of([1, 0]),
    one_slot_twice_in_a_draw=element_of(_TWICE),
)
# Signs and scales do not count, and any units do.
_COUNTED = Argument(element_of([[1, 0]]), bad.ELEMENTS).less("lists")


def _labeled(y=bad.OBSERVED):
    mu = numpyro.sample("mu", dist.Normal(0, 5).expand([2]).to_event(1))
    with numpyro.plate("rows", 3):
        z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
        numpyro.sample("y", dist.Normal(mu[z], 1.0), obs=y)


_compact = nsym.compact_posterior(DRAWS, PAIR)
_accessor = diagnostics.SymmetryAccessor(DATA.good)

CALLS = {
    "stack_scalars": call(
        diagnostics.stack_scalars,
        data=Argument(
            _SCALARS, without(bad.ANYTHING, "an empty dict") | {"a word": {"mu[1]": "mu"}}
        ),
        arrays=Argument("mu", bad.ANYTHING).or_none.more(another="nu"),
    ),
    "unstack_scalars": call(
        diagnostics.unstack_scalars,
        data=Argument({"mu": _X}, without(bad.ANYTHING, "an empty dict") | {"another": {"nu": _X}}),
        like=Argument(_SCALARS, without(bad.ANYTHING, "an empty dict") | {"others": {"nu[1]": _X}}),
    ),
    "align_rotations": call(
        diagnostics.align_rotations,
        data=Argument({"L": _LOADINGS}, bad.ANYTHING | {"another site": {"M": _LOADINGS}}),
        loadings=Argument({"L": 1}, bad.ANYTHING | {"no axis": {"L": 2}, "a list": {"L": [1]}}),
        factors=Argument(
            {}, without(bad.ANYTHING, "an empty dict") | {"another": {"z": 0}}
        ).or_none,
        method=choice("varimax"),
        reference=Argument({"L": np.ones((6, 2))}, bad.ANYTHING | {"other": {"M": 1.0}}).or_none,
        normalize=BOOL,
        keep_rotations=BOOL,
    ),
    "check_draws": call(
        diagnostics.check_draws,
        data=MOVED_OBJECT.less("a dict of draws"),
        sym=_MOVING_SYM,
        log_density=Argument(
            lambda at: np.sum(at["mu"] ** 2),
            bad.FUNCTION | without(bad.NO_NUMBER, "a function of NumPy"),
        ),
        num_draws=POSITIVE,
        num_elements=POSITIVE,
        rng_key=KEY_OR_SEED,
    ),
    "to_arviz": call(
        diagnostics.to_arviz,
        data=OBJECT.less("a dict of draws").more(
            one_dimension={"mu": np.zeros(3)}, no_draws_in_it={"mu": np.zeros((4, 0))}
        ),
        log_joint=BOOL,
    ),
    "rebasin": call(
        nsym.rebasin,
        data=DATA,
        sym=sym(),
        reference=ALIGNED_TO,
        metric=METRIC,
        starts=STARTS,
        keep_elements=BOOL,
    ),
    "diagnose": call(
        nsym.diagnose, data=DATA, sym=sym(), invariant=_INVARIANT, reference=ALIGNED_TO
    ),
    "compact_posterior": call(
        nsym.compact_posterior,
        data=EITHER.more(one_draw=_ONE_DRAW),
        sym=_MAYBE_SYM,
        var_names=VAR_NAMES,
        rank=NOT_NEGATIVE.more(more_than_draws=100),
        reference=Argument("mean", bad.REFERENCE),
    ),
    "CompactPosterior.sample": call(_compact.sample, rng_key=RNG_KEY, sample_shape=SAMPLE_SHAPE),
    "CompactPosterior.auto_normal_params": call(
        _compact.auto_normal_params, prefix=Argument("auto", bad.ANYTHING).less("a string")
    ),
    "CompactPosterior.to_arviz": call(_compact.to_arviz, rng_key=RNG_KEY, num_draws=POSITIVE),
    "elements_of": call(
        diagnostics.elements_of,
        data=Argument(ALIGNED, OBJECT.bad).more(not_aligned=DATA.good),
        sym=sym({"another model's": bad.OTHERS["another model's"]}),
        group=GROUP,
    ),
    "act_on_group": call(
        diagnostics.act_on_group,
        data=MOVED_OBJECT,
        sym=_MOVING_SYM,
        elements=_OF_CHAINS,
        group=GROUP,
    ),
    "functional_modes: by chain": call(
        partial(diagnostics.functional_modes, by="chain"),
        functions=Argument(_X, bad.ARRAY).more(
            too_few_draws=_X[:, :5],
            no_draws=np.zeros((4, 0)),
            no_functions={},
            other_draws={"a": _X, "b": _X[:, :9]},
        ),
    ),
    "modes_seen": call(diagnostics.modes_seen, label=Argument([0, 0, 1], bad.ARRAY)),
    "lppd": call(
        diagnostics.lppd,
        data=Argument(_X, bad.ARRAY).more(
            a_Dataset_of_a_posterior=dataset(mu=CHAINS),
            a_posterior_alone=data_with(),
            too_few_dimensions=_X[0],
            plus_infinity=np.full((1, 2, 3), np.inf),
        ),
        by_chain=BOOL,
    ),
    "agreement": call(diagnostics.agreement, first=_CLASSES, second=_CLASSES),
    "total_variation": call(diagnostics.total_variation, first=_CLASSES, second=_CLASSES),
    "mutual_information": call(
        diagnostics.mutual_information, probabilities=Argument(_TABLE[:, None], bad.PROBABILITIES)
    ),
    "kendall_tau": call(diagnostics.kendall_tau, first=_ORDER, second=_ORDER),
    "mmd": call(
        diagnostics.mmd,
        first=_SAMPLE,
        second=_SAMPLE,
        var_names=VAR_NAMES,
        num_permutations=POSITIVE,
        rng_key=KEY_OR_SEED,
    ),
    "num_transpositions": call(
        diagnostics.num_transpositions,
        permutation=Argument([[0, 1, 2]], bad.ARRAY).more(
            one_slot_twice=[0, 0, 1], counted_from_1=[1, 2, 3], floats=[0.0, 1.0]
        ),
    ),
    "transpositions": call(
        diagnostics.transpositions,
        elements=_COUNTED.less("of other units", "of three units", "an empty dict"),
        other=_COUNTED.or_none,
    ),
    "compare_gaussians": call(
        diagnostics.compare_gaussians, first=GAUSSIAN, second=GAUSSIAN, sym=sym()
    ),
    "loss_barrier": call(
        nsym.loss_barrier,
        loss=Argument(lambda point: jnp.sum(point["mu"] ** 2), _NUMBER_OF_A_POINT),
        start=AT,
        end=AT,
        num_points=_POINTS_ON_THE_WAY,
    ),
    "marginalized_barrier": call(
        diagnostics.marginalized_barrier,
        log_likelihood=Argument(lambda point: -(point["mu"] ** 2), _NUMBER_OF_A_POINT).less(
            "a vector"
        ),
        start=GAUSSIAN,
        end=GAUSSIAN,
        rng_key=RNG_KEY,
        num_draws=POSITIVE,
        num_points=_POINTS_ON_THE_WAY,
    ),
    "pruning_masks": call(diagnostics.pruning_masks, **_PRUNED, fractions=_SHARES),
    "pruning_curve": call(
        diagnostics.pruning_curve,
        **_PRUNED,
        score=Argument(lambda point: point["mu"].sum(), _NUMBER_OF_A_POINT),
        fractions=_SHARES.or_none,
        fixed=Argument({}, NO_SITES).or_none,
    ),
    "predict_draws": call(
        diagnostics.predict_draws,
        data=_PLAIN,
        predict=Argument(lambda point: point["mu"].sum(), _NUMBER_OF_A_POINT).less(
            "a vector", "a complex number"
        ),
        var_names=VAR_NAMES,
        batch_size=POSITIVE,
    ),
    "label_probabilities": call(
        diagnostics.label_probabilities,
        data=DATA,
        model=Argument(_labeled, bad.MODEL | bad.RUN),
        site=Argument("z", bad.NAME).more(no_such="y", not_discrete="mu"),
    ),
    "with_log_joint": call(diagnostics.with_log_joint, data=DATA, model=RUN_MODEL),
    "model_loss": call(diagnostics.model_loss, model=RUN_MODEL),
    "model_loss(model)": call(
        diagnostics.model_loss(model), point=AT.less("NaN at one place", "an infinity")
    ),
    "SymmetryAccessor.rebasin": call(_accessor.rebasin, sym=sym()),
    "SymmetryAccessor.diagnose": call(_accessor.diagnose, sym=sym()),
    "SymmetryAccessor.compact": call(_accessor.compact, sym=_MAYBE_SYM),
    "SymmetryAccessor.functional_modes": call(
        _accessor.functional_modes, sym=sym({}), invariant=_INVARIANT
    ),
    "SymmetryAccessor.act": call(_accessor.act, sym=_MOVING_SYM, elements=_OF_CHAINS, group=GROUP),
    "SymmetryAccessor.elements": call(
        diagnostics.SymmetryAccessor(ALIGNED).elements, sym=sym({}), group=GROUP
    ),
}
