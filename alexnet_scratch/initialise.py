"""Initialisation of the whole network, by the name of the scheme."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

from minigrad import Tensor, nn, no_grad
from minigrad.nn import functional as F
from minigrad.nn import init

from .model import evaluating
from .zoo.lenet import Subsampling

LAST_STD = 0.1  # of the logits after LSUV or He: near ln(C), but not blind to the image


class InitialisationError(ValueError):
    """Images from which no scale can be learnt; the message is one line for the user."""


def initialise(model: nn.Module, scheme: str, images: Tensor | None = None) -> None:
    """Fill the parameters of a network in place, from the generator of `minigrad.manual_seed`.

    scheme: "paper": N(0, 0.01), biases 1 in conv2, conv4, conv5, fc6 and fc7, else 0 (section 5).
    "source2012": the same, with 0.03 in conv3 to conv5, as the authors' layer file has it; their
    file of the cifar network: 0.0001 in conv1, else 0.01, biases 0.
    "caffe": 0.01, but 0.005 in fc6 and fc7, and biases 0.1 in place of 1 (bvlc_alexnet).
    "lsuv": normal weights, scaled layer by layer so that outputs have variance 1 on `images`, the
    last layer's 0.01; biases 0 (Mishkin and Matas 2016, without the orthogonal start).
    "he": normal with variance 2 / fan in, which ReLU halves again, the last layer's 0.01 / fan in,
    so that the first loss is near ln C; biases 0 (He et al. 2015, equation 10).
    "pytorch": uniform within 1 / sqrt(fan in), the layers' default.
    "lecun": uniform within 2.4 / fan in, biases too, for tanh (LeCun et al. 1998, section III).
    The first three are AlexNet's. Batch normalisation begins with 1 and 0 in all.

    images: a batch of real images (N, 3, size, size) as the network gets them; only LSUV needs it.
    Raises ValueError for an unknown scheme, a missing batch, one that is blank, or a scheme that
    has no numbers for a network of so many layers.
    """
    if scheme not in _SCHEMES:
        raise ValueError(f"initialise: scheme {scheme!r} is unknown: use {', '.join(SCHEMES)}")
    with no_grad():
        _SCHEMES[scheme](model, images)


def initialise_head(
    model: nn.Module, head: Collection[str], scheme: str, images: Tensor
) -> None:
    """Fill the layers named in `head`, the last ones of a network whose others are trained.

    Drawn as `scheme` does it and then scaled on `images`, as in `initialise`, so that the logits'
    standard deviation is 0.1: the first loss is near ln C, whatever the layers before give.
    Raises InitialisationError for images from which no scale can be learnt.
    """
    layers = {name: module for name, module in model.named_modules() if name in head}
    inputs: dict[nn.Module, Tensor] = {}

    def keep(layer: nn.Module, args: tuple[Tensor, ...]) -> None:
        inputs[layer] = args[0]

    hooks = [layer.register_forward_pre_hook(keep) for layer in layers.values()]
    try:
        with evaluating(model), no_grad():
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
    with no_grad():
        for name, layer in layers.items():
            _draw(layer, scheme)
            if layer in inputs:
                _unit_variance(name, layer, inputs[layer], layer(inputs[layer]), LAST_STD)
            else:  # a classifier at the side, which only training asks
                layer.weight.data *= LAST_STD


def _layers(model: nn.Module) -> list[Any]:
    """The layers with weights in order, conv1 to fc8 of AlexNet's."""
    return [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def _gaussian(*networks: tuple[tuple[float, ...], tuple[float, ...]]) -> Callable[..., None]:
    """Normal weights and constant biases: a value each per layer, for each network that there is a
    rule for."""

    def fill(model: nn.Module, images: Tensor | None) -> None:
        layers = _layers(model)
        fitting = [network for network in networks if len(network[0]) == len(layers)]
        if not fitting:
            raise ValueError(
                f"initialise: the scheme is that of {len(networks[0][0])} layers, the network has "
                f"{len(layers)}: use another"
            )
        for layer, std, bias in zip(layers, *fitting[0], strict=True):
            init.normal_(layer.weight, 0.0, std)
            init.constant_(layer.bias, bias)

    return fill


def _pytorch(model: nn.Module, images: Tensor | None) -> None:
    for layer in _layers(model):
        init.kaiming_uniform_(layer.weight, a=math.sqrt(5))
        if layer.bias is not None:
            bound = 1 / math.sqrt(init.fans(layer.weight)[0])
            init.uniform_(layer.bias, -bound, bound)


def _lecun(model: nn.Module, images: Tensor | None) -> None:
    for module in model.modules():
        subsampling = isinstance(module, Subsampling)
        if not subsampling and not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        bound = 2.4 / (4 if subsampling else init.fans(module.weight)[0])
        for parameter in module.parameters():
            init.uniform_(parameter, -bound, bound)


def _he(model: nn.Module, images: Tensor | None) -> None:
    *hidden, last = _layers(model)
    for layer in (*hidden, last):
        if layer.bias is not None:
            init.zeros_(layer.bias)
        if layer is last:
            init.normal_(layer.weight, 0.0, LAST_STD / math.sqrt(layer.weight.shape[1]))
        else:
            init.kaiming_normal_(layer.weight, nonlinearity="relu")


def _lsuv(model: nn.Module, images: Tensor | None) -> None:
    """Send the batch through the network, scaling each layer before its output goes on."""
    if images is None:
        raise ValueError("initialise: 'lsuv' measures a batch of images: give images")
    last = _layers(model)[-1]

    def scaled(name: str) -> Any:
        return lambda layer, args, output: _unit_variance(
            name, layer, args[0], output, LAST_STD if layer is last else 1.0
        )

    def by_the_batch(norm: Any, args: Any, output: Tensor) -> Tensor:
        return F.batch_norm(args[0], None, None, norm.weight, norm.bias, training=True)

    def undropped(dropout: Any, args: Any, output: Tensor) -> Any:
        return args[0]  # of the paper's form, too, which halves at test

    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            hooks.append(module.register_forward_pre_hook(lambda layer, args: _draw(layer)))
            hooks.append(module.register_forward_hook(scaled(name)))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_hook(by_the_batch))
        elif isinstance(module, nn.Dropout):
            hooks.append(module.register_forward_hook(undropped))
    try:
        with evaluating(model):
            model(images)
    finally:
        for hook in hooks:
            hook.remove()


def _draw(layer: Any, scheme: str = "lsuv") -> None:
    """Weights of variance 1 / fan in: normal ones, or for "pytorch" uniform ones; biases 0."""
    bound = 1 / math.sqrt(init.fans(layer.weight)[0])
    if scheme == "pytorch":
        init.uniform_(layer.weight, -bound, bound)
    else:
        init.normal_(layer.weight, 0.0, bound)
    if layer.bias is not None:
        init.zeros_(layer.bias)


def _unit_variance(name: str, layer: Any, x: Tensor, y: Tensor, target: float) -> Tensor:
    """Scale `layer` so that its output for `x`, now `y`, has standard deviation `target`; return
    that output."""
    std = float(y.data.std(dtype="float64"))
    if not 0 < std < math.inf:
        raise InitialisationError(
            f"the output of {name} has standard deviation {std} on the first batch, its input "
            f"{float(x.data.std(dtype='float64')):.3g}: the images are blank or the same, or the "
            "layers before it let nothing through (LRN's constants, a width of 1); look at both, "
            "or use another --init"
        )
    # With biases 0 the layer is linear, so that one division is exact: no need to iterate.
    scale = target / std
    layer.weight.data *= scale
    layer.weight.bump_version()
    y.data *= scale
    return y


_ONES = (0, 1, 0, 1, 1, 1, 1, 0)  # biases from conv1 to fc8
_SCHEMES: dict[str, Callable[[nn.Module, Tensor | None], None]] = {
    "paper": _gaussian(((0.01,) * 8, _ONES)),
    "source2012": _gaussian(
        ((0.01, 0.01, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01), _ONES),
        ((0.0001, 0.01, 0.01, 0.01), (0.0,) * 4),
    ),
    "caffe": _gaussian(((0.01,) * 5 + (0.005, 0.005, 0.01), tuple(0.1 * b for b in _ONES))),
    "lsuv": _lsuv,
    "he": _he,
    "pytorch": _pytorch,
    "lecun": _lecun,
}
SCHEMES = tuple(_SCHEMES)
OF_ALEXNET = ("paper", "source2012", "caffe")
OF_EIGHT_LAYERS = ("paper", "caffe")  # schemes that no other network has numbers for
