"""A long run in one process, stopped, evaluated and resumed at random moments: what does it leak?

    python benchmarks/soak.py [--steps 5000] [--seed 0] [--csv FILE]

A narrow network trains on drawn images; it saves within its epochs, is stopped after a random
number of steps, evaluated or asked for a prediction, and resumed with another number of workers,
through the same commands as on the command line. After each segment the process's resident memory,
open files and threads are written down. The first quarter warms up; the exit status is 1 if the
median of the last quarter lies more than 1% above the quarter after the warm-up. Linux only.
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


def soak(folder: Path, steps: int, luck: random.Random) -> list[Sample]:
    """Train to `steps` in random segments; a sample after each."""
    data, run = str(folder / "data"), str(folder / "run")
    draw_images(folder / "data")
    epochs = steps * BATCH // (CLASSES * TRAIN) + 1
    begin = ["train", data, "--out", run, "--epochs", str(epochs), *NETWORK]
    samples: list[Sample] = []
    done = 0
    while done < steps:
        done = min(steps, done + luck.randint(20, 120))
        words = ["train", "--resume", run] if samples else begin
        command(*words, "--max-steps", str(done), "--workers", str(luck.randint(0, 3)),
                "--save-every", str(luck.randint(5, 50)))  # fmt: skip
        after = luck.choice(["evaluate", "predict", "nothing"])
        if after == "evaluate":
            command("evaluate", run)
        elif after == "predict":
            command("predict", run, str(folder / "data/val/class0/0.jpg"))
        assert load_checkpoint(Path(run) / "last.safetensors").position.step == done
        samples.append(sample(done))
        print(f"\r{done}/{steps} steps", end="", file=sys.stderr)
    print(file=sys.stderr)
    return samples


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path, help="write every sample there")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        samples = soak(Path(folder), options.steps, random.Random(options.seed))
    if options.csv:
        rows = [",".join(map(str, row)) for row in samples]
        options.csv.write_text("\n".join([",".join(Sample._fields), *rows, ""]))
    quarter = len(samples) // 4
    grown = False
    seconds = time.monotonic() - began
    print(f"{options.steps} steps, {len(samples)} segments, {seconds:.0f} s")
    for name in ("memory", "files", "threads"):
        values = [getattr(row, name) for row in samples]
        early = statistics.median(values[quarter : 2 * quarter])
        late = statistics.median(values[-quarter:])
        grown |= late > ALLOWED * early
        print(f"{name:8} {early:>14,.0f} after the warm-up, {late:>14,.0f} at the end")
    return int(grown)


if __name__ == "__main__":
    sys.exit(main())
