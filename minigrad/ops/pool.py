"""Pooling."""

from __future__ import annotations

from typing import Any

from ..arrays import Array
from ..core import Context, Function, Tensor
from ..kernels import pool as kernel
from ..kernels.im2col import Window
from ..kernels.layout import pair
from ..rules import check_floats, check_no_bools
from .shape import cat

__all__ = ["adaptive_avg_pool2d", "avg_pool2d", "max_pool2d"]


CUT = "whole numbers have no whole mean; PyTorch cuts off the rest in silence"


class MaxPool2d(Function):
    """Keeps the winners, one byte an output."""

    @staticmethod
    def forward(ctx: Context, x: Array, sizes: tuple[Any, ...], ceil_mode: bool) -> Array:
        size, stride, padding, dilation = sizes
        y, winners = kernel.max_pool2d_forward(
            x, size, stride, padding, dilation, ceil_mode, winners=ctx.needs[0]
        )
        ctx.save(winners)
        ctx.shape, ctx.sizes = x.shape, sizes
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (winners,) = ctx.saved
        size, stride, padding, dilation = ctx.sizes
        return kernel.max_pool2d_backward(
            grad, winners, ctx.shape, size, stride, padding, dilation
        )


class AvgPool2d(Function):
    @staticmethod
    def forward(
        ctx: Context, x: Array, sizes: tuple[Any, ...], ceil_mode: bool, count_include_pad: bool,
        divisor_override: int | None,
    ) -> Array:  # fmt: skip
        ctx.shape, ctx.options = x.shape, (*sizes, count_include_pad, divisor_override)
        size, stride, padding = sizes
        return kernel.avg_pool2d_forward(
            x, size, stride, padding, ceil_mode, count_include_pad, divisor_override
        )

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return kernel.avg_pool2d_backward(grad, ctx.shape, *ctx.options)


def _images(input: Tensor, operation: str) -> None:
    if input.ndim != 4:
        raise ValueError(f"{operation}: got shape {input.shape}, expected (N, C, H, W)")


def _step(stride: Any, size: tuple[int, int]) -> tuple[int, int]:
    """The stride; where none is given (None or empty, as in PyTorch), the kernel's size."""
    none = stride is None or (isinstance(stride, tuple | list) and not stride)
    return size if none else pair(stride, "stride", 1)


def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Maximum over windows; stride defaults to the kernel size. (N, C, H, W) -> (N, C, oh, ow).

    Padding counts as -inf; a tie goes to the first maximum in row-major order. With
    `return_indices` (values, indices): where in its map (H, W) each maximum stands, int64, counted
    row by row; which costs a second search.
    """
    if input.ndim == 3:
        args = (kernel_size, stride, padding, dilation, ceil_mode, return_indices)
        pooled = max_pool2d(input.unsqueeze(0), *args)
        return tuple(t.squeeze(0) for t in pooled) if return_indices else pooled.squeeze(0)
    _images(input, "max_pool2d")
    check_no_bools("max_pool2d", input)
    size = pair(kernel_size, "kernel_size", 1)
    step = _step(stride, size)
    sizes = (size, step, pair(padding, "padding"), pair(dilation, "dilation", 1))
    pooled = MaxPool2d.apply(input, sizes, ceil_mode)
    if not return_indices:
        return pooled
    winners = kernel.max_pool2d_forward(input.data, *sizes, ceil_mode)[1]
    return pooled, Tensor(kernel.flat_indices(winners, input.shape[3], Window(*sizes)))


def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Mean over windows; stride defaults to the kernel size. (N, C, H, W) -> (N, C, oh, ow)."""
    if input.ndim == 3:
        args = (kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
        return avg_pool2d(input.unsqueeze(0), *args).squeeze(0)
    _images(input, "avg_pool2d")
    check_floats("avg_pool2d", input, reason=CUT)
    if divisor_override == 0:
        raise ValueError("avg_pool2d: divisor_override must not be 0")
    size = pair(kernel_size, "kernel_size", 1)
    step = _step(stride, size)
    edges = pair(padding, "padding")
    if size == input.shape[2:] and edges == (0, 0) and divisor_override is None:
        return input.mean((2, 3), keepdim=True)  # one window: a sum like any other
    sizes = (size, step, edges)
    return AvgPool2d.apply(input, sizes, ceil_mode, count_include_pad, divisor_override)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Mean over windows chosen so that the output has `output_size` (None keeps a size).

    Window i of n over a size s is floor(i s / n) ... ceil((i + 1) s / n), PyTorch's rule.
    """
    if input.ndim == 3:
        return adaptive_avg_pool2d(input.unsqueeze(0), output_size).squeeze(0)
    _images(input, "adaptive_avg_pool2d")
    check_floats("adaptive_avg_pool2d", input, reason=CUT)
    both = output_size if isinstance(output_size, tuple | list) else (output_size, output_size)
    goal = pair(
        tuple(s if n is None else n for n, s in zip(both, input.shape[2:], strict=True)),
        "output_size", 1,
    )  # fmt: skip
    if goal == input.shape[2:]:
        return input.clone()
    if all(s % n == 0 for n, s in zip(goal, input.shape[2:], strict=True)):
        return avg_pool2d(input, tuple(s // n for n, s in zip(goal, input.shape[2:], strict=True)))
    height, width = input.shape[2:]
    rows = [(i * height // goal[0], -(-(i + 1) * height // goal[0])) for i in range(goal[0])]
    columns = [(j * width // goal[1], -(-(j + 1) * width // goal[1])) for j in range(goal[1])]
    bands = [
        cat([input[:, :, a:b, c:d].mean((2, 3), keepdim=True) for c, d in columns], 3)
        for a, b in rows
    ]
    return cat(bands, 2)
