"""How the reference shows types and members, and finds names."""

import typing

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


def plain_types(app, thing, bound_method):
    """Before a signature is shown: ``Annotated[int, ...]`` is an int."""
    function = getattr(thing, "__func__", thing)
    shown = [function]
    if getattr(function, "__name__", "") == "__init__":
        # Types of a dataclass stand in the class.
        owner = function.__qualname__.rpartition(".")[0]
        shown.append(function.__globals__.get(owner))
    for each in shown:
        try:
            hints = typing.get_type_hints(each)  # without what Annotated adds
        except (NameError, TypeError):  # types that only a type checker imports
            continue
        if isinstance(getattr(each, "__annotations__", None), dict):
            each.__annotations__.update(hints)


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
