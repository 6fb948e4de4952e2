"""How precisely a run computes its products: what the flags ask for, and what the device has."""

from __future__ import annotations

from minigrad import optim, precision_problem

from ..recipe import Recipe
from .folder import RunError
from .watchdog import Diverged, lower_rate

DTYPES = ("tf32", "float32")  # --dtype
AMP = ("float16", "bfloat16")  # --amp
MOST_SKIPPED = 10  # steps in a row that may have NaN in them: with more, the weights are at fault


def chosen_precision(asked: str | None, saved: str | None, device: str) -> str:
    """The precision of a run: what is asked for, or what a resumed run had, or tf32 where there is.

    A run in tf32 that goes on where there is none goes on in float32 there (see `described`).
    Raises RunError for what the device has not.
    """
    name = asked or saved
    if name is None:
        return "float32" if precision_problem("tf32", device) else "tf32"
    problem = precision_problem(name, device)
    if problem is None or (asked is None and name == "tf32"):
        return name
    flag = f"--{'amp' if name in AMP else 'dtype'} {name}"
    if asked is None:
        raise RunError(
            f"the run was started with {flag}, but {problem}: give the device it had (--device "
            "cuda), or --dtype float32 to go on without"
        )
    raise RunError(f"{flag} was asked for, but {problem}: leave it out, or give another --device")


def described(name: str, device: str) -> str:
    """For the log."""
    if precision_problem(name, device):
        return f"float32 ({name} where there is)"
    return name + " with loss scaling" * (name == "float16")


def scaler_for(precision: str, recipe: Recipe) -> optim.GradScaler:
    """What scales the loss and skips steps; it does neither unless the run asks for it.

    Where the recipe skips NaN, it is a scaler that stays at 1.
    """
    if precision == "float16":
        return optim.GradScaler()
    return optim.GradScaler(init_scale=1.0, enabled=recipe.on_nan == "skip")


class Skips:
    """Tells of steps that the scaler skipped: beyond float16, or with NaN or Inf in them."""

    def __init__(self, scaler: optim.GradScaler, recipe: Recipe, precision: str, step: int) -> None:
        self.scaler, self.recipe, self.scaled = scaler, recipe, precision == "float16"
        self.told, self.step = scaler.skipped_steps, step  # at the last look
        self.in_a_row = 0

    def update(self) -> None:
        """The scale of the next step."""
        self.scaler.update(None if self.scaled or not self.scaler.enabled else 1.0)

    def see(self, step: int, cause: str) -> str | None:
        """What there is to say after `step`. Raises Diverged if skipping does not help.

        cause: what is known of the first NaN or Inf.
        """
        new, steps = self.scaler.skipped_steps - self.told, step - self.step
        self.told, self.step = self.scaler.skipped_steps, step
        if not new:
            self.in_a_row = 0
            return None
        if self.scaled:
            return self._beyond_float16(step)
        self.in_a_row = new + self.in_a_row * (new == steps)
        said = f"{_steps(self.told)} skipped up to step {step} for NaN or Inf. {cause}".rstrip()
        if self.in_a_row > MOST_SKIPPED:
            raise Diverged(
                f"{self.in_a_row} steps in a row had NaN or Inf, up to step {step}: training has "
                f"blown up. Try a lower rate (--lr {lower_rate(self.recipe):g}). {cause}".rstrip()
            )
        return said

    def _beyond_float16(self, step: int) -> str:
        scale = self.scaler.get_scale()
        if scale < 1:
            raise Diverged(
                f"At step {step} gradients are beyond float16 even where the loss is not scaled: "
                f"try --amp bfloat16, or a lower rate (--lr {lower_rate(self.recipe):g})."
            )
        return (
            f"Gradients were beyond float16: {_steps(self.told)} skipped up to step {step}, the "
            f"loss is now scaled by {scale:g}."
        )


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"
