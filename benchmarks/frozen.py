"""What a training step saves where layers are frozen: `alexnet train --freeze` against without.

    python benchmarks/frozen.py [--recipe boxed] [--freeze conv] [--batch 32] [--rounds 5]

A step is forward, backward and update on random images. The two sides run in processes of their
own, in alternating rounds; rates are medians over the steps of a process, then over the rounds, and
the ratio is taken within a round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import replace

from rounds import Result, SideError, alternate, ratio_line, run_side, spread

from alexnet_scratch.bench import TrainingStep, peak_bytes, positive, seconds_of
from alexnet_scratch.recipe import RECIPES, build_model, build_optimizer, freeze
from minigrad.tools.text import format_bytes

CLASSES = 10
ALL, FROZEN = "all layers", "frozen"


def measure(recipe_name: str, frozen: tuple[str, ...], batch: int, steps: int) -> Result:
    """The median rate of a training step, and the peak memory of the process."""
    recipe = replace(RECIPES[recipe_name], freeze=frozen)
    step = TrainingStep(build_model(recipe, CLASSES), batch)
    for norm in freeze(step.model, recipe):
        norm.eval()
    step.optimizer = build_optimizer(step.model, recipe)
    seconds = seconds_of(step, steps, warm_up=2)
    return {"rate": batch / statistics.median(seconds), "peak_bytes": peak_bytes()}


def main() -> int:
    """Compare, or be one of the sides; prints a table of the two."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", choices=RECIPES, default="boxed")
    parser.add_argument("--freeze", default="conv", help="as of alexnet train [conv]")
    parser.add_argument("--batch", type=positive, default=32)
    parser.add_argument("--steps", type=positive, default=10)
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--side", choices=(ALL, FROZEN), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        frozen = tuple(options.freeze.split(",")) if options.side == FROZEN else ()
        print(json.dumps(measure(options.recipe, frozen, options.batch, options.steps)))
        return 0

    def run(side: str) -> Result:
        return run_side(__file__, [*sys.argv[1:], "--side", side])

    try:
        rounds = alternate((ALL, FROZEN), options.rounds, run)
    except SideError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"recipe {options.recipe}, --freeze {options.freeze}, batch {options.batch}, images/s:")
    for side in (ALL, FROZEN):
        median, range_ = spread([r[side]["rate"] for r in rounds], ".1f")
        peak = max(r[side]["peak_bytes"] for r in rounds)
        print(f"  {side:10}  {median} ({range_}), peak memory {format_bytes(peak)}")
    print(ratio_line(rounds, FROZEN, ALL))
    return 0


if __name__ == "__main__":
    sys.exit(main())
