"""What a trained network is worth: loss, top-1 and top-5 on a data set, and single predictions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import Tensor, backend, no_grad
from minigrad.nn import functional as F

from .model import AlexNet
from .recipe import Recipe
from .training.input import to_input
from .training.metrics import Totals, count_in_top

READ_EVERY = 20  # batches; a GPU that is asked after each batch waits for us in between


@dataclass(frozen=True)
class Scores:
    """Means over `images`; accuracies are fractions of 1."""

    loss: float
    top1: float
    top5: float
    images: int

    def line(self) -> str:
        """For people."""
        return (
            f"top-1 {self.top1:.1%}  top-5 {self.top5:.1%}  loss {self.loss:.3f}  "
            f"({self.images} images)"
        )


def evaluate(model: AlexNet, batches: Iterable[Any], recipe: Recipe, device: str = "cpu") -> Scores:
    """Scores over batches of uint8 crops (N, size, size, 3) and labels (N,).

    Cross-entropy is without label smoothing. Top-5 means the first min(5, C) of C classes, so with
    five classes or fewer it is 1. Raises ValueError if there is no image.
    """
    first, five = Totals(), Totals()
    training = model.training
    model.eval()
    with no_grad():
        for images, labels in batches:
            logits = model(to_input(images, recipe, device))
            targets = backend.to_device(labels.data, device)
            loss = F.cross_entropy(logits, labels.data).data
            first.add(loss, count_in_top(logits.data, targets, 1), len(targets))
            five.add(loss, count_in_top(logits.data, targets, 5), len(targets))
            if first.waiting >= READ_EVERY:
                first.read()
                five.read()
    first.read()
    five.read()
    model.train(training)
    if not first.images:
        raise ValueError("evaluate got no image: expected at least one batch")
    return Scores(first.mean_loss, first.top1, five.top1, first.images)


def predict(
    model: AlexNet, images: NDArray[np.uint8], recipe: Recipe, device: str = "cpu"
) -> NDArray[np.float32]:
    """Probabilities (N, C) of uint8 images (N, size, size, 3) that are cropped already."""
    training = model.training
    model.eval()
    with no_grad():
        probabilities = F.softmax(model(to_input(Tensor(images), recipe, device)))
    model.train(training)
    return backend.to_numpy(probabilities.data)
