"""The training loop.

Everything that decides the numbers is in the recipe and in `Position`: a run that is interrupted
and resumed ends with the same bytes as one that was not (with as many threads, and the same BLAS).
What a run keeps in its folder is in `run.py`; where its batches come from, in `feed.py`; what it
begins with, in `begin.py`.
"""

from __future__ import annotations

import enum
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import minigrad as mg
from minigrad import Tensor, arrays, optim
from minigrad.data import DataLoader
from minigrad.nn import functional as F
from minigrad.random import default_generator

from ..evaluation import Scores, count_in_top, evaluate
from ..out_of_memory import OutOfMemory, shortage, what_fits
from ..pixels import ToInput, colour_alphas
from ..progress import EVERY, duration, progress_bar
from ..recipe import Recipe, build_optimizer
from .begin import check_same_data, measured, new_model
from .checkpoint import Checkpoint
from .feed import Feed
from .input import Splits, pinned_for, train_loader
from .metrics import EpochMetrics, Totals
from .pace import Pace, StepMetrics, append_row
from .precision import chosen_precision, skips_message
from .run import STEPS, Run
from .schedule import RecipeLR
from .watchdog import Diverged, Watchdog, is_chance, lower_rate

SAVE_EVERY = 600.0  # seconds between checkpoints within a long epoch
READ_EVERY = 25  # steps between two looks at the loss on a GPU, which would wait for us


class Outcome(enum.Enum):
    """How `Trainer.run` ended."""

    FINISHED = "all epochs are done"
    INTERRUPTED = "Ctrl-C or SIGTERM"
    STEP_LIMIT = "max_steps reached"


class _Stop(Exception):  # noqa: N818  (a way out of two loops, not an error)
    """Leave the loops between two batches."""


class Trainer(Run):
    """One run: `Trainer(...)` starts anew, with a checkpoint it goes on; then `run()`.

    folder: where the run's files go, an existing folder. data: what the checkpoint says about the
    data set. recipe: a resumed run takes the checkpoint's, with more `epochs` if wished.
    max_steps: stop after so many steps in all; the schedule is that of all epochs.
    precision: of products in training (validation is float32 always), see `chosen_precision`.
    accept_changed_data: go on with other images than the checkpoint's, of the same classes.
    Raises CheckpointError for a checkpoint that does not fit, RunError for other data than its or a
    precision that the device has not.
    """

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        splits: Splits,
        data: dict[str, Any],
        *,
        device: str = "cpu",
        workers: int = 2,
        max_steps: int | None = None,
        precision: str | None = None,
        resume: Checkpoint | None = None,
        accept_changed_data: bool = False,
    ) -> None:
        super().__init__(folder, recipe, splits, data)
        self.device = arrays.parse_device(device)
        self.max_steps = max_steps
        saved = resume.position.precision if resume else None
        self.precision = chosen_precision(precision, saved, self.device)
        self.loader = train_loader(splits.train, recipe, workers, device=self.device)
        self.val_loader = DataLoader(
            splits.val, recipe.batch_size, num_workers=workers, **pinned_for(self.device)
        )
        self.feed, self.val_feed = (Feed(it, self.log) for it in (self.loader, self.val_loader))

        self.pixels = resume.pixels if resume else measured(recipe, splits)
        self.to_input = ToInput(recipe, self.pixels, self.device)
        mg.manual_seed(recipe.seed)
        classes = len(splits.classes)
        new = (recipe, classes, self.feed, self.pixels)
        self.model = resume.model() if resume else new_model(*new)
        self.model.to(self.device)
        self.optimizer = build_optimizer(self.model, recipe)
        names = [group["name"] for group in self.optimizer.param_groups]
        self.weights = names.index("weights")  # the group whose rate is reported
        self.schedule = RecipeLR(self.optimizer, recipe, len(self.loader))
        self.scaler = optim.GradScaler(enabled=self.precision == "float16")
        self.totals = Totals()
        if resume:
            self._restore(resume, accept_changed_data)
        self.watchdog = Watchdog(recipe, classes, self.at.step)
        self.pace = Pace(recipe, len(self.loader), len(self.val_loader), max_steps)
        self.pace.before = Totals(**self.totals.state())
        self.at.precision = self.precision
        self.skips_told = self.scaler.skipped_steps
        self.read_every = 1 if self.device == "cpu" else READ_EVERY
        self.saved_at = time.monotonic()

    def _restore(self, checkpoint: Checkpoint, accept_changed_data: bool) -> None:
        """Everything but the weights, which are in place already."""
        other = check_same_data(checkpoint, self.splits, self.data, accept_changed_data)
        if other:
            self.log.say(f"Going on with other data than before: {other}.")
        self.at = checkpoint.position
        self.totals = Totals(**self.at.totals)
        checkpoint.restore(self.optimizer, self.model)
        self.schedule.load_state_dict(self.at.schedule)
        if self.at.scaler:
            self.scaler.load_state_dict(self.at.scaler)
        default_generator.state = (self.at.generator[0], self.at.generator[1])

    # ----- the loop -----

    def run(self) -> Outcome:
        """Train to the end of the recipe, to `max_steps`, or until Ctrl-C; the state is saved.

        Raises Diverged when the loss is not finite, and OutOfMemory, which names a batch size that
        fits; the last checkpoint is then kept, and this object of no more use.
        """
        try:
            return self._run()
        except MemoryError as error:
            if not mg.cuda.is_out_of_memory(error):
                raise
            short = shortage(error, self.device)
        # Only now: the error's traceback kept what the failed step had in memory.
        raise OutOfMemory(f"{short}; {self._what_fits()}")

    def _run(self) -> Outcome:
        self.write_beginning()
        with self.signals():
            try:
                while self.at.epoch < self.recipe.epochs:
                    self._train_epoch()
                    self._end_epoch(*self._validate())
            except _Stop:
                self._save()
                return Outcome.INTERRUPTED if self.interrupted else Outcome.STEP_LIMIT
        return Outcome.FINISHED

    def _what_fits(self) -> str:
        """Finds it out, which spoils the weights; nothing is saved."""
        self.model.train()
        self.totals = Totals()
        return what_fits(self._step, self.recipe.batch_size, self.recipe.input_size, self.device)

    def _train_epoch(self) -> None:
        """The rest of the epoch in progress."""
        self.model.train()
        title = f"epoch {self.at.epoch + 1}/{self.recipe.epochs}"
        # Without a terminal `_tell_pace` says more than a bar's lines could.
        no_lines = not sys.stderr.isatty()
        with progress_bar(title, len(self.loader), self.at.batch, hidden=no_lines) as bar:
            mark = time.perf_counter()
            batches = self.feed.batches(self.at.epoch, self.at.batch, self.device)
            for batch, sample in batches:
                if self.max_steps is not None and self.at.step >= self.max_steps:
                    raise _Stop
                waited = time.perf_counter() - mark
                self._step(*sample)
                bar.update(batch - self.at.batch)
                self.at.batch = batch
                if self.totals.waiting >= self.read_every:
                    self._read_losses()
                now = time.perf_counter()
                self.pace.count(now - mark, waited)
                self.totals.seconds, mark = self.totals.seconds + now - mark, now
                if not no_lines:
                    left = duration(self.pace.seconds_left(self.at))
                    bar.set_postfix_str(f"run {left}, {self.totals.line()}", refresh=False)
                self._tell_pace(now)
                if time.monotonic() - self.saved_at > SAVE_EVERY:
                    self._save()
                    mark = time.perf_counter()
                self._stop_if_interrupted()
        self._write_steps()

    def _step(self, images: Tensor, labels: Tensor, places: Tensor) -> None:
        alphas = colour_alphas(self.recipe, self.at.epoch, len(labels.data))
        with mg.precision(self.precision):
            logits = self.model(self.to_input(images, places.data, alphas))
            loss = F.cross_entropy(logits, labels.data, ignore_index=None,
                                   label_smoothing=self.recipe.label_smoothing)  # fmt: skip
            targets = arrays.to_device(labels.data, self.device)
            self.totals.add(loss.data, count_in_top(logits.data, targets, 1), len(targets))
            self.optimizer.zero_grad()
            self.scaler.scale(loss).backward()
        self.at.lr = self.schedule.get_last_lr()[self.weights]
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()  # a skipped step counts, too
        self.at.step += 1

    def _validate(self) -> tuple[Scores, float]:
        """The scores on the validation images, and the seconds they took."""
        began = time.perf_counter()
        total = len(self.val_loader)
        with progress_bar("validation", total, unit="batches", tell=self.log.say) as bar:

            def batches() -> Iterator[Any]:
                for done, batch in self.val_feed.batches(0, 0):
                    yield batch
                    bar.update(done - bar.n)
                    self._stop_if_interrupted()

            scores = evaluate(self.model, batches(), self.recipe, self.device, pixels=self.pixels)
        return scores, time.perf_counter() - began

    def _end_epoch(self, scores: Scores, val_seconds: float) -> None:
        """Record the epoch, set the schedule, and save."""
        totals = self.totals
        self.pace.seconds_per_validation = val_seconds
        row = EpochMetrics(
            epoch=self.at.epoch + 1,
            train_loss=totals.mean_loss,
            train_top1=totals.top1,
            val_loss=scores.loss,
            val_top1=scores.top1,
            val_top5=scores.top5,
            lr=self.at.lr,
            images_per_second=totals.images_per_second,
            seconds=totals.seconds + val_seconds,
        )
        if not abs(row.val_loss) < float("inf"):
            rate = f"{lower_rate(self.recipe):g}"
            raise Diverged(
                f"The validation loss is {row.val_loss}: try a lower rate (--lr {rate})."
            )
        self.log.say(row.line())
        chance = is_chance(row.train_loss, len(self.splits.classes))
        if self.schedule.end_epoch(1 - row.val_top1, chance):
            lr = self.schedule.get_last_lr()[self.weights]
            self.log.say(f"Validation no longer improves: the rate goes down to {lr:.2g}.")
        self.count_epoch(row)
        self.totals = Totals()
        self.pace.before = Totals()
        self._save()
        self.write_epoch()

    # ----- what the loop calls -----

    def _stop_if_interrupted(self) -> None:
        if self.interrupted:
            raise _Stop

    def _read_losses(self) -> None:
        for loss in self.totals.read():
            message = self.watchdog.see(loss)
            if message:
                self.log.say(message)
        if self.scaler.skipped_steps > self.skips_told:
            self.skips_told = self.scaler.skipped_steps
            self.log.say(skips_message(self.scaler, self.at.step, lower_rate(self.recipe)))

    def _tell_pace(self, now: float) -> None:
        """Every half minute a line for log.txt, and for standard output if there is no bar."""
        first = self.pace.first_estimate(self.at, self.device == "cpu")
        if first:
            self.log.say(first)
        if now - self.pace.told < EVERY:
            return
        row = self._write_steps()
        if row:
            bar_seen = sys.stderr.isatty() and sys.stdout.isatty()
            (self.log.note if bar_seen else self.log.say)(row.line(self.recipe.epochs))

    def _write_steps(self) -> StepMetrics | None:
        """A row of steps.jsonl; None if there was no step since the last one."""
        self._read_losses()
        row = self.pace.row(self.totals, self.at)
        if row:
            append_row(self.folder / STEPS, row)
        return row

    def _save(self) -> None:
        self._read_losses()  # never save over a good checkpoint when the loss is not finite
        self.at.totals = self.totals.state()
        self.at.schedule = self.schedule.state_dict()
        self.at.scaler = self.scaler.state_dict()
        self.at.generator = list(default_generator.state)
        self.write_checkpoint(self.model, self.optimizer, self.pixels)
