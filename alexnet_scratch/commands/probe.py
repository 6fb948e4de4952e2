"""`alexnet probe`: what a linear classifier makes of a network's features."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from minigrad.tools.text import align

from ..data import DataError
from ..features import load_features
from ..probe import Probe, probe
from ..progress import to_stderr, told_if_slow
from .common import add_device_flags
from .features import features_of


def add_parser(commands: Any) -> None:
    """The flags of `alexnet probe`."""
    parser = commands.add_parser(
        "probe",
        help="fit a linear classifier on a layer's features, and score it",
        examples=(
            "alexnet probe boxed photos",
            "alexnet probe boxed photos --layer pool1,pool2,relu3,pool5,relu6,relu7",
            "alexnet probe photos.npz --json",
        ),
        usage="alexnet probe RUN DATA [--layer A,B,...] [flags]\n"
        "       alexnet probe FILE.npz [FILE.npz ...] [flags]",
        description="Fit multinomial logistic regression on the features of the training images, "
        "standardised, with the L2 that does best on a fifth of them, and score it on the "
        "validation images: what a layer knows of these classes. Nothing else is trained, so that "
        "it takes seconds.",
    )
    parser.add_argument(
        "given", metavar="RUN DATA", nargs="+",
        help="a run and a data set of any classes, or files of `alexnet features`",
    )  # fmt: skip
    parser.add_argument(
        "--layer", metavar="A,B,...",
        help="layers to compare [the one from which the classes are computed]",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the fifth [0]")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_device_flags(parser)
    parser.set_defaults(command=_probe, gathers="given")


def _probe(options: argparse.Namespace) -> int:
    if all(name.endswith(".npz") for name in options.given):
        if options.layer is not None:
            raise DataError("--layer: a file holds the features of one layer: leave it out")
        found = [load_features(name) for name in options.given]
    elif len(options.given) == 2:
        layers = options.layer.split(",") if options.layer else None
        run, data = options.given
        found = features_of(options, run, data, layers)
    else:
        raise DataError(
            f"{' '.join(options.given)}: expected RUN and DATA, or files of `alexnet features`"
        )
    results = []
    for features in found:
        with told_if_slow(f"Fitting on {features.layer}", to_stderr):
            results.append(probe(features, options.seed))
    if options.json:
        rows = [asdict(result) for result in results]
        print(json.dumps(rows, indent=2, allow_nan=False))
    else:
        print("\n".join(line.rstrip() for line in align(_rows(results), left=1)))
    return 0


def _rows(results: list[Probe]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("layer", "features", "train", "val", "l2", "train top-1", "top-1", "top-5")
    ]
    rows += [
        (r.layer, f"{r.dimensions:,}", f"{r.train_images:,}", f"{r.val_images:,}", f"{r.l2:g}",
         f"{r.train_top1:.1%}", f"{r.top1:.1%}", f"{r.top5:.1%}")
        for r in results
    ]  # fmt: skip
    return rows
