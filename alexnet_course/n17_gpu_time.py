"""Checks of notebook 17, where a GPU's time goes."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .checks import Function, Hint, close, exercise, generator, result_of
from .questions import Choice, Number

simple_layers = Number(
    "simple_layers",
    43,
    "They hardly compute, but each reads and writes whole maps, and tf32 has made the products so "
    "quick that bytes are what is left.",
    within=8,
    typical={
        0.43: "Asked are percent: 43 of a hundred.",
        0.4: "Asked are percent: 40 would have been near.",
        0.6: "That is their share of the operations. They do hardly any, but their time is bytes.",
    },
    small="Far more: they do hardly any operations, but their time is bytes.",
    large="Less: the convolutions' bytes and operations are still the larger part.",
    prediction=True,
)

which_limit = Choice(
    "which_limit",
    "c",
    "Twice the operations and twice the bytes in the same time: neither was the limit. The number "
    "of launches is the same for both batches.",
    wrong={
        "a": "With twice the images the convolutions have twice the operations: they would take "
        "twice as long.",
        "b": "With twice the images there are twice the bytes of maps: they would take longer.",
        "d": "A batch that does not fit gives an error, not a slow step.",
    },
)


_LAYERS = (  # inputs, outputs, batch, peak, bandwidth; the first two are limited by bytes
    (9216, 4096, 1, 67e12, 3.35e12), (30, 50, 7, 4e12, 2e10), (50, 20, 64, 3e9, 1e10),
    (9216, 4096, 512, 67e12, 3.35e12), (5, 4, 3, 1e6, 1e9),
)  # fmt: skip


@exercise
def least_time(learner: Function) -> None:
    """least_time(inputs, outputs, batch, peak, bandwidth) -> seconds."""
    answers = []
    for layer in _LAYERS:
        got = result_of(learner, *layer)
        if np.ndim(got) != 0 or isinstance(got, str):
            raise Hint("Expected one number: seconds.")
        answers.append(got)
    right = [_time(*layer) for layer in _LAYERS]
    if all(map(close, answers, right)):
        return
    for mistake, hint in _WRONG_TIMES.items():
        if all(map(close, answers, [_time(*layer, mistake) for layer in _LAYERS])):
            raise Hint(hint)
    for layer, got, expected in zip(_LAYERS, answers, right, strict=True):
        if not close(got, expected):
            inputs, outputs, batch, *_ = layer
            raise Hint(
                f"For {inputs} inputs, {outputs} outputs and a batch of {batch} you say {got:.4g} "
                f"s, expected {expected:.4g}."
            )


def _time(
    inputs: int, outputs: int, batch: int, peak: float, bandwidth: float, mistake: str = ""
) -> float:
    """The least time of a fully connected layer, or what it is with a usual mistake."""
    operations = 2.0 * batch * inputs * outputs
    parts = {
        "x": batch * inputs, "y": batch * outputs, "W": inputs * outputs, "b": outputs,
    }  # fmt: skip
    left_out = mistake.removeprefix("no ").split(" or ") if mistake.startswith("no ") else []
    numbers = float(sum(count for name, count in parts.items() if name not in left_out))
    others = batch - 1  # the images after the first
    numbers += {
        "W each time": others * (inputs * outputs + outputs), "b each time": others * outputs,
        "one row": -others * (inputs + outputs), "one image": -others * (inputs + outputs),
        "one row of x": -others * inputs, "one row of y": -others * outputs,
    }.get(mistake, 0)  # fmt: skip
    operations += {"bias": batch * outputs, "one less": -batch * outputs}.get(mistake, 0)
    operations /= {"macs": 2, "one product": batch, "one image": batch}.get(mistake, 1)
    size = numbers * {"numbers": 1, "float64": 8, "bits": 32}.get(mistake, 4)
    if mistake == "exchanged":
        peak, bandwidth = bandwidth, peak
    computing, moving = operations / peak, size / bandwidth
    special = {
        "sum": computing + moving, "least": min(computing, moving), "computing": computing,
        "moving": moving, "upside down": max(1 / computing, 1 / moving),
        "intensity": operations / size, "rate": min(peak, bandwidth * operations / size),
        "milliseconds": 1000 * max(computing, moving), "floor": max(computing // 1, moving // 1),
        "product": max(operations * peak, size * bandwidth),
    }  # fmt: skip
    return special.get(mistake, max(computing, moving))


_WRONG_TIMES = {
    "sum": "You add the two times. A GPU computes while it moves: the longer of the two counts.",
    "least": "You take the shorter of the two times: neither can be beaten, so the longer counts.",
    "computing": "Only the operations count. Where there are few of them for each byte, the bytes "
    "take longer.",
    "moving": "Only the bytes count. Where there are many operations for each byte, computing "
    "takes longer.",
    "macs": "A multiply-add is two operations.",
    "numbers": "A number in float32 has four bytes: you count numbers.",
    "float64": "A number in float32 has four bytes, not eight.",
    "no W or b": "The weights and biases are missing among the bytes: they have to be read, too.",
    "no W": "The weights are missing among the bytes: they have to be read, too.",
    "no y": "y is missing among the bytes: it is written.",
    "no x": "x is missing among the bytes: it is read.",
    "no x or y": "x and y are missing among the bytes.",
    "no b": "The bias is missing among the bytes: a number for each output.",
    "no x or y or b": "Among the bytes are the weights alone: x, b and y are missing.",
    "W each time": "You read the weights for every image. Once is enough for the whole batch: that "
    "is the point of a batch.",
    "b each time": "You read the bias for every image. Once is enough for the whole batch.",
    "one row": "The bytes of x and y are those of one image: they have a row for each.",
    "one row of x": "The bytes of x are those of one image: it has a row for each.",
    "one row of y": "The bytes of y are those of one image: it has a row for each.",
    "one image": "That is the time of one image: x and y have `batch` rows, and each is computed.",
    "bias": "You count the addition of the bias. It is to be left out.",
    "one less": "You count one addition less than products. A multiply-add counts as two, each.",
    "one product": "The operations are those of one image: there are `batch` of them.",
    "exchanged": "Exchanged: operations are divided by the peak, bytes by the bandwidth.",
    "upside down": "Upside down: a time is an amount divided by a rate.",
    "bits": "You count bits: a number in float32 has 32, which are four bytes.",
    "milliseconds": "That is in milliseconds: expected are seconds.",
    "floor": "// rounds down to whole seconds: divide with /.",
    "product": "You multiply by the rates: a time is an amount divided by a rate.",
    "rate": "That is the best possible rate, operations a second. Asked is a time.",
    "intensity": "That is the arithmetic intensity. Asked is a time, the longer of two quotients.",
}


def whose_parts(learner: Function) -> tuple[Function, str]:
    """The gradient in parts, and whose it is: the learner's, once it is right."""
    return gradient_in_parts.chosen(learner, _in_parts)


def _in_parts(gradient: Function, x: Any, labels: Any, most: int) -> Any:
    parts = [slice(i, i + most) for i in range(0, len(x), most)]
    return sum(len(x[part]) * gradient(x[part], labels[part]) for part in parts) / len(x)


@exercise
def gradient_in_parts(learner: Function) -> None:
    """gradient_in_parts(gradient, x, labels, most) -> the gradient of the whole batch's mean."""
    rng = generator(0)
    for n, most in ((8, 4), (10, 4), (7, 3), (9, 2), (5, 8)):
        x, labels = rng.standard_normal((n, 6)), rng.integers(0, 3, n)
        weight = rng.standard_normal((6, 3))
        sizes: list[int] = []
        gradient = functools.partial(_gradient, weight, sizes, most, (x, labels))
        whole = _mean_gradient(weight, x, labels)
        got = result_of(learner, gradient, x, labels, most, shape=whole.shape)
        if close(got, whole):
            continue
        case = f"For {n} images, at most {most} at a time: "
        parts = [slice(i, i + most) for i in range(0, n, most)]
        means = [_mean_gradient(weight, x[p], labels[p]) for p in parts]
        if sum(sizes) < n:
            why = _why_fewer(n, most, sizes)
            raise Hint(f"{case}only {sum(sizes)} images have been used. {why}")
        if close(got, sum(means)):
            raise Hint(
                f"{case}you add up the gradients of {len(parts)} means, as if the learning rate "
                "were larger. What must each be multiplied by, so that the mean over the batch "
                "comes out?"
            )
        if close(got, whole * n):
            raise Hint(f"{case}it is the sum over the images: the mean is n times smaller.")
        if close(got, means[-1]) or close(got, means[-1] * (n - parts[-1].start) / n):
            raise Hint(f"{case}only the last part has come through: add up (+=).")
        if sum(sizes) > n:
            raise Hint(
                f"{case}`gradient` has been given {sum(sizes)} images in all. Each of the {n} "
                "belongs to one part, and to no other."
            )
        if (ratio := _ratio(got, whole)) is not None:
            raise Hint(
                f"{case}it is {ratio:.3g} times what it should be. `gradient` returns the mean of "
                "a part already: what must that be multiplied by?"
            )
        if _ratio(got, sum(means)) is not None:
            raise Hint(
                f"{case}every part counts the same, but the last one has fewer images: each of "
                "these would count for more than the others. What does a part weigh?"
            )
        raise Hint(f"{case}the numbers are wrong. What does each part weigh?")


def _why_fewer(n: int, most: int, sizes: list[int]) -> str:
    """A question for who left images out."""
    if len(sizes) == 1:
        return "After the first part it is over: does a `return` stand inside the loop?"
    if sum(sizes) == n // most * most:
        return "The last part may be a short one."
    return "Where does a part end, and where does the next one begin?"


def _ratio(got: Any, wanted: Any) -> float | None:
    """The number that `got` is `wanted` times, if it is."""
    ratio = float(np.sum(got * wanted) / np.sum(wanted * wanted))
    return ratio if ratio and close(got, ratio * wanted) else None


def _gradient(
    weight: Any, sizes: list[int], most: int, batch: tuple[Any, Any], x: Any, labels: Any
) -> Any:
    """What the learner is given; it has memory for `most` images of the batch."""
    if np.ndim(x) != 2 or np.ndim(labels) != 1:
        raise Hint(
            f"`gradient` takes images and their labels, here of shapes (images, {x.shape[-1]}) and "
            f"(images,); it is called with {np.shape(x)} and {np.shape(labels)}."
        )
    if len(x) != len(labels):
        raise Hint(f"`gradient` is called with {len(x)} images and {len(labels)} labels.")
    if len(x) > most:
        raise Hint(f"`gradient` is called with {len(x)} images, and {most} fit into the memory.")
    if len(x) == 0:
        raise Hint("`gradient` is called with no images: there is no mean of nothing.")
    for image, label in zip(x, labels, strict=True):
        found = np.flatnonzero((batch[0] == image).all(1))
        if found.size and batch[1][found[0]] != label:
            raise Hint(
                f"`gradient` is called with image {found[0]} and label {label}; its label is "
                f"{batch[1][found[0]]}. Do x and labels of a part belong together?"
            )
    sizes.append(len(x))
    return _mean_gradient(weight, x, labels)


def _mean_gradient(weight: Any, x: Any, labels: Any) -> Any:
    """Of softmax and cross-entropy behind x @ weight, averaged over the images."""
    logits = x @ weight
    share = np.exp(logits - logits.max(1, keepdims=True))
    share /= share.sum(1, keepdims=True)
    return x.T @ (share - np.eye(weight.shape[1])[labels]) / len(x)
