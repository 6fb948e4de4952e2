"""The learning rate of each step: a warm-up, then the recipe's schedule."""

from __future__ import annotations

import math
from typing import Any

from minigrad import optim
from minigrad.optim.lr_scheduler import LRScheduler

from ..recipe import Recipe

_PROGRESS = ("last_epoch", "drops", "waited", "lowest_error")


class RecipeLR(LRScheduler):
    """The recipe's rate; `step()` after every training step, `end_epoch()` after every epoch.

    plateau: times `drop_factor` when the validation error has not improved for more than
    `plateau_patience` epochs, at most `plateau_drops` times; epochs at chance are not counted, or
    the rate would be gone before the network has begun to learn. steps: times `drop_factor` after
    each of `drop_epochs`, those of a run of `replayed_epochs` stretched to this one's length; the
    groups of conv1 may have their own, and rest at last. cosine: half a cosine to 0 in the last
    step. constant: no change.
    Source of the plateau rule: Krizhevsky et al. 2012, section 5.
    """

    def __init__(self, optimizer: optim.Optimizer, recipe: Recipe, steps_per_epoch: int) -> None:
        self.kind = recipe.schedule
        self.drop_factor = recipe.drop_factor
        stretch = recipe.stretch
        self.drop_epochs = [epoch * stretch for epoch in recipe.drop_epochs]
        self.conv1_drop_epochs = [epoch * stretch for epoch in recipe.conv1_drop_epochs]
        self.conv1_freeze_epoch = recipe.conv1_freeze_epoch * stretch
        self.patience, self.most_drops = recipe.plateau_patience, recipe.plateau_drops
        self.steps_per_epoch = steps_per_epoch
        self.total_steps = recipe.epochs * steps_per_epoch
        # A few images make a short run, which should not end in its warm-up.
        self.warmup_steps = min(recipe.warmup_steps, self.total_steps // 4)
        self.drops = self.waited = 0
        self.lowest_error = 1.0
        super().__init__(optimizer)

    def state_dict(self) -> dict[str, Any]:
        """How far it is; what it does follows from the recipe, which may have got more epochs."""
        return {name: getattr(self, name) for name in _PROGRESS}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        for name in _PROGRESS:
            setattr(self, name, state_dict[name])
        self._set_lr()

    def lr_at(self, base_lr: float, epoch: int) -> float:
        """The rate at step `epoch`: our unit is a step."""
        if epoch < self.warmup_steps:
            return base_lr * (epoch + 1) / (self.warmup_steps + 1)
        return base_lr * self._factor(epoch)

    def _factor(self, step: int) -> float:
        if self.kind == "plateau":
            return float(self.drop_factor**self.drops)
        if self.kind == "steps":
            return self._dropped(self.drop_epochs, step)
        if self.kind == "cosine":
            span = max(1, self.total_steps - self.warmup_steps)
            done = min(1.0, (step - self.warmup_steps) / span)
            return (1 + math.cos(math.pi * done)) / 2
        return 1.0

    def _dropped(self, epochs: list[float], step: int) -> float:
        drops = sum(step >= round(epoch * self.steps_per_epoch) for epoch in epochs)
        return float(self.drop_factor**drops)

    def _set_lr(self) -> None:
        super()._set_lr()
        if self.kind != "steps":
            return
        freeze = round(self.conv1_freeze_epoch * self.steps_per_epoch)
        pairs = zip(self.optimizer.param_groups, self.base_lrs, strict=True)
        for i, (group, base_lr) in enumerate(pairs):
            if not group.get("name", "").startswith("conv1"):
                continue
            if freeze and self.last_epoch >= freeze:
                group["lr"] = 0.0
            elif self.conv1_drop_epochs and self.last_epoch >= self.warmup_steps:
                group["lr"] = base_lr * self._dropped(self.conv1_drop_epochs, self.last_epoch)
            self._last_lr[i] = group["lr"]

    def end_epoch(self, val_error: float, at_chance: bool) -> bool:
        """Take in the epoch's validation error; True if the rate was lowered for it."""
        if val_error < self.lowest_error:
            self.lowest_error, self.waited = val_error, 0
        elif not at_chance:
            self.waited += 1
        if self.kind != "plateau" or self.waited <= self.patience or self.drops >= self.most_drops:
            return False
        self.drops, self.waited = self.drops + 1, 0
        self._set_lr()
        return True
