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
    Dropout,
    Flatten,
    Identity,
    LeakyReLU,
    Linear,
    LocalContrastNorm,
    LocalResponseNorm,
    LogSoftmax,
    MaxPool2d,
    PaperDropout,
    PaperLRN,
    PReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from .losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
)
from .module import Module, Parameter

__all__ = [
    "AdaptiveAvgPool2d", "AvgPool2d", "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d",
    "Conv2d", "CrossEntropyLoss", "Dropout", "Flatten", "Identity", "L1Loss", "LeakyReLU", "Linear",
    "LocalContrastNorm", "LocalResponseNorm", "LogSoftmax", "MSELoss", "MaxPool2d", "Module",
    "ModuleDict", "ModuleList", "NLLLoss", "PReLU", "PaperDropout", "PaperLRN", "Parameter",
    "ParameterDict", "ParameterList", "ReLU", "Sequential", "Sigmoid", "SmoothL1Loss", "Softmax",
    "Tanh", "functional", "init", "utils",
]  # fmt: skip

if not _TYPE_CHECKING:  # for types, a name that is not there stays an error
    __getattr__ = _names.teller("minigrad.nn", __all__)
