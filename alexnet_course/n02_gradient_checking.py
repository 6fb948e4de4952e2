"""Checks of notebook 02, gradient checking."""

from __future__ import annotations

from typing import Any

import numpy as np

from .checks import Function, Hint, close, exercise, generator, result_of
from .mutants import RIGHT, STEP
from .questions import Choice, Number

best_step = Number(
    "best_step",
    1e-5,
    "Below it the rounding of f, divided by h, takes over, above it the series; they meet near the "
    "third root of the rounding, (1e-16)^(1/3).",
    typical={
        2**-52: "That is the spacing of the numbers near 1: x + h and x - h hardly differ there.",
        1e-16: "That is the rounding itself: x + h is x there, and the slope comes out as 0.",
        **dict.fromkeys(range(-16, 0), "That is an exponent: write the step itself, as in 1e-3."),
        1e-30: "x + h and x - h are the same number there, and the slope comes out as 0.",
        1e-8: "That is the best step of a one-sided difference, the square root of the rounding.",
    },
    small="Too small: the difference of two almost equal numbers is mostly rounding.",
    large="Too large: the error of the series, with h^2 in it, is still the larger one.",
    factor=10,
    prediction=True,
)

what_backward_is = Choice(
    "what_backward_is",
    "b",
    "grad has 3 numbers, one for each row of J, and the result 4, one for each column: a sum over "
    "the rows, which is what the transpose does.",
    wrong={
        "a": "J has 4 columns and grad only 3 numbers: the shapes do not fit. Which of the two has "
        "one entry for each output?",
        "c": "The 12 slopes are never built: for one ReLU of AlexNet they would fill 337 GB. Which "
        "product with J is enough?",
        "d": "That is grad, which backward is given. It returns the slopes along the inputs.",
    },
)


def _array(result: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A learner's result, if it is an array of float64 (or complex) numbers of this shape."""
    if np.shape(result) != shape:
        raise Hint(f"It returns an array of shape {np.shape(result)}, expected {shape}.")
    if not isinstance(result, np.ndarray):
        raise Hint("It returns a list or tuple: make an array of it.")
    if result.dtype not in (np.float64, np.complex128):
        raise Hint(f"It returns {result.dtype} numbers: keep float64, whose rounding is smallest.")
    return result


def _factor(got: np.ndarray, right: np.ndarray) -> float | None:
    """c, if `got` is c times `right`."""
    c = float(np.vdot(right, got).real / np.vdot(right, right).real)
    return c if c != 0 and close(got, c * right) else None


def _cubes(x: Any) -> Any:
    """A function whose central and one-sided differences are far from its derivative."""
    return (x**3).sum() + x.prod()


def _of_shape(shape: tuple[int, ...]) -> Function:
    """`_cubes`, for arrays of one shape."""

    def f(x: Any) -> Any:
        if np.shape(x) != shape:
            raise Hint(f"You call f with shape {np.shape(x)}: its argument has x's, {shape}.")
        return _cubes(x)

    return f


def _moved(x: np.ndarray, eps: float, ahead: float, behind: float, rows: bool = False) -> Any:
    """(f(x + ahead eps) - f(x + behind eps)) / ((ahead - behind) eps), element by element, or row
    by row."""
    slopes = np.zeros_like(x)
    for place in np.ndindex(*(x.shape[:1] if rows else x.shape)):
        step = np.zeros_like(x)
        step[place] = eps
        change = _cubes(x + ahead * step) - _cubes(x + behind * step)
        slopes[place] = change / ((ahead - behind) * eps)
    return slopes


@exercise
def numeric_gradient(learner: Function) -> None:
    """numeric_gradient(f, x, eps) -> the gradient of f, an array of x's shape."""
    for shape in ((3,), (2, 2)):
        x = generator(5).uniform(0.5, 1.5, shape)
        eps = 0.125
        right = _moved(x, eps, 1, -1)
        result = result_of(learner, _of_shape(shape), x, eps)
        if close(np.asarray(result), (_cubes(x + eps) - _cubes(x - eps)) / (2 * eps)):
            raise Hint(
                "All elements move at once: the slope of each needs two calls of f in which it "
                "alone moves."
            )
        if np.shape(result) in ((len(x),), shape):
            rows = _moved(x, eps, 1, -1, rows=True)
            by_row = close(np.asarray(result), rows if np.shape(result) == shape else rows[:, 0])
            if len(shape) > 1 and by_row:
                raise Hint(
                    "Whole rows move: x[i] is a row. Go through every element, for place in "
                    "np.ndindex(x.shape)."
                )
        got = _array(result, shape)
        if close(got, right, 1e-12):
            continue
        if not np.any(got):
            raise Hint(
                "It is 0: are the two arrays that you give to f one and the same? `p = x` makes "
                "no copy, x.copy() does."
            )
        for factor, words in {
            2: "Twice too large: x + eps and x - eps are how far apart?",
            0.5: "Half of what it should be: is the distance between your two points 2 eps?",
            -1: "The sign is turned round: f(x + eps) comes first.",
            eps: "You have the difference of f: divide it by the distance.",
            2 * eps: "You have the difference of f: divide it by the distance.",
            eps**2: "Mind the brackets: a / 2 * eps multiplies by eps.",
        }.items():
            if close(got, factor * right):
                raise Hint(words)
        if close(got, _moved(x, eps, 1, 0)) or close(got, _moved(x, eps, 0, -1)):
            raise Hint(
                "That is a one-sided difference, whose error shrinks like eps and not like "
                "eps^2: go eps to both sides of x."
            )
        if close(got, _moved(x, 1e-5, 1, -1), 1e-4):
            raise Hint(
                "That is nearer to the derivative than central differences with this eps are: do "
                "you use eps, and two points?"
            )
        if close(got, right, 1e-5):
            raise Hint("Right to some digits: are there float32 numbers on the way?")
        if close(got, right.T):
            raise Hint("Rows and columns of your result are interchanged.")
        if close(got.flat[0], right.flat[0]) and not np.any(got.flat[1:]):
            raise Hint("Only the first element has a slope: is `return` inside the loop?")
        if close(got.flat[:-1], right.flat[:-1]):
            raise Hint("All elements are right but the last one: does the loop end too early?")
        if close(got.flat[0], right.flat[0]):
            raise Hint(
                "The first element is right and later ones are not: has an element moved back "
                "before the next one moves?"
            )
        raise Hint(
            f"For f(x) = (x**3).sum() + x.prod() at x = {np.round(x, 2).tolist()} and eps = {eps} "
            f"the slopes should be {np.round(right, 2).tolist()}, yours are "
            f"{np.round(got, 2).tolist()}."
        )


@exercise
def complex_slope(learner: Function) -> None:
    """complex_slope(f, x, v) -> the slope of f(x) along v, an array of f(x)'s shape."""
    numbers = generator(6)
    for name in ("LRN, alpha = 1", "softmax"):
        forward, _, x = RIGHT[name]
        v = numbers.uniform(-1, 1, x.shape)
        right = forward(x + 1j * STEP * v).imag / STEP
        try:
            result = result_of(learner, forward, x, v, shape=right.shape)
        except TypeError as error:
            if "complex" not in str(error):
                raise
            raise Hint(
                "An array of real numbers cannot take complex ones (x += ..., x[...] = ...): make "
                "a new array, x + 1j * h * v."
            ) from error
        got = _array(result, right.shape)
        if close(got, right, 1e-13):
            continue
        if np.iscomplexobj(got):
            raise Hint("It returns complex numbers: the slope is in the imaginary part.")
        if close(got, right, 1e-3):
            raise Hint(
                "Right to some digits, but not to rounding. Nothing is subtracted here, so h can "
                "be as small as 1e-30: then h^2 is lost."
            )
        if not np.any(got):
            raise Hint(
                "It is 0 everywhere: is the step imaginary (1j), and does no array of real numbers "
                "swallow it?"
            )
        factor, ones = _factor(got, right), forward(x + 1j * STEP).imag / STEP
        if factor is not None and abs(factor) < 1e-6:
            if not close(got / factor, right, 1e-12):  # digits are lost where one subtracts
                raise Hint(
                    "That is a difference of real numbers, f(x + hv) - f(x): make the step "
                    "imaginary, x + 1j * h * v, and take the imaginary part of f there, divided by "
                    "h."
                )
            raise Hint("You have the imaginary part itself: divide it by h.")
        if factor is not None and factor < 0:
            raise Hint("The sign is turned round: the step is +ih.")
        if factor is not None:
            raise Hint(
                f"It is {factor:.3g} times what it should be. Divide by h alone: there is no "
                "second point (2h), and v keeps the length that it has."
            )
        if close(got, ones) or close(got, ones * v):
            raise Hint(
                "That is the slope along ones. Each element moves by its own share: v belongs into "
                "the step, x + ihv."
            )
        if close(got, v):
            raise Hint("That is v itself: f must see the step, f(x + ihv), not f(x) + ihv.")
        if np.max(np.abs(got)) > 1e6:
            raise Hint(
                "It is huge. The real part is f(x) itself; the slope is in the imaginary part."
            )
        raise Hint(f"For {name} it is not Im f(x + ihv) / h: what do you take, what divide by?")
