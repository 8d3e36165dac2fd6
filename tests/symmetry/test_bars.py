"""Progress bars: what draws them, what keeps them silent, and programs that run in parts."""

import inspect
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import optax
import pytest
from numpyro.infer.util import initialize_model
from public_names import exported

import numpyro_sym as nsym
from numpyro_sym import alignment, diagnostics
from numpyro_sym.mcmc import good_starts
from numpyro_sym.symmetry import bars
from numpyro_sym.symmetry.parts_of_rows import in_parts, mapped_in_parts

RNG = np.random.default_rng(0)
MU = {"mu": RNG.normal(size=(40, 3))}
W = {"w1": RNG.normal(size=(30, 4, 5)), "w2": RNG.normal(size=(30, 5, 2))}
LABELS = RNG.integers(3, size=(30, 8))
P = RNG.dirichlet(np.ones(3), size=(30, 8))
CHAINS = {"mu": RNG.normal(size=(2, 20, 3)), "lp": RNG.normal(size=(2, 20))}
LOADINGS = RNG.normal(size=(20, 6, 2))
MIXTURE = nsym.mixture(3, {"mu": 0})
NETWORK = nsym.mlp(["w1", "w2"], [5])
SCALE = {"w": np.ones(3)}


def model(y):
    mu = numpyro.sample("mu", dist.Normal(0, 5).expand([3]).to_event(1))
    mixture = dist.MixtureSameFamily(dist.Categorical(jnp.ones(3) / 3), dist.Normal(mu, 1.0))
    with numpyro.plate("rows", 4):
        numpyro.sample("y", mixture, obs=y)


def with_labels(y):
    mu = numpyro.sample("mu", dist.Normal(0, 5).expand([3]).to_event(1))
    with numpyro.plate("rows", 4):
        z = numpyro.sample("z", dist.Categorical(jnp.ones(3) / 3))
        numpyro.sample("y", dist.Normal(mu[z], 1.0), obs=y)


Y = np.arange(4.0)


def information(**options):
    guide = nsym.AutoSymmetrizedNormal(model, MIXTURE)
    params = {"mu_auto_loc": jnp.arange(3.0), "mu_auto_scale": jnp.ones(3)}
    return guide.symmetry_information(
        jax.random.key(0), params, jnp.asarray(Y), num_samples=32, **options
    )


#: Public function -> a call of it that is soon done.
CALLS = {
    "align": partial(nsym.align, W, "mean", NETWORK),
    "align_by_labels": partial(
        alignment.align_by_labels,
        {"mu": MU["mu"][:30], "z": LABELS},
        nsym.mixture(3, {"mu": 0}, assignments="z"),
    ),
    "align_varimax": partial(alignment.align_varimax, LOADINGS),
    "align_rotations": partial(
        diagnostics.align_rotations, {"w": LOADINGS.reshape(2, 10, 6, 2)}, {"w": 1}
    ),
    "check": partial(MIXTURE.check, model, Y),
    "check_draws": partial(
        diagnostics.check_draws, CHAINS, MIXTURE, lambda at: -(at["mu"] ** 2).sum()
    ),
    "data_based": partial(alignment.data_based, LABELS, np.arange(8.0), 3),
    "diagnose": partial(nsym.diagnose, CHAINS, MIXTURE, invariant="lp"),
    "ecr_iterative": partial(alignment.ecr_iterative, LABELS, 3),
    "ecr_soft": partial(alignment.ecr_soft, LABELS, P, np.repeat([0, 1], 4)),
    "find_symmetry": partial(nsym.find_symmetry, model, Y),
    "good_starts": partial(
        good_starts, jax.random.key(0), model, Y, num_tries=8, num_steps=33, within=1e6
    ),
    "label_probabilities": partial(
        diagnostics.label_probabilities,
        diagnostics.to_arviz({"mu": CHAINS["mu"]}),
        with_labels,
        Y,
        site="z",
    ),
    "loss_barrier": partial(
        nsym.loss_barrier, lambda p: (p["w"] ** 2).sum(), {"w": np.ones(3)}, {"w": -np.ones(3)}
    ),
    "marginalized_barrier": partial(
        diagnostics.marginalized_barrier,
        lambda p: p["w"],
        ({"w": np.ones(3)}, SCALE),
        ({"w": -np.ones(3)}, SCALE),
        jax.random.key(0),
    ),
    "mmd": partial(diagnostics.mmd, MU, MU, num_permutations=10),
    "predict_draws": partial(diagnostics.predict_draws, MU, lambda p: p["mu"], batch_size=2),
    "pruning_curve": partial(
        diagnostics.pruning_curve, lambda p: p["w"].sum(), {"w": np.ones(3)}, SCALE
    ),
    "rebasin": partial(nsym.rebasin, CHAINS, MIXTURE),
    "relabel": partial(alignment.relabel, MU, MIXTURE, probabilities=np.ones((40, 8, 3)) / 3),
    "remove_symmetry": partial(alignment.remove_symmetry, MU, MIXTURE),
    "stephens": partial(alignment.stephens, P),
    "symmetry_information": information,
    "varimax": partial(alignment.varimax, LOADINGS),
    "with_log_joint": partial(
        diagnostics.with_log_joint, diagnostics.to_arviz({"mu": CHAINS["mu"]}), model, Y
    ),
}
#: Tried elsewhere: they need dask, which has a bar of its own.
WITH_DASK = {"align_chunked", "rebasin_to_zarr"}


class Drawn:
    """What tqdm was asked to draw."""

    def __init__(self, made, desc, unit, total):
        made.append(self)
        self.desc, self.unit, self.total = desc, unit, total
        self.n, self.closed, self.start_t = 0, False, 0.0

    def update(self, number):
        self.n += number

    def close(self):
        self.closed = True


@pytest.fixture
def drawn(monkeypatch):
    """Bars that would be drawn, were all work long and somebody there to look."""
    made = []
    monkeypatch.setattr(bars.tqdm, "tqdm", lambda **options: Drawn(made, **options))
    monkeypatch.setattr(bars, "DELAY", 0.0)
    for name in ("CI", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)
    return made


@pytest.mark.parametrize("name", CALLS)
def test_a_bar_goes_to_its_end(name, drawn):
    CALLS[name]()
    assert len(drawn) == 1
    (bar,) = drawn
    inner = {"rebasin", "diagnose"}  # the bar is that of what they do
    assert bar.desc == ("rebasin" if name in inner else name)
    assert bar.closed
    assert bar.n > 0
    assert bar.total is None or bar.n == bar.total


@pytest.mark.parametrize("name", CALLS)
def test_a_bar_may_be_left_out(name, drawn):
    CALLS[name](progress_bar=False)
    assert not drawn


@pytest.mark.parametrize("variable", ["CI", "PYTEST_XDIST_WORKER"])
def test_nobody_looks_where_tests_run(variable, drawn, monkeypatch):
    monkeypatch.setenv(variable, "true")
    CALLS["align"]()
    CALLS["find_symmetry"]()
    assert not drawn


def test_short_work_shows_none(drawn, monkeypatch, capsys):
    monkeypatch.setattr(bars, "DELAY", 60.0)
    CALLS["align"]()
    assert not drawn
    assert capsys.readouterr().err == ""


def test_tqdm_itself_draws(monkeypatch, capsys):
    monkeypatch.setattr(bars, "DELAY", 0.0)
    for name in ("CI", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)
    CALLS["mmd"]()
    CALLS["find_symmetry"]()
    printed = capsys.readouterr().err
    for words in ("mmd: 100%", "1/1", "find_symmetry: ", "evaluations/s"):
        assert words in printed


def test_every_function_with_a_bar_was_called():
    taking = set()
    for name, thing in exported().items():
        inside = vars(thing).items() if inspect.isclass(thing) else [(name, thing)]
        for member, function in inside:
            hidden = member.startswith("_") or not inspect.isfunction(function)
            if not hidden and "progress_bar" in inspect.signature(function).parameters:
                taking.add(member.rpartition(".")[2])
    assert taking - WITH_DASK == CALLS.keys() - {"diagnose"}


def test_an_error_closes_the_bar(drawn):
    def fails(point):
        raise ValueError("no density")

    with pytest.raises(nsym.SymmetryError, match="no density"):
        diagnostics.check_draws(CHAINS, MIXTURE, fails)
    assert all(bar.closed for bar in drawn)
    CALLS["mmd"]()
    assert drawn[-1].desc == "mmd"


def test_of_bars_within_bars_the_outermost_is_drawn(drawn):
    with bars.progress("outer", "things", True):
        bars.expect("things", 2)
        bars.advance("things")
        CALLS["mmd"]()
        bars.advance("other things")
        bars.advance("things")
    assert [(bar.desc, bar.n) for bar in drawn] == [("outer", 2)]
    with bars.progress("outer", "things", False):
        CALLS["mmd"]()
    assert len(drawn) == 1


@pytest.mark.parametrize("number", [1, 2, 7, 21, 25, 63, 64, 65, 300, 4000])
@pytest.mark.parametrize("batch_size", [1, 8, 64])
def test_parts_are_rows_in_order(number, batch_size):
    seen = []

    def run(rows):
        seen.append(len(rows))
        return {"twice": 2 * rows}

    found = in_parts(run, np.arange(number), "rows", batch_size)
    assert found["twice"].tolist() == list(range(0, 2 * number, 2))
    assert len(set(seen)) == 1
    assert len(seen) <= 16
    # At most a fiftieth is done twice; one part is done as it is.
    assert sum(seen) - number <= 0.02 * number
    assert len(seen) == 1 or seen[0] % batch_size == 0


def test_a_program_is_compiled_once_and_holds_no_constants():
    data = jnp.asarray(RNG.normal(size=1000))
    traces = []

    def function(row):
        traces.append(1)
        return {"s": (data * row["x"]).sum()}

    rows = {"x": np.linspace(0, 1, 64)}
    found = mapped_in_parts(function, rows, "rows", 4)["s"]
    assert len(traces) == 1
    np.testing.assert_allclose(found, rows["x"] * float(data.sum()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("num_steps", [1, 33])
def test_good_starts_take_every_step_once(num_steps):
    """Against Adam's steps in a plain loop, whatever the runs of the program are."""

    def one():
        numpyro.sample("x", dist.Normal(3.0, 1.0))

    key = jax.random.key(1)
    found = good_starts(
        key, one, num_chains=4, num_tries=4, num_steps=num_steps, within=1e6, progress_bar=False
    )
    keys = jax.random.split(jax.random.split(key)[0], 4)
    x = initialize_model(keys, one).param_info.z["x"]
    adam = optax.adam(optax.cosine_decay_schedule(0.1, num_steps))
    state = adam.init(x)
    for _ in range(num_steps):
        updates, state = adam.update(x - 3.0, state)
        x = optax.apply_updates(x, updates)
    np.testing.assert_allclose(np.sort(found["x"]), np.sort(x), rtol=1e-5)
