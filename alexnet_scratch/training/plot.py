"""Loss and accuracy by epoch: a run's curves.png, and several runs in one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..picture import save_picture, shown
from .metrics import EpochMetrics

# Okabe and Ito's colours, which colour-blind readers tell apart; line styles say it again.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", "-.", ":")


def draw_curves(path: Path, rows: Sequence[EpochMetrics], classes: int, title: str) -> None:
    """Draw the epochs so far into a PNG. Needs no display."""
    from matplotlib.figure import Figure  # heavy, and only needed here
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(10, 4), layout="constrained")
    figure.suptitle(shown(title, 90), parse_math=False)
    loss, accuracy = figure.subplots(1, 2)
    epochs = [row.epoch for row in rows]

    loss.plot(epochs, [r.train_loss for r in rows], "o-", color=BLUE, ms=4, label="training")
    loss.plot(epochs, [r.val_loss for r in rows], "s--", color=ORANGE, ms=4, label="validation")
    loss.axhline(math.log(classes), color="0.5", ls=":", label=f"guessing, ln({classes})")
    highest = max([math.log(classes), *(max(r.train_loss, r.val_loss) for r in rows)])
    loss.set(ylabel="cross-entropy loss", ylim=(0, 1.1 * highest))

    accuracy.plot(epochs, [r.train_top1 for r in rows], "o-", color=BLUE, ms=4, label="training")
    accuracy.plot(epochs, [r.val_top1 for r in rows], "s--", color=ORANGE, ms=4, label="validation")
    if classes > 5:  # with fewer, the top five are all of them
        top5 = [r.val_top5 for r in rows]
        accuracy.plot(epochs, top5, "^-.", color=GREEN, ms=4, label="validation, top-5")
    accuracy.axhline(1 / classes, color="0.5", ls=":", label=f"guessing, 1 of {classes}")
    accuracy.set(ylabel="accuracy", ylim=(0, 1.02))
    accuracy.yaxis.set_major_formatter(PercentFormatter(1))

    _finish((loss, accuracy), max(epochs, default=1))
    save_picture(figure, path)


def draw_comparison(
    path: Path, groups: Sequence[tuple[str, Sequence[Sequence[EpochMetrics]]]], classes: int = 0
) -> None:
    """Draw the validation loss and accuracy of several runs into a PNG.

    groups: what each is called, and the epochs of each of its runs; these share a colour. classes:
    of all of them, for the line of guessing; 0 for none.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(10, 4.5), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    for i, (name, runs) in enumerate(groups):
        style = {"color": COLOURS[i % len(COLOURS)], "ls": STYLES[i // len(COLOURS) % len(STYLES)]}
        for j, rows in enumerate(runs):
            epochs = [row.epoch for row in rows]
            label = "_" * (j > 0) + shown(name, 40).lstrip("_")
            mark = "o" if len(rows) == 1 else ""
            loss.plot(epochs, [row.val_loss for row in rows], marker=mark, label=label, **style)
            top1 = [row.val_top1 for row in rows]
            accuracy.plot(epochs, top1, marker=mark, label=label, **style)
    if classes > 1:
        loss.axhline(math.log(classes), color="0.5", ls=":", label=f"guessing, ln({classes})")
        accuracy.axhline(1 / classes, color="0.5", ls=":", label=f"guessing, 1 of {classes}")
    loss.set(ylabel="validation loss", ylim=(0, None))
    accuracy.set(ylabel="validation top-1", ylim=(0, 1.02))
    accuracy.yaxis.set_major_formatter(PercentFormatter(1))
    last = max((row.epoch for _, runs in groups for rows in runs for row in rows), default=1)
    _finish((loss, accuracy), last)
    save_picture(figure, path)


def _finish(both: Sequence[Any], last: int) -> None:
    """What the two pictures have in common; `last` epoch that is drawn."""
    from matplotlib.ticker import MaxNLocator

    for axes in both:
        axes.set(xlabel="epoch", xlim=(0.5, last + 0.5))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        for text in axes.get_legend().get_texts():
            text.set_parse_math(False)  # "$" is a letter of a name
