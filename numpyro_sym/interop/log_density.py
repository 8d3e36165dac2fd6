"""A log density as a model: for whoever has no NumPyro model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import constraints

from ..models import prior_factor
from ..models.held import is_inside
from ..symmetry import SymmetryError, kinds
from ..symmetry.arguments import check_arguments, describe
from ..symmetry.programs import outcome_of
from .pytrees import is_attribute, path_name, pytree_of, sites_of

#: The name of the one part of a density that has no others.
WHOLE = "log_density"


def _supports_fault(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return ""
    for name, constraint in value.items():
        if not isinstance(constraint, constraints.Constraint):
            return f"Under {name!r} there is {describe(constraint)}."
    return None


Supports = Annotated[
    Mapping[str, Any],
    kinds.Kind("a dict, site name -> constraint of numpyro.distributions", _supports_fault),
]


class LogDensity:
    """A JAX function of a pytree, taken wherever a model is.

    It is a NumPyro model without arguments: a site without a prior for each array of floats, named
    by its path (:func:`~numpyro_sym.interop.sites_of`), and the function as the only density. So it
    goes into :func:`~numpyro_sym.find_symmetry`, ``Symmetry.check``, kernels and ``good_starts``.
    Arrays that the function closes over, data say, are taken as they are.

    :param fn: position -> log density, a number; or a dict of numbers, part name -> log density,
        which add up.
    :param position: a pytree of arrays of floats, any place where ``fn`` is finite; it gives
        structure and shapes.
    :param supports: site name -> NumPyro constraint of its entries; the real numbers where none is
        named.
    :param likelihood: the part, or the parts, that are the likelihood; by default all. The others
        are the prior: scales are symmetries of the likelihood alone.
    :raises SymmetryError: where the position holds integers or no floats, or two paths are one
        name; where ``fn`` cannot be traced by JAX, gives no number, or is not finite there.

    >>> import numpyro_sym as nsym
    >>> def log_density(network):
    ...     f = jnp.tanh(network["w1"]) @ network["w2"]
    ...     prior = -0.5 * sum((x**2).sum() for x in network.values())
    ...     return {"prior": prior, "fit": -((f - jnp.array([1.0, 2.0])) ** 2).sum()}
    >>> position = {"w1": jnp.ones((2, 3)), "w2": jnp.ones(3)}
    >>> print(nsym.find_symmetry(nsym.LogDensity(log_density, position, likelihood="fit")))
    units  n  kind    order  acts on
    w1     3  signed  48     w1[1] w2[0]
    """

    def __init__(
        self,
        fn: kinds.Function,
        position: Any,
        *,
        supports: Supports | None = None,
        likelihood: kinds.NameOrNames | None = None,
    ) -> None:
        check_arguments(LogDensity.__init__, locals())
        _refuse_integers(position)
        sites = sites_of(position)
        self.fn, self.position = fn, position
        self.shapes = {name: np.shape(x) for name, x in sites.items()}
        self.supports = {name: _whole(constraints.real, x.ndim) for name, x in _arrays(sites)}
        self.__name__ = getattr(fn, "__name__", type(fn).__name__)
        for name, constraint in (supports or {}).items():
            if name not in sites:
                raise SymmetryError(
                    f"LogDensity: supports names site {name!r}; the sites are {list(sites)}."
                )
            self.supports[name] = _whole(constraint, np.ndim(sites[name]))
        self._refuse_outside(sites)
        parts = self._checked(outcome_of("LogDensity", "fn", self._outcome, sites))
        self.likelihood = _chosen(parts, likelihood)
        self._refuse_not_finite(sites)

    @classmethod
    def of_function(
        cls,
        fn: kinds.Function,
        position: Any,
        *args: Any,
        supports: Supports | None = None,
    ) -> LogDensity:
        """A function's own symmetry: what leaves all its outputs as they are, with no posterior.

        The density is that of outputs observed with noise, at values of no special kind: it is the
        same before and after a move if and only if all outputs are.

        :param fn: position and ``args`` -> a pytree of arrays of floats: a network's apply
            function, a loss.
        :param position: a pytree of arrays of floats; it gives structure and shapes.
        :param args: inputs of ``fn``, of no special kind: what is symmetric for these alone is
            found, too.
        :param supports: as of the class: of running variances, say.
        :returns: a :class:`LogDensity`.
        :raises SymmetryError: as the class, and where an output is no array of finite floats.

        >>> import numpyro_sym as nsym
        >>> def apply(network, x):
        ...     return jax.nn.relu(x @ network["w1"]) @ network["w2"]
        >>> network = {"w1": jnp.ones((2, 3)), "w2": jnp.ones((3, 2))}
        >>> print(nsym.find_symmetry(nsym.LogDensity.of_function(apply, network, jnp.eye(2) + 0.3)))
        units  n  kind    order  acts on
        w1     3  scaled  inf    w1[1] w2[0]
        """
        check_arguments(LogDensity.of_function, locals())
        sites, rng = sites_of(position), np.random.default_rng(0)

        def outputs(sites: kinds.Sites) -> dict[str, Any]:
            return sites_of({"output": fn(pytree_of(sites, position), *args)})

        outcome_of("LogDensity.of_function", "fn", outputs, sites)
        targets, sizes = {}, {}
        with jax.ensure_compile_time_eval():
            for name, x in outputs(_of_jax(sites)).items():
                there = np.asarray(x, float)
                if not np.isfinite(there).all():
                    raise SymmetryError(
                        f"LogDensity.of_function: {name} of fn is not finite at the position."
                    )
                # Of the outputs' own size, so that what changes them is seen.
                size = float(np.sqrt(np.mean(there**2))) if there.size else 1.0
                sizes[name] = size or 1.0
                targets[name] = rng.normal(size=there.shape)

        def density(position: Any) -> dict[str, Any]:
            found = {}
            for name, x in sites_of({"output": fn(position, *args)}).items():
                found[f"{name} of {_name_of(fn)}"] = -0.5 * jnp.sum(
                    (jnp.asarray(x) / sizes[name] - targets[name]) ** 2
                )
            return found

        density.__name__ = _name_of(fn)
        return cls(density, position, supports=supports)

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """The NumPyro model."""
        if args or kwargs:
            raise SymmetryError(
                "LogDensity takes no arguments as a model: let fn close over its data."
            )
        values = {}
        for name, shape in self.shapes.items():
            values[name] = numpyro.sample(
                name, dist.ImproperUniform(self.supports[name], (), shape)
            )
        for name, part in self._checked(self._outcome(values)).items():
            if name in self.likelihood:
                numpyro.factor(name, part)
            else:
                prior_factor(name, part)

    def log_density(self, sites: kinds.Sites) -> Any:
        """The log density at one point, all parts of it; JAX can trace it.

        :param sites: site name -> array, for every site.
        :returns: a number.
        :raises SymmetryError: as :func:`~numpyro_sym.interop.pytree_of`.
        """
        return sum(self._checked(self._outcome(sites)).values())

    def __repr__(self) -> str:
        return f"LogDensity({self.__name__}, sites {list(self.shapes)})"

    def _outcome(self, sites: kinds.Sites) -> dict[str, Any]:
        outcome = self.fn(pytree_of(sites, self.position))
        return dict(outcome) if isinstance(outcome, Mapping) else {WHOLE: outcome}

    def _checked(self, parts: dict[str, Any]) -> dict[str, Any]:
        if not parts:
            raise SymmetryError(
                "LogDensity: fn returns an empty dict; expected a number, or a dict of numbers."
            )
        for name, part in parts.items():
            if not isinstance(name, str) or name in self.shapes:
                raise SymmetryError(
                    f"LogDensity: fn names a part {name!r}; expected a string that is no site's "
                    f"name ({list(self.shapes)}). Name it otherwise, in a dict of parts."
                )
            shape = getattr(part, "shape", () if isinstance(part, (int, float)) else None)
            if shape != () or not jnp.issubdtype(jnp.result_type(part), jnp.floating):
                raise SymmetryError(
                    f"LogDensity: fn returns {describe(part)} for {name!r}; expected one real "
                    "number. Sum it up."
                )
        return parts

    def _refuse_outside(self, sites: kinds.Sites) -> None:
        for name, x in _arrays(sites):
            if isinstance(x, jax.core.Tracer):
                raise SymmetryError(
                    "LogDensity: the position is being traced; pass concrete arrays."
                )
            if not np.isfinite(np.asarray(x, float)).all():
                raise SymmetryError(f"LogDensity: site {name!r} of the position is not finite.")
            with jax.ensure_compile_time_eval():
                inside = bool(jnp.all(is_inside(self.supports[name], jnp.asarray(x))))
            if not inside:
                raise SymmetryError(
                    f"LogDensity: site {name!r} of the position lies outside its support, "
                    f"{self.supports[name]}."
                )

    def _refuse_not_finite(self, sites: kinds.Sites) -> None:
        with jax.ensure_compile_time_eval():
            for name, part in self._outcome(_of_jax(sites)).items():
                if not np.isfinite(float(part)):
                    raise SymmetryError(
                        f"LogDensity: {name!r} is {float(part)} at the position. Pass a position "
                        "where the density is finite."
                    )


def _arrays(sites: kinds.Sites) -> list[tuple[str, Any]]:
    """Sites with floats of Python as arrays."""
    return [(name, np.asarray(x) if isinstance(x, float) else x) for name, x in sites.items()]


def _of_jax(sites: kinds.Sites) -> dict[str, jax.Array]:
    """What functions written in jax.numpy are given, whatever the position is made of."""
    return {name: jnp.asarray(x) for name, x in sites.items()}


def _whole(support: Any, ndim: int) -> Any:
    """The support of a whole array of which another is that of its entries, rows or more."""
    if support.event_dim > ndim:
        raise SymmetryError(
            f"LogDensity: the support {support} is one of arrays of {support.event_dim} "
            f"dimensions; its site has {ndim}."
        )
    return constraints.independent(support, ndim - support.event_dim)


def _name_of(fn: Callable[..., Any]) -> str:
    return getattr(fn, "__name__", type(fn).__name__)


def _chosen(parts: Mapping[str, Any], given: str | Sequence[str] | None) -> tuple[str, ...]:
    if given is None:
        return tuple(parts)
    named = (given,) if isinstance(given, str) else tuple(given)
    for name in named:
        if name not in parts:
            raise SymmetryError(
                f"LogDensity: likelihood names part {name!r}; fn returns the parts {list(parts)}."
            )
    return named


def _refuse_integers(position: Any) -> None:
    """Raise where what may be meant for a parameter is of integers.

    Counters and keys of a module's are unsigned, and its settings are Python's.
    """
    for path, leaf in jax.tree_util.tree_flatten_with_path(position)[0]:
        is_signed = isinstance(leaf, (np.ndarray, np.generic, jax.Array)) and jnp.issubdtype(
            leaf.dtype, jnp.signedinteger
        )
        is_int = isinstance(leaf, int) and not isinstance(leaf, bool)
        if is_signed or (is_int and not any(map(is_attribute, path))):
            raise SymmetryError(
                f"LogDensity: the position holds integers at {path_name(path)!r}, "
                f"{describe(leaf)}; expected floats. Convert it, or let fn close over what is no "
                "parameter."
            )
