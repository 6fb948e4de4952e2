"""VGG-11 and VGG-16 (Simonyan and Zisserman 2014, table 1, columns A and D).

Filters of 3 x 3 only, two or three in a row seeing as far as one of 5 x 5 or 7 x 7, and a pooling
of 2 x 2 behind each group; then AlexNet's three fully connected layers.

    VGG-11    64 | 128 | 256 256 | 512 512 | 512 512                           132,863,336
    VGG-16    64 64 | 128 128 | 256 256 256 | 512 512 512 | 512 512 512        138,357,544

Names and shapes are torchvision's: `features.N`, `classifier.N`, also those of its vgg11_bn and
vgg16_bn.
"""

from __future__ import annotations

from typing import Any

from minigrad import Tensor, nn

from ..network import Network

POOL = 0
NORMS = ("none", "batch")


class VGG(nn.Sequential, Network):
    """Images (N, 3, H, W) of at least 32 pixels -> logits (N, num_classes).

    `norm`: "none", or "batch" behind every convolution (in no paper of theirs: torchvision's). An
    input of another size than 224 is brought to 7 x 7 before the classifier, as in torchvision.
    """

    fields = ("norm", "dropout_p", "fc_width")
    smallest = 32
    maps: tuple[int, ...]  # of each convolution, or POOL

    def __init__(
        self, num_classes: int = 1000, *, input_size: int = 224, norm: str = "none",
        dropout_p: float = 0.5, fc_width: int = 4096,
    ) -> None:  # fmt: skip
        self.check(num_classes, input_size, norm=norm)
        features: list[nn.Module] = []
        inputs = 3
        for maps in self.maps:
            if maps == POOL:
                features.append(nn.MaxPool2d(2, 2))
                continue
            features.append(nn.Conv2d(inputs, maps, 3, padding=1))
            features += [nn.BatchNorm2d(maps)] * (norm == "batch") + [nn.ReLU()]
            inputs = maps
        classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, fc_width), nn.ReLU(), nn.Dropout(dropout_p),
            nn.Linear(fc_width, fc_width), nn.ReLU(), nn.Dropout(dropout_p),
            nn.Linear(fc_width, num_classes),
        )  # fmt: skip
        super().__init__({
            "features": nn.Sequential(*features), "avgpool": nn.AdaptiveAvgPool2d(7),
            "flatten": nn.Flatten(), "classifier": classifier,
        })  # fmt: skip
        self.num_classes, self.input_size = num_classes, input_size

    @classmethod
    def check(
        cls, num_classes: int, input_size: int, norm: str = "none", **options: Any
    ) -> None:
        super().check(num_classes, input_size)
        if norm not in NORMS:
            raise ValueError(f"{cls.title}: norm {norm!r}, expected {' or '.join(NORMS)}")

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, num_classes)."""
        self._check_images(input)
        return super().forward(input)  # type: ignore[no-any-return]


class VGG11(VGG):
    title = "VGG-11"
    maps = (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL)


class VGG16(VGG):
    title = "VGG-16"
    maps = (
        64, 64, POOL, 128, 128, POOL, 256, 256, 256, POOL, 512, 512, 512, POOL,
        512, 512, 512, POOL,
    )  # fmt: skip
