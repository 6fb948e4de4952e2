"""A run in progress, but for its loop: where it stands, its folder, and who may stop it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from minigrad import nn, optim

from ..pixels import PixelStatistics
from ..recipe import Recipe
from .checkpoint import Position, link, save_checkpoint
from .input import Splits
from .log import Log
from .metrics import EpochMetrics, write_metrics
from .pace import keep_rows
from .plot import draw_curves

STEPS = "steps.jsonl"


class Run:
    """Everything of a run that is a file, and its place in training, `at`, which they tell.

    folder: an existing one. data: what the checkpoint says about the data set.
    """

    def __init__(self, folder: Path, recipe: Recipe, splits: Splits, data: dict[str, Any]) -> None:
        self.folder, self.recipe, self.splits, self.data = folder, recipe, splits, data
        self.log = Log(folder / "log.txt")
        self.at = Position()
        self.interrupted = False
        self.saved_at = time.monotonic()

    def write_beginning(self) -> None:
        """The files that are there before the first step.

        Also when it is resumed: killed between two files, a run must not stay out of step.
        """
        (self.folder / "recipe.json").write_text(self.recipe.to_json() + "\n", encoding="utf-8")
        self._write_metrics()
        keep_rows(self.folder / STEPS, self.at.step)
        self._name_best()

    def write_checkpoint(
        self, model: nn.Module, optimizer: optim.Optimizer, pixels: PixelStatistics
    ) -> None:
        """last.safetensors: the network, its optimiser, and where the run stands."""
        save_checkpoint(
            self.folder / "last.safetensors", model, optimizer, self.recipe,
            self.splits.classes, self.data, self.at, pixels,
        )  # fmt: skip
        self.saved_at = time.monotonic()

    def count_epoch(self, row: EpochMetrics) -> None:
        """One more epoch is complete: its metrics, and whether it is the best so far."""
        best = self.at.best
        if not best or (row.val_top1, -row.val_loss) > (best["val_top1"], -best["val_loss"]):
            self.at.best = asdict(row)
        self.at.metrics.append(asdict(row))
        self.at.epoch, self.at.batch = self.at.epoch + 1, 0

    def write_epoch(self) -> None:
        """What follows the checkpoint of an epoch: its second name, metrics.jsonl, curves.png."""
        self._name_best()
        rows = self._write_metrics()
        data = os.path.basename(self.data.get("root") or "drawn patterns")
        name = f"{data}: {self.recipe.name}, {self.recipe.variant} AlexNet"
        draw_curves(self.folder / "curves.png", rows, len(self.splits.classes), name)

    def _name_best(self) -> None:
        """If the epoch just saved is the best, its checkpoint is best.safetensors, too."""
        if self.at.epoch and not self.at.batch and self.at.best["epoch"] == self.at.epoch:
            link(self.folder / "last.safetensors", self.folder / "best.safetensors")

    def _write_metrics(self) -> list[EpochMetrics]:
        rows = [EpochMetrics(**row) for row in self.at.metrics]
        write_metrics(self.folder / "metrics.jsonl", rows)
        return rows

    # ----- Ctrl-C and SIGTERM -----

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Inside it the first Ctrl-C or SIGTERM sets `interrupted`, the second stops at once.

        Only the main thread may ask for signals; in another one nothing changes.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._interrupt) for number in numbers}
        try:
            yield
        finally:
            for number, old in before.items():
                signal.signal(number, old)

    def _interrupt(self, *_: Any) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
        # Not print(): the signal may have come in the middle of one.
        with contextlib.suppress(OSError):
            os.write(2, b"\nFinishing this batch, then saving; Ctrl-C again stops at once.\n")
