"""What each preset means by LRN, dropout, SGD and initialisation: numbers worked out by hand."""

import importlib.util
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.initialise import initialise
from alexnet_scratch.model import AlexNet
from alexnet_scratch.recipe import RECIPES, build_model, parameter_groups
from minigrad import optim

NARROW = {"widths": (12, 12, 12, 12, 12), "fc_width": 4096, "input_size": 64, "image_size": 72}


def network(preset: str) -> AlexNet:
    narrow = {k: v for k, v in NARROW.items() if preset != "owt" or k != "widths"}
    return build_model(replace(RECIPES[preset], **narrow), 10)


# Two towers of six channels. Around channel 0 lie 100^2 = 10,000 in its tower and no more; around
# channel 5 the 30 of the other tower, which counts 900 where windows cross the border.
COLUMN = np.array([100, 0, 0, 0, 0, 50, 30, 0, 0, 0, 0, 0], np.float32)
PAPER = 2 + 1e-4 * 10_000, 2 + 1e-4 * 2_500  # = 3 and 2.25
CODE = 2 + 2e-5 * 10_000, 2 + 2e-5 * 2_500  # alpha / 5: 2.2 and 2.05
CAFFE = 1 + 2e-5 * 10_000, 1 + 2e-5 * (2_500 + 900)  # k = 1, no border: 1.2 and 1.068


@pytest.mark.parametrize(
    ("preset", "scales", "first"),
    [("paper", PAPER, 43.87), ("small", PAPER, 43.87), ("source2012", CODE, 55.36),
     ("caffe", CAFFE, 87.22)],
)  # fmt: skip
def test_lrn(preset: str, scales: tuple[float, float], first: float) -> None:
    lrn: Any = network(preset).lrn1
    y = lrn(mg.tensor(COLUMN.reshape(1, 12, 1, 1))).data.ravel()
    assert y[0] == pytest.approx(first, abs=0.01)
    assert y[0] == pytest.approx(100 / scales[0] ** 0.75, rel=1e-6)
    assert y[5] == pytest.approx(50 / scales[1] ** 0.75, rel=1e-6)


if importlib.util.find_spec("torch"):
    import torch

    def test_pytorchs_layer_has_these_numbers_with_alpha_times_the_window() -> None:
        x = torch.tensor(COLUMN.reshape(1, 12, 1, 1))
        caffe = torch.nn.functional.local_response_norm(x, 5, 1e-4, 0.75, 1.0).ravel()
        assert caffe[0].item() == pytest.approx(100 / CAFFE[0] ** 0.75, rel=1e-6)
        paper = torch.nn.functional.local_response_norm(x[:, :6], 5, 5e-4, 0.75, 2.0).ravel()
        assert paper[5].item() == pytest.approx(50 / PAPER[1] ** 0.75, rel=1e-6)


def test_owt_has_no_lrn() -> None:
    assert not any(name.startswith("lrn") for name, _ in network("owt").named_modules())


def test_the_code_normalises_within_maps_behind_its_second_lrn() -> None:
    net: Any = network("source2012")
    names = [name for name, _ in net.named_children()]
    assert names[:4] == ["edge1", "conv1", "lrn1", "pool1"]
    assert names[4:10] == ["relu1", "conv2", "relu2", "lrn2", "contrast2", "pool2"]
    # 5 x 5 pixels of 100: 1 + 0.001 / 25 * 25 * 100^2 = 11 in the middle, 9 pixels in the corner
    y = net.contrast2(mg.tensor(np.full((1, 1, 5, 5), 100, np.float32))).data[0, 0]
    assert y[2, 2] == pytest.approx(100 / 11**0.75, rel=1e-6)
    assert y[0, 0] == pytest.approx(100 / (1 + 0.001 / 25 * 9 * 1e4) ** 0.75, rel=1e-6)


@pytest.mark.parametrize(
    ("preset", "kept", "tested"),
    [("paper", 3.0, 1.5), ("source2012", 3.0, 1.5), ("caffe", 6.0, 3.0), ("small", 6.0, 3.0),
     ("owt", 6.0, 3.0)],
)  # fmt: skip
def test_dropout(preset: str, kept: float, tested: float) -> None:
    net: Any = network(preset)
    drop = net.classifier[0] if preset == "owt" else net.drop6
    x = mg.tensor(np.full((4, 100), 3, np.float32))
    mg.manual_seed(0)
    assert set(np.unique(drop.train()(x).data)) == {0.0, kept}
    assert set(np.unique(drop.eval()(x).data)) == {tested}


def test_dropout_sits_behind_fc6_and_fc7_or_before_them() -> None:
    names = [name for name, _ in network("paper").named_children()]
    assert names[-7:] == ["fc6", "relu6", "drop6", "fc7", "relu7", "drop7", "fc8"]
    classifier: Any = network("owt").classifier
    kinds = [type(layer).__name__ for layer in classifier]
    assert kinds == ["Dropout", "Linear", "ReLU", "Dropout", "Linear", "ReLU", "Linear"]


# Three steps with gradient 1, the rate 0.1 in the first two and 0.01 in the third, no decay:
#   inside the velocity:  v = -0.1, -0.19, 0.9 * -0.19 - 0.01 = -0.181;   w = 1, .9, .71, .529
#   outside:              v = 1, 1.9, 2.71;  the third step is -0.01 * 2.71: w = 1, .9, .71, .6829
@pytest.mark.parametrize(
    ("preset", "last"),
    [("paper", 0.529), ("source2012", 0.529), ("caffe", 0.529), ("small", 0.6829),
     ("owt", 0.6829)],
)  # fmt: skip
def test_momentum_when_the_rate_drops(preset: str, last: float) -> None:
    recipe = RECIPES[preset]
    weight = mg.nn.Parameter(np.ones(1))
    it = optim.SGD([weight], 0.1, momentum=recipe.momentum, rule=recipe.rule)
    seen = []
    for lr in (0.1, 0.1, 0.01):
        it.param_groups[0]["lr"] = lr
        weight.grad = mg.tensor(np.ones(1))
        it.step()
        seen.append(float(weight.data[0]))
    assert seen == pytest.approx([0.9, 0.71, last])


@pytest.mark.parametrize(
    ("preset", "weights", "biases"),
    [  # rate and decay
        ("paper", (0.01, 5e-4), (0.01, 5e-4)), ("source2012", (0.01, 5e-4), (0.02, 0)),
        ("caffe", (0.01, 5e-4), (0.02, 0)), ("owt", (0.01, 1e-4), (0.01, 1e-4)),
        ("small", (0.01, 5e-4), (0.01, 5e-4)),
    ],
)  # fmt: skip
def test_rate_and_decay_of_weights_and_biases(preset: str, weights: Any, biases: Any) -> None:
    net = network(preset)
    groups = parameter_groups(net, RECIPES[preset])
    for group in groups:
        expected = biases if group["name"].endswith("biases") else weights
        assert (group["lr"], group["weight_decay"]) == expected
    assert sum(len(g["params"]) for g in groups) == len(list(net.parameters()))


CONVS = ("conv1", "conv2", "conv3", "conv4", "conv5")
STDS = {
    "paper": (0.01,) * 8,
    "source2012": (0.01, 0.01, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01),
    "caffe": (0.01, 0.01, 0.01, 0.01, 0.01, 0.005, 0.005, 0.01),
}


def test_the_codes_initialisation_of_its_small_network() -> None:
    net = build_model(RECIPES["cifar"], 10)
    initialise(net, "source2012")
    for name, std in (("conv1", 1e-4), ("conv2", 0.01), ("conv3", 0.01), ("fc4", 0.01)):
        layer = getattr(net, name)
        assert layer.weight.data.std() == pytest.approx(std, rel=0.1)
        assert not layer.bias.data.any()
    with pytest.raises(ValueError, match="that of 8 layers, the network has 4"):
        initialise(net, "paper")


@pytest.mark.parametrize("preset", STDS)
def test_initialisation(preset: str) -> None:
    net: Any = network(preset)
    mg.manual_seed(0)
    initialise(net, RECIPES[preset].init)
    one = 0.1 if preset == "caffe" else 1.0
    layers = [getattr(net, name) for name in (*CONVS, "fc6", "fc7", "fc8")]
    for layer, std, bias in zip(layers, STDS[preset], (0, 1, 0, 1, 1, 1, 1, 0), strict=True):
        assert layer.weight.data.std() == pytest.approx(std, rel=0.1)
        np.testing.assert_allclose(layer.bias.data, bias * one)


@pytest.mark.parametrize("preset", [name for name in RECIPES if RECIPES[name].input_size > 200])
def test_conv1_gives_55_by_55(preset: str) -> None:
    recipe = RECIPES[preset]
    thin = {"fc_width": 2} | ({} if preset == "owt" else {"widths": (2,) * 5})
    net: Any = build_model(replace(recipe, **thin), 2)
    x = mg.zeros(1, 3, recipe.input_size, recipe.input_size)
    first = [net.features[0]] if preset == "owt" else [getattr(net, "edge1", None), net.conv1]
    for layer in filter(None, first):
        x = layer(x)
    assert x.shape[2:] == (55, 55)
