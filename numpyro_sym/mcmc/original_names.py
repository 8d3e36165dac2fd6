"""What the handlers outside a model say of a site that a reparameterization renames.

A reparameterized site is a deterministic one, and NumPyro asks nobody for the value of such a
site: starts, conditions and draws under its name would be ignored in silence. So the site is
asked for once under its own name, and a handler that holds a value for that name gives it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpyro
import numpyro.distributions as dist
from numpyro import handlers
from numpyro.distributions import biject_to, constraints
from numpyro.primitives import _PYRO_STACK

from ..symmetry import SymmetryError


class _Named(constraints.Constraint):
    """The support of a question. Discrete, so that no strategy makes up a start for it."""

    is_discrete = True

    def __init__(self, latent: str) -> None:
        self.latent = latent

    def __call__(self, x: Any) -> bool:
        return True

    def tree_flatten(self) -> tuple[tuple, tuple]:
        return (), ((), {"latent": self.latent})


@biject_to.register(_Named)
def _refuse_unconstrained(constraint: _Named) -> Any:
    raise SymmetryError(
        "Unconstrained starts (init_params) go by the names of latent sites: here "
        f"{constraint.latent!r}. init_to_value takes the original names."
    )


class Question(dist.Distribution):
    """Stands for a site's distribution where its value is asked for; it is never drawn from.

    :param fn: the site's distribution.
    :param latent: name of the latent site in its stead.
    """

    pytree_aux_fields = ("latent",)

    def __init__(self, fn: dist.Distribution, latent: str) -> None:
        self.latent = latent
        super().__init__(fn.batch_shape, fn.event_shape, validate_args=False)

    @property
    def support(self) -> _Named:
        return _Named(self.latent)

    # Plates and masks around the site have nothing to ask.
    def expand(self, batch_shape: tuple[int, ...]) -> Question:
        return self

    def mask(self, mask: Any) -> Question:
        return self


def sample_latent(
    name: str,
    latent: str,
    fn: dist.Distribution,
    latent_fn: dist.Distribution,
    to_latent: Callable[[Any], Any],
    infer: dict[str, Any] | None = None,
) -> Any:
    """Sample ``latent``, at the value that a handler outside holds for ``name`` if one does.

    :param fn: the site's distribution under its own name.
    :param latent_fn: the distribution of the latent site.
    :param to_latent: a value under the site's own name -> the latent one.
    :param infer: NumPyro's options of the latent site.
    :raises SymmetryError: where the site is conditioned on a value.
    """
    asked = _ask(name, Question(fn, latent))
    if asked["value"] is None:
        return numpyro.sample(latent, latent_fn, infer=infer)
    if asked["is_observed"]:
        raise SymmetryError(
            f"Site {name!r} is conditioned on a value, and its units are no longer "
            "interchangeable. Condition the model first and give the symmetry that is left."
        )
    with warnings.catch_warnings():
        # That a strategy leaves the value as it is, is what is wanted.
        warnings.filterwarnings("ignore", message=r"init_to_\w+\(\) skipping initialization")
        with handlers.substitute(data={latent: to_latent(asked["value"])}):
            return numpyro.sample(latent, latent_fn, infer=infer)


def _ask(name: str, question: Question) -> dict[str, Any]:
    """A site's message as the handlers that stand around it leave it. It does not take place:
    nothing is traced.
    """
    message: dict[str, Any] = {
        "type": "sample",
        "name": name,
        "fn": question,
        "args": (),
        "kwargs": {"rng_key": None, "sample_shape": ()},
        "value": None,
        "scale": None,
        "is_observed": False,
        "intermediates": [],
        "cond_indep_stack": [],
        "infer": {},
    }
    for handler in reversed(_PYRO_STACK):
        handler.process_message(message)
        if message.get("stop"):
            break
    return message
