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

# The operations that are methods of Tensor under the same name.
METHODS = (
    "abs", "add", "amax", "amin", "argmax", "argmin", "clamp", "clip", "clone", "div", "eq", "exp",
    "expand", "flatten", "ge", "gt", "le", "log", "log_softmax", "lt", "matmul", "max", "maximum",
    "mean", "min", "minimum", "mul", "ne", "neg", "permute", "pow", "relu", "reshape", "sigmoid",
    "softmax", "sqrt", "squeeze", "std", "sub", "sum", "tanh", "transpose", "unsqueeze", "var",
    "view",
)  # fmt: skip

__all__ = [
    *METHODS, "METHODS", "adaptive_avg_pool2d", "assign", "astype", "avg_pool2d", "cat",
    "concatenate", "conv2d", "conv2d_relu", "cross_entropy", "dropout", "getitem", "leaky_relu",
    "linear", "local_contrast_norm", "local_response_norm", "lrn", "max_pool2d", "mse_loss",
    "nll_loss", "pad", "paper_dropout", "prelu", "stack", "to_device", "where",
]  # fmt: skip
