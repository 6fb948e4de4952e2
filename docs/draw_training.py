"""Draw README's picture: the embedded data set, and the curves of a run.

    .venv/bin/python docs/draw_training.py runs/small
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from alexnet_scratch.data import patterns

BLUE, ORANGE = "#0072B2", "#D55E00"  # colour-blind safe (Okabe and Ito)


def main(run: Path) -> None:
    """Write docs/training.png from the metrics of `run`."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    epochs = [row["epoch"] for row in rows]
    figure = plt.figure(figsize=(12.5, 3.3), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.45, 1.2))

    for place, name in enumerate(patterns.CLASSES):
        axes = left.add_subplot(2, 5, place + 1)
        axes.imshow(patterns.draw(name, np.random.default_rng(place), 256))
        axes.set_title(name, fontsize=9)
        axes.axis("off")

    loss, accuracy = right.subplots(1, 2)
    loss.plot(epochs, [row["train_loss"] for row in rows], color=BLUE, label="training")
    loss.plot(epochs, [row["val_loss"] for row in rows], color=ORANGE, ls="--", label="held out")
    loss.axhline(np.log(len(patterns.CLASSES)), color="grey", lw=0.8, ls=":")
    loss.annotate("ln 10: chance", (epochs[-1], np.log(10)), ha="right", va="bottom", fontsize=8)
    loss.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
    loss.legend(frameon=False, fontsize=8)
    for field, color, style in (("train_top1", BLUE, "-"), ("val_top1", ORANGE, "--")):
        accuracy.plot(epochs, [100 * row[field] for row in rows], color=color, ls=style)
    accuracy.set(xlabel="epoch", ylabel="top-1 accuracy (%)", ylim=(0, 100))
    minutes = sum(row["seconds"] for row in rows) / 60
    accuracy.set_title(
        f"{100 * rows[-1]['val_top1']:.1f}% held out after {minutes:.0f} minutes", fontsize=9
    )
    for axes in (loss, accuracy):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(Path(__file__).with_name("training.png"), dpi=110)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: draw_training.py RUN, for example runs/small")
    main(Path(sys.argv[1]))
