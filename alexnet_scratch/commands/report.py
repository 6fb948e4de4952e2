"""`alexnet report`: a run as one page."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from minigrad.serialization import CheckpointError

from ..data import DataError
from ..names import in_shell, program
from ..pages.run_page import Measured, write_page
from ..progress import say
from ..runs import read_run, run_of
from ..training.checkpoint import BOXED, Checkpoint, find_checkpoint, load_checkpoint, place_of
from .common import add_device_flags, device_from
from .evaluate import add_view_flags, circumstances, evaluated, views_from

NAME = "report.html"


def add_parser(commands: Any) -> None:
    """The flags of `alexnet report`."""
    parser = commands.add_parser(
        "report",
        help="a run as one page: what it reached, its curves, its mistakes",
        examples=(
            "alexnet report runs/imagenette-small",
            "alexnet report runs/imagenette-small --ten-crop --out imagenette.html",
            "alexnet report boxed other/val",
        ),
        description="Write one HTML file that needs no other file and no network: what the run "
        "reached and in how many minutes, the curves of its training, what it takes for what, its "
        "hardest images, the filters of its first layer, its recipe and its environment. The "
        "network is evaluated on the run's validation images, or on another data set with the "
        "same classes; where the run's own are gone, the page does without. A run may be under "
        "way.",
    )
    parser.add_argument(
        "run", metavar="RUN",
        help=f"run folder, or a checkpoint in it [its best]; {BOXED.name}: the network that comes "
        "with alexnet",
    )  # fmt: skip
    parser.add_argument(
        "data", metavar="DATA", nargs="?", help="folder or prepared set [the run's own]"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE.html",
        help=f"where to write the page [{NAME} in the run's folder; {BOXED.name}.html here]",
    )  # fmt: skip
    add_view_flags(parser)
    add_device_flags(parser)
    parser.set_defaults(command=_report)


def _report(options: argparse.Namespace) -> int:
    views_from(options)  # what cannot be is refused before the work
    out = _out(options)
    checkpoint = _checkpoint(options.run)
    run = read_run(options.run) if checkpoint is None else run_of(checkpoint)
    measured, missing = _measured(options, checkpoint)
    model = None if checkpoint is None else checkpoint.model()
    write_page(out, run, model, measured, missing)
    if missing:
        say(f"No confusion matrix and no hardest images: {missing}")
    say(f"Report: {out}")
    return 0


def _out(options: argparse.Namespace) -> Path:
    """Where the page goes. DataError for a name with another ending, and for a folder."""
    if options.out is None:
        place = place_of(options.run)
        if place == BOXED:
            return Path(f"{BOXED.name}.html")
        return (place if place.is_dir() else place.parent) / NAME
    out: Path = options.out
    if out.suffix.lower() not in (".html", ".htm") or out.is_dir():
        raise DataError(f"{out}: the page is one HTML file, give a name that ends in .html")
    return out


def _checkpoint(run: str) -> Checkpoint | None:
    """The run's checkpoint, None before it has saved one."""
    place = place_of(run)
    if (place / "recipe.json").is_file() and not any(place.glob("*.safetensors")):
        return None
    return load_checkpoint(find_checkpoint(run))


def _measured(
    options: argparse.Namespace, checkpoint: Checkpoint | None
) -> tuple[Measured | None, str]:
    """The evaluation, or why there is none. Only a data set that was asked for must be there."""
    if checkpoint is None:
        return None, "the run has saved no checkpoint yet"
    root, device = checkpoint.data["root"], device_from(options)
    if options.data is None and root is not None and not os.path.exists(root):
        again = f"{program()} report {in_shell(options.run)} DATA"
        return None, f"the run's images are no longer at {root}: {again} says where they are now"
    try:
        found = evaluated(
            [checkpoint], options.data, views_from(options), device, options.workers
        )  # fmt: skip
    except (DataError, CheckpointError) as error:
        if options.data is not None:
            raise
        return None, str(error)
    facts = {**found.summary(), **circumstances(options, found, device)}
    return Measured(found.report(), facts), ""
