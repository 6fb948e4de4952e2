"""Evaluation: top-k against a plain count, means over images, probabilities."""

from dataclasses import replace

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.evaluation import evaluate, predict
from alexnet_scratch.recipe import Recipe, build_model
from alexnet_scratch.training.input import to_input
from alexnet_scratch.training.metrics import count_in_top
from minigrad.data import DataLoader, TensorDataset


@pytest.mark.parametrize("k", [1, 3, 5, 9])
def test_top_k_is_what_sorting_says(k: int) -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(50, 7)), rng.integers(0, 7, 50)
    best = np.argsort(-logits, axis=1)[:, :k]
    assert count_in_top(logits, labels, k) == (best == labels[:, None]).any(axis=1).sum()


def test_a_constant_or_broken_output_is_right_for_nobody() -> None:
    labels = np.arange(7)
    assert count_in_top(np.zeros((7, 7)), labels, 1) == 0
    assert count_in_top(np.zeros((7, 7)), labels, 5) == 0
    assert count_in_top(np.full((7, 7), np.nan), labels, 5) == 0
    assert count_in_top(np.zeros((3, 3)), np.arange(3), 5) == 3  # top-5 of three is all


def test_input_is_scaled_and_channels_last(narrow: Recipe) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype(np.uint8)
    recipe = replace(narrow, input_mean=(1.0, 20.0, 300.0), input_std=2.0)
    x = to_input(mg.Tensor(pixels), recipe)
    expected = (pixels.transpose(0, 3, 1, 2) - np.reshape([1, 20, 300], (3, 1, 1))) / 2
    np.testing.assert_allclose(x.numpy(), expected, rtol=1e-6)
    assert x.dtype == np.float32
    assert x.data.transpose(0, 2, 3, 1).flags.c_contiguous


def test_scores_are_means_over_images(narrow: Recipe) -> None:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (11, 64, 64, 3)).astype(np.uint8)
    data = TensorDataset(images, rng.integers(0, 7, 11))
    model = build_model(narrow, 7)
    model.train()
    whole = evaluate(model, DataLoader(data, 11), narrow)
    parts = evaluate(model, DataLoader(data, 3), narrow)  # the last batch is smaller
    assert (parts.top1, parts.top5, parts.images) == (whole.top1, whole.top5, 11)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-6)
    assert model.training
    assert model.drop6.training
    probabilities = predict(model, images, narrow)
    assert probabilities.sum(axis=1) == pytest.approx([1.0] * 11)
    own = probabilities[np.arange(11), data.arrays[1]]
    assert whole.loss == pytest.approx(-np.log(own).mean(), rel=1e-5)
    assert whole.top1 == (probabilities.argmax(axis=1) == data.arrays[1]).mean()


def test_no_image_is_an_error(narrow: Recipe) -> None:
    with pytest.raises(ValueError, match="no image"):
        evaluate(build_model(narrow, 7), [], narrow)
