"""Notebook 00: its numbers are what the network in the box gives, and other answers are right."""

import numpy as np
import pytest

import alexnet_scratch
from alexnet_course import n00_whole_game as check
from alexnet_course.photographs import photograph


def by_partition(scores, labels, k):
    best = np.argpartition(scores, -k, axis=1)[:, -k:]
    return np.mean([label not in row for row, label in zip(best, labels, strict=True)])


def by_reversed_sort(scores, labels, k):
    best = np.argsort(-scores, axis=1)[:, :k]
    return np.float32(1) - np.isin(labels[:, None] - best, 0).any(1).mean()


def by_threshold(scores, labels, k):
    least = np.sort(scores, axis=1)[:, -k]
    return (scores[np.arange(len(labels)), labels] < least).mean()


def by_lists(scores, labels, k):
    wrong = 0
    for row, label in zip(scores.tolist(), labels.tolist(), strict=True):
        order = sorted(range(len(row)), key=row.__getitem__, reverse=True)
        wrong += label not in order[:k]
    return wrong / len(labels)


def by_einsum(scores, labels, k):
    one_hot = np.eye(scores.shape[1])[labels]
    own = np.einsum("nc,nc->n", scores, one_hot)
    return np.array([((scores > own[:, None]).sum(1) >= k).mean()])


@pytest.mark.parametrize(
    "answer", [by_partition, by_reversed_sort, by_threshold, by_lists, by_einsum]
)
def test_other_ways_are_right(answer):
    assert check.top_k_error.verdict(answer) == "top_k_error: right."


def test_the_answers_in_the_file_have_the_error_that_is_told_of_the_network():
    logits, labels = check.answers()
    assert logits.shape == (3925, 10)
    assert by_partition(logits, labels, 1) == pytest.approx(0.205, abs=5e-4)
    assert by_partition(logits, labels, 5) == pytest.approx(0.031, abs=5e-4)


def test_the_network_names_the_computed_pictures_and_errs_on_the_photographs():
    trained = alexnet_scratch.load("boxed")
    names = [trained.names[name].split(",")[0] for name in trained.classes]
    pictures = [check.golf_ball(), check.parachute(), photograph("cat"), photograph("rocket")]
    shares = trained.predict(np.stack([trained.image(check.as_file(p)) for p in pictures]))
    best = [names[row.argmax()] for row in shares]
    assert best == ["golf ball", "parachute", "French horn", "church"]
    assert shares[:2].max(1).min() > 0.9
