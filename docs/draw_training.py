"""Draw README's picture: the embedded data set, and the curves of a run.

    python docs/draw_training.py RUN [--out FILE]

Without --out it writes docs/training.png, which README shows: only from a finished run of `make
train`. Any other run on the embedded data set is drawn into FILE; one on other data is refused,
for it is none of what stands beside its curves.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from alexnet_scratch.data import patterns
from alexnet_scratch.recipe import RECIPES
from alexnet_scratch.training.checkpoint import Checkpoint, load_checkpoint

BLUE, ORANGE = "#0072B2", "#D55E00"  # colour-blind safe (Okabe and Ito)
TRACKED = Path(__file__).with_name("training.png")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a run")
    parser.add_argument("--out", type=Path, metavar="FILE", help="[docs/training.png]")
    options = parser.parse_args(arguments)
    try:
        checkpoint = load_checkpoint(options.run / "last.safetensors")
        check(checkpoint, options.out)
    except (OSError, ValueError) as error:
        sys.exit(f"draw_training: {error}")
    draw(checkpoint.position.metrics, options.out or TRACKED)
    return 0


def check(checkpoint: Checkpoint, out: Path | None) -> None:
    """Raises ValueError for a run that this picture is not of."""
    run, data, done = checkpoint.path.parent, checkpoint.data, checkpoint.position.epoch
    if data.get("root") is not None:
        raise ValueError(
            f"{run} was trained on {data['root']}, expected the embedded data set, which the "
            f"picture shows; its own is {run / 'curves.png'}"
        )
    if not done:
        raise ValueError(f"{run} has not finished an epoch: go on with alexnet train --resume")
    if out is None and checkpoint.recipe != RECIPES["small"]:
        raise ValueError(f"{run} has another recipe than `make train`: name a file with --out")
    if out is None and done < checkpoint.recipe.epochs:
        raise ValueError(
            f"{run} has done {done} of {checkpoint.recipe.epochs} epochs: go on with alexnet train "
            "--resume, or name a file with --out"
        )


def draw(rows: list[dict[str, Any]], out: Path) -> None:
    """Write the picture from the metrics of each epoch."""
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
    figure.savefig(out, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
