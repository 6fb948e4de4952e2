"""Layers: modules around one operation each, with PyTorch's arguments and initialisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import Tensor
from ..kernels.layout import pair
from . import functional as F
from . import init
from .module import Module, Parameter
from .shapes import zeros


def _parameter(*shape: int, dtype: Any = None) -> Parameter:
    return Parameter(zeros(shape, np.float32 if dtype is None else dtype))


def _pytorch_init(weight: Parameter, bias: Parameter | None) -> None:
    """PyTorch's default: both uniform within 1 / sqrt(fan in)."""
    if weight.numel():
        init.kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None and weight.numel():
        bound = 1 / math.sqrt(init.fans(weight)[0])
        init.uniform_(bias, -bound, bound)


def _has_forward_of(module: Module, kind: type[Module]) -> bool:
    return getattr(module.forward, "__func__", None) is kind.forward


class Linear(Module):
    """y = x weight^T + bias. weight (out, in), bias (out,)."""

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = _parameter(out_features, in_features, dtype=dtype)
        self.bias = _parameter(out_features, dtype=dtype) if bias else None
        _pytorch_init(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"


class Conv2d(Module):
    """2-D convolution. weight (out, in / groups, kh, kw), bias (out,)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if padding_mode != "zeros":
            raise NotImplementedError(f"Conv2d: padding_mode {padding_mode!r}, only 'zeros'")
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"Conv2d: groups={groups} does not divide {in_channels} input and "
                f"{out_channels} output channels"
            )
        kernel = pair(kernel_size, "kernel_size", 1)
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.groups = groups
        self.weight = _parameter(out_channels, in_channels // groups, *kernel, dtype=dtype)
        self.bias = _parameter(out_channels, dtype=dtype) if bias else None
        _pytorch_init(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, oh, ow)."""
        return F.conv2d(input, *self._arguments())

    def fused(self, following: Module) -> Callable[..., Any] | None:
        """Bias and ReLU in one pass; only for the two classes' own forwards."""
        if _has_forward_of(self, Conv2d) and _has_forward_of(following, ReLU):
            return self._forward_relu
        return None

    def _forward_relu(self, input: Tensor) -> Tensor:
        return F.conv2d_relu(input, *self._arguments())

    def _arguments(self) -> tuple[Any, ...]:
        return self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, padding={self.padding}"
            + (f", dilation={self.dilation}" if self.dilation not in (1, (1, 1)) else "")
            + (f", groups={self.groups}" if self.groups != 1 else "")
        )


class MaxPool2d(Module):
    """Maximum over windows."""

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        return_indices: bool = False, ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation, self.ceil_mode = padding, dilation, ceil_mode
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        """(N, C, H, W) -> (N, C, oh, ow); with `return_indices` (values, indices)."""
        return F.max_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
            self.return_indices,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(Module):
    """Mean over windows."""

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, oh, ow)."""
        return F.avg_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad, self.divisor_override,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """Mean over as many windows as the output has places."""

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, rows, columns) of `output_size`."""
        return F.adaptive_avg_pool2d(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class BatchNorm2d(Module):
    """Each channel by the mean and variance of the batch, in evaluation by the running ones.

    weight, bias (C,) unless not `affine`. Buffers: running_mean, running_var (C,) and
    num_batches_tracked (), unless not `track_running_stats`: then evaluation, too, takes the
    batch's. `momentum` None: the running ones are the plain mean over all batches.
    """

    _dimensions: tuple[int, ...] = (4,)

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
        affine: bool = True, track_running_stats: bool = True, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = _parameter(num_features, dtype=dtype) if affine else None
        self.bias = _parameter(num_features, dtype=dtype) if affine else None
        mean, var, count = (
            (_parameter(num_features, dtype=dtype).detach(),
             _parameter(num_features, dtype=dtype).detach(), Tensor(np.array(0)))
            if track_running_stats else (None, None, None)
        )  # fmt: skip
        self.register_buffer("running_mean", mean)
        self.register_buffer("running_var", var)
        self.register_buffer("num_batches_tracked", count)
        if self.weight is not None:
            init.ones_(self.weight)
        if var is not None:
            init.ones_(var)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape. Raises ValueError for another number of axes."""
        if input.ndim not in self._dimensions:
            expected = " or ".join(f"{n}-D" for n in self._dimensions)
            raise ValueError(f"{type(self).__name__}: got shape {input.shape}, expected {expected}")
        momentum = self.momentum or 0.0
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.data += 1
            if self.momentum is None:
                momentum = 1 / float(self.num_batches_tracked)
        return F.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or self.running_mean is None, momentum, self.eps,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(BatchNorm2d):
    """As BatchNorm2d, for (N, C) and (N, C, L)."""

    _dimensions = (2, 3)


class LocalResponseNorm(Module):
    """PyTorch's LRN: alpha is divided by the size of the window."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class PaperLRN(Module):
    """The paper's LRN: alpha on the plain sum; windows stop at the border of each of `groups`."""

    def __init__(
        self, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75, groups: int = 1
    ) -> None:
        super().__init__()
        self.n, self.k, self.alpha, self.beta, self.groups = n, k, alpha, beta, groups

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return F.lrn(input, self.n, self.k, self.alpha, self.beta, self.groups)

    def extra_repr(self) -> str:
        groups = f", groups={self.groups}" if self.groups != 1 else ""
        return f"n={self.n}, k={self.k}, alpha={self.alpha}, beta={self.beta}{groups}"


class LocalContrastNorm(Module):
    """Normalisation by the neighbours in the same map."""

    def __init__(
        self, size: int = 5, alpha: float = 1e-3, beta: float = 0.75, k: float = 1.0,
        subtract_mean: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k
        self.subtract_mean = subtract_mean

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return F.local_contrast_norm(
            input, self.size, self.alpha, self.beta, self.k, self.subtract_mean
        )

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class ReLU(Module):
    """max(x, 0)."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        if inplace:
            raise NotImplementedError("ReLU: inplace=True is not supported")

    def forward(self, input: Tensor) -> Tensor:
        """Any shape."""
        return F.relu(input)


class LeakyReLU(Module):
    """x where positive, else slope * x."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        """Any shape."""
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class PReLU(Module):
    """x where positive, else weight * x, with one learned slope or one for each channel."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.weight = Parameter(np.full((num_parameters,), init, np.float32))

    def forward(self, input: Tensor) -> Tensor:
        """Any shape; channels on axis 1."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.weight.numel()}"


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape."""
        return F.sigmoid(input)


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape."""
        return F.tanh(input)


class Dropout(Module):
    """Inverted dropout: zero with probability p and scale in training, identity in evaluation."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if inplace:
            raise NotImplementedError("Dropout: inplace=True is not supported")
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p is the probability of a zero, in [0, 1], got {p}")
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        """Any shape."""
        return F.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class PaperDropout(Dropout):
    """The paper's dropout: zero with probability p in training, times 1 - p in evaluation."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape."""
        return F.paper_dropout(input, self.p, self.training)


class Flatten(Module):
    """Merge the axes from start_dim to end_dim."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C*H*W) by default."""
        return input.flatten(self.start_dim, self.end_dim)


class Identity(Module):
    """The input as it is."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape."""
        return input


class Softmax(Module):
    """Softmax along `dim`."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Any shape."""
        return F.softmax(input, self.dim)


class LogSoftmax(Softmax):
    """Logarithm of softmax along `dim`."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape."""
        return F.log_softmax(input, self.dim)
