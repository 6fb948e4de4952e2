"""Checks of notebook 06, ReLU."""

from __future__ import annotations

import numpy as np

from minigrad.kernels.activation import relu_forward

from .checks import Function, Hint, close, exercise, generator, result_of
from .questions import Choice, Number

STEP = 1e-6  # of the finite differences


def _signal(seed: int, *shape: int) -> np.ndarray:
    """Random numbers that keep clear of the corner at 0."""
    x = generator(seed).standard_normal(shape)
    return x + 0.1 * np.sign(x)


def _slopes(forward: Function, x: np.ndarray) -> np.ndarray:
    """Central differences of a function that acts on each element by itself."""
    return np.asarray((forward(x + STEP) - forward(x - STEP)) / (2 * STEP))


@exercise
def relu_backward(learner: Function) -> None:
    """relu_backward(grad, y) -> dx, from the output of the ReLU."""
    x, grad = _signal(0, 4, 5), _signal(1, 4, 5)
    y = relu_forward(x)
    slope = _slopes(relu_forward, x)
    got = np.asarray(result_of(learner, grad, y, shape=x.shape))
    missing = "The gradient that came in is missing: the slope is multiplied by grad."
    wrong = (
        (slope, missing),
        (y, missing),
        (grad * y, "It multiplies by y. What is the slope where y > 0? Does it depend on y?"),
        (y * (grad > 0), "It is y where grad > 0: have the two arguments changed places?"),
        (
            relu_forward(grad),
            "It cuts the negative gradients. Which sign decides, that of grad or of y?",
        ),
        (
            relu_forward(grad) * slope,
            "Where y > 0 it also cuts the negative gradients: does the sign of grad matter?",
        ),
        (
            grad,
            "Every gradient passes, also where y is 0. Behind a ReLU nothing is below 0: is there "
            "a >= that should be >?",
        ),
    )
    for value, words in wrong:
        if close(got, value):
            raise Hint(words)
    if close(got, np.ones_like(grad)):
        raise Hint("It returns 1 everywhere: which gradients pass, and what came in?")
    if close(got, grad * (y <= 0)):
        raise Hint("It is the other way round: where y is 0 the gradient stops.")
    on = y > 0
    if close(got[on], grad[on]) and not close(got, grad * on):
        raise Hint("It is right where y > 0. Where y is 0 the slope is 0, at the corner, too.")
    if not close(got, grad * slope, 1e-5):
        raise Hint(
            "It differs from finite differences: the slope is 1 where y > 0 and 0 elsewhere."
        )


@exercise
def tanh_backward(learner: Function) -> None:
    """tanh_backward(grad, y) -> dx, from the output of tanh."""
    x, grad = _signal(2, 4, 5), _signal(3, 4, 5)
    y = np.tanh(x)
    slope = _slopes(np.tanh, x)
    got = np.asarray(result_of(learner, grad, y, shape=x.shape))
    if close(got, slope, 1e-5):
        raise Hint("The gradient that came in is missing: the slope is multiplied by grad.")
    if close(got, grad * (1 - np.tanh(y) ** 2)):
        raise Hint("It takes tanh once more, but y is already the output of tanh.")
    if close(got, grad * y * (1 - y)):
        raise Hint("That is the slope of the sigmoid: look at the table again.")
    if close(got, grad * (1 - y)):
        raise Hint(
            "For y > 0 the slope is too small, and for y < 0 it is above 1: tanh is symmetric, and "
            "so is its slope. Which power of y is it?"
        )
    if close(got, grad * (1 + y**2)):
        raise Hint("A slope above 1? tanh is nowhere steeper than at 0: which sign has y squared?")
    if close(got, grad * y**2) or close(got, grad * (y**2 - 1)):
        raise Hint("At y = 0 tanh is steepest, with the slope 1: put y = 0 into yours.")
    if close(got, grad - y**2) or close(got, 1 - y**2 * grad):
        raise Hint("Python multiplies before it subtracts: put brackets around the whole slope.")
    if close(got, grad * (1 - y) ** 2):
        raise Hint("The square belongs to y alone: (1 - y) ** 2 is something else.")
    if close(got, grad * np.sqrt(1 - y**2)):
        raise Hint("1 - y squared is the slope itself: no root is taken.")
    if close(got, grad / (1 - y**2)):
        raise Hint("It divides by the slope: backward multiplies by it.")
    if close(got, grad * (1 - grad**2)) or close(got, y * (1 - grad**2)):
        raise Hint("The slope is made of grad: have the two arguments changed places?")
    if close(got, -grad * slope, 1e-5):
        raise Hint("The sign is wrong: tanh rises everywhere, so its slope is positive.")
    if not close(got, grad * slope, 1e-5):
        raise Hint("It differs from finite differences: write the slope with y, and multiply.")


@exercise
def dead_maps(learner: Function) -> None:
    """dead_maps(y) -> (C,) bool, for the output y (N, C, H, W) of a ReLU."""
    y = relu_forward(_signal(4, 3, 5, 4, 6))
    y[:, 1] = 0  # dead
    y[1:, 2] += 0.1
    y[0, 2] = 0  # silent for one image, active everywhere for the others
    y[:, 3] = 0
    y[2, 3, 1, 4] = 1e-3  # alive by one small number
    dead = np.array([False, True, False, False, False])
    got = np.asarray(result_of(learner, y))
    if got.shape == (3, 5):
        raise Hint(
            "It answers for each image by itself, (N, C). A map is dead if it is 0 for all images."
        )
    if got.shape == ():
        raise Hint("It returns one answer, or a count: expected one for each map, (C,).")
    if got.shape != dead.shape:
        raise Hint(f"It returns an array of shape {got.shape}, expected {dead.shape}.")
    if np.array_equal(got, ~dead):
        raise Hint("It says the opposite: True is for the dead maps.")
    if got.dtype != bool:
        raise Hint(f"It returns {got.dtype}, expected bool: True where a map is dead.")
    if got.all():
        raise Hint(
            "It calls every map dead. All of these have a 0 somewhere, but one 0 does not make a "
            "map dead: `any` or `all`?"
        )
    if got[2]:
        raise Hint(
            "It calls a map dead that is silent for one image and active for others: which images "
            "does it look at, and must all of them be silent?"
        )
    if got[3]:
        raise Hint(
            "It calls a map dead that is above 0 at one place of one image. Is there a threshold, "
            "or a place that you do not look at?"
        )
    if not np.array_equal(got, dead):
        raise Hint("It misses a map that is 0 at all places of all images.")


@exercise
def prelu_backward(learner: Function) -> None:
    """prelu_backward(grad, x, weight) -> (dx, dweight)."""
    x, grad = _signal(5, 4, 4, 3, 4), _signal(6, 4, 4, 3, 4)
    weight = np.array([0.25, -0.5, 0.0, 2.0])
    slope = weight[:, None, None]
    dx = np.where(x > 0, grad, grad * slope)
    dweight = np.where(x > 0, 0, grad * x).sum(axis=(0, 2, 3))
    got = result_of(learner, grad, x, weight)
    if not isinstance(got, tuple) or len(got) != 2:
        raise Hint("It returns one thing, expected two: dx and dweight.")
    got_dx, got_dweight = map(np.asarray, got)
    if got_dx.shape == weight.shape and got_dweight.shape == x.shape:
        raise Hint("The two are swapped: return dx first.")
    if got_dx.shape != x.shape:
        raise Hint(f"dx has shape {got_dx.shape}, expected {x.shape}, that of x.")
    along_last = np.where(x > 0, grad, grad * weight)
    if close(got_dx, along_last):
        raise Hint(
            "dx takes the slope of another map: NumPy lines up weight (C,) with the last axis, and "
            "the maps are on axis 1. Which shape must weight have?"
        )
    if close(got_dx, np.where(x > 0, grad, 0)):
        raise Hint("dx is that of the plain ReLU: what passes where x <= 0?")
    if close(got_dx, np.where(np.where(x > 0, x, x * slope) > 0, grad, grad * slope)):
        raise Hint(
            "dx is right for slopes of 0 and more, and wrong for a negative one: does your test "
            "look at y? Ask x."
        )
    if close(got_dx, np.where(x > 0, 1, slope)):
        raise Hint("dx lacks grad: it holds the slopes alone.")
    if close(got_dx, np.where(x > 0, grad, slope)):
        raise Hint("dx lacks grad where x <= 0: the slope stands there alone.")
    if close(got_dx, np.where(x > 0, x, x * slope)):
        raise Hint("dx is y itself, the forward: backward multiplies grad by the slope.")
    if close(got_dx, np.where(grad > 0, grad, grad * slope)):
        raise Hint("In dx the sign of grad decides: is it grad or x that has two sides?")
    if close(got_dx, grad * slope):
        raise Hint("dx has the map's weight everywhere: what is the slope where x > 0?")
    if close(got_dx, np.where(x > 0, grad * slope, grad)):
        raise Hint("dx is the other way round: the map's weight is the slope where x <= 0.")
    if close(got_dx, np.where(x > 0, grad, grad * slope * x)):
        raise Hint("Where x <= 0, dx has x in it: y = a x, so what is dy/dx?")
    if not close(got_dx, dx):
        raise Hint("dx is wrong: where x > 0 the slope is 1, elsewhere it is the map's weight.")
    part = np.where(x > 0, 0, grad * x)
    if got_dweight.shape == ():
        raise Hint("dweight is one number, expected one for each map: which axes do you sum over?")
    if got_dweight.shape == part.shape:
        raise Hint("dx is right. dweight is not summed: one slope acts on all places of its map.")
    if got_dweight.shape != weight.shape:
        raise Hint(
            f"dx is right. dweight has shape {got_dweight.shape}, expected {weight.shape}: sum "
            "over all axes but that of the maps, the images too."
        )
    if close(got_dweight, (grad * x).sum(axis=(0, 2, 3))):
        raise Hint("dweight counts all places: where x > 0 the weight has no part in y.")
    if close(got_dweight, np.where(x > 0, grad * x, 0).sum(axis=(0, 2, 3))):
        raise Hint("dweight sums over x > 0: the weight acts where x <= 0.")
    if close(got_dweight, np.where(x > 0, 0, x).sum(axis=(0, 2, 3))):
        raise Hint("dweight lacks grad: by how much does L grow with y?")
    if close(got_dweight, part.mean(axis=(0, 2, 3))):
        raise Hint("dweight is a mean, expected the sum.")
    if close(got_dweight, np.where(x > 0, 0, grad).sum(axis=(0, 2, 3))):
        raise Hint("dweight adds the gradients alone: what is y differentiated by the weight?")
    if close(got_dweight, (part * weight[:, None, None]).sum(axis=(0, 2, 3))):
        raise Hint("dweight carries the weight once more: y = a x, so what is dy/da?")
    if close(got_dweight, -dweight) or close(got_dweight, (np.sign(x) * part).sum((0, 2, 3))):
        raise Hint("dweight takes x without its sign: where x < 0, dy/da = x is negative.")
    if close(got_dweight, part.sum(axis=(0, 1, 2))):
        raise Hint("dweight has the right length by chance: it is summed over the wrong axes.")
    if not close(got_dweight, dweight):
        raise Hint("dx is right and dweight is not: it is the sum of grad * x where x <= 0.")


dead_at_the_start = Number(
    "dead_at_the_start",
    25,
    "A unit is dead if b is below -|w|: half of the biases are negative, and of those half are "
    "negative enough.",
    within=8,
    prediction=True,
    typical={
        0: "There are points from -1 to 1 only: a unit with w = 0.1 and b = -0.9 is 0 at all of "
        "them.",
        50: "At a single point half of the units are 0. Dead are those that are 0 at all points.",
        100: "That would leave a constant: nothing could be fitted.",
        0.25: "That is the share: how many of the 100 units are dead?",
        12.5: "Half of the biases are negative, and half of those are below -|w|: once less.",
    },
    small="More: b has to be below -|w|, so that no point from -1 to 1 reaches the hinge.",
    large="At a single point half of the units are 0. Dead are those that are 0 at all points.",
)

stuck_at_ln_10 = Choice(
    "stuck_at_ln_10",
    "b",
    "One large step threw them out of the data. What is left is the bias of the last layer: all "
    "classes are equally likely, and ln 10 is 2.303.",
    wrong={
        "a": "With too small a rate the loss would not have jumped to 40, and it would still fall "
        "a little.",
        "c": "ReLU has no upper end: it does not saturate there.",
        "d": "Wrong labels can be learned by heart: the loss falls on the training set.",
    },
)

leak_at_large_rate = Choice(
    "leak_at_large_rate",
    "c",
    "Nothing stops the units that are thrown out: with a leak they still push.",
    prediction=True,
    wrong={
        "a": "A leak lets gradients through on the flat side. But the steps are as much too large "
        "as before.",
        "b": "For that the units would have to be 0 everywhere: a leaky unit is not.",
    },
)
