"""Training in tf32 and in mixed precision: close to float32, resumable, and told."""

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.cli import main
from alexnet_scratch.model import AlexNet
from alexnet_scratch.training.checkpoint import load_checkpoint
from minigrad.nn import functional as F
from minigrad.serialization import load_file
from minigrad.testing import cublas_on_cpu
from minigrad.testing import cupy_on_cpu as standin

# By precision: how far the losses, and the way that weights have gone, may be from float32's. The
# weights' is that large because a ReLU or a pool that is near a tie goes the other way.
BOUNDS = {"tf32": (0.001, 0.1), "float16": (0.001, 0.1), "bfloat16": (0.004, 0.2)}
STEPS = 10


def trained(precision, device):
    """Losses and changes of the weights over some steps on one batch."""
    mg.manual_seed(0)
    narrow = {"widths": (8, 16, 16, 16, 16), "fc_width": 32, "input_size": 64, "dropout_p": 0.0}
    model = AlexNet(5, "grouped", **narrow).to(device)
    first = {name: value.cpu().numpy().copy() for name, value in model.state_dict().items()}
    optimizer = mg.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    scaler = mg.optim.GradScaler(enabled=precision == "float16")
    rng = np.random.default_rng(1)
    images = mg.tensor(rng.normal(0, 50, (4, 3, 64, 64)).astype(np.float32), device=device)
    labels = mg.tensor(np.arange(4), device=device)
    losses = []
    standin.transfers.clear()
    for _ in range(STEPS):
        with mg.precision(precision):
            losses.append(F.cross_entropy(model(images), labels))
            optimizer.zero_grad()
            scaler.scale(losses[-1]).backward()
        scaler.step(optimizer)
        scaler.update()
    reads = sum(standin.transfers.values())
    expected = STEPS if scaler.enabled and isinstance(images.data, standin.ndarray) else 0
    assert reads == expected  # one number a step
    last = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
    assert {value.dtype for value in last.values()} == {np.dtype(np.float32)}
    return np.array([loss.item() for loss in losses]), {n: last[n] - first[n] for n in first}


@pytest.mark.parametrize("precision", BOUNDS)
def test_training_follows_float32_within_a_bound(kernels, precision):
    (losses, changes), (expected, wanted) = trained(precision, "cuda"), trained("float32", "cpu")
    of_loss, of_way = BOUNDS[precision]
    assert expected[-1] < expected[0] * (1 - 5 * of_loss)
    assert not np.array_equal(losses, expected)
    np.testing.assert_allclose(losses, expected, rtol=of_loss)
    for name, change in changes.items():
        distance = np.linalg.norm(change - wanted[name]) / np.linalg.norm(wanted[name])
        assert distance < of_way, name


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_the_cpus_rounding_is_the_gpus(kernels, precision):
    """The same operands, so the same numbers up to the order of float32 sums."""
    (losses, _), (expected, _) = trained(precision, "cuda"), trained(precision, "cpu")
    np.testing.assert_allclose(losses, expected, rtol=2e-4)


@pytest.fixture
def packed(colours, tmp_path):
    out = tmp_path / "packed"
    assert main(["prepare", str(colours), str(out), "--image-size", "72"]) == 0
    return out


def train(packed, folder, narrow_flags, *more):
    flags = [*narrow_flags, "--device", "cuda", "--out", str(folder), *more]
    assert main(["train", str(packed), *flags]) == 0


def used():
    """Types of operands and compute types of all products since the last look."""
    found = {(call.operands, call.compute) for call in cublas_on_cpu.calls}
    cublas_on_cpu.calls.clear()
    return found


STRICT, TF32, FLOAT16, BFLOAT16 = (0, 68), (0, 77), (2, 68), (14, 68)


@pytest.mark.parametrize(
    ("flags", "capability", "products", "said"),
    [
        ((), "80", {TF32, STRICT}, "on cuda:0, products in tf32\n"),
        ((), "75", {STRICT}, "on cuda:0, products in float32\n"),
        (("--dtype", "float32"), "80", {STRICT}, "products in float32\n"),
        (("--amp",), "75", {FLOAT16, STRICT}, "products in float16 with loss scaling\n"),
        (("--amp", "bfloat16"), "90", {BFLOAT16, STRICT}, "products in bfloat16\n"),
    ],
)
def test_flags_choose_and_the_log_says_what(
    cupy, packed, tmp_path, narrow_flags, monkeypatch, flags, capability, products, said
):
    """Validation, the one part that is strict always, has products in float32."""
    monkeypatch.setattr(standin.Device, "compute_capability", capability)
    used()
    train(packed, tmp_path / "run", narrow_flags, "--epochs", "1", *flags)
    assert used() == products
    assert said in (tmp_path / "run" / "log.txt").read_text()


@pytest.mark.parametrize("amp", ["float16", "bfloat16"])
def test_a_run_resumes_in_mixed_precision_to_the_same_bytes(
    kernels, packed, tmp_path, narrow_flags, amp
):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    flags = ["--amp", amp, "--epochs", "1"]
    train(packed, whole, narrow_flags, *flags)
    train(packed, parts, narrow_flags, *flags, "--max-steps", "3")
    used()
    assert main(["train", "--resume", str(parts), "--device", "cuda"]) == 0
    assert ({"float16": FLOAT16, "bfloat16": BFLOAT16}[amp] in used()) or not standin_is_used()
    one, other = (load_file(folder / "last.safetensors") for folder in (whole, parts))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name].numpy(), other[name].numpy()) for name in one)
    a, b = (load_checkpoint(folder / "last.safetensors").position for folder in (whole, parts))
    assert a.precision == b.precision == amp
    assert a.scaler == b.scaler
    assert bool(a.scaler) == (amp == "float16")


def standin_is_used():
    return isinstance(mg.ones(1, device="cuda").data, standin.ndarray)


def test_skipped_steps_are_logged_and_survive_a_resume(
    cupy, packed, tmp_path, narrow_flags, monkeypatch
):
    """A scale that overflows at first comes down until steps are taken."""
    init = mg.optim.GradScaler.__init__
    monkeypatch.setattr(
        mg.optim.GradScaler, "__init__", lambda self, **o: init(self, init_scale=2.0**24, **o)
    )
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(packed, whole, narrow_flags, "--amp")
    train(packed, parts, narrow_flags, "--amp", "--max-steps", "2")
    assert main(["train", "--resume", str(parts), "--device", "cuda"]) == 0
    a, b = (load_checkpoint(folder / "last.safetensors").position for folder in (whole, parts))
    assert a.scaler == b.scaler
    skipped = a.scaler["skipped_steps"]
    assert 2 < skipped < a.step
    assert a.scaler["scale"] == 2.0 ** (24 - skipped)
    for folder in (whole, parts):
        assert f": {skipped} steps skipped up to step" in (folder / "log.txt").read_text()
    one, other = (load_file(folder / "last.safetensors") for folder in (whole, parts))
    assert all(np.array_equal(one[name].numpy(), other[name].numpy()) for name in one)


def test_gradients_that_no_scale_helps_stop_the_run(
    cupy, packed, tmp_path, narrow_flags, monkeypatch, capsys
):
    init = mg.optim.GradScaler.__init__
    monkeypatch.setattr(
        mg.optim.GradScaler, "__init__",
        lambda self, **o: init(self, init_scale=2.0**100, backoff_factor=2.0**-101, **o),
    )  # fmt: skip
    flags = ["--device", "cuda", "--out", str(tmp_path / "run"), "--amp", "float16"]
    assert main(["train", str(packed), *narrow_flags, *flags]) != 0
    assert "even where the loss is not scaled: try --amp bfloat16" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "capability", "message"),
    [
        (("--dtype", "tf32"), "75", "--dtype tf32 was asked for, but this GPU has no tf32"),
        (("--amp", "bfloat16"), "75", "--amp bfloat16 was asked for, but this GPU has no bfloat16"),
    ],
)
def test_what_the_gpu_has_not_is_refused(
    cupy, packed, tmp_path, monkeypatch, capsys, flags, capability, message
):
    monkeypatch.setattr(standin.Device, "compute_capability", capability)
    command = ["train", str(packed), "--device", "cuda", "--out", str(tmp_path / "run"), *flags]
    assert main(command) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_tf32_that_the_environment_switches_off(cupy, monkeypatch):
    assert mg.precision_problem("tf32", "cuda") is None
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    assert "NVIDIA_TF32_OVERRIDE=0" in mg.precision_problem("tf32", "cuda")


def test_a_resumed_run_meets_another_device(cupy, packed, tmp_path, narrow_flags, capsys):
    """tf32 goes on in float32; 16 bits want their device, or a word."""
    for amp, run in (((), "tf32"), (("--amp",), "half")):
        train(packed, tmp_path / run, narrow_flags, "--max-steps", "2", *amp)
    assert main(["train", "--resume", str(tmp_path / "tf32"), "--max-steps", "4"]) == 0
    log = (tmp_path / "tf32" / "log.txt").read_text()
    assert "on cpu, products in float32 (tf32 where there is)" in log
    assert load_checkpoint(tmp_path / "tf32" / "last.safetensors").position.precision == "tf32"
    capsys.readouterr()
    assert main(["train", "--resume", str(tmp_path / "half")]) == 2
    assert "the run was started with --amp float16, but the CPU has no" in capsys.readouterr().err
    more = ["--dtype", "float32", "--max-steps", "4"]
    assert main(["train", "--resume", str(tmp_path / "half"), *more]) == 0
    assert load_checkpoint(tmp_path / "half" / "last.safetensors").position.precision == "float32"
