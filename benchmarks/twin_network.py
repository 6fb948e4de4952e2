"""A network of this package in PyTorch, layer by layer, with the same weights in the same memory.

To add a layer: a line in `_TWINS`, and a class where PyTorch has none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from alexnet_scratch.model import CeilEdge
from alexnet_scratch.zoo import GoogLeNet, LeNet5, ResNet18, googlenet, lenet, resnet
from minigrad import nn as ours

F = nn.functional


class PaperLRN(nn.Module):
    """x / (k + alpha * sum of x^2 over the window)^beta; windows stop at the border of a group.

    The sum is a 1 x 1 convolution with a matrix of ones along the diagonal: eight times as fast as
    `F.local_response_norm`, which pools in three dimensions.
    """

    def __init__(self, n: int, k: float, alpha: float, beta: float, groups: int) -> None:
        super().__init__()
        self.n, self.k, self.alpha, self.beta, self.groups = n, k, alpha, beta, groups

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> the same shape."""
        channels = x.shape[1]
        place = torch.arange(channels)
        offset = place - place[:, None]
        group = place // (channels // self.groups)
        near = (offset >= -(self.n // 2)) & (offset <= (self.n - 1) // 2)
        band = (near & (group == group[:, None])).to(x.dtype) * self.alpha
        scale = F.conv2d(x.square(), band[:, :, None, None], x.new_full((channels,), self.k))
        return x / scale**self.beta


class ContrastNorm(nn.Module):
    """The same over the window around each pixel of a map; with the window's mean taken off or not.
    """

    def __init__(self, size: int, alpha: float, beta: float, k: float, mean: bool) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k, self.mean = size, alpha, beta, k, mean

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> the same shape."""
        u = x - self._sum(x) / self._sum(torch.ones_like(x)) if self.mean else x
        return u / (self.k + self.alpha / self.size**2 * self._sum(u.square())) ** self.beta

    def _sum(self, x: torch.Tensor) -> torch.Tensor:
        before, after = self.size // 2, (self.size - 1) // 2
        padded = F.pad(x, (before, after, before, after))
        return F.avg_pool2d(padded, self.size, 1, divisor_override=1)


class PaperDropout(nn.Module):
    """Zero with probability p in training, times 1 - p in evaluation."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Any shape."""
        return x * (torch.rand_like(x) >= self.p) if self.training else x * (1 - self.p)


class CeilPad(nn.Module):
    """Zeros to the right and below until the windows fit."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C, H + up to stride - 1, W + up to stride - 1)."""
        below, right = (-(size - self.kernel) % self.stride for size in x.shape[2:])
        return F.pad(x, (0, right, 0, below))


class Parts(nn.Module):
    """The twins of a module's parts, and what is computed with them: compute(self, x)."""

    def __init__(self, module: ours.Module, compute: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        for name, child in module.named_children():
            self.add_module(name, _twin(child))
        self.compute = compute

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As the module's own."""
        return self.compute(self, x)


def _block(m: Any, x: torch.Tensor) -> torch.Tensor:
    """ResNet's."""
    within = m.bn2(m.conv2(m.relu1(m.bn1(m.conv1(x)))))
    return m.relu2(within + (m.downsample(x) if hasattr(m, "downsample") else x))


def _inception(m: Any, x: torch.Tensor) -> torch.Tensor:
    """GoogLeNet's."""
    return torch.cat([branch(x) for branch in m.children()], 1)


def _partly_connected(table: Any) -> Callable[[Any, Any], torch.Tensor]:
    """LeNet's C3."""
    return lambda m, x: torch.cat(
        [conv(x[:, list(row)]) for conv, row in zip(m.children(), table, strict=True)], 1
    )


class Subsampling(nn.Module):
    """LeNet's: the sum over 2 x 2, times a weight and plus a bias for each map."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.zeros(maps)) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C, H / 2, W / 2)."""
        total = F.avg_pool2d(x, 2, divisor_override=1)
        return total * self.weight.reshape(1, -1, 1, 1) + self.bias.reshape(1, -1, 1, 1)


class ScaledTanh(nn.Module):
    """LeNet's: 1.7159 tanh(2/3 x)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Any shape."""
        return torch.tanh(x * (2 / 3)) * 1.7159


class Grey(nn.Sequential):
    """LeNet, which sees colours in grey."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 32, 32) -> (N, classes)."""
        weights = torch.tensor([0.299, 0.587, 0.114], dtype=x.dtype).reshape(1, 3, 1, 1)
        return super().forward((x * weights).sum(1, keepdim=True))


def _batch_norm(m: ours.BatchNorm2d) -> nn.Module:
    kind = nn.BatchNorm1d if isinstance(m, ours.BatchNorm1d) else nn.BatchNorm2d
    return kind(m.num_features, m.eps, m.momentum, m.affine, m.track_running_stats)


_TWINS: dict[type, Callable[[Any], nn.Module]] = {
    ours.Conv2d: lambda m: nn.Conv2d(
        m.in_channels, m.out_channels, m.kernel_size, m.stride, m.padding, m.dilation, m.groups,
        bias=m.bias is not None,
    ),
    ours.Linear: lambda m: nn.Linear(m.in_features, m.out_features, bias=m.bias is not None),
    ours.ReLU: lambda m: nn.ReLU(inplace=True),
    ours.LeakyReLU: lambda m: nn.LeakyReLU(m.negative_slope),
    ours.MaxPool2d: lambda m: nn.MaxPool2d(
        m.kernel_size, m.stride, m.padding, m.dilation, ceil_mode=m.ceil_mode
    ),
    ours.AvgPool2d: lambda m: nn.AvgPool2d(
        m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad, m.divisor_override
    ),
    ours.AdaptiveAvgPool2d: lambda m: nn.AdaptiveAvgPool2d(m.output_size),
    ours.BatchNorm1d: _batch_norm,
    ours.BatchNorm2d: _batch_norm,
    ours.LocalResponseNorm: lambda m: nn.LocalResponseNorm(m.size, m.alpha, m.beta, m.k),
    ours.PaperLRN: lambda m: PaperLRN(m.n, m.k, m.alpha, m.beta, m.groups),
    ours.LocalContrastNorm: lambda m: ContrastNorm(
        m.size, m.alpha, m.beta, m.k, m.subtract_mean
    ),
    ours.Dropout: lambda m: nn.Dropout(m.p),
    ours.PaperDropout: lambda m: PaperDropout(m.p),
    ours.Flatten: lambda m: nn.Flatten(m.start_dim, m.end_dim),
    ours.Identity: lambda m: nn.Identity(),
    CeilEdge: lambda m: CeilPad(m.kernel, m.stride),
    resnet.Block: lambda m: Parts(m, _block),
    googlenet.Inception: lambda m: Parts(m, _inception),
    lenet.PartlyConnected: lambda m: Parts(m, _partly_connected(m.table)),
    lenet.Subsampling: lambda m: Subsampling(len(m.weight)),
    lenet.ScaledTanh: lambda m: ScaledTanh(),
}  # fmt: skip


def torch_network(model: ours.Module) -> nn.Module:
    """The network in PyTorch, layer by layer, in channels-last memory, which both then share.

    Names and `state_dict` keys are the model's. TypeError for a layer that has no twin here.
    """
    network = _twin(model).to(memory_format=torch.channels_last)
    theirs = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    own = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    if own.keys() != theirs.keys():
        raise TypeError(f"the twin has other weights: {sorted(own.keys() ^ theirs.keys())}")
    with torch.no_grad():
        for name, tensor in own.items():
            theirs[name].copy_(torch.from_numpy(np.array(tensor.data)))
            tensor.data = theirs[name].detach().numpy()
    return network.train(model.training)


def _twin(module: ours.Module) -> nn.Module:
    # AlexNet is Sequential, and the others compute their parts in the order in which they stand.
    if isinstance(module, ours.Sequential | ResNet18 | GoogLeNet | LeNet5):
        layers = Grey() if isinstance(module, LeNet5) else nn.Sequential()
        for name, child in module.named_children():
            layers.add_module(name, _twin(child))
        return layers
    if type(module) not in _TWINS:
        raise TypeError(f"{type(module).__name__} has no twin: add it to _TWINS of {__file__}")
    return _TWINS[type(module)](module)
