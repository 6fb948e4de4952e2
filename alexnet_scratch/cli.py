"""The `alexnet` command."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

import minigrad
from minigrad import backend
from minigrad.data import DataLoader, LoaderError
from minigrad.serialization import CheckpointError

from .data import DataError, ImageFolder, find_splits, load_image, patterns
from .evaluation import evaluate, predict
from .initialise import InitialisationError
from .recipe import PRESETS, RecipeError, build_model
from .recipe_flags import add_recipe_flags, given_fields, recipe_from
from .training.checkpoint import Checkpoint, find_checkpoint, load_checkpoint
from .training.folder import RunError, new_folder
from .training.input import open_splits, test_transform
from .training.trainer import Outcome, Trainer
from .training.watchdog import Diverged

# What a user can mend; anything else is our fault and deserves its traceback.
USER_ERRORS = (
    DataError, CheckpointError, RecipeError, RunError, InitialisationError, LoaderError,
    backend.DeviceError, OSError,
)  # fmt: skip
FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the `alexnet` command with these arguments and return the exit status.

    0: done; 1: training failed; 2: the input cannot be used; 130: interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["bench"]:  # it has its own flags
        from .bench import main as bench

        return bench(arguments[1:])
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except USER_ERRORS as error:
        return _fail(str(error), BAD_INPUT)
    except Diverged as error:
        return _fail(str(error), FAILED)
    except MemoryError as error:
        return _fail(f"out of memory ({error}): use a smaller --batch-size", FAILED)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)


def _fail(message: str, status: int) -> int:
    print(f"alexnet: {message}", file=sys.stderr)
    return status


# ----- the commands -----


def _train(options: argparse.Namespace) -> int:
    trainer = _resumed(options) if options.resume else _started(options)
    recipe, model = trainer.recipe, trainer.model
    parameters = sum(p.numel() for p in model.parameters())
    trainer.log.say(
        f"AlexNet {recipe.variant}, recipe {recipe.name}, {parameters:,} parameters, "
        f"{len(trainer.splits.classes)} classes, {len(trainer.splits.train)} training and "
        f"{len(trainer.splits.val)} validation images"
        + " (held out from training)" * trainer.splits.held_out
        + f", on {trainer.device}"
    )
    if len(trainer.splits.classes) <= 5:
        trainer.log.say("With five classes or fewer, top-5 is always 100%.")
    try:
        outcome = trainer.run()
    except (Diverged, DataError, KeyboardInterrupt) as error:
        trainer.log.say(_what_is_left(trainer.folder))
        if not isinstance(error, KeyboardInterrupt):
            trainer.log.note(str(error))
        raise
    folder = trainer.folder
    if outcome is Outcome.FINISHED:
        best = trainer.at.best
        trainer.log.say(f"Done. Best: {best['val_top1']:.1%} top-1 in epoch {best['epoch']}.")
        trainer.log.say(f"Next: alexnet predict {folder} IMAGE, or look at {folder}/curves.png")
        return 0
    trainer.log.say(f"Saved. Go on with: alexnet train --resume {folder}")
    return INTERRUPTED if outcome is Outcome.INTERRUPTED else 0


def _started(options: argparse.Namespace) -> Trainer:
    recipe = recipe_from(options)
    backend.parse_device(options.device)
    root = Path(options.data) if options.data else patterns.ensure()
    splits = open_splits(root, recipe)
    data = _data_note(options.data, len(splits.train))
    folder = new_folder(recipe.name, options.out)
    try:
        return Trainer(
            folder, recipe, splits, data,
            device=options.device, workers=options.workers, max_steps=options.max_steps,
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
    backend.parse_device(options.device)
    folder = Path(options.resume)
    if not (folder / "last.safetensors").is_file():
        raise RunError(f"{folder}: nothing to resume there, it has no last.safetensors")
    checkpoint = load_checkpoint(folder / "last.safetensors")
    recipe = replace(checkpoint.recipe, **given_fields(options))
    root = options.data or checkpoint.data["root"]
    if root is not None and not Path(root).is_dir():
        raise DataError(
            f"no such folder: {root}; say where it is now: alexnet train DATA --resume {folder}"
        )
    splits = open_splits(root or patterns.ensure(), recipe)
    return Trainer(
        folder, recipe, splits, _data_note(root, len(splits.train)), device=options.device,
        workers=options.workers, max_steps=options.max_steps, resume=checkpoint,
    )  # fmt: skip


def _data_note(root: str | None, train_images: int) -> dict[str, Any]:
    return {"root": root and str(Path(root).resolve()), "train_images": train_images}


def _what_is_left(folder: Path) -> str:
    if (folder / "last.safetensors").is_file():
        return f"The last checkpoint is kept: {folder}/last.safetensors"
    return "There is no checkpoint yet."


def _evaluate(options: argparse.Namespace) -> int:
    checkpoint = load_checkpoint(find_checkpoint(options.run))
    device = backend.parse_device(options.device)
    dataset, name = _evaluation_data(options.data, checkpoint)
    model = checkpoint.model()
    model.to(device)
    loader = DataLoader(dataset, checkpoint.recipe.batch_size, num_workers=options.workers)
    with closing(loader.batches(0)) as batches:  # type: ignore[type-var]
        try:
            scores = evaluate(model, batches, checkpoint.recipe, device)
        except ValueError as error:
            raise DataError(f"{name}: no image can be read") from error
    for skipped in loader.skipped:
        print(f"Skipped, cannot be read: {skipped.reason}", file=sys.stderr)
    epoch = checkpoint.position.epoch
    print(f"{scores.line()}\n{checkpoint.path}, after epoch {epoch}, on {name}")
    return 0


def _evaluation_data(data: str | None, checkpoint: Checkpoint) -> tuple[Any, str]:
    """The images to evaluate on, and their name.

    The run's own validation images without DATA. Another data set's validation folder, or all of
    it where it has none: none of it was trained on.
    """
    recipe, root = checkpoint.recipe, checkpoint.data["root"]
    own = data is None or (root is not None and Path(data).resolve() == Path(root))
    if own:
        folder = root or patterns.ensure()
        splits = open_splits(folder, recipe)
        dataset, classes, name = splits.val, splits.classes, f"the validation images of {folder}"
    else:
        train, val = find_splits(str(data))
        images = ImageFolder(val or train, test_transform(recipe), recipe.image_size)
        dataset, classes, name = images, images.classes, str(val or train)
    if classes != checkpoint.classes:
        missing = [c for c in checkpoint.classes if c not in classes]
        unknown = [c for c in classes if c not in checkpoint.classes]
        raise DataError(
            f"{name}: not the classes that {checkpoint.path} was trained on"
            + f"; missing: {', '.join(missing[:5])}" * bool(missing)
            + f"; unknown: {', '.join(unknown[:5])}" * bool(unknown)
            + "; give a data set with the same class folders"
        )
    return dataset, name


def _predict(options: argparse.Namespace) -> int:
    checkpoint = load_checkpoint(find_checkpoint(options.run))
    device = backend.parse_device(options.device)
    recipe, classes = checkpoint.recipe, checkpoint.classes
    crop = test_transform(recipe)
    rng = np.random.default_rng(0)  # the crop is the central one, it draws nothing
    model = checkpoint.model()
    model.to(device)
    results = []
    for i in range(0, len(options.image), recipe.batch_size):
        names = options.image[i : i + recipe.batch_size]
        images = np.stack([crop(load_image(name, recipe.image_size), rng) for name in names])
        for name, probabilities in zip(names, predict(model, images, recipe, device), strict=True):
            top = np.argsort(-probabilities, kind="stable")[:5]
            ranked = [{"class": classes[c], "probability": float(probabilities[c])} for c in top]
            results.append({"image": name, "predictions": ranked})
    print(json.dumps(results, indent=2) if options.json else _table(results))
    return 0


def _table(results: list[dict[str, Any]]) -> str:
    parts = []
    for result in results:
        rows = [f"  {p['probability']:6.1%}  {p['class']}" for p in result["predictions"]]
        parts.append("\n".join([result["image"], *rows]))
    return "\n\n".join(parts)


def _summary(options: argparse.Namespace) -> int:
    from minigrad.summary import summary

    if hasattr(options, "input_size"):
        options.image_size = options.input_size  # no image is cropped here, any input will do
    recipe = recipe_from(options)
    model = build_model(recipe, options.num_classes)
    print(f"AlexNet {recipe.variant}, {options.num_classes} classes\n")
    print(summary(model, (3, recipe.input_size, recipe.input_size)))
    return 0


# ----- the parser -----


class _Parser(argparse.ArgumentParser):
    """Errors in one line: the flags of `train` would push a message off the screen."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="alexnet",
        description="AlexNet from scratch: train it, evaluate it, look inside.",
        epilog="alexnet COMMAND --help shows a command's flags. "
        "Try: alexnet train, then alexnet predict runs/small IMAGE.",
    )
    parser.add_argument("--version", action="version", version=f"alexnet {minigrad.__version__}")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=_Parser
    )
    _train_parser(commands)
    _evaluate_parser(commands)
    _predict_parser(commands)
    _summary_parser(commands)
    commands.add_parser("bench", help="time a training step layer by layer", add_help=False)
    return parser


def _train_parser(commands: Any) -> None:
    presets = "\n".join(f"  {p.__name__:8} {(p.__doc__ or '').splitlines()[0]}" for p in PRESETS)
    parser = commands.add_parser(
        "train",
        help="train a network on a folder of images",
        usage="alexnet train [DATA] [--recipe NAME] [--device DEVICE] [--out FOLDER] [flags]\n"
        "       alexnet train --resume RUN",
        description="Train AlexNet on a folder of class folders of images, or on drawn patterns.\n"
        "DATA holds train/CLASS/*.jpg and val/CLASS/*.jpg, or CLASS/*.jpg.\n\n"
        f"recipes:\n{presets}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", metavar="DATA", nargs="?", help="folder [drawn patterns]")
    parser.add_argument(
        "--recipe", help="a preset, or the recipe.json of a run [small]", metavar="NAME"
    )
    parser.add_argument("--out", metavar="FOLDER", help="run folder, a new one [runs/RECIPE]")
    parser.add_argument("--resume", metavar="RUN", help="go on with an interrupted run")
    parser.add_argument("--max-steps", type=_count, metavar="N", help="stop after N steps in all")
    _add_device_flags(parser)
    add_recipe_flags(parser)
    parser.set_defaults(command=_train)


def _evaluate_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="top-1 and top-5 of a trained network",
        description="Loss, top-1 and top-5 on central crops of the run's validation images, or of "
        "another data set with the same classes.",
    )
    parser.add_argument("run", metavar="RUN", help="run folder, or a checkpoint in it [its best]")
    parser.add_argument("data", metavar="DATA", nargs="?", help="folder [the run's own]")
    _add_device_flags(parser)
    parser.set_defaults(command=_evaluate)


def _predict_parser(commands: Any) -> None:
    parser = commands.add_parser("predict", help="name what is on images")
    parser.add_argument("run", metavar="RUN", help="run folder, or a checkpoint in it [its best]")
    parser.add_argument("image", metavar="IMAGE", nargs="+", help="image file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    _add_device_flags(parser, workers=False)
    parser.set_defaults(command=_predict)


def _summary_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "summary", help="the layer table: shapes, parameters, multiply-adds, bytes"
    )
    parser.add_argument("--recipe", help="a preset, or the recipe.json of a run [small]")
    parser.add_argument("--num-classes", type=_count, default=1000, metavar="N", help="[1000]")
    model_fields = ("variant", "input_size", "conv1_edge", "orders", "dropout")
    add_recipe_flags(parser, (*model_fields, "widths", "fc_width"))
    parser.set_defaults(command=_summary)


def _add_device_flags(parser: argparse.ArgumentParser, workers: bool = True) -> None:
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N [cpu]")
    if workers:
        parser.add_argument(
            "--workers", type=_count, default=2, metavar="N", help="threads that load images [2]"
        )
