"""States of BlackJAX's variational inference as Gaussians over sites, and back."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..symmetry import SymmetryError, kinds
from ..symmetry.arguments import check_arguments, refusal
from ..symmetry.arrays import real_array
from .pytrees import pytree_of, sites_of

_EXPECTED = "a state of blackjax.vi.meanfield_vi or blackjax.vi.fullrank_vi"
_REMEDY = "Draws of others (Pathfinder, SVGD) go to numpyro_sym.align."


def gaussian_of_state(state: Any) -> tuple[dict[str, Any], Any]:
    """Means by site, and standard deviations by site or the covariance of all values.

    What comes out goes into :func:`~numpyro_sym.alignment.align_gaussians` or
    :func:`~numpyro_sym.alignment.align_full_gaussians`, and back by :func:`state_with_gaussian`.

    :param state: of ``blackjax.vi.meanfield_vi`` or ``blackjax.vi.fullrank_vi``.
    :returns: site name -> means, and site name -> standard deviations (mean field) or an array
        ``(values, values)``: the sites' values in their order, each flat.
    :raises SymmetryError: where it is no such state.

    >>> from typing import NamedTuple
    >>> class MFVIState(NamedTuple):  # as BlackJAX's
    ...     mu: dict
    ...     rho: dict
    ...     opt_state: tuple = ()
    >>> state = MFVIState({"w": np.array([1.0, 2.0])}, {"w": np.log([3.0, 4.0])})
    >>> gaussian_of_state(state)[1]["w"].round(6).tolist()
    [3.0, 4.0]
    """
    if isinstance(state, type) or not (_is_mean_field(state) or _is_full_rank(state)):
        raise SymmetryError(refusal("gaussian_of_state", "state", state, _EXPECTED, _REMEDY))
    loc = sites_of(state.mu)
    if _is_mean_field(state):
        return loc, {name: np.exp(np.asarray(x)) for name, x in sites_of(state.rho).items()}
    size = sum(np.size(x) for x in loc.values())
    packed = np.asarray(state.chol_params, float)
    if packed.shape != (size * (size + 1) // 2,):
        raise SymmetryError(
            f"gaussian_of_state: chol_params has shape {packed.shape}; the {size} values of mu "
            f"need {(size * (size + 1) // 2,)}."
        )
    # Logarithms of the diagonal, then what is below it, row by row.
    root = np.diag(np.exp(packed[:size]))
    root[np.tril_indices(size, -1)] = packed[size:]
    return loc, root @ root.T


def state_with_gaussian(state: Any, loc: kinds.Point, spread: Any) -> Any:
    """The state of another Gaussian: what the optimizer remembers stays as it was.

    :param state: as for :func:`gaussian_of_state`.
    :param loc: site name -> means.
    :param spread: site name -> standard deviations, or a covariance ``(values, values)``.
    :returns: a state of the same type.
    :raises SymmetryError: where sites or shapes are others, or the covariance is none.
    """
    check_arguments(state_with_gaussian, locals())
    before, old = gaussian_of_state(state)
    if set(loc) != set(before):
        raise SymmetryError(
            f"state_with_gaussian: loc has sites {sorted(loc)}; expected {sorted(before)}."
        )
    mu = pytree_of({name: jnp.asarray(loc[name]) for name in before}, state.mu)
    if isinstance(old, dict):
        if not isinstance(spread, dict) or set(spread) != set(old):
            expected = f"standard deviations of the sites {sorted(old)}, a dict"
            raise SymmetryError(refusal("state_with_gaussian", "spread", spread, expected))
        logs = {}
        for name, given in spread.items():
            x = real_array("state_with_gaussian", f"spread of {name!r}", given, "finite numbers")
            if (x <= 0).any():
                raise SymmetryError(
                    f"state_with_gaussian: standard deviations of {name!r} must be above 0; got "
                    f"{x.min()}."
                )
            logs[name] = jnp.log(jnp.asarray(x))
        return state._replace(mu=mu, rho=pytree_of(logs, state.rho))
    try:
        root = np.linalg.cholesky(np.asarray(spread, float))
    except (TypeError, ValueError, np.linalg.LinAlgError):
        root = np.zeros(0)
    if root.shape != old.shape:
        expected = f"a covariance, positive definite, of shape {old.shape}"
        raise SymmetryError(refusal("state_with_gaussian", "spread", spread, expected))
    packed = np.concatenate([np.log(np.diag(root)), root[np.tril_indices(len(root), -1)]])
    dtype = jnp.asarray(jax.tree.leaves(state.chol_params)[0]).dtype
    return state._replace(mu=mu, chol_params=jnp.asarray(packed, dtype))


def _is_mean_field(state: Any) -> bool:
    return hasattr(state, "mu") and hasattr(state, "rho") and hasattr(state, "_replace")


def _is_full_rank(state: Any) -> bool:
    return hasattr(state, "mu") and hasattr(state, "chol_params") and hasattr(state, "_replace")
