"""What layers put out, and where their values look."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import Tensor, arrays, nn, no_grad
from minigrad.kernels.softmax import softmax_forward
from minigrad.nn.module import observers

from ..model import evaluating

Floats = NDArray[np.floating]


def layer_of(model: nn.Module, name: str, asked: str) -> nn.Module:
    """The module of that name. ValueError, with the names that there are, for another."""
    modules = dict(model.named_modules())
    if not name or name not in modules:
        known = ", ".join(name for name in modules if name)
        raise ValueError(f"{asked}: there is no layer {name!r}; there are {known}")
    return modules[name]


@contextmanager
def outputs_of(model: nn.Module, layers: Sequence[str], asked: str) -> Iterator[dict[str, Tensor]]:
    """A dict that forwards within fill with what the named layers put out, by their names.

    A layer that a network calls several times leaves its last output.
    """
    kept: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(module: object, inputs: object, output: Tensor) -> None:
            kept[name] = output

        return hook

    found = {name: layer_of(model, name, asked) for name in layers}
    with ExitStack() as hooks:
        for name, module in found.items():
            hooks.callback(module.register_forward_hook(keep(name)).remove)
        yield kept


def activations(model: nn.Module, x: Tensor, layers: Sequence[str]) -> dict[str, Floats]:
    """The outputs of the named layers for x, as NumPy arrays of their own shapes.

    layers: names as in `model.named_modules()`; "conv1" is what it gives before its ReLU, "relu1"
    what is behind it. Raises ValueError for another.
    """
    with outputs_of(model, layers, "activations") as kept, evaluating(model), no_grad():
        model(x)
        return {name: arrays.to_numpy(kept[name].data).copy() for name in layers}


def probabilities(model: nn.Module, x: Tensor) -> Floats:
    """Softmax of the logits, (N, C)."""
    with evaluating(model), no_grad():
        return arrays.to_numpy(softmax_forward(model(x).data))


def last_layer(model: nn.Module) -> str:
    """The name of the last hidden layer: what the last Linear reads, in AlexNet relu7, the 4096
    numbers of fc7 behind their ReLU (paper, section 6.1). Dropout, idle here, is none.

    Raises ValueError for a network without a Linear.
    """
    found, before = "", ""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            found = before
        inner = next(module.children(), None) is not None
        if not inner and not isinstance(module, nn.Dropout | nn.PaperDropout):
            before = name
    if not found:
        raise ValueError("last_layer: the network has no Linear behind another layer: name a layer")
    return found


def features(model: nn.Module, x: Tensor, layer: str | None = None) -> Floats:
    """What a layer puts out for each image, in one row: (N, D).

    layer: a name as in `model.named_modules()`, by default `last_layer`. Raises ValueError for an
    unknown one.
    """
    name = layer or last_layer(model)
    values = activations(model, x, [name])[name]
    return values.reshape(len(values), math.prod(values.shape[1:]))


def last_maps(model: nn.Module, x: Tensor) -> str:
    """The name of the layer whose output is the last convolution's maps, as the network uses them.

    That is the last convolution that still has a map (more than one value), or what follows it at
    the same size: normalisation, ReLU, the sum or the concatenation that ends a block. In AlexNet
    it is the ReLU behind conv5, in ResNet-18 layer4: the rectified maps that Grad-CAM (Selvaraju
    et al. 2017, section 3) is about. x: any input of the network; its first image is used.
    Raises ValueError for a network without such a convolution.
    """
    names = {id(module): name for name, module in model.named_modules()}
    found, size = "", (0, 0)

    def watch(event: str, module: nn.Module, args: Any, output: Any) -> None:
        nonlocal found, size
        if event == "enter" or id(module) not in names or not names[id(module)]:
            return
        shape = output.shape if isinstance(output, Tensor) else ()
        maps = shape[2:] if len(shape) == 4 and shape[2] * shape[3] > 1 else (0, 0)
        if maps != (0, 0) and isinstance(module, nn.Conv2d):
            size = maps
        if maps != (0, 0) and maps == size:
            found = names[id(module)]
        else:
            size = (0, 0)

    observers.append(watch)
    try:
        with evaluating(model), no_grad():
            model(Tensor(x.data[:1]))
    finally:
        observers.remove(watch)
    if not found:
        raise ValueError("last_maps: the network has no convolution that gives maps: name a layer")
    return found


def receptive_field(model: nn.Module, x: Tensor, layer: str, batch: int = 32) -> NDArray[np.int64]:
    """The rows of the image that each row of a layer's maps looks at: (rows, 2), first and last.

    The same holds for columns, as every layer here treats them alike. A value that is no map, as in
    fc6, looks at all. x: any input of the network; its shape alone counts.

    Found by trying, whatever the layers are and however they branch: an image whose row i is NaN
    gives NaN wherever row i is looked at. Costs as many forward passes as an image has rows.
    """
    rows = x.shape[2]
    seen: list[NDArray[np.bool_]] = []
    for first in range(0, rows, batch):
        count = min(batch, rows - first)
        marked = np.zeros((count, *x.shape[1:]), x.dtype)
        for n in range(count):
            marked[n, :, first + n] = np.nan
        with np.errstate(invalid="ignore"):
            given = activations(model, Tensor(arrays.to_device(marked, x.device)), [layer])[layer]
        maps = given if given.ndim == 4 else given.reshape(count, -1, 1, 1)
        seen.append(np.asarray(np.isnan(maps).any(axis=(1, 3))))
    looked = np.concatenate(seen)  # (rows of the image, rows of the map)
    return np.stack([looked.argmax(axis=0), rows - 1 - looked[::-1].argmax(axis=0)], axis=1)
