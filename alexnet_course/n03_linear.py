"""Checks of notebook 03, a linear layer and its loss."""

from __future__ import annotations

import math
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import numpy as np

from minigrad.kernels.linear import linear_backward as right_backward
from minigrad.kernels.linear import linear_forward as right_forward
from minigrad.kernels.softmax import log_softmax_forward, softmax_forward

from .checks import Function, Hint, close, exercise, generator, result_for_case, result_of
from .questions import Choice, Number

Array = np.ndarray[Any, Any]
Wrong = Iterator[tuple[Array, str]]  # what usual mistakes give, and the hint for each

# Images, inputs, outputs: all different, so that no product fits by chance; then those that are
# nice in some way, where a wrong product does fit.
_SIZES = ((4, 3, 2), (1, 3, 5), (3, 3, 3))
_RESHAPED = (
    "You reshape where you should transpose: reshape keeps the numbers in their order and only "
    "breaks the lines elsewhere; .T exchanges rows and columns."
)


def _case(seed: int, images: int, inputs: int, outputs: int) -> tuple[Array, ...]:
    """x, weight, bias and a gradient of y."""
    rng = generator(seed)
    shapes = (images, inputs), (outputs, inputs), (outputs,), (images, outputs)
    x, weight, bias, grad = (rng.standard_normal(shape) for shape in shapes)
    return x, weight, bias, grad


def _said(images: int, inputs: int, outputs: int) -> str:
    return f"For x of shape {(images, inputs)} and weight of shape {(outputs, inputs)}"


def _array(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    """`value` as an array of floats of this shape; Hint if it is none."""
    try:
        got = np.asarray(value)
    except ValueError:
        raise Hint(f"The rows of {name} are not equally long.") from None
    if got.shape != shape:
        also = ""
        if got.shape == shape[::-1]:
            also = " Rows and columns are exchanged."
        raise Hint(f"{name} has shape {got.shape}, expected {shape}.{also}")
    if got.dtype.kind not in "biuf":
        raise Hint(f"{name} has dtype {got.dtype}: it should hold numbers.")
    if not np.isfinite(got).all():
        raise Hint(f"{name} has NaN or infinity in it: is an array read before it is filled?")
    if got.dtype.kind in "biu":
        raise Hint(f"{name} has whole numbers (dtype {got.dtype}): make it with dtype float.")
    return got


def _refuse(got: Array, wrong: Wrong, sofar: str = "") -> None:
    """Raise the hint of the first wrong value that this is."""
    for value, words in wrong:
        if np.shape(value) == got.shape and close(got, value):
            raise Hint(sofar + words)


def _first_wrong(name: str, got: Array, expected: Array) -> str:
    wrong = ~(np.abs(got - expected) <= 1e-6 * np.abs(expected).max())
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    at = ", ".join(map(str, place))
    return f"{name}[{at}] is {got[place]:.4g}, expected {expected[place]:.4g}"


@exercise
def linear_forward(learner: Function) -> None:
    """linear_forward(x, weight, bias) -> y (N, out)."""
    for seed, sizes in enumerate(_SIZES):
        x, weight, bias, _ = _case(seed, *sizes)
        y = right_forward(x, weight, bias)
        said = _said(*sizes)
        question = (
            "weight has a row for each output, x a row for each image: which lengths must meet in "
            "a product, and which of the two has to be transposed?"
        )
        got = result_for_case(learner, (x, weight, bias), said, question=question)
        if np.shape(got) == (sizes[1],) * 2 != y.shape:
            raise Hint(f"{said}, y has shape {np.shape(got)}, expected {y.shape}: {question}")
        got = _array("y", got, y.shape)
        if close(got, y):
            continue
        _refuse(got, _wrong_forwards(x, weight, bias))
        raise Hint(
            f"{said}, {_first_wrong('y', got, y)}: y[n, o] is bias[o] plus the sum over i of "
            "x[n, i] * weight[o, i]."
        )


def _wrong_forwards(x: Array, weight: Array, bias: Array) -> Wrong:
    plain = x @ weight.T
    yield plain, "y is right but for the bias: each output has one, added for every image."
    yield plain - bias, "The bias is subtracted: it is added."
    yield plain + x.shape[1] * bias, "The bias is added once for each input: add it after the sum."
    yield plain + 2 * bias, "The bias is added twice."
    yield plain + bias.sum(), "Each output gets the sum of all biases: output o has bias[o] alone."
    if len(x) == len(bias):
        yield plain + bias[:, None], "Image n gets bias[n]: the bias belongs to the output."
    if weight.shape[0] == weight.shape[1]:
        yield (
            x @ weight + bias,
            "weight is not transposed. Right and wrong have the same shape here because weight is "
            "square: output o has the weights weight[o], a row.",
        )
    yield x @ weight.reshape(weight.shape[::-1]) + bias, _RESHAPED
    yield (
        plain / x.shape[1] + bias,
        "Each output is a mean over its inputs: it must be their sum.",
    )
    yield (
        x[:, -1:] * weight[:, -1] + bias,
        "Each output has only its last product in it: is something written (=) that should be "
        "added (+=)?",
    )
    yield plain * 0 + bias, "Only the bias is there: where are x and weight?"
    for row, which in ((0, "the first"), (-1, "the last")):
        if len(x) > 1:
            yield (
                np.broadcast_to(plain[row] + bias, plain.shape),
                f"All images get the outputs of {which} one: does x[n] move on with n?",
            )
    yield np.maximum(plain + bias, 0), "Negative outputs come out as 0: the ReLU is another layer."
    yield (x + 0) @ np.abs(weight).T + bias, "The weights have lost their signs."


@exercise
def linear_backward(learner: Function) -> None:
    """linear_backward(grad, x, weight) -> (dx, dweight, dbias)."""
    for seed, sizes in enumerate(_SIZES):
        x, weight, _, grad = _case(seed + 10, *sizes)
        dx, dweight, dbias = right_backward(grad, x, weight)
        assert dx is not None
        assert dweight is not None
        assert dbias is not None
        question = "Write down the shapes of both factors: only equal lengths may meet."
        got = result_for_case(learner, (grad, x, weight), _said(*sizes), question=question)
        if not isinstance(got, tuple) or len(got) != 3:
            raise Hint("Expected three things, in this order: dx, dweight, dbias.")
        _check_order([np.shape(part) for part in got], dx.shape, dweight.shape)
        _check_dbias(got[2], grad, dbias)
        _check_dweight(got[1], grad, x, weight, dweight)
        _check_dx(got[0], grad, x, weight, dx)


def _check_order(got: list[tuple[int, ...]], dx: tuple[int, ...], dweight: tuple[int, ...]) -> None:
    if got[0] == dweight != dx and got[1] == dx:
        raise Hint("dx and dweight have changed places: return dx, dweight, dbias.")
    if got[0] == (dweight[0],) and len(got[2]) == 2:
        raise Hint("The first has the shape of the bias: return dx, dweight, dbias.")


def _check_dbias(value: Any, grad: Array, dbias: Array) -> None:
    if np.shape(value) == grad.shape != dbias.shape:
        raise Hint(
            "dbias is not summed: it has the shape of grad, but one bias serves all images, and "
            "their gradients add up."
        )
    if np.shape(value) == ():
        raise Hint("dbias is one number, expected one for each output: sum over the images only.")
    if np.shape(value) == (1, len(dbias)):
        raise Hint(
            f"dbias has shape {np.shape(value)}, expected {dbias.shape}: is there a keepdims too "
            "many?"
        )
    if np.shape(value) == (len(grad),) != dbias.shape:
        raise Hint("dbias is summed over the outputs: one for each output, so sum over the images.")
    got = _array("dbias", value, dbias.shape)
    if close(got, dbias):
        return
    _refuse(got, _wrong_dbiases(grad))
    raise Hint(f"{_first_wrong('dbias', got, dbias)}: it is the sum of grad[n, o] over n.")


def _wrong_dbiases(grad: Array) -> Wrong:
    total = grad.sum(0)
    yield total / len(grad), "dbias is a mean over the images: it must be the sum."
    if grad.shape[0] == grad.shape[1]:
        yield grad.sum(1), "dbias is summed over the outputs: sum over the images."
    yield total * 0 + len(grad), "dbias counts the images: how much does L grow with y[n, o]?"
    yield total * 0 + 1, "dbias is 1 everywhere: that is dy/dbias. Multiply by grad, and add up."
    yield grad[-1], "dbias is what the last image gives: each image must add (+=) its part."
    yield -total, "dbias has the wrong sign."


def _check_dweight(value: Any, grad: Array, x: Array, weight: Array, dweight: Array) -> None:
    sofar = "dbias is right. "
    if np.shape(value) == weight.shape[::-1] != weight.shape:
        raise Hint(
            f"{sofar}dweight has shape {np.shape(value)}, expected {weight.shape}, that of weight: "
            "x.T @ grad has a row for each input. Which order gives a row for each output?"
        )
    if np.ndim(value) == 3:
        raise Hint(f"{sofar}dweight has an axis for the images: a weight serves all: add them up.")
    got = _array("dweight", value, weight.shape)
    if close(got, dweight):
        return
    _refuse(got, _wrong_dweights(grad, x, weight, dweight), sofar)
    raise Hint(
        f"{sofar}{_first_wrong('dweight', got, dweight)}: weight[o, i] meets x[n, i] in y[n, o], "
        "for every image n."
    )


def _wrong_dweights(grad: Array, x: Array, weight: Array, dweight: Array) -> Wrong:
    yield dweight / len(x), "dweight is a mean over the images: it must be the sum."
    if weight.shape[0] == weight.shape[1]:
        yield (
            dweight.T,
            "dweight is transposed. Its shape is right only because weight is square here: "
            "dweight[o, i] comes from grad[n, o] and x[n, i].",
        )
        if len(x) == weight.shape[0]:
            for first, second in ((grad, x), (x, grad), (grad, x.T), (x, grad.T)):
                yield (
                    first @ second,
                    "dweight is the product of the right two matrices in a wrong order. All are "
                    "square here, so every order fits: over which index must the product add?",
                )
    yield x.T.dot(grad).reshape(weight.shape), _RESHAPED
    yield (
        np.outer(grad[-1], x[-1]),
        "dweight is what the last image gives: each image must add (+=) its part.",
    )
    yield (
        np.broadcast_to(x.sum(0), weight.shape),
        "In dweight, grad is missing: by how much does L grow with y[n, o]?",
    )
    yield (
        np.broadcast_to(grad.sum(0)[:, None], weight.shape),
        "In dweight, x is missing: how much does y[n, o] grow with weight[o, i]?",
    )
    yield dweight * weight, "dweight is multiplied by weight: y is linear in it, so it drops out."
    yield -dweight, "dweight has the wrong sign: the step subtracts it, not backward."
    yield (
        grad.sum(0)[:, None] * x.sum(0),
        ("dweight is a product of two sums: multiply for each image first, then add up."),
    )


def _check_dx(value: Any, grad: Array, x: Array, weight: Array, dx: Array) -> None:
    sofar = "dbias and dweight are right. "
    if np.shape(value) == dx.shape[::-1] != dx.shape:
        raise Hint(f"{sofar}dx has shape {np.shape(value)}, expected {dx.shape}, that of x.")
    got = _array("dx", value, dx.shape)
    if close(got, dx):
        return
    _refuse(got, _wrong_dxs(grad, x, weight, dx), sofar)
    raise Hint(
        f"{sofar}{_first_wrong('dx', got, dx)}: x[n, i] goes into every output o of image n, "
        "there with the factor weight[o, i]."
    )


def _wrong_dxs(grad: Array, x: Array, weight: Array, dx: Array) -> Wrong:
    if weight.shape[0] == weight.shape[1]:
        yield (
            grad @ weight.T,
            "dx is made with weight transposed. The shape is right only because weight is square "
            "here: forward has the transposed one, so backward has it as it is.",
        )
    yield dx / len(weight), "dx is a mean over the outputs: it must be the sum."
    yield dx / len(x), "dx is divided by the number of images: nothing is to be averaged here."
    yield grad @ weight.T.reshape(weight.shape), _RESHAPED
    yield (
        np.broadcast_to(weight.sum(0), dx.shape),
        "In dx, grad is missing: by how much does L grow with y[n, o]?",
    )
    yield (
        grad[:, -1:] * weight[-1],
        ("dx is what the last output gives: each output must add (+=) its part."),
    )
    yield dx * x, "dx is multiplied by x: y is linear in x, so it drops out of its own derivative."
    yield (
        np.broadcast_to(dx.sum(0), dx.shape),
        ("Every image gets the sum over all images: image n's dx comes from grad[n] alone."),
    )
    yield -dx, "dx has the wrong sign."


# What came in, and what it was broadcast from; each adds something to those before it.
_BROADCAST: tuple[tuple[tuple[int, ...], tuple[int, ...], str], ...] = (
    ((4, 3), (3,), ""),
    ((3, 3), (3,), "a bias"),
    ((4, 3), (4, 3), "a bias"),
    ((4, 3), (1, 3), "axes that are not there"),
    ((4, 3), (4, 1), "axes that are not there"),
    ((2, 4, 3), (4, 1), "either kind alone"),
    ((2, 4, 3), (), "the cases before it"),
    ((1, 4, 3), (1, 1, 3), "the cases before it"),
)


@exercise
def sum_to(learner: Function) -> None:
    """sum_to(grad, shape) -> an array of this shape, from which grad's was broadcast."""
    for seed, (big, small, before) in enumerate(_BROADCAST):
        grad = generator(seed).standard_normal(big)
        expected = _sum_to(grad, small)
        said = f"For grad of shape {big} and shape {small}"
        sofar = f"It is right for {before}. " if before else ""
        question = (
            "Which axes of grad are not in `shape` at all (they stand in front), and which have "
            "length 1 there?"
        )
        got = np.asarray(result_for_case(learner, (grad, small), said, sofar, question))
        _check_sum_shape(got, grad, small, f"{sofar}{said}", question)
        if close(got, expected):
            continue
        _refuse(got, _wrong_sums(grad, small), f"{sofar}{said}: ")
        raise Hint(f"{sofar}{said}, the shape is right and the numbers are not. {question}")


def _sum_to(grad: Array, shape: tuple[int, ...]) -> Array:
    lead = grad.ndim - len(shape)
    axes = *range(lead), *(lead + i for i, n in enumerate(shape) if n == 1)
    return np.asarray(grad.sum(axes).reshape(shape))


def _check_sum_shape(
    got: Array, grad: Array, shape: tuple[int, ...], said: str, question: str
) -> None:
    if got.shape == shape:
        if got.dtype.kind in "biu":
            raise Hint(f"It returns whole numbers (dtype {got.dtype}): use floats, like grad.")
        return
    if grad.shape == shape:
        raise Hint(
            f"{said}, it returns shape {got.shape}: nothing was repeated, so nothing is summed."
        )
    last = grad.sum(tuple(range(len(shape), grad.ndim)))
    if got.shape == last.shape != grad.shape and close(got, last):
        raise Hint(
            f"{said}, it returns shape {got.shape}: you sum the axes at the end. NumPy lines "
            "shapes up at their right ends, so the axes that are not in `shape` stand in front."
        )
    if got.shape == grad.shape:
        raise Hint(f"{said}, it returns an array of grad's shape: nothing is summed. {question}")
    if got.size == np.prod(shape, dtype=int) and got.ndim < len(shape):
        raise Hint(
            f"{said}, it returns shape {got.shape}: an axis of length 1 must stay. Sum with "
            "keepdims=True, or reshape at the end."
        )
    raise Hint(f"{said}, it returns shape {got.shape}. {question}")


def _wrong_sums(grad: Array, shape: tuple[int, ...]) -> Wrong:
    right = _sum_to(grad, shape)
    copies = grad.size / max(right.size, 1)
    yield (
        right / copies,
        ("that is the mean of the copies. Each of them changes L by itself, so add them up."),
    )
    yield (
        np.broadcast_to(grad.sum(), shape),
        ("every element gets the sum of all: sum only over the axes that were broadcast."),
    )
    if len(shape) == 1 and grad.shape[0] == grad.shape[1]:
        yield (
            grad.sum(1),
            (
                "the sum runs over the wrong axis (grad is square, so the shape does not show it). "
                "NumPy lines shapes up at their right ends: which axis is new?"
            ),
        )
    first = grad
    while first.ndim > len(shape):
        first = first[0]
    for axis, n in enumerate(shape):
        if n == 1:
            first = first.take([0], axis)
    yield first, "it takes one of the copies: all of them go into L, so add them up."
    yield right * copies, "it multiplies by the number of copies. The sum alone is enough."
    if first.shape == shape:
        lead = grad.ndim - len(shape)
        front = grad.sum(tuple(range(lead))) if lead else grad
        for axis, n in enumerate(shape):
            if n == 1:
                front = front.take([0], axis)
        yield front, "axes of length 1 keep one of the copies: sum over these axes, too."
    yield -right, "it has the wrong sign."
    top = grad.max(tuple(range(grad.ndim - len(shape))) or None)
    yield (
        np.broadcast_to(top, shape) if np.ndim(top) == 0 else top,
        ("that is the largest of the copies: add them up."),
    )


@exercise
def softmax(learner: Function) -> None:
    """softmax(z) -> (N, C), a distribution in each row."""
    for seed, shape in enumerate(((4, 3), (3, 3), (1, 5))):
        z = 2 * generator(seed).standard_normal(shape)
        said = f"For z of shape {shape}"
        question = "Is the sum of a row an array of shape (N, 1)? keepdims=True makes it one."
        got = _array("p", result_for_case(learner, (z,), said, question=question), shape)
        if close(got, softmax_forward(z)):
            continue
        _refuse(got, _wrong_softmaxes(z))
        totals = got.sum(1)
        if not close(totals, np.ones(len(z))):
            raise Hint(f"{said}, row 0 adds up to {totals[0]:.4g}, expected 1: divide by the sum.")
        first = _first_wrong("p", got, softmax_forward(z))
        raise Hint(f"{said}, {first}: it is exp(z), divided by the sum of its row.")
    _check_large(learner)


def _wrong_softmaxes(z: Array) -> Wrong:
    e = np.exp(z)
    columns = e / e.sum(0)
    yield (
        columns,
        ("The columns add up to 1, not the rows: an image's classes stand in a row, axis 1."),
    )
    yield e / e.sum(), "All numbers together add up to 1: each image, a row, must by itself."
    yield e, "It is exp(z): divide each row by its sum."
    yield (
        np.exp(z - z.max(1, keepdims=True)),
        ("Shifted and put through exp, but the rows do not add up to 1 yet: divide."),
    )
    if z.shape[0] == z.shape[1]:
        yield (
            e / e.sum(1),
            (
                "Column c is divided by the sum of row c: NumPy lines (N,) up with the last axis. "
                "keepdims=True keeps the sums as a column."
            ),
        )
        for shift in (z.max(1), z.max(0)):
            shifted = np.exp(z - shift)
            yield (
                shifted / shifted.sum(1, keepdims=True),
                (
                    "Column c is shifted by another number than its neighbours, which changes the "
                    "result: one shift for a whole row, of shape (N, 1)."
                ),
            )
    row, column = z.max(1, keepdims=True), z.max(0)
    for largest in (row, column, z.max()):
        yield (
            np.exp(z - largest) / e.sum(1, keepdims=True),
            ("The exponents are shifted above the line and not below it: the same shift in both."),
        )
    shifted = np.exp(z - column)
    yield (
        shifted / shifted.sum(1, keepdims=True),
        (
            "It subtracts each column's maximum, another number for each class, which changes the "
            "result: subtract the row's, max(axis=1, keepdims=True)."
        ),
    )
    scaled = np.exp(z / z.max(1, keepdims=True))
    yield (
        scaled / scaled.sum(1, keepdims=True),
        ("It divides by the row's maximum: that changes the differences. Subtract it."),
    )
    yield log_softmax_forward(z), "That is the logarithm of the softmax."
    yield 2.0**z / (2.0**z).sum(1, keepdims=True), "It takes powers of 2, expected powers of e."
    yield (
        np.exp(-z) / np.exp(-z).sum(1, keepdims=True),
        ("The largest z gets the smallest probability: a sign is wrong in exp."),
    )
    yield z / z.sum(1, keepdims=True), "It divides z by its sum: where is exp?"
    yield 1 / (1 + np.exp(-z)), "That is the sigmoid of each number: softmax looks at a whole row."
    yield np.abs(z) / np.abs(z).sum(1, keepdims=True), "It divides sizes by their sum: use exp."
    yield (
        e / np.sqrt((e * e).sum(1, keepdims=True)),
        ("The squares of a row add up to 1: divide by the plain sum."),
    )
    hard = (z == z.max(1, keepdims=True)).astype(float)
    yield hard, "It gives everything to the largest: that is argmax. A softmax has no steps."


def _check_large(learner: Function) -> None:
    large = np.array([[5000.0, 0.0, 4999.0], [0.0, -3.0, 4800.0]])
    got = np.asarray(result_of(learner, large), float)
    if not np.isfinite(got).all():
        raise Hint(
            "Right for small logits, not for 5000: exp overflows. Subtract something from the row "
            "that makes its largest number 0."
        )
    if not close(got, softmax_forward(large)):
        raise Hint(
            "Right for small logits, wrong for z = [5000, 0, 4999]: p must be about [0.731, 0, "
            "0.269]. Are large numbers cut off? Subtract the row's maximum instead."
        )
    uneven = np.array([[0.0, 1.0, 2.0], [-5000.0, -5001.0, -5002.0]])
    got = np.asarray(result_of(learner, uneven), float)
    if not np.isfinite(got).all() or not close(got, softmax_forward(uneven)):
        raise Hint(
            "Wrong if one row is far below another: subtract the largest number of each row "
            "(axis 1), not of all."
        )


@exercise
def cross_entropy(learner: Function) -> None:
    """cross_entropy(logits, labels) -> (loss, dlogits), the mean over the images."""
    for seed, (images, classes) in enumerate(((5, 3), (3, 3), (1, 4))):
        rng = generator(seed)
        z = 2 * rng.standard_normal((images, classes))
        said_first = z[0].argmax()  # never a label: one class is missing, and image 0 is wrong
        labels = (said_first + rng.integers(1, classes, images)) % classes
        loss, dlogits = _loss(z, labels)
        said = f"For logits of shape {z.shape}"
        question = "p[np.arange(N), labels] picks one number from each row."
        got = result_for_case(learner, (z, labels), said, question=question)
        if not isinstance(got, tuple) or len(got) != 2:
            raise Hint("Expected two things, in this order: the loss and dlogits.")
        if np.shape(got[0]) == z.shape and np.shape(got[1]) == ():
            raise Hint("The loss comes second: return first the loss, then dlogits.")
        _check_loss(got[0], loss, z, labels)
        _check_dlogits(got[1], dlogits, z, labels)
    _check_sure(learner)


def _loss(z: Array, labels: Array) -> tuple[float, Array]:
    log_p, rows = log_softmax_forward(z), np.arange(len(z))
    dlogits = np.exp(log_p)
    dlogits[rows, labels] -= 1
    return float(-log_p[rows, labels].mean()), dlogits / len(z)


def _check_loss(value: Any, loss: float, z: Array, labels: Array) -> None:
    if np.shape(value) == (len(z),) and len(z) > 1:
        raise Hint("The loss is one number for each image: return their mean.")
    if np.size(value) != 1:
        raise Hint(f"The loss has shape {np.shape(value)}, expected one number.")
    got = float(np.asarray(value).reshape(()))
    if close(got, loss):
        return
    log_p, rows = log_softmax_forward(z), np.arange(len(z))
    p, at_labels, t = np.exp(log_p), log_p[rows, labels], np.eye(z.shape[1])[labels]
    wrong = (
        (-loss, "The loss is negative: a probability is below 1, so its logarithm needs a minus."),
        (loss * len(z), "The loss is a sum over the images, expected the mean."),
        (loss / z.shape[1], "The loss is divided by the number of classes as well: only by N."),
        (loss / np.log(2), "The logarithm has base 2, expected base e (np.log)."),
        (loss / np.log(10), "The logarithm has base 10, expected base e (np.log)."),
        (p[rows, labels].mean(), "That is the mean probability of the right class: take -log."),
        ((1 - p[rows, labels]).mean(), "It is 1 - p of the right class: the loss is -log p."),
        (-np.log(p[rows, labels].mean()), "Take the logarithm for each image, then the mean."),
        (-z[rows, labels].mean(), "It takes the logits themselves: where is the softmax?"),
        (-log_p.max(1).mean(), "It takes the largest probability, not that of the label."),
        (-log_p.mean(), "It takes the mean over all classes: only the label's counts."),
        (-log_p[:, labels].mean(), "p[:, labels] takes every label's column for every image: pair "
         "each row with its own label, p[np.arange(N), labels]."),
        (-(p * log_p).sum(1).mean(), "That is the entropy of p itself: use the label's p."),
        (-(at_labels.sum() / z.size), "The loss is divided by all numbers of z: only by N."),
        (((p - t) ** 2).sum(1).mean(), "That is the squared error."),
        (-at_labels[-1], "That is the loss of the last image alone: add up, then divide by N."),
        (-at_labels[-1] / len(z), "Only the last image is there: is something written (=) that "
         "should be added (+=)?"),
        (-log_p[:, np.unique(labels)].sum(1).mean(), "t[:, labels] = 1 marks the labels of all "
         "images in every row: pair each row with its own, t[np.arange(N), labels] = 1."),
        (-(t * log_p + (1 - t) * np.log1p(-p)).sum(1).mean(), "That is the loss of a yes-or-no "
         "question for each class (binary cross-entropy): only the label's -log p counts."),
    )  # fmt: skip
    for number, words in wrong:
        if close(got, number):
            raise Hint(words)
    if not np.isfinite(got):
        raise Hint(
            "The loss is not a number: is there a logarithm of 0 or of a negative number? (With "
            "log(p * t) there is: multiply after the logarithm.)"
        )
    if max(labels) < len(z) and close(got, -log_p[labels].mean()):
        raise Hint(
            "p[labels] takes whole rows: p[np.arange(N), labels] picks one number from each."
        )
    raise Hint(
        f"The loss is {got:.4g}, expected {loss:.4g}: the mean over the images of -log of the "
        "softmax at the label."
    )


def _check_dlogits(value: Any, dlogits: Array, z: Array, labels: Array) -> None:
    sofar = "The loss is right. "
    try:
        got = _array("dlogits", value, z.shape)
    except Hint as hint:
        raise Hint(f"{sofar}{hint}") from None
    if close(got, dlogits):
        return
    _refuse(got, _wrong_dlogits(z, labels, dlogits), sofar)
    raise Hint(
        f"{sofar}{_first_wrong('dlogits', got, dlogits)}: it is (p - t) / N, where t is 1 at the "
        "label and 0 elsewhere."
    )


def _wrong_dlogits(z: Array, labels: Array, dlogits: Array) -> Wrong:
    p, rows, n = softmax_forward(z), np.arange(len(z)), len(z)
    t = np.eye(z.shape[1])[labels]
    yield dlogits * n, "dlogits is p - t: the loss is a mean over N images, so divide by N."
    yield -dlogits, "dlogits has the wrong sign: t - p is the way down; the gradient points up."
    yield -dlogits * n, "dlogits is t - p: the other way round, and divided by N."
    for factor in (1.0, 1 / n):
        yield p * factor, "dlogits is p alone: what is subtracted at the label?"
        yield (p - 1) * factor, "1 is subtracted from every class: only from the label's."
        wrong = p.copy()
        wrong[:, labels] -= 1
        yield (
            wrong * factor,
            (
                "dlogits[:, labels] -= 1 hits the columns of all labels in every row: pair each "
                "row with its own label, dlogits[np.arange(N), labels]."
            ),
        )
        if len(z) <= z.shape[1]:
            wrong = p.copy()
            wrong[labels[labels < n]] -= 1
            yield (
                wrong * factor,
                (
                    "dlogits[labels] -= 1 hits whole rows: dlogits[np.arange(N), labels] picks one "
                    "number from each row."
                ),
            )
        only = np.zeros_like(p)
        only[rows, labels] = p[rows, labels] - 1
        yield only * factor, "Only the label's class has a gradient: all logits stand in the sum."
        yield (
            -t / p * factor,
            ("That is the derivative by p, -1 / p: go on to the logits, through the softmax."),
        )
        yield (
            (p - labels[:, None]) * factor,
            (
                "The label itself, a number like 2, is subtracted: t is 1 at the label and 0 "
                "elsewhere."
            ),
        )
        yield (z - t) * factor, "It is z - t: p, the softmax of z, has that place."
        yield (log_softmax_forward(z) - t) * factor, "It is log p - t: p itself has that place."
        yield p * (1 - p) * factor, "That is dp/dz of a class by itself: the loss is missing."
    yield dlogits * n / z.shape[1], "It is divided by the number of classes: divide by N."
    yield dlogits * n / z.size, "It is divided by all numbers of z: divide by N."
    yield dlogits / n, "It is divided by N twice."


def _check_sure(learner: Function) -> None:
    """Logits of a network that is very sure: right, and wrong."""
    z, labels = np.array([[0.0, 1000.0, 0.0], [3.0, 0.0, -900.0]]), np.array([0, 2])
    loss, dlogits = _loss(z, labels)
    got = result_of(learner, z, labels)
    value = float(np.asarray(got[0]).reshape(()))
    if not np.isfinite(value):
        raise Hint(
            "Right for small logits. For logits like [0, 1000, 0] with label 0 the loss is "
            f"{value:g}: p is 0 in floating point, and log 0 is infinite. Write log p without p: "
            "z - max - log(sum of exp(z - max))."
        )
    if not close(value, loss):
        raise Hint(
            f"Right for small logits. For [0, 1000, 0] with label 0 and [3, 0, -900] with label 2 "
            f"it is {value:.4g}, expected {loss:.4g}. Is something added to p, or cut off, so that "
            "the logarithm is finite? Write log p without p: z - max - log(sum of exp(z - max))."
        )
    if not close(np.nan_to_num(np.asarray(got[1], float), nan=-9.0), dlogits):
        raise Hint("The loss is right for large logits, dlogits is not: is exp shifted there, too?")


difference = Choice(
    "difference",
    "c",
    "(8,) is lined up as (1, 8), and both are repeated: every output less every target. The mean "
    "of these 64 squares says nothing about the layer, and no error tells you so.",
    wrong={
        "a": "The longer shape decides how many axes there are: (8, 1) has two.",
        "b": "(8,) is not turned into a column: shapes are lined up at their right ends, so it is "
        "repeated as rows.",
        "d": "It refuses only if two lengths differ and neither is 1. Line up (8, 1) and (8,) at "
        "their right ends: 1 meets 8, and 8 meets nothing.",
    },
)

first_loss = Number(
    "first_loss",
    math.log(10),
    "With all weights 0 the logits are equal, each class gets 1/10, and -ln(1/10) = ln 10 = 2.303.",
    within=0.05,
    prediction=True,
    typical={
        0: "A loss of 0 would mean that the network is certain and right. It knows nothing yet.",
        0.1: "That is the probability of the right class: the loss is minus its logarithm.",
        0.9: "That is the share of images that guessing gets wrong: the loss is another measure.",
        1: "That would be -ln of 0.37.",
        10: "That is 1 / p: the loss is its logarithm.",
        3.3219: "That is the logarithm with base 2; the loss takes base e.",
        -2.3026: "A probability is below 1, so its logarithm is negative, and the loss takes minus "
        "that.",
    },
    small="The network would have to know something already.",
    large="It would have to be sure and wrong; equal logits are not sure.",
)

work_share = Number(
    "work_share",
    8.1,
    "The convolutions have 4% of the weights and use each at every place of a map: nine tenths of "
    "the multiplications are theirs.",
    factor=1.5,
    prediction=True,
    typical={
        96: "That is their share of the weights: but each of these is used once for an image.",
        50: "The two kinds are not nearly equal.",
        **dict.fromkeys((0.05, 0.08, 0.1, 0.5, 0.96), "That is a fraction: give a percentage."),
        0: "They do have 59 million multiplications, one for each weight.",
    },
    small="A little more: 59 million, one for each weight.",
    large="Less: each of these weights is used only once for an image.",
)


_READY: dict[str, Function] = {
    "linear_forward": right_forward,
    "linear_backward": right_backward,
    "softmax": softmax_forward,
    "cross_entropy": _loss,
}
_SLOW = 0.02  # seconds for one of the lesson's hundreds of steps


def in_use(*learners: Function) -> tuple[Function, ...]:
    """The functions with which the lesson goes on, and a line on each: the learner's where its
    check says "right" and it is fast enough for hundreds of steps, else a ready one."""
    chosen = []
    for learner in learners:
        name = learner.__name__
        if not globals()[name].is_right(learner):
            said, function = "ready-made, until yours is right", _READY[name]
        elif (seconds := _seconds(learner)) > _SLOW:
            said = f"ready-made: yours is right, but takes {1000 * seconds:.0f} ms a step"
            function = _READY[name]
        else:
            said, function = "yours", learner
        print(f"{name:16} {said}")
        chosen.append(function)
    return tuple(chosen)


def _seconds(learner: Function) -> float:
    """How long it takes for 100 images of 256 pixels and ten classes."""
    x, weight, bias, grad = _case(0, 100, 256, 10)
    arguments = {
        "linear_forward": (x, weight, bias),
        "linear_backward": (grad, x, weight),
        "softmax": (grad,),
        "cross_entropy": (grad, np.arange(100) % 10),
    }
    start = perf_counter()
    learner(*arguments[learner.__name__])
    return perf_counter() - start
