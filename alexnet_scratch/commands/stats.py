"""`alexnet stats`: how many images a data set has, how large, and what their pixels are like."""

from __future__ import annotations

import argparse
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.tools.text import align

from ..data import DataError
from ..data.image import RESIZES, some
from ..data.packed import is_packed, open_packed
from ..data.source import SPLITS, overview_of
from ..data.sources import open_source
from ..data.statistics import Statistics, measure
from ..data.survey import survey
from ..names import one_line, short_names
from ..picture import save_picture, shown
from ..progress import told_if_slow, wrapped
from ..schema import MOST_PIXELS
from .common import count

_LISTED = 20  # classes that get a line each
CHANNELS = ("red", "green", "blue")
# Okabe and Ito's, which colour-blind readers tell apart; hatches and labels say it again.
VERMILION, GREEN, BLUE = COLOURS = ("#D55E00", "#009E73", "#0072B2")


def add_parser(commands: Any) -> None:
    """The flags of `alexnet stats`."""
    parser = commands.add_parser(
        "stats",
        help="counts, sizes, mean and colours of the images of a data set",
        examples=("alexnet stats photos", "alexnet stats imagenette --plot stats.png"),
        description="How many images there are of each class, how large they are, and mean and "
        "standard deviation of each channel, the colours' covariance with its axes, in pixel "
        "values from 0 to 255 and from 0 to 1. DATA is a prepared set, or whatever `alexnet "
        "prepare` takes.",
    )
    parser.add_argument("data", metavar="DATA", help="prepared set, folder or archive of images")
    parser.add_argument(
        "--split", choices=SPLITS, default="train",
        help="a prepared set has train stored, the others are measured now [train]",
    )  # fmt: skip
    parser.add_argument(
        "--image-size", type=count, metavar="N",
        help="side in pixels at which images are measured [256, or the prepared set's]",
    )  # fmt: skip
    parser.add_argument(
        "--resize", choices=RESIZES, help="as for prepare [crop, or the prepared set's]"
    )
    parser.add_argument("--plot", metavar="FILE.png", help="draw them, with the mean image")
    parser.add_argument(
        "--verify", action="store_true",
        help="read all of a prepared set first and compare its checksums",
    )  # fmt: skip
    parser.set_defaults(command=_stats)


def _stats(options: argparse.Namespace) -> int:
    packed = is_packed(options.data) or not Path(options.data).exists()
    head, counts, statistics, of = (_of_packed if packed else _of_images)(options)
    print(_table(head, counts, statistics))
    if options.plot:
        title = f"{of}: {statistics.images} images ({options.split})"
        draw_statistics(Path(options.plot), statistics, title)
        print(f"\nDrawn: {one_line(options.plot)}")
    return 0


_Counts = list[tuple[str, int]]  # a class's name and its images
_Found = tuple[str, _Counts, Statistics, str]  # head, counts, statistics, and the data's name


def _of_packed(options: argparse.Namespace) -> _Found:
    packed = open_packed(options.data)
    for flag, given, own in (
        ("--image-size", options.image_size, packed.image_size),
        ("--resize", options.resize, packed.resize),
    ):
        if given not in (None, own):
            raise DataError(
                f"{flag} {given}, but {options.data} was prepared with {own}: leave it out"
            )
    if options.verify:
        packed.verify()
        print(f"{one_line(options.data)}: all images agree with their checksums\n")
    split = options.split
    statistics = packed.statistics if split == "train" else measure(packed.pixels(split))
    images = Counter(packed.images(split, None).targets)
    side = packed.image_size
    head = (
        f"{packed.root}: {statistics.images} images ({split}) of {len(packed.classes)} classes, "
        f"{side} x {side} pixels, from {packed.source}"
    )
    counts = [(name, images[label]) for label, name in enumerate(packed.names.values())]
    return head, counts, statistics, packed.source


def _of_images(options: argparse.Namespace) -> _Found:
    if options.verify:
        raise DataError(
            f"--verify compares the checksums of a prepared set, {options.data} is none: leave it "
            "out"
        )
    path, size = Path(options.data), 256 if options.image_size is None else options.image_size
    if not 1 <= size <= MOST_PIXELS:
        raise DataError(f"image_size is {size}, expected 1 to {MOST_PIXELS} pixels")
    with told_if_slow(f"Looking for images in {path}"):
        opened = open_source(path)
    with closing(opened) as source:
        said = overview_of(path, source)
        print("\n".join(map(wrapped, said)), end="\n\n", flush=True)
        found = survey(source, options.split, size, options.resize or RESIZES[0])
    if found.skipped:
        names = some([f"{item.name} ({why})" for item, why in found.skipped], 3)
        print(wrapped(one_line(f"Cannot be read: {len(found.skipped)}: {names}")), end="\n\n")
    of = path.resolve().name
    head = (
        f"{path}: {found.statistics.images} images ({options.split}) of {len(found.counts)} "
        f"classes, {_sizes(found.sizes)}, measured at {size} x {size}"
    )
    counts = [(source.classes[class_id], images) for class_id, images in found.counts.items()]
    return head, counts, found.statistics, of


def _sizes(sizes: list[tuple[int, int]]) -> str:
    """The smallest and the largest image, and the short side of the one in the middle."""
    by_area = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    least, most = (f"{width} x {height}" for width, height in (by_area[0], by_area[-1]))
    if least == most:
        return f"{least} pixels"
    middle = sorted(min(size) for size in sizes)[len(sizes) // 2]
    return f"{least} to {most} pixels, half with a short side of {middle} or more"


def _described(counts: _Counts) -> str:
    """Images of each class; of many classes the fewest and the most."""
    if len(counts) <= _LISTED:
        names = short_names([name for name, _ in counts])
        rows = [(one_line(name)[:50], f"{n:,}") for name, (_, n) in zip(names, counts, strict=True)]
        return "\n".join(align([("class", "images"), *rows], left=1))
    by_images = sorted(counts, key=lambda one: one[1])
    (few, least), (many, most) = by_images[0], by_images[-1]
    if least == most:
        return f"{least:,} images of each class"
    return wrapped(one_line(f"{least:,} ({few}) to {most:,} ({many}) images of a class"))


def _table(head: str, counts: _Counts, statistics: Statistics) -> str:
    mean, std = statistics.channel_mean_0_255, statistics.channel_std_0_255
    channels = [("channel", "mean, 0-255", "std, 0-255", "mean, 0-1", "std, 0-1")]
    for name, m, s in zip(CHANNELS, mean, std, strict=True):
        channels.append((name, f"{m:.3f}", f"{s:.3f}", f"{m / 255:.5f}", f"{s / 255:.5f}"))
    covariance: list[tuple[str, ...]] = [("covariance, 0-255 squared", *CHANNELS)]
    for name, row in zip(CHANNELS, statistics.colour_covariance_0_255_squared, strict=True):
        covariance.append((name, *(f"{value:.2f}" for value in row)))
    axes: list[tuple[str, ...]] = [("colour axis", *CHANNELS)]
    sizes: list[tuple[str, ...]] = [
        ("colour axis", "std, 0-255", "std, 0-1", "variance, 0-255", "variance, 0-1")
    ]
    for i in range(3):
        value = statistics.colour_eigenvalues_0_255_squared[i]
        spread = statistics.colour_std_0_255[i]
        parts = (f"{part:+.4f}" for part in statistics.colour_eigenvectors[:, i])
        axes.append((str(i + 1), *parts))
        sizes.append((
            str(i + 1), f"{spread:.3f}", f"{spread / 255:.5f}", f"{value:.2f}",
            f"{value / 255**2:.6f}",
        ))  # fmt: skip
    tables = ("\n".join(align(rows, left=1)) for rows in (channels, covariance, axes, sizes))
    return "\n\n".join((wrapped(one_line(head)), _described(counts), *tables))


def draw_statistics(path: Path, statistics: Statistics, title: str) -> None:
    """Draw mean image, channels and colour axes into a PNG. Needs no display."""
    from matplotlib.figure import Figure  # heavy, and only needed here

    figure = Figure(figsize=(13, 4), layout="constrained")
    figure.suptitle(shown(title, 110), parse_math=False)
    mean, channels, axes = figure.subplots(1, 3, width_ratios=(1, 1, 1.4))

    mean.imshow(np.rint(statistics.mean_image_0_255).astype(np.uint8))
    mean.set(title="mean image", xlabel="column (pixel)", ylabel="row (pixel)")

    channels.bar(
        CHANNELS, statistics.channel_mean_0_255, yerr=statistics.channel_std_0_255,
        color=COLOURS, capsize=6,
    )  # fmt: skip
    channels.set(title="channels: mean ± standard deviation", ylabel="pixel value (0-255)")
    channels.set_ylim(0, 255)

    places, width = np.arange(3), 0.26
    for i, (name, colour, hatch) in enumerate(
        zip(CHANNELS, COLOURS, ("", "//", ".."), strict=True)
    ):
        axes.bar(
            places + (i - 1) * width, statistics.colour_eigenvectors[i], width,
            color=colour, hatch=hatch, edgecolor="white", label=name,
        )  # fmt: skip
    labels = [
        f"axis {i + 1}\nstd {spread:.1f} (0-255)"
        for i, spread in enumerate(statistics.colour_std_0_255)
    ]
    axes.set_xticks(places, labels)
    axes.axhline(0, color="0.3", lw=0.8)
    axes.set(title="colour axes (eigenvectors of the covariance)", ylabel="component")
    axes.set_ylim(-1.05, 1.05)
    axes.legend(frameon=False, ncols=3, loc="lower left")
    for panel in (channels, axes):
        panel.spines[["top", "right"]].set_visible(False)
    save_picture(figure, path)
