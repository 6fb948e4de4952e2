"""curves.png: loss and accuracy by epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from ..picture import save_picture, shown
from .metrics import EpochMetrics

# Okabe and Ito's colours, which colour-blind readers tell apart; line styles say it again.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"


def draw_curves(path: Path, rows: Sequence[EpochMetrics], classes: int, title: str) -> None:
    """Draw the epochs so far into a PNG. Needs no display."""
    from matplotlib.figure import Figure  # heavy, and only needed here
    from matplotlib.ticker import MaxNLocator, PercentFormatter

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

    for axes in (loss, accuracy):
        axes.set(xlabel="epoch", xlim=(0.5, max(epochs, default=1) + 0.5))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    save_picture(figure, path)
