"""Pictures of every page, wide and narrow, light and dark, with headless Chromium.

python -m sphinx -b html docs html && python docs/screenshots.py html screenshots
"""

import argparse
import subprocess
from pathlib import Path

WIDTHS = (1280, 390)
#: The pages follow the theme that the system prefers.
DARK = "--blink-settings=preferredColorScheme=0"


def picture(page, folder, width, dark):
    """One page as a PNG; the window is as high as a page may be."""
    theme = "dark" if dark else "light"
    target = folder / f"{page.stem}-{width}-{theme}.png"
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={width},3000"]
    options += [DARK] if dark else []
    command = ["chromium", *options, f"--screenshot={target}", page.resolve().as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return target


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path, help="the folder of the built site")
    parser.add_argument("output", type=Path)
    parser.add_argument("names", nargs="*", help="pages, without .html; all of the first level")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    pages = [given.site / f"{name}.html" for name in given.names]
    for page in pages or sorted(given.site.glob("*.html")):
        for width in WIDTHS:
            for dark in (False, True):
                print(picture(page, given.output, width, dark), flush=True)


if __name__ == "__main__":
    main()
