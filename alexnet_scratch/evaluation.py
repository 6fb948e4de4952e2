"""What a trained network is worth: loss, top-1 and top-5, and what it says about each image.

Of several views of an image, the probabilities are averaged (Krizhevsky et al. 2012, section 4.1),
and so are those of several networks (table 2).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import Tensor, arrays, no_grad
from minigrad.arrays import Array
from minigrad.data import prefetch
from minigrad.kernels.softmax import log_softmax_forward

from .data import DataError
from .data.views import CENTRE, View, cut
from .model import evaluating
from .network import Network
from .pixels import PixelStatistics, ToInput, pixel_statistics
from .recipe import Recipe

TOP = 5  # classes that are kept of an image
PIECE = 1024  # images whose classes are sorted at once


class NoImagesError(ValueError):
    """There was nothing to evaluate."""


@dataclass(frozen=True)
class Scores:
    """Means over `images`; accuracies are fractions of 1."""

    loss: float
    top1: float
    top5: float
    images: int

    def line(self, classes: int) -> str:
        """For people. classes: how many there are; of five or fewer the top five say nothing."""
        top5 = f"top-5 {self.top5:.1%}  " * (classes > TOP)
        return f"top-1 {self.top1:.1%}  {top5}loss {self.loss:.3f}  ({self.images} images)"


@dataclass(frozen=True)
class Predictions:
    """What the network said about N images, in the order of the batches, in about 100 bytes each.

    labels: (N,) int64, the true classes. top: (N, K) int64, the K = min(5, C) likeliest classes,
    best first. probabilities: (N, K) float32, of these. losses: (N,) float64, the negative log of
    the true class's probability. ranks: (N,) int64, the true class's place among all, from 1.
    A tie counts against the network, and so does a NaN: a constant output is right for nobody.
    """

    labels: NDArray[np.int64]
    top: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    losses: NDArray[np.float64]
    ranks: NDArray[np.int64]

    def scores(self) -> Scores:
        """The means over all images."""
        top1, top5 = (float((self.ranks <= k).mean()) for k in (1, 5))
        return Scores(float(self.losses.mean()), top1, top5, len(self.labels))


def evaluate(
    model: Network,
    batches: Iterable[Any],
    recipe: Recipe,
    device: str = "cpu",
    views: Sequence[View] = CENTRE,
    pixels: PixelStatistics | None = None,
) -> Scores:
    """Scores over batches of uint8 images and labels; see `collect` for those and for `pixels`.

    Cross-entropy is without label smoothing. Top-5 means the first min(5, C) of C classes, so with
    five classes or fewer it is 1. Raises NoImagesError, a ValueError, if there is no image.
    """
    return collect(model, batches, recipe, device, [views], pixels)[0].scores()


def collect(
    model: Network,
    batches: Iterable[Any],
    recipe: Recipe,
    device: str,
    view_sets: Sequence[Sequence[View]],
    pixels: PixelStatistics | None = None,
    outputs: Sequence[int] | None = None,
) -> list[Predictions]:
    """Predictions for each set of views; a view that several sets share is computed once.

    batches: uint8 images (N, H, W, 3) and labels (N,). The views are cut from the images here, on
    the device; central crops (N, input_size, input_size, 3) serve as well where no other view is
    asked for. pixels: the run's, may be None for a recipe that measures nothing. outputs: for each
    label, which of the network's outputs is its class, as if it had no others; None for all of them
    in their order.
    Raises NoImagesError, a ValueError, if there is no image, and DataError for images that have no
    room for the views. Where the network gives NaN, so do the losses, without a warning.
    """
    outcomes: list[list[tuple[Array, ...]]] = [[] for _ in view_sets]
    with _computing(model):
        for targets, means in _said(model, batches, recipe, device, view_sets, pixels, outputs):
            for kept, log_p in zip(outcomes, means, strict=True):
                kept.append(_outcome(log_p, targets))
    # Only now: a GPU that is asked after each batch waits for us in between.
    return [_joined(kept) for kept in outcomes]


class Committee:
    """Networks whose probabilities about the same images are averaged, as in the paper's table 2.

    It keeps 8 bytes for each image, class and set of views, whatever the number of networks.
    """

    def __init__(self) -> None:
        self.networks = 0
        self._labels: NDArray[np.int64] | None = None
        self._sums: list[NDArray[np.float64]] = []

    def add(
        self,
        model: Network,
        batches: Iterable[Any],
        recipe: Recipe,
        device: str,
        view_sets: Sequence[Sequence[View]],
        pixels: PixelStatistics | None = None,
        outputs: Sequence[int] | None = None,
    ) -> list[Predictions]:
        """One more network: what it says by itself, for each set of views. See `collect`.

        Raises ValueError for other labels than those of the networks before.
        """
        parts: list[list[NDArray[np.float64]]] = [[] for _ in view_sets]
        found: list[NDArray[np.int64]] = []
        with _computing(model):
            for targets, means in _said(model, batches, recipe, device, view_sets, pixels, outputs):
                found.append(arrays.to_numpy(targets))
                for kept, log_p in zip(parts, means, strict=True):
                    kept.append(arrays.to_numpy(log_p))
            labels = np.concatenate(found)
            said = [np.concatenate(kept) for kept in parts]
            if self._labels is None:
                self._labels, self._sums = labels, said
            elif not np.array_equal(labels, self._labels):
                raise ValueError("Committee: these are not the images that the others were shown")
            else:
                self._sums = [np.logaddexp(a, b) for a, b in zip(self._sums, said, strict=True)]
            self.networks += 1
            return [_in_pieces(log_p, labels) for log_p in said]

    def predictions(self) -> list[Predictions]:
        """What all of them together say, for each set of views."""
        if self._labels is None:
            raise NoImagesError("Committee: no network was added: call add first")
        log_n = math.log(self.networks)
        return [_in_pieces(total - log_n, self._labels) for total in self._sums]


def predict(
    model: Network,
    images: NDArray[np.uint8],
    recipe: Recipe,
    device: str = "cpu",
    views: Sequence[View] = CENTRE,
    pixels: PixelStatistics | None = None,
) -> NDArray[np.float32]:
    """Probabilities (N, C), the mean over the views, of uint8 images as `collect` takes them."""
    to_input = input_of(recipe, pixels, device)
    with _computing(model):
        log_p = _log_probabilities(model, Tensor(images), to_input, [views])[0]
    probabilities: NDArray[np.float32] = np.exp(arrays.to_numpy(log_p)).astype(np.float32)
    return probabilities


def label_ranks(logits: Array, labels: Array) -> Array:
    """The place of each row's label among its logits, from 1: (N,) int64, on their device.

    logits (N, C), or anything that grows with them, labels (N,). A tie counts against the network,
    and so does a NaN: a constant output is right for nobody.
    """
    xp = arrays.array_module(logits)
    own = logits[xp.arange(len(labels)), labels][:, None]
    return (~(logits < own)).sum(axis=1)  # its own logit is one of them


def count_in_top(logits: Array, labels: Array, k: int) -> Array:
    """How many rows have their label among the k largest logits, see `label_ranks`."""
    return (label_ranks(logits, labels) <= k).sum()


@contextmanager
def _computing(model: Network) -> Iterator[None]:
    with evaluating(model), no_grad(), np.errstate(over="ignore", invalid="ignore"):
        yield


def _said(
    model: Network, batches: Iterable[Any], recipe: Recipe, device: str,
    view_sets: Sequence[Sequence[View]], pixels: PixelStatistics | None,
    outputs: Sequence[int] | None,
) -> Iterator[tuple[Array, list[Array]]]:  # fmt: skip
    """Of each batch, on the device: labels, and `_log_probabilities` in the labels' order.

    Raises NoImagesError where there is no batch."""
    to_input, none = input_of(recipe, pixels, device), True
    for images, labels, *_ in prefetch(batches, device):
        none = False
        means = _log_probabilities(model, images, to_input, view_sets, outputs)
        yield arrays.to_device(labels.data, device), means
    if none:
        raise NoImagesError("there was no image to evaluate: expected at least one batch")


def _log_probabilities(
    model: Network, images: Tensor, to_input: ToInput, view_sets: Sequence[Sequence[View]],
    outputs: Sequence[int] | None = None,
) -> list[Array]:  # fmt: skip
    """Log of the mean probabilities, (N, C) float64 on the device, for each set of views.

    Logs in double precision keep apart what float32 probabilities would round to 0 or to a tie.
    """
    pixels = arrays.to_device(images.data, to_input.device)  # once, whatever the number of views
    means: list[Any] = [None] * len(view_sets)
    for view in dict.fromkeys(chain.from_iterable(view_sets)):
        logits = model(view_input(pixels, view, to_input)).data
        if outputs is not None:
            logits = logits[:, list(outputs)]
        log_p = log_softmax_forward(logits.astype(np.float64))
        add = arrays.array_module(log_p).logaddexp
        for i, views in enumerate(view_sets):
            if view in views:
                means[i] = log_p if means[i] is None else add(means[i], log_p)
    return [mean - math.log(len(set(views))) for mean, views in zip(means, view_sets, strict=True)]


def input_of(recipe: Recipe, pixels: PixelStatistics | None, device: str) -> ToInput:
    """What makes a run's input; pixels may be None for a recipe that measures nothing."""
    return ToInput(recipe, pixels or pixel_statistics(recipe, None), device)


def view_input(pixels: Array, view: View, to_input: ToInput) -> Tensor:
    """What the network gets of one view of the images (N, H, W, 3), which are on its device.

    Raises DataError for images that have no room for the view.
    """
    size = to_input.recipe.input_size
    place = view.within(pixels.shape[1:], size)
    if pixels.shape[1:3] == (size, size):  # central crops, or images without room around them
        if view.place != "centre":
            raise DataError(
                f"the view {view} needs images larger than the network's input of {size} pixels: "
                "give larger images, or only the views centre and centre-mirrored"
            )
        place = to_input.centre._replace(mirrored=view.mirrored)
    places = np.tile(np.array(place, np.int16), (len(pixels), 1))
    return to_input(Tensor(cut(pixels, view, size)), places)


def _in_pieces(log_p: NDArray[np.float64], labels: NDArray[np.int64]) -> Predictions:
    """Of many images: sorting all their classes at once would take several times their memory."""
    pieces = range(0, len(labels), PIECE)
    return _joined([_outcome(log_p[i : i + PIECE], labels[i : i + PIECE]) for i in pieces])


def _joined(outcomes: Sequence[tuple[Array, ...]]) -> Predictions:
    fields = zip(*outcomes, strict=True)
    return Predictions(*(np.concatenate([arrays.to_numpy(x) for x in field]) for field in fields))


def _outcome(log_p: Array, labels: Array) -> tuple[Array, ...]:
    """The fields of `Predictions` for one batch, on its device."""
    xp = arrays.array_module(log_p)
    rows = xp.arange(len(labels))
    own = log_p[rows, labels]
    # Sorted a hair below its value, the true class loses every tie, as in its rank.
    key = xp.where(xp.isnan(log_p), xp.inf, log_p)
    key[rows, labels] = xp.nextafter(xp.where(xp.isnan(own), -xp.inf, own), -xp.inf)
    top = xp.argsort(-key, axis=1, kind="stable")[:, :TOP].copy()  # not a view of all C
    probabilities = xp.exp(xp.take_along_axis(log_p, top, axis=1)).astype(np.float32)
    return labels, top, probabilities, -own, label_ranks(log_p, labels)
