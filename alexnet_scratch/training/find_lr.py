"""The learning-rate range test: a short training whose rate rises until the loss blows up."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data.packed import is_packed
from ..progress import progress_bar
from ..recipe import Recipe
from .folder import RunError
from .input import Splits
from .trainer import Trainer

RANGES = {"sgd": (1e-4, 3.0), "adam": (1e-6, 0.1), "adamw": (1e-6, 0.1)}
BLOWN_UP = 4.0  # times the lowest loss so far: from there on nothing is learnt
WINDOW = 0.08  # of the steps: over so many the loss is averaged, centred
FALL = 4.0  # standard errors of the mean by which the loss must have fallen
MARGIN = 10.0  # below the rate at which it blew up


@dataclass(frozen=True)
class RangeTest:
    """rates: of the steps that were done. losses: theirs. smooth: their running mean, centred."""

    rates: list[float]
    losses: list[float]
    smooth: list[float]
    blew_up: bool


@dataclass(frozen=True)
class Found:
    """The suggestion: a rate, and how it was chosen."""

    lr: float
    why: str


def check_new(data: Path) -> None:
    """RunError for a run or a checkpoint in place of data: a trained network has little left to
    learn, so that its loss says nothing about the rate that a new one needs."""
    run = data.is_dir() and not is_packed(data) and (data / "last.safetensors").exists()
    if run or data.suffix == ".safetensors":
        raise RunError(
            f"{data} is a trained network, and the test begins with a new one: give the run's "
            "data, and its recipe.json as --recipe"
        )


def range_test(
    recipe: Recipe, splits: Splits, lowest: float, highest: float, steps: int, device: str = "cpu",
    workers: int = 2,
) -> RangeTest:  # fmt: skip
    """Train a new network for `steps` steps, at rates that rise by the same factor each time.

    The recipe's own schedule and warm-up are off. Ends early where the loss has blown up. Nothing
    of it is kept. Source: Smith 2017, Cyclical Learning Rates, section 3.3.
    """
    plain = replace(
        recipe, lr=lowest, schedule="constant", warmup_steps=0, average=0.0, on_nan="stop",
        drop_epochs=(), conv1_drop_epochs=(), conv1_freeze_epoch=0,
    )  # fmt: skip
    rates, losses = np.geomspace(lowest, highest, steps).tolist(), []
    with tempfile.TemporaryDirectory() as folder:
        data = {"root": None, "train_images": len(splits.train)}
        it = Trainer(Path(folder), plain, splits, data, device=device, workers=workers)
        it.model.train()
        first, growth = it.schedule.base_lrs, (highest / lowest) ** (1 / max(steps - 1, 1))
        with progress_bar("range test", steps, unit="steps", tell=it.log.say) as bar:
            for rate, sample in zip(rates, _batches(it), strict=False):
                # The end of this step sets the rate of the next one.
                it.schedule.base_lrs = [base * rate / lowest * growth for base in first]
                it._step(*sample)
                losses += it.tally.totals.read()
                bar.update()
                if not math.isfinite(losses[-1]) or _recent(losses) > BLOWN_UP * min(losses):
                    break
    blew_up = len(losses) < steps or not math.isfinite(losses[-1])
    kept = [loss for loss in losses if math.isfinite(loss)]
    return RangeTest(rates[: len(kept)], kept, _smooth(kept, steps), blew_up)


def suggestion(test: RangeTest) -> Found | None:
    """A rate for training, None where the test tells nothing.

    The one at which the mean loss fell fastest, if it fell by more than its noise; or, if that is
    lower or it did not fall, a tenth of the one at which it blew up.
    """
    lowest = int(np.argmin(test.smooth)) if test.smooth else 0
    most = test.rates[-1] / MARGIN if test.blew_up and test.rates else math.inf
    half = max(1, round(len(test.losses) * WINDOW / 2))
    noise = np.std(np.subtract(test.losses, test.smooth)[: lowest + 1]) if test.smooth else 0.0
    error = float(noise) * math.sqrt(2 / (2 * half + 1))
    fell = test.smooth[0] - test.smooth[lowest] if test.smooth else 0.0
    if fell > FALL * error:
        drops = [
            test.smooth[max(0, i - half)] - test.smooth[min(i + half, lowest)]
            for i in range(lowest + 1)
        ]
        rate = test.rates[int(np.argmax(drops))]
        if rate <= most:
            return Found(rate, f"the loss fell fastest there, {_told(test, lowest)}")
        return Found(most, f"a tenth of the rate at which the loss blew up, {_told(test, lowest)}")
    if test.blew_up:
        return Found(most, "a tenth of the rate at which the loss blew up; it did not fall before")
    return None


def _told(test: RangeTest, lowest: int) -> str:
    text = (
        f"from {test.smooth[0]:.3f} at the beginning to {test.smooth[lowest]:.3f} at "
        f"{test.rates[lowest]:.2g}"
    )
    return text + f", and blew up at {test.rates[-1]:.2g}" * test.blew_up


def _batches(it: Trainer) -> Iterator[Any]:
    """Training batches without an end."""
    for epoch in range(10**6):
        for _, sample in it.feed.batches(epoch, 0, it.device):
            yield sample


def _recent(losses: Sequence[float], steps: int = 5) -> float:
    return sum(losses[-steps:]) / len(losses[-steps:])


def _smooth(losses: Sequence[float], steps: int) -> list[float]:
    """Means over the steps around each one; fewer at both ends."""
    half = max(1, round(steps * WINDOW / 2))
    around = (losses[max(0, i - half) : i + half + 1] for i in range(len(losses)))
    return [sum(part) / len(part) for part in around]
