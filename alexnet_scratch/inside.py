"""What goes on inside a trained network: activations, saliency, occlusion, nearest neighbours.

All of them take the network's own input, (N, 3, size, size) tensors as `pixels.ToInput`
makes them, and leave the network in the mode it was in, without gradients.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from minigrad import Tensor, arrays, grad, no_grad
from minigrad.kernels.softmax import softmax_forward

from .model import evaluating
from .network import Network

Floats = NDArray[np.floating]


def activations(model: Network, x: Tensor, layers: Sequence[str]) -> dict[str, Floats]:
    """The outputs of the named layers for x, as NumPy arrays of their own shapes.

    layers: names as in `model.named_modules()`; "conv1" is what it gives before its ReLU, "relu1"
    what is behind it. Raises ValueError for another.
    """
    modules = dict(model.named_modules())
    unknown = [name for name in layers if name not in modules]
    if unknown:
        known = ", ".join(name for name in modules if name)
        raise ValueError(f"activations: there is no layer {unknown[0]!r}; there are {known}")
    kept: dict[str, Floats] = {}

    def keep(name: str) -> object:
        def hook(module: object, inputs: object, output: Tensor) -> None:
            kept[name] = arrays.to_numpy(output.data).copy()

        return modules[name].register_forward_hook(hook)

    hooks = [keep(name) for name in layers]
    try:
        with evaluating(model), no_grad():
            model(x)
    finally:
        for hook in hooks:
            hook.remove()  # type: ignore[attr-defined]
    return kept


def probabilities(model: Network, x: Tensor) -> Floats:
    """Softmax of the logits, (N, C)."""
    with evaluating(model), no_grad():
        return arrays.to_numpy(softmax_forward(model(x).data))


def saliency(model: Network, x: Tensor, classes: Sequence[int]) -> Floats:
    """How much each pixel moves its image's logit of `classes[n]`: the largest size of the gradient
    over the colours, (N, size, size) (Simonyan et al. 2014, section 3)."""
    inputs = Tensor(x.data, requires_grad=True)
    with evaluating(model):
        logits = model(inputs)
    chosen = np.zeros(logits.shape, x.dtype)
    chosen[np.arange(len(classes)), list(classes)] = 1
    (slopes,) = grad(logits, [inputs], Tensor(arrays.to_device(chosen, x.device)))
    return np.asarray(np.abs(arrays.to_numpy(slopes.data)).max(axis=1))


def occlusion(
    model: Network, x: Tensor, label: int, patch: int, stride: int, batch: int = 32
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


def nearest(features: Floats, queries: Floats, count: int) -> NDArray[np.int64]:
    """The `count` rows of features (M, D) nearest to each of queries (N, D), nearest first, by
    Euclidean distance: (N, count) (paper, section 6.1, with the 4096 numbers of fc7)."""
    if not 1 <= count <= len(features):
        raise ValueError(f"nearest: got count {count}, expected 1 to {len(features)}")
    squares = (features.astype(np.float64) ** 2).sum(axis=1)
    distances = squares - 2 * queries.astype(np.float64) @ features.T.astype(np.float64)
    return np.argsort(distances, axis=1, kind="stable")[:, :count]
