"""The public ONNX test model of bvlc_alexnet is a network of ours, with the same numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.recipe import Recipe, build_model
from alexnet_scratch.weights.file import WeightFile
from alexnet_scratch.weights.onnx_in import read_onnx

WIDTHS = (8, 16, 12, 8, 16)


@pytest.fixture(scope="module")
def light() -> Path:
    """Weights are constants of one value in it."""
    onnx = pytest.importorskip("onnx")
    return Path(onnx.__file__).parent / "backend/test/data/light/light_bvlc_alexnet.onnx"


def with_weights(light: Path, widths: tuple[int, ...], fc_width: int, classes: int) -> Any:
    """Its graph with drawn weights of other sizes, as initialisers."""
    import onnx

    model = onnx.load(light)
    graph = model.graph
    draw = np.random.default_rng(0)
    inputs = (3, widths[0] // 2, widths[1], widths[2] // 2, widths[3] // 2)
    shapes = {f"conv{i + 1}": (widths[i], inputs[i], k, k) for i, k in enumerate((11, 5, 3, 3, 3))}
    flat = widths[4] * 36
    shapes |= {"fc6": (fc_width, flat), "fc7": (fc_width, fc_width), "fc8": (classes, fc_width)}
    nodes = [node for node in graph.node if node.op_type != "ConstantOfShape"]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    kept = [one for one in graph.input if not one.name.endswith("__SHAPE")]
    del graph.input[:]
    graph.input.extend(kept)
    held = {"OC2_DUMMY_1": np.array([1, flat], np.int64)}
    for name, shape in shapes.items():
        scale = (2 / np.prod(shape[1:])) ** 0.5
        held[f"{name}_w_0"] = (scale * draw.standard_normal(shape)).astype(np.float32)
        held[f"{name}_b_0"] = draw.standard_normal(shape[0]).astype(np.float32)
    for name, array in held.items():
        graph.initializer.append(onnx.numpy_helper.from_array(array, name))
        if name != "OC2_DUMMY_1":
            graph.input.append(onnx.helper.make_tensor_value_info(name, 1, array.shape))
    (output,) = graph.output
    output.type.tensor_type.shape.dim[1].dim_value = classes
    return model


def probabilities(found: WeightFile, bgr: np.ndarray) -> np.ndarray:
    """What our network makes of an image that the model would get."""
    recipe = Recipe.from_json(found.facts["recipe"])
    model = build_model(recipe, len(found.tensors["fc8.bias"]))
    model.load_state_dict({name: np.array(array) for name, array in found.tensors.items()})
    model.eval()
    with mg.no_grad():
        return model(mg.tensor(bgr[:, ::-1].copy())).softmax(1).numpy()


def test_it_runs_to_the_same_numbers_with_drawn_weights(light: Path, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    import onnx

    model = with_weights(light, WIDTHS, 32, 10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, tmp_path / "a.onnx")
    found = read_onnx(str(tmp_path / "a.onnx"))
    bgr = 50 * np.random.default_rng(1).standard_normal((1, 3, 224, 224)).astype(np.float32)
    session = runtime.InferenceSession(model.SerializeToString())
    (theirs,) = session.run(None, {"data_0": bgr})
    assert theirs.std() > 0.1  # they say something
    np.testing.assert_allclose(probabilities(found, bgr), theirs, atol=1e-4)


@pytest.mark.slow
def test_the_public_model_of_full_size_gives_its_published_output(light: Path) -> None:
    import onnx

    found = read_onnx(str(light))
    output = onnx.load_tensor(f"{light}".replace(".onnx", "_output_0.pb"))
    expected = onnx.numpy_helper.to_array(output)
    ones = np.ones((1, 3, 224, 224), np.float32)
    np.testing.assert_allclose(probabilities(found, ones), expected, rtol=1e-4)


def test_its_recipe_is_what_the_graph_says(light: Path) -> None:
    found = read_onnx(str(light))
    recipe = Recipe.from_json(found.facts["recipe"])
    assert (recipe.variant, recipe.input_size, recipe.conv1_edge) == ("grouped", 224, "valid")
    assert recipe.pool_edges == ("floor", "floor", "ceil")
    assert recipe.orders == ("relu-lrn-pool",) * 2
    assert (recipe.lrn_size, recipe.lrn_k, recipe.lrn_beta) == (5, 1.0, 0.75)
    assert recipe.lrn_alpha == 1e-4 / 5  # which ONNX divides by the window
    assert recipe.widths == (96, 256, 384, 384, 256)
    assert json.loads(found.facts["preprocessing"]) == {"resize": "both sides"}
    assert list(found.tensors)[:2] == ["conv1.weight", "conv1.bias"]


def change(model: Any, kind: str, number: int, **attributes: Any) -> None:
    import onnx

    node = [node for node in model.graph.node if node.op_type == kind][number]
    for name, value in attributes.items():
        for one in [one for one in node.attribute if one.name == name]:
            node.attribute.remove(one)
        node.attribute.append(onnx.helper.make_attribute(name, value))


@pytest.mark.parametrize(
    ("kind", "number", "attributes"),
    [
        ("Conv", 0, {"pads": [1, 1, 1, 1]}), ("Conv", 1, {"group": 1}),
        ("Conv", 2, {"strides": [2, 2]}), ("MaxPool", 0, {"kernel_shape": [2, 2]}),
        ("MaxPool", 1, {"pads": [1, 1, 1, 1]}), ("LRN", 0, {"size": 3}),
        ("LRN", 0, {"size": 0}), ("Gemm", 1, {"transB": 0}),
    ],
)  # fmt: skip
def test_another_network_keeps_its_own_names(
    light: Path, tmp_path: Path, kind: str, number: int, attributes: dict[str, Any]
) -> None:
    import onnx

    model = with_weights(light, WIDTHS, 32, 10)
    change(model, kind, number, **attributes)
    onnx.save(model, tmp_path / "a.onnx")
    found = read_onnx(str(tmp_path / "a.onnx"))
    assert "recipe" not in found.facts
    assert "conv1_w_0" in found.tensors
