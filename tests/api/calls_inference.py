"""Guides, kernels and reparameterizations."""

import bad_values as bad
import numpy as np
import numpyro
from bad_values import DRAWS_OF, PAIR, POINT, model, without
from calling import (
    BOOL,
    DRAWN,
    KEY,
    KEY_OR_SEED,
    MODEL,
    POSITIVE,
    RNG_KEY,
    RUN_MODEL,
    SAMPLE_SHAPE,
    SHAPES,
    SORT_KEYS,
    Argument,
    call,
    choice,
    sym,
)
from numpyro.infer import MCMC, NUTS, init_to_uniform
from numpyro.infer.autoguide import AutoNormal

import numpyro_sym as nsym
from numpyro_sym import Symmetry, diagnostics, guides, mcmc

# Whether a symmetry is the model's own is seen when the model is run.
_SYM = Argument(PAIR, bad.SYMMETRY | bad.SCALED)
# No symmetry is no error here: the run is NumPyro's own.
_OTHERS = without(bad.OTHERS, "no Units")
_RUN_WITH = Argument(PAIR, _OTHERS)
_KERNEL = Argument(NUTS(model), bad.KERNEL)
_MODEL_KERNEL = Argument(NUTS(model), bad.KERNEL | bad.OF_POTENTIAL)
_KEYS = SORT_KEYS.more(a_class_of_sections=mcmc.Nearest)
_POINT = Argument(POINT, without(bad.POINTS, "no axis", "another number of units", "another site"))
_RELU = nsym.mlp(["w1", "w2"], [2], kind="scaled")

PARAMS = Argument({"mu_auto_loc": np.array([-1.0, 1.0]), "mu_auto_scale": np.ones(2)}, bad.PARAMS)
_COUNT = Argument(2, bad.AT_LEAST_TWO)
_LEVELS = Argument(0.5, bad.ANYTHING).more(zero=0.0, one=1.0, beyond_one=[0.5, 1.5])
_BUILT = {
    "sym": _SYM.or_none,
    "bound": choice("guess"),
    "num_importance": POSITIVE.or_none,
    "check": BOOL,
}


def _run(guide):
    with numpyro.handlers.seed(rng_seed=0):
        guide()
    return guide


def _sampled(sym):
    kernel = nsym.FoldedNUTS(model, sym, max_tree_depth=1)
    MCMC(kernel, num_warmup=1, num_samples=1, progress_bar=False).run(KEY)


_guide = _run(nsym.AutoSymmetrizedNormal(model, PAIR, check=False))
_PLAIN_GUIDE = Argument(
    _run(AutoNormal(model)),
    bad.ANYTHING
    | {
        "never run": AutoNormal(model),
        "a model": model,
        "a kernel": NUTS(model),
        "its class": AutoNormal,
    },
)

CALLS = {
    "AutoSymmetrizedNormal": call(nsym.AutoSymmetrizedNormal, model=MODEL, **_BUILT),
    "AutoSymmetrized": call(
        nsym.AutoSymmetrized,
        base_guide=Argument(AutoNormal(model), bad.GUIDE),
        model=MODEL.or_none,
        **_BUILT,
    ),
    "AutoSymmetrizedNormal, run": call(
        lambda sym: _run(nsym.AutoSymmetrizedNormal(model, sym)), sym=_RUN_WITH
    ),
    "AutoSymmetrized, run": call(
        lambda base_guide: _run(nsym.AutoSymmetrized(base_guide, PAIR)),
        base_guide=Argument(AutoNormal(model), {"a model": model}),
    ),
    "guide.sample_posterior": call(
        _guide.sample_posterior, rng_key=RNG_KEY, params=PARAMS, sample_shape=SAMPLE_SHAPE
    ),
    "guide.sample_component": call(
        _guide.sample_component, rng_key=RNG_KEY, params=PARAMS, sample_shape=SAMPLE_SHAPE
    ),
    "guide.component": call(_guide.component, params=PARAMS),
    "guide.median": call(_guide.median, params=PARAMS),
    "guide.quantiles": call(_guide.quantiles, params=PARAMS, quantiles=_LEVELS),
    "guide.symmetry_information": call(
        _guide.symmetry_information,
        rng_key=RNG_KEY,
        params=PARAMS,
        num_samples=_COUNT,
        num_importance=_COUNT,
    ),
    "align_guides": call(
        nsym.align_guides,
        guide0=_PLAIN_GUIDE,
        params0=PARAMS,
        guide1=_PLAIN_GUIDE,
        params1=PARAMS,
        sym=sym(),
    ),
    "Folded": call(
        nsym.Folded,
        kernel=_KERNEL,
        sym=_SYM.or_none,
        keys=_KEYS,
        where=choice("draws"),
        random_element=BOOL,
        check=BOOL,
    ),
    "FoldedNUTS": call(nsym.FoldedNUTS, model=MODEL, sym=_SYM.or_none, keys=_KEYS, check=BOOL),
    "FoldedNUTS, run": call(_sampled, sym=_RUN_WITH),
    "PermutationSampler": call(
        nsym.PermutationSampler, kernel=_MODEL_KERNEL, sym=_SYM.or_none, check=BOOL
    ),
    "register_bound": call(
        guides.register_bound,
        name=Argument("a bound", bad.NAME | {"its own": "guess"}),
        num_importance=POSITIVE,
    ),
    "Nearest": call(mcmc.Nearest, reference=_POINT),
    "ApproximatelyNearest": call(mcmc.ApproximatelyNearest, reference=_POINT, sweeps=POSITIVE),
    "Nearest.section": call(
        mcmc.Nearest(POINT).section, sym=sym(_OTHERS | bad.SCALED), shapes=SHAPES
    ),
    "ReferenceSetReparam": call(
        nsym.ReferenceSetReparam, sym=_SYM.more(no_Units=Symmetry()), keys=SORT_KEYS
    ),
    "OrderedReparam": call(
        nsym.OrderedReparam,
        sym=_SYM.more(no_Units=Symmetry()),
        keys=SORT_KEYS.more(none={}, left_out=None),
    ),
    "ScaleReparam": call(
        nsym.ScaleReparam,
        sym=Argument(_RELU, bad.SYMMETRY).more(no_scales=PAIR, no_Units=Symmetry()),
    ),
    "chains_needed": call(
        nsym.chains_needed,
        num_modes=POSITIVE.more(a_billion=10**9),
        confidence=Argument(0.9, bad.PROBABILITY),
        method=choice("exact"),
    ),
    "chains_needed: probabilities": call(
        nsym.chains_needed,
        probabilities=Argument([0.5, 0.5], bad.ARRAY).more(
            sum_not_1=[0.5, 0.4],
            zero=[1.0, 0.0],
            negative=[1.5, -0.5],
            near_zero=[1 - 1e-300, 1e-300],
        ),
    ),
    "functional_modes": call(
        diagnostics.functional_modes,
        functions=Argument(np.random.default_rng(0).normal(size=(4, 30, 2)), bad.ARRAY).more(
            one_dimension=np.zeros(30), too_few=np.zeros((1, 3, 2)), no_functions={}
        ),
        by=Argument("draw", bad.ANYTHING | {"another word": "draws"}),
        num_modes=POSITIVE.or_none,
        num_neighbors=Argument(20, bad.POSITIVE).or_none.more(too_many=10**6),
        max_modes=Argument(5, bad.POSITIVE).more(too_many=10**6),
        rng_key=KEY_OR_SEED,
    ),
    "remove_symmetry": call(
        mcmc.remove_symmetry,
        sites=DRAWN.more(
            one_draw={"mu": DRAWS_OF[:1]},
            of_1e25={"mu": 1e25 * DRAWS_OF},
            of_1e_30={"mu": 1e-30 * DRAWS_OF},
        ),
        sym=sym(bad.OTHERS | bad.SCALED),
        sample_ndim=Argument(1, bad.POSITIVE).more(of_other_draws=2),
        num_neighbors=POSITIVE,
        penalty=Argument(1.0, bad.POSITIVE_NUMBER),
        max_sweeps=POSITIVE,
    ),
    "good_starts": call(
        mcmc.good_starts,
        rng_key=RNG_KEY,
        model=RUN_MODEL,
        num_chains=Argument(1, bad.POSITIVE).more(more_than_tries=9),
        num_tries=Argument(3, bad.POSITIVE),
        num_steps=POSITIVE,
        within=Argument(50.0, bad.ANYTHING).less("an int", "a float"),
        init_strategy=Argument(init_to_uniform, bad.FUNCTION),
    ),
}
