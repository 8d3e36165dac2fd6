"""How long find_symmetry takes, each model in a fresh process: compilation included, imports not.

    python benchmarks/discovery_time.py [--against=FOLDER [--times=3]] [name ...]

Prints a table: seconds by the clock and of the processor (all threads; the fairer number on a busy
machine), the Units found, the memory that the process grew by and that of the parameters in
float64. With a checkout of another version, each model is timed in both by turns, so many times,
and the least seconds of the processor are compared.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "discovery"))


def resnet18(x, y):
    """Four stages of two residual blocks of 3x3 convolutions, widths 64 to 512, 11 million
    parameters.
    """

    def conv(h, name, size, width, stride=1):
        shape = (size, size, h.shape[-1], width)
        w = numpyro.sample(
            name, dist.Normal(0, (2 / (size * size * h.shape[-1])) ** 0.5).expand(shape).to_event(4)
        )
        h = jax.lax.conv_general_dilated(
            h, w, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return h + numpyro.sample(name + "b", dist.Normal(0, 1).expand([width]).to_event(1))

    h = jax.nn.relu(conv(x, "stem", 3, 64))
    for stage, width in enumerate((64, 128, 256, 512)):
        for block in range(2):
            name, stride = f"s{stage}b{block}", 2 if stage and not block else 1
            short = conv(h, name + "short", 1, width, stride) if stride == 2 else h
            inner = jax.nn.relu(conv(h, name + "c1", 3, width, stride))
            h = jax.nn.relu(short + 0.1 * conv(inner, name + "c2", 3, width))
    w = numpyro.sample("head", dist.Normal(0, 0.05).expand([512, 10]).to_event(2))
    numpyro.sample("y", dist.Categorical(logits=h.mean((1, 2)) @ w), obs=y)


def transformer(x, y, layers=6, d=256, heads=8, hidden=1024):
    """Pre-norm layers with causal attention and a GELU network each, 5 million parameters."""

    def site(name, *shape):
        return numpyro.sample(
            name, dist.Normal(0, shape[0] ** -0.5).expand(shape).to_event(len(shape))
        )

    def norm(h, name):
        h = (h - h.mean(-1, keepdims=True)) * jax.lax.rsqrt(h.var(-1, keepdims=True) + 1e-5)
        return h * site(name + "_scale", d) + site(name + "_bias", d)

    h = site("embedding", 512, d)[x] + site("position", x.shape[1], d)
    mask = jnp.tril(jnp.ones((x.shape[1], x.shape[1]), bool))
    for i in range(layers):
        z = norm(h, f"l{i}_n1")
        q, k, v = (
            jnp.einsum("btd,dhe->bthe", z, site(f"l{i}_{n}", d, heads, d // heads)) for n in "qkv"
        )
        scores = jnp.where(mask, jnp.einsum("bthe,bshe->bhts", q, k) / (d // heads) ** 0.5, -1e30)
        mixed = jnp.einsum("bhts,bshe->bthe", jax.nn.softmax(scores, -1), v)
        h = h + jnp.einsum("bthe,hed->btd", mixed, site(f"l{i}_o", heads, d // heads, d))
        z = norm(h, f"l{i}_n2")
        h = h + jax.nn.gelu(z @ site(f"l{i}_w1", d, hidden) + site(f"l{i}_b1", hidden)) @ site(
            f"l{i}_w2", hidden, d
        )
    numpyro.sample(
        "y",
        dist.Categorical(logits=norm(h, "out") @ site("unembedding", d, 512)).to_event(2),
        obs=y,
    )


def big_models():
    rng = np.random.default_rng(0)
    return {
        "ResNet-18": (resnet18, (rng.normal(size=(2, 32, 32, 3)), rng.integers(0, 10, 2))),
        "transformer": (
            transformer,
            (rng.integers(0, 512, (2, 16)), rng.integers(0, 512, (2, 16))),
        ),
    }


def one(name: str) -> None:
    from zoo import ZOO

    from numpyro_sym.discovery import find_symmetry
    from numpyro_sym.models import read_numpyro_model

    models = big_models() | {n: (c.model, c.args) for n, c in ZOO.items()}
    model, args = models[name]
    jax.jit(lambda x: x + 1)(1.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start, cpu = time.perf_counter(), time.process_time()
    sym = find_symmetry(model, *args)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    extra = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    size = sum(8 * np.prod(s) for s in read_numpyro_model(model, args, {}).shapes.values()) / 2**20
    print(f"{name:28s} {seconds:8.2f} {cpu:8.2f} {len(sym):6d} {extra:9.0f} {size:11.2f}")
    if len(sys.argv) > 3:
        print(sym, sym.explain(), sep="\n")


def row(folder: Path, name: str) -> str:
    """The table's line of one model, from a fresh process in a checkout."""
    command = [sys.executable, str(folder / "benchmarks" / "discovery_time.py"), "--one", name]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    ).stdout.rstrip()


def against(base: Path, names: list[str], times: int) -> None:
    """Seconds of the processor here and in another checkout, by turns."""
    here, sums = Path(__file__).parents[1], [0.0, 0.0]
    print(f"{'model':28s} {'before':>8s} {'now':>8s} {'ratio':>6s}", flush=True)
    for name in names:
        seconds = [
            [float(row(folder, name)[28:].split()[1]) for folder in (base, here)]
            for _ in range(times)
        ]
        before, now = map(min, zip(*seconds, strict=True))
        sums = [sums[0] + before, sums[1] + now]
        print(f"{name:28s} {before:8.2f} {now:8.2f} {now / before:6.2f}", flush=True)
    print(f"{'together':28s} {sums[0]:8.2f} {sums[1]:8.2f} {sums[1] / sums[0]:6.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        import jax
        import jax.numpy as jnp
        import numpy as np
        import numpyro
        import numpyro.distributions as dist

        warnings.simplefilter("ignore")
        one(sys.argv[2])
    else:
        import numpy as np
        from zoo import ZOO

        options = dict(x.removeprefix("--").split("=") for x in sys.argv[1:] if x.startswith("--"))
        names = [x for x in sys.argv[1:] if not x.startswith("--")] or [
            "ResNet-18",
            "transformer",
            *ZOO,
        ]
        if "against" in options:
            against(Path(options["against"]), names, int(options.get("times", 3)))
            sys.exit()
        print(
            f"{'model':28s} {'seconds':>8s} {'cpu':>8s} {'Units':>6s} {'MiB more':>9s} "
            f"{'parameters':>11s}",
            flush=True,
        )
        for name in names:
            print(row(Path(__file__).parents[1], name), flush=True)
