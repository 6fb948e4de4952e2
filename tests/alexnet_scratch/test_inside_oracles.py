"""Grad-CAM and guided backpropagation are captum's, on the same network with the same weights."""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

import alexnet_scratch
import minigrad as mg
from alexnet_scratch import inside
from alexnet_scratch.inside import maps
from alexnet_scratch.model import AlexNet
from alexnet_scratch.recipe import RECIPES, build_model
from minigrad import Tensor, nn
from minigrad.nn import functional as F

torch = pytest.importorskip("torch")
attr = pytest.importorskip("captum.attr")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
CLASSES = [2, 0]


class Pair(NamedTuple):
    """The same network in both, an input, and the names of the layer that Grad-CAM looks at."""

    ours: nn.Module
    theirs: Any
    x: np.ndarray
    layer: str


def _noise(size: int) -> np.ndarray:
    x: np.ndarray = np.random.default_rng(size).standard_normal((2, 3, size, size))
    return x.astype(np.float32)


def _one_tower(models: ModuleType, twin: ModuleType) -> Pair:
    """torchvision's AlexNet, its fully connected layers narrow; conv5 before its ReLU."""
    ours = AlexNet(3, "one-tower", input_size=95, fc_width=16)
    with torch.device("meta"):
        theirs = models.alexnet()
    for place, shape in ((1, (9216, 16)), (4, (16, 16)), (6, (16, 3))):
        theirs.classifier[place] = torch.nn.Linear(*shape)
    state = {name: torch.from_numpy(t.numpy()) for name, t in ours.state_dict().items()}
    theirs.load_state_dict(state, assign=True)
    return Pair(ours, theirs, _noise(95), "features.10")


def _two_tower(models: ModuleType, twin: ModuleType) -> Pair:
    """The network in the package: two towers, LRN, trained."""
    ours = alexnet_scratch.load("boxed").model
    return Pair(ours, twin.torch_network(ours), _noise(128), "relu5")


def _cifar(models: ModuleType, twin: ModuleType) -> Pair:
    ours = build_model(replace(RECIPES["cifar"], norm="batch"), 3)
    return Pair(ours, twin.torch_network(ours), _noise(28), "relu3")


class Residual(nn.Module):
    """A block that branches; its ReLUs are fused with a convolution, a function, and a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU())
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.third = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.ReLU()
        self.fc = nn.Linear(4, 3)

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 3)."""
        x = self.first(input)
        x = self.last(self.third(F.relu(self.second(x))) + x)
        return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]


class TorchResidual(torch.nn.Module):  # type: ignore[misc,name-defined]
    """The same with a layer for each ReLU, as captum wants it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, stride=2), torch.nn.ReLU())
        self.second = torch.nn.Conv2d(4, 4, 3, padding=1)
        self.middle = torch.nn.ReLU()
        self.third = torch.nn.Conv2d(4, 4, 3, padding=1)
        self.last = torch.nn.ReLU()
        self.fc = torch.nn.Linear(4, 3)

    def forward(self, input: Any) -> Any:
        """(N, 3, H, W) -> (N, 3)."""
        x = self.first(input)
        x = self.last(self.third(self.middle(self.second(x))) + x)
        return self.fc(x.mean((2, 3)))


def _residual(models: ModuleType, twin: ModuleType) -> Pair:
    ours, theirs = Residual(), TorchResidual()
    state = {name: torch.from_numpy(t.numpy()) for name, t in ours.state_dict().items()}
    theirs.load_state_dict(state)
    return Pair(ours, theirs, _noise(20), "last")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Of either side: threads that wait for each other in small layers take seconds."""
    before = mg.get_num_threads(), torch.get_num_threads()
    mg.set_num_threads(1)
    torch.set_num_threads(1)
    yield
    mg.set_num_threads(before[0])
    torch.set_num_threads(before[1])


@pytest.fixture(params=[_one_tower, _two_tower, _cifar, _residual])
def pair(
    request: pytest.FixtureRequest, torchvision_models: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> Pair:
    monkeypatch.syspath_prepend(BENCHMARKS)
    mg.manual_seed(3)
    found: Pair = request.param(torchvision_models, importlib.import_module("twin"))
    for module in found.theirs.eval().modules():
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False  # captum looks at what is before it
    return found


def _captums(pair: Pair) -> dict[str, np.ndarray]:
    layer = dict(pair.theirs.named_modules())[pair.layer]
    x = torch.from_numpy(pair.x.copy()).requires_grad_()
    cam = attr.LayerGradCam(pair.theirs, layer).attribute(x, CLASSES, relu_attributions=True)
    with pytest.warns(UserWarning, match="backward hooks"):
        guided = attr.GuidedBackprop(pair.theirs).attribute(x, CLASSES)
    return {"grad_cam": cam.detach().numpy()[:, 0], "guided": guided.detach().numpy()}


def _ours(pair: Pair) -> dict[str, np.ndarray]:
    x = Tensor(pair.x)
    return {
        "grad_cam": inside.grad_cam(pair.ours, x, CLASSES, pair.layer),
        "guided": inside.guided_backpropagation(pair.ours, x, CLASSES),
    }


def _gap(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, as a share of the largest number."""
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def test_grad_cam_and_guided_backpropagation_are_captums(pair: Pair) -> None:
    expected = _captums(pair)
    assert all(np.abs(each).max() > 0 for each in expected.values())
    for name, found in _ours(pair).items():
        assert _gap(found, expected[name]) < 1e-4, name


def _negative(array: Any) -> Any:
    return np.minimum(array, 0)


MUTANTS: dict[str, tuple[str, str, Callable[..., Any]]] = {
    "no guide": ("guided", "_positive", lambda gradient: gradient),
    "a guide with the wrong sign": ("guided", "_positive", lambda g: Tensor(_negative(g.data))),
    "fused ReLUs left out": ("guided", "_rectifies", lambda node: node.operation == "relu"),
    "only fused ReLUs": ("guided", "_rectifies", lambda node: node.operation == "conv2d"),
    "Grad-CAM without its ReLU": ("grad_cam", "relu_forward", lambda cam: cam),
    "Grad-CAM of what speaks against": ("grad_cam", "relu_forward", lambda cam: -_negative(cam)),
    "the largest logit's gradient": ("grad_cam", "one_hot", lambda z, _: Tensor(
        (z.data == z.data.min(axis=1, keepdims=True)).astype(z.dtype))),
}  # fmt: skip


@pytest.mark.parametrize("pair", [_residual], indirect=True)
def test_a_wrong_one_is_not(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, rectifies = _captums(pair), maps._rectifies
    for name, (which, place, wrong) in MUTANTS.items():
        with monkeypatch.context() as patched:
            patched.setattr(maps, place, wrong)
            if place == "_rectifies":
                patched.setattr(maps, place, lambda node, w=wrong: rectifies(node) and w(node))
            assert _gap(_ours(pair)[which], expected[which]) > 1e-2, name
