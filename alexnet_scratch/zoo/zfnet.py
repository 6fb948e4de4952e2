"""ZFNet (Zeiler and Fergus 2013, figure 3): AlexNet after a look at what its filters see.

conv1's filters of 11 x 11 at stride 4 had caught coarse and fine patterns only, and gaps between:
they become 7 x 7 at stride 2. There are no towers, so that conv3 to conv5 see all maps.

    conv1   96 x 110 x 110   7 x 7, stride 2       conv3  384 x 13 x 13   3 x 3
    pool1   96 x  55 x  55   3 x 3, stride 2       conv4  384 x 13 x 13   3 x 3
    conv2  256 x  26 x  26   5 x 5, stride 2       conv5  256 x 13 x 13   3 x 3
    pool2  256 x  13 x  13   3 x 3, stride 2       pool5  256 x  6 x  6   3 x 3, stride 2
    fc6   4096               fc7  4096             fc8   1000            62,357,608 parameters

The figure's 224 -> 110 and 55 -> 26 -> 13 need a border of one pixel in conv1 and in the first two
poolings. Response normalisation follows the pooling; its numbers are not given, so that they are
AlexNet's.
"""

from __future__ import annotations

from typing import Any

from minigrad import Tensor, nn

from ..network import Network

NORMS = ("response", "batch", "none")


class ZFNet(nn.Sequential, Network):
    """Images (N, 3, input_size, input_size) -> logits (N, num_classes).

    `norm`: "response" as in the paper, "batch" behind every convolution, or "none".
    """

    title = "ZFNet"
    fields = (
        "norm", "lrn_size", "lrn_k", "lrn_alpha", "lrn_beta", "dropout_p", "fc_width",
    )  # fmt: skip
    smallest = 53  # which leaves three pixels before pool5

    def __init__(
        self, num_classes: int = 1000, *, input_size: int = 224, norm: str = "response",
        lrn_size: int = 5, lrn_k: float = 2.0, lrn_alpha: float = 1e-4, lrn_beta: float = 0.75,
        dropout_p: float = 0.5, fc_width: int = 4096,
    ) -> None:  # fmt: skip
        self.check(num_classes, input_size, norm=norm)
        layers: dict[str, nn.Module] = {}
        for i, (inputs, maps, kernel, stride, padding) in enumerate((
            (3, 96, 7, 2, 1), (96, 256, 5, 2, 0),
            (256, 384, 3, 1, 1), (384, 384, 3, 1, 1), (384, 256, 3, 1, 1),
        ), 1):  # fmt: skip
            layers[f"conv{i}"] = nn.Conv2d(inputs, maps, kernel, stride, padding)
            if norm == "batch":
                layers[f"bn{i}"] = nn.BatchNorm2d(maps)
            layers[f"relu{i}"] = nn.ReLU()
            if i in (1, 2):
                layers[f"pool{i}"] = nn.MaxPool2d(3, 2, padding=1)
                if norm == "response":
                    layers[f"lrn{i}"] = nn.PaperLRN(lrn_size, lrn_k, lrn_alpha, lrn_beta)
        layers |= {
            "pool5": nn.MaxPool2d(3, 2),
            "flatten": nn.Flatten(),
            "fc6": nn.Linear(256 * pooled_side(input_size) ** 2, fc_width),
            "relu6": nn.ReLU(),
            "drop6": nn.Dropout(dropout_p),
            "fc7": nn.Linear(fc_width, fc_width),
            "relu7": nn.ReLU(),
            "drop7": nn.Dropout(dropout_p),
            "fc8": nn.Linear(fc_width, num_classes),
        }
        super().__init__(layers)
        self.num_classes, self.input_size = num_classes, input_size

    @classmethod
    def check(
        cls, num_classes: int, input_size: int, norm: str = "response", **options: Any
    ) -> None:
        super().check(num_classes, input_size)
        if norm not in NORMS:
            raise ValueError(f"ZFNet: norm {norm!r}, expected {', '.join(NORMS)}")

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, size, size) -> (N, num_classes)."""
        self._check_images(input, self.input_size)
        return super().forward(input)  # type: ignore[no-any-return]


def pooled_side(size: int) -> int:
    """Side of the maps after pool5, from the input's."""
    for kernel, stride, padding in ((7, 2, 1), (3, 2, 1), (5, 2, 0), (3, 2, 1), (3, 2, 0)):
        size = (size + 2 * padding - kernel) // stride + 1
    return size
