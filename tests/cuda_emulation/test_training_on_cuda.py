"""AlexNet, the optimisers and whole runs of `alexnet train` on "cuda" as on the CPU."""

import json

import numpy as np
import pytest
import standin

import minigrad as mg
from alexnet_scratch.cli import main
from alexnet_scratch.model import AlexNet
from alexnet_scratch.recipe import RECIPES
from minigrad.nn import functional as F
from minigrad.serialization import load_file

OPTIMIZERS = {
    "sgd": lambda p: mg.optim.SGD(p, 0.01, momentum=0.9, weight_decay=5e-4),
    "nesterov": lambda p: mg.optim.SGD(p, 0.01, momentum=0.9, nesterov=True),
    "paper": lambda p: mg.optim.SGD(p, 0.01, momentum=0.9, weight_decay=5e-4, rule="paper"),
    "adam": lambda p: mg.optim.Adam(p, 1e-3),
    "adamw": lambda p: mg.optim.AdamW(p, 1e-3),
}


def network(variant, device):
    mg.manual_seed(0)
    narrow = {} if variant == "one-tower" else {"widths": (8, 8, 8, 8, 8), "input_size": 64}
    return AlexNet(5, variant, fc_width=16, **narrow).to(device)


def steps(variant, device, optimizer, count=3):
    """Losses, and the weights after the last step, of training on one batch."""
    model = network(variant, device)
    update = OPTIMIZERS[optimizer](model.parameters())
    rng = np.random.default_rng(1)
    images = mg.tensor(rng.normal(0, 50, (4, 3, 64, 64)).astype(np.float32), device=device)
    labels = mg.tensor(np.arange(4), device=device)
    standin.transfers.clear()
    losses = []
    for _ in range(count):
        update.zero_grad()
        losses.append(F.cross_entropy(model(images), labels))
        losses[-1].backward()
        update.step()
    assert not standin.transfers, "a step reads from the device or writes to it"
    assert {p.device for p in model.parameters()} == {images.device}
    state = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
    return [float(loss.item()) for loss in losses], state


@pytest.mark.parametrize(
    ("variant", "optimizer"),
    [("grouped", "sgd"), ("one-tower", "sgd"), *(("two-tower", name) for name in OPTIMIZERS)],
)
def test_training_steps_equal_the_cpu_and_leave_the_device_alone(kernels, variant, optimizer):
    losses, state = steps(variant, "cuda", optimizer)
    expected, weights = steps(variant, "cpu", optimizer)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for name, value in weights.items():
        np.testing.assert_allclose(state[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


def test_fifty_steps_equal_the_cpu(kernels):
    losses, _ = steps("grouped", "cuda", "sgd", 50)
    expected, _ = steps("grouped", "cpu", "sgd", 50)
    assert expected[-1] < expected[0]
    np.testing.assert_allclose(losses, expected, rtol=1e-3)


@pytest.fixture
def packed(colours, tmp_path):
    out = tmp_path / "packed"
    assert main(["prepare", str(colours), str(out), "--image-size", "72"]) == 0
    return out


def run(packed, folder, preset, device, *more):
    narrow = ["--fc-width", "16", "--input-size", "64", "--image-size", "72", "--batch-size", "9"]
    narrow += [] if preset == "owt" else ["--widths", "8,8,8,8,8"]
    flags = ["--recipe", preset, *narrow, "--epochs", "2", "--device", device, "--out", str(folder)]
    assert main(["train", str(packed), *flags, *more]) == 0
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("preset", RECIPES)
def test_a_recipe_trains_and_evaluates_as_on_the_cpu(kernels, packed, tmp_path, capsys, preset):
    strict = ("--dtype", "float32")
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


def test_a_run_resumes_on_the_device_to_the_same_bytes(kernels, packed, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(packed, whole, "paper", "cuda")
    run(packed, parts, "paper", "cuda", "--max-steps", "3")
    assert main(["train", "--resume", str(parts), "--device", "cuda"]) == 0
    one, other = (load_file(folder / "last.safetensors") for folder in (whole, parts))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name].numpy(), other[name].numpy()) for name in one)
