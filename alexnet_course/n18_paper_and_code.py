"""Checks of notebook 18, the paper and the code."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .checks import Function, Hint, close, exercise, generator, result_of


@exercise
def paper_dropout(learner: Function) -> None:
    """paper_dropout(x, p, uniform, training) -> y."""
    rng = generator(0)
    x, uniform = rng.standard_normal(4000) + 3, rng.random(4000)
    for p in (0.1, 0.5):
        y = result_of(learner, x, p, uniform, True, shape=x.shape)
        kept = float((y != 0).mean())
        if abs(kept - (1 - p)) > 0.05:
            raise Hint(
                f"With p = {p}, {kept:.0%} of the outputs are kept in training, expected "
                f"{1 - p:.0%}: p is the probability to drop. With p = 0.5 the slip does not show."
            )
        if not np.array_equal(y != 0, uniform >= p) and not np.array_equal(y != 0, uniform < 1 - p):
            raise Hint(
                "As many are dropped as should be, but not by `uniform`: an output is dropped "
                "where its number there is below p."
            )
        if not close(y[y != 0], x[y != 0]):
            raise Hint(
                "In training the outputs that stay are scaled: the paper leaves them as they are "
                "(to divide by 1 - p is the inverted form, which came later)."
            )
        test = result_of(learner, x, p, uniform, False, shape=x.shape)
        if not test.all():
            raise Hint("At test nothing is dropped: is `training` looked at?")
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
    rng = generator(1)
    w, v, grad = rng.standard_normal((3, 6))
    lr, momentum, decay = 0.2, 0.8, 0.25
    got = result_of(learner, w, v, grad, lr, momentum, decay)
    if not isinstance(got, tuple) or len(got) != 2:
        raise Hint("It returns one thing, expected two: the new w and the new v.")
    new = momentum * v - decay * lr * w - lr * grad
    if close(got[0], new) and close(got[1], w + new):
        raise Hint("Both are right, but exchanged: first w, then v.")
    wrong = {
        "That is PyTorch's rule: the paper has the rate inside the velocity.": (
            momentum * v + decay * w + grad
        ),
        "The decay is twice the paper's: does your loss hold w^2, and not w^2 / 2?": (
            momentum * v - 2 * decay * lr * w - lr * grad
        ),
        "The decay lacks the learning rate: the paper multiplies it by both.": (
            momentum * v - decay * w - lr * grad
        ),
        "The velocity points uphill: both the decay and the gradient are subtracted.": (
            momentum * v + decay * lr * w + lr * grad
        ),
        "The gradient is added to the velocity, which then points uphill: it is subtracted.": (
            momentum * v - decay * lr * w + lr * grad
        ),
        "The decay is added to the velocity, and w grows by it: it is subtracted.": (
            momentum * v + decay * lr * w - lr * grad
        ),
        "The 0.9 of the formula is `momentum` here, another number in this call.": (
            0.9 * v - decay * lr * w - lr * grad
        ),
        "The 0.0005 of the formula is `decay` here, another number in this call.": (
            momentum * v - 0.0005 * lr * w - lr * grad
        ),
        "0.9 and 0.0005 are `momentum` and `decay` here, which are other numbers in this call.": (
            0.9 * v - 0.0005 * lr * w - lr * grad
        ),
    }
    for hint, slip in wrong.items():
        if close(got[1], slip):
            raise Hint(hint)
    if not close(got[1], new):
        raise Hint("The new v is not momentum * v - decay * lr * w - lr * grad.")
    if close(got[0], w + v):
        raise Hint("w moves by the old velocity: the new one is added.")
    if not close(got[0], w + new):
        raise Hint("v is right, w is not: the new velocity is added to it.")


@exercise
def noise_sizes(learner: Function) -> None:
    """noise_sizes(pixels, scale) -> (3,), largest first."""
    rng = generator(2)
    mixed = np.array([[50.0, 8.0, 2.0], [45.0, -3.0, -4.0], [40.0, -5.0, 3.0]])
    close_to_grey = rng.standard_normal((500, 3)) @ mixed.T + 120
    apart = rng.standard_normal((500, 3)) * [5, 17, 40] + 120  # whose axes eig finds in this order
    for pixels in (close_to_grey, apart):
        for scale, root in (("eigenvalue", 1.0), ("deviation", 0.5)):
            got = result_of(learner, pixels, scale, shape=(3,))
            expected = _sizes(np.cov(pixels.T)) ** root
            if close(got, expected, 5e-3):  # divided by N or by N - 1
                continue
            if close(np.sort(got), np.sort(expected), 5e-3):
                raise Hint("The numbers are right, the order is not: largest first.")
            for how, hint in _WRONG_SIZES:  # in any order
                if close(np.sort(got), np.sort(how(pixels, root)), 5e-3):
                    raise Hint(hint)
            raise Hint(f'For "{scale}" the sizes are not those of the covariance of the colours.')


def _sizes(matrix: np.ndarray) -> np.ndarray:
    """The eigenvalues, largest first."""
    return np.linalg.eigvalsh(matrix)[::-1]


# What a slip gives for pixels; root: 1 where eigenvalues are asked for, 1/2 for deviations.
_WRONG_SIZES: tuple[tuple[Callable[[np.ndarray, float], np.ndarray], str], ...] = (
    (
        lambda pixels, root: _sizes(np.cov(pixels.T)) ** (1.5 - root),
        "Eigenvalue and deviation are exchanged: the eigenvalue of a covariance is a variance, the "
        "deviation is its root.",
    ),
    (
        lambda pixels, root: 0.1 * _sizes(np.cov(pixels.T)) ** root,
        "This is for alpha = 0.1, its deviation in the paper; asked is what alpha = 1 would add.",
    ),
    (
        lambda pixels, root: _sizes(np.cov(pixels.T) * len(pixels)) ** root,
        "The sum over the pixels is not divided by their number.",
    ),
    (
        lambda pixels, root: _sizes(np.cov(pixels.T / 255)) ** root,
        "These are for pixels from 0 to 1: leave their unit as it is.",
    ),
    (
        lambda pixels, root: _sizes(np.corrcoef(pixels.T)) ** root,
        "These are of the correlation, in which each colour is divided by its own deviation.",
    ),
    (
        lambda pixels, root: _sizes(pixels.T @ pixels / len(pixels)) ** root,
        "The mean colour is still in: a covariance is about the mean.",
    ),
    (
        lambda pixels, root: np.sort(pixels.var(axis=0))[::-1] ** root,
        "These are of red, green and blue each for itself, the diagonal of the covariance. What "
        "the colours share stands beside it: the sizes are along the axes of the whole matrix.",
    ),
)
