"""The SGD step blockwise, each rule in place with two scratch arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from ..sgd import Update, sgd_step
from ..ways import always
from .blockwise import blockwise, decayed_gradient


@sgd_step.instead(always)
def step(updates: Sequence[Update]) -> None:
    """`sgd_step`."""
    for w, g, v, rule in updates:
        options: dict[str, Any] = {
            "lr": rule.lr, "momentum": rule.momentum, "weight_decay": rule.weight_decay,
            "maximize": rule.maximize,
        }  # fmt: skip
        if not rule.paper:
            options |= {"nesterov": rule.nesterov, "dampening": rule.dampening}
        in_place = partial(_paper_rule if rule.paper else _torch_rule, **options)
        blockwise(in_place, w, g, *([] if v is None else [v]))


def _torch_rule(
    xp: Any,
    s: Any,
    t: Any,
    w: Any,
    g: Any,
    v: Any = None,
    *,
    lr: float,
    momentum: float,
    weight_decay: float,
    nesterov: bool,
    dampening: float,
    maximize: bool,
) -> None:
    g = decayed_gradient(xp, s, t, w, g, weight_decay, maximize)
    if v is not None:
        v *= momentum
        v += xp.multiply(g, 1 - dampening, out=t) if dampening else g
        g = xp.add(g, xp.multiply(v, momentum, out=t), out=s) if nesterov else v
    w -= xp.multiply(g, lr, out=t)


def _paper_rule(
    xp: Any,
    s: Any,
    t: Any,
    w: Any,
    g: Any,
    v: Any = None,
    *,
    lr: float,
    momentum: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    if v is None:
        v = s
        v[...] = 0
    v *= momentum
    if weight_decay:
        v -= xp.multiply(w, weight_decay * lr, out=t)
    v -= xp.multiply(g, -lr if maximize else lr, out=t)
    w += v
