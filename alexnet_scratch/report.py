"""Tables and pictures of an evaluation: what is confused with what, class by class, image by image.

Files: report.html, the page of the run (`pages.run_page`) with all that a person wants to see;
report.json; confusion.csv and confusion.png, classes.csv, predictions.csv, hardest.png.
"""

from __future__ import annotations

import csv
import itertools
import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.files import replacing, write_text

from .evaluation import Predictions
from .names import short_names
from .picture import save_picture, shown

FILES = (
    "confusion.csv", "confusion.png", "classes.csv", "predictions.csv", "hardest.png",
    "report.json", "report.html",
)  # fmt: skip
NUMBERED, NAMED = 20, 60  # most classes whose cells have numbers, whose rows have names
HARDEST = 24


@dataclass(frozen=True)
class Report:
    """Predictions and what they are about.

    images: the name of each image. classes: ids by label; names: the readable names. load: the
    pixels (H, W, 3) of an image by its number.
    """

    predictions: Predictions
    images: Sequence[str]
    classes: Sequence[str]
    names: Sequence[str]
    load: Callable[[int], NDArray[np.uint8]]


@dataclass(frozen=True)
class ClassRow:
    """A line of classes.csv. Accuracies are fractions of 1, None without images.

    confused_with: the wrong class that is said most often (the first of several), and how often.
    """

    images: int
    top1: float | None
    top5: float | None
    confused_with: int | None
    times: int


def report_folder(name: str) -> Path:
    """Create the folder of a report; beside an older report a new one: NAME-2, NAME-3, ...

    Raises OSError: FileExistsError if it holds other files, NotADirectoryError for a file.
    """
    folder = Path(name)
    for number in itertools.count(2):
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(f"--report {folder} is a file: give the name of a folder")
        folder.mkdir(parents=True, exist_ok=True)
        held = sorted(e.name for e in folder.iterdir() if not e.name.startswith("."))
        if not held:
            break
        others = [file for file in held if file not in FILES]
        if others:
            raise FileExistsError(
                f"--report {folder} holds other files ({others[0]}): give a new or empty folder"
            )
        folder = Path(f"{os.path.normpath(name)}-{number}")
    return folder


def write_report(folder: Path, report: Report, facts: dict[str, Any]) -> None:
    """Write tables and pictures, each file whole or not at all.

    facts: for report.json: run, epoch, recipe, data, skipped, date, scores by views, and what
    `provenance.environment` gives.
    """
    confusion = confusion_matrix(report.predictions, len(report.classes))
    write_tables(folder, report, confusion)
    draw_confusion(folder / "confusion.png", confusion, report.names)
    draw_hardest(folder / "hardest.png", report)
    write_text(folder / "report.json", json.dumps(facts, indent=2, allow_nan=False) + "\n")


def write_tables(folder: Path, report: Report, confusion: NDArray[np.int64]) -> None:
    """Write the CSV files: UTF-8, commas, a header; accuracies and probabilities from 0 to 1."""
    classes = report.classes
    rows = class_rows(report.predictions, confusion)
    counts = ([name, *line] for name, line in zip(classes, confusion.tolist(), strict=True))
    _write_csv(folder / "confusion.csv", ["true \\ predicted", *classes], counts)
    header = ["class", "name", "images", "top1", "top5", "most_confused_with", "times"]
    _write_csv(folder / "classes.csv", header, _class_lines(report, rows))
    header = ["name", "true", "predicted", "probability", "loss"]
    _write_csv(folder / "predictions.csv", header, _prediction_lines(report))


def confusion_matrix(predictions: Predictions, classes: int) -> NDArray[np.int64]:
    """(C, C) counts: row is the true class, column the class that the network said."""
    cells = predictions.labels * classes + predictions.top[:, 0]
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def class_rows(predictions: Predictions, confusion: NDArray[np.int64]) -> list[ClassRow]:
    """A row per class, in the order of the labels."""
    images = confusion.sum(axis=1)
    in_top5 = np.bincount(predictions.labels[predictions.ranks <= 5], minlength=len(confusion))
    wrong = confusion - np.diag(np.diag(confusion))
    rows = []
    for c, count in enumerate(images.tolist()):
        other, times = int(wrong[c].argmax()), int(wrong[c].max())
        rows.append(
            ClassRow(
                count,
                confusion[c, c] / count if count else None,
                in_top5[c] / count if count else None,
                other if times else None,
                times,
            )
        )
    return rows


def hardest(predictions: Predictions, count: int) -> list[int]:
    """The numbers of the images of the largest loss, the worst first."""
    found: list[int] = np.argsort(-predictions.losses, kind="stable")[:count].tolist()
    return found


def draw_confusion(path: Path, confusion: NDArray[np.int64], names: Sequence[str]) -> None:
    """Draw the matrix, each row as shares of its class's images, with the counts if they fit."""
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure  # heavy, and only needed here
    from matplotlib.ticker import PercentFormatter

    classes, images = len(confusion), int(confusion.sum())
    side = min(max(6.0, 3 + 0.45 * classes), 14.0)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    # With many classes most shares are small; the cube root tells a few images from none.
    norm = PowerNorm(1 if classes <= NUMBERED else 1 / 3, 0, 1)
    picture = axes.imshow(shares, cmap="cividis", norm=norm, interpolation="nearest")
    right = np.trace(confusion) / max(images, 1)
    axes.set_title(f"{images} images of {classes} classes, top-1 {right:.1%}")
    order = "" if classes <= NAMED else ", in the order of classes.csv"
    axes.set(xlabel=f"predicted class{order}", ylabel=f"true class{order}")
    scale = "" if classes <= NUMBERED else " (cube-root scale)"
    bar = figure.colorbar(picture, ax=axes, shrink=0.8, format=PercentFormatter(1))
    bar.set_label(f"share of the class's images{scale}")
    bar.set_ticks(
        [0, 0.2, 0.4, 0.6, 0.8, 1] if classes <= NUMBERED else [0, 0.01, 0.05, 0.2, 0.5, 1]
    )
    if classes <= NAMED:
        size = 9 if classes <= NUMBERED else 7
        labels = [shown(name, 20) for name in short_names(names)]
        text: dict[str, Any] = {"fontsize": size, "parse_math": False}
        axes.set_xticks(range(classes), labels, rotation=90, **text)
        axes.set_yticks(range(classes), labels, **text)
    else:
        axes.set(xticks=[], yticks=[])
    if classes <= NUMBERED:
        for (row, column), count in np.ndenumerate(confusion):
            colour = "black" if shares[row, column] > 0.5 else "white"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=9)
    save_picture(figure, path)


def draw_hardest(path: Path, report: Report) -> None:
    """Draw the images of the largest loss, the worst first: what they are and what was said."""
    from matplotlib.figure import Figure

    predictions, names = report.predictions, short_names(report.names)
    worst = hardest(predictions, HARDEST)
    columns = min(6, len(worst))
    rows = math.ceil(len(worst) / columns)
    figure = Figure(figsize=(2.2 * columns, 2.85 * rows + 0.4), layout="constrained")
    figure.suptitle("The hardest images: largest loss first")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, i in zip(grid, worst, strict=False):
        true, said = predictions.labels[i], predictions.top[i, 0]
        axes.imshow(report.load(i))
        axes.set_title(
            f"is {shown(names[true], 20)} ({math.exp(-predictions.losses[i]):.1%})\n"
            f"said {shown(names[said], 18)} ({predictions.probabilities[i, 0]:.1%})\n"
            f"{shown(os.path.basename(report.images[i]), 26)}",
            fontsize=8, loc="left", parse_math=False,
        )  # fmt: skip
    save_picture(figure, path)


def _class_lines(report: Report, rows: Sequence[ClassRow]) -> Iterable[list[Any]]:
    classes = report.classes
    for name, readable, row in zip(classes, report.names, rows, strict=True):
        other = "" if row.confused_with is None else classes[row.confused_with]
        yield [name, readable, row.images, row.top1, row.top5, other, row.times]


def _prediction_lines(report: Report) -> Iterable[list[Any]]:
    p, classes = report.predictions, report.classes
    for i, name in enumerate(report.images):
        true, said = classes[p.labels[i]], classes[p.top[i, 0]]
        yield [name, true, said, f"{p.probabilities[i, 0]:.6g}", f"{p.losses[i]:.6g}"]


def _write_csv(path: Path, header: list[str], rows: Iterable[list[Any]]) -> None:
    # A file name need not be proper Unicode; its bytes come out as they went in.
    with (
        replacing(path) as temporary,
        open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
