"""Is a page whole, and does it need nothing but itself?"""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "input", "link", "hr"}
OUTSIDE = ("href", "src", "srcset", "action", "formaction", "data", "poster", "xlink:href")


class Page(HTMLParser):
    """What is wrong with a page: `problems`; its words: `text`."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self._ids: list[str] = []
        self._meant: list[str] = []
        self.feed(html)
        self.close()
        self.problems += [f"<{tag}> is never closed" for tag in self._open]
        self.problems += [f"no id {name}" for name in set(self._meant) - set(self._ids)]
        twice = {name for name in self._ids if self._ids.count(name) > 1}
        self.problems += [f"id {name} twice" for name in twice]
        self.problems += [f"loads {url}" for url in re.findall(r"url\(([^)]*)\)|@import", html)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self._open.append(tag)
        for attribute in OUTSIDE:
            address = given.get(attribute) or ""
            if address and not address.startswith(("data:image/", "#")):
                self.problems.append(f"<{tag}> refers to {address[:60]}")
        if tag in ("img", "svg") and not (
            given.get("alt") or given.get("aria-label") or given.get("aria-hidden")
        ):
            self.problems.append(f"<{tag}> without words")
        if given.get("id"):
            self._ids.append(str(given["id"]))
        for attribute in ("for", "aria-describedby", "aria-labelledby"):
            self._meant += (given.get(attribute) or "").split()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # of SVG
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.problems.append(f"</{tag}> closes another tag")

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in ("style", "script"):
            self.text += data


def words_of(html: str) -> str:
    """What a reader of the page reads, once it is whole and needs nothing else."""
    page = Page(html)
    assert page.problems == []
    assert html.startswith("<!DOCTYPE html>")
    assert 'name="viewport"' in html
    assert "prefers-color-scheme: dark" in html
    return " ".join(page.text.split())
