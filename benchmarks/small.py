"""Time a training step of small networks, here and in PyTorch, where Python's share is largest.

    python benchmarks/small.py [--network mlp lenet cifar] [--batch 1 32 256] [--rounds 5]

mlp: 64-128-64-10 with ReLU, on scikit-learn's digits (8 x 8). lenet: LeCun's five layers with ReLU
and maximum pooling, on the digits blown up to 32 x 32. cifar: the 2012 code's network for CIFAR-10
(recipe `cifar`), on random images of 24 x 24. A step is forward, cross-entropy, backward and SGD
(momentum 0.9, weight decay 5e-4) in float32. Each side runs in a process of its own, in
alternating rounds, with as many threads, the same weights and the same batch, channels-last. Ratios
are taken within a round.

--verify compares the losses of ten steps in place of the time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from pytorch import torch_step
from rounds import SideError, alternate, run_side, spread

import minigrad as mg
from alexnet_scratch import cifar
from alexnet_scratch.bench import positive
from alexnet_scratch.recipe import RECIPES
from minigrad import nn, optim
from minigrad.nn import functional as F
from minigrad.tools.text import align

OURS, TORCH = "minigrad", "PyTorch"
CIFAR_SIDE = 24


def digits() -> tuple[Any, Any]:
    """scikit-learn's 1,797 images (N, 8, 8) in 0..1 and their labels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return (found.images / 16).astype(np.float32), found.target


def mlp() -> tuple[nn.Module, Any, Any]:
    images, labels = digits()
    model = nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
    )
    return model, images.reshape(-1, 64), labels


def lenet() -> tuple[nn.Module, Any, Any]:
    images, labels = digits()
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    return model, images.repeat(4, 1).repeat(4, 2)[:, None], labels


def cifar_network() -> tuple[nn.Module, Any, Any]:
    recipe = RECIPES["cifar"]
    lrn = (recipe.lrn_size, recipe.lrn_k, recipe.lrn_alpha, recipe.lrn_beta)
    found = cifar.layers(10, recipe.widths, CIFAR_SIDE, lrn, "response")
    rng = np.random.default_rng(0)
    images = rng.standard_normal((512, CIFAR_SIDE, CIFAR_SIDE, 3), np.float32)
    return nn.Sequential(*found.values()), images.transpose(0, 3, 1, 2), rng.integers(0, 10, 512)


NETWORKS = {"mlp": mlp, "lenet": lenet, "cifar": cifar_network}


def batch_of(images: Any, labels: Any, size: int) -> tuple[Any, Any]:
    """`size` images drawn by a seed, channels-last in memory, and their labels."""
    chosen = np.random.default_rng(0).integers(0, len(images), size)
    if images.ndim == 4:
        return images.transpose(0, 2, 3, 1)[chosen].transpose(0, 3, 1, 2), labels[chosen]
    return images[chosen], labels[chosen]


# ----- one side, in a process of its own -----


def minigrad_step(model: nn.Module, images: Any, labels: Any) -> Callable[[], float]:
    optimizer = optim.SGD(model.parameters(), 1e-3, momentum=0.9, weight_decay=5e-4)
    x, y = mg.Tensor(images), mg.tensor(labels)

    def step() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return float(loss.data)

    return step


def pytorch_step(model: nn.Module, images: Any, labels: Any) -> Callable[[], float]:
    import torch
    from twin_network import torch_network

    torch.set_num_threads(mg.get_num_threads())
    step = torch_step(torch_network(model), torch.from_numpy(images), torch.from_numpy(labels))
    return lambda: float(step())


STEPS = {OURS: minigrad_step, TORCH: pytorch_step}


def measure(side: str, network: str, batch: int, seconds: float) -> dict[str, Any]:
    """Images per second, by the median step of `seconds` seconds; the first ten losses."""
    mg.manual_seed(0)
    model, images, labels = NETWORKS[network]()
    step = STEPS[side](model, *batch_of(images, labels, batch))
    losses = [step() for _ in range(10)]  # and warmed up
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return {"rate": batch / statistics.median(times), "losses": losses}


# ----- the rounds -----


def run(side: str, network: str, batch: int, options: argparse.Namespace) -> dict[str, Any]:
    """One side in a fresh process."""
    threads = str(options.threads)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MINIGRAD_NUM_THREADS")
    flags = ["--worker", side, "--network", network, "--batch", str(batch)]
    flags += ["--seconds", str(options.seconds), "--threads", threads]
    try:
        return run_side(__file__, flags, os.environ | dict.fromkeys(names, threads))
    except SideError as error:
        sys.exit(f"small: the process of {side} failed:\n{error}")


def main() -> int:
    options = parse()
    if options.worker:
        mg.set_num_threads(options.threads)
        found = measure(options.worker, options.network[0], options.batch[0], options.seconds)
        print(json.dumps(found))
        return 0
    if options.verify:
        return verify(options)
    cells = [("network", "batch", OURS, TORCH, "ratio", "min..max")]
    for network in options.network:
        for batch in options.batch:
            rounds = alternate(
                (OURS, TORCH), options.rounds,
                lambda side, n=network, b=batch: run(side, n, b, options),
            )  # fmt: skip
            rates = [spread([r[side]["rate"] for r in rounds], ",.0f")[0] for side in (OURS, TORCH)]
            ratios = spread([r[OURS]["rate"] / r[TORCH]["rate"] for r in rounds], ".2f")
            cells.append((network, str(batch), *rates, *ratios))
    print(f"images/s of a training step, {options.threads} threads, {options.rounds} rounds\n")
    print(*align(cells, left=1), sep="\n")
    return 0


def verify(options: argparse.Namespace) -> int:
    """Compare the losses of both; the exit status is 1 if they differ."""
    options.seconds = 0.0
    worst = 0.0
    for network in options.network:
        ours, theirs = (run(side, network, 32, options)["losses"] for side in (OURS, TORCH))
        difference = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True))
        print(f"{network}: largest relative difference of ten losses {difference:.1e}")
        worst = max(worst, difference)
    return int(worst > 1e-4)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", choices=tuple(NETWORKS), nargs="+", default=[*NETWORKS])
    parser.add_argument("--batch", type=positive, nargs="+", default=[1, 32, 256])
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="timed, of each process")
    parser.add_argument("--threads", type=positive, default=mg.get_num_threads(),
                        help="of either side (default: all cores)")  # fmt: skip
    parser.add_argument("--verify", action="store_true",
                        help="compare the losses of both instead of the time")  # fmt: skip
    parser.add_argument("--worker", choices=tuple(STEPS), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
