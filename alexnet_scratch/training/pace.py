"""How fast a run goes: how long it will take, and its metrics within an epoch."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigrad.files import write_text
from minigrad.serialization import parse_json

from ..progress import duration, quantity
from ..recipe import Recipe
from .metrics import Totals
from .position import Position

FIRST_ESTIMATE = 20  # steps after which the length of the run is told
LONG = 3600.0  # seconds: a run on a CPU that is longer hears how it gets shorter
SMALL = 144  # side of inputs that are not advised to be smaller


@dataclass(frozen=True)
class StepMetrics:
    """A line of steps.jsonl: means over the steps since the line before it.

    step, epoch, batch: how many are done of the run, which epoch it is in (from 1), how many are
    done of it. waiting: share of the time in which the next batch was not there yet. seconds_left:
    of the run, validation included, as it looks now. grad_norm: of the last step's gradients before
    they were clipped; None where they are not or it is no number, and then not in the file.
    """

    step: int
    epoch: int
    batch: int
    loss: float
    top1: float
    lr: float
    images_per_second: float
    waiting: float
    seconds_left: float
    grad_norm: float | None = None

    def json(self) -> str:
        """The line."""
        return json.dumps({name: value for name, value in vars(self).items() if value is not None})

    def line(self, epochs: int) -> str:
        """For people."""
        return (
            f"epoch {self.epoch}/{epochs}, step {self.step}: loss {self.loss:.3f}, "
            f"top-1 {self.top1:.1%}, lr {self.lr:.2g}, {quantity(self.images_per_second)} images/s,"
            f" {self.waiting:.0%} of the time waiting for data, {duration(self.seconds_left)} left"
        )


class Pace:
    """Counts the seconds of a run's steps; none of what it knows is part of a checkpoint.

    batches: of an epoch. val_batches: of a validation. max_steps: see `Trainer`.
    """

    def __init__(
        self, recipe: Recipe, batches: int, val_batches: int, max_steps: int | None
    ) -> None:
        self.recipe, self.batches, self.val_batches = recipe, batches, val_batches
        self.max_steps = max_steps
        self.steps = 0  # since this process began
        self.seconds_per_step = 0.0
        self.seconds_per_validation: float | None = None
        self.before = Totals()  # at the last line
        self.waited = 0.0  # since the last line
        self.told = time.perf_counter()

    def count(self, seconds: float, waited: float) -> None:
        """Note a step: its seconds, and how many of them it waited for its batch."""
        self.steps += 1
        self.waited += waited
        # The mean of the first fifty, then of about the last fifty; but the very first warms up.
        share = max(1 / max(self.steps - 1, 1), 0.02)
        self.seconds_per_step += share * (seconds - self.seconds_per_step)

    def seconds_left(self, at: Position) -> float:
        """Of the run."""
        steps = (self.recipe.epochs - at.epoch) * self.batches - at.batch
        if self.max_steps is not None:
            steps = max(min(steps, self.max_steps - at.step), 0)
        validations = (at.batch + steps) // max(self.batches, 1)
        validation = self.seconds_per_validation
        if validation is None:  # forward alone is about a third of a step
            validation = self.val_batches * self.seconds_per_step / 3
        return steps * self.seconds_per_step + validations * validation

    def row(self, totals: Totals, at: Position, grad_norm: Any = None) -> StepMetrics | None:
        """The metrics since the last row, None if there was no step; `totals` are read.

        grad_norm: of the last step, a scalar array.
        """
        old, self.before = self.before, Totals(**totals.state())
        images, seconds = totals.images - old.images, totals.seconds - old.seconds
        waited, self.waited = self.waited, 0.0
        self.told = time.perf_counter()
        if not images:
            return None
        return StepMetrics(
            step=at.step,
            epoch=at.epoch + 1,
            batch=at.batch,
            loss=(totals.loss - old.loss) / images,
            top1=(totals.correct - old.correct) / images,
            lr=at.lr,
            images_per_second=images / max(seconds, 1e-9),
            waiting=min(waited / max(seconds, 1e-9), 1.0),
            seconds_left=self.seconds_left(at),
            grad_norm=_finite(grad_norm),
        )

    def first_estimate(self, at: Position, on_cpu: bool) -> str | None:
        """How long the run will take, once, as soon as that is known."""
        if self.steps != FIRST_ESTIMATE:
            return None
        left = self.seconds_left(at)
        text = (
            f"At {quantity(self.recipe.batch_size / self.seconds_per_step)} images/s the run has "
            f"{duration(left)} to go: to epoch {self.recipe.epochs}, validation included."
        )
        if self.max_steps is not None:
            text = text.replace(f"epoch {self.recipe.epochs}", f"step {self.max_steps}")
        if on_cpu and left > LONG:
            text += f" {shorter(self.recipe)}"
        return text


def _finite(scalar: Any) -> float | None:
    """None also for NaN and infinity, of a step that was skipped: JSON has no such numbers."""
    value = math.nan if scalar is None else float(scalar)
    return value if math.isfinite(value) else None


def shorter(recipe: Recipe) -> str:
    """What makes a run on a CPU shorter."""
    smaller = (
        "images of 128 pixels (alexnet prepare --image-size 128, then train --input-size 112: "
        "about four times as fast), "
    )
    return (
        f"Shorter: {smaller * (recipe.input_size > SMALL)}fewer images (prepare --per-class N), "
        "fewer --epochs, or a GPU (--device cuda)."
    )


def keep_rows(path: Path, step: int) -> None:
    """Leave the rows up to `step` in steps.jsonl: a killed run does the steps after it again."""
    kept = []
    for line in path.read_text("utf-8", "replace").splitlines() if path.is_file() else ():
        try:
            if parse_json(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, TypeError, KeyError):  # half a line
            continue
    write_text(path, "".join(kept))
