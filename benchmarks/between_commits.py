"""This tree against another commit: training steps, peak memory, and what a small operation costs.

    python benchmarks/between_commits.py 8e972bb --variant grouped --batch 64 --rounds 5

The other commit is checked out into a temporary folder; each side runs in fresh processes, in
alternating rounds, and ratios are taken within a round: above 1, this tree is faster.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rounds import Result, ratio_line, run_side, spread

from minigrad.tools.text import format_bytes

ROOT = Path(__file__).resolve().parents[1]
NOW = "this tree"

# Forward and backward of one operation at a time on 32 x 64 numbers, in microseconds, one thread.
SMALL_OPERATIONS = """
import json, statistics, time
import numpy as np
import minigrad as mg
from minigrad.nn import functional as F

mg.set_num_threads(1)
rng = np.random.default_rng(0)
x, y = (mg.tensor(rng.normal(size=(32, 64)).astype("f4"), requires_grad=True) for _ in "xy")
w, b = (mg.tensor(rng.normal(size=s).astype("f4"), requires_grad=True) for s in ((64, 64), (64,)))
grad = mg.tensor(np.ones((32, 64), "f4"))
calls = {
    "mul": lambda: x * y,
    "relu": lambda: x.relu(),
    "linear": lambda: F.linear(x, w, b),
    "linear, relu": lambda: F.linear(x, w, b).relu(),
}
result = {}
for name, call in calls.items():
    for _ in range(200):
        call().backward(grad)
    rounds = []
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(100):
            call().backward(grad)
        rounds.append((time.perf_counter() - start) * 1e6 / 100)
    result[name] = statistics.median(rounds)
print(json.dumps(result))
"""


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """The tree of a commit, in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        add = ["git", "-C", str(ROOT), "worktree", "add", "--detach", str(tree), commit]
        subprocess.run(add, check=True, capture_output=True)
        try:
            yield tree
        finally:
            remove = ["git", "-C", str(ROOT), "worktree", "remove", "--force", str(tree)]
            subprocess.run(remove, check=True, capture_output=True)


def train_step(tree: Path, options: argparse.Namespace) -> Result:
    """Rate and peak memory of a tree's own `benchmarks/train_step.py`."""
    flags = ["--worker", "minigrad", "--variant", options.variant]
    flags += ["--batch", str(options.batch), "--steps", str(options.steps)]
    return run_side(str(tree / "benchmarks/train_step.py"), flags, environment(tree))


def small_operations(tree: Path) -> dict[str, float]:
    """Microseconds by operation."""
    done = subprocess.run([sys.executable, "-c", SMALL_OPERATIONS], env=environment(tree),
                          cwd=tree, capture_output=True, text=True, check=True)  # fmt: skip
    times: dict[str, float] = json.loads(done.stdout)
    return times


def environment(tree: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(tree)}


def compare(before: Path, options: argparse.Namespace) -> None:
    trees = {options.commit: before, NOW: ROOT}
    steps, small = [], []
    for i in range(options.rounds):
        order = list(trees)[:: 1 if i % 2 else -1]
        if options.steps:
            steps.append({side: train_step(trees[side], options) for side in order})
            rates = ", ".join(f"{side} {steps[-1][side]['rate']:.2f}" for side in trees)
            print(f"  round {i + 1}: {rates} images/s", file=sys.stderr)
        small.append({side: small_operations(trees[side]) for side in order})
    if options.steps:
        print(f"{options.variant}, batch {options.batch}, {options.rounds} rounds")
        print("  rate:", ratio_line(steps, NOW, options.commit))
        peaks = {s: statistics.median(r[s]["peak_bytes"] for r in steps) for s in trees}
        print("  peak memory:", ", ".join(f"{s} {format_bytes(n)}" for s, n in peaks.items()))
    print("forward and backward of a small operation, 32 x 64 numbers, one thread")
    for name in small[0][NOW]:
        times = {s: statistics.median(r[s][name] for r in small) for s in trees}
        median, span = spread([r[options.commit][name] / r[NOW][name] for r in small], ".2f")
        microseconds = ", ".join(f"{side} {time:.1f} us" for side, time in times.items())
        print(f"  {name}: {microseconds}; ratio {median} ({span})")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("commit", help="what to compare with")
    parser.add_argument("--variant", choices=("grouped", "one-tower"), default="grouped")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="of a process; 0: operations only")
    options = parser.parse_args()
    with checked_out(options.commit) as before:
        compare(before, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
