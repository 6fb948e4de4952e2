"""What the GPU's memory holds, at most held, and may hold.

Memory comes from CuPy's pool: an array that goes leaves its block there for the next one, so what
nvidia-smi shows is what the pool holds (`memory_reserved`), not what is in use
(`memory_allocated`). Sizes are in bytes; `device` is "cuda", "cuda:1" or None, the current one.
"""

from __future__ import annotations

import re
from functools import cache
from types import ModuleType
from typing import Any

from .device import on_gpu

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def memory_allocated(device: str | None = None) -> int:
    """Bytes that arrays occupy, in the pool's blocks of 512."""
    with on_gpu(device) as cupy:
        return int(cupy.get_default_memory_pool().used_bytes())


def memory_reserved(device: str | None = None) -> int:
    """Bytes that the pool has taken from the GPU: in use, or kept for reuse."""
    with on_gpu(device) as cupy:
        return int(cupy.get_default_memory_pool().total_bytes())


def mem_get_info(device: str | None = None) -> tuple[int, int]:
    """Bytes free and bytes in all on the GPU, other programs' share taken off the first."""
    with on_gpu(device) as cupy:
        free, total = cupy.cuda.runtime.memGetInfo()
        return int(free), int(total)


def empty_cache(device: str | None = None) -> None:
    """Give the pool's free blocks back to the GPU (waits for it)."""
    with on_gpu(device) as cupy:
        cupy.get_default_memory_pool().free_all_blocks()


# ----- the peak -----


def reset_peak_memory_stats(device: str | None = None) -> None:
    """Begin to count for `max_memory_allocated`, from what is in use now.

    CuPy keeps no such count, so nothing is counted before the first call; from then on, what this
    thread allocates and frees costs two calls of Python more.
    """
    with on_gpu(device) as cupy:
        index = cupy.cuda.Device().id
        used = int(cupy.get_default_memory_pool().used_bytes())
        _peaks(cupy)[index] = [used, used]


def max_memory_allocated(device: str | None = None) -> int:
    """The most bytes that arrays of this thread occupied at once since `reset_peak_memory_stats`.

    Raises RuntimeError if that was never called for the device.
    """
    with on_gpu(device) as cupy:
        peaks = _peaks(cupy)
        index = cupy.cuda.Device().id
        if index not in peaks:
            raise RuntimeError(
                "max_memory_allocated: nothing is counted yet: call reset_peak_memory_stats() first"
            )
        return peaks[index][1]


@cache
def _peaks(cupy: ModuleType) -> dict[int, list[int]]:
    """By device: bytes in use and the most so far, kept up to date by a hook of the pool."""
    counts: dict[int, list[int]] = {}

    class Peak(cupy.cuda.MemoryHook):  # type: ignore[misc, name-defined]
        name = "minigrad peak"

        def malloc_postprocess(self, **block: Any) -> None:
            if block["mem_ptr"] and block["device_id"] in counts:  # no pointer: it has failed
                count = counts[block["device_id"]]
                count[0] += block["mem_size"]
                count[1] = max(count)

        def free_postprocess(self, **block: Any) -> None:
            if block["device_id"] in counts:
                counts[block["device_id"]][0] -= block["mem_size"]

    Peak().__enter__()  # for good
    return counts


# ----- the limit -----


def memory_limit(device: str | None = None) -> int:
    """The most bytes that the pool may take from the GPU; 0 for no limit."""
    with on_gpu(device) as cupy:
        return int(cupy.get_default_memory_pool().get_limit())


def set_memory_limit(limit: int | str | None, device: str | None = None) -> None:
    """Let the pool take at most `limit`: bytes, "6G", "500M", or a share as "80%"; None: no limit.

    CUDA itself and its libraries need some hundred MB beside it. Raises ValueError for anything
    else, and for a share outside of 0% to 100%.
    """
    number, share = parse_limit(limit)
    with on_gpu(device) as cupy:
        pool = cupy.get_default_memory_pool()
        if share is None:
            pool.set_limit(size=number)
        else:
            pool.set_limit(fraction=share)
        cupy.cuda.set_allocator(_Allocator(cupy, pool))


def parse_limit(limit: int | str | None) -> tuple[int, float | None]:
    """Bytes, or 0 and the share, of what `set_memory_limit` takes. Raises ValueError."""
    if limit is None:
        return 0, None
    text = str(limit).strip().lower()
    share = re.fullmatch(r"(\d+(?:\.\d+)?)%", text)
    if share and 0 < float(share[1]) <= 100:
        return 0, float(share[1]) / 100
    size = re.fullmatch(r"(\d+(?:\.\d+)?)([kmgt]?)b?", text)
    number = int(float(size[1]) * UNITS[size[2]]) if size else 0
    if not number:
        raise ValueError(
            f"{limit!r} is no amount of memory: give bytes, as 6G or 500M, or a share, as 80%"
        )
    return number, None


class _Allocator:
    """The pool's blocks; its free ones are given back before a limit refuses a new one.

    CuPy counts free blocks, too, against the limit, and gives none of them back for another size.
    """

    def __init__(self, cupy: ModuleType, pool: Any) -> None:
        self.error, self.pool = cupy.cuda.memory.OutOfMemoryError, pool

    def __call__(self, size: int) -> Any:
        try:
            return self.pool.malloc(size)
        except self.error:
            self.pool.free_all_blocks()
        return self.pool.malloc(size)
