"""Estimates of the information bracket its exact value, on the same draws."""

import guess_cases as cases
import jax
import pytest

from numpyro_sym.guides.bounds import _information as module


@pytest.mark.slow
def test_brackets_the_sum_over_the_group(x64, monkeypatch):
    """Two layers, whose group is small enough to list, as though it were not."""

    sym, shapes = cases.layers([3, 3], "permutation")
    base = cases.mean_field(cases.normals(shapes, 0.7))
    exact = module.information(jax.random.key(0), sym, base, 2000, 2)
    monkeypatch.setattr(module, "exact_by_parts", lambda *args: None)
    module._bracket.clear_cache()
    told = module.information(jax.random.key(0), sym, base, 2000, 2)
    assert exact.lower == exact.upper < exact.log_order
    module._bracket.clear_cache()
    # Errors of differences on the same draws are some .005; with one element drawn either side is
    # loose.
    assert told.lower + 0.01 < exact.lower < told.upper - 0.01
    assert told.upper - told.lower < 0.2
