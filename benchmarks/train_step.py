"""Time a training step of AlexNet, or its forward alone, here and in PyTorch.

    python benchmarks/train_step.py [--variant grouped|one-tower] [--batch 64 128] [--rounds 5]
    python benchmarks/train_step.py --forward --batch 1 32 128

A step is forward, backward and SGD update (momentum 0.9, weight decay 5e-4) in float32 on random
images with 1000 classes; --forward evaluates, under `no_grad` here and PyTorch's `inference_mode`.
"grouped" is the paper's network with LRN, "one-tower" torchvision's. Each
side runs in a process of its own, one after another in alternating rounds, with the same number of
threads: minigrad, PyTorch as installed, and PyTorch with glibc's allocator thresholds raised, which
saves it the page faults of fresh memory. Rates are medians over the steps of a process, then over
the rounds; ratios are taken within a round. Without PyTorch, minigrad is timed alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pytorch import torch_alexnet, torch_step
from rounds import SideError, alternate, ratio_line, run_side, spread

from alexnet_scratch.bench import (
    TrainingStep,
    layer_table,
    peak_bytes,
    positive,
    seconds_of,
    time_layers,
)
from alexnet_scratch.model import AlexNet
from minigrad import get_num_threads, no_grad, set_num_threads
from minigrad.tools.summary import summary
from minigrad.tools.text import align, format_bytes

CLASSES = 1000
SGEMM_SIZE = 4096
WARM_UP = 2
OURS, TORCH, TUNED = "minigrad", "PyTorch", "PyTorch, thresholds raised"
# Above every array of a step. (glibc before 2.35 takes at most 32 MiB: watch the page faults.)
THRESHOLDS = {"MALLOC_MMAP_THRESHOLD_": str(4 << 30), "MALLOC_TRIM_THRESHOLD_": str(4 << 30)}


# ----- one side, in a process of its own -----


def page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def measure(step: Callable[[], Any], batch: int, steps: int) -> dict[str, float]:
    """Rates, peak memory and page faults of `step`."""
    seconds_of(step, WARM_UP, warm_up=0)
    before = page_faults()
    seconds = seconds_of(step, steps, warm_up=0)
    return {
        "best": batch / min(seconds),
        "rate": batch / statistics.median(seconds),
        "peak_bytes": peak_bytes(),
        "page_faults": (page_faults() - before) / steps,
    }


def work_minigrad(options: argparse.Namespace, batch: int) -> dict[str, Any]:
    step = TrainingStep(AlexNet(CLASSES, options.variant), batch)
    if options.forward:
        step.model.eval()
        return measure(no_grad(lambda: step.model(step.images)), batch, options.steps)
    return measure(step, batch, options.steps)


def work_torch(options: argparse.Namespace, batch: int) -> dict[str, Any]:
    import torch

    torch.set_num_threads(options.threads)
    model = torch_alexnet(options.variant, CLASSES)
    images, labels = torch.randn(batch, 3, 224, 224), torch.randint(0, CLASSES, (batch,))
    if options.forward:
        model.eval()
        return measure(torch.inference_mode()(lambda: model(images)), batch, options.steps)
    return measure(torch_step(model, images, labels), batch, options.steps)


def work_sgemm(options: argparse.Namespace, batch: int) -> dict[str, Any]:
    """Best rate of a large matrix product: what the machine can do."""
    import numpy as np

    a = np.random.default_rng(0).standard_normal((SGEMM_SIZE, SGEMM_SIZE), np.float32)
    out = np.empty_like(a)
    seconds = seconds_of(lambda: np.matmul(a, a, out=out), 3 if options.quick else 7)
    return {"flops": 2 * SGEMM_SIZE**3 / min(seconds)}


def work_layers(options: argparse.Namespace, batch: int) -> dict[str, Any]:
    step = TrainingStep(AlexNet(CLASSES, options.variant), batch)
    times = time_layers(step, options.steps, WARM_UP)
    return {"table": layer_table(times), "layers": [layer._asdict() for layer in times.layers]}


def work_verify(options: argparse.Namespace, batch: int) -> dict[str, Any]:
    """Losses of a few steps of both, from the same weights on the same images, without dropout."""
    import torch

    torch.set_num_threads(options.threads)
    ours = TrainingStep(AlexNet(CLASSES, options.variant, dropout_p=0.0), batch)
    # The scale of raw pixels, where LRN is no constant.
    ours.images.data *= ours.images.data.dtype.type(60)
    model = torch_alexnet(options.variant, CLASSES, dropout=0.0)
    state = {k: torch.from_numpy(v.numpy().copy()) for k, v in ours.model.state_dict().items()}
    model.load_state_dict(state)
    images, labels = (torch.from_numpy(t.numpy()) for t in (ours.images, ours.labels))
    theirs = torch_step(model, images, labels)
    pairs = [(float(ours().item()), float(theirs().item())) for _ in range(3)]
    return {"losses": pairs, "difference": max(abs(a - b) / abs(b) for a, b in pairs)}


WORKERS = {
    OURS: work_minigrad, TORCH: work_torch, TUNED: work_torch,
    "sgemm": work_sgemm, "layers": work_layers, "verify": work_verify,
}  # fmt: skip


# ----- the rounds -----


def run(worker: str, options: argparse.Namespace, batch: int = 1) -> dict[str, Any]:
    """Run a worker in a fresh process and return what it printed."""
    threads = str(options.threads)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MINIGRAD_NUM_THREADS")
    kept = {k: v for k, v in os.environ.items() if k not in THRESHOLDS}
    env = kept | dict.fromkeys(names, threads) | (THRESHOLDS if worker == TUNED else {})
    flags = ["--worker", worker, "--batch", str(batch), "--steps", str(options.steps)]
    flags += ["--variant", options.variant, "--threads", threads] + ["--quick"] * options.quick
    flags += ["--forward"] * options.forward
    try:
        return run_side(__file__, flags, env)
    except SideError as error:
        sys.exit(f"train_step: the process of {worker!r} failed:\n{error}")


def report(options: argparse.Namespace, batch: int, rounds: list[dict[str, Any]]) -> str:
    """The table of one batch size."""
    sides = [side for side in (OURS, TORCH, TUNED) if side in rounds[0]]
    cells = [("", "images/s", "min..max", "best step", "peak memory", "page faults/step")]
    for side in sides:
        results = [r[side] for r in rounds]
        cells.append((
            side, *spread([r["rate"] for r in results], ".1f"),
            f"{max(r['best'] for r in results):.1f}",
            format_bytes(statistics.median(r["peak_bytes"] for r in results)),
            f"{statistics.median(r['page_faults'] for r in results):,.0f}",
        ))  # fmt: skip
    lines = [
        f"{options.variant}{', forward' * options.forward}, batch {batch}, "
        f"{options.threads} threads, "
        f"{options.rounds} rounds of {options.steps} steps",
        "", *align(cells, left=1), "",
    ]  # fmt: skip
    lines += [ratio_line(rounds, OURS, side) for side in sides[1:]]
    flops = step_flops(options.variant) / (3 if options.forward else 1)
    sgemm = [r["sgemm"]["flops"] / 1e9 for r in rounds]
    whole = [r[OURS]["rate"] * flops / 1e9 for r in rounds]
    shares = [w / s for w, s in zip(whole, sgemm, strict=True)]
    lines += [
        "sgemm {}^3: {} GFLOP/s ({})".format(SGEMM_SIZE, *spread(sgemm, ".0f")),
        "{} at {:.2f} GFLOP per image: {} GFLOP/s ({})".format(
            "forward" if options.forward else "whole step", flops / 1e9, *spread(whole, ".0f")
        ),
        "share of the sgemm rate: {} ({})".format(*spread(shares, ".0%")),
    ]
    return "\n".join(lines)


def step_flops(variant: str) -> float:
    """Floating-point operations of one image's forward and backward."""
    return 2.0 * summary(AlexNet(CLASSES, variant), (3, 224, 224)).training_macs


def main() -> int:
    options = parse()
    if options.worker:
        set_num_threads(options.threads)
        print(json.dumps(WORKERS[options.worker](options, options.batch[0])))
        return 0
    has_torch = importlib.util.find_spec("torch") is not None
    sides = [OURS, TORCH, TUNED] if has_torch else [OURS]
    if not has_torch:
        print("PyTorch is not installed, so minigrad is timed alone; to compare: pip install torch "
              "--index-url https://download.pytorch.org/whl/cpu\n")  # fmt: skip
    if options.verify:
        return verify(options, has_torch)
    measured = {}
    for batch in options.batch:
        rounds = alternate(
            sides, options.rounds, lambda side, n=batch: run(side, options, n), last=("sgemm",)
        )
        layers = {"table": "", "layers": []} if options.forward else run("layers", options, batch)
        print(report(options, batch, rounds), layers["table"] + "\n", sep="\n\n", flush=True)
        measured[batch] = {"rounds": rounds, "layers": layers["layers"]}
    if options.json:
        facts = {"variant": options.variant, "threads": options.threads, "steps": options.steps,
                 "time": time.strftime("%Y-%m-%d %H:%M:%S"), "numpy": version("numpy")}  # fmt: skip
        Path(options.json).write_text(json.dumps({**facts, "batches": measured}, indent=1) + "\n")
    return 0


def verify(options: argparse.Namespace, has_torch: bool) -> int:
    """Compare the losses of both; the exit status is 1 if they differ."""
    if not has_torch:
        return 2
    result = run("verify", options, min(options.batch[0], 16))
    for i, (ours, theirs) in enumerate(result["losses"], 1):
        print(f"step {i}: loss {ours:.6f} in minigrad, {theirs:.6f} in PyTorch")
    print(f"largest relative difference {result['difference']:.1e} (limit 1e-4)")
    return int(result["difference"] > 1e-4)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variant", choices=("grouped", "one-tower"), default="grouped")
    parser.add_argument("--batch", type=positive, nargs="+", help="default: 64 128")
    parser.add_argument("--rounds", type=positive, help="default: 5")
    parser.add_argument("--steps", type=positive, help="timed steps of a process (default: 5)")
    parser.add_argument("--threads", type=positive, default=get_num_threads(),
                        help="of either side (default: all cores)")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="one round of 2 steps at batch 16")
    parser.add_argument("--forward", action="store_true", help="evaluation in place of training")
    parser.add_argument("--verify", action="store_true",
                        help="compare the losses of both instead of the time")  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="write all measurements to a file")
    parser.add_argument("--worker", choices=tuple(WORKERS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.batch = options.batch or ([16] if options.quick else [64, 128])
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.steps = options.steps or (2 if options.quick else 5)
    return options


if __name__ == "__main__":
    sys.exit(main())
