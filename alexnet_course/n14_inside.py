"""Checks of notebook 14, looking inside."""

from __future__ import annotations

import numpy as np

from alexnet_scratch import inside

from .checks import Function, Hint, close, exercise, generator, result_of
from .questions import Choice

left_in_ours = Choice(
    "left_in_ours",
    "a",
    "So few steps at so small a rate take away a few parts in a hundred: the noise stays.",
    wrong={
        "b": "0.0005 of a weight times the rate, ten times for momentum, is one part in 20,000 a "
        "step at most: how many steps were there?",
        "c": "That is the paper's network, which made almost a thousand times as many steps.",
    },
    prediction=True,
)

by_chance = Choice(
    "by_chance",
    "c",
    "Of three independent numbers, one is their mean and two are how they differ from it.",
    wrong={
        "a": "1/3 is the share of the grey part, the mean of the three.",
        "b": "It is not as if grey and colour were two equal parts: how many numbers does it take "
        "to say how three differ from their mean?",
        "d": "That would need weights that add up to 0 over the colours at every place.",
    },
)

# ----- exercise 1 -----


@exercise
def colour_share(learner: Function) -> None:
    """colour_share(filters (F, 3, kh, kw)) -> (F,): the share of each filter that is not grey."""
    rng = generator(3)
    filters = rng.standard_normal((4, 3, 5, 3)) + rng.standard_normal((4, 1, 5, 3))
    right = inside.colourfulness(filters)
    got = result_of(learner, filters)
    if np.shape(got) != (4,):
        raise Hint(
            f"For filters of shape {filters.shape} it returns the shape {np.shape(got)}, expected "
            "(4,): a number for each filter. Which axes are summed?"
        )
    got = np.asarray(got)
    if not close(got, right):
        raise Hint(_wrong_share(got, filters))
    if not close(result_of(learner, 7 * filters), right):
        raise Hint("Of filters 7 times as large it gives something else; a share stays the same.")


def _wrong_share(got: np.ndarray, filters: np.ndarray) -> str:
    grey = filters.mean(axis=1, keepdims=True)
    rest, places = filters - grey, (1, 2, 3)
    squares = (filters**2).sum(places)
    if close(got, 1 - (rest**2).sum(places) / squares):
        return "That is the share of the grey part: 1 minus the share of colour."
    if close(got, (rest**2).sum(places)):
        return "It is not divided by the sum of the filter's squares: a share is asked for."
    if close(got, (rest**2).sum(places) / (filters**2).sum()):
        return "It divides by the squares of all filters together: each filter by its own."
    if close(got, (rest**2).sum(places) / (rest**2).sum()):
        return "It divides by the colour of all filters together: each filter by its own squares."
    if close(got, np.abs(rest).sum(places) / np.abs(filters).sum(places)):
        return "It adds up sizes: the formula adds up squares."
    if close(got, np.sqrt((rest**2).sum(places) / squares)):
        return "That is the root of it: the formula has none."
    if np.max(np.abs(got)) < 1e-9:
        return "All are 0: without squares, what is left of the mean adds up to nothing."
    if close(got, ((filters - filters.sum(axis=1, keepdims=True)) ** 2).sum(places) / squares):
        return "It takes off the sum of the three colours: their mean, a third of that."
    for axes in ((2, 3), (1, 2, 3), (0,), (2,), (3,)):
        other = filters.mean(axis=axes, keepdims=True)
        if close(got, ((filters - other) ** 2).sum(places) / squares):
            return (
                "The mean goes over another axis: at each place of a filter, the mean over its "
                "three colours is grey."
            )
    if close(3 * got, (rest**2).sum(places) / squares):
        return "It is a third: `var` and `mean` over the colours divide by 3, the sum does not."
    if any(close(got * n, (rest**2).sum(places) / (grey**2).sum(places)) for n in (1, 3)):
        return "It divides by the squares of the grey part: divide by those of the whole filter."
    return "It is not the sum of (w - mean over the colours)² over the sum of w²."


# ----- exercise 2 -----


@exercise
def nearest(learner: Function) -> None:
    """nearest(features, queries, count) -> (N, count) row numbers, nearest first."""
    rng = generator(5)
    features = rng.standard_normal((40, 6)) * rng.uniform(0.3, 3, (40, 1))
    queries = rng.standard_normal((7, 6))
    count = 5
    right = inside.nearest(features, queries, count)
    got = result_of(learner, features, queries, count)
    if np.shape(got) != right.shape:
        raise Hint(
            f"For {len(features)} features, {len(queries)} queries and count {count} it returns "
            f"the shape {np.shape(got)}, expected {right.shape}: a row for each query."
        )
    got = np.asarray(got)
    if not np.array_equal(got, right):
        raise Hint(_wrong_neighbours(got, right, features, queries))
    found = result_of(learner, features, features, 1)
    if not np.array_equal(found, np.arange(len(features))[:, None]):
        raise Hint("For a query that is one of the features, the nearest is that feature itself.")
    pixels = rng.integers(0, 256, (30, 8), np.uint8)
    asked = rng.integers(0, 256, (6, 8), np.uint8)
    if not np.array_equal(result_of(learner, pixels, asked, 3), inside.nearest(pixels, asked, 3)):
        raise Hint(
            "Right for floats, wrong for the bytes of images: 10 - 20 wraps around to 246. Which "
            "dtype do you subtract in?"
        )
    line = rng.permutation(np.arange(1000.0))[:, None]
    found = result_of(learner, line, np.zeros((1, 1)), 300)
    if not np.array_equal(found, np.argsort(line[:, 0])[None, :300]):
        raise Hint(
            "Right for 40 features, but of 1000 it does not give the nearest 300 in order: are "
            "they sorted, or only picked out?"
        )


def _wrong_neighbours(
    got: np.ndarray, right: np.ndarray, features: np.ndarray, queries: np.ndarray
) -> str:
    count = right.shape[1]
    difference = queries[:, None] - features
    squares = (difference**2).sum(axis=2)
    order = np.argsort(squares, axis=1)
    sizes = np.sort(squares, axis=1)
    if any(np.allclose(np.sort(got, axis=1), d[:, :count]) for d in (sizes, np.sqrt(sizes))):
        return "It returns the distances, expected the numbers of the rows they belong to."
    if not np.isin(got, np.arange(len(features))).all():
        return f"Some are not numbers of rows: those go from 0 to {len(features) - 1}."
    if np.array_equal(np.sort(got, axis=1), np.sort(right, axis=1)):
        return "These are the right rows, but not in order: the nearest comes first."
    if np.array_equal(np.sort(got, axis=1), np.sort(order[:, -count:], axis=1)):
        return "These are the farthest: the smallest distance comes first."
    if np.array_equal(got, order[:, 1 : count + 1]):
        return "It leaves out the nearest: no query is among the features here."
    product = queries @ features.T
    if np.array_equal(got, np.argsort(-product, axis=1)[:, :count]):
        return (
            "It takes the largest products. A long feature then wins everywhere: the distance is "
            "asked for."
        )
    if np.array_equal(got, np.argsort(np.abs(difference).sum(axis=2), axis=1)[:, :count]):
        return "It adds up the sizes of the differences. Euclidean: add up their squares."
    cosine = product / np.linalg.norm(features, axis=1)
    if np.array_equal(got, np.argsort(-cosine, axis=1)[:, :count]):
        return "It compares the angles, expected the Euclidean distance."
    if np.array_equal(got, np.argsort(difference.sum(axis=2) ** 2, axis=1)[:, :count]):
        return "It adds up the differences before squaring, so that they cancel."
    signed = difference.sum(axis=2)
    if any(np.array_equal(got, np.argsort(s, axis=1)[:, :count]) for s in (signed, -signed)):
        return "It adds up the differences with their signs, and they cancel: square them first."
    if np.array_equal(got, np.argsort((features**2).sum(axis=1) - product, axis=1)[:, :count]):
        return "In |q - f|² the product of q and f stands with a factor: which one?"
    if _of_whole_numbers(got, features, queries):
        return "The features are rounded to whole numbers. Those of fc7 are not whole: use floats."
    return "These are not the rows with the smallest sum of squared differences."


def _of_whole_numbers(got: np.ndarray, features: np.ndarray, queries: np.ndarray) -> bool:
    """Are these neighbours of features cut or rounded to whole numbers, up to ties?"""
    for whole in (np.trunc, np.round, np.floor):
        squares = ((whole(queries)[:, None] - whole(features)) ** 2).sum(axis=2)
        nearest_first = np.sort(squares, axis=1)[:, : got.shape[1]]
        if np.array_equal(np.take_along_axis(squares, got.astype(int), axis=1), nearest_first):
            return True
    return False
