"""The links of README and of the pages in docs lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks/RESULTS.md",
         ROOT / "CHANGELOG.md"]  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_local_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    assert not [x for x in links if "://" not in x and not (page.parent / x).exists()]


def test_readme_lists_every_notebook():
    lessons = {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    _, _, listed = (ROOT / "README.md").read_text("utf-8").partition("<!-- paths: end -->")
    links = re.findall(r"\]\((notebooks/[^)]+)", listed)
    assert sorted(links) == sorted(lessons)
