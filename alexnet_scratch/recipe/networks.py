"""The recipes of the networks before and after AlexNet, a recipe each, by the network's name.

Layers are those of `alexnet_scratch.zoo`. How they are trained is made for sets of some thousand
images, as `small` is for AlexNet: SGD with momentum, a warm-up, a cosine to 0. What the papers ran
on ImageNet stands in each docstring.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from .fields import Recipe
from .presets import RECIPES

# ImageNet's, as torchvision's weights expect them: 255 times its mean and standard deviation.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


def _trained(name: str, **changes: Any) -> Recipe:
    """What they have in common, and what a network changes."""
    common: dict[str, Any] = {
        "init": "he", "mean": "constant", "input_mean": IMAGENET_MEAN, "input_std": IMAGENET_STD,
        "crop": "resized", "crop_area": (0.35, 1.0), "colour_noise": "none", "epochs": 30,
        "batch_size": 64, "rule": "torch", "schedule": "cosine", "warmup_steps": 100,
    }  # fmt: skip
    return Recipe(name=name, model=name, **{**common, **changes})


def lenet5() -> Recipe:
    """LeNet-5, of 1998, on images of 32 pixels, which it sees in grey.

    Pixels of mean 0 and variance 1, as the paper has them for its tanh. It trained for 20 epochs of
    MNIST, one image at a time, with a second-order rate for each weight and neither momentum nor
    weight decay. Its weights within 2.4 / fan in (`--init lecun`) presume those rates: an epoch of
    CIFAR-10 reached 29.5% from them, at 0.02, and 42.2% from LSUV's, here the default.
    """
    return _trained(
        "lenet5", init="lsuv", input_size=32, image_size=32, input_mean=(127.5,) * 3,
        input_std=(64.0,) * 3, crop="random", epochs=20, lr=0.05, weight_decay=0.0,
    )  # fmt: skip


def zfnet() -> Recipe:
    """ZFNet, of 2013: AlexNet with a finer conv1, after a look at what its filters see.

    The paper: AlexNet's rate, momentum and dropout, batch 128, weights N(0, 0.01) and biases 0, 70
    epochs, and filters of more than 0.1 (root mean square) scaled back, which is left out here.
    """
    return _trained("zfnet", dropout="inverted", lr=0.01)


def vgg11() -> Recipe:
    """VGG-11, of 2014: filters of 3 x 3 only; the narrowest of its paper's networks.

    The paper: batch 256, a rate of 0.01 divided by 10 three times, decay 5e-4, dropout 0.5, 74
    epochs. He's initialisation in place of its N(0, 0.1), with which only this one could begin.
    """
    return _trained("vgg11", norm="none", dropout="inverted", lr=0.01)


def vgg16() -> Recipe:
    """VGG-16, of 2014, whose maps others build on; the paper's rates began from VGG-11's weights.

    He's initialisation makes that detour needless (He et al. 2015, "Delving deep into rectifiers").
    """
    return replace(vgg11(), name="vgg16", model="vgg16")


def googlenet() -> Recipe:
    """GoogLeNet, of 2014, with batch normalisation as torchvision has it, without auxiliary heads.

    The paper: dropout 0.4, momentum 0.9, a rate lowered by 4% every 8 epochs, averaged weights,
    crops of 8 to 100% of the image. Not the rate of `resnet18`: the last layer reads twice as many
    means, and at 0.05 the loss went up.
    """
    return _trained(
        "googlenet", conv1_kernel=7, conv1_stride=2, dropout="inverted", dropout_p=0.4, lr=0.015,
        weight_decay=1e-4,
    )  # fmt: skip


def resnet18() -> Recipe:
    """ResNet-18, of 2015: layers that add to what they were given; the quickest to learn here.

    The paper: batch 256 at a rate of 0.1, divided by 10 at plateaus, decay 1e-4, momentum 0.9, no
    dropout. Here a quarter of the batch at half of the rate, which falls from the start.
    """
    return _trained("resnet18", conv1_kernel=7, conv1_stride=2, lr=0.05, weight_decay=1e-4)


OTHERS: tuple[Callable[[], Recipe], ...] = (lenet5, zfnet, vgg11, vgg16, googlenet, resnet18)
NETWORKS = {preset.__name__: preset() for preset in OTHERS}
BY_NAME = {**RECIPES, **NETWORKS}


def with_network(recipe: Recipe, network: Recipe) -> Recipe:
    """The training of one recipe for the network of another: its layers, how its weights begin, the
    size of its images and the scale of their pixels."""
    names = [f.name for f in fields(Recipe)]
    own = [*names[names.index("model") : names.index("image_size") + 1], "mean", "input_mean",
           "input_std"]  # fmt: skip
    changes = {name: getattr(network, name) for name in own}
    return replace(recipe, name=f"{recipe.name}-{network.model}", **changes)
