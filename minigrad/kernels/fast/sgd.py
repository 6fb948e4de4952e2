"""The SGD step blockwise, each rule in place with two scratch arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from ..sgd import Rule, Update, sgd_step
from ..ways import always
from .blockwise import blockwise, decayed_gradient


@sgd_step.instead(always)
def step(updates: Sequence[Update]) -> None:
    """`sgd_step`."""
    for w, g, v, rule in updates:
        in_place = partial(_paper_rule if rule.paper else _torch_rule, rule=rule)
        blockwise(in_place, w, g, *([] if v is None else [v]))


def _torch_rule(xp: Any, s: Any, t: Any, w: Any, g: Any, v: Any = None, *, rule: Rule) -> None:
    g = decayed_gradient(xp, s, t, w, g, rule.weight_decay, rule.maximize)
    if v is not None:
        v *= rule.momentum
        v += xp.multiply(g, 1 - rule.dampening, out=t) if rule.dampening else g
        g = xp.add(g, xp.multiply(v, rule.momentum, out=t), out=s) if rule.nesterov else v
    w -= xp.multiply(g, rule.lr, out=t)


def _paper_rule(xp: Any, s: Any, t: Any, w: Any, g: Any, v: Any = None, *, rule: Rule) -> None:
    if v is None:
        v = s
        v[...] = 0
    v *= rule.momentum
    if rule.weight_decay:
        v -= xp.multiply(w, rule.weight_decay * rule.lr, out=t)
    v -= xp.multiply(g, -rule.lr if rule.maximize else rule.lr, out=t)
    w += v
