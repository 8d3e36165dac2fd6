"""Every public name has a page of the reference."""

import importlib
import inspect
import re
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "api.md"
LAYERS = [
    "symmetry",
    "models",
    "discovery",
    "alignment",
    "guides",
    "mcmc",
    "diagnostics",
    "plots",
    "interop",
]


def exported():
    """Module -> its public names, without modules."""
    names = {}
    for module in ["numpyro_sym", *(f"numpyro_sym.{layer}" for layer in LAYERS)]:
        loaded = importlib.import_module(module)
        for name in dir(loaded):
            thing = getattr(loaded, name)
            if not name.startswith("_") and not inspect.ismodule(thing):
                names[f"{module}.{name}"] = thing
    return names


def test_every_public_name_has_a_page():
    listed = re.findall(r"^   ([A-Za-z_.]+)$", PAGE.read_text(), re.MULTILINE)
    listed.append("discovery.rules")  # a dict, described where it is listed
    names = exported()
    shown = {id(names[f"numpyro_sym.{name}"]) for name in listed if f"numpyro_sym.{name}" in names}
    missing = [name for name, thing in names.items() if id(thing) not in shown]
    assert missing == []


def test_every_notebook_is_a_tutorial_of_the_site():
    root = PAGE.parent.parent
    shown = re.findall(r"^tutorials/(\w+)$", (root / "docs/index.md").read_text(), re.MULTILINE)
    assert sorted(shown) == sorted(path.stem for path in (root / "notebooks").glob("*.md"))


def test_no_name_is_listed_twice():
    listed = re.findall(r"^   ([A-Za-z_.]+)$", PAGE.read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed))
