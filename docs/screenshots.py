"""Every page wide and narrow, in headless Chromium: pictures, and what does not fit.

python -m sphinx -b html docs html && python docs/screenshots.py html screenshots

A picture holds a page at both widths, side by side, in light or in dark; a tall page is several
pictures. Fails where a page, or a block of a wide page, is wider than its place; on a narrow one
blocks may scroll, the page may not. Formulas are there where the pages' MathJax can be reached.
"""

import argparse
import json
import queue
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

WIDTHS = (1280, 390)
HIGHEST = 12_000  # pixels of a picture
WAIT = 10_000  # milliseconds that a page is given to be complete, of a clock that need not tick
#: The pages follow the theme that the system prefers.
DARK = "--blink-settings=preferredColorScheme=0"
#: Chromium's windows are 500 wide at least, frames are not: each page is seen in frames.
FRAMES = "<style>body {margin: 0; display: flex} iframe {border: 0; flex: none}</style>"

#: Asked of a page: its height, and each box that something is wider than.
MEASURE = """
const MARGIN = 8;  // headings and signatures of the theme reach so far into the margin
function measured(frame) {
  const page = frame.contentDocument, root = page.documentElement, found = [], seen = new Set();
  if (root.scrollWidth > root.clientWidth)
    found.push(["page", "sticks out", root.scrollWidth - root.clientWidth, ""]);
  for (const box of [...page.querySelectorAll("article *")].reverse()) {
    const over = box.scrollWidth - box.clientWidth;
    if (box.clientWidth == 0 || over <= 1 || seen.has(box)) continue;
    const style = frame.contentWindow.getComputedStyle(box).overflowX;
    const kinds = {visible: "sticks out", hidden: "is cut", clip: "is cut"};
    const kind = kinds[style] || "scrolls";
    if (kind == "sticks out" && over <= MARGIN) continue;
    found.push([box.tagName.toLowerCase(), kind, over, box.textContent.trim().slice(0, 40)]);
    // What sticks out of a box sticks out of those around it: told once.
    for (let around = box; around; around = around.parentElement) seen.add(around);
  }
  return {height: root.scrollHeight, found};
}
async function all(pages, widths) {
  const frame = document.createElement("iframe"), told = [];
  document.body.append(frame);
  for (const width of widths) {
    frame.style.width = width + "px";
    frame.style.height = "800px";
    for (const page of pages) {
      const done = new Promise(resolve => { frame.onload = resolve });
      frame.src = page;
      await done;
      const formulas = frame.contentWindow.MathJax?.startup?.promise;
      await Promise.race([formulas, new Promise(resolve => setTimeout(resolve, 10_000))]);
      told.push({page, width, ...measured(frame)});
    }
  }
  await fetch("/measured", {method: "POST", body: JSON.stringify(told)});
}
"""


class Site(SimpleHTTPRequestHandler):
    """The built site; ``/measure`` measures its pages, ``/frames`` shows one at all widths."""

    def do_GET(self):
        at = urlsplit(self.path)
        if at.path == "/measure":
            call = f"all({json.dumps(self.server.pages)}, {json.dumps(WIDTHS)})"
            self.say(f"{FRAMES}<body><script>{MEASURE} {call}</script>")
        elif at.path == "/frames":
            asked = parse_qs(at.query)
            page, height, top = (asked[name][0] for name in ("page", "height", "top"))
            frame = '<iframe src="{}" width="{}" height="{}" style="margin-top: -{}px"></iframe>'
            frames = [frame.format(page, width, height, top) for width in WIDTHS]
            self.say(FRAMES + "".join(frames))
        else:
            super().do_GET()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.put(json.loads(body))
        self.say("")

    def say(self, html):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(f"<!doctype html>{html}".encode())

    def log_message(self, *_):
        pass


@contextmanager
def served(site, pages):
    """The site, on a free port of this machine."""
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *request: Site(*request, directory=str(site))
    )
    server.pages, server.told = pages, queue.Queue()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def chromium(server, path, *options):
    """A browser that looks at a path of the site."""
    address = f"http://127.0.0.1:{server.server_port}/{path}"
    command = ["chromium", "--headless", "--no-sandbox", "--hide-scrollbars", *options, address]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure(server):
    """Of each page at each width: its height, and what does not fit."""
    # A browser with a port for its debugger stays until it is ended.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ("--remote-debugging-port=0", f"--user-data-dir={profile}")
        browser = chromium(server, "measure", *options)
        try:
            return server.told.get(timeout=900)
        finally:
            browser.terminate()
            browser.wait()


def pictures(server, page, height, dark, target):
    """A page at all widths: one PNG, or several of a tall page."""
    tops = range(0, height, HIGHEST)
    for number, top in enumerate(tops, 1):
        path = target if len(tops) == 1 else target.with_stem(f"{target.stem}-{number}")
        size = f"{sum(WIDTHS)},{min(HIGHEST, height - top)}"
        options = [f"--screenshot={path}", f"--window-size={size}"]
        options += [f"--virtual-time-budget={WAIT}", *([DARK] if dark else [])]
        frames = f"frames?page={page}&height={height}&top={top}"
        if chromium(server, frames, *options).wait(timeout=300) != 0:
            raise SystemExit(f"chromium made no picture of {page}")
        print(path, flush=True)


def faults(told):
    """What no page may do, as lines: a wide one has room, of a narrow one blocks may scroll."""
    lines = []
    for each in told:
        for tag, what, pixels, text in each["found"]:
            if what != "scrolls" or each["width"] == max(WIDTHS):
                at = f"{each['page']} at {each['width']}"
                lines.append(f"{at}: {tag} {what} by {pixels} pixels: {text!r}")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path, help="the folder of the built site")
    parser.add_argument("output", type=Path, nargs="?", help="of pictures; without it none")
    parser.add_argument("--pages", nargs="*", help="without .html; all, but pictures of no object")
    given = parser.parse_args()
    kinds = ("*.html", "tutorials/*.html", "reference/*.html")
    paths = [path for kind in kinds for path in sorted(given.site.glob(kind))]
    pages = [path.relative_to(given.site).as_posix() for path in paths]
    if given.pages:
        pages = [f"{name}.html" for name in given.pages]

    with served(given.site, pages) as server:
        told = measure(server)
        if given.output:
            given.output.mkdir(parents=True, exist_ok=True)
            shown = [page for page in pages if given.pages or not page.startswith("reference/")]
            for page in shown:
                height = max(each["height"] for each in told if each["page"] == page)
                for theme in ("light", "dark"):
                    name = page.removesuffix(".html").replace("/", "-")
                    target = given.output.resolve() / f"{name}-{theme}.png"
                    pictures(server, page, height, theme == "dark", target)
    wrong = faults(told)
    print("\n".join([*wrong, f"{len(pages)} pages at {WIDTHS} pixels, {len(wrong)} faults"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
