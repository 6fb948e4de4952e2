"""Winograd's minimal filtering against im2col, one layer at a time.

    taskset -c 0 python benchmarks/winograd.py --batch 32 --rounds 7
    taskset -c 0 python benchmarks/winograd.py --step grouped one-tower --batch 32

Both ways take turns in this process, on one thread. A ratio is taken within a round, of the
process's own time, and above 1 Winograd is faster. Errors are the largest against float64, over
the largest number.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import minigrad as mg
from alexnet_scratch.bench import TrainingStep
from alexnet_scratch.model import AlexNet
from minigrad.kernels.fast import conv, winograd

LAYERS = {  # map, channels in, out, groups; all 3 x 3 with padding 1
    "paper conv3": (13, 256, 384, 1),
    "paper conv4": (13, 384, 384, 2),
    "paper conv5": (13, 384, 256, 2),
    "one-tower conv3": (13, 192, 384, 1),
    "one-tower conv4": (13, 384, 256, 1),
    "one-tower conv5": (13, 256, 256, 1),
    "CIFAR, 16 pixels": (16, 32, 64, 1),
    "VGG, 56 pixels": (56, 128, 128, 1),
}
WAYS = {"im2col": conv, "winograd": winograd}
NEEDS = {"dinput": (True, False, False), "dweight": (False, True, False),
         "backward": (True, True, True)}  # fmt: skip


def arrays(layer: tuple[int, int, int, int], batch: int) -> list[Any]:
    """x, weight, bias and gradient, float32, channels-last."""
    size, channels, out, groups = layer
    rng = np.random.default_rng(0)
    x, grad = (
        rng.standard_normal((batch, size, size, c), np.float32).transpose(0, 3, 1, 2)
        for c in (channels, out)
    )
    weight = rng.standard_normal((out, channels // groups, 3, 3), np.float32) * np.float32(0.02)
    return [x, weight, np.zeros(out, np.float32), grad]


def calls(way: Any, data: list[Any], groups: int) -> dict[str, Callable[[], Any]]:
    """What is measured, by name."""
    x, weight, bias, grad = data
    how = ((1, 1), (1, 1), (1, 1), groups)
    return {
        "forward": lambda: way.forward(x, weight, bias, *how),
        **{
            name: lambda needs=needs: way.backward(grad, x, weight, *how, None, needs)
            for name, needs in NEEDS.items()
        },
    }


def seconds(call: Callable[[], Any]) -> float:
    """Of this process, so that what else runs here counts little."""
    start = time.process_time()
    call()
    return time.process_time() - start


def ratios(layer: tuple[int, int, int, int], batch: int, rounds: int) -> dict[str, list[float]]:
    """im2col's seconds over Winograd's, a ratio a round."""
    data = arrays(layer, batch)
    ways = {name: calls(way, data, layer[3]) for name, way in WAYS.items()}
    found: dict[str, list[float]] = {}
    for name in ways["im2col"]:
        for way in ways.values():
            way[name]()
        found[name] = []
        for i in range(rounds):
            order = list(ways)[:: 1 if i % 2 else -1]
            times = {way: seconds(ways[way][name]) for way in order}
            found[name].append(times["im2col"] / times["winograd"])
    return found


def errors(layer: tuple[int, int, int, int], batch: int) -> dict[str, list[float]]:
    """For forward, dinput and dweight: each way's largest error."""
    data, groups = arrays(layer, batch), layer[3]
    exact = calls(conv, [a.astype(np.float64) for a in data], groups)
    found = {}
    for place, name in enumerate(("forward", "dinput", "dweight")):
        pick = (lambda r: r) if place == 0 else (lambda r, k=place - 1: r[k])
        right = pick(exact[name]())
        wrong = [pick(calls(way, data, groups)[name]()) for way in WAYS.values()]
        found[name] = [float(abs(w - right).max() / abs(right).max()) for w in wrong]
    return found


def steps(variant: str, batch: int, rounds: int) -> list[float]:
    """Seconds of a whole training step by im2col over those by Winograd, a ratio a round."""
    step, found = TrainingStep(AlexNet(1000, variant), batch), []
    for i in range(rounds + 1):
        times = {}
        for side in ("off", "on")[:: 1 if i % 2 else -1]:
            os.environ[winograd.SWITCH] = side
            times[side] = seconds(step)
        found.append(times["off"] / times["on"])
    return found[1:]  # the first ones fill memory


def cell(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--layers", default="", help="those whose name has this in it")
    parser.add_argument("--step", nargs="+", choices=("grouped", "one-tower"),
                        help="whole training steps of these networks instead")  # fmt: skip
    options = parser.parse_args()
    mg.set_num_threads(1)
    print(f"batch {options.batch}, {options.rounds} rounds, one thread: im2col's time / Winograd's")
    for variant in options.step or ():
        print(f"training step, {variant}: {cell(steps(variant, options.batch, options.rounds))}",
              flush=True)  # fmt: skip
    if options.step:
        return 0
    for name, layer in LAYERS.items():
        if options.layers not in name:
            continue
        cells = [
            f"{what} {cell(r)}"
            for what, r in ratios(layer, options.batch, options.rounds).items()
        ]
        print(f"{name}: " + ", ".join(cells), flush=True)
        for what, (im2col, ours) in errors(layer, min(options.batch, 4)).items():
            print(f"  error of {what}: im2col {im2col:.1e}, Winograd {ours:.1e}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
