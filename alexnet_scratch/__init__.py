"""AlexNet, built from minigrad: data, training, evaluation, the paper's experiments."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from . import _moved as _moved

if TYPE_CHECKING:
    from .trained import Trained

__all__ = ["load"]


def load(run: str | os.PathLike[str], device: str = "cpu") -> Trained:
    """The network of a run, trained, with all that it needs to name what is on an image.

        trained = alexnet_scratch.load("runs/patterns-small")
        probabilities = trained.predict(trained.image("dog.jpg")[None])[0]  # of trained.classes

    run: the folder of an `alexnet train`, for its best checkpoint, or a checkpoint's file; "boxed"
    is the network that comes with the package (ten classes of photographs).
    device: "cpu", "cuda" or "cuda:N".
    Raises CheckpointError for anything else, and DeviceError for a device that is not there.
    """
    from .trained import load_trained  # the package alone stays light

    return load_trained(run, device)
