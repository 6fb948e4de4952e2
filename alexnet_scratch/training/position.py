"""Where a run stands: what a checkpoint says beside its tensors, its recipe and its data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from ..schema import MOST_EPOCHS, limited
from .metrics import EpochMetrics

PRECISIONS = ("float32", "tf32", "float16", "bfloat16")


@dataclass(kw_only=True)
class TotalsState:
    """`Totals.state`."""

    loss: float
    correct: int = limited(low=0)
    images: int = limited(low=0)
    seconds: float = limited(low=0)


@dataclass(kw_only=True)
class ScheduleState:
    """`RecipeLR.state_dict`."""

    last_epoch: int = limited(low=0)
    drops: int = limited(low=0, high=1000)
    waited: int = limited(low=0)
    lowest_error: float = limited(low=0, high=math.inf)


@dataclass(kw_only=True)
class ScalerState:
    """`GradScaler.state_dict`."""

    scale: float = limited(low=0)
    growth_factor: float = limited(low=1)
    backoff_factor: float = limited(low=0, high=1)
    growth_interval: int = limited(low=1)
    _growth_tracker: int = limited(low=0)
    skipped_steps: int = limited(0, low=0)


@dataclass
class Position:
    """Where a run stands. Every field is fit for JSON."""

    epoch: int = limited(0, low=0, high=MOST_EPOCHS)  # epochs complete
    batch: int = limited(0, low=0)  # batches done of the epoch in progress
    step: int = limited(0, low=0)  # training steps in all
    lr: float = limited(0.0, low=0)  # the rate of the last step
    # Sums over the epoch in progress.
    totals: dict[str, Any] = limited(factory=dict, shape=TotalsState)
    schedule: dict[str, Any] = limited(factory=dict, shape=ScheduleState)
    generator: list[int] = limited(factory=list, low=0, high=2**64 - 1)
    # The metrics of the best epoch, and the lines of metrics.jsonl.
    best: dict[str, Any] = limited(factory=dict, shape=EpochMetrics)
    metrics: list[dict[str, Any]] = limited(factory=list, shape=EpochMetrics)
    # Of products in training, and the loss scaling for float16; the first files have neither.
    precision: str = limited("float32", choices=PRECISIONS)
    scaler: dict[str, Any] = limited(factory=dict, shape=ScalerState)
    micro_batch: int = limited(0, low=0, high=65_536)  # images computed at a time, 0 for all

    @property
    def is_best(self) -> bool:
        """Is this the end of the best epoch so far?"""
        return bool(self.epoch and not self.batch and self.best["epoch"] == self.epoch)

    def count_epoch(self, row: EpochMetrics) -> None:
        """One more epoch is complete: its metrics, and whether it is the best so far."""
        best = self.best
        if not best or (row.val_top1, -row.val_loss) > (best["val_top1"], -best["val_loss"]):
            self.best = asdict(row)
        self.metrics.append(asdict(row))
        self.epoch, self.batch = self.epoch + 1, 0
