"""Inline code that names something public becomes a link: the Markdown of a page stays plain.

`align`, `nsym.align`, `alignment.varimax` and `align(draws, "mean", sym)` lead to their pages, at
the first mention on a page outside of headings. Names of what Python has, too, are no links.
"""

import builtins
import re

import shown
from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

#: A name with or without the package's, alone or called.
_CODE = re.compile(r"(?:nsym\.|numpyro_sym\.)?([A-Za-z_][\w.]*)(?:\(.*\)\S*)?", re.DOTALL)
#: Pages that are lists of links already.
_NOT_IN = ("reference/", "api", "genindex")


def public_names(objects):
    """Full names of documented objects, by what a page may call them."""
    layers = [layer.__name__ for layer in shown.LAYERS]
    full_names = {}
    for home in ("numpyro_sym", *layers):
        for full in sorted(objects):
            name = full.removeprefix(f"{home}.")
            if name == full or full in layers:
                continue
            if home == "numpyro_sym" or "." not in name:
                full_names.setdefault(name, full)
    return full_names


def named_by(code, full_names):
    """The full name of what inline code names, or none."""
    found = _CODE.fullmatch(code)
    name = found[1] if found else ""
    return None if hasattr(builtins, name) else full_names.get(name)


class LinkNames(SphinxPostTransform):
    """Before references are resolved: literals become references."""

    default_priority = 5

    def run(self, **kwargs):
        if self.env.docname.startswith(_NOT_IN):
            return
        full_names = public_names(self.env.get_domain("py").objects)
        seen = set()
        for literal in list(self.document.findall(nodes.literal)):
            full = named_by(literal.astext(), full_names)
            if full is None or full in seen or _is_within(literal, nodes.title, nodes.reference):
                continue
            seen.add(full)
            place = {"refdomain": "py", "reftype": "obj", "refdoc": self.env.docname}
            link = addnodes.pending_xref("", reftarget=full, refexplicit=True, **place)
            literal.replace_self(link)
            link += literal


def _is_within(node, *kinds):
    while node is not None:
        if isinstance(node, (*kinds, addnodes.pending_xref)):
            return True
        node = node.parent
    return False


def setup(app):
    app.add_post_transform(LinkNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
