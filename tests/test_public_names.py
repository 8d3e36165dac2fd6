"""Public names and what they take are those of a file: a change of either shows in a review."""

from public_names import FILE, public


def test_public_names_are_those_of_the_file():
    assert public() == FILE.read_text(), "Run tests/public_names.py and say what changed."
