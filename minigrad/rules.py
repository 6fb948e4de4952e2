"""What every operation is held to: the engine asks here, and these raise.

One device; a dtype that never changes by accident; gradients of the shape and dtype of what they
belong to; under `detect_anomaly`, no NaN and no Inf. Nothing here computes anything: skip the file
on a first reading, as an operation that is right never meets it.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import Array, DeviceError, array_module, device_of, is_array
from .modes import mode

if TYPE_CHECKING:  # names in annotations: nothing of the engine is called from here
    from .core import Edge, Function, Node, Tensor

    Given = Sequence[tuple[int, Tensor]]  # the tensors among the arguments, with their places

_HERE = str(Path(__file__).parent)


class AnomalyError(FloatingPointError):
    """The first NaN or Inf under `detect_anomaly`."""


class MixedDeviceError(DeviceError):
    """Tensors of two devices in one operation; `tensors` are the arguments."""

    def __init__(self, operation: str, tensors: Given) -> None:
        self.operation, self.tensors = operation, tensors
        super().__init__(self.describe({}))

    def describe(self, names: dict[int, str]) -> str:
        """Name the operation and its arguments; `names` has what to call a tensor, by its id."""
        arguments = ", ".join(
            f"argument {index}"
            + (f" ({names[id(tensor)]})" if id(tensor) in names else "")
            + f" of shape {tensor.shape} is on {tensor.device}"
            for index, tensor in self.tensors
        )
        return (
            f"{self.operation}: {arguments}; all must be on one device: "
            "move them with tensor.to(device) or module.to(device)"
        )


_COMPLEX_STEP = (
    "the complex step of gradcheck and hvp hands in complex numbers, and np.abs, np.maximum, .real "
    "and the like drop their imaginary part: compare by .real"
)

# ----- tensors -----


def check_requires_grad(method: str, tensor: Tensor) -> None:
    """Hooks and kept gradients are of tensors that get one."""
    if not tensor.requires_grad:
        raise RuntimeError(
            f"{method}: this tensor does not require a gradient: none of its inputs has "
            "requires_grad=True, or it was made under no_grad() or detach()"
        )


def check_differentiable(data: Array) -> None:
    """Only floats have gradients."""
    if data.dtype.kind not in "fc":
        raise RuntimeError(f"only floats can require a gradient, this tensor is {data.dtype}")


def check_tensor(operation: str, value: Any, name: str = "input") -> None:
    """An array, a list or a module is no tensor."""
    if not hasattr(value, "node"):
        raise TypeError(
            f"{operation}: {name} is a {type(value).__name__}, expected a tensor: use "
            f"mg.tensor({name})"
        )


def check_assigned(value: Any, tensor: type[Tensor]) -> None:
    """What is assigned to `grad` is a tensor, or None."""
    if value is not None and not isinstance(value, tensor):
        raise TypeError(
            f"grad was set to {type(value).__name__}, expected a tensor like its owner, or None: "
            "set it to None to forget it, to minigrad.tensor(...) to replace it"
        )


def check_floats(operation: str, tensor: Tensor, name: str = "input", reason: str = "") -> None:
    """The operation has no value for whole numbers, or none in their dtype."""
    try:
        kind = tensor.data.dtype.kind
    except AttributeError:
        check_tensor(operation, tensor, name)
        raise
    if kind not in "fc":
        _refuse(operation, name, tensor, f"floats{reason and f' ({reason})'}")


def check_no_bools(operation: str, tensor: Tensor, name: str = "input") -> None:
    """The operation calculates, and bools are no numbers."""
    try:
        kind = tensor.data.dtype.kind
    except AttributeError:
        check_tensor(operation, tensor, name)
        raise
    if kind == "b":
        _refuse(operation, name, tensor, "numbers")


def check_same_kind(operation: str, **given: Tensor | None) -> None:
    """Whole numbers are not multiplied with floats, nor float32 with float64, nor bools at all."""
    tensors = {name: tensor for name, tensor in given.items() if tensor is not None}
    for name, tensor in tensors.items():
        check_no_bools(operation, tensor, name)
    whole = [name for name, tensor in tensors.items() if tensor.data.dtype.kind in "iu"]
    sizes = {np.finfo(t.data.dtype).bits for n, t in tensors.items() if n not in whole}
    if len(sizes) + bool(whole and sizes) > 1:
        raise _mixed(operation, {name: tensor.data.dtype for name, tensor in tensors.items()})


def _refuse(operation: str, name: str, tensor: Tensor, expected: str) -> None:
    raise TypeError(
        f"{operation}: {name} is {tensor.data.dtype}, expected {expected}: use {name}.float()"
    )


# ----- forward -----


def check_one_device(operation: str, tensors: Given) -> None:
    """All arguments are on one device."""
    if len({device_of(t.data) for _, t in tensors}) > 1:
        raise MixedDeviceError(operation, tensors)


def check_output(function: type[Function], data: Any, tensors: Given) -> None:
    """What forward returned is one array, of the dtype that its arguments have."""
    name = function.operation
    if not is_array(data):
        raise TypeError(f"{name}: forward returned {type(data).__name__}, expected one array")
    if not function.casts and data.dtype.kind in "fc":
        _same_dtype(function, data, tensors)
    if mode.anomaly:
        _finite(data, f"the output of {name}", caller(), tensors)


def _same_dtype(function: type[Function], data: Array, tensors: Given) -> None:
    floats = {t.data.dtype for _, t in tensors if t.data.dtype.kind in "fc"}
    if not floats or floats == {data.dtype}:
        return
    expected = np.result_type(*floats)
    mixed = len({np.finfo(dtype).dtype for dtype in floats}) > 1
    if mixed or (data.dtype != expected and any(t.data.dtype.kind in "biu" for _, t in tensors)):
        raise _mixed(function.operation, _named(function, tensors))
    if data.dtype == np.empty((), expected).real.dtype != expected:
        raise TypeError(
            f"{function.operation}: {expected} in, {data.dtype} out: {_COMPLEX_STEP}, or check "
            "with method='central'"
        )
    if data.dtype != expected:
        raise TypeError(
            f"{function.operation}: {expected} in, {data.dtype} out; a NumPy scalar or array of "
            "another dtype in forward has changed it: use Python numbers or x.dtype.type(value)"
        )


def _mixed(operation: str, given: dict[str, Any]) -> TypeError:
    """The error that tells which argument has which dtype, and what to do."""
    dtypes = ", ".join(f"{name} is {dtype}" for name, dtype in given.items())
    whole = [name for name, dtype in given.items() if dtype.kind in "biu"]
    todo = f"{whole[0]}.float()" if whole else "tensor.to(dtype) on one of them"
    return TypeError(
        f"{operation}: {dtypes}; dtypes are never converted by themselves: use {todo}"
    )


def _named(function: type[Function], tensors: Given) -> dict[str, Any]:
    """The dtypes by forward's own names of its arguments."""
    parameters = inspect.signature(function.forward).parameters.values()
    names = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL][1:]  # without ctx
    short = {"x": "input", "a": "input", "b": "other"}
    return {
        short.get(names[i], names[i]) if i < len(names) else f"argument {i}": t.data.dtype
        for i, t in tensors
    }


# ----- what is kept for backward -----


def check_not_freed(operation: str, kept: Any) -> None:
    """A graph serves one backward unless it is retained; then what it kept is None."""
    if kept is None:
        raise RuntimeError(
            f"{operation}: backward() was called a second time on a graph that the first call has "
            "freed: run the forward again, or pass retain_graph=True the first time"
        )


def check_unedited(operation: str, place: int, then: int, now: int) -> None:
    """A saved array is what it was when it was saved: its version is. `place`: as in `guard`."""
    if then != now:
        name = "its output" if place < 0 else f"argument {place}"
        raise RuntimeError(
            f"{operation}: {name} was saved for the backward pass and has been edited in place "
            f"since (version {then}, now {now}): edit a clone, or edit it after backward()"
        )


# ----- backward -----


def check_has_graph(tensor: Tensor) -> None:
    """Backward starts from a tensor that has a graph."""
    if not tensor.requires_grad:
        raise RuntimeError(
            "backward: this tensor does not require a gradient: none of its inputs has "
            "requires_grad=True, or it was made under no_grad() or detach()"
        )


def check_first_order(create_graph: bool) -> None:
    """Gradients have no graph of their own."""
    if create_graph:
        raise NotImplementedError(
            "create_graph=True is not supported, gradients are of first order: "
            "minigrad.hvp(fn, x, v) gives exact second-order products, and its docstring shows how "
            "a gradient penalty is trained"
        )


def check_scalar(tensor: Tensor) -> None:
    """Without a gradient, backward starts from one number."""
    if tensor.data.size != 1:
        raise RuntimeError(
            f"backward: the output has shape {tensor.shape}; only a scalar has an implicit "
            "gradient of 1: pass gradient= of that shape, or reduce it with sum() or mean()"
        )


def check_seed(tensor: Tensor, gradient: Array) -> None:
    """The gradient that backward starts from fits the tensor."""
    if gradient.shape != tensor.shape or gradient.dtype != tensor.data.dtype:
        raise RuntimeError(
            f"backward: gradient has shape {gradient.shape} and dtype {gradient.dtype}, "
            f"expected {tensor.shape} and {tensor.data.dtype} as the output has"
        )
    if device_of(gradient) != tensor.device:
        raise DeviceError(
            f"backward: gradient is on {device_of(gradient)}, the output on {tensor.device}"
        )


def check_count(node: Node, edges: Sequence[Edge], count: int) -> None:
    """Backward returns no more gradients than forward had arguments."""
    if count > len(edges):
        raise RuntimeError(
            f"{node.operation}: backward returned {count} gradients for {len(edges)} arguments"
        )


def check_gradient(node: Node, index: int, edge: Edge, value: Any) -> None:
    """What backward returned for one argument has the argument's shape and dtype."""
    name = node.operation
    if value is None:
        raise RuntimeError(f"{name}: backward returned no gradient for argument {index}")
    if not is_array(value) or value.shape != edge.shape:
        returned = f"shape {value.shape}" if is_array(value) else type(value).__name__
        raise RuntimeError(
            f"{name}: backward returned {returned} for argument {index}, "
            f"expected shape {edge.shape}"
        )
    if value.dtype != edge.dtype and value.dtype != np.result_type(edge.dtype, np.complex64):
        lost = value.dtype.kind == "f" and edge.dtype.kind == "c"
        raise TypeError(
            f"{name}: backward returned {value.dtype} for argument {index}, which is {edge.dtype}"
            + (f": {_COMPLEX_STEP}" if lost else "")
        )
    if mode.anomaly:
        _finite(value, f"the gradient of argument {index} of {name}", node.line)


def check_hooked(changed: Any, grad: Array, tensor: type[Tensor]) -> None:
    """What a hook returned in place of a gradient is a tensor like it."""
    if not isinstance(changed, tensor) or (changed.shape, changed.dtype) != (
        grad.shape, grad.dtype
    ):  # fmt: skip
        raise RuntimeError(
            f"a hook returned {changed!r} for a gradient of shape {grad.shape} and dtype "
            f"{grad.dtype}: return a tensor of these, or None"
        )


def check_leaf(tensor: Tensor, grad: Array) -> None:
    """A leaf's gradient has its dtype, and so has what `grad` holds already."""
    own, held = tensor.data, getattr(tensor.grad, "data", tensor.grad)
    if held is not None and not (
        is_array(held) and held.dtype == own.dtype and held.shape == own.shape
    ):
        raise TypeError(
            f"backward: grad of a {tensor.data.dtype} leaf of shape {tensor.shape} was set to "
            f"{held.dtype if is_array(held) else type(held).__name__} of shape "
            f"{getattr(held, 'shape', ())}: set it to None, or to a tensor like the leaf"
        )
    if grad.dtype != tensor.data.dtype:
        raise TypeError(
            f"backward: the gradient of a {tensor.data.dtype} leaf is {grad.dtype}; a complex "
            "graph over real leaves is for hvp and gradcheck"
        )


# ----- anomaly mode -----


def caller() -> str:
    """Return `file:line: code` of the innermost frame outside this package."""
    for frame in reversed(traceback.extract_stack()):
        if not frame.filename.startswith(_HERE):
            return f"{frame.filename}:{frame.lineno}: {frame.line}"
    return "an unknown line"


def _finite(data: Array, what: str, line: str, tensors: Given = ()) -> None:
    xp = array_module(data)
    if data.dtype.kind not in "fc" or bool(xp.isfinite(data).all()):
        return
    found = "NaN" if bool(xp.isnan(data).any()) else "Inf"
    held = [
        f"argument {i}"
        for i, t in tensors
        if t.data.dtype.kind in "fc" and not bool(xp.isfinite(t.data).all())
    ]
    origin = f" ({', '.join(held)} held it already)" if held else ""
    raise AnomalyError(f"{found} in {what}{origin}, called at {line}")
