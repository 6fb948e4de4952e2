"""The small network for 32-pixel images: its layers, beside PyTorch's, its way from a command."""

import importlib.util
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from alexnet_scratch.cli import main
from alexnet_scratch.model import AlexNet
from alexnet_scratch.recipe import RECIPES, build_model, shapes_of
from minigrad.nn import functional as F

RECIPE = replace(RECIPES["cifar"], widths=(6, 8, 10))


def test_its_layers_are_those_of_the_published_file() -> None:
    net = AlexNet(10, "cifar", widths=(32, 32, 64), input_size=32)
    sizes, h = {}, mg.zeros(1, 3, 32, 32)
    for name, layer in net.named_children():
        h = layer(h)
        sizes[name] = h.shape[1:]
    assert sizes["conv1"] == (32, 32, 32)
    assert sizes["pool1"] == (32, 16, 16)
    assert sizes["pool2"] == (32, 8, 8)
    assert sizes["pool3"] == (64, 4, 4)
    assert list(sizes)[-1] == "fc4"
    # 32 x 75 + 32, 32 x 800 + 32, 64 x 800 + 64, 10 x 64 x 16 + 10
    assert sum(p.numel() for p in net.parameters()) == 2_432 + 25_632 + 51_264 + 10_250


@pytest.mark.parametrize(("size", "norm"), [(8, "response"), (13, "none"), (24, "batch")])
def test_shapes_without_memory_are_the_networks(size: int, norm: str) -> None:
    recipe = replace(RECIPE, input_size=size, norm=norm)
    state = build_model(recipe, 7).state_dict()
    expected = [(name, value.shape) for name, value in state.items()]
    assert list(shapes_of(recipe, 7).items()) == expected
    assert build_model(recipe, 7)(mg.zeros(2, 3, size, size)).shape == (2, 7)


if importlib.util.find_spec("torch"):
    import torch

    def test_outputs_and_gradients_are_pytorchs() -> None:
        ours: Any = build_model(RECIPE, 5).double()
        lrn = torch.nn.LocalResponseNorm(9, 9 * RECIPE.lrn_alpha, RECIPE.lrn_beta, RECIPE.lrn_k)
        nn = torch.nn
        theirs = nn.Sequential(
            nn.Conv2d(3, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True), lrn,
            nn.Conv2d(6, 8, 5, padding=2), nn.ReLU(), nn.AvgPool2d(3, 2, ceil_mode=True), lrn,
            nn.Conv2d(8, 10, 5, padding=2), nn.ReLU(), nn.AvgPool2d(3, 2, ceil_mode=True),
            nn.Flatten(), nn.Linear(90, 5),
        ).double()  # fmt: skip
        for own, other in zip(theirs.parameters(), ours.parameters(), strict=True):
            own.data = torch.tensor(other.data)
        x = np.random.default_rng(0).normal(0, 30, (4, 3, 28, 28))
        labels = np.array([0, 4, 2, 1])
        loss = F.cross_entropy(ours(mg.tensor(x)), mg.tensor(labels))
        loss.backward()
        expected = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(labels))
        expected.backward()
        assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
        for own, other in zip(theirs.parameters(), ours.parameters(), strict=True):
            np.testing.assert_allclose(other.grad.data, own.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_a_set_of_small_images_is_led_to_it_and_trains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for name, i in itertools.product(("train/a", "train/b", "val/a", "val/b"), range(6)):
        file = tmp_path / "small" / name / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(file)
    packed, run = str(tmp_path / "packed"), str(tmp_path / "run")
    assert main(["prepare", str(tmp_path / "small"), packed, "--image-size", "32"]) == 0
    assert f"train {packed} --recipe cifar" in capsys.readouterr().out
    assert main(["train", packed, "--out", run]) == 2
    assert "--image-size 256, or train with --recipe cifar" in capsys.readouterr().err
    assert main(["train", packed, "--out", run, "--recipe", "cifar", "--epochs", "2"]) == 0
    assert main(["evaluate", run, "--ten-crop", "--json"]) == 0
    assert main(["predict", run, str(tmp_path / "small/val/a/0.png"), "--json"]) == 0
