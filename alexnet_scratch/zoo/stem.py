"""How ResNet and GoogLeNet begin: for large images, or for small ones."""

from __future__ import annotations

from typing import Any

from ..network import Network

STEMS = ((7, 2), (3, 1), (3, 2))


class Stemmed(Network):
    """conv1 of 7 x 7 at stride 2, with a pooling behind it, brings 224 pixels to 56. One of 3 x 3
    goes without the pooling: at stride 1 for 32 pixels (He et al. 2015, section 4.2), 2 for 64.
    """

    smallest = 32

    @classmethod
    def check(
        cls, num_classes: int, input_size: int, conv1_kernel: int = 7, conv1_stride: int = 2,
        **options: Any,
    ) -> None:  # fmt: skip
        super().check(num_classes, input_size)
        if (conv1_kernel, conv1_stride) not in STEMS:
            raise ValueError(
                f"{cls.title}: conv1_kernel is {conv1_kernel} and conv1_stride {conv1_stride}, "
                "expected 7 and 2, or for small images 3 and 1 (32 pixels) or 3 and 2 (64)"
            )
