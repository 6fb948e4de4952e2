"""The site's builder: what it adds to the notebooks, and the links it must find broken."""

import importlib.util
from pathlib import Path

import nbformat
import pytest

BUILD = Path(__file__).resolve().parents[2] / "docs/site/build.py"


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("site_build", BUILD)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def notebook():
    cells = [nbformat.v4.new_markdown_cell("# 4. Pooling\n\nText", id="a")]
    return nbformat.v4.new_notebook(cells=cells)


def test_all_notebooks_and_solutions_go_in(build):
    names = [path.as_posix() for path in build.notebooks()]
    assert "05_pooling.ipynb" in names
    assert "solutions/05_pooling.ipynb" in names


def test_a_site_for_a_class_has_no_solutions(build):
    names = [path.as_posix() for path in build.notebooks(solutions=False)]
    assert "05_pooling.ipynb" in names
    assert not any("solutions" in name for name in names)
    index = build.without_solutions((BUILD.parent / "index.md").read_text("utf-8"))
    assert "solutions" not in index
    assert "notebooks/[0-9]*" in index
    assert "api/minigrad" in index
    for path in build.notebooks(solutions=False):
        assert "](solutions/" not in str(build.lesson(path, solutions=False))


def test_a_page_links_to_itself_in_the_browser_below_its_title(build):
    source = build.with_link(notebook(), Path("solutions/05_pooling.ipynb")).cells[0].source
    assert source.startswith('# 4. Pooling\n\n<a href="../../lite/lab/index.html?path=solutions/05')
    assert source.endswith("\nText")


def test_a_picture_is_called_by_its_section(build):
    """Its file's name is what a screen reader would read out otherwise."""
    lesson = notebook()
    shown = nbformat.v4.new_output("display_data", {"image/png": "iVBORw0KGgo="})
    lesson.cells += [
        nbformat.v4.new_markdown_cell("## What `max` keeps\n\nText", id="b"),
        nbformat.v4.new_code_cell("draw()", id="c", outputs=[shown]),
        nbformat.v4.new_code_cell("1 + 1", id="d"),
    ]
    *_, drawn, bare = build.with_alts(lesson).cells
    assert "“What max keeps”" in drawn.metadata.mystnb.image.alt
    assert "mystnb" not in bare.metadata


def test_in_the_browser_the_first_code_installs(build):
    cells = build.with_install(notebook()).cells
    assert [cell.cell_type for cell in cells] == ["markdown", "code"]
    assert "%pip install -q alexnet-scratch" in cells[1].source


def test_in_the_browser_a_notebook_opens_as_saved(build):
    """With another kernel's words in it, it would have the dot of what is not saved."""
    metadata = build.with_install(notebook()).metadata
    assert metadata.kernelspec.display_name == "Python (Pyodide)"
    assert metadata.language_info.version


@pytest.mark.parametrize(
    ("link", "broken"),
    [
        ("other.html#part", False),
        ("https://example.org/gone", False),
        ("other.html#gone", True),
        ("#here", False),
        ("#gone", True),
        ("#", False),
        ("file:line", True),
        ("gone.html", True),
        ("lite/lab/index.html?path=05_pooling.ipynb", False),
        ("lite/lab/index.html?path=99_gone.ipynb", True),
    ],
)
def test_a_link_that_leads_nowhere_is_named(build, tmp_path, link, broken):
    for name in ("other.html", "lite/lab/index.html", "lite/files/05_pooling.ipynb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('<p id="part">')
    (tmp_path / "index.html").write_text(f'<a id="here" href="{link}">x</a>')
    assert build.broken_links(tmp_path) == ([f"index.html: {link}"] if broken else [])


@pytest.mark.parametrize(
    ("tag", "foreign"),
    [
        ('<a href="https://example.org/x">x</a>', False),
        ('<script src="_static/mathjax/MathJax.js"></script>', False),
        ('<script src="https://cdn.example.org/x.js"></script>', True),
        ('<link rel="stylesheet" href="//fonts.example.org/x.css">', True),
        ('<img src="http://example.org/x.png">', True),
    ],
)
def test_what_a_page_loads_from_elsewhere_is_named(build, tmp_path, tag, foreign):
    (tmp_path / "index.html").write_text(tag)
    assert len(build.loaded_from_elsewhere(tmp_path)) == foreign


def test_the_pages_say_what_the_course_in_the_browser_loads_from_where():
    page = (BUILD.parent / "index.md").read_text("utf-8")
    assert "cdn.jsdelivr.net" in page
    assert "pypi.org" in page
