"""The 2012 code's network for CIFAR-10: three convolutions and one fully connected layer.

cuda-convnet, which trained AlexNet, came with it as layers-18pct.cfg, named after the error it
reached without augmentation. At the code's 24 pixels:

    conv1  32 x 24 x 24   5 x 5      pool1  32 x 12 x 12   maximum over 3 x 3, stride 2
    conv2  32 x 12 x 12   5 x 5      pool2  32 x  6 x  6   mean over 3 x 3, stride 2
    conv3  64 x  6 x  6   5 x 5      pool3  64 x  3 x  3   mean over 3 x 3, stride 2
    fc4    10

A last window hangs over the edge ("ceil"), so that every pooling halves the side. Response
normalisation follows the first two poolings: across maps, as in the paper and in the file of the
11% network; the 18% file has its within each map. The 13% and 11% networks, whose third and fourth
layers have filters of their own at every place, are left out: such layers are in no network since.
"""

from __future__ import annotations

from minigrad import nn

SMALLEST = 8  # side that leaves one pixel after three poolings


def layers(
    num_classes: int, widths: tuple[int, ...], input_size: int,
    lrn: tuple[int, float, float, float], norm: str,
) -> dict[str, nn.Module]:  # fmt: skip
    """The network by name. widths: maps of the convolutions; lrn: size, k, alpha, beta; norm: as
    in `AlexNet`."""
    one, two, three = widths
    found: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(3, one, 5, padding=2),
        "relu1": nn.ReLU(),
        "pool1": nn.MaxPool2d(3, 2, ceil_mode=True),
        "lrn1": nn.PaperLRN(*lrn),
        "conv2": nn.Conv2d(one, two, 5, padding=2),
        "relu2": nn.ReLU(),
        "pool2": nn.AvgPool2d(3, 2, ceil_mode=True),
        "lrn2": nn.PaperLRN(*lrn),
        "conv3": nn.Conv2d(two, three, 5, padding=2),
        "relu3": nn.ReLU(),
        "pool3": nn.AvgPool2d(3, 2, ceil_mode=True),
        "flatten": nn.Flatten(),
        "fc4": nn.Linear(_features(widths, input_size), num_classes),
    }
    if norm == "response":
        return found
    chosen: dict[str, nn.Module] = {}
    for name, layer in found.items():
        if not name.startswith("lrn"):
            chosen[name] = layer
        if norm == "batch" and isinstance(layer, nn.Conv2d):
            chosen[name.replace("conv", "bn")] = nn.BatchNorm2d(layer.out_channels)
    return chosen


def _features(widths: tuple[int, ...], input_size: int) -> int:
    """Numbers that fc4 reads."""
    side = input_size // 2 // 2 // 2
    return widths[2] * side * side
