"""Draws of an MCMC, or in a dict, as an ArviZ object with names that ArviZ takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Annotated, Any

import numpy as np

from ...models.renamed import Renamed
from ...symmetry import Symmetry, SymmetryError, kinds
from ...symmetry.arguments import check_arguments, describe
from ..rhat_ess import load_arviz
from .from_model import with_log_joint
from .groups import get_group, group_names, posterior_of, with_groups

#: What ArviZ 1.x takes in no name, and what stands in its place.
DIVIDER, DOT = "/", "."


def has_run(value: Any) -> bool:
    """Whether this is an MCMC with draws."""
    return not isinstance(value, type) and getattr(value, "last_state", None) is not None


def draws_fault(value: Any) -> str | None:
    """What is wrong with draws of chains, for :class:`~numpyro_sym.symmetry.kinds.Kind`."""
    if "posterior" in group_names(value):
        return None
    if hasattr(value, "get_samples"):
        return None if has_run(value) else "It has not run: mcmc.run(rng_key, ...)."
    if isinstance(value, Mapping) and "chain" not in getattr(value, "sizes", ()):
        return _fault_of_dict(value)
    there = group_names(value)
    return f"Its groups are {there}." if there else "Make one with arviz.from_numpyro(mcmc)."


def _fault_of_dict(draws: Mapping[str, Any]) -> str | None:
    fault = kinds.sites_fault(draws)
    if fault is not None or not draws:
        return fault or "It names no site."
    leading = {name: np.shape(x)[:2] for name, x in draws.items()}
    if len(set(leading.values())) > 1 or any(len(lead) < 2 for lead in leading.values()):
        return f"Every array begins with the same (chain, draw); these begin with {leading}."
    if 0 in next(iter(leading.values())):
        return "There are no draws."
    return None


#: Draws of chains, however they come.
ChainDraws = Annotated[
    Any,
    kinds.Kind(
        "an ArviZ object (InferenceData or DataTree) with a posterior group, an MCMC that has run, "
        "or a dict, site name -> array (chain, draw, *site)",
        draws_fault,
    ),
]


def to_arviz(data: ChainDraws, *, log_joint: bool = False) -> Any:
    """An ArviZ object of the draws of an MCMC, or of a dict of draws.

    ArviZ 1.x takes no ``/`` in names, which NumPyro puts between a scope and a site
    (``scope_divider``); there it becomes ``.``, and the attribute ``renamed`` of the posterior
    tells which names were changed.

    :param data: an MCMC that has run; a dict, site name -> array ``(chain, draw, *site)``; an ArviZ
        object is returned as it is.
    :param log_joint: whether to have the log joint (and log likelihood) of the MCMC's model in the
        sample statistics, as :func:`with_log_joint`.
    :returns: InferenceData (ArviZ 0.x) or DataTree (1.x).
    :raises SymmetryError: where there are no draws, or two names would be one.

    >>> import numpy as np
    >>> list(to_arviz({"mu": np.zeros((4, 10, 2))}).posterior.data_vars)
    ['mu']
    """
    check_arguments(to_arviz, locals())
    if "posterior" in group_names(data):
        posterior_of(data)
        return data
    az = load_arviz("to_arviz")
    takes_any = _takes_any_name(az)
    if isinstance(data, Mapping):
        names = renaming(data, takes_any)
        draws = {names[name]: np.asarray(x) for name, x in data.items()}
        made = az.from_dict(draws) if takes_any else az.from_dict({"posterior": draws})
        return _told(made, names)
    samples = data.get_samples()
    if not isinstance(samples, Mapping):
        raise SymmetryError(
            f"to_arviz: the MCMC's draws are {describe(samples)}; expected a dict of sites. Pass "
            "{'position': mcmc.get_samples(group_by_chain=True)}."
        )
    names = renaming(samples, takes_any)
    is_changed = any(old != new for old, new in names.items())
    source = _renamed_run(data, names) if is_changed else data
    made = _told(az.from_numpyro(source), names)
    if log_joint and source.sampler.model is not None:
        made = with_log_joint(made, source.sampler.model, *data._args, **data._kwargs)
    return made


def renaming(sites: Mapping[str, Any] | Sequence[str], takes_any: bool) -> dict[str, str]:
    """Names of sites, and what ArviZ calls them.

    :raises SymmetryError: where two would be one.
    """
    names = {name: name if takes_any else dotted(name) for name in sites}
    for old, new in names.items():
        others = [name for name in names if names[name] == new and name != old]
        if others:
            raise SymmetryError(
                f"to_arviz: ArviZ takes no {DIVIDER!r} in names, and with {DOT!r} in its place "
                f"{old!r} and {others[0]!r} are one. Rename one of them."
            )
    return names


def dotted(name: str) -> str:
    return name.replace(DIVIDER, DOT)


def _takes_any_name(az: Any) -> bool:
    """Whether this is ArviZ 0.x, which puts no names into paths."""
    return az.__version__.startswith("0.")


def _told(data: Any, names: Mapping[str, str]) -> Any:
    """The object, its posterior with the attribute ``renamed`` where names were changed."""
    changed = [f"{old} -> {new}" for old, new in names.items() if old != new]
    if not changed:
        return data
    posterior = get_group(data, "posterior").assign_attrs(renamed="; ".join(changed))
    return with_groups(data, {"posterior": posterior})


def _renamed_run(mcmc: Any, names: Mapping[str, str]) -> Any:
    """An MCMC as ArviZ reads it, its sites under other names."""

    def get_samples(group_by_chain: bool = False) -> dict[str, Any]:
        samples = mcmc.get_samples(group_by_chain=group_by_chain)
        return {names[name]: x for name, x in samples.items()}

    run = copy(mcmc)
    run.sampler, run.get_samples = _RenamedSampler(mcmc.sampler), get_samples
    return run


class _RenamedSampler:
    """A kernel whose model has other names."""

    def __init__(self, sampler: Any) -> None:
        self._sampler = sampler
        model: Callable[..., Any] | None = sampler.model
        self.model = None if model is None else Renamed(model, dotted)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)


def taken(
    data: Any, sym: Symmetry, log_joint: bool = False
) -> tuple[Any, Symmetry, Callable[[str], str]]:
    """Draws as an ArviZ object, the symmetry of its names, and how they were changed."""
    if isinstance(data, Mapping) and "posterior" not in group_names(data):
        sym.check_shapes({name: np.shape(x)[2:] for name, x in data.items()})
    # An object that came may have been made so, too.
    made = to_arviz(data, log_joint=log_joint)
    there = set(posterior_of(made).data_vars)
    every = [*sym.sites, *sym.label_sites]
    names = {site: dotted(site) for site in every if site not in there and dotted(site) in there}
    return made, sym.rename_sites(names), lambda name: name if name in there else dotted(name)
