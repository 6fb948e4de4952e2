"""The memory does not suffice: what is there, and what would fit."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from minigrad import Tensor, arrays, cuda
from minigrad.tools.text import format_bytes

Result = TypeVar("Result")
Step = Callable[[int, Tensor, Tensor, Tensor], None]


class OutOfMemory(RuntimeError):  # noqa: N818  (what happened, as in StopIteration)
    """Work that the GPU has no memory for; the message says what to do."""


def free_memory() -> int | None:
    """Bytes that programs can have, where the system says so (Linux)."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    values = dict(line.split(":") for line in lines)
    return int(values["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in values else None


def shortage(error: BaseException, device: str | None = None) -> str:
    """What was asked for and what there is. Call it while the error is being handled: what the
    failed work held is still in use then."""
    asked = re.search(r"allocating ([\d,]+) bytes", str(error))
    more = format_bytes(int(asked[1].replace(",", ""))) if asked else "more"
    used, held = cuda.memory_allocated(device), cuda.memory_reserved(device)
    limit, (free, total) = cuda.memory_limit(device), cuda.mem_get_info(device)
    return (
        f"the GPU's memory does not suffice: {more} asked for with {format_bytes(used)} in use, "
        f"{format_bytes(held - used)} kept for reuse, {format_bytes(free)} of "
        f"{format_bytes(total)} free"
        + (f", and a limit of {format_bytes(limit)} (--gpu-memory)" if limit else "")
    )


def batch_that_fits(step: Step, size: int, side: int, device: str, batch: int) -> int | None:
    """The largest of size/2, size/4, ... 1 images at a time for which training steps on two such
    parts were really done, with a batch of `batch` images on the device; or None.

    step: takes the size of a part, images (n, side, side, 3) uint8, labels (n,) int64 and places
    (n, 3) int16, and does forward, backward and update. It is called on zeros, so the weights are
    worth nothing afterwards.
    """
    while (size := size // 2) > 0:
        cuda.empty_cache(device)
        if _fits(step, size, side, device, batch):
            return size
    return None


def what_fits(
    step: Step, size: int, side: int, device: str, batch: int, in_parts: bool = True
) -> str:
    """Advice for a training that found no memory for `size` images at a time, of batches of
    `batch`: see `batch_that_fits`. in_parts: can a batch be computed in parts?"""
    fits = batch_that_fits(step, size, side, device, batch)
    if fits is None:
        return "not even a batch of 1 fits: free memory on the GPU, or use --device cpu"
    said = f"a batch of {fits} fits, {size} is too many: give "
    if in_parts:
        said += f"--micro-batch {fits}, which trains on the same batches, {fits} images at a time"
    else:
        said += f"--batch-size {fits}, as batch normalisation needs all of a batch together"
    return f"{said}, or free memory on the GPU"


def _fits(step: Step, size: int, side: int, device: str, batch: int) -> bool:
    try:
        # The batch in hand, and the one that travels meanwhile.
        images, _ahead = (
            arrays.to_device(np.zeros((batch, side, side, 3), np.uint8), device) for _ in range(2)
        )
        parts = min(2 * size, batch)  # the second adds its gradients to the first one's
        labels, places = np.zeros(parts, np.int64), np.zeros((parts, 3), np.int16)
        for _ in range(2):  # the second finds the gradients and velocities of the first in place
            step(size, Tensor(images[:parts]), Tensor(labels), Tensor(places))
        cuda.synchronize(device)
    except MemoryError as error:
        if not cuda.is_out_of_memory(error):
            raise
        return False
    return True


def in_smaller_batches(attempt: Callable[[int], Result], size: int, device: str) -> Result:
    """`attempt(size)`, or with half the size, a quarter, ... as the GPU's memory allows.

    For work whose results do not depend on the size. Raises OutOfMemory when one is too many.
    """
    while True:
        try:
            return attempt(size)
        except MemoryError as error:
            if not cuda.is_out_of_memory(error):
                raise
            short = shortage(error, device)
        if size == 1:
            raise OutOfMemory(
                f"{short}; one image alone does not fit: free memory on the GPU, or use "
                "--device cpu"
            )
        size //= 2
        cuda.empty_cache(device)
        print(f"alexnet: {short}; trying batches of {size}", file=sys.stderr)
