"""`alexnet stats`: what the pixels of a prepared set are like."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.tools.text import align

from ..data.packed import PackedSet, open_packed
from ..data.source import SPLITS
from ..data.statistics import Statistics, measure
from ..names import one_line
from ..picture import save_picture, shown
from ..progress import wrapped

CHANNELS = ("red", "green", "blue")
# Okabe and Ito's, which colour-blind readers tell apart; hatches and labels say it again.
VERMILION, GREEN, BLUE = COLOURS = ("#D55E00", "#009E73", "#0072B2")


def add_parser(commands: Any) -> None:
    """The flags of `alexnet stats`."""
    parser = commands.add_parser(
        "stats",
        help="mean, spread and colour axes of a prepared set",
        examples=("alexnet stats imagenette --plot stats.png",),
        description="Mean and standard deviation of each channel, and the colours' covariance "
        "with its axes, in pixel values from 0 to 255 and from 0 to 1.",
    )
    parser.add_argument("set", metavar="SET", help="folder that `alexnet prepare` made")
    parser.add_argument(
        "--split", choices=SPLITS, default="train",
        help="train is stored in the set, val is measured now [train]",
    )  # fmt: skip
    parser.add_argument("--plot", metavar="FILE.png", help="draw them, with the mean image")
    parser.add_argument(
        "--verify", action="store_true", help="read all images and compare their checksums first"
    )
    parser.set_defaults(command=_stats)


def _stats(options: argparse.Namespace) -> int:
    packed = open_packed(options.set)
    if options.verify:
        packed.verify()
        print(f"{one_line(options.set)}: all images agree with their checksums\n")
    stored = options.split == "train"
    statistics = packed.statistics if stored else measure(packed.pixels(options.split))
    print(_table(packed, options.split, statistics))
    if options.plot:
        title = f"{packed.source}: {statistics.images} images ({options.split})"
        draw_statistics(Path(options.plot), statistics, title)
        print(f"\nDrawn: {one_line(options.plot)}")
    return 0


def _table(packed: PackedSet, split: str, statistics: Statistics) -> str:
    side = packed.image_size
    head = (
        f"{packed.root}: {statistics.images} images ({split}) of {len(packed.classes)} classes, "
        f"{side} x {side} pixels, from {packed.source}"
    )
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
    return "\n\n".join((wrapped(one_line(head)), *tables))


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
