"""Hand-written CUDA kernels, where the array version would cross the memory several times.

Each NAME.cu here holds the kernels of one operation, and NAME.py launches them as a way of that
operation's kernel. The array versions remain: MINIGRAD_CUDA_KERNELS=off takes those of `fast/`.
"""

from . import conv, lrn, product
from .launcher import (
    BLOCK,
    MOST,
    MOST_BLOCKS,
    SWITCH,
    launch,
    options,
    source,
    sources,
    supported,
    usable,
)

__all__ = [
    "BLOCK", "MOST", "MOST_BLOCKS", "SWITCH", "conv", "launch", "lrn", "options", "product",
    "source", "sources", "supported", "usable",
]  # fmt: skip
