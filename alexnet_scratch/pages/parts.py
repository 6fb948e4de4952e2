"""What pages are made of: text that is safe, tables, pictures inside the page, and the frame.

A page is one file that needs no other one and no network. It follows the reader's choice of light
or dark, fits a phone, and says in words what its pictures show.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..names import one_line

STYLE = """
:root { color-scheme: light dark; --ink: #1d2330; --soft: #5a6376; --paper: #fbfbfd;
  --card: #ffffff; --line: #dfe3ea; --right: 0 95 153; --wrong: 190 78 0; --on: #ffffff;
  --one: #0064a8; --two: #b84a00; --three: #00735a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf1; --soft: #a3adbf; --paper: #14171d;
  --card: #1d222b; --line: #333b49; --right: 96 178 240; --wrong: 255 150 80; --on: #10131a;
  --one: #6cb8f5; --two: #ff9d57; --three: #4fd1ab; } }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.75rem 0 .75rem; }
p { margin: .5rem 0; } .soft { color: var(--soft); }
.note { border-left: 4px solid var(--two); padding: .25rem .75rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr));
  gap: .75rem; margin: 1.5rem 0 .75rem; padding: 0; list-style: none; }
.cards li { background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
  padding: .75rem 1rem; overflow-wrap: anywhere; }
.cards b { display: block; font-size: 1.65rem; line-height: 1.25;
  font-variant-numeric: tabular-nums; }
.cards .text b { font-size: 1.15rem; line-height: 1.3; padding: .3rem 0 .15rem; }
.cards span { color: var(--soft); } table { border-collapse: collapse; }
td, th { padding: .2rem .9rem .2rem 0; text-align: left; vertical-align: top; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; } .wide th { white-space: nowrap; }
dl { margin: 0; } dt { font-weight: 600; margin-top: .6rem; overflow-wrap: anywhere; }
dd { margin: 0; overflow-wrap: anywhere; }
@media (min-width: 40rem) { dl.facts { display: grid; grid-template-columns: 11rem 1fr; }
  dl.facts dt, dl.facts dd { margin: 0; padding: .2rem 0; } }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr));
  gap: 1.5rem; } .charts figure, .filters { margin: 0; } figcaption { font-weight: 600; }
svg { display: block; width: 100%; height: auto; } svg text { font: 13px system-ui, sans-serif;
  fill: var(--soft); } .grid { stroke: var(--line); } .guess { stroke: var(--soft); }
.line { fill: none; stroke-width: 2.2; stroke-linejoin: round; }
.s1 { stroke: var(--one); } .s2 { stroke: var(--two); stroke-dasharray: 7 4; }
.s3 { stroke: var(--three); stroke-dasharray: 2 4; } .guess { stroke-dasharray: 1 4; }
.dot { stroke: none; } .dot.s1 { fill: var(--one); } .dot.s2 { fill: var(--two); }
.dot.s3 { fill: var(--three); }
.legend { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0 1.2rem;
  font-size: .9rem; } .legend svg { display: inline-block; width: 28px; height: 10px;
  margin-right: .4rem; vertical-align: middle; }
.confusion td, .confusion th { padding: .25rem; } .confusion td { text-align: center;
  min-width: 1.9rem; font-size: .85rem; vertical-align: middle; }
.confusion tbody td { border: 1px solid var(--line); }
.confusion thead th { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 9rem;
  font-weight: 400; vertical-align: top; } .confusion tbody th { font-weight: 400;
  text-align: right; max-width: 8.5rem; white-space: normal; line-height: 1.2;
  vertical-align: middle; }
.confusion .y { background: rgb(var(--right) / var(--p)); }
.confusion .n { background: rgb(var(--wrong) / var(--p)); } .confusion .on { color: var(--on); }
@media (max-width: 30rem) { .confusion tbody th { max-width: 5rem; font-size: .75rem; }
  .confusion td, .confusion th { padding: .15rem; } .confusion thead th { font-size: .75rem; }
  .confusion td { min-width: 1.35rem; font-size: .7rem; } }
.pixels { image-rendering: pixelated; width: 100%; height: auto; display: block; }
.matrix { max-width: 40rem; border: 1px solid var(--line); }
.hardest { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr));
  gap: 1rem; } .hardest figure { margin: 0; font-size: .85rem; line-height: 1.35; }
.hardest img { width: 100%; height: auto; display: block; border-radius: .4rem; }
.hardest figcaption { font-weight: 400; overflow-wrap: anywhere; margin-top: .3rem; }
.filters { max-width: 40rem; margin-bottom: 1rem; }
summary { cursor: pointer; padding: .3rem 0; } code { overflow-wrap: anywhere; }
@media print { h2 { break-after: avoid; } figure, tr { break-inside: avoid; } }
"""


def text(value: Any) -> str:
    """A value as the page's text."""
    return html.escape(one_line(str(value)))


def name(value: Any) -> str:
    """A name that may be written from right to left; what stands around it is not turned."""
    return f"<bdi>{text(value)}</bdi>"


def percent(share: float) -> str:
    """A share of 1, as people say it."""
    return f"{share:.1%}"


def section(heading: str, *parts: str) -> str:
    """A heading and what stands below it."""
    return "\n".join([f"<section><h2>{text(heading)}</h2>", *parts, "</section>"])


def facts(rows: Iterable[tuple[str, Any]]) -> str:
    """Names and what they are, without those that are not known (None or "")."""
    lines = (f"<dt>{text(a)}</dt><dd>{name(b)}</dd>" for a, b in rows if b not in (None, ""))
    return f'<dl class="facts">{"".join(lines)}</dl>'


def folded(summary: str, *parts: str) -> str:
    """What only some readers want, behind a line that opens it."""
    return f"<details><summary>{text(summary)}</summary>\n" + "\n".join(parts) + "\n</details>"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table that a narrow screen moves sideways; columns with a number in them flush right."""
    rows = [list(row) for row in rows]
    columns = zip(*rows, strict=True) if rows else [()] * len(head)
    numbers = [any(map(_is_number, column)) for column in columns]
    headings = (
        f'<th scope="col" class="number">{text(cell)}</th>' if number else
        f'<th scope="col">{text(cell)}</th>' for cell, number in zip(head, numbers, strict=True)
    )  # fmt: skip
    lines = [f"<tr>{''.join(headings)}</tr>"]
    for row in rows:
        cells = (
            f'<td class="number">{text(cell)}</td>' if number else f"<td>{name(cell)}</td>"
            for cell, number in zip(row, numbers, strict=True)
        )
        lines.append(f"<tr>{''.join(cells)}</tr>")
    # A region that scrolls can be reached by the keyboard.
    return f'<div class="wide" tabindex="0"><table>{"".join(lines)}</table></div>'


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int) or str(cell).rstrip("%").replace(".", "", 1).isdecimal()


def picture(pixels: NDArray[np.uint8], alt: str, kind: str = "", form: str = "PNG") -> str:
    """Pixels (H, W, 3), or (H, W, 4) with how opaque they are, as a picture inside the page.

    alt: what it shows, in words. kind: its class in the page's style. form: "PNG" or "JPEG".
    """
    height, width = pixels.shape[:2]
    return (
        f'<img alt="{text(alt)}" width="{width}" height="{height}" class="{kind}" '
        f'src="{data_uri(pixels, form)}">'
    )


def data_uri(pixels: NDArray[np.uint8], form: str = "PNG") -> str:
    """Pixels (H, W), (H, W, 3) or (H, W, 4) as the address of a picture that holds them."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, **({"quality": 88} if form == "JPEG" else {}))
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    return f"data:image/{form.lower()};base64,{data}"


def page(title: str, body: Iterable[str]) -> str:
    """The whole page, whose parts are HTML already; the title is text."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head><body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )
