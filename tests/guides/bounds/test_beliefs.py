"""Where the places of other units are beliefs, entries have the moments of the mixture
over these.
"""

import guess_cases as cases
import jax
import numpy as np
import pytest
from scipy.stats import norm

from numpyro_sym.guides.bounds.beliefs import Belief, fit_of

pytestmark = pytest.mark.usefixtures("x64")


@pytest.mark.parametrize("kind", ["permutation", "signed"])
def test_moments_are_those_of_the_mixture_over_beliefs(kind):
    sym, shapes = cases.layers([3, 2], kind)
    q = cases.normals(shapes, 2.0)
    x = cases.normals(shapes, 1.0, seed=7).loc
    place, sign = np.array([[0.7, 0.3], [0.3, 0.7]]), np.array([[0.5, -0.2], [0.1, -0.6]])
    if kind == "permutation":
        sign = place
    fit = fit_of(sym, sym.units[0], {sym.units[1].name: Belief(place, sign)}, x, q)
    for turn in (1, -1) if kind == "signed" else (1,):
        expected = np.zeros((3, 3))
        for unit, slot in np.ndindex(3, 3):
            for name in ("w0", "b0"):
                entry, own = (
                    np.asarray(a[name])[..., k].ravel() for a, k in ((x, unit), (q.loc, slot))
                )
                scale = np.sqrt(np.asarray(q.variance[name])[..., slot].ravel())
                expected[unit, slot] += norm.logpdf(turn * entry, own, scale).sum()
            loc, variance = np.asarray(q.loc["w1"])[slot], np.asarray(q.variance["w1"])[slot]
            for i, entry in enumerate(np.asarray(x["w1"])[unit]):
                mean = sign[i] @ loc
                scale = np.sqrt(place[i] @ (variance + loc**2) - mean**2)
                expected[unit, slot] += norm.logpdf(turn * entry, mean, scale)
        ours = jax.device_get(fit.even + turn * fit.odd)
        np.testing.assert_allclose(ours, expected, rtol=1e-10)
