"""How time and memory of a training step grow: over batch, input, width and threads.

    python benchmarks/scaling_cpu.py [--out scaling.png] [--rounds 3]

The paper's network (two towers as groups, LRN, 1000 classes) around batch 32, 224 pixels, width 1
and all cores; one of the four is changed at a time, here and in PyTorch, each point and side in a
process of its own, in alternating rounds. Printed beside each point: the seconds over those that
the row's first point and the work's growth would give, 1.00 where the step grows as its work does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from rounds import SideError, alternate, run_side

import minigrad as mg
from alexnet_scratch.bench import TrainingStep, peak_bytes, positive, seconds_of
from alexnet_scratch.model import AlexNet
from minigrad.tools.summary import summary
from minigrad.tools.text import align, format_bytes

OURS, TORCH = "minigrad", "PyTorch"
COLOURS = {OURS: "#0072B2", TORCH: "#D55E00"}  # colour-blind safe (Okabe and Ito)
WIDTHS = (96, 256, 384, 384, 256)


class Point(NamedTuple):
    batch: int = 32
    size: int = 224
    width: float = 1.0
    threads: int = mg.get_num_threads()


AXES: dict[str, tuple[Any, ...]] = {
    "batch": (1, 4, 16, 32, 64, 128, 256, 512),
    "size": (64, 96, 128, 160, 224, 320),
    "width": (0.5, 1.0, 2.0),
    "threads": tuple(range(1, mg.get_num_threads() + 1)),
}


def network(point: Point) -> AlexNet:
    widths = tuple(int(maps * point.width) for maps in WIDTHS)
    return AlexNet(1000, "grouped", input_size=point.size, widths=widths,
                   fc_width=int(4096 * point.width))  # fmt: skip


def training_macs(point: Point) -> float:
    """Multiplications of the step: those of the images, and one for each weight's update."""
    model = network(point)
    counted = summary(model, (3, point.size, point.size)).training_macs
    return point.batch * counted + sum(p.data.size for p in model.parameters())


def measure(side: str, point: Point, steps: int) -> dict[str, float]:
    mg.set_num_threads(point.threads)
    ours = TrainingStep(network(point), point.batch)
    step: Any = ours
    if side == TORCH:
        import torch
        from pytorch import torch_step
        from twin_network import torch_network

        torch.set_num_threads(point.threads)
        images, labels = (torch.from_numpy(t.numpy()) for t in (ours.images, ours.labels))
        step = torch_step(torch_network(ours.model), images, labels)
    seconds = statistics.median(seconds_of(step, steps))
    return {"seconds": seconds, "rate": point.batch / seconds, "peak_bytes": peak_bytes()}


def run(side: str, point: Point, options: argparse.Namespace) -> dict[str, Any]:
    threads = str(point.threads)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MINIGRAD_NUM_THREADS")
    flags = ["--worker", side, "--point", json.dumps(point), "--steps", str(options.steps)]
    try:
        return run_side(__file__, flags, os.environ | dict.fromkeys(names, threads))
    except SideError as error:
        sys.exit(f"scaling_cpu: the process of {side} failed at {point}:\n{error}")


def table(axis: str, results: dict[Any, dict[str, dict[str, float]]]) -> str:
    """One axis: a row a point."""
    cells = [(axis, "images/s", "growth", "memory", "PyTorch's images/s", "growth", "memory")]
    first = next(iter(results))
    for value, sides in results.items():
        row = [f"{value:g}"]
        for side in (OURS, TORCH):
            more = _work(axis, value) / _work(axis, first)
            grown = sides[side]["seconds"] / results[first][side]["seconds"] / more
            row += [f"{sides[side]['rate']:.1f}", f"{grown:.2f}",
                    format_bytes(sides[side]["peak_bytes"])]  # fmt: skip
        cells.append(tuple(row))
    return "\n".join(align(cells, left=0))


def _work(axis: str, value: Any) -> float:
    """Of a step, for one thread."""
    point = Point()._replace(**{axis: value})
    return training_macs(point) / point.threads


def draw(results: dict[str, dict[Any, dict[str, dict[str, float]]]], out: Path) -> None:
    figure, axes = plt.subplots(2, len(results), figsize=(3.2 * len(results), 5.5))
    for column, (axis, points) in zip(axes.T, results.items(), strict=True):
        for side, colour in COLOURS.items():
            seconds = [sides[side]["seconds"] for sides in points.values()]
            memory = [sides[side]["peak_bytes"] / 1e9 for sides in points.values()]
            for place, values in zip(column, (seconds, memory), strict=True):
                place.plot(list(points), values, "o-", color=colour, label=side)
        column[0].set(title=axis, ylabel="seconds a step", xscale="log", yscale="log")
        column[1].set(xlabel=axis, ylabel="peak memory, GB", xscale="log", yscale="log")
    axes[0][0].legend()
    figure.tight_layout()
    figure.savefig(out, dpi=120)


def main() -> int:
    options = parse()
    if options.worker:
        print(json.dumps(measure(options.worker, Point(*json.loads(options.point)), options.steps)))
        return 0
    found: dict[str, dict[Any, dict[str, dict[str, float]]]] = {}
    for axis in options.axis:
        found[axis] = {}
        for value in AXES[axis]:
            point = Point()._replace(**{axis: value})
            rounds = alternate(
                (OURS, TORCH), options.rounds, lambda side, p=point: run(side, p, options)
            )
            found[axis][value] = {
                side: {key: statistics.median(r[side][key] for r in rounds)
                       for key in ("seconds", "rate", "peak_bytes")}
                for side in (OURS, TORCH)
            }  # fmt: skip
        print(table(axis, found[axis]) + "\n", flush=True)
    draw(found, options.out)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--axis", choices=tuple(AXES), nargs="+", default=[*AXES])
    parser.add_argument("--out", type=Path, default=Path("scaling.png"), help="[scaling.png]")
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--steps", type=positive, default=3, help="timed, of each process")
    parser.add_argument("--worker", choices=(OURS, TORCH), help=argparse.SUPPRESS)
    parser.add_argument("--point", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
