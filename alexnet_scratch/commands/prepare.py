"""`alexnet prepare`: from images as they come to a set that loads fast."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from ..data import DataError
from ..data.choice import too_few
from ..data.download import ARCHIVES, download
from ..data.image import RESIZES, check_plain
from ..data.packed import REPORT, open_packed
from ..data.patterns import cache_folder
from ..data.prepare import Prepared, prepare
from ..data.source import overview_of
from ..data.sources import open_source
from ..data.sources.tree import MAX_TEXT, lines
from ..data.survey import enlarged_note
from ..names import in_shell, program
from ..progress import say, told_if_slow
from ..training.input import flags_for
from .common import Download, count, threads


def add_parser(commands: Any) -> None:
    """The flags of `alexnet prepare`."""
    parser = commands.add_parser(
        "prepare",
        help="make a set that loads fast from a folder or archive of images",
        examples=(
            "alexnet prepare imagenette2-320.tgz imagenette",
            "alexnet prepare --download imagenette-320 imagenette",
            "alexnet prepare photos small --image-size 128 --per-class 500",
            "alexnet prepare imagenet-1k few --shards 3 --per-class 200",
        ),
        usage="alexnet prepare [flags] SOURCE OUT\n"
        "       alexnet prepare [flags] --download NAME OUT",
        description="Decode all images once and write them as raw bytes, with their statistics. "
        "SOURCE may be a folder of class folders or an archive of one (.zip, .tar, .tar.gz, "
        ".tar.bz2, .tar.xz), ImageNet as it is downloaded or as Kaggle has it, Tiny ImageNet, the "
        "parquet files of Hugging Face (which needs pyarrow), the tars of a WebDataset, also as a "
        "pattern such as shard-{000000..000009}.tar, CIFAR-10 and CIFAR-100 in binary or python "
        "form, and the idx files of MNIST and the like; what it is, is found out. Killed or "
        "interrupted, the same command goes on where it stopped.",
    )
    # Both are required, or argparse takes no flags between the two.
    source = parser.add_argument("source", metavar="SOURCE", help="folder or archive of images")
    out = parser.add_argument("out", metavar="OUT", help="folder to make")
    parser.add_argument(
        "--download", metavar="NAME", choices=tuple(ARCHIVES), action=Download,
        positional=(source, out),
        help=f"fetch a public data set first: {', '.join(ARCHIVES)}",
    )  # fmt: skip
    parser.add_argument(
        "--downloads", metavar="FOLDER", help="where archives are kept [the cache folder]"
    )
    parser.add_argument(
        "--image-size", type=count, default=256, metavar="N", help="side in pixels [256]"
    )
    parser.add_argument(
        "--resize", choices=RESIZES, default="crop",
        help="short side to the size and centre crop, or all of it squashed, as Caffe did [crop]",
    )  # fmt: skip
    parser.add_argument(
        "--val-fraction", type=float, default=0.1, metavar="F",
        help="share of each class for validation where the source has no such images [0.1]",
    )  # fmt: skip
    parser.add_argument(
        "--classes", metavar="FILE|N", help="only the ids in a file, a line each, or the first N"
    )
    parser.add_argument(
        "--per-class", type=count, metavar="N", help="at most N images of a class in each split"
    )
    parser.add_argument(
        "--shards", type=count, metavar="K",
        help="of parquet files and of a WebDataset's tars only the first K of each split; classes "
        "without images in them are left out and named",
    )  # fmt: skip
    parser.add_argument("--seed", type=count, default=0, metavar="N", help="of what is drawn [0]")
    parser.add_argument(
        "--workers", type=threads, metavar="N", help="threads that decode [one per core]"
    )
    parser.add_argument(
        "--restart", action="store_true", help="forget what an earlier try has done"
    )
    parser.set_defaults(command=_prepare)


def _prepare(options: argparse.Namespace) -> int:
    if options.download and options.out is not None:
        raise DataError("give SOURCE and OUT, or --download NAME and OUT; see prepare --help")
    out = options.source if options.download else options.out
    if options.shards == 0:
        raise DataError("--shards 0: give at least 1, or leave it out for all")
    if "" in (options.source, options.out):
        raise DataError("SOURCE or OUT is empty: give the names of a source and of a new folder")
    classes = _classes(options.classes) if options.classes else None
    if options.download:
        path = download(options.download, Path(options.downloads or cache_folder() / "downloads"))
    else:
        path = Path(options.source)
    _check_out(path, out)
    with told_if_slow(f"Looking for images in {path}"):
        opened = open_source(path, options.shards)
    with closing(opened) as source:
        note = enlarged_note(source, source.items, options.image_size)
        few = too_few(source, options.per_class, options.val_fraction, classes)
        for line in overview_of(path, source) + note + few:
            say(line)
        try:
            made = prepare(
                source, out, name=Path(os.path.abspath(path)).name,
                image_size=options.image_size, resize=options.resize,
                val_fraction=options.val_fraction, seed=options.seed, classes=classes,
                per_class=options.per_class, workers=options.workers, restart=options.restart,
            )  # fmt: skip
        except KeyboardInterrupt:
            print("what is done is kept: the same command goes on with it", file=sys.stderr)
            raise
    for line in _summary(made, out):
        say(line)
    say(f"Next: {program()} train {in_shell(out)} {flags_for(options.image_size)}".rstrip())
    return 0


def _check_out(source: Path, out: str) -> None:
    """Raise DataError for a set within its own source: the next reader would take it for images."""
    # Not Path.resolve, which raises RuntimeError for a loop of links before Python 3.13.
    if source.is_dir() and Path(os.path.realpath(out)).is_relative_to(os.path.realpath(source)):
        raise DataError(f"{out} lies within {source}, its source: give a folder elsewhere")


def _summary(made: Prepared, out: str) -> Iterator[str]:
    packed = open_packed(made.path)
    size = sum(file.stat().st_size for file in made.path.iterdir())
    amount = f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
    yield (
        f"{out}: {made.counts['train']} training and {made.counts['val']} validation images of "
        f"{len(packed.classes)} classes, {amount}"
    )
    if packed.enlarged:
        yield (
            f"{packed.enlarged:,} of them were smaller than {packed.image_size} pixels and are "
            f"enlarged; half of all have a short side of {packed.short_side} or less"
        )
    if made.skipped:
        files = f"{made.skipped} bad file{'s' * (made.skipped != 1)}"
        yield f"Skipped {files}, see {Path(out) / REPORT}"


def _classes(text: str) -> list[str] | int:
    """--classes: a number, or the ids in a file; blank lines and # comments are ignored."""
    if text.isdecimal():
        return int(text)
    try:
        if not text.startswith("/dev/fd/"):  # what a shell's <(...) gives is written to already
            check_plain(text)
        with open(text, "rb") as file:
            found = lines(file.read(MAX_TEXT + 1), text)
    except (OSError, ValueError) as error:
        raise DataError(
            f"--classes {text}: cannot be read ({error}); expected a number, or a file with a "
            "class id in each line"
        ) from error
    return [line for line in (line.partition("#")[0].strip() for line in found) if line]
