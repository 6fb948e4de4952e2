"""Every kernel of a training step: its time on the device, bandwidth, and share of its floor.

A step is run while the device is busy with something else, so that all of it is queued before it
begins: what is timed are the kernels, not the gaps in which a fast GPU waits for Python. Launches
of CUDA kernels and matrix products are timed one by one, between two events; array operations are
what remains of a layer's time.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest import mock

import gpu_device
from gpu_device import Clock, Rates

import minigrad as mg
from alexnet_scratch.bench import TrainingStep
from minigrad import modes
from minigrad.kernels import cuda
from minigrad.kernels.fast import product
from minigrad.nn import module as calls
from minigrad.nn.module import Module
from minigrad.tools.text import align

STEPS = 5
GEMM, ARRAYS = "GEMM", "array operations"


# ----- bytes that a launch cannot do without -----


def _once(args: tuple[Any, ...], sizes: list[int]) -> float:
    """Every array is read or written, once."""
    return sum(sizes)


def _one_in_place(args: tuple[Any, ...], sizes: list[int]) -> float:
    """The largest array is read and written."""
    return sum(sizes) + max(sizes)


def _columns(args: tuple[Any, ...], sizes: list[int]) -> float:
    """The columns once, and of the images (n, H, W, channels) the C channels of the group."""
    (images,) = (a for a in args if getattr(a, "ndim", 0) == 4)
    _, _, channels, _, part = [a for a in args if type(a) is int][:5]
    return sum(sizes) - float(images.nbytes) * (1 - part / channels)


def _table_of_rows(args: tuple[Any, ...], sizes: list[int]) -> float:
    """The table of kernels/sgd.py: of each row w and v are read and written, g is read."""
    rows, elements, total = args[0]["rows"], 0, 0.0
    for row in rows[rows["end"] > 0]:
        count, elements = int(row["end"]) - elements, int(row["end"])
        total += count * (5 if row["v"] else 3) * rows.dtype["rate"].itemsize
    return total


MOVED: dict[str, Callable[[tuple[Any, ...], list[int]], float]] = {
    "activation.bias_relu": _one_in_place,
    "activation.relu_backward": _once,
    "bfloat16.bfloat16_bits": _once,
    "dropout.dropout": _once,
    "im2col.im2col": _columns,
    "im2col.col2im": _columns,
    "lrn.lrn_forward": _once,
    "lrn.lrn_backward": _once,
    "pixels.to_float": _once,
    "pool.max_forward8": _once,
    "pool.max_backward8": _once,
    "sgd.sgd": _table_of_rows,
    "softmax.cross_entropy": _once,
    "softmax.cross_entropy_backward": _once,
}


def bytes_moved(kernel: str, args: tuple[Any, ...]) -> float | None:
    """Bytes that a launch must move; None for a kernel that MOVED does not know.

    An array that is given twice, as a stand-in for one that is absent, counts once.
    """
    arrays = {id(a): int(a.nbytes) for a in args if getattr(a, "ndim", 0)}
    return MOVED[kernel](args, list(arrays.values())) if kernel in MOVED else None


# ----- the record of a step -----


class Launch(NamedTuple):
    """A launch: what it must do, and the events before and behind it."""

    kernel: str
    bytes: float | None
    operations: float
    begin: Any
    end: Any


class Part(NamedTuple):
    """A layer's forward or backward, the input or the update, with its launches."""

    layer: str
    phase: str
    begin: Any
    end: Any
    launches: list[Launch]


class Recorder:
    """Collects the launches of a step in parts. `close` ends a part that is no operation."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.parts: list[Part] = []
        self._launches: list[Launch] = []
        self._layer = ""
        self._forward: defaultdict[str, list[str]] = defaultdict(list)  # layers, by operation
        self._begin = clock.mark()

    def close(self, layer: str, phase: str) -> None:
        """What was launched since the last part is this part."""
        end = self.clock.mark()
        self.parts.append(Part(layer, phase, self._begin, end, self._launches))
        self._begin, self._launches = end, []

    def observe(
        self, phase: str, operation: str, seconds: float, result: Any, arguments: Any
    ) -> None:
        """An operation is over (`modes.observers`); backward comes in the reverse order."""
        if phase == "forward":
            self._forward[operation].append(self._layer)
        known = self._forward[operation] or [""]
        layer = self._layer if phase == "forward" else known.pop()
        self.close(layer or operation, phase)

    def timed(
        self, kernel: str, size: float | None, operations: float, call: Callable[[], Any]
    ) -> Any:
        """Run `call` between two events."""
        begin = self.clock.mark()
        result = call()
        self._launches.append(Launch(kernel, size, operations, begin, self.clock.mark()))
        return result

    def _following(self, model: Module) -> Callable[..., None]:
        """An observer that knows which layer's forward is running."""
        layers = {m: path for path, m in model.named_modules() if not list(m.children())}

        def follow(event: str, module: Module, args: Any, output: Any) -> None:
            if module in layers:
                self._layer = layers[module] if event == "enter" else ""

        return follow

    @contextmanager
    def watching(self, model: Module) -> Iterator[None]:
        """Record everything that is launched inside."""
        launch, multiply = cuda.launch, product.gemm

        def launched(kernel: str, count: int, *args: Any, **options: Any) -> None:
            self.timed(kernel, bytes_moved(kernel, args), 0,
                       lambda: launch(kernel, count, *args, **options))  # fmt: skip

        def multiplied(a: Any, b: Any, *args: Any, **options: Any) -> Any:
            size = a.nbytes + b.nbytes + a.shape[0] * b.shape[1] * 4
            operations = 2.0 * math.prod(a.shape) * b.shape[1]
            return self.timed(GEMM, size, operations, lambda: multiply(a, b, *args, **options))

        with ExitStack() as stack:
            stack.enter_context(mock.patch.object(cuda, "launch", launched))
            stack.enter_context(mock.patch.object(product, "gemm", multiplied))
            watch = ((modes.observers, self.observe), (calls.observers, self._following(model)))
            for observers, observer in watch:
                observers.append(observer)
                stack.callback(observers.remove, observer)
            yield


def record(step: TrainingStep, prepare: Callable[[], mg.Tensor], clock: Clock) -> list[Part]:
    """The parts of one step; `prepare` makes its input, as training does from bytes."""
    recorder = Recorder(clock)
    with recorder.watching(step.model):
        step.images = prepare()
        recorder.close("input", "")
        step()
        recorder.close("update", "")
    return recorder.parts


# ----- numbers of the record -----


class Row(NamedTuple):
    """A kernel in a part of the step: sums over its launches in a step, seconds the median of all
    steps. `floor` is the least that its bytes and operations take at the measured rates."""

    layer: str
    phase: str
    kernel: str
    launches: int
    seconds: float
    bytes: float | None
    operations: float
    floor: float | None


def rows_of(steps: list[list[Part]], rates: Rates, clock: Clock) -> list[Row]:
    """A row for each kernel of each part, and for its array operations, in the order of a step."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for parts in steps:
        for row in _summed(parts, rates, clock):
            found.setdefault(row[:3], []).append(row)
    return [
        rows[-1]._replace(seconds=statistics.median(row.seconds for row in rows))
        for rows in found.values()
    ]


def _summed(parts: list[Part], rates: Rates, clock: Clock) -> list[Row]:
    """The rows of one step."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for part in parts:
        place = (part.layer, part.phase)
        rest = clock.between(part.begin, part.end) / 1e3
        for launch in part.launches:
            seconds = clock.between(launch.begin, launch.end) / 1e3
            floor = None if launch.bytes is None else max(
                launch.bytes / rates.copy, launch.operations / rates.gemm
            )  # fmt: skip
            rest -= seconds
            row = Row(*place, launch.kernel, 1, seconds, launch.bytes, launch.operations, floor)
            groups.setdefault(row[:3], []).append(row)
        row = Row(*place, ARRAYS, 0, max(rest, 0.0), None, 0, None)
        groups.setdefault(row[:3], []).append(row)
    return [_sum(*key, rows) for key, rows in groups.items()]


def _sum(layer: str, phase: str, kernel: str, rows: list[Row]) -> Row:
    known = all(row.floor is not None for row in rows)
    return Row(
        layer, phase, kernel, sum(r.launches for r in rows), math.fsum(r.seconds for r in rows),
        math.fsum(r.bytes or 0 for r in rows) if known else None,
        math.fsum(r.operations for r in rows),
        math.fsum(r.floor or 0 for r in rows) if known else None,
    )  # fmt: skip


def by_kernel(rows: list[Row]) -> list[Row]:
    """One row for each kernel, longest first."""
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.kernel].append(row)
    sums = [_sum("", "", kernel, group) for kernel, group in groups.items()]
    return sorted(sums, key=lambda row: -row.seconds)


def table(rows: list[Row], places: bool) -> str:
    """The rows as text, with layer and phase if `places`; shares are of their sum."""
    total = _sum("step", "", "", rows)
    head = ("layer", "phase") if places else ()
    cells = [(*head, "kernel", "launches", "ms", "share", "GB/s", "TFLOP/s", "of the floor")]
    for row in (*rows, total):
        rate = row.bytes and row.seconds and f"{row.bytes / row.seconds / 1e9:.0f}"
        operations = row.operations and row.seconds
        cells.append((
            *((row.layer, row.phase) if places else ()), row.kernel or ("" if places else "step"),
            str(row.launches or ""), f"{1e3 * row.seconds:.3f}",
            f"{row.seconds / total.seconds:.1%}" if total.seconds else "", rate or "",
            f"{row.operations / row.seconds / 1e12:.1f}" if operations else "",
            f"{row.floor / row.seconds:.0%}" if row.floor and row.seconds else "",
        ))  # fmt: skip
    return "\n".join(align(cells, left=3 if places else 1))


def measure(step: TrainingStep, prepare: Callable[[], mg.Tensor]) -> tuple[Rates, list[Row]]:
    """The device's rates at the precision of the step, and the rows of the step."""
    clock = gpu_device.cupy_clock()
    with mg.precision(step.precision):
        products = gpu_device.Products()
        rates = Rates(gpu_device.gemm_rate(products), gpu_device.copy_rate())
    record(step, prepare, clock)
    clock.wait()
    begin = time.perf_counter()
    record(step, prepare, clock)
    queueing = time.perf_counter() - begin  # how long Python takes to queue all of it
    clock.wait()
    recorded = []
    for _ in range(STEPS):
        with mg.precision(step.precision):
            products.hold(1.5 * queueing, rates.gemm)
        recorded.append(record(step, prepare, clock))
        clock.wait()
    return rates, rows_of(recorded, rates, clock)
