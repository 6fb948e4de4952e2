"""Derivatives as values: gradients of chosen tensors, and Hessian-vector products."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .core import Tensor, backpropagate
from .modes import enable_grad


def grad(
    output: Tensor, inputs: Tensor | Sequence[Tensor], gradient: object = None
) -> tuple[Tensor, ...]:
    """Return d(output)/d(input) for each input, without touching any `.grad`.

    Raises RuntimeError if an input is not part of the graph.
    """
    several = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    found = backpropagate(output, gradient, inputs=several)
    missing = [i for i, t in enumerate(several) if id(t) not in found]
    if missing:
        raise RuntimeError(f"grad: inputs {missing} were not used to compute the output")
    return tuple(Tensor(found[id(t)]) for t in several)


def hvp(fn: Callable[[Tensor], Tensor], x: Tensor, v: Tensor) -> Tensor:
    """Return the Hessian of scalar-valued `fn` at `x` times `v`, exact to rounding.

    It is the imaginary part of the gradient at x + ihv, divided by h: every kernel accepts complex
    numbers and compares by their real part, so no second graph is needed. Tensors that `fn` uses
    must have the width of `x` (float64 for full accuracy).
    """
    if x.shape != v.shape:
        raise ValueError(f"hvp: x has shape {x.shape}, v has {v.shape}; expected the same")
    step = 1e-30 if x.data.dtype.itemsize == 8 else 1e-15
    dtype = np.result_type(x.data.dtype, np.complex64)
    point = Tensor(x.data.astype(dtype) + 1j * step * v.data.astype(dtype), requires_grad=True)
    with enable_grad():
        (gradient,) = grad(fn(point), point)
    return Tensor((gradient.data.imag / step).astype(x.data.dtype))
