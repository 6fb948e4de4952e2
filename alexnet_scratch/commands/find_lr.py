"""`alexnet find-lr`: a learning rate for a recipe on a data set, by a short test."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from minigrad.tools.text import align

from ..data import patterns
from ..names import one_line
from ..picture import save_picture, shown
from ..progress import say, told_if_slow, wrapped
from ..recipe.flags import add_recipe_flags, given_fields
from ..training.find_lr import RANGES, RangeTest, check_new, range_test, suggestion
from ..training.folder import RunError
from ..training.input import fitted, open_splits
from .common import FAILED, add_device_flags, add_source_flag, count, device_from, recipe_and_source

ROWS = 12  # of the table
FEWEST = 20  # steps


def add_parser(commands: Any) -> None:
    """The flags of `alexnet find-lr`."""
    parser = commands.add_parser(
        "find-lr",
        help="find a learning rate for a recipe on a data set, in a few hundred steps",
        examples=(
            "alexnet find-lr imagenette",
            "alexnet find-lr imagenette --recipe modern --input-size 128 --plot rates.png",
        ),
        usage="alexnet find-lr [DATA] [--recipe NAME] [--steps N] [flags]",
        description="Train a new network for a few hundred steps at rates that rise from --lowest "
        "to --highest (Smith 2017), and print half of the one where the loss was lowest. "
        "The recipe's schedule and warm-up are off meanwhile; nothing is kept.",
    )
    parser.add_argument(
        "data", metavar="DATA", nargs="?", help="a prepared set or a folder [drawn patterns]"
    )
    parser.add_argument(
        "--recipe", help="a preset, or the recipe.json of a run [small]", metavar="NAME"
    )
    add_source_flag(parser)
    parser.add_argument("--steps", type=count, default=200, metavar="N", help="steps [200]")
    ends = ", ".join(f"{name}: {low:g} to {high:g}" for name, (low, high) in RANGES.items())
    parser.add_argument("--lowest", type=float, metavar="RATE", help=f"first rate [{ends}]")
    parser.add_argument("--highest", type=float, metavar="RATE", help="last rate")
    parser.add_argument("--plot", metavar="FILE.png", help="draw the losses")
    parser.add_argument("--json", action="store_true", help="all of it, for programs")
    add_device_flags(parser)
    add_recipe_flags(parser)
    parser.set_defaults(command=_find_lr)


def _find_lr(options: argparse.Namespace) -> int:
    if "lr" in given_fields(options):
        raise RunError("--lr: it is what this command looks for: leave it out")
    options.lr = 1.0  # so that nobody asks for it
    recipe, source = recipe_and_source(options)
    lowest, highest = (
        own if given is None else given
        for own, given in zip(
            RANGES[recipe.optimizer], (options.lowest, options.highest), strict=True
        )
    )
    if not 0 < lowest < highest < math.inf or options.steps < FEWEST:
        raise RunError(
            f"{options.steps} steps from {lowest:g} to {highest:g}: expected at least {FEWEST} "
            "steps, and a lowest rate above 0 and below the highest"
        )
    device, root = device_from(options), Path(options.data) if options.data else patterns.ensure()
    check_new(root)
    size = getattr(options, "image_size", None)
    recipe = fitted(recipe, root, size, trained=source is not None)
    with told_if_slow(f"Looking for images in {root}"):
        splits = open_splits(root, recipe, trained=source is not None)
    test = range_test(recipe, splits, lowest, highest, options.steps, device, options.workers,
                      source)  # fmt: skip
    found = suggestion(test)
    if options.plot:
        of = f"{options.data or 'drawn patterns'}: {recipe.name}"
        draw_test(Path(options.plot), test, found.lr if found else None, of)
    if options.json:
        print(json.dumps({**vars(test), "suggestion": found and vars(found)}))
    else:
        print(_table(test))
    if found is None:
        print(wrapped(f"alexnet: {_nothing(test)}", ""), file=sys.stderr)
        return FAILED
    if not options.json:
        print(wrapped(f"\nTry --lr {found.lr:.2g} (the loss: {found.why}).", ""))
    if options.plot:
        say(f"Drawn: {one_line(options.plot)}")
    return 0


def _nothing(test: RangeTest) -> str:
    """What is said where no rate is to be named."""
    return (
        f"Nothing was found: between {test.rates[0]:.2g} and {test.rates[-1]:.2g}"
        + ", where it blew up," * test.blew_up
        + " the loss did not fall by more than its noise. Give more --steps"
        + ", a higher --highest" * (not test.blew_up)
        + ", or another start (see: alexnet doctor)."
    )


def _table(test: RangeTest) -> str:
    """Some rates with the mean loss there."""
    last = len(test.rates) - 1
    chosen = sorted({round(i * last / (ROWS - 1)) for i in range(ROWS)})
    rows = [("rate", "loss")]
    rows += [(f"{test.rates[i]:.2g}", f"{test.smooth[i]:.3f}") for i in chosen]
    return "\n".join(align(rows, 0))


def draw_test(path: Path, test: RangeTest, lr: float | None, title: str) -> None:
    """Draw losses by rate into a PNG. Needs no display."""
    from matplotlib.figure import Figure  # heavy, and only needed here

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.set_title(shown(title, 60), parse_math=False)
    axes.semilogx(test.rates, test.losses, ".", color="0.7", label="a batch")
    axes.semilogx(test.rates, test.smooth, color="#0072B2", label="mean")
    if lr is not None:
        axes.axvline(lr, color="#D55E00", ls="--", label=f"suggested: {lr:.2g}")
    top = max(test.smooth[0], 2 * min(test.smooth))
    axes.set(xlabel="learning rate", ylabel="loss", ylim=(0, 1.3 * top))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    save_picture(figure, path)
