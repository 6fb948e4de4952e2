"""The operations under PyTorch's names: `from minigrad.nn import functional as F`."""

from ..ops import (
    adaptive_avg_pool2d,
    avg_pool2d,
    conv2d,
    conv2d_relu,
    cross_entropy,
    dropout,
    leaky_relu,
    linear,
    local_contrast_norm,
    local_response_norm,
    log_softmax,
    lrn,
    max_pool2d,
    mse_loss,
    nll_loss,
    pad,
    paper_dropout,
    prelu,
    relu,
    sigmoid,
    softmax,
    tanh,
)

__all__ = [
    "adaptive_avg_pool2d", "avg_pool2d", "conv2d", "conv2d_relu", "cross_entropy", "dropout",
    "leaky_relu", "linear", "local_contrast_norm", "local_response_norm", "log_softmax", "lrn",
    "max_pool2d", "mse_loss", "nll_loss", "pad", "paper_dropout", "prelu", "relu", "sigmoid",
    "softmax", "tanh",
]  # fmt: skip
