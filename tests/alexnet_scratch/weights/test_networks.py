"""Which network weights are of, held to what PyTorch computes with the same ones."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from alexnet_scratch.data import load_image
from alexnet_scratch.data.augment import centre, cut
from alexnet_scratch.pixels import ToInput, pixel_statistics
from alexnet_scratch.recipe import RECIPES, build_model
from alexnet_scratch.weights import WeightFile
from alexnet_scratch.weights.classes import imagenet
from alexnet_scratch.weights.networks import Identified, identify
from minigrad import Tensor, no_grad
from minigrad.serialization import CheckpointError

WIDTHS = (8, 16, 24, 16, 12)


@pytest.fixture(scope="module")
def torch() -> Any:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    return torch


def logits(found: Identified, x: Any) -> Any:
    model = build_model(found.recipe, found.outputs)
    model.load_state_dict({name: Tensor(array) for name, array in found.arrays.items()})
    model.eval()
    with no_grad():
        return model(Tensor(np.ascontiguousarray(x))).data


def arrays_of(module: Any) -> dict[str, Any]:
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


@pytest.fixture(scope="module")
def owt(narrow_owt: Callable[[int, int], Any]) -> Any:
    return narrow_owt(7, 32)


@pytest.mark.parametrize("wrapper", ["", "module.", "module._orig_mod."])
def test_torchvisions_alexnet_gives_torchvisions_logits(
    torch: Any, owt: Any, wrapper: str
) -> None:
    file = WeightFile({wrapper + k: v for k, v in arrays_of(owt).items()}, "torch")
    found = identify(file)
    assert (found.recipe, found.outputs) == (replace(RECIPES["owt"], fc_width=32), 7)
    for name, array in arrays_of(owt).items():
        assert found.arrays[name].tobytes() == array.tobytes()
    if not wrapper:
        x = torch.randn(1, 3, 224, 224)
        with torch.no_grad():
            np.testing.assert_allclose(logits(found, x.numpy()), owt(x).numpy(), atol=1e-5)


@pytest.mark.parametrize("name", ["resnet18", "googlenet"])
def test_its_other_networks_give_its_logits(
    torch: Any, torchvision_models: ModuleType, name: str
) -> None:
    halves = name == "googlenet"  # what its transform_input makes of normalised pixels
    unlike = {"init_weights": False} if halves else {}
    theirs = getattr(torchvision_models, name)(num_classes=5, **unlike).eval()
    found = identify(WeightFile(arrays_of(theirs), "torch"))
    assert (found.recipe.model, found.recipe.input_size, found.outputs) == (name, 224, 5)
    assert found.recipe.input_std == ((127.5,) * 3 if halves else RECIPES["owt"].input_std)
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        np.testing.assert_allclose(logits(found, x.numpy()), theirs(x).numpy(), atol=1e-4)


def test_an_image_becomes_what_torchvision_makes_of_it(torchvision_models: ModuleType) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    image = Image.fromarray(pixels)
    expected = torchvision_models.AlexNet_Weights.IMAGENET1K_V1.transforms()(image).numpy()
    recipe = RECIPES["owt"]
    image.save(buffer := io.BytesIO(), "PNG")
    whole = load_image(buffer.getvalue(), recipe.image_size)
    crop = cut(whole, centre(recipe.image_size, recipe.input_size), recipe.input_size)
    to_input = ToInput(recipe, pixel_statistics(recipe, None))
    np.testing.assert_allclose(to_input(Tensor(crop[None])).data[0], expected, atol=1e-5)


class Caffe:
    """A narrow bvlc_alexnet in PyTorch, which gets blue, green and red as Caffe's does."""

    def __init__(self, torch: Any, order: str) -> None:
        self.torch, self.order, nn = torch, order, torch.nn
        sizes = ((3, 11, 4, 0, 1), (8, 5, 1, 2, 2), (16, 3, 1, 1, 1), (24, 3, 1, 1, 2),
                 (16, 3, 1, 1, 2))  # fmt: skip
        self.layers = {
            f"conv{i + 1}": nn.Conv2d(inputs, WIDTHS[i], kernel, stride, padding, groups=groups)
            for i, (inputs, kernel, stride, padding, groups) in enumerate(sizes)
        }
        units = (WIDTHS[4] * 36, 20, 20, 9)
        for i in range(3):
            self.layers[f"fc{i + 6}"] = nn.Linear(units[i], units[i + 1])

    def __call__(self, x: Any) -> Any:
        F, torch = self.torch.nn.functional, self.torch
        with torch.no_grad():
            for i in range(1, 6):
                x = torch.relu(self.layers[f"conv{i}"](x))
                for step in self.order.split("-")[1:] if i < 3 else ("pool",) * (i == 5):
                    lrn = F.local_response_norm(x, 5, 1e-4, 0.75, 1.0)  # alpha on the mean
                    x = lrn if step == "lrn" else F.max_pool2d(x, 3, 2)
            x = x.flatten(1)
            for i in (6, 7):
                x = torch.relu(self.layers[f"fc{i}"](x))
            return self.layers["fc8"](x).numpy()

    def npy(self) -> dict[str, Any]:
        """As converters to TensorFlow lay it out."""
        found = {}
        for name, layer in self.layers.items():
            weight = layer.weight.detach().numpy()
            if weight.ndim == 4:
                weight = weight.transpose(2, 3, 1, 0)
            elif name == "fc6":
                weight = weight.reshape(-1, WIDTHS[4], 6, 6).transpose(2, 3, 1, 0)
                weight = weight.reshape(-1, weight.shape[-1])
            else:
                weight = weight.T
            found |= {f"{name}.0": weight, f"{name}.1": layer.bias.detach().numpy()}
        return found

    def blobs(self) -> dict[str, Any]:
        """As Caffe's first files lay it out: four dimensions, whatever it is."""
        found = {}
        for name, layer in self.layers.items():
            weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
            shape = (1,) * (4 - weight.ndim) + weight.shape
            found |= {f"{name}.0": weight.reshape(shape), f"{name}.1": bias.reshape(1, 1, 1, -1)}
        return found


@pytest.mark.parametrize("source", ["npy", "caffe"])
@pytest.mark.parametrize(
    ("network", "order"), [("bvlc_alexnet", "relu-lrn-pool"), ("caffenet", "relu-pool-lrn")]
)
def test_caffes_networks_give_caffes_numbers(
    torch: Any, source: str, network: str, order: str
) -> None:
    made = Caffe(torch, order)
    layers = [f"{step}1" for step in ("conv", *order.replace("lrn", "norm").split("-"))]
    facts = {"layers": layers} if source == "caffe" else {}
    file = WeightFile(made.npy() if source == "npy" else made.blobs(), source, facts)
    found = identify(file, network if source == "npy" else None)
    assert (found.recipe.name, found.note) == (network, "")  # it is told
    assert (found.recipe.widths, found.recipe.fc_width, found.resize) == (WIDTHS, 20, "squash")
    assert found.recipe.input_mean[0] > found.recipe.input_mean[2]  # red before blue
    x = torch.randn(1, 3, 227, 227) * 100
    np.testing.assert_allclose(logits(found, x.numpy()), made(x[:, [2, 1, 0]]), atol=1e-4)


def test_caffes_names_alone_are_bvlc_alexnet(torch: Any) -> None:
    found = identify(WeightFile(Caffe(torch, "relu-lrn-pool").npy(), "npy"))
    assert found.recipe.name == "bvlc_alexnet"
    assert "caffenet has the same tensors" in found.note
    blobs = Caffe(torch, "relu-lrn-pool").blobs() | {"fc6.0": np.zeros((2, 3, 4, 5), np.float32)}
    with pytest.raises(CheckpointError, match=r"fc6.weight has shape \(2, 3, 4, 5\)"):
        identify(WeightFile(blobs, "caffe"))


@pytest.mark.parametrize("variant", ["two-tower", "grouped"])
def test_a_network_of_ours_is_that_of_its_recipe(narrow: Any, variant: str) -> None:
    recipe = replace(narrow, variant=variant, average=0.99)
    model = build_model(recipe, 4)
    model.eval()
    tensors = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    x = np.random.default_rng(0).standard_normal((2, 3, 64, 64)).astype(np.float32)
    with no_grad():
        expected = model(Tensor(x)).data
    for facts, given in (({}, recipe), ({"recipe": recipe.to_json()}, None)):
        found = identify(WeightFile(tensors, "safetensors", facts), recipe=given)
        assert found.recipe == replace(recipe, average=0.0)
        np.testing.assert_array_equal(logits(found, x), expected)
    with pytest.raises(CheckpointError, match=r"no tensor tells its LRN .*\(--recipe NAME"):
        identify(WeightFile(tensors, "safetensors"))
    measured = replace(recipe, mean="image")
    with pytest.raises(CheckpointError, match=r"does not hold \(pixels\.mean\)"):
        identify(WeightFile(tensors, "torch"), recipe=measured)
    mean = np.full((72, 72, 3), 100, np.float32)
    tensors |= {"pixels.mean": mean, "pixels.axes": np.zeros((3, 3), np.float32)}
    held = identify(WeightFile(tensors, "torch"), recipe=measured).pixels
    np.testing.assert_array_equal(held.mean, mean)


def test_a_file_of_ours_says_its_classes_and_how_images_are_prepared(narrow: Any) -> None:
    recipe = replace(narrow, mean="channel")
    state = build_model(recipe, 2).state_dict()
    said = {"resize": "both sides", "mean": [1.5, 2, 3]}
    facts = {"recipe": recipe.to_json(), "preprocessing": json.dumps(said),
             "classes": '["n1", "n2"]', "names": '{"n1": "cat"}'}  # fmt: skip
    tensors = {name: tensor.numpy() for name, tensor in state.items()}
    found = identify(WeightFile(tensors, "torch", facts))
    assert (found.resize, found.classes) == ("squash", {"n1": "cat", "n2": "n2"})
    assert found.pixels.mean.tolist() == [1.5, 2, 3]
    for mean in ("[NaN, 2, 3]", "[1e300, 2, 3]"):
        facts["preprocessing"] = f'{{"mean": {mean}}}'
        with pytest.raises(CheckpointError, match=r"subtract"):
            identify(WeightFile(tensors, "torch", facts))


def test_a_mean_image_beside_a_file_of_ours_is_subtracted_from_central_crops(
    narrow: Any, tmp_path: Path
) -> None:
    recipe = replace(narrow, mean="image")
    state = build_model(recipe, 2).state_dict()
    crop = np.random.default_rng(0).uniform(0, 255, (3, 64, 64)).astype(np.float32)
    np.save(tmp_path / "a.mean.npy", crop)
    facts = {"recipe": recipe.to_json(), "preprocessing": '{"mean_file": "a.mean.npy"}'}
    file = WeightFile({name: tensor.numpy() for name, tensor in state.items()}, "torch", facts)
    found = identify(file, folder=tmp_path)
    pixels = np.zeros((1, 64, 64, 3), np.uint8)
    np.testing.assert_array_equal(
        ToInput(found.recipe, found.pixels)(Tensor(pixels)).data[0],
        -crop / np.float32(found.recipe.input_std[0]),
    )
    facts["preprocessing"] = '{"mean_file": "../a.mean.npy"}'
    with pytest.raises(CheckpointError, match="is not beside it"):
        identify(file, folder=tmp_path)


def changed(tensors: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    return {name: a for name, a in {**tensors, **change}.items() if a is not None}


def test_what_does_not_fit_names_the_tensor(owt: Any) -> None:
    tensors = arrays_of(owt)
    empty = np.zeros(0, np.float32)
    for change, said in (
        ({"features.3.bias": None}, "alexnet: it has no 'features.3.bias'$"),
        ({"features.3.bias": None, "features.6.bias": None}, "'features.3.bias' nor 1 more"),
        ({"features.3.bias": empty}, r"features.3.bias has shape \(0,\) .*expected \(192,\)"),
        ({"features.12.bias": empty}, "'features.12.bias' is not expected"),
        ({"classifier.6.weight": None}, "it has no 'classifier.6.weight'"),
        ({"classifier.6.bias": np.zeros(8, np.float32)}, r"classifier.6.bias has shape \(8,\)"),
        ({"classifier.4.weight": np.zeros((5, 5), np.float32)}, r"expected \(5, 9216\)"),
        ({"features.0.weight": np.zeros((64, 3, 3, 3), np.float32)}, r"\(64, 3, 11, 11\)"),
    ):  # fmt: skip
        with pytest.raises(CheckpointError, match=said):
            identify(WeightFile(changed(tensors, change), "torch"))
    for file, network, said in (
        (WeightFile({"a": empty, "b.c": empty}, "torch"), None, "tensors of these names: a, b.c"),
        (WeightFile(tensors, "torch"), "alexnot", "no network 'alexnot'.*did you mean alexnet"),
        (WeightFile(tensors, "torch"), "caffenet", "known as npy, caffe, onnx, the file is torch"),
    ):
        with pytest.raises(CheckpointError, match=said):
            identify(file, network)
    odd = {f"{layer}.{i}": empty for layer in ("conv1", "conv5", "fc6", "fc8") for i in (0, 1)}
    with pytest.raises(CheckpointError, match=r"it has no 'conv2\.weight'"):
        identify(WeightFile(odd, "npy"))


def test_constants_of_any_size_take_no_memory_before_they_fit() -> None:
    """As ConstantOfShape gives them: float64, which has to become float32."""
    names = [f"{layer}.{i}" for layer in ("conv1", "conv2", "fc6", "fc7", "fc8") for i in (0, 1)]
    huge = np.broadcast_to(np.float64(1), (1 << 20, 1 << 20))
    with pytest.raises(CheckpointError, match="not the weights of Caffe's bvlc_alexnet"):
        identify(WeightFile(dict.fromkeys(names, huge), "onnx"))


def first_names(names: Sequence[str]) -> list[str]:
    return [name.partition(",")[0].lower() for name in names]


def test_the_thousand_classes_are_torchvisions_in_its_order(
    torchvision_models: ModuleType,
) -> None:
    theirs = torchvision_models.AlexNet_Weights.IMAGENET1K_V1.meta["categories"]
    ours = imagenet()
    assert list(ours) == sorted(ours)
    pairs = zip(first_names(list(ours.values())), first_names(theirs), strict=True)
    # The two names that ImageNet gives twice, which torchvision tells apart.
    assert [pair for pair in pairs if pair[0] != pair[1]] == [
        ("crane", "crane bird"), ("maillot", "maillot tank suit")
    ]  # fmt: skip
    assert (ours["n03445777"], ours["n03000684"]) == ("golf ball", "chain saw, chainsaw")
