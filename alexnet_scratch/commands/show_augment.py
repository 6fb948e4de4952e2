"""`alexnet show-augment`: what training and evaluation see of one image."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minigrad as mg
from minigrad.data import TensorDataset

from ..data import DataError, load_image, patterns
from ..data.views import TEN_CROP
from ..picture import save_picture, shown
from ..pixels import PixelStatistics, ToInput, colour_alphas, pixel_statistics
from ..progress import say
from ..recipe import Recipe
from ..recipe.flags import add_recipe_flags, recipe_from
from ..training.input import Splits, TrainingImages, fitted, open_splits, train_loader

GRID = 4  # rows and columns of training views
# Okabe and Ito's colours, which colour-blind readers tell apart; line styles say it again.
OUTLINES = (
    ("#E69F00", "-"), ("#56B4E9", "--"), ("#009E73", "-."), ("#CC79A7", ":"), ("white", "-"),
)  # fmt: skip
FIELDS = (
    "input_size", "image_size", "crop", "crop_area", "flip", "rotation", "colour_jitter",
    "colour_noise", "seed",
)  # fmt: skip


def add_parser(commands: Any) -> None:
    """The flags of `alexnet show-augment`."""
    parser = commands.add_parser(
        "show-augment",
        help="draw the training and test views of an image",
        examples=(
            "alexnet show-augment imagenette --recipe paper --image 12",
            "alexnet show-augment imagenette --image cat.jpg --out cat.png",
        ),
        description="Draw one image, the views of it that the first sixteen epochs train on, and "
        "the ten crops of an evaluation.",
    )
    parser.add_argument(
        "data", metavar="SET", nargs="?", help="folder or prepared set [drawn patterns]"
    )
    parser.add_argument("--recipe", help="a preset, or a recipe.json [small]", metavar="NAME")
    parser.add_argument(
        "--image", metavar="INDEX|FILE", default="0", help="training image, or an image file [0]"
    )
    parser.add_argument(
        "--out", metavar="FILE", default="augment.png", help="picture to write [augment.png]"
    )
    add_recipe_flags(parser, only=FIELDS)
    parser.set_defaults(command=_show_augment)


def _show_augment(options: argparse.Namespace) -> int:
    recipe = recipe_from(options)
    out = Path(options.out)
    if out.is_dir():
        raise IsADirectoryError(f"--out {out} is a folder: give the name of a picture, a .png")
    root = Path(options.data or patterns.ensure())
    recipe = fitted(recipe, root, getattr(options, "image_size", None))
    splits = open_splits(root, recipe)
    images, index, name = _chosen_image(options.image, splits, recipe)
    image = images.images[index][0]
    size = recipe.input_size
    if min(image.shape[:2]) < size:
        raise DataError(
            f"{name} has {image.shape[0]} x {image.shape[1]} pixels, the recipe {recipe.name} "
            f"crops {size}: give larger images, or another --recipe"
        )
    noisy = recipe.colour_noise != "none"  # only then are the images worth measuring
    pixels = pixel_statistics(recipe, splits.statistics()) if noisy else None
    mg.manual_seed(recipe.seed)
    draw_views(out, images, index, recipe, name, pixels)
    say(f"{out}: views of {name}, by the recipe {recipe.name}")
    return 0


def _chosen_image(text: str, splits: Splits, recipe: Recipe) -> tuple[TrainingImages, int, str]:
    """The training images, or the file as a set of one; the image's number and its name."""
    images = splits.train
    if not text.isdecimal():
        image = load_image(text, recipe.image_size, splits.resize)
        return TrainingImages(TensorDataset(image[None], [0]), images.view), 0, text
    index = int(text)
    if index >= len(images):
        raise DataError(
            f"--image {index}: the set has {len(images)} training images, give 0 to "
            f"{len(images) - 1}, or an image file"
        )
    return images, index, images.describe(index)


def training_view(
    images: TrainingImages, index: int, epoch: int, recipe: Recipe,
    pixels: PixelStatistics | None = None,
) -> NDArray[np.uint8]:  # fmt: skip
    """What epoch `epoch` (from 0) trains on of training image `index`: (size, size, 3).

    The mean stays in, so that it can be seen; values are rounded, and cut off at 0 and 255.
    pixels: the run's, may be None for a recipe without colour noise. The noise is an example, drawn
    from the default generator: a run's own depends on all that the run drew before.
    """
    loader = train_loader(images, recipe, batch_size=1)
    crops, _, places = next(loader.batches(epoch, loader.order(epoch).index(index)))
    crop: NDArray[np.uint8] = crops.numpy()[0]
    alphas = colour_alphas(recipe, epoch, 1)
    if alphas is None or pixels is None:
        return crop
    to_input = ToInput(recipe, pixels)
    noisy, plain = (to_input(crops, places.data, a).data[0] for a in (alphas, None))
    change = (noisy - plain).transpose(1, 2, 0) * np.asarray(recipe.input_std)
    seen: NDArray[np.uint8] = np.clip(np.rint(crop + change), 0, 255).astype(np.uint8)
    return seen


def draw_views(
    path: Path, images: TrainingImages, index: int, recipe: Recipe, name: str,
    pixels: PixelStatistics | None = None,
) -> None:  # fmt: skip
    """Draw a whole training image, its training views and its test views into a PNG."""
    from matplotlib.figure import Figure  # heavy, and only needed here

    image = images.images[index][0]
    figure = Figure(figsize=(13, 8.6), layout="constrained")
    title = f"{shown(Path(name).name, 70)}, recipe {shown(recipe.name, 30)}"
    figure.suptitle(title, parse_math=False)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1, 2.1))[0]
    original, outlined = left.subplots(2, 1)
    original.imshow(image)
    original.set_title("the image")
    _outline_test_views(outlined, image, recipe.input_size)
    for axes in (original, outlined):
        axes.set(xlabel="pixels", ylabel="pixels")
    right.suptitle(f"training views, epochs 1 to {GRID**2}")
    for epoch, axes in enumerate(right.subplots(GRID, GRID).ravel()):
        axes.imshow(training_view(images, index, epoch, recipe, pixels))
        axes.set_title(f"epoch {epoch + 1}", fontsize=8)
        axes.set_axis_off()
    save_picture(figure, path)


def _outline_test_views(axes: Any, image: NDArray[np.uint8], size: int) -> None:
    """The five places of the ten crops on the darkened image."""
    from matplotlib.patches import Rectangle

    axes.imshow((image * 0.6).astype(np.uint8))
    places = [view for view in TEN_CROP if not view.mirrored]
    for view, (colour, style) in zip(places, OUTLINES, strict=True):
        top, left, _ = view.within(image.shape, size)
        corner = (left - 0.5, top - 0.5)
        axes.add_patch(
            Rectangle(
                corner, size, size, fill=False, ec=colour, ls=style, lw=2, clip_on=False,
                label=str(view),
            )
        )  # fmt: skip
    axes.set_title("ten test views: these five, and each mirrored")
    axes.legend(  # below the image, which it would hide; dark, or white lines would not show
        loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, fontsize=8,
        facecolor="0.35", labelcolor="white",
    )  # fmt: skip
