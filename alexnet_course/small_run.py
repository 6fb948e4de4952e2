"""The training run of notebooks 13 and 14: AlexNet with narrow layers, on small drawn patterns.

All eight layers, both towers, and 11 x 11 filters with stride 4 in conv1; but 112 x 112 pixels,
fewer maps, and 256 units where the paper has 4096. It reads 2,400 images ten times, which takes
about a minute and a half on two cores, and then it knows about nineteen of twenty new images.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from alexnet_scratch.data import patterns
from alexnet_scratch.recipe import RECIPES, Recipe
from alexnet_scratch.training.input import data_note, open_splits
from alexnet_scratch.training.metrics import EpochMetrics
from alexnet_scratch.training.trainer import Outcome, Trainer

RECIPE = replace(
    RECIPES["small"],
    name="course",
    image_size=128,
    input_size=112,
    widths=(48, 64, 96, 96, 64),
    fc_width=256,
    dropout_p=0.2,  # of 256 units, a half would be too few to learn in ten epochs
    epochs=10,
)
TRAIN, VAL = 240, 30  # images of each class


def begin(folder: Path, recipe: Recipe = RECIPE) -> Trainer:
    """A trainer that has not begun: patterns in folder/patterns (drawn if they are not there), the
    run in folder/run, which must be new."""
    data = folder / "patterns"
    if not data.is_dir():
        patterns.generate(data, TRAIN, VAL, size=recipe.image_size, progress=False)
    run = folder / "run"
    run.mkdir()
    splits = open_splits(data, recipe)
    return Trainer(run, recipe, splits, data_note(data, splits))


def epochs(trainer: Trainer) -> Iterator[EpochMetrics]:
    """Train; after each epoch, its metrics. What the trainer says goes to its log only.

    An interrupt ends it early, with the state saved in the middle of an epoch.
    """
    steps = len(trainer.loader)
    for epoch in range(trainer.at.epoch, trainer.recipe.epochs):
        trainer.max_steps = (epoch + 1) * steps
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            outcome = trainer.run()
        if outcome is Outcome.INTERRUPTED:
            return
        yield EpochMetrics(**trainer.at.metrics[-1])


def watch(trainer: Trainer) -> None:
    """Train in a notebook: shows the run's curves, drawn anew after each epoch, and how long it has
    to go at the pace so far."""
    from IPython.display import Image, Markdown, display

    curves, left = display(display_id=True), display(display_id=True)
    first, started = trainer.at.epoch, perf_counter()
    for metrics in epochs(trainer):
        pace = (perf_counter() - started) / (metrics.epoch - first)
        seconds = pace * (trainer.recipe.epochs - metrics.epoch)
        curves.update(Image(trainer.folder / "curves.png", width=850))
        left.update(Markdown(f"about {seconds:.0f} seconds to go" if seconds else "trained"))
