"""GoogLeNet (Szegedy et al. 2014, table 1), the first Inception network, as torchvision has it.

An inception block looks at its input with filters of several sizes at once and lays the maps side
by side; 1 x 1 convolutions before the large filters keep that affordable. A mean over each map
takes the place of the wide layers at the end, where most of AlexNet's parameters are.

    conv1-3   192 x 56 x 56                4b, 4c  512 x 14 x 14       5a   832 x 7 x 7
    3a        256 x 28 x 28                4d      528 x 14 x 14       5b  1024 x 7 x 7
    3b        480 x 28 x 28                4e      832 x 14 x 14       mean, dropout, fc
    4a        512 x 14 x 14

Names and shapes are torchvision's: 6,624,904 parameters, with the auxiliary heads 13,004,888. The
paper's network differs in three ways: it has filters of 5 x 5 where these are 3 x 3 (the third
branch; torchvision calls it a known bug), response normalisation in conv1-3 and biases where these
have batch normalisation, and a mean over 5 x 5 at stride 3 in the auxiliary heads.
"""

from __future__ import annotations

from typing import Any

import minigrad as mg
from minigrad import Tensor, nn
from minigrad.nn import functional as F

from .stem import Stemmed


class GoogLeNet(Stemmed):
    """Images (N, 3, H, W) of at least 32 pixels -> logits (N, num_classes).

    `aux_logits`: with the two heads half way, whose losses kept gradients alive before batch
    normalisation did; in training the output is then (logits, aux2, aux1), as torchvision's.
    `conv1_kernel`, `conv1_stride`: 7 and 2, or for small images 3 and 1 or 2, without the first
    pooling. torchvision's own weights were ported from TensorFlow: they take pixels with mean 0.5
    and standard deviation 0.5 in all channels (its `transform_input`).
    """

    title = "GoogLeNet"
    fields = ("conv1_kernel", "conv1_stride", "dropout_p")

    def __init__(
        self, num_classes: int = 1000, *, input_size: int = 224, conv1_kernel: int = 7,
        conv1_stride: int = 2, dropout_p: float = 0.2, aux_logits: bool = False,
    ) -> None:  # fmt: skip
        self.check(
            num_classes, input_size, conv1_kernel=conv1_kernel, conv1_stride=conv1_stride
        )
        super().__init__()
        self.num_classes, self.input_size = num_classes, input_size
        small = conv1_kernel == 3
        self.aux_logits = aux_logits
        self.conv1 = convolution(3, 64, conv1_kernel, conv1_stride)
        self.maxpool1 = nn.Identity() if small else nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = convolution(64, 64, 1)
        self.conv3 = convolution(64, 192, 3)
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.inception3a = Inception(192, 64, (96, 128), (16, 32), 32)
        self.inception3b = Inception(256, 128, (128, 192), (32, 96), 64)
        self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.inception4a = Inception(480, 192, (96, 208), (16, 48), 64)
        self.inception4b = Inception(512, 160, (112, 224), (24, 64), 64)
        self.inception4c = Inception(512, 128, (128, 256), (24, 64), 64)
        self.inception4d = Inception(512, 112, (144, 288), (32, 64), 64)
        self.inception4e = Inception(528, 256, (160, 320), (32, 128), 128)
        self.maxpool4 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.inception5a = Inception(832, 256, (160, 320), (32, 128), 128)
        self.inception5b = Inception(832, 384, (192, 384), (48, 128), 128)
        if aux_logits:
            self.aux1, self.aux2 = Auxiliary(512, num_classes), Auxiliary(528, num_classes)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout_p)
        self.fc = nn.Linear(1024, num_classes)

    def forward(self, input: Tensor) -> Any:
        """(N, 3, H, W) -> (N, num_classes), with `aux_logits` in training three of them."""
        self._check_images(input)
        heads = self.aux_logits and self.training
        x = self.maxpool1(self.conv1(input))
        x = self.maxpool2(self.conv3(self.conv2(x)))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        x = self.inception4a(x)
        aux1 = self.aux1(x) if heads else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        aux2 = self.aux2(x) if heads else None
        x = self.maxpool4(self.inception4e(x))
        x = self.inception5b(self.inception5a(x))
        logits = self.fc(self.dropout(self.flatten(self.avgpool(x))))
        return (logits, aux2, aux1) if heads else logits


def convolution(inputs: int, maps: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU; a side stays what it is but for the stride."""
    return nn.Sequential({
        "conv": nn.Conv2d(inputs, maps, kernel, stride, kernel // 2, bias=False),
        "bn": nn.BatchNorm2d(maps, eps=1e-3),
        "relu": nn.ReLU(),
    })  # fmt: skip


class Inception(nn.Module):
    """Four branches side by side: 1 x 1; 1 x 1 then 3 x 3, twice; pooling then 1 x 1.

    `second`, `third`: maps of the first and of the second convolution of that branch.
    """

    def __init__(
        self, inputs: int, first: int, second: tuple[int, int], third: tuple[int, int], fourth: int
    ) -> None:
        super().__init__()
        self.branch1 = convolution(inputs, first, 1)
        self.branch2 = nn.Sequential(convolution(inputs, second[0], 1), convolution(*second, 3))
        self.branch3 = nn.Sequential(convolution(inputs, third[0], 1), convolution(*third, 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), convolution(inputs, fourth, 1))

    def forward(self, input: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, first + second[1] + third[1] + fourth, H, W)."""
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return mg.cat([branch(input) for branch in branches], 1)  # type: ignore[no-any-return]


class Auxiliary(nn.Module):
    """A head half way."""

    def __init__(self, inputs: int, num_classes: int) -> None:
        super().__init__()
        self.conv = convolution(inputs, 128, 1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(0.7)

    def forward(self, input: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, num_classes)."""
        x = self.conv(F.adaptive_avg_pool2d(input, 4)).flatten(1)
        return self.fc2(self.dropout(F.relu(self.fc1(x))))  # type: ignore[no-any-return]
