"""Derivatives as values: gradients of chosen tensors, and Hessian-vector products."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np

from . import rules
from .arrays import Array, as_array, is_array
from .core import Tensor, Version, backpropagate
from .modes import enable_grad


def grad(
    output: Tensor, inputs: Tensor | Iterable[Tensor], gradient: object = None,
    retain_graph: bool = False, create_graph: bool = False,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Return d(output)/d(input) for each input, without touching any `.grad`.

    The graph is freed on the way unless `retain_graph`. `create_graph=True` is refused: `hvp` gives
    what depends on a gradient. Raises RuntimeError if an input is not part of the graph.
    """
    rules.check_first_order(create_graph)
    if not isinstance(output, Tensor):
        raise TypeError(
            f"grad: output is a {type(output).__name__}, expected the tensor that was computed: "
            "grad(f(x), x)"
        )
    several = _tensors("grad(f(x, w), (x, w))", inputs)
    return tuple(Tensor(g) for g in _gradients("grad", output, several, gradient, retain_graph))


@overload
def hvp(fn: Callable[..., Tensor], inputs: Tensor, v: Tensor) -> Tensor: ...
@overload
def hvp(
    fn: Callable[..., Tensor], inputs: Iterable[Tensor], v: Sequence[Tensor | None]
) -> tuple[Tensor, ...]: ...
def hvp(fn: Callable[..., Tensor], inputs: Any, v: Any) -> Any:
    """Return the Hessian of scalar-valued `fn(*inputs)` times `v`, exact to rounding.

    `inputs` is a tensor, or several for the Hessian by all of them together. `v` is like it, with
    None for zeros, and so is what is returned. An input may also be one that `fn` uses by itself,
    such as a module's parameter: it is moved where it is, and put back. No `.grad` is touched.

    It is the imaginary part of the gradient at inputs + ihv, divided by h: every kernel accepts
    complex numbers and compares by their real part, so no second graph is needed. Tensors that `fn`
    uses must have the width of the inputs (float64 for full accuracy). It is the change of the
    gradient that backward computes: what `fn` detaches is a constant to the gradient, as always,
    but moves with the inputs all the same.

    A loss may so depend on a gradient, as the gradient penalty of WGAN-GP does. With v = its
    gradient by g = d(score)/dx, the products of the parameters are its gradients by them::

        x, parameters = mg.randn(8, 2, requires_grad=True), list(critic.parameters())
        score = lambda x, *parameters: critic(x).sum()
        (g,) = mg.grad(score(x), x)
        penalty = 10 * ((g.requires_grad_().norm(dim=1) - 1) ** 2).mean()
        (v,) = mg.grad(penalty, g)
        _, *products = mg.hvp(score, (x, *parameters), (v, *[None] * len(parameters)))

    Raises TypeError or ValueError for inputs and `v` that do not fit each other, and RuntimeError
    if `fn` does not use an input.
    """
    if not callable(fn):
        raise TypeError(
            f"hvp: fn is a {type(fn).__name__}, expected a function: give it uncalled and first, "
            "as in hvp(f, x, v)"
        )
    given = _tensors("hvp(f, (x, w), (v, u))", inputs)
    # A leaf in place of a result, so that backward stops here and frees nobody's graph.
    points = [Tensor(t.data) if t.node else t for t in given]
    directions = _directions(points, [v] if isinstance(inputs, Tensor) else v)
    step = 1e-30 if points[0].data.dtype.itemsize == 8 else 1e-15
    with contextlib.ExitStack() as moves, enable_grad():
        for point, direction in zip(points, directions, strict=True):
            moves.enter_context(_moved(point, direction, step))
        output = fn(*points)
        _check_output(output)
        gradients = _gradients("hvp", output, points)
    products = [Tensor(as_array(g.imag / step)) for g in gradients]
    return products[0] if isinstance(inputs, Tensor) else tuple(products)


@contextlib.contextmanager
def _moved(point: Tensor, direction: Array | None, step: float) -> Iterator[None]:
    """The leaf at point + i step direction, wanting a gradient, for a while. Graphs that hold it
    do not notice, nor do its hooks."""
    kept = point._data, point.requires_grad, point.hooks, point.version
    point.requires_grad, point.hooks, point.version = True, {}, Version()
    if direction is not None:
        dtype = np.result_type(point.data.dtype, np.complex64)
        point._data = as_array(point.data.astype(dtype) + 1j * step * direction.astype(dtype))
    try:
        yield
    finally:
        point._data, point.requires_grad, point.hooks, point.version = kept


def _gradients(
    name: str, output: Tensor, inputs: Sequence[Tensor], gradient: object = None,
    retain_graph: bool = False,
) -> list[Array]:  # fmt: skip
    found = backpropagate(output, gradient, retain_graph, inputs)
    missing = [i for i, t in enumerate(inputs) if id(t) not in found]
    if missing:
        raise RuntimeError(f"{name}: inputs {missing} were not used to compute the output")
    return [found[id(t)] for t in inputs]


# ----- the calls that people write, and the one that is meant -----


def _tensors(call: str, inputs: Any) -> list[Tensor]:
    """The inputs as a list; `call` is the right form."""
    name = call.partition("(")[0]
    if isinstance(inputs, Tensor):
        return [inputs]
    if is_array(inputs) or not isinstance(inputs, Iterable):
        raise TypeError(
            f"{name}: inputs is a {type(inputs).__name__}, expected a tensor or several: {call}"
        )
    several = list(inputs)
    for number, each in enumerate(several):
        if not isinstance(each, Tensor):
            raise TypeError(
                f"{name}: input {number} is a {type(each).__name__}, expected a tensor: {call}"
            )
    if not several:
        raise ValueError(f"{name}: there are no inputs: {call}")
    return several


def _directions(points: list[Tensor], v: Any) -> list[Array | None]:
    """The arrays of `v`: as many as there are inputs, each like its own."""
    if isinstance(v, Tensor) or not isinstance(v, Sequence) or len(v) != len(points):
        count = len(v) if isinstance(v, Sequence) else f"a {type(v).__name__}"
        raise TypeError(
            f"hvp: v is {count} for {len(points)} inputs, expected a tensor for each, or None for "
            "zeros: hvp(f, (x, w), (v, None))"
        )
    for number, (point, one) in enumerate(zip(points, v, strict=True)):
        name = f"input {number}" if len(points) > 1 else "x"
        rules.check_floats("hvp", point, name)
        if any(point is other for other in points[:number]):
            raise ValueError(f"hvp: {name} comes twice: give each tensor once, or x.clone()")
        if one is not None and not isinstance(one, Tensor):
            raise TypeError(f"hvp: v of {name} is a {type(one).__name__}, expected a tensor")
        if one is not None and one.shape != point.shape:
            raise ValueError(
                f"hvp: {name} has shape {point.shape}, v has {one.shape}; expected the same"
            )
        rules.check_one_device("hvp", [(0, point), (1, one)] if one is not None else [])
    if all(one is None for one in v):
        raise ValueError("hvp: v is None for every input, so that there is nothing to compute")
    return [None if one is None else one.data for one in v]


def _check_output(output: Any) -> None:
    """`fn` returned one number that depends on what was moved."""
    if not isinstance(output, Tensor):
        raise TypeError(f"hvp: fn returned {type(output).__name__}, expected one tensor")
    if output.numel() != 1:
        raise ValueError(
            f"hvp: fn returned shape {output.shape}, expected one number: reduce it with sum()"
        )
    if output.dtype.kind != "c" or not output.requires_grad:
        raise RuntimeError(
            "hvp: the output does not depend on the inputs that have a v: fn does not use them, or "
            "leaves the graph through detach(), numpy(), item(), no_grad() or np.abs"
        )
