"""The twin in PyTorch computes what `alexnet train` computes, on the same batches."""

import importlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alexnet_scratch.recipe import RECIPES, Recipe, build_model
from alexnet_scratch.training.checkpoint import load_checkpoint
from alexnet_scratch.training.input import data_note, open_splits
from alexnet_scratch.training.trainer import Trainer
from alexnet_scratch.zoo import GoogLeNet, LeNet5, ResNet18
from minigrad import Tensor, get_num_threads, manual_seed, nn, set_num_threads

pytest.importorskip("torch")
import results
import torch
from twin import Twin, torch_network

RULES = {
    **RECIPES,
    "adam": replace(RECIPES["small"], optimizer="adam", lr=3e-4, label_smoothing=0.1),
    "adamw": replace(RECIPES["small"], optimizer="adamw", lr=3e-4),
    "mixup": replace(RECIPES["modern"], mixup=0.2, clip=0.5),
    "frozen": replace(
        RECIPES["small"], norm="batch", freeze=("conv1", "conv2"), lr_factor=("conv=0.5", "head=5"),
        clip=0.5,
    ),
    "fade": replace(RECIPES["modern"], fade=0.5),
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Of either side: threads that wait for each other in small layers take seconds."""
    before = get_num_threads()
    set_num_threads(1)
    yield
    set_num_threads(before)


SIZES = ("fc_width", "input_size", "image_size", "batch_size", "epochs")


def _narrow(recipe: Recipe, like: Recipe, **changes: object) -> Recipe:
    """The recipe with the sizes of the other, and without dropout."""
    if recipe.variant == "cifar":  # small as it is, and without dropout
        return replace(recipe, **{"batch_size": like.batch_size, "epochs": like.epochs, **changes})
    sizes = {name: getattr(like, name) for name in SIZES}
    if recipe.variant != "one-tower":
        sizes["widths"] = like.widths
    return replace(recipe, **{**sizes, "dropout_p": 0.0, **changes})


def _run(
    kind: type[Trainer], recipe: Recipe, data: Path, folder: Path, steps: int, resume: bool = False
) -> Trainer:
    folder.mkdir(exist_ok=True)
    splits = open_splits(data, recipe)
    checkpoint = load_checkpoint(folder / "last.safetensors") if resume else None
    run = kind(
        folder, recipe, splits, data_note(data, splits), workers=0, max_steps=steps,
        resume=checkpoint,
    )  # fmt: skip
    run.run()
    return run


FAST = ("paper", "source2012", "cifar", "adamw", "mixup", "frozen")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in FAST)) for n in RULES]
)
def test_two_steps_of_each_recipe_agree_with_ours(
    name: str, colours: Path, narrow: Recipe, tmp_path: Path
) -> None:
    recipe = _narrow(RULES[name], narrow, init=RULES[name].init.replace("paper", "caffe"))
    ours, theirs = (_run(kind, recipe, colours, tmp_path / kind.__name__, 2).model.state_dict()
                    for kind in (Trainer, Twin))  # fmt: skip
    for key, tensor in ours.items():
        np.testing.assert_allclose(theirs[key].data, tensor.data, rtol=1e-5, atol=1e-5)


def test_the_network_computes_the_same_in_evaluation(narrow: Recipe) -> None:
    manual_seed(0)
    model = build_model(_narrow(RECIPES["source2012"], narrow, dropout_p=0.4), 3).eval()
    x = Tensor(np.random.default_rng(0).normal(0, 60, (2, 3, 64, 64)).astype(np.float32))
    own = model(x).data
    torch = importlib.import_module("torch")
    np.testing.assert_allclose(
        torch_network(model)(torch.from_numpy(x.data)).detach().numpy(), own, rtol=1e-5, atol=1e-6
    )


def test_batch_normalisation_moves_the_means_of_both() -> None:
    manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    other = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    other.load_state_dict(model.state_dict())
    x = Tensor(np.random.default_rng(0).normal(1, 3, (4, 3, 8, 8)).astype(np.float32))
    torch = importlib.import_module("torch")
    theirs = torch_network(model)(torch.from_numpy(x.data)).detach().numpy()
    np.testing.assert_allclose(theirs, other(x).data, rtol=1e-5, atol=1e-6)
    for (name, one), two in zip(model.named_buffers(), other.buffers(), strict=True):
        np.testing.assert_allclose(one.data, two.data, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_stopped_run_goes_on_where_it_was(
    optimizer: str, colours: Path, narrow: Recipe, tmp_path: Path
) -> None:
    recipe = replace(narrow, dropout_p=0.0, optimizer=optimizer, lr=1e-3, epochs=1)
    whole = _run(Twin, recipe, colours, tmp_path / "whole", 4)
    _run(Twin, recipe, colours, tmp_path / "parts", 2)
    parts = _run(Twin, recipe, colours, tmp_path / "parts", 4, resume=True)
    for one, other in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        np.testing.assert_allclose(one.data, other.data, rtol=1e-6, atol=1e-7)


def test_the_runs_folder_is_one_that_the_commands_read_but_train(
    colours: Path, tmp_path: Path, narrow_flags: list[str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    twin, cli = importlib.import_module("twin"), importlib.import_module("alexnet_scratch.cli")
    run = tmp_path / "run"
    monkeypatch.setattr("sys.argv", ["twin.py", str(colours), "--out", str(run), *narrow_flags])
    assert twin.main() == 0
    facts = json.loads((run / "run.json").read_text())
    assert facts["framework"].startswith("PyTorch 2")
    assert facts["command"][:3] == ["python", "benchmarks/twin.py", str(colours)]
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert cli.main(["evaluate", str(run), "--json"]) == 0
    assert cli.main(["train", "--resume", str(run)]) == 2
    assert "was trained by PyTorch, and this is minigrad" in capsys.readouterr().err
    kept = results.collect(run, None, tmp_path / "kept")
    assert kept == tmp_path / "kept/colours/run"
    assert sorted(f.name for f in kept.iterdir()) == [
        "metrics.jsonl", "recipe.json", "result.json", "run.json"
    ]  # fmt: skip
    found = json.loads((kept / "result.json").read_text())
    assert found["scores"].keys() == {"centre", "ten crops"}
    assert found["scores"]["centre"]["top1"] == max(row["val_top1"] for row in rows)


@pytest.mark.parametrize(
    ("kind", "side", "options"),
    [
        (LeNet5, 32, {}), (ResNet18, 64, {"conv1_kernel": 3, "conv1_stride": 2}),
        (GoogLeNet, 64, {"conv1_kernel": 3, "conv1_stride": 2, "dropout_p": 0.0}),
    ],
)  # fmt: skip
def test_networks_with_branches_have_a_twin(
    kind: type[Any], side: int, options: dict[str, Any]
) -> None:
    """In training, where batch normalisation keeps what tells the images apart."""
    manual_seed(0)
    model = kind(4, input_size=side, **options)
    draw = np.random.default_rng(0)
    for parameter in model.parameters():  # biases, too
        parameter.data[...] = draw.normal(0, max(parameter[0].numel(), 4) ** -0.5, parameter.shape)
    twin = torch_network(model)
    x = draw.standard_normal((4, 3, side, side)).astype(np.float32)
    ours, theirs = model(Tensor(x)).detach().numpy(), twin(torch.from_numpy(x)).detach().numpy()
    assert np.ptp(theirs, axis=0).max() > 0.1  # they see the images
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * np.abs(theirs).max())
