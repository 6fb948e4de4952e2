"""Checks of notebook 10, data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from alexnet_scratch.data.augment import Place, centre, colour_axes, cut
from minigrad.kernels.softmax import log_softmax_forward

from .checks import Function, Hint, close, exercise, generator, result_for_case, result_of
from .questions import Choice, Number


@exercise
def all_places(learner: Function) -> None:
    """all_places(image_size, size) -> [(top, left, mirrored), ...]."""
    image_size, size = 10, 7
    result = result_of(learner, image_size, size)
    if isinstance(result, Iterator):
        raise Hint("It returns an iterator, which can be read only once: make a list(...) of it.")
    try:
        got = [(int(top), int(left), bool(m)) for top, left, m in result]
    except (TypeError, ValueError):
        raise Hint("It must return a list of three numbers each: (top, left, mirrored).") from None
    if any(m not in (False, True) for _, _, m in result):
        raise Hint("The third of each, mirrored, must be True or False.")
    places = {(top, left) for top, left, _ in got}
    if places and max(map(max, places)) + size > image_size:
        raise Hint(
            f"A crop of {size} that begins at {max(map(max, places))} does not lie within "
            f"{image_size} pixels: where does the last one begin?"
        )
    if places == {(0, 0)}:
        raise Hint("It lists one place only: do both loops run?")
    starts = range(image_size - size + 1)
    if places == {(top, left) for top in starts[:-1] for left in starts[:-1]}:
        raise Hint(
            f"The last place is missing, as in the paper's 2048: a crop of {size} that begins at "
            f"{starts[-1]} still fits into {image_size} pixels."
        )
    if places == {(i, i) for i in starts}:
        raise Hint("Only the diagonal is there: top and left are independent of each other.")
    if places != {(top, left) for top in starts for left in starts}:
        raise Hint("Some places are missing: top and left each go from 0 to the last that fits.")
    if len({m for _, _, m in got}) < 2:
        raise Hint("All places are there, but each only once: a crop may be mirrored or not.")
    if len(got) != len(set(got)):
        raise Hint("Some crops are listed twice.")
    if len(got) != 2 * len(places):
        raise Hint("Some places are there only mirrored, or only not: expected both everywhere.")
    if len(result_of(learner, 256, 224)) != 2 * 33 * 33:
        raise Hint("It is right for 10 and 7 and wrong for 256 and 224: are there fixed numbers?")


@exercise
def subtract_mean(learner: Function) -> None:
    """subtract_mean(crop, mean_image, top, left, mirrored) -> float (s, s, 3)."""
    rng = generator(0)
    image = rng.integers(0, 256, (12, 12, 3), np.uint8)
    mean_image = rng.uniform(0, 255, (12, 12, 3))
    size = 8
    for place in (Place(1, 3, False), Place(4, 0, True)):
        crop = np.ascontiguousarray(cut(image, place, size))
        args = (crop, mean_image, *place)
        said = f"For a crop of shape {crop.shape} out of an image of {mean_image.shape}"
        question = "Cut a part of the crop's size out of the mean image first."
        try:
            result_for_case(learner, args, said, question=question)
        except TypeError as error:
            if "Cannot cast" not in str(error):
                raise
            raise Hint(
                "It writes the difference into crop, which holds bytes: make a new array with "
                "crop - ..., not crop -= ..."
            ) from None
        got = result_of(learner, *args, shape=crop.shape)
        parts = {
            mirrored: cut(mean_image, place._replace(mirrored=mirrored), size)
            for mirrored in (False, True)
        }
        if close(got, crop - parts[place.mirrored]):
            continue
        for wrong, hint in (
            *_at_any_place(crop, mean_image, place),
            *(_at_a_mirrored_place if place.mirrored else _not_mirrored)(crop, mean_image, place),
        ):
            if close(got, wrong):
                raise Hint(hint)
        _check_range(np.asarray(got), crop - parts[place.mirrored])
        raise Hint("It is not crop minus the part of the mean image where the crop was.")


Wrong = list[tuple[np.ndarray, str]]  # what usual mistakes give, and the hint for each


def _at_any_place(crop: np.ndarray, mean_image: np.ndarray, place: Place) -> Wrong:
    size = len(crop)
    return [
        (
            crop - cut(mean_image, centre(len(mean_image), size), size),
            "It subtracts the centre of the mean image, wherever the crop was. That is what the "
            "2012 code does, but here the part at (top, left) is asked for.",
        ),
        (
            crop - cut(mean_image, Place(place.left, place.top, False), size),
            "Rows and columns are exchanged: the first axis is the row, top.",
        ),
        (
            crop - mean_image[:size, :size],
            "It always subtracts the top left part: where do top and left come in?",
        ),
        (
            crop - mean_image.mean(axis=(0, 1)),
            "It subtracts one mean for each colour, expected one for each pixel.",
        ),
        (
            crop - cut(mean_image, place, size).mean(),
            "It subtracts one number, the mean of the part: expected one for each pixel.",
        ),
        (
            (crop - cut(mean_image, place, size)) / 255,
            "It is divided by 255: the difference is asked for in grey levels, as it comes.",
        ),
        (crop.astype(float), "It is the crop itself: where is the mean subtracted?"),
        (cut(mean_image, place, size) - crop, "The sign is wrong: crop minus mean."),
    ]


def _not_mirrored(crop: np.ndarray, mean_image: np.ndarray, place: Place) -> Wrong:
    part = cut(mean_image, place, len(crop))
    return [(crop - part[:, ::-1], "It mirrors the mean for a crop that is not mirrored.")]


def _at_a_mirrored_place(crop: np.ndarray, mean_image: np.ndarray, place: Place) -> Wrong:
    size, whole = len(crop), len(mean_image)
    part = cut(mean_image, place._replace(mirrored=False), size)
    from_right = place._replace(left=whole - size - place.left)
    order = "The crop was cut at left first and mirrored then: do the same with the mean."
    flipped = "It flips the mean along {}: mirrored exchanges left and right, axis 1, only."
    return [
        (
            crop[:, ::-1] - part,
            "It mirrors the crop back. The crop is as the network shall see it: which of the two "
            "should be mirrored?",
        ),
        (
            crop - part,
            "Right for a crop as it is, wrong for a mirrored one: the pixel at the left of the "
            "crop came from the right. Which mean belongs to it?",
        ),
        (
            crop - cut(mean_image, from_right, size),
            f"For a mirrored crop it takes the mean of another place. {order}",
        ),
        (
            crop - cut(mean_image, from_right._replace(mirrored=False), size),
            "For a mirrored crop it takes the mean of another place and does not mirror it. "
            f"{order}",
        ),
        (
            (crop - part)[:, ::-1],
            "It mirrors crop minus mean. The crop is mirrored already, so this turns it back: "
            "mirror the mean alone, before you subtract it.",
        ),
        (crop - np.flip(part, 0), flipped.format("axis 0, top and bottom")),
        (crop - np.flip(part, 2), flipped.format("axis 2, the colours")),
        (crop - np.flip(part, (0, 1)), flipped.format("two axes, 0 and 1")),
        (crop - np.flip(part), flipped.format("all three axes")),
    ]


def _check_range(got: np.ndarray, expected: np.ndarray) -> None:
    """Hints for values that are cut off, wrapped around or rounded."""
    wrapped = (round_(expected) % 256 for round_ in (np.floor, np.ceil, np.rint))
    if np.max(np.abs(got - np.maximum(expected, 0))) < 1:
        raise Hint("It is cut off at 0: differences may be negative.")
    if close(got, np.abs(expected)):
        raise Hint("The sign is lost: a pixel darker than the mean gives less than 0.")
    if got.dtype.kind == "u" or any(close(got, values) for values in wrapped):
        raise Hint(
            "Many pixels are darker than the mean, but bytes (and all unsigned integers) cannot be "
            "negative: they wrap around. Which dtype do you subtract in?"
        )
    if got.dtype.kind == "i":
        raise Hint("The result is whole numbers, expected floats: is the mean rounded somewhere?")
    if np.max(np.abs(got - expected)) < 1:
        raise Hint("It is off by less than a grey level: is the mean rounded somewhere?")


@exercise
def colour_shift(learner: Function) -> None:
    """colour_shift(eigenvectors, eigenvalues, alpha) -> (3,), by standard deviations."""
    rng = generator(1)
    cloud = rng.standard_normal((200, 3)) @ rng.uniform(-60, 60, (3, 3))
    ascending, vectors = np.linalg.eigh(np.cov(cloud.T))
    values, vectors = ascending[::-1].copy(), vectors[:, ::-1].copy()
    alpha = np.array([0.12, -0.07, 0.15])
    axes = colour_axes(vectors, values, "deviation")
    got = result_of(learner, vectors, values, alpha, shape=(3,))
    if close(got, axes @ alpha):
        return
    if not np.array_equal(got, learner(vectors, values, alpha)):
        raise Hint("The same alpha gives another shift each time: alpha is given, draw nothing.")
    if close(got, vectors @ (alpha * values)) or close(got, vectors @ (alpha * values) / 255):
        raise Hint(
            "It uses the eigenvalues, as the paper's formula has it. They are variances: what has "
            "the unit of a grey level?"
        )
    if close(got, vectors.T @ (alpha * np.sqrt(values))):
        raise Hint(
            "The eigenvectors are taken by rows. Each is a column: which side of the matrix does "
            "the vector stand on, and is there a .T too many?"
        )
    if close(got, vectors.T @ (alpha * values)):
        raise Hint("The eigenvectors are taken by rows, each is a column; and look at the units.")
    if close(got, vectors @ (alpha * values**2)):
        raise Hint("The eigenvalues are squared: a standard deviation is the root of a variance.")
    if close(got, vectors @ (alpha + np.sqrt(values))):
        raise Hint("alpha is added to the deviations: it is how many of them, so multiply.")
    if close(got, vectors @ alpha):
        raise Hint("All three axes get the same strength: where do the eigenvalues come in?")
    if close(got, vectors @ np.sqrt(values)):
        raise Hint("There is no chance in it: where does alpha come in?")
    if close(got, np.sqrt(values) * (vectors @ alpha)):
        raise Hint(
            "The deviations scale red, green and blue, but they belong to the axes: scale alpha "
            "first, then go over to the colours."
        )
    if close(got, 0.1 * axes @ alpha):
        raise Hint("It is a tenth of what it should be: alpha has its 0.1 already.")
    if close(got, axes @ alpha / 255):
        raise Hint("It is divided by 255: the shift is asked for in grey levels, as it comes.")
    if any(close(got, axes[:, i] * alpha[i]) for i in range(3)):
        raise Hint("It moves along one axis only: add up all three.")
    if close(got, vectors @ (alpha / np.sqrt(values))) or close(
        got, vectors @ alpha / np.sqrt(values)
    ):
        raise Hint("You divide by the standard deviations: a wide axis is to move the colours far.")
    if close(got, axes @ alpha / 1.1):
        raise Hint("It is divided by 1.1. The 2012 code does that, but it is not asked for here.")
    raise Hint("It is not the sum of the three axes, each times alpha and its standard deviation.")


@exercise
def average_views(learner: Function) -> None:
    """average_views(logits) -> (classes,) probabilities."""
    views = 3
    logits = generator(2).standard_normal((views, 4)) * 3
    p = np.exp(log_softmax_forward(logits))
    question = "Do the largest logit and the sum of each view keep their axis (keepdims=True)?"
    result_for_case(learner, (logits,), "For 3 views and 4 classes", question=question)
    got = result_of(learner, logits, shape=(4,))
    if close(got, np.exp(log_softmax_forward(logits.mean(axis=0, keepdims=True)))[0]):
        raise Hint("It averages the logits and takes one softmax: each view is to vote by itself.")
    if close(got, logits.mean(axis=0)):
        raise Hint("It averages the logits: where is the softmax?")
    if close(got, p.sum(axis=0)):
        raise Hint(f"The probabilities add up to {views}, the number of views: sum or mean?")
    if close(got, p.sum(axis=0) / 10):
        raise Hint(f"You divide by 10: divide by the number of views, here {views}.")
    e = np.exp(logits)
    if close(got, (e / e.sum(axis=0)).mean(axis=0)):
        raise Hint("The softmax runs over the views: the probabilities of a view add up to 1.")
    for powers in (e, np.exp(logits - logits.max(axis=1, keepdims=True))):
        share = powers.sum(axis=0) / powers.sum()
        if close(got, share) or close(got, share / views):
            raise Hint(
                "It divides by one sum over all views, so one view counts for more than another: "
                "each view is divided by its own sum."
            )
    shifted = np.exp(logits - logits.max(axis=0))
    if close(got, (shifted / shifted.sum(axis=1, keepdims=True)).mean(axis=0)):
        raise Hint(
            "It subtracts the largest of each class, another number within a view, which changes "
            "the softmax: subtract the largest of each view."
        )
    if close(got, p.max(axis=0)):
        raise Hint("It takes the largest probability of each class: expected the mean.")
    if close(got, p[0]) or close(got, p[-1]):
        raise Hint("It is the prediction of one view: all of them are averaged.")
    if close(got, np.median(p, axis=0)):
        raise Hint("It is the median over the views: expected the mean.")
    if close(got, np.exp(np.log(p).mean(axis=0))):
        raise Hint("That is the geometric mean of the probabilities, expected the plain mean.")
    if not close(got, p.mean(axis=0)):
        if close(got / np.sum(got), p.mean(axis=0)):
            raise Hint(
                f"The probabilities add up to {np.sum(got):.3g}, expected 1: divide the sum over "
                f"the views by their number, here {views}."
            )
        raise Hint("It is not the mean over the views of each view's softmax.")
    if not close(learner(logits[:2]), p[:2].mean(axis=0)):
        raise Hint(f"It is right for {views} views and wrong for 2: are there fixed numbers?")
    large = np.array([[1000.0, 0.0, 0.0], [0.0, 900.0, 0.0]])
    if not close(np.nan_to_num(learner(large), nan=-1.0), [0.5, 0.5, 0.0]):
        raise Hint(
            "Right for small logits, not for 1000: exp overflows. What may be subtracted from all "
            "logits of a view without a change of its probabilities?"
        )
    spread = np.array([[1000.0, -1000.0, -1000.0], [-1000.0, 900.0, -1000.0]])
    if not close(np.nan_to_num(learner(spread), nan=-1.0), [0.5, 0.5, 0.0]):
        raise Hint(
            "Right for most logits, not for 1000 beside -1000, where exp overflows again: subtract "
            "the largest of each view, then no exponent is above 0."
        )
    uneven = np.array([[0.0, 1.0], [-5000.0, -5001.0]])
    if not close(np.nan_to_num(learner(uneven), nan=-1.0), [0.5, 0.5]):
        raise Hint(
            "Right for most logits, not if one view's are far below another's: subtract the "
            "largest of each view, not of all."
        )


shared_area = Number(
    "shared_area",
    90.4,
    "Two places differ by 11 pixels on average along a side, of 224: 95% are shared there, and 95% "
    "of 95% of the area.",
    within=2,
    prediction=True,
    typical={
        50: "The places are at most 32 pixels apart, and a crop has 224.",
        95: "That is along one side: rows and columns multiply.",
        77: "That is a crop's share of the whole image, (224 / 256) squared.",
        76.6: "That is a crop's share of the whole image, (224 / 256) squared.",
        87.5: "That is 224 / 256, the side of a crop next to that of the image.",
        73.5: "That is the least, for opposite corners: (192 / 224) squared.",
        100: "That is the same place twice, which happens once in 1,089 times.",
        0.9: "In percent that is 90, which is right.",
        0.95: "In percent that is 95, and along one side: rows and columns multiply.",
        0.05: "That is how often two crops are the same.",
    },
    small="More: the places are at most 32 pixels apart along a side.",
    large="A little less: two random places of 33 are 11 apart on average.",
)

mean_at_test = Choice(
    "mean_at_test",
    "b",
    "The network has learned to read pixels less this mean: at test it gets the same.",
    wrong={
        "a": "Then the prediction for an image would depend on which other images are tested with "
        "it, and it is not what the network was trained with.",
        "c": "The centre is a crop like any other, and its part of the mean image is known. The "
        "network has seen no other mean in training.",
        "d": "That takes the brightness out of each image: the network has learned with images "
        "that kept theirs.",
    },
)
