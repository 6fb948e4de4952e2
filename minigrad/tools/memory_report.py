"""What is in memory: weights, gradients, what the graph keeps, scratch, and the GPU's pool."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cuda
from ..arrays import is_array, parse_device
from ..core import Tensor
from ..kernels.fast import memory
from ..nn.module import Module
from ..optim.optimizer import Optimizer
from .graph import Kept, saved_by_operation
from .text import align, format_bytes


def memory_report(
    tensor: Tensor | None = None,
    model: Module | None = None,
    optimizer: Optimizer | None = None,
    device: str | None = None,
) -> str:
    """Return a table of what is in memory, and of the pool of `device` if that is a GPU.

    tensor: lists what its graph keeps for backward by operation; look before `backward()`, which
    frees it. model: its parameters and their gradients. optimizer: its state. device: by default
    that of the tensor or the model, else the GPU if one can be used.
    Raises RuntimeError for a freed graph.
    """
    tables: list[list[tuple[str, ...]]] = []
    rows = list(_held(model, optimizer))
    if tensor is not None:
        kept = saved_by_operation(tensor)
        total = Kept("total", sum(k.calls for k in kept), sum(k.bytes for k in kept))
        cells: list[tuple[str, ...]] = [("operation", "calls", "kept for backward")]
        cells += [(k.operation, str(k.calls), format_bytes(k.bytes)) for k in [*kept, total]]
        tables.append(cells)
        rows.append(("kept for backward", total.bytes))
    place = parse_device(device) if device is not None else _place(tensor, model)
    rows += _scratch() if place == "cpu" else _pool(place)
    tables.append([("memory", place), *((name, format_bytes(size)) for name, size in rows)])
    return "\n\n".join("\n".join(align(cells, left=1)) for cells in tables)


def _place(tensor: Tensor | None, model: Module | None) -> str:
    if tensor is not None:
        return tensor.device
    for parameter in model.parameters() if model is not None else ():
        return parameter.device
    return parse_device("cuda") if cuda.is_available() else "cpu"


def _held(model: Module | None, optimizer: Optimizer | None) -> Iterator[tuple[str, int]]:
    if model is not None:
        parameters = list(model.parameters())
        yield "parameters", sum(p.data.nbytes for p in parameters)
        gradients = [p.grad.data for p in parameters if p.grad is not None]
        yield "gradients", sum(g.nbytes for g in gradients)
    if optimizer is not None:
        state = [value for entry in optimizer.state.values() for value in entry.values()]
        yield "optimizer state", sum(value.nbytes for value in state if is_array(value))


def _scratch() -> Iterator[tuple[str, int]]:
    yield "scratch of the threads", memory.scratch_bytes()
    yield "buffers kept for reuse", memory.pool.free_bytes


def _pool(device: str) -> Iterator[tuple[str, int]]:
    """On a GPU scratch, too, comes from the pool, and is back in it when its operation ends."""
    used, held, limit = (
        cuda.memory_allocated(device), cuda.memory_reserved(device), cuda.memory_limit(device)
    )  # fmt: skip
    free, total = cuda.mem_get_info(device)
    yield "pool: in use", used
    yield "pool: kept for reuse", held - used
    if limit:
        yield "pool: limit", limit
    yield "others and CUDA itself", max(0, total - free - held)
    yield "free on the GPU", free
    yield "the GPU has", total
