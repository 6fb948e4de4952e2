"""Checks of notebook 12, training."""

from __future__ import annotations

import numpy as np

from .checks import Function, Hint, close, exercise, generator, result_of


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
