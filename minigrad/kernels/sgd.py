"""A step of stochastic gradient descent with momentum, in PyTorch's form and in the paper's.

The two agree while the learning rate is constant. When it drops, the first scales all past steps at
once; in the second the old velocity keeps its size and fades over about 1 / (1 - momentum) steps.
Dampening and nesterov are PyTorch's alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..arrays import Array
from .ways import Kernel


class Rule(NamedTuple):
    """The numbers of a step; Python floats, which change no dtype. `paper`: the paper's form."""

    lr: float
    momentum: float = 0.0
    weight_decay: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
    maximize: bool = False
    paper: bool = False


class Update(NamedTuple):
    """One parameter w, its gradient g and its velocity v (None without momentum): arrays of one
    shape and dtype."""

    w: Array
    g: Array
    v: Array | None
    rule: Rule


@Kernel
def sgd_step(updates: Sequence[Update]) -> None:
    """Change each w and v in place. Reads three arrays a parameter and writes two."""
    for update in updates:
        (paper_step if update.rule.paper else torch_step)(*update)


def torch_step(w: Array, g: Array, v: Array | None, rule: Rule) -> None:
    """g <- g + weight_decay w;  v <- momentum v + (1 - dampening) g;  w <- w - lr v.

    `nesterov` takes g + momentum v in place of v, `maximize` -g for g. Source: torch.optim.SGD.
    """
    g = (-g if rule.maximize else g) + rule.weight_decay * w
    if v is not None:
        v[...] = rule.momentum * v + (1 - rule.dampening) * g
        g = g + rule.momentum * v if rule.nesterov else v
    w[...] = w - rule.lr * g


def paper_step(w: Array, g: Array, v: Array | None, rule: Rule) -> None:
    """v <- momentum v - weight_decay lr w - lr g;  w <- w + v.

    Source: Krizhevsky et al. 2012, section 5; cuda-convnet, weights.cu.
    """
    g = -g if rule.maximize else g
    step = -rule.weight_decay * rule.lr * w - rule.lr * g
    if v is not None:
        v[...] = step = rule.momentum * v + step
    w[...] = w + step
