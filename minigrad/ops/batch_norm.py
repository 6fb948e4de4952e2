"""Batch normalisation."""

from __future__ import annotations

import numpy as np

from .. import rules, sums
from ..arrays import Array, array_module
from ..core import Context, Function, Tensor
from ..rules import check_floats

__all__ = ["batch_norm"]


def _sum(a: Array) -> Array:
    """Sums over all axes but that of the channels, which stays in its place."""
    return sums.over(a, (0, *range(2, a.ndim)), keepdims=True)


def _per_channel(a: Array) -> int:
    """How many numbers a channel has."""
    return a.size // a.shape[1] if a.shape[1] else 0


class BatchNorm(Function):
    """(x - mean) / sqrt(var + eps) * weight + bias, channel by channel (axis 1).

    mean and var are arrays, not inputs. `of_batch`: they are those of x, and the gradient goes by
    way of them, too. With n numbers a channel and xhat the normalised x:
    dx = weight / sqrt(var + eps) * (g - mean of g - xhat * mean of g*xhat).
    Source: Ioffe and Szegedy 2015, section 3.
    """

    @staticmethod
    def forward(
        ctx: Context, x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array,
        eps: float, of_batch: bool,
    ) -> Array:  # fmt: skip
        scale = (1 / array_module(x).sqrt(var + eps)).astype(x.dtype)
        mean = mean.astype(x.dtype)  # the running one may have another
        ctx.save(x, weight, mean, scale)
        ctx.of_batch = of_batch
        y = (x - mean) * scale
        if weight is not None:
            y = y * weight.reshape(scale.shape)
        return y if bias is None else y + bias.reshape(scale.shape)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array | None, ...]:
        x, weight, mean, scale = ctx.saved
        xhat = (x - mean) * scale
        dbias, dweight = _sum(grad), _sum(grad * xhat)
        dx = grad
        if ctx.of_batch:
            n = max(_per_channel(x), 1)
            dx = grad - dbias / n - xhat * (dweight / n)
        dx = dx * (scale if weight is None else scale * weight.reshape(scale.shape))
        return dx, dweight.reshape(-1), dbias.reshape(-1)


def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
    weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Normalise each channel (axis 1) of (N, C, ...), then times `weight` plus `bias`, each (C,).

    In training, by the mean and the variance of this batch; the running ones go towards them, in
    place: running <- (1 - momentum) * running + momentum * batch's (its variance divided by n - 1).
    Else by the running ones. Source: torch.nn.functional.batch_norm.

    Raises ValueError for an input below 2-D, for an `eps` not above 0, or for one value a channel
    in training, and RuntimeError for (C,) of another size or without statistics in evaluation.
    """
    x = input.data
    check_floats("batch_norm", input)
    if x.ndim < 2 or not eps > 0:
        raise ValueError(
            f"batch_norm: got shape {x.shape} and eps={eps}, expected (N, C, ...) and more than 0"
        )
    given = {"running_mean": running_mean, "running_var": running_var, "weight": weight,
             "bias": bias}  # fmt: skip
    for name, one in given.items():
        if one is not None and one.shape != (x.shape[1],):
            raise RuntimeError(
                f"batch_norm: {name} has shape {one.shape}, expected ({x.shape[1]},): one for each "
                f"channel of the input {x.shape}"
            )
        if one is not None:
            rules.check_one_device("batch_norm", [(0, input), (1, one)])
    shape = (1, x.shape[1]) + (1,) * (x.ndim - 2)
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                "batch_norm: running_mean and running_var must be given in evaluation: pass them, "
                "or training=True"
            )
        mean, var = running_mean.data.reshape(shape), running_var.data.reshape(shape)
        return BatchNorm.apply(input, weight, bias, mean, var, float(eps), False)
    n = _per_channel(x)
    if n == 1:
        raise ValueError(
            f"batch_norm: expected more than 1 value per channel when training, got {x.shape}: "
            "their variance is 0; use a larger batch, or eval()"
        )
    with np.errstate(all="ignore"):  # as within every operation: NaN and Inf are results
        mean = _sum(x) / max(n, 1)
        var = _sum((x - mean) ** 2) / max(n, 1)
        if n:
            _follow(running_mean, mean, momentum)
            _follow(running_var, var * (n / (n - 1)), momentum)
    return BatchNorm.apply(input, weight, bias, mean, var, float(eps), True)


def _follow(running: Tensor | None, batch: Array, momentum: float) -> None:
    if running is not None:
        running.data *= 1 - momentum
        running.data += (batch.real.reshape(-1) * momentum).astype(running.dtype)
