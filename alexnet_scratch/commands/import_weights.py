"""`alexnet import`: weights that were trained elsewhere become a run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from minigrad.nn.shapes import shapes_only
from minigrad.serialization import CheckpointError

from ..data import DataError
from ..data.download import fetch
from ..data.patterns import cache_folder
from ..names import in_shell, one_line, program
from ..progress import say, told_if_slow
from ..recipe import build_model
from ..recipe.flags import recipe_named
from ..training.folder import RunError
from ..weights import read_weights
from ..weights.classes import classes_of
from ..weights.imported import write_run
from ..weights.networks import NETWORKS, Identified, identify
from ..weights.published import PUBLISHED
from .common import Download


def add_parser(commands: Any) -> None:
    """The flags of `alexnet import`."""
    parser = commands.add_parser(
        "import",
        help="make a run of weights that were trained elsewhere",
        examples=(
            "alexnet import --download torchvision imagenet      # 1,000 classes, 244 MB",
            "alexnet import alexnet-owt-7be5be79.pth imagenet",
            "alexnet import bvlc_alexnet.npy caffe",
            "alexnet import birds.pth birds --classes birds.txt",
            "alexnet evaluate imagenet imagenette                # some of its classes",
        ),
        usage="alexnet import [flags] FILE OUT\n       alexnet import [flags] --download NAME OUT",
        description="Read weights that another program has written, find out by names and shapes "
        "which network they are of, and make a run folder that evaluate, predict and training "
        "take. FILE is a state_dict in PyTorch's .pth or in safetensors, Caffe's network in "
        ".caffemodel or .npy, or an .onnx model. No other program is needed, and nothing in the "
        "file is run. How images are prepared comes with the network, and so do the names of "
        "ImageNet's 1,000 classes.",
    )
    source = parser.add_argument("source", metavar="FILE", help="file of weights")
    out = parser.add_argument("out", metavar="OUT", help="run folder to make")
    parser.add_argument(
        "--download", metavar="NAME", choices=tuple(PUBLISHED), action=Download,
        positional=(source, out),
        help=f"fetch published weights first: {', '.join(PUBLISHED)} (its AlexNet)",
    )  # fmt: skip
    parser.add_argument(
        "--downloads", metavar="FOLDER", help="where the file is kept [the cache folder]"
    )
    parser.add_argument(
        "--network", metavar="NAME",
        help=f"which network it is: {', '.join(known.name for known in NETWORKS)} [by names and "
        "shapes]",
    )  # fmt: skip
    parser.add_argument(
        "--recipe", metavar="NAME",
        help="for a network of this package: the recipe, or recipe.json, that says what no tensor "
        "does (LRN, order of layers, what is subtracted from pixels)",
    )  # fmt: skip
    parser.add_argument(
        "--classes", metavar="FILE",
        help="the classes, a line each in the order of the outputs: a name, or a WordNet id and a "
        "name [ImageNet's where there are 1,000]",
    )  # fmt: skip
    parser.set_defaults(command=_import)


def _import(options: argparse.Namespace) -> int:
    if options.download and options.out is not None:
        raise DataError("give FILE and OUT, or --download NAME and OUT; see import --help")
    if options.network and options.recipe:
        raise DataError("--network and --recipe both say which network it is: give one of them")
    recipe = recipe_named(options.recipe) if options.recipe else None
    out, file, licence = options.out, options.source, ""
    if options.download:
        archive, licence = PUBLISHED[options.download]
        say(f"Licence: {licence}.")
        out = options.source
        file = fetch(archive, Path(options.downloads or cache_folder() / "downloads"))
    with told_if_slow(f"Reading {file}"):
        weights = read_weights(file)
    try:
        found = identify(weights, options.network, recipe, Path(file).parent)
    except CheckpointError as error:
        raise CheckpointError(f"{file}: {error}") from error
    names = classes_of(found.outputs, options.classes, found.classes)
    try:
        with told_if_slow("Writing the run"):
            write_run(found, names, out, file, ["alexnet", *options.arguments], licence)
    except RunError as error:
        raise RunError(str(error).removeprefix("--out ")) from error
    for line in _summary(found, names, options.classes is None):
        say(line)
    alexnet, run = program(), in_shell(out)
    say(f"Next: {alexnet} predict {run} IMAGE, or {alexnet} evaluate {run} DATA")
    return 0


def _summary(found: Identified, names: dict[str, str], unnamed: bool) -> list[str]:
    recipe = found.recipe
    with shapes_only():  # not of the file's arrays, of which some are buffers
        model = build_model(recipe, found.outputs)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    lines = [
        f"Recognised: {found.title}, {parameters:,} parameters, {len(names):,} classes; images of "
        f"{recipe.image_size} pixels ({found.resize}), of which it sees {recipe.input_size}"
    ]
    if unnamed and found.classes is None and found.outputs != 1000:
        lines.append(f"Its classes have no names: {next(iter(names))!r} and so on (--classes FILE)")
    if found.note:
        lines.append(f"Note: {found.note}")
    return [one_line(line) for line in lines]
