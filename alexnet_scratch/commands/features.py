"""`alexnet features`: what a layer of a trained network gives for each image of a data set."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from ..data import DataError
from ..features import Features, central, extract, save_features
from ..inside import last_layer
from ..names import file_name, one_line
from ..out_of_memory import in_smaller_batches
from ..progress import say, told_if_slow
from ..trained import load_trained
from ..training.checkpoint import BOXED
from .common import add_device_flags, device_from

RUN_HELP = (
    f"run folder, or a checkpoint in it [its best]; {BOXED.name}: the network that comes with "
    "alexnet"
)


def add_parser(commands: Any) -> None:
    """The flags of `alexnet features`."""
    parser = commands.add_parser(
        "features",
        help="what a layer of a trained network gives for each image, as an npz file",
        examples=(
            "alexnet features boxed photos --layer fc7",
            "alexnet features runs/imagenette-small photos --out photos.npz",
        ),
        description="Write what a layer gives for the central crop of each image, whatever its "
        "class: features (N, D), labels, names, splits, classes, layer and run, which numpy.load "
        "reads. `alexnet probe` fits a classifier on them.",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("data", metavar="DATA", help="prepared set or folder, of any classes")
    parser.add_argument(
        "--layer", metavar="NAME",
        help="fc7 is what it gives before its ReLU, relu7 what is behind; see `alexnet summary` "
        "[the one from which the classes are computed]",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FILE.npz", help="file to write [RUN-DATA-LAYER.npz]")
    add_device_flags(parser)
    parser.set_defaults(command=_features)


def _features(options: argparse.Namespace) -> int:
    layers = None if options.layer is None else [options.layer]
    (found,) = features_of(options, options.run, options.data, layers)
    out = options.out
    if out is None:
        parts = (os.path.abspath(options.run), os.path.abspath(options.data), found.layer)
        out = "-".join(file_name(os.path.basename(part)) for part in parts) + ".npz"
    save_features(found, out)
    count, width = found.features.shape
    say(f"{out}: {width:,} features of {found.layer} for each of {count:,} images")
    return 0


def features_of(
    options: argparse.Namespace, run: str, data: str, layers: Sequence[str] | None
) -> list[Features]:
    """The features of the layers, by default of the last one before the classes."""
    network = load_trained(run, device_from(options))
    if not os.path.isdir(data):
        raise DataError(f"no such folder: {data}; expected a prepared set or a folder of images")
    with told_if_slow(f"Looking for images in {data}"):
        splits = central(network, data)
    for line in splits.overview:
        print(line, file=sys.stderr)
    chosen = list(layers or [last_layer(network.model)])
    found, skipped = in_smaller_batches(
        lambda size: extract(
            network, splits, chosen, run, root=data, batch=size, workers=options.workers
        ),
        network.recipe.batch_size, network.device,
    )  # fmt: skip
    for reason in skipped:
        print(f"Skipped, cannot be read: {one_line(reason)}", file=sys.stderr)
    return found
