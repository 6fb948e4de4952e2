"""Losses as modules: `F`'s functions with their options kept, and weights as buffers."""

from __future__ import annotations

from typing import Any

from ..core import Tensor
from ..creation import tensor
from . import functional as F
from .module import Module


class _Loss(Module):
    """A loss with its reduction: "mean", "sum" or "none"."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def _keep(self, name: str, weight: Any) -> None:
        """A weight as a buffer: it is saved, and follows the module to another device or dtype.
        Numbers that are no tensor become float32, as parameters are."""
        if isinstance(weight, str):
            raise TypeError(
                f"{type(self).__name__}: {name} is {weight!r}: did you mean reduction={weight!r}?"
            )
        if weight is not None and not isinstance(weight, Tensor):
            weight = tensor(weight, dtype="float32")
        self.register_buffer(name, weight)


class MSELoss(_Loss):
    """Mean squared error."""

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Two of one shape -> a scalar."""
        return F.mse_loss(input, target, self.reduction)


class L1Loss(_Loss):
    """Mean absolute error."""

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Two of one shape -> a scalar."""
        return F.l1_loss(input, target, self.reduction)


class SmoothL1Loss(_Loss):
    """Squared error where it is below `beta`, absolute error beyond: `F.smooth_l1_loss`."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Two of one shape -> a scalar."""
        return F.smooth_l1_loss(input, target, self.reduction, self.beta)


class BCELoss(_Loss):
    """Binary cross-entropy of probabilities: `F.binary_cross_entropy`. Buffer: weight."""

    def __init__(self, weight: Any = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self._keep("weight", weight)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Two of one shape -> a scalar."""
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Binary cross-entropy of logits: `F.binary_cross_entropy_with_logits`. Buffers: weight and
    pos_weight."""

    def __init__(
        self, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
    ) -> None:
        super().__init__(reduction)
        self._keep("weight", weight)
        self._keep("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Two of one shape -> a scalar."""
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class NLLLoss(_Loss):
    """Negative log-likelihood of log-probabilities: `F.nll_loss`. Buffer: weight (C,)."""

    def __init__(
        self, weight: Any = None, *, ignore_index: int | None = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self._keep("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """(N, C, ...) and (N, ...) -> a scalar."""
        return F.nll_loss(
            input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction
        )


class CrossEntropyLoss(_Loss):
    """Softmax cross-entropy against integer labels or probabilities: `F.cross_entropy`. Buffer:
    weight (C,)."""

    def __init__(
        self, weight: Any = None, *, ignore_index: int | None = -100, reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(reduction)
        self._keep("weight", weight)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """(N, C, ...) and (N, ...) -> a scalar."""
        return F.cross_entropy(
            input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )  # fmt: skip
