"""How the reference shows types and members, and finds names."""

import inspect
import sys
import typing
from functools import reduce
from operator import or_

from numpy.typing import ArrayLike
from sphinx.pycode import ModuleAnalyzer

from numpyro_sym import alignment, diagnostics, guides, interop, mcmc, plots, symmetry

#: Where public names are.
LAYERS = (alignment, diagnostics, guides, interop, mcmc, plots, symmetry)

#: Of types that are unions or mappings, which have no docstring of their own.
ALIASES = {
    "numpyro_sym.alignment.SortKey": "What units are sorted by: a site, or a site and a "
    'row of it, ``"first"``, ``"sum"`` or ``"norm"``.',
    "numpyro_sym.models.Point": "Values of a model's sites, by name.",
}

#: What a named tuple gives a field for a docstring; the class documents its fields itself.
_ALIAS = "Alias for field number"


#: An argument that NumPy makes an array of; its type spelled out fills three lines. No parts where
#: NumPy gives it a name of its own.
_ARRAY_PARTS = typing.get_args(ArrayLike)
_ARRAY = type("ArrayLike", (), {"__module__": "numpy.typing"})


def plain_types(app, thing, bound_method):
    """Before a signature is shown: ``Annotated[int, ...]`` is an int."""
    function = getattr(thing, "__func__", thing)
    shown = [function]
    if getattr(function, "__name__", "") == "__init__":
        # Types of a dataclass stand in the class.
        owner = function.__qualname__.rpartition(".")[0]
        shown.append(function.__globals__.get(owner))
    for each in shown:
        if isinstance(getattr(each, "__annotations__", None), dict):
            module = sys.modules.get(each.__module__)
            within = inspect.unwrap(each)  # where the types were written
            scope = getattr(within, "__globals__", None) or getattr(module, "__dict__", {})
            for name, hint in each.__annotations__.items():
                each.__annotations__[name] = plain_type(hint, scope)
    # Sphinx has made one already where it keeps defaults as they are written.
    signature = getattr(function, "__dict__", {}).get("__signature__")
    if signature is not None:
        plain = function.__annotations__
        arguments = signature.parameters.values()
        arguments = [p.replace(annotation=plain.get(p.name, p.annotation)) for p in arguments]
        back = plain.get("return", signature.return_annotation)
        function.__signature__ = signature.replace(parameters=arguments, return_annotation=back)


def plain_type(hint, scope):
    """One type without what ``Annotated`` adds; as written where only a type checker knows it."""

    def holder(): ...

    holder.__annotations__ = {"it": hint}
    try:
        found = typing.get_type_hints(holder, scope)["it"]
    except (NameError, TypeError):
        return hint
    parts = typing.get_args(found)
    if not _ARRAY_PARTS or not all(part in parts for part in _ARRAY_PARTS):
        return found
    return reduce(or_, [part for part in parts if part not in _ARRAY_PARTS], _ARRAY)


def skip_aliases(app, what, name, thing, skip, options):
    """Fields of named tuples are documented with the class."""
    return True if (getattr(thing, "__doc__", None) or "").startswith(_ALIAS) else None


def say_aliases(app, what, name, thing, options, lines):
    """In place of what Python says of all unions, and of all mappings."""
    if name in ALIASES:
        lines[:] = [ALIASES[name]]


def find_ours(app, env, node, contnode):
    """Where a docstring names something of ours by its last name."""
    if node.get("refdomain") != "py":
        return None
    domain = env.get_domain("py")
    for module in ("numpyro_sym", *(layer.__name__ for layer in LAYERS)):
        full = f"{module}.{node['reftarget']}"
        if full in domain.objects:
            place = (env, node["refdoc"], app.builder, node["reftype"], full)
            return domain.resolve_xref(*place, node, contnode)
    return None


def without_overloads(app):
    """A function is shown as it is written, and not as type checkers are told."""
    analyze = ModuleAnalyzer.analyze

    def analyzed(self):
        analyze(self)
        self.overloads = {}

    ModuleAnalyzer.analyze = analyzed


def setup(app):
    app.connect("builder-inited", without_overloads)
    app.connect("missing-reference", find_ours)
    app.connect("autodoc-before-process-signature", plain_types)
    app.connect("autodoc-skip-member", skip_aliases)
    app.connect("autodoc-process-docstring", say_aliases)
