"""minigrad: a small autograd engine on NumPy and CuPy, with PyTorch's names."""

# isort: off
from .tensor import Tensor, tensor  # first: it ties tensors and operations together

# isort: on
from . import autograd, cuda, data, kernels, nn, ops, optim, random
from .arrays import DeviceError
from .autograd import (
    AnomalyError,
    Function,
    detect_anomaly,
    enable_grad,
    grad,
    hvp,
    is_grad_enabled,
    no_grad,
)
from .creation import arange, from_numpy, full, ones, ones_like, rand, randn, zeros, zeros_like
from .gradcheck import GradcheckError, gradcheck
from .kernels.fast.parallel import get_num_threads, set_num_threads
from .kernels.fast.product import get_precision, precision, precision_problem, set_precision
from .ops import *  # noqa: F403
from .ops import __all__ as _operations
from .random import manual_seed
from .serialization import load_file, save_file
from .tools.memory_report import memory_report

__version__ = "0.1.0"

float32, float64, int64, int32, uint8 = "float32", "float64", "int64", "int32", "uint8"
complex64, complex128, bool = "complex64", "complex128", "bool"

__all__ = [
    "AnomalyError", "DeviceError", "Function", "GradcheckError", "Tensor", "arange", "autograd",
    "bool", "complex128", "complex64", "cuda", "data", "detect_anomaly", "enable_grad",
    "float32", "float64", "from_numpy", "full", "get_num_threads", "get_precision", "grad",
    "gradcheck", "hvp", "int32", "int64", "is_grad_enabled", "kernels", "load_file", "manual_seed",
    "memory_report", "nn", "no_grad", "ones", "ones_like", "ops", "optim", "precision",
    "precision_problem", "rand", "randn", "random", "save_file", "set_num_threads",
    "set_precision", "tensor", "uint8", "zeros", "zeros_like",
    *_operations,
]  # fmt: skip
