"""The files of a run's folder. A disk that is full ends no run: what cannot be written is told,
tried again with every checkpoint, and named at the end.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from minigrad.files import write_text
from minigrad.serialization import save_file

from ..data import DataError
from ..recipe import Recipe
from .checkpoint import link
from .folder import LEFTOVER
from .input import Splits
from .log import GrowingFile, Log
from .metrics import EpochMetrics, write_metrics
from .not_finite import check_finite
from .pace import StepMetrics, keep_rows
from .plot import draw_curves
from .position import Position
from .tensorboard import FILE as EVENTS
from .tensorboard import Events

STEPS, LAST, BEST = "steps.jsonl", "last.safetensors", "best.safetensors"
_NUMBERED = re.compile(r"step-\d+\.safetensors")


class RunFiles:
    """Writes the files of a run; what fails is in `failed`, by name, with the reason.

    keep: how many of the last checkpoints are kept; more than one have names with their steps.
    tensorboard: write its event file, too; a run that has one goes on with it.
    """

    def __init__(
        self, folder: Path, recipe: Recipe, splits: Splits, data: dict[str, Any], keep: int = 1,
        tensorboard: bool = False,
    ) -> None:  # fmt: skip
        self.folder, self.recipe, self.splits, self.data = folder, recipe, splits, data
        self.keep = keep
        self.log = Log(folder / "log.txt")
        self.steps = GrowingFile(folder / STEPS)
        wanted = tensorboard or (folder / EVENTS).is_file()
        self.events = Events(folder / EVENTS) if wanted else None
        self.failed: dict[str, str] = {}
        self._again: dict[str, Callable[[], None]] = {}

    def begin(self, at: Position) -> None:
        """The files that are there before the first step.

        Also when it is resumed: killed between two files, a run must not stay out of step.
        """
        for file in self.folder.iterdir():
            if LEFTOVER.fullmatch(file.name):
                self.attempt(file.name, file.unlink)
        text = self.recipe.to_json() + "\n"
        self.attempt("recipe.json", lambda: write_text(self.folder / "recipe.json", text))
        rows = self._write_metrics(at)
        if self.events:
            events = self.events
            self.attempt(EVENTS, lambda: events.begin(at.step, rows))
        self.attempt(STEPS, lambda: keep_rows(self.folder / STEPS, at.step))
        if (self.folder / LAST).exists():
            self._name_checkpoint(at.step, at.is_best)

    def checkpoint(
        self, tensors: Mapping[str, Any], metadata: dict[str, str], step: int, best: bool
    ) -> None:
        """last.safetensors, and its other names. Raises Diverged for weights that are not finite:
        they never replace good ones."""
        check_finite(tensors, step)
        said = f"the checkpoint of step {step} is not saved"
        said += ", the one before it stays" * (self.folder / LAST).exists()
        if self.attempt(LAST, lambda: save_file(tensors, self.folder / LAST, metadata), said):
            self._name_checkpoint(step, best)
        elif best:
            self.failed[BEST] = self.failed[LAST]

    def epoch(self, at: Position) -> None:
        """metrics.jsonl and curves.png of the epochs so far."""
        rows = self._write_metrics(at)
        if self.events:
            self.events.epoch(rows[-1])
        self._flush_events()
        data = os.path.basename(self.data.get("root") or "drawn patterns")
        name = f"{data}: {self.recipe.name}, {self.recipe.title}"
        path, classes = self.folder / "curves.png", len(self.splits.classes)
        self.attempt(path.name, lambda: draw_curves(path, rows, classes, name))

    def step_row(self, row: StepMetrics) -> None:
        """A line of steps.jsonl."""
        text = row.json() + "\n"
        self.attempt(STEPS, lambda: self.steps.add(text), again=self.steps.add)
        self._flush_events()

    def attempt(
        self, name: str, write: Callable[[], None], what: str = "it is not up to date",
        again: Callable[[], None] | None = None,
    ) -> bool:  # fmt: skip
        """Write a file. If that fails, say so once, and note it for `retry`.

        again: what then to call, instead of `write`.
        """
        try:
            write()
        except (OSError, DataError) as error:
            said = error.__cause__ if isinstance(error, DataError) else error
            reason = getattr(said, "strerror", None) or str(error)
            if self.failed.get(name) != reason:
                self.log.say(
                    f"{self.folder / name} cannot be written ({reason}): {what}; training goes on, "
                    "and the next save tries again."
                )
            self.failed[name], self._again[name] = reason, again or write
            return False
        self._again.pop(name, None)
        if self.failed.pop(name, None):
            self.log.say(f"{self.folder / name} is written again.")
        return True

    def retry(self) -> None:
        """Write what could not be written before, but for checkpoints: those are past."""
        self._flush_events()
        for name, write in list(self._again.items()):
            if not name.endswith(".safetensors"):
                self.attempt(name, write)

    def missing(self) -> str | None:
        """What the folder lacks at the end, for people; None if it is whole."""
        self.retry()
        try:
            self.log.file.add()
        except OSError as error:
            self.failed["log.txt"] = error.strerror or str(error)
        if not self.failed:
            return None
        files = ", ".join(f"{name} ({reason})" for name, reason in self.failed.items())
        return f"Not up to date in {self.folder}: {files}."

    def _name_checkpoint(self, step: int, best: bool) -> None:
        """The other names of last.safetensors: best, and a number if several are kept."""
        last = self.folder / LAST
        if best:
            self.attempt(BEST, lambda: link(last, self.folder / BEST))
        numbered = f"step-{step:08}.safetensors"
        if self.keep > 1 and self.attempt(numbered, lambda: link(last, self.folder / numbered)):
            found = sorted(f for f in self.folder.iterdir() if _NUMBERED.fullmatch(f.name))
            for old in found[: -self.keep]:
                self.attempt(old.name, old.unlink)

    def _flush_events(self) -> None:
        if self.events:
            self.attempt(EVENTS, self.events.flush)

    def _write_metrics(self, at: Position) -> list[EpochMetrics]:
        rows = [EpochMetrics(**row) for row in at.metrics]
        self.attempt("metrics.jsonl", lambda: write_metrics(self.folder / "metrics.jsonl", rows))
        return rows
