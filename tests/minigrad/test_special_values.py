"""NaN, infinities and both zeros through every operation that meets them: PyTorch's values and
gradients."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from minigrad.nn import functional as F

torch = pytest.importorskip("torch")
NAN, INF = math.nan, math.inf
SPECIAL = [NAN, INF, -INF, 0.0, -0.0, 1.0, -2.0]
quiet = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:(var|std)")


class Library:
    """What both are called by: `lib.relu(x)`, `lib.F.relu(x)`, `lib.of([1.0], x)`."""

    def __init__(self, module, functional, of):
        self.module, self.F, self.of = module, functional, of

    def __getattr__(self, name):
        return getattr(self.module, name)


OURS = Library(mg, F, lambda values, like: mg.tensor(values, dtype=like.dtype))
THEIRS = Library(torch, torch.nn.functional, lambda values, like: torch.tensor(values).to(like))


def result(lib, call, arrays, upstream):
    """The output and the gradients of the inputs (0 where there is none), or the error."""
    tensors = [lib.module.tensor(a, requires_grad=True) for a in arrays]
    try:
        out = call(lib, *tensors)
        if out.requires_grad:
            out.backward(lib.of(np.full(out.shape, upstream), out))
    except (RuntimeError, NotImplementedError) as error:
        return [type(error)]
    grads = [lib.module.zeros_like(t) if t.grad is None else t.grad for t in tensors]
    return [t.data if isinstance(t, Tensor) else np.asarray(t) for t in (out.detach(), *grads)]


def check_same(call, arrays, upstream=1.0):
    found, expected = (result(lib, call, arrays, upstream) for lib in (OURS, THEIRS))
    for a, b in zip(found, expected, strict=True):
        if isinstance(b, type):
            assert a is b
            continue
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        tolerance = 1e-5 if a.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


# PyTorch takes a root for x**0.5 and x**-0.5, which differs at -inf and at -0.
ELEMENTWISE = {
    "relu": lambda lib, x: lib.F.relu(x),
    "relu of a convolution": lambda lib, x: lib.F.relu(
        lib.F.conv2d(x.reshape(1, 1, 1, -1), lib.of(np.ones((1, 1, 1, 1)), x))),
    "leaky_relu": lambda lib, x: lib.F.leaky_relu(x, 0.1),
    "prelu": lambda lib, x: lib.F.prelu(x, lib.of([0.25], x)),
    "sigmoid": lambda lib, x: lib.sigmoid(x),
    "tanh": lambda lib, x: lib.tanh(x),
    "dropout in evaluation": lambda lib, x: lib.F.dropout(x, 0.5, False) * 1,
    "dropout of all": lambda lib, x: lib.F.dropout(x, 1.0) * 1,
    "clamp": lambda lib, x: lib.clamp(x, -1, 1),
    "clamp to infinity": lambda lib, x: lib.clamp(x, -INF, INF),
    "clamp from above to below": lambda lib, x: lib.clamp(x, 1, -1),
    **{name: lambda lib, x, name=name: getattr(lib, name)(x)
       for name in ("exp", "log", "sqrt", "abs", "neg", "round")},
    **{f"power {p}": lambda lib, x, p=p: x**p for p in (0, 1, 2, 3, -1, NAN, INF)},
    **{f"{p} to the power": lambda lib, x, p=p: p**x for p in (1.0, 2.0, 0.5)},
    **{f"remainder of {p}": lambda lib, x, p=p: x % p for p in (0.0, 2.0, -2.0, INF)},
}  # fmt: skip


@pytest.mark.parametrize("upstream", [1.0, INF, NAN])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ELEMENTWISE)
@quiet
def test_element_by_element(name, dtype, upstream):
    check_same(ELEMENTWISE[name], [np.array(SPECIAL, dtype)], upstream)


def test_relu_fused_with_a_convolution_is_relu():
    x, weight = mg.tensor([[[SPECIAL]]], requires_grad=True), mg.ones(1, 1, 1, 1)
    y = F.conv2d_relu(x, weight)
    y.backward(mg.ones(*y.shape))
    np.testing.assert_array_equal(y.data[0, 0, 0], [NAN, INF, 0, 0, 0, 1, 0])
    assert x.grad.tolist() == [[[[1, 1, 0, 0, 0, 1, 0]]]]


def test_abs_of_minus_0_is_0():
    assert not np.signbit(mg.abs(mg.tensor(-0.0)).item())
    assert mg.norm(mg.tensor([-0.0, 0.0, 1.0]), -1).item() == 0


VECTORS = [[NAN, 1, 2], [1, NAN, NAN], [INF, 1, INF], [-INF, -INF, 1], [-INF] * 3, [0.0] * 3,
           [-0.0, 0, 1], [INF, -INF, 0], [INF, NAN, 1]]  # fmt: skip
WHOLE = {
    **{name: lambda lib, x, name=name: getattr(lib, name)(x)
       for name in ("max", "min", "amax", "amin", "argmax", "argmin", "sum", "mean", "any", "all")},
    **{f"{name} along an axis": lambda lib, x, name=name: getattr(lib, name)(x, 0)[0]
       for name in ("max", "min", "sort")},
    **{f"place of {name}": lambda lib, x, name=name: getattr(lib, name)(x, 0)[1]
       for name in ("max", "min")},
    "topk": lambda lib, x: lib.topk(x, 2)[0],
    **{f"norm {p}": lambda lib, x, p=p: lib.norm(x, p) for p in (0, 1, 2, 3, -1, INF, -INF)},
    "norm inf along an axis": lambda lib, x: lib.norm(x, INF, 0),
    "softmax": lambda lib, x: lib.F.softmax(x, 0),
    "log_softmax": lambda lib, x: lib.F.log_softmax(x, 0),
    "max_pool2d": lambda lib, x: lib.F.max_pool2d(x.reshape(1, 1, 1, -1), (1, 2), 1, (0, 1)),
    "avg_pool2d": lambda lib, x: lib.F.avg_pool2d(x.reshape(1, 1, 1, -1), (1, 2), 1),
    "adaptive_avg_pool2d":
        lambda lib, x: lib.F.adaptive_avg_pool2d(x.reshape(1, 1, 1, -1), (1, 2)),
    "local_response_norm": lambda lib, x: lib.F.local_response_norm(x.reshape(1, -1, 1, 1), 3),
    "batch_norm": lambda lib, x: lib.F.batch_norm(x.reshape(-1, 1), None, None, training=True),
    **{f"cross_entropy, smoothing {s}": lambda lib, x, s=s: lib.F.cross_entropy(
        x.reshape(1, -1), lib.module.tensor([1]), label_smoothing=s) for s in (0.0, 0.1)},
    "nll_loss": lambda lib, x: lib.F.nll_loss(x.reshape(1, -1), lib.module.tensor([1])),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", WHOLE)
@quiet
def test_of_several(name, dtype):
    for vector in VECTORS:
        check_same(WHOLE[name], [np.array(vector, dtype)])


PAIRS = {
    **{name: lambda lib, a, b, name=name: getattr(lib, name)(a, b)
       for name in ("add", "sub", "mul", "div", "pow", "maximum", "minimum", "remainder",
                    "eq", "ne", "lt", "le", "gt", "ge")},
    "where": lambda lib, a, b: lib.where(a > 0, a, b),
    "clamp": lambda lib, a, b: lib.clamp(a * 1, min=-1.0) + b,
    **{name: lambda lib, a, b, name=name: getattr(lib.F, name)(a, b, reduction="none")
       for name in ("l1_loss", "smooth_l1_loss", "mse_loss", "binary_cross_entropy_with_logits")},
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
@quiet
def test_of_two(name):
    for a, b in itertools.product(SPECIAL, SPECIAL):
        check_same(PAIRS[name], [np.array([a]), np.array([b])])


@pytest.mark.parametrize(("p", "t"), [(NAN, 0.5), (0.5, NAN), (1.5, 0.5), (0.5, -0.1)])
def test_binary_cross_entropy_takes_what_is_in_0_to_1(p, t):
    with pytest.raises(RuntimeError, match=r"must be in \[0, 1\]"):
        F.binary_cross_entropy(mg.tensor([p]), mg.tensor([t]))
