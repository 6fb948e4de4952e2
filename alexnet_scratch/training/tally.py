"""What the steps of a run come to, and what is told of them: bar, lines, steps.jsonl, warnings."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ..progress import EVERY, duration, progress_bar
from .metrics import Totals
from .not_finite import damage
from .pace import Pace
from .parts import Parts
from .precision import Skips
from .run import RunFiles
from .watchdog import Watchdog

READ_EVERY = 25  # steps between two looks at the loss on a GPU, which would wait for us


class Tally:
    """Counts the steps of a run; `totals` are those of the epoch in progress.

    max_steps: see `Trainer`.
    """

    def __init__(self, parts: Parts, files: RunFiles, max_steps: int | None) -> None:
        recipe, self.at, self.model = parts.recipe, parts.at, parts.model
        self.epochs, self.batches = recipe.epochs, len(parts.loader)
        self.on_cpu = parts.device == "cpu"
        self.files, self.log = files, files.log
        self.totals = Totals(**self.at.totals)
        self.watchdog = Watchdog(recipe, len(parts.splits.classes), self.at.step)
        self.skips = Skips(parts.scaler, recipe, parts.precision, self.at.step)
        self.pace = Pace(recipe, self.batches, len(parts.val_loader), max_steps)
        self.pace.before = Totals(**self.at.totals)
        self.grad_norm: Any = None  # of the last step, an array, where gradients are clipped
        self.read_every = 1 if self.on_cpu else READ_EVERY
        self._bar: Any = None
        self._began = self._waited = 0.0

    @contextmanager
    def epoch(self) -> Iterator[None]:
        """Around the steps of an epoch: a bar, and a row of steps.jsonl at its end."""
        title = f"epoch {self.at.epoch + 1}/{self.epochs}"
        # Without a terminal `_tell` says more than a bar's lines could.
        hidden = not sys.stderr.isatty()
        with progress_bar(title, self.batches, self.at.batch, hidden=hidden) as self._bar:
            yield
        self._write_row()

    def timed(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The batches; how long each is waited for is noted."""
        iterator = iter(batches)
        while True:
            self._began = time.perf_counter()
            batch = next(iterator, None)
            if batch is None:
                return
            self._waited = time.perf_counter() - self._began
            yield batch

    def step_done(self, batch: int) -> None:
        """A step is over, and so are `batch` batches of its epoch. Raises Diverged."""
        self._bar.update(batch - self.at.batch)
        self.at.batch = batch
        if self.totals.waiting >= self.read_every:
            self.read()
        now = time.perf_counter()
        self.pace.count(now - self._began, self._waited)
        self.totals.seconds += now - self._began
        if not self._bar.disable:
            left = duration(self.pace.seconds_left(self.at))
            self._bar.set_postfix_str(f"run {left}, {self.totals.line()}", refresh=False)
        self._tell(now)

    def read(self) -> None:
        """See to the losses that are not read yet. Raises Diverged if they are not finite."""
        losses = self.totals.read()
        if self.files.events:
            self.files.events.steps(self.at.step, losses, self.at.lr)
        for loss in losses:
            if not math.isfinite(loss) and not self.watchdog.cause:
                self.watchdog.cause = damage(self.model)
            self._say(self.watchdog.see(loss))
        self._say(self.skips.see(self.at.step, self.watchdog.cause))

    def new_epoch(self, seconds_per_validation: float) -> None:
        """Begin anew; the validation of the epoch that is over took so long."""
        self.totals, self.pace.before = Totals(), Totals()
        self.pace.seconds_per_validation = seconds_per_validation

    def _say(self, text: str | None) -> None:
        if text:
            self.log.say(text)

    def _tell(self, now: float) -> None:
        """Every half minute a line for log.txt, and for standard output if there is no bar."""
        self._say(self.pace.first_estimate(self.at, self.on_cpu))
        if now - self.pace.told >= EVERY and (line := self._write_row()):
            bar_seen = sys.stderr.isatty() and sys.stdout.isatty()
            (self.log.note if bar_seen else self.log.say)(line)

    def _write_row(self) -> str | None:
        """A row of steps.jsonl, as a line for people; None if there was no step since the last."""
        self.read()
        row = self.pace.row(self.totals, self.at, self.grad_norm)
        if row is None:
            return None
        self.files.step_row(row)
        return row.line(self.epochs)
