"""`alexnet inside`: pictures of what goes on inside a trained network."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.data import DataLoader, Subset
from minigrad.files import write_text

from ..data import BadImageError, DataError
from ..data.views import CENTRE, cut
from ..inside.layers import activations, layer_of
from ..inside.maps import NoReluError, guided_backpropagation
from ..inside.pictures import (
    KINDS,
    OF_AN_IMAGE,
    QUERIES,
    WHERE,
    Gallery,
    Looked,
    Pictures,
)
from ..names import did_you_mean, one_line
from ..parser import BAD_INPUT
from ..picture import FORMATS
from ..progress import say, to_stderr, told_if_slow
from ..trained import Trained, check_numbers, trained
from ..training.checkpoint import BOXED, Checkpoint, find_checkpoint, is_run, load_checkpoint
from .common import add_device_flags, count, device_from
from .evaluation_data import EvaluationData, evaluation_data
from .predict import boxed_line, files_of, is_image, short_by_class

GALLERY = 1000  # validation images at most that are looked through
MANY = frozenset({"units", "neighbours"})  # pictures that are drawn from them
OWN = 3  # of them, whose maps are drawn without images being given


def add_parser(commands: Any) -> None:
    """The flags of `alexnet inside`."""
    parser = commands.add_parser(
        "inside", help="pictures of what a network has learnt, and of what it sees",
        examples=(
            "alexnet inside                        # of the network that comes with it",
            "alexnet inside photo.jpg --what grad-cam,fooling",
            "alexnet inside runs/imagenette-small photo.jpg --class church",
            "alexnet inside boxed --data imagenette --what units --layer relu3",
        ),
        usage="alexnet inside [RUN] [IMAGE ...] [flags]",
        description="Draw a trained network from inside, and say in a line what each picture "
        "shows. Of the network: its first filters, an image made for each class, what excites "
        "units most, nearest neighbours. Of images, those given or some of the run's validation "
        "images: maps of layers, which pixels matter (saliency, occlusion, Grad-CAM, guided "
        "backpropagation), and a change that fools it. RUN is a run folder, or a checkpoint in it "
        f"[the network that comes with the package, {BOXED.name}].",
    )  # fmt: skip
    parser.add_argument(
        "given", metavar="IMAGE", nargs="*", help="image file, or a folder of them; RUN before it"
    )
    parser.add_argument(
        "--what", metavar="A,B,...",
        help=f"pictures to draw: {', '.join(KINDS)} [all; with images those of an image: "
        f"{OF_AN_IMAGE[0]} to {OF_AN_IMAGE[-1]}]",
    )  # fmt: skip
    parser.add_argument(
        "--class", dest="classes", metavar="C", action="append", default=[],
        help="class that is asked about, by its id or name; may come several times [the one that "
        "the network names]",
    )  # fmt: skip
    parser.add_argument(
        "--layer", metavar="L",
        help="layer of the maps, Grad-CAM and units, as `alexnet summary` names them [the last "
        "convolution, behind its ReLU]",
    )  # fmt: skip
    parser.add_argument(
        "--unit", dest="units", metavar="N", action="append", default=[], type=count,
        help="map of the layer whose favourites are drawn; may come several times [six that tell "
        "classes apart]",
    )  # fmt: skip
    parser.add_argument(
        "--data", metavar="DATA",
        help="where validation images are, if the run's own are elsewhere now",
    )
    parser.add_argument(
        "--out", metavar="FOLDER", default="inside", help="folder of the pictures [inside]"
    )
    parser.add_argument(
        "--format", choices=FORMATS, default=FORMATS[0], help="of the pictures [png]"
    )
    add_device_flags(parser)
    parser.set_defaults(command=_inside, gathers="given")


def _inside(options: argparse.Namespace) -> int:
    run, paths = _run_and_images(options.given)
    kinds = _kinds(options.what, bool(paths))
    checkpoint = load_checkpoint(find_checkpoint(BOXED if run is None else run))
    network = trained(checkpoint, device_from(options))
    if run is None:
        print(boxed_line(network, short_by_class(network.names)), file=sys.stderr)
    folder = Path(options.out)
    if folder.exists() and not folder.is_dir():
        raise DataError(f"--out {folder} is a file: give the name of a folder")
    pictures = _pictures(network, folder, options, kinds)
    check_numbers(pictures.model(pictures.black).data, checkpoint.path)
    images, status = _looked(pictures, [file for path in paths for file in files_of(path)])
    if paths and not images:
        return status
    data = None
    if MANY & kinds or (set(OF_AN_IMAGE) & kinds and not images):
        data = _data(options.data, checkpoint, kinds, bool(images))
    folder.mkdir(parents=True, exist_ok=True)
    _draw(pictures, kinds, images, data, options)
    facts = [{"file": w.file.name, "shows": w.text, **w.numbers} for w in pictures.written]
    write_text(folder / "inside.json", json.dumps(facts, indent=2, allow_nan=False) + "\n")
    for one in pictures.written:
        say(f"{one.file}: {one.text}")
    return status


def _run_and_images(given: list[str]) -> tuple[str | None, list[str]]:
    """The run, None if it is left out, and the images."""
    if not given:
        return None, []
    first, *rest = given
    if is_image(first) or (not rest and Path(first).is_dir() and not is_run(first)):
        return None, given
    return first, rest


def _kinds(what: str | None, images: bool) -> set[str]:
    """The pictures that are asked for. DataError for an unknown one."""
    if what is None:
        return set(OF_AN_IMAGE if images else KINDS)
    asked = what.split(",")
    for kind in asked:
        if kind not in KINDS:
            raise DataError(
                f"--what {kind!r}: expected some of {', '.join(KINDS)}{did_you_mean(kind, KINDS)}"
            )
    return set(asked)


def _pictures(
    network: Trained, folder: Path, options: argparse.Namespace, kinds: set[str]
) -> Pictures:
    """DataError for a class or a layer that is not there."""
    classes = [_class(name, network) for name in options.classes]
    try:
        pictures = Pictures(network, folder, options.format, options.layer or "", classes)
        layer_of(network.model, pictures.layer, "--layer")
    except ValueError as error:
        raise DataError(str(error)) from error
    given = activations(network.model, pictures.black, [pictures.layer])[pictures.layer]
    if given.ndim != 4 and {"maps", "grad-cam"} & kinds:
        raise DataError(
            f"--layer {pictures.layer} gives no maps but {given.shape[1]} numbers: name a "
            "convolution or what follows it, or draw --what units alone"
        )
    if "guided" in kinds:
        try:
            guided_backpropagation(network.model, pictures.black, [0])
        except NoReluError:
            kinds.remove("guided")
            to_stderr("The network has no ReLU: guided backpropagation is left out")
    return pictures


def _class(text: str, network: Trained) -> int:
    """A class by its id, its name or a part of that between commas, whatever their case."""
    called: dict[str, int] = {}
    for i, c in enumerate(network.classes):
        name = network.names.get(c, c)
        for each in (c, name, *(part.strip() for part in name.split(","))):
            called.setdefault(each.lower(), i)
    if text.lower() not in called:
        raise DataError(
            f"--class {text}: the network has no such class{did_you_mean(text.lower(), called)}"
        )
    return called[text.lower()]


def _looked(pictures: Pictures, files: Sequence[str]) -> tuple[list[Looked], int]:
    """The images that can be read, and the exit status; what cannot is told."""
    found, status = [], 0
    for file in files:
        try:
            found.append(pictures.looked(file, pictures.network.image(file)))
        except BadImageError as error:
            print(f"alexnet: {one_line(str(error))}", file=sys.stderr)
            status = BAD_INPUT
    return found, status


def _data(
    path: str | None, checkpoint: Checkpoint, kinds: set[str], images: bool
) -> EvaluationData | None:
    """The run's validation images, or those in `path`; None, which is said, where they are not.

    DataError if nothing that is asked for can be drawn without them.
    """
    try:
        with told_if_slow("Looking for the images", to_stderr):
            return evaluation_data(path, checkpoint)
    except DataError:
        if path is not None:
            raise
    root = checkpoint.data["root"]
    which = "no images came with this run" if root is None else f"its own are not here ({root})"
    many = [kind for kind in KINDS if kind in kinds & MANY]
    if kinds <= MANY:
        raise DataError(
            f"--what {','.join(many)} needs validation images, and {which}: give --data DATA"
        )
    left_out = f"{' and '.join(many)} left out" if many else ""
    stand_in = "" if images or not set(OF_AN_IMAGE) & kinds else "class images in their place"
    to_stderr(
        f"No validation images, {which}: {', '.join(filter(None, (left_out, stand_in)))}; give "
        f"--data DATA{'' if images else ', or images'}"
    )
    return None


def _draw(
    pictures: Pictures, kinds: set[str], images: list[Looked], data: EvaluationData | None,
    options: argparse.Namespace,
) -> None:  # fmt: skip
    if "filters" in kinds:
        pictures.filters()
    stand_in = bool(set(OF_AN_IMAGE) & kinds) and not images and data is None
    if "class" in kinds or stand_in:
        with told_if_slow("Making images of the classes", to_stderr):
            made = pictures.class_images(*[] if "class" in kinds else [OWN])
        if "class" in kinds:
            pictures.draw_classes(made)
        if stand_in:
            images = made[:OWN]
    if data is not None:
        with told_if_slow("Looking through validation images", to_stderr):
            own = _some(pictures, data, max(OWN, QUERIES)) if not images else []
            if MANY & kinds:
                gallery = _gallery(data, options.workers, pictures)
            if "units" in kinds:
                pictures.units(gallery, options.units)
            if "neighbours" in kinds:
                pictures.neighbours(images or own, gallery)
        images = images or own[:OWN]
    with told_if_slow("Looking at the images", to_stderr):
        for image in images:
            if "maps" in kinds:
                pictures.maps(image)
            where = [kind for kind in WHERE if kind in kinds]
            if where:
                pictures.where(image, where)
            if "fooling" in kinds:
                pictures.fooling(image)


def _some(pictures: Pictures, data: EvaluationData, number: int) -> list[Looked]:
    """Validation images from all over the set, so that classes differ."""
    found = []
    for index in _spread(len(data.images), number):
        pixels, label = data.images.sample(index, np.random.default_rng(0))
        found.append(pictures.looked(data.images.describe(index), pixels, int(label)))
    return found


def _gallery(data: EvaluationData, workers: int, pictures: Pictures) -> Gallery:
    """The centres of up to GALLERY validation images."""
    recipe = pictures.network.recipe
    chosen = Subset(data.images, _spread(len(data.images), GALLERY))
    loader = DataLoader(chosen, recipe.batch_size, num_workers=workers)
    crops, labels = [], []
    for pixels, targets, *_ in loader:
        crops.append(cut(pixels.numpy(), CENTRE[0], recipe.input_size).copy())
        labels.append(targets.numpy())
    if not crops:
        raise DataError(f"{data.title}: no image can be read")
    return Gallery(np.concatenate(crops), np.concatenate(labels))


def _spread(count: int, number: int) -> list[int]:
    """Up to `number` of 0 to count - 1, evenly, in the middle of equal parts."""
    number = min(number, count)
    return [(2 * i + 1) * count // (2 * number) for i in range(number)]
