"""Operations on tensors: a Function each, and its public call under PyTorch's name."""

from .activation import leaky_relu, prelu, relu, sigmoid, tanh
from .conv import conv2d, conv2d_relu
from .dropout import dropout, paper_dropout
from .elementwise import (
    abs,
    add,
    astype,
    clamp,
    clip,
    clone,
    div,
    eq,
    exp,
    ge,
    gt,
    le,
    log,
    lt,
    maximum,
    minimum,
    mul,
    ne,
    neg,
    pow,
    sqrt,
    sub,
    to_device,
    where,
)
from .linear import linear, matmul
from .loss import cross_entropy, log_softmax, mse_loss, nll_loss, softmax
from .norm import local_contrast_norm, local_response_norm, lrn
from .pool import adaptive_avg_pool2d, avg_pool2d, max_pool2d
from .reduce import amax, amin, argmax, argmin, max, mean, min, std, sum, var
from .shape import (
    assign,
    cat,
    concatenate,
    expand,
    flatten,
    getitem,
    pad,
    permute,
    reshape,
    squeeze,
    stack,
    transpose,
    unsqueeze,
    view,
)

__all__: list[str] = [
    "abs", "adaptive_avg_pool2d", "add", "amax", "amin", "argmax", "argmin", "assign", "astype",
    "avg_pool2d", "cat", "clamp", "clip", "clone", "concatenate", "conv2d", "conv2d_relu",
    "cross_entropy", "div", "dropout", "eq", "exp", "expand", "flatten", "ge", "getitem", "gt",
    "le", "leaky_relu", "linear", "local_contrast_norm", "local_response_norm", "log",
    "log_softmax", "lrn", "lt", "matmul", "max", "max_pool2d", "maximum", "mean", "min", "minimum",
    "mse_loss", "mul", "ne", "neg", "nll_loss", "pad", "paper_dropout", "permute", "pow", "prelu",
    "relu", "reshape", "sigmoid", "softmax", "sqrt", "squeeze", "stack", "std", "sub", "sum",
    "tanh", "to_device", "transpose", "unsqueeze", "var", "view", "where",
]  # fmt: skip

# All others are methods of Tensor, too: x.exp() is exp(x).
NOT_METHODS: tuple[str, ...] = (
    "adaptive_avg_pool2d", "assign", "astype", "avg_pool2d", "cat", "concatenate", "conv2d",
    "conv2d_relu", "cross_entropy", "dropout", "getitem", "leaky_relu", "linear",
    "local_contrast_norm", "local_response_norm", "lrn", "max_pool2d", "mse_loss", "nll_loss",
    "pad", "paper_dropout", "prelu", "stack", "to_device", "where",
)  # fmt: skip
