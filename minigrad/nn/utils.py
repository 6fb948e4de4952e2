"""What is done to the gradients of a whole network between backward and the optimizer's step."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np

from ..arrays import array_module
from ..core import Tensor
from ..kernels.fast.blockwise import BLOCK_CPU, blockwise, flat_views
from ..kernels.fast.parallel import over_batch


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients, in place, so that their common norm is at most `max_norm`.

    The norm is that of all gradients as one vector, `norm_type` 1, 2, ... or inf. They are
    multiplied by min(1, max_norm / (norm + 1e-6)). Returns the norm before, a scalar.

    Raises ValueError for a `max_norm` below 0 or a `norm_type` not above 0, and RuntimeError for a
    norm that is Inf or NaN, if `error_if_nonfinite`; warns of an iterator that is used up. Source:
    torch.nn.utils.clip_grad_norm_; Pascanu et al. 2013.
    """
    if not max_norm >= 0 or not norm_type > 0:
        raise ValueError(
            f"clip_grad_norm_: got max_norm={max_norm} and norm_type={norm_type}, expected at "
            "least 0 and more than 0"
        )
    grads = [g for g in _gradients(parameters, "clip_grad_norm_") if g.data.size]
    if not grads:
        return Tensor(np.zeros((), np.float32))
    xp = array_module(grads[0].data)
    with np.errstate(all="ignore"):  # what is not finite is in the result
        each = xp.stack([_norm(xp, g.data, norm_type) for g in grads])
        total = xp.asarray(_norm(xp, each, norm_type))
        if error_if_nonfinite and not bool(xp.isfinite(total)):
            raise RuntimeError(
                f"clip_grad_norm_: the norm of the gradients is {float(total)}: look for the cause "
                "with detect_anomaly(), or pass error_if_nonfinite=False"
            )
        # On the device: reading the norm would make the host wait for backward.
        factor = xp.minimum(max_norm / (total + 1e-6), 1.0)
        if isinstance(factor, np.ndarray | np.generic) and factor == 1:
            return Tensor(total)
        for g in grads:
            blockwise(partial(_scale, factor=factor.astype(g.data.dtype)), g.data)
            g.bump_version()
    return Tensor(total)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Bring every element of the gradients, in place, into [-clip_value, clip_value].

    Raises ValueError for a `clip_value` below 0; warns of an iterator that is used up. Source:
    torch.nn.utils.clip_grad_value_.
    """
    if not clip_value >= 0:
        raise ValueError(f"clip_grad_value_: got clip_value={clip_value}, expected at least 0")
    for g in _gradients(parameters, "clip_grad_value_"):
        array_module(g.data).clip(g.data, -clip_value, clip_value, out=g.data)
        g.bump_version()


def _gradients(parameters: Tensor | Iterable[Tensor], function: str) -> list[Tensor]:
    """The gradients that there are."""
    several = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not several and isinstance(parameters, Iterator):
        warnings.warn(
            f"{function}: the iterator of parameters is empty, nothing is clipped: if it was used "
            "before, call model.parameters() again",
            stacklevel=3,
        )
    return [p.grad for p in several if p.grad is not None]


def _norm(xp: Any, array: Any, norm_type: float) -> Any:
    """The norm of an array as one vector."""
    flat = flat_views((array,)) if norm_type == 2 and xp is np and array.dtype.kind == "f" else None
    if flat:
        squares = over_batch(np, partial(_squares, flat[0]), array.size, BLOCK_CPU)
        return array.dtype.type(math.sqrt(sum(squares)))
    sizes = xp.abs(array)
    if norm_type == float("inf"):
        return sizes.max()
    return (sizes**norm_type).sum() ** (1 / norm_type)


def _squares(array: Any, parts: list[slice]) -> float:
    """The sum of squares, without a copy of the array."""
    return sum(float(np.dot(array[part], array[part])) for part in parts)


def _scale(xp: Any, s: Any, t: Any, array: Any, *, factor: Any) -> None:
    array *= factor
