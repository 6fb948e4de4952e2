"""Local response normalisation; `contrast.py` has that within a map."""

from __future__ import annotations

from ..arrays import Array
from ..core import Context, Function, Tensor
from ..kernels.lrn import lrn_backward, lrn_forward
from ..rules import check_floats

__all__ = ["local_response_norm", "lrn"]


class Lrn(Function):
    """Keeps x and the scale."""

    operation = "local_response_norm"

    @staticmethod
    def forward(
        ctx: Context, x: Array, n: int, k: float, alpha: float, beta: float, groups: int
    ) -> Array:
        y, scale = lrn_forward(x, n, k, alpha, beta, groups, save=ctx.needs[0])
        ctx.save(x, scale)
        ctx.options = (n, alpha, beta, groups)  # k is in the scale
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        x, scale = ctx.saved
        return lrn_backward(grad, x, scale, *ctx.options)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """PyTorch's LRN: input / (k + alpha/size * sum of squares over `size` channels)^beta.

    PyTorch divides alpha by the window; the paper does not: see `lrn` and the table of conventions
    in `kernels/lrn.py`.
    """
    return lrn(input, size, k, alpha=alpha / max(size, 1), beta=beta)  # lrn refuses a size below 1


def lrn(
    input: Tensor, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """The paper's LRN (section 3.3) of (N, C, ...): alpha on the plain sum. With `groups`, windows
    stop at the borders between that many equal parts of the channels (the two towers)."""
    if input.ndim < 3:
        raise ValueError(f"local_response_norm: got shape {input.shape}, expected (N, C, ...)")
    if input.ndim != 4:  # the channels alone matter: other maps are taken as rows of pixels
        return lrn(input.flatten(2).unsqueeze(2), n, k, alpha, beta, groups).reshape(input.shape)
    if n < 1:
        raise ValueError(f"local_response_norm: size must be at least 1, got {n}")
    if groups < 1 or input.shape[1] % groups:
        raise ValueError(f"lrn: groups={groups} does not divide {input.shape[1]} channels")
    check_floats("local_response_norm", input, reason="a power of whole numbers is seldom whole")
    return Lrn.apply(input, n, float(k), float(alpha), float(beta), groups)
