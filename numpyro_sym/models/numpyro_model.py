"""The one place where discovery reads NumPyro: a model as functions of plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from numpyro.distributions import biject_to, constraints
from numpyro.infer import init_to_uniform
from numpyro.infer.util import compute_log_probs
from numpyro.primitives import Messenger

from ..symmetry import SymmetryError
from . import enumeration
from .factors import is_prior_factor
from .held import is_inside
from .marks import Noted, mark, names_of_marks, with_inputs
from .own_constants import with_own_arrays, with_own_constants
from .plates import cut_plates
from .points import at_prior_scale, improve, in_support
from .purity import same_program
from .rounding import QUICK
from .view import Densities, ModelView, Point, run_program

Trace = dict[str, dict]
Values = Callable[[dict], Any]

MOST_ENTRIES = 20_000  # larger models are neither optimized nor searched by evaluation


def latent_sites(
    model: Callable[..., Any], args: tuple, kwargs: dict
) -> tuple[Trace, tuple[str, ...]]:
    """The model's unobserved sample sites, each as NumPyro's trace tells it, and the names of its
    deterministic ones.

    Random choices of the model, a minibatch's rows among them, are those of one fixed seed.
    """
    with handlers.block(), _ToldApart({}):
        seeded = handlers.seed(model, jax.random.key(0))
        started = handlers.substitute(seeded, substitute_fn=init_to_uniform)
        trace = handlers.trace(started).get_trace(*args, **kwargs)
    sites = _latent(trace)
    full = {name: site["args"][0] for name, site in trace.items() if site["type"] == "plate"}
    for site in sites.values():
        site["subsampled"] = bool(cut_plates(site["frames"], full))
    return sites, tuple(name for name, site in trace.items() if site["type"] == "deterministic")


def _latent(trace: Trace) -> Trace:
    latent = {}
    for name, site in trace.items():
        if enumeration.is_latent(site) and not enumeration.is_discrete(site):
            latent[name] = {**site, "frames": tuple(site["cond_indep_stack"])}
    return latent


def read_numpyro_model(model: Callable[..., Any], args: tuple, kwargs: dict) -> ModelView:
    """A NumPyro model as densities and supports of its latent sites' constrained values.

    Subsampled plates are read at their full size. Where that cannot be, because the arguments are a
    minibatch already, the rows are told to the program as data.

    :raises SymmetryError: where it cannot be run with these arguments, has no latent sites, or
        discrete ones that cannot be summed out.
    """
    if not callable(model):
        raise SymmetryError(f"Expected a NumPyro model (a callable); got {type(model).__name__}.")
    run, first = _first_run(enumeration.plain(model), args, kwargs)
    sites = first.latent
    if not sites and first.states:
        raise SymmetryError(
            f"The model's latent sites are all discrete ({', '.join(first.states)}), and summed "
            "out: there is nothing left to be symmetric."
        )
    if not sites:
        raise SymmetryError(
            "The model has no latent sample sites: there is nothing to be symmetric."
        )
    shapes = {name: site.shape for name, site in sites.items()}
    program, data = _program(run, first)
    if first.states:
        enumeration.refuse_large_sums(program, first.states)

    def refuse_impure() -> None:
        """Run the model once more, and raise where that gives another program."""
        again = _marked_run(run).program
        if not same_program(first.program, again):
            raise SymmetryError(
                "The model ran another program when it was run again with the same arguments: it "
                "keeps a state of its own (a counter, a cache, numpyro.primitives.mutable), or "
                "draws random numbers outside its sample sites. Nothing can be said of such a "
                "model; give it what changes as arguments."
            )

    def evaluate(point: Point) -> Any:
        return jax.tree.unflatten(first.out, run_program(program, data, point))

    def joint(point: Point) -> Any:
        latent, observed, _ = evaluate(point)
        return sum(latent.values()) + sum(observed.values())

    def placed(place: Callable[[Any, Any], Any]) -> Callable[[Point], dict[str, Any]]:
        def place_all(free: Point) -> dict[str, Any]:
            told = run.trace(dict(run.data), _substituted(lambda fn, name: place(fn, free[name])))
            return {name: told[name]["value"] for name in sites}

        return with_own_arrays(place_all)

    to_prior = placed(at_prior_scale)
    far = jax.jit(placed(in_support), compiler_options=QUICK)
    prior = jax.jit(to_prior, compiler_options=QUICK)
    real = all(site.is_real for site in sites.values())

    def free_point(rng: np.random.Generator, scale: float = 1.0) -> dict[str, np.ndarray]:
        return {n: rng.normal(scale=scale, size=site.free_shape) for n, site in sites.items()}

    def draw(rng: np.random.Generator, scale: float = 1.0) -> dict[str, np.ndarray]:
        free = free_point(rng, scale)
        return free if real else jax.device_get(far(free))

    def near(rng: np.random.Generator) -> dict[str, np.ndarray]:
        return jax.device_get(prior(free_point(rng)))

    def improved(rng: np.random.Generator) -> Iterator[Point]:
        if sum(map(prod, shapes.values())) <= MOST_ENTRIES:
            yield from improve(prior, to_prior, joint, free_point(rng, 0.5))

    return ModelView(
        shapes=shapes,
        draw=draw,
        near=near,
        improved=improved,
        program=program,
        data=data,
        evaluate=jax.jit(evaluate),
        refuse_impure=refuse_impure,
        as_run=first.program,
        observed=first.observed,
        prior_factors=first.prior_factors,
        local=frozenset(n for n, site in sites.items() if run.subsampled & site.frames),
        plates={name: site.plates for name, site in sites.items()},
        any_arguments=run.told,
        notes=(*run.notes, *enumeration.notes_of(first.states)),
        states=first.states,
    )


def program_as_run(model: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
    """What :attr:`ModelView.as_run` would be now, without reading the model further.

    A model may close over what has changed since, and so may objects among its arguments.

    :raises SymmetryError: as :func:`read_numpyro_model`.
    """
    return _first_run(enumeration.plain(model), args, kwargs)[1].program


@dataclass(frozen=True)
class _Run:
    """A model with its arguments, run by handlers; ``data`` holds what may be told to it anew each
    time.

    :param told: whether its array arguments are among the data; else the model needs their values.
    :param whole: whether subsampled plates are run at their full size.
    :param data: name -> array: arguments, observed values, rows of a minibatch.
    :param given: names of those that are known before the model runs.
    :param subsampled: names of subsampled plates.
    """

    model: Callable[..., Any]
    args: tuple
    kwargs: dict
    told: bool
    whole: bool
    data: dict[str, Any]
    given: tuple[str, ...]
    subsampled: set[str] = field(default_factory=set)

    def trace(self, data: dict[str, Any], values: Values) -> Trace:
        with handlers.block(), _ToldApart(data), _Observed(data), _Plates(self, data):
            seeded = handlers.seed(self.model, jax.random.key(0))
            substituted = handlers.substitute(seeded, substitute_fn=values)
            args, kwargs = self._arguments(data)
            return handlers.trace(substituted).get_trace(*args, **kwargs)

    def densities(
        self, data: dict[str, Any], values: Values | None, point: Point
    ) -> tuple[Densities, Trace]:
        """Log densities and supports of the sites: by name, of latent and of observed ones, and
        supports.
        """
        with handlers.block(), _ToldApart(data), _Observed(data), _Plates(self, data):
            seeded = handlers.seed(self.model, jax.random.key(0))
            model = seeded if values is None else handlers.substitute(seeded, substitute_fn=values)
            args, kwargs = self._arguments(data)
            every, trace = compute_log_probs(model, args, kwargs, dict(point))
            sites = _latent(trace)
            if sites and enumeration.states_of(trace):
                there = {name: site["value"] for name, site in sites.items()}
                every = enumeration.summed_densities(seeded, args, kwargs, trace, there)
        priors = [name for name, site in trace.items() if is_prior_factor(site)]
        latent = {name: every.pop(name) for name in (*sites, *priors)}
        inside = {}
        for name, site in sites.items():
            inside[name] = jnp.all(is_inside(site["fn"].support, site["value"]))
        return (latent, every, inside), trace

    def _arguments(self, data: Mapping[str, Any]) -> tuple[tuple, dict]:
        paths, structure = jax.tree.flatten_with_path((self.args, self.kwargs))
        leaves = [data.get(_argument(path), x) for path, x in paths]
        return jax.tree.unflatten(structure, leaves)

    @property
    def notes(self) -> tuple[str, ...]:
        listed = ", ".join(sorted(self.subsampled))
        if not self.subsampled:
            return ()
        if self.whole:
            return (f"The subsampled plates {listed} were read at their full size.",)
        return (
            f"The model does not run with its plates {listed} at full size: its rows were read as "
            "any rows.",
        )


class _Site(NamedTuple):
    """What is fixed of a latent site, whatever its value; no array is held, for they are traced.

    :param free_shape: of its unconstrained value.
    :param is_real: whether its support is all numbers.
    :param plates: axis -> name of the plate that it runs over, and ``frames`` the names of all
        plates around.
    """

    shape: tuple[int, ...]
    free_shape: tuple[int, ...]
    is_real: bool
    plates: dict[int, str]
    frames: frozenset[str]


class _FirstRun(NamedTuple):
    """What one run of a model tells.

    :param latent: the latent sites that are not discrete, ``observed`` the names of the observed
        ones, and ``prior_factors`` of the factors that are no likelihood.
    :param states: the discrete sites that are summed out, and how many values each has.
    :param program: closed jaxpr of an origin of marks and what is given -> densities, then values
        of the sites; with marks for values, and for data that are noted.
    :param out: the structure of the densities.
    :param noted: data that the run met: name -> array.
    """

    latent: dict[str, _Site]
    observed: tuple[str, ...]
    prior_factors: tuple[str, ...]
    states: dict[str, int]
    program: Any
    out: Any
    noted: dict[str, Any]


def _first_run(model: Callable[..., Any], args: tuple, kwargs: dict) -> tuple[_Run, _FirstRun]:
    """The freest way in which the model can be run, and what it is made of."""
    with jax.ensure_compile_time_eval():
        args, kwargs = jax.tree.map(
            lambda x: jnp.asarray(_widest(x)) if _is_data(x) else x, (args, kwargs)
        )
    paths = jax.tree.flatten_with_path((args, kwargs))[0]
    arguments = {_argument(path): x for path, x in paths if _is_data(x)}
    first: Exception | None = None
    subsampled: set[str] = set()
    arrays = {name: x for name, x in arguments.items() if x.ndim}
    # From the freest: numbers among the arguments may be needed to build the model.
    tellable = [arguments, arrays, {}] if 0 < len(arrays) < len(arguments) else [arguments, {}]
    for whole, told in product((True, False), tellable):
        if not whole and not subsampled:
            break
        run = _Run(
            model, args, kwargs, told is arguments, whole, dict(told), tuple(told), subsampled
        )
        try:
            found = _marked_run(run)
            run.data.update(found.noted)
            return run, found
        except SymmetryError:
            raise
        except Exception as error:
            first = error if not told and first is None else first
    raise could_not_run(model, first) from first


def could_not_run(model: Callable[..., Any], error: Exception | None) -> SymmetryError:
    """What is told of a model that raised when it was run."""
    name = getattr(model, "__name__", type(model).__name__)
    return SymmetryError(
        f"The model {name!r} raised {type(error).__name__} when it was run: {error}. Pass the "
        "model's own arguments after it, as one would to run it."
    )


def _marked_run(run: _Run) -> _FirstRun:
    """One run, on shapes alone, with marks for what is known only after it."""
    found: list[_FirstRun] = []

    def once(origin: Any, given: dict[str, Any]) -> Any:
        data = Noted(origin, given)

        def marked(fn: Any, name: str) -> Any:
            return mark(origin, _mark_of(name), fn.shape(), jnp.result_type(float))

        densities, trace = run.densities(data, _substituted(marked), {})
        latent = {name: _fixed(site) for name, site in _latent(trace).items()}
        priors = tuple(name for name, site in trace.items() if is_prior_factor(site))
        seen = [n for n, s in trace.items() if s["type"] == "sample" and s["is_observed"]]
        observed = tuple(name for name in seen if name not in priors)
        states = enumeration.states_of(trace)
        out = jax.tree.structure(densities)
        found.append(_FirstRun(latent, observed, priors, states, None, out, data.noted))
        return densities, {name: trace[name]["value"] for name in latent}

    program = jax.make_jaxpr(once)(0, {name: run.data[name] for name in run.given})
    return found[0]._replace(program=with_own_constants(program))


def _mark_of(site: str) -> str:
    return f"site {site}"


def _program(run: _Run, first: _FirstRun) -> tuple[Any, dict[str, Any]]:
    """Closed jaxpr of data and point -> densities, and the data.

    It is what the first run left, or that of another one where a value was met in a program inside
    the model's, the steps of a scan: then the inputs are known before.
    """
    # Inputs go by name, as the leaves of a dict do.
    names = sorted(first.latent)
    met = names_of_marks(first.program)
    if met is not None and met.issuperset(map(_mark_of, names)):
        given = sorted(run.given)
        data = {name: x for name, x in run.data.items() if name in met or name in given}
        # Inputs that the program has already go by their place; the first is the origin.
        places = {name: 1 + i for i, name in enumerate(given)}
        inputs = [places.get(name, name) for name in sorted(data)]
        inputs += map(_mark_of, names)
        return with_inputs(first.program, inputs, first.out.num_leaves), data

    def densities(data: Mapping[str, Any], point: Point) -> Densities:
        return run.densities(dict(data), None, point)[0]

    point = {name: np.zeros(site.shape) for name, site in first.latent.items()}
    program = jax.make_jaxpr(densities)(run.data, point)
    return with_own_constants(program), run.data


def _fixed(site: dict) -> _Site:
    shape, support = tuple(np.shape(site["value"])), site["fn"].support
    return _Site(
        shape,
        tuple(biject_to(support).inverse_shape(shape)),
        _is_real(support),
        _plates_of(site),
        frozenset(frame.name for frame in site["frames"]),
    )


def _is_real(support: Any) -> bool:
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    return support is constraints.real


def _substituted(value_of: Callable[[Any, str], Any]) -> Values:
    """A substitution of latent sites.

    :param value_of: distribution, with the sample's shape, and name of a site -> its value.
    """

    def value(site: dict) -> Any:
        if site["type"] != "sample" or site["is_observed"]:
            return None
        fn = site["fn"]
        if enumeration.is_discrete(site):
            return None  # drawn at random; the sum over its values is taken afterwards
        sample_shape = tuple(site["kwargs"].get("sample_shape", ()))
        if sample_shape:
            fn = fn.expand(sample_shape + tuple(fn.batch_shape))
        return value_of(fn, site["name"])

    return value


class _ToldApart(Messenger):
    """Random values for parameters: training moves them, and then they tell their
    positions apart.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__()
        self.data = data

    def postprocess_message(self, msg: dict) -> None:
        if msg["type"] != "param":
            return
        constraint = msg["kwargs"].get("constraint", constraints.real)
        paths, structure = jax.tree.flatten_with_path(msg["value"])
        leaves = []
        for path, x in paths:
            name = f"parameter {msg['name']}{jax.tree_util.keystr(path)}"
            leaves.append(self._trained(name, x, constraint))
        msg["value"] = jax.tree.unflatten(structure, leaves)

    def _trained(self, name: str, x: Any, constraint: Any) -> Any:
        if isinstance(x, jax.core.Tracer):
            return _moved(name, x, constraint)
        if name not in self.data:
            with jax.ensure_compile_time_eval():
                self.data[name] = np.asarray(_moved(name, x, constraint))
        return jnp.asarray(self.data[name])


def _moved(name: str, x: Any, constraint: Any) -> Any:
    """Another value that the constraint allows; without one, of the same sign, for a model may ask
    for that.
    """
    rng = np.random.default_rng(list(name.encode()))
    transform = biject_to(constraint)
    free = transform.inv(jnp.asarray(x))
    noise = rng.normal(size=free.shape).astype(free.dtype)
    if constraint is constraints.real:
        return jnp.where(free == 0, noise, free * (1 + 0.5 * np.tanh(noise)))
    return transform(free + noise)


class _Observed(Messenger):
    """Observed values that the model holds itself come from the data, and are noted there the first
    time.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__()
        self.data = data

    def process_message(self, msg: dict) -> None:
        if msg["type"] == "sample" and msg["is_observed"] and _is_data(msg["value"]):
            msg["value"] = self.data.setdefault(f"observed {msg['name']}", _widest(msg["value"]))


class _Plates(Messenger):
    """Subsampled plates at full size; or else with rows that come from the data."""

    def __init__(self, run: _Run, data: dict[str, Any]) -> None:
        super().__init__()
        self.run, self.data = run, data

    def process_message(self, msg: dict) -> None:
        if msg["type"] != "plate" or msg["args"][1] in (None, msg["args"][0]):
            return
        size, subsample_size = msg["args"]
        self.run.subsampled.add(msg["name"])
        if self.run.whole:
            with jax.ensure_compile_time_eval():
                msg["args"], msg["value"] = (size, size), jnp.arange(size)
        else:
            # Any rows: the arguments are theirs.
            rows = np.random.default_rng(0).permutation(size)[:subsample_size]
            msg["value"] = jnp.asarray(self.data.setdefault(f"rows of {msg['name']}", rows))


def _is_data(x: Any) -> bool:
    """Whether a value is an array of numbers with something in it to tell apart."""
    if not isinstance(x, (jax.Array, np.ndarray)) or isinstance(x, jax.core.Tracer):
        return False
    numbers = jnp.issubdtype(x.dtype, jnp.number) or x.dtype == bool
    return bool(numbers) and x.size > 0


def _argument(path: Any) -> str:
    """The name of an array argument: ``argument 0``, ``argument 1['x']``, ``argument y``."""
    first, *rest = path[1:]  # path[0]: whether by position or by keyword
    key = getattr(first, "idx", getattr(first, "key", first))
    return f"argument {key}{jax.tree_util.keystr(tuple(rest))}"


def _plates_of(site: dict) -> dict[int, str]:
    batch = len(np.shape(site["value"])) - site["fn"].event_dim
    return {batch + frame.dim: frame.name for frame in site["frames"] if batch + frame.dim >= 0}


def _widest(x: Any) -> Any:
    """Floating arrays in the session's widest precision; anything else as it came, arrays of
    NumPy's as copies.
    """
    if isinstance(x, jax.core.Tracer) or not isinstance(x, (jax.Array, np.ndarray)):
        return x
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return np.array(x) if isinstance(x, np.ndarray) else x  # see own_constants for why
    return np.array(x, jnp.result_type(float))  # on the host: nothing to compile
