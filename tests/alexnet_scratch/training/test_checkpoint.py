"""Checkpoints: what goes in comes out, and anything else is refused in one line."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.model import AlexNet
from alexnet_scratch.pixels import PixelStatistics
from alexnet_scratch.recipe import Recipe, build_model, parameter_groups
from alexnet_scratch.training.checkpoint import (
    Position,
    contents,
    find_checkpoint,
    link,
    load_checkpoint,
)
from minigrad import optim
from minigrad.serialization import CheckpointError, load_metadata, save_file

CLASSES = ["a", "b", "c"]
PIXELS = PixelStatistics(np.full((4, 4, 3), 2.5, np.float32), np.eye(3, dtype=np.float32))


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


def test_everything_comes_back(tmp_path: Path, narrow: Recipe) -> None:
    path = tmp_path / "last.safetensors"
    position = Position(
        epoch=2, batch=7, step=99, lr=1 / 3, totals={"loss": 0.1}, generator=[5, 2**31],
        schedule={"drops": 1}, best={"val_top1": 0.5}, metrics=[{"epoch": 1}],
    )  # fmt: skip
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
    with pytest.raises(CheckpointError, match="no checkpoint of `alexnet train`"):
        load_checkpoint(foreign)
    short = tmp_path / "short.safetensors"
    save(short, narrow)
    short.write_bytes(short.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cut short"):
        load_checkpoint(short)


def rewritten(path: Path, **changes: Any) -> Path:
    metadata = load_metadata(path)
    tensors = load_checkpoint(path).tensors
    save_file(tensors, path, {**metadata, **{k: json.dumps(v) for k, v in changes.items()}})
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


@pytest.mark.parametrize("missing", ["pixels.mean", "pixels.axes", "groups", "epoch"])
def test_a_missing_entry_is_named(missing: str, tmp_path: Path, narrow: Recipe) -> None:
    path = tmp_path / "last.safetensors"
    save(path, narrow)
    tensors, metadata = load_checkpoint(path).tensors, load_metadata(path)
    assert missing in tensors or missing in metadata
    for entries in (tensors, metadata):
        entries.pop(missing, None)  # type: ignore[attr-defined]
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
