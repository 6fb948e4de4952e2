"""Dynamic loss scaling: gradients that float16 would lose below 6e-8 are kept above it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import Array
from ..core import Tensor
from ..kernels.fast.blockwise import flat_views
from ..names import Keywords
from .optimizer import Optimizer

_LARGEST = 2.0**120  # of scales: the scaled loss is float32, which ends at 2^128


class GradScaler(Keywords):
    """Scale the loss so that gradients fit float16, and skip the steps in which they did not.

        with mg.precision("float16"):
            scaler.scale(loss).backward()
        scaler.step(optimizer)      # divides the gradients by the scale, or skips the step
        scaler.update()             # the next step's scale

    A gradient that is Inf or NaN makes `step` leave out the optimizer's step and `update` multiply
    the scale by `backoff_factor`; after `growth_interval` steps in a row without one, `update`
    multiplies it by `growth_factor`. `skipped_steps` counts. Not `enabled`, it does none of that.

    What it costs: a pass that reads and writes every gradient, and one that reads it; and `step`
    reads a number from the device, so that the host waits for backward once a step.

    Raises ValueError for options out of range. Source: torch.amp.GradScaler, whose names, values
    and meanings these are; Micikevicius et al. 2018, Mixed Precision Training.
    """

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        for name, value, fits, expected in (
            ("init_scale", init_scale, 0 < init_scale < math.inf, "finite and more than 0"),
            ("growth_factor", growth_factor, 1 < growth_factor < math.inf, "finite and above 1"),
            ("backoff_factor", backoff_factor, 0 < backoff_factor < 1, "between 0 and 1"),
            ("growth_interval", growth_interval, growth_interval >= 1, "at least 1"),
        ):
            if not fits:
                raise ValueError(f"GradScaler: {name} is {value}, expected {expected}")
        self.growth_factor, self.backoff_factor = float(growth_factor), float(backoff_factor)
        self.growth_interval = int(growth_interval)
        self.enabled = enabled
        self.skipped_steps = 0
        self._scale = float(init_scale)
        self._good_steps = 0  # in a row, since the scale last changed
        self._sums: dict[int, Array] = {}  # by optimizer whose gradients are unscaled
        self._stepped: dict[int, bool] = {}  # by optimizer: did its step overflow?

    def is_enabled(self) -> bool:
        return self.enabled

    def get_scale(self) -> float:
        """The factor of the loss; 1 if not enabled."""
        return self._scale if self.enabled else 1.0

    def scale(self, outputs: Tensor) -> Tensor:
        """The loss times the scale: call backward on it."""
        return outputs * self._scale if self.enabled else outputs

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients by the scale, in place; `step` does it, unless they are needed
        before: to clip them, say.

        Raises RuntimeError when called twice before `update`, or where there is no gradient.
        """
        if not self.enabled:
            return
        if id(optimizer) in self._sums:
            raise RuntimeError(
                "GradScaler: the gradients are unscaled already: call unscale_() once before step()"
            )
        total = None
        factor = 1 / self._scale
        with np.errstate(all="ignore"):  # what overflowed is what we look for
            for group in optimizer.param_groups:
                for param in group["params"]:
                    if param.grad is None:
                        continue
                    gradient = (flat_views((param.grad.data,)) or [param.grad.data])[0]
                    gradient *= factor
                    param.grad.bump_version()
                    # Inf and NaN survive a sum, and one number is read, not one per gradient.
                    part = gradient.sum()
                    total = part if total is None else total + part
        if total is None:
            raise RuntimeError("GradScaler: no parameter has a gradient: call backward() first")
        self._sums[id(optimizer)] = total

    def step(self, optimizer: Optimizer) -> None:
        """The optimizer's step, or nothing if a gradient is Inf or NaN (or if all of them add up to
        that). Waits for the device. Raises RuntimeError when called twice before `update`."""
        if not self.enabled:
            optimizer.step()
            return
        if id(optimizer) in self._stepped:
            raise RuntimeError("GradScaler: step() was called twice: call update() in between")
        if id(optimizer) not in self._sums:
            self.unscale_(optimizer)
        overflow = not math.isfinite(float(self._sums[id(optimizer)]))
        self._stepped[id(optimizer)] = overflow
        if overflow:
            self.skipped_steps += 1
        else:
            optimizer.step()

    def update(self, new_scale: float | None = None) -> None:
        """Choose the scale of the next step, by how this one went or as given.

        Raises RuntimeError where there was no `step`.
        """
        if not self.enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._stepped:
            raise RuntimeError("GradScaler: update() without a step(): call step(optimizer) first")
        elif any(self._stepped.values()):
            self._scale, self._good_steps = self._scale * self.backoff_factor, 0
        else:
            self._good_steps += 1
            if self._good_steps == self.growth_interval:
                grown = self._scale * self.growth_factor
                self._scale, self._good_steps = min(grown, _LARGEST), 0
        self._sums.clear()
        self._stepped.clear()

    def state_dict(self) -> dict[str, Any]:
        """PyTorch's entries and the count of skipped steps, plain numbers; empty if not enabled."""
        if not self.enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self.growth_factor,
            "backoff_factor": self.backoff_factor,
            "growth_interval": self.growth_interval,
            "_growth_tracker": self._good_steps,
            "skipped_steps": self.skipped_steps,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave, also PyTorch's; nothing if not enabled.

        Raises ValueError for an empty one: that of a scaler that was not enabled.
        """
        if not self.enabled:
            return
        if not state_dict:
            raise ValueError(
                "GradScaler: the state is empty, that of a scaler that was not enabled: "
                "start this one anew"
            )
        self._scale = float(state_dict["scale"])
        self.growth_factor = float(state_dict["growth_factor"])
        self.backoff_factor = float(state_dict["backoff_factor"])
        self.growth_interval = int(state_dict["growth_interval"])
        self._good_steps = int(state_dict["_growth_tracker"])
        self.skipped_steps = int(state_dict.get("skipped_steps", 0))
