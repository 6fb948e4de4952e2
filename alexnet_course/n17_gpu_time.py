"""Checks of notebook 17, where a GPU's time goes."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .checks import Function, Hint, close, exercise, generator, result_of


@exercise
def gradient_in_parts(learner: Function) -> None:
    """gradient_in_parts(gradient, x, labels, most) -> the gradient of the whole batch's mean."""
    rng = generator(0)
    for n, most in ((8, 4), (10, 4), (7, 3), (5, 8)):
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
            raise Hint(
                f"{case}only {sum(sizes)} images have been used. The last part may be a short one."
            )
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
