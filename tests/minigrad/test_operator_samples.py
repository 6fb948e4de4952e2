"""PyTorch's kind of samples for every operation that both have: shapes with nothing in them and
with no axis, broadcasting, negative and several axes, kept axes, strided memory; the output and
the gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import ops
from minigrad.nn import functional as F

torch = pytest.importorskip("torch")


@dataclass(frozen=True)
class Given:
    """An input of this shape. `kind`: of normal numbers, or of those that an operation takes; a
    weight is positive and gets no gradient."""

    shape: tuple[int, ...]
    kind: str = "normal"
    high: int = 3

    def array(self, rng: np.random.Generator) -> Any:
        values = rng.normal(size=self.shape)
        if self.kind in ("positive", "weight"):
            values = abs(values) + 0.5
        elif self.kind == "fraction":
            values = rng.uniform(0.1, 0.9, self.shape)
        elif self.kind == "whole":
            values = rng.integers(0, self.high, self.shape)
        elif self.kind == "bool":
            values = rng.integers(0, 2, self.shape) > 0
        return np.asarray(values)


def x(*shape: int) -> Given:
    return Given(shape)


def pos(*shape: int) -> Given:
    return Given(shape, "positive")


def frac(*shape: int) -> Given:
    return Given(shape, "fraction")


def whole(high: int, *shape: int) -> Given:
    return Given(shape, "whole", high)


def weight(*shape: int) -> Given:
    return Given(shape, "weight")


def mask(*shape: int) -> Given:
    return Given(shape, "bool")


def row(*args: Any, **options: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return args, options


ANY = [row(x()), row(x(0)), row(x(5)), row(x(2, 0, 3)), row(x(2, 3, 4))]
POSITIVE = [row(pos()), row(pos(0)), row(pos(2, 3))]
WHOLE = [row(whole(9)), row(whole(9, 2, 3)), row(mask(2, 3))]
PAIRS = [(x(), x()), (x(3), x()), (x(2, 3), x(3)), (x(2, 1, 3), x(4, 1)), (x(0), x(1)),
         (x(2, 0), x(2, 1)), (x(2, 3), 2), (x(2, 3), 1.5)]  # fmt: skip
TWO = [row(*pair) for pair in PAIRS]
TWO_WHOLE = [row(whole(9, 2, 3), whole(9, 3)), row(whole(9, 3), 2), row(x(2, 3), whole(9, 3))]
AXES = [row(x(), 0), row(x(3), -1), row(x(2, 3, 4), 1), row(x(2, 3, 4), -2, True),
        row(x(2, 3, 4), 0, keepdim=True)]  # fmt: skip
SEVERAL = [*AXES, row(x(2, 3, 4), (0, -1)), row(x(2, 3, 4), (0, 2), keepdim=True), row(x(2, 3))]
EMPTY_AXIS = [row(x(0, 3), 0), row(x(0, 3), 1), row(x(0))]
CLASSES = [row(x(3, 4), whole(4, 3)), row(x(2, 3, 5), whole(3, 2, 5)), row(x(4), whole(4)),
           *(row(x(3, 4), whole(4, 3), reduction=r) for r in ("sum", "none")),
           row(x(3, 4), whole(4, 3), ignore_index=1),
           row(x(0, 4), whole(4, 0), reduction="sum")]  # fmt: skip
ALIKE = [row(x(), x()), row(x(2, 3), x(2, 3)), row(x(0), x(0), reduction="sum"),
         *(row(x(2, 3), x(2, 3), reduction=r) for r in ("sum", "none"))]  # fmt: skip
CHANCES = [row(frac(2, 3), frac(2, 3)), row(frac(), frac(), reduction="sum"),
           row(frac(2, 3), frac(2, 3), weight(3), reduction="none")]  # fmt: skip
MAPS = [x(2, 3, 6, 7), x(3, 6, 7), x(0, 3, 6, 7)]

SAMPLES: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    **dict.fromkeys(("abs", "neg", "exp", "relu", "sigmoid", "tanh", "clone", "round", "isnan",
                     "isinf", "isfinite"), ANY),
    **{name: [*ANY, *SEVERAL, *EMPTY_AXIS] for name in ("sum", "any", "all")},
    "log": POSITIVE, "sqrt": POSITIVE,
    **{name: [*TWO, *TWO_WHOLE]
       for name in ("add", "sub", "mul", "eq", "ne", "lt", "le", "gt", "ge")},
    **{name: [*TWO[:-2], row(whole(9, 2, 3), whole(9, 3))] for name in ("maximum", "minimum")},
    "div": [*TWO, row(pos(2, 3), pos(3)), row(whole(9, 3), 2)],
    "pow": [row(pos(2, 3), x(3)), row(pos(), 2), row(x(2, 3), 3), row(2, x(3)), row(pos(0), 0.5)],
    "remainder": [row(x(2, 3), pos(3)), row(x(), 2), row(whole(9, 4), 3)],
    "floor_divide": [row(whole(9, 2, 3), 2), row(whole(9, 2, 3), 2.5)],
    **{name: [row(whole(9, 2, 3), whole(9, 3)), row(whole(9), 3), row(mask(0), mask(0))]
       for name in ("bitwise_and", "bitwise_or", "bitwise_xor")},
    "bitwise_not": WHOLE,
    **{name: [row(x(2, 3), -0.5, 0.5), row(x(), min=0), row(x(0), max=0.5), row(whole(9, 4), 2, 5),
              row(x(2, 3), x(3), x(2, 1)), row(x(2, 3), max=x()), row(x(3), x(2, 1))]
       for name in ("clamp", "clip")},
    "where": [row(mask(2, 3), x(2, 3), x(3)), row(mask(), x(), x()), row(mask(2, 1), x(3), 0.5),
              row(mask(0), x(0), x(1))],
    **{name: [*SEVERAL, *EMPTY_AXIS[1:2]] for name in ("amax", "amin")},
    **{name: [*AXES, row(x(2, 3)), row(x()), row(x(0, 3), 1), row(x(2, 3), x(3))]
       for name in ("max", "min")},
    **{name: [*AXES, row(x(2, 3)), row(x(2, 3), None, True)] for name in ("argmax", "argmin")},
    "mean": [*SEVERAL, row(x(0, 3), 1)],
    **{name: [row(x(5)), row(x(2, 3, 4), 1), row(x(2, 3), (0, 1), keepdim=True),
              row(x(2, 3), 1, correction=0), row(x(2, 3), unbiased=False), row(x(2, 3), False)]
       for name in ("var", "std")},
    "norm": [*(row(x(2, 3), p) for p in ("fro", 0, 1, 2, 3, 0.5, -1, np.inf, -np.inf)), row(x()),
             row(x(2, 3, 4), 2, -1), row(x(2, 3, 4), 1, (0, 2), True), row(x(0), 2)],
    "sort": [row(x()), row(x(0)), row(x(3, 4)), row(x(3, 4), 0), row(x(3, 4), -1, True)],
    "argsort": [row(x()), row(x(3, 4), 0), row(x(3, 4), -1, True)],
    "topk": [row(x(5), 2), row(x(3, 4), 2, 0), row(x(3, 4), 4, -1, False), row(x(3, 4), 0)],
    "split": [row(x(5), 2), row(x(2, 5), [1, 4], 1), row(x(4, 2), 3, -2), row(x(0), 2)],
    "chunk": [row(x(5), 2), row(x(2, 5), 3, -1), row(x(2), 4)],
    "reshape": [row(x(2, 6), (3, -1)), row(x(), (1, 1)), row(x(0, 3), (3, 0)), row(x(1), ())],
    "flatten": [row(x()), row(x(2, 3, 4)), row(x(2, 3, 4), 1), row(x(2, 3, 4), -3, -2)],
    "permute": [row(x(2, 3, 4), (2, 0, -2)), row(x(), ())],
    "transpose": [row(x(2, 3, 4), 0, -1), row(x(3), 0, 0), row(x(), 0, -1)],
    "t": [row(x()), row(x(3)), row(x(2, 0))],
    "squeeze": [row(x(1, 3, 1)), row(x(1, 3, 1), -1), row(x(1, 3), 1), row(x())],
    "unsqueeze": [row(x(2, 3), 0), row(x(2, 3), -1), row(x(), 0), row(x(0), 1)],
    **{name: [row([x(2, 3), x(2, 1)], 1), row([x(3), x(0)]), row([x(2, 3), x(2, 3)], -2)]
       for name in ("cat", "concatenate")},
    "stack": [row([x(), x()]), row([x(2, 3), x(2, 3)], -1), row([x(0)], 1)],
    "matmul": [row(x(2, 3), x(3, 4)), row(x(3), x(3)), row(x(3), x(2, 3, 4)), row(x(2, 3), x(3)),
               row(x(5, 1, 2, 3), x(4, 3, 2)), row(x(2, 0), x(0, 3)), row(x(0, 3), x(3, 2))],
    "einsum": [row("ij,jk->ik", x(2, 3), x(3, 4)), row("i,i->", x(3), x(3)), row("ii->i", x(3, 3)),
               row("...i,i", x(2, 4, 3), x(3)), row("i->i", x(0)), row("bij->bji", x(2, 3, 4))],
    "pad": [row(x(2, 3), (1, 2)), row(x(2, 3), (-1, 2, 1, 0), value=0.5), row(x(0, 3), (1, 0)),
            *(row(x(3, 4, 5), (2, -1, 1, 2), mode) for mode in ("reflect", "replicate",
                                                                "circular"))],
    "linear": [row(x(2, 3), x(4, 3), x(4)), row(x(3), x(4, 3)), row(x(2, 5, 3), x(4, 3)),
               row(x(0, 3), x(4, 3), x(4))],
    "leaky_relu": [*ANY, row(x(2, 3), 0.5), row(x(2, 3), negative_slope=-1.0)],
    "prelu": [row(x(), x(1)), row(x(4), x(1)), row(x(2, 3), x(3)), row(x(2, 3, 4), x(3))],
    "conv2d": [row(x(2, 4, 6, 5), x(6, 2, 3, 2), x(6), 2, 1, 1, 2), row(x(3, 5, 5), x(2, 3, 3, 3)),
               row(x(2, 3, 5, 5), x(2, 3, 3, 3), padding="same"), row(x(0, 3, 5, 5), x(2, 3, 3, 3)),
               row(x(1, 2, 7, 6), x(2, 2, 2, 2), stride=(2, 1), dilation=2, padding=(1, 0))],
    "max_pool2d": [*(row(m, 3, 2, 1, ceil_mode=True) for m in MAPS), row(x(2, 3, 6, 7), (2, 3)),
                   row(x(2, 3, 7, 7), 2, 1, 0, 2), row(x(3, 6, 7), 3, 2, 1, return_indices=True)],
    "avg_pool2d": [*(row(m, 3, 2, 1) for m in MAPS), row(x(2, 3, 6, 7), (2, 3), ceil_mode=True),
                   row(x(3, 6, 7), 3, 2, 1, True, False), row(x(3, 6, 7), 2, divisor_override=3)],
    "adaptive_avg_pool2d": [row(m, size) for m in MAPS for size in (1, (3, None), (4, 5))],
    "local_response_norm": [row(x(2, 5, 3), 3), row(x(2, 5, 3, 4), 4, 0.1, 0.5, 2.0),
                            row(x(0, 5, 2, 2), 2), row(x(1, 3, 2, 2, 2), 5)],
    "batch_norm": [row(x(4, 3), x(3), pos(3)), row(x(4, 3, 2), x(3), pos(3), x(3), x(3)),
                   row(x(4, 3, 2, 2), None, None, x(3), x(3), True), row(x(2, 3, 2), None, None,
                                                                         training=True, eps=0.1)],
    **{name: [row(x(3), 0), row(x(), 0), row(x(2, 3, 4), 1), row(x(2, 3), -1), row(x(2, 0), 1)]
       for name in ("softmax", "log_softmax")},
    "cross_entropy": [*CLASSES, row(x(3, 4), frac(3, 4)), row(x(3, 4), whole(4, 3), weight(4)),
                      row(x(3, 4), whole(4, 3), label_smoothing=0.2)],
    "nll_loss": [*CLASSES, row(x(3, 4), whole(4, 3), weight(4))],
    "mse_loss": ALIKE, "l1_loss": ALIKE,
    "smooth_l1_loss": [*ALIKE, row(x(2, 3), x(2, 3), beta=0.3)],
    "binary_cross_entropy": CHANCES,
    "binary_cross_entropy_with_logits": [*ALIKE, row(x(2, 3), frac(2, 3), pos_weight=weight(3))],
    "one_hot": [row(whole(4, 3), 4), row(whole(4, 2, 0), 4), row(whole(4), 5)],
    "dropout": [row(x(2, 3), 0.5, False), row(x(2, 3), 0.0), row(x(2, 3), 1.0), row(x(), 1.0)],
}  # fmt: skip
METHODS = {
    "expand": [row(x(2, 1), 4, -1, 3), row(x(), 2, 3), row(x(1, 0), 2, 0)],
    "view": [row(x(2, 6), 3, -1), row(x(), 1), row(x(0, 3), 0)],
    "repeat": [row(x(2, 3), 2, 1), row(x(3), 2, 1, 3), row(x(), 2), row(x(2), 0)],
    "__getitem__": [row(x(3, 4), 1), row(x(3, 4), (slice(None, None, 2), None, -1)), row(x(3), ...),
                    row(x(3, 4), [2, 0, 2]), row(x(3, 4), ([0, 2], slice(1))), row(x(), None),
                    row(x(3, 4), whole(3, 2, 2)), row(x(3, 4), mask(3))],
}  # fmt: skip
FUNCTIONAL = set(dir(F)) & set(dir(torch.nn.functional))
CONTIGUOUS = {"view", "local_response_norm"}  # all that PyTorch takes
OWN = {"assign", "astype", "conv2d_relu", "getitem", "local_contrast_norm", "lrn", "paper_dropout",
       "to_device"}  # fmt: skip


def test_every_operation_has_samples():
    assert {*SAMPLES, *METHODS, *OWN} - {"repeat", "__getitem__"} == set(ops.__all__)


def strided(array: Any) -> Any:
    """The same numbers, with gaps between them and the axes the other way round."""
    if not array.ndim:
        return array
    large = np.zeros(tuple(2 * n for n in reversed(array.shape)), array.dtype)
    view = large[(slice(None, None, 2),) * array.ndim].T
    view[...] = array
    return view


def made(library: Any, value: Any, arrays: dict[int, Any], leaves: list[Any]) -> Any:
    """An argument for this library; its tensors that can have a gradient go to `leaves`."""
    if isinstance(value, list) and value and isinstance(value[0], Given):
        return [made(library, one, arrays, leaves) for one in value]
    if not isinstance(value, Given):
        return value
    tensor = library.from_numpy(arrays[id(value)])
    if tensor.dtype in (np.float64, torch.float64) and value.kind != "weight":
        leaves.append(tensor.requires_grad_())
    return tensor


def result(library: Any, functional: Any, name: str, sample: Any, arrays: Any) -> list[Any]:
    """The outputs, and the gradients of what has one (zeros where none arrived)."""
    leaves: list[Any] = []
    args, options = (
        [made(library, v, arrays, leaves) for v in sample[0]],
        {k: made(library, v, arrays, leaves) for k, v in sample[1].items()},
    )
    if name == "batch_norm":  # the statistics are no inputs, and are edited
        args[1:3] = [None if t is None else t.detach().clone() for t in args[1:3]]
    if name in METHODS:
        out = getattr(args[0], name)(*args[1:])
    else:
        room = functional if name in FUNCTIONAL else library
        out = getattr(room, name)(*args, **options)
    outs = list(out) if isinstance(out, tuple | list) else [out]
    total = sum((o * (i + 1.5) * o.detach()).sum() for i, o in enumerate(outs) if o.requires_grad)
    if outs and any(o.requires_grad for o in outs):
        total.backward()
    grads = [library.zeros_like(t) if t.grad is None else t.grad for t in leaves]
    return [np.asarray(t.detach()) for t in (*outs, *grads)]


@pytest.mark.parametrize("name", [*SAMPLES, *METHODS])
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning")
def test_samples_give_what_pytorch_gives(name):
    for sample in {**SAMPLES, **METHODS}[name]:
        given = [v for v in (*sample[0], *sample[1].values()) if isinstance(v, Given)]
        given += [v for several in sample[0] if isinstance(several, list) for v in several]
        for layout in (np.array,) if name in CONTIGUOUS else (np.array, strided):
            rng = np.random.default_rng(0)
            arrays = {id(v): layout(v.array(rng)) for v in given if isinstance(v, Given)}
            ours = result(mg, F, name, sample, arrays)
            theirs = result(torch, torch.nn.functional, name, sample, arrays)
            assert [a.shape for a in ours] == [a.shape for a in theirs], sample
            assert [a.dtype for a in ours] == [a.dtype for a in theirs], sample
            for a, b in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=f"{sample}")
