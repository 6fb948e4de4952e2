"""The training run of notebook 13: AlexNet with narrow layers, on small drawn patterns.

All eight layers, both towers, and 11 x 11 filters with stride 4 in conv1; but 112 x 112 pixels,
fewer maps, and 256 units where the paper has 4096. It reads 2,400 images ten times, which takes
about a minute and a half on two cores, and then it knows about nineteen of twenty new images.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet_scratch.data import ImageFolder, patterns
from alexnet_scratch.network import Network
from alexnet_scratch.pixels import PixelStatistics
from alexnet_scratch.recipe import RECIPES, Recipe, build_model
from alexnet_scratch.training.checkpoint import find_checkpoint, load_checkpoint
from alexnet_scratch.training.input import data_note, open_splits
from alexnet_scratch.training.metrics import EpochMetrics
from alexnet_scratch.training.trainer import Outcome, Trainer
from minigrad.files import rename
from minigrad.serialization import load_file, save_file

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
START = "start.safetensors"  # the first weights


def begin(folder: Path, recipe: Recipe = RECIPE) -> Trainer:
    """A trainer that has not begun: patterns in folder/patterns (drawn if they are not there), the
    first weights in folder/start.safetensors, the run in folder/run, which must be new."""
    data = folder / "patterns"
    if not data.is_dir():
        patterns.generate(data, TRAIN, VAL, size=recipe.image_size, progress=False)
    run = folder / "run"
    run.mkdir()
    splits = open_splits(data, recipe)
    trainer = Trainer(run, recipe, splits, data_note(data, splits))
    save_file(trainer.model.state_dict(), folder / START)
    return trainer


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
    from IPython import display

    show: Any = display  # IPython has no types
    curves, left = show.display(display_id=True), show.display(display_id=True)
    first, started = trainer.at.epoch, perf_counter()
    for metrics in epochs(trainer):
        pace = (perf_counter() - started) / (metrics.epoch - first)
        seconds = pace * (trainer.recipe.epochs - metrics.epoch)
        curves.update(show.Image(trainer.folder / "curves.png", width=850))
        left.update(show.Markdown(f"about {seconds:.0f} seconds to go" if seconds else "trained"))


@dataclass(frozen=True)
class Trained:
    """The run when it is over: for lessons that look at what it has learnt.

    model: trained, `untrained`: the same with the weights from which it began; both in evaluation
    mode and without gradients. data: the folder of the images.
    """

    model: Network
    untrained: Network
    recipe: Recipe
    classes: list[str]
    pixels: PixelStatistics
    data: Path

    def pictures(self, split: str, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The first `count` images of each class of "train" or "val", (N, size, size, 3), and
        their labels."""
        files = ImageFolder(self.data / split, None, self.recipe.image_size)
        labels = np.array([label for _, label in files.samples])
        first = [np.flatnonzero(labels == c)[:count] for c in range(len(self.classes))]
        images, found = zip(*(files[int(i)] for i in np.concatenate(first)), strict=True)
        return np.stack(images), np.array(found)


def trained() -> Trained:
    """The run, trained now if the cache folder does not have it yet: a minute or two, once.

    It appears there only when it is whole, so an interrupted one leaves nothing half done.
    """
    folder = _kept()
    _put(folder, _train)
    return _load(folder)


def keep(trainer: Trainer) -> None:
    """Let `trained` have this run of `begin`, once it is over, so that no second one is needed."""
    if trainer.recipe == RECIPE and trainer.at.epoch == RECIPE.epochs:
        _put(_kept(), lambda folder: _copy(trainer.folder.parent, folder))


def _copy(made: Path, folder: Path) -> None:
    """What `begin` and the run have written; the learner's folder may hold other things, too."""
    for part in ("patterns", "run"):
        shutil.copytree(made / part, folder / part)
    shutil.copy(made / START, folder / START)


def _kept() -> Path:
    told = f"{RECIPE.to_json()} {TRAIN} {VAL}"
    return patterns.cache_folder() / f"course-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def _put(folder: Path, make: Callable[[Path], object]) -> None:
    """Make the folder, if it is not there: it appears when it is whole."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        make(workshop / "whole")
        if not folder.is_dir():  # otherwise another process was first, with the same bytes
            rename(workshop / "whole", folder)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _train(folder: Path) -> None:
    folder.mkdir()
    trainer = begin(folder, RECIPE)
    for _ in epochs(trainer):
        pass
    if trainer.at.epoch < trainer.recipe.epochs:
        raise KeyboardInterrupt


def _load(folder: Path) -> Trained:
    checkpoint = load_checkpoint(find_checkpoint(folder / "run"))
    model = checkpoint.model()
    untrained = build_model(checkpoint.recipe, len(checkpoint.classes))
    untrained.load_state_dict(load_file(folder / START))
    for network in (model, untrained):
        network.eval()
        network.requires_grad_(False)
    return Trained(
        model, untrained, checkpoint.recipe, checkpoint.classes, checkpoint.pixels,
        folder / "patterns",
    )  # fmt: skip
