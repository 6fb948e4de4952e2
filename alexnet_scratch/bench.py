"""How long each layer of AlexNet takes here, forward and backward."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

import minigrad as mg
from minigrad import optim
from minigrad.arrays import to_device
from minigrad.kernels.layout import as_nchw
from minigrad.nn import functional as F
from minigrad.tools.profiler import Profile, profile
from minigrad.tools.summary import Summary, summary
from minigrad.tools.text import align

from .network import Network


class LayerTime(NamedTuple):
    """Seconds that a layer takes for a batch, and the floating-point operations it does in them."""

    name: str
    output: str
    forward: float
    backward: float
    flops: float


class StepTimes(NamedTuple):
    """Medians over the measured steps: the layers, then the loss and the update; and the whole."""

    layers: tuple[LayerTime, ...]
    step: float


class TrainingStep:
    """Forward, backward and SGD update of `model` on one random batch; call it to run a step.

    The batch is made on the device of the model. precision: of the products, see `mg.precision`;
    float16 scales the loss, as training does.
    """

    def __init__(
        self,
        model: Network,
        batch: int,
        lr: float = 1e-3,
        seed: int = 0,
        precision: str = "float32",
    ) -> None:
        rng = np.random.default_rng(seed)
        size = model.input_size
        self.model, self.precision = model, precision
        self.scaler = optim.GradScaler(enabled=precision == "float16")
        device = next(model.parameters()).device
        pixels = to_device(rng.standard_normal((batch, size, size, 3), np.float32), device)
        self.images = mg.Tensor(as_nchw(pixels))  # channels-last memory, as the loader gives it
        self.labels = mg.tensor(rng.integers(0, model.num_classes, batch), device=device)
        self.optimizer = optim.SGD(model.parameters(), lr, momentum=0.9, weight_decay=5e-4)

    def __call__(self) -> mg.Tensor:
        """Run one step and return its loss."""
        self.optimizer.zero_grad()
        with mg.precision(self.precision):
            loss = F.cross_entropy(self.model(self.images), self.labels, ignore_index=None)
            self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss


def seconds_of(
    call: Callable[[], object], times: int, warm_up: int = 1,
    after: Callable[[], object] = lambda: None,
) -> list[float]:  # fmt: skip
    """Seconds of each of `times` calls, after some that are not counted; `after` follows each."""
    seconds = []
    for _ in range(warm_up + times):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
        after()
    return seconds[warm_up:]


def time_layers(
    step: TrainingStep, times: int = 3, warm_up: int = 1,
    after: Callable[[], object] = lambda: None,
) -> StepTimes:  # fmt: skip
    """Run some steps and take the median time of each layer, of the loss and of the update.

    after: follows each step, uncounted.
    """
    model = step.model
    table = summary(model, step.images.shape[1:])
    profiles: list[Profile] = []

    def run() -> None:
        with profile(model) as seen:
            step()
        profiles.append(seen)

    seconds = seconds_of(run, times, warm_up, after)
    rows = {name: (output, flops) for name, output, flops in _layer_flops(table)}
    names = _in_order(list(rows), {name for p in profiles for name, _ in p.by_module()})
    passes = {
        (name, phase): statistics.median(_seconds(p, name, phase) for p in profiles[warm_up:])
        for name in ("", *names)
        for phase in ("forward", "backward")
    }
    layers = [
        LayerTime(name, output, passes[name, "forward"], passes[name, "backward"],
                  len(step.images) * flops)
        for name in names
        for output, flops in [rows.get(name, ("", 0.0))]
        if passes[name, "forward"] or passes[name, "backward"]
    ]  # fmt: skip
    layers.append(LayerTime("loss", "", passes["", "forward"], passes["", "backward"], 0))
    # What no operation accounts for is the update (and the engine, which is too quick to see).
    rest = [s - p.seconds for s, p in zip(seconds, profiles[warm_up:], strict=True)]
    layers.append(LayerTime("update", "", 0, statistics.median(rest), 0))
    return StepTimes(tuple(layers), statistics.median(seconds))


def layer_table(times: StepTimes) -> str:
    """Return the table: output, forward and backward ms, GFLOP/s of both, share of the step."""
    cells = [("layer", "output", "forward ms", "backward ms", "GFLOP/s", "share")]
    total = LayerTime(
        "step",
        "",
        sum(layer.forward for layer in times.layers),
        sum(layer.backward for layer in times.layers),
        sum(layer.flops for layer in times.layers),
    )
    for layer in (*times.layers, total):
        seconds = layer.forward + layer.backward
        cells.append((
            layer.name, layer.output, f"{1e3 * layer.forward:.1f}", f"{1e3 * layer.backward:.1f}",
            f"{layer.flops / seconds / 1e9:.0f}" if layer.flops and seconds else "",
            f"{seconds / (total.forward + total.backward):.1%}",
        ))  # fmt: skip
    lines = align(cells, left=2)
    rule = "-" * len(lines[0])
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def positive(text: str) -> int:
    """Turn a flag's text into an integer of at least 1."""
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected an integer of at least 1")
    return value


def _in_order(layers: list[str], seen: set[str]) -> list[str]:
    """The layers, and behind the last layer of a block what the block itself computes of them: a
    sum or a concatenation."""
    ordered = list(layers)
    for block in sorted(seen - {"", *layers}, key=len, reverse=True):
        inside = [i for i, name in enumerate(ordered) if name.startswith(f"{block}.")]
        ordered.insert(inside[-1] + 1 if inside else len(ordered), block)
    return ordered


def _seconds(seen: Profile, name: str, phase: str) -> float:
    cost = seen.by_module().get((name, phase))
    return 0.0 if cost is None else cost.seconds


def _layer_flops(table: Summary) -> list[tuple[str, str, float]]:
    """(name, output, floating-point operations per image, forward and backward) of each layer.

    Backward takes two products of forward's size, for weights and input; the first layer's input
    needs no gradient.
    """
    layers: list[tuple[str, str, float]] = []
    first = True
    for row in table.rows:
        products = (2 if first else 3) if row.macs else 0
        first = first and not row.macs
        output = " x ".join(str(size) for size in row.output_shape)
        layers.append((row.name, output, 2.0 * products * row.macs))
    return layers


def peak_bytes() -> int | None:
    """Most memory that this process has held; of a memory map, what is in memory counts. None where
    the system does not say."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would count the process that started this one, too
        line = next(li for li in status.read_text().splitlines() if li.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
