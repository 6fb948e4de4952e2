"""`--norm`: batch normalisation in place of LRN, or none, in every network."""

import importlib.util
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.cli import main
from alexnet_scratch.initialise import initialise
from alexnet_scratch.model import AlexNet
from alexnet_scratch.recipe import RECIPES, Recipe, build_model
from alexnet_scratch.signal_meter import measure
from minigrad import nn, optim
from minigrad.nn import functional as F
from minigrad.serialization import load_file

NETWORKS = {
    "two-tower": {"widths": (8, 8, 12, 12, 8), "fc_width": 16, "input_size": 67},
    "grouped": {"widths": (4, 8, 4, 4, 4), "fc_width": 8, "input_size": 32, "conv1_kernel": 5,
                "conv1_stride": 2, "orders": ("lrn-pool-relu", "relu-lrn-contrast-pool")},
    "one-tower": {"fc_width": 8, "input_size": 64},
    "cifar": {"widths": (4, 6, 8), "input_size": 16},
}  # fmt: skip


def network(variant: str, norm: str = "batch") -> Any:
    mg.manual_seed(1)
    return AlexNet(5, variant, norm=norm, dropout_p=0.0, **NETWORKS[variant])  # type: ignore[arg-type]


def leaves(net: nn.Module) -> list[nn.Module]:
    return [module for module in net.modules() if next(module.children(), None) is None]


def images(size: int, count: int = 4) -> Any:
    return np.random.default_rng(0).normal(0.5, 2.0, (count, 3, size, size))


@pytest.mark.parametrize("variant", NETWORKS)
def test_it_stands_between_each_convolution_and_what_follows(variant: str) -> None:
    kinds = [type(layer).__name__ for layer in leaves(network(variant))]
    behind = [b for a, b in itertools.pairwise(kinds) if a == "Conv2d"]
    assert behind == ["BatchNorm2d"] * (3 if variant == "cifar" else 5)
    gone = {"PaperLRN", "LocalContrastNorm"}
    assert not gone & set(kinds)
    without = [type(layer).__name__ for layer in leaves(network(variant, "none"))]
    assert [kind for kind in kinds if kind != "BatchNorm2d"] == without


def test_what_orders_says_of_pooling_stays() -> None:
    names = [name for name, _ in network("grouped").named_children()]
    assert names[:7] == ["conv1", "bn1", "pool1", "relu1", "conv2", "bn2", "relu2"]


if importlib.util.find_spec("torch"):
    import torch

    def twin(layer: Any) -> Any:
        """PyTorch's layer with the same options and numbers, double."""
        made: Any
        if isinstance(layer, nn.Conv2d):
            made = torch.nn.Conv2d(
                layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride,
                layer.padding, groups=layer.groups,
            )  # fmt: skip
        elif isinstance(layer, nn.BatchNorm2d):
            made = torch.nn.BatchNorm2d(layer.num_features)
        elif isinstance(layer, nn.Linear):
            made = torch.nn.Linear(layer.weight.shape[1], layer.weight.shape[0])
        elif isinstance(layer, nn.MaxPool2d | nn.AvgPool2d):
            kind = getattr(torch.nn, type(layer).__name__)
            made = kind(layer.kernel_size, layer.stride, ceil_mode=layer.ceil_mode)
        elif isinstance(layer, nn.AdaptiveAvgPool2d):
            made = torch.nn.AdaptiveAvgPool2d(6)
        else:
            plain = {"Flatten": torch.nn.Flatten, "ReLU": torch.nn.ReLU}
            made = plain.get(type(layer).__name__, torch.nn.Identity)()
        state = {name: torch.tensor(value.data) for name, value in layer.state_dict().items()}
        made.double().load_state_dict(state)
        return made

    @pytest.mark.parametrize("variant", NETWORKS)
    def test_two_steps_and_evaluation_are_pytorchs(variant: str) -> None:
        ours = network(variant).double()
        theirs = torch.nn.Sequential(*map(twin, leaves(ours)))
        x, labels = images(NETWORKS[variant]["input_size"]), np.array([0, 4, 2, 1])  # type: ignore[arg-type]
        steps = (
            optim.SGD(ours.parameters(), 0.01, momentum=0.9),
            torch.optim.SGD(theirs.parameters(), 0.01, momentum=0.9),
        )
        for _ in range(2):
            loss = F.cross_entropy(ours(mg.tensor(x)), mg.tensor(labels))
            expected = torch.nn.functional.cross_entropy(
                theirs(torch.tensor(x)), torch.tensor(labels)
            )
            assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
            for step, value in zip(steps, (loss, expected), strict=True):
                step.zero_grad()
                value.backward()
                step.step()
        states = (ours.state_dict().values(), theirs.state_dict().values())
        for own, other in zip(*states, strict=True):
            np.testing.assert_allclose(own.data, other.numpy(), rtol=1e-7, atol=1e-9)
        got = ours.eval()(mg.tensor(x[:2])).data
        wanted = theirs.eval()(torch.tensor(x[:2])).detach().numpy()
        np.testing.assert_allclose(got, wanted, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("scheme", ["lsuv", "paper", "pytorch"])
def test_the_start_and_its_measuring_leave_the_running_statistics(
    scheme: str, narrow: Recipe
) -> None:
    net: Any = build_model(replace(narrow, norm="batch"), 5)
    batch = mg.tensor(images(64).astype(np.float32))
    initialise(net, scheme, batch)
    signals = {row.name: row for row in measure(net, batch)}
    assert signals["bn3"].rms == pytest.approx(0.7, abs=0.1)  # of a normal one behind its ReLU
    for name in ("bn1", "bn5"):
        layer = getattr(net, name)
        assert layer.num_batches_tracked.item() == 0
        assert (layer.running_mean.data == 0).all()
        assert (layer.running_var.data == 1).all()
    assert net.training


def test_a_run_resumes_to_the_same_bytes_and_is_evaluated(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    flags = ["--recipe", "cifar", "--norm", "batch", "--widths", "8,8,8", "--batch-size", "9"]
    for run, more in ((whole, []), (parts, ["--max-steps", "3"])):
        out = ["--epochs", "2", "--out", str(run)]
        assert main(["train", str(colours), *flags, *out, *more]) == 0
    assert main(["train", "--resume", str(parts)]) == 0
    one, other = (load_file(folder / "last.safetensors") for folder in (whole, parts))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name].numpy(), other[name].numpy()) for name in one)
    assert one["model.bn3.num_batches_tracked"].item() > 3
    assert one["model.bn3.running_mean"].data.any()
    assert one["model.bn3.running_mean"].dtype == np.float32
    assert main(["evaluate", str(whole)]) == 0
    assert main(["predict", str(whole), str(next(colours.rglob("*.png")))]) == 0


def test_torchvisions_keys_are_kept_without_it() -> None:
    assert RECIPES["owt"].norm == "none"
    names = {name for name, _ in network("one-tower", "none").named_parameters()}
    assert {"features.10.weight", "classifier.6.bias"} <= names
