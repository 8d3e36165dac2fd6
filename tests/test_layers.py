"""The import graph: arrows point down, one folder a layer, foreign frameworks in their places."""

import ast
from pathlib import Path

import numpyro_sym

ROOT = Path(numpyro_sym.__file__).parent
#: A layer may import the layers named after it.
BELOW = {
    "symmetry": set(),
    "discovery": {"symmetry"},
    "alignment": {"symmetry"},
    "guides": {"symmetry", "alignment", "discovery"},
    "mcmc": {"symmetry", "alignment", "discovery"},
    "diagnostics": {"symmetry", "alignment", "discovery", "guides", "mcmc"},
    "plots": {"symmetry", "alignment", "discovery", "guides", "mcmc", "diagnostics"},
}
#: Where a framework may be imported.
HOMES = {
    "numpyro": ("guides/", "mcmc/", "discovery/model.py", "discovery/points.py"),
    "xarray": ("diagnostics/", "plots/"),
    "arviz": ("diagnostics/", "plots/"),
    "matplotlib": ("plots/",),
}


def imports(path):
    """(package, layer or None) of every import statement in a file, those in functions too."""
    own = path.relative_to(ROOT).parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], None
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                yield node.module.split(".")[0], None
            else:
                base = own[: len(own) - node.level]
                target = (*base, *(node.module or "").split("."))
                yield "numpyro_sym", target[0] or None


def files():
    return [path for path in ROOT.rglob("*.py") if path.parent != ROOT]


def test_arrows_point_down():
    assert files()
    for path in files():
        layer = path.relative_to(ROOT).parts[0]
        for package, target in imports(path):
            if package == "numpyro_sym" and target not in (None, layer):
                assert target in BELOW[layer], f"{path.relative_to(ROOT)} imports {target}"


def test_foreign_frameworks_stay_in_their_places():
    seen = set()
    for path in files():
        name = path.relative_to(ROOT).as_posix()
        for package, _ in imports(path):
            if package in HOMES:
                seen.add(package)
                assert name.startswith(HOMES[package]), f"{name} imports {package}"
    assert {"numpyro", "xarray", "arviz"} <= seen


def test_everything_public_is_exported_on_purpose():
    public = {name for name in vars(numpyro_sym) if not name.startswith("_")}
    layers = {path.name for path in ROOT.iterdir() if path.is_dir()}
    for name in public - layers:
        assert vars(numpyro_sym)[name].__module__.startswith("numpyro_sym"), name
        assert vars(numpyro_sym)[name].__doc__, name
