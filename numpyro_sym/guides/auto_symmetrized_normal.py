"""AutoNormal, averaged over the model's symmetry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import biject_to
from numpyro.infer.autoguide import AutoNormal

from ..symmetry import Symmetry, kinds
from ..symmetry.arguments import check_arguments
from ..symmetry.stacks import stacked_shapes
from .auto_symmetrized import QUANTILE_DRAWS, AutoSymmetrized, Levels
from .bases.coordinates import elementwise
from .bases.marginals import entry_orbits, mixture_quantiles, pooled_quantiles
from .bounds.by_name import BoundName


class AutoSymmetrizedNormal(AutoSymmetrized):
    """:class:`~numpyro.infer.autoguide.AutoNormal`, averaged over a symmetry of the model.

    It stands where ``AutoNormal(model)`` stood; parameters keep their names. Its density is
    ``q_sym(w) = 1/|G| sum_g q(g^-1 w)`` on the sites of the symmetry, with the sites' constrained
    values acted on; other sites are as in ``AutoNormal``. So the ELBO gains the information
    ``I(g; w)`` that one component holds about which of its copies it is, and the optimum is no
    longer pulled between copies (Gelberg et al. 2024, *VI failures under model symmetries*).

    ``sample_posterior`` draws from ``q_sym``: units come in random order. ``median`` and
    ``quantiles`` are the marginals of ``q_sym``, which are alike for all units of a kind; bring
    draws to one labeling with :func:`numpyro_sym.rebasin` before reading single weights.

    :param model: a NumPyro model.
    :param sym: its :class:`~numpyro_sym.Symmetry`, of permutations and signs; left out, it is
        found from the model: what is proved to hold for any data that are arguments.
    :param bound: ``"exact"`` lists the group or computes a permanent; ``"guess"`` guesses which
        element made the draw, tight for one layer; ``"infonce"`` is the paper's, which stops at
        ``log(num_importance)`` nats of gain; ``"auto"`` is exact for up to 720 elements or 12 units
        that share no site with others, in each set of a batch, and the guess beyond.
    :param num_importance: elements in the average of ``"guess"`` (1 where not given: nothing is
        random; more are tighter) or ``"infonce"`` (16 where not given), the draw itself counted.
    :param check: whether to verify the symmetry numerically, for each set of arguments that the
        guide meets.
    :param evaluated: whether to use a found symmetry that evaluating the model suggests, without a
        proof.
    :param kwargs: as in ``AutoNormal``: ``prefix``, ``init_loc_fn``, ``init_scale``,
        ``create_plates``. An ``init_loc_fn`` that starts two units alike has that tie broken by a
        little noise.
    :raises SymmetryError: on construction for ``kind="scaled"`` units; on the first call where the
        symmetry does not fit the model or does not hold.

    >>> import jax, numpyro, numpyro.distributions as dist
    >>> from numpyro.infer import SVI, Trace_ELBO
    >>> import numpyro_sym as nsym
    >>> def model():
    ...     x = numpyro.sample("x", dist.Normal(0, 1).expand([2]).to_event(1))
    ...     numpyro.sample("obs", dist.Normal(x[0] * x[1], 0.1), obs=1.0)
    >>> sym = nsym.Symmetry([nsym.Units("factor", 2, axes={"x": 0})])
    >>> guide = nsym.AutoSymmetrizedNormal(model, sym)
    >>> svi = SVI(model, guide, numpyro.optim.Adam(0.01), Trace_ELBO())
    >>> result = svi.run(jax.random.key(0), 10, progress_bar=False)
    >>> sorted(result.params)
    ['x_auto_loc', 'x_auto_scale']
    """

    def __init__(
        self,
        model: kinds.Model,
        sym: Symmetry | None = None,
        *,
        bound: BoundName = "auto",
        num_importance: kinds.Positive | None = None,
        check: bool = True,
        evaluated: bool = False,
        **kwargs: Any,
    ) -> None:
        check_arguments(AutoSymmetrizedNormal.__init__, locals())
        base = AutoNormal(model, **kwargs)
        super().__init__(
            base, sym, bound=bound, num_importance=num_importance, check=check, evaluated=evaluated
        )

    def quantiles(
        self, params: kinds.Params, quantiles: Levels, *args: Any, **kwargs: Any
    ) -> dict[str, jax.Array]:
        """Marginal quantiles of ``q_sym``: of the equal mixture over each entry's orbit.

        :param params: parameters, as ``SVI.get_params`` gives them.
        :param quantiles: one or several numbers in (0, 1).
        :returns: site name -> array with a leading dimension over the quantiles.
        """
        check_arguments(AutoSymmetrizedNormal.quantiles, locals())
        if self._plain:
            return self.base_guide.quantiles(params, quantiles)
        self._refuse_others(params, args, kwargs)
        levels = jnp.ravel(jnp.asarray(quantiles, float))
        arrays = self.sym.on_arrays()
        normals = self._normals(params)
        free = {}
        for name, (loc, scale) in normals.items():
            of_site = levels.reshape((-1,) + (1,) * jnp.ndim(loc))  # (level, *site)
            free[name] = dist.Normal(loc, scale).icdf(of_site)
        trace = self.prototype_trace
        shapes = {name: np.shape(trace[name]["value"]) for name in self.sym.sites}
        shapes = stacked_shapes(self.sym.stacks, shapes)
        orbits = entry_orbits(arrays, shapes)
        mixing = [name for name in orbits if not elementwise(self._transform(name))]
        for name in orbits.keys() - set(mixing):
            loc, scale = normals[name]
            found = mixture_quantiles(orbits[name], loc.ravel(), scale.ravel(), levels)
            free[name] = found.reshape(free[name].shape)
        free = self.sym.unstack(free, sample_ndim=1)
        # Empty sites as they are: AutoNormal cannot tell how many rows these have.
        filled = {name: x for name, x in free.items() if x.size}
        result = free | dict(self.base_guide._constrain(filled))
        for name in mixing:
            loc, scale = normals[name]
            draws = dist.Normal(loc, scale).sample(jax.random.key(0), (QUANTILE_DRAWS,))
            rows = self._transform(name)(draws).reshape(QUANTILE_DRAWS, -1)  # (draw, entry)
            pooled = pooled_quantiles(orbits[name], rows, levels)
            pooled = pooled.reshape(len(levels), *shapes[name])
            result |= self.sym.unstack({name: pooled}, sample_ndim=1)
        return result

    def _normals(self, params: Mapping[str, Any]) -> dict[str, tuple[jax.Array, jax.Array]]:
        """Means and standard deviations of unconstrained values, of sites and of stacks."""
        loc, scale = {}, {}
        for name in self._init_locs:
            prefix = f"{name}_{self.prefix}"
            loc[name], scale[name] = params[f"{prefix}_loc"], params[f"{prefix}_scale"]
        loc, scale = self.sym.stack(loc), self.sym.stack(scale)
        return {name: (loc[name], scale[name]) for name in loc}

    def _transform(self, name: str) -> Any:
        """From unconstrained values of a site, or of any of a stack's."""
        site = self.sym.stacks.get(name, (name,))[0]
        return biject_to(self.prototype_trace[site]["fn"].support)
