"""The random-permutation sampler: every copy of every mode is visited."""

from __future__ import annotations

from typing import Any

from ..models import latent_sites
from ..symmetry import Symmetry, SymmetryError
from ..symmetry.arguments import check_arguments
from .inner import Kernel
from .kernel import Prepared, SymmetricKernel
from .orbit_move import OrbitMove, refuse_without_refresh


class PermutationSampler(SymmetricKernel):
    """A kernel, and after each of its steps a uniform random element of the symmetry.

    The posterior being invariant, the element leaves it as it is, and the chain visits all copies
    of every mode alike: Fruehwirth-Schnatter 2001, Markov chain Monte Carlo estimation of classical
    and dynamic switching and mixture models, section 3. Sites named by label then all have the same
    marginals: bring the draws to one labeling by :func:`~numpyro_sym.rebasin` before single units
    are read.

    The kernel adapts to the symmetrized posterior. It costs one gradient a step.

    :param kernel: HMC or NUTS, or another kernel with ``refresh``, built from a model.
    :param sym: the model's :class:`~numpyro_sym.Symmetry`, of permutations and signs; left out, it
        is found from the model when the first chain starts.
    :param check: whether to verify a given symmetry numerically before a chain starts.
    :param evaluated: whether to use, where none is given, what evaluating the model suggests and
        nothing proves.
    :raises SymmetryError: for scaled units, a kernel without a model or one that cannot be moved;
        before sampling where the symmetry does not fit the model or does not hold.

    >>> import jax, numpyro, numpyro.distributions as dist
    >>> from numpyro.infer import MCMC, NUTS
    >>> import numpyro_sym as nsym
    >>> from numpyro_sym.mcmc import PermutationSampler
    >>> def model():
    ...     numpyro.sample("x", dist.Normal(0, 1).expand([3]).to_event(1))
    >>> kernel = PermutationSampler(NUTS(model), nsym.mixture(3, {"x": 0}))
    >>> mcmc = MCMC(kernel, num_warmup=10, num_samples=10, progress_bar=False)
    >>> mcmc.run(jax.random.key(0))
    >>> mcmc.get_samples()["x"].shape
    (10, 3)
    """

    def __init__(
        self,
        kernel: Kernel,
        sym: Symmetry | None = None,
        *,
        check: bool = True,
        evaluated: bool = False,
    ) -> None:
        check_arguments(PermutationSampler.__init__, locals())
        super().__init__(kernel, sym, check, evaluated)
        if self.model is None:
            raise SymmetryError(
                f"{self._who}: the kernel has no model. Build it from a model, not from "
                "potential_fn."
            )
        refuse_without_refresh(kernel)

    def _prepare(
        self, model: Any, sym: Symmetry, given: bool, args: tuple, kwargs: dict[str, Any]
    ) -> Prepared:
        sites, _ = latent_sites(model, args, kwargs)
        sym.check_shapes({name: site["value"].shape for name, site in sites.items()})
        return Prepared(sym, OrbitMove(self.kernel, sym, sites))

    def sample(self, state: Any, model_args: tuple, model_kwargs: Any) -> Any:
        state = self.kernel.sample(state, model_args, model_kwargs)
        now = self._now(model_args, model_kwargs)
        if not now.sym.units:
            return state
        return now.tools(lambda key, _: now.sym.sample(key), state, model_args, model_kwargs)
