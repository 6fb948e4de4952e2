"""Which pixels of an image matter to the answer: maps over the image, by four methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from minigrad import Tensor, arrays, grad, nn
from minigrad.core import Node, RemovableHook
from minigrad.kernels.activation import relu_forward
from minigrad.ops.activation import Relu
from minigrad.ops.conv import Conv2d
from minigrad.tools.graph import nodes_of

from ..model import evaluating
from .layers import Floats, outputs_of, probabilities


class NoReluError(ValueError):
    """There is no ReLU in the network."""


@contextmanager
def of_inputs(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode, its weights constants: gradients are those of inputs alone,
    which is half the work. Afterwards as it was."""
    wanted = [(p, p.requires_grad) for p in model.parameters()]
    for parameter, _ in wanted:
        parameter.requires_grad = False
    try:
        with evaluating(model):
            yield
    finally:
        for parameter, was in wanted:
            parameter.requires_grad = was


def one_hot(logits: Tensor, classes: Sequence[int]) -> Tensor:
    """1 at each row's class, the gradient that asks for its logit. ValueError for no class."""
    rows, count = logits.shape
    if len(classes) != rows or not all(0 <= c < count for c in classes):
        raise ValueError(
            f"got classes {list(classes)} for {rows} images, expected one of 0 to {count - 1} for "
            "each"
        )
    chosen = np.zeros(logits.shape, logits.dtype)
    chosen[np.arange(rows), list(classes)] = 1
    return Tensor(arrays.to_device(chosen, logits.device))


def input_slopes(
    model: nn.Module, x: Tensor, classes: Sequence[int],
    change: Callable[[Tensor], None] | None = None,
) -> Floats:  # fmt: skip
    """d logit of classes[n] / d x[n], like x. change: gets the logits before the walk back."""
    inputs = Tensor(x.data, requires_grad=True)
    with of_inputs(model):
        logits = model(inputs)
        if change is not None:
            change(logits)
        (slopes,) = grad(logits, [inputs], one_hot(logits, classes))
    return arrays.to_numpy(slopes.data)


def saliency(model: nn.Module, x: Tensor, classes: Sequence[int]) -> Floats:
    """How much each pixel moves its image's logit of `classes[n]`: the largest size of the gradient
    over the colours, (N, size, size) (Simonyan et al. 2014, section 3)."""
    return np.asarray(np.abs(input_slopes(model, x, classes)).max(axis=1))


def guided_backpropagation(model: nn.Module, x: Tensor, classes: Sequence[int]) -> Floats:
    """The gradient of the logit of `classes[n]` by the pixels, like x, where every ReLU hands on
    only what is positive: what in the image excites (Springenberg et al. 2015, section 3.4).

    It is sharp, and hardly depends on the class (Nie et al. 2018): ask `grad_cam` where a class is.
    With y = max(x, 0), backward gives dx = dy where y > 0 and dy > 0, else 0. Every ReLU of the
    network counts, called as a layer or as a function, or fused with a convolution.
    Raises NoReluError, a ValueError, for a network without any.
    """
    return input_slopes(model, x, classes, _guide)


def _guide(logits: Tensor) -> None:
    """Have the ReLUs behind the logits hand on positive gradients only. The graph is of one forward
    and is gone with it: no network and no other walk is touched."""
    rectifiers = [node for node in nodes_of(logits) if _rectifies(node)]
    if not rectifiers:
        raise NoReluError("guided_backpropagation: the network has no ReLU to guide")
    for node in rectifiers:
        RemovableHook(node.hooks, _positive)


def _positive(gradient: Tensor) -> Tensor:
    return Tensor(relu_forward(gradient.data))


def _rectifies(node: Node) -> bool:
    """Is it a ReLU, or a convolution that has one in it? That keeps its output, too."""
    if node.function is Conv2d:
        return node.context.saved[2] is not None
    return node.function is Relu


def grad_cam(model: nn.Module, x: Tensor, classes: Sequence[int], layer: str) -> Floats:
    """Where in a layer's maps `classes[n]` is seen: ReLU(sum over k of a_k A_k), (N, rows, columns)
    (Selvaraju et al. 2017, section 3, equations 1 and 2).

    A_k are the maps that the layer puts out, a_k the mean over map k of d logit / d A_k.
    layer: as in `activations`; `last_maps` finds the usual one. Raises ValueError for a layer whose
    output is no maps, or on which the logits do not depend.
    """
    inputs = Tensor(x.data, requires_grad=True)
    with outputs_of(model, [layer], "grad_cam") as kept, of_inputs(model):
        logits = model(inputs)
        maps = kept[layer]
        if maps.ndim != 4:
            raise ValueError(
                f"grad_cam: {layer} gives shape {maps.shape}, expected maps (N, C, rows, columns): "
                "name a convolution, or what follows it"
            )
        (slopes,) = grad(logits, [maps], one_hot(logits, classes))
    weights = slopes.data.mean(axis=(2, 3), keepdims=True)
    return arrays.to_numpy(relu_forward((weights * maps.data).sum(axis=1)))


def occlusion(
    model: nn.Module, x: Tensor, label: int, patch: int, stride: int, batch: int = 32
) -> Floats:
    """Probability of `label` with a patch of the image covered by its mean, for each place of the
    patch: (rows, columns) (Zeiler and Fergus 2014, section 4.2).

    x: one image (1, 3, size, size). patch, stride: pixels. Costs rows * columns forward passes.
    """
    image = arrays.to_numpy(x.data)
    size = image.shape[2]
    if len(image) != 1 or not 1 <= patch <= size or stride < 1:
        raise ValueError(
            f"occlusion: got x of shape {image.shape}, patch {patch}, stride {stride}; "
            f"expected one image, a patch of 1 to {size} and a stride of at least 1"
        )
    places = range(0, size - patch + 1, stride)
    corners = [(i, j) for i in places for j in places]
    mean = image.mean(axis=(2, 3), keepdims=True)[0]
    found: list[Floats] = []
    for first in range(0, len(corners), batch):
        part = corners[first : first + batch]
        covered = np.repeat(image, len(part), axis=0)
        for n, (i, j) in enumerate(part):
            covered[n, :, i : i + patch, j : j + patch] = mean
        found.append(probabilities(model, Tensor(arrays.to_device(covered, x.device)))[:, label])
    return np.concatenate(found).reshape(len(places), len(places))
