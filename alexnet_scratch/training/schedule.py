"""The learning rate of each step: a warm-up, then the recipe's schedule."""

from __future__ import annotations

import math
from typing import Any

from minigrad import optim
from minigrad.optim.lr_scheduler import (
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    ReduceLROnPlateau,
    SequentialLR,
)

from ..recipe import Recipe


class Warmup(LRScheduler):
    """Rise in equal parts from one part of `steps` + 1 to all of them but one.

    That is LinearLR(1 / (steps + 1), total_iters=steps), but rounded once, so that whole numbers of
    parts come out exact.
    """

    def __init__(self, optimizer: optim.Optimizer, steps: int) -> None:
        self.steps = steps
        super().__init__(optimizer)

    def lr_at(self, base_lr: float, epoch: int) -> float:
        return base_lr * (epoch + 1) / (self.steps + 1)


class Plateau(ReduceLROnPlateau):
    """Counts the drops that are due, where its base would lower the rates.

    An error is no higher than 1, and any lower one is an improvement.
    """

    def __init__(self, optimizer: optim.Optimizer) -> None:
        self.drops = 0
        super().__init__(optimizer, threshold=0.0, threshold_mode="abs")
        self.best = 1.0

    def reduce(self) -> None:
        self.drops += 1


class RecipeLR(LRScheduler):
    """The recipe's rate; `step()` after every training step, `end_epoch()` after every epoch.

    plateau: times `drop_factor` when the validation error has not improved for more than
    `plateau_patience` epochs, at most `plateau_drops` times; epochs at chance are not counted, or
    the rate would be gone before the network has begun to learn. steps: times `drop_factor` after
    each of `drop_epochs`, those of a run of `replayed_epochs` stretched to this one's length; the
    groups of conv1 may have their own, and rest at last. cosine: half a cosine to 0 in the last
    step. linear: a straight line to 0 in the last step. constant: no change.
    Source of the plateau rule: Krizhevsky et al. 2012, section 5.
    """

    def __init__(self, optimizer: optim.Optimizer, recipe: Recipe, steps_per_epoch: int) -> None:
        self.total_steps = recipe.epochs * steps_per_epoch
        # A few images make a short run, which should not end in its warm-up.
        warmup = min(recipe.warmup_steps, self.total_steps // 4)
        self.patience = recipe.plateau_patience
        self.most_drops = recipe.plateau_drops if recipe.schedule == "plateau" else 0
        self.plateau = Plateau(optimizer)

        def step_after(epoch: int) -> int:
            return round(epoch * recipe.stretch * steps_per_epoch)

        def after_warmup(schedule: LRScheduler) -> LRScheduler:
            return SequentialLR(optimizer, [Warmup(optimizer, warmup), schedule], [warmup])

        def steps(epochs: tuple[int, ...]) -> MultiStepLR:
            milestones = [step_after(epoch) - warmup for epoch in epochs]
            return MultiStepLR(optimizer, milestones, recipe.drop_factor)

        self.dropping = steps(recipe.drop_epochs if recipe.schedule == "steps" else ())
        span = max(1, self.total_steps - warmup)
        course: LRScheduler = self.dropping  # constant: there is no drop
        if recipe.schedule == "cosine":
            course = CosineAnnealingLR(optimizer, span)
        elif recipe.schedule == "linear":
            course = LinearLR(optimizer, 1.0, 0.0, span)
        course = conv1 = after_warmup(course)
        if recipe.schedule == "steps":
            if recipe.conv1_drop_epochs:
                conv1 = after_warmup(steps(recipe.conv1_drop_epochs))
            freeze = step_after(recipe.conv1_freeze_epoch)
            if freeze:
                conv1 = SequentialLR(optimizer, [conv1, MultiStepLR(optimizer, [0], 0.0)], [freeze])
        names = [group.get("name", "") for group in optimizer.param_groups]
        self.courses = [conv1 if name.startswith("conv1") else course for name in names]
        super().__init__(optimizer)

    def state_dict(self) -> dict[str, Any]:
        """How far it is; what it does follows from the recipe, which may have got more epochs."""
        return {
            "last_epoch": self.last_epoch,
            "drops": self.plateau.drops,
            "waited": self.plateau.num_bad_epochs,
            "lowest_error": self.plateau.best,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.last_epoch = state_dict["last_epoch"]
        self.plateau.drops = state_dict["drops"]
        self.plateau.num_bad_epochs = state_dict["waited"]
        self.plateau.best = state_dict["lowest_error"]
        self._drop()

    def rates(self) -> list[float]:
        """The rate of each group: our unit is a step, and after the last one nothing changes."""
        step = min(self.last_epoch, self.total_steps)
        pairs = zip(self.courses, self.base_lrs, strict=True)
        return [course.lr_at(base_lr, step) for course, base_lr in pairs]

    def end_epoch(self, val_error: float, at_chance: bool) -> bool:
        """Take in the epoch's validation error; True if the rate was lowered for it."""
        plateau, drops = self.plateau, self.plateau.drops
        if at_chance and not val_error < plateau.best:
            return False
        plateau.patience = self.patience if drops < self.most_drops else math.inf
        plateau.step(val_error)
        self._drop()
        return plateau.drops > drops

    def _drop(self) -> None:
        """The drops of the plateau rule; they hold from the end of the warm-up."""
        if self.most_drops:
            self.dropping.milestones = [0] * self.plateau.drops
        self._set_lr()
