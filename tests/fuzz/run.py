"""Fuzzes everything that reads files, answers and arguments: no crash, no hang, bounded memory.

    python tests/fuzz/run.py --inputs 100000 --seed 0          # the same inputs each time
    python tests/fuzz/run.py --forever                         # another seed each round
    python tests/fuzz/run.py --target image --only 123 --seed 0   # one input, with its traceback

An input is a seed of ours, changed; it may be refused with one of the project's errors. A find is
any other error, more than ALARM seconds, a process that dies, or more memory than MEMORY beyond
what an idle process has. Finds are kept as files, for --replay TARGET FILE.
"""

import argparse
import contextlib
import faulthandler
import json
import mmap
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

from targets import TARGETS, Target, make_seeds

ALARM = 30  # seconds an input may take
MEMORY = 1536 << 20  # bytes it may take; an image of the most pixels takes 900 MB


class Hang(BaseException):
    """The alarm rang."""


def input_of(target: Target, seeds: list[bytes], seed: int, index: int) -> bytes:
    """The input `index` of a target: the same for the same seed."""
    draw = random.Random(f"{seed} {target.name} {index}")
    return target.change(draw, draw.choice(seeds), draw.choice(seeds))


def attempt(target: Target, data: bytes, work: Path) -> tuple[str, str | None]:
    """("taken", None), ("refused", None), or ("found", the traceback)."""
    signal.setitimer(signal.ITIMER_REAL, ALARM)
    faulthandler.dump_traceback_later(2 * ALARM, exit=True)  # C code that hears no signal
    try:
        target.run(data, work)
        return "taken", None
    except target.errors as error:
        if "\n" in str(error):
            return "found", f"an error of several lines: {error!r}"
        return "refused", None
    except KeyboardInterrupt:
        raise
    except BaseException:
        return "found", traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()


def seeds_of(root: Path, target: Target) -> list[bytes]:
    return [file.read_bytes() for file in sorted((root / target.name).iterdir())]


def limit() -> None:
    """From now on an alarm raises Hang, and memory is short."""

    def rings(*_: object) -> None:
        raise Hang(f"more than {ALARM} s")

    signal.signal(signal.SIGALRM, rings)
    warnings.simplefilter("ignore")
    now = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30,) * 2)


def child(
    root: Path, targets: list[Target], seed: int, inputs: int, part: int, parts: int, finds: Path
) -> None:
    """Work through a part of the inputs; the counts go to a file, and where it is to another."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        shutil.copytree(root / "world", work / "world")
        attempt(TARGETS["image"], b"", work)  # what is loaded once
        limit()
        counts, places = {}, set()
        at = os.open(root / f"at-{part}", os.O_RDWR | os.O_CREAT)
        for target in targets:
            seeds, began = seeds_of(root, target), time.process_time()
            count = {"inputs": 0, "taken": 0, "refused": 0, "found": 0}
            shares = sum(one.share for one in targets)
            for index in range(part, inputs * target.share // shares, parts):
                os.pwrite(at, f"{target.name} {index}".ljust(40).encode(), 0)
                data = input_of(target, seeds, seed, index)
                outcome, said = attempt(target, data, work)
                count["inputs"] += 1
                count[outcome] += 1
                place = said and tuple(x for x in said.splitlines() if x.startswith("  File"))[-1:]
                if said and (target.name, place) not in places:
                    places.add((target.name, place))
                    finds.mkdir(parents=True, exist_ok=True)
                    (finds / f"{target.name}-{seed}-{index}").write_bytes(data)
                    (finds / f"{target.name}-{seed}-{index}.txt").write_text(said)
            counts[target.name] = {**count, "seconds": round(time.process_time() - began, 1)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    (root / f"counts-{part}").write_text(json.dumps({"counts": counts, "peak": peak}))


def round_of(root: Path, names: list[str], seed: int, inputs: int, jobs: int, finds: Path) -> int:
    """All inputs of a seed in `jobs` processes; prints a table and returns the number of finds."""
    command = [sys.executable, __file__, "--inputs", str(inputs), "--seed", str(seed)]
    command += [word for name in names for word in ("--target", name)]
    began = time.time()
    running = [
        subprocess.Popen(
            [*command, "--finds", finds, "--child", root, str(part), str(jobs)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for part in range(jobs)
    ]  # fmt: skip
    total: dict[str, dict[str, float]] = {}
    found, peak = 0, 0
    try:
        for part, process in enumerate(running):
            said = process.communicate()[1].decode(errors="replace")
            if process.returncode:
                found += 1
                where = (root / f"at-{part}").read_text().strip()
                print(f"a process died ({process.returncode}) at {where}, seed {seed}: {said}")
                continue
            result = json.loads((root / f"counts-{part}").read_text())
            peak = max(peak, result["peak"])
            for name, counts in result["counts"].items():
                sums = total.setdefault(name, dict.fromkeys(counts, 0))
                for key, value in counts.items():
                    sums[key] += value
    finally:
        for process in running:
            process.kill()
    for name, counts in total.items():
        print(f"{name:12}" + "  ".join(f"{key} {value:g}" for key, value in counts.items()))
        found += int(counts["found"])
    done = sum(int(counts["inputs"]) for counts in total.values())
    print(
        f"seed {seed}: {done} inputs, {found} finds, {time.time() - began:.0f} s, peak "
        f"{peak / 1e6:.0f} MB",
        flush=True,
    )
    return found


def main() -> int:
    """The status: 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--forever", action="store_true")
    parser.add_argument("--target", choices=TARGETS, action="append", help="all, where not given")
    parser.add_argument("--only", type=int, metavar="INDEX", help="one input of --target")
    parser.add_argument("--replay", nargs=2, metavar=("TARGET", "FILE"))
    parser.add_argument("--finds", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = options.target or list(TARGETS)
    if options.child:
        root, part, parts = options.child
        targets = [TARGETS[name] for name in names]
        child(
            Path(root), targets, options.seed, options.inputs, int(part), int(parts), options.finds
        )
        return 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_seeds(root)
        if options.replay or options.only is not None:
            name, file = options.replay or (names[0], None)
            target = TARGETS[name]
            index, seeds = options.only or 0, seeds_of(root, target)
            data = Path(file).read_bytes() if file else input_of(target, seeds, options.seed, index)
            limit()
            outcome, said = attempt(target, data, root)
            print(f"{name}, {data[:200]!r}: {outcome}\n{said or ''}")
            return int(outcome == "found")
        sizes = options.inputs, options.jobs, options.finds
        found = round_of(root, names, options.seed, *sizes)
        while options.forever:
            found += round_of(root, names, random.SystemRandom().randrange(1 << 32), *sizes)
    return int(found > 0)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
