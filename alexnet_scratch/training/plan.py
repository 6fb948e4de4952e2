"""What a run would take, measured on a few of its steps: time, memory, disk. Nothing is left."""

from __future__ import annotations

import math
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from minigrad import cuda
from minigrad.data import Subset

from ..bench import peak_bytes
from ..data import DataError
from ..data.choice import choose
from ..data.packed import is_packed
from ..data.prepare import prepare
from ..data.source import overview_of
from ..data.sources import open_folder, open_source
from ..evaluation import evaluate
from ..pixels import needs_statistics
from ..progress import progress_bar, say, told_if_slow
from ..recipe import Recipe
from .input import Splits, fitted, measured, open_splits
from .pace import FIRST_ESTIMATE, Pace
from .position import Position
from .signals import EndingSignals
from .trainer import Trainer
from .transfer import Pretrained

MOST_SECONDS = 120.0  # for the steps: a slow machine is known by fewer
LOADED = 10  # batches that are loaded with nothing else to do
SAMPLE = 256  # images that stand for all in what is measured of pixels


@dataclass(frozen=True)
class Plan:
    """What a run takes; seconds, bytes, images a second.

    rate: of training, loading included. loading: of loading alone. waiting: share of a step's time
    in which the next batch was not there yet. statistics, preparing: seconds before the first step,
    for a mean image, and to make a prepared set of an archive. memory: the most that this process,
    or the GPU, had in use; None where the system does not say. checkpoint: one. disk: the most that
    the run's folder takes. prepared: the data as a prepared set, which a folder can be made into.
    """

    recipe: Recipe
    train_images: int
    val_images: int
    packed: bool
    on_cpu: bool
    steps: int
    measured: int
    rate: float
    loading: float
    waiting: float
    seconds: float
    statistics: float
    preparing: float
    memory: int | None
    checkpoint: int
    disk: int
    prepared: int


def plan(
    root: Path, recipe: Recipe, device: str, workers: int, precision: str | None, keep: int,
    micro_batch: int | None = None, image_size: int | None = None,
    source: Pretrained | None = None,
) -> Plan:  # fmt: skip
    """Measure the first steps of a run on a prepared set, a folder or an archive.

    micro_batch, source: as of `Trainer`. image_size: what the user gave by name, see `fitted`.
    Of an archive, some images are prepared in a temporary folder, which stands for all.
    Raises what a run raises for data, a recipe or a device that it cannot use.
    """
    with EndingSignals(), ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="alexnet-plan-")))
        counts, preparing = None, 0.0
        in_place = _is_read_in_place(root)
        if not in_place:
            counts, preparing = _prepared_sample(root, folder / "set", recipe)
            root = folder / "set"
        recipe = fitted(recipe, root, image_size, trained=source is not None)
        with told_if_slow(f"Looking for images in {root}"):
            splits = open_splits(root, recipe, trained=source is not None)
        if in_place:
            for line in splits.overview:
                say(line)
        train, val = counts or (len(splits.train), len(splits.val))
        packed = is_packed(root)
        if not packed:
            splits = _with_sampled_statistics(splits, recipe)
        (folder / "run").mkdir()
        trainer = Trainer(
            folder / "run", recipe, splits, {}, device=device, workers=workers, precision=precision,
            micro_batch=micro_batch, source=source,
        )  # fmt: skip
        loading = _loading_rate(trainer)
        batches = math.ceil(train / recipe.batch_size)
        pace = Pace(recipe, batches, math.ceil(val / recipe.batch_size), None)
        waiting, rate = _measure_steps(trainer, pace)
        _measure_validation(trainer, pace)
        checkpoint = sum(array.nbytes for array in trainer.contents()[0].values())
        statistics = 0.0
        if not packed and needs_statistics(recipe):
            statistics = train / loading
        return Plan(
            recipe=recipe, train_images=train, val_images=val, packed=packed,
            on_cpu=trainer.device == "cpu", steps=batches * recipe.epochs, measured=pace.steps,
            rate=rate, loading=loading, waiting=waiting,
            seconds=pace.seconds_left(Position()) + statistics + preparing, statistics=statistics,
            preparing=preparing, memory=_peak_memory(trainer.device), checkpoint=checkpoint,
            # The last one and the best one, or the last `keep`; and the one that is being written.
            disk=(max(keep, 1) + 2) * checkpoint,
            prepared=(train + val) * recipe.image_size**2 * 3,
        )  # fmt: skip


def _is_read_in_place(root: Path) -> bool:
    """Can a run read it as it is, as a pattern of shards, or has it to be prepared?"""
    try:
        return is_packed(root) or bool(open_folder(root).items)
    except DataError:  # an archive, or what `open_source` will complain of
        return False


def _prepared_sample(root: Path, out: Path, recipe: Recipe) -> tuple[tuple[int, int], float]:
    """Prepare a few images; the number of all of them, and the seconds that they would take."""
    with told_if_slow(f"Looking for images in {root}"):
        source = open_source(root)
    with closing(source):
        for line in overview_of(root, source):
            say(line)
        chosen = choose(source, recipe.val_fraction, recipe.seed)
        counts = len(chosen.items["train"]), len(chosen.items["val"])
        wanted = max(SAMPLE, 2 * recipe.batch_size)
        began = time.perf_counter()
        made = prepare(
            source, out, name=root.name, image_size=recipe.image_size,
            val_fraction=recipe.val_fraction, seed=recipe.seed,
            per_class=math.ceil(wanted / len(chosen.classes)), progress=False,
        )  # fmt: skip
        seconds = time.perf_counter() - began
    return counts, seconds * sum(counts) / sum(made.counts.values())


def _with_sampled_statistics(splits: Splits, recipe: Recipe) -> Splits:
    """The splits with the statistics of some images: for all, each would have to be decoded."""
    images = splits.train.images
    some = Subset(images, range(0, len(images), max(1, len(images) // SAMPLE)))
    return replace(splits, statistics=lambda: measured(some, recipe.image_size))


def _loading_rate(trainer: Trainer) -> float:
    """Images a second of the loader, with nothing else to do; the first batch is not counted."""
    with closing(trainer.feed.endless(trainer.device)) as batches:
        next(batches)
        began, images = time.perf_counter(), 0
        for sample in islice(batches, LOADED):
            images += len(sample[1].data)
            if time.perf_counter() - began > MOST_SECONDS / 4:
                break
        return images / (time.perf_counter() - began)


def _measure_steps(trainer: Trainer, pace: Pace) -> tuple[float, float]:
    """Train a few steps. The share of the time that they waited for images, and images a second."""
    trainer.train_mode()
    seconds = waited = 0.0
    images = 0
    with (
        closing(trainer.feed.endless(trainer.device)) as batches,
        progress_bar("trial steps", FIRST_ESTIMATE) as bar,
    ):
        for _ in range(FIRST_ESTIMATE):
            began = time.perf_counter()
            sample = next(batches)
            came = time.perf_counter()
            trainer.try_step(*sample)
            ended = time.perf_counter()
            pace.count(ended - began, came - began)
            if pace.steps > 1:  # the first one warms up
                seconds += ended - began
                waited += came - began
                images += len(sample[1].data)
            bar.update()
            if seconds > MOST_SECONDS and pace.steps > 2:
                break
    return waited / seconds, images / seconds


def _measure_validation(trainer: Trainer, pace: Pace) -> None:
    count = min(3, len(trainer.val_loader))
    with closing(trainer.val_feed.batches(0, 0)) as batches:
        began = time.perf_counter()
        some = (batch for _, batch in islice(batches, count))
        evaluate(trainer.model, some, trainer.recipe, trainer.device, pixels=trainer.pixels)
    pace.seconds_per_validation = (time.perf_counter() - began) / count * pace.val_batches


def _peak_memory(device: str) -> int | None:
    """Of this process, or of the GPU, whose pool keeps what it once had."""
    return peak_bytes() if device == "cpu" else cuda.memory_reserved(device)
