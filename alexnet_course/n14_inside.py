"""Checks of notebook 14, looking inside."""

from __future__ import annotations

import numpy as np

from alexnet_scratch import inside

from .checks import Function, Hint, exercise, generator, result_of


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
    distances = np.sqrt((difference**2).sum(axis=2))
    order = np.argsort(distances, axis=1)
    if np.allclose(got, np.sort(distances, axis=1)[:, :count]):
        return "It returns the distances, expected the numbers of the rows they belong to."
    if np.array_equal(np.sort(got, axis=1), np.sort(right, axis=1)):
        return "These are the right rows, but not in order: the nearest comes first."
    if np.array_equal(got, order[:, ::-1][:, :count]):
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
    return "These are not the rows with the smallest sum of squared differences."
