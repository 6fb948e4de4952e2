"""The table of operations that drives their tests: one line for each call worth checking.

Inputs keep clear of kinks (away from 0 for ReLU, all elements different for pools), so that a
finite step never crosses one; the rule at each kink has a test of its own.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Tensor
from minigrad.kernels.activation import relu_naive
from minigrad.kernels.contrast import contrast_norm_naive
from minigrad.kernels.conv import conv2d_naive
from minigrad.kernels.dropout import dropout_mask, dropout_naive
from minigrad.kernels.linear import linear_naive
from minigrad.kernels.lrn import lrn_naive
from minigrad.kernels.pool import avg_pool2d_naive, max_pool2d_naive
from minigrad.kernels.softmax import cross_entropy_naive, softmax_naive
from minigrad.nn import functional as F
from minigrad.random import Key

Maker = Callable[[np.random.Generator], Any]
KEY = Key(7, 3)


def normal(*shape: int) -> Maker:
    """Standard normal numbers."""
    return lambda rng: rng.normal(size=shape)


def away(*shape: int) -> Maker:
    """Signed numbers of at least 0.1, at most 2."""
    return lambda rng: rng.uniform(0.1, 2, shape) * rng.choice([-1, 1], shape)


def positive(*shape: int) -> Maker:
    """Numbers in [0.5, 2]."""
    return lambda rng: rng.uniform(0.5, 2, shape)


def distinct(*shape: int) -> Maker:
    """Signed numbers, any two of which differ by at least 0.05."""

    def make(rng: np.random.Generator) -> Any:
        count = int(np.prod(shape))
        return ((rng.permutation(count) - 0.37 * count) * 0.05).reshape(shape)

    return make


def labels(count: int, classes: int) -> Maker:
    """Integer class labels, the last class among them."""
    return lambda rng: (np.arange(count) * 2 + classes - 1) % classes


def label_map(ignored: int, classes: int, *shape: int) -> Maker:
    """Integer class labels of any shape, the first of which is `ignored`."""

    def make(rng: np.random.Generator) -> Any:
        made = rng.integers(0, classes, shape)
        made.reshape(-1)[:1] = ignored
        return made

    return make


def fractions(*shape: int) -> Maker:
    """Numbers in [0.1, 0.9]."""
    return lambda rng: rng.uniform(0.1, 0.9, shape)


def log_probabilities(*shape: int) -> Maker:
    """Rows whose exponentials sum to 1."""

    def make(rng: np.random.Generator) -> Any:
        x = rng.normal(size=shape)
        return x - np.log(np.exp(x).sum(-1, keepdims=True))

    return make


def integers(low: int, high: int, *shape: int) -> Maker:
    """Whole numbers from low to high - 1."""
    return lambda rng: rng.integers(low, high, shape)


@dataclass(frozen=True)
class Case:
    """One call of one operation.

    `naive` and `torch` compute the same from arrays, and from the torch module and its tensors.
    `batched` are the inputs whose first axis may be empty. Integer inputs are labels.
    """

    operation: str
    name: str
    call: Callable[..., Tensor]
    inputs: tuple[Maker, ...]
    naive: Callable[..., Any] | None = None
    torch: Callable[..., Any] | None = None
    batched: tuple[int, ...] = (0,)
    differentiable: bool = True
    float32_tolerance: float = 2e-5

    def arrays(self, dtype: Any = np.float64, seed: int = 0) -> list[Any]:
        """Fresh inputs, the same for a seed."""
        rng = np.random.default_rng((seed, len(self.name)))
        made = [np.asarray(make(rng)) for make in self.inputs]
        return [a.astype(dtype) if a.dtype.kind == "f" else a for a in made]

    def tensors(self, dtype: Any = np.float64, seed: int = 0) -> list[Tensor]:
        """The inputs as leaves."""
        return leaves(self.arrays(dtype, seed))

    def upstream(self, shape: tuple[int, ...], dtype: Any = np.float64) -> Any:
        """A signed gradient for the output."""
        return np.asarray(np.random.default_rng(99).normal(size=shape)).astype(dtype)

    def run(self, arrays: list[Any], upstream: Any = None) -> tuple[Any, list[Any]]:
        """Forward and backward on arrays: the output, and the gradient of each float input."""
        tensors = leaves(arrays)
        out = self.call(*tensors)
        if not self.differentiable:
            return out.data, []
        out.backward(self.upstream(out.shape, out.dtype) if upstream is None else upstream)
        return out.data, [t.grad.data for t in tensors if t.requires_grad and t.grad is not None]


def sigmoid_naive(x: Any) -> Any:
    """1 / (1 + exp(-x)), element by element."""
    return np.array([1 / (1 + math.exp(-v)) for v in x.ravel()], x.dtype).reshape(x.shape)


def leaves(arrays: list[Any]) -> list[Tensor]:
    """Tensors on the very arrays; float ones require a gradient."""
    return [Tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]


def _case(operation: str, call: Any, *inputs: Maker, name: str = "", **options: Any) -> Case:
    return Case(operation, f"{operation}-{name}" if name else operation, call, inputs, **options)


def _conv(name: str, x: tuple[int, ...], w: tuple[int, ...], bias: bool = True, **how: Any) -> Case:
    """conv2d on x and weight of these shapes; `how` are its options."""

    def pairs() -> dict[str, Any]:
        both = {k: v if isinstance(v, tuple) else (v, v) for k, v in how.items() if k != "groups"}
        return {**both, "groups": how.get("groups", 1)}

    makers = (normal(*x), normal(*w), *((normal(w[0]),) if bias else ()))
    return _case(
        "conv2d", lambda x, w, b=None: F.conv2d(x, w, b, **how), *makers, name=name,
        naive=lambda x, w, b=None: conv2d_naive(x, w, b, **pairs())[0],
        torch=lambda t, x, w, b=None: t.nn.functional.conv2d(x, w, b, **how),
        float32_tolerance=1e-4,
    )  # fmt: skip


def _max_pool(name: str, shape: tuple[int, ...], kernel: Any, **how: Any) -> Case:
    def two(value: Any) -> Any:
        return value if isinstance(value, tuple) else (value, value)

    sizes = {k: v if k == "ceil_mode" else two(v) for k, v in how.items()}
    return _case(
        "max_pool2d", lambda x: F.max_pool2d(x, kernel, **how), distinct(*shape), name=name,
        naive=lambda x: max_pool2d_naive(x, two(kernel), **sizes)[0],
        torch=lambda t, x: t.nn.functional.max_pool2d(x, kernel, **how),
    )  # fmt: skip


def _avg_pool(name: str, shape: tuple[int, ...], kernel: Any, **how: Any) -> Case:
    return _case(
        "avg_pool2d", lambda x: F.avg_pool2d(x, kernel, **how), normal(*shape), name=name,
        torch=lambda t, x: t.nn.functional.avg_pool2d(x, kernel, **how),
    )  # fmt: skip


def _lrn(name: str, channels: int, n: int, alpha: float, *, k: float = 2.0, beta: float = 0.75,
         groups: int = 1) -> Case:  # fmt: skip
    def twin(t: Any, x: Any) -> Any:
        parts = x.chunk(groups, 1)
        norm = t.nn.functional.local_response_norm
        return t.cat([norm(p, n, alpha * n, beta, k) for p in parts], 1)

    return _case(
        "lrn", lambda x: F.lrn(x, n, k, alpha, beta, groups), away(2, channels, 3, 2), name=name,
        naive=lambda x: lrn_naive(x, n, k, alpha, beta, groups), torch=twin,
    )  # fmt: skip


def _contrast(name: str, size: int, alpha: float, mean: bool, side: tuple[int, int]) -> Case:
    return _case(
        "local_contrast_norm", lambda x: F.local_contrast_norm(x, size, alpha, 0.75, 1.0, mean),
        normal(2, 3, *side), name=name,
        naive=lambda x: contrast_norm_naive(x, size, alpha, 0.75, 1.0, mean),
    )  # fmt: skip


def _same(operation: str, maker: Maker, **options: Any) -> Case:
    """A function of one argument that NumPy, torch and we all call the same."""
    options.setdefault("naive", getattr(np, operation, None))
    options.setdefault("torch", lambda t, x: getattr(t, operation)(x))
    return _case(operation, getattr(mg, operation), maker, **options)


_ELEMENTWISE = [
    *(
        _case(op, getattr(mg, op), first, second, naive=getattr(np, twin),
              torch=lambda t, a, b, op=op: getattr(t, op)(a, b), batched=(0, 1))
        for op, twin, first, second in (
            ("add", "add", normal(2, 3), normal(2, 3)),
            ("sub", "subtract", normal(2, 3), normal(2, 3)),
            ("mul", "multiply", normal(2, 3), normal(2, 3)),
            ("div", "divide", normal(2, 3), away(2, 3)),
            ("pow", "power", positive(2, 3), normal(2, 3)),
            ("maximum", "maximum", distinct(2, 3), normal(2, 3)),
            ("minimum", "minimum", distinct(2, 3), normal(2, 3)),
        )
    ),
    *(
        _case(op, getattr(mg, op), first, second, name="broadcast", batched=(),
              torch=lambda t, a, b, op=op: getattr(t, op)(a, b))
        for op in ("add", "sub", "mul", "div", "pow", "maximum", "minimum")
        for first, second in ((positive(3, 1, 2), positive(4, 1)),)
    ),
    _case("add", lambda x: x + x, normal(3, 2), name="same tensor twice", naive=lambda x: x + x),
    _case("mul", lambda x: x * x, normal(3, 2), name="same tensor twice", naive=lambda x: x * x),
    _case("sub", lambda x: 2 - x, normal(3), name="number on the left", naive=lambda x: 2 - x),
    _case("div", lambda x: 2 / x, away(3), name="number on the left", naive=lambda x: 2 / x),
    _case("pow", lambda x: x**3, away(3, 2), name="cube", naive=lambda x: x**3),
    _case("pow", lambda x: x**-0.5, positive(3, 2), name="root", naive=lambda x: x**-0.5),
    _case("pow", lambda x: 2**x, normal(3, 2), name="exponent", naive=lambda x: 2**x),
    _case("neg", mg.neg, normal(3, 2), naive=np.negative, torch=lambda t, x: -x),
    _same("exp", normal(3, 2)),
    _same("log", positive(3, 2)),
    _same("sqrt", positive(3, 2)),
    _same("abs", away(3, 2)),
    _case("clamp", lambda x: mg.clamp(x, -0.62, 0.71), distinct(7, 9), name="both",
          naive=lambda x: np.clip(x, -0.62, 0.71), torch=lambda t, x: x.clamp(-0.62, 0.71)),
    _case("clamp", lambda x: mg.clamp(x, min=0.01), away(7, 3), name="below",
          naive=lambda x: np.maximum(x, 0.01)),
    *(_case("clamp", lambda x, a, b, pick=pick: mg.clamp(x, *pick(a, b)), distinct(3, 4, 5),
            normal(4, 1), positive(5), name=name, batched=(),
            torch=lambda t, x, a, b, pick=pick: t.clamp(x, *pick(a, b)))
      for name, pick in (("tensors", lambda a, b: (a - 1, b)),
                         ("the wrong way round", lambda a, b: (b, a)))),
    _case("clip", lambda x: mg.clip(x, max=0.01), away(7, 3), naive=lambda x: np.minimum(x, 0.01)),
    _case("where", lambda a, b: mg.where(a > 0.2, a, b), distinct(4, 3), normal(4, 3),
          torch=lambda t, a, b: t.where(a > 0.2, a, b), batched=(0, 1)),
    _case("where", lambda a, b: mg.where(mg.tensor([[True], [False]], device=a.device), a, b),
          normal(3), normal(1),
          name="broadcast", naive=lambda a, b: np.where([[True], [False]], a, b), batched=()),
    _case("clone", mg.clone, normal(3, 2), naive=np.copy),
    _case("to_device", lambda x: mg.to_device(x, "cpu") * 1, normal(3, 2), naive=np.copy),
]  # fmt: skip

_COMPARISONS = [
    _case(op, getattr(mg, op), distinct(3, 2), distinct(3, 2), differentiable=False,
          naive=getattr(np, twin), torch=lambda t, a, b, op=op: getattr(t, op)(a, b),
          batched=(0, 1))
    for op, twin in (("eq", "equal"), ("ne", "not_equal"), ("lt", "less"), ("le", "less_equal"),
                     ("gt", "greater"), ("ge", "greater_equal"))
]  # fmt: skip

_INTEGER = [
    *(_case("remainder", mg.remainder, first, second, name=name, naive=np.remainder, batched=(),
            torch=lambda t, a, b: t.remainder(a, b))
      for name, first, second in (("signs", distinct(4, 3), away(4, 3)),
                                  ("broadcast", distinct(4, 1, 2), away(3, 1)))),
    _case("remainder", lambda x: 7 % x, away(5), name="number on the left",
          naive=lambda x: 7 % x, torch=lambda t, x: t.remainder(t.full_like(x, 7), x)),
    _case("remainder", lambda x: x % -0.3, away(5), name="number", naive=lambda x: x % -0.3,
          torch=lambda t, x: x % -0.3),
    _case("floor_divide", mg.floor_divide, distinct(4, 3), away(4, 3), differentiable=False,
          naive=np.floor_divide, torch=lambda t, a, b: a // b, batched=(0, 1)),
    _case("floor_divide", lambda a: 9 // (a - 6), integers(0, 5, 7), differentiable=False,
          name="whole numbers", naive=lambda a: 9 // (a - 6), torch=lambda t, a: 9 // (a - 6)),
    *(_case("round", lambda x, d=places: mg.round(x * 4, d) + x, distinct(4, 3),
            name=f"{places} decimals", naive=lambda x, d=places: np.round(x * 4, d) + x,
            torch=lambda t, x, d=places: t.round(x * 4, decimals=d) + x) for places in (0, 1)),
    *(_case(op, getattr(mg, op), integers(-9, 9, 4, 3), integers(0, 9, 4, 3), batched=(0, 1),
            differentiable=False, naive=getattr(np, op),
            torch=lambda t, a, b, op=op: getattr(t, op)(a, b))
      for op in ("bitwise_and", "bitwise_or", "bitwise_xor")),
    _case("bitwise_not", mg.bitwise_not, integers(-9, 9, 4, 3), differentiable=False,
          naive=np.invert, torch=lambda t, a: ~a),
]  # fmt: skip

_REDUCTIONS = [
    _same("sum", normal(3, 4)),
    _case("sum", lambda x: mg.sum(x, (0, -1)), normal(3, 4, 2), name="axes",
          naive=lambda x: x.sum((0, 2)), torch=lambda t, x: x.sum((0, 2))),
    _same("mean", normal(3, 4), batched=()),
    _case("mean", lambda x: mg.mean(x, 1, keepdim=True), normal(3, 4, 2), name="axis",
          naive=lambda x: x.mean(1, keepdims=True), torch=lambda t, x: x.mean(1, keepdim=True)),
    _case("var", lambda x: mg.var(x, 1), normal(3, 4), naive=lambda x: x.var(1, ddof=1),
          torch=lambda t, x: x.var(1)),
    _case("std", lambda x: mg.std(x, 1, correction=0), normal(3, 4), naive=lambda x: x.std(1),
          torch=lambda t, x: x.std(1, correction=0)),
    *(
        _case(op, lambda x, op=op: getattr(mg, op)(x, (0, 2), keepdim=True), distinct(3, 4, 2),
              torch=lambda t, x, op=op: getattr(t, op)(x, (0, 2), keepdim=True), batched=())
        for op in ("amax", "amin")
    ),
    *(
        _case(op, lambda x, op=op: getattr(mg, op)(x, 1).values, distinct(3, 4, 2), name="axis",
              torch=lambda t, x, op=op: getattr(t, op)(x, 1).values)
        for op in ("max", "min")
    ),
    *(_case(op, getattr(mg, op), distinct(3, 4), name="all", batched=(),
            naive=getattr(np, op), torch=lambda t, x, op=op: getattr(t, op)(x))
      for op in ("max", "min")),
    *(_case(op, lambda x, op=op: getattr(mg, op)(x, 1), distinct(3, 4), differentiable=False,
            naive=lambda x, op=op: getattr(np, op)(x, 1), torch=lambda t, x, op=op:
            getattr(t, op)(x, 1)) for op in ("argmax", "argmin")),
]  # fmt: skip


def special(*shape: int) -> Maker:
    """Numbers among which NaN, inf and -inf are."""

    def make(rng: np.random.Generator) -> Any:
        made = rng.normal(size=shape)
        made.reshape(-1)[:4] = np.nan, np.inf, -np.inf, 0
        return made

    return make


_TRUTH = [
    *(_case(op, getattr(mg, op), special(3, 4), differentiable=False, naive=getattr(np, op),
            torch=lambda t, x, op=op: getattr(t, op)(x)) for op in ("isnan", "isinf", "isfinite")),
    *(_case(op, lambda x, op=op, axes=axes: getattr(mg, op)(x, *axes), integers(0, 2, 3, 2, 2),
            name=f"{axes}", differentiable=False, batched=(),
            torch=lambda t, x, op=op, axes=axes: getattr(t, op)(x, *axes))
      for op in ("any", "all") for axes in ((), (1,), ((0, -1), True))),
]  # fmt: skip

_NORM_ORDERS = [
    _case("norm", lambda x, p=p, how=how: mg.norm(x, p, *how), distinct(3, 4, 2),
          name=f"{p}, {how}", batched=(), torch=lambda t, x, p=p, how=how: t.norm(x, p, *how))
    for p, how in (("fro", ()), (2, (1,)), (1, (0, True)), (1, ()), (3, ((0, 2),)), (1.5, (-1,)),
                   (0.5, (1,)), (-2, ()), (math.inf, (1,)), (-math.inf, ()))
]  # fmt: skip

_ORDER = [
    *(_case("sort", lambda x, how=how: mg.sort(x, *how).values, distinct(3, 4, 2), name=f"{how}",
            batched=() if how[:1] == (0,) else (0,),
            torch=lambda t, x, how=how: t.sort(x, *how).values)
      for how in ((), (1,), (1, True), (0, True))),
    *(_case("argsort", lambda x, down=down: mg.argsort(x, 1, down), special(3, 4), name=f"{down}",
            differentiable=False, torch=lambda t, x, down=down:
            t.argsort(x, dim=1, descending=down, stable=True)) for down in (False, True)),
    *(_case("topk", lambda x, k=k, how=how: mg.topk(x, k, *how).values, distinct(3, 5, 2),
            name=f"{k}, {how}", torch=lambda t, x, k=k, how=how: t.topk(x, k, *how).values)
      for k, how in ((2, ()), (3, (1,)), (1, (1, False)), (5, (1, False)))),
]  # fmt: skip

_PIECES = [
    *(_case("split", lambda x, size=size: mg.cat(mg.split(x, size, 1)[::-1], 1), normal(3, 5),
            name=f"{size}", torch=lambda t, x, size=size: t.cat(t.split(x, size, 1)[::-1], 1))
      for size in (2, 7, [3, 0, 2])),
    *(_case("chunk", lambda x, n=n: mg.cat(mg.chunk(x, n, -1)[::-1], 1), normal(3, 5), name=f"{n}",
            torch=lambda t, x, n=n: t.cat(t.chunk(x, n, -1)[::-1], 1)) for n in (2, 3, 4)),
    *(_case("expand", lambda x, times=times: x.repeat(*times), normal(3, 2), name=f"repeat {times}",
            naive=lambda x, times=times: np.tile(x, times), batched=(0,),
            torch=lambda t, x, times=times: x.repeat(*times))
      for times in ((2, 3), (1, 1), (2, 1, 3))),
]  # fmt: skip

_EINSUMS = [
    _case("einsum", lambda *xs, e=equation: mg.einsum(e, *xs), *(normal(*s) for s in shapes),
          name=f"{equation} {shapes}", batched=(),
          naive=lambda *xs, e=equation: np.einsum(e, *xs),
          torch=lambda t, *xs, e=equation: t.einsum(e, *xs))
    for equation, shapes in (
        ("ij,jk->ik", ((2, 3), (3, 4))),
        ("ij,jk", ((2, 3), (3, 4))),
        ("bij,bjk->bki", ((2, 3, 4), (2, 4, 2))),
        ("i,j->ji", ((3,), (4,))),
        ("ij,ij->i", ((3, 4), (3, 4))),
        ("ij,ij", ((3, 4), (3, 4))),
        ("ba", ((3, 4),)),
        ("ijk->k", ((2, 3, 4),)),
        ("ii", ((3, 3),)),
        ("bii->bi", ((2, 3, 3),)),
        ("iij,ji->i", ((3, 3, 2), (2, 3))),
        ("ij,kj,kl->il", ((2, 3), (4, 3), (4, 2))),
        ("ij,jk,kl,lm->im", ((2, 5), (5, 3), (3, 4), (4, 2))),
        ("i,i,i->i", ((3,), (3,), (3,))),
        ("ij,k->j", ((2, 3), (4,))),
        ("...ij,...jk->...ik", ((5, 1, 2, 3), (4, 3, 2))),
        ("...i,i->...", ((2, 4, 3), (3,))),
        ("i...->...i", ((2, 3, 4),)),
        ("ij,jk->ik", ((2, 1), (3, 4))),
        ("bhqd,bhkd->bhqk", ((2, 2, 3, 4), (2, 2, 5, 4))),
    )
]

_ROWS = np.array([2, 0, 2, 2])
_SHAPES = [
    _case("reshape", lambda x: mg.reshape(x, 4, 3), normal(2, 6), naive=lambda x: x.reshape(4, 3),
          batched=()),
    _case("view", lambda x: mg.view(x, (-1, 2)), normal(2, 6), naive=lambda x: x.reshape(-1, 2),
          batched=()),
    _case("flatten", lambda x: mg.flatten(x, 1), normal(2, 3, 4),
          naive=lambda x: x.reshape(len(x), 12), torch=lambda t, x: x.flatten(1)),
    _case("permute", lambda x: mg.permute(x, 2, 0, 1), normal(2, 3, 4),
          naive=lambda x: x.transpose(2, 0, 1), torch=lambda t, x: x.permute(2, 0, 1)),
    _case("transpose", lambda x: mg.transpose(x, 0, -1), normal(2, 3, 4),
          naive=lambda x: x.swapaxes(0, 2), torch=lambda t, x: x.transpose(0, 2)),
    _case("transpose", lambda x: x.T + x.transpose(0, -1) + x.t(), normal(), name="a number",
          naive=lambda x: 3 * x, batched=()),
    _case("t", lambda x: x.t(), normal(2, 3), naive=np.transpose, torch=lambda t, x: x.t()),
    _case("squeeze", lambda x: mg.squeeze(x, 1), normal(2, 1, 3), naive=lambda x: x[:, 0]),
    _case("unsqueeze", lambda x: mg.unsqueeze(x, -1), normal(2, 3), naive=lambda x: x[..., None]),
    _case("expand", lambda x: mg.expand(x, 4, -1, 3), normal(2, 1), batched=(),
          naive=lambda x: np.broadcast_to(x, (4, 2, 3)), torch=lambda t, x: x.expand(4, -1, 3)),
    _case("getitem", lambda x: x[1:, ::-2, None, 0], normal(3, 4, 2), name="slices", batched=(),
          naive=lambda x: x[1:, ::-2, None, 0]),
    _case("getitem", lambda x: x[_ROWS], normal(3, 4), name="repeated rows", batched=(),
          naive=lambda x: x[_ROWS], torch=lambda t, x: x[t.from_numpy(_ROWS)]),
    _case("getitem", lambda x: x[..., [3, 0, -1]], normal(3, 4), name="list",
          naive=lambda x: x[..., [3, 0, -1]]),
    _case("getitem", lambda x: x[x > 0.2], distinct(3, 4), name="mask", naive=lambda x: x[x > 0.2]),
    _case("assign", lambda a, b: mg.assign(a, (slice(1, 3), 0), b), normal(3, 4), normal(2),
          batched=()),
    _case("assign", lambda b: mg.assign(mg.ones(3, 4, dtype=b.dtype, device=b.device),
                                   (slice(None), 1), b),
          normal(1), name="into a constant", batched=()),
    *(_case(op, lambda a, b, op=op: getattr(mg, op)([a, b, a], 1), normal(2, 3), normal(2, 1),
            naive=lambda a, b: np.concatenate([a, b, a], 1), batched=(0, 1),
            torch=lambda t, a, b: t.cat([a, b, a], 1)) for op in ("cat", "concatenate")),
    _case("stack", lambda a, b: mg.stack([a, b], 1), normal(2, 3), normal(2, 3), batched=(0, 1),
          naive=lambda a, b: np.stack([a, b], 1), torch=lambda t, a, b: t.stack([a, b], 1)),
    _case("pad", lambda x: F.pad(x, (1, 2, 0, 3), value=0.5), normal(2, 3, 4),
          naive=lambda x: np.pad(x, ((0, 0), (0, 3), (1, 2)), constant_values=0.5),
          torch=lambda t, x: t.nn.functional.pad(x, (1, 2, 0, 3), value=0.5)),
    *(_case("pad", lambda x, w=widths, m=mode: F.pad(x, w, m), normal(2, 3, 4, 5),
            name=f"{mode} {widths}", torch=lambda t, x, w=widths, m=mode:
            t.nn.functional.pad(x, w, m))
      for mode in ("reflect", "replicate", "circular")
      for widths in ((1, 2, 0, 0), (3, 0, 2, 1), (-1, 2, 1, -2))),
    _case("pad", lambda x: F.pad(x, (-1, 2, 1, -2)), normal(2, 3, 4), name="crop",
          torch=lambda t, x: t.nn.functional.pad(x, (-1, 2, 1, -2))),
]  # fmt: skip

_PRODUCTS = [
    *(
        _case("matmul", mg.matmul, normal(*a), normal(*b), name=f"{a}@{b}", batched=(),
              naive=np.matmul, torch=lambda t, a, b: t.matmul(a, b))
        for a, b in (((2, 3), (3, 4)), ((3,), (3,)), ((3,), (3, 4)), ((2, 3), (3,)),
                     ((5, 1, 2, 3), (4, 3, 2)), ((3,), (2, 3, 4)), ((2, 4, 3), (3,)))
    ),
    _case("matmul", mg.matmul, normal(2, 3), normal(3, 4), name="rows", naive=np.matmul),
    _case("linear", F.linear, normal(4, 3), normal(5, 3), normal(5), naive=linear_naive,
          torch=lambda t, x, w, b: t.nn.functional.linear(x, w, b)),
    _case("linear", F.linear, normal(2, 4, 3), normal(5, 3), name="no bias",
          torch=lambda t, x, w: t.nn.functional.linear(x, w)),
]  # fmt: skip

_ACTIVATIONS = [
    _case("relu", F.relu, away(3, 4), naive=relu_naive, torch=lambda t, x: t.relu(x)),
    _case("leaky_relu", lambda x: F.leaky_relu(x, 0.1), away(3, 4),
          naive=lambda x: np.where(x > 0, x, 0.1 * x),
          torch=lambda t, x: t.nn.functional.leaky_relu(x, 0.1)),
    *(
        _case("prelu", F.prelu, away(2, 3, 4), normal(n), name=f"{n} weights",
              torch=lambda t, x, w: t.nn.functional.prelu(x, w)) for n in (1, 3)
    ),
    _case("sigmoid", F.sigmoid, normal(3, 4), naive=sigmoid_naive,
          torch=lambda t, x: t.sigmoid(x)),
    _same("tanh", normal(3, 4)),
]  # fmt: skip


def _torch_same(t: Any, x: Any, w: Any, dilation: Any) -> Any:
    """PyTorch's padding="same", which warns of the copy that an even kernel needs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return t.nn.functional.conv2d(x, w, padding="same", dilation=dilation)


_CONVOLUTIONS = [
    _conv("plain", (2, 3, 5, 6), (4, 3, 3, 3)),
    _conv("no bias", (2, 3, 5, 6), (4, 3, 3, 3), bias=False),
    _conv("stride", (2, 3, 7, 8), (4, 3, 3, 3), stride=2),
    _conv("stride that leaves a rest", (2, 3, 8, 7), (4, 3, 3, 3), stride=3, padding=1),
    _conv("padding", (2, 3, 4, 5), (4, 3, 3, 3), padding=(2, 1)),
    _conv("dilation", (2, 3, 7, 8), (4, 3, 3, 2), dilation=(2, 3)),
    _conv("everything", (2, 4, 9, 8), (6, 2, 3, 2), stride=(2, 1), padding=(1, 2),
          dilation=(1, 2), groups=2),
    _conv("groups 2", (2, 4, 5, 5), (6, 2, 3, 3), groups=2, padding=1),
    _conv("depthwise", (2, 4, 5, 5), (4, 1, 3, 3), groups=4),
    _conv("depthwise with multiplier", (2, 3, 5, 5), (6, 1, 3, 3), groups=3),
    _conv("rectangle", (2, 2, 4, 9), (3, 2, 1, 4), stride=(1, 2)),
    _conv("1x1", (2, 5, 3, 4), (2, 5, 1, 1)),
    _conv("1x1 with stride", (2, 5, 5, 4), (2, 5, 1, 1), stride=2),
    _conv("kernel is the input", (3, 2, 4, 3), (5, 2, 4, 3)),
    _conv("one channel in and out", (1, 1, 4, 4), (1, 1, 3, 3)),
    # No more features than channels at stride 1: backward goes by columns of the gradient.
    _conv("fewer features", (2, 4, 5, 6), (3, 4, 3, 3), padding=1),
    _conv("fewer features, all options", (2, 6, 8, 7), (4, 3, 3, 2), padding=(2, 1),
          dilation=(2, 1), groups=2),
    _conv("fewer features, more padding than kernel", (2, 3, 4, 4), (2, 3, 2, 2), padding=2),
    _case("conv2d", lambda x, w: F.conv2d(x, w, padding="same"), normal(2, 2, 5, 4),
          normal(3, 2, 3, 5), name="same", torch=lambda t, x, w:
          t.nn.functional.conv2d(x, w, padding="same"), float32_tolerance=1e-4),
    *(_case("conv2d", lambda x, w, d=d: F.conv2d(x, w, padding="same", dilation=d),
            normal(2, 2, 5, 4), normal(3, 2, *kernel), name=f"same, {kernel}, dilation {d}",
            float32_tolerance=1e-4, torch=lambda t, x, w, d=d: _torch_same(t, x, w, d))
      for kernel, d in (((2, 2), 1), ((4, 1), 1), ((3, 4), (1, 3)), ((2, 6), 2))),
    _case("conv2d", F.conv2d, normal(2, 5, 4), normal(3, 2, 3, 3), name="one image",
          torch=lambda t, x, w: t.nn.functional.conv2d(x, w), batched=(), float32_tolerance=1e-4),
    _case("conv2d_relu", lambda x, w, b: F.conv2d_relu(x, w, b, 2, 1), normal(2, 3, 6, 5),
          normal(4, 3, 3, 3), normal(4), float32_tolerance=1e-4,
          naive=lambda x, w, b: np.maximum(conv2d_naive(x, w, b, (2, 2), (1, 1))[0], 0),
          torch=lambda t, x, w, b: t.relu(t.nn.functional.conv2d(x, w, b, 2, 1))),
]  # fmt: skip

_POOLS = [
    _max_pool("AlexNet's", (2, 3, 7, 7), 3, stride=2),
    _max_pool("plain", (2, 3, 6, 4), 2),
    _max_pool("gaps", (2, 3, 7, 8), 2, stride=3),
    _max_pool("padding", (2, 3, 6, 7), 3, stride=2, padding=1),
    _max_pool("dilation", (2, 3, 8, 9), (2, 3), stride=(1, 2), dilation=(3, 2)),
    _max_pool("ceil", (2, 3, 6, 8), 3, stride=2, ceil_mode=True),
    _max_pool("ceil and padding", (2, 3, 6, 8), 3, stride=2, padding=1, ceil_mode=True),
    _max_pool("rectangle", (2, 3, 4, 9), (1, 4), stride=(2, 3), padding=(0, 2)),
    _max_pool("the whole map", (2, 3, 4, 5), (4, 5)),
    _max_pool("stride 1", (1, 2, 5, 5), 3, stride=1),
    _case("max_pool2d", lambda x: F.max_pool2d(x, 3, 2, 1),
          lambda rng: distinct(2, 3, 6, 7)(rng) - 20, name="all negative"),
    *(
        _case("max_pool2d", lambda x, how=how: F.max_pool2d(x, *how, return_indices=True)[1],
              distinct(*shape), name=f"indices, {how} of {shape}", differentiable=False,
              batched=(0,) if len(shape) == 4 else (), torch=lambda t, x, how=how:
              t.nn.functional.max_pool2d(x, *how, return_indices=True)[1])
        for shape, how in (((2, 3, 7, 6), (3, 2)), ((2, 8, 9), ((2, 3), (1, 2), 1, (3, 2), True)))
    ),
    _case("avg_pool2d", lambda x: F.avg_pool2d(x, 3, 2, 1), normal(2, 3, 7, 6), name="padding",
          naive=lambda x: avg_pool2d_naive(x, (3, 3), (2, 2), (1, 1)),
          torch=lambda t, x: t.nn.functional.avg_pool2d(x, 3, 2, 1)),
    _avg_pool("plain", (2, 3, 6, 4), 2),
    _avg_pool("no stride", (2, 3, 6, 4), 2, stride=()),
    _avg_pool("padding not counted", (2, 3, 6, 7), 3, stride=2, padding=1, count_include_pad=False),
    _avg_pool("ceil", (2, 3, 6, 8), 3, stride=2, ceil_mode=True),
    _avg_pool("ceil and padding", (2, 3, 6, 8), (3, 2), stride=2, padding=1, ceil_mode=True),
    _avg_pool("divisor", (2, 3, 6, 8), (2, 3), divisor_override=5),
    _avg_pool("stride 1", (1, 2, 4, 5), 2, stride=1),
    *(
        _case(f"{kind}_pool2d", lambda x, kind=kind, how=how: getattr(F, f"{kind}_pool2d")(x, *how),
              distinct(3, 6, 8), name="one image", batched=(), torch=lambda t, x, kind=kind,
              how=how: getattr(t.nn.functional, f"{kind}_pool2d")(x, *how))
        for kind, how in (("max", (2, 3, 1, 1, True)), ("avg", (3, 2, 1, True, False)),
                          ("adaptive_avg", (4,)))
    ),
    *(
        _case("adaptive_avg_pool2d", lambda x, s=size: F.adaptive_avg_pool2d(x, s),
              normal(2, 3, 7, 6), name=str(size),
              torch=lambda t, x, s=size: t.nn.functional.adaptive_avg_pool2d(x, s))
        for size in (1, (7, 3), (3, 4), (None, 6), (9, 2))
    ),
]  # fmt: skip

_NORMS = [
    *(_lrn(f"n {n}, alpha {alpha:g}", 7, n, alpha) for n in (5, 4) for alpha in (1e-4, 0.1, 1.0)),
    _lrn("n 1", 4, 1, 1.0),
    _lrn("n 2", 4, 2, 1.0),
    _lrn("fewer channels than the window", 3, 5, 1.0),
    _lrn("fewer channels than an even window", 2, 6, 1.0),
    _lrn("one channel", 1, 5, 1.0),
    _lrn("two groups", 8, 5, 1.0, groups=2),
    _lrn("two groups, alpha 1e-4", 8, 5, 1e-4, groups=2),
    _lrn("beta 0.5", 7, 5, 1.0, k=1.0, beta=0.5),
    _lrn("beta 0.6", 7, 5, 0.1, k=1.0, beta=0.6),
    _case("local_response_norm", lambda x: F.local_response_norm(x, 5, 0.3, 0.75, 1.0),
          normal(2, 7, 3, 2), naive=lambda x: lrn_naive(x, 5, 1.0, 0.3 / 5, 0.75),
          torch=lambda t, x: t.nn.functional.local_response_norm(x, 5, 0.3, 0.75, 1.0)),
    *(
        _case("local_response_norm", lambda x, n=n: F.local_response_norm(x, n, 0.3, 0.75, 1.0),
              normal(*shape), name=f"{n} of {shape}", torch=lambda t, x, n=n:
              t.nn.functional.local_response_norm(x, n, 0.3, 0.75, 1.0))
        for n, shape in ((1, (2, 3, 2)), (5, (2, 7, 3)), (4, (2, 7, 3, 2, 2)))
    ),
    *(
        _contrast(f"size {size}, {'mean' if mean else 'no mean'}", size, alpha, mean, side)
        for size, alpha, side in ((5, 1.0, (6, 7)), (4, 0.1, (5, 5)), (3, 1e-3, (2, 4)))
        for mean in (True, False)
    ),
    _contrast("window beyond the map", 7, 1.0, True, (3, 2)),
    _contrast("window of one", 1, 1.0, False, (3, 2)),
]  # fmt: skip


def _batch_norm(name: str, shape: tuple[int, ...], *, affine: bool = True, training: bool = True,
                eps: float = 0.1) -> Case:  # fmt: skip
    """Of the batch in training, else of statistics that are given (and no input)."""
    mean, var = np.linspace(-1, 1, shape[1]), np.linspace(0.5, 2, shape[1])

    def call(x: Tensor, *parameters: Tensor) -> Tensor:
        given = [mg.tensor(a, dtype=x.data.real.dtype, device=x.device) for a in (mean, var)]
        return F.batch_norm(x, *given, *parameters, training=training, eps=eps)

    def naive(x: Any, weight: Any = 1, bias: Any = 0) -> Any:
        out = np.empty_like(x)
        for c in range(shape[1]):
            m, v = (x[:, c].mean(), x[:, c].var()) if training else (mean[c], var[c])
            scaled = (x[:, c] - m) / np.sqrt(v + eps)
            out[:, c] = scaled * weight[c] + bias[c] if affine else scaled
        return out

    parameters = [normal(shape[1])] * 2 if affine else []
    return _case(
        "batch_norm", call, normal(*shape), *parameters, name=name, naive=naive,
        torch=lambda t, x, *p: t.nn.functional.batch_norm(
            x, t.tensor(mean).to(x), t.tensor(var).to(x), *p, training=training, eps=eps),
    )  # fmt: skip


_BATCH_NORMS = [
    _batch_norm("maps", (4, 3, 2, 3)),
    _batch_norm("rows", (5, 3)),
    _batch_norm("not affine", (3, 2, 4), affine=False, eps=1e-5),
    _batch_norm("evaluation", (2, 3, 2, 2), training=False),
    _batch_norm("evaluation, not affine", (2, 3), affine=False, training=False),
]

_DROPOUTS = [
    _case("dropout", lambda x: F.dropout(x, 0.4, key=KEY), normal(8, 9),
          naive=lambda x: dropout_naive(x, dropout_mask(x.shape, 0.4, KEY), 0.4)),
    _case("dropout", lambda x: F.dropout(x, 0.4, training=False) * 1, normal(4, 5),
          name="evaluation", naive=np.copy),
    _case("dropout", lambda x: F.dropout(x, 1.0), normal(4, 5), name="p 1", naive=np.zeros_like),
    _case("paper_dropout", lambda x: F.paper_dropout(x, 0.4, key=KEY), normal(8, 9),
          naive=lambda x: x * dropout_mask(x.shape, 0.4, KEY)),
    _case("paper_dropout", lambda x: F.paper_dropout(x, 0.4, training=False), normal(4, 5),
          name="evaluation", naive=lambda x: x * 0.6),
]  # fmt: skip

_LOSSES = [
    *(
        _case(op, lambda x, op=op, d=dim: getattr(F, op)(x, d), normal(3, 4, 2), name=f"dim {dim}",
              torch=lambda t, x, op=op, d=dim: getattr(t, op)(x, d))
        for op in ("softmax", "log_softmax") for dim in (1, -1)
    ),
    _case("softmax", F.softmax, normal(3, 5), naive=softmax_naive),
    *(
        _case("cross_entropy", lambda x, y, r=reduction, s=smooth:
              F.cross_entropy(x, y, reduction=r, label_smoothing=s),
              normal(4, 5), labels(4, 5), name=f"{reduction}, smoothing {smooth}",
              batched=() if reduction == "mean" else (0, 1), torch=lambda t, x, y, r=reduction,
              s=smooth: t.nn.functional.cross_entropy(x, y, reduction=r, label_smoothing=s))
        for reduction, smooth in (("mean", 0.0), ("sum", 0.0), ("none", 0.0), ("mean", 0.1),
                                  ("none", 0.3))
    ),
    _case("cross_entropy",
          lambda x, y: F.cross_entropy(x, y, reduction="none", label_smoothing=0.2),
          normal(4, 5), labels(4, 5), name="naive", batched=(0, 1),
          naive=lambda x, y: cross_entropy_naive(x, y, 0.2)),
    *(
        _case("nll_loss", lambda x, y, r=reduction: F.nll_loss(x, y, reduction=r),
              log_probabilities(4, 5), labels(4, 5), name=reduction,
              batched=() if reduction == "mean" else (0, 1),
              torch=lambda t, x, y, r=reduction: t.nn.functional.nll_loss(x, y, reduction=r))
        for reduction in ("mean", "none")
    ),
    *(
        _case("mse_loss", lambda a, b, r=reduction: F.mse_loss(a, b, r), normal(4, 3), normal(4, 3),
              name=reduction, batched=() if reduction == "mean" else (0, 1),
              torch=lambda t, a, b, r=reduction: t.nn.functional.mse_loss(a, b, reduction=r))
        for reduction in ("mean", "sum")
    ),
]  # fmt: skip

CLASS_WEIGHTS = np.array([0.5, 2.0, 1.0, 0.25, 3.0])


def _class_losses(operation: str, name: str, x: Maker, y: Maker, **how: Any) -> list[Case]:
    """A loss against classes with these options, for each reduction; both call it the same."""
    weighted = how.pop("weighted", False)

    def ours(x: Any, y: Any, r: str) -> Any:
        weight = mg.tensor(CLASS_WEIGHTS, dtype=x.data.real.dtype, device=x.device)
        return getattr(F, operation)(x, y, weight if weighted else None, reduction=r, **how)

    def theirs(t: Any, x: Any, y: Any, r: str) -> Any:
        weight = t.tensor(CLASS_WEIGHTS, dtype=x.dtype) if weighted else None
        return getattr(t.nn.functional, operation)(x, y, weight, reduction=r, **how)

    return [
        _case(operation, lambda x, y, r=r: ours(x, y, r), x, y, name=f"{name}, {r}",
              torch=lambda t, x, y, r=r: theirs(t, x, y, r), batched=() if r == "mean" else (0, 1))
        for r in ("mean", "sum", "none")
    ]  # fmt: skip


_LOSSES += [
    *_class_losses("cross_entropy", "weights", normal(6, 5), label_map(0, 5, 6), weighted=True),
    *_class_losses("cross_entropy", "ignored", normal(6, 5), label_map(-100, 5, 6)),
    *_class_losses("cross_entropy", "ignored class", normal(6, 5), label_map(2, 5, 6),
                   ignore_index=2, label_smoothing=0.2),
    *_class_losses("cross_entropy", "all at once", normal(3, 5, 2, 4), label_map(9, 5, 3, 2, 4),
                   weighted=True, ignore_index=9, label_smoothing=0.2),
    *_class_losses("cross_entropy", "maps", normal(3, 5, 2), label_map(0, 5, 3, 2)),
    *_class_losses("cross_entropy", "probabilities", normal(4, 5), fractions(4, 5)),
    *_class_losses("cross_entropy", "probabilities, all at once", normal(2, 5, 3),
                   fractions(2, 5, 3), weighted=True, label_smoothing=0.2),
    *_class_losses("nll_loss", "all at once", normal(3, 5, 2, 4), label_map(9, 5, 3, 2, 4),
                   weighted=True, ignore_index=9),
    _case("cross_entropy", F.cross_entropy, normal(5), label_map(3, 5), name="one sample",
          batched=(), torch=lambda t, x, y: t.nn.functional.cross_entropy(x, y)),
    _case("nll_loss", F.nll_loss, normal(5), label_map(3, 5), name="one sample",
          batched=(), torch=lambda t, x, y: t.nn.functional.nll_loss(x, y)),
    _case("one_hot", F.one_hot, label_map(0, 5, 3, 2), batched=(), differentiable=False,
          torch=lambda t, y: t.nn.functional.one_hot(y)),
    _case("one_hot", lambda y: F.one_hot(y, 7), label_map(0, 5, 3), name="7 classes",
          differentiable=False, naive=lambda y: np.eye(7)[y]),
    *(
        _case("l1_loss", lambda a, b, r=r: F.l1_loss(a, b, r), distinct(4, 3), normal(4, 3), name=r,
              batched=() if r == "mean" else (0, 1),
              torch=lambda t, a, b, r=r: t.nn.functional.l1_loss(a, b, reduction=r))
        for r in ("mean", "sum", "none")
    ),
    *(
        _case("smooth_l1_loss", lambda a, b, h=h: F.smooth_l1_loss(a, b, beta=h), distinct(4, 3),
              normal(4, 3), name=f"beta {h}", batched=(),
              torch=lambda t, a, b, h=h: t.nn.functional.smooth_l1_loss(a, b, beta=h))
        for h in (0, 0.5, 1.0)
    ),
    *(
        _case("binary_cross_entropy", lambda a, b, r=r: F.binary_cross_entropy(a, b, reduction=r),
              fractions(4, 3), fractions(4, 3), name=r, batched=() if r == "mean" else (0, 1),
              torch=lambda t, a, b, r=r: t.nn.functional.binary_cross_entropy(a, b, reduction=r))
        for r in ("mean", "sum", "none")
    ),
    _case("binary_cross_entropy", lambda a, b: F.binary_cross_entropy(a, b, [1.0, 2, 3]),
          fractions(4, 3), fractions(4, 3), name="weight", batched=(), torch=lambda t, a, b:
          t.nn.functional.binary_cross_entropy(a, b, t.tensor([1, 2, 3], dtype=a.dtype))),
    *(
        _case("binary_cross_entropy_with_logits", lambda a, b, r=r:
              F.binary_cross_entropy_with_logits(a * 20, b, reduction=r), normal(4, 3),
              fractions(4, 3), name=r, batched=() if r == "mean" else (0, 1), torch=lambda t, a, b,
              r=r: t.nn.functional.binary_cross_entropy_with_logits(a * 20, b, reduction=r))
        for r in ("mean", "sum", "none")
    ),
    _case("binary_cross_entropy_with_logits", lambda a, b: F.binary_cross_entropy_with_logits(
          a, b, [1.0, 2, 3], pos_weight=[3.0, 1, 0.5]), normal(4, 3), fractions(4, 3),
          name="weights", batched=(), torch=lambda t, a, b:
          t.nn.functional.binary_cross_entropy_with_logits(
              a, b, t.tensor([1, 2, 3], dtype=a.dtype),
              pos_weight=t.tensor([3, 1, 0.5], dtype=a.dtype))),
]  # fmt: skip

# Changes the dtype, which every other operation must not: tested on its own.
CASTS = {"astype"}

CASES = [
    *_ELEMENTWISE, *_COMPARISONS, *_INTEGER, *_REDUCTIONS, *_TRUTH, *_NORM_ORDERS, *_ORDER,
    *_PIECES, *_SHAPES, *_PRODUCTS, *_EINSUMS, *_ACTIVATIONS,
    *_CONVOLUTIONS, *_POOLS, *_NORMS, *_BATCH_NORMS, *_DROPOUTS, *_LOSSES,
]  # fmt: skip
BY_NAME = {case.name: case for case in CASES}
