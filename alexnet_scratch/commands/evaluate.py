"""`alexnet evaluate`: what a trained network is worth."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import Tensor
from minigrad.data import DataLoader, Dataset

from ..data import DataError, patterns
from ..data.folder import ImageFiles
from ..data.image import some
from ..data.packed import is_packed, open_packed
from ..data.source import overview
from ..data.sources import open_folder
from ..data.splits import difference
from ..data.views import CENTRE, PLACES, TEN_CROP, View, name_of, parse_views
from ..evaluation import NoImagesError, Predictions, Scores, collect
from ..names import one_line, program
from ..out_of_memory import in_smaller_batches
from ..progress import progress_bar, say, to_stderr, told_if_slow
from ..report import Report, report_folder, write_report
from ..trained import check_numbers, trained
from ..training.checkpoint import BOXED, Checkpoint, find_checkpoint, load_checkpoint
from ..training.input import open_splits, pinned_for
from ..training.provenance import environment
from .common import add_device_flags, device_from


@dataclass(frozen=True)
class EvaluationData:
    """Whole images to evaluate on, the classes' readable names by id, and what it is all called."""

    images: Dataset
    names: dict[str, str]
    title: str
    overview: Sequence[str] = ()


def add_parser(commands: Any) -> None:
    """The flags of `alexnet evaluate`."""
    parser = commands.add_parser(
        "evaluate",
        help="top-1 and top-5 of a trained network",
        examples=(
            "alexnet evaluate runs/imagenette-small",
            "alexnet evaluate runs/imagenette-small --ten-crop --report report",
            "alexnet evaluate runs/imagenette-small other/val --json",
            "alexnet evaluate imagenet imagenette --only-data-classes",
        ),
        description="Loss, top-1 and top-5 on the run's validation images, or on another data set "
        "with the same classes, or some of them (WordNet ids, mostly): of central crops, and of "
        "the mean over several views if asked for.",
    )
    parser.add_argument(
        "run", metavar="RUN",
        help=f"run folder, or a checkpoint in it [its best]; {BOXED.name}: the network that comes "
        "with alexnet",
    )  # fmt: skip
    parser.add_argument(
        "data", metavar="DATA", nargs="?", help="folder or prepared set [the run's own]"
    )
    add_view_flags(parser)
    parser.add_argument(
        "--only-data-classes", action="store_true",
        help="where the data has some of the network's classes: choose among those, the others' "
        "probabilities left out and the rest renormalised [choose among all]",
    )  # fmt: skip
    parser.add_argument(
        "--report", metavar="FOLDER",
        help="write a page (report.html), tables and pictures there: confusion matrix, classes, "
        "hardest images, every prediction; beside an older report a new one",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_device_flags(parser)
    parser.set_defaults(command=_evaluate)


def add_view_flags(parser: argparse.ArgumentParser) -> None:
    """--ten-crop and --views, for commands that look at images."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--ten-crop", action="store_true",
        help="average over the four corners, the centre, and their mirror images, as the paper did",
    )  # fmt: skip
    either.add_argument(
        "--views", metavar="A,B,...",
        help=f"average over these views: {', '.join(PLACES)}, each also with -mirrored [centre]",
    )  # fmt: skip


def views_from(options: argparse.Namespace) -> tuple[View, ...]:
    """The views that the flags name. DataError for an unknown one."""
    if options.ten_crop:
        return TEN_CROP
    return CENTRE if options.views is None else parse_views(options.views)


def _evaluate(options: argparse.Namespace) -> int:
    views = views_from(options)
    view_sets = list(dict.fromkeys([CENTRE, views]))  # the centre stands beside any other
    report = report_folder(options.report) if options.report is not None else None
    checkpoint = load_checkpoint(find_checkpoint(options.run))
    device = device_from(options)
    with told_if_slow("Looking for the images", to_stderr):
        data = evaluation_data(options.data, checkpoint)
    for line in (*data.overview, *_partly(data, checkpoint, options.only_data_classes)):
        print(line, file=sys.stderr)
    classes = list(data.names) if options.only_data_classes else checkpoint.classes

    def attempt(size: int) -> tuple[DataLoader, list[Predictions]]:
        loader = DataLoader(data.images, size, num_workers=options.workers, **pinned_for(device))
        return loader, _predictions(checkpoint, loader, view_sets, device, data, classes)

    try:
        loader, predictions = in_smaller_batches(attempt, checkpoint.recipe.batch_size, device)
    except NoImagesError as error:
        raise DataError(f"{data.title}: no image can be read") from error
    for skipped in loader.skipped:
        print(f"Skipped, cannot be read: {one_line(skipped.reason)}", file=sys.stderr)
    scores = {name_of(v): p.scores() for v, p in zip(view_sets, predictions, strict=True)}
    check_numbers([s.loss for s in scores.values()], checkpoint.path)
    summary = _summary(scores, checkpoint, data, len(loader.skipped), len(classes))
    if options.json:
        print(json.dumps(summary, indent=2, allow_nan=False))
    else:
        print(_table(scores))
        say(f"{checkpoint.path}, {_stand(checkpoint)}, on {data.title}")
    if report is not None:
        facts = {**summary, **_circumstances(options, checkpoint, device)}
        names = {**checkpoint.data.get("names", {}), **data.names}
        named = {name: names.get(name, name) for name in classes}
        write_report(report, _report(predictions[-1], named, data, loader), facts)
        print(
            one_line(f"Report: {report / 'report.html'}"),
            file=sys.stderr if options.json else sys.stdout,
        )
    return 0


def _places(names: Sequence[str], among: Sequence[str]) -> list[int]:
    """Where each name stands among the others."""
    place_of = {name: place for place, name in enumerate(among)}
    return [place_of[name] for name in names]


def _partly(data: EvaluationData, checkpoint: Checkpoint, only: bool) -> list[str]:
    """A line where the data has some of the network's classes."""
    held, known = len(data.names), len(checkpoint.classes)
    if held == known:
        return []
    how = f"among these {held}" if only else f"among all {known:,} (--only-data-classes: these)"
    return [f"Note: the data has {held} of the network's {known:,} classes; it chooses {how}"]


def _predictions(
    checkpoint: Checkpoint, loader: DataLoader, view_sets: Sequence[Sequence[View]], device: str,
    data: EvaluationData, classes: Sequence[str],
) -> list[Predictions]:  # fmt: skip
    """classes: those that are chosen among, which have the data's; labels are places in them."""
    network = trained(checkpoint, device)
    outputs = _places(classes, checkpoint.classes)
    place_of_label = np.array(_places(list(data.names), classes), np.int64)
    with (
        closing(loader.batches(0)) as batches,  # type: ignore[type-var]
        progress_bar("evaluation", len(loader.dataset), unit="images") as bar,
    ):

        def counted() -> Iterator[Any]:
            for images, labels, *rest in batches:
                yield images, Tensor(place_of_label[labels.data]), *rest
                bar.update(len(labels))

        return collect(
            network.model, counted(), network.recipe, device, view_sets, network.pixels, outputs
        )


def _table(scores: dict[str, Scores]) -> str:
    width = max(map(len, scores))
    named = len(scores) > 1
    return "\n".join(f"{name:{width}}  " * named + s.line() for name, s in scores.items())


def _summary(
    scores: dict[str, Scores], checkpoint: Checkpoint, data: EvaluationData, skipped: int,
    classes: int,
) -> dict[str, Any]:  # fmt: skip
    return {
        "checkpoint": str(checkpoint.path),
        "epoch": checkpoint.position.epoch,
        "step": checkpoint.position.step,
        "data": data.title,
        "data_classes": len(data.names),
        "chosen_among": classes,
        "skipped": skipped,
        "scores": {name: asdict(s) for name, s in scores.items()},
    }


def _stand(checkpoint: Checkpoint) -> str:
    """How far a checkpoint's training had come; the last one may lie within an epoch."""
    at, imported = checkpoint.position, checkpoint.data.get("imported")
    if imported:
        return f"imported from {one_line(imported)}"
    if not at.batch:
        return f"after epoch {at.epoch}"
    return f"in epoch {at.epoch + 1}, after step {at.step}"


def _circumstances(
    options: argparse.Namespace, checkpoint: Checkpoint, device: str
) -> dict[str, Any]:
    return {
        "run": str(checkpoint.path.parent),
        "stand": _stand(checkpoint),
        "recipe": checkpoint.recipe.name,
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "command": ["alexnet", *options.arguments],
        **environment(device),
    }


def _report(
    predictions: Predictions, classes: dict[str, str], data: EvaluationData, loader: DataLoader
) -> Report:
    """classes: readable names by id, of all that were chosen among."""
    skipped = {sample.index for sample in loader.skipped}
    indices = [index for index in loader.order(0) if index not in skipped]

    def load(i: int) -> Any:
        return data.images.sample(indices[i], np.random.default_rng(0))[0]

    return Report(
        predictions,
        [data.images.describe(index) for index in indices],
        list(classes),
        list(classes.values()),
        load,
    )


def evaluation_data(path: str | None, checkpoint: Checkpoint) -> EvaluationData:
    """The images to evaluate on.

    The run's own validation images without DATA. Another data set's validation images, or all of
    them where it has no such folder: none of it was trained on.
    """
    recipe, root = checkpoint.recipe, checkpoint.data["root"]
    if path is None and checkpoint.data.get("imported"):
        raise DataError(
            f"{checkpoint.path}: its weights are imported, without images: say which to evaluate "
            f"on: {program()} evaluate RUN DATA"
        )
    own = path is None or (root is not None and os.path.realpath(path) == root)
    folder = Path((root or patterns.ensure()) if own else str(path))
    drawn = own and root is None
    title = f"the validation images of {'the drawn patterns' if drawn else folder}"
    resize = checkpoint.data.get("resize", "crop")
    if not folder.exists():
        raise DataError(
            f"no such folder: {folder}; say where it is now: {program()} evaluate RUN DATA"
        )
    if is_packed(folder):
        packed = open_packed(folder)
        if packed.resize != resize:
            raise DataError(
                f"{folder} was prepared with --resize {packed.resize}, the run was trained on "
                f"--resize {resize}: prepare it that way"
            )
        # A run's own set is what it was trained on, whatever its size.
        images = packed.images("val", None, None if own else recipe.image_size)
        data = EvaluationData(images, packed.names, title)
    elif own:
        # As a crop of the whole image is the whole image: the views are cut later.
        splits = open_splits(folder, replace(recipe, input_size=recipe.image_size))
        if splits.held_out and checkpoint.data.get("digest", splits.digest) != splits.digest:
            raise DataError(
                f"{folder} has other files than the run was trained on, so that other images would "
                "be held out: bring back the same files, or give another data set"
            )
        data = EvaluationData(splits.val, splits.names, title)
    else:
        source = open_folder(folder)
        split = "val" if "val" in source.folders else "train"
        used = {split: source.folders[split]}
        taken_for = f"{source.layout} layout"
        said = overview(folder, taken_for, source.classes, used, source.notes, source.left_out)
        files = ImageFiles(source, split, None, recipe.image_size, resize)
        data = EvaluationData(files, source.classes, str(folder / source.folders[split]), said)
    _check_classes(list(data.names), data.title, checkpoint)
    return data


def _check_classes(classes: list[str], title: str, checkpoint: Checkpoint) -> None:
    missing = [c for c in checkpoint.classes if c not in classes]
    unknown = [c for c in classes if c not in checkpoint.classes]
    if not unknown:
        return
    raise DataError(
        f"{title}: not the classes that {checkpoint.path} was trained on"
        + f"; missing: {some(missing)}" * bool(missing)
        + f"; unknown: {some(unknown)}" * bool(unknown)
        + f"; {difference(missing, unknown) or 'give a data set with the same class folders'}"
    )
