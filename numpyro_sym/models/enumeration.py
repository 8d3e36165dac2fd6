"""Discrete sites summed out of a model, by the engine with which NumPyro's own NUTS does it.

Every value of such a site is tried at once, along an axis of its own to the left of all plates, and
the sums are taken by tensor variable elimination (Obermeyer et al. 2019, arXiv 1902.03210) in
``funsor``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro import handlers
from numpyro.infer import init_to_uniform
from numpyro.primitives import Messenger

from ..symmetry import SymmetryError
from .factors import is_prior_factor
from .rounding import programs_inside

Model = Callable[..., Any]
Trace = Mapping[str, dict]

#: Arrays with more entries than this are no sum that could be sampled.
MOST_TERMS = 10**8

MARGINALIZE = "Sum it out in the model (MixtureSameFamily, logsumexp) and pass that model."
FEWER = (
    "Draw them with DiscreteHMCGibbs, or write the model so that fewer depend on each other: "
    "plates, "
    "numpyro.contrib.funsor.markov, scan."
)


def is_latent(site: Mapping[str, Any]) -> bool:
    """Whether a site of a trace is an unobserved sample, discrete or not."""
    return site["type"] == "sample" and not site["is_observed"]


def is_discrete(site: Mapping[str, Any]) -> bool:
    """Whether a site of a trace is an unobserved sample of a discrete distribution."""
    return is_latent(site) and site["fn"].support is not None and site["fn"].support.is_discrete


def states_of(trace: Trace) -> dict[str, int]:
    """Names of a model's discrete latent sites, and how many values each has.

    :param trace: of the model, with nothing summed out.
    :raises SymmetryError: where NumPyro cannot sum one of them out.
    """
    discrete = {name: site for name, site in trace.items() if is_discrete(site)}
    return {name: _num_states(name, site) for name, site in discrete.items()}


def _num_states(name: str, site: Mapping[str, Any]) -> int:
    way, base = site["infer"].get("enumerate"), site["fn"]
    if way not in (None, "parallel"):
        raise SymmetryError(
            f"Site {name!r} is discrete and marked infer={{'enumerate': {way!r}}}; NumPyro sums "
            "out sites that are "
            f"marked 'parallel'. {MARGINALIZE}"
        )
    while hasattr(base, "base_dist"):
        base = base.base_dist
    kind = type(base).__name__
    if not site["fn"].has_enumerate_support:
        raise SymmetryError(
            f"Site {name!r} is discrete, and a {kind} has no finite list of values to sum over. "
            f"{MARGINALIZE}"
        )
    if site["fn"].event_dim:
        raise SymmetryError(
            f"Site {name!r} is discrete, and each of its values is an array of shape "
            f"{tuple(site['fn'].event_shape)}, "
            "which NumPyro cannot sum out. Write numpyro.plate around it in place of "
            ".to_event(...)."
        )
    with jax.ensure_compile_time_eval():
        values = site["fn"].enumerate_support(expand=False)
    n = int(values.shape[0])
    if (
        values.size != n
        or isinstance(values, jax.core.Tracer)
        or not np.array_equal(np.ravel(values), np.arange(n))
    ):
        raise SymmetryError(
            f"Site {name!r} is discrete, and the values of its {kind} are not 0 to {n - 1}; "
            "NumPyro sums over those. "
            "Write it as a Categorical, and add to its value what is missing."
        )
    return n


def _require_funsor(states: Mapping[str, int]) -> None:
    try:
        import funsor  # noqa: F401 - NumPyro imports it
    except ImportError as error:
        listed = ", ".join(map(repr, states))
        raise SymmetryError(
            f"The discrete sites {listed} are summed out by funsor, which is not installed: "
            "pip install 'numpyro_sym[enum]'. Or marginalize them in the model."
        ) from error


def _refuse_unplated(trace: Trace, states: Mapping[str, int]) -> None:
    """What NumPyro asks of a model with such sites: an axis of a batch is a plate's."""
    for name, site in trace.items():
        if site["type"] != "sample":
            continue
        value = jnp.shape(site["value"])
        shape = np.broadcast_shapes(
            tuple(site["fn"].batch_shape), value[: len(value) - site["fn"].event_dim]
        )
        plates = {frame.dim for frame in site["cond_indep_stack"]}
        for dim in range(-len(shape), 0):
            is_of_scan = dim == -len(shape) and site.get("_control_flow_done", False)
            if shape[dim] > 1 and dim not in plates and not is_of_scan:
                listed = ", ".join(map(repr, states))
                raise SymmetryError(
                    f"Site {name!r} has {shape[dim]} entries along dimension {dim} of its batch "
                    "and no plate there; "
                    f"NumPyro needs to know where they are independent to sum out {listed}. Write "
                    ".to_event(...), or "
                    f"numpyro.plate(..., {shape[dim]}, dim={dim}) around it."
                )


def notes_of(states: Mapping[str, int]) -> tuple[str, ...]:
    """What was summed out, in words."""
    listed = ", ".join(f"{name} ({n} values)" for name, n in states.items())
    return (f"Summed out, as NumPyro does: the discrete sites {listed}.",) if states else ()


def enumerated(model: Model, trace: Trace) -> Model:
    """The model as ``MCMC`` runs it: each discrete site has all its values at once, left of all
    plates.

    :param trace: of the model, with nothing summed out.
    """
    from numpyro.contrib.funsor import config_enumerate, enum

    return enum(config_enumerate(_OwnNotes(model)), first_available_dim=-_num_plates(trace) - 1)


def _num_plates(trace: Trace) -> int:
    """How many dimensions of a batch are plates', the rightmost."""
    frames = [
        frame
        for site in trace.values()
        if site["type"] == "sample"
        for frame in site["cond_indep_stack"]
    ]
    return max((-frame.dim for frame in frames), default=0)


def plain(model: Model) -> Model:
    """The model without ``enum`` around it, which some pass on; NumPyro takes it off, too."""
    if "fn" in getattr(model, "__dict__", {}) and type(model).__module__.startswith(
        "numpyro.contrib.funsor"
    ):
        from numpyro.contrib.funsor import enum

        return model.fn if isinstance(model, enum) else model
    return model


def has_discrete(model: Model, args: tuple, kwargs: Mapping[str, Any]) -> bool:
    """Whether a model has latent sites that are discrete."""
    found: list[bool] = []

    def run() -> None:
        with handlers.block():
            started = handlers.substitute(
                handlers.seed(model, 0), substitute_fn=init_to_uniform
            )  # improper priors
            trace = handlers.trace(started).get_trace(*args, **kwargs)
        found.extend(map(is_discrete, trace.values()))

    jax.eval_shape(run)
    return any(found)


def without_discrete(model: Model) -> Model:
    """The model as a guide sees it that leaves discrete sites to ``TraceEnum_ELBO``: they are
    drawn, and not shown.
    """
    return _Unseen(model)


class _Unseen(Messenger):
    def process_message(self, msg: dict) -> None:
        if is_discrete(msg):
            msg["stop"] = True
            if msg["value"] is None and msg["kwargs"].get("rng_key") is None:
                msg["kwargs"]["rng_key"] = jax.random.key(0)


def reopened(model: Model | None) -> Model | None:
    """The model with the discrete sites that a ``handlers.block`` around it hides from NumPyro's
    guides.
    """
    if not isinstance(model, handlers.block):
        return model
    hidden = model.hide_fn
    return handlers.block(
        reopened(model.fn), hide_fn=lambda site: hidden(site) and not is_discrete(site)
    )


def summed_densities(
    model: Model, args: tuple, kwargs: Mapping[str, Any], trace: Trace, point: Mapping[str, Any]
) -> dict[str, Any]:
    """Log densities by site, discrete ones summed out.

    A density that does not depend on a discrete site is the site's own. The others make one sum,
    which stands at the first observed site among them, else at the first latent one; the rest of
    them is 0.

    :param model: it is run with random choices fixed.
    :param trace: of the same model, with nothing summed out.
    :param point: values of all latent sites that are not discrete.
    :raises SymmetryError: where NumPyro cannot take the sum.
    """
    states = states_of(trace)
    _require_funsor(states)
    _refuse_unplated(trace, states)
    from numpyro.contrib.funsor import log_density

    others = [
        name for name, site in trace.items() if site["type"] == "sample" and not is_discrete(site)
    ]
    apart = _Apart(
        enumerated(handlers.substitute(model, data=dict(point)), trace), _num_plates(trace)
    )
    try:
        summed, _ = log_density(apart, args, dict(kwargs), {})
    except ValueError as error:
        if "free dims" not in str(error):
            raise
        raise SymmetryError(
            f"The discrete sites are too many to sum out at once: {error}. {FEWER}"
        ) from error
    densities = {name: apart.densities.get(name, jnp.zeros(())) for name in others}
    together = [name for name in others if name not in apart.densities]
    seen = [name for name in together if trace[name]["is_observed"]]
    observed = [name for name in seen if not is_prior_factor(trace[name])]
    (first, *_) = [*observed, *together, *others]
    densities[first] = densities[first] + summed
    return densities


class _OwnNotes(Messenger):
    """What NumPyro notes at a site is not written into the model's own ``infer=``, which several
    sites may share; and each value of a discrete site is looked up, masked or not.
    """

    def process_message(self, msg: dict) -> None:
        if msg["type"] == "sample":
            msg["infer"] = dict(msg["infer"])
        if is_discrete(msg):
            msg["fn"] = _masked_afterwards(msg["fn"])


def _masked_afterwards(fn: dist.Distribution) -> dist.Distribution:
    """The same distribution, its log probability computed at all values and then masked.

    NumPyro puts another value where the mask is, which may be none in the support. All values of a
    site that is summed out are, and which one is looked up where would depend on data: no look-up
    at all of them.
    """
    if isinstance(fn, dist.ExpandedDistribution):
        base = _masked_afterwards(fn.base_dist)
        return fn if base is fn.base_dist else dist.ExpandedDistribution(base, fn.batch_shape)
    if isinstance(fn, dist.MaskedDistribution) and not isinstance(fn._mask, bool):
        return _MaskedAfterwards(fn.base_dist, fn._mask)
    return fn


class _MaskedAfterwards(dist.MaskedDistribution):
    def log_prob(self, value: Any) -> Any:
        return jnp.where(self._mask, self.base_dist.log_prob(value), 0.0)


class _Apart(Messenger):
    """Sites that depend on no discrete one are not shown to what is around; their log densities are
    kept here.

    :param num_plates: how many dimensions of a batch are plates'; further left are values of
        discrete sites.
    """

    def __init__(self, fn: Model, num_plates: int) -> None:
        super().__init__(fn)
        self.num_plates = num_plates
        self.densities: dict[str, Any] = {}
        self._mine: set[str] = set()

    def process_message(self, msg: dict) -> None:
        if msg["type"] != "sample" or is_discrete(msg) or msg["name"].startswith("_PREV_"):
            return
        value = jnp.shape(msg["value"]) if msg["value"] is not None else ()
        batches = tuple(msg["fn"].batch_shape), value[: len(value) - msg["fn"].event_dim]
        if all(prod(shape[: max(len(shape) - self.num_plates, 0)]) == 1 for shape in batches):
            self._mine.add(msg["name"])
            msg["stop"] = True

    def postprocess_message(self, msg: dict) -> None:
        if msg["type"] == "sample" and msg["name"] in self._mine:
            scale = 1.0 if msg["scale"] is None else msg["scale"]
            self.densities[msg["name"]] = jnp.sum(scale * msg["fn"].log_prob(msg["value"]))


def refuse_large_sums(program: Any, states: Mapping[str, int]) -> None:
    """Raise where a program holds an array of more terms than could be summed again and again.

    :param program: a closed jaxpr.
    :param states: the discrete sites, and how many values each has.
    """
    largest = _largest(program.jaxpr)
    if largest > MOST_TERMS:
        listed = ", ".join(f"{name!r} ({n} values)" for name, n in states.items())
        raise SymmetryError(
            f"The sum over {listed} has an array of {largest:,} terms; at most {MOST_TERMS:,} are "
            f"summed. {FEWER}"
        )


def _largest(jaxpr: Any) -> int:
    sizes = [
        prod(v.aval.shape) for eqn in jaxpr.eqns for v in eqn.outvars if hasattr(v.aval, "shape")
    ]
    inside = [
        _largest(getattr(part, "jaxpr", part))
        for eqn in jaxpr.eqns
        for part in programs_inside(eqn)
    ]
    return max([0, *sizes, *inside])
