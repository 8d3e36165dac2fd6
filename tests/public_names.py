"""Public names and what they take.

    python tests/public_names.py

writes tests/public_names.txt anew; then say in the changelog what changed.
"""

import importlib
import inspect
from pathlib import Path

FILE = Path(__file__).with_suffix(".txt")
LAYERS = (
    "symmetry",
    "models",
    "discovery",
    "alignment",
    "guides",
    "mcmc",
    "diagnostics",
    "plots",
    "interop",
)


def exported():
    """Module and name -> the public thing, without modules; one exported twice is there twice."""
    names = {}
    for module in ("numpyro_sym", *(f"numpyro_sym.{layer}" for layer in LAYERS)):
        loaded = importlib.import_module(module)
        for name in sorted(dir(loaded)):
            thing = getattr(loaded, name)
            if not name.startswith("_") and not inspect.ismodule(thing):
                names[f"{module}.{name}"] = thing
    return names


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
    if not inspect.isclass(thing):
        yield name + (arguments(thing) if inspect.isroutine(thing) else "")
        return
    is_error = issubclass(thing, Exception)
    yield name + ("" if is_error else arguments(thing))
    for member, value in sorted(vars(thing).items()):
        if member.startswith("_"):
            continue
        if isinstance(value, property):
            yield f"    .{member}"
        elif callable(value):
            yield f"    .{member}{arguments(value)}"


def public():
    """All of it, as text; a name that is exported twice stands where it comes first."""
    seen, lines = set(), []
    for name, thing in exported().items():
        if id(thing) not in seen:
            seen.add(id(thing))
            lines += lines_of(name, thing)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(public())
