"""The GPU by PyTorch's names: is there one, wait for it, and what its memory holds.

`device` says which and whether, `memory` what is in use, `diagnosis` why there is none.
"""

from .device import is_available, is_out_of_memory, synchronize, why_not
from .memory import (
    empty_cache,
    max_memory_allocated,
    mem_get_info,
    memory_allocated,
    memory_limit,
    memory_reserved,
    reset_peak_memory_stats,
    set_memory_limit,
)

__all__ = [
    "empty_cache", "is_available", "is_out_of_memory", "max_memory_allocated", "mem_get_info",
    "memory_allocated", "memory_limit", "memory_reserved", "reset_peak_memory_stats",
    "set_memory_limit", "synchronize", "why_not",
]  # fmt: skip
