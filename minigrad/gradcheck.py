"""Checks of gradients against derivatives that need no backward pass, with a diagnosis.

"complex" reads the slope off the imaginary part of f(x + ihv): nothing is subtracted, so h can be
1e-30 and the slope is exact to rounding. "central" takes f(x + eps v) - f(x - eps v), which
needs no complex-safe operations. Both look along random directions through all inputs and
parameters at once, whatever their number; "jacobian" looks at every entry of a small function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from . import arrays
from .arrays import Array, array_module
from .core import Tensor
from .kernels.fast.product import precision
from .slopes import ROUNDING, Direction, GradcheckError, Problem, Scheme, dot, norm, random_like

METHODS = ("complex", "central", "jacobian")
LARGEST_JACOBIAN = 4096 * 4096
MOST_PROBES = 128  # elements looked at one by one after a failure


@precision("float32")  # a part of fn may be float32
def gradcheck(
    fn: Callable[..., Tensor],
    inputs: Any,
    method: str = "complex",
    *more: Any,
    directions: int = 2,
    rtol: float | None = None,
    eps: float | None = None,
    seed: int = 0,
    raise_exception: bool = True,
    parameters: Any = None,
    **unknown: Any,
) -> bool:
    """Compare the gradients of `fn(*inputs)` with slopes of the function itself.

    `fn` returns one float64 tensor and must be deterministic. `inputs` is a tensor or a sequence;
    float64 tensors with requires_grad are checked, anything else is passed on as it is. The
    parameters of `fn`, if it is a module, are checked along with them; so are `parameters`: a
    module, a mapping, or tensors that a closure uses. No `.grad` is touched, no data changed.

    "complex" and "central" draw `directions` times a direction v and an upstream gradient u, both
    random and signed (with ones, a softmax whose backward returns 0 would pass), and compare
    <u, J v> with <v, J^T u>. The tolerance is `rtol` times the size that <v, J^T u> has for a
    random v, norm(J^T u) * norm(v) / sqrt(n), and rounding: it has no absolute part and does not
    widen with the number n of elements.

    - "complex": rtol 1e-9; the error is some 1e-14. Every operation of minigrad accepts complex
      numbers; a function of one's own must compare by `.real` and not take `abs` of a signal.
    - "central": eps 1e-6, rtol 1e-6. Entries of v are about 1, so that each element moves by eps:
      cutting the series costs about eps^2 = 1e-12, rounding 2e-16 / eps = 2e-10, both relative and
      whatever n; the rest of rtol is for curvature. Inputs must keep 2 eps clear of kinks.
    - "jacobian": every entry, by the complex step (or by central differences if `eps` is given),
      for up to 4096 x 4096 entries.

    Returns True, and raises `GradcheckError` on a mismatch (or returns False with
    `raise_exception=False`). Raises ValueError or TypeError for what cannot be checked.
    """
    _check_call(fn, inputs, (method, *more), unknown)
    if method not in METHODS:
        known = ", ".join(METHODS)
        raise ValueError(f"gradcheck: method {method!r} is unknown: use one of {known}")
    if directions < 1:
        raise ValueError(f"gradcheck: directions is {directions}, expected at least 1")
    if method == "central":
        eps = 1e-6 if eps is None else eps
    elif method == "complex" and eps is not None:
        raise ValueError("gradcheck: the complex step has no eps: use method='central', or drop it")
    elif method == "jacobian" and directions != 2:
        raise ValueError("gradcheck: the Jacobian is looked at in every entry: drop directions")
    scheme = Scheme(method, eps, rtol or (1e-9 if eps is None else 1e-6))
    problem = Problem(fn, inputs, parameters, scheme, seed)
    try:
        if method == "jacobian":
            _check_jacobian(problem)
        else:
            for number in range(directions):
                _check_direction(problem, number)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check_call(
    fn: Any, inputs: Any, rest: tuple[Any, ...], unknown: Mapping[str, Any]
) -> None:
    """Refuse the calls that people write, with the one that is meant."""
    if not callable(fn):
        raise TypeError(
            f"gradcheck: fn is a {type(fn).__name__}, expected a function: give it uncalled and "
            "first, as in gradcheck(f, x)"
        )
    if len(rest) > 1 or not isinstance(rest[0], str):
        names = ", ".join(["x", "w", "b", "..."][: len(rest) + 1])
        raise TypeError(
            f"gradcheck: several inputs go in a tuple, gradcheck(f, ({names})), and options by "
            'name, as in method="central"'
        )
    if arrays.is_array(inputs) or not isinstance(inputs, Tensor | Iterable):
        raise TypeError(
            f"gradcheck: inputs is a {type(inputs).__name__}, expected a tensor or a tuple of "
            "them: gradcheck(f, mg.tensor(x, dtype='float64', requires_grad=True))"
        )
    if "atol" in unknown:
        raise TypeError("gradcheck: there is no atol: rtol is relative to the gradient's own size")
    if unknown:
        raise TypeError(
            f"gradcheck: {', '.join(unknown)} is unknown: use method, directions, rtol, eps, seed, "
            "raise_exception, parameters"
        )


def _repeatable(problem: Problem, upstream: Callable[[Array], Array]) -> tuple[Any, ...]:
    """Output, upstream and gradients, after a second run has given the same bits."""
    out, u, grads = problem.gradients(upstream)
    if not bool(array_module(out).isfinite(out).all()):
        raise GradcheckError("gradcheck: the output holds NaN or Inf; minigrad.detect_anomaly() "
                             "names the operation")  # fmt: skip
    again, _, others = problem.gradients(upstream)
    if not _same(out, again):
        raise GradcheckError(
            "gradcheck: two calls of fn gave different outputs; it must be deterministic: give "
            "dropout a fixed key, or call minigrad.manual_seed() at the beginning of fn"
        )
    for variable, one, other in zip(problem.variables, grads, others, strict=True):
        if (one is None) != (other is None) or (one is not None and not _same(one, other)):
            raise GradcheckError(
                f"gradcheck: two backward passes gave different gradients of {variable.name}: "
                "backward must not draw random numbers or change what it has saved"
            )
    return out, u, grads


def _same(one: Array, other: Array) -> bool:
    return bool(array_module(one).array_equal(one, other, equal_nan=True))


# ----- along random directions -----


def _check_direction(problem: Problem, number: int) -> None:
    def upstream(out: Array) -> Array:
        return random_like((problem.seed, number, 2**32 - 1), out)

    out, u, grads = _repeatable(problem, upstream)
    direction = problem.random_direction(number)
    numeric = dot(u, problem.slope(direction))
    analytic = math.fsum(dot(direction(i), g) for i, g in enumerate(grads))
    scheme = problem.scheme
    expected = math.sqrt(sum(norm(g) ** 2 for g in grads if g is not None))
    floor = norm(u) * scheme.floor(out, problem.input_size)
    tolerance = scheme.rtol * expected + floor
    if abs(analytic - numeric) <= tolerance:  # False for NaN
        return
    worst, analytic_one, numeric_one = _locate(problem, u, grads)
    raise GradcheckError(
        f"gradcheck ({scheme.name}): {_comparison(analytic_one, numeric_one)} at {worst} "
        f"(analytic {analytic_one:.6g}, numeric {numeric_one:.6g}; along direction {number} "
        f"{analytic:.10g} against {numeric:.10g}, tolerance {tolerance:.2g})"
    )


def _locate(problem: Problem, u: Array, grads: list[Any]) -> tuple[str, float, float]:
    """Find a wrong element: the variable with the largest gap, then halves of it, then one by one.

    Halving takes two probes a level, so that an element is named in a tensor of any size.
    """

    def gap(index: int, direction: Direction) -> float:
        difference = dot(direction(index), grads[index]) - dot(u, problem.slope(direction))
        return abs(difference) if math.isfinite(difference) else math.inf

    sizes = [v.tensor.numel() for v in problem.variables]
    index = max(
        (i for i, size in enumerate(sizes) if size),
        key=lambda i: gap(i, problem.random_direction(0, only=i)),
    )
    low, high = 0, sizes[index]
    while high - low > 1 and sizes[index] > MOST_PROBES:
        middle = (low + high) // 2
        left = gap(index, problem.span(index, low, middle))
        right = gap(index, problem.span(index, middle, high))
        low, high = (low, middle) if left > right else (middle, high)

    def both(flat: int) -> tuple[float, float]:
        grad = grads[index]
        analytic = 0.0 if grad is None else float(grad[np.unravel_index(flat, grad.shape)])
        return analytic, dot(u, problem.slope(problem.step(index, flat)))

    pairs = {flat: both(flat) for flat in range(low, high)}
    worst = max(pairs, key=lambda flat: _distance(*pairs[flat]))
    return problem.where(index, worst), *pairs[worst]


def _distance(analytic: float, numeric: float) -> float:
    difference = abs(analytic - numeric)
    return difference if math.isfinite(difference) else math.inf


def _comparison(analytic: float, numeric: float) -> str:
    """The two numbers as a sentence with their ratio, rounded where it is a simple one."""
    if not abs(numeric) > 1e-12 * abs(analytic):
        return f"analytic = {analytic:.6g}, numeric = {numeric:.6g}"
    ratio = analytic / numeric
    for simple in (ratio, 2 * ratio):
        if math.isfinite(ratio) and abs(simple - round(simple)) <= 1e-4 * abs(simple):
            return f"analytic = {round(simple) * ratio / simple if simple else 0:g} × numeric"
    if math.isfinite(ratio) and abs(1 / ratio - round(1 / ratio)) <= 1e-4 * abs(1 / ratio):
        return f"analytic = 1/{round(1 / ratio)} × numeric"
    return f"analytic = {ratio:.4g} × numeric"


# ----- every entry -----


def _check_jacobian(problem: Problem) -> None:
    """Rows from backward, one for each output element; columns from slopes along each input's."""
    outputs = problem.forward().numel()
    if problem.size * outputs > LARGEST_JACOBIAN:
        raise ValueError(
            f"gradcheck: the Jacobian has {outputs} x {problem.size} entries, more than "
            f"{LARGEST_JACOBIAN}: use method='complex', whose cost does not depend on the sizes"
        )
    out, analytic = _rows(problem, outputs)
    columns = [_columns(problem, i, outputs) for i in range(len(problem.variables))]
    numeric = np.concatenate(columns, axis=1)
    scheme = problem.scheme
    scale = np.maximum(abs(analytic), abs(numeric))
    floor = ROUNDING * float(scale.max()) + scheme.floor(out, problem.input_size)
    excess = abs(analytic - numeric) - scheme.rtol * scale
    excess[np.isnan(excess)] = np.inf
    if float(excess.max()) <= floor:
        return
    row, column = np.unravel_index(int(excess.argmax()), excess.shape)
    a, n = float(analytic[row, column]), float(numeric[row, column])
    place = tuple(int(i) for i in np.unravel_index(row, out.shape))
    index, flat = 0, int(column)
    while flat >= problem.variables[index].tensor.numel():
        flat -= problem.variables[index].tensor.numel()
        index += 1
    raise GradcheckError(
        f"gradcheck (jacobian): {_comparison(a, n)} at {problem.where(index, flat)}, output "
        f"{list(place)} (analytic {a:.6g}, numeric {n:.6g})"
    )


def _rows(problem: Problem, outputs: int) -> tuple[Array, Any]:
    """The output, and the Jacobian (outputs, inputs) by backward passes with one-hot gradients."""
    jacobian = np.zeros((outputs, problem.size))
    out: Array = None
    for row in range(outputs):

        def one_hot(data: Array, row: int = row) -> Array:
            u = np.zeros(data.shape)
            u.flat[row] = 1.0
            return arrays.to_device(u, arrays.device_of(data))

        # The first one also looks at determinism.
        out, _, grads = problem.gradients(one_hot) if row else _repeatable(problem, one_hot)
        start = 0
        for variable, grad in zip(problem.variables, grads, strict=True):
            end = start + variable.tensor.numel()
            if grad is not None:
                jacobian[row, start:end] = arrays.to_numpy(grad).reshape(-1)
            start = end
    return out, jacobian


def _columns(problem: Problem, index: int, outputs: int) -> Any:
    """The part of the Jacobian that belongs to one variable, by slopes."""
    size = problem.variables[index].tensor.numel()
    part = np.empty((outputs, size))
    for flat in range(size):
        slope = problem.slope(problem.step(index, flat))
        part[:, flat] = arrays.to_numpy(slope).reshape(-1)
    return part
