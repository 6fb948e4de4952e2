"""Learning rate schedules under PyTorch's names.

Call `step()` once per epoch (or per iteration, if that is the unit of the schedule's numbers),
after the optimizer's `step()`. Except for `ReduceLROnPlateau`, the rate is a pure function of the
starting rate and the epoch, so nothing drifts and a resumed run gets the same rates. The price:
two schedules cannot act on one optimizer at once. `SequentialLR` puts one after the other, and a
rate that somebody else changed is an error, not overwritten.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..names import Keywords
from .optimizer import Optimizer, check_range


class LRScheduler(Keywords):
    """Base of the schedules that follow from the epoch alone; a subclass writes `lr_at`.

    `last_epoch` is -1 for a new run. Another value resumes at `last_epoch + 1`; the groups must
    then have the "initial_lr" that the first scheduler left there.
    `get_last_lr()` is the current rate of each group, `base_lrs` the rate each started from.
    Source: torch.optim.lr_scheduler, in closed form.
    """

    _unsaved: tuple[str, ...] = ("optimizer",)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = _checked(optimizer)
        for index, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{index}], which "
                    f"last_epoch={last_epoch} needs; load the optimizer's state first"
                )
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch + 1
        self._last_lr: list[float] = []
        self._set_lr()

    def lr_at(self, base_lr: float, epoch: int) -> float:
        """The rate at `epoch` (from 0) of a group that started at `base_lr`."""
        raise NotImplementedError(f"{type(self).__name__} must define lr_at(base_lr, epoch)")

    def step(self) -> None:
        """Go on to the next epoch and set the optimizer's rates.

        Raises RuntimeError when a rate is no longer the one this scheduler set, or a parameter
        group was added.
        """
        current = [group["lr"] for group in self.optimizer.param_groups]
        if current != self._last_lr:
            raise RuntimeError(
                f"{type(self).__name__} set the learning rates {self._last_lr}, now they are "
                f"{current}; only one scheduler may act on an optimizer: put one after the other "
                "with SequentialLR, and to change rates by hand change scheduler.base_lrs"
            )
        self.last_epoch += 1
        self._set_lr()

    def get_last_lr(self) -> list[float]:
        """The learning rate of each parameter group, as last set by this scheduler."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """All of the schedule but the optimizer: numbers and lists, fit for JSON."""
        return {key: value for key, value in vars(self).items() if key not in self._unsaved}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave, options included, and set the optimizer's rates.

        Raises ValueError when the state is that of another scheduler or another number of groups.
        """
        _check_state(self, state_dict)
        vars(self).update(state_dict)
        self._set_lr()

    def rates(self) -> list[float]:
        """The rate of each group at `last_epoch`; overridden where they follow different rules."""
        return [self.lr_at(base_lr, self.last_epoch) for base_lr in self.base_lrs]

    def _set_lr(self) -> None:
        self._last_lr = self.rates()
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate


class StepLR(LRScheduler):
    """Multiply the rate by `gamma` every `step_size` epochs."""

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = _positive("step_size", step_size)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def lr_at(self, base_lr: float, epoch: int) -> float:
        return float(base_lr * self.gamma ** (epoch // self.step_size))


class MultiStepLR(LRScheduler):
    """Multiply the rate by `gamma` at each epoch in `milestones` (twice where it stands twice)."""

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = sorted(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def lr_at(self, base_lr: float, epoch: int) -> float:
        return float(base_lr * self.gamma ** bisect_right(self.milestones, epoch))


class LinearLR(LRScheduler):
    """Change the rate's factor linearly from `start_factor` to `end_factor` (a warm-up).

    It takes `total_iters` epochs and stays at `end_factor` after them.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError(f"start_factor must be above 0 and at most 1, got {start_factor}")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"end_factor must be between 0 and 1, got {end_factor}")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = _positive("total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, base_lr: float, epoch: int) -> float:
        done = min(epoch, self.total_iters) / self.total_iters
        return base_lr * (self.start_factor + (self.end_factor - self.start_factor) * done)


class CosineAnnealingLR(LRScheduler):
    """Follow half a cosine from the starting rate to `eta_min` in `T_max` epochs, then back up.

    Source: Loshchilov and Hutter 2017 (SGDR), without the restarts.
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        check_range("eta_min", eta_min)
        self.T_max = _positive("T_max", T_max)
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def lr_at(self, base_lr: float, epoch: int) -> float:
        wave = (1 + math.cos(math.pi * (epoch / self.T_max))) / 2
        return self.eta_min + (base_lr - self.eta_min) * wave


class ExponentialLR(LRScheduler):
    """Multiply the rate by `gamma` every epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def lr_at(self, base_lr: float, epoch: int) -> float:
        return float(base_lr * self.gamma**epoch)


class LambdaLR(LRScheduler):
    """Multiply the starting rate by `lr_lambda(epoch)`: one function, or one for each group.

    The functions are no part of the state: a resumed run gives them again.
    """

    _unsaved = ("optimizer", "lr_lambdas")

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        groups = len(_checked(optimizer).param_groups)
        self.lr_lambdas = [lr_lambda] * groups if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != groups:
            raise ValueError(
                f"expected {groups} lr_lambdas, one per parameter group, got {len(self.lr_lambdas)}"
            )
        super().__init__(optimizer, last_epoch)

    def lr_at(self, base_lr: float, epoch: int) -> float:
        if len(self.lr_lambdas) > 1:
            raise ValueError("LambdaLR: in a SequentialLR give one lr_lambda for all groups")
        return float(base_lr * self.lr_lambdas[0](epoch))

    def rates(self) -> list[float]:
        """The rate of each group, by its own function."""
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [float(base_lr * factor(self.last_epoch)) for base_lr, factor in pairs]


class OneCycleLR(LRScheduler):
    """From max_lr / div_factor up to `max_lr`, then down to far below, and momentum the other way.

    `step()` after every batch, `total_steps` (or epochs * steps_per_epoch) in all; one more is a
    ValueError. The way up takes `pct_start` of them; `three_phase` comes down as fast as it went
    up, and then goes to max_lr / (div_factor * final_div_factor). Momentum, or Adam's first beta,
    goes from `max_momentum` to `base_momentum` and back if `cycle_momentum`.
    Sources: Smith and Topin 2018; torch.optim.lr_scheduler.OneCycleLR.
    """

    def __init__(
        self, optimizer: Optimizer, max_lr: float | Sequence[float],
        total_steps: int | None = None, epochs: int | None = None,
        steps_per_epoch: int | None = None, pct_start: float = 0.3, anneal_strategy: str = "cos",
        cycle_momentum: bool = True, base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95, div_factor: float = 25.0,
        final_div_factor: float = 1e4, three_phase: bool = False, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        groups = _checked(optimizer).param_groups
        if epochs is not None and steps_per_epoch is not None:
            product = epochs * steps_per_epoch
            if total_steps not in (None, product):
                raise ValueError(
                    f"OneCycleLR: total_steps is {total_steps}, epochs * steps_per_epoch "
                    f"{product}: give one of them"
                )
            total_steps = product
        if total_steps is None:
            raise ValueError("OneCycleLR: give total_steps, or epochs and steps_per_epoch")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"pct_start must be between 0 and 1, got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy {anneal_strategy!r} is unknown: use cos or linear")
        if cycle_momentum and not {"momentum", "betas"} & set(optimizer.defaults):
            raise ValueError("OneCycleLR: this optimizer has no momentum: cycle_momentum=False")
        self.total_steps = _positive("total_steps", total_steps)
        self.pct_start, self.anneal_strategy = float(pct_start), anneal_strategy
        self.three_phase, self.cycle_momentum = three_phase, cycle_momentum
        self.max_lrs = _per_group(max_lr, len(groups), "max_lrs")
        self.base_momentums = _per_group(base_momentum, len(groups), "base_momentums")
        self.max_momentums = _per_group(max_momentum, len(groups), "max_momentums")
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        if last_epoch == -1:
            for group, high in zip(groups, self.max_lrs, strict=True):
                group["initial_lr"] = high / div_factor
        super().__init__(optimizer, last_epoch)

    def rates(self) -> list[float]:
        """The rate of each group."""
        ends = ((low, high, low / self.final_div_factor)
                for low, high in zip(self.base_lrs, self.max_lrs, strict=True))  # fmt: skip
        return [self._at(*each) for each in ends]

    def _at(self, start: float, peak: float, end: float) -> float:
        """Between the values at the start, at the peak and at the end: where we are now."""
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"OneCycleLR: step {self.last_epoch} of a schedule of {self.total_steps}: its "
                "total_steps counts batches, not epochs"
            )
        up = self.pct_start * self.total_steps - 1
        phases = [(up, start, peak), (self.total_steps - 1, peak, end)]
        if self.three_phase:
            down = 2 * self.pct_start * self.total_steps - 2
            phases[1:] = [(down, peak, start), (self.total_steps - 1, start, end)]
        stops = [phase[0] for phase in phases]
        index = min(bisect_left(stops, self.last_epoch), len(phases) - 1)
        begin = stops[index - 1] if index else 0.0
        stop, a, b = phases[index]
        done = (self.last_epoch - begin) / (stop - begin) if stop != begin else 1.0
        if self.anneal_strategy == "linear":
            return a + (b - a) * done
        return b + (a - b) / 2 * (1 + math.cos(math.pi * done))

    def _set_lr(self) -> None:
        super()._set_lr()
        if not self.cycle_momentum:
            return
        bounds = zip(self.max_momentums, self.base_momentums, strict=True)
        for group, (high, low) in zip(self.optimizer.param_groups, bounds, strict=True):
            value = self._at(high, low, high)
            if "betas" in group:
                group["betas"] = (value, *group["betas"][1:])
            else:
                group["momentum"] = value


class SequentialLR(LRScheduler):
    """Run `schedulers` one after the other; scheduler i+1 starts at epoch `milestones[i]`.

    Each counts its epochs from its own start. Warm-up for 5 epochs, then a cosine:

        SequentialLR(opt, [LinearLR(opt, total_iters=5), CosineAnnealingLR(opt, 85)], [5])

    Raises ValueError unless all belong to `optimizer`, none is ReduceLROnPlateau, and there is
    one milestone fewer than schedulers, in rising order.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        for index, scheduler in enumerate(schedulers):
            if not isinstance(scheduler, LRScheduler) or scheduler.optimizer is not optimizer:
                raise ValueError(
                    f"scheduler {index} is {type(scheduler).__name__}; expected schedulers of the "
                    "same optimizer whose rate follows from the epoch (not ReduceLROnPlateau)"
                )
        if len(milestones) != len(schedulers) - 1 or list(milestones) != sorted(milestones):
            raise ValueError(
                f"got {len(schedulers)} schedulers and milestones {list(milestones)}; expected "
                "one milestone fewer than schedulers, in rising order"
            )
        self.schedulers = list(schedulers)
        self.milestones = list(milestones)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, base_lr: float, epoch: int) -> float:
        index = bisect_right(self.milestones, epoch)
        start = self.milestones[index - 1] if index else 0
        return self.schedulers[index].lr_at(base_lr, epoch - start)

    def state_dict(self) -> dict[str, Any]:
        """As in LRScheduler, with the state of each scheduler under "schedulers"."""
        states = [scheduler.state_dict() for scheduler in self.schedulers]
        return {**super().state_dict(), "schedulers": states}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As in LRScheduler, for all schedulers at once."""
        _check_state(self, state_dict)
        for scheduler, state in zip(self.schedulers, state_dict["schedulers"], strict=True):
            scheduler.load_state_dict(state)
        super().load_state_dict({**state_dict, "schedulers": self.schedulers})


class ReduceLROnPlateau(Keywords):
    """Multiply the rates by `factor` when a metric has not improved for `patience` epochs.

    `step(metrics)` takes the metric after each epoch. "Improved" means by more than `threshold`,
    relative (`threshold_mode="rel"`) or absolute ("abs"), downwards (`mode="min"`) or upwards
    ("max"); a NaN never improves. After a reduction, `cooldown` epochs are not counted. A rate
    never goes below `min_lr` (a number, or one per group), and a change of `eps` or less is left
    out. With patience=0 or 1 and factor=0.1 this is the rule the paper's authors applied by hand.
    Sources: torch.optim.lr_scheduler.ReduceLROnPlateau; Krizhevsky et al. 2012, section 5.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        check_range("factor", factor, below=1.0)
        for name, value, known in (
            ("mode", mode, ("min", "max")),
            ("threshold_mode", threshold_mode, ("rel", "abs")),
        ):
            if value not in known:
                raise ValueError(f"{name} {value!r} is unknown; expected one of {known}")
        self.optimizer = _checked(optimizer)
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self.factor, self.cooldown, self.eps = factor, cooldown, eps
        self.patience: float = patience
        self.min_lrs = _per_group(min_lr, len(optimizer.param_groups), "min_lrs")
        self.best = math.inf if mode == "min" else -math.inf
        self.last_epoch = self.num_bad_epochs = self.cooldown_counter = 0

    def step(self, metrics: Any) -> None:
        """Take this epoch's metric (a number or a tensor of one element) and reduce if due."""
        current = float(metrics.item() if hasattr(metrics, "item") else metrics)
        self.last_epoch += 1
        if self._improves(current):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self.reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0

    def reduce(self) -> None:
        """Lower the rates; a subclass may answer a plateau otherwise."""
        for group, min_lr in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            lr = max(group["lr"] * self.factor, min_lr)
            if group["lr"] - lr > self.eps:
                group["lr"] = lr

    def get_last_lr(self) -> list[float]:
        """The learning rate of each parameter group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """All but the optimizer and its rates (which are in the optimizer's state)."""
        return {key: value for key, value in vars(self).items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave; load the optimizer's state for the rates.

        Raises ValueError when the state is that of another scheduler.
        """
        _check_state(self, state_dict)
        vars(self).update(state_dict)

    def _improves(self, current: float) -> bool:
        sign = 1 if self.mode == "min" else -1
        if self.threshold_mode == "abs":
            return sign * current < sign * self.best - self.threshold
        return sign * current < sign * self.best * (1 - sign * self.threshold)


def _checked(optimizer: Any) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"expected an optimizer first, got {type(optimizer).__name__}")
    return optimizer


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
    return value


def _per_group(value: float | Sequence[float], groups: int, name: str) -> list[float]:
    if not isinstance(value, Sequence):
        return [value] * groups
    if len(value) != groups:
        raise ValueError(f"expected {groups} {name}, one per parameter group, got {len(value)}")
    return list(value)


def _check_state(scheduler: Any, state_dict: dict[str, Any]) -> None:
    expected = set(vars(scheduler)) - set(getattr(scheduler, "_unsaved", ("optimizer",)))
    if set(state_dict) != expected:
        raise ValueError(
            f"the saved state is not that of {type(scheduler).__name__}: missing "
            f"{sorted(expected - set(state_dict))}, unexpected {sorted(set(state_dict) - expected)}"
        )
    for key in ("base_lrs", "min_lrs"):
        if key in expected and len(state_dict[key]) != len(scheduler.optimizer.param_groups):
            raise ValueError(
                f"the saved state has {len(state_dict[key])} {key}, the optimizer "
                f"{len(scheduler.optimizer.param_groups)} parameter groups; build the optimizer "
                "with the groups it was saved with"
            )
