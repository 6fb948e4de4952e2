"""Pictures of what goes on inside a network, as Matplotlib figures.

Maps have colours that grow evenly and that all readers tell apart: inferno from 0 up, PuOr around
0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..picture import shown
from .filters import colourfulness
from .layers import Floats
from .made import Fooled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Pixels = NDArray[np.uint8]
BLUE, ORANGE = "#0072B2", "#D55E00"  # of Okabe and Ito's colours, which all readers tell apart
BRIGHTEST = 0.995  # the quantile of a map that gets its brightest colour
PALE = 0.05  # changes of the probability below it stay pale
CHANCE = 2 / 3  # colourfulness of random weights


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure  # heavy, and only needed here
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(h_pad=0.06, w_pad=0.06))


def filter_grid(weight: Floats, columns: int = 16) -> NDArray[np.float32]:
    """The filters (F, 3, kh, kw) side by side as an RGB picture (H, W, 3) of numbers from 0 to 1.

    Each filter is stretched by itself around grey, so that 0.5 is a weight of 0.
    """
    count, _, kh, kw = weight.shape
    rows = -(-count // columns)
    pictures = around_grey(weight).transpose(0, 2, 3, 1)
    grid = np.ones((rows * (kh + 1) - 1, columns * (kw + 1) - 1, 3), np.float32)
    for n, picture in enumerate(pictures):
        i, j = n // columns * (kh + 1), n % columns * (kw + 1)
        grid[i : i + kh, j : j + kw] = picture
    return grid


def around_grey(values: Floats) -> Floats:
    """Each of values (N, 3, H, W) stretched by itself so that 0 is 0.5 and the largest 0 or 1."""
    largest = np.abs(values).max(axis=(1, 2, 3), keepdims=True)
    return np.asarray(0.5 + 0.5 * values / np.where(largest > 0, largest, 1))


def draw_filters(weight: Floats, towers: int = 2, measured: bool = False) -> Figure:
    """The paper's figure 3: the first layer's filters, the first tower's above the second's.

    measured: with how colourful each is, a dot for each filter and a line for their mean.
    """
    parts = np.split(weight, towers)
    columns = max(c for c in range(1, 17) if len(parts[0]) % c == 0)
    height = 0.55 * towers * -(-len(parts[0]) // columns) + 0.4 * towers + 0.3 * measured
    figure = _figure(11 if measured else 8, max(height, 1.2 * towers if measured else 0))
    widths = [2.6, 1] if measured else [1]
    grid = figure.subplots(towers, len(widths), squeeze=False, width_ratios=widths)
    for i, (row, part) in enumerate(zip(grid, parts, strict=True)):
        row[0].imshow(filter_grid(part, columns), interpolation="nearest")
        title = f"tower {i + 1}" if towers > 1 else "filters of the first layer"
        row[0].set_title(title, fontsize=10)
        row[0].axis("off")
        if measured:
            _draw_colours(row[1], colourfulness(part), (BLUE, ORANGE)[i % 2])
    if measured:
        grid[-1, 1].set_xlabel("colourfulness: 0 is grey, dotted is chance", fontsize=9)
    return figure


def _draw_colours(axes: Any, values: Floats, colour: str) -> None:
    """A dot for each filter: how colourful, and from the first above to the last below."""
    axes.plot(values, np.arange(len(values)), "o", color=colour, ms=4, alpha=0.7, mew=0)
    axes.axvline(values.mean(), color=colour, lw=2)
    axes.axvline(CHANCE, color="0.5", ls=":")
    axes.set(xlim=(0, 1), ylim=(len(values), -1), ylabel="filter")
    axes.set_title(f"mean {values.mean():.2f}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def draw_neighbours(
    queries: Sequence[Pixels], found: Sequence[Sequence[Pixels]],
    names: Sequence[Sequence[str]] | None = None,
) -> Figure:  # fmt: skip
    """The paper's figure 4, right: each query (H, W, 3) and, after a gap, the images found for it,
    nearest first: found[n] (K, H, W, 3). names: of each row's images, the query's first."""
    columns = 1 + len(found[0])
    figure = _figure(1.1 * columns + 0.3, (1.35 if names else 1.15) * len(queries) + 0.2)
    axes = figure.subplots(
        len(queries), columns + 1, width_ratios=[1, 0.25, *[1] * (columns - 1)], squeeze=False
    )
    for n, query in enumerate(queries):
        row = [axes[n, 0], *axes[n, 2:]]
        for k, image in enumerate([query, *found[n]]):
            row[k].imshow(image)
            if names:
                row[k].set_title(shown(names[n][k], 18), fontsize=8, parse_math=False)
    for each in axes.ravel():
        each.axis("off")
    if not names:
        axes[0, 0].set_title("test", fontsize=10)
        axes[0, 2].set_title("nearest", fontsize=10)
    return figure


def draw_images(images: Sequence[Any], titles: Sequence[str], columns: int = 5) -> Figure:
    """Images (H, W, 3) in a grid, a title above each."""
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    lines = max(title.count("\n") for title in titles) + 1
    figure = _figure(2.1 * columns, (2.1 + 0.18 * lines) * rows)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, image, title in zip(grid, images, titles, strict=False):
        axes.imshow(image, interpolation="nearest")
        axes.set_title(title, fontsize=9, parse_math=False)
    return figure


def mosaic(images: Sequence[Pixels], columns: int = 3, gap: int = 2) -> Pixels:
    """Images (H, W, 3) of any sizes side by side on white, each in the middle of a square place."""
    side = max(max(image.shape[:2]) for image in images)
    rows = math.ceil(len(images) / columns)
    shape = (rows * (side + gap) - gap, columns * (side + gap) - gap, 3)
    whole = np.full(shape, 255, np.uint8)
    for n, image in enumerate(images):
        height, width = image.shape[:2]
        top = n // columns * (side + gap) + (side - height) // 2
        left = n % columns * (side + gap) + (side - width) // 2
        whole[top : top + height, left : left + width] = image
    return whole


def tiled(maps: Floats) -> Floats:
    """Maps (F, H, W) side by side in about a square, NaN between them."""
    columns = math.ceil(math.sqrt(len(maps)))
    gapped = np.pad(maps, ((0, -len(maps) % columns), (0, 1), (0, 1)), constant_values=np.nan)
    gapped[len(maps) :] = np.nan
    rows = [np.concatenate(row, axis=1) for row in np.split(gapped, len(gapped) // columns)]
    return np.concatenate(rows)[:-1, :-1]


def draw_maps(image: Pixels, title: str, maps: Mapping[str, Floats]) -> Figure:
    """An image (H, W, 3) and what layers make of it: maps (F, rows, columns) by the layer's name,
    all maps of a layer on one scale, dark where they are 0 or less."""
    figure = _figure(3 + 4.6 * len(maps), 4.9)
    ratios = [0.62, *[1] * len(maps)]
    first, *others = figure.subplots(1, 1 + len(maps), width_ratios=ratios)
    first.imshow(image)
    first.set_title(title, fontsize=10, parse_math=False)
    for axes, (name, values) in zip(others, maps.items(), strict=True):
        brightest = max(float(np.quantile(values, BRIGHTEST)), 1e-12)
        drawn = axes.imshow(
            tiled(values), cmap="inferno", vmin=0, vmax=brightest, interpolation="nearest"
        )
        count, height, width = values.shape
        axes.set_title(f"{name}: {count} maps of {height} × {width}", fontsize=10)
        figure.colorbar(drawn, ax=axes, shrink=0.7, extend="max")
    for axes in (first, *others):
        axes.axis("off")
    return figure


def heat_on(image: Pixels, heat: Floats) -> Floats:
    """A coarse map (rows, columns) of 0 and more over an image (H, W, 3): RGB from 0 to 1.

    Brought to the image's size bilinearly, as Selvaraju et al. 2017 do; the image in grey beneath.
    """
    from matplotlib import colormaps

    height, width = image.shape[:2]
    coarse = Image.fromarray(heat.astype(np.float32))
    wide = coarse.resize((width, height), Image.Resampling.BILINEAR)
    share = np.asarray(wide) / max(float(heat.max()), 1e-12)
    grey = np.repeat(image.mean(axis=2, keepdims=True) / 255, 3, axis=2)
    weight = 0.7 * share[..., None]
    return np.asarray((1 - weight) * grey + weight * colormaps["inferno"](share)[..., :3])


def draw_where(rows: Sequence[tuple[Pixels, str, Mapping[str, Floats]]]) -> Figure:
    """A row for each image and class: the image, its title, and maps by what they are.

    "saliency" (H, W), "occlusion": the change of the probability, "grad-cam": (rows, columns) of
    any size, "guided": (3, H, W).
    """
    kinds = list(rows[0][2])
    figure = _figure(2.6 * (1 + len(kinds)) + 0.6 * ("occlusion" in kinds), 2.95 * len(rows))
    grid = figure.subplots(len(rows), 1 + len(kinds), squeeze=False)
    for axes, (image, title, maps) in zip(grid, rows, strict=True):
        axes[0].imshow(image)
        axes[0].set_title(title, fontsize=9, parse_math=False)
        for each, (kind, values) in zip(axes[1:], maps.items(), strict=True):
            _draw_where(figure, each, image, kind, values)
            each.set_title(_WHERE[kind], fontsize=9)
    for each in grid.ravel():
        each.axis("off")
    return figure


_WHERE = {
    "saliency": "saliency:\nhow much a pixel moves the logit",
    "occlusion": "occlusion: change of the\nprobability, covered here",
    "grad-cam": "Grad-CAM:\nwhere the class is seen",
    "guided": "guided backpropagation:\nwhat in the image excites",
}


def _draw_where(figure: Figure, axes: Any, image: Pixels, kind: str, values: Floats) -> None:
    if kind == "occlusion":
        most = max(float(np.abs(values).max()), PALE)
        drawn = axes.imshow(
            values, cmap="PuOr_r", vmin=-most, vmax=most, interpolation="nearest"
        )
        figure.colorbar(drawn, ax=axes, shrink=0.75, format="%+.2f")
    elif kind == "grad-cam":
        axes.imshow(heat_on(image, values))
    elif kind == "guided":
        axes.imshow(_stretched(values), interpolation="nearest")
    else:
        brightest = max(float(np.quantile(values, BRIGHTEST)), 1e-12)
        axes.imshow(values, cmap="inferno", vmin=0, vmax=brightest, interpolation="nearest")


def _stretched(values: Floats) -> Floats:
    """(3, H, W) around grey as RGB (H, W, 3), a few outliers cut off."""
    most = max(float(np.quantile(np.abs(values), BRIGHTEST)), 1e-12)
    return np.asarray(around_grey(values.clip(-most, most)[None])[0].transpose(1, 2, 0))


def draw_fooling(image: Pixels, fooled: Pixels, found: Fooled, names: Sequence[str]) -> Figure:
    """An image, what is added to it, the sum, and the probabilities of the classes before and
    after. names: of the classes."""
    before, after = int(found.before.argmax()), int(found.after.argmax())
    figure = _figure(11.5, 3.1)
    left, middle, right, bars = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1.1))
    times = max(int(127 / max(found.largest, 1)), 1)
    change = (127.5 + times * found.change.transpose(1, 2, 0)).clip(0, 255) / 255
    said = [
        f"{shown(names[c], 24)} {p[c]:.0%}" for c, p in
        ((before, found.before), (after, found.after))
    ]  # fmt: skip
    for axes, picture, title in (
        (left, image, said[0]),
        (middle, change, f"+ {found.rms:.1f} of 255 grey levels, at most {found.largest:.0f}"
                         + f"\n(shown {times} times as large)" * (times > 1)),
        (right, fooled, f"= {said[1]}"),
    ):  # fmt: skip
        axes.imshow(picture, interpolation="nearest")
        axes.set_title(title, fontsize=9, parse_math=False)
        axes.axis("off")
    order = np.argsort(-np.maximum(found.before, found.after), kind="stable")[:5][::-1]
    places = np.arange(len(order))
    bars.barh(places + 0.2, found.before[order], 0.38, color=BLUE, label="before")
    bars.barh(places - 0.2, found.after[order], 0.38, color=ORANGE, label="after")
    bars.set_yticks(places, [shown(names[c], 18) for c in order], fontsize=9, parse_math=False)
    bars.set(xlim=(0, 1), xlabel="probability")
    bars.legend(fontsize=8, frameon=False)
    bars.spines[["top", "right"]].set_visible(False)
    return figure
