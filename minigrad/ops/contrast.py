"""Local contrast normalisation: each pixel by its neighbours in the same map."""

from __future__ import annotations

from ..arrays import Array
from ..core import Context, Function, Tensor
from ..kernels.contrast import contrast_norm_backward, contrast_norm_forward
from ..rules import check_floats

__all__ = ["local_contrast_norm"]


class ContrastNorm(Function):
    """Keeps the centred x and the scale."""

    operation = "local_contrast_norm"

    @staticmethod
    def forward(
        ctx: Context, x: Array, size: int, alpha: float, beta: float, k: float, subtract_mean: bool
    ) -> Array:
        y, saved = contrast_norm_forward(x, size, alpha, beta, k, subtract_mean)
        ctx.save(*saved)
        ctx.options = (size, alpha, beta, subtract_mean)
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return contrast_norm_backward(grad, ctx.saved, *ctx.options)


def local_contrast_norm(
    input: Tensor, size: int = 5, alpha: float = 1e-3, beta: float = 0.75, k: float = 1.0,
    subtract_mean: bool = True,
) -> Tensor:  # fmt: skip
    """Normalise each pixel by its neighbours in the same map, over a size x size window:
    u / (k + alpha/size^2 * sum of u^2)^beta with u = input - its local mean.

    `subtract_mean=False` is the within-map response normalisation of the 2012 network's layer 2
    (size 5, alpha 1e-3, beta 0.75, k 1).
    """
    if input.ndim != 4:
        raise ValueError(f"local_contrast_norm: got shape {input.shape}, expected (N, C, H, W)")
    if size < 1:
        raise ValueError(f"local_contrast_norm: size must be at least 1, got {size}")
    check_floats("local_contrast_norm", input)
    return ContrastNorm.apply(input, int(size), float(alpha), float(beta), float(k), subtract_mean)
