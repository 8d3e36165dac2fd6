"""The posterior in two numbers a weight: means and standard deviations of aligned draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..alignment import align
from ..symmetry import Symmetry, SymmetryError, kinds
from ..symmetry.arguments import check_arguments
from ..symmetry.deprecated import renamed_arguments
from .arviz.samples import flat_draws
from .rhat_ess import load_arviz
from .scales import used_symmetry


@dataclass(frozen=True, repr=False)
class CompactPosterior:
    """A Gaussian over all sites, made by :func:`compact_posterior`.

    In a NumPyro model it is a prior, ``numpyro.sample("w1", dist.Normal(c.loc["w1"],
    c.scale["w1"]).to_event())``; as a guide, give :meth:`auto_normal_params` to an ``AutoNormal``
    of the model.

    :param loc: site name -> means.
    :param scale: site name -> marginal standard deviations, whatever the rank.
    :param factor: site name -> array ``(*site, rank)``: the covariance between entries is the
        product of their rows, across sites too.
    :param scaled: names of the units whose scales were aligned too; this is then no posterior's.
    """

    loc: dict[str, np.ndarray]
    scale: dict[str, np.ndarray]
    factor: dict[str, np.ndarray] = field(default_factory=dict)
    scaled: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        """How many directions the covariance has beside its diagonal."""
        if not self.factor:
            return 0
        return next(iter(self.factor.values())).shape[-1]

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return sum(x.size for x in jax.tree.leaves((self.loc, self.scale, self.factor)))

    def sample(
        self, rng_key: kinds.RngKey, sample_shape: kinds.SampleShape = ()
    ) -> dict[str, jax.Array]:
        """Draws, site name -> array of shape ``(*sample_shape, *site)``."""
        check_arguments(CompactPosterior.sample, locals())
        key, shared_key = jax.random.split(rng_key)
        shared = jax.random.normal(shared_key, (*sample_shape, self.rank))
        out = {}
        for name, own_key in zip(self.loc, jax.random.split(key, len(self.loc)), strict=True):
            loc, scale = jnp.asarray(self.loc[name]), jnp.asarray(self.scale[name])
            noise = jax.random.normal(own_key, (*sample_shape, *loc.shape), loc.dtype)
            if not self.rank:
                out[name] = loc + scale * noise
                continue
            factor = jnp.asarray(self.factor[name])
            # (*sample, rank) and (*site, rank) to (*sample, *site)
            common = jnp.tensordot(shared.astype(loc.dtype), factor, (-1, -1))
            left = jnp.sqrt(jnp.maximum(scale**2 - (factor**2).sum(-1), 0.0))
            out[name] = loc + left * noise + common
        return out

    def auto_normal_params(self, prefix: str = "auto") -> dict[str, np.ndarray]:
        """The parameters of NumPyro's ``AutoNormal`` that is this Gaussian, for sites on the whole
        real line.

        :param prefix: the guide's prefix.
        :returns: ``{site}_{prefix}_loc`` and ``_scale``, to be passed as ``params``.
        """
        check_arguments(CompactPosterior.auto_normal_params, locals())
        loc = {f"{name}_{prefix}_loc": x for name, x in self.loc.items()}
        scale = {f"{name}_{prefix}_scale": x for name, x in self.scale.items()}
        return loc | scale

    def to_arviz(self, rng_key: kinds.RngKey, num_draws: kinds.Positive = 1000) -> Any:
        """Draws as an ArviZ object, one chain, of the generation that is installed.

        :raises ImportError: where ArviZ is not installed.
        """
        check_arguments(CompactPosterior.to_arviz, locals())
        az = load_arviz("to_arviz")
        draws = self.sample(rng_key, (num_draws,))
        # (chain, draw, *site)
        groups = {"posterior": {name: np.asarray(x)[None] for name, x in draws.items()}}
        if az.__version__ >= "1":
            return az.from_dict(groups)
        return az.from_dict(**groups)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}{list(x.shape)}" for name, x in self.loc.items())
        moved = f", scales of {', '.join(self.scaled)} moved" if self.scaled else ""
        return f"CompactPosterior({shapes}, rank={self.rank}{moved})"


@renamed_arguments(sites="var_names")
def compact_posterior(
    data: Any,
    sym: Symmetry | None = None,
    *,
    var_names: kinds.VarNames | None = None,
    rank: kinds.NotNegative = 0,
    reference: Any = "mean",
    scales: str | Sequence[str] = (),
    **options: Any,
) -> CompactPosterior:
    """Mean and standard deviation of each weight over aligned draws (Xiao, Liu and Bamler 2023).

    Draws that name their units differently have means near zero and standard deviations that say
    how far units lie apart, not how sure they are: align them first (arXiv 2401.00611).

    :param data: an ArviZ object, or a mapping of draws ``(draw, *site)``.
    :param sym: align by this symmetry, all sites together; left out, the draws are taken as they
        are.
    :param var_names: which to keep; by default all that hold floats. Name them where the posterior
        holds predictions.
    :param rank: how many directions of correlation to keep: the leading ones of the correlation
        matrix, which leave every marginal standard deviation as it is.
    :param reference: as in :func:`numpyro_sym.align`, counted over all draws.
    :param scales: names of scaled ``Units`` whose scales are used too, as in
        :func:`numpyro_sym.rebasin`.
    :param options: of :func:`numpyro_sym.align`.
    :returns: a :class:`CompactPosterior`.
    :raises SymmetryError: where there are fewer than two draws, more directions than draws, or as
        :func:`numpyro_sym.align`.

    >>> mu = np.random.default_rng(0).normal([-3.0, 3.0], 0.1, size=(400, 2))
    >>> mu[200:] = mu[200:, ::-1]
    >>> from numpyro_sym import mixture
    >>> compact_posterior({"mu": mu}, mixture(2, {"mu": 0})).scale["mu"].round(1).tolist()
    [0.1, 0.1]
    >>> compact_posterior({"mu": mu}).scale["mu"].round(1).tolist()
    [3.0, 3.0]
    """
    check_arguments(compact_posterior, locals())
    chosen = list(flat_draws(data, var_names))
    draws = flat_draws(data, chosen)
    if sym is not None:
        # Aligned by all sites, cut after: one site alone may not tell the units apart.
        draws = flat_draws(data) | draws
    count = len(next(iter(draws.values()), ()))
    if count < 2 or not 0 <= rank < count:
        raise SymmetryError(
            f"compact_posterior: {count} draws do not give standard deviations and {rank} "
            "directions."
        )
    moved: tuple[str, ...] = ()
    if sym is not None:
        used = used_symmetry(sym, scales, "compact_posterior")
        moved = tuple(u.name for u in used if u.has_scales)
        draws = align(draws, reference, used, sample_ndim=1, **options).sites
    draws = {name: draws[name] for name in chosen}
    loc = {name: x.mean(0) for name, x in draws.items()}
    scale = {name: x.std(0, ddof=1) for name, x in draws.items()}
    factor = _factor(draws, loc, scale, rank) if rank else {}
    return CompactPosterior(loc, scale, factor, moved)


def _factor(
    draws: dict[str, np.ndarray],
    loc: dict[str, np.ndarray],
    scale: dict[str, np.ndarray],
    rank: int,
) -> dict[str, np.ndarray]:
    """The leading directions of the correlation matrix, in the units of the weights."""
    count = len(next(iter(draws.values())))
    columns = []
    for name, x in draws.items():
        unit = np.where(scale[name] > 0, scale[name], 1.0)
        columns.append(((x - loc[name]) / unit).reshape(count, -1))
    standard = np.concatenate(columns, -1)  # (draw, weight)
    _, spread, directions = np.linalg.svd(standard, full_matrices=False)
    # (rank, weight) to (weight, rank)
    wide = (directions[:rank] * spread[:rank, None]).T / np.sqrt(count - 1)
    ends = np.cumsum([s.size for s in scale.values()])[:-1]
    factor = {}
    for (name, s), rows in zip(scale.items(), np.split(wide, ends), strict=True):
        factor[name] = (s[..., None] * rows.reshape(*s.shape, rank)).astype(s.dtype)
    return factor
