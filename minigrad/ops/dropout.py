"""Dropout: inverted, and the paper's."""

from __future__ import annotations

from ..arrays import Array
from ..core import Context, Function, Tensor
from ..kernels.dropout import dropout_forward, paper_dropout_forward
from ..random import Key, default_generator
from ..rules import check_floats
from .elementwise import mul

__all__ = ["dropout", "paper_dropout"]


class Dropout(Function):
    """Linear in x, so backward is forward with the same key; nothing is kept."""

    @staticmethod
    def forward(ctx: Context, x: Array, p: float, key: Key) -> Array:
        ctx.p, ctx.key = p, key
        return dropout_forward(x, p, key)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return dropout_forward(grad, ctx.p, ctx.key)


class PaperDropout(Function):
    """The mask alone; backward is forward with the same key."""

    @staticmethod
    def forward(ctx: Context, x: Array, p: float, key: Key) -> Array:
        ctx.p, ctx.key = p, key
        return paper_dropout_forward(x, p, key)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return paper_dropout_forward(grad, ctx.p, ctx.key)


def _checked(p: float, operation: str) -> float:
    if not 0 <= p <= 1:
        raise ValueError(f"{operation}: p is the probability of a zero, in [0, 1], got {p}")
    return float(p)


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False,
    key: Key | None = None,
) -> Tensor:  # fmt: skip
    """Zero each element with probability p and divide the rest by 1 - p; identity in evaluation.

    The mask is drawn from `key`, by default the next one of the generator that
    `minigrad.manual_seed` seeds.
    """
    if inplace:
        raise NotImplementedError("dropout: inplace=True is not supported")
    if _checked(p, "dropout") == 0 or not training:
        return input
    check_floats("dropout", input)
    if p == 1:
        return mul(input, 0.0)
    return Dropout.apply(input, float(p), key or default_generator.next_key())


def paper_dropout(
    input: Tensor, p: float = 0.5, training: bool = True, key: Key | None = None
) -> Tensor:
    """The paper's dropout (section 4.2): zero with probability p in training, multiply by 1 - p in
    evaluation. The same expectation as `dropout`, another optimisation problem."""
    _checked(p, "paper_dropout")
    if not training:
        return mul(input, 1.0 - p)
    check_floats("paper_dropout", input)
    if p in (0, 1):
        return mul(input, 1.0 - p)
    return PaperDropout.apply(input, float(p), key or default_generator.next_key())
