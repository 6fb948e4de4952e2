"""How ResNet and GoogLeNet begin: for large images, or for small ones."""

from __future__ import annotations

STEMS = ((7, 2), (3, 1), (3, 2))


def check_stem(title: str, kernel: int, stride: int) -> None:
    """ValueError for another conv1 than these.

    7 x 7 at stride 2, with a pooling behind it, brings 224 pixels to 56. 3 x 3 goes without the
    pooling: at stride 1 for 32 pixels (He et al. 2015, section 4.2), at 2 for 64.
    """
    if (kernel, stride) not in STEMS:
        raise ValueError(
            f"{title}: conv1_kernel is {kernel} and conv1_stride {stride}, expected 7 and 2, or "
            "for small images 3 and 1 (32 pixels) or 3 and 2 (64)"
        )
