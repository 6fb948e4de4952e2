"""`alexnet train`: a new run, or an interrupted one gone on with."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from minigrad.files import replacing
from minigrad.serialization import CheckpointError

from ..data import DataError, patterns
from ..data.packed import REPORT
from ..data.source import csv_row, left_out_rows
from ..names import in_shell, program
from ..progress import say, told_if_slow
from ..recipe import PRESETS, Recipe
from ..recipe.flags import add_recipe_flags, given_fields
from ..recipe.networks import OTHERS
from ..training.checkpoint import load_checkpoint
from ..training.folder import RunError, RunLock, new_folder, run_name, unfinished
from ..training.input import Splits, data_note, fitted, open_splits
from ..training.precision import chosen_precision, described
from ..training.provenance import FILE as RUN_FILE
from ..training.provenance import computed_otherwise, framework_of, head, provenance, write_start
from ..training.provenance import read as read_start
from ..training.run import BEST, LAST
from ..training.saver import TEN_MINUTES, SaveEvery, save_every
from ..training.trainer import Outcome, Trainer
from .common import (
    FAILED,
    INTERRUPTED,
    add_device_flags,
    add_precision_flags,
    add_source_flag,
    count,
    device_from,
    recipe_and_source,
)


def add_parser(commands: Any) -> None:
    """The flags of `alexnet train`."""
    parser = commands.add_parser(
        "train",
        help="train a network on a prepared set or a folder of images",
        examples=(
            "alexnet train                                # ten drawn patterns",
            "alexnet train imagenette --epochs 30         # a prepared set, or a folder",
            "alexnet train photos --image-size 128 --input-size 112   # faster on a CPU",
            "alexnet train photos --recipe paper --device cuda --amp",
            "alexnet train photos --model resnet18 --image-size 72 --input-size 64",
            "alexnet train flowers --init-from boxed      # a trained network goes on",
            "alexnet train --resume runs/imagenette-small",
        ),
        usage="alexnet train [DATA] [--recipe NAME] [--out FOLDER] [flags]\n"
        "       alexnet train --resume RUN",
        description="Train AlexNet on a prepared set, a folder of images, or drawn patterns,\n"
        "or with --model a network from before or after it.\n"
        "DATA is what `alexnet prepare` made, or holds train/CLASS/*.jpg and\n"
        "val/CLASS/*.jpg, or CLASS/*.jpg.\n\n"
        f"recipes:\n{_listed(PRESETS)}\n\n"
        f"of the networks before and after AlexNet (--model NAME takes them, too):\n"
        f"{_listed(OTHERS)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_flags(parser)


def _listed(presets: Iterable[Callable[[], Recipe]]) -> str:
    """A line or two for each: its name, and the first line of what it is."""
    return "\n".join(
        textwrap.fill(
            (p.__doc__ or "").splitlines()[0], 78,
            initial_indent=f"  {p.__name__:10} ", subsequent_indent=" " * 13,
        )
        for p in presets
    )  # fmt: skip


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Everything that `alexnet train` takes; `trainer` is the class that trains."""
    parser.add_argument(
        "data", metavar="DATA", nargs="?", help="prepared set or folder [drawn patterns]"
    )
    parser.add_argument(
        "--recipe", help="a preset, or the recipe.json of a run [small]", metavar="NAME"
    )
    parser.add_argument("--out", metavar="FOLDER", help="run folder, a new one [runs/DATA-RECIPE]")
    add_source_flag(parser)
    parser.add_argument("--resume", metavar="RUN", help="go on with an interrupted run")
    parser.add_argument(
        "--accept-changed-data", action="store_true",
        help="with --resume: go on although files of the data are others now",
    )  # fmt: skip
    parser.add_argument("--max-steps", type=count, metavar="N", help="stop after N steps in all")
    parser.add_argument(
        "--save-every", type=_save_every, default=TEN_MINUTES, metavar="TIME|N",
        help="checkpoints within an epoch: every 10m (or 90s, 2h), or every N steps [10m]",
    )  # fmt: skip
    parser.add_argument(
        "--keep", type=_at_least_one, default=1, metavar="N",
        help="keep the last N checkpoints, if more than one as step-STEP.safetensors, too [1]",
    )
    parser.add_argument(
        "--tensorboard", action="store_true",
        help="write what TensorBoard shows into the run folder, too: tensorboard --logdir runs",
    )  # fmt: skip
    parser.add_argument(
        "--micro-batch", type=count, metavar="N",
        help="compute N images at a time, for less memory; a step is the same to rounding, 0 for "
        "all at once [0, or what a resumed run had]",
    )  # fmt: skip
    add_device_flags(parser)
    add_precision_flags(parser)
    add_recipe_flags(parser)
    # It goes on when nobody reads what it says.
    parser.set_defaults(command=_train, trainer=Trainer, unheard=True)


def _save_every(text: str) -> SaveEvery:
    try:
        return save_every(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _at_least_one(text: str) -> int:
    if count(text) == 0:
        raise argparse.ArgumentTypeError("0 is too few: last.safetensors is always kept, give 1")
    return count(text)


def _train(options: argparse.Namespace) -> int:
    trainer = _resumed(options) if options.resume else _started(options)
    with trainer.lock:
        return _run(trainer, options)


def _run(trainer: Trainer, options: argparse.Namespace) -> int:
    recipe, model = trainer.recipe, trainer.model
    with told_if_slow("Writing down what it takes to repeat the run"):
        _write_start(trainer, options)
    parameters = sum(p.numel() for p in model.parameters())
    trainer.log.say(
        f"{recipe.title}, recipe {recipe.name}, {parameters:,} parameters, "
        f"{len(trainer.splits.classes)} classes, {len(trainer.splits.train)} training and "
        f"{len(trainer.splits.val)} validation images"
        + " (held out from training)" * trainer.splits.held_out
        + f", on {trainer.device}, products in {described(trainer.precision, trainer.device)}"
    )
    if trainer.loaded:
        trainer.log.say(trainer.loaded.line())
    if recipe.freeze:
        learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
        trainer.log.say(f"{learning:,} of the parameters learn.")
    for line in trainer.splits.overview:
        trainer.log.note(line)  # said before the network was made
    if trainer.splits.left_out:
        report = csv_row("name", "reason") + left_out_rows(trainer.splits.left_out)
        file = trainer.folder / REPORT
        trainer.files.attempt(REPORT, lambda: _write(file, report))
    if len(trainer.splits.classes) <= 5:
        trainer.log.say("With five classes or fewer, top-5 is always 100%.")
    steps, images = len(trainer.loader), min(recipe.batch_size, len(trainer.splits.train))
    trainer.log.say(
        f"Training: {recipe.epochs} epoch{'s' * (recipe.epochs != 1)} of {steps:,} "
        f"step{'s' * (steps != 1)} on {images:,} image{'s' * (images != 1)}."
    )
    try:
        outcome = trainer.run()
    except (Exception, KeyboardInterrupt) as error:
        trainer.log.say(_what_is_left(trainer.folder))
        trainer.log.note(str(error) or type(error).__name__)
        raise
    return _ended(trainer, outcome)


def _ended(trainer: Trainer, outcome: Outcome) -> int:
    """Say how the run ended and what its folder lacks; the exit status."""
    folder, at, missing = trainer.folder, trainer.at, trainer.files.missing()
    run, alexnet = in_shell(folder), program()
    if outcome is Outcome.FINISHED:
        best = at.best
        trainer.log.say(f"Done. Best: {best['val_top1']:.1%} top-1 in epoch {best['epoch']}.")
        if not missing:
            trainer.log.say(
                f"Next: {alexnet} evaluate {run}, {alexnet} predict {run} IMAGE, or look at "
                f"{folder}/curves.png"
            )
    elif LAST not in trainer.files.failed:
        trainer.log.say(
            f"Saved in epoch {at.epoch + 1}, step {at.step}. Go on with: "
            f"{trainer.command()} --resume {run}"
        )
    if missing:
        trainer.log.say(f"{missing} {_what_is_left(folder)}")
        return FAILED
    return INTERRUPTED if outcome is Outcome.INTERRUPTED else 0


def _write_start(trainer: Trainer, options: argparse.Namespace) -> None:
    """run.json and the log's head; where a resumed run goes on, and with what else than it had."""
    log, at, folder = trainer.log, trainer.at, trainer.folder
    facts = provenance(
        [*(trainer.called or ("alexnet",)), *options.arguments], trainer.data, trainer.splits,
        trainer.device, trainer.precision, options.workers, trainer.framework,
    )  # fmt: skip
    if trainer.loaded:
        facts["init_from"] = trainer.loaded.facts()
    before = read_start(folder)
    for line in head(facts):
        log.note(line)
    resumed = {"epoch": at.epoch, "step": at.step} if options.resume else None
    trainer.files.attempt(RUN_FILE, lambda: write_start(folder, facts, resumed))
    if not options.resume:
        return
    log.say(f"Resumed from epoch {at.epoch + bool(at.batch)}, step {at.step}.")
    otherwise = computed_otherwise(before, facts)
    if otherwise:
        log.say(otherwise)
    if "epochs" in given_fields(options) and at.step:
        rate = trainer.rate
        change = f"goes {'up' if rate > at.lr else 'down'} from {at.lr:.2g} to {rate:.2g}"
        log.say(
            f"The schedule is that of {trainer.recipe.epochs} epochs now: the rate "
            + (change if abs(rate - at.lr) > 0.01 * at.lr else f"goes on at {rate:.2g}")
            + "."
        )


def _started(options: argparse.Namespace) -> Trainer:
    if options.accept_changed_data:
        raise RunError("--accept-changed-data without --resume: a new run takes any data; leave it")
    recipe, source = recipe_and_source(options)
    device = device_from(options)
    chosen_precision(options.dtype, None, device)  # an error now, not after the data
    name = run_name(options.data, recipe.name)
    folder, lock = new_folder(name, options.out)
    try:
        say(f"Run folder: {folder}")
        before = unfinished(name, folder) if options.out is None else None
        if before:
            say(before)
        root = Path(options.data) if options.data else patterns.ensure()
        size = getattr(options, "image_size", None)
        recipe = fitted(recipe, root, size, trained=source is not None)
        splits = _opened(root, recipe, source is not None)
        return options.trainer(  # type: ignore[no-any-return]
            folder, recipe, splits, data_note(options.data, splits),
            device=device, workers=options.workers, max_steps=options.max_steps,
            precision=options.dtype, save_every=options.save_every, keep=options.keep, lock=lock,
            tensorboard=options.tensorboard,
            micro_batch=options.micro_batch, source=source,
        )  # fmt: skip
    except BaseException:
        lock.release()
        with suppress(OSError):  # it stays if something is in it
            folder.rmdir()
        raise


def _opened(root: Path, recipe: Recipe, trained: bool) -> Splits:
    """The data's splits; what they were taken for is said at once, before the long work begins."""
    with told_if_slow(f"Looking for images in {root}"):
        splits = open_splits(root, recipe, trained)
    for line in splits.overview:
        say(line)
    return splits


def _resumed(options: argparse.Namespace) -> Trainer:
    given = sorted(set(given_fields(options)) - {"epochs"})
    if given or any((options.recipe, options.out, options.init_from)):
        flags = [f"--{name.replace('_', '-')}" for name in given]
        flags += [
            f"--{name.replace('_', '-')}" for name in ("recipe", "out", "init_from")
            if getattr(options, name) is not None
        ]  # fmt: skip
        raise RunError(
            f"{', '.join(flags)} with --resume: a resumed run keeps its recipe and folder, only "
            "--epochs may change; leave the others out, or start a new run"
        )
    device = device_from(options)
    folder = Path(options.resume)
    if not (folder / LAST).is_file():
        raise RunError(
            f"{folder}: nothing to resume there, it has no {LAST}; a run that ended before its "
            "first checkpoint starts again with the command it was begun with"
        )
    computed_by, goes_on = framework_of(folder), options.trainer.framework.partition(" ")[0]
    if computed_by != goes_on:
        raise RunError(
            f"{folder} was trained by {computed_by}, and this is {goes_on}, which draws other "
            "dropout: go on with the program that began it, see the run's run.json"
        )
    say(f"Run folder: {folder}")
    lock = RunLock(folder)
    lock.acquire()
    try:
        return _resumed_in(folder, lock, device, options)
    except BaseException:
        lock.release()
        raise


def _resumed_in(
    folder: Path, lock: RunLock, device: str, options: argparse.Namespace
) -> Trainer:
    try:
        with told_if_slow("Reading the last checkpoint"):
            checkpoint = load_checkpoint(folder / LAST)
    except CheckpointError as error:
        if (folder / BEST).is_file():
            raise CheckpointError(
                f"{error}; {folder / BEST} is the run's best one: to go on from it, copy it to "
                f"{folder / LAST}"
            ) from error
        raise
    chosen_precision(options.dtype, checkpoint.position.precision, device)
    recipe = replace(checkpoint.recipe, **given_fields(options))
    root = options.data or checkpoint.data["root"]
    if root is not None and not Path(root).is_dir():
        raise DataError(
            f"no such folder: {root}; say where it is now: alexnet train DATA --resume "
            f"{in_shell(folder)}"
        )
    splits = _opened(Path(root or patterns.ensure()), recipe, trained=True)
    return options.trainer(  # type: ignore[no-any-return]
        folder, recipe, splits, data_note(root, splits), device=device,
        workers=options.workers, max_steps=options.max_steps, precision=options.dtype,
        resume=checkpoint, accept_changed_data=options.accept_changed_data,
        save_every=options.save_every, keep=options.keep, lock=lock,
        tensorboard=options.tensorboard,
        micro_batch=options.micro_batch,
    )  # fmt: skip


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as temporary:
        Path(temporary).write_bytes(data)


def _what_is_left(folder: Path) -> str:
    if (folder / LAST).is_file():
        return f"The last checkpoint is kept: {folder}/{LAST}"
    return "There is no checkpoint yet."
