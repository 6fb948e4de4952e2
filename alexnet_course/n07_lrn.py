"""Checks of notebook 07, local response normalisation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np

from minigrad.kernels.lrn import lrn_backward, lrn_forward

from .checks import Function, Hint, close, exercise, generator, result_of
from .questions import Choice, Number

# Channels, window, k, alpha, beta: alphas at which the sum counts as much as k. The first has the
# paper's window, k and beta, so that who writes these numbers down fails at the second.
_CASES = ((7, 5, 2.0, 0.1, 0.75), (9, 3, 1.0, 0.5, 0.6))
_PAPER = {"n": 5, "k": 2.0, "alpha": 1e-4, "beta": 0.75}
_FIXED = "You compute with numbers of your own: n, alpha, beta (and k, in y) are arguments."
_WHOLE = "It returns whole numbers: make an array of floats to write into, like x."


def _pixel(seed: int, channels: int) -> np.ndarray:
    """The channels at one pixel, signed, none of them near 0."""
    rng = generator(seed)
    return np.asarray(rng.choice((-1.0, 1.0), channels) * rng.uniform(1.0, 4.0, channels))


def _sums(values: np.ndarray, before: int, after: int) -> np.ndarray:
    """values[i - before] + ... + values[i + after], as far as they are there."""
    length = len(values)
    return np.array(
        [values[max(0, i - before) : min(length, i + after + 1)].sum() for i in range(length)]
    )


def _wrong_windows(values: np.ndarray, n: int) -> Iterator[tuple[np.ndarray, str]]:
    """Sums over windows that are not the window, and what is wrong with each."""
    half, zeros = n // 2, np.zeros(len(values))
    window = _sums(values, half, half)
    without_last = values.copy()
    without_last[-1] = 0
    for before, after, kept in itertools.product(
        (half, half + 1), (half - 1, half), (values, without_last)
    ):
        if before > half:
            yield (
                _sums(kept, before, after),
                f"Your window begins one channel too early: -n // 2 is {-n // 2} for n = {n}, "
                f"-(n // 2) is {-half}.",
            )
        elif after < half or kept is without_last:
            yield (
                _sums(kept, before, after),
                "Your sum ends one channel too early: range(a, b) stops before b.",
            )
    for side in (half + 1, n):
        yield _sums(values, side, side), "Your window is too wide: n in all, n // 2 on each side."
    for before, after in ((0, n - 1), (n - 1, 0)):
        yield (
            _sums(values, before, after),
            "Your window begins or ends at channel i: i is in its middle, n // 2 are on each side.",
        )
    yield zeros + values.sum(), "Your sum runs over all channels: only those of the window count."
    yield values, "Your sum has only channel i itself: add those of its whole window."
    yield window - values, "Your sum leaves out channel i itself: it stands in its own window."
    yield np.cumsum(window), "Your sum grows from channel to channel: begin at 0 for each i."
    wrapped = sum((np.roll(values, shift) for shift in range(-half, half + 1)), zeros)
    yield (
        wrapped,
        "The first and last channels see each other: a negative index counts from the end in "
        "Python. Stop the window at channel 0 and at channel C - 1.",
    )


def _with_papers_numbers(
    compute: Callable[..., np.ndarray], **given: float
) -> Iterator[tuple[np.ndarray, str]]:
    """What comes out where some of the arguments are ignored for the paper's numbers."""
    names = [name for name, value in given.items() if value != _PAPER[name]]
    for count in range(1, len(names) + 1):
        for chosen in itertools.combinations(names, count):
            yield compute(**{**given, **{name: _PAPER[name] for name in chosen}}), _FIXED


@exercise
def normalise(learner: Function) -> None:
    """normalise(x, n, k, alpha, beta) -> (y, s), for the channels x (C,) at one pixel."""
    for seed, (channels, n, k, alpha, beta) in enumerate(_CASES):
        x = _pixel(seed, channels)
        y, s = _forward(x, n, k, alpha, beta)
        got = result_of(learner, x, n, k, alpha, beta)
        if not isinstance(got, tuple | list | np.ndarray) or len(got) != 2:
            raise Hint("Two things are expected: return y, s.")
        for name, value in zip("ys", got, strict=True):
            if np.shape(value) != x.shape:
                raise Hint(f"{name} has shape {np.shape(value)}, expected {x.shape}, as x.")
            if np.asarray(value).dtype.kind in "iu":
                raise Hint(_WHOLE)
        if close(got[0], s) and close(got[1], y):
            raise Hint("y and s are swapped: return y first.")
        _check_s(np.asarray(got[1]), x, s, n, k, alpha, beta)
        for value, words in (
            (x / s, "s is right, and y is x / s: where is the power beta?"),
            (
                x * s**beta,
                "s is right, but loud neighbours make y larger: divide by the power of s.",
            ),
            (1 / s**beta, "s is right, and y lacks x: it stands above the line."),
            (x / s ** _PAPER["beta"], _FIXED),
        ):
            if close(got[0], value) and not close(got[0], y):
                raise Hint(words)
        if np.isnan(got[0]).any():
            raise Hint(
                "s is right, and y has NaN where x is negative: the power belongs to s alone. Are "
                "there brackets around x / s?"
            )
        if not close(got[0], y):
            raise Hint("s is right and y is not: y = x / s ** beta, channel by channel.")


def _forward(
    x: np.ndarray, n: int, k: float, alpha: float, beta: float
) -> tuple[np.ndarray, np.ndarray]:
    y, s = lrn_forward(x[None, :, None, None], n, k, alpha, beta)
    assert s is not None
    return y.reshape(-1), s.reshape(-1)


def _check_s(
    got: np.ndarray, x: np.ndarray, s: np.ndarray, n: int, k: float, alpha: float, beta: float
) -> None:
    if close(got, s):
        return
    square, half = x * x, n // 2
    total, counts = _sums(square, half, half), _sums(np.ones(len(x)), half, half)
    mean = (
        "Your sum is divided by the number of channels. That is what PyTorch and Caffe mean by "
        "alpha; the paper's alpha multiplies the plain sum."
    )
    cut = (
        "You take the mean of the window, so at the ends the sum is divided by fewer channels. The "
        "paper's alpha multiplies the plain sum. (PyTorch and Caffe divide it, by n at the ends, "
        "too.)"
    )
    wrong = [
        (k + alpha / n * total, mean),
        (k + alpha / counts * total, cut),
        (total, "s is the plain sum: where are k and alpha?"),
        (k + total, "s lacks alpha, the factor of the sum."),
        (alpha * total, "s lacks the constant k."),
        ((k + alpha) * total, "The sum is multiplied by k, too: are there brackets too many?"),
        (k + alpha**2 * total, "alpha is squared, too: it multiplies the sum of squares."),
        (k * counts + alpha * total, "s has k once for each channel: add it once, after the sum."),
        (s**beta, "s is k + alpha * sum, before the power: the power belongs to y."),
        (
            k + alpha * _sums(x, half, half),
            "Your sum adds the channels themselves: the formula adds their squares.",
        ),
        (
            k + alpha * _sums(abs(x), half, half),
            "Your sum adds the sizes |x|: the formula adds the squares.",
        ),
        (
            k + alpha * _sums(x, half, half) ** 2,
            "You square the sum: square each channel first, then add.",
        ),
        *_with_papers_numbers(
            lambda n, k, alpha: k + alpha * _sums(square, n // 2, n // 2), n=n, k=k, alpha=alpha
        ),
        *((k + alpha * sums, words) for sums, words in _wrong_windows(square, n)),
    ]
    for value, words in wrong:
        if close(got, value):
            raise Hint(words)
    if close(got[half:-half], s[half:-half]):
        raise Hint(
            "s is right in the middle and wrong at the ends: there the window has fewer channels, "
            "and the sum has only those that are there."
        )
    raise Hint(
        "s is not k + alpha * (sum of squares over the window). Try x = 0 with a single 2 in the "
        "middle: s must be k + 4 * alpha there and at n // 2 channels on each side, else k."
    )


@exercise
def turning_point(learner: Function) -> None:
    """turning_point(n, k, alpha, beta) -> the rms beyond which a louder pixel comes out quieter."""
    for n, k, alpha, beta in ((5, 6.0, 1e-4, 0.75), (3, 1.0, 0.02, 0.9)):
        expected = math.sqrt(k / (alpha * n * (2 * beta - 1)))
        bites = math.sqrt(k / (alpha * n))
        got = result_of(learner, n, k, alpha, beta)
        if np.ndim(got) > 0:
            raise Hint(f"It returns an array of shape {np.shape(got)}, expected one number.")
        if np.iscomplexobj(got) or np.isnan(got):
            if close(result_of(learner, n, k, alpha, 2.0), math.sqrt(k / (alpha * n))):
                raise Hint(
                    "It takes the square root of a negative number, beta - 1. Is the 2 there that "
                    "comes from the derivative of r ** 2?"
                )
            raise Hint(
                "It takes the square root of a negative number: beta is more than 1/2, so which "
                "sign does 1 - 2 beta have?"
            )
        if close(got, expected):
            continue
        wrong = (
            (
                bites,
                "That is where the sum equals k. The turning point is where the derivative of y by "
                "r is 0: it depends on beta.",
            ),
            (
                bites * math.sqrt(2),
                "That is right for beta 0.75 alone: solve for r with beta as a letter.",
            ),
            (expected / math.sqrt(k), "k is missing: it stays beside the terms with r ** 2."),
            (expected**2, "That is the square of the turning point: solve for r."),
            (
                bites * math.sqrt(2 * beta - 1),
                "2 beta - 1 is on the wrong side: it is a factor of r ** 2.",
            ),
            (-expected, "r is an rms, which is not negative: take the other root."),
            (
                expected * math.sqrt(n),
                "That is for one channel alone: all n channels of the window are at r.",
            ),
            (
                bites / math.sqrt(2 * beta),
                "r stands above the line, too, so y = r * s ** -beta is a product: does your "
                "derivative have both terms?",
            ),
        )
        for value, words in wrong:
            if close(got, value):
                raise Hint(words)
        if close(got, expected, tolerance=0.01):
            raise Hint("Close, but a formula is expected: set the derivative to 0, solve for r.")
        raise Hint(
            f"For n {n}, k {k:g}, alpha {alpha:g}, beta {beta:g} it gives {float(got):.4g}. Move "
            "r a little to both sides: y should get smaller on both, and it does not."
        )


@exercise
def normalise_backward(learner: Function) -> None:
    """normalise_backward(grad, x, s, n, alpha, beta) -> dx (C,)."""
    for seed, (channels, n, k, alpha, beta) in enumerate(_CASES):
        x = _pixel(seed + 10, channels)
        grad = generator(seed).standard_normal(channels)
        _, s = _forward(x, n, k, alpha, beta)
        got = np.asarray(result_of(learner, grad, x, s, n, alpha, beta, shape=x.shape))
        if got.dtype.kind in "iu":
            raise Hint(_WHOLE)
        if close(got, _backward(grad, x, s, n, alpha, beta)):
            continue
        words = _why_backward(got, grad, x, s, n, alpha, beta)
        raise Hint(words or _which_part(learner, grad, x, s, n, alpha, beta))


def _backward(
    grad: np.ndarray, x: np.ndarray, s: np.ndarray, n: int, alpha: float, beta: float
) -> np.ndarray:
    g, a, scale = (v[None, :, None, None] for v in (grad, x, s))
    return np.asarray(lrn_backward(g, a, scale, n, alpha, beta)).reshape(-1)


def _why_backward(
    got: np.ndarray,
    grad: np.ndarray,
    x: np.ndarray,
    s: np.ndarray,
    n: int,
    alpha: float,
    beta: float,
) -> str | None:
    half = n // 2
    own = grad * s**-beta
    factor = 2 * alpha * beta
    ratio = grad * x * s ** (-beta - 1)
    neighbours = x * _sums(ratio, half, half)

    def whole(n: int, alpha: float, beta: float) -> np.ndarray:
        part = grad * x * s ** (-beta - 1)
        total = _sums(part, n // 2, n // 2)
        return np.asarray(grad * s**-beta - 2 * alpha * beta * x * total)

    wrong = [
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
            own - factor / n * neighbours,
            "The second term is divided by n: s_j has alpha itself, not alpha / n.",
        ),
        (
            own - factor / beta * neighbours,
            "The second term lacks beta: the derivative of s ** -beta has it as a factor.",
        ),
        (
            own - factor * _sums(ratio, half, half),
            "The second term lacks x_i, in front of the sum: it comes from ds_j/dx_i.",
        ),
        (
            own - factor * x * _sums(ratio / x, half, half),
            "The sum lacks x_j: it stands above the line in y_j.",
        ),
        (
            own - factor * x * _sums(ratio / grad, half, half),
            "The sum lacks grad: L depends on each y_j by its own g_j.",
        ),
        *(
            (
                own - factor * x * _sums(grad * x * s**power, half, half),
                "Look at the power of s in the sum: a derivative lowers -beta by one.",
            )
            for power in (-beta, 1 - beta, beta - 1, beta, beta + 1)
        ),
        (
            own - factor * ratio * _sums(x, half, half),
            "Your grad and s are those of channel i. That is how y_i depends on its neighbours; "
            "dx_i asks how the neighbours' y depend on x_i, so they are those of j.",
        ),
        *(
            (own - factor * second, words)
            for second, words in _wrong_letters(grad, x, s ** (-beta - 1), half)
        ),
        *_with_papers_numbers(whole, n=n, alpha=alpha, beta=beta),
        *((own - factor * x * sums, words) for sums, words in _wrong_windows(ratio, n)),
    ]
    for value, words in wrong:
        if close(got, value):
            return words
    dx = own - factor * neighbours
    if close(got[half:-half], dx[half:-half]):
        return "dx is right in the middle and wrong at the ends: which windows are there?"
    return None


def _wrong_letters(
    grad: np.ndarray, x: np.ndarray, power: np.ndarray, half: int
) -> Iterator[tuple[np.ndarray, str]]:
    """The sum over j with some of grad, s and the two x taken at the wrong one of i and j."""
    for grad_at_i, s_at_i, x_at_i in itertools.product((False, True), (False, True), (1, 0, 2)):
        words = [
            *["grad belongs to j"] * grad_at_i,
            *["s belongs to j (each neighbour has its own s_j)"] * s_at_i,
            *["one x is x_i (in front of the sum) and one is x_j"] * (x_at_i != 1),
        ]
        if words:
            outside, inside = x**x_at_i, x ** (2 - x_at_i)
            outside = outside * (grad if grad_at_i else 1) * (power if s_at_i else 1)
            inside = inside * (1 if grad_at_i else grad) * (1 if s_at_i else power)
            yield (
                outside * _sums(inside, half, half),
                f"Look at the letters in the sum over j: {'; '.join(words)}.",
            )


def _which_part(
    learner: Function,
    grad: np.ndarray,
    x: np.ndarray,
    s: np.ndarray,
    n: int,
    alpha: float,
    beta: float,
) -> str:
    """Which part of the formula is wrong, found with an alpha of 0 and a window of one channel."""

    def right(n: int, alpha: float) -> bool:
        got = result_of(learner, grad, x, s, n, alpha, beta, shape=x.shape)
        return close(got, _backward(grad, x, s, n, alpha, beta))

    if not right(n, 0.0):
        return (
            "Look at the first term: at alpha = 0 dx must be grad * s ** -beta, and it is not. Is "
            "it there, once for each channel?"
        )
    if not right(1, alpha):
        return (
            "The first term is right. The second is wrong even for a window of one channel (n = 1: "
            "only j = i): look at its factors and powers, and whether your window has more than n "
            "channels."
        )
    return (
        "Both terms are right for a window of one channel (n = 1), and wrong for a larger one: "
        "which channels does your sum add, and is each letter i or j?"
    )


alpha_for_tensorflow = Number(
    "alpha_for_tensorflow",
    2e-5,
    "PyTorch multiplies the sum by alpha / 5, TensorFlow by alpha itself.",
    typical={
        1e-4: "That is the same number, but PyTorch divides it by the size of the window and "
        "TensorFlow does not.",
        5e-4: "That is the other way round, from TensorFlow's alpha to PyTorch's.",
        5e-5: "depth_radius is half of the window, but what PyTorch divides by is the size, 5.",
        4e-6: "Divided twice: what does TensorFlow multiply the sum by?",
        1e-4 / 11: "11 channels are TensorFlow's default window; here depth_radius is 2.",
    },
    small="PyTorch multiplies the sum by 1e-4 / 5. TensorFlow must multiply it by as much.",
    large="PyTorch multiplies the sum by 1e-4 / 5. TensorFlow must multiply it by as much.",
)

twice_as_loud = Choice(
    "twice_as_loud",
    "d",
    "At 100 the sum is above k already, and the divisor grows by more than 2: y falls from 23.2 to "
    "19.7.",
    prediction=True,
    wrong={
        "a": "It would, if s were the constant k. But at 100 the sum, 5 alpha r^2 = 5, is above "
        "k = 2.",
        "b": "So it is up to a certain loudness. But the divisor, s^0.75, grows like r^1.5 in the "
        "end: faster than r.",
        "c": "It would for beta = 1/2 and a large r: then y no longer depends on r.",
    },
)
