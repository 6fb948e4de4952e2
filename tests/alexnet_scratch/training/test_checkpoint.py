"""Checkpoints: what goes in comes out, and anything else is refused in one line."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.model import AlexNet
from alexnet_scratch.pixels import PixelStatistics
from alexnet_scratch.recipe import Recipe, build_average, build_model, parameter_groups, shapes_of
from alexnet_scratch.training.checkpoint import contents, find_checkpoint, link, load_checkpoint
from alexnet_scratch.training.metrics import EpochMetrics
from alexnet_scratch.training.position import Position
from minigrad import optim
from minigrad.serialization import CheckpointError, load_file, load_metadata, save_file

CLASSES = ["a", "b", "c"]
PIXELS = PixelStatistics(np.full(3, 2.5, np.float32), np.eye(3, dtype=np.float32))


def trained(recipe: Recipe, seed: int) -> tuple[AlexNet, optim.SGD]:
    """A model with some velocity."""
    mg.manual_seed(seed)
    model = build_model(recipe, len(CLASSES))
    optimizer = optim.SGD(parameter_groups(model, recipe), momentum=0.9, rule=recipe.rule)
    for _ in range(2):
        for parameter in model.parameters():
            parameter.grad = mg.randn(parameter.shape)
        optimizer.step()
    return model, optimizer


def save(path: Path, recipe: Recipe, seed: int = 0, **position: Any) -> AlexNet:
    model, optimizer = trained(recipe, seed)
    data = {"root": None, "train_images": 9}
    at = Position(**position)
    tensors, metadata = contents(model, optimizer, recipe, CLASSES, data, at, PIXELS)
    save_file(tensors, path, metadata)
    return model


def row(epoch: int) -> dict[str, Any]:
    """A line of metrics.jsonl."""
    values = [epoch, *(0.25 * epoch for _ in range(8))]
    return dict(zip(EpochMetrics.__annotations__, values, strict=True))


GOOD: dict[str, Any] = {
    "epoch": 2, "batch": 1, "step": 5, "lr": 1 / 3, "generator": [5, 2**31],
    "totals": {"loss": 0.1, "correct": 3, "images": 8, "seconds": 0.5},
    "schedule": {"last_epoch": 5, "drops": 1, "waited": 0, "lowest_error": math.inf},
    "best": row(2), "metrics": [row(1), row(2)], "scaler": {}, "precision": "float32",
}  # fmt: skip


def test_everything_comes_back(tmp_path: Path, narrow: Recipe) -> None:
    path = tmp_path / "last.safetensors"
    position = Position(**GOOD)
    model = save(path, narrow, **vars(position))
    loaded = load_checkpoint(path)
    assert (loaded.recipe, loaded.classes, loaded.position) == (narrow, CLASSES, position)
    np.testing.assert_array_equal(loaded.pixels.mean, PIXELS.mean)
    np.testing.assert_array_equal(loaded.pixels.axes, PIXELS.axes)
    other, optimizer = trained(narrow, seed=1)
    restored = loaded.model()
    assert not restored.training
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(restored.state_dict()[name].numpy(), value.numpy())
    loaded.restore(optimizer, other)
    again, first = optimizer.state_dict(), trained(narrow, seed=0)[1].state_dict()
    assert again["param_groups"] == first["param_groups"]
    for index, entry in first["state"].items():
        velocity = again["state"][index]["momentum_buffer"]
        np.testing.assert_array_equal(velocity, entry["momentum_buffer"])


def test_tensors_and_metadata_have_the_promised_names(tmp_path: Path, narrow: Recipe) -> None:
    path = tmp_path / "last.safetensors"
    model = save(path, narrow)
    names = list(model.state_dict())
    expected = {f"model.{name}" for name in names}
    expected |= {"pixels.mean", "pixels.axes"}
    expected |= {f"optimizer.{name}.momentum_buffer" for name in names}
    assert set(load_checkpoint(path).tensors) == expected
    metadata = {key: json.loads(value) for key, value in load_metadata(path).items()}
    assert {"recipe", "classes", "epoch", "batch", "schedule", "generator", "best", "metrics"} <= (
        set(metadata)
    )


def test_what_is_no_checkpoint_is_refused(tmp_path: Path, narrow: Recipe) -> None:
    text = tmp_path / "text.safetensors"
    text.write_text("hello, this is not a checkpoint")
    with pytest.raises(CheckpointError, match=r"text.safetensors.*not a safetensors file"):
        load_checkpoint(text)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"features.0.weight": mg.zeros(2, 2)}, foreign)
    (tmp_path / "foreign.pth").write_bytes(b"PK")
    for file in (foreign, tmp_path / "foreign.pth"):
        with pytest.raises(CheckpointError, match=f"no checkpoint .*`alexnet import {file} OUT`"):
            load_checkpoint(file)
    short = tmp_path / "short.safetensors"
    save(short, narrow)
    short.write_bytes(short.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cut short"):
        load_checkpoint(short)


def rewritten(path: Path, **changes: Any) -> Path:
    metadata = load_metadata(path)
    save_file(load_file(path), path, {**metadata, **{k: json.dumps(v) for k, v in changes.items()}})
    return path


def test_another_model_is_refused(tmp_path: Path, narrow: Recipe) -> None:
    path = tmp_path / "last.safetensors"
    save(path, narrow)
    wider = replace(narrow, fc_width=64)
    rewritten(path, recipe=json.loads(wider.to_json()))
    with pytest.raises(CheckpointError, match=r"weights of another model.*fc6.weight has shape"):
        load_checkpoint(path).model()
    rewritten(path, recipe=json.loads(narrow.to_json()), classes=["a", "b"])
    with pytest.raises(CheckpointError, match=r"another model.*fc8.weight has shape \(3, 32\)"):
        load_checkpoint(path).model()


def test_a_recipe_or_format_of_the_future_is_refused(tmp_path: Path, narrow: Recipe) -> None:
    path = tmp_path / "last.safetensors"
    save(path, narrow)
    rewritten(path, recipe={"lr": 0.1, "cutmix": 1.0})
    with pytest.raises(CheckpointError, match="unknown field cutmix"):
        load_checkpoint(path)
    save(path, narrow)
    rewritten(path, format="alexnet_scratch 3")
    with pytest.raises(CheckpointError, match="use the version that wrote it"):
        load_checkpoint(path)


def test_a_recipe_from_before_there_was_a_choice_had_sgd(tmp_path: Path, narrow: Recipe) -> None:
    path = tmp_path / "last.safetensors"
    save(path, narrow)
    fields = json.loads(narrow.to_json())
    assert fields.pop("optimizer") == "sgd"
    assert load_checkpoint(rewritten(path, recipe=fields)).recipe == narrow


WRONG_VALUES: dict[str, list[tuple[Any, str]]] = {
    "format": [(None, "format None"), ([[]], "format")],
    "recipe": [
        (None, "recipe cannot be used here: a recipe is a JSON object, got NoneType"),
        ({"image_size": 10**6}, "image_size is 1000000, expected 1 to 2,048"),
        ({"fc_width": 10**9}, "fc_width is 1000000000, expected 1 to 32,768"),
        ({"widths": [2 * 10**6] * 5}, "widths is 2000000, expected 2 to 8,192"),
        ({"lr": "x"}, "lr is 'x', expected float"),
    ],
    "classes": [
        (4, "classes is 4, expected str values"), (None, "classes is None"), ([1, 2], "is 1"),
        ([], "classes is .., expected names, each once"), (["a", "a", "b"], "each once"),
    ],
    "data": [
        ({}, "data has no 'root'"), ([], "data is .., expected an object"), (None, "data is None"),
        ({"root": 5, "train_images": 9}, "data.root is 5, expected str"),
        ({"root": None}, "data has no 'train_images'"),
        ({"root": None, "train_images": 9, "names": []}, "data.names is .., expected an object"),
        ({"root": None, "train_images": 9, "names": {"a": 1}}, "data.names.a is 1, expected str"),
        ({"root": None, "train_images": 9, "resize": "nope"}, "resize is 'nope': use one of"),
        ({"root": None, "train_images": 9, "digest": 3}, "data.digest is 3"),
        ({"root": None, "train_images": -9}, "data.train_images is -9, expected 0 or more"),
    ],
    "epoch": [
        (-1, "epoch is -1, expected 0 to 1,000,000"), ("x", "epoch is 'x'"), (1e999, "is inf"),
        (10**400, "epoch is about 1e400"), (True, "epoch is True, expected int"),
    ],
    "batch": [(-1, "batch is -1, expected 0 or more"), (1.0, "batch is 1.0, expected int")],
    "step": [("x", "step is 'x'"), (2**80, "step is about 1e24, expected a finite number of at")],
    "lr": [(math.nan, "lr is nan"), (-1, "lr is -1, expected 0 or more")],
    "totals": [
        (None, "totals is None"), ({"loss": 1}, "totals has no 'correct'"), ({"loss": []}, "loss"),
    ],
    "schedule": [
        (None, "schedule is None"), ([], "schedule is .., expected an object"),
        ({**GOOD["schedule"], "drops": 10**12}, "schedule.drops is 1000000000000, expected 0 to"),
    ],
    "generator": [(None, "generator is None"), ([-1, 0], "generator is -1"), ([1.5, 0], "1.5")],
    "best": [(None, "best is None"), ({"epoch": 1}, "best has no 'train_loss'")],
    "metrics": [
        (None, "metrics is None"), ([{}], r"metrics.0. has no 'epoch'"),
        ([None], r"metrics.0. is None, expected an object"),
        ([{**row(1), "val_top1": "x"}], r"metrics.0..val_top1 is 'x', expected float"),
    ],
    "precision": [("x", "precision is 'x': use one of float32"), (None, "precision is None")],
    "scaler": [({"scale": 1}, "scaler has no"), (3, "scaler is 3, expected an object")],
    "micro_batch": [(-1, "micro_batch is -1, expected 0 to"), (2**40, "expected 0 to 65,536")],
    "groups": [(None, "groups is None"), ([3], r"groups.0. is 3, expected an object")],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [(name, *case) for name, cases in WRONG_VALUES.items() for case in cases],
    ids=lambda value: str(value)[:30],
)
def test_a_value_that_makes_no_sense_is_named(
    name: str, value: Any, message: str, tmp_path: Path, narrow: Recipe
) -> None:
    path = tmp_path / "last.safetensors"
    save(path, narrow, **GOOD)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(rewritten(path, **{name: value}))
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": 99}, "batch is 99, which does not go with the rest"),
        ({"metrics": []}, "metrics is .., which does not"),
        ({"metrics": [row(2), row(1)]}, "metrics is "),
        ({"best": {}}, "best is .*, which"),
        ({"epoch": 0, "metrics": []}, "best is "),
        ({"generator": []}, "generator is "),
        ({"schedule": {}}, "schedule is "),
        ({"schedule": {**GOOD["schedule"], "drops": 9}}, "schedule is "),
        ({"groups": []}, "its optimiser's groups .* are not those of its recipe"),
        ({"groups": [{"params": None}] * 2}, "its optimiser's groups"),
        ({"groups": "lr"}, "its optimiser's groups"),
    ],
)
def test_what_does_not_go_together_is_named_when_the_run_goes_on(
    change: dict[str, Any], message: str, tmp_path: Path, narrow: Recipe
) -> None:
    path = tmp_path / "last.safetensors"
    save(path, narrow, **GOOD)
    model, optimizer = trained(narrow, 0)
    if change == {"groups": "lr"}:  # a number of thousands of digits
        groups = optimizer.state_dict()["param_groups"]
        change = {"groups": [{**group, "lr": 10**400} for group in groups]}
    loaded = load_checkpoint(rewritten(path, **change))
    with pytest.raises(CheckpointError, match=message):
        loaded.restore(optimizer, model)


def test_what_older_files_do_not_have_is_not_missed(tmp_path: Path, narrow: Recipe) -> None:
    path = tmp_path / "last.safetensors"
    save(path, narrow, **GOOD)
    metadata = load_metadata(path)
    for name in ("precision", "scaler", "micro_batch"):
        del metadata[name]
    recipe = json.loads(metadata["recipe"])
    for name in ("crop_area", "clip", "average", "mixup", "fade"):
        del recipe[name]
    save_file(load_file(path), path, {**metadata, "recipe": json.dumps(recipe)})
    found = load_checkpoint(path)
    assert (found.recipe, found.position) == (narrow, Position(**GOOD))


def test_an_average_that_is_not_whole_is_named(tmp_path: Path, narrow: Recipe) -> None:
    """The run's own weights are there all the same, for what needs no average."""
    path = tmp_path / "last.safetensors"
    recipe = replace(narrow, average=0.9)
    model, optimizer = trained(recipe, 0)
    average = build_average(model, recipe)
    assert average is not None
    data = {"root": None, "train_images": 9}
    made = contents(
        model, optimizer, recipe, CLASSES, data, Position(**GOOD), PIXELS, average.module
    )
    save_file(made[0], path, made[1])
    load_checkpoint(path).model()
    change_tensors(path, average__fc7__bias=np.full(32, np.nan, np.float32))
    with pytest.raises(CheckpointError, match=r"average\.fc7\.bias holds NaN"):
        load_checkpoint(path).model()
    change_tensors(path, average__fc7__bias=None)
    with pytest.raises(CheckpointError, match=r"another model.*it has no 'fc7\.bias'"):
        load_checkpoint(path).model()
    assert load_checkpoint(path).model(averaged=False).num_classes == 3


def change_tensors(path: Path, **changes: Any) -> None:
    """Other tensors in a checkpoint, its checksum right; None takes one away."""
    tensors = {**load_file(path), **{name.replace("__", "."): v for name, v in changes.items()}}
    save_file({n: v for n, v in tensors.items() if v is not None}, path, load_metadata(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model__fc7__bias": np.full(32, np.nan, np.float32)}, "model.fc7.bias holds NaN or inf"),
        ({"model__fc7__bias": np.full(32, -np.inf, np.float32)}, "model.fc7.bias holds NaN"),
        ({"model__fc7__bias": np.zeros(32)}, "fc7.bias has shape .32,. of float64, expected"),
        ({"model__fc7__bias": None}, "another model.*it has no 'fc7.bias'"),
        ({"model__fc9__bias": np.zeros(2, np.float32)}, "'fc9.bias' is not expected"),
        ({"pixels__mean": np.full(3, np.inf, np.float32)}, "pixels.mean holds NaN or infinity"),
        ({"pixels__mean": np.zeros((72, 72, 3), np.float32)}, r"pixels.mean has shape .72, 72, 3."),
        ({"pixels__axes": "a text"}, "pixels.axes is a str, expected a tensor"),
    ],
)
def test_weights_that_are_no_numbers_are_told(
    change: dict[str, Any], message: str, tmp_path: Path, narrow: Recipe
) -> None:
    path = tmp_path / "last.safetensors"
    save(path, narrow, **GOOD)
    change_tensors(path, **change)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(path).model()
    assert str(path) in str(caught.value)


VELOCITY = "optimizer__fc7__bias__momentum_buffer"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({VELOCITY: None}, r"momentum. is not whole.* no 'fc7.bias.momentum_buffer'"),
        ({VELOCITY: np.zeros(31, np.float32)}, r"fc7.bias.momentum_buffer has shape .31,."),
        ({VELOCITY: np.full(32, np.nan, np.float32)}, "momentum_buffer holds NaN or infinity"),
        ({VELOCITY: np.zeros(32, np.complex64)}, "momentum_buffer has shape .32,. of complex64"),
        ({"optimizer__fc9__step": np.array(3)}, "'fc9.step' is not expected"),
    ],
)
def test_momentum_that_is_not_whole_is_told(
    change: dict[str, Any], message: str, tmp_path: Path, narrow: Recipe
) -> None:
    path = tmp_path / "last.safetensors"
    save(path, narrow, **GOOD)
    change_tensors(path, **change)
    model, optimizer = trained(narrow, 0)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path).restore(optimizer, model)


def test_no_momentum_at_all_is_told_but_before_the_first_step(
    tmp_path: Path, narrow: Recipe
) -> None:
    path = tmp_path / "last.safetensors"
    save(path, narrow, **GOOD)
    names = [name for name in load_file(path) if name.startswith("optimizer.")]
    change_tensors(path, **dict.fromkeys(names))
    model, optimizer = trained(narrow, 0)
    with pytest.raises(CheckpointError, match=r"momentum. is not whole"):
        load_checkpoint(path).restore(optimizer, model)
    rewritten(path, step=0, epoch=0, batch=0, metrics=[], best={})
    load_checkpoint(path).restore(optimizer, model)


def test_shapes_are_compared_before_there_is_memory_for_them(
    tmp_path: Path, narrow: Recipe
) -> None:
    path = tmp_path / "last.safetensors"
    save(path, narrow, **GOOD)
    wide = {"widths": [8192] * 5, "fc_width": 32768, "image_size": 2048, "input_size": 2048}
    rewritten(path, recipe={**json.loads(narrow.to_json()), **wide})
    code = (
        "import resource, sys; from alexnet_scratch.training.checkpoint import load_checkpoint\n"
        "resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))\n"  # half of the model
        "try: load_checkpoint(sys.argv[1]).model()\n"
        "except ValueError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, encoding="utf-8")
    assert "conv1.weight has shape (8, 3, 11, 11) of float32, expected (8192, 3," in done.stdout


@pytest.mark.parametrize(
    "recipe",
    [
        {}, {"variant": "grouped", "conv1_edge": "ceil", "input_size": 67},
        {"variant": "two-tower", "orders": ("relu-pool", "lrn-pool-relu"), "fc_width": 6},
        {"variant": "one-tower", "widths": (96, 256, 384, 384, 256)},
        {"conv1_kernel": 3, "conv1_stride": 1, "input_size": 20, "norm": "none"},
        {"norm": "batch"}, {"variant": "one-tower", "widths": Recipe.widths, "norm": "batch"},
        {"conv1_kernel": 6, "conv1_stride": 2, "input_size": 55, "conv1_edge": "ceil"},
        {"conv1_edge": "valid", "input_size": 83, "image_size": 83,
         "pool_edges": ("floor", "ceil", "ceil")},
    ],
)  # fmt: skip
def test_shapes_are_those_of_the_model(recipe: dict[str, Any], narrow: Recipe) -> None:
    recipe = replace(narrow, **recipe)
    model = build_model(recipe, 7)
    expected = [(name, tensor.shape) for name, tensor in model.state_dict().items()]
    assert list(shapes_of(recipe, 7).items()) == expected


@pytest.mark.parametrize("missing", ["pixels.mean", "pixels.axes", "groups", "epoch"])
def test_a_missing_entry_is_named(missing: str, tmp_path: Path, narrow: Recipe) -> None:
    path = tmp_path / "last.safetensors"
    save(path, narrow)
    tensors, metadata = load_file(path), load_metadata(path)
    assert missing in tensors or missing in metadata
    for entries in (tensors, metadata):
        entries.pop(missing, None)  # type: ignore[attr-defined, unused-ignore]
    save_file(tensors, path, metadata)
    with pytest.raises(CheckpointError, match=rf"last.safetensors: damaged.* no '{missing}'") as e:
        load_checkpoint(path)
    assert "\n" not in str(e.value)


def test_finding_the_checkpoint_of_a_run(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such run"):
        find_checkpoint(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="not the folder of a run"):
        find_checkpoint(tmp_path)
    for name in ("last.safetensors", "best.safetensors"):
        (tmp_path / name).touch()
        assert find_checkpoint(tmp_path) == tmp_path / name
    assert find_checkpoint(tmp_path / "last.safetensors") == tmp_path / "last.safetensors"


@pytest.mark.parametrize("links", [True, False])
def test_best_stays_when_last_goes_on(
    links: bool, tmp_path: Path, narrow: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("this disk knows no links")

    if not links:
        monkeypatch.setattr("os.link", refuse)
    last, best = tmp_path / "last.safetensors", tmp_path / "best.safetensors"
    save(last, narrow, epoch=1)
    link(last, best)
    save(last, narrow, epoch=2)
    assert (load_checkpoint(best).position.epoch, load_checkpoint(last).position.epoch) == (1, 2)
    for _ in range(2):  # the second time there is nothing to do, and nothing stays
        link(last, best)
    assert load_checkpoint(best).position.epoch == 2
    assert {file.name for file in tmp_path.iterdir()} == {last.name, best.name}
