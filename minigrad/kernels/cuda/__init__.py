"""Hand-written CUDA kernels, where the array version would cross the memory several times.

Each NAME.cu here holds the kernels of one operation, and NAME.py launches them as a way of that
operation's kernel. The array versions remain: MINIGRAD_CUDA_KERNELS=off takes those of `fast/`.
"""

from . import conv, dropout, lrn, pool, product, sgd, softmax
from .launcher import (
    BLOCK,
    MOST,
    MOST_BLOCKS,
    SWITCH,
    add_sources,
    launch,
    options,
    source,
    source_path,
    sources,
    supported,
    usable,
)

__all__ = [
    "BLOCK", "MOST", "MOST_BLOCKS", "SWITCH", "add_sources", "conv", "dropout", "launch", "lrn",
    "options", "pool", "product", "sgd", "softmax", "source", "source_path", "sources", "supported",
    "usable",
]  # fmt: skip
