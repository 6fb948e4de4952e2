"""Formulas on arrays, forward and backward, each beside its naive twin. No tensors here.

A formula's file defines it; those of `fast` and `cuda` register other ways to compute it.
"""

from . import (
    activation,
    contrast,
    conv,
    cuda,
    dropout,
    fast,
    im2col,
    linear,
    lrn,
    pool,
    product,
    sgd,
    softmax,
    threefry,
)

__all__ = [
    "activation", "contrast", "conv", "cuda", "dropout", "fast", "im2col", "linear", "lrn", "pool",
    "product", "sgd", "softmax", "threefry",
]  # fmt: skip
