"""AlexNet, the optimisers and whole runs of `alexnet train` on "cuda" as on the CPU."""

import functools
import json
import re

import numpy as np
import pytest
from agreement import assert_as_near

import minigrad as mg
from alexnet_scratch.cli import main
from alexnet_scratch.model import AlexNet
from alexnet_scratch.recipe import RECIPES
from alexnet_scratch.training import plan
from minigrad.nn import functional as F
from minigrad.serialization import load_file
from minigrad.testing import cupy_on_cpu as standin

OPTIMIZERS = {
    "sgd": lambda p: mg.optim.SGD(p, 0.01, momentum=0.9, weight_decay=5e-4),
    "nesterov": lambda p: mg.optim.SGD(p, 0.01, momentum=0.9, nesterov=True),
    "paper": lambda p: mg.optim.SGD(p, 0.01, momentum=0.9, weight_decay=5e-4, rule="paper"),
    "adam": lambda p: mg.optim.Adam(p, 1e-3),
    "adamw": lambda p: mg.optim.AdamW(p, 1e-3),
}


class Training:
    """A narrow network with dropout on four images, under one optimizer."""

    def __init__(self, variant, device, optimizer="sgd", dtype=np.float32):
        mg.manual_seed(0)
        narrow = {} if variant == "one-tower" else {"widths": (8, 8, 8, 8, 8), "input_size": 64}
        self.model = AlexNet(5, variant, fc_width=16, **narrow)
        for weight in self.model.parameters():
            if weight.ndim > 1:
                weight.data *= np.float32(6**0.5)  # He's scale, with which it really learns
        self.model.to(device, dtype)
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())
        images = np.random.default_rng(1).normal(size=(4, 3, 64, 64)).astype(np.float32)
        self.images = mg.tensor(images, device=device, dtype=dtype)
        self.labels = mg.tensor(np.arange(4), device=device)

    def step(self):
        """The loss, still on the device."""
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(self.images), self.labels)
        loss.backward()
        self.optimizer.step()
        return loss

    def run(self, count):
        """Losses of so many steps, and the weights after them."""
        standin.transfers.clear()
        losses = [self.step() for _ in range(count)]
        assert not standin.transfers, "a step reads from the device or writes to it"
        assert {p.device for p in self.model.parameters()} == {self.images.device}
        state = {name: value.cpu().numpy() for name, value in self.model.state_dict().items()}
        return np.array([loss.item() for loss in losses], self.images.data.dtype), state

    def gradients(self):
        """The gradients of one step."""
        self.step()
        return {name: p.grad.cpu().numpy() for name, p in self.model.named_parameters()}


@functools.cache
def on_cpu(variant, optimizer, count):
    """A run in float32, and the same in float64."""
    return [Training(variant, "cpu", optimizer, d).run(count) for d in (np.float32, np.float64)]


def assert_same_run(found, variant, optimizer, count):
    """Hold losses and weights to the CPU's."""
    (losses, state), (exact, weights) = on_cpu(variant, optimizer, count)
    assert_as_near(found[0], losses, exact, "losses")
    for name, value in weights.items():
        assert_as_near(found[1][name], state[name], value, name)


@pytest.mark.parametrize(
    ("variant", "optimizer"),
    [("grouped", "sgd"), ("one-tower", "sgd"), *(("two-tower", name) for name in OPTIMIZERS)],
)
def test_training_steps_equal_the_cpu_and_leave_the_device_alone(kernels, variant, optimizer):
    assert_same_run(Training(variant, "cuda", optimizer).run(3), variant, optimizer, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fifty_steps_equal_the_cpu(kernels, dtype):
    losses, state = Training("grouped", "cuda", "sgd", dtype).run(50)
    assert losses[-5:].mean() < losses[:5].mean() - 0.5, "nothing was learned"
    assert_same_run((losses, state), "grouped", "sgd", 50)


@pytest.mark.parametrize("variant", ["two-tower", "grouped"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_equal_the_cpu(kernels, variant, dtype):
    found = Training(variant, "cuda", "sgd", dtype).gradients()
    cpu = Training(variant, "cpu").gradients()
    for name, exact in Training(variant, "cpu", "sgd", np.float64).gradients().items():
        assert found[name].dtype == dtype
        assert_as_near(found[name], cpu[name], exact, name)


@pytest.fixture
def packed(colours, tmp_path):
    out = tmp_path / "packed"
    assert main(["prepare", str(colours), str(out), "--image-size", "72"]) == 0
    return out


def run(packed, folder, preset, device, *more):
    side = "24" if preset == "cifar" else "64"
    narrow = ["--input-size", side, "--image-size", "72", "--batch-size", "9"]
    narrow += [] if preset == "cifar" else ["--fc-width", "16"]
    narrow += [] if preset == "owt" else ["--widths", "8,8,8" if preset == "cifar" else "8,8,8,8,8"]
    flags = ["--recipe", preset, *narrow, "--epochs", "2", "--device", device, "--out", str(folder)]
    assert main(["train", str(packed), *flags, *more]) == 0
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


# What these compute, the others do, too; one-tower cannot be made narrow.
LONG = ("small", "transfer", "owt", "tiny", "boxed")


@pytest.mark.parametrize(
    "preset",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in RECIPES]
    + ["in parts"],
)
def test_a_recipe_trains_and_evaluates_as_on_the_cpu(kernels, packed, tmp_path, capsys, preset):
    strict = ["--dtype", "float32"]
    if preset == "in parts":
        preset = "small"
        strict += ["--mixup", "0.5", "--clip", "1", "--colour-noise", "deviation"]
        strict += ["--micro-batch", "4"]
    ours, theirs = (run(packed, tmp_path / d, preset, d, *strict) for d in ("cuda", "cpu"))
    for a, b in zip(ours, theirs, strict=True):
        assert a["train_loss"] == pytest.approx(b["train_loss"], rel=1e-3)
        assert a["val_loss"] == pytest.approx(b["val_loss"], rel=1e-3)
    scores = []
    for device in ("cuda", "cpu"):
        capsys.readouterr()
        flags = ["--ten-crop", "--json", "--device", device]
        assert main(["evaluate", str(tmp_path / "cuda"), *flags]) == 0
        scores.append(json.loads(capsys.readouterr().out)["scores"])
    for name, score in scores[0].items():
        assert score["loss"] == pytest.approx(scores[1][name]["loss"], rel=1e-5)


@pytest.mark.parametrize(("preset", "more"), [("paper", []), ("cifar", ["--norm", "batch"])])
def test_a_run_resumes_on_the_device_to_the_same_bytes(kernels, packed, tmp_path, preset, more):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(packed, whole, preset, "cuda", *more)
    run(packed, parts, preset, "cuda", *more, "--max-steps", "3")
    assert main(["train", "--resume", str(parts), "--device", "cuda"]) == 0
    one, other = (load_file(folder / "last.safetensors") for folder in (whole, parts))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name].numpy(), other[name].numpy()) for name in one)


@pytest.mark.parametrize(("first", "then"), [("cuda", "cpu"), ("cpu", "cuda")])
@pytest.mark.parametrize("preset", ["small", "paper"])
def test_a_run_goes_on_on_the_other_device_to_rounding(
    kernels, packed, tmp_path, capsys, preset, first, then
):
    strict, whole, parts = ("--dtype", "float32"), tmp_path / "whole", tmp_path / "parts"
    rows = run(packed, whole, preset, first, *strict)
    run(packed, parts, preset, first, *strict, "--max-steps", "3")
    assert main(["train", "--resume", str(parts), "--device", then]) == 0
    said = capsys.readouterr().out
    assert re.search(rf"Computed with device {then}\S* \(before: {first}\S*\): the numbers", said)
    other = [json.loads(line) for line in (parts / "metrics.jsonl").read_text().splitlines()]
    for a, b in zip(rows, other, strict=True):
        assert a["train_loss"] == pytest.approx(b["train_loss"], rel=1e-3)
        assert a["val_loss"] == pytest.approx(b["val_loss"], rel=1e-3)


def test_a_run_is_planned_on_cuda(colours, narrow_flags, monkeypatch, capsys):
    monkeypatch.setattr(plan, "FIRST_ESTIMATE", 3)
    assert main(["plan", str(colours), *narrow_flags, "--device", "cuda", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert not found["on_cpu"]
    assert found["measured"] == 3
    assert min(found["memory"], found["rate"], found["seconds"]) > 0
