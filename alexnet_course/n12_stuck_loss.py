"""Checks of notebook 12, why AlexNet's loss sticks at 6.9."""

from __future__ import annotations

import math

import numpy as np

from .checks import Function, Hint, close, exercise, generator, result_of
from .questions import Choice, Number
from .yours.pieces import PIECES

stuck_at = Number(
    "stuck_at",
    math.log(200),
    "-ln(1/200) = ln 200: each class gets the same probability.",
    within=0.01,
    typical={
        math.log10(200): "That is the logarithm to base 10; the loss has the natural one, ln.",
        math.log2(200): "That is the logarithm to base 2; the loss has the natural one, ln.",
        1 / 200: "That is the probability of each class. The loss is minus its logarithm.",
        -math.log(200): "A loss is minus the logarithm of a probability, so it is positive.",
        math.log(1000): "That is ln 1000, ImageNet's. How many classes are there here?",
        math.log(2): "That is for two classes.",
        200: "That is the number of classes. The loss is a logarithm.",
    },
    small="Too low: without looking at the image nobody gets there. What p does each class get?",
    large="Too high: a network that says the same to all images can do better. Which p is best?",
)

stays = Choice(
    "stays",
    "a",
    "The paper gives the reason for its biases of 1: positive inputs keep the ReLUs open. They do, "
    "at first. The text below says what kills this network all the same.",
    wrong={
        "b": "A small bias hides little of the image and opens the ReLUs: it leaves even before "
        "the start with biases of 0.",
        "c": "A good guess, since its signal is the smallest of the four. But small is not gone: "
        "the gradients enlarge it step by step.",
        "d": "He's weights carry the signal as it is through all layers: this start is the first "
        "to leave.",
    },
    prediction=True,
)

diagnosis = Choice(
    "diagnosis",
    "b",
    "What reaches the logits is about the image, and nothing is shut: it is only too small.",
    wrong={
        "a": "Then some ReLU layer would have nothing but dead units, and the logits would not "
        "move at all.",
        "c": "Too large a rate throws the weights about: the loss would jump, or units would die. "
        "Here the first steps have been too small to move anything.",
        "d": "Then the image's share would be small: most of what a logit says would be the same "
        "for all images. Here it is 60%.",
    },
)


def whose_lsuv(learner: Function) -> tuple[Function, str]:
    """The function that scales a weight, and whose it is: the learner's, once it is right."""
    ready = next(piece.ready for piece in PIECES if piece.exercise == "lsuv")
    return lsuv.chosen(learner, ready, "your lsuv", "ready-made")


@exercise
def image_part(learner: Function) -> None:
    """image_part(outputs) -> (rms, image_rms), for the outputs (N, units) of a layer."""
    rng = generator(0)
    # Units differ in their means and in how far the images move them.
    outputs = 3 + 2 * rng.standard_normal(7) + rng.standard_normal((12, 7)) * np.linspace(0.1, 2, 7)
    got = result_of(learner, outputs)
    if not isinstance(got, tuple | np.ndarray) or len(got) != 2 or any(map(np.shape, got)):
        raise Hint("Expected two numbers: rms and image_rms.")
    variances = outputs.var(axis=0)
    rms, image_rms = np.sqrt((outputs**2).mean()), np.sqrt(variances.mean())
    if close(got[0], image_rms) and close(got[1], rms):
        raise Hint("The two numbers are right and the order is not: rms comes first.")
    if close(got[0], rms**2):
        raise Hint("rms is the root of the mean square: you have the mean square.")
    if close(got[0], outputs.std()):
        raise Hint("Your rms is the deviation about the mean: rms takes the squares as they are.")
    if close(got[0], np.sqrt((outputs**2).sum())):
        raise Hint("Your rms is the root of the sum of the squares: it is that of their mean.")
    if close(got[0], np.abs(outputs).mean()):
        raise Hint("You take the mean of the absolute values: rms squares them before the mean.")
    if not close(got[0], rms):
        raise Hint("rms is not the root of the mean of all squares.")
    wrong = (
        (
            outputs.std(),
            "You take the deviation of all numbers. It also counts how the units differ from each "
            "other, and they differ without any image: compare each unit with its own mean.",
        ),
        (
            np.sqrt(outputs.var(axis=1).mean()),
            "You take the variance over the units of an image: a unit's variance over the images "
            "runs along the other axis.",
        ),
        (
            outputs.std(axis=0).mean(),
            "You take the root first and the mean over the units then: the root comes last.",
        ),
        (variances.mean(), "The last root is missing."),
        (
            np.sqrt(outputs.var(axis=0, ddof=1).mean()),
            "You divide by N - 1. Here the variance is the plain mean of the squares, by N.",
        ),
        (
            image_rms / rms,
            "You have divided image_rms by rms: that is the image's share. The function returns "
            "image_rms itself.",
        ),
        (
            np.sqrt((outputs.mean(axis=0) ** 2).mean()),
            "You have the size of the units' means, which all images share. image_rms is about "
            "what is left when each unit's mean is taken away.",
        ),
        (
            np.sqrt(variances.sum()),
            "You take the sum of the variances over the units: it is their mean.",
        ),
    )
    for value, words in wrong:
        if close(got[1], value):
            raise Hint(f"rms is right. {words}")
    if not close(got[1], image_rms):
        raise Hint(
            "rms is right. image_rms: the variance of each unit over the images, the mean over the "
            "units, the root."
        )


@exercise
def lsuv(learner: Function) -> None:
    """lsuv(weight, x, target) -> the weight (outputs, inputs), scaled by one number."""
    for seed, target in ((0, 1.0), (1, 0.1)):
        rng = generator(seed)
        weight = rng.standard_normal((5, 8)) * rng.uniform(0.2, 2, (5, 1)) + 0.3
        x = np.maximum(rng.standard_normal((40, 8)) + 1, 0)
        y = x @ weight.T
        std = y.std()
        got = result_of(learner, weight, x, target)
        if np.shape(got) == () and (close(got, target / std) or close(got, std)):
            raise Hint("You return a number: return the weight, times the factor.")
        got = result_of(learner, weight, x, target, shape=weight.shape)
        if close(got, weight * target / std):
            continue
        wrong = (
            (weight * std, "The wrong way round: where y is too large, the weight must shrink."),
            (
                weight * std / target,
                "The wrong way round: where y is too large, the weight must shrink.",
            ),
            (
                weight * target / weight.std(),
                "You measure the weight. What counts is the output: measure x @ weight.T.",
            ),
            (
                weight * target / std**2,
                "You divide by the variance: twice the weight gives four times the variance.",
            ),
            (
                weight * np.sqrt(target) / std,
                "target is a standard deviation already: it needs no root.",
            ),
            (
                weight / std,
                "Right for a target of 1. The last layer has another: what is its target for?",
            ),
            (
                weight * target / np.sqrt((y**2).mean()),
                "You divide by the rms of y: a standard deviation is about the mean.",
            ),
            (
                weight * target / y.std(axis=0)[:, None],
                "You scale each unit by its own number: the layer has one, for all its units.",
            ),
            (
                weight * target / np.sqrt(y.var(axis=0).mean()),
                "You compare each unit with its own mean, as in exercise 1. Here all the numbers "
                "of y together have one mean and one deviation.",
            ),
            (
                weight * target / y.std(axis=0).mean(),
                "You take the deviation of each unit and their mean. Here all the numbers of y "
                "together have one mean and one deviation.",
            ),
            (
                weight * target / y.std(ddof=1),
                "You divide by N - 1. Here the deviation is the root of the plain mean, by N.",
            ),
            (
                weight * target / np.maximum(y, 0).std(),
                "You measure behind the ReLU: y is the output of the layer without it.",
            ),
        )
        for value, words in wrong:
            if close(got, value):
                raise Hint(words)
        reached = (x @ np.asarray(got).T).std()
        if close(reached, target):
            raise Hint(
                "y has the right standard deviation, but the weight is not the given one times a "
                "positive number."
            )
        raise Hint(f"With your weight y has standard deviation {reached:.3g}, expected {target:g}.")
