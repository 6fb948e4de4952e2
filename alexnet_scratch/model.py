"""AlexNet: eight layers with weights, listed from the image to the classes.

The layer table of the paper's network (section 3.5), 224 x 224 input:

    conv1   96 x 55 x 55   11 x 11, stride 4              conv4  384 x 13 x 13   3 x 3, in 2 groups
    pool1   96 x 27 x 27   3 x 3, stride 2                conv5  256 x 13 x 13   3 x 3, in 2 groups
    conv2  256 x 27 x 27   5 x 5, in 2 groups             pool5  256 x 6 x 6
    pool2  256 x 13 x 13                                  fc6    4096
    conv3  384 x 13 x 13   3 x 3, reads both groups       fc7    4096,  fc8  1000

The groups are the paper's two GPUs: a tower of half the maps on each, which meet in conv3 and in
the fully connected layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from minigrad import Tensor, nn
from minigrad.nn import functional as F

from . import cifar
from .network import Network

VARIANTS = ("two-tower", "grouped", "one-tower", "cifar")
ORDERS = (
    "relu-lrn-pool", "relu-pool-lrn", "lrn-pool-relu", "relu-lrn-contrast-pool", "relu-pool",
)  # fmt: skip
CONV1_EDGES = ("pad", "ceil", "valid")
POOL_EDGES = ("floor", "ceil")
DROPOUTS = ("inverted", "paper")
NORMS = ("response", "batch", "none")


class CeilEdge(nn.Module):
    """Zeros to the right and below until the windows fit: the 2012 code's rule for conv1.

    It counted ceil((size - 11) / 4) + 1 windows and read zeros outside the image, so that 224
    gives 55 with three zero rows and columns.
    """

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H + up to stride - 1, W + up to stride - 1)."""
        below, right = (-(size - self.kernel) % self.stride for size in input.shape[2:])
        return F.pad(input, (0, right, 0, below))

    def extra_repr(self) -> str:
        return f"kernel={self.kernel}, stride={self.stride}"


class Stem(NamedTuple):
    """conv1's kernel, stride and edge, the edges of the poolings, and what follows from them."""

    kernel: int
    stride: int
    edge: str
    pools: tuple[str, ...] = ("floor",) * 3

    @property
    def padding(self) -> int:
        """Zeros around the image: two, as 224 -> 55 needs, or half a smaller kernel."""
        return min(2, self.kernel // 2) if self.edge == "pad" else 0

    @property
    def smallest(self) -> int:
        """Side of an input of which one pixel is left after pool5: 15 after conv1."""
        if self.edge == "ceil":
            return 13 * self.stride + self.kernel + 1
        return 14 * self.stride + self.kernel - 2 * self.padding

    def pooled_side(self, size: int) -> int:
        """Side of the maps after pool5, from the input's."""
        span = size + 2 * self.padding - self.kernel
        side = (span + self.stride - 1 if self.edge == "ceil" else span) // self.stride + 1
        for edge in self.pools:
            side = (side - (2 if edge == "ceil" else 3)) // 2 + 1
        return side


class AlexNet(nn.Sequential, Network):
    """The network of 2012 with the choices that its descriptions disagree about as arguments.

    `variant`: "two-tower" (groups of 2, LRN windows stop at the border between the towers),
    "grouped" (groups of 2, LRN over all channels, as Caffe), "one-tower" (torchvision's: no groups,
    no LRN, dropout before fc6 and fc7; its `state_dict` keys are torchvision's, and of the further
    arguments only `dropout_p`, `input_size`, `fc_width` and `norm` apply), "cifar" (the four layers
    for small images in `cifar`, with three `widths`: `input_size`, `norm` and LRN's apply).

    `norm`: "response" is LRN, where `orders` has it; "batch" puts batch normalisation between each
    convolution and what follows it, and "none" nothing: both leave out what `orders` says of LRN
    and contrast. The convolutions keep their biases, which batch normalisation makes idle.

    `input_size`: pixels; 224 gives 55 x 55 after conv1, with `conv1_edge` "pad" (padding 2, or 1
    for a kernel of 3) or "ceil" (the 2012 rule, see `CeilEdge`); "valid" is without any border, as
    PyTorch calls it. `conv1_kernel`, `conv1_stride`: smaller ones are for smaller images: 5 and 2
    for 64 pixels. `pool_edges`: of pool1, pool2 and pool5, whether a last window may hang over the
    edge ("ceil"). `orders`: what follows conv1 and conv2. LRN as in `minigrad.kernels.lrn`, alpha
    on the plain sum; "contrast" is the 2012 code's normalisation within each map. `dropout`:
    "inverted" or the "paper" form, with probability `dropout_p` after fc6 and fc7. `widths`: maps
    of the five convolutions.

    Input (N, 3, input_size, input_size), output logits (N, num_classes).
    """

    def __init__(
        self,
        num_classes: int = 1000,
        variant: str = "two-tower",
        *,
        input_size: int = 224,
        conv1_kernel: int = 11,
        conv1_stride: int = 4,
        conv1_edge: str = "pad",
        pool_edges: tuple[str, ...] = ("floor", "floor", "floor"),
        orders: tuple[str, str] = ("relu-lrn-pool", "relu-lrn-pool"),
        lrn_size: int = 5,
        lrn_k: float = 2.0,
        lrn_alpha: float = 1e-4,
        lrn_beta: float = 0.75,
        dropout: str = "inverted",
        dropout_p: float = 0.5,
        widths: tuple[int, ...] = (96, 256, 384, 384, 256),
        fc_width: int = 4096,
        norm: str = "response",
    ) -> None:
        _choose("variant", variant, VARIANTS)
        _choose("conv1_edge", conv1_edge, CONV1_EDGES)
        _choose("dropout", dropout, DROPOUTS)
        _choose("norm", norm, NORMS)
        for order in orders:
            _choose("orders", order, ORDERS)
        for edge in pool_edges:
            _choose("pool_edges", edge, POOL_EDGES)
        if num_classes < 1:
            raise ValueError(f"AlexNet: num_classes must be at least 1, got {num_classes}")
        stem = Stem(conv1_kernel, conv1_stride, conv1_edge, pool_edges)
        check_sizes(variant, widths, input_size, stem)
        layers: dict[str, nn.Module]
        if variant == "cifar":
            lrn = (lrn_size, lrn_k, lrn_alpha, lrn_beta)
            layers = cifar.layers(num_classes, widths, input_size, lrn, norm)
        elif variant == "one-tower":
            layers = _one_tower(num_classes, dropout_p, fc_width, norm)
        else:
            towers = 2 if variant == "two-tower" else 1
            layers = _convolutions(
                widths, stem, orders, (lrn_size, lrn_k, lrn_alpha, lrn_beta, towers), norm
            )
            side = stem.pooled_side(input_size)
            drop = nn.PaperDropout if dropout == "paper" else nn.Dropout
            layers |= {
                "flatten": nn.Flatten(),
                "fc6": nn.Linear(widths[4] * side * side, fc_width),
                "relu6": nn.ReLU(),
                "drop6": drop(dropout_p),
                "fc7": nn.Linear(fc_width, fc_width),
                "relu7": nn.ReLU(),
                "drop7": drop(dropout_p),
                "fc8": nn.Linear(fc_width, num_classes),
            }
        super().__init__(layers)
        self.num_classes, self.variant, self.input_size = num_classes, variant, input_size
        self.title = f"AlexNet {variant}"

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, size, size) -> logits (N, num_classes)."""
        size = self.input_size
        fits = input.ndim == 4 and input.shape[1] == 3
        if not fits or (self.variant != "one-tower" and input.shape[2:] != (size, size)):
            raise ValueError(
                f"AlexNet: got input of shape {input.shape}, expected (N, 3, {size}, {size})"
            )
        return super().forward(input)  # type: ignore[no-any-return]


def check_sizes(variant: str, widths: tuple[int, ...], input_size: int, stem: Stem) -> None:
    """ValueError for widths that the variant does not have, or an input too small for it."""
    if variant == "cifar" and (len(widths) != 3 or min(widths) < 1):
        raise ValueError(f"AlexNet: widths must be three numbers for cifar, got {widths}")
    if variant != "cifar" and (len(widths) != 5 or any(w < 2 or w % 2 for w in widths)):
        raise ValueError(f"AlexNet: widths must be five even numbers, got {widths}")
    least = cifar.SMALLEST if variant == "cifar" else stem.smallest
    if input_size < least:
        raise ValueError(
            f"AlexNet: input_size {input_size} is too small, expected at least {least} for the "
            + ("cifar network" if variant == "cifar" else
               f"conv1 of {stem.kernel} x {stem.kernel} and stride {stem.stride}")
        )


COUNT = "num_batches_tracked"


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model without dropout; afterwards in the mode it was in."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _choose(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"AlexNet: {name} {value!r} is unknown: use one of {', '.join(allowed)}")


def _convolutions(
    widths: tuple[int, ...], stem: Stem, orders: tuple[str, str], lrn: tuple[Any, ...], norm: str
) -> dict[str, nn.Module]:
    """conv1 to pool5 by name."""
    layers: dict[str, nn.Module] = {}
    if stem.edge == "ceil":
        layers["edge1"] = CeilEdge(stem.kernel, stem.stride)
    inputs = (3, *widths)
    shapes = (
        (stem.kernel, stem.stride, stem.padding, 1),  # kernel, stride, padding, groups
        (5, 1, 2, 2),
        (3, 1, 1, 1),
        (3, 1, 1, 2),
        (3, 1, 1, 2),
    )
    after = (*orders, "relu", "relu", "relu-pool")
    pools = {f"pool{i}": edge for i, edge in zip((1, 2, 5), stem.pools, strict=True)}
    for i, ((kernel, stride, padding, groups), order) in enumerate(zip(shapes, after, strict=True)):
        layers[f"conv{i + 1}"] = nn.Conv2d(
            inputs[i], widths[i], kernel, stride, padding, groups=groups
        )
        if norm == "batch":
            layers[f"bn{i + 1}"] = nn.BatchNorm2d(widths[i])
        for step in order.split("-"):
            if norm == "response" or step in ("relu", "pool"):
                name = f"{step}{i + 1}"
                layers[name] = _step(step, lrn, pools.get(name) == "ceil")
    return layers


def _step(name: str, lrn: tuple[Any, ...], ceil_mode: bool) -> nn.Module:
    if name == "lrn":
        return nn.PaperLRN(*lrn)
    if name == "contrast":  # "rnorm" of the 2012 layer file: size 5, scale 0.001, pow 0.75
        return nn.LocalContrastNorm(5, 1e-3, 0.75, 1.0, subtract_mean=False)
    return nn.MaxPool2d(3, 2, ceil_mode=ceil_mode) if name == "pool" else nn.ReLU()


def _one_tower(
    num_classes: int, dropout_p: float, fc_width: int, norm: str
) -> dict[str, nn.Module]:
    """torchvision's AlexNet (after "One weird trick", Krizhevsky 2014), with its key names."""
    batch = norm == "batch"
    features: list[nn.Module] = []
    for inputs, maps, kernel, stride, padding, pooled in (
        (3, 64, 11, 4, 2, True),
        (64, 192, 5, 1, 2, True),
        (192, 384, 3, 1, 1, False),
        (384, 256, 3, 1, 1, False),
        (256, 256, 3, 1, 1, True),
    ):
        features += [nn.Conv2d(inputs, maps, kernel, stride, padding)]
        features += [nn.BatchNorm2d(maps), nn.ReLU()] if batch else [nn.ReLU()]
        features += [nn.MaxPool2d(3, 2)] if pooled else []
    classifier = nn.Sequential(
        nn.Dropout(dropout_p), nn.Linear(256 * 6 * 6, fc_width), nn.ReLU(),
        nn.Dropout(dropout_p), nn.Linear(fc_width, fc_width), nn.ReLU(),
        nn.Linear(fc_width, num_classes),
    )  # fmt: skip
    return {
        "features": nn.Sequential(*features),
        "avgpool": nn.AdaptiveAvgPool2d(6),
        "flatten": nn.Flatten(),
        "classifier": classifier,
    }
