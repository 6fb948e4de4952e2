"""What AlexNet and the networks before and after it have in common."""

from __future__ import annotations

from typing import Any

from minigrad import Tensor, nn


class Network(nn.Module):
    """A network from images (N, 3, side, side) to logits (N, num_classes).

    title: its name, for people. fields: the fields of a recipe that it has, which are arguments of
    its constructor by the same names. smallest: side of the smallest image that it takes.
    """

    title: str
    fields: tuple[str, ...] = ()
    smallest: int
    num_classes: int
    input_size: int

    @classmethod
    def check(cls, num_classes: int, input_size: int, **options: Any) -> None:
        """ValueError for what the constructor cannot build; `options` are some of its arguments."""
        if num_classes < 1:
            raise ValueError(f"{cls.title}: num_classes must be at least 1, got {num_classes}")
        if input_size < cls.smallest:
            raise ValueError(
                f"{cls.title}: input_size {input_size} is too small, expected at least "
                f"{cls.smallest}"
            )

    def _check_images(self, input: Tensor, side: int | None = None) -> None:
        """ValueError for anything but images, of `side` pixels where there is one that fits."""
        if input.ndim != 4 or input.shape[1] != 3 or (side and input.shape[2:] != (side, side)):
            size = f"{side}, {side}" if side else "H, W"
            raise ValueError(
                f"{self.title}: got input of shape {input.shape}, expected (N, 3, {size})"
            )
