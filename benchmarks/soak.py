"""A long run in one process, stopped, evaluated and resumed at random moments: what does it leak?

    python benchmarks/soak.py [--steps 5000] [--seed 0] [--csv FILE]

A narrow network trains on drawn images; it saves within its epochs, is stopped after a random
number of steps, evaluated or asked for a prediction, and resumed with another number of workers,
through the same commands as on the command line. After each segment the process's resident memory,
open files and threads are written down. Every thousand steps another run begins, since each keeps
its own history: a row an epoch, a note of each resume. The first run warms up; the exit status is 1
if the median over the last one lies more than 1% above that over the second. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from alexnet_scratch.cli import main as alexnet
from alexnet_scratch.training.checkpoint import load_checkpoint

CLASSES, TRAIN, VAL, BATCH = 4, 40, 8, 8
NETWORK = (
    "--input-size", "64", "--image-size", "72", "--widths", "8,16,16,16,8", "--fc-width", "32",
    "--batch-size", str(BATCH),
)  # fmt: skip
ALLOWED = 1.01
STEPS = 1000  # of a run


class Sample(NamedTuple):
    """What the process holds after a segment; memory in bytes."""

    step: int
    memory: int
    files: int
    threads: int


def draw_images(root: Path) -> None:
    """Class folders of noise around one colour each."""
    noise = np.random.default_rng(0)
    for split, count in (("train", TRAIN), ("val", VAL)):
        for label in range(CLASSES):
            folder = root / split / f"class{label}"
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = noise.normal(60 + 45 * label, 40, (80, 80, 3)).clip(0, 255)
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.jpg")


def sample(step: int) -> Sample:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files = len(os.listdir("/proc/self/fd"))
    return Sample(step, pages * os.sysconf("SC_PAGE_SIZE"), files, threading.active_count())


def command(*words: str) -> None:
    """A command of `alexnet`, in this process and without its words."""
    with open(os.devnull, "w") as quiet, contextlib.redirect_stdout(quiet):
        status = alexnet(list(words))
    if status:
        raise SystemExit(f"alexnet {' '.join(words)}: status {status}")


def soak(folder: Path, data: Path, luck: random.Random) -> list[Sample]:
    """A run of STEPS steps in random segments; a sample after each."""
    epochs = STEPS * BATCH // (CLASSES * TRAIN) + 1
    begin = ["train", str(data), "--out", str(folder), "--epochs", str(epochs), *NETWORK]
    samples: list[Sample] = []
    done = 0
    while done < STEPS:
        done = min(STEPS, done + luck.randint(20, 120))
        words = ["train", "--resume", str(folder)] if samples else begin
        command(*words, "--max-steps", str(done), "--workers", str(luck.randint(0, 3)),
                "--save-every", str(luck.randint(5, 50)))  # fmt: skip
        after = luck.choice(["evaluate", "predict", "nothing"])
        if after == "evaluate":
            command("evaluate", str(folder))
        elif after == "predict":
            command("predict", str(folder), str(data / "val/class0/0.jpg"))
        assert load_checkpoint(folder / "last.safetensors").position.step == done
        samples.append(sample(done))
    return samples


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5000, help="in all, at least 3000")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path, help="write every sample there")
    options = parser.parse_args()
    began, luck = time.monotonic(), random.Random(options.seed)
    runs: list[list[Sample]] = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        draw_images(data)
        for number in range(max(3, options.steps // STEPS)):
            runs.append(soak(Path(folder) / f"run{number}", data, luck))
            print(f"run {number + 1}: {runs[-1][-1].memory:,} bytes", file=sys.stderr)
    if options.csv:
        rows = [",".join(map(str, row)) for run in runs for row in run]
        options.csv.write_text("\n".join([",".join(Sample._fields), *rows, ""]))
    grown = False
    print(f"{len(runs) * STEPS} steps, {sum(map(len, runs))} segments, "
          f"{time.monotonic() - began:.0f} s")  # fmt: skip
    for name in ("memory", "files", "threads"):
        second, last = (statistics.median(getattr(row, name) for row in runs[i]) for i in (1, -1))
        grown |= last > ALLOWED * second
        print(f"{name:8} {second:>14,.0f} in the second run, {last:>14,.0f} in the last")
    return int(grown)


if __name__ == "__main__":
    sys.exit(main())
