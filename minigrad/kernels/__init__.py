"""Formulas on arrays, forward and backward, each beside its naive twin. No tensors here.

A formula's file defines it; those of `fast` and `cuda` register other ways to compute it.
"""

from . import contrast, conv, cuda, dropout, fast, im2col, linear, lrn, pool, product, softmax

__all__ = [
    "contrast", "conv", "cuda", "dropout", "fast", "im2col", "linear", "lrn", "pool", "product",
    "softmax",
]  # fmt: skip
