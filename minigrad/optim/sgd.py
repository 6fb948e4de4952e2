"""Stochastic gradient descent with momentum, in PyTorch's form and in the paper's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ..kernels import cuda
from ..kernels.sgd import Row, sgd_update
from .optimizer import Optimizer, Update, blockwise, check_range, flat_views


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
        rows = []  # for the kernel that takes all of them at once
        for w, g, state, group in updates:
            velocity, first = self._velocity(w, state, group)
            flat = flat_views((w, g, *velocity))
            if flat is not None and cuda.usable(*flat):
                rows.append(_row(group, first, *flat))
            else:
                blockwise(_rule(group, first), w, g, *velocity)
        sgd_update(rows)

    def _velocity(
        self, w: Any, state: dict[str, Any], group: dict[str, Any]
    ) -> tuple[list[Any], bool]:
        """The velocity if this group has one, and whether this is its first step."""
        if not group["momentum"]:
            return [], True
        first = "momentum_buffer" not in state
        if first:
            zeros = w.copy(order="K")  # w's memory order, so that both have a common flat view
            zeros[...] = 0
            state["momentum_buffer"] = zeros
        return [state["momentum_buffer"]], first


def _rule(group: dict[str, Any], first: bool) -> Callable[..., None]:
    """The group's rule as `blockwise` takes it."""
    # plain floats: a NumPy float64 scalar would pull float32 arrays up to float64
    options = {key: float(group[key]) for key in ("lr", "momentum", "weight_decay")}
    if group["rule"] == "paper":
        return partial(_paper_rule, maximize=group["maximize"], **options)
    return partial(
        _torch_rule,
        nesterov=group["nesterov"],
        dampening=0.0 if first else float(group["dampening"]),
        maximize=group["maximize"],
        **options,
    )


def _row(group: dict[str, Any], first: bool, w: Any, g: Any, v: Any = None) -> Row:
    """The group's rule as cuda/sgd.cu takes it."""
    lr, paper = float(group["lr"]), group["rule"] == "paper"
    dampening = 0.0 if first else float(group["dampening"])
    return Row(
        w,
        g,
        v,
        nesterov=bool(group["nesterov"]),
        sign=-1.0 if group["maximize"] else 1.0,
        decay=float(group["weight_decay"]),
        momentum=float(group["momentum"]),
        gain=-lr if paper else 1 - dampening,
        rate=-1.0 if paper and v is not None else lr,
    )


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


def decayed_gradient(
    xp: Any, s: Any, t: Any, w: Any, g: Any, weight_decay: float, maximize: bool
) -> Any:
    """(-g if maximize else g) + weight_decay*w, in `s`, or `g` itself where that is the same."""
    if maximize:
        g = xp.negative(g, out=s)
    if weight_decay:
        g = xp.add(g, xp.multiply(w, weight_decay, out=t), out=s)
    return g
