"""The kernels on CPU threads, in chunks that fit the caches, with reused memory."""

from . import contrast, conv, linear, lrn, product

__all__ = ["contrast", "conv", "linear", "lrn", "product"]
