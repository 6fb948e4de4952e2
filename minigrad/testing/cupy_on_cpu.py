"""CuPy's names and manners on the CPU, so that the GPU's code path runs without a GPU.

An `ndarray` here holds a NumPy array and lets nobody at it by accident: as with CuPy, only `get`,
`asnumpy`, `item` and the like bring numbers to the host, and only `asarray` and `array` bring them
to the "device"; NumPy's functions and NumPy arrays as operands are refused (NumPy's functions more
strictly than CuPy does, which takes some). Reductions return arrays of no dimension. Whatever CuPy
does not have (cupy_names.json, written by list_cupy_names.py), this does not have either.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from . import cublas_on_cpu, cuda_on_cpu, cupy_device_on_cpu
from . import cupy_memory_on_cpu as memory

NAMES = json.loads(Path(__file__).with_name("cupy_names.json").read_text("utf-8"))
transfers: Counter[str] = Counter()  # "to host" and "to device", calls


class ndarray:  # noqa: N801 (CuPy's name)
    """What `cupy.ndarray` is to its users."""

    __array_ufunc__ = None  # NumPy's ufuncs refuse it, NumPy's scalars leave operators to it
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: Any) -> None:
        self._host = np.asarray(host)
        memory.pool.count(self._host)

    @property
    def device(self) -> Device:
        return Device(0)

    @property
    def data(self) -> Any:
        return SimpleNamespace(ptr=self._host.ctypes.data)

    @property
    def __cuda_array_interface__(self) -> Any:
        return self._host.__array_interface__

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed: use .get()")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in NAMES["ndarray"]:
            raise AttributeError(f"CuPy {NAMES['version']} arrays have no {name!r}")
        value = getattr(self._host, name)
        return _wrapped(value) if callable(value) else _to_device(value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_host":
            object.__setattr__(self, name, value)
        else:
            setattr(self._host, name, _to_host(value))

    def get(self, *args: Any, **options: Any) -> Any:
        transfers["to host"] += 1
        return self._host.copy()

    def item(self, *args: Any) -> Any:
        transfers["to host"] += 1
        return self._host.item(*args)

    def tolist(self) -> Any:
        transfers["to host"] += 1
        return self._host.tolist()

    def set(self, host: Any) -> None:
        transfers["to device"] += 1
        self._host[...] = host

    def __getitem__(self, key: Any) -> Any:
        return _to_device(self._host[_index(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self._host[_index(key)] = _to_host(value)

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Any:
        return map(_to_device, self._host)

    def __repr__(self) -> str:
        return f"device {self._host!r}"


def _scalar(name: str) -> Callable[[ndarray], Any]:
    def convert(self: ndarray) -> Any:
        transfers["to host"] += 1
        return getattr(self._host, name)()

    return convert


def _operator(name: str) -> Callable[..., Any]:
    def operate(self: ndarray, *others: Any) -> Any:
        result = getattr(self._host, name)(*map(_to_host, others))
        if result is NotImplemented:
            return result
        if name in _IN_PLACE:
            self._host = result
            return self
        return _to_device(result)

    return operate


_BINARY = (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "divmod", "pow", "matmul", "and", "or",
    "xor", "lshift", "rshift",
)  # fmt: skip
_OTHERS = ("lt", "le", "gt", "ge", "eq", "ne", "neg", "pos", "abs", "invert")
_IN_PLACE = {f"__i{name}__" for name in _BINARY}
for _name in _BINARY:
    for _kind in ("", "r", "i"):
        if hasattr(np.ndarray, f"__{_kind}{_name}__"):
            setattr(ndarray, f"__{_kind}{_name}__", _operator(f"__{_kind}{_name}__"))
for _name in _OTHERS:
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
for _name in ("bool", "int", "float", "complex", "index"):
    setattr(ndarray, f"__{_name}__", _scalar(f"__{_name}__"))


def _to_device(value: Any) -> Any:
    """NumPy's arrays and scalars in a result become arrays here."""
    if isinstance(value, np.ndarray | np.generic):
        return ndarray(value)
    if isinstance(value, tuple | list):
        return type(value)(map(_to_device, value))
    return value


def _to_host(value: Any) -> Any:
    """The NumPy arrays behind arguments; a NumPy array among them is refused."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}: a host array among device arrays")
    if isinstance(value, tuple | list):
        return type(value)(map(_to_host, value))
    if isinstance(value, dict):
        return {key: _to_host(v) for key, v in value.items()}
    return value


def _index(key: Any) -> Any:
    """As `_to_host`; CuPy sends host arrays of indices to the device by itself."""
    if isinstance(key, tuple):
        return tuple(map(_index, key))
    if isinstance(key, np.ndarray):
        transfers["to device"] += 1
        return key
    return _to_host(key)


def _wrapped(function: Any, allowed: list[str] | None = None) -> Callable[..., Any]:
    """`function` on the host's arrays, with the keywords that CuPy knows."""

    def call(*args: Any, **options: Any) -> Any:
        if allowed is not None and "kwargs" not in allowed:
            unknown = sorted(set(options) - set(allowed))
            if unknown:
                raise TypeError(f"{function.__name__} in CuPy has no keyword {', '.join(unknown)}")
        out = options.get("out")
        result = function(*_to_host(args), **_to_host(options))
        return out if out is not None else _to_device(result)

    return call


class _Ufunc:
    """A ufunc; CuPy's take no `where`."""

    def __init__(self, ufunc: np.ufunc) -> None:
        self._ufunc, self.__name__ = ufunc, ufunc.__name__

    def __call__(self, *args: Any, **options: Any) -> Any:
        if "where" in options:
            raise TypeError(f"{self.__name__} in CuPy has no keyword where")
        return _wrapped(self._ufunc)(*args, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in NAMES["ufunc"]:
            raise AttributeError(f"ufuncs of CuPy {NAMES['version']} have no {name!r}")
        value = getattr(self._ufunc, name)
        return _wrapped(value) if callable(value) else value


class _Module(ModuleType):
    """NumPy's functions of these names, as far as CuPy has them."""

    def __init__(self, name: str, numpy: Any) -> None:
        super().__init__(f"cupy.{name}" if name else "cupy")
        self.__spec__ = ModuleSpec(self.__name__, None)
        self._numpy, self._names = numpy, NAMES["modules"][name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._names:
            raise AttributeError(f"{self.__name__} {NAMES['version']} has no {name!r}")
        value = getattr(self._numpy, name)
        if isinstance(value, np.ufunc):
            return _Ufunc(value)
        if isinstance(value, type) or not callable(value):
            return value
        return _wrapped(value, self._names[name])


class Device:
    """`cupy.cuda.Device`: the only one."""

    compute_capability = "80"

    def __init__(self, id: int = 0) -> None:
        self.id = id

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class CUDARuntimeError(RuntimeError):
    """`cupy.cuda.runtime.CUDARuntimeError`."""


def _asarray(value: Any, dtype: Any = None, copy: bool | None = None) -> ndarray:
    if isinstance(value, ndarray):
        same = dtype is None or value.dtype == np.dtype(dtype)
        return value if same and not copy else ndarray(value._host.astype(dtype or value.dtype))
    transfers["to device"] += 1
    return ndarray(memory.copied(np.asarray(value), dtype))


def _asnumpy(value: Any) -> Any:
    return value.get() if isinstance(value, ndarray) else np.asarray(value)


def _set_allocator(allocator: Any = None) -> None:
    memory.pool.allocator = allocator or memory.pool.malloc


def make() -> ModuleType:
    """A module that can stand in `sys.modules` under the name "cupy"."""
    cupy: Any = _Module("", np)
    cupy.__version__ = NAMES["version"]
    cupy.ndarray, cupy.asarray, cupy.asnumpy = ndarray, _asarray, _asnumpy
    cupy.array = lambda value, dtype=None: _asarray(value, dtype, copy=True)
    cupy.RawModule = cuda_on_cpu.RawModule
    cupy.linalg = _Module("linalg", np.linalg)
    cupy.lib = SimpleNamespace(stride_tricks=_Module("lib.stride_tricks", np.lib.stride_tricks))
    cupy.cuda = SimpleNamespace(
        Device=Device,
        get_current_stream=memory.current,
        Stream=memory.Stream,
        Event=memory.Event,
        MemoryHook=memory.MemoryHook,
        alloc_pinned_memory=memory.alloc_pinned_memory,
        set_allocator=_set_allocator,
        memory=SimpleNamespace(OutOfMemoryError=memory.OutOfMemoryError),
        runtime=SimpleNamespace(
            getDeviceCount=lambda: 1,
            CUDARuntimeError=CUDARuntimeError,
            memGetInfo=lambda: (memory.TOTAL - memory.pool.total_bytes(), memory.TOTAL),
            **cublas_on_cpu.RUNTIME_CONSTANTS,
        ),
        cublas=cublas_on_cpu.Cublas(),
        get_cublas_handle=lambda: 1,
    )
    cupy.get_default_memory_pool = lambda: memory.pool
    cupy_device_on_cpu.add(cupy)
    return cupy  # type: ignore[no-any-return]
