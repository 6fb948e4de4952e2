"""The kernels on CPU threads, in chunks that fit the caches, with reused memory."""

from . import blockwise, contrast, conv, linear, lrn, pool, product, sgd, threefry, winograd

__all__ = [
    "blockwise", "contrast", "conv", "linear", "lrn", "pool", "product", "sgd", "threefry",
    "winograd",
]  # fmt: skip
