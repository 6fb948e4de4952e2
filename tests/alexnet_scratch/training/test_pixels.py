"""Bytes to the network's input: every mean, the noise and the scale, against one line of NumPy."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.data.augment import Place, cut
from alexnet_scratch.pixels import (
    PixelStatistics,
    ToInput,
    colour_alphas,
    pixel_statistics,
)
from alexnet_scratch.recipe import RECIPES, Recipe

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 64, 64, 3), np.uint8)
MEAN_IMAGE = RNG.uniform(0, 255, (72, 72, 3)).astype(np.float32)
AXES = RNG.normal(size=(3, 3)).astype(np.float32)
PLACES = [Place(0, 8, False), Place(3, 1, True), Place(8, 8, True)]


def recipe(**changes: Any) -> Recipe:
    sizes = {"input_size": 64, "image_size": 72, "widths": (8, 8, 8, 8, 8)}
    return replace(RECIPES["paper"], **{**sizes, **changes})


def inputs(changed: Recipe, mean: Any, **options: Any) -> np.ndarray[Any, Any]:
    statistics = PixelStatistics(np.asarray(mean, np.float32), AXES)
    return ToInput(changed, statistics)(mg.Tensor(IMAGES), **options).data.transpose(0, 2, 3, 1)


def test_channel_mean_and_standard_deviations() -> None:
    x = inputs(recipe(mean="channel", input_std=(1.0, 2.0, 4.0)), [1, 20, 300])
    np.testing.assert_allclose(x, (IMAGES - [1, 20, 300]) / [1, 2, 4], rtol=1e-6)


def test_the_mean_image_lies_where_the_crop_lay() -> None:
    x = inputs(recipe(mean="image"), MEAN_IMAGE, places=PLACES)
    for image, place, y in zip(IMAGES, PLACES, x, strict=True):
        np.testing.assert_allclose(y, image - cut(MEAN_IMAGE, place, 64), rtol=1e-6)


def test_a_mirrored_crop_less_a_mirrored_mean_is_mirrored() -> None:
    both = recipe(mean="image")
    statistics = PixelStatistics(MEAN_IMAGE, AXES)
    plain = ToInput(both, statistics)(mg.Tensor(IMAGES), [Place(2, 3, False)] * 3)
    turned = ToInput(both, statistics)(mg.Tensor(IMAGES[:, :, ::-1]), [Place(2, 3, True)] * 3)
    np.testing.assert_array_equal(turned.data, plain.data[..., ::-1])


def test_the_code_of_2012_takes_the_mean_images_centre_everywhere() -> None:
    expected = IMAGES - MEAN_IMAGE[4:68, 4:68]
    for places in (None, PLACES):
        x = inputs(recipe(mean="image-centre"), MEAN_IMAGE, places=places)
        np.testing.assert_allclose(x, expected, rtol=1e-6)
    np.testing.assert_allclose(inputs(recipe(mean="image"), MEAN_IMAGE), expected, rtol=1e-6)


@pytest.mark.parametrize("divisor", [1.0, 1.1])
def test_noise_is_a_colour_per_image_and_the_sum_is_divided(divisor: float) -> None:
    alphas = RNG.normal(0, 0.1, (3, 3)).astype(np.float32)
    it = recipe(mean="channel", colour_divisor=divisor)
    x = inputs(it, [1, 2, 3], alphas=alphas)
    shift = np.stack([AXES @ alpha for alpha in alphas])[:, None, None]
    np.testing.assert_allclose(x, (IMAGES - [1, 2, 3] + shift) / divisor, rtol=1e-5, atol=1e-4)
    without = inputs(it, [1, 2, 3])  # evaluation: neither noise nor division
    np.testing.assert_allclose(without, IMAGES - [1, 2, 3.0], rtol=1e-6)


def test_colour_noise_has_its_size_and_its_end() -> None:
    ends = recipe(colour_std=0.3, epochs=10, colour_epochs=67, replayed_epochs=91)
    alphas = colour_alphas(ends, 0, 20_000)
    assert alphas is not None
    assert alphas.shape == (20_000, 3)
    assert alphas.std() == pytest.approx(0.3, rel=0.02)
    assert colour_alphas(ends, 7, 4) is not None  # 67 of 91 epochs are 7.4 of 10
    assert colour_alphas(ends, 8, 4) is None
    assert colour_alphas(replace(ends, colour_epochs=0), 9, 4) is not None
    assert colour_alphas(replace(ends, colour_noise="none"), 0, 4) is None


def test_a_recipe_takes_what_it_names_from_the_statistics() -> None:
    class Measured:
        channel_mean_0_255 = np.array([1.0, 2, 3])
        mean_image_0_255 = MEAN_IMAGE
        colour_eigenvectors = np.eye(3)
        colour_eigenvalues_0_255_squared = np.array([255.0, 4, 1])

    measured: Any = Measured()
    paper = pixel_statistics(recipe(), measured)
    np.testing.assert_array_equal(paper.mean, MEAN_IMAGE)
    np.testing.assert_allclose(paper.axes, np.diag([1, 4 / 255, 1 / 255]), rtol=1e-6)
    plain = pixel_statistics(recipe(mean="channel", colour_noise="none"), measured)
    np.testing.assert_array_equal(plain.mean, [1, 2, 3])
    assert not plain.axes.any()
    constant = recipe(mean="constant", colour_noise="none")
    np.testing.assert_allclose(pixel_statistics(constant, None).mean, constant.input_mean)
    with pytest.raises(ValueError, match="needs statistics of the training images"):
        pixel_statistics(recipe(), None)
