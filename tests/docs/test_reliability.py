"""docs/reliability.md: every test that it names is there, and every slow one is said to be."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reliability.md").read_text("utf-8")
NAMES = sorted(set(re.findall(r"`(test_\w+)`", PAGE)))


@pytest.fixture(scope="module")
def sources() -> str:
    return "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))


def test_some_are_named() -> None:
    assert len(NAMES) > 30


@pytest.mark.parametrize("name", NAMES)
def test_it_is_there_and_slow_only_if_the_page_says_so(name: str, sources: str) -> None:
    found = re.search(rf"((?:^@.*\n(?:^[ )\]].*\n)*)*)^def {name}\(", sources, re.M)
    assert found, name
    slow = "pytest.mark.slow" in found[1]
    rows = [line for line in PAGE.splitlines() if f"`{name}`" in line]
    assert all(slow == (f"slow: `{name}`" in row) for row in rows), name
