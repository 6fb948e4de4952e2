"""The function under `gradcheck`: what it is differentiated by, and how its slopes are measured
without a backward pass."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import arrays, core, modes
from .arrays import Array, array_module
from .core import Tensor

STEP = 1e-30  # of the complex step: its square is lost beside 1, it itself is far from underflow
ROUNDING = 2.0**-50

Direction = Callable[[int], Any]  # the part of a direction in variable i, or None where it rests


class GradcheckError(AssertionError):
    """A gradient that does not fit its function; the message says where and by which factor."""


class Variable(NamedTuple):
    name: str
    tensor: Tensor


class Scheme(NamedTuple):
    """How a slope is measured: by the complex step, or by central differences of size `eps`."""

    name: str
    eps: float | None
    rtol: float

    def floor(self, output: Array, inputs: float) -> float:
        """Rounding error in one output's slope along steps of size 1; `inputs` is their size."""
        size = _rms(output)
        if self.eps is None:
            return ROUNDING * size / inputs if inputs else 0.0
        return ROUNDING * size / self.eps


class Problem:
    """The function, what it is differentiated by, and how its slopes are measured."""

    def __init__(
        self, fn: Callable[..., Tensor], inputs: Any, parameters: Any, scheme: Scheme, seed: int
    ) -> None:
        self.fn, self.scheme, self.seed = fn, scheme, seed
        given = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        # A leaf in place of a result, so that backward stops here and frees nobody's graph.
        self.arguments = [
            Tensor(a.data, True) if isinstance(a, Tensor) and a.requires_grad and a.node else a
            for a in given
        ]
        self.variables = _variables(self.arguments, _named_parameters(fn, parameters))
        sizes = [v.tensor.numel() for v in self.variables]
        self.size = sum(sizes)
        squares = sum(norm(v.tensor.data) ** 2 for v in self.variables)
        self.input_size = math.sqrt(squares / self.size) if self.size else 0.0

    def forward(self) -> Tensor:
        """Call the function; its result is one float tensor with elements."""
        out = self.fn(*self.arguments)
        if not isinstance(out, Tensor):
            raise TypeError(f"gradcheck: fn returned {type(out).__name__}, expected one tensor")
        if out.dtype not in (np.float64, np.complex128) or not out.numel():
            raise ValueError(
                f"gradcheck: fn returned {out.dtype} of shape {out.shape}, expected float64 "
                "with at least one element"
            )
        return out

    def gradients(self, upstream: Callable[[Array], Array]) -> tuple[Array, Array, list[Any]]:
        """Run forward and backward: the output, the upstream gradient, the gradients (or None)."""
        with modes.enable_grad():
            out = self.forward()
        if not out.requires_grad:
            raise GradcheckError(
                "gradcheck: the output does not require a gradient: fn does not use the inputs, "
                "or leaves the graph through detach(), numpy(), item() or no_grad()"
            )
        u = upstream(out.data)
        found = core.backpropagate(out, u, inputs=[v.tensor for v in self.variables])
        grads = [found.get(id(v.tensor)) for v in self.variables]
        for variable, grad in zip(self.variables, grads, strict=True):
            expected = (variable.tensor.shape, variable.tensor.dtype)
            if grad is not None and (grad.shape, grad.dtype) != expected:
                raise GradcheckError(
                    f"gradcheck: the gradient of {variable.name} has shape {grad.shape} and dtype "
                    f"{grad.dtype}, expected {expected[0]} and {expected[1]}"
                )
        return out.data, u, grads

    def slope(self, direction: Direction) -> Array:
        """J v: how the output changes along a direction, as an array of the output's shape."""
        eps = self.scheme.eps
        if eps is None:
            out = self._at(direction, _complex_point)
            scaled = out.imag / STEP if out.dtype.kind == "c" else 0 * out
            return arrays.as_array(scaled)
        above = self._at(direction, lambda x, v: arrays.as_array(x + eps * v))
        below = self._at(direction, lambda x, v: arrays.as_array(x - eps * v))
        return arrays.as_array((above - below) / (2 * eps))

    def _at(self, direction: Direction, move: Callable[[Array, Array], Array]) -> Array:
        """The output with every variable moved; their data are put back, also after an error."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(modes.no_grad())
            for index, (_, tensor) in enumerate(self.variables):
                v = direction(index)
                if v is not None:
                    stack.callback(setattr, tensor, "data", tensor.data)
                    tensor.data = move(tensor.data, v)
            return self.forward().data

    def random_direction(self, number: int, only: int | None = None) -> Direction:
        """Entries of about 1, drawn anew at each call: one part at a time is in memory."""

        def part(index: int) -> Any:
            if only is not None and index != only:
                return None
            return random_like((self.seed, number, index), self.variables[index].tensor.data)

        return part

    def step(self, index: int, flat: int) -> Direction:
        """The direction of one element."""

        def part(i: int) -> Any:
            if i != index:
                return None
            v = np.zeros(self.variables[i].tensor.shape)
            v.flat[flat] = 1.0
            return arrays.to_device(v, self.variables[i].tensor.device)

        return part

    def span(self, index: int, low: int, high: int) -> Direction:
        """A random direction in the elements low..high of one variable, in row-major order."""

        def part(i: int) -> Any:
            if i != index:
                return None
            v = np.zeros(self.variables[i].tensor.numel())
            v[low:high] = _uniform((self.seed, low, high), high - low)
            shape = self.variables[i].tensor.shape
            return arrays.to_device(v.reshape(shape), self.variables[i].tensor.device)

        return part

    def where(self, index: int, flat: int) -> str:
        """Name an element: "input 0 [0, 3, 1, 2]"."""
        name, tensor = self.variables[index]
        return f"{name} {[int(i) for i in np.unravel_index(flat, tensor.shape)]}"


def _complex_point(x: Array, v: Array) -> Array:
    point = x.astype(np.complex128)  # keeps the memory order
    array_module(v).multiply(v, STEP, out=point.imag)
    return point


def _uniform(seed: tuple[int, ...], count: int) -> Any:
    """Signed random numbers of root mean square 1."""
    values = np.random.default_rng(seed).random(count)
    values -= 0.5
    values *= math.sqrt(12)
    return values


def random_like(seed: tuple[int, ...], like: Array) -> Array:
    return arrays.to_device(_uniform(seed, like.size).reshape(like.shape), arrays.device_of(like))


def norm(array: Array) -> float:
    return math.sqrt(float(array_module(array).vdot(array, array).real))


def _rms(array: Array) -> float:
    return norm(array) / math.sqrt(array.size)


def dot(a: Array | None, b: Array | None) -> float:
    """<a, b>, where None is zeros."""
    return 0.0 if a is None or b is None else float(array_module(a).vdot(a, b))


# ----- what is checked -----


def _named_parameters(fn: Any, parameters: Any) -> Iterator[tuple[str, Tensor]]:
    """The parameters of a module `fn`, and those given as module, mapping, pairs or tensors."""
    for source in (fn, parameters):
        if hasattr(source, "named_parameters"):
            yield from source.named_parameters()
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    if isinstance(parameters, Mapping):
        parameters = parameters.items()
    if parameters is not None and not hasattr(parameters, "named_parameters"):
        for number, item in enumerate(parameters):
            yield (str(number), item) if isinstance(item, Tensor) else item


def _variables(arguments: Sequence[Any], named: Iterable[tuple[str, Tensor]]) -> list[Variable]:
    """The tensors to differentiate by, each once. Raises TypeError or ValueError."""
    candidates = [(f"input {i}", a) for i, a in enumerate(arguments) if isinstance(a, Tensor)]
    candidates += [(f"parameter {name}", p) for name, p in named]
    found: dict[int, Variable] = {}
    for name, tensor in candidates:
        if not tensor.requires_grad:
            continue
        if tensor.dtype != np.float64:
            raise TypeError(
                f"gradcheck: {name} is {tensor.dtype}, expected float64: rounding hides errors in "
                "anything shorter; use tensor.double() or module.double()"
            )
        found.setdefault(id(tensor), Variable(name, tensor))
    if not any(v.tensor.numel() for v in found.values()):
        raise ValueError(
            "gradcheck: nothing to check: no input or parameter is a float64 tensor with "
            "requires_grad=True and at least one element"
        )
    return list(found.values())
