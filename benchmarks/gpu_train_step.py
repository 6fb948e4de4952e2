"""Time a training step of AlexNet on a GPU, here and in PyTorch, and every kernel of ours.

    python benchmarks/gpu_train_step.py [--variant grouped one-tower] [--batch 128 256]
        [--precision float32 tf32 float16] [--parts steps kernels feeding] [--rounds 3]

Needs a GPU, CuPy, and PyTorch for it (or --alone). Three parts, each with a section of its own in
benchmarks/RESULTS.md, which says what the columns mean:

steps    A step is forward, backward and SGD update (momentum 0.9, weight decay 5e-4) on random
         images with 1000 classes; "grouped" is the paper's network with LRN, "one-tower"
         torchvision's. minigrad, PyTorch eager and torch.compile take turns, each in a process of
         its own. float32 is strict, float16 and bfloat16 are mixed precision (torch.autocast).
kernels  Each kernel of a step: time, bandwidth, share of the floor, at the first batch size.
feeding  `alexnet train` on a prepared set against the same step on a resident batch.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gpu_device
import gpu_feeding
import gpu_kernels
import numpy as np
import sections
from gpu_device import Clock, step_seconds
from pytorch import torch_alexnet, torch_step
from rounds import Result, SideError, alternate, ratio_line, run_side, spread

import minigrad as mg
from alexnet_scratch.bench import TrainingStep, positive
from alexnet_scratch.model import AlexNet
from alexnet_scratch.pixels import PixelStatistics, ToInput
from alexnet_scratch.recipe import RECIPES
from minigrad.kernels.fast.product import PRECISIONS
from minigrad.tools.text import align, format_bytes

CLASSES = 1000
WARM_UP = 5  # the first calls compile kernels, and let PyTorch choose algorithms
OURS, EAGER, COMPILED = "minigrad", "PyTorch", "PyTorch, compiled"
PARTS = ("steps", "kernels", "feeding")
RESULTS = Path(__file__).with_name("RESULTS.md")


# ----- one side, in a process of its own -----


def network(variant: str) -> AlexNet:
    """The network that is timed."""
    return AlexNet(CLASSES, variant)


def work_minigrad(options: argparse.Namespace) -> Result:
    """A step of minigrad on the GPU."""
    free, (batch,), (precision,) = mg.cuda.mem_get_info()[0], options.batch, options.precision
    step = TrainingStep(network(options.variant[0]).to("cuda"), batch, precision=precision)
    clock = gpu_device.cupy_clock()
    step_seconds(step, WARM_UP, clock)
    seconds = step_seconds(step, options.steps, clock)
    in_use = gpu_device.peak_in_use(step)
    taken = free - mg.cuda.mem_get_info()[0]
    return gpu_device.measured(seconds, batch, in_use, mg.cuda.memory_reserved(), taken)


def work_torch(options: argparse.Namespace, compiled: bool = False) -> Result:
    """The same step of PyTorch. `options.device` "cpu" is for a look whether it runs."""
    import torch

    on_gpu, (batch,), (precision,) = options.device == "cuda", options.batch, options.precision
    free = torch.cuda.mem_get_info()[0] if on_gpu else 0
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = True
    model = torch_alexnet(options.variant[0], CLASSES).to(options.device)
    images = torch.randn(batch, 3, 224, 224, device=options.device)
    labels = torch.randint(0, CLASSES, (batch,), device=options.device)
    mixed = precision in ("float16", "bfloat16")
    autocast = partial(torch.autocast, options.device, getattr(torch, precision)) if mixed else None
    scaler = torch.amp.GradScaler(options.device) if precision == "float16" else None
    step = torch_step(torch.compile(model) if compiled else model, images, labels, autocast, scaler)
    clock = torch_clock() if on_gpu else Clock(time.perf_counter, seconds_between, lambda: None)
    step_seconds(step, WARM_UP, clock)
    if not on_gpu:
        return gpu_device.measured(step_seconds(step, options.steps, clock), batch, 0, 0, 0)
    torch.cuda.reset_peak_memory_stats()  # not what choosing algorithms took
    seconds = step_seconds(step, options.steps, clock)
    in_use, reserved = torch.cuda.max_memory_allocated(), torch.cuda.memory_reserved()
    taken = free - torch.cuda.mem_get_info()[0]
    return gpu_device.measured(seconds, batch, in_use, reserved, taken)


def torch_clock() -> Clock:
    """The clock of PyTorch's current stream."""
    import torch

    def mark() -> Any:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    return Clock(mark, lambda a, b: float(a.elapsed_time(b)), torch.cuda.synchronize)


def seconds_between(begin: float, end: float) -> float:
    """Milliseconds, as a clock gives them."""
    return 1e3 * (end - begin)


def work_kernels(options: argparse.Namespace) -> Result:
    """The device's rates and every kernel of a step, from bytes to updated weights."""
    (batch,) = options.batch
    model = network(options.variant[0]).to("cuda")
    rng, size = np.random.default_rng(0), model.input_size
    pixels = mg.tensor(rng.integers(0, 256, (batch, size, size, 3), dtype=np.uint8), device="cuda")
    statistics = PixelStatistics(np.full(3, 120, np.float32), np.eye(3, dtype=np.float32))
    to_input = ToInput(replace(RECIPES["small"], input_size=size), statistics, "cuda")
    alphas = rng.standard_normal((batch, 3), np.float32)
    step = TrainingStep(model, batch, precision=options.precision[0])
    rates, rows = gpu_kernels.measure(step, lambda: to_input(pixels, None, alphas))
    return {"rates": rates._asdict(), "rows": [row._asdict() for row in rows]}


def work_facts(options: argparse.Namespace) -> Result:
    """Device and versions, PyTorch's among them; "problem" says what is missing."""
    found: Result = dict(gpu_device.facts())
    if "problem" in found or options.alone:
        return found
    if importlib.util.find_spec("torch") is None:
        return found | {"problem": "PyTorch is not installed: pip install torch, or give --alone"}
    import torch

    if not torch.cuda.is_available():
        return found | {"problem": f"PyTorch {torch.__version__} finds no GPU: install one built "
                        "for CUDA (pytorch.org), or give --alone"}  # fmt: skip
    return found | {"PyTorch": f"{torch.__version__} (CUDA {torch.version.cuda}, "
                    f"cuDNN {torch.backends.cudnn.version()})"}  # fmt: skip


WORKERS = {
    OURS: work_minigrad, EAGER: work_torch, COMPILED: partial(work_torch, compiled=True),
    "kernels": work_kernels, "facts": work_facts,
    gpu_feeding.FED: gpu_feeding.work_fed, gpu_feeding.RESIDENT: gpu_feeding.work_resident,
}  # fmt: skip


# ----- the rounds -----


def run(worker: str, options: argparse.Namespace, **changes: Any) -> Result:
    """Run a worker in a fresh process. Raises SideError."""
    given = {**vars(options), **changes}
    flags = ["--worker", worker, "--steps", str(given["steps"]), "--device", given["device"]]
    for name in ("variant", "precision", "batch"):
        flags += [f"--{name}", str(given[name][0])]
    flags += ["--alone"] * given["alone"] + (["--set", str(given["set"])] if given["set"] else [])
    return run_side(__file__, flags)


def time_steps(options: argparse.Namespace, variant: str, precision: str, batch: int) -> Result:
    """The rounds of one configuration; a side that fails is left out, and why is kept."""
    failed: dict[str, str] = {}

    def attempt(side: str) -> Result:
        if side in failed:
            return {"rate": math.nan}
        try:
            return run(side, options, variant=[variant], precision=[precision], batch=[batch])
        except SideError as error:
            failed[side] = str(error).splitlines()[-1]
            return {"rate": math.nan}

    print(f"{variant}, {precision}, batch {batch}", file=sys.stderr)
    sides = [OURS] if options.alone else [OURS, EAGER, COMPILED]
    rounds = alternate(sides, options.rounds, attempt)
    return {"variant": variant, "precision": precision, "batch": batch, "steps": options.steps,
            "rounds": rounds, "failed": failed}  # fmt: skip


def step_report(timed: Result) -> str:
    """The table of one configuration."""
    rounds, failed = timed["rounds"], timed["failed"]
    sides = [side for side in rounds[0] if side not in failed]
    cells = [("", "images/s", "min..max", "best step", "in use", "reserved", "taken")]
    for side in sides:
        memory = [format_bytes(max(r[side][key] for r in rounds))
                  for key in ("in_use", "reserved", "taken")]  # fmt: skip
        rates = spread([r[side]["rate"] for r in rounds], ".0f")
        cells.append((side, *rates, f"{max(r[side]['best'] for r in rounds):.0f}", *memory))
    lines = [
        f"{timed['variant']}, {timed['precision']}, batch {timed['batch']}: {len(rounds)} rounds "
        f"of {timed['steps']} steps",
        "", *align(cells, left=1), "",
    ]  # fmt: skip
    if OURS in sides:
        for side in sides[1:]:
            uses = (max(r[s]["in_use"] for r in rounds) for s in (OURS, side))
            lines += [ratio_line(rounds, OURS, side) + f", memory in use {ratio(*uses):.2f}"]
    return "\n".join([*lines, *(f"{side} failed: {why}" for side, why in failed.items())]).rstrip()


def ratio(one: float, other: float) -> float:
    """one / other; NaN where there is no other."""
    return one / other if other else math.nan


def kernel_report(variant: str, precision: str, batch: int, found: Result) -> str:
    """Rates and the two tables of one configuration."""
    rows = [gpu_kernels.Row(**row) for row in found["rows"]]
    rates = gpu_kernels.Rates(**found["rates"])
    return "\n".join([
        f"{variant}, {precision}, batch {batch}: GEMM {rates.gemm / 1e12:.1f} TFLOP/s, "
        f"copy {rates.copy / 1e9:.0f} GB/s",
        "", gpu_kernels.table(gpu_kernels.by_kernel(rows), places=False),
        "", gpu_kernels.table(rows, places=True),
    ])  # fmt: skip


def main() -> int:
    options = parse()
    if options.worker:
        print(json.dumps(WORKERS[options.worker](options)))
        return 0
    try:
        return measure(options)
    except SideError as error:
        sys.exit(f"gpu_train_step: {error}")


def measure(options: argparse.Namespace) -> int:
    """All parts; a section of the results is written as soon as it is there."""
    facts = run("facts", options)
    if "problem" in facts:
        sys.exit(f"gpu_train_step: {facts['problem']}")
    facts |= {"commit": commit(), "date": time.strftime("%Y-%m-%d %H:%M")}
    command = shlex.join(["python", "benchmarks/gpu_train_step.py", *sys.argv[1:]])
    heading = ", ".join(f"{k} {v}" for k, v in facts.items()) + f"\n$ {command}"
    every: Result = {"facts": facts, "command": command}

    def publish(section: str, reports: list[str]) -> None:
        print(*reports, sep="\n\n", end="\n\n", flush=True)
        if not options.quick:
            sections.write(options.results, section, "\n\n".join([heading, *reports]))
        if options.json:
            options.json.write_text(json.dumps(every, indent=1) + "\n")

    for variant in options.variant:
        if "steps" in options.parts:
            timed = every[f"steps {variant}"] = [
                time_steps(options, variant, precision, batch)
                for precision in options.precision for batch in options.batch
            ]  # fmt: skip
            publish(f"steps {variant}", [step_report(t) for t in timed])
        if "kernels" in options.parts:
            batch, found = options.batch[0], {}
            for precision in options.precision:
                found[precision] = run("kernels", options, variant=[variant], batch=[batch],
                                       precision=[precision])  # fmt: skip
            every[f"kernels {variant}"] = found
            publish(f"kernels {variant}",
                    [kernel_report(variant, p, batch, f) for p, f in found.items()])  # fmt: skip
    if "feeding" in options.parts:
        with gpu_feeding.prepared(options.set, options.images) as folder:
            feed = partial(run, options=options, set=folder, precision=[fastest(options)])
            rounds = alternate(gpu_feeding.SIDES, options.rounds, feed)
        every["feeding"] = rounds
        publish("feeding", [gpu_feeding.report(rounds)])
    return 0


def fastest(options: argparse.Namespace) -> str:
    """tf32, as training on a GPU takes it, if it is among what is measured."""
    return "tf32" if "tf32" in options.precision else str(options.precision[0])


def commit() -> str:
    """The commit that is measured; "+" where the working tree differs from it."""
    git = ["git", "-C", str(RESULTS.parent), "describe", "--always", "--abbrev=10", "--dirty=+"]
    try:
        done = subprocess.run(git, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--variant", nargs="+", choices=("grouped", "one-tower"), help="default: both",
        default=["grouped", "one-tower"])  # fmt: skip
    add("--batch", type=positive, nargs="+", help="default: 128 256")
    add("--precision", nargs="+", choices=PRECISIONS, default=["float32", "tf32", "float16"],
        help="default: float32 tf32 float16")  # fmt: skip
    add("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="default: all")
    add("--rounds", type=positive, help="default: 3")
    add("--steps", type=positive, help="timed steps of a process (default: 50)")
    add("--quick", action="store_true", help="one round of 10 steps at batch 32; writes no results")
    add("--alone", action="store_true", help="minigrad without PyTorch")
    add("--set", type=Path, metavar="FOLDER", help="a prepared set to feed (default: one is made)")
    add("--images", type=positive, default=20000, help="of the set that is made (default: 20000)")
    add("--results", type=Path, default=RESULTS, help="default: benchmarks/RESULTS.md")
    add("--json", type=Path, metavar="FILE", help="write all measurements to a file")
    add("--device", choices=("cuda", "cpu"), default="cuda", help=argparse.SUPPRESS)
    add("--worker", choices=tuple(WORKERS), help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    options.batch = options.batch or ([32] if options.quick else [128, 256])
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.steps = options.steps or (10 if options.quick else 50)
    return options


if __name__ == "__main__":
    sys.exit(main())
