"""What the benchmarks share: sides in processes of their own, in alternating rounds, as tables.

A machine's speed drifts, and a process leaves memory and caches behind. So every side runs in a
fresh process, the sides take turns, each round begins with another, ratios are taken within a
round, and what is reported is the median of the rounds with their range.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

Result = dict[str, Any]


class SideError(RuntimeError):
    """The process of a side ended with an error; the text is what it said."""


def run_side(script: str, flags: Sequence[str], env: dict[str, str] | None = None) -> Result:
    """Run `script` with `flags` in a fresh process and return the JSON that it printed.

    Raises SideError with what the process wrote to stderr.
    """
    done = subprocess.run(
        [sys.executable, script, *flags], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SideError(done.stderr.strip() or f"exit status {done.returncode}")
    result: Result = json.loads(done.stdout.splitlines()[-1])  # libraries speak first
    return result


def alternate(
    sides: Sequence[str], count: int, run: Callable[[str], Result], last: Sequence[str] = ()
) -> list[dict[str, Result]]:
    """`count` rounds: every side once, beginning with another each time, and then `last`."""
    rounds = []
    for i in range(count):
        turn = i % len(sides)
        results = {side: run(side) for side in [*sides[turn:], *sides[:turn], *last]}
        rounds.append(results)
        rates = ", ".join(f"{side} {results[side]['rate']:.1f}" for side in sides)
        print(f"  round {i + 1}: {rates} images/s", file=sys.stderr)
    return rounds


def spread(values: Sequence[float], form: str) -> tuple[str, str]:
    """The median and the range, as text."""
    return format(statistics.median(values), form), f"{min(values):{form}}..{max(values):{form}}"


def ratio_line(rounds: list[dict[str, Result]], one: str, other: str) -> str:
    """How many times the rate of `other` that of `one` is, round by round."""
    ratios = [r[one]["rate"] / r[other]["rate"] for r in rounds]
    return "{} / {}: {} ({})".format(one, other, *spread(ratios, ".2f"))
