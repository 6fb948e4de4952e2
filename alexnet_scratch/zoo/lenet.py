"""LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998, section II.B), the network that read cheques.

    C1    6 x 28 x 28   5 x 5                                            156 parameters
    S2    6 x 14 x 14   sum over 2 x 2, times a weight, plus a bias       12
    C3   16 x 10 x 10   5 x 5, each map sees some of S2's: `TABLE`     1,516
    S4   16 x  5 x  5   as S2                                             32
    C5  120 x  1 x  1   5 x 5                                         48,120
    F6   84                                                           10,164

Every layer ends in 1.7159 tanh(2/3 x). These are the paper's 60,000: its output units measure the
distance to codes that were drawn, not trained (`head="rbf"`). With a trained linear layer in their
place, as is usual since, ten classes take 850 more: 60,850. The LeNet-5 of most libraries has
61,706: it lets every map of C3 see all of S2 (900 more) and pools without weights (44 fewer).
"""

from __future__ import annotations

from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Tensor, nn
from minigrad.nn import functional as F
from minigrad.nn import init

from ..network import Network

SIDE = 32
# The maps of S2 that each map of C3 sees (table I): three, four and all six in a row, then four
# that are not, so that no two maps of C3 can become the same.
TABLE = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5),
)  # fmt: skip
HEADS = ("linear", "rbf")


class LeNet5(Network):
    """Images (N, 1, 32, 32), or (N, 3, 32, 32), which it sees in grey -> logits (N, num_classes).

    The paper's network reads grey images; of colours it gets the luminance, so that its layers and
    their counts stay what they were. `head`: "linear", or "rbf", the paper's.
    """

    title = "LeNet-5"
    smallest = SIDE

    def __init__(
        self, num_classes: int = 10, *, input_size: int = SIDE, head: str = "linear"
    ) -> None:
        self.check(num_classes, input_size)
        if head not in HEADS:
            raise ValueError(f"LeNet-5: head {head!r} is unknown: use {' or '.join(HEADS)}")
        super().__init__()
        self.num_classes, self.input_size = num_classes, input_size
        self.c1, self.tanh1 = nn.Conv2d(1, 6, 5), ScaledTanh()
        self.s2, self.tanh2 = Subsampling(6), ScaledTanh()
        self.c3, self.tanh3 = PartlyConnected(TABLE, 5), ScaledTanh()
        self.s4, self.tanh4 = Subsampling(16), ScaledTanh()
        self.c5, self.tanh5 = nn.Conv2d(16, 120, 5), ScaledTanh()
        self.flatten = nn.Flatten()
        self.f6, self.tanh6 = nn.Linear(120, 84), ScaledTanh()
        self.output = nn.Linear(84, num_classes) if head == "linear" else Rbf(84, num_classes)

    @classmethod
    def check(cls, num_classes: int, input_size: int, **options: Any) -> None:
        super().check(num_classes, input_size)
        if input_size != SIDE:
            raise ValueError(f"LeNet-5: input_size is {input_size}, but it reads {SIDE} pixels")

    def forward(self, input: Tensor) -> Tensor:
        """(N, 1 or 3, 32, 32) -> (N, num_classes)."""
        if input.ndim == 4 and input.shape[1] == 3:
            input = grey(input)
        if input.shape[1:] != (1, SIDE, SIDE):
            raise ValueError(
                f"LeNet-5: got input of shape {input.shape}, expected (N, 1, {SIDE}, {SIDE}) or "
                f"(N, 3, {SIDE}, {SIDE})"
            )
        x = self.tanh2(self.s2(self.tanh1(self.c1(input))))
        x = self.tanh4(self.s4(self.tanh3(self.c3(x))))
        x = self.flatten(self.tanh5(self.c5(x)))
        return self.output(self.tanh6(self.f6(x)))  # type: ignore[no-any-return]


class ScaledTanh(nn.Module):
    """1.7159 tanh(2/3 x): 1 at 1 and -1 at -1, where it bends most (appendix A)."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape."""
        return F.tanh(input * (2 / 3)) * 1.7159


class Subsampling(nn.Module):
    """The sum over 2 x 2, times a weight and plus a bias for each map. weight, bias (C,)."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.weight, self.bias = (nn.Parameter(np.zeros(maps, np.float32)) for _ in range(2))
        init.constant_(self.weight, 0.25)  # the mean, until a scheme says otherwise

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H / 2, W / 2)."""
        total = F.avg_pool2d(input, 2, divisor_override=1)
        return total * self.weight.reshape(1, -1, 1, 1) + self.bias.reshape(1, -1, 1, 1)


class PartlyConnected(nn.ModuleList):
    """A convolution of which each output map sees those input maps that a row of `table` names."""

    def __init__(self, table: tuple[tuple[int, ...], ...], kernel: int) -> None:
        super().__init__(nn.Conv2d(len(seen), 1, kernel) for seen in table)
        self.table = table

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, rows of the table, oh, ow)."""
        maps = [input[:, i : i + 1] for i in range(input.shape[1])]
        seen = (mg.cat([maps[i] for i in row], 1) for row in self.table)
        return mg.cat([conv(some) for conv, some in zip(self, seen, strict=True)], 1)  # type: ignore[no-any-return]


class Rbf(nn.Module):
    """The negative squared distance to a code of -1 and 1 for each class, drawn and kept (eq. 7).

    The paper drew the digits' codes by hand, as pictures of 7 x 12 pixels, and says that random
    ones do for other classes. weight (classes, in) is a buffer.
    """

    def __init__(self, in_features: int, classes: int) -> None:
        super().__init__()
        weight = Tensor(np.zeros((classes, in_features), np.float32))
        init.uniform_(weight, -1.0, 1.0)
        weight.data[...] = np.where(weight.data < 0, -1, 1)
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor) -> Tensor:
        """(N, in) -> (N, classes)."""
        return -((input.unsqueeze(1) - self.weight) ** 2).sum(2)  # type: ignore[no-any-return]


def grey(input: Tensor) -> Tensor:
    """The luminance of (N, 3, H, W): (N, 1, H, W), by the weights of ITU-R BT.601, Pillow's "L"."""
    red, green, blue = (input[:, i : i + 1] for i in range(3))
    return red * 0.299 + green * 0.587 + blue * 0.114
