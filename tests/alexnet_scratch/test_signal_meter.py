"""The signal meter: numbers worked out by hand, and what it advises."""

import math
from dataclasses import replace

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.recipe import RECIPES, Recipe
from alexnet_scratch.signal_meter import LayerSignal, advice, measure
from minigrad import nn


def linear(weight: list[list[float]], bias: list[float]) -> nn.Linear:
    layer = nn.Linear(len(weight[0]), len(weight))
    layer.weight.data[...], layer.bias.data[...] = weight, bias
    return layer


def test_two_layers_give_the_numbers_worked_out_by_hand() -> None:
    first = linear([[1, 0], [-1, 0]], [0, 0])
    second = linear([[1, 1], [0, 0]], [0, 10])
    model = nn.Sequential({"one": first, "relu": nn.ReLU(), "drop": nn.Dropout(0.9), "two": second})
    rows = measure(model, mg.tensor([[1.0, 7.0], [3.0, 7.0]]))
    # one: (1, 0) and (3, 0) behind the ReLU; two: (1, 10) and (3, 10).
    assert [row.name for row in rows] == ["one", "two"]
    expected = [(2.5, 1.5, 0.5, 0.5), (52.5, 16.5, 0.5, None)]
    for row, (square, variance, image, dead) in zip(rows, expected, strict=True):
        assert row.rms == pytest.approx(math.sqrt(square))
        assert row.std == pytest.approx(math.sqrt(variance))
        assert row.image_rms == pytest.approx(math.sqrt(image))
        assert row.image_share == pytest.approx(math.sqrt(image / square))
        assert row.dead == dead


def test_a_unit_is_a_place_in_a_map() -> None:
    conv = nn.Conv2d(1, 1, 1)
    conv.weight.data[...], conv.bias.data[...] = 1, 0
    images = np.zeros((3, 1, 2, 2), np.float32)
    images[:, 0, 0, 0] = 6, 6, 6  # lit, but the same in all
    images[:, 0, 1, 1] = 0, 3, -5  # lit in one
    (row,) = measure(nn.Sequential(conv, nn.ReLU()), mg.tensor(images))
    assert row.dead == 0.5
    assert row.rms == pytest.approx(math.sqrt((3 * 36 + 9) / 12))
    assert row.image_rms == pytest.approx(math.sqrt((9 / 3 - 1) / 4))


def test_rows_follow_the_order_of_the_calls_and_a_relu_joins_only_its_layer() -> None:
    model = nn.Sequential(
        {
            "conv": nn.Conv2d(1, 4, 3),
            "lrn": nn.PaperLRN(5, 2.0, 1e-4, 0.75, 1),
            "pool": nn.MaxPool2d(2),
            "relu": nn.ReLU(),
            "flat": nn.Flatten(),
            "fc": nn.Linear(16, 2),
        }
    )
    rows = measure(model, mg.tensor(np.random.default_rng(0).normal(size=(4, 1, 6, 6))).float())
    assert [(row.name, row.dead is None) for row in rows] == [
        ("conv", True), ("lrn", True), ("relu", False), ("fc", True),
    ]  # fmt: skip


def test_same_images_leave_no_signal_and_a_zero_layer_has_none() -> None:
    rows = measure(
        nn.Sequential(linear([[1, 1]], [1]), linear([[0]], [0])), mg.tensor([[1.0, 2.0]] * 3)
    )
    assert [row.image_share for row in rows] == [0, 0]
    assert rows[0].rms == 4


def test_the_network_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    before = [p.data.copy() for p in model.parameters()]
    assert len(measure(model, mg.tensor([[1.0, 2.0], [3.0, 4.0]]))) == 1
    assert model.training
    assert all(not module._forward_hooks for module in model.modules())
    assert all((p.data == b).all() for p, b in zip(model.parameters(), before, strict=True))
    with pytest.raises(ValueError, match="at least 2"):
        measure(model, mg.tensor([[1.0, 2.0]]))


# ----- advice -----


def start(image: float, rms: float, dead: float = 0.3) -> list[LayerSignal]:
    return [LayerSignal("conv1", 1, 1, 0.8, dead), LayerSignal("fc8", rms, rms, image, None)]


@pytest.mark.parametrize("name", RECIPES)
def test_a_good_start_is_not_spoken_against(name: str) -> None:
    assert advice(start(0.03, 0.1), math.log(10) + 0.02, 10, RECIPES[name]) == []


def test_a_weak_image_and_a_swamped_one_are_told_apart() -> None:
    loss = math.log(1000)
    (weak,) = advice(start(0.005, 0.07), loss, 1000, RECIPES["caffe"])
    assert "moves the logits by 0.005" in weak
    assert "hundreds of steps" in weak
    (swamped,) = advice(start(0.003, 0.35), loss, 1000, RECIPES["paper"])
    assert "only 0.9% of them depends on it" in swamped
    assert "thousands of steps" in swamped
    assert "--recipe small" in swamped
    assert "raw pixels" not in swamped
    scaled = replace(RECIPES["paper"], input_std=(62.0, 62.0, 62.0))
    (swamped,) = advice(start(7e-5, 0.35), loss, 1000, scaled)
    assert "only 0.02% of them depends on it" in swamped
    assert "presumes raw pixels" in swamped


@pytest.mark.parametrize("loss", [math.log(10) + 3.2, math.inf, math.nan])
def test_a_large_initial_loss_is_told(loss: float) -> None:
    (said,) = advice(start(0.16, 1.4), loss, 10, RECIPES["source2012"])
    assert "far above ln(10) = 2.303" in said
    assert "--lr 0.001" in said


def test_dead_layers_are_named() -> None:
    (said,) = advice(start(0.03, 0.1, dead=0.9), 2.3, 10, Recipe())
    assert said.startswith("90% of the units of conv1")
