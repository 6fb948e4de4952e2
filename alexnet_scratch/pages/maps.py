"""What the demo shows beside the bars: pictures of what goes on in the network for one image.

To add a map: a function `(Asked) -> Map`, and its name in MAPS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minigrad import Tensor, nn

from ..data.views import CENTRE, cut
from ..inside import activations, grad_cam, last_maps, saliency
from ..inside.draw import heat_on, tiled
from ..trained import Trained

MOST_MAPS = 64  # of a layer that are shown


@dataclass(frozen=True)
class Asked:
    """One image. seen: uint8 (s, s, 3), the part that the network looks at. input: (1, 3, s, s),
    as the network gets it. label: the class that the maps are about."""

    network: Trained
    seen: NDArray[np.uint8]
    input: Tensor
    label: int


@dataclass(frozen=True)
class Map:
    """A picture, uint8 (H, W, 3), with its name and what it shows in words."""

    name: str
    about: str
    picture: NDArray[np.uint8]


def asked(network: Trained, image: NDArray[np.uint8], label: int) -> Asked:
    """The centre of a whole image (S, S, 3), as the network sees it."""
    size = network.recipe.input_size
    (view,) = CENTRE
    return Asked(network, cut(image, view, size), network.preprocess(image[None]), label)


def grad_cam_map(of: Asked) -> Map:
    """See `inside.grad_cam`, of the last convolution's maps; laid over the photograph."""
    model = of.network.model
    found = grad_cam(model, of.input, [of.label], last_maps(model, of.input))[0]
    about = "where the last convolution sees this class: the brighter, the more"
    return Map("Grad-CAM", about, np.rint(255 * heat_on(of.seen, found)).astype(np.uint8))


def saliency_map(of: Asked) -> Map:
    """See `inside.saliency`."""
    found = saliency(of.network.model, of.input, [of.label])[0]
    found = _smooth(found.astype(np.float64))
    return Map("Saliency", "the pixels whose change would move this class most", heat(found))


def first_layer(of: Asked) -> Map:
    """What the first layer answers, a square for each of its filters."""
    model = of.network.model
    found = activations(model, of.input, [first_layer_name(model)])
    (maps,) = (a[0] for a in found.values())
    maps = np.maximum(maps[:MOST_MAPS], 0)
    largest = maps.max(axis=(1, 2), keepdims=True)  # each map on its own scale
    grid = np.nan_to_num(tiled(maps / np.where(largest > 0, largest, 1)))
    about = f"where each of {len(maps)} filters finds what it looks for: the brighter, the more"
    return Map("First layer", about, heat(grid))


MAPS: tuple[Callable[[Asked], Map], ...] = (grad_cam_map, saliency_map, first_layer)


def heat(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Numbers from 0 on, (H, W), as colours (H, W, 3): the largest is the brightest."""
    from matplotlib import colormaps  # heavy, and only needed here

    share = values / max(float(values.max()), 1e-30)
    return np.asarray(colormaps["inferno"](share, bytes=True)[..., :3])


def first_layer_name(model: nn.Module) -> str:
    """The first ReLU's name, behind what stands between it and the convolution; without one the
    first convolution's."""
    for kind in (nn.ReLU, nn.Conv2d):
        for name, module in model.named_modules():
            if isinstance(module, kind):
                return name
    raise ValueError("the network has no convolution")


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value and its neighbours, the near ones counting most: single pixels are noise."""
    weights = np.array([1, 4, 6, 4, 1]) / 16
    for axis in (0, 1):
        padded = np.pad(values, [(2, 2) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        count = values.shape[axis]
        values = np.sum(
            [w * padded.take(range(i, i + count), axis) for i, w in enumerate(weights)], axis=0
        )
    return values
