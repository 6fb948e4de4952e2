"""Test-time views: where they lie, and what they are called."""

import numpy as np
import pytest

from alexnet_scratch.data import DataError
from alexnet_scratch.data.augment import Place
from alexnet_scratch.data.views import CENTRE, PLACES, TEN_CROP, View, cut, name_of, parse_views
from minigrad.data import CenterCrop

# Each pixel says where it is: (row, column, 7).
IMAGE = np.stack([*np.mgrid[0:9, 0:12], np.full((9, 12), 7)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("place", "top", "left"),
    [
        ("centre", 2, 4), ("top-left", 0, 0), ("top-right", 0, 8), ("bottom-left", 5, 0),
        ("bottom-right", 5, 8), ("top", 0, 4), ("bottom", 5, 4), ("left", 2, 0), ("right", 2, 8),
    ],
)  # fmt: skip
def test_each_view_lies_where_its_name_says(place: str, top: int, left: int) -> None:
    crop = cut(IMAGE, View(place), 4)
    assert crop.shape == (4, 4, 3)
    assert crop[0, 0].tolist() == [top, left, 7]
    assert crop[3, 3].tolist() == [top + 3, left + 3, 7]
    mirrored = cut(IMAGE, View(place, mirrored=True), 4)
    np.testing.assert_array_equal(mirrored, crop[:, ::-1])
    assert View(place, mirrored=True).within(IMAGE.shape, 4) == Place(top, left, True)
    assert np.shares_memory(mirrored, IMAGE)  # not copied


def test_a_batch_is_cut_as_its_images_are() -> None:
    batch = np.stack([IMAGE, 255 - IMAGE])
    for view in TEN_CROP:
        expected = [cut(image, view, 5) for image in batch]
        np.testing.assert_array_equal(cut(batch, view, 5), expected)


@pytest.mark.parametrize("side", [6, 7])
def test_the_centre_is_that_of_training_and_of_the_loaders_crop(side: int) -> None:
    image = IMAGE[:, :side]
    central = CenterCrop(4)(image, np.random.default_rng(0))
    np.testing.assert_array_equal(cut(image, CENTRE[0], 4), central)


def test_ten_crops_are_four_corners_and_centre_with_their_mirror_images() -> None:
    corners = {"top-left", "top-right", "bottom-left", "bottom-right"}
    places = corners | {"centre"}
    assert len(TEN_CROP) == 10
    assert set(TEN_CROP) == {View(p, m) for p in places for m in (False, True)}


def test_names_and_views_stand_for_each_other() -> None:
    views = tuple(View(place, mirrored) for place in PLACES for mirrored in (True, False))
    assert parse_views(name_of(views)) == views
    assert parse_views("centre") == CENTRE
    assert parse_views(" top , left-mirrored ") == (View("top"), View("left", mirrored=True))
    assert name_of(TEN_CROP) == name_of(TEN_CROP[::-1]) == "ten crops"


@pytest.mark.parametrize("text", ["middle", "", "centre,", "mirrored", "-mirrored", "Centre"])
def test_an_unknown_name_lists_the_known(text: str) -> None:
    with pytest.raises(DataError, match=r"unknown view '.*': use centre, top-left, .*-mirrored"):
        parse_views(text)


def test_a_view_counts_once() -> None:
    with pytest.raises(DataError, match="view 'top' is named twice in 'top,left,top'"):
        parse_views("top,left,top")


def test_a_small_image_is_refused() -> None:
    with pytest.raises(ValueError, match="10 x 10 does not fit into an image of 9 x 12"):
        cut(IMAGE, CENTRE[0], 10)
