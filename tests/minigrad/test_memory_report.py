"""The report of what is in memory adds up; on a GPU see tests/cuda_emulation."""

import re

import pytest

import minigrad as mg
from minigrad import nn
from minigrad.kernels.fast.memory import scratch_bytes


def number(report: str, name: str) -> float:
    """The row's bytes."""
    ((value, unit),) = re.findall(rf"^{name} +([\d.]+) (B|kB|MB)$", report, re.MULTILINE)
    return float(value) * {"B": 1, "kB": 1e3, "MB": 1e6}[unit]


def test_each_row_is_what_its_arrays_weigh():
    model = nn.Linear(500, 100, bias=False)
    update = mg.optim.Adam(model.parameters(), 1e-3)
    x = mg.randn(50, 500)
    report = mg.memory_report(model=model, optimizer=update)
    assert [number(report, name) for name in ("parameters", "gradients")] == [200e3, 0]
    assert number(report, "optimizer state") == 0
    model(x).sum().backward()
    update.step()
    out = model(x).relu().sum()
    report = mg.memory_report(out, model, update)
    assert [number(report, name) for name in ("parameters", "gradients")] == [200e3, 200e3]
    assert number(report, "optimizer state") == 400e3  # two moments
    assert number(report, "kept for backward") == 100e3 + 20e3  # x and relu's result
    assert report.splitlines()[0].split() == ["operation", "calls", "kept", "for", "backward"]


def test_a_part_alone_and_nothing_at_all():
    assert "operation" not in mg.memory_report(device="cpu")
    assert "parameters" not in mg.memory_report(mg.ones(2, requires_grad=True).exp())
    with pytest.raises(mg.DeviceError, match="'tpu' is unknown"):
        mg.memory_report(device="tpu")


def test_scratch_memory_is_counted():
    mg.nn.functional.conv2d(mg.randn(2, 3, 40, 40), mg.randn(4, 3, 5, 5))
    assert scratch_bytes() > 0
    assert number(mg.memory_report(device="cpu"), "scratch of the threads") == pytest.approx(
        scratch_bytes(), rel=0.1
    )
