"""Draws the pictures of the gallery, each by the code that stands before it on the page:

    python docs/draw_plots.py [NAME ...]

With ArviZ 1.x. Each picture remembers the code that it was drawn by, and a test compares the two.
"""

import re
import sys
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

PAGE = Path(__file__).with_name("gallery.md")
STEP = re.compile(r"^```python\n(.*?)^```$|^```\{image\} (gallery/\S+)$", re.DOTALL | re.MULTILINE)
LARGEST = 150_000  # bytes of a file


class Picture(NamedTuple):
    """A picture and what draws it.

    :param path: the file.
    :param code: what stands between the picture before it and this one.
    :param digest: of this and of the page's first block, which all pictures need.
    """

    path: Path
    code: str
    digest: str


def pictures() -> Iterator[Picture]:
    """All of the page, in order."""
    first, code = "", ""
    for found in STEP.finditer(PAGE.read_text()):
        block, name = found.groups()
        if block is not None:
            first = first or block
            code += block
            continue
        digest = sha256((first + code).encode()).hexdigest()
        yield Picture(PAGE.parent / name, code, digest)
        code = ""


def main(names: list[str]) -> None:
    """Run the whole page, and keep the pictures named; all where none is."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    namespace: dict[str, Any] = {"__name__": "gallery"}
    for path, code, digest in pictures():
        exec(compile(code, PAGE.name, "exec"), namespace)
        (number,) = plt.get_fignums()
        if not names or path.stem in names:
            keep(plt.figure(number), path, digest)
            size = path.stat().st_size
            print(path.name, size, "bytes", "- TOO LARGE" if size > LARGEST else "")
        plt.close("all")


def keep(figure: Any, path: Path, digest: str) -> None:
    """Save a figure in at most 256 colors, with the digest of its code."""
    from PIL import Image, PngImagePlugin

    drawn = BytesIO()
    figure.savefig(drawn, dpi=100, bbox_inches="tight", pad_inches=0.1)
    comment = PngImagePlugin.PngInfo()
    comment.add_text("Comment", digest)
    path.parent.mkdir(exist_ok=True)
    plain = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    plain.save(path, optimize=True, pnginfo=comment)


if __name__ == "__main__":
    main(sys.argv[1:])
