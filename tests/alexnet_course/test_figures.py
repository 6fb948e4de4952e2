"""The paper's pictures show what they are given."""

import numpy as np
import pytest

from alexnet_course import figures


def test_a_filter_is_stretched_around_grey():
    weight = np.zeros((3, 3, 2, 2))
    weight[1, 0, 0, 0], weight[1, 1, 1, 1] = 4.0, -2.0
    grid = figures.filter_grid(weight, columns=2)
    assert grid.shape == (5, 5, 3)
    assert grid[0, 3].tolist() == [1.0, 0.5, 0.5]
    assert grid[1, 4].tolist() == [0.5, 0.25, 0.5]
    assert (grid[:2, :2] == 0.5).all()  # all weights 0: grey, not NaN
    assert (grid[3:, 3:] == 1).all()  # an empty place is white
    assert (grid[2] == 1).all()


def test_filters_are_drawn_tower_above_tower():
    weight = np.random.default_rng(0).standard_normal((96, 3, 11, 11))
    figure = figures.draw_filters(weight)
    assert [axes.get_title() for axes in figure.axes] == ["tower 1", "tower 2"]
    shown = figure.axes[1].images[0].get_array()
    np.testing.assert_allclose(shown, figures.filter_grid(weight[48:]))


@pytest.mark.parametrize("count", [1, 4, 6])
def test_predictions_are_bars_best_first_and_the_true_one_stands_out(count):
    images = np.zeros((count, 8, 8, 3), np.uint8)
    p = np.tile([0.1, 0.6, 0.3], (count, 1))
    figure = figures.draw_predictions(images, p, [2] * count, ["ant", "bee", "cat"])
    drawn = [axes for axes in figure.axes if axes.patches]
    assert len(drawn) == count
    assert [text.get_text() for text in drawn[0].texts] == ["bee", "cat", "ant"]
    assert [bar.get_width() for bar in drawn[0].patches] == [0.6, 0.3, 0.1]
    colours = [bar.get_facecolor() for bar in drawn[0].patches]
    assert colours[0] == colours[2] != colours[1]


def test_neighbours_stand_beside_their_query():
    queries = np.full((2, 4, 4, 3), 7, np.uint8)
    found = [np.full((3, 4, 4, 3), value, np.uint8) for value in (1, 2)]
    figure = figures.draw_neighbours(queries, found)
    values = [int(axes.images[0].get_array()[0, 0, 0]) for axes in figure.axes if axes.images]
    assert sorted(values) == [1, 1, 1, 2, 2, 2, 7, 7]
