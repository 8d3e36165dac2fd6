"""Every public name has a page of the reference."""

import re
from pathlib import Path

from public_names import exported

PAGE = Path(__file__).parent.parent / "docs" / "api.md"


def listed():
    """Names that have a page, as the page of the reference lists them."""
    return re.findall(r"^   ([A-Za-z_.]+)$", PAGE.read_text(), re.MULTILINE)


def test_every_public_name_has_a_page():
    names = exported()
    with_page = [*listed(), "discovery.rules"]  # a dict, described where it is listed
    shown = {id(names[f"numpyro_sym.{n}"]) for n in with_page if f"numpyro_sym.{n}" in names}
    missing = [name for name, thing in names.items() if id(thing) not in shown]
    assert missing == []


def test_every_notebook_is_a_tutorial_of_the_site():
    root = PAGE.parent.parent
    shown = re.findall(r"^tutorials/(\w+)$", (root / "docs/index.md").read_text(), re.MULTILINE)
    assert sorted(shown) == sorted(path.stem for path in (root / "notebooks").glob("*.md"))


def test_no_name_is_listed_twice():
    assert len(listed()) == len(set(listed()))
