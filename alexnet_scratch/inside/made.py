"""Images that are made for a network: a class's own by gradient ascent, and one that fools it.

Both work on images of numbers from 0 to 1. `black` and `white` are what the network gets of a black
and of a white image, (1, 3, size, size), so that steps mean the same whatever the network's scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minigrad import Tensor, arrays, nn, no_grad

from ..model import evaluating
from .layers import Floats, probabilities
from .maps import input_slopes

BLUR_EVERY = 2  # steps
JITTER = 16  # an image is moved by up to this part of its side
LONGEST = 0.25  # grey levels: the root mean square of a step of `fooling`


def class_images(
    model: nn.Module, classes: Sequence[int], black: Tensor, white: Tensor, steps: int = 128,
    rate: float = 0.05, decay: float = 0.1, colour: float = 0.4, seed: int = 0,
) -> Tensor:  # fmt: skip
    """For each class an image with a large logit, as the network's input (N, 3, size, size).

    argmax over I of S_c(I) - lambda sum(I²), from grey, by gradient ascent on the logit S_c, not on
    the probability, which grows as well by making other classes less likely (Simonyan et al. 2014,
    section 2, equation 1). I counts from grey, and `decay` is its lambda. What makes the result
    fit to look at: the image is moved by up to a sixteenth of its side each step and blurred in
    every second (Yosinski et al. 2015, section 3), a step has the length `rate` whatever the
    slopes' size, and changes of colour count `colour` of those of brightness, as photographs vary.
    """
    low = arrays.to_numpy(black.data)
    span = arrays.to_numpy(white.data) - low
    rng = np.random.default_rng(seed)
    shape = (len(classes), *low.shape[1:])
    most = low.shape[2] // JITTER
    image = (0.5 + 0.02 * rng.standard_normal(shape)).astype(low.dtype)
    for step in range(steps):
        shift = rng.integers(-most, most + 1, 2)
        moved = np.roll(image, shift, (2, 3))
        x = Tensor(arrays.to_device(low + span * moved, black.device))
        slopes = np.roll(input_slopes(model, x, classes) * span, -shift, (2, 3))
        grey = slopes.mean(axis=1, keepdims=True)
        slopes = grey + colour * (slopes - grey)
        size = np.sqrt((slopes**2).mean(axis=(1, 2, 3), keepdims=True))
        left = 1 - step / steps  # the last steps are small ones
        image += rate * left * (slopes / np.maximum(size, 1e-12) - decay * (image - 0.5))
        if step % BLUR_EVERY == 0:
            image = _blurred(image)
        image = image.clip(0, 1)
    return Tensor(arrays.to_device(low + span * image, black.device))


def _blurred(image: Floats) -> Floats:
    """Each pixel a mean with its neighbours, weights 1, 4, 1 along both axes."""
    for axis in (2, 3):
        widths = [(1, 1) if i == axis else (0, 0) for i in range(4)]
        padded = np.pad(image, widths, mode="edge")
        n = image.shape[axis]
        before, middle, behind = (np.take(padded, range(k, k + n), axis) for k in range(3))
        image = (before + 4 * middle + behind) / 6
    return image


@dataclass(frozen=True)
class Fooled:
    """An image that was changed until the network names another class.

    image: the network's input (1, 3, size, size), of whole grey levels, so that it can be saved.
    change: what was added, (3, size, size), in grey levels (0-255). before, after: probabilities of
    the classes, (C,). done: does the network name the class that was asked for?
    """

    image: Tensor
    change: Floats
    before: Floats
    after: Floats
    done: bool

    @property
    def rms(self) -> float:
        """The change of a typical number of the image: the root of its mean square."""
        return float(np.sqrt((self.change**2).mean()))

    @property
    def largest(self) -> float:
        """The largest change of any number of the image."""
        return float(np.abs(self.change).max())


def fooling(
    model: nn.Module, x: Tensor, target: int, black: Tensor, white: Tensor, most: int = 200
) -> Fooled:
    """The image x (1, 3, size, size) with a change so small that one hardly sees it, after which
    the network names `target` (Szegedy et al. 2014).

    Each step goes along the slope of z_target - z_other, the class that leads, as far as would
    close the gap if the network were linear, and a little further, at most a quarter of a grey
    level on average: DeepFool for one target (Moosavi-Dezfooli et al. 2016, section 3). After
    `most` steps it is given up.
    """
    low = arrays.to_numpy(black.data)
    span = arrays.to_numpy(white.data) - low
    given = (arrays.to_numpy(x.data) - low) / span
    if len(given) != 1:
        raise ValueError(f"fooling: got x of shape {x.shape}, expected one image")
    start = np.rint(given * 255)

    def as_input(levels: Floats) -> Tensor:
        return Tensor(arrays.to_device(low + span * (levels / 255).astype(low.dtype), x.device))

    before = probabilities(model, as_input(start))[0]
    levels, margin, image, after = start, None, as_input(start), before
    for _ in range(most):
        if after.argmax() == target:
            break
        gap, slopes = _gap(model, as_input(levels), target)
        slopes = slopes * span / 255
        margin = 0.02 * gap if margin is None else 1.1 * margin  # what rounding takes away
        length = (max(gap, 0) + margin) / max(float((slopes**2).sum()), 1e-12)
        step = length * slopes
        step *= min(1, LONGEST / max(float(np.sqrt((step**2).mean())), 1e-12))
        levels = (levels + step).clip(0, 255)
        image = as_input(np.rint(levels))
        after = probabilities(model, image)[0]
    change = (np.rint(levels) - start)[0]
    return Fooled(image, change, before, after, bool(after.argmax() == target))


def _gap(model: nn.Module, x: Tensor, target: int) -> tuple[float, Floats]:
    """How far the target's logit is below the largest other, and the slope by x of the target's
    less that one's, like x."""
    with evaluating(model), no_grad():
        logits = arrays.to_numpy(model(x).data)[0]
    others = logits.copy()
    others[target] = -np.inf
    other = int(others.argmax())
    both = Tensor(arrays.array_module(x.data).concatenate([x.data, x.data]))
    up, down = input_slopes(model, both, [target, other])
    return float(logits[other] - logits[target]), (up - down)[None]
