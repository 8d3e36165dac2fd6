"""The import graph: arrows point down, one folder a layer, foreign frameworks in their places."""

import ast
from pathlib import Path

import pytest

import numpyro_sym

DEFINITIONS = (ast.FunctionDef, ast.ClassDef)
ROOT = Path(numpyro_sym.__file__).parent
#: A layer may import the layers named after it.
BELOW = {
    "symmetry": set(),
    "models": {"symmetry"},
    "discovery": {"symmetry", "models"},
    "alignment": {"symmetry"},
    "guides": {"symmetry", "models", "discovery", "alignment"},
    "mcmc": {"symmetry", "models", "discovery", "alignment"},
    "diagnostics": {"symmetry", "models", "discovery", "alignment"},
    "interop": {"symmetry", "models"},
    "plots": {"symmetry", "models", "discovery", "alignment", "diagnostics"},
}
#: The arrows that point up, inside functions: ``Symmetry.check`` reads a model, ``Symmetry.plot``
#: draws.
UPWARD = {("symmetry/symmetry.py", "models"), ("symmetry/symmetry.py", "plots")}
#: Folders in a layer, and the folders and modules beside them that know them: these they may not
#: import.
INSIDE = {
    "alignment/engine": {"_align", "chunked", "sections", "relabeling", "metrics", "ranges"},
    "alignment/sections": {"_align", "chunked", "relabeling"},
    "diagnostics/chains": {"arviz", "_diagnose", "verdict"},
    "guides/bases": {"_align_guides", "auto_symmetrized", "auto_symmetrized_normal"},
    "guides/bounds": {"_align_guides", "auto_symmetrized", "auto_symmetrized_normal"},
}
#: Where a framework may be imported.
HOMES = {
    "numpyro": ("guides/", "interop/", "mcmc/", "models/"),
    "xarray": ("diagnostics/", "plots/"),
    "arviz": ("diagnostics/", "plots/"),
    "matplotlib": ("plots/",),
}


def imports(path):
    """(package, path inside the package, whether in a function) of every import statement in a
    file.
    """
    own = path.relative_to(ROOT).parts
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        within = node not in tree.body
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], (), within
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                yield node.module.split(".")[0], tuple(node.module.split(".")[1:]), within
                continue
            base = own[: len(own) - node.level]
            module = tuple(node.module.split(".")) if node.module else ()
            for alias in node.names:
                # ``from . import x``: the name may be the module.
                yield "numpyro_sym", (*base, *module) if module else (*base, alias.name), within


def files():
    return [path for path in ROOT.rglob("*.py") if path.parent != ROOT]


def test_arrows_point_down():
    assert {
        path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"
    } == BELOW.keys()
    upward = set()
    for path in files():
        layer = path.relative_to(ROOT).parts[0]
        for package, target, within in imports(path):
            if package != "numpyro_sym" or not target or target[0] in {layer, *BELOW[layer]}:
                continue
            arrow = path.relative_to(ROOT).as_posix(), target[0]
            assert within, f"{arrow[0]} imports {target[0]}"
            upward.add(arrow)
    assert upward == UPWARD


@pytest.mark.parametrize("folder", INSIDE)
def test_folders_inside_a_layer_do_not_know_who_uses_them(folder):
    layer = folder.split("/")[0]
    assert all(list((ROOT / layer).glob(f"{name}*")) for name in INSIDE[folder])
    for path in (ROOT / folder).rglob("*.py"):
        for package, target, _ in imports(path):
            if package == "numpyro_sym" and target[:1] == (layer,):
                assert len(target) > 1, f"{path.relative_to(ROOT)} imports its own layer's names"
                assert target[1] not in INSIDE[folder], (
                    f"{path.relative_to(ROOT)} imports {target[1]}"
                )


def test_no_module_bears_the_name_of_what_it_holds():
    """Else ``package.name`` is the module or the function, as the order of imports will have it."""
    for path in files():
        held = {
            node.name for node in ast.parse(path.read_text()).body if isinstance(node, DEFINITIONS)
        }
        assert path.stem not in held, path.relative_to(ROOT)


def test_foreign_frameworks_stay_in_their_places():
    seen = set()
    for path in files():
        name = path.relative_to(ROOT).as_posix()
        for package, _, _ in imports(path):
            if package in HOMES:
                seen.add(package)
                assert name.startswith(HOMES[package]), f"{name} imports {package}"
    assert {"numpyro", "xarray", "arviz"} <= seen


def test_everything_public_is_exported_on_purpose():
    layers = {path.name for path in ROOT.iterdir() if path.is_dir()}
    for name in dir(numpyro_sym):
        value = getattr(numpyro_sym, name)
        if name in layers or name.startswith("_"):
            continue
        assert value.__module__.startswith("numpyro_sym"), name
        assert value.__doc__, name
