"""Checks of notebook 13, the paper and the code."""

from __future__ import annotations

import numpy as np

from .checks import Function, Hint, close, exercise, result_of


@exercise
def paper_dropout(learner: Function) -> None:
    """paper_dropout(x, p, uniform, training) -> y."""
    rng = np.random.default_rng(0)
    x, uniform = rng.standard_normal(4000) + 3, rng.random(4000)
    for p in (0.1, 0.5):
        y = result_of(learner, x, p, uniform, True, shape=x.shape)
        kept = float((y != 0).mean())
        if abs(kept - (1 - p)) > 0.05:
            raise Hint(
                f"With p = {p}, {kept:.0%} of the outputs are kept in training, expected "
                f"{1 - p:.0%}: p is the probability to drop. With p = 0.5 the slip does not show."
            )
        if not close(y[y != 0], x[y != 0]):
            raise Hint(
                "In training the outputs that stay are scaled: the paper leaves them as they are "
                "(to divide by 1 - p is the inverted form, which came later)."
            )
        test = result_of(learner, x, p, uniform, False, shape=x.shape)
        if close(test, x):
            raise Hint(
                "At test the outputs are unscaled: more of them are there than in training, so the "
                "paper makes each smaller."
            )
        if not close(test, x * (1 - p)):
            raise Hint(
                f"At test, with p = {p}, the outputs are scaled by {np.mean(test / x):.2f}: the "
                "factor is the chance that an output was kept in training."
            )


@exercise
def paper_update(learner: Function) -> None:
    """paper_update(w, v, grad, lr, momentum, decay) -> (w, v)."""
    rng = np.random.default_rng(1)
    w, v, grad = rng.standard_normal((3, 6))
    lr, momentum, decay = 0.2, 0.9, 0.25
    got = result_of(learner, w, v, grad, lr, momentum, decay)
    if not isinstance(got, tuple) or len(got) != 2:
        raise Hint("It returns one thing, expected two: the new w and the new v.")
    new = momentum * v - decay * lr * w - lr * grad
    if close(got[1], momentum * v + decay * w + grad):
        raise Hint("That is PyTorch's rule: the paper has the rate inside the velocity.")
    if close(got[1], momentum * v - 2 * decay * lr * w - lr * grad):
        raise Hint("The decay is twice the paper's: does your loss hold w^2, and not w^2 / 2?")
    if close(got[1], momentum * v - decay * w - lr * grad):
        raise Hint("The decay lacks the learning rate: the paper multiplies it by both.")
    if close(got[1], momentum * v + decay * lr * w + lr * grad):
        raise Hint("The velocity points uphill: both the decay and the gradient are subtracted.")
    if not close(got[1], new):
        raise Hint("v is not 0.9 v - 0.0005 lr w - lr grad (with this call's numbers).")
    if close(got[0], w + v):
        raise Hint("w moves by the old velocity: the new one is added.")
    if not close(got[0], w + new):
        raise Hint("v is right, w is not: the new velocity is added to it.")


@exercise
def noise_sizes(learner: Function) -> None:
    """noise_sizes(pixels, scale) -> (3,), largest first."""
    rng = np.random.default_rng(2)
    mixed = np.array([[50.0, 8.0, 2.0], [45.0, -3.0, -4.0], [40.0, -5.0, 3.0]])
    pixels = rng.standard_normal((500, 3)) @ mixed.T + 120
    values = np.linalg.eigvalsh(np.cov(pixels.T))[::-1]
    second = np.linalg.eigvalsh(pixels.T @ pixels / len(pixels))[::-1]  # the mean not taken off
    for scale, expected in (("eigenvalue", values), ("deviation", np.sqrt(values))):
        got = result_of(learner, pixels, scale, shape=(3,))
        if close(got, expected, 5e-3):  # divided by N or by N - 1
            continue
        if close(np.sort(got), np.sort(expected), 5e-3):
            raise Hint("The numbers are right, the order is not: largest first.")
        if close(got, values, 5e-3):
            raise Hint("For the deviation you return the eigenvalues, which are variances.")
        if close(got**2, second, 5e-2) or close(got, second, 5e-2):
            raise Hint("The mean colour is still in: a covariance is about the mean.")
        raise Hint(f'For "{scale}" the sizes are not those of the covariance of the colours.')
