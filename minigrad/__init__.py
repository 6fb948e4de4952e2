"""minigrad: a small autograd engine on NumPy and CuPy, with PyTorch's names."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from . import core, cuda, data, kernels, nn, ops, optim, random
from .arrays import DeviceError
from .core import Function, Tensor
from .creation import (
    arange,
    eye,
    from_numpy,
    full,
    linspace,
    ones,
    ones_like,
    rand,
    randint,
    randn,
    randperm,
    tensor,
    zeros,
    zeros_like,
)
from .derivatives import grad, hvp
from .gradcheck import gradcheck
from .kernels.fast.parallel import get_num_threads, set_num_threads
from .kernels.fast.product import get_precision, precision, precision_problem, set_precision
from .kernels.ways import plain
from .modes import detect_anomaly, enable_grad, is_grad_enabled, no_grad
from .ops import *  # noqa: F403
from .ops import __all__ as _operations
from .random import manual_seed
from .rules import AnomalyError
from .serialization import load_file, save_file
from .slopes import GradcheckError
from .tools.memory_report import memory_report

if _TYPE_CHECKING:
    from . import testing as testing
else:
    from ._moved import late as __getattr__  # noqa: F401

__version__ = "0.1.0"

float32, float64, int64, int32, uint8 = "float32", "float64", "int64", "int32", "uint8"
complex64, complex128, bool = "complex64", "complex128", "bool"

__all__ = [
    "AnomalyError", "DeviceError", "Function", "GradcheckError", "Tensor", "arange", "bool",
    "complex128", "complex64", "core", "cuda", "data", "detect_anomaly", "enable_grad", "eye",
    "float32", "float64", "from_numpy", "full", "get_num_threads", "get_precision", "grad",
    "gradcheck", "hvp", "int32", "int64", "is_grad_enabled", "kernels", "linspace", "load_file",
    "manual_seed", "memory_report", "nn", "no_grad", "ones", "ones_like", "ops", "optim", "plain",
    "precision", "precision_problem", "rand", "randint", "randn", "random", "randperm", "save_file",
    "set_num_threads", "set_precision", "tensor", "uint8", "zeros", "zeros_like",
    *_operations,
]  # fmt: skip
