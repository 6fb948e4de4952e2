"""Training views: where crops may lie, what is mirrored, and the colours' noise by hand."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from alexnet_scratch.data.augment import Place, TrainingView, centre, colour_axes, cut
from minigrad.data import ColorJitter, RandomResizedCrop, RandomRotation

# A pixel's value tells where it is.
IMAGE = np.stack(np.broadcast_arrays(*np.ogrid[:40, :40], 7), -1).astype(np.uint8)


def places(view: TrainingView, draws: int = 4000) -> Counter[Any]:
    rng = np.random.default_rng(0)
    return Counter(view.draw(IMAGE, rng)[1] for _ in range(draws))


def test_the_paper_counts_one_place_less_in_each_direction() -> None:
    every, paper = places(TrainingView(36)), places(TrainingView(36, last=False))
    assert len(every) == 5 * 5 * 2
    assert len(paper) == 4 * 4 * 2
    assert max(place.top for place in every) == 4
    assert max(place.left for place in paper) == 3


def test_places_are_equally_likely() -> None:
    counts = places(TrainingView(36, last=False), 16_000)
    assert min(counts.values()) > 400  # 500 expected, standard deviation 22
    assert max(counts.values()) < 600


def test_the_crop_is_at_its_place() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        crop, (top, left, mirrored) = TrainingView(30).draw(IMAGE, rng)
        assert crop[0, 0, 0] == top
        assert crop[0, -1 if mirrored else 0, 1] == left
        np.testing.assert_array_equal(crop, cut(IMAGE, Place(top, left, mirrored), 30))


def test_without_chance_it_is_the_central_crop() -> None:
    view = TrainingView(30, random=False, flip=False)
    assert set(places(view, 20)) == {centre(40, 30)} == {Place(5, 5, False)}


def test_resized_crops_count_as_central_ones() -> None:
    view = TrainingView(24, resized=RandomResizedCrop(24))
    crop, place = view.draw(IMAGE, np.random.default_rng(2))
    assert crop.shape == (24, 24, 3)
    assert place[:2] == centre(40, 24)[:2]


def test_a_crop_must_lie_within_the_image() -> None:
    for place in (Place(20, 0, False), Place(-1, 0, False)):
        with pytest.raises(ValueError, match="does not lie within an image of shape"):
            cut(IMAGE, place, 30)


def test_colour_axes_by_hand() -> None:
    vectors = np.array([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
    values = np.array([400.0, 100.0, 25.0])
    by_deviation = colour_axes(vectors, values, "deviation")
    # alpha (0.1, 0, 0): 0.1 * 20 grey levels along (0.6, 0.8, 0)
    np.testing.assert_allclose(by_deviation @ [0.1, 0, 0], [1.2, 1.6, 0])
    # alpha (0, 0.1, 0): the second COLUMN is the second axis (rows would give (0.8, 0.6, 0))
    np.testing.assert_allclose(by_deviation @ [0, 0.1, 0], [-0.8, 0.6, 0])
    # in units of 0-1 the eigenvalue is 400 / 255^2, in grey levels 255 times that
    by_value = colour_axes(vectors, values, "eigenvalue")
    np.testing.assert_allclose(by_value @ [0.1, 0, 0], np.array([24, 32, 0]) / 255)
    with pytest.raises(ValueError, match="use eigenvalue or deviation"):
        colour_axes(vectors, values, "variance")


def test_imagenets_noise_is_twelve_grey_levels() -> None:
    # The statistics that the code of 2012 shipped: stdevs 121.78, 37.09, 19.72.
    values = np.array([121.78, 37.09, 19.72]) ** 2
    axes = colour_axes(np.eye(3), values, "deviation")
    assert 0.1 * axes[0, 0] == pytest.approx(12.178)
    assert 0.1 * colour_axes(np.eye(3), values, "eigenvalue")[0, 0] == pytest.approx(5.8, abs=0.05)


@pytest.mark.parametrize(
    "step", [RandomRotation(30), ColorJitter(0.4, 0.4, 0.4), RandomResizedCrop(40)], ids=str
)
def test_steps_follow_their_stream_alone(step: Any) -> None:
    first, again, other = (step(IMAGE, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first.shape, first.dtype) == ((40, 40, 3), np.uint8)


def test_rotation_and_jitter_by_nothing_change_nothing() -> None:
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(RandomRotation(0)(IMAGE, rng), IMAGE)
    np.testing.assert_array_equal(ColorJitter()(IMAGE, rng), IMAGE)


def test_a_resized_crop_of_everything_is_the_image() -> None:
    whole = RandomResizedCrop(40, scale=(1, 1), ratio=(1, 1))
    np.testing.assert_array_equal(whole(IMAGE, np.random.default_rng(0)), IMAGE)


def test_resized_crops_have_areas_in_their_range() -> None:
    step, rng = RandomResizedCrop(8, scale=(0.2, 0.5)), np.random.default_rng(5)
    areas = [(w * h) / 1600 for *_, w, h in (step._window(IMAGE, rng) for _ in range(300))]
    assert 0.17 < min(areas) < 0.25
    assert 0.45 < max(areas) < 0.53


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomRotation(200), "degrees=200"),
        (lambda: ColorJitter(contrast=2), "contrast=2"),
        (lambda: RandomResizedCrop(8, scale=(0, 1)), r"scale=\(0, 1\)"),
        (lambda: RandomResizedCrop(0), "size=0"),
    ],
)
def test_wrong_arguments(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
