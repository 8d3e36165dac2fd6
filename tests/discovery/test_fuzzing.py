"""No claim about a random program is false, and the fuzzer sees the false ones."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fuzzing import Judge, check_faults, claims

from numpyro_sym import Units
from numpyro_sym.discovery.inference import rules
from numpyro_sym.discovery.layout import MisalignedError, Occurrence, Reason, Var, line_up, product


def judge(seeds):
    """How many claims are made, and those that are false."""
    made, false = 0, []
    with jax.enable_x64(True):
        for seed in seeds:
            for claim in claims(seed):
                made += 1
                if claim.is_false:
                    false.append((seed, claim.units))
    return made, false


def test_no_false_claim():
    made, false = judge(range(30))
    assert made > 100
    assert false == []


def test_an_axis_meets_itself_behind_one_position():
    """A variable on both sides, once behind a factor of length 1, has no end of refinements."""
    x, one, two = (((Occurrence(Var(n)),),) for n in (3, 1, 2))
    with pytest.raises(MisalignedError):
        line_up(product([x, two]), product([one, x, two]), Reason("it meets itself"))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 600, 300))
def test_no_false_claim_in_many_programs(first):
    made, false = judge(range(first, first + 300))
    assert made > 750
    assert false == []


#: Programs in which one operation alone tells positions, or signs, apart: without its rule's care a
#: claim is false.
TOLD_APART = {
    "reversal": lambda x, m: jnp.sum(jnp.flip(x) * jnp.sin(x)),
    "look-up out of order": lambda x, m: jnp.sum(x[np.array([1, 0, 3, 2])] * jnp.sin(x)),
    "look-up in reverse": lambda x, m: jnp.sum(x[np.array([3, 2, 1, 0])] * jnp.sin(x)),
    "look-up by a latent value": lambda x, m: jnp.take(x, jnp.argmax(m[0])),
    "sort of two": lambda x, m: jnp.sum(jnp.cos(jnp.argsort(x) + 1.0)),
    "maximum's position": lambda x, m: jnp.argmax(x) * 1.0,
    "running sum": lambda x, m: jnp.sum(jnp.cumsum(x) ** 2),
    "triangular solve": lambda x, m: jnp.sum(
        jax.scipy.linalg.solve_triangular(m @ m.T + 4 * jnp.eye(4), x) ** 2
    ),
    "Cholesky": lambda x, m: jnp.sum(jnp.linalg.cholesky(m @ m.T + 4 * jnp.eye(4)) ** 3),
    "runs with one sign": lambda x, m: jnp.sum(
        jnp.sin(jnp.concatenate([x, m[0]])) ** 2 * jnp.concatenate([m[0], x])
    ),
    "pooling": lambda x, m: jnp.sum(
        jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (2,), (1,), "VALID") ** 2
    ),
    "convolution": lambda x, m: jnp.sum(jnp.convolve(x, m[0]) ** 2),
    "scan in order": lambda x, m: jax.lax.scan(lambda c, v: (jnp.tanh(c + v), None), 0.3, x)[0],
    "carry that grows": lambda x, m: jnp.sum(
        jax.lax.scan(lambda c, _: (c * x, None), jnp.ones(4), None, 3)[0]
    ),
    "branch": lambda x, m: jax.lax.cond(x[0] > 0, lambda: jnp.sum(x), lambda: jnp.sum(x**2)),
    "loop's end": lambda x, m: jnp.sum(
        jax.lax.while_loop(lambda s: s[0] > 0.1, lambda s: s / 2, x)
    ),
    "mapped sum": lambda x, m: jax.lax.map(lambda v: jnp.sin(v), x).sum() + jnp.prod(x),
    "choice": lambda x, m: jnp.sum(jnp.where(x > 0, x, m[0]) ** 2),
    "step": lambda x, m: jnp.sum(x * (x > jnp.array([0.0, 0.0, 0.5, 0.5]))),
    "half": lambda x, m: jnp.sum(x[:2] ** 2) - jnp.sum(x[2:] ** 3),
    "every second": lambda x, m: jnp.sum(x[::2] ** 2) - jnp.sum(x[1::2] ** 3),
    "reshape": lambda x, m: jnp.sum(jnp.tanh(x.reshape(2, 2) @ m[:2, :2]) ** 2),
    "transposing reshape": lambda x, m: jnp.sum(
        jnp.sin(jax.lax.reshape(m, (16,), (1, 0)) * m.reshape(16))
    ),
    "branch of zeros": lambda x, m: x[jax.lax.cond(m[0, 0] > 0, lambda: 0, lambda: 2)] ** 2,
    "infinities": lambda x, m: jnp.sum(
        jnp.log(jax.nn.relu(x)) == jnp.array([-jnp.inf, jnp.inf, jnp.inf, jnp.inf])
    ),
    "tile": lambda x, m: jnp.sum(jnp.tile(x, 2) ** 2 * jnp.arange(8.0)),
    "pad": lambda x, m: jnp.sum(jnp.pad(x, (1, 0))[:4] * jnp.sin(x)),
    "powers": lambda x, m: jnp.sum(x**3) + jnp.sum(jnp.sqrt(jnp.abs(x))) + jnp.sum(x**2),
    "product": lambda x, m: jnp.prod(x) + jnp.prod(m, 0).sum(),
    "running extremes": lambda x, m: jnp.sum(jax.lax.cummax(x) * x),
    "exclusive or": lambda x, m: jnp.einsum(
        "ijk,i,j,k", (np.indices((2, 2, 2)).sum(0) % 2) * 1.0, x[:2], x[2:], m[0, :2]
    ),
}


@pytest.mark.parametrize("name", TOLD_APART)
def test_what_one_operation_tells_apart(name):
    def program(point):
        return TOLD_APART[name](point["x"], point["m"]) * 1.0

    with jax.enable_x64(True):
        assert [
            c.units for c in claims(0, ({"x": (4,), "m": (4, 4)}, program)) if c.verdict != "holds"
        ] == []


BROKEN = {
    "cumsum": lambda point: jnp.sum(jnp.cumsum(point["x"]) ** 2),
    "sort": lambda point: jnp.sum(jnp.sort(point["x"]) ** 2 * jnp.array([1.0, 1.0, 2.0, 2.0])),
    "exp": lambda point: jnp.sum(jnp.exp(point["x"]) ** 2),
}


@pytest.mark.parametrize("primitive", BROKEN)
def test_an_unsound_rule_is_seen(monkeypatch, primitive):
    """Negative control: with a rule that lets everything pass, false claims come out."""
    program = {"x": (4,)}, BROKEN[primitive]
    with jax.enable_x64(True):
        assert not any(c.is_false for c in claims(0, program))
        monkeypatch.setitem(rules, primitive, rules["neg"])
        assert any(c.is_false for c in claims(0, program))


# Values that turn on rounding ---------------------------------------------------------------------


def judged(program, units, shapes, seed=0):
    rng = np.random.default_rng(seed)
    with jax.enable_x64(True):
        return Judge(
            program, [{n: rng.normal(size=s) for n, s in shapes.items()} for _ in range(4)], rng
        )(units)


PAIR, SHAPES = Units("pair", 2, axes={"x": 0}), {"x": (2,)}


def floor_of_nothing(x, by):
    """The floor of a sum that is 0 but for rounding, whose sign its order decides."""
    third = jnp.array([0.1, 0.2]) * (1.0 + 0.0 * x)
    return jnp.floor(
        jnp.where(x[0] > x[1], (third[0] + third[1]) - 0.3, (0.3 - third[1]) - third[0]) * by
    )


@pytest.mark.parametrize(
    ("program", "verdict"),
    [
        (lambda p: jnp.sum(p["x"]) + floor_of_nothing(p["x"], 1.0), "turns on rounding"),
        (lambda p: p["x"] @ jnp.array([1.0, 1.001]) + floor_of_nothing(p["x"], 1.0), "false"),
        (lambda p: jnp.sum(p["x"]) + (p["x"][0] > p["x"][1]) * 1.0, "false"),
        (lambda p: jnp.sum(p["x"]), "holds"),
        (lambda p: jnp.log(-jnp.sum(p["x"] ** 2)), "not judged"),
    ],
)
def test_what_turns_on_rounding_is_told_from_what_is_false(program, verdict):
    assert judged(program, PAIR, SHAPES) == verdict


@pytest.mark.parametrize("seed", [100, 101, 103])
def test_the_check_and_the_judge_agree(seed):
    with jax.enable_x64(True):
        found = [(said, verdict) for _, said, verdict in check_faults(seed)]
    assert found
    assert ("refused", "holds") not in found
    assert ("passed", "false") not in found
