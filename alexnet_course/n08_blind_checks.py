"""Checks of notebook 08, blind checks."""

from __future__ import annotations

from typing import Any

import numpy as np

from .checks import Function, Hint, close, exercise, generator, result_of
from .mutants import MUTANTS, NEAR_A_KINK, RIGHT, TINY_DOUBLED, Mutant
from .questions import Choice, Number

pass_with_ones = Number(
    "pass_with_ones",
    5,
    "Ones see only the sums over the outputs (0 for a softmax), and neither the order nor the sign "
    "nor the absence of grad.",
    typical={
        4: "The ReLU that stops negative gradients never meets one: 1 is positive.",
        1: "The softmax is not the only one: what does a backward that forgets grad return, if "
        "grad is 1?",
        2: "The two softmaxes, yes; but a backward that forgets grad, or reverses its rows, gives "
        "the same result, too, if all of grad is 1.",
        3: "Of the three others, does any do with ones what the right backward would not?",
    },
    small="Each of them gives, for ones, what the right backward gives.",
    large="There are only five.",
    prediction=True,
)

how_to_see_it = Choice(
    "how_to_see_it",
    "b",
    "At alpha = 1 the second term is about as large as the first, and a fine tolerance costs "
    "nothing: the complex step measures to 1e-15.",
    wrong={
        "a": "Each of the hundred has the same second term, some 1e-4 of the first: none of them "
        "reaches the tolerance.",
        "c": "That makes it worse: float32 rounds to 6e-8, and slopes measured in it are good to "
        "four digits only. Which number makes the second term small?",
        "d": "The squares are positive already. Which number stands in front of their sum?",
    },
)

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

        try:
            got = result_of(self._learner, forward, backward, operation.x)
        except ValueError as error:
            if "with a sequence" in str(error):
                raise Hint(
                    "numeric_gradient wants a function with one number as its result, and forward "
                    f"returns an array, here of shape {y.shape}. Which number is made of it?"
                ) from None
            if "broadcast" in str(error):
                raise Hint(
                    f"{str(error).strip()}: here x, v and dx have shape {x.shape}; forward(x), its "
                    f"slope and grad have {y.shape}."
                ) from None
            raise
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
    far = generator(7).uniform(50, 150, x.shape)
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
    if watch.accepts(TINY_DOUBLED):
        raise Hint(
            "All fifteen are found, but where a gradient is 1e-14, a dx that is twice too large "
            "passes: your tolerance is absolute, or a part of it is. Relative to what should it be?"
        )


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
