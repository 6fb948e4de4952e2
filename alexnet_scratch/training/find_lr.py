"""The learning-rate range test: a short training whose rate rises until the loss blows up."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..data.packed import is_packed
from ..progress import progress_bar
from ..recipe import Recipe
from .folder import RunError
from .input import Splits
from .signals import EndingSignals
from .trainer import Trainer
from .transfer import Pretrained
from .watchdog import Diverged

RANGES = {"sgd": (1e-4, 3.0), "adam": (1e-6, 0.1), "adamw": (1e-6, 0.1)}
BLOWN_UP = 4.0  # times the lowest of the means so far: from there on nothing is learnt
RECENT = 5  # losses that such a mean is of
WINDOW = 0.12  # of the steps: over so many the loss is averaged, centred
FALL = 5.0  # standard errors of the mean by which the loss must have fallen
MARGIN = 20.0  # below the rate at which it blew up
BELOW = "a twentieth of the rate at which it blew up"


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
    workers: int = 2, source: Pretrained | None = None,
) -> RangeTest:  # fmt: skip
    """Train a new network for `steps` steps, at rates that rise by the same factor each time.

    source: as of `Trainer`. The recipe's own schedule and warm-up are off. Ends early where the
    loss has blown up. Nothing of it is kept. Source: Smith 2017, Cyclical Learning Rates, section
    3.3.

    Raises Diverged where the first loss is none: no rate has a part in that.
    """
    plain = replace(
        recipe, lr=lowest, schedule="constant", warmup_steps=0, average=0.0, on_nan="stop",
        drop_epochs=(), conv1_drop_epochs=(), conv1_freeze_epoch=0,
    )  # fmt: skip
    rates, losses = np.geomspace(lowest, highest, steps).tolist(), []
    means: list[float] = []
    blew_up = False
    with EndingSignals(), tempfile.TemporaryDirectory() as folder:
        data = {"root": None, "train_images": len(splits.train)}
        it = Trainer(Path(folder), plain, splits, data, device=device, workers=workers,
                     source=source)  # fmt: skip
        it.train_mode()
        first, growth = it.schedule.base_lrs, (highest / lowest) ** (1 / max(steps - 1, 1))
        with progress_bar("range test", steps, unit="steps", tell=it.log.say) as bar:
            for rate, sample in zip(rates, it.feed.endless(it.device), strict=False):
                # The end of this step sets the rate of the next one.
                it.schedule.base_lrs = [base * rate / lowest * growth for base in first]
                it.try_step(*sample)
                losses += it.tally.totals.read()
                bar.update()
                means.append(sum(losses[-RECENT:]) / len(losses[-RECENT:]))
                blew_up = _blown_up(means)
                if blew_up:
                    break
        if not math.isfinite(losses[0]):
            raise Diverged(
                "the loss of a new network is NaN or Inf, before any rate matters: see what "
                f"`alexnet doctor` says of it. {it.tally.watchdog.cause}".rstrip()
            )
    kept = [loss for loss in losses if math.isfinite(loss)]
    return RangeTest(rates[: len(kept)], kept, _smooth(kept, steps), blew_up)


def suggestion(test: RangeTest) -> Found | None:
    """A rate for training, None where the test tells nothing.

    Half of the one at which the mean loss was lowest, if it fell by more than its noise: from there
    on a step does more harm than good. If that is more, a twentieth of the rate at which it blew
    up. (The rate of the steepest fall, which others take, is that of the first
    steps of a start above ln C, which only shrink the logits.)
    """
    rates, smooth = test.rates, test.smooth
    if not rates:
        return None
    most = rates[-1] / MARGIN if test.blew_up else math.inf
    lowest = int(np.argmin(smooth))
    highest = int(np.argmax(smooth[: lowest + 1]))
    # Differences of neighbours show the noise alone; their median, whatever blows up at the end.
    apart = np.abs(np.diff(test.losses)) if len(rates) > 1 else np.zeros(1)
    noise = float(np.median(apart)) / 0.6745 / math.sqrt(2)
    error = noise * math.sqrt(2 / (2 * _half(len(rates)) + 1))
    if smooth[highest] - smooth[lowest] > FALL * error:
        went = f"; it went from {smooth[highest]:.3f} to {smooth[lowest]:.3f}"
        went += f" and blew up at {rates[-1]:.2g}" * test.blew_up
        if rates[lowest] / 2 > most:
            return Found(most, BELOW + went)
        if lowest == len(rates) - 1:
            went += ", and was still falling: a higher --highest may find more"
        return Found(rates[lowest] / 2, f"half of {rates[lowest]:.2g}, where it was lowest{went}")
    return None


def _half(steps: int) -> int:
    """Steps on each side of one that its mean is of."""
    return max(1, round(steps * WINDOW / 2))


def _blown_up(means: Sequence[float]) -> bool:
    """Of the means of the last few losses, a step each: is the last one beyond the first, too?

    One batch that is lucky, as a short one can be, says nothing.
    """
    last = means[-1]
    return not math.isfinite(last) or last > max(BLOWN_UP * min(means), means[0])


def _smooth(losses: Sequence[float], steps: int) -> list[float]:
    """Means over the steps around each one; fewer at both ends."""
    half = _half(steps)
    around = (losses[max(0, i - half) : i + half + 1] for i in range(len(losses)))
    return [sum(part) / len(part) for part in around]
