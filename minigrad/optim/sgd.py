"""Stochastic gradient descent with momentum, in PyTorch's form and in the paper's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..kernels import sgd as kernel
from .optimizer import Optimizer, Update, check_range


class SGD(Optimizer):
    """Stochastic gradient descent with momentum and weight decay.

    rule="torch" keeps the learning rate outside the velocity:

        g <- g + weight_decay*w;  v <- momentum*v + (1 - dampening)*g;  w <- w - lr*v

    (the first step sets v = g; `nesterov` takes g + momentum*v in place of v). rule="paper" keeps
    it inside, as AlexNet was trained:

        v <- momentum*v - weight_decay*lr*w - lr*g;  w <- w + v

    The two agree while lr is constant. When lr drops, the first scales all past steps at once;
    in the second the old velocity keeps its size and fades over about 1 / (1 - momentum) steps.

    State: "momentum_buffer" (v) per parameter, of its shape and dtype, unless momentum is 0.
    `maximize` climbs instead: it takes -g for g.

    Raises ValueError for options out of range, and for nesterov or dampening with rule="paper".
    Sources: torch.optim.SGD; Krizhevsky et al. 2012, section 5; cuda-convnet, weights.cu.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        dampening: float = 0,
        maximize: bool = False,
        rule: str = "torch",
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "dampening": dampening,
            "maximize": maximize,
            "rule": rule,
        }
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        check_range("momentum value", group["momentum"])
        check_range("dampening value", group["dampening"])
        rule, momentum, dampening = group["rule"], group["momentum"], group["dampening"]
        if rule not in ("torch", "paper"):
            raise ValueError(f'Invalid rule: {rule!r}; expected "torch" or "paper"')
        if rule == "paper" and (group["nesterov"] or dampening):
            raise ValueError(
                f'rule="paper" has no nesterov and no dampening, got nesterov='
                f'{group["nesterov"]}, dampening={dampening}; use rule="torch" for them'
            )
        if group["nesterov"] and (momentum == 0 or dampening != 0):
            raise ValueError(
                "Nesterov momentum requires a momentum and zero dampening, got "
                f"momentum={momentum}, dampening={dampening}"
            )

    def _update_all(self, updates: list[Update]) -> None:
        steps = []
        for w, g, state, group in updates:
            velocity, first = self._velocity(w, state, group)
            steps.append(kernel.Update(w, g, velocity, _rule(group, first)))
        kernel.sgd_step(steps)

    def _velocity(self, w: Any, state: dict[str, Any], group: dict[str, Any]) -> tuple[Any, bool]:
        """The velocity if this group has one, and whether this is its first step."""
        if not group["momentum"]:
            return None, True
        first = "momentum_buffer" not in state
        if first:
            zeros = w.copy(order="K")  # w's memory order, so that both have a common flat view
            zeros[...] = 0
            state["momentum_buffer"] = zeros
        return state["momentum_buffer"], first


def _rule(group: dict[str, Any], first: bool) -> kernel.Rule:
    """The numbers of a group's step; the first sets v = g."""
    # plain floats: a NumPy float64 scalar would pull float32 arrays up to float64
    return kernel.Rule(
        lr=float(group["lr"]),
        momentum=float(group["momentum"]),
        weight_decay=float(group["weight_decay"]),
        dampening=0.0 if first else float(group["dampening"]),
        nesterov=bool(group["nesterov"]),
        maximize=bool(group["maximize"]),
        paper=group["rule"] == "paper",
    )
