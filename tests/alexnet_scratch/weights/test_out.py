"""A run's network for other programs: the same weights to the bit, the same logits to 1e-4."""

from __future__ import annotations

import io
import json
import pickletools
import zipfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.cli import main
from alexnet_scratch.data.augment import centre, cut
from alexnet_scratch.pixels import PixelStatistics, ToInput, pixel_statistics
from alexnet_scratch.recipe import RECIPES, Recipe, build_average, build_model, build_optimizer
from alexnet_scratch.trained import Trained, load_trained
from alexnet_scratch.training.checkpoint import contents
from alexnet_scratch.training.position import Position
from alexnet_scratch.weights.out import notes_of, write
from alexnet_scratch.weights.pth_out import write_pth
from minigrad.serialization import load_file, load_metadata, save_file

Capture = pytest.CaptureFixture[str]
CLASSES = ["n01", "n02", "n03"]


def small(name: str, **changes: Any) -> Recipe:
    """A preset with few maps and a small input; one tower keeps its sizes."""
    recipe = RECIPES[name]
    if recipe.variant == "one-tower":
        return replace(recipe, fc_width=16, **changes)
    if recipe.variant == "cifar":
        return replace(recipe, widths=(8, 8, 8), **changes)
    size = 67 if recipe.conv1_edge == "ceil" else recipe.input_size if name == "tiny" else 64
    sizes = {"widths": (8, 16, 8, 8, 8), "fc_width": 16, "input_size": size}
    return replace(recipe, **{**sizes, **changes})


def network(recipe: Recipe, pixels: PixelStatistics | None = None) -> Trained:
    """A network whose logits depend on all of its weights."""
    model = build_model(recipe, len(CLASSES))
    draw = np.random.default_rng(0)
    for name, tensor in model.state_dict().items():
        if tensor.ndim:
            fan = max(1, int(np.prod(tensor.shape[1:])))
            values = draw.standard_normal(tensor.shape) * (2 / fan) ** 0.5
            tensor.data[...] = 1 + abs(values) if name.endswith("var") else values
    model.eval()
    pixels = pixels or PixelStatistics(np.full(3, 120, np.float32), np.zeros((3, 3), np.float32))
    return Trained(model, recipe, CLASSES, {"n01": "a cat, Felis"}, "crop", pixels, "cpu")


def logits(given: Trained, x: np.ndarray) -> np.ndarray:
    with mg.no_grad():
        return given.model(mg.tensor(x)).numpy()


CASES = {
    **{name: small(name) for name in RECIPES},
    "batch": small("small", norm="batch"),
    "even window, all normalisations": small(
        "source2012", lrn_size=4, orders=("relu-lrn-contrast-pool", "relu-pool-lrn")
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_recipe_s_network_is_the_same_in_onnx(name: str, tmp_path: Path) -> None:
    from onnx_oracle import answers, onnx

    given = network(CASES[name])
    write(given, tmp_path / "net.onnx", "onnx")
    size = given.recipe.input_size
    x = np.random.default_rng(1).standard_normal((2, 3, size, size)).astype(np.float32)
    expected = logits(given, x)
    model = onnx.load(tmp_path / "net.onnx")
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    for answer in answers(model, x, 1):
        scale = abs(expected).max()
        np.testing.assert_allclose(answer / scale, expected[: len(answer)] / scale, atol=1e-4)
    held = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    for key, tensor in given.model.state_dict().items():
        if not key.endswith("num_batches_tracked"):  # which evaluation does not need
            assert held[key].tobytes() == tensor.numpy().tobytes(), key


def test_onnx_with_softmax_gives_probabilities_and_notes(tmp_path: Path) -> None:
    from onnx_oracle import answers, onnx

    given = network(small("boxed"))
    write(given, tmp_path / "net.onnx", "onnx", softmax=True)
    model = onnx.load(tmp_path / "net.onnx")
    x = np.random.default_rng(1).standard_normal((2, 3, 64, 64)).astype(np.float32)
    for answer in answers(model, x):
        np.testing.assert_allclose(answer.sum(1), 1, rtol=1e-6)
        np.testing.assert_array_equal(answer.argmax(1), logits(given, x).argmax(1))
    notes = {prop.key: prop.value for prop in model.metadata_props}
    assert notes == notes_of(given)
    assert json.loads(notes["classes"]) == CLASSES


def test_torchvisions_network_takes_one_tower(
    torchvision_models: ModuleType, tmp_path: Path
) -> None:
    import torch

    given = network(small("owt"))
    write(given, tmp_path / "net.pth", "torch")
    with torch.device("meta"):  # without memory for 57 million weights of its own
        theirs = torchvision_models.alexnet(num_classes=len(CLASSES))
        for place, (inputs, outputs) in {1: (9216, 16), 4: (16, 16), 6: (16, 3)}.items():
            theirs.classifier[place] = torch.nn.Linear(inputs, outputs)
    theirs.load_state_dict(torch.load(tmp_path / "net.pth", weights_only=True), assign=True)
    x = np.random.default_rng(1).standard_normal((2, 3, 224, 224)).astype(np.float32)
    with torch.no_grad():
        answer = theirs.eval()(torch.from_numpy(x)).numpy()
    expected = logits(given, x)
    np.testing.assert_allclose(answer, expected, atol=1e-4 * abs(expected).max())


DTYPES = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")


@pytest.mark.parametrize("mapped", [False, True])
def test_torch_loads_every_tensor_to_the_bit(tmp_path: Path, mapped: bool) -> None:
    torch = pytest.importorskip("torch")
    draw = np.random.default_rng(0)
    tensors = {dtype: (9 * draw.standard_normal((3, 4, 2))).astype(dtype) for dtype in DTYPES}
    tensors |= {"turned": tensors["float32"].T, "number": np.array(7), "none": np.zeros((0, 3)),
                "ä.Ω": np.ones(1, ">f4")}  # fmt: skip
    write_pth(tmp_path / "a.pth", tensors, {"note.txt": "text"})
    state = torch.load(tmp_path / "a.pth", weights_only=True, mmap=mapped)
    assert list(state) == list(tensors)
    for name, array in tensors.items():
        assert state[name].numpy().dtype == array.dtype.newbyteorder("="), name
        np.testing.assert_array_equal(state[name].numpy(), array)
    torch.save(state, tmp_path / "b.pth")  # as any other


def test_a_pth_file_is_the_same_each_time_and_its_numbers_stand_aligned(tmp_path: Path) -> None:
    tensors = {"a": np.ones(3, np.float32), "b": np.ones((2, 2), np.float64)}
    for name in ("one.pth", "two.pth"):
        write_pth(tmp_path / name, tensors)
    assert (tmp_path / "one.pth").read_bytes() == (tmp_path / "two.pth").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.pth") as file:
        assert file.testzip() is None
        for one in file.infolist():
            assert (one.header_offset + 30 + len(one.filename) + len(one.extra)) % 64 == 0
        pickletools.dis(file.read("archive/data.pkl"), io.StringIO())
    with pytest.raises(TypeError, match="complex64, expected one of float64"):
        write_pth(tmp_path / "three.pth", {"a": np.ones(2, np.complex64)})
    assert not (tmp_path / "three.pth").exists()


@pytest.fixture(scope="module")
def averaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose recipe averages the weights and takes off a mean image."""
    recipe = small("modern", mean="image", image_size=72)
    mg.manual_seed(0)
    model = build_model(recipe, len(CLASSES))
    average = build_average(model, recipe)
    assert average is not None
    for tensor in average.module.parameters():
        tensor.data += 0.5
    mean = np.random.default_rng(0).uniform(0, 255, (72, 72, 3)).astype(np.float32)
    pixels = PixelStatistics(mean, np.zeros((3, 3), np.float32))
    tensors, metadata = contents(
        model, build_optimizer(model, recipe), recipe, CLASSES, {"root": None, "train_images": 9},
        Position(epoch=0, batch=0, step=0, lr=0.1, generator=[0, 0], totals={}, schedule={},
                 best={}, metrics=[]), pixels, average.module,
    )  # fmt: skip
    run = tmp_path_factory.mktemp("runs") / "averaged"
    run.mkdir()
    save_file(tensors, run / "last.safetensors", metadata)
    return run


def test_safetensors_hold_the_averaged_weights_alone(
    averaged: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "net.safetensors"
    assert main(["export", str(averaged), "--to", "safetensors", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "averaged over the training" in said
    held = load_file(averaged / "last.safetensors")
    state = load_file(out)
    model = load_trained(averaged).model
    measured = {name: state.pop(f"pixels.{name}").numpy() for name in ("mean", "axes")}
    np.testing.assert_array_equal(measured["mean"], held["pixels.mean"].numpy())
    assert state.keys() == model.state_dict().keys()
    for name, tensor in state.items():
        assert tensor.numpy().tobytes() == held[f"average.{name}"].numpy().tobytes()
    notes = load_metadata(out)
    assert json.loads(notes["classes"]) == CLASSES
    assert Recipe.from_json(notes["recipe"]) == small("modern", mean="image", image_size=72)


def test_preprocessing_by_the_notes_is_what_the_network_gets(
    averaged: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "net.pth"
    assert main(["export", str(averaged), "--to", "torch", "--out", str(out)]) == 0
    assert "(pixel - net.mean.npy) / (64, 64, 64)" in capsys.readouterr().out
    with zipfile.ZipFile(out) as file:
        notes = json.loads(json.loads(file.read("archive/alexnet.json"))["preprocessing"])
    given = load_trained(averaged)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 72, 72, 3), np.uint8)
    crop = cut(pixels, centre(notes["resize_to"], notes["central_crop"]), notes["central_crop"])
    mean = np.load(tmp_path / notes["mean_file"])
    std = np.array(notes["std"])[:, None, None]
    by_hand = (crop.transpose(0, 3, 1, 2) - mean) / std
    place = np.array([centre(72, 64)], np.int16)
    ours = ToInput(given.recipe, given.pixels)(mg.tensor(crop), place).numpy()
    np.testing.assert_allclose(by_hand, ours, atol=1e-5)
    np.testing.assert_allclose(notes["mean"], given.pixels.mean.mean((0, 1)), atol=1e-3)
    again = ["export", str(averaged), "--to", "safetensors", "--out", str(tmp_path / "net.2")]
    assert main(again) == 0  # the same mean image
    (tmp_path / "net.mean.npy").write_bytes(b"another one")
    (tmp_path / "net.2").unlink()
    assert main(again) == 2
    assert "the mean image of another network: give another name" in capsys.readouterr().err
    assert not (tmp_path / "net.2").exists()


def test_export_names_its_file_after_the_run_and_replaces_none(
    averaged: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", "boxed", "--to", "safetensors"]) == 0
    assert main(["export", "boxed", "--to", "safetensors"]) == 2
    assert "boxed.safetensors is there already: give another name" in capsys.readouterr().err
    assert main(["export", "boxed", "--to", "torch", "--softmax"]) == 2
    assert "--softmax is for --to onnx" in capsys.readouterr().err
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    assert main(["export", "boxed", "--to", "onnx"]) == 2
    assert "pip install onnx" in capsys.readouterr().err
    assert not Path("boxed.onnx").exists()


def test_the_notes_of_one_tower_are_torchvisions() -> None:
    recipe = small("owt")
    given = network(recipe, pixel_statistics(recipe, None))
    note = json.loads(notes_of(given)["preprocessing"])
    assert note["mean"] == [123.675, 116.28, 103.53]
    assert note["std"] == [58.395, 57.12, 57.375]


def test_what_was_measured_is_a_constant_of_the_noted_recipe(tmp_path: Path) -> None:
    mean = np.float32([110.25, 120.5, 130.75])
    given = network(small("small", mean="channel"), PixelStatistics(mean, np.zeros((3, 3), "f4")))
    write(given, tmp_path / "net.safetensors", "safetensors")
    assert load_file(tmp_path / "net.safetensors").keys() == given.model.state_dict().keys()
    notes = load_metadata(tmp_path / "net.safetensors")
    recipe = Recipe.from_json(notes["recipe"])
    assert (recipe.mean, recipe.input_mean) == ("constant", (110.25, 120.5, 130.75))
    assert json.loads(notes["preprocessing"])["resize"] == "short side"
