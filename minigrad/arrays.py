"""NumPy or CuPy: which module an array belongs to, its dtype, its device, and the way to another.

Everything else asks `array_module(array)` for the module an array belongs to and writes the same
expression for both. CuPy is imported when a GPU is first asked for, never before.
"""

from __future__ import annotations

import functools
import importlib.util
import operator
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np

Array = Any  # a numpy.ndarray or a cupy.ndarray; their union has no useful static type
SUPPORTED_DTYPES = (
    "float32", "float64", "complex64", "complex128", "int64", "int32", "uint8", "bool",
)  # fmt: skip

DEFAULT_DTYPE = np.dtype(np.float32)
_ALIASES = {"float": "float32", "double": "float64", "long": "int64", "int": "int32"}


class DeviceError(RuntimeError):
    """A device that cannot be used, or arrays of two devices in one operation."""


@functools.cache
def require_cupy() -> ModuleType:
    """Return CuPy after one product on the GPU has worked, or say what is wrong.

    Four failures look alike to `import cupy`: it is not installed, there is no driver, no GPU, or
    no cuBLAS/NVRTC. `cupy.is_available()` notices two of them, so each is tried.
    """
    if importlib.util.find_spec("cupy") is None:
        raise _unusable()
    try:
        import cupy

        if cupy.cuda.runtime.getDeviceCount() == 0:
            raise _unusable("no GPU")
        probe = cupy.ones((2, 2), dtype=cupy.float32)
        float((probe @ probe + 1).sum())
    except DeviceError:
        raise
    except Exception as error:
        raise _unusable(f"{type(error).__name__}: {error}") from error
    return cupy  # type: ignore[no-any-return]


def _unusable(error: str | None = None) -> DeviceError:
    from .cuda import diagnosis  # advice about an installation: only where there is an error

    found = diagnosis.diagnosis(diagnosis.look(), error)
    return DeviceError(f"device 'cuda' was asked for, but {found or 'CuPy is not installed'}")


def array_module(array: Array) -> ModuleType:
    """Return the module an array belongs to: `numpy`, or `cupy` for a GPU array."""
    return np if isinstance(array, np.ndarray | np.generic) else require_cupy()


def is_array(value: object) -> bool:
    """Tell whether `value` is an array of either module (without importing CuPy for it)."""
    if isinstance(value, np.ndarray):
        return True
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(value, cupy.ndarray)


def plain(array: Any, what: str = "a tensor wraps an array as it is") -> Array:
    """The array if it is NumPy's (or CuPy's) own and of this machine's byte order; of a subclass
    (np.matrix, np.memmap), whose operators are others, a plain view of the same memory.

    Raises TypeError for anything else; `from_outside` converts it.
    """
    if type(array) is np.ndarray and array.dtype.isnative:
        return array
    if not is_array(array):
        raise TypeError(f"{what}, got {type(array).__name__}: use minigrad.tensor()")
    if not array.dtype.isnative:
        raise TypeError(
            f"{what}, got {array.dtype.str}, of foreign byte order: use minigrad.tensor(), which "
            "converts it"
        )
    return _unmasked(array).view(np.ndarray) if isinstance(array, np.ndarray) else array


def from_outside(value: Any) -> Array:
    """Whatever holds numbers as a plain array of this machine's byte order, which may share memory
    with it: numbers, lists, arrays and their subclasses, tensors of other frameworks (through
    `__array__` or DLPack). Raises TypeError for what holds none.
    """
    if not is_array(value):
        value = _converted(value)
    if not value.dtype.isnative:
        value = value.astype(value.dtype.newbyteorder("="))
    if value.dtype.kind not in "biufc":
        raise TypeError(f"expected numbers, got an array of dtype {value.dtype}")
    return plain(value)


def _converted(value: Any) -> np.ndarray[Any, Any]:
    try:
        if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
            return np.from_dlpack(value)
        array = np.asarray(value)
    except (TypeError, RuntimeError, BufferError) as error:
        raise TypeError(
            f"cannot read the numbers of a {type(value).__module__}.{type(value).__name__} "
            f"({error}): convert it to a NumPy array first, as .detach().cpu().numpy() does "
            "(after .float() for bfloat16)"
        ) from error
    except ValueError as error:
        given = str(value)[:60]
        raise ValueError(f"expected numbers in lists of one length, got {given}") from error
    if array.dtype.kind not in "biufc":
        raise TypeError(f"expected numbers, got {type(value).__name__} {str(value)[:60]!r}")
    return array


def _unmasked(array: Any) -> Any:
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise TypeError("a masked array cannot become a tensor: fill it first: array.filled(value)")
    return array


def is_integer(value: Any) -> bool:
    """Tell whether `value` is one integer: Python's, NumPy's, or anything else with `__index__`."""
    return isinstance(value, int) or (hasattr(value, "__index__") and not getattr(value, "ndim", 0))


def integers(given: tuple[Any, ...], what: str) -> tuple[int, ...]:
    """The integers of f(2, 3) or f((2, 3)), of any kind. Raises TypeError, naming `what`."""
    several = given if len(given) != 1 or is_integer(given[0]) else given[0]
    try:
        return tuple(operator.index(n) for n in several)
    except TypeError as error:
        raise TypeError(f"{what}: got {several!r}, expected integers") from error


def as_array(value: Any) -> Any:
    """Turn the scalar that NumPy returns for a 0-d result back into a 0-d array."""
    return np.asarray(value) if isinstance(value, np.generic) else value


def to_dtype(dtype: Any) -> np.dtype[Any]:
    """Return the NumPy dtype of a name, type or dtype. Raises TypeError for one not supported."""
    try:
        result = np.dtype(_ALIASES.get(dtype, dtype) if isinstance(dtype, str) else dtype)
    except TypeError as error:
        raise TypeError(
            f"dtype {dtype!r} is unknown: use one of {', '.join(SUPPORTED_DTYPES)}, by name or as "
            "NumPy's"
        ) from error
    if result.name not in SUPPORTED_DTYPES:
        raise TypeError(
            f"dtype {result} is not supported: use one of {', '.join(SUPPORTED_DTYPES)}"
        )
    return result


def parse_targets(
    targets: tuple[Any, ...], dtype: Any, device: str | None
) -> tuple[np.dtype[Any] | None, str | None]:
    """The dtype and the canonical device that `to(*targets, dtype=, device=)` asks for, or None."""
    for target in targets:
        if isinstance(target, str) and target.partition(":")[0] in ("cpu", "cuda"):
            device = target
        else:
            dtype = target
    return (
        None if dtype is None else to_dtype(dtype),
        None if device is None else parse_device(device),
    )


def parse_device(device: str | None) -> str:
    """Turn "cpu", "cuda" or "cuda:1" into the canonical "cpu" or "cuda:<index>".

    Raises `DeviceError` for another word, and when a GPU is asked for that cannot be used.
    """
    if device is None or device == "cpu":
        return "cpu"
    kind, _, index = str(device).partition(":")
    if kind != "cuda" or not (index.isdecimal() or str(device) == "cuda"):
        raise DeviceError(f"device {device!r} is unknown: use 'cpu', 'cuda' or 'cuda:<index>'")
    count = require_cupy().cuda.runtime.getDeviceCount()
    if int(index or 0) >= count:
        raise DeviceError(f"device {device!r} was asked for, but there are {count} GPUs")
    return f"cuda:{int(index or 0)}"


def device_of(array: Array) -> str:
    """Return the device an array lives on: "cpu" or "cuda:<index>"."""
    return "cpu" if isinstance(array, np.ndarray) else f"cuda:{array.device.id}"


def to_device(array: Array, device: str | None) -> Array:
    """Return the array on `device`: the same object if it is there already."""
    target = parse_device(device)
    if device_of(array) == target:
        return array
    if target == "cpu":
        return to_numpy(array)
    cupy = require_cupy()
    with cupy.cuda.Device(int(target.partition(":")[2])):
        return cupy.asarray(array)


def number_on(number: Array, device: str | None) -> Array:
    """A 0-d NumPy array on `device`; a GPU gets it with the launch that writes it, so that the host
    need not wait as for a copy."""
    target = parse_device(device)
    if target == "cpu":
        return number
    cupy = require_cupy()
    with cupy.cuda.Device(int(target.partition(":")[2])):
        return cupy.full((), number.item(), number.dtype)


def to_numpy(array: Array) -> np.ndarray[Any, Any]:
    """Return a NumPy array: the same object on the CPU, a copy from the GPU (waits for it)."""
    return array if isinstance(array, np.ndarray) else require_cupy().asnumpy(array)


def may_share_memory(one: Array, other: Array) -> bool:
    """Tell whether the memory ranges of two arrays overlap (a bounds check, as NumPy's)."""
    if isinstance(one, np.ndarray):
        if not isinstance(other, np.ndarray):
            return False
        if one.base is None and other.base is None:  # both own their memory
            return one is other
        return np.may_share_memory(one, other)
    return not isinstance(other, np.ndarray) and bool(require_cupy().may_share_memory(one, other))


def is_alone(array: Array, others: Iterable[Array]) -> bool:
    """Tell whether an edit of `array` in place changes that array and nothing else.

    Not if it shares memory with one of the others, is read-only, or is a view in which one number
    stands for several, as `broadcast_to` makes them (CuPy lets one write to those).
    """
    if not getattr(array.flags, "writeable", True):
        return False
    if array.base is not None and 0 in array.strides:
        steps = zip(array.strides, array.shape, strict=True)
        if any(stride == 0 and size > 1 for stride, size in steps):
            return False
    # a loop, since every gradient comes by here: a generator takes twice as long
    for other in others:  # noqa: SIM110
        if may_share_memory(array, other):
            return False
    return True
