"""Evaluation: top-k against a plain count, means over images, views averaged."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

import minigrad as mg
from alexnet_scratch.data import DataError
from alexnet_scratch.data.views import CENTRE, PLACES, TEN_CROP, View, cut
from alexnet_scratch.evaluation import (
    Predictions,
    _outcome,
    collect,
    count_in_top,
    evaluate,
    predict,
)
from alexnet_scratch.model import AlexNet
from alexnet_scratch.pixels import PixelStatistics, ToInput, pixel_statistics
from alexnet_scratch.recipe import Recipe, build_model
from minigrad.data import DataLoader, TensorDataset

N, CLASSES = 11, 7


@pytest.fixture(scope="module")
def model(narrow: Recipe) -> AlexNet:
    """A network whose classes are far apart, so that views and images differ."""
    mg.manual_seed(3)
    model = build_model(narrow, CLASSES)
    for p in model.parameters():
        p.data[...] = p.data * 2
    return model


@pytest.fixture(scope="module")
def data() -> TensorDataset:
    """Whole images of 72 pixels, of which the network sees 64."""
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (N, 72, 72, 3)).astype(np.uint8)
    images[:, :36] //= 4  # dark above: places matter
    return TensorDataset(images, rng.integers(0, CLASSES, N))


def outcome(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> Predictions:
    return Predictions(*_outcome(logits, labels))


# ----- single outcomes -----


@pytest.mark.parametrize("k", [1, 3, 5, 9])
def test_top_k_is_what_sorting_says(k: int) -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(50, 7)), rng.integers(0, 7, 50)
    best = np.argsort(-logits, axis=1)[:, :k]
    expected = (best == labels[:, None]).any(axis=1)
    assert count_in_top(logits, labels, k) == expected.sum()
    np.testing.assert_array_equal(outcome(logits, labels).ranks <= k, expected)
    np.testing.assert_array_equal(outcome(logits, labels).top[:, :k], best[:, :5])


def test_a_constant_or_broken_output_is_right_for_nobody() -> None:
    labels = np.arange(7)
    for logits in (np.zeros((7, 7)), np.full((7, 7), np.nan)):
        assert count_in_top(logits, labels, 1) == count_in_top(logits, labels, 5) == 0
        result = outcome(logits, labels)
        assert result.ranks.tolist() == [7] * 7
        assert (result.top[:, 0] != labels).all()  # the confusion matrix agrees with top-1
    assert outcome(np.full((7, 7), -np.inf), labels).ranks.tolist() == [7] * 7
    assert count_in_top(np.zeros((3, 3)), np.arange(3), 5) == 3  # top-5 of three is all


# ----- means over images -----


def test_input_is_scaled_and_channels_last(narrow: Recipe) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    recipe = replace(narrow, input_mean=(1.0, 20.0, 300.0), input_std=(2.0, 2.0, 4.0))
    x = ToInput(recipe, pixel_statistics(recipe, None))(mg.Tensor(pixels))
    mean, std = (np.reshape(v, (3, 1, 1)) for v in ([1, 20, 300], [2, 2, 4]))
    np.testing.assert_allclose(x.numpy(), (pixels.transpose(0, 3, 1, 2) - mean) / std, rtol=1e-6)
    assert x.dtype == np.float32
    assert x.data.transpose(0, 2, 3, 1).flags.c_contiguous


def test_scores_are_means_over_images(narrow: Recipe, model: AlexNet, data: TensorDataset) -> None:
    images, labels = data.arrays
    model.train()
    whole = evaluate(model, DataLoader(data, N), narrow)
    parts = evaluate(model, DataLoader(data, 3), narrow)  # the last batch is smaller
    assert (parts.top1, parts.top5, parts.images) == (whole.top1, whole.top5, N)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-6)
    assert model.training
    assert model.drop6.training
    probabilities = predict(model, images, narrow)
    assert probabilities.shape == (N, CLASSES)
    assert probabilities.dtype == np.float32
    assert probabilities.sum(axis=1) == pytest.approx([1.0] * N)
    own = probabilities[np.arange(N), labels]
    assert whole.loss == pytest.approx(-np.log(own).mean(), rel=1e-5)
    assert whole.top1 == (probabilities.argmax(axis=1) == labels).mean()


def test_central_crops_are_worth_what_whole_images_are(
    narrow: Recipe, model: AlexNet, data: TensorDataset
) -> None:
    images, labels = data.arrays
    crops = TensorDataset(images[:, 4:68, 4:68], labels)
    statistics = mean_image()
    recipe = replace(narrow, mean="image")
    for pixels, used in ((None, narrow), (statistics, recipe)):
        one = evaluate(model, DataLoader(data, 4), used, pixels=pixels)
        assert one == evaluate(model, DataLoader(crops, 4), used, pixels=pixels)
    with pytest.raises(DataError, match="view top-left needs images larger than"):
        evaluate(model, DataLoader(crops, 4), narrow, views=TEN_CROP)


def test_no_image_is_an_error(narrow: Recipe, model: AlexNet) -> None:
    with pytest.raises(ValueError, match="no image"):
        evaluate(model, [], narrow)


# ----- views -----


def mean_image() -> PixelStatistics:
    mean = np.random.default_rng(2).uniform(0, 255, (72, 72, 3)).astype(np.float32)
    return PixelStatistics(mean, np.zeros((3, 3), np.float32))


def test_ten_crops_are_the_mean_of_ten_single_evaluations(
    narrow: Recipe, model: AlexNet, data: TensorDataset
) -> None:
    images, labels = data.arrays
    singles = [predict(model, np.ascontiguousarray(cut(images, v, 64)), narrow) for v in TEN_CROP]
    assert np.ptp(singles, axis=0).max() > 0.01  # the views do differ
    mean = np.mean(singles, axis=0)
    np.testing.assert_allclose(
        predict(model, images, narrow, views=TEN_CROP), mean, rtol=2e-6, atol=1e-9
    )
    scores = evaluate(model, DataLoader(data, 4), narrow, views=TEN_CROP)
    order = np.argsort(-mean, axis=1)
    assert scores.top1 == (order[:, 0] == labels).mean()
    assert scores.top5 == (order[:, :5] == labels[:, None]).any(axis=1).mean()
    assert scores.loss == pytest.approx(-np.log(mean[np.arange(N), labels]).mean(), rel=1e-6)


def test_sets_of_views_are_what_each_is_alone(
    narrow: Recipe, model: AlexNet, data: TensorDataset
) -> None:
    sets = [CENTRE, TEN_CROP, (View("top"), View("left", mirrored=True))]
    together = collect(model, DataLoader(data, 4), narrow, "cpu", sets)
    for views, predictions in zip(sets, together, strict=True):
        assert predictions.scores() == evaluate(model, DataLoader(data, 4), narrow, views=views)
        np.testing.assert_array_equal(predictions.labels, data.arrays[1])
        probabilities = predict(model, data.arrays[0], narrow, views=views)
        np.testing.assert_allclose(
            predictions.probabilities, -np.sort(-probabilities)[:, :5], rtol=1e-5
        )


def test_a_mean_image_is_subtracted_where_each_view_lies(narrow: Recipe, model: AlexNet) -> None:
    statistics = mean_image()
    grey = np.broadcast_to(np.rint(statistics.mean).astype(np.uint8), (1, 72, 72, 3))
    rounded = PixelStatistics(np.rint(statistics.mean), statistics.axes)
    recipe = replace(narrow, mean="image")
    views = [View(place, mirrored) for place in PLACES for mirrored in (False, True)]
    model.eval()
    zero = model(mg.zeros(1, 3, 64, 64)).data  # of the mean image, nothing is left in any view
    expected = np.exp(zero - zero.max()) / np.exp(zero - zero.max()).sum()
    for view in views:
        said = predict(model, grey, recipe, views=[view], pixels=rounded)
        np.testing.assert_allclose(said, expected, rtol=1e-5, err_msg=str(view))


def test_a_recipe_that_measures_needs_what_it_measured(narrow: Recipe, model: AlexNet) -> None:
    with pytest.raises(ValueError, match="needs statistics"):
        predict(model, np.zeros((1, 72, 72, 3), np.uint8), replace(narrow, mean="image"))
