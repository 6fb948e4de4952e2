"""Which of the learner's functions stand in the place of which operation of minigrad: the table."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

import minigrad as mg
from minigrad.core import unbroadcast
from minigrad.kernels.conv import conv2d_backward, conv2d_forward
from minigrad.kernels.dropout import dropout_forward
from minigrad.kernels.layout import channels_last
from minigrad.kernels.linear import linear_backward, linear_forward
from minigrad.kernels.lrn import lrn_backward, lrn_forward
from minigrad.kernels.pool import max_pool2d_backward, max_pool2d_forward
from minigrad.kernels.softmax import cross_entropy_backward, cross_entropy_forward
from minigrad.kernels.threefry import Key

from . import halves
from .halves import Array, Function, Half


class Way(NamedTuple):
    """A half of an operation made of one function of the learner."""

    exercise: str
    make: Callable[[Function], Half]


class Part(NamedTuple):
    """An operation: minigrad's two halves, and what takes their place, the preferred way first."""

    name: str
    lesson: str
    forward: Half
    backward: Half
    forwards: tuple[Way, ...]
    backwards: tuple[Way, ...]
    example: Callable[[np.random.Generator], tuple[Any, ...]]  # what forward is called with

    @property
    def exercises(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(way.exercise for way in (*self.forwards, *self.backwards)))


# ----- minigrad's halves, in the signature of `halves` -----


def _conv(x: Array, weight: Array, bias: Array, stride: int, padding: int, groups: int) -> Any:
    x = channels_last(x)
    y = conv2d_forward(x, weight, bias, (stride,) * 2, (padding,) * 2, groups=groups)
    return y, (x, weight)


def _conv_back(
    grad: Array, x: Array, weight: Array, stride: int, padding: int, groups: int, needs: Any
) -> Any:
    return conv2d_backward(
        grad, channels_last(x), weight, (stride,) * 2, (padding,) * 2, groups=groups,
        needs=tuple(needs),
    )  # fmt: skip


def _pool(x: Array, size: int, stride: int) -> Any:
    y, winners = max_pool2d_forward(x, (size,) * 2, (stride,) * 2)
    return y, (x, winners)


def _pool_back(grad: Array, x: Array, winners: Array, size: int, stride: int, needs: Any) -> Any:
    won = winners.astype(np.uint8)
    return (max_pool2d_backward(grad, won, x.shape, (size,) * 2, (stride,) * 2),)


def _lrn(x: Array, n: int, k: float, alpha: float, beta: float, groups: int) -> Any:
    y, s = lrn_forward(x, n, k, alpha, beta, groups)
    return y, (x, s)


def _lrn_back(
    grad: Array, x: Array, s: Array, n: int, k: float, alpha: float, beta: float, groups: int,
    needs: Any,
) -> Any:  # fmt: skip
    return (lrn_backward(grad, x, s, n, alpha, beta, groups),)


def _relu(x: Array) -> Any:
    y = np.maximum(x, 0)
    return y, (y,)


def _relu_back(grad: Array, y: Array, needs: Any) -> Any:
    return (np.where(y > 0, grad, 0),)


def _tanh(x: Array) -> Any:
    y = np.tanh(x)
    return y, (y,)


def _tanh_back(grad: Array, y: Array, needs: Any) -> Any:
    return (grad * (1 - y * y),)


def _prelu(x: Array, weight: Array) -> Any:
    return np.where(x > 0, x, weight[:, None, None] * x), (x, weight)


def _prelu_back(grad: Array, x: Array, weight: Array, needs: Any) -> Any:
    dweight = (grad * np.minimum(x, 0)).sum((0, 2, 3))
    return np.where(x > 0, grad, weight[:, None, None] * grad), dweight


def _dropout(x: Array, p: float, key: Key) -> Any:
    return dropout_forward(x, p, Key(*key)), ()  # a grader sends it as a plain tuple


def _dropout_back(grad: Array, p: float, key: Key, needs: Any) -> Any:
    return (dropout_forward(grad, p, key),)


def _linear(x: Array, weight: Array, bias: Array) -> Any:
    return linear_forward(x, weight, bias), (x, weight)


def _linear_back(grad: Array, x: Array, weight: Array, needs: Any) -> Any:
    return linear_backward(grad, x, weight, tuple(needs))


def _cross_entropy(logits: Array, labels: Array) -> Any:
    losses, log_p = cross_entropy_forward(logits, labels)
    share = np.full(len(labels), 1 / len(labels), logits.dtype)
    return np.asarray(losses.mean()), (cross_entropy_backward(share, log_p, labels),)


def _cross_entropy_back(grad: Array, dlogits: Array, needs: Any) -> Any:
    return (grad * dlogits,)


def _add(a: Array, b: Array) -> Any:
    return a + b, (a, b)


def _add_back(grad: Array, a: Array, b: Array, needs: Any) -> Any:
    return unbroadcast(grad, a.shape), unbroadcast(grad, b.shape)


# ----- what is compared: the layers of a narrow AlexNet, four images -----


def _conv_example(rng: np.random.Generator) -> tuple[Any, ...]:
    x, weight = rng.standard_normal((4, 8, 9, 9)), rng.standard_normal((12, 4, 3, 3))
    return x, weight, rng.standard_normal(12), 1, 1, 2


def _pool_example(rng: np.random.Generator) -> tuple[Any, ...]:
    return rng.standard_normal((4, 8, 15, 15)), 3, 2


def _lrn_example(rng: np.random.Generator) -> tuple[Any, ...]:
    return 4 * rng.standard_normal((4, 16, 7, 7)), 5, 2.0, 0.02, 0.75, 2


def _maps(rng: np.random.Generator) -> tuple[Any, ...]:
    return (rng.standard_normal((4, 16, 15, 15)),)


PARTS = (
    Part(
        "add", "03_linear", _add, _add_back, (), (Way("sum_to", halves.sum_both),),
        lambda rng: (rng.standard_normal((4, 16, 7, 7)), rng.standard_normal((16, 1, 1))),
    ),
    Part(
        "linear", "03_linear", _linear, _linear_back,
        (Way("linear_forward", halves.linear),), (Way("linear_backward", halves.linear_back),),
        lambda rng: tuple(rng.standard_normal(s) for s in ((32, 64), (48, 64), (48,))),
    ),
    Part(
        "cross_entropy", "03_linear", _cross_entropy, _cross_entropy_back,
        (Way("cross_entropy", halves.loss_and_slope),), (),
        lambda rng: (rng.standard_normal((32, 10)), rng.integers(0, 10, 32)),
    ),
    Part(
        "conv2d", "04_convolution", _conv, _conv_back,
        (
            Way("columns", halves.conv_by_columns),
            Way("conv_forward", halves.conv_by_images),
        ),
        (
            Way("columns", halves.conv_back_by_columns),
            Way("conv_backward", halves.conv_back_by_images),
        ),
        _conv_example,
    ),
    Part(
        "max_pool2d", "05_pooling", _pool, _pool_back,
        (Way("pool_forward", halves.pool_all_maps),),
        (Way("pool_backward", halves.pool_back_all_maps),), _pool_example,
    ),
    Part(
        "relu", "06_relu", _relu, _relu_back, (), (Way("relu_backward", halves.from_y),), _maps,
    ),
    Part(
        "tanh", "06_relu", _tanh, _tanh_back, (), (Way("tanh_backward", halves.from_y),), _maps,
    ),
    Part(
        "prelu", "06_relu", _prelu, _prelu_back, (),
        (Way("prelu_backward", halves.prelu_back),),
        lambda rng: (rng.standard_normal((4, 16, 15, 15)), rng.uniform(0, 0.5, 16)),
    ),
    Part(
        "lrn", "07_lrn", _lrn, _lrn_back,
        (Way("normalise", halves.lrn_all_pixels),),
        (Way("normalise_backward", halves.lrn_back_all_pixels),), _lrn_example,
    ),
    Part(
        "dropout", "09_dropout", _dropout, _dropout_back,
        (Way("inverted_dropout", halves.dropout_of_key),),
        (Way("dropout_backward", halves.dropout_back),),
        lambda rng: (rng.standard_normal((32, 64)), 0.5, Key(int(rng.integers(1000)), 0)),
    ),
)  # fmt: skip


class Clock:
    """Seconds that an operation has taken so far, forward and backward."""

    def __init__(self) -> None:
        self.seconds = {"forward": 0.0, "backward": 0.0}

    def call(self, half: str, function: Half, *args: Any, **options: Any) -> Any:
        start = perf_counter()
        result = function(*args, **options)
        self.seconds[half] += perf_counter() - start
        return result


def as_function(
    name: str, forward: Half, backward: Half, clock: Clock | None = None
) -> type[mg.Function]:
    """An operation of minigrad's engine that computes with these two halves."""
    watch = clock or Clock()

    class Yours(mg.Function):
        operation = name

        @staticmethod
        def forward(ctx: Any, *args: Any) -> Array:
            y, kept = watch.call("forward", forward, *args)
            ctx.save(*kept)
            ctx.options = [a for a in args if not isinstance(a, np.ndarray)]
            ctx.dtype = args[0].dtype
            return np.asarray(y, args[0].dtype)

        @staticmethod
        def backward(ctx: Any, grad: Array) -> Any:
            found = watch.call(
                "backward", backward, grad, *ctx.saved, *ctx.options, needs=ctx.needs
            )
            return tuple(None if g is None else np.asarray(g, ctx.dtype) for g in found)

    return Yours
