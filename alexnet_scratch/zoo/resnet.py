"""ResNet-18 (He, Zhang, Ren, Sun 2015, table 1): layers that add to what they were given.

Each block computes what is to be added to its input, so that a block of zeros leaves the image as
it was and depth costs nothing; the gradient goes around every block, too.

    conv1    64 x 112 x 112   7 x 7, stride 2, then 3 x 3 pooling, stride 2
    layer1   64 x  56 x  56   two blocks of two 3 x 3 convolutions
    layer2  128 x  28 x  28   two blocks, the first at stride 2
    layer3  256 x  14 x  14   two blocks, the first at stride 2
    layer4  512 x   7 x   7   two blocks, the first at stride 2
    mean over each map, fc                                                11,689,512 parameters

Names and shapes are torchvision's. Where a block halves the side, its input comes by way of a 1 x 1
convolution (the paper's option B).
"""

from __future__ import annotations

from minigrad import Tensor, nn

from .stem import Stemmed


class ResNet18(Stemmed):
    """Images (N, 3, H, W) of at least 32 pixels -> logits (N, num_classes).

    `conv1_kernel`, `conv1_stride`: 7 and 2, or for small images 3 and 1 or 2, without the pooling.
    """

    title = "ResNet-18"
    fields = ("conv1_kernel", "conv1_stride")

    def __init__(
        self, num_classes: int = 1000, *, input_size: int = 224, conv1_kernel: int = 7,
        conv1_stride: int = 2,
    ) -> None:  # fmt: skip
        self.check(
            num_classes, input_size, conv1_kernel=conv1_kernel, conv1_stride=conv1_stride
        )
        super().__init__()
        self.num_classes, self.input_size = num_classes, input_size
        small = conv1_kernel == 3
        padding = conv1_kernel // 2
        self.conv1 = nn.Conv2d(3, 64, conv1_kernel, conv1_stride, padding, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = nn.Sequential(Block(64, 64), Block(64, 64))
        self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128))
        self.layer3 = nn.Sequential(Block(128, 256, 2), Block(256, 256))
        self.layer4 = nn.Sequential(Block(256, 512, 2), Block(512, 512))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(512, num_classes)

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, num_classes)."""
        self._check_images(input)
        x = self.maxpool(self.relu(self.bn1(self.conv1(input))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.flatten(self.avgpool(x)))  # type: ignore[no-any-return]


class Block(nn.Module):
    """input + two 3 x 3 convolutions of it, each with batch normalisation."""

    def __init__(self, inputs: int, maps: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, maps, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(maps)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(maps, maps, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(maps)
        self.relu2 = nn.ReLU()
        self.downsample = None if stride == 1 else nn.Sequential(
            nn.Conv2d(inputs, maps, 1, stride, bias=False), nn.BatchNorm2d(maps)
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, maps, H / stride, W / stride)."""
        x = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(input)))))
        return self.relu2(x + (self.downsample(input) if self.downsample else input))  # type: ignore[no-any-return]
