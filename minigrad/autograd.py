"""Reverse-mode differentiation over a dynamic graph.

A `Function` pairs the forward of an operation with its backward, both on raw arrays. Calling
`apply` on tensors records a `Node` that owns the nodes it came from; the result owns its node.
Nothing points the other way, so there is no reference cycle: a graph is freed the moment its last
tensor goes. First-order gradients only; for second-order products see `hvp`.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import re
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .arrays import (
    Array,
    DeviceError,
    array_module,
    as_array,
    device_of,
    is_array,
    may_share_memory,
)

if TYPE_CHECKING:
    from .tensor import Tensor

_HERE = str(Path(__file__).parent)
_numbers = itertools.count()  # a node is always newer than the nodes it came from


class _Mode(threading.local):
    """Switches of the calling thread."""

    recording = True
    anomaly = False


_mode = _Mode()

# Called as observer(phase, operation, seconds, result) after every forward and backward.
observers: list[Callable[[str, str, float, Any], None]] = []


class AnomalyError(FloatingPointError):
    """The first NaN or Inf under `detect_anomaly`."""


class MixedDeviceError(DeviceError):
    """Tensors of two devices in one operation; `tensors` are the arguments."""

    def __init__(self, operation: str, tensors: Sequence[tuple[int, Tensor]]) -> None:
        self.operation, self.tensors = operation, tensors
        super().__init__(self.describe({}))

    def describe(self, paths: dict[int, str]) -> str:
        """Name the operation and its arguments; `paths` maps id(tensor) to a parameter's path."""
        arguments = ", ".join(
            f"argument {index}"
            + (f" ({paths[id(tensor)]})" if id(tensor) in paths else "")
            + f" of shape {tensor.shape} is on {tensor.device}"
            for index, tensor in self.tensors
        )
        return (
            f"{self.operation}: {arguments}; all must be on one device: "
            "move them with tensor.to(device) or module.to(device)"
        )


def is_grad_enabled() -> bool:
    """Tell whether operations of this thread are recorded."""
    return _mode.recording


class _Switch(contextlib.ContextDecorator):
    """Sets a switch of the calling thread for a block or a function; may be used again."""

    def __init__(self, name: str, value: bool) -> None:
        self.name, self.value = name, value
        self.before: list[bool] = []

    def __enter__(self) -> None:
        self.before.append(getattr(_mode, self.name))
        setattr(_mode, self.name, self.value)

    def __exit__(self, *_: object) -> None:
        setattr(_mode, self.name, self.before.pop())


def no_grad(function: Callable[..., Any] | None = None) -> Any:
    """Operations inside are not recorded. `with no_grad():`, or a decorator; per thread."""
    switch = _Switch("recording", False)
    return switch if function is None else switch(function)


def enable_grad(function: Callable[..., Any] | None = None) -> Any:
    """Operations inside are recorded again, within `no_grad`."""
    switch = _Switch("recording", True)
    return switch if function is None else switch(function)


def detect_anomaly() -> contextlib.AbstractContextManager[None]:
    """Raise `AnomalyError` at the first NaN or Inf, in forward or backward.

    The error names the operation and the line of the forward call. Checking reads every array once
    more, so use it to look for a fault, not to train.
    """
    return _Switch("anomaly", True)


class Version:
    """Counts in-place edits of one piece of memory; views share it."""

    __slots__ = ("shared", "value")

    def __init__(self) -> None:
        self.value = 0
        self.shared = False  # whether a view was made of this memory


class Context:
    """What one call of a `Function` keeps for its backward.

    `needs[i]` tells whether the gradient of forward's i-th argument is wanted. `save(*arrays)`
    keeps arrays, `saved` returns them. Anything else (a stride, a shape) is set as an attribute.
    """

    def __init__(self, operation: str, needs: tuple[bool, ...]) -> None:
        self.operation = operation
        self.needs = needs
        self._saved: tuple[Array, ...] | None = ()
        self._guards: list[tuple[str, Version, int]] = []

    if TYPE_CHECKING:  # options are attributes of any name and type

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def save(self, *arrays: Array | None) -> None:
        """Keep arrays for backward (None is allowed); nothing is kept if no gradient is wanted."""
        if any(self.needs):
            self._saved = arrays

    @property
    def saved(self) -> tuple[Array, ...]:
        """The arrays given to `save`. Raises RuntimeError if one was edited in place since."""
        if self._saved is None:
            raise _freed(self.operation)
        for name, version, then in self._guards:
            if version.value != then:
                raise RuntimeError(
                    f"{self.operation}: {name} was saved for the backward pass and has been edited "
                    f"in place since (version {then}, now {version.value}): edit a clone, or edit "
                    "it after backward()"
                )
        return self._saved

    @property
    def saved_bytes(self) -> int:
        """Bytes kept for backward."""
        return sum(a.nbytes for a in self._saved or () if a is not None)

    def guard(self, name: str, tensor: Tensor) -> None:
        """Remember the version of a tensor whose memory was saved."""
        if any(a is not None and may_share_memory(a, tensor.data) for a in self._saved or ()):
            self._guards.append((name, tensor.version, tensor.version.value))

    def free(self) -> None:
        """Drop everything kept."""
        self.__dict__ = {"operation": self.operation, "needs": self.needs, "_saved": None}


def _freed(operation: str) -> RuntimeError:
    return RuntimeError(
        f"{operation}: backward() was called a second time on a graph that the first call has "
        "freed: run the forward again, or pass retain_graph=True the first time"
    )


class Node:
    """One recorded operation. `edges[i]` is the producer of its i-th argument: another node, a leaf
    tensor that collects a gradient, or None."""

    __slots__ = ("__weakref__", "context", "dtype", "edges", "function", "hooks", "line", "number",
                 "shape")  # fmt: skip

    def __init__(
        self,
        function: type[Function],
        context: Context,
        edges: tuple[tuple[Node | Tensor | None, tuple[int, ...], Any], ...],
        line: str,
    ) -> None:
        self.function, self.context, self.line = function, context, line
        self.edges: tuple[tuple[Node | Tensor | None, tuple[int, ...], Any], ...] | None = edges
        self.hooks: dict[int, Callable[[Tensor], Any]] = {}
        self.number = next(_numbers)

    @property
    def operation(self) -> str:
        """The name used in messages, e.g. "conv2d"."""
        return self.function.operation

    def __lt__(self, other: Node) -> bool:
        return self.number > other.number  # a heap of nodes yields the newest first

    def free(self) -> None:
        """Drop the saved arrays and let go of the producers."""
        self.context.free()
        self.edges = None


class Function:
    """An operation with its derivative. Subclass it, write two static methods, call `apply`.

    `forward(ctx, *args)` gets raw arrays where `apply` was given tensors, everything else as it
    is, and returns one array. `backward(ctx, grad)` gets the gradient of the output and returns
    the gradient of each argument, in order (None where there is none; trailing None may be left
    out; a single gradient needs no tuple). No dtype may change on the way: float32 in, float32 out.

    Class attributes: `broadcasts` lets the engine sum a gradient back to its argument's shape;
    `casts` says that the output may have another dtype.
    """

    operation: ClassVar[str] = "function"
    broadcasts: ClassVar[bool] = False
    casts: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "operation" not in cls.__dict__:
            cls.operation = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()

    @staticmethod
    def forward(ctx: Context, *args: Any) -> Array:
        """Compute the output from raw arrays."""
        raise NotImplementedError("a Function needs a static method forward(ctx, ...)")

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        """Return the gradients of forward's arguments."""
        raise NotImplementedError("a Function needs a static method backward(ctx, grad)")

    @classmethod
    def apply(cls, *args: Any) -> Tensor:
        """Run forward on tensors and record the call if a gradient may be asked for."""
        from .tensor import Tensor

        tensors = [(i, a) for i, a in enumerate(args) if isinstance(a, Tensor)]
        if len({device_of(t.data) for _, t in tensors}) > 1:
            raise MixedDeviceError(cls.operation, tensors)
        needs = tuple(_mode.recording and isinstance(a, Tensor) and a.requires_grad for a in args)
        ctx = Context(cls.operation, needs)
        raw = [a.data if isinstance(a, Tensor) else a for a in args]
        data = as_array(_observed("forward", cls.operation, cls.forward, ctx, *raw))
        _check_output(cls, data, tensors)
        if _mode.anomaly:
            _check_finite(data, f"the output of {cls.operation}", _caller(), tensors)

        out = Tensor(data)
        for _, tensor in tensors:
            if may_share_memory(data, tensor.data):
                out.version = tensor.version
                out.version.shared = True
        if any(needs) and data.dtype.kind in "fc":
            for index, tensor in tensors:
                ctx.guard(f"argument {index}", tensor)
            ctx.guard("its output", out)
            edges = tuple(
                (a.node or a, a.shape, a.data.dtype) if need else (None, (), None)
                for a, need in zip(args, needs, strict=True)
            )
            out.node = Node(cls, ctx, edges, _caller() if _mode.anomaly else "")
            out.requires_grad = True
        return out


def _observed(phase: str, operation: str, call: Callable[..., Any], *args: Any) -> Any:
    with np.errstate(all="ignore"):  # NaN and Inf are results; detect_anomaly looks for them
        if not observers:
            return call(*args)
        start = time.perf_counter()
        result = call(*args)
    for observer in list(observers):
        observer(phase, operation, time.perf_counter() - start, result)
    return result


def _check_output(cls: type[Function], data: Any, tensors: list[tuple[int, Tensor]]) -> None:
    """The guard against a dtype that changes by accident."""
    if not is_array(data):
        raise TypeError(
            f"{cls.operation}: forward returned {type(data).__name__}, expected one array"
        )
    floats = {t.data.dtype for _, t in tensors if t.data.dtype.kind in "fc"}
    if cls.casts or not floats or data.dtype.kind not in "fc":
        return
    expected = np.result_type(*floats)
    widths = {np.finfo(dtype).dtype for dtype in floats}
    if len(widths) > 1:
        kinds = ", ".join(f"argument {i} is {t.data.dtype}" for i, t in tensors)
        raise TypeError(
            f"{cls.operation}: {kinds}; dtypes are never converted by themselves: "
            "use tensor.to(dtype) on one of them"
        )
    if data.dtype != expected:
        raise TypeError(
            f"{cls.operation}: {expected} in, {data.dtype} out; a NumPy scalar or array of another "
            "dtype in forward has changed it: use Python numbers or x.dtype.type(value)"
        )


def _caller() -> str:
    """Return "file:line: code" of the innermost frame outside this package."""
    for frame in reversed(traceback.extract_stack()):
        if not frame.filename.startswith(_HERE):
            return f"{frame.filename}:{frame.lineno}: {frame.line}"
    return "an unknown line"


def _check_finite(
    data: Array, what: str, line: str, tensors: Sequence[tuple[int, Tensor]] = ()
) -> None:
    xp = array_module(data)
    if data.dtype.kind not in "fc" or bool(xp.isfinite(data).all()):
        return
    kind = "NaN" if bool(xp.isnan(data).any()) else "Inf"
    given = [
        f"argument {i}"
        for i, t in tensors
        if t.data.dtype.kind in "fc" and not bool(xp.isfinite(t.data).all())
    ]
    origin = f" ({', '.join(given)} held it already)" if given else ""
    raise AnomalyError(f"{kind} in {what}{origin}, called at {line}")


def unbroadcast(grad: Array, shape: tuple[int, ...]) -> Array:
    """Sum a gradient over the axes that broadcasting added or stretched: the adjoint of
    broadcasting, done here for every operation."""
    if grad.shape == shape:
        return grad
    extra = grad.ndim - len(shape)
    stretched = tuple(
        i + extra for i, n in enumerate(shape) if n == 1 and grad.shape[i + extra] != 1
    )
    return grad.sum(axis=tuple(range(extra)) + stretched, keepdims=True).reshape(shape)


def backward(
    root: Tensor,
    gradient: Any = None,
    retain_graph: bool = False,
    inputs: Sequence[Tensor] | None = None,
) -> dict[int, Array]:
    """Walk the graph from `root` and return the gradient of each leaf, by id(leaf).

    Nodes are taken newest first, which is a topological order: whoever used a result is newer
    than it. The walk is a loop over a heap, so a chain of any length works.
    With `inputs`, gradients are returned for these tensors (leaves or not) alone.
    """
    if not root.requires_grad:
        raise RuntimeError(
            "backward: this tensor does not require a gradient: none of its inputs has "
            "requires_grad=True, or it was made under no_grad() or detach()"
        )
    wanted = None if inputs is None else {id(t.node or t): t for t in inputs}
    found: dict[int, Array] = {}
    leaves: dict[int, tuple[Tensor, Array]] = {}
    grads: dict[Node, tuple[Array, bool]] = {}  # (sum so far, whether nobody else holds it)
    queue: list[Node] = []

    def deliver(target: Node | Tensor, grad: Array, owned: bool) -> None:
        if not isinstance(target, Node):
            held = leaves.get(id(target))
            if held is None:
                leaves[id(target)] = (target, grad if owned else grad.copy())
            else:
                _add(held[1], grad, out=held[1])
        elif target not in grads:
            grads[target] = (grad, owned)
            heapq.heappush(queue, target)
        else:
            before, ours = grads[target]
            grads[target] = (_add(before, grad, out=before if ours else None), True)

    deliver(root.node or root, _seed_gradient(root, gradient), False)
    while queue:
        node = heapq.heappop(queue)
        grad = _run_hooks(node.hooks, grads.pop(node)[0])
        if wanted is not None and id(node) in wanted:
            found[id(wanted[id(node)])] = grad
        for (target, _, _), g, owned in _node_backward(node, grad):
            if target is not None:
                deliver(target, g, owned)
        if not retain_graph:
            node.free()
    for key, (leaf, grad) in leaves.items():
        if wanted is None or key in wanted:
            found[key] = _run_hooks(leaf.hooks, grad)
            if leaf.hooks:  # a hook may have kept what it saw, or returned what it keeps
                found[key] = found[key].copy()
            if wanted is None:
                _accumulate(leaf, found[key])
    return found


def _add(total: Array, grad: Array, out: Array | None) -> Array:
    """total + grad, without a warning where it overflows."""
    with np.errstate(all="ignore"):
        return as_array(array_module(grad).add(total, grad, out=out))


def _seed_gradient(root: Tensor, gradient: Any) -> Array:
    xp = array_module(root.data)
    if gradient is None:
        if root.data.size != 1:
            raise RuntimeError(
                f"backward: the output has shape {root.shape}; only a scalar has an implicit "
                "gradient of 1: pass gradient= of that shape, or reduce it with sum() or mean()"
            )
        return xp.ones_like(root.data)
    array = getattr(gradient, "data", gradient) if not is_array(gradient) else gradient
    if not is_array(array):
        array = xp.asarray(array, dtype=root.data.dtype)
    if array.shape != root.shape or array.dtype != root.data.dtype:
        raise RuntimeError(
            f"backward: gradient has shape {array.shape} and dtype {array.dtype}, "
            f"expected {root.shape} and {root.data.dtype} as the output has"
        )
    if device_of(array) != root.device:
        raise DeviceError(
            f"backward: gradient is on {device_of(array)}, the output on {root.device}"
        )
    return array


def _run_hooks(hooks: dict[int, Callable[[Tensor], Any]], grad: Array) -> Array:
    if hooks:
        from .tensor import Tensor

        for hook in list(hooks.values()):
            changed = hook(Tensor(grad))
            if changed is None:
                continue
            if not isinstance(changed, Tensor) or (changed.shape, changed.dtype) != (
                grad.shape, grad.dtype
            ):  # fmt: skip
                raise RuntimeError(
                    f"a hook returned {changed!r} for a gradient of shape {grad.shape} and dtype "
                    f"{grad.dtype}: return a tensor of these, or None"
                )
            grad = changed.data
    return grad


def _node_backward(node: Node, grad: Array) -> Iterator[tuple[Any, Array, bool]]:
    """Run one node's backward; yield each edge with its checked gradient and whether it is new."""
    if node.edges is None:
        raise _freed(node.operation)
    name = node.operation
    result = _observed("backward", name, node.function.backward, node.context, grad)
    result = result if isinstance(result, tuple) else (result,)
    if len(result) > len(node.edges):
        raise RuntimeError(
            f"{name}: backward returned {len(result)} gradients for {len(node.edges)} arguments"
        )
    saved = [a for a in node.context.saved if a is not None]
    for index, (edge, g) in enumerate(itertools.zip_longest(node.edges, result)):
        target, shape, dtype = edge
        if target is None:
            continue
        g = as_array(g)
        if g is None:
            raise RuntimeError(f"{name}: backward returned no gradient for argument {index}")
        if node.function.broadcasts:
            g = unbroadcast(g, shape)
        if not is_array(g) or g.shape != shape:
            given = f"shape {g.shape}" if is_array(g) else type(g).__name__
            raise RuntimeError(
                f"{name}: backward returned {given} for argument {index}, expected shape {shape}"
            )
        if g.dtype != dtype and g.dtype != np.result_type(dtype, np.complex64):
            raise TypeError(
                f"{name}: backward returned {g.dtype} for argument {index}, which is {dtype}"
            )
        if _mode.anomaly:
            _check_finite(g, f"the gradient of argument {index} of {name}", node.line)
        others = [grad, *saved, *(o for o in result if o is not None and o is not g)]
        shared = any(may_share_memory(g, other) for other in others)
        yield edge, g, not shared and sum(o is g for o in result) <= 1


def _accumulate(leaf: Tensor, grad: Array) -> None:
    from .tensor import Tensor

    if grad.dtype != leaf.data.dtype:
        raise TypeError(
            f"backward: the gradient of a {leaf.data.dtype} leaf is {grad.dtype}; a complex graph "
            "over real leaves is for hvp and gradcheck"
        )
    if leaf.grad is None:
        leaf.grad = Tensor(grad)
    else:
        _add(leaf.grad.data, grad, out=leaf.grad.data)


def grad(
    output: Tensor, inputs: Tensor | Sequence[Tensor], gradient: Any = None
) -> tuple[Tensor, ...]:
    """Return d(output)/d(input) for each input, without touching any `.grad`.

    Raises RuntimeError if an input is not part of the graph.
    """
    from .tensor import Tensor

    several = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    found = backward(output, gradient, inputs=several)
    missing = [i for i, t in enumerate(several) if id(t) not in found]
    if missing:
        raise RuntimeError(f"grad: inputs {missing} were not used to compute the output")
    return tuple(Tensor(found[id(t)]) for t in several)


def hvp(fn: Callable[[Tensor], Tensor], x: Tensor, v: Tensor) -> Tensor:
    """Return the Hessian of scalar-valued `fn` at `x` times `v`, exact to rounding.

    It is the imaginary part of the gradient at x + ihv, divided by h: every kernel accepts complex
    numbers and compares by their real part, so no second graph is needed. Tensors that `fn` uses
    must have the width of `x` (float64 for full accuracy).
    """
    from .tensor import Tensor

    if x.shape != v.shape:
        raise ValueError(f"hvp: x has shape {x.shape}, v has {v.shape}; expected the same")
    step = 1e-30 if x.data.dtype.itemsize == 8 else 1e-15
    kind = np.result_type(x.data.dtype, np.complex64)
    point = Tensor(x.data.astype(kind) + 1j * step * v.data.astype(kind), requires_grad=True)
    with enable_grad():
        (gradient,) = grad(fn(point), point)
    return Tensor((gradient.data.imag / step).astype(x.data.dtype))
