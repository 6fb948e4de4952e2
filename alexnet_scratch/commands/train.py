"""`alexnet train`: a new run, or an interrupted one gone on with."""

from __future__ import annotations

import argparse
import textwrap
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data import DataError, patterns
from ..data.packed import REPORT
from ..data.source import csv_row, left_out_rows
from ..names import in_shell
from ..out_of_memory import OutOfMemory
from ..progress import say
from ..recipe import PRESETS
from ..recipe.flags import add_recipe_flags, given_fields, recipe_from
from ..training.checkpoint import load_checkpoint
from ..training.folder import RunError, new_folder, run_name, unfinished
from ..training.input import data_note, fitted, open_splits
from ..training.precision import chosen_precision, described
from ..training.provenance import computed_otherwise, head, provenance, write_start
from ..training.provenance import read as read_start
from ..training.trainer import Outcome, Trainer
from ..training.watchdog import Diverged
from .common import INTERRUPTED, add_device_flags, add_precision_flags, count, device_from


def add_parser(commands: Any) -> None:
    """The flags of `alexnet train`."""
    presets = "\n".join(
        textwrap.fill(
            (p.__doc__ or "").splitlines()[0], 78,
            initial_indent=f"  {p.__name__:10} ", subsequent_indent=" " * 13,
        )
        for p in PRESETS
    )  # fmt: skip
    parser = commands.add_parser(
        "train",
        help="train a network on a prepared set or a folder of images",
        examples=(
            "alexnet train                                # ten drawn patterns",
            "alexnet train imagenette --epochs 30         # a prepared set, or a folder",
            "alexnet train photos --image-size 128 --input-size 112   # faster on a CPU",
            "alexnet train photos --recipe paper --device cuda --amp",
            "alexnet train --resume runs/imagenette-small",
        ),
        usage="alexnet train [DATA] [--recipe NAME] [--out FOLDER] [flags]\n"
        "       alexnet train --resume RUN",
        description="Train AlexNet on a prepared set, a folder of images, or drawn patterns.\n"
        "DATA is what `alexnet prepare` made, or holds train/CLASS/*.jpg and\n"
        "val/CLASS/*.jpg, or CLASS/*.jpg.\n\n"
        f"recipes:\n{presets}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "data", metavar="DATA", nargs="?", help="prepared set or folder [drawn patterns]"
    )
    parser.add_argument(
        "--recipe", help="a preset, or the recipe.json of a run [small]", metavar="NAME"
    )
    parser.add_argument("--out", metavar="FOLDER", help="run folder, a new one [runs/DATA-RECIPE]")
    parser.add_argument("--resume", metavar="RUN", help="go on with an interrupted run")
    parser.add_argument(
        "--accept-changed-data", action="store_true",
        help="with --resume: go on although files of the data are others now",
    )  # fmt: skip
    parser.add_argument("--max-steps", type=count, metavar="N", help="stop after N steps in all")
    add_device_flags(parser)
    add_precision_flags(parser)
    add_recipe_flags(parser)
    parser.set_defaults(command=_train)


def _train(options: argparse.Namespace) -> int:
    trainer = _resumed(options) if options.resume else _started(options)
    recipe, model = trainer.recipe, trainer.model
    _write_start(trainer, options)
    parameters = sum(p.numel() for p in model.parameters())
    trainer.log.say(
        f"AlexNet {recipe.variant}, recipe {recipe.name}, {parameters:,} parameters, "
        f"{len(trainer.splits.classes)} classes, {len(trainer.splits.train)} training and "
        f"{len(trainer.splits.val)} validation images"
        + " (held out from training)" * trainer.splits.held_out
        + f", on {trainer.device}, products in {described(trainer.precision, trainer.device)}"
    )
    for line in trainer.splits.overview:
        trainer.log.say(line)
    if trainer.splits.left_out:
        report = csv_row("name", "reason") + left_out_rows(trainer.splits.left_out)
        (trainer.folder / REPORT).write_bytes(report)
    if len(trainer.splits.classes) <= 5:
        trainer.log.say("With five classes or fewer, top-5 is always 100%.")
    try:
        outcome = trainer.run()
    except (Diverged, OutOfMemory, DataError, KeyboardInterrupt) as error:
        trainer.log.say(_what_is_left(trainer.folder))
        if not isinstance(error, KeyboardInterrupt):
            trainer.log.note(str(error))
        raise
    folder = trainer.folder
    run = in_shell(folder)
    if outcome is Outcome.FINISHED:
        best = trainer.at.best
        trainer.log.say(f"Done. Best: {best['val_top1']:.1%} top-1 in epoch {best['epoch']}.")
        trainer.log.say(
            f"Next: alexnet evaluate {run}, alexnet predict {run} IMAGE, or look at "
            f"{folder}/curves.png"
        )
        return 0
    at = trainer.at
    trainer.log.say(
        f"Saved in epoch {at.epoch + 1}, step {at.step}. Go on with: alexnet train --resume {run}"
    )
    return INTERRUPTED if outcome is Outcome.INTERRUPTED else 0


def _write_start(trainer: Trainer, options: argparse.Namespace) -> None:
    """run.json and the log's head; where a resumed run goes on, and with what else than it had."""
    log, at, folder = trainer.log, trainer.at, trainer.folder
    facts = provenance(
        options.arguments, trainer.data, trainer.splits, trainer.device, trainer.precision,
        options.workers,
    )  # fmt: skip
    before = read_start(folder)
    for line in head(facts):
        log.note(line)
    write_start(folder, facts, {"epoch": at.epoch, "step": at.step} if options.resume else None)
    if not options.resume:
        return
    log.say(f"Resumed from epoch {at.epoch + bool(at.batch)}, step {at.step}.")
    otherwise = computed_otherwise(before, facts)
    if otherwise:
        log.say(otherwise)
    if "epochs" in given_fields(options) and at.step:
        rate = trainer.schedule.get_last_lr()[trainer.weights]
        change = f"goes {'up' if rate > at.lr else 'down'} from {at.lr:.2g} to {rate:.2g}"
        log.say(
            f"The schedule is that of {trainer.recipe.epochs} epochs now: the rate "
            + (change if abs(rate - at.lr) > 0.01 * at.lr else f"goes on at {rate:.2g}")
            + "."
        )


def _started(options: argparse.Namespace) -> Trainer:
    if options.accept_changed_data:
        raise RunError("--accept-changed-data without --resume: a new run takes any data; leave it")
    recipe = recipe_from(options)
    device = device_from(options)
    chosen_precision(options.dtype, None, device)  # an error now, not after the data
    root = Path(options.data) if options.data else patterns.ensure()
    recipe = fitted(recipe, root, getattr(options, "image_size", None))
    splits = open_splits(root, recipe)
    data = data_note(options.data, splits)
    name = run_name(options.data, recipe.name)
    folder = new_folder(name, options.out)
    say(f"Run folder: {folder}")
    before = unfinished(name, folder) if options.out is None else None
    if before:
        say(before)
    try:
        return Trainer(
            folder, recipe, splits, data,
            device=device, workers=options.workers, max_steps=options.max_steps,
            precision=options.dtype,
        )  # fmt: skip
    except BaseException:
        with suppress(OSError):  # it stays if something is in it
            folder.rmdir()
        raise


def _resumed(options: argparse.Namespace) -> Trainer:
    given = sorted(set(given_fields(options)) - {"epochs"})
    if given or options.recipe is not None or options.out is not None:
        flags = [f"--{name.replace('_', '-')}" for name in given]
        flags += ["--recipe"] * (options.recipe is not None) + ["--out"] * (options.out is not None)
        raise RunError(
            f"{', '.join(flags)} with --resume: a resumed run keeps its recipe and folder, only "
            "--epochs may change; leave the others out, or start a new run"
        )
    device = device_from(options)
    folder = Path(options.resume)
    if not (folder / "last.safetensors").is_file():
        raise RunError(f"{folder}: nothing to resume there, it has no last.safetensors")
    say(f"Run folder: {folder}")
    checkpoint = load_checkpoint(folder / "last.safetensors")
    chosen_precision(options.dtype, checkpoint.position.precision, device)
    recipe = replace(checkpoint.recipe, **given_fields(options))
    root = options.data or checkpoint.data["root"]
    if root is not None and not Path(root).is_dir():
        raise DataError(
            f"no such folder: {root}; say where it is now: alexnet train DATA --resume "
            f"{in_shell(folder)}"
        )
    splits = open_splits(root or patterns.ensure(), recipe)
    return Trainer(
        folder, recipe, splits, data_note(root, splits), device=device,
        workers=options.workers, max_steps=options.max_steps, precision=options.dtype,
        resume=checkpoint, accept_changed_data=options.accept_changed_data,
    )  # fmt: skip


def _what_is_left(folder: Path) -> str:
    if (folder / "last.safetensors").is_file():
        return f"The last checkpoint is kept: {folder}/last.safetensors"
    return "There is no checkpoint yet."
