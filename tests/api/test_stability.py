"""Public names and what they take, kept in a file: a change of either shows in a review.

    python tests/api/test_stability.py

writes the file anew; then say in the changelog what changed.
"""

import importlib
import inspect
from pathlib import Path

FILE = Path(__file__).parent / "public_names.txt"
LAYERS = ["symmetry", "models", "discovery", "alignment", "guides", "mcmc", "diagnostics", "plots"]


def arguments(function):
    """Names of arguments as in a call, ``=`` where one may be left out."""
    words = []
    keyword_only = False
    for p in inspect.signature(function).parameters.values():
        if p.kind is p.KEYWORD_ONLY and not keyword_only:
            words.append("*")
        keyword_only = keyword_only or p.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL)
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        words.append(f"{stars}{p.name}{'' if p.default is p.empty else '='}")
    return f"({', '.join(words)})"


def lines_of(name, thing):
    """A line for a function; for a class one more for each method and property of its own."""
    if inspect.isclass(thing):
        is_error = issubclass(thing, Exception)
        yield name + ("" if is_error else arguments(thing))
        for member, value in sorted(vars(thing).items()):
            if member.startswith("_") or (not callable(value) and not isinstance(value, property)):
                continue
            yield f"    .{member}" + ("" if isinstance(value, property) else arguments(value))
    else:
        yield name + (arguments(thing) if inspect.isroutine(thing) else "")


def public():
    """All of it, as text; a name that is exported twice stands where it comes first."""
    seen, lines = set(), []
    for module in ["numpyro_sym", *(f"numpyro_sym.{layer}" for layer in [*LAYERS, "interop"])]:
        loaded = importlib.import_module(module)
        for name in sorted(dir(loaded)):
            thing = getattr(loaded, name)
            if name.startswith("_") or inspect.ismodule(thing) or id(thing) in seen:
                continue
            seen.add(id(thing))
            lines += lines_of(f"{module}.{name}", thing)
    return "\n".join(lines) + "\n"


def test_public_names_are_those_of_the_file():
    assert public() == FILE.read_text(), f"Run python {__file__} and say what changed."


if __name__ == "__main__":
    FILE.write_text(public())
