"""Checks of notebook 09, dropout."""

from __future__ import annotations

import numpy as np

from minigrad.kernels.dropout import dropout_forward, dropout_mask
from minigrad.random import Key

from .checks import Function, Hint, close, exercise, generator, result_of
from .questions import Number

# Away from 1/2, where p and 1 - p are the same number.
_RATES = (0.2, 0.7)


@exercise
def inverted_dropout(learner: Function) -> None:
    """inverted_dropout(x, u, p) -> y, for random numbers u in [0, 1) of the shape of x."""
    for seed, p in enumerate(_RATES):
        rng = generator(seed)
        x, u = rng.uniform(1.0, 2.0, (20, 30)), rng.random((20, 30))
        keep = u >= p
        got = result_of(learner, x, u, p, shape=x.shape)
        if close(got, x * keep / (1 - p)):
            continue
        wrong = (
            (x * keep, "The mask is right. That is the paper's form: the inverted form scales."),
            (
                x * keep * (1 - p),
                "The mask is right, and what is kept gets smaller: its mean has to stay that of x.",
            ),
            (
                x * keep / p,
                "The mask is right. You divide by p, the share of zeros: what share is kept?",
            ),
            (
                x * ~keep / (1 - p),
                "You keep an element with probability p: p is the probability of a zero. "
                "(At p = 0.5 nobody would notice.)",
            ),
            (
                x * ~keep / p,
                "It is right for a p that means 'kept'. Here, as in the paper and in PyTorch, p is "
                "the probability of a zero. (At p = 0.5 nobody would notice.)",
            ),
            (x * ~keep, "Two things: p is the probability of a zero, and what is kept is scaled."),
        )
        for value, words in wrong:
            if close(got, value):
                raise Hint(words)
        if np.array_equal(result_of(learner, 2 * x, u, p, shape=x.shape), got):
            raise Hint("y is the same for another x: where is x in it?")
        if close(got, x / (1 - p)) or close(got, x):
            raise Hint("Every element is kept: drop those where u < p.")
        if not np.array_equal(got, result_of(learner, x, u, p, shape=x.shape)):
            raise Hint(
                "The same u gives another y each time: u holds the random numbers, draw none."
            )
        if np.array_equal(np.asarray(got) == 0, ~keep):
            raise Hint("The right elements are zero. What are the others divided by?")
        raise Hint(
            f"At p = {p:g}, {np.mean(np.asarray(got) == 0):.0%} of the elements are zero; u < p "
            f"holds for {np.mean(~keep):.0%}. Which elements do you drop?"
        )


@exercise
def to_inverted(learner: Function) -> None:
    """to_inverted(weight, lr, decay, p) -> (weight, lr, decay) with which the inverted form does
    what the paper's form does with the old ones."""
    lr, decay = 0.01, 5e-4
    for seed, p in enumerate(_RATES):
        weight = generator(seed).standard_normal((3, 4))
        keep = 1 - p
        got = result_of(learner, weight, lr, decay, p)
        if not isinstance(got, tuple) or len(got) != 3:
            raise Hint("Expected three things: the weight, the rate and the decay.")
        if np.shape(got[0]) != weight.shape or np.shape(got[1]) or np.shape(got[2]):
            raise Hint("Expected, in this order: an array like weight, and two numbers.")
        if close(got[0], weight / keep):
            raise Hint(
                "The weight goes the wrong way: at test the paper's form multiplies by 1 - p, the "
                "inverted form by nothing. So its weight must have that factor inside."
            )
        if close(got[0], weight * p):
            raise Hint("The weight is multiplied by p: at test, the paper's form has 1 - p.")
        if close(got[0], weight / 2):
            raise Hint("A half is right for p = 0.5 only: p is an argument.")
        if not close(got[0], weight * keep):
            raise Hint("At test, W' x must be (1 - p) W x for every x: what is W'?")
        if close(got[1], lr):
            raise Hint(
                "The weight is right. The rate must change, too: the gradient by W' is not the "
                "gradient by W, and the step has to be 1 - p times the old one."
            )
        if close(got[1], lr * keep):
            raise Hint(
                "The step has to be 1 - p times the old one: that is in your rate. But the "
                "gradient by W' is larger than that by W, by 1 / (1 - p): once more."
            )
        if close(got[1], lr / keep**2) or close(got[1], lr / keep):
            raise Hint("The rate goes the wrong way: the gradient by W' is larger than that by W.")
        if not close(got[1], lr * keep**2):
            raise Hint(
                "The weight is right and the rate is not: write the step of W' by that of W."
            )
        if close(got[2], decay):
            raise Hint(
                "Weight and rate are right. The decay takes lr * decay of the weight in each step: "
                "that share has to stay as it was."
            )
        if close(got[2], decay * keep**2):
            raise Hint(
                "Weight and rate are right. The decay goes the wrong way: the rate got smaller, "
                "and rate times decay must stay."
            )
        if not close(got[2], decay / keep**2):
            raise Hint("Weight and rate are right. The product of rate and decay must stay.")


@exercise
def geometric_mean(learner: Function) -> None:
    """geometric_mean(probabilities) -> (C,), from the predictions (M, C) of M networks."""
    for seed, networks, classes in ((0, 4, 3), (1, 3000, 5)):
        logits = generator(seed).standard_normal((networks, classes)) * 2
        odds = np.exp(logits)
        probabilities = odds / odds.sum(1, keepdims=True)
        logs = np.log(probabilities).mean(0)
        expected = np.exp(logs) / np.exp(logs).sum()
        got = learner(probabilities.copy())
        if seed and got is not None and not np.isfinite(got).all():
            raise Hint(
                f"Right for 4 networks, NaN for {networks}: so many small numbers multiplied are "
                "0 in floating point. Add logarithms instead."
            )
        got = result_of(learner, probabilities, shape=(classes,))
        if close(got, expected):
            continue
        if close(got, probabilities.mean(0)):
            raise Hint("That is the arithmetic mean: multiply, and take the root of degree M.")
        if close(got, np.exp(logs)):
            raise Hint("Its sum is less than 1: divide by it, so that it is a distribution.")
        product = np.exp(logs * networks - logs.max() * networks)
        if close(got, product / product.sum()) or close(got, np.exp(logs * networks)):
            raise Hint("You multiply and take no root: M networks, so the M-th root.")
        for root in (2, classes):
            mean = np.exp(logs * networks / root - logs.max() * networks / root)
            if close(got, mean / mean.sum()):
                raise Hint(f"You take the root of degree {root}: {networks} networks, so degree M.")
        harmonic = 1 / (1 / probabilities).mean(0)
        if close(got, harmonic / harmonic.sum()) or close(got, harmonic):
            raise Hint("That is the harmonic mean: multiply, and take the root of degree M.")
        if any(close(got, probabilities[row]) for row in (0, -1)):
            raise Hint("That is the prediction of one network: all of them take part.")
        if close(got, np.exp(logs) / np.exp(logs).max()):
            raise Hint("You divide by the largest, so the sum is more than 1: divide by the sum.")
        if close(got, logs / logs.sum()):
            raise Hint("The mean of the logarithms is divided by its sum: first go back with exp.")
        binary = np.exp(logs / np.log(2))
        if close(got, binary / binary.sum()):
            raise Hint("Logarithm and power have different bases: np.exp undoes np.log.")
        if close(got, np.exp(logits.mean(0))) or close(got, logs):
            raise Hint("These are no probabilities: exp, then divide by the sum.")
        raise Hint("It is not the geometric mean over the networks (axis 0), made to add up to 1.")


@exercise
def dropout_backward(learner: Function) -> None:
    """dropout_backward(grad, p, key) -> dx, with the mask of the forward pass drawn again."""
    for seed, p in enumerate(_RATES):
        key = Key(seed, 7)
        grad = generator(seed).uniform(1.0, 2.0, (16, 25))
        keep = dropout_mask(grad.shape, p, key)
        got = result_of(learner, grad, p, key, shape=grad.shape)
        if close(got, dropout_forward(grad, p, key)):
            continue
        if close(got, grad / (1 - p)) or close(got, grad):
            raise Hint("Every element gets a gradient, dropped ones, too: where is the mask?")
        if close(got, grad * keep):
            raise Hint("The mask is right. Forward has a factor, so backward has it, too.")
        if close(got, grad * keep * (1 - p)):
            raise Hint(
                "The mask is right. Backward multiplies by the factor of forward: it does not undo "
                "it."
            )
        zero = np.asarray(got) == 0
        if np.array_equal(zero, keep):
            raise Hint("The mask is upside down: it is True where an element is kept.")
        if close(got, grad * keep / p):
            raise Hint(
                "The mask is right. You divide by p, the share of zeros: what share is kept?"
            )
        if np.array_equal(zero, ~keep):
            raise Hint("The mask is right and the factor is not: it is that of forward.")
        if _another_rate(zero, p, key):
            raise Hint(
                "The mask comes from this key, but with another probability: draw it with the p "
                "that was given."
            )
        if close(np.mean(~zero), 1 - p, 0.2):
            raise Hint(
                "About the right share is zero, but not the elements that forward dropped: is the "
                "mask drawn from this key, with this p?"
            )
        raise Hint(
            "dx is grad where the mask is True, times the factor of forward, and 0 elsewhere."
        )


def _another_rate(zero: np.ndarray, p: float, key: Key) -> bool:
    """Whether a mask of this key, drawn with 1 - p or 1/2, or its opposite, leaves these zeros."""
    masks = (dropout_mask(zero.shape, other, key) for other in (1 - p, 0.5))
    return any(np.array_equal(zero, mask) or np.array_equal(zero, ~mask) for mask in masks)


kept_unit = Number(
    "kept_unit",
    12.5,
    "What is kept is divided by 1 - p = 0.8, so that the mean stays 10.",
    typical={
        10: "That is the paper's form, and what comes out at test. The inverted form scales in "
        "training.",
        8: "It is multiplied by 0.8, so the mean over the masks would be 6.4, not 10.",
        50: "You divide by p: in PyTorch, p is the probability of a zero, so 0.8 is kept.",
        2: "You multiply by p: what is kept must get larger, so that the mean stays 10.",
        12: "Larger, but by what factor? 0.8 of the units remain, and their mean must be 10.",
        0: "That is what comes out if the unit is dropped.",
        20: "So it is for p = 0.5.",
    },
    small="Four units in five are kept, and the mean over all of them must stay 10.",
    large="Four units in five are kept, and the mean over all of them must stay 10.",
)

error_without_units = Number(
    "error_without_units",
    40,
    "Without dropout units rely on each other: those that remain no longer fit together.",
    factor=1.25,
    prediction=True,
    typical={
        16: "As many as before would mean that nobody needs the units that are gone.",
        30: "The share that is removed and the errors are not the same thing.",
        90: "That is guessing. A network of this size has more to spare.",
    },
    small="More is lost than that: the errors more than double.",
    large="It is not that bad: the units that remain still know something.",
)
