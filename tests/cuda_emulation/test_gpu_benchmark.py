"""The GPU benchmark on the stand-in: that it runs, counts right, and writes only what it measured.

Times and rates here mean nothing.
"""

import importlib.util
import json
import math
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from alexnet_scratch.cli import main
from alexnet_scratch.model import AlexNet
from alexnet_scratch.recipe import RECIPES
from minigrad.kernels import cuda
from minigrad.kernels.fast.product import PRECISIONS
from minigrad.tools.summary import summary

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import gpu_device
import gpu_feeding
import gpu_kernels
import gpu_train_step as bench
import sections
from rounds import SideError

FOLDER = Path(bench.__file__).parent
EMPTY = "No GPU has been at hand yet: nothing measured."
NARROW = {"widths": (8, 8, 8, 8, 8), "input_size": 64, "fc_width": 16}


def narrow(variant):
    """Never torchvision's network, which cannot be made narrow."""
    return AlexNet(5, "grouped", **NARROW)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A narrow network, small products and copies, few epochs."""
    monkeypatch.setattr(bench, "network", narrow)
    monkeypatch.setattr(bench, "WARM_UP", 1)
    monkeypatch.setattr(gpu_device, "GEMM_SIZE", 32)
    monkeypatch.setattr(gpu_device, "COPY_BYTES", 1 << 16)
    monkeypatch.setattr(gpu_device.Products, "hold", lambda products, seconds, rate: products())
    recipe = replace(RECIPES["paper"], **NARROW, variant="grouped", image_size=72, batch_size=9,
                     epochs=2)  # fmt: skip
    monkeypatch.setattr(gpu_feeding, "recipe", lambda options: recipe)


@pytest.fixture
def options(tmp_path):
    def parse(*flags):
        copy = tmp_path / "RESULTS.md"
        shutil.copy(FOLDER / "RESULTS.md", copy)
        flags = ["--batch", "2", "--steps", "2", "--rounds", "2", "--precision", "float32",
                 "--results", str(copy), *flags]  # fmt: skip
        return bench.parse(flags)

    return parse


@pytest.fixture
def in_process(monkeypatch):
    """Workers run in this process, which has the stand-in."""

    def run_side(script, flags, env=None):
        worker = bench.parse(flags)
        return json.loads(json.dumps(bench.WORKERS[worker.worker](worker)))

    monkeypatch.setattr(bench, "run_side", run_side)


@pytest.fixture
def packed(colours, tmp_path):
    out = tmp_path / "packed"
    assert main(["prepare", str(colours), str(out), "--image-size", "72"]) == 0
    return out


def rows_of(options, precision="float32"):
    """The rows of a step of a narrow network on two images."""
    found = bench.work_kernels(options("--precision", precision))
    return [gpu_kernels.Row(**row) for row in found["rows"]]


def test_the_whole_run_fills_every_section(
    kernels, cupy, options, in_process, packed, capsys, monkeypatch
):
    given = options(
        "--alone", "--set", str(packed), "--rounds", "1", "--precision", "tf32", "float16"
    )
    assert bench.measure(given) == 0
    text = given.results.read_text()
    assert EMPTY not in text
    assert EMPTY in (FOLDER / "RESULTS.md").read_text()  # the real one is left alone
    device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    for section in ("steps grouped", "steps one-tower", "kernels grouped", "kernels one-tower",
                    "feeding"):  # fmt: skip
        block = text.partition(f"<!-- {section}: begin -->")[2].partition(f"<!-- {section}: end")[0]
        assert f"device {device}" in block
        assert "driver" in block
        assert f"CuPy {cupy.__version__}" in block
        assert "$ python benchmarks/gpu_train_step.py" in block
    assert "the line is 0.95" in text
    assert not re.search(r"\bnan\b", text)


def test_quick_writes_nothing(kernels, cupy, options, in_process):
    given = options("--alone", "--quick", "--parts", "steps", "--variant", "grouped")
    before = given.results.read_text()
    assert bench.measure(given) == 0
    assert given.results.read_text() == before


def test_without_a_gpu_it_says_what_is_missing_and_writes_nothing(options, monkeypatch):
    given = options("--parts", "steps")
    before = given.results.read_text()
    monkeypatch.setattr(bench, "run_side", lambda *_: {"problem": "no GPU, do this"})
    with pytest.raises(SystemExit, match=r"^gpu_train_step: no GPU, do this$"):
        bench.measure(given)
    assert given.results.read_text() == before


def test_without_pytorch_it_asks_for_it_or_for_alone(cupy, options, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else name)
    assert "pip install torch, or give --alone" in bench.work_facts(options())["problem"]
    assert "problem" not in bench.work_facts(options("--alone"))


def test_a_side_that_fails_is_named_and_the_others_are_timed(options, monkeypatch):
    def run_side(script, flags, env=None):
        if flags[1] == bench.COMPILED:
            raise SideError("Traceback\nno compiler")
        return gpu_device.measured([0.5, 0.5], 2, 100, 200, 300)

    monkeypatch.setattr(bench, "run_side", run_side)
    report = bench.step_report(bench.time_steps(options(), "grouped", "float32", 2))
    assert "PyTorch, compiled failed: no compiler" in report
    assert "minigrad / PyTorch: 1.00 (1.00..1.00), memory in use 1.00" in report
    assert "nan" not in report


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_operations_are_those_of_the_network(kernels, options, precision):
    operations = sum(row.operations for row in rows_of(options, precision))
    assert operations == 2 * 2 * summary(narrow("grouped"), (3, 64, 64)).training_macs


def test_every_kernel_of_a_step_has_a_rule_and_its_bytes_are_those_worked_out_by_hand(
    cupy, options, monkeypatch
):
    monkeypatch.setenv(cuda.SWITCH, "on")
    rows = rows_of(options)
    unknown = {row.kernel for row in rows if row.bytes is None} - {gpu_kernels.ARRAYS}
    assert not unknown, f"add to MOVED in benchmarks/gpu_kernels.py: {unknown}"
    found = {(row.layer, row.phase, row.kernel): row.bytes for row in rows}
    maps, pooled = 2 * 15 * 15 * 8, 2 * 7 * 7 * 8  # elements behind conv1, and behind pool1
    expected = {
        ("conv1", "forward", "im2col.im2col"): 4 * (2 * 64 * 64 * 3 + 2 * 15 * 15 * 363),
        ("conv1", "forward", "activation.bias_relu"): 4 * (2 * maps + 8),
        ("conv1", "backward", "activation.relu_backward"): 4 * 3 * maps,
        ("lrn1", "forward", "lrn.lrn_forward"): 4 * 3 * maps,
        ("lrn1", "backward", "lrn.lrn_backward"): 4 * 4 * maps,
        ("pool1", "forward", "pool.max_forward8"): 4 * maps + 5 * pooled,
        ("pool1", "backward", "pool.max_backward8"): 4 * maps + 5 * pooled,
        ("conv2", "forward", "im2col.im2col"): 4 * (pooled + 2 * 49 * 2 * 25 * 4),
        ("conv2", "forward", "GEMM"): 4 * 2 * (98 * 100 + 100 * 4 + 98 * 4),
        ("drop6", "forward", "dropout.dropout"): 4 * 2 * 2 * 16,
    }  # fmt: skip
    assert {key: found.get(key) for key in expected} == expected
    updates = sum(row.bytes for row in rows if row.kernel.startswith("sgd."))
    assert updates == 4 * 5 * sum(p.numel() for p in narrow("grouped").parameters())


def test_layers_and_phases_come_in_the_order_of_the_step(kernels, options):
    rows = rows_of(options)
    layers = [name for name, _ in narrow("grouped").named_parameters()]
    layers = list(dict.fromkeys(name.partition(".")[0] for name in layers))
    seen = list(dict.fromkeys((row.layer, row.phase) for row in rows))
    forward = [layer for layer, phase in seen if phase == "forward" and layer in layers]
    backward = [layer for layer, phase in seen if phase == "backward" and layer in layers]
    assert forward == layers
    assert backward == layers[::-1]
    assert seen[0] == ("input", "")
    assert seen[-1] == ("update", "")
    assert ("cross_entropy", "backward") in seen


def test_the_floor_is_the_longer_of_bytes_and_operations():
    clock = gpu_device.Clock(lambda: 0, lambda a, b: b - a, lambda: None)
    launches = [
        gpu_kernels.Launch("a", 100.0, 0, 0, 20),
        gpu_kernels.Launch("b", 10.0, 80.0, 20, 60),
    ]
    part = gpu_kernels.Part("layer", "forward", 0, 100, launches)
    rows = gpu_kernels.rows_of([[part], [part]], gpu_kernels.Rates(gemm=1e3, copy=1e4), clock)
    assert [(r.kernel, r.seconds, r.floor) for r in rows] == [
        ("a", 0.02, 0.01), ("b", 0.04, 0.08), (gpu_kernels.ARRAYS, pytest.approx(0.04), None),
    ]  # fmt: skip
    text = gpu_kernels.table(gpu_kernels.by_kernel(rows), places=False)
    assert re.search(r"a +1 +20\.000 +20\.0% +0 +50%", text)


def test_a_section_that_is_not_there_is_refused(tmp_path):
    file = tmp_path / "RESULTS.md"
    file.write_text("<!-- one: begin -->\nold\n<!-- one: end -->\nmore\n")
    sections.write(file, "one", "new")
    assert file.read_text() == "<!-- one: begin -->\n```\nnew\n```\n<!-- one: end -->\nmore\n"
    with pytest.raises(ValueError, match="no section 'two'"):
        sections.write(file, "two", "new")


if importlib.util.find_spec("torch"):

    @pytest.mark.parametrize("precision", PRECISIONS)
    def test_pytorchs_side_runs(options, monkeypatch, precision):
        from torch import nn

        tiny = nn.Sequential(nn.Conv2d(3, 2, 11, 8), nn.ReLU(), nn.Flatten(), nn.Linear(1458, 5))
        monkeypatch.setattr(bench, "torch_alexnet", lambda variant, classes: tiny)
        monkeypatch.setattr(bench, "CLASSES", 5)
        given = options("--device", "cpu", "--precision", precision)
        assert math.isfinite(bench.work_torch(given)["rate"])
