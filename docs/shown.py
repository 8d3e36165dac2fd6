"""How the reference shows types and members, and finds names."""

import typing

from numpyro_sym import alignment, diagnostics, guides, interop, mcmc, plots, symmetry

#: Where public names are.
LAYERS = (alignment, diagnostics, guides, interop, mcmc, plots, symmetry)

#: What a named tuple gives a field for a docstring; the class documents its fields itself.
_ALIAS = "Alias for field number"


def plain_types(app, thing, bound_method):
    """Before a signature is shown: ``Annotated[int, ...]`` is an int."""
    function = getattr(thing, "__func__", thing)
    try:
        hints = typing.get_type_hints(function)  # without what Annotated adds
    except (NameError, TypeError):  # types that only a type checker imports
        return
    if isinstance(getattr(function, "__annotations__", None), dict):
        function.__annotations__.update(hints)


def skip_aliases(app, what, name, thing, skip, options):
    """Fields of named tuples are documented with the class."""
    return True if (getattr(thing, "__doc__", None) or "").startswith(_ALIAS) else None


def find_ours(app, env, node, contnode):
    """Where a docstring names something of ours by its last name."""
    domain = env.get_domain("py")
    for module in ("numpyro_sym", *(layer.__name__ for layer in LAYERS)):
        full = f"{module}.{node['reftarget']}"
        if node.get("refdomain") == "py" and full in domain.objects:
            place = (env, node["refdoc"], app.builder, node["reftype"], full)
            return domain.resolve_xref(*place, node, contnode)
    return None


def setup(app):
    app.connect("missing-reference", find_ours)
    app.connect("autodoc-before-process-signature", plain_types)
    app.connect("autodoc-skip-member", skip_aliases)
