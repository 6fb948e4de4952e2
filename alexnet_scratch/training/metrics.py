"""What is counted in training, and the line per epoch that it becomes."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from minigrad.arrays import Array, array_module, to_numpy
from minigrad.files import write_text

from ..evaluation import Scores


@dataclass
class Totals:
    """Sums over the images of one epoch.

    `add` keeps what the device will have computed; only `read` waits for it.
    """

    loss: float = 0.0
    correct: int = 0
    images: int = 0
    seconds: float = 0.0
    _pending: list[tuple[Array, Array, int]] = field(default_factory=list, repr=False)

    def add(self, loss: Array, correct: Array, images: int) -> None:
        """Note a batch: its mean loss and number of correct images, both 0-d arrays."""
        self._pending.append((loss, correct, images))

    def read(self) -> list[float]:
        """Add up what is pending; returns its losses, of which the sums have the finite ones."""
        pending, self._pending = self._pending, []
        if not pending:
            return []
        losses, corrects, images = zip(*pending, strict=True)
        # All at once: each reading would wait for the device.
        xp = array_module(losses[0])
        read: list[float] = to_numpy(xp.stack(losses)).tolist()
        right: list[int] = to_numpy(xp.stack(corrects)).tolist()
        for loss, correct, count in zip(read, right, images, strict=True):
            if not math.isfinite(loss):  # of a step that is left out, or of the last one
                continue
            self.loss += loss * count
            self.correct += correct
            self.images += count
        return read

    @property
    def waiting(self) -> int:
        """Batches not read yet."""
        return len(self._pending)

    @property
    def mean_loss(self) -> float:
        return self.loss / max(1, self.images)

    @property
    def top1(self) -> float:
        return self.correct / max(1, self.images)

    @property
    def images_per_second(self) -> float:
        return self.images / max(self.seconds, 1e-9)

    def line(self) -> str:
        """For people, while the epoch goes on: short, it stands beside a bar."""
        return f"loss {self.mean_loss:.3f}, top-1 {self.top1:.1%}, {self.images_per_second:.0f}/s"

    def state(self) -> dict[str, Any]:
        """The sums, for JSON; call `read` first."""
        return {
            "loss": self.loss,
            "correct": self.correct,
            "images": self.images,
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class EpochMetrics:
    """A line of metrics.jsonl. Accuracies are fractions of 1, `epoch` counts from 1."""

    epoch: int
    train_loss: float
    train_top1: float
    val_loss: float
    val_top1: float
    val_top5: float
    lr: float
    images_per_second: float
    seconds: float

    @staticmethod
    def of(epoch: int, lr: float, totals: Totals, scores: Scores, seconds: float) -> EpochMetrics:
        """Of an epoch of training, and the validation after it, which took `seconds`."""
        return EpochMetrics(
            epoch, totals.mean_loss, totals.top1, scores.loss, scores.top1, scores.top5, lr,
            totals.images_per_second, totals.seconds + seconds,
        )  # fmt: skip

    def line(self) -> str:
        """For people."""
        return (
            f"epoch {self.epoch}  train loss {self.train_loss:.3f} top-1 {self.train_top1:.1%}  "
            f"val loss {self.val_loss:.3f} top-1 {self.val_top1:.1%} top-5 {self.val_top5:.1%}  "
            f"lr {self.lr:.2g}  {self.images_per_second:.0f} images/s  {self.seconds:.0f} s"
        )


def write_metrics(path: Path, rows: list[EpochMetrics]) -> None:
    """Write metrics.jsonl anew: a run that was killed and resumed has every epoch once."""
    write_text(path, "".join(json.dumps(asdict(row)) + "\n" for row in rows))
