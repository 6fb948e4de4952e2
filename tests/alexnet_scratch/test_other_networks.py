"""The networks before and after AlexNet by the same commands: recipes, refusals, whole runs."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alexnet_scratch
import minigrad as mg
from alexnet_scratch import bench
from alexnet_scratch.cli import main
from alexnet_scratch.initialise import LAST_STD, initialise
from alexnet_scratch.recipe import (
    NETWORKS,
    RECIPES,
    Recipe,
    RecipeError,
    build_model,
    parameter_groups,
    shapes_of,
)
from alexnet_scratch.recipe.flags import add_recipe_flags, recipe_from
from alexnet_scratch.recipe.notes import differences
from alexnet_scratch.training.checkpoint import load_checkpoint
from alexnet_scratch.training.input import flags_for
from alexnet_scratch.zoo import MODELS, state_shapes
from alexnet_scratch.zoo.resnet import Block
from minigrad import nn
from minigrad.nn.shapes import shapes_only

Capture = pytest.CaptureFixture[str]


def parsed(*words: str) -> Recipe:
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipe")
    add_recipe_flags(parser)
    return recipe_from(parser.parse_args(list(words)))


def small(name: str, **changes: Any) -> Recipe:
    """The recipe of a network, narrow where it can be, on the smallest images."""
    narrow = {"fc_width": 4} if "fc_width" in MODELS[name].fields else {}
    side = 53 if name == "zfnet" else 32
    return replace(NETWORKS[name], input_size=side, image_size=side, **{**narrow, **changes})


# ----- recipes -----


def test_every_network_has_a_recipe_of_its_name() -> None:
    assert list(NETWORKS) == list(MODELS)
    for name, recipe in NETWORKS.items():
        assert (recipe.name, recipe.model) == (name, name)
        assert recipe.title == MODELS[name].title
        assert Recipe.from_json(recipe.to_json()) == recipe
        assert parsed("--model", name) == parsed("--recipe", name) == recipe


def test_another_recipes_training_takes_the_networks_layers_sizes_and_pixels() -> None:
    modern, resnet = RECIPES["modern"], NETWORKS["resnet18"]
    both = parsed("--recipe", "modern", "--model", "resnet18", "--epochs", "7")
    assert both.name == "modern-resnet18"
    differing = {name for name, *_ in differences(both, modern)}
    assert {"model", "conv1_kernel"} <= differing
    assert not differing & {"norm", "widths", "orders"}  # of which one of the two has no use
    for name in ("model", "conv1_kernel", "init", "input_size", "input_mean", "input_std"):
        assert getattr(both, name) == getattr(resnet, name)
    for name in ("lr", "batch_size", "label_smoothing", "average", "crop_area", "weight_decay"):
        assert getattr(both, name) == getattr(modern, name)
    assert both.epochs == 7
    back = parsed("--recipe", "resnet18", "--model", "alexnet")
    assert (back.variant, back.widths, back.lr) == (
        RECIPES["small"].variant, RECIPES["small"].widths, resnet.lr,
    )  # fmt: skip
    assert parsed("--recipe", "modern", "--model", "alexnet") == modern


def test_a_recipe_of_before_is_alexnets() -> None:
    old = json.loads(RECIPES["small"].to_json())
    del old["model"]
    assert Recipe.from_json(json.dumps(old)) == RECIPES["small"]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("resnet18", {"norm": "batch"}, "norm is 'batch', but ResNet-18 has no such choice: leave"),
        ("resnet18", {"dropout_p": 0.1}, "dropout_p is 0.1, but ResNet-18 has no such choice"),
        ("resnet18", {"widths": (8,) * 5}, "widths is 8,8,8,8,8, but ResNet-18 has no such choice"),
        ("resnet18", {"conv1_kernel": 5}, "conv1_kernel is 5 and conv1_stride 2, expected 7 and 2"),
        ("resnet18", {"input_size": 31}, "input_size 31 is too small, expected at least 32"),
        ("vgg11", {"norm": "response"}, "norm 'response', expected none or batch"),
        ("vgg11", {"dropout": "paper"}, "dropout is 'paper', but VGG-11 has no such choice: leave "
         "it at 'inverted', or give another model"),
        ("zfnet", {"orders": ("relu-pool",) * 2}, "orders is relu-pool,relu-pool, but ZFNet"),
        ("lenet5", {"fc_width": 9}, "fc_width is 9, but LeNet-5 has no such choice"),
        ("lenet5", {"input_size": 24}, "input_size 24 is too small, expected at least 32"),
        ("lenet5", {"input_size": 48, "image_size": 48}, "input_size is 48, but it reads 32"),
        ("googlenet", {"init": "paper"}, "init is paper, whose numbers are AlexNet's, and the "
         "network is GoogLeNet: use lsuv, he, pytorch, lecun"),
        ("googlenet", {"model": "inception"}, "model is 'inception': use one of alexnet, lenet5"),
    ],
)  # fmt: skip
def test_what_a_network_has_not_is_refused(
    name: str, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        replace(NETWORKS[name], **change)


def test_a_flag_of_no_use_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"--fc-width: of no use to sgd in ResNet-18; .* --model"):
        parsed("--model", "resnet18", "--fc-width", "4096")  # what it is anyway
    with pytest.raises(RecipeError, match=r"recipe resnet: use small, .* resnet18"):
        parsed("--recipe", "resnet")


@pytest.mark.parametrize(
    ("model", "side", "flags"),
    [("resnet18", 144, "--input-size 128"), ("resnet18", 64, "--input-size 64"),
     ("vgg11", 32, "--input-size 32"), ("zfnet", 56, "--input-size 53"), ("zfnet", 40, ""),
     ("alexnet", 144, "--input-size 128"), ("alexnet", 64, "--recipe tiny")],
)  # fmt: skip
def test_the_size_that_suits_a_network_is_told(model: str, side: int, flags: str) -> None:
    assert flags_for(side, model) == flags


@pytest.mark.parametrize("name", MODELS)
def test_shapes_are_those_of_what_the_recipe_builds(name: str) -> None:
    recipe = small(name)
    with shapes_only():
        model = build_model(recipe, 3)
    assert (model.title, model.num_classes) == (recipe.title, 3)
    assert shapes_of(recipe, 3) == state_shapes(name, 3, **recipe.network_options)
    apart = parameter_groups(model, replace(recipe, conv1_freeze_epoch=1))
    first = next(model.parameters())
    assert [p for p in apart[0]["params"] if p is first]
    assert apart[0]["name"] == "conv1 weights"


# ----- how the weights begin -----


def outputs(model: nn.Module, images: mg.Tensor) -> dict[str, Any]:
    """What each layer with weights gives, batch normalisation by the batch."""
    seen = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(
                lambda _, args, out, name=name: seen.update({name: out.data.copy()})
            )
    model.train()
    with mg.no_grad():
        model(images)
    return seen


def blocks() -> Any:
    """Two of ResNet's, and a head."""
    return nn.Sequential({
        "one": Block(3, 16, 2), "two": Block(16, 16), "flatten": nn.Flatten(),
        "fc": nn.Linear(16 * 64, 5),
    })  # fmt: skip


def test_lsuv_follows_the_image_through_the_blocks() -> None:
    model = blocks()
    images = mg.randn(6, 3, 16, 16) * 2
    before = {name: b.data.copy() for name, b in model.named_buffers()}
    mg.manual_seed(1)
    initialise(model, "lsuv", images)
    assert all((b.data == before[name]).all() for name, b in model.named_buffers())
    stds = {name: float(out.std()) for name, out in outputs(model, images).items()}
    last = stds.pop("fc")
    assert list(stds.values()) == pytest.approx([1.0] * 5, rel=1e-3), stds
    assert last == pytest.approx(LAST_STD, rel=1e-3)


def test_lenets_weights_are_within_2_4_of_fan_in() -> None:
    model: Any = build_model(small("lenet5"), 10)
    initialise(model, "lecun")
    for layer, fan in ((model.c1, 25), (model.s2, 4), (model.c3[0], 75), (model.c3[15], 150),
                       (model.s4, 4), (model.c5, 400), (model.f6, 120)):  # fmt: skip
        every = np.concatenate([p.data.ravel() for p in layer.parameters()])
        assert 0.6 * 2.4 / fan < np.abs(every).max() <= 2.4 / fan


@pytest.mark.parametrize("scheme", ["he", "pytorch"])
def test_layers_without_biases_begin_too(scheme: str) -> None:
    model = blocks()
    mg.manual_seed(2)
    initialise(model, scheme)
    gain = 2 if scheme == "he" else 1 / 3
    std = model.two.conv1.weight.data.std()
    assert std == pytest.approx((gain / (16 * 9)) ** 0.5, rel=0.05)
    assert (model.two.bn1.weight.data == 1).all()
    assert (model.two.bn1.bias.data == 0).all()


# ----- whole runs -----


def flags(name: str, run: Path) -> list[str]:
    recipe = small(name)
    words = ["--model", name, "--input-size", str(recipe.input_size), "--batch-size", "6"]
    words += ["--image-size", str(recipe.image_size), "--epochs", "1", "--workers", "0"]
    words += ["--fc-width", "4"] if "fc_width" in MODELS[name].fields else []
    return [*words, "--out", str(run)]


def test_lenet_trains_resumes_evaluates_and_predicts(
    colours: Path, tmp_path: Path, capsys: Capture
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(["train", str(colours), *flags("lenet5", whole)]) == 0
    assert "LeNet-5, recipe lenet5, 60,255 parameters, 3 classes" in capsys.readouterr().out
    assert main(["train", str(colours), *flags("lenet5", parts), "--max-steps", "2"]) == 0
    assert main(["train", "--resume", str(parts), "--workers", "0"]) == 0
    one, other = (load_checkpoint(run / "last.safetensors") for run in (whole, parts))
    assert (one.recipe.model, one.recipe.input_size) == ("lenet5", 32)
    for key, tensor in one.tensors.items():
        assert tensor.data.tobytes() == other.tensors[key].data.tobytes(), key
    capsys.readouterr()
    assert main(["evaluate", str(whole), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert one.position.best["val_loss"] in [
        pytest.approx(score["loss"], rel=1e-4) for score in scores.values()
    ]
    trained = alexnet_scratch.load(whole)
    image = trained.image(next((colours / "val/red").iterdir()))
    assert trained.predict(image[None]).shape == (1, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODELS if name != "lenet5"])
def test_a_network_trains_evaluates_and_predicts(
    name: str, colours: Path, tmp_path: Path, capsys: Capture
) -> None:
    run = tmp_path / "run"
    assert main(["train", str(colours), *flags(name, run)]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(run), "--json"]) == 0
    own = load_checkpoint(run / "best.safetensors").position.best
    (score,) = json.loads(capsys.readouterr().out)["scores"].values()
    assert score["loss"] == pytest.approx(own["val_loss"], rel=1e-4)
    image = str(next((colours / "val/red").iterdir()))
    assert main(["predict", str(run), image, "--json"]) == 0
    for command in (["doctor", str(colours)], ["find-lr", str(colours), "--steps", "20"]):
        assert main([*command, *flags(name, run)[:-4], "--workers", "0"]) in (0, 1)


@pytest.mark.slow
def test_a_last_batch_of_one_image_is_refused_before_the_first_step(
    colours: Path, tmp_path: Path, capsys: Capture
) -> None:
    words = flags("resnet18", tmp_path / "run")
    words[words.index("--batch-size") + 1] = "7"  # 36 images
    assert main(["train", str(colours), *words]) == 2
    assert "of 36 training images in batches of 7 the last batch has one" in capsys.readouterr().err


def test_summary_and_bench_know_them(capsys: Capture) -> None:
    assert main(["summary", "--model", "lenet5", "--num-classes", "10"]) == 0
    table = capsys.readouterr().out
    assert table.startswith("LeNet-5, 10 classes")
    assert "60,850" in table
    words = ["--num-classes", "3", "--batch-size", "2", "--steps", "1"]
    assert main(["bench", "--model", "lenet5", *words]) == 0
    assert "LeNet-5, 3 classes, batch 2, float32" in capsys.readouterr().out


def test_the_bench_counts_what_a_block_computes_itself() -> None:
    """The sum of a ResNet's block; all operations together are the step."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, input: mg.Tensor) -> Any:
            return self.conv(input) + input

    class Blocks(nn.Sequential):
        num_classes, input_size = 3, 8

    model: Any = Blocks({"one": Twice(), "two": Twice(), "flatten": nn.Flatten(),
                         "fc": nn.Linear(192, 3)})  # fmt: skip
    times = bench.time_layers(bench.TrainingStep(model, 2), times=1)
    assert [layer.name for layer in times.layers] == [
        "one.conv", "one", "two.conv", "two", "flatten", "fc", "loss", "update",
    ]  # fmt: skip
    total = sum(layer.forward + layer.backward for layer in times.layers)
    assert total == pytest.approx(times.step)
