"""Checks of notebook 19, after 2012."""

from __future__ import annotations

from typing import Any

import numpy as np

from .checks import Function, Hint, close, exercise, generator, result_of
from .questions import Choice, Number

share_of_weights = Number(
    "share_of_weights",
    27 / 49,
    "Three layers of 3 x 3 x C x C, against one of 7 x 7 x C x C.",
    within=0.006,
    typical={
        9 / 49: "That is one 3 x 3 layer: there are three of them.",
        18 / 49: "That is two of them, which see 5 x 5.",
        3 / 7: "3 / 7 is the ratio of the sides: a filter has side times side weights.",
        49 / 27: "It is the other way round: the small ones have fewer.",
        55.1: "In percent; asked for is the share itself, between 0 and 1.",
        3 / 49: "One filter's side squared is 3 x 3, three times for the small ones: 27, not 3.",
        1.0: "They see equally far, but do they have as many weights? Count 3 x 3 and 7 x 7.",
    },
    small="Count the weights of a layer, size x size x C x C, three times for the small ones.",
    large="Count the weights of a layer, size x size x C x C, three times for the small ones.",
)

largest_slope = Number(
    "largest_slope",
    0.0,
    "The normalised values add up to 0 whatever x is, so no x moves their sum.",
    within=1e-5,
    typical={1.0: "So it would be if y were x."},
    small="A size is not negative.",
    large="What does the sum of the outputs do when an x moves?",
    prediction=True,
)

expected = Choice(
    "expected",
    "b",
    "The means differ by no more than one seed does from another.",
    wrong={
        "a": "Without it, the mean is worse by more than the seeds differ.",
        "c": "Without it, the mean is better by more than the seeds differ.",
    },
    prediction=True,
)


def outcome(whole: np.ndarray, without: np.ndarray) -> str:
    """The letter of what happened: "a" worse, "c" better by more than the seeds differ, else "b".

    whole, without: what each seed reached with everything and with something left out.
    """
    difference = without.mean() - whole.mean()
    if abs(difference) <= max(np.ptp(whole), np.ptp(without)):
        return "b"
    return "a" if difference < 0 else "c"


# ----- exercise 1 -----

EPS = 0.3  # large, so that a forgotten one shows


def _batch(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x (6, 4), whose units differ in mean and size; gamma, beta (4,)."""
    rng = generator(seed)
    x = rng.standard_normal((6, 4)) * np.array([0.5, 1, 2, 3]) + np.array([3, -2, 1, 0.5])
    return x, rng.uniform(0.5, 2, 4), rng.standard_normal(4)


def _normal(x: np.ndarray, eps: float = EPS, axis: int = 0, ddof: int = 0) -> np.ndarray:
    mean, variance = x.mean(axis, keepdims=True), x.var(axis, ddof=ddof, keepdims=True)
    return np.asarray((x - mean) / np.sqrt(variance + eps))


@exercise
def batch_norm(learner: Function) -> None:
    """batch_norm(x (N, units), gamma, beta, eps) -> y, each unit normalised over the batch."""
    x, gamma, beta = _batch(1)
    got = result_of(learner, x, gamma, beta, EPS)
    if isinstance(got, tuple) and len(got) != len(x):
        raise Hint(f"It returns {len(got)} things; expected is y alone, an array (N, units).")
    got = np.asarray(result_of(learner, x, gamma, beta, EPS, shape=x.shape))
    if not close(got, gamma * _normal(x) + beta):
        raise Hint(_wrong_forward(got, x, gamma, beta))
    one = np.ones((1, 4))
    if not close(result_of(learner, one, gamma, beta, EPS, shape=(1, 4)), beta[None]):
        raise Hint("A batch of one has variance 0, and its y is beta: what do you divide by?")


def _wrong_forward(got: Any, x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> str:
    mean, deviation = x.mean(0), np.sqrt(x.var(0) + EPS)
    if close(got, gamma * _normal(x, axis=1) + beta):
        return "It normalises each image over its units: each unit over the batch, axis 0."
    if close(got, gamma * (x - x.mean()) / np.sqrt(x.var() + EPS) + beta):
        return "One mean and one variance for all units together: each unit has its own, axis=0."
    if close(got, _normal(x)):
        return "Normalised, but gamma and beta are missing."
    if close(got, gamma * _normal(x)):
        return "beta is missing."
    if close(got, _normal(x) + beta):
        return "gamma is missing."
    if close(got, gamma * (_normal(x) + beta)):
        return "beta is multiplied by gamma: it comes after it."
    if close(got, gamma * _normal(x, eps=0.0) + beta):
        return "eps is missing, under the root."
    if close(got, gamma * (x - mean) / (x.std(0) + EPS) + beta):
        return "eps is added to the deviation: it belongs to the variance, under the root."
    if close(got, gamma * (x - mean) / (x.var(0) + EPS) + beta):
        return "It divides by the variance: the root of it is the deviation."
    if close(got, gamma * _normal(x, ddof=1) + beta):
        return "Its variance divides by N - 1: the formula has N (only running means take N - 1)."
    if close(got, gamma * x / deviation + beta):
        return "The mean is not taken off."
    if close(got, gamma * x - mean / deviation + beta):
        return "A bracket: (x - mean) as a whole is divided and multiplied by gamma."
    if close(got, beta * _normal(x) + gamma):
        return "gamma and beta have changed places."
    if close(got, gamma * (x - mean) / np.sqrt((x**2).mean(0) + EPS) + beta):
        return "Its variance is the mean of x squared: the mean is taken off first, then squared."
    if close(got, gamma * (x - mean) / np.sqrt(((x - mean) ** 2).sum(0) + EPS) + beta):
        return "Its variance is a sum over the batch: the formula has the mean, 1/N of it."
    if close(got, gamma * _normal(x, eps=EPS**2) + beta):
        return "eps is squared: it is added to the variance as it is."
    if any(close(got, gamma * _normal(x, eps=eps) + beta) for eps in (1e-5, 1e-8, 1e-3)):
        return f"It has an eps of its own: here eps is {EPS}, the argument."
    return "It is not gamma (x - mean) / sqrt(variance + eps) + beta, over the batch."


# ----- exercise 2 -----


@exercise
def batch_norm_backward(learner: Function) -> None:
    """batch_norm_backward(grad, x, gamma, eps) -> dx, dgamma, dbeta."""
    x, gamma, _ = _batch(2)
    grad = generator(3).standard_normal(x.shape)
    got = result_of(learner, grad, x, gamma, EPS)
    if not isinstance(got, tuple) or len(got) != 3:
        raise Hint("Expected three arrays: dx, dgamma, dbeta.")
    dx, dgamma, dbeta = map(np.asarray, got)
    shapes = (("dx", dx, x.shape), ("dgamma", dgamma, (4,)), ("dbeta", dbeta, (4,)))
    for name, value, shape in shapes:
        if value.shape != shape:
            raise Hint(f"{name} has shape {value.shape}, expected {shape}.")
    normal = _normal(x)
    if not close(dbeta, grad.sum(0)):
        raise Hint("dbeta is not right: " + _wrong_dbeta(dbeta, dgamma, grad, normal, gamma))
    if not close(dgamma, (grad * normal).sum(0)):
        raise Hint("dgamma is not right: " + _wrong_dgamma(dgamma, grad, x, gamma))
    if not close(dx, _right_slopes(grad, x, gamma)):
        raise Hint(_wrong_slopes(dx, grad, x, gamma))


def _wrong_dbeta(
    dbeta: np.ndarray, dgamma: np.ndarray, grad: np.ndarray, normal: np.ndarray, gamma: np.ndarray
) -> str:
    if close(dbeta, grad.mean(0)):
        return "y moves with beta one for one, the sum and not the mean over the batch."
    if close(dbeta, gamma * grad.sum(0)):
        return "gamma is in it. Only the way to x goes through gamma: here sum grad, not g."
    if close(dbeta, (grad * normal).sum(0)) and close(dgamma, grad.sum(0)):
        return "it has changed places with dgamma; the order is dx, dgamma, dbeta."
    return "y moves with beta one for one."


def _wrong_dgamma(dgamma: np.ndarray, grad: np.ndarray, x: np.ndarray, gamma: np.ndarray) -> str:
    normal = _normal(x)
    if close(dgamma, (grad * x).sum(0)):
        return "gamma multiplies the normalised x, and you took x itself."
    if close(dgamma, (grad * normal).mean(0)):
        return "the sum and not the mean over the batch."
    if close(dgamma, gamma * (grad * normal).sum(0)):
        return "gamma is in it: sum grad times the normalised x, not g times it."
    if close(dgamma, (grad * _normal(x, eps=0.0)).sum(0)):
        return "its normalised x is without eps, which stands under the root."
    if close(dgamma, (grad * (x - x.mean(0)) / (x.std(0) + EPS)).sum(0)):
        return "its normalised x has eps outside of the root."
    if close(dgamma, (grad * _normal(x, ddof=1)).sum(0)):
        return "the variance of its normalised x divides by N - 1: the formula has N."
    return "gamma multiplies the normalised x; sum grad times that over the batch."


def _right_slopes(grad: np.ndarray, x: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    normal, g = _normal(x), gamma * grad
    slopes = g - g.mean(0) - normal * (g * normal).mean(0)
    return np.asarray(slopes / np.sqrt(x.var(0) + EPS))


def _wrong_slopes(dx: np.ndarray, grad: np.ndarray, x: np.ndarray, gamma: np.ndarray) -> str:
    normal, g, deviation = _normal(x), gamma * grad, np.sqrt(x.var(0) + EPS)
    along = normal * (g * normal).mean(0)
    if close(dx, _right_slopes(grad, x, np.ones(4))):
        return "gamma is missing in dx: g is gamma times grad."
    if close(dx, g / deviation):
        return "That is the direct way alone: mean and deviation move with x, too."
    if close(dx, (g - g.mean(0)) / deviation):
        return "The way through the deviation is missing, the part along the normalised x."
    if close(dx, (g - along) / deviation):
        return "The way through the mean is missing: the mean of g is taken off."
    if close(dx, g - g.mean(0) - along):
        return "dx is not divided by the deviation."
    if close(dx, (g - g.mean(0) - along) * deviation):
        return "dx is multiplied by the deviation: divide by it."
    if close(dx, (g - g.sum(0) - normal * (g * normal).sum(0)) / deviation):
        return "The two sums are without their 1/N: they are means."
    if close(dx, (g - g.mean(0) + along) / deviation):
        return "The part along the normalised x has the wrong sign: it is taken off."
    if close(dx, (g - g.mean(0) - x * (g * x).mean(0)) / deviation):
        return "It takes x for the normalised x in the last term."
    if close(dx, (g - g.mean(0) - (g * normal).mean(0)) / deviation):
        return "The last term is not multiplied by the normalised x of each image."
    if close(dx, (g - g.sum(0) - along) / deviation):
        return "The first sum, of g, is without its 1/N: it is a mean."
    if close(dx, (g - g.mean(0) - along * len(x)) / deviation):
        return "The second sum, of g times the normalised x, is without its 1/N: it is a mean."
    if close(dx, g - g.mean(0) - along / deviation):
        return "A bracket: all three terms are divided by the deviation, not the last alone."
    if close(dx, g / deviation - g.mean(0) - along):
        return "A bracket: all three terms are divided by the deviation, not the first alone."
    if close(dx, (g - g.mean(0) - along) / deviation**2):
        return "It is divided by the variance: the formula has the root of it."
    if close(dx, (g + g.mean(0) - along) / deviation):
        return "The mean of g has the wrong sign: it is taken off."
    if close(dx, (g - grad.mean(0) - normal * (grad * normal).mean(0)) / deviation):
        return "gamma is missing in the two means: they are of g, not of grad."
    if close(dx, gamma * _right_slopes(grad, x, gamma)):
        return "gamma is in it twice: g has it already."
    mixed = g.mean(1, keepdims=True) + normal * (g * normal).mean(1, keepdims=True)
    if close(dx, (g - mixed) / deviation):
        return "The means run over the units of an image: they run over the batch, axis 0."
    if close(dx, (g - g.mean() - normal * (g * normal).mean()) / deviation):
        return "The means are of all units together: each unit has its own, axis 0."
    bare, spread = normal * deviation / x.std(0), x.std(0)
    if close(dx, (g - g.mean(0) - bare * (g * bare).mean(0)) / spread):
        return "eps is missing."
    return "dx is not the formula's; compare its three terms one by one."
