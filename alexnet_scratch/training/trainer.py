"""The training loop.

Everything that decides the numbers is in the recipe and in `Position`: a run that is interrupted
and resumed ends with the same bytes as one that was not (with as many threads, and the same BLAS).
What it trains with is built in `parts.py`; where its batches come from is in `feed.py`; what is
counted and told, in `tally.py`; the files, in `run.py`, and the thread that saves, in `saver.py`.
"""

from __future__ import annotations

import enum
import functools
import math
import operator
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import minigrad as mg
from minigrad import Tensor, arrays, nn
from minigrad.arrays import Array
from minigrad.kernels.fast.parallel import slices
from minigrad.nn import functional as F
from minigrad.random import default_generator

from ..evaluation import Scores, count_in_top, evaluate
from ..mixing import drawn_mix
from ..names import program
from ..out_of_memory import OutOfMemory, shortage, what_fits
from ..pixels import colour_alphas
from ..progress import progress_bar
from ..recipe import Recipe
from ..streams import unfailing
from .batch import Batch
from .checkpoint import Checkpoint
from .folder import RunLock
from .input import Splits
from .metrics import EpochMetrics, Totals
from .not_finite import cause
from .parts import Parts
from .run import LAST, RunFiles
from .saver import TEN_MINUTES, SaveEvery, Saver
from .signals import StopSignals
from .tally import Tally
from .transfer import Pretrained
from .watchdog import Diverged, is_chance, see_validation


class Outcome(enum.Enum):
    """How `Trainer.run` ended."""

    FINISHED = "all epochs are done"
    INTERRUPTED = "Ctrl-C, SIGTERM or SIGHUP"
    STEP_LIMIT = "max_steps reached"


class _Stop(Exception):  # noqa: N818  (a way out of two loops, not an error)
    """Leave the loops between two batches."""


class Trainer(Parts):
    """One run: `Trainer(...)` starts anew, with a checkpoint it goes on; then `run()`.

    folder: where the run's files go, an existing folder. data: what the checkpoint says about the
    data set. recipe: a resumed run takes the checkpoint's, with more `epochs` if wished.
    max_steps: stop after so many steps in all; the schedule is that of all epochs.
    precision: of products in training (validation is float32 always), see `chosen_precision`.
    save_every: within an epoch. keep: so many of the last checkpoints. lock: the folder's, if held.
    micro_batch: so many images are computed at a time, for less memory; a batch's gradients are
    added up, so that it is the same to rounding; 0 for all, None for what a resumed run had.
    accept_changed_data: go on with other images than the checkpoint's, of the same classes.
    tensorboard: write its event file. source: the network whose weights a new run begins with.
    Raises CheckpointError for a checkpoint that does not fit, RunError for other data than its or a
    precision that the device has not.
    """

    framework = f"minigrad {mg.__version__}"  # what computes
    called: tuple[str, ...] = ()  # the program of a subclass, where it is not `alexnet train`

    def __init__(
        self, folder: Path, recipe: Recipe, splits: Splits, data: dict[str, Any], *,
        device: str = "cpu", workers: int = 2, max_steps: int | None = None,
        precision: str | None = None, resume: Checkpoint | None = None,
        accept_changed_data: bool = False, save_every: SaveEvery = TEN_MINUTES, keep: int = 1,
        lock: RunLock | None = None, tensorboard: bool = False, micro_batch: int | None = None,
        source: Pretrained | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.max_steps = folder, max_steps
        self.files = RunFiles(folder, recipe, splits, data, keep, tensorboard)
        self.log = self.files.log
        super().__init__(
            recipe, splits, data, self.log, device, workers, precision, resume,
            accept_changed_data, micro_batch, source,
        )  # fmt: skip
        self.lock = lock or RunLock(folder)
        self.saver, self.signals = Saver(save_every), StopSignals()
        self.tally = Tally(self, self.files, max_steps)

    @classmethod
    def command(cls) -> str:
        """What a user types to train with this class."""
        return " ".join(cls.called) or f"{program()} train"

    def run(self) -> Outcome:
        """Train to the end of the recipe, to `max_steps`, or until Ctrl-C; the state is saved.

        What could not be written is in `files.missing()`.
        Raises RunError if another process has the folder, Diverged when the loss is not finite, and
        OutOfMemory, which names a batch size that fits; the last checkpoint is then kept, and this
        object of no more use.
        """
        with self.lock, unfailing(self.log.note):
            try:
                return self._run()
            except MemoryError as error:
                if not mg.cuda.is_out_of_memory(error):
                    raise
                short = shortage(error, self.device)
            # Only now: the error's traceback kept what the failed step had in memory.
            raise OutOfMemory(f"{short}; {self._what_fits()}")

    def try_step(self, images: Tensor, labels: Tensor, places: Tensor) -> None:
        """A step to measure, over when this returns; nothing is told of it and nothing saved."""
        self._step(images, labels, places)
        if self.device != "cpu":
            mg.cuda.synchronize(self.device)

    def _run(self) -> Outcome:
        self.files.begin(self.at)
        outcome = Outcome.FINISHED
        with self.signals:
            try:
                while self.at.epoch < self.recipe.epochs:
                    self._train_epoch()
                    self._end_epoch(*self._validate())
            except _Stop:
                self._save()
                outcome = Outcome.INTERRUPTED if self.signals.asked else Outcome.STEP_LIMIT
            except BaseException:
                with suppress(Diverged):  # the first error counts
                    self.saver.wait()
                raise
            self.saver.wait()
            if LAST in self.files.failed:  # the disk may have room by now
                self._save()
                self.saver.wait()
        return outcome

    def _train_epoch(self) -> None:
        """The rest of the epoch in progress."""
        self.train_mode()
        batches = self.feed.batches(self.at.epoch, self.at.batch, self.device)
        with self.tally.epoch():
            for batch, sample in self.tally.timed(batches):
                if self.max_steps is not None and self.at.step >= self.max_steps:
                    raise _Stop
                self._step(*sample)
                self.tally.step_done(batch)
                if self.saver.due(self.at.step):
                    self._save()
                self._stop_if_asked()

    def _step(self, images: Tensor, labels: Tensor, places: Tensor) -> None:
        count = len(labels.data)
        alphas = colour_alphas(self.recipe, self.at.epoch, count)
        mix = drawn_mix(self.recipe, self.at.step, count)
        batch = Batch(images.data, labels.data, places.data, alphas, mix)
        statistics = self._statistics()
        self.tally.totals.add(*self._gradients(batch, count), count)
        self.at.lr = self.rate
        if self.recipe.clip:
            self.scaler.unscale_(self.optimizer)
            norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
            self.tally.grad_norm = norm.data
        skipped = self.scaler.skipped_steps
        self.scaler.step(self.optimizer)
        if self.scaler.skipped_steps > skipped:
            for buffer, before in statistics:
                buffer.data[...] = before
        if self.average:
            self.average.update_parameters(self.model)
        self.tally.skips.update()
        self.schedule.step()  # a skipped step counts, too
        self.at.step += 1

    def _statistics(self) -> list[tuple[Tensor, Array]]:
        """Running statistics and their values now: a step that is skipped leaves NaN in them."""
        if not self.scaler.enabled:
            return []
        return [(buffer, buffer.data.copy()) for buffer in self.model.buffers()]

    def _gradients(self, batch: Batch, count: int) -> tuple[Array, Array]:
        """Those of the batch's mean loss; that loss, and how many of the images are right."""
        drawn = default_generator.state
        size = self.at.micro_batch or count
        if size >= count:
            return self._backward(batch, slice(0, count), 1.0)
        losses, rights = [], []
        for rows in slices(0, count, size):
            default_generator.state = drawn  # each part draws what the whole would have drawn
            with default_generator.rows(rows.start, count):
                loss, right = self._backward(batch, rows, (rows.stop - rows.start) / count)
            losses.append(loss)
            rights.append(right)
        return functools.reduce(operator.add, losses), functools.reduce(operator.add, rights)

    def _backward(self, batch: Batch, rows: slice, share: float) -> tuple[Array, Array]:
        """Forward and backward of some rows, whose mean loss is such a share of the batch's."""
        drawn = default_generator.state
        with mg.precision(self.precision):
            x = batch.input(self.to_input, rows)
            logits = self.model(x)
            targets = batch.targets(logits, rows)
            loss = F.cross_entropy(logits, targets, ignore_index=None,
                                   label_smoothing=self.recipe.label_smoothing)  # fmt: skip
            if share != 1:
                loss = loss * share
            if self.device == "cpu" and not math.isfinite(loss.data):
                self.tally.watchdog.cause = cause(self.model, x, drawn)
            labels = arrays.to_device(batch.labels[rows], self.device)
            right = count_in_top(logits.data, labels, 1)
            if not rows.start:
                self.optimizer.zero_grad()
            self.scaler.scale(loss).backward()
        return loss.data, right

    def _validate(self) -> tuple[Scores, float]:
        """The scores on the validation images, and the seconds they took."""
        began, total = time.perf_counter(), len(self.val_loader)
        with progress_bar("validation", total, unit="batches", tell=self.log.say) as bar:

            def batches() -> Iterator[Any]:
                for done, batch in self.val_feed.batches(0, 0):
                    yield batch
                    bar.update(done - bar.n)
                    self._stop_if_asked()

            scores = evaluate(self.tested, batches(), self.recipe, self.device, pixels=self.pixels)
        return scores, time.perf_counter() - began

    def _end_epoch(self, scores: Scores, val_seconds: float) -> None:
        """Record the epoch, set the schedule, and save."""
        see_validation(scores.loss, self.recipe)
        row = EpochMetrics.of(self.at.epoch + 1, self.at.lr, self.tally.totals, scores, val_seconds)
        self.log.say(row.line())
        chance = is_chance(row.train_loss, len(self.splits.classes))
        if self.schedule.end_epoch(1 - row.val_top1, chance):
            self.log.say(f"Validation no longer improves: the rate goes down to {self.rate:.2g}.")
        self.at.count_epoch(row)
        self.tally.new_epoch(val_seconds)
        self._save()
        self.files.epoch(self.at)

    def _stop_if_asked(self) -> None:
        if self.signals.asked:
            raise _Stop

    def _save(self) -> None:
        """Hand a snapshot to the saver; files that could not be written get another try."""
        self.tally.read()  # never save over a good checkpoint when the loss is not finite
        self.at.totals = self.tally.totals.state()
        used, metadata = self.contents()
        step, best = self.at.step, self.at.is_best
        self.saver.save(used, lambda copies: self.files.checkpoint(copies, metadata, step, best))
        self.files.retry()

    def _what_fits(self) -> str:
        """Finds it out, which spoils the weights; nothing is saved."""
        self.train_mode()
        self.tally.totals = Totals()
        batch, side = self.recipe.batch_size, self.recipe.input_size

        def step(size: int, *sample: Tensor) -> None:
            self.at.micro_batch = size
            self._step(*sample)

        size, in_parts = self.at.micro_batch or batch, not self.sees_whole_batches
        return what_fits(step, size, side, self.device, batch, in_parts)
