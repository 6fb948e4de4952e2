"""Adam and AdamW."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import Any

from ..kernels.fast.blockwise import blockwise, decayed_gradient
from .optimizer import Optimizer, check_range


class Adam(Optimizer):
    """Adam: steps scaled by running means of the gradient and of its square.

        g <- g + weight_decay*w
        m <- b1*m + (1 - b1)*g;  v <- b2*v + (1 - b2)*g*g
        w <- w - lr * (m / (1 - b1^n)) / (sqrt(v / (1 - b2^n)) + eps)

    State per parameter: "step" (n, an int), "exp_avg" (m) and "exp_avg_sq" (v), of its shape and
    dtype. `maximize` climbs instead: it takes -g for g.

    Raises ValueError for options out of range.
    Sources: Kingma and Ba 2015, algorithm 1; torch.optim.Adam (without amsgrad).
    """

    _decoupled = False  # does weight decay bypass the running means?

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        check_range("epsilon value", group["eps"])
        if not isinstance(group["betas"], tuple | list) or len(group["betas"]) != 2:
            raise ValueError(f"Invalid betas: {group['betas']!r}; expected two numbers")
        for index, beta in enumerate(group["betas"]):
            check_range(f"beta parameter at index {index}", beta, below=1.0)

    def _update(self, w: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            # copies keep w's memory order, so that all of them have a common flat view
            state.update(step=0, exp_avg=w.copy(order="K"), exp_avg_sq=w.copy(order="K"))
            state["exp_avg"][...] = 0
            state["exp_avg_sq"][...] = 0
        state["step"] += 1
        # plain floats: a NumPy float64 scalar would pull float32 arrays up to float64
        beta1, beta2 = (float(beta) for beta in group["betas"])
        lr, decay = float(group["lr"]), float(group["weight_decay"])
        rule = partial(
            _adam_rule,
            beta1=beta1,
            beta2=beta2,
            eps=float(group["eps"]),
            step_size=lr / (1 - beta1 ** state["step"]),
            root_correction=math.sqrt(1 - beta2 ** state["step"]),
            shrink=1 - lr * decay if self._decoupled else 1.0,
            weight_decay=0.0 if self._decoupled else decay,
            maximize=group["maximize"],
        )
        blockwise(rule, w, g, state["exp_avg"], state["exp_avg_sq"])


class AdamW(Adam):
    """Adam with weight decay taken off the weights directly: w <- w - lr*weight_decay*w first.

    Everything else as in `Adam`, but `weight_decay` is 0.01 unless given.
    Sources: Loshchilov and Hutter 2019; torch.optim.AdamW (without amsgrad).
    """

    _decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, maximize=maximize)


def _adam_rule(
    xp: Any,
    s: Any,
    t: Any,
    w: Any,
    g: Any,
    m: Any,
    v: Any,
    *,
    beta1: float,
    beta2: float,
    eps: float,
    step_size: float,
    root_correction: float,
    shrink: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    if shrink != 1.0:
        w *= shrink
    g = decayed_gradient(xp, s, t, w, g, weight_decay, maximize)
    v *= beta2
    xp.multiply(g, g, out=t)
    t *= 1 - beta2
    v += t
    # m + (1 - b1)*(g - m) rounds better than b1*m + (1 - b1)*g; g, which may live in s, ends here
    xp.subtract(g, m, out=s)
    s *= 1 - beta1
    m += s
    xp.sqrt(v, out=t)
    t /= root_correction
    t += eps
    xp.divide(m, t, out=s)
    s *= step_size
    w -= s
