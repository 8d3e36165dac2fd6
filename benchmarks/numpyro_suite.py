"""NumPyro's own tests with the names swapped, and as they are: what passes, and each difference.

The promise is that a kernel's or guide's name is the only change, so every test of NumPyro's is one
of this library's. ``swapped_names.py`` says what becomes what. Differences by design are listed
with their reasons.

python benchmarks/numpyro_suite.py CHECKOUT [--swap kernels guides] [--files test/infer/test_mcmc.py
    ...] [-k WORDS] [--timeout 300] [--json FILE] [--all]

CHECKOUT is a clone of NumPyro's repository at the release that is installed, which is the one that
is run. It takes pytest-timeout; funsor for some files. As they are run those tests alone that do
not pass swapped: the others pass both ways, or are of no concern. ``--all`` runs every one both
ways.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SWAPS = {
    "kernels": ("NUTS", "HMC", "SA", "BarkerMH", "AIES", "ESS"),
    "guides": (
        "AutoNormal",
        "AutoDiagonalNormal",
        "AutoMultivariateNormal",
        "AutoLowRankMultivariateNormal",
        "AutoBatchedMultivariateNormal",
        "AutoBatchedLowRankMultivariateNormal",
        "AutoIAFNormal",
        "AutoBNAFNormal",
    ),
}
FILES = {
    "kernels": (
        "test/infer/test_mcmc.py",
        "test/infer/test_hmc_gibbs.py",
        "test/infer/test_ensemble_mcmc.py",
        "test/infer/test_infer_util.py",
        "test/infer/test_reparam.py",
        "test/test_compile.py",
        "test/test_handlers.py",
        "test/test_pickle.py",
        "test/contrib/test_control_flow.py",
        "test/contrib/test_esc_proxies.py",
        "test/contrib/test_funsor.py",
        "test/contrib/test_infer_discrete.py",
        "test/contrib/test_module.py",
        "test/contrib/stochastic_support/test_dcc.py",
    ),
    "guides": (
        "test/infer/test_autoguide.py",
        "test/infer/test_calibration.py",
        "test/infer/test_infer_util.py",
        "test/infer/test_reparam.py",
        "test/infer/test_svi.py",
        "test/test_compile.py",
        "test/test_pickle.py",
        "test/contrib/test_module.py",
        "test/contrib/einstein/test_steinvi.py",
        "test/contrib/stochastic_support/test_sdvi.py",
    ),
}

RUNS_IN_PYTHON = "counts how often Python runs the model: it is read once more, for a symmetry"
NO_OBSERVATIONS = (
    "one warning more, an error in NumPyro's tests: the model, or the part that a guide sees, "
    "has no data"
)
BY_NAME = "SteinVI refuses flows by the name of their class, and a flow that is wrapped has another"

#: Tests that differ by design, and why. A name here stands for all tests that begin with it.
BY_DESIGN: dict[str, str] = {
    "test/test_compile.py::test_mcmc_one_chain": RUNS_IN_PYTHON,
    "test/test_compile.py::test_autoguide": RUNS_IN_PYTHON,
    "test/infer/test_autoguide.py::test_mvn_quantile": NO_OBSERVATIONS,
    "test/infer/test_autoguide.py::test_autosemidais": NO_OBSERVATIONS,
    "test/contrib/einstein/test_steinvi.py::test_incompatible_autoguide": BY_NAME,
}


def run(checkout, tests, swapped, options):
    """Outcomes by test. Each file is a process of its own: what one leaves behind reaches no other.

    :param tests: file -> its tests to run, or nothing for all.
    """
    found = {}
    for name, some in tests.items():
        with tempfile.TemporaryDirectory() as folder:
            outcomes = Path(folder) / "outcomes"
            # An empty entry would be the checkout, as without -P: it is the NumPyro installed that
            # is run.
            path = os.pathsep.join(
                filter(None, [str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH")])
            )
            env = {
                **os.environ,
                "PYTHONPATH": path,
                "SWAPPED": " ".join(swapped),
                "OUTCOMES": str(outcomes),
            }
            command = [
                sys.executable,
                "-P",
                "-m",
                "pytest",
                "-q",
                "-p",
                "swapped_names",
                "-p",
                "no:cacheprovider",
            ]
            command += [f"--timeout={options.timeout}", "--log-level=INFO", *(some or [name])]
            command += ["-k", options.k] if options.k else []
            done = subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True)
            rows = (
                [json.loads(line) for line in outcomes.read_text().splitlines()]
                if outcomes.exists()
                else []
            )
        found |= {row["test"]: row for row in rows}
        passed = sum(row["outcome"] == "passed" for row in rows)
        print(
            f"  {name}: {passed} of {len(rows)} pass, {sum(row['seconds'] for row in rows):.0f} s",
            flush=True,
        )
        if done.returncode not in (0, 1, 5):
            print("\n".join(done.stdout.splitlines()[-15:]), done.stderr[-1000:], flush=True)
    return found


def passing(outcomes):
    return {name for name, row in outcomes.items() if row["outcome"] == "passed"}


def failing(outcomes):
    """file -> tests that do not pass and were not skipped."""
    by_file = {}
    for name, row in outcomes.items():
        if row["outcome"] == "failed":
            by_file.setdefault(name.split("::")[0], []).append(name)
    return by_file


def reason(test):
    return next((why for name, why in BY_DESIGN.items() if test.startswith(name)), "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout")
    parser.add_argument("--swap", nargs="+", default=["kernels", "guides"], choices=[*SWAPS])
    parser.add_argument("--files", nargs="+")
    parser.add_argument("-k", help="only tests whose names match, as in pytest")
    parser.add_argument("--timeout", type=int, default=300, help="seconds a test")
    parser.add_argument("--json", help="where to write all outcomes")
    parser.add_argument("--all", action="store_true", help="as they are, too, run every test")
    options = parser.parse_args()

    files = options.files or list(dict.fromkeys(f for part in options.swap for f in FILES[part]))
    tests = {f: [] for f in files if (Path(options.checkout) / f).exists()}
    print("swapped", flush=True)
    swapped = run(
        options.checkout, tests, [name for part in options.swap for name in SWAPS[part]], options
    )
    print("as it is", flush=True)
    as_is = run(options.checkout, tests if options.all else failing(swapped), [], options)
    if options.json:
        Path(options.json).write_text(json.dumps({"as is": as_is, "swapped": swapped}, indent=1))

    after = passing(swapped)
    before = passing(as_is) if options.all else passing(as_is) | after
    differ = sorted(before - after)
    for test in differ:
        row = swapped.get(test, {"outcome": "did not end", "message": "", "said": []})
        print(
            f"\n{test}: {row['outcome']}\n    "
            f"{row['message'].splitlines()[0] if row['message'] else ''}"
        )
        print(f"    {reason(test) or 'not by design'}")
        for line in row["said"] or ["nothing was folded"]:
            print(f"    {line}")
    print(f"\nas it is {len(before)} pass, swapped {len(before & after)} of these")
    unexplained = [test for test in differ if not reason(test)]
    share = 100 * len(differ) / max(len(before), 1)
    print(f"{len(differ)} differ ({share:.1f} %), {len(unexplained)} of them not by design")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
