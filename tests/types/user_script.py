"""What a user writes, for ``mypy --strict`` and Pyright: both must pass, types be what they say.

Not run: ``.ci/run`` checks it.
"""

from typing import Any, assert_type

import arviz as az
import jax
import numpy as np
import xarray as xr
from numpyro.infer import MCMC

import numpyro_sym as nsym


def model(x: jax.Array, y: jax.Array | None = None) -> None: ...


def symmetries(x: jax.Array) -> nsym.Symmetry:
    hidden = nsym.Units("hidden", 3, incoming={"w1": 1}, outgoing={"w2": 0}, kind="signed")
    by_hand = nsym.Symmetry([hidden])
    assert_type(by_hand.order, int | float)  # infinite where there are scales
    found = nsym.find_symmetry(model, x)
    assert_type(found, nsym.Symmetry)
    assert_type(found.check(model, x), nsym.CheckReport)
    return found


def aligned(draws: dict[str, np.ndarray[Any, Any]], sym: nsym.Symmetry) -> None:
    done = nsym.align(draws, "mean", sym)
    assert_type(done, nsym.Alignment)
    assert_type(done.elements, dict[str, nsym.Element])


def inspected(data: az.InferenceData, posterior: xr.Dataset, sym: nsym.Symmetry) -> None:
    assert_type(nsym.rebasin(data, sym), az.InferenceData)
    assert_type(nsym.rebasin(posterior, sym), xr.Dataset)
    found = nsym.diagnose(data, sym)
    assert_type(found, nsym.Diagnosis)
    assert_type(found.fine, bool)


def sampled(sym: nsym.Symmetry, x: jax.Array) -> None:
    mcmc = MCMC(nsym.FoldedNUTS(model, sym), num_warmup=10, num_samples=10)
    mcmc.run(jax.random.key(0), x)


def guided(sym: nsym.Symmetry) -> None:
    guide = nsym.AutoSymmetrizedNormal(model, sym)
    assert_type(guide.sym, nsym.Symmetry)
