"""`alexnet plan`: how long a run will take, and how much memory and disk, before it begins."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from minigrad.tools.text import format_bytes

from ..data import patterns
from ..names import in_shell, program
from ..progress import duration, quantity, say
from ..recipe.flags import add_recipe_flags
from ..training.folder import RUNS
from ..training.pace import LONG, shorter
from ..training.plan import Plan, plan
from ..training.precision import chosen_precision
from .common import (
    add_device_flags,
    add_precision_flags,
    add_source_flag,
    count,
    device_from,
    recipe_and_source,
)

BOUND = 0.2  # share of the time waiting for images from which on loading is what counts


def add_parser(commands: Any) -> None:
    """The flags of `alexnet plan`."""
    parser = commands.add_parser(
        "plan",
        help="hours, memory and disk of a run, measured on its first steps",
        examples=(
            "alexnet plan imagenette",
            "alexnet plan ILSVRC2012 --recipe paper --device cuda",
            "alexnet plan photos --image-size 144 --input-size 128 --epochs 30",
        ),
        usage="alexnet plan [DATA] [--recipe NAME] [flags]",
        description="Train twenty steps as `alexnet train` would with the same flags, and say how "
        "long the whole run will take, what it waits for, how much memory and disk it needs, and "
        "what would make it shorter. Nothing is kept. DATA may be an archive, too: some of its "
        "images are prepared then, in a temporary folder.",
    )
    parser.add_argument(
        "data", metavar="DATA", nargs="?", help="prepared set, folder or archive [drawn patterns]"
    )
    parser.add_argument(
        "--recipe", help="a preset, or the recipe.json of a run [small]", metavar="NAME"
    )
    add_source_flag(parser)
    parser.add_argument("--keep", type=count, default=1, metavar="N", help="as of train [1]")
    parser.add_argument("--micro-batch", type=count, metavar="N", help="as of train [0]")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_device_flags(parser)
    add_precision_flags(parser)
    add_recipe_flags(parser)
    parser.set_defaults(command=_plan)


def _plan(options: argparse.Namespace) -> int:
    recipe, source = recipe_and_source(options)
    device = device_from(options)
    chosen_precision(options.dtype, None, device)  # an error now, not after the data
    root = Path(options.data) if options.data else patterns.ensure()
    with contextlib.redirect_stdout(sys.stderr if options.json else sys.stdout):
        found = plan(
            root, recipe, device, options.workers, options.dtype, options.keep, options.micro_batch,
            getattr(options, "image_size", None), source,
        )  # fmt: skip
    if options.json:
        facts = asdict(found)
        facts["recipe"] = recipe.name
        print(json.dumps(facts, indent=2, allow_nan=False))
        return 0
    data = in_shell(options.data) if options.data else None
    for line in [*_lines(found), *_advice(found, data)]:
        say(line)
    return 0


def _lines(found: Plan) -> Iterator[str]:
    recipe = found.recipe
    yield (
        f"The run: recipe {recipe.name}, {recipe.epochs} epochs, {found.steps:,} steps of "
        f"{recipe.batch_size} of {found.train_images:,} images, {found.val_images:,} for validation"
    )
    before = [
        f"{duration(seconds)} {what}"
        for seconds, what in (
            (found.preparing, "to prepare the set"),
            (found.statistics, "for the mean image"),
        )
        if seconds >= 1
    ]
    yield (
        f"Time: {duration(found.seconds)}, validation included"
        + f" (of it {' and '.join(before)})" * bool(before)
        + f"; {quantity(found.rate)} images/s in {found.measured} steps"
    )
    yield (
        f"Bound by {'loading' if found.waiting > BOUND else 'computation'}: {found.waiting:.0%} of "
        f"the time waiting for images; loading alone {quantity(found.loading)} images/s"
    )
    if found.memory is not None:
        yield f"Memory: {format_bytes(found.memory)} at the most, so far"
    yield (
        f"Disk: up to {format_bytes(found.disk)} for the run, {format_bytes(found.checkpoint)} a "
        f"checkpoint; {format_bytes(_free())} free here"
        + f"; as a prepared set the images take {format_bytes(found.prepared)}" * (not found.packed)
    )


def _advice(found: Plan, data: str | None) -> Iterator[str]:
    recipe = found.recipe
    if found.waiting > BOUND and not found.packed and data:
        yield (
            f"Faster: decode the images once, `{program()} prepare {data} SET --image-size "
            f"{recipe.image_size}`, and train on SET."
        )
    elif found.waiting > BOUND:
        yield "Faster: more threads that load images (--workers)."
    if found.on_cpu and found.seconds > LONG:
        yield shorter(recipe)
    if found.disk > _free():
        yield "The disk is too small for it: free some space, or give --out on another disk."


def _free() -> int:
    """Bytes where runs go."""
    return shutil.disk_usage(RUNS if os.path.isdir(RUNS) else ".").free
