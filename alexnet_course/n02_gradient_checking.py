"""Checks of notebook 02, gradient checking."""

from __future__ import annotations

from typing import Any

import numpy as np

from .checks import Function, Hint, close, exercise, result_of
from .mutants import MUTANTS, NEAR_A_KINK, RIGHT, STEP, Mutant


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
        x = np.random.default_rng(5).uniform(0.5, 1.5, shape)
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
    rng = np.random.default_rng(6)
    for name in ("LRN, alpha = 1", "softmax"):
        forward, _, x = RIGHT[name]
        v = rng.uniform(-1, 1, x.shape)
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


_HINTS = {
    "sample": "Does every element of dx count? A fault may sit in one corner of the array; and in "
    "a plain sum of errors, or a difference of sizes, errors cancel.",
    "absolute": "A dx that is twice too large passes. Where a gradient is 1e-10, any is within a "
    "tolerance of 1e-8: the tolerance must be relative to the size of the gradient. (A cosine does "
    "not see sizes at all.)",
    "loose": "With alpha = 1e-4, LRN's second term is small: does your tolerance see it? How fine "
    "can it be, given the error of your slope? (Along one direction, an error may also cancel.)",
    "size": "dx with the wrong sign passes: do you compare sizes only, abs(left) with abs(right)?",
}


class _Watch:
    """What a learner's checker gives to the operations it is run on."""

    def __init__(self, learner: Function) -> None:
        self._learner = learner
        self.grads: list[np.ndarray] = []
        self.steps: list[np.ndarray] = []  # how x was moved
        self.covered = True  # whether each element of each x was moved
        self.real = False  # whether some step was a real one
        self.outputs = True  # whether each grad was the operation's own output

    def accepts(self, operation: Any) -> bool:
        """What the checker says about an operation."""
        x, y = operation.x.copy(), operation.forward(operation.x)
        moved: set[int] = set()

        def forward(point: Any) -> Any:
            step = np.imag(point) if np.iscomplexobj(point) else point - x
            if np.shape(step) == x.shape and np.any(step):
                self.steps.append(step / abs(step).max())
                moved.update(np.flatnonzero(step).tolist())
                self.real |= bool(np.any(np.real(point) != x))
            return operation.forward(point)

        def backward(grad: Any, point: Any) -> Any:
            if np.shape(grad) != y.shape:
                raise Hint(
                    f"backward(grad, x): your first argument has shape {np.shape(grad)}, and "
                    f"forward(x) has {y.shape}. grad comes first, and has the shape of forward(x)."
                )
            self.grads.append(np.array(grad, float))
            self.outputs &= close(grad, y)
            return operation.backward(grad, point)

        got = result_of(self._learner, forward, backward, operation.x)
        if np.size(got) != 1:
            raise Hint(f"It returns an array of shape {np.shape(got)}: expected True or False.")
        self.covered &= len(moved) == x.size or not got  # it may refuse at the first error
        return bool(got)

    def blindness(self) -> None:
        """Raise a hint if its gradients or its steps cannot see some mistakes."""
        if self.grads and all(np.ptp(g) == 0 for g in self.grads):
            raise Hint(
                "Your upstream gradient is all ones, or the same everywhere. That is blind to what "
                "adds up to 0 and to what happens to grad: draw it at random."
            )
        if len({bool(g > 0) for grad in self.grads for g in grad.flat if g != 0}) == 1:
            raise Hint("Your upstream gradient has one sign only: draw it with both signs.")
        if self.grads and self.outputs:
            raise Hint("Your grad is forward(x): it must not depend on that, draw it at random.")
        if not self.covered:
            raise Hint(
                "Your steps leave elements of x where they are: move every element, a fault may "
                "sit in any of them."
            )
        if all(np.ptp(step) < 1e-3 for step in self.steps):
            raise Hint(
                "Your direction v is all ones, or the same everywhere. A softmax does not change "
                "along it, and nothing can be compared with 0: draw it at random."
            )
        if all(np.ptp(abs(a)) < 1e-3 for a in self.grads + self.steps):
            raise Hint(
                "With only +1 and -1 in grad and v, sums cancel by chance: draw real numbers, "
                "rng.uniform(-1, 1, shape)."
            )

    def by_element(self) -> bool:
        """Whether it moves one element at a time."""
        return all(np.count_nonzero(step) == 1 for step in self.steps)


def _forgets_abs(learner: Function) -> bool:
    """Whether a checker accepts a dx that is far too large, or far too small. Along a random
    direction that is half of the time; with a loose tolerance it is by chance, and seldom."""
    forward, backward, x = RIGHT["linear"]
    far = np.random.default_rng(7).uniform(50, 150, x.shape)
    wrong = [lambda g, x: backward(g, x) + far, lambda g, x: backward(g, x) - far]
    return sum(bool(learner(forward, w, x)) for w in 32 * wrong) >= 16


@exercise
def agrees(learner: Function) -> None:
    """agrees(forward, backward, x) -> whether backward is the derivative of forward."""
    watch, near = _Watch(learner), _Watch(learner)
    refused = [name for name, operation in RIGHT.items() if not watch.accepts(operation)]
    survivors = [mutant for mutant in MUTANTS if watch.accepts(mutant)]
    if len(refused) == len(RIGHT) and len(survivors) > len(MUTANTS) / 2:
        raise Hint(
            "It refuses the right operations and accepts mutants: is your comparison turned round? "
            "True is for a backward that fits."
        )
    if len(refused) == len(RIGHT):
        raise Hint(
            "It refuses every operation, also the right ones. The two sides are (grad * slope)."
            "sum() and (dx * v).sum(), or, element by element, the gradient of the sum of grad * "
            "forward(x) and dx. Print both for the ReLU above: if they differ in the last digits "
            "only, your tolerance is too fine; if in the first ones, look at your step (a real one "
            "must be neither too large nor too small)."
        )
    if len(survivors) == len(MUTANTS):
        raise Hint("It lets everything pass: does the result depend on backward's dx?")
    near_passes = near.accepts(NEAR_A_KINK)
    if refused or survivors or not near_passes:
        watch.blindness()
    if refused == ["softmax, nearly sure"] and watch.by_element():
        raise Hint(
            "It refuses a right softmax, some of whose slopes are 1e-13, which is less than the "
            "error of a measurement. Do you compare each element with itself? Compare with the "
            "largest."
        )
    if refused or not (near_passes or near.real):
        raise Hint(
            f"It refuses right ones: {', '.join(refused or ['ReLU'])}. Is your tolerance finer "
            "than your slope is exact? (Central differences in float64 reach some 1e-10, the "
            "complex step 1e-15.) And is it relative to the size of the whole gradient, a positive "
            "number?"
        )
    if not near_passes:
        raise Hint(
            "It refuses a right ReLU with a pixel at 0.00002: your step jumps over the kink. "
            "Take a smaller one, or one that does not move."
        )
    if survivors and _forgets_abs(learner):
        raise Hint(
            "It accepts a dx that is far too large, or one that is far too small: an error may "
            "have either sign. Do you need abs(left - right)?"
        )
    if survivors:
        raise Hint(_about(survivors))


def _about(survivors: list[Mutant]) -> str:
    """Which mutants a checker lets live, and the likeliest reason."""
    alive = {m.blind for m in survivors}
    all_of = {m.blind for m in MUTANTS} - {m.blind for m in MUTANTS if m not in survivors}
    reason = (
        "size" if "size" in alive
        else "sample" if "sample" in alive and "loose" not in all_of
        else next((b for b in ("absolute", "loose") if b in alive), "sample")
    )  # fmt: skip
    names = "; ".join(m.name for m in survivors[:3])
    more = f"; and {len(survivors) - 3} more" if len(survivors) > 3 else ""
    survive = "survives" if len(survivors) == 1 else "survive"
    return f"{len(survivors)} of {len(MUTANTS)} mutants {survive} ({names}{more}). {_HINTS[reason]}"
