"""Units are named by where they live."""

from types import SimpleNamespace

import pytest

from numpyro_sym import Units
from numpyro_sym.discovery._explain import Namer


def names(*groups, plates=None):
    namer = Namer(SimpleNamespace(plates=plates or {}))
    return [namer(Units("found", 3, axes=dict.fromkeys(sites, 0))).name for sites in groups]


@pytest.mark.parametrize("divider", ["/", ".", ":", "|", "->", "::"])
def test_the_last_part_of_a_path_whatever_divides_it(divider):
    def sites(*paths):
        return [path.replace("/", divider, 1) for path in paths]

    assert names(sites("net/a.kernel", "net/a.bias", "net/b.kernel"), sites("net/b.kernel")) == [
        "a",
        "b",
    ]
    assert names(sites("net/encoder.Dense_1.kernel")) == ["Dense_1"]
    assert names(sites("net/layers.0.kernel"), sites("net/layers[1].weight")) == [
        "layers.0",
        "layers[1]",
    ]
    assert names(sites("linear/weight", "linear/bias")) == ["linear"]
    assert names(sites("scope/w1", "scope/b1", "scope/w2")) == ["w1"]


@pytest.mark.parametrize("plate", ["component", "scope/component", "scope.component"])
def test_the_plate_before_the_module(plate):
    assert names(["net.a.kernel", "mu"], plates={"mu": {0: plate}}) == ["component"]


def test_sites_that_stand_alone_name_themselves():
    assert names(["weight", "bias"], ["scale"], ["w1", "w2"]) == ["weight", "scale", "w1"]


def test_each_name_is_given_once():
    assert names(["a", "b"], ["a"], ["a_2"], ["net/a.kernel"]) == ["a", "a_2", "a_2_2", "a_3"]
