"""What a network takes for what, on a page: the confusion matrix and the hardest images."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..names import short_names
from ..report import HARDEST, NUMBERED, Report, class_rows, confusion_matrix, hardest
from .parts import folded, name, percent, picture, section, table

THUMBNAIL = 192  # most pixels of a side of a hard image
CONFUSIONS = 20  # of the largest that are listed


def mistakes(report: Report) -> list[str]:
    """The confusion matrix, the classes and the hardest images, as HTML."""
    confusion = confusion_matrix(report.predictions, len(report.classes))
    short = short_names(report.names)
    if len(report.classes) <= NUMBERED:
        drawn = _cells(confusion, short)
    else:
        drawn = picture(_matrix(confusion), _matrix_words(confusion), "pixels matrix")
    worst = section("The hardest images", f'<div class="hardest">{_hardest(report, short)}</div>')
    head = ["class", "name", "images", "top-1", "most often taken for", "times"]
    lines = _class_lines(report, confusion, short)
    if list(report.classes) == list(short):  # said once
        head, lines = head[1:], [line[1:] for line in lines]
    classes = table(head, lines)
    if len(report.classes) > NUMBERED:
        listed = table(("is", "taken for", "times"), _largest(confusion, short))
        classes = folded("The same for each class, the worst first", classes)
        return [section("What is taken for what", drawn, listed, classes), worst]
    return [section("What is taken for what", drawn), section("Classes, the worst first", classes),
            worst]  # fmt: skip


def _cells(confusion: NDArray[np.int64], names: Sequence[str]) -> str:
    """The matrix as a table, each row coloured by its shares of the class's images."""
    head = "".join(f'<th scope="col">{name(_cut(n))}</th>' for n in names)
    rows = []
    for true, (counts, label) in enumerate(zip(confusion.tolist(), names, strict=True)):
        total = max(sum(counts), 1)
        cells = []
        for said, count in enumerate(counts):
            # Mistakes are rare: the square root tells one from none.
            share = count / total if said == true else math.sqrt(count / total)
            kind = "yn"[said != true] + " on" * (share > 0.5)
            cells.append(f'<td class="{kind}" style="--p:{share:.2f}">{count or ""}</td>')
        rows.append(f'<tr><th scope="row">{name(_cut(label))}</th>{"".join(cells)}</tr>')
    about = "A row is the true class, a column what the network said; the cells count images."
    return (
        f'<p class="soft" id="cells">{about}</p>\n'
        '<div class="wide confusion" tabindex="0"><table aria-describedby="cells">'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cut(label: str, most: int = 18) -> str:
    return label if len(label) <= most else f"{label[: most - 1]}…"


def _matrix(confusion: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The matrix as a picture of a pixel a cell: right ones blue, wrong ones orange, more opaque
    the larger their share (its cube root: of many classes most shares are small)."""
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    pixels = np.empty((*confusion.shape, 4), np.uint8)
    pixels[...] = (0xE0, 0x6A, 0x10, 0)
    right = np.arange(len(confusion))
    pixels[right, right, :3] = (0x20, 0x88, 0xD0)
    pixels[..., 3] = np.round(255 * np.cbrt(shares))
    return pixels


def _matrix_words(confusion: NDArray[np.int64]) -> str:
    images = int(confusion.sum())
    right = int(np.trace(confusion))
    return (
        f"Confusion matrix of {len(confusion)} classes: {right:,} of {images:,} images lie on its "
        "diagonal, the others beside it; the table below has the largest confusions."
    )


def _largest(confusion: NDArray[np.int64], names: Sequence[str]) -> list[tuple[str, str, int]]:
    wrong = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSIONS]
    places = zip(*np.unravel_index(order, wrong.shape), strict=True)
    return [(names[i], names[j], int(wrong[i, j])) for i, j in places if wrong[i, j]]


def _class_lines(
    report: Report, confusion: NDArray[np.int64], short: Sequence[str]
) -> list[list[Any]]:
    rows = class_rows(report.predictions, confusion)
    worst = sorted(range(len(rows)), key=lambda c: -1.0 if (top1 := rows[c].top1) is None else top1)
    lines = []
    for c in worst:
        row = rows[c]
        top1 = "" if row.top1 is None else percent(row.top1)
        other = "" if row.confused_with is None else short[row.confused_with]
        lines.append([report.classes[c], short[c], row.images, top1, other, row.times or ""])
    return lines


def _hardest(report: Report, short: Sequence[str]) -> str:
    """The images of the largest loss, the worst first: what they are and what was said."""
    predictions, figures = report.predictions, []
    for i in hardest(predictions, HARDEST):
        true, said = (short[c] for c in (predictions.labels[i], predictions.top[i, 0]))
        file = os.path.basename(report.images[i])
        share, own = predictions.probabilities[i, 0], math.exp(-predictions.losses[i])
        drawn = picture(_thumbnail(report.load(i)), f"{file}: {true}", form="JPEG")
        figures.append(
            f"<figure>{drawn}<figcaption>is <b>{name(true)}</b> ({_small(own)}),<br>said "
            f"<b>{name(said)}</b> ({share:.1%})<br><span class=\"soft\">{name(_cut(file, 40))}"
            "</span></figcaption></figure>"
        )
    return "".join(figures)


def _small(share: float) -> str:
    return percent(share) if share >= 0.0005 else "below 0.1%"


def _thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if max(pixels.shape[:2]) <= THUMBNAIL:
        return pixels
    image = Image.fromarray(pixels)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    return np.asarray(image)
