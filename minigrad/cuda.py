"""The GPU by PyTorch's names: `minigrad.cuda.is_available()`, `minigrad.cuda.synchronize()`."""

from .backend import cuda_is_available as is_available
from .backend import cuda_problem as why_not
from .backend import synchronize

__all__ = ["is_available", "synchronize", "why_not"]
