"""Crops and flips: right windows, right chances, no copies."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from minigrad.data import (
    CenterCrop,
    ColorJitter,
    Compose,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
)


def image(height: int, width: int) -> Any:
    """Channels 0 and 1 hold the row and the column of each pixel."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, rows * 0], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("size", [4, (4, 3), (7, 9)])
def test_random_crop_is_a_window_and_every_place_is_reached(size: Any) -> None:
    rng, source = np.random.default_rng(0), image(7, 9)
    height, width = (size, size) if isinstance(size, int) else size
    places = set()
    for _ in range(800):
        crop = RandomCrop(size)(source, rng)
        top, left = int(crop[0, 0, 0]), int(crop[0, 0, 1])
        np.testing.assert_array_equal(crop, source[top : top + height, left : left + width])
        places.add((top, left))
    assert len(places) == (8 - height) * (10 - width)


def test_random_crop_places_are_equally_likely() -> None:
    rng, source = np.random.default_rng(1), image(6, 6)
    tops = [int(RandomCrop(4)(source, rng)[0, 0, 0]) for _ in range(3000)]
    assert np.all(np.abs(np.bincount(tops, minlength=3) - 1000) < 130)  # five sigma


def test_center_crop_is_central_and_draws_nothing() -> None:
    rng = np.random.default_rng(0)
    crop = CenterCrop(4)(image(8, 9), rng)
    assert crop.shape == (4, 4, 3)
    assert crop[0, 0, :2].tolist() == [2, 2]
    assert rng.random() == np.random.default_rng(0).random()


def test_flip_mirrors_columns_half_of_the_time() -> None:
    rng, source = np.random.default_rng(2), image(3, 5)
    flips = 0
    for _ in range(1000):
        out = RandomHorizontalFlip()(source, rng)
        flipped = bool(out[0, 0, 1] == 4)
        flips += flipped
        np.testing.assert_array_equal(out, source[:, ::-1] if flipped else source)
    assert abs(flips - 500) < 80
    assert all(RandomHorizontalFlip(1.0)(source, rng)[0, 0, 1] == 4 for _ in range(50))
    assert all(RandomHorizontalFlip(0.0)(source, rng)[0, 0, 1] == 0 for _ in range(50))


def test_no_flip_with_p_0_and_always_one_with_p_1_at_the_ends_of_random() -> None:
    for p, drawn, column in ((0.0, 0.0, 0), (1.0, np.nextafter(1, 0), 4)):
        rng: Any = SimpleNamespace(random=lambda drawn=drawn: drawn)
        assert RandomHorizontalFlip(p)(image(3, 5), rng)[0, 0, 1] == column


def test_a_resized_crop_may_be_one_pixel_and_reaches_every_place() -> None:
    crop, rng = RandomResizedCrop(1, scale=(1 / 12, 1 / 12), ratio=(1, 1)), np.random.default_rng(3)
    places = {tuple(crop(image(3, 4), rng)[0, 0, :2].tolist()) for _ in range(300)}
    assert places == {(row, column) for row in range(3) for column in range(4)}


@pytest.mark.parametrize(("height", "width"), [(2, 10), (10, 2), (3, 10)])
def test_where_no_resized_crop_fits_it_is_the_central_window(height: int, width: int) -> None:
    tall, wide = min(height, 2 * width), min(width, 2 * height)
    crop = RandomResizedCrop((tall, wide), scale=(9, 9), ratio=(1 / 2, 2))
    source, top, left = image(height, width), (height - tall) // 2, (width - wide) // 2
    expected = source[top : top + tall, left : left + wide]
    np.testing.assert_array_equal(crop(source, np.random.default_rng(0)), expected)


def test_a_resized_crop_has_a_row_and_a_column_at_least() -> None:
    """Windows of the area 1, nine times as long as wide, round to none: the central one it is."""
    rng, area = np.random.default_rng(0), (1 / 24, 1 / 24)
    flat = RandomResizedCrop((1, 8), area, (9, 9))(image(3, 8), rng)
    np.testing.assert_array_equal(flat, image(3, 8)[1:2])
    tall = RandomResizedCrop((8, 1), area, (1 / 9, 1 / 9))(image(8, 3), rng)
    np.testing.assert_array_equal(tall, image(8, 3)[:, 1:2])


def test_a_window_that_fits_nowhere_has_a_row_and_a_column() -> None:
    rng = np.random.default_rng(0)
    for ratio in (16, 1 / 16):
        crop = RandomResizedCrop(2, scale=(1, 1), ratio=(ratio, ratio))
        assert crop(image(3, 4), rng).shape == (2, 2, 3)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_jitter_changes_by_factors_on_both_sides_of_1(name: str) -> None:
    """The channels' distances from black, the mean or grey grow and shrink by up to 0.4."""
    pixel = {"brightness": [[100, 0, 0]], "contrast": [[80] * 3, [120] * 3]}
    source = np.uint8([pixel.get(name, [[140, 100, 100]])])
    jitter, rng = ColorJitter(**{name: 0.4}), np.random.default_rng(4)
    spans = [np.ptp(jitter(source, rng).astype(int)) / np.ptp(source) for _ in range(300)]
    assert 0.55 < min(spans) < 0.65
    assert 1.35 < max(spans) < 1.45


def test_rotation_turns_both_ways_as_far_as_it_may() -> None:
    rng, mark = np.random.default_rng(5), np.zeros((41, 41, 3), np.uint8)
    mark[18:23, 36:41] = 255
    rows = []
    for _ in range(200):
        turned = RandomRotation(30, fill=1)(mark, rng)
        assert turned[0, 0, 2] in (0, 1)
        rows.append(np.average(np.arange(41), weights=(turned[:, :, 0] > 99).sum(1)) - 20)
    assert -10 < min(rows) < -7  # 18 sin 30° = 9
    assert 7 < max(rows) < 10


def test_a_transform_is_never_changed() -> None:
    steps = (RandomCrop(4), CenterCrop(4), RandomHorizontalFlip(), RandomResizedCrop(4),
             RandomRotation(4), ColorJitter(), Compose([]))  # fmt: skip
    for step in steps:
        with pytest.raises(dataclasses.FrozenInstanceError):
            step.size = 5  # type: ignore[union-attr, misc]


def test_composition_is_views_only_and_follows_the_rng() -> None:
    source = image(8, 8)
    both = Compose([RandomCrop(5), RandomHorizontalFlip()])
    out = both(source, np.random.default_rng(7))
    assert np.shares_memory(out, source)
    np.testing.assert_array_equal(out, both(source, np.random.default_rng(7)))
    rng = np.random.default_rng(7)
    np.testing.assert_array_equal(
        out, RandomHorizontalFlip()(RandomCrop(5)(source, rng), rng)
    )  # in this order, from one stream


@pytest.mark.parametrize("crop", [RandomCrop(6), CenterCrop((6, 2))])
def test_too_small_an_image_is_named(crop: Any) -> None:
    with pytest.raises(ValueError, match=r"Crop of 6 x . got an image of shape \(5, 9, 3\)"):
        crop(image(5, 9), np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"shape \(9, 9\)"):
        crop(np.zeros((9, 9), np.uint8), np.random.default_rng(0))


GEOMETRIC = (RandomResizedCrop((5, 4)), RandomRotation(30, fill=128))


def changed(transform: Any, source: Any) -> Any:
    return transform(source, np.random.default_rng(3))


@pytest.mark.parametrize("transform", [*GEOMETRIC, ColorJitter(0.5, 0.5, 0.5)])
def test_grey_is_treated_as_each_channel_of_rgb(transform: Any) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (9, 8, 1), np.uint8)
    rgb = changed(transform, np.repeat(grey, 3, axis=2))
    np.testing.assert_array_equal(np.repeat(changed(transform, grey), 3, axis=2), rgb)


@pytest.mark.parametrize("transform", GEOMETRIC)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_floats_of_any_channels_are_as_bytes_but_for_rounding(
    transform: Any, channels: int
) -> None:
    source = np.random.default_rng(0).integers(0, 256, (9, 8, channels), np.uint8)
    exact = changed(transform, source.astype(np.float32))
    assert exact.dtype == np.float32
    np.testing.assert_allclose(changed(transform, source), exact, atol=1.01)


@pytest.mark.parametrize(
    ("transform", "source", "expected"),
    [
        (RandomRotation(9), np.zeros((8, 8, 3)), r"uint8 or float32 \(height, width, channels\)"),
        (RandomRotation(9), np.zeros((8, 8), np.uint8), "float32"),
        (RandomResizedCrop(4), np.zeros((8, 8, 3), np.int64), r"got int64 \(8, 8, 3\)"),
        (RandomResizedCrop(4), np.zeros((8, 8), np.uint8), "height, width, channels"),
        (ColorJitter(0.5), np.zeros((8, 8, 3), np.float32), r"uint8 \(height, width, 1 or 3\)"),
        (ColorJitter(0.5), np.zeros((8, 8, 4), np.uint8), "1 or 3"),
    ],
)
def test_what_cannot_be_transformed_is_told(transform: Any, source: Any, expected: str) -> None:
    with pytest.raises(TypeError, match=expected):
        changed(transform, source)


@pytest.mark.parametrize("crop", [RandomCrop, CenterCrop, RandomResizedCrop])
def test_sizes_may_be_numpys(crop: Any) -> None:
    size = np.int64(4)
    for given in (size, (size, size)):
        assert changed(crop(given), image(8, 8)).shape == (4, 4, 3)


@pytest.mark.parametrize("size", [0, -3, 2.5, (4,), (4, 0), "4", None])
def test_wrong_sizes(size: Any) -> None:
    with pytest.raises(ValueError, match="got size="):
        RandomCrop(size)
    with pytest.raises(ValueError, match="got size="):
        CenterCrop(size)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_wrong_probability(p: float) -> None:
    with pytest.raises(ValueError, match="give a probability"):
        RandomHorizontalFlip(p)
