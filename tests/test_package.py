"""What is said about the package in more than one file is the same in each."""

import re
import tomllib
from pathlib import Path

import numpyro_sym

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_version():
    version = PROJECT["version"]
    assert numpyro_sym.__version__ == version
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text()
    assert f'version = "{version}"' in (ROOT / "conda/meta.yaml").read_text()


def test_the_recipe_of_conda_asks_for_what_pip_asks_for():
    recipe = (ROOT / "conda/meta.yaml").read_text()
    run = recipe[recipe.index("  run:") : recipe.index("test:")]
    listed = set(re.findall(r"- ([a-z]+) (>=\S+)", run)) - {("python", ">=3.11")}
    wanted = {tuple(re.fullmatch(r"([a-z]+)(>=.+)", d).groups()) for d in PROJECT["dependencies"]}
    assert listed == wanted
