"""Build the site: the notebooks as pages, the API reference, and the course in the browser.

    python docs/site/build.py [FOLDER]      # `make site`: into build/site
    make site ARGS=--no-solutions           # for a class that is to find them itself

The pages are Sphinx's, from the notebooks as they are committed. FOLDER/lite is JupyterLite: the
notebooks with a Python that runs in the browser (Pyodide), and a wheel of the packages, which
the first cell installs. A reader's browser fetches Pyodide, NumPy and the other compiled packages
from cdn.jsdelivr.net when a notebook is opened; all else, MathJax for the formulas too, is in
FOLDER, which any web server can show.
Look at it with `python -m http.server -d FOLDER`. Fails on a warning of Sphinx, on a link that
leads nowhere, and on a page that loads anything from elsewhere.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import nbformat

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NOTEBOOKS = ROOT / "notebooks"
INSTALL = """\
# In the browser: the packages, and NumPy, Pillow and Matplotlib with them. What you change is kept
# in this browser; the site's page "Your copies in this browser" downloads it and resets it.
%pip install -q alexnet-scratch"""

# What JupyterLite writes of its kernel when it opens a notebook: with another text there the
# notebook would count as changed before anybody has changed it.
METADATA = {
    "kernelspec": {"display_name": "Python (Pyodide)", "language": "python", "name": "python"},
    "language_info": {
        "codemirror_mode": {"name": "python", "version": 3}, "file_extension": ".py",
        "mimetype": "text/x-python", "name": "python", "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3", "version": "3.8",
    },
}  # fmt: skip


def notebooks(solutions: bool = True) -> list[Path]:
    """All notebooks, relative to their folder; the solutions among them only if they are asked
    for."""
    found = NOTEBOOKS.glob("**/[0-9]*.ipynb" if solutions else "[0-9]*.ipynb")
    return sorted(path.relative_to(NOTEBOOKS) for path in found)


def without_solutions(index: str) -> str:
    """The index page without its list of solutions: Sphinx fails on a list of nothing."""
    blocks = re.split(r"(?=^```\{toctree\})", index, flags=re.MULTILINE)
    return "".join(block for block in blocks if ":caption: Solutions" not in block)


def lesson(path: Path, solutions: bool) -> nbformat.NotebookNode:
    """A notebook as it is committed; without the link to its solution where that is left out."""
    notebook = nbformat.read(NOTEBOOKS / path, 4)
    for cell in notebook.cells if not solutions else ():
        cell.source = re.sub(r"\[[^]]*\]\(solutions/[^)]*\)[.,;]? ?", "", cell.source)
    return notebook


def with_link(notebook: nbformat.NotebookNode, path: Path) -> nbformat.NotebookNode:
    """The notebook with a link to itself in JupyterLite, below its title."""
    up = "../" * len(path.parts)
    link = f'<a href="{up}lite/lab/index.html?path={path.as_posix()}">Run it in the browser</a>'
    title, newline, rest = notebook.cells[0].source.partition("\n")
    notebook.cells[0].source = f"{title}\n\n{link}\n{newline}{rest}"
    return notebook


def with_alts(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with words for its pictures: whose figure each is. Without any, the page would
    have the name of the picture's file there, and a screen reader would spell it."""
    section = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#+ (.+)$", cell.source, flags=re.MULTILINE)
            section = headings[-1].replace("`", "") if headings else section
        elif any("image/png" in output.get("data", {}) for output in cell.get("outputs", ())):
            alt = f"Figure in the section “{section}”, drawn by the code above"
            cell.metadata["mystnb"] = {"image": {"alt": alt}}
    return notebook


def with_install(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with a first cell that installs the packages, and JupyterLite's own metadata."""
    cell = nbformat.v4.new_code_cell(INSTALL, id="install")
    notebook.cells.insert(1, cell)
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def run(folder: Path, *command: str | Path) -> None:
    """Run a program of this Python's environment in a folder; a failure ends the build with what
    it said."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)], cwd=folder, check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{done.stdout}\nsite: {command[0]} failed")


def build_pages(work: Path, out: Path, solutions: bool) -> None:
    """The notebooks, the reference and the architecture page as HTML."""
    source = work / "source"
    shutil.copytree(HERE, source)
    if not solutions:
        index = source / "index.md"
        index.write_text(without_solutions(index.read_text("utf-8")), "utf-8")
    for name in ("architecture.md", "training.png"):
        shutil.copy(ROOT / "docs" / name, source)
    for path in notebooks(solutions):
        target = source / "notebooks" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(with_alts(with_link(lesson(path, solutions), path)), target)
    found = importlib.util.find_spec("jupyter_server_mathjax")
    if found is None or found.origin is None:
        sys.exit("site: jupyter_server_mathjax, which has MathJax, is missing: pip install it")
    unused = shutil.ignore_patterns("localization", "SVG", "asciimath2jax.js", "jsMath2jax.js")
    mathjax = Path(found.origin).parent / "static"
    shutil.copytree(mathjax, source / "_static/mathjax", ignore=unused)
    run(
        work,
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        "-d",
        work / "doctrees",
        source,
        out,
    )


def build_lite(work: Path, out: Path, solutions: bool) -> None:
    """JupyterLite with the notebooks and the wheel."""
    contents, wheels = work / "contents", work / "wheels"
    for path in notebooks(solutions):
        target = contents / path
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(with_install(lesson(path, solutions)), target)
    run(work, "pip", "wheel", "-q", "--disable-pip-version-check", "--no-deps", "-w", wheels, ROOT)
    (wheel,) = wheels.glob("*.whl")
    run(
        work, "jupyterlite_core", "build", "--lite-dir", work, "--contents", contents,
        "--piplite-wheels", wheel, "--output-dir", out,
    )  # fmt: skip


class _Links(HTMLParser):
    """What a page links to or shows, what of it a browser loads by itself, and the places in the
    page that a link can lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.loaded: list[str] = []
        self.ids: set[str] = {""}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        links = [value for name, value in attrs if name in ("href", "src") and value]
        self.found += links
        self.ids.update(value for name, value in attrs if name == "id" and value)
        if tag != "a":
            self.loaded += links


def broken_links(folder: Path) -> list[str]:
    """PAGE: LINK for each link between the pages of `folder`, or into lite, that leads nowhere: to
    no file, to no such place in a page, or to a file of the reader's machine."""
    broken = []
    pages = dict(_pages(folder))
    for page, links in pages.items():
        for link in links.found:
            parts = urlsplit(link)
            if (parts.scheme or parts.netloc) and parts.scheme != "file":
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            opened = parse_qs(parts.query).get("path", [])  # by JupyterLite
            files = [folder / "lite/files" / name for name in opened]
            place = target not in pages or unquote(parts.fragment) in pages[target].ids
            if not place or not all(file.exists() for file in (target, *files)):
                broken.append(f"{page.relative_to(folder)}: {link}")
    return broken


def loaded_from_elsewhere(folder: Path) -> list[str]:
    """PAGE: ADDRESS for what a page of `folder` loads from another host."""
    return [
        f"{page.relative_to(folder)}: {link}"
        for page, links in _pages(folder) for link in links.loaded if urlsplit(link).netloc
    ]  # fmt: skip


def _pages(folder: Path) -> Iterator[tuple[Path, _Links]]:
    """The pages, but those of lite, and their links."""
    for page in sorted(folder.glob("**/*.html")):
        if not page.is_relative_to(folder / "lite"):
            links = _Links()
            links.feed(page.read_text("utf-8"))
            yield page, links


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "build/site")
    parser.add_argument("--no-solutions", action="store_true", help="leave the solutions out")
    options = parser.parse_args()
    out, solutions = options.folder.resolve(), not options.no_solutions
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="site_") as work:
        build_pages(Path(work), out, solutions)
        build_lite(Path(work), out / "lite", solutions)
    if broken := broken_links(out):
        sys.exit("\n".join(["site: links that lead nowhere:", *broken]))
    if foreign := loaded_from_elsewhere(out):
        sys.exit("\n".join(["site: pages that load from elsewhere:", *foreign]))
    print(f"{out}: look at it with: python -m http.server -d {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
