"""`alexnet predict`: name what is on images."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

import numpy as np

from ..data import BadImageError, DataError
from ..data.image import image_size
from ..data.source import left_out_line
from ..data.sources import image_files
from ..data.sources.tree import has_image_ending
from ..names import one_line, short_names
from ..out_of_memory import in_smaller_batches
from ..parser import BAD_INPUT
from ..trained import Trained, check_numbers, trained
from ..training.checkpoint import BOXED, find_checkpoint, is_run, load_checkpoint
from .common import add_device_flags, device_from
from .evaluate import add_view_flags, views_from


def add_parser(commands: Any) -> None:
    """The flags of `alexnet predict`."""
    parser = commands.add_parser(
        "predict", help="name what is on images",
        examples=(
            "alexnet predict photo.jpg     # by the network that comes with the package",
            "alexnet predict runs/imagenette-small photo.jpg",
            "alexnet predict runs/imagenette-small *.jpg --ten-crop --json",
        ),
        usage="alexnet predict [RUN] IMAGE [IMAGE ...] [flags]",
        description="Name what is on images. One that cannot be read is told and left out; the "
        f"exit status is {BAD_INPUT} then. RUN is a run folder, or a checkpoint in it [its best]. "
        f"It may be left out before an image file, or one folder: the network that comes with the "
        f"package ({BOXED.name}) then names one of its ten classes.",
    )  # fmt: skip
    parser.add_argument(
        "given", metavar="IMAGE", nargs="+", help="image file, or a folder of them; RUN before it"
    )
    add_view_flags(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_device_flags(parser, workers=False)
    parser.set_defaults(command=_predict, gathers="given")


def _predict(options: argparse.Namespace) -> int:
    views = views_from(options)
    run, paths = _run_and_images(options.given)
    checkpoint = load_checkpoint(find_checkpoint(BOXED if run is None else run))
    device = device_from(options)
    network = trained(checkpoint, device)
    short = short_by_class(network.names)
    if run is None:
        print(boxed_line(network, short), file=sys.stderr)
    classes, batch_size = network.classes, network.recipe.batch_size
    results, status = [], 0
    given = [file for path in paths for file in files_of(path)]
    for i in range(0, len(given), batch_size):
        names, images = [], []
        for name in given[i : i + batch_size]:
            try:
                images.append(network.image(name))
                names.append(name)
            except BadImageError as error:
                print(f"alexnet: {one_line(str(error))}", file=sys.stderr)
                status = BAD_INPUT
        if not images:
            continue
        pixels = np.stack(images)

        def rows_of(size: int, pixels: Any = pixels) -> Any:
            parts = [pixels[j : j + size] for j in range(0, len(pixels), size)]
            return np.concatenate([network.predict(part, views) for part in parts])

        rows = in_smaller_batches(rows_of, len(pixels), device)
        check_numbers(rows, checkpoint.path)
        for name, probabilities in zip(names, rows, strict=True):
            top = np.argsort(-probabilities, kind="stable")[:5]
            ranked = [
                {
                    "class": classes[c],
                    "name": network.names.get(classes[c], classes[c]),
                    "probability": float(probabilities[c]),
                }
                for c in top
            ]
            results.append({"image": name, "predictions": ranked})
    if options.json:
        print(json.dumps(results, indent=2, allow_nan=False))
    elif results:
        print(_table(results, short))
    return status


def _run_and_images(given: list[str]) -> tuple[str | None, list[str]]:
    """The run, None if it is left out, and the images."""
    first, *rest = given
    if rest:
        return (None, given) if is_image(first) else (first, rest)
    if is_run(first):
        raise DataError(f"no image to name by {first}: give some behind it, or a folder of them")
    return None, given


def is_image(path: str) -> bool:
    """Is it an image file, by its name or by its content?"""
    if os.path.isdir(path):
        return False
    if has_image_ending(path):
        return True
    try:
        return bool(image_size(path))
    except BadImageError:
        return False


def boxed_line(network: Trained, short: dict[str, str]) -> str:
    """What to know of an answer by a network that nobody asked for by its name."""
    names = ", ".join(short.get(c, c) for c in network.classes)
    return (
        f"No RUN is given: the network that comes with the package names one of {names}, whatever "
        "the image shows"
    )


def files_of(path: str) -> list[str]:
    """The images in a folder and below it; any other path is taken for that of an image."""
    if not os.path.isdir(path):
        return [path]
    files, left_out = image_files(path)
    if left_out:
        print(left_out_line(left_out), file=sys.stderr)
    if not files:
        raise DataError(f"no images in {path}: give image files, or a folder of some")
    return files


def short_by_class(names: dict[str, str]) -> dict[str, str]:
    """By class, for tables: names up to the first comma, where that tells them apart."""
    return dict(zip(names, short_names(list(names.values())), strict=True))


def _table(results: list[dict[str, Any]], short: dict[str, str]) -> str:
    parts = []
    for result in results:
        rows = [f"  {p['probability']:6.1%}  {_title(p, short)}" for p in result["predictions"]]
        parts.append("\n".join([one_line(result["image"]), *rows]))
    return "\n\n".join(parts)


def _title(prediction: dict[str, Any], short: dict[str, str]) -> str:
    """The class as people call it, and its id where that says something else."""
    identity = prediction["class"]
    name = short.get(identity, prediction["name"])
    return one_line(f"{name} ({identity})" if name != identity else name)
