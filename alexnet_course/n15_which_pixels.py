"""Checks of notebook 15, which pixels matter. They use a small network that nobody has trained."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import minigrad as mg
from alexnet_scratch import inside
from alexnet_scratch.model import AlexNet
from minigrad import Tensor, manual_seed
from minigrad.random import default_generator

from .checks import Function, Hint, close, exercise, generator, result_of
from .questions import Choice

two_maps = Choice(
    "two_maps",
    "b",
    "p1 and p2 add up to 1, so their slopes are each other's opposites, and the sizes are equal.",
    wrong={
        "a": "What moves p1 up moves p2 down by as much: which places can then be bright in one "
        "map alone?",
        "c": "p1 + p2 = 1: differentiate both sides. What is the slope of p2, if that of p1 is s?",
    },
)

by_size = Choice(
    "by_size",
    "a",
    "Hardly more often than a guess: the size says where the network is sensitive.",
    wrong={
        "b": "The size is large in the half of the other class, too: what speaks against a class "
        "moves its logit as much as what speaks for it.",
        "c": "So it seems from the pictures of photographs with one object; there is only one "
        "place for it to be bright.",
    },
    prediction=True,
)

SIZE, CLASSES = 63, 3  # the smallest image that AlexNet takes
Place = tuple[slice, slice, slice]  # colours, rows, columns


@functools.cache
def _model() -> AlexNet:
    """A network in double precision, whose answers are neither sure nor all the same."""
    before = default_generator.state
    manual_seed(1)
    model = AlexNet(CLASSES, input_size=SIZE, widths=(4, 4, 4, 4, 4), fc_width=8)
    default_generator.state = before
    for parameter in model.parameters():
        parameter.data *= 3
    model.double()
    model.requires_grad_(False)
    model.eval()
    return model


def _image(seed: int) -> np.ndarray:
    return generator(seed).standard_normal((3, SIZE, SIZE))


def _logits(image: np.ndarray) -> np.ndarray:
    return np.asarray(_model()(Tensor(image[None].copy())).numpy()[0])


def _probability(label: int, image: np.ndarray) -> float:
    return float(inside.probabilities(_model(), Tensor(image[None].copy()))[0, label])


def _central(image: np.ndarray, label: int, place: tuple[int, int]) -> float:
    """The largest size of the logit's slope over the colours of one pixel, without a backward."""
    found = []
    for c in range(3):
        up, down = image.copy(), image.copy()
        up[c][place] += 1e-6
        down[c][place] -= 1e-6
        found.append((_logits(up) - _logits(down))[label] / 2e-6)
    return float(np.abs(found).max())


def _slopes(image: np.ndarray, upstream: np.ndarray) -> np.ndarray:
    """The gradient of upstream @ logits by the image, (3, SIZE, SIZE)."""
    x = mg.tensor(image[None], requires_grad=True)
    (found,) = mg.grad(_model()(x), [x], Tensor(upstream[None].copy()))
    return np.asarray(found.numpy()[0])


@exercise
def saliency(learner: Function) -> None:
    """saliency(model, image, label) -> (SIZE, SIZE): the slopes' sizes, largest over colours."""
    for seed, label in ((0, 2), (1, 0)):
        image = _image(seed)
        got = result_of(learner, _model(), image, label)
        if isinstance(got, Tensor):
            raise Hint("It returns a tensor, expected a NumPy array: .numpy() gives it.")
        if np.shape(got)[-3:] == (3, SIZE, SIZE):
            raise Hint(
                "There are three numbers for each pixel, a slope for each colour: keep the size of "
                "the largest."
            )
        if np.shape(got) == (1, SIZE, SIZE):
            raise Hint("The batch of one is still there: take its first and only image.")
        if np.shape(got) != (SIZE, SIZE):
            raise Hint(f"It returns an array of shape {np.shape(got)}, expected {(SIZE, SIZE)}.")
        got = np.asarray(got)
        one_hot = np.eye(CLASSES)[label]
        slopes = _slopes(image, one_hot)
        for how, hint in _WRONG_COLOURS:
            if close(got, how(slopes)):
                raise Hint(hint)
        size = np.abs(slopes).max(axis=0)
        if close(got, np.abs(slopes * image).max(axis=0)):
            raise Hint("It is the slope times the image: here the slope alone is asked for.")
        if close(got, size / size.max()):
            raise Hint("It is divided by its largest value: leave the slopes as they are.")
        if close(got, size):
            _against_differences(got, image, label)
            continue
        p = np.exp(_logits(image) - _logits(image).max())
        p /= p.sum()
        others: tuple[tuple[np.ndarray, str], ...] = (
            (
                p[label] * (one_hot - p),
                "These are the slopes of the probability. Where the network is sure, they vanish: "
                "take the logit, before the softmax.",
            ),
            (
                one_hot - p,
                "These are the slopes of the loss (or of the log of the probability), in which all "
                "classes have a part: take the logit of `label` only.",
            ),
            (
                np.ones(CLASSES),
                "These are the slopes of the sum of all logits: where does `label` come in?",
            ),
        )
        for upstream, hint in others:
            if close(got, np.abs(_slopes(image, upstream)).max(axis=0)):
                raise Hint(hint)
        if any(
            close(got, np.abs(_slopes(image, row)).max(axis=0))
            for c, row in enumerate(np.eye(CLASSES)) if c != label
        ):  # fmt: skip
            raise Hint("These are the slopes of another class: is the index `label` used?")
        _against_differences(got, image, label)


_WRONG_COLOURS: tuple[tuple[Any, str], ...] = (
    (
        lambda s: s.max(axis=0),
        "A slope of -3 says more than one of 1: take the size of each slope, then the largest.",
    ),
    (
        lambda s: np.abs(s.max(axis=0)),
        "The largest is taken before the size: -3 loses against 1. First the sizes.",
    ),
    (lambda s: np.abs(s).sum(axis=0), "It adds up the colours, expected the largest of the three."),
    (lambda s: np.abs(s).mean(axis=0), "It is the mean of the colours, expected the largest."),
    (
        lambda s: np.abs(s.sum(axis=0)),
        "It adds up the signed slopes of the colours, so that they cancel: first the sizes, then "
        "the largest.",
    ),
    (
        lambda s: np.maximum(s, 0).max(axis=0),
        "Negative slopes are dropped; their size counts as much as that of the positive ones.",
    ),
    (lambda s: (s**2).max(axis=0), "It is the square of the slope, expected its size."),
    (lambda s: np.abs(s[0]), "It is the slope of red alone: the largest of the three colours."),
    (
        lambda s: np.sqrt((s**2).sum(axis=0)),
        "It is the length of the three slopes as a vector: a fair choice, but here the largest is "
        "asked for, as in Simonyan's paper.",
    ),
)


def _against_differences(got: Any, image: np.ndarray, label: int) -> None:
    for place in ((30, 31), (12, 40), (50, 9)):
        expected = _central(image, label, place)
        if abs(float(got[place]) - expected) > 1e-5 * max(expected, 1e-3):
            raise Hint(
                f"At pixel {place} it says {float(got[place]):.4g}; finite differences of the "
                f"logit, one colour at a time, say {expected:.4g}."
            )


@exercise
def occlusion(learner: Function) -> None:
    """occlusion(probability, image, patch, stride) -> (rows, columns)."""
    label, patch, stride = 1, 21, 14
    image = _image(2) + np.array([0.5, -0.2, 0.9])[:, None, None]
    places = range(0, SIZE - patch + 1, stride)
    asked: list[np.ndarray] = []

    def probability(covered: np.ndarray) -> float:
        if np.shape(covered) != image.shape:
            raise Hint(
                f"It asks for the probability of an array of shape {np.shape(covered)}: cover a "
                f"part of the image, and give all of it, {image.shape}."
            )
        asked.append(np.array(covered, float))
        return _probability(label, asked[-1])

    got = result_of(learner, probability, image, patch, stride)
    expected = inside.occlusion(_model(), Tensor(image[None].copy()), label, patch, stride)
    if np.shape(got) != expected.shape:
        short = np.shape(got) == (len(places) - 1,) * 2
        raise Hint(
            f"For {SIZE} pixels, a patch of {patch} and a stride of {stride} it returns the shape "
            f"{np.shape(got)}, expected {expected.shape}: "
            + (
                f"the patch that begins at {places[-1]} still fits."
                if short
                else "the patch begins at 0, stride, 2 * stride, ..., as long as it fits."
            )
        )
    got = np.asarray(got)
    if close(got, expected):
        _more_occlusion(learner)
        return
    for wrong, hint in _wrong_maps(image, label, patch, places, expected):
        if close(got, wrong):
            raise Hint(hint)
    if close(got[0, 0], expected[0, 0]):
        raise Hint("The first place is right and others are not: where do their patches begin?")
    raise Hint(_about_the_first(asked, image, patch))


def _about_the_first(asked: list[np.ndarray], image: np.ndarray, patch: int) -> str:
    """Why the number of the first place is wrong, from the images that were asked about."""
    first = np.zeros((SIZE, SIZE), bool)
    first[:patch, :patch] = True
    colours = [a[:, first] for a in asked if np.array_equal((a != image).any(axis=0), first)]
    mean = np.repeat(image.mean(axis=(1, 2))[:, None], first.sum(), axis=1)
    if not colours:
        return "Not even the first place is right: it covers rows and columns 0 to patch - 1."
    if any(close(colour, mean) for colour in colours):
        return (
            "The first patch is covered as it should be, and yet its number is wrong: is it what "
            "`probability` returned?"
        )
    return (
        "The first patch is covered at the right place, but not with the mean colour of the image: "
        "for each colour, its mean over all pixels."
    )


def _wrong_maps(
    image: np.ndarray, label: int, patch: int, places: range, expected: np.ndarray
) -> Iterator[tuple[np.ndarray, str]]:
    """What a slip gives, and the word on it."""
    patches = [slice(i, i + patch) for i in places]
    mean = image.mean(axis=(1, 2))[:, None, None]

    def asked(covered: Callable[[Place], np.ndarray]) -> np.ndarray:
        corners = itertools.product([slice(None)], patches, patches)
        answers = [_probability(label, covered(place)) for place in corners]
        return np.array(answers).reshape(expected.shape)

    def filled(place: Place, colour: Any, into: np.ndarray) -> np.ndarray:
        into[place] = colour
        return into

    def own_mean(place: Place) -> np.ndarray:
        colour = image[place].mean(axis=(1, 2))[:, None, None]
        return filled(place, colour, image.copy())

    whole, kept = _probability(label, image), image.copy()
    yield expected.T, "Rows and columns are exchanged: the result's first index is the patch's row."
    change = "It is the change of the probability, expected the probability itself."
    yield whole - expected, change
    yield expected - whole, change
    yield 1 - expected, "It is 1 minus the probability, expected the probability itself."
    yield (
        np.full(expected.shape, whole),
        "All places say the same: is the patch covered in what you ask about?",
    )
    yield (
        asked(lambda place: filled(place, 0.0, image.copy())),
        "It covers with 0. Zero is a colour, too: take the image's own mean colour.",
    )
    yield (
        asked(lambda place: filled(place, image.mean(), image.copy())),
        "It covers with one number for all colours: each colour has its own mean.",
    )
    yield asked(own_mean), "It covers with the mean of the patch, expected that of the whole image."
    yield (
        asked(lambda place: filled(place, image[place], np.zeros_like(image) + mean)),
        "It covers everything but the patch.",
    )
    yield (
        asked(lambda place: filled(place, mean, kept)),
        "The patches of before stay covered: begin each place with a fresh copy.",
    )


def _more_occlusion(learner: Function) -> None:
    """Another size and stride, where the last patch does not reach the end."""
    image = generator(3).standard_normal((3, 10, 10))
    weight = generator(4).standard_normal(image.shape)
    got = result_of(learner, lambda x: float((weight * x**2).sum()), image, 3, 2)
    if np.shape(got) != (4, 4):
        raise Hint(
            f"Right for one size, but for 10 pixels, a patch of 3 and a stride of 2 it returns the "
            f"shape {np.shape(got)}, expected (4, 4)."
        )


# ----- exercise 3 -----


@exercise
def grad_cam(learner: Function) -> None:
    """grad_cam(maps, slopes, both (maps, H, W)) -> (H, W): ReLU of the maps' weighted sum."""
    rng = generator(8)
    maps = np.maximum(rng.standard_normal((5, 3, 4)), 0)
    slopes = rng.standard_normal((5, 3, 4)) + rng.standard_normal((5, 1, 1))
    got = result_of(learner, maps, slopes)
    if np.shape(got) != (3, 4):
        raise Hint(
            f"For maps of shape {maps.shape} it returns the shape {np.shape(got)}, expected (3, 4):"
            " the sum goes over the maps k, and i, j stay."
        )
    weighted = (slopes.mean(axis=(1, 2), keepdims=True) * maps).sum(axis=0)
    if not close(got, np.maximum(weighted, 0)):
        raise Hint(_wrong_cam(np.asarray(got), maps, slopes, weighted))
    if np.any(result_of(learner, maps, -np.abs(slopes))):
        raise Hint("If all slopes are negative, nothing speaks for the class: L is 0 everywhere.")


def _wrong_cam(
    got: np.ndarray, maps: np.ndarray, slopes: np.ndarray, weighted: np.ndarray
) -> str:
    share = slopes.mean(axis=(1, 2), keepdims=True)
    if close(got, weighted):
        return "Right but for the max(0, ...): what speaks against the class is left out."
    if close(got, np.abs(weighted)):
        return "It takes the size of the sum; max(0, ...) drops what is negative."
    if close(got, np.maximum(slopes.sum(axis=(1, 2))[:, None, None] * maps, 0).sum(axis=0)):
        return "a_k is the mean over the map, and max(0, ...) comes after the sum over k."
    if close(got, np.maximum(share * maps, 0).sum(axis=0)):
        return "Maps with a negative a_k count, too: first the sum over k, then max(0, ...)."
    if close(got, np.maximum((slopes * maps).sum(axis=0), 0)):
        return "It multiplies each value by its own slope. a_k is one number a map: the mean slope."
    if close(got, np.maximum((slopes.sum(axis=(1, 2))[:, None, None] * maps).sum(axis=0), 0)):
        return "It is H times W too large: a_k is the mean over the map, not the sum."
    if close(got, np.maximum((share * maps).mean(axis=0), 0)):
        return "It is the mean over the maps: the formula has the sum over k."
    if close(got, np.maximum((np.abs(slopes).mean(axis=(1, 2))[:, None, None] * maps).sum(0), 0)):
        return "It takes the sizes of the slopes: the signs say for or against."
    if close(got, np.maximum((maps.mean(axis=(1, 2), keepdims=True) * slopes).sum(axis=0), 0)):
        return "maps and slopes are exchanged: the mean is over the slopes."
    if close(got, np.maximum((slopes.mean(axis=0) * maps).sum(axis=0), 0)):
        return "Its mean goes over the maps: a_k is the mean over the places of map k."
    if close(got, np.maximum(slopes.mean() * maps.sum(axis=0), 0)):
        return "All maps get the same number: each map k has its own a_k, the mean of its slopes."
    for axis in (1, 2):
        if close(got, np.maximum((slopes.mean(axis=axis, keepdims=True) * maps).sum(axis=0), 0)):
            return "Its mean goes over one axis of the map: a_k is the mean over rows and columns."
    if close(got, np.maximum((np.abs(share) * maps).sum(axis=0), 0)):
        return "It takes the size of each a_k: its sign says for or against."
    positive = np.maximum(slopes, 0).mean(axis=(1, 2), keepdims=True)
    if close(got, (positive * maps).sum(axis=0)):
        return "Negative slopes count, too: the only max(0, ...) comes after the sum over k."
    if close(got * weighted.max(), np.maximum(weighted, 0)):
        return "It is divided by its largest value: the formula has no such step."
    if close(got, np.maximum((slopes.max(axis=(1, 2))[:, None, None] * maps).sum(axis=0), 0)):
        return "a_k is the mean of the slopes, not the largest."
    return "It is not max(0, sum over k of a_k A_k), a_k the mean of the slopes of map k."
