"""The installed package without extras: it works, and errors name the extra that is missing."""

from importlib.util import find_spec

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

import numpyro_sym as nsym
from numpyro_sym import plots
from numpyro_sym.diagnostics import diagnose, rebasin_to_zarr

for package in ("arviz", "matplotlib", "dask", "funsor"):
    assert find_spec(package) is None, f"{package} is here: this is no bare environment"

rng = np.random.default_rng(0)
sym = nsym.mixture(2, {"mu": 0})
draws = {"mu": rng.normal([0, 5], size=(4, 100, 2))}
one = nsym.align(draws, (0, 0), sym)
assert one.sites["mu"].shape == (4, 100, 2)


def components(y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 5).expand([2]).to_event(1))
    parts = dist.MixtureSameFamily(dist.Categorical(jnp.ones(2) / 2), dist.Normal(mu, 1))
    with numpyro.plate("rows", 5):
        numpyro.sample("y", parts, obs=y)


def assignments(y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 5).expand([2]).to_event(1))
    with numpyro.plate("rows", 5):
        z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2), infer={"enumerate": "parallel"})
        numpyro.sample("y", dist.Normal(mu[z], 1), obs=y)


assert nsym.find_symmetry(components, np.arange(5.0)).order == 2

LACKING = {
    "arviz": lambda: diagnose(draws, sym),
    "big": lambda: rebasin_to_zarr(draws, "out.zarr", sym),
    "enum": lambda: nsym.find_symmetry(assignments, np.arange(5.0)),
    "plots": lambda: plots.plot_assignment(one.elements, "component", 0, 1),
}
for extra, call in LACKING.items():
    said = "nothing"
    try:
        call()
    except Exception as error:
        said = repr(error)
    if f"numpyro_sym[{extra}]" not in said:
        raise SystemExit(f"Without the extra {extra!r} it says {said}.")
print("bare: passed")
