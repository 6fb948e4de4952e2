"""Out and in again: the same bytes of weights; and Caffe's files compute what Caffe computed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.recipe import build_model
from alexnet_scratch.trained import load_trained
from alexnet_scratch.weights import read_weights
from alexnet_scratch.weights.networks import identify
from alexnet_scratch.weights.out import write

sys.path.append(str(Path(__file__).parent))  # `import caffe_files`


@pytest.mark.parametrize("to", ["torch", "safetensors", "onnx"])
def test_what_is_exported_is_imported_to_the_bit(tmp_path: Path, to: str) -> None:
    if to == "onnx":
        pytest.importorskip("onnx")
    boxed = load_trained("boxed")
    path = tmp_path / {"torch": "a.pth", "safetensors": "a.safetensors", "onnx": "a.onnx"}[to]
    write(boxed, path, to)
    found = identify(read_weights(path))
    state = boxed.model.state_dict()
    assert found.arrays.keys() == state.keys()
    for name, tensor in state.items():
        assert found.arrays[name].tobytes() == tensor.numpy().tobytes(), name
    assert found.recipe == boxed.recipe
    assert list(found.classes or ()) == boxed.classes


def caffes(arrays: dict[str, np.ndarray], x: np.ndarray, order: str, torch: Any) -> np.ndarray:
    """bvlc_alexnet or CaffeNet by PyTorch's functions, whose LRN is Caffe's; images are BGR."""
    F = torch.nn.functional
    w = {name: torch.from_numpy(array) for name, array in arrays.items()}
    h = torch.from_numpy(x)
    geometry = ((4, 0, 1), (1, 2, 2), (1, 1, 1), (1, 1, 2), (1, 1, 2))
    for i, (stride, padding, groups) in enumerate(geometry, 1):
        h = F.conv2d(h, w[f"conv{i}.weight"], w[f"conv{i}.bias"], stride, padding, groups=groups)
        for step in (order if i < 3 else "relu-pool" if i == 5 else "relu").split("-"):
            if step == "lrn":
                h = F.local_response_norm(h, 5, 1e-4, 0.75, 1.0)
            else:
                h = h.relu() if step == "relu" else F.max_pool2d(h, 3, 2, ceil_mode=True)
    h = h.flatten(1)
    for i in (6, 7, 8):
        h = F.linear(h, w[f"fc{i}.weight"], w[f"fc{i}.bias"])
        h = h.relu() if i < 8 else h
    return h.numpy()  # type: ignore[no-any-return]


@pytest.mark.parametrize("v1", [False, True], ids=["layer", "V1"])
@pytest.mark.parametrize("order", ["relu-lrn-pool", "relu-pool-lrn"])
def test_caffes_network_gives_caffes_logits(tmp_path: Path, order: str, v1: bool) -> None:
    torch = pytest.importorskip("torch")
    from caffe_files import alexnet, blobs

    arrays = blobs()
    (tmp_path / "a.caffemodel").write_bytes(alexnet(arrays, order, v1=v1, shapes=not v1))
    found = identify(read_weights(tmp_path / "a.caffemodel"))
    assert found.recipe.orders == (order, order)
    model = build_model(found.recipe, 5)
    model.load_state_dict({name: array.copy() for name, array in found.arrays.items()})
    model.eval()
    rgb = 40 * np.random.default_rng(1).standard_normal((2, 3, 227, 227)).astype(np.float32)
    with mg.no_grad():
        ours = model(mg.tensor(rgb)).numpy()
    theirs = caffes(arrays, rgb[:, ::-1].copy(), order, torch)
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * abs(theirs).max())
