"""Time 3 x 3 convolutions by Winograd's way and by columns, forward and backward, and their errors.

    python benchmarks/winograd.py [--threads 1] [--rounds 5]

The two take turns in one process; a ratio above 1 says how many times as fast Winograd's way is, by
the fastest of the rounds. Errors are the largest difference from float64, of the largest number.
The layers are those of AlexNet (13 x 13, also at 128 pixels: 7 x 7) and of VGG's kind.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import minigrad as mg
from alexnet_scratch.bench import positive
from minigrad.kernels.fast import conv, winograd
from minigrad.tools.text import align


class Layer(NamedTuple):
    name: str
    images: int
    side: int
    channels: int
    out: int
    groups: int = 1


LAYERS = (
    Layer("conv3", 64, 13, 256, 384), Layer("conv4, two towers", 64, 13, 384, 384, 2),
    Layer("conv5, two towers", 64, 13, 384, 256, 2), Layer("one tower: conv3", 64, 13, 192, 384),
    Layer("one tower: conv4", 64, 13, 384, 256), Layer("conv3 at 128 pixels", 64, 7, 256, 384),
    Layer("64 maps of 56 x 56", 8, 56, 64, 64), Layer("128 of 28 x 28", 16, 28, 128, 128),
    Layer("256 of 14 x 14", 32, 14, 256, 256), Layer("conv3, 4 images", 4, 13, 256, 384),
    Layer("conv3, 1 image", 1, 13, 256, 384),
)  # fmt: skip


def fastest(rounds: int, *calls: Callable[[], Any]) -> list[float]:
    """Seconds of each call, the fastest of its rounds; the calls take turns."""
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, found in zip(calls, seconds, strict=True):
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
    return [min(found) for found in seconds]


def row(layer: Layer, rounds: int) -> list[str]:
    """The ratios of one layer and the errors of both ways."""
    rng = np.random.default_rng(0)
    size = (layer.images, layer.side, layer.side, layer.channels)
    x = rng.standard_normal(size, np.float32).transpose(0, 3, 1, 2)
    kernel = (layer.out, layer.channels // layer.groups, 3, 3)
    weight = rng.standard_normal(kernel, np.float32) * np.float32(0.02)
    options = ((1, 1), (1, 1), (1, 1), layer.groups)
    ways = (conv, winograd)
    ys = [way.forward(x, weight, None, *options, True) for way in ways]
    exact = conv.forward(x[:2].astype("f8"), weight.astype("f8"), None, *options, True)
    errors = [abs(y[:2] - exact).max() / abs(exact).max() for y in ys]
    times = [fastest(rounds, *[lambda w=way: w.forward(x, weight, None, *options, True)
                               for way in ways])]  # fmt: skip
    for needs in ((True, False, True), (False, True, True), (True, True, True)):
        calls = [lambda w=way, n=needs: w.backward(ys[0], x, weight, *options, ys[0], n)
                 for way in ways]  # fmt: skip
        times.append(fastest(rounds, *calls))
    taken = winograd._forward_pays(x, weight, None, *options)
    return [layer.name, "yes" if taken else "no", f"{times[0][0] * 1e3:.1f}",
            *[f"{ours / theirs:.2f}" for ours, theirs in times],
            *[f"{error:.0e}" for error in errors]]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=positive, default=mg.get_num_threads())
    parser.add_argument("--rounds", type=positive, default=5)
    options = parser.parse_args()
    mg.set_num_threads(options.threads)
    head = ["", "taken", "columns, ms", "forward", "dx", "dweight", "both", "error", "Winograd's"]
    print(*align([head, *[row(layer, options.rounds) for layer in LAYERS]], left=1), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
