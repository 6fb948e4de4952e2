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
from typing import Any

import numpy as np

from minigrad import Tensor
from minigrad.data import DataLoader
from minigrad.data.loader import Skipped
from minigrad.tools.text import align

from ..data import DataError
from ..data.views import CENTRE, PLACES, TEN_CROP, View, name_of, parse_views
from ..evaluation import Committee, NoImagesError, Predictions, collect
from ..names import one_line
from ..out_of_memory import in_smaller_batches
from ..pages.run_page import Measured, write_page
from ..progress import progress_bar, say, to_stderr, told_if_slow
from ..report import Report, report_folder, write_report
from ..runs import run_of
from ..trained import check_numbers, trained
from ..training.checkpoint import BOXED, Checkpoint, find_checkpoint, is_run, load_checkpoint
from ..training.input import pinned_for
from ..training.provenance import environment
from .common import add_device_flags, device_from
from .evaluation_data import EvaluationData, evaluation_data


@dataclass(frozen=True)
class Evaluation:
    """What networks said about the images of a data set.

    views: what each set of views is called. classes: what the labels mean, readable names by id:
    those that were chosen among. of_each: for each network, and together: of all of
    them, their predictions by set of views. indices: the images that could be read.
    """

    checkpoints: list[Checkpoint]
    data: EvaluationData
    views: list[str]
    classes: dict[str, str]
    of_each: list[list[Predictions]]
    together: list[Predictions]
    indices: list[int]
    skipped: list[Skipped]

    @property
    def several(self) -> str:
        """"the mean of 5 networks", "" of one alone."""
        count = len(self.checkpoints)
        return f"the mean of {count} networks" if count > 1 else ""

    def summary(self) -> dict[str, Any]:
        """For JSON. Of several networks `scores` are those of their mean."""
        said = [_of_network(c, self.views, p) for c, p in zip(self.checkpoints, self.of_each,
                                                              strict=True)]  # fmt: skip
        networks = {"networks": said} if self.several else said[0]
        return {
            **networks,
            "data": self.data.title,
            "data_classes": len(self.data.names),
            "chosen_among": len(self.classes),
            "skipped": len(self.skipped),
            "scores": _scores(self.views, self.together),
        }

    def report(self) -> Report:
        """The last set of views, image by image."""
        images, names = self.data.images, self.classes

        def load(i: int) -> Any:
            return images.sample(self.indices[i], np.random.default_rng(0))[0]

        described = [images.describe(index) for index in self.indices]
        return Report(self.together[-1], described, list(names), list(names.values()), load)


def add_parser(commands: Any) -> None:
    """The flags of `alexnet evaluate`."""
    parser = commands.add_parser(
        "evaluate",
        help="top-1 and top-5 of a trained network",
        examples=(
            "alexnet evaluate runs/imagenette-small",
            "alexnet evaluate runs/imagenette-small --ten-crop --report report",
            "alexnet evaluate runs/imagenette-small other/val --json",
            "alexnet evaluate runs/a runs/b runs/c     # and the mean of the three",
            "alexnet evaluate imagenet imagenette --only-data-classes",
        ),
        usage="alexnet evaluate RUN [RUN ...] [DATA] [flags]",
        description="Loss, top-1 and top-5 on the run's validation images, or on another data set "
        "with the same classes, or some of them (WordNet ids, mostly): of central crops, and of "
        "the mean over several views if asked for. "
        "Of several runs each, and the mean of their probabilities, as in the paper's table 2; "
        "the images are the first run's. What holds a run's files is a RUN, and a last folder "
        "without them is DATA: a folder of images or a prepared set.",
    )
    parser.add_argument(
        "given", metavar="RUN", nargs="+",
        help=f"run folder, or a checkpoint in it [its best]; {BOXED.name}: the network that comes "
        "with alexnet; DATA behind it [the run's own]",
    )  # fmt: skip
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
    parser.set_defaults(command=_evaluate, gathers="given")


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
    report = report_folder(options.report) if options.report is not None else None
    runs, path = runs_and_data(options.given)
    checkpoints = [_weights(load_checkpoint(find_checkpoint(run))) for run in runs]
    device = device_from(options)
    found = evaluated(
        checkpoints, path, views, device, options.workers, options.only_data_classes
    )
    summary = found.summary()
    if options.json:
        print(json.dumps(summary, indent=2, allow_nan=False))
    else:
        print("\n".join(_table(found)))
        (checkpoint, *_) = checkpoints
        of = found.several or f"{checkpoint.path}, {stand(checkpoint)}"
        say(f"{of}, on {found.data.title}")
    if report is not None:
        measured = Measured(found.report(), {**summary, **circumstances(options, found, device)})
        write_report(report, measured.report, measured.facts)
        page = report / "report.html"
        if found.several:
            write_page(page, None, None, measured)
        else:
            write_page(page, run_of(checkpoints[0]), checkpoints[0].model(), measured)
        print(
            one_line(f"Report: {report / 'report.html'}"),
            file=sys.stderr if options.json else sys.stdout,
        )
    return 0


def runs_and_data(given: list[str]) -> tuple[list[str], str | None]:
    """The runs, each once, and the data set behind them, None if there is none."""
    *runs, last = given
    if not runs or is_run(last):
        return list(dict.fromkeys(given)), None
    return list(dict.fromkeys(runs)), last


def _weights(checkpoint: Checkpoint) -> Checkpoint:
    """Without the optimiser's state: several networks are held at once."""
    kept = {k: t for k, t in checkpoint.tensors.items() if not k.startswith("optimizer.")}
    return replace(checkpoint, tensors=kept)


def evaluated(
    checkpoints: list[Checkpoint], path: str | None, views: Sequence[View], device: str,
    workers: int, only_data_classes: bool = False,
) -> Evaluation:  # fmt: skip
    """What the networks say about the data set in `path`, or about the first one's own validation
    images: of the centre, and of `views` if they are others. What cannot be read is told.
    only_data_classes: they choose among the data's classes, where it has some of theirs.

    Raises DataError for images that cannot be used, CheckpointError for a network that gives NaN.
    """
    view_sets = list(dict.fromkeys([CENTRE, views]))  # the centre stands beside any other
    owner = _owner(checkpoints, path)
    with told_if_slow("Looking for the images", to_stderr):
        sets = [evaluation_data(path, checkpoint, owner) for checkpoint in checkpoints]
    classes = _chosen_among(sets[0], checkpoints, only_data_classes)
    for line in (*sets[0].overview, *_partly(sets[0], checkpoints[0], only_data_classes)):
        print(line, file=sys.stderr)
    committee = Committee() if len(checkpoints) > 1 else None
    of_each: list[list[Predictions]] = []
    read: list[list[int]] = []
    for checkpoint, data in zip(checkpoints, sets, strict=True):
        loader, said = _asked(
            checkpoint, data, list(classes), view_sets, device, workers, committee
        )
        if not of_each:
            for skipped in loader.skipped:
                print(f"Skipped, cannot be read: {one_line(skipped.reason)}", file=sys.stderr)
        check_numbers([p.losses.mean() for p in said], checkpoint.path)
        of_each.append(said)
        left_out = {sample.index for sample in loader.skipped}
        read.append([index for index in loader.order(0) if index not in left_out])
        if read[-1] != read[0]:
            raise DataError(f"{data.title}: images came or went meanwhile: evaluate again")
    return Evaluation(
        checkpoints, sets[0], [name_of(v) for v in view_sets], classes, of_each,
        of_each[0] if committee is None else committee.predictions(), read[0], loader.skipped,
    )  # fmt: skip


def _chosen_among(
    data: EvaluationData, checkpoints: Sequence[Checkpoint], only_data_classes: bool
) -> dict[str, str]:
    """The classes that the networks choose among, with their readable names.

    Raises DataError for networks of other classes than the first one's.
    """
    first = checkpoints[0]
    if only_data_classes or set(data.names) == set(first.classes):
        return dict(data.names)
    for other in checkpoints[1:]:
        if set(other.classes) != set(first.classes):
            raise DataError(
                f"{other.path} has {len(other.classes)} classes, which are not the "
                f"{len(first.classes)} of {first.path}: let them choose among the data's "
                "(--only-data-classes), or evaluate one by one"
            )
    names = {**first.data.get("names", {}), **data.names}
    return {name: names.get(name, name) for name in first.classes}


def _partly(data: EvaluationData, checkpoint: Checkpoint, only: bool) -> list[str]:
    """A line where the data has some of the network's classes."""
    held, known = len(data.names), len(checkpoint.classes)
    if held == known:
        return []
    how = f"among these {held}" if only else f"among all {known:,} (--only-data-classes: these)"
    return [f"Note: the data has {held} of the network's {known:,} classes; it chooses {how}"]


def _places(names: Sequence[str], among: Sequence[str]) -> list[int]:
    """Where each name stands among the others."""
    place_of = {name: place for place, name in enumerate(among)}
    return [place_of[name] for name in names]


def _asked(
    checkpoint: Checkpoint, data: EvaluationData, classes: Sequence[str],
    view_sets: Sequence[Sequence[View]], device: str, workers: int, committee: Committee | None,
) -> tuple[DataLoader, list[Predictions]]:  # fmt: skip
    """What one network says, and the loader that knows what could not be read.

    classes: those that are chosen among, which have the data's; labels are places in them.
    """
    network = trained(checkpoint, device)
    outputs = _places(classes, checkpoint.classes)
    place_of_label = np.array(_places(list(data.names), classes), np.int64)

    def attempt(size: int) -> tuple[DataLoader, list[Predictions]]:
        loader = DataLoader(data.images, size, num_workers=workers, **pinned_for(device))
        with (
            closing(loader.batches(0)) as batches,  # type: ignore[type-var]
            progress_bar("evaluation", len(loader.dataset), unit="images") as bar,
        ):

            def counted() -> Iterator[Any]:
                for images, labels, *rest in batches:
                    yield images, Tensor(place_of_label[labels.data]), *rest
                    bar.update(len(labels))

            ask = collect if committee is None else committee.add
            return loader, ask(
                network.model, counted(), network.recipe, device, view_sets, network.pixels, outputs
            )

    try:
        return in_smaller_batches(attempt, checkpoint.recipe.batch_size, device)
    except NoImagesError as error:
        raise DataError(f"{data.title}: no image can be read") from error


def _table(found: Evaluation) -> list[str]:
    """A line for each network and set of views, then those of the mean."""
    names = [*network_names(found.checkpoints), found.several]
    said = [*found.of_each, found.together] if found.several else found.of_each
    rows = [
        (one_line(name) * bool(found.several), views * (len(found.views) > 1),
         predictions.scores().line(len(found.classes)))
        for name, by_views in zip(names, said, strict=False)
        for views, predictions in zip(found.views, by_views, strict=True)
    ]  # fmt: skip
    return [line.strip() for line in align(rows, left=3)]


def network_names(checkpoints: Sequence[Checkpoint]) -> list[str]:
    """Their folders, or files where two lie in one folder."""
    places = [checkpoint.path.parent for checkpoint in checkpoints]
    folders = [BOXED.name if place == BOXED else str(place) for place in places]
    return folders if len(set(folders)) == len(folders) else [str(c.path) for c in checkpoints]


def _scores(views: list[str], said: list[Predictions]) -> dict[str, Any]:
    return {name: asdict(p.scores()) for name, p in zip(views, said, strict=True)}


def _of_network(
    checkpoint: Checkpoint, views: list[str], said: list[Predictions]
) -> dict[str, Any]:
    at = checkpoint.position
    scores = _scores(views, said)
    return {
        "checkpoint": str(checkpoint.path), "epoch": at.epoch, "step": at.step, "scores": scores
    }  # fmt: skip


def stand(checkpoint: Checkpoint) -> str:
    """How far a checkpoint's training had come; the last one may lie within an epoch."""
    at, imported = checkpoint.position, checkpoint.data.get("imported")
    if imported:
        return f"imported from {one_line(imported)}"
    if not at.batch:
        return f"after epoch {at.epoch}"
    return f"in epoch {at.epoch + 1}, after step {at.step}"


def circumstances(
    options: argparse.Namespace, found: Evaluation, device: str
) -> dict[str, Any]:  # fmt: skip
    """What else a report says of how it came about."""
    one = found.checkpoints[0]
    of_run = {
        "run": str(one.path.parent), "stand": stand(one), "recipe": one.recipe.name
    }  # fmt: skip
    return {
        **(of_run if not found.several else {}),
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "command": ["alexnet", *options.arguments],
        **environment(device),
    }


def _owner(checkpoints: list[Checkpoint], path: str | None) -> Checkpoint:
    """The run whose own data set is asked for, the first one without DATA."""
    if path is not None:
        real = os.path.realpath(path)
        return next((c for c in checkpoints if c.data["root"] == real), checkpoints[0])
    return checkpoints[0]
