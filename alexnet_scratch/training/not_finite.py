"""NaN and Inf: which layer went wrong first. Looked for only when the loss is not finite."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from minigrad import Tensor, nn, no_grad
from minigrad.arrays import Array, array_module
from minigrad.nn import module as modules
from minigrad.random import default_generator

from .watchdog import Diverged


def is_finite(array: Array) -> bool:
    """Is no number of it NaN or Inf?"""
    if array.dtype.kind not in "fc":
        return True
    with np.errstate(all="ignore"):
        total = array.sum()  # NaN and Inf survive it, and it takes no memory
    xp = array_module(array)
    return bool(xp.isfinite(total)) or bool(xp.isfinite(array).all())


def check_finite(tensors: Mapping[str, Array], step: int) -> None:
    """Raise Diverged if a tensor of a checkpoint is not finite."""
    for name, array in tensors.items():
        if not is_finite(array):
            raise Diverged(
                f"After step {step} {name} holds NaN or Inf: training has blown up, and this is "
                "not saved over the last good checkpoint."
            )


def cause(model: nn.Module, x: Tensor, state: tuple[int, int]) -> str:
    """Of a loss that is not finite: the layer whose output went wrong first, or whose gradient did
    in the step before.

    x: the batch. state: of the generator, before the forward. Call it while the gradients of the
    step before are there.
    """
    said = damage(model)
    if said:
        return said
    if not is_finite(x.data):
        return "The network's input is not finite: see --input-mean and --input-std."
    now, default_generator.state = default_generator.state, state
    with no_grad(), _first_output(model) as found:
        model(x)
    default_generator.state = now
    if found:
        return f"The output of {found[0]} was the first that is not finite."
    return "All layers are finite, only the loss is not: its logits are too far apart."


def damage(model: nn.Module) -> str:
    """What is said of weights or gradients that are not finite; "" if all are.

    Backward comes from the end, so the last layer with a bad gradient was the first.
    """
    parameters = list(model.named_parameters())
    for name, parameter in reversed(parameters):
        if parameter.grad is not None and not is_finite(parameter.grad.data):
            return f"The gradient of {name} was the first that is not finite."
    for name, parameter in parameters:
        if not is_finite(parameter.data):
            return f"{name} itself is not finite: the step before was too large."
    return ""


@contextlib.contextmanager
def _first_output(model: nn.Module) -> Iterator[list[str]]:
    """The names of the modules whose output is not finite, in the order of the forward."""
    names = {id(module): name for name, module in model.named_modules()}
    found: list[str] = []

    def look(event: str, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if event == "leave" and isinstance(output, Tensor) and not is_finite(output.data):
            found.append(names.get(id(module)) or "the network")

    modules.observers.append(look)
    try:
        yield found
    finally:
        modules.observers.remove(look)
