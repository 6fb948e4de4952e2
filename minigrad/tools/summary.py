"""The layer table of a model: shapes, parameters, multiply-adds, bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from .. import arrays
from ..arrays import to_dtype
from ..core import Tensor
from ..modes import enable_grad
from ..nn.layers import Conv2d, Linear
from ..nn.module import Module, observers
from ..random import default_generator
from .graph import saved_bytes
from .text import align, format_bytes


class Row(NamedTuple):
    """One call of a layer on one sample.

    `parameters` are the layer's own, 0 for those that an earlier row has counted; `macs` are the
    multiply-adds of forward (of Conv2d and Linear; 0 for every other kind); `activation_bytes` is
    the size of the output, 0 where it is the input's memory: a ReLU that its Sequential computes
    with the convolution before it has none of its own.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int
    activation_bytes: int


class Summary(NamedTuple):
    """The rows of `summary` and the totals; `str()` is the table."""

    rows: tuple[Row, ...]
    parameters: int
    parameter_bytes: int
    saved_bytes: int

    @property
    def macs(self) -> int:
        """Multiply-adds of one sample's forward."""
        return sum(row.macs for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        """Bytes of all outputs of one sample."""
        return sum(row.activation_bytes for row in self.rows)

    @property
    def training_macs(self) -> int:
        """Multiply-adds of forward and backward: output, input gradient and weight gradient take as
        many each, but nobody asks for the input gradient of the first layer."""
        first = next((row.macs for row in self.rows if row.macs), 0)
        return 3 * self.macs - first

    def __str__(self) -> str:
        total = Row("total", "", (), self.parameters, self.macs, self.activation_bytes)
        head = ("layer", "kind", "output", "parameters", "MACs", "activation")
        cells = [head, *(_cells(row) for row in (*self.rows, total))]
        table = align(cells, left=3)
        rule = "-" * len(table[0])
        return "\n".join([
            table[0], rule, *table[1:-1], rule, table[-1], "",
            f"forward           {self.macs:,} multiply-adds per image",
            f"forward+backward  {self.training_macs:,} multiply-adds per image "
            f"({2 * self.training_macs / 1e9:.2f} GFLOP)",
            f"parameters        {self.parameters:,} ({format_bytes(self.parameter_bytes)})",
            f"kept for backward {format_bytes(self.saved_bytes)} per image",
        ])  # fmt: skip


def summary(model: Module, input_shape: tuple[int, ...], dtype: Any = None) -> Summary:
    """Describe `model` by running one sample of zeros through it, as in training.

    `input_shape` is that of one sample, without the batch axis: (3, 224, 224). `dtype` is the
    input's, by default that of the first parameter. A row is a call of a module that has no modules
    inside. Modes, gradients and the random generator are left as they were.

    Raises what the model raises on an input of this shape.
    """
    first = next(model.parameters(), None)
    dtype = to_dtype(dtype or ("float32" if first is None else first.dtype))
    zeros = np.zeros((1, *input_shape), dtype)
    sample = Tensor(zeros if first is None else arrays.to_device(zeros, first.device))
    rows: list[Row] = []
    with _training_mode(model), _recorded(model, rows), enable_grad():
        output = model(sample)
    kept = saved_bytes(output) if isinstance(output, Tensor) else 0
    parameters = list(model.parameters())
    return Summary(
        tuple(rows),
        sum(p.numel() for p in parameters),
        sum(p.data.nbytes for p in parameters),
        kept,
    )


def _cells(row: Row) -> tuple[str, ...]:
    shape = " x ".join(str(size) for size in row.output_shape)
    numbers = (f"{count:,}" if count else "" for count in (row.parameters, row.macs))
    return (row.name, row.kind, shape, *numbers,
            format_bytes(row.activation_bytes) if row.activation_bytes else "")  # fmt: skip


@contextmanager
def _training_mode(model: Module) -> Iterator[None]:
    """Training mode, in which dropout has an output of its own; afterwards all is as before."""
    modes = [(module, module.training) for module in model.modules()]
    state = default_generator.state
    model.train()
    try:
        yield
    finally:
        default_generator.state = state
        for module, mode in modes:
            module.__dict__["training"] = mode


@contextmanager
def _recorded(model: Module, rows: list[Row]) -> Iterator[None]:
    """Append a row for every call of a module that has no modules inside."""
    counted: set[int] = set()

    def parameters_of(module: Module) -> int:
        fresh = [p for p in module.parameters() if id(p) not in counted]
        counted.update(id(p) for p in fresh)
        return sum(p.numel() for p in fresh)

    names = {module: name for name, module in model.named_modules()}

    def record(event: str, module: Module, args: Any, output: Any) -> None:
        leaf = next(module.children(), None) is None
        if event == "leave" and leaf and module in names and isinstance(output, Tensor):
            rows.append(Row(
                names[module], type(module).__name__, output.shape[1:], parameters_of(module),
                _macs(module, output), _new_bytes(args, output),
            ))  # fmt: skip

    observers.append(record)
    try:
        yield
    finally:
        observers.remove(record)


def _macs(module: Module, output: Tensor) -> int:
    """Multiply-adds: every output number is a sum over one filter, or one row of weights."""
    if isinstance(module, Conv2d | Linear):
        return output.numel() * math.prod(module.weight.shape[1:])
    return 0


def _new_bytes(args: tuple[Any, ...], output: Tensor) -> int:
    inputs = [a for a in args if isinstance(a, Tensor)]
    shared = any(arrays.may_share_memory(a.data, output.data) for a in inputs)
    return 0 if shared else int(output.data.nbytes)
