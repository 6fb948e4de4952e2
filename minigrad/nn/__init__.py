"""Modules, layers and initialisation under PyTorch's names."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from .. import names as _names
from . import functional, init, utils
from .containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .layers import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    CrossEntropyLoss,
    Dropout,
    Flatten,
    Identity,
    LeakyReLU,
    Linear,
    LocalContrastNorm,
    LocalResponseNorm,
    LogSoftmax,
    MaxPool2d,
    MSELoss,
    NLLLoss,
    PaperDropout,
    PaperLRN,
    PReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from .module import Module, Parameter

__all__ = [
    "AdaptiveAvgPool2d", "AvgPool2d", "BatchNorm1d", "BatchNorm2d", "Conv2d", "CrossEntropyLoss",
    "Dropout", "Flatten",
    "Identity", "LeakyReLU", "Linear", "LocalContrastNorm", "LocalResponseNorm", "LogSoftmax",
    "MSELoss", "MaxPool2d", "Module", "ModuleDict", "ModuleList", "NLLLoss", "PReLU",
    "PaperDropout", "PaperLRN", "Parameter", "ParameterDict", "ParameterList", "ReLU",
    "Sequential", "Sigmoid", "Softmax", "Tanh", "functional", "init", "utils",
]  # fmt: skip

if not _TYPE_CHECKING:  # for types, a name that is not there stays an error
    __getattr__ = _names.teller("minigrad.nn", __all__)
