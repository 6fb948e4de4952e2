"""How precisely a run computes its products: what the flags ask for, and what the device has."""

from __future__ import annotations

from minigrad import optim, precision_problem

from .folder import RunError
from .watchdog import Diverged

DTYPES = ("tf32", "float32")  # --dtype
AMP = ("float16", "bfloat16")  # --amp


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


def skips_message(scaler: optim.GradScaler, step: int, lower_rate: float) -> str:
    """What there is to say of steps that were skipped. Raises Diverged if no scale helps.

    lower_rate: what to try then.
    """
    scale, skipped = scaler.get_scale(), scaler.skipped_steps
    if scale < 1:
        raise Diverged(
            f"At step {step} gradients are beyond float16 even where the loss is not scaled: try "
            f"--amp bfloat16, or a lower rate (--lr {lower_rate:g})."
        )
    count = "1 step" if skipped == 1 else f"{skipped} steps"
    return (
        f"Gradients were beyond float16: {count} skipped up to step {step}, the loss is now scaled "
        f"by {scale:g}."
    )
