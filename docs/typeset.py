"""What pages do to figures, tables and pictures, so that the Markdown stays plain.

- ``1.2 +- .3`` is shown with a ±, from which its figure is never parted, nor 5 from its %.
- Cells of tables say what they hold, a figure, the sizes of a network, or prose, and tables that
  they have many columns: ``site.css`` keeps the first two on one line, gives prose room on a narrow
  screen, and sets the last smaller.
- Titles of the reference break between words of a name.
- A wide picture lies in a box of its own, which scrolls where the screen is narrow.
"""

import re
import struct
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

#: What a figure may be made of, with a digit somewhere.
_FIGURE = re.compile(r"(?=.*\d)[-+±\d.,:e%/\s]+")
_NETWORK = re.compile(r"\d+(-\d+)+")
MANY = 9  # columns of a table, from which on it is set smaller
PROSE = 50  # characters of a cell, from which on it is prose
WIDE = 700  # pixels of a picture, from which on it scrolls


def typeset(text):
    """Text with ± in place of +-, and without breaks that part a figure."""
    text = re.sub(r"(±|\+-) (?=[\d.])", "±\u00a0", text)
    text = re.sub(r"(?<=\d) %", "\u00a0%", text)
    return "±" if text == "+-" else text


def breakable(name):
    """A name that may break after dots and underscores, and before capitals."""
    return re.sub(r"(?<=[._])(?=\w)|(?<=[a-z])(?=[A-Z])", "\u200b", name)


def holds(text):
    """What a cell of a table holds, or none of these."""
    if _NETWORK.fullmatch(text):
        return "network"
    if _FIGURE.fullmatch(text):
        return "number"
    return "prose" if len(text) >= PROSE else None


def width_of(path):
    """Of a picture in pixels; 0 of what is no PNG."""
    start = Path(path).read_bytes()[:24]
    return struct.unpack(">I", start[16:20])[0] if start.startswith(b"\x89PNG") else 0


class Typeset(SphinxPostTransform):
    """Before pages are written."""

    default_priority = 900

    def run(self, **kwargs):
        for text in list(self.document.findall(nodes.Text)):
            if not isinstance(text.parent, (nodes.literal, nodes.FixedTextElement, nodes.math)):
                shown = typeset(text)
                if shown != text:
                    text.parent.replace(text, nodes.Text(shown))
        if self.env.docname.startswith("reference/"):
            for title in self.document.findall(nodes.title):
                title[:] = [nodes.Text(breakable(title.astext()))]
        for table in self.document.findall(nodes.tgroup):
            if table["cols"] >= MANY:
                table.parent["classes"].append("many")
        for cell in self.document.findall(nodes.entry):
            kind = holds(cell.astext())
            if kind:
                cell["classes"].append(kind)
        for image in list(self.document.findall(nodes.image)):
            if width_of(self.env.srcdir / image["uri"]) >= WIDE:
                inner = image.parent if isinstance(image.parent, nodes.reference) else image
                box = nodes.container(classes=["picture"])
                inner.replace_self(box)
                box += inner


def setup(app):
    app.add_post_transform(Typeset)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
