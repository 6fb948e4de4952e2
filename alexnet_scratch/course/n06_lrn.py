"""Checks of notebook 06, local response normalisation."""

from __future__ import annotations

import math

import numpy as np

from minigrad.kernels.lrn import lrn_backward, lrn_forward

from .checks import Function, Hint, close, exercise, result_of

_BETA = 0.75
# Channels, window, k, alpha: alphas at which the sum counts as much as k.
_CASES = ((7, 5, 2.0, 0.1), (9, 3, 1.0, 0.5))


def _pixel(seed: int, channels: int) -> np.ndarray:
    """The channels at one pixel, signed, none of them near 0."""
    rng = np.random.default_rng(seed)
    return np.asarray(rng.choice((-1.0, 1.0), channels) * rng.uniform(1.0, 4.0, channels))


def _sums(values: np.ndarray, before: int, after: int) -> np.ndarray:
    """values[i - before] + ... + values[i + after], as far as they are there."""
    length = len(values)
    return np.array(
        [values[max(0, i - before) : min(length, i + after + 1)].sum() for i in range(length)]
    )


def _wrapped_sums(values: np.ndarray, half: int) -> np.ndarray:
    """The same where the last channel is the neighbour of the first."""
    return sum((np.roll(values, shift) for shift in range(-half, half + 1)), np.zeros(len(values)))


@exercise
def normalise(learner: Function) -> None:
    """normalise(x, n, k, alpha, beta) -> (y, s), for the channels x (C,) at one pixel."""
    for seed, (channels, n, k, alpha) in enumerate(_CASES):
        x = _pixel(seed, channels)
        y, s = _forward(x, n, k, alpha)
        got = result_of(learner, x, n, k, alpha, _BETA)
        if not isinstance(got, tuple) or len(got) != 2:
            raise Hint("It returns one thing, expected two: y and s.")
        for name, value in zip("ys", got, strict=True):
            if np.shape(value) != x.shape:
                raise Hint(f"{name} has shape {np.shape(value)}, expected {x.shape}, as x.")
        _check_s(got[1], x, s, n, k, alpha)
        if close(got[0], x / s):
            raise Hint("s is right, and y is x / s: where is the power beta?")
        if close(got[0], x * s**_BETA):
            raise Hint("s is right, but loud neighbours make y larger: divide by the power of s.")
        if not close(got[0], y):
            raise Hint("s is right and y is not: y = x / s ** beta, channel by channel.")


def _forward(x: np.ndarray, n: int, k: float, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    y, s = lrn_forward(x[None, :, None, None], n, k, alpha, _BETA)
    assert s is not None
    return y.reshape(-1), s.reshape(-1)


def _check_s(got: np.ndarray, x: np.ndarray, s: np.ndarray, n: int, k: float, alpha: float) -> None:
    if close(got, s):
        return
    square, half = x * x, n // 2
    wrong = (
        (
            k + alpha / n * _sums(square, half, half),
            "Your sum is divided by n. That is what PyTorch and Caffe mean by alpha; the paper's "
            "alpha multiplies the plain sum.",
        ),
        (alpha * _sums(square, half, half), "s lacks the constant k."),
        (s**_BETA, "s is k + alpha * sum, before the power: the power belongs to y."),
        (
            k + alpha * _sums(x, half, half),
            "Your sum adds the channels themselves: the formula adds their squares.",
        ),
        (
            k + alpha * (_sums(square, half, half) - square),
            "Your sum leaves out channel i itself: it stands in its own window.",
        ),
        (
            k + alpha * _sums(square, half, half - 1),
            "Your window ends one channel too early: range(a, b) stops before b.",
        ),
        (
            k + alpha * _sums(square, n, n),
            "Your window is too wide: n channels in all, so n // 2 on each side.",
        ),
        (
            k + alpha * _wrapped_sums(square, half),
            "The first and last channels see each other: a negative index counts from the end in "
            "Python. Stop the window at channel 0 and at channel C - 1.",
        ),
    )
    for value, words in wrong:
        if close(got, value):
            raise Hint(words)
    if close(got[half:-half], s[half:-half]):
        raise Hint(
            "s is right in the middle and wrong at the ends: there the window has fewer channels, "
            "and the sum has only those that are there."
        )
    raise Hint("s is not k + alpha * (sum of squares over the window): which channels does it add?")


@exercise
def turning_point(learner: Function) -> None:
    """turning_point(n, k, alpha, beta) -> the rms beyond which a louder pixel comes out quieter."""
    for n, k, alpha, beta in ((5, 2.0, 1e-4, 0.75), (3, 1.0, 0.02, 0.9)):
        expected = math.sqrt(k / (alpha * n * (2 * beta - 1)))
        got = result_of(learner, n, k, alpha, beta, shape=())
        if close(got, expected):
            continue
        wrong = (
            (
                math.sqrt(k / (alpha * n)),
                "That is where the sum equals k. The turning point is where the derivative of y by "
                "r is 0: it depends on beta.",
            ),
            (expected**2, "That is the square of the turning point: solve for r."),
            (
                expected * math.sqrt(n),
                "That is for one channel alone: all n channels of the window are at r.",
            ),
            (
                math.sqrt(k / (alpha * n * 2 * beta)),
                "r stands above the line, too, so y = r * s ** -beta is a product: does your "
                "derivative have both terms?",
            ),
        )
        for value, words in wrong:
            if close(got, value):
                raise Hint(words)
        raise Hint(
            f"For n {n}, k {k:g}, alpha {alpha:g}, beta {beta:g} it gives {float(got):.4g}. Move "
            "r a little to both sides: y should get smaller on both, and it does not."
        )


@exercise
def normalise_backward(learner: Function) -> None:
    """normalise_backward(grad, x, s, n, alpha, beta) -> dx (C,)."""
    for seed, (channels, n, k, alpha) in enumerate(_CASES):
        x = _pixel(seed + 10, channels)
        grad = np.random.default_rng(seed).standard_normal(channels)
        _, s = _forward(x, n, k, alpha)
        dx = _backward(grad, x, s, n, alpha)
        got = result_of(learner, grad, x, s, n, alpha, _BETA, shape=x.shape)
        if not close(got, dx):
            raise Hint(_why_backward(got, grad, x, s, n, alpha))


def _backward(grad: np.ndarray, x: np.ndarray, s: np.ndarray, n: int, alpha: float) -> np.ndarray:
    g, a, scale = (v[None, :, None, None] for v in (grad, x, s))
    return np.asarray(lrn_backward(g, a, scale, n, alpha, _BETA)).reshape(-1)


def _why_backward(
    got: np.ndarray, grad: np.ndarray, x: np.ndarray, s: np.ndarray, n: int, alpha: float
) -> str:
    half = n // 2
    own = grad * s**-_BETA
    factor = 2 * alpha * _BETA
    ratio = grad * x * s ** (-_BETA - 1)
    neighbours = x * _sums(ratio, half, half)
    wrong = (
        (
            own,
            "Only the first term is there: x_i also stands in the s of every channel whose window "
            "holds it.",
        ),
        (own + factor * neighbours, "The second term has the wrong sign: a larger s_j lowers y_j."),
        (
            own - factor / 2 * neighbours,
            "The second term is half of what it should be: the derivative of a square is 2 x.",
        ),
        (
            own - factor / alpha * neighbours,
            "The second term lacks alpha: s_j = k + alpha * sum, so ds_j/dx_i has it.",
        ),
        (
            own - factor / _BETA * neighbours,
            "The second term lacks beta: the derivative of s ** -beta has it as a factor.",
        ),
        (
            own - factor * x * ratio,
            "Each channel is right by itself and knows nothing of its neighbours: your second term "
            "has only j = i. Sum over the window.",
        ),
        (
            own - factor * (neighbours - x * ratio),
            "Your sum leaves out j = i: x_i stands in its own s, too.",
        ),
        (
            own - factor * x * _sums(grad * x * s**-_BETA, half, half),
            "Look at the power of s in the sum: a derivative lowers -beta by one.",
        ),
        (
            own - factor * x * s ** (-_BETA - 1) * _sums(grad * x, half, half),
            "You take the s of channel i outside of the sum: each neighbour j has its own s_j.",
        ),
        (
            own - factor * ratio * _sums(x, half, half),
            "Your grad and s are those of channel i. That is how y_i depends on its neighbours; "
            "dx_i asks how the neighbours' y depend on x_i, so they are those of j.",
        ),
        (
            own - factor * x * _sums(ratio, half, half - 1),
            "Your sum ends one channel too early: range(a, b) stops before b.",
        ),
        (
            own - factor * x * _wrapped_sums(ratio, half),
            "The first and last channels see each other: a negative index counts from the end in "
            "Python. Stop the sum at channel 0 and at channel C - 1.",
        ),
    )
    for value, words in wrong:
        if close(got, value):
            return words
    dx = own - factor * neighbours
    if close(got[half:-half], dx[half:-half]):
        return "dx is right in the middle and wrong at the ends: which windows are there?"
    return (
        "dx is not the derivative. Set the second term to 0 and look whether you get "
        "grad * s ** -beta; then add the sum."
    )
