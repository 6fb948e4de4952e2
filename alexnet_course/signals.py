"""The signal in the network of notebooks 12 and 13, before the first step and after the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from alexnet_scratch import signal_meter
from alexnet_scratch.data import patterns
from alexnet_scratch.initialise import initialise
from alexnet_scratch.pixels import ToInput, pixel_statistics
from alexnet_scratch.recipe import build_model
from alexnet_scratch.signal_meter import LayerSignal
from minigrad import Tensor, nn

from .small_run import RECIPE
from .style import BLUE, GREEN, ORANGE, RED

LOOKS: dict[str, dict[str, Any]] = {
    "paper": {"color": RED, "marker": "o"},
    "paper, biases 0": {"color": ORANGE, "marker": "s", "markersize": 10, "fillstyle": "none"},
    "LSUV": {"color": BLUE, "marker": "D", "markersize": 5},
    "trained": {"color": GREEN, "marker": "^"},
}


def pictures() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Four drawn images of each of the ten classes, (40, side, side, 3), class by class."""
    rng = np.random.default_rng(10)
    size = RECIPE.input_size
    return np.stack([patterns.draw(c, rng, size) for c in patterns.CLASSES for _ in range(4)])


def begun(scheme: str, no_biases: bool = False) -> tuple[nn.Module, Tensor]:
    """The network of `small_run` before training, and `pictures` as it gets them.

    scheme: "lsuv", or "paper", whose weights presume raw pixels, 0 to 255 less the mean, and get
    them. no_biases: all biases are set to 0.
    """
    raw: dict[str, Any] = {"input_std": (1.0, 1.0, 1.0), "dropout": "paper"}
    recipe = replace(RECIPE, init=scheme, **({} if scheme == "lsuv" else raw))
    mg.manual_seed(0)
    model = build_model(recipe, 10).eval()
    x = ToInput(recipe, pixel_statistics(recipe, None))(mg.tensor(pictures()))
    initialise(model, scheme, x)
    if no_biases:
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
    return model, x


def signal(model: nn.Module, x: Tensor) -> list[LayerSignal]:
    """What `signal_meter.measure` says of each layer, without LRN's."""
    return [row for row in signal_meter.measure(model, x) if not row.name.startswith("lrn")]


def draw_signals(signals: Mapping[str, Sequence[LayerSignal]], title: str) -> None:
    """Each start's image_rms and the image's share, layer by layer."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.7))
    for name, rows in signals.items():
        layers, look = [row.name for row in rows], LOOKS[name]
        left.plot(layers, [row.image_rms for row in rows], label=name, **look)
        right.plot(layers, [row.image_share for row in rows], **look)
    left.set(yscale="log", ylabel="image_rms", title="How far an image moves a unit")
    right.set(yscale="log", ylabel="image_rms / rms", title="The image's share")
    for axis in (left, right):
        axis.tick_params(axis="x", rotation=45)
    left.legend(frameon=False)
    figure.suptitle(title)
    plt.show()
