"""What saving costs a training step of the paper's network (57 million parameters at 10 classes).

    python benchmarks/saving.py [--batch 32] [--rounds 3] [--folder FOLDER] [--device cuda]

A round: steps alone, then as many from a save on, at least until its thread has written the file.
What the save costs is the time that its own copy takes (the loop waits for nothing else) and by how
much the steps beside the writing thread are slower. The share is that of a save in ten minutes, the
default; the first save also takes the snapshot's memory from the system. A blocking save is timed
for comparison, and the bytes of the two files are compared.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from alexnet_scratch.bench import TrainingStep, positive
from alexnet_scratch.recipe import RECIPES, build_model
from alexnet_scratch.training.not_finite import check_finite
from alexnet_scratch.training.saver import TEN_MINUTES, Saver
from minigrad import cuda
from minigrad.serialization import save_file

CLASSES = 10


def contents(step: TrainingStep) -> dict[str, Any]:
    """Weights and velocities: what a checkpoint holds, but for a few numbers."""
    arrays = {name: tensor.data for name, tensor in step.model.state_dict().items()}
    for index, entries in step.optimizer.state_dict()["state"].items():
        arrays |= {f"optimizer.{index}.{key}": value for key, value in entries.items()}
    return arrays


def body(file: Path) -> bytes:
    """All tensors of a file; the library writes the metadata before them in any order."""
    data = file.read_bytes()
    return data[8 + int.from_bytes(data[:8], "little") :]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", type=positive, default=32)
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="on the disk to measure")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    model = build_model(RECIPES["paper"], CLASSES).to(options.device)
    step, saver = TrainingStep(model, options.batch), Saver(TEN_MINUTES)

    def timed_step() -> float:
        began = time.perf_counter()
        step()
        if options.device != "cpu":
            cuda.synchronize()
        return time.perf_counter() - began

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        file, blocking = Path(folder) / "thread.safetensors", Path(folder) / "loop.safetensors"
        done: list[float] = []

        def write(copies: Any) -> None:
            check_finite(copies, 0)
            save_file(copies, file)
            done.append(time.perf_counter())

        timed_step()
        costs = []
        for number in range(options.rounds + 1):
            began = time.perf_counter()
            save_file(contents(step), blocking)
            blocked = time.perf_counter() - began
            began = time.perf_counter()
            saver.save(contents(step), write)
            copied = time.perf_counter() - began
            beside = [timed_step()]
            while len(done) == number:
                beside.append(timed_step())
            saver.wait()
            same = body(file) == body(blocking)
            alone = [timed_step() for _ in range(max(len(beside), 3))]
            usual = statistics.median(alone)
            slower = max(sum(beside) - len(beside) * usual, 0.0)
            share = (copied + slower) / TEN_MINUTES.seconds
            megabytes = file.stat().st_size / 1e6
            print(
                f"{'first' if number == 0 else f'save {number}'}: {megabytes:.0f} MB; "
                f"copy {copied:.2f} s, writing {done[-1] - began - copied:.1f} s beside "
                f"{len(beside)} steps of {usual:.2f} s, {slower:.2f} s slower in all; blocking "
                f"{blocked:.1f} s; {share:.2%} of ten minutes; same bytes: {same}",
                flush=True,
            )
            costs += [share] * bool(number)
        print(f"a save in ten minutes costs {statistics.median(costs):.2%} of the time (goal: 1%)")


if __name__ == "__main__":
    main()
