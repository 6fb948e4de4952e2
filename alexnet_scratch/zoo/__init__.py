"""The networks before and after AlexNet, a file each, by the name that a recipe's `model` gives.

    lenet5     1998   the first convolutional network in wide use: tanh, trained subsampling
    zfnet      2013   AlexNet with a smaller conv1, after a look at what its filters see
    vgg11/16   2014   3 x 3 filters only, and many layers of them
    googlenet  2014   branches of several filter sizes side by side, and no wide layers at the end
    resnet18   2015   layers that add to what they were given

Where torchvision has a network, its names and shapes are torchvision's, so that weights go from one
to the other as they are. docs/before_and_after.md sets them side by side.
"""

from __future__ import annotations

from typing import Any

from minigrad.nn.shapes import shapes_only

from ..network import Network
from .googlenet import GoogLeNet
from .lenet import LeNet5
from .resnet import ResNet18
from .vgg import VGG11, VGG16
from .zfnet import ZFNet

__all__ = [
    "MODELS", "VGG11", "VGG16", "GoogLeNet", "LeNet5", "Network", "ResNet18", "ZFNet",
    "state_shapes",
]  # fmt: skip

MODELS: dict[str, type[Network]] = {
    "lenet5": LeNet5, "zfnet": ZFNet, "vgg11": VGG11, "vgg16": VGG16, "googlenet": GoogLeNet,
    "resnet18": ResNet18,
}  # fmt: skip


def state_shapes(model: str, num_classes: int, **options: Any) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a network's state, in its order, without any memory for it.

    model: of `MODELS`. options: as its class takes them. ValueError for what cannot be.
    """
    with shapes_only():
        state = MODELS[model](num_classes, **options).state_dict()  # type: ignore[call-arg]
    return {name: tensor.shape for name, tensor in state.items()}
