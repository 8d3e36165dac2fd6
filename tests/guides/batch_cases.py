"""Small symmetries with a batch, on sites of independent Normals: small enough to list the whole
group.
"""

import jax
import jax.numpy as jnp
import numpyro
import registry
from jax.scipy.special import logsumexp

from numpyro_sym import Axis, Symmetry, Units

_HIDDEN = Units(
    "hidden",
    2,
    batch=3,
    incoming={"w": Axis(2, batch=0)},
    outgoing={"v": Axis(1, batch=0)},
    kind="signed",
)


def _attention():
    inner = [
        Units(
            "query-key",
            2,
            batch=2,
            kind="signed",
            incoming={"q": Axis(2, batch=1)},
            outgoing={"k": Axis(2, batch=1)},
        ),
        Units(
            "value",
            2,
            batch=2,
            kind="signed",
            incoming={"v": Axis(2, batch=1)},
            outgoing={"out": Axis(1, batch=0)},
        ),
    ]
    shapes = {"q": (2, 2, 2), "k": (2, 2, 2), "v": (2, 2, 2), "out": (2, 2)}
    return Symmetry([*inner, Units("head", 2, axes={"q": 1, "k": 1, "v": 1, "out": 0})]), shapes


def _flat_heads():
    """Heads side by side along an axis, with the signs of what stands in each."""
    inside = Axis(0, batch=Axis(0, inner=2))
    value = Units(
        "value",
        2,
        batch=2,
        kind="signed",
        incoming={"v": Axis(1, batch=Axis(1, inner=2))},
        outgoing={"out": inside},
    )
    head = Units("head", 2, axes={"v": Axis(1, inner=2), "out": Axis(0, inner=2)})
    return Symmetry([head, value]), {"v": (2, 4), "out": (4, 2)}


def _layers_of_members():
    """Two hidden layers of each of two members; the members exchanged."""
    first = Units("first", 2, batch=2, axes={"a": Axis(1, batch=0), "b": Axis(1, batch=0)})
    second = Units(
        "second", 2, batch=2, axes={"b": Axis(2, batch=0), "c": Axis(1, batch=0)}, kind="signed"
    )
    second = second.with_axes(
        {s: tuple(Axis(a.axis, batch=0, power=1) for a in axs) for s, axs in second.placements}
    )
    return Symmetry([first, second, Units("member", 2, axes={"a": 0, "b": 0, "c": 0})]), {
        "a": (2, 2),
        "b": (2, 2, 2),
        "c": (2, 2),
    }


def _shared_inputs():
    """Inputs that may come in any order, the same one for all of three layers."""
    inputs = Units("input", 2, axes={"w": 1})
    return Symmetry([_HIDDEN, inputs]), {"w": (3, 2, 2), "v": (3, 2)}


def _heads(*others):
    """Two layers of two heads of two units; what exchanges the layers may come on top."""
    head = Units("head", 2, batch=2, axes={"w": Axis(1, batch=0), "bias": Axis(0, batch=1)})
    unit = Units("unit", 2, batch=(2, 2), axes={"w": Axis(2, batch=(0, 1))})
    return Symmetry([*others, head, unit]), {"w": (2, 2, 2, 2), "bias": (2, 2)}


CASES = {
    "heads of layers": _heads(),
    "heads of layers of members": _heads(Units("member", 2, axes={"w": 0, "bias": 1})),
    "signed heads of layers": _heads(
        Units("sign", 2, batch=2, kind="signed", incoming={"w": Axis(3, batch=0)}),
    ),
    "subjects": (
        Symmetry(
            [
                Units(
                    "component",
                    3,
                    batch=3,
                    axes={"mu": Axis(1, batch=0), "sigma": Axis(-1, batch=-2)},
                )
            ]
        ),
        {"mu": (3, 3), "sigma": (3, 3)},
    ),
    "transitions": (
        Symmetry(
            [
                Units(
                    "state",
                    3,
                    batch=2,
                    axes={"t": (Axis(1, batch=0), Axis(2, batch=0)), "mu": Axis(1, batch=0)},
                )
            ]
        ),
        {"t": (2, 3, 3), "mu": (2, 3)},
    ),
    "two batch axes": (
        Symmetry([Units("unit", 2, batch=(2, 3), axes={"w": Axis(2, batch=(0, 1))})]),
        {"w": (2, 3, 2, 2)},
    ),
    "blocks": (
        Symmetry(
            [Units("unit", 2, batch=2, axes={"x": Axis(0, start=1, outer=2, inner=2, batch=1)})]
        ),
        {"x": (10, 2)},
    ),
    "members": (
        Symmetry([Units("member", 3, axes={"w": 0, "v": 0}), _HIDDEN]),
        {"w": (3, 2, 2), "v": (3, 2)},
    ),
    "signs of sets": (
        Symmetry(
            [
                _HIDDEN,
                Units(
                    "group",
                    3,
                    incoming={"scale": 0},
                    outgoing={"v": 0},
                    axes={"w": 0},
                    kind="signed",
                ),
            ]
        ),
        {"w": (3, 2, 2), "v": (3, 2), "scale": (3,)},
    ),
    "heads": _attention(),
    "heads in one axis": _flat_heads(),
    "subjects in one row": (
        Symmetry(
            [
                Units(
                    "component",
                    3,
                    batch=3,
                    axes={
                        "mu": Axis(0, batch=Axis(0, inner=3)),
                        "sigma": Axis(1, batch=0),
                    },
                )
            ]
        ),
        {"mu": (9,), "sigma": (3, 3)},
    ),
    "layers of members": _layers_of_members(),
    "inputs of layers": _shared_inputs(),
    "rows and columns": (
        Symmetry(
            [
                Units("column", 3, axes={"w": 1, "column": 0}),
                Units("unit", 2, batch=(2, 3), axes={"w": Axis(2, batch=(0, 1))}),
                Units("row", 2, axes={"w": 0, "row": 0}),
            ]
        ),
        {"w": (2, 3, 2, 2), "row": (2,), "column": (3,)},
    ),
}


def over_group(function, sym, sites):
    """``log sum_g exp(function(g sites))`` over every element."""
    each = jax.jit(
        lambda every: jax.lax.map(lambda g: function(sym.act(g, sites)), every, batch_size=2048)
    )
    return logsumexp(each(jax.tree.map(jnp.asarray, sym.elements())))


def params_of(guide, args, rng_key, spread=0.7):
    """Parameters of a guide far from any tie."""
    with numpyro.handlers.seed(rng_seed=0):
        trace = numpyro.handlers.trace(guide).get_trace(*args)
    params = {name: site["value"] for name, site in trace.items() if site["type"] == "param"}
    keys = jax.random.split(rng_key, len(params))
    noise = {
        name: jax.random.normal(key, x.shape)
        for key, (name, x) in zip(keys, params.items(), strict=True)
    }
    return {
        name: x + spread * noise[name] if name.endswith("loc") else x * jnp.exp(0.5 * noise[name])
        for name, x in params.items()
    }


def registered(name):
    """A case of the registry."""
    return registry.BY_NAME[name]
