"""Count the networks before and after AlexNet, and write and draw docs/before_and_after.

    python docs/draw_before_and_after.py [--out FOLDER]

Parameters and multiply-adds are counted here, of the networks that `alexnet train --model` trains;
errors are what was published, each with its source. It writes the tables of before_and_after.md and
the picture before_and_after.png. Half a minute.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from alexnet_scratch.recipe import NETWORKS, RECIPES, Recipe, build_model
from minigrad.tools.summary import summary

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "0.5"  # colour-blind safe (Okabe and Ito)
HERE = Path(__file__).parent
BEGIN, END = "<!-- {}: begin -->", "<!-- {}: end -->"


class Published(NamedTuple):
    """What others have said of a network. depth: layers with weights on the way from the image to
    the classes. top5: error of one network on ImageNet's validation images in percent, and how it
    was measured; torchvision: that of its weights for one central crop, of its documentation."""

    recipe: Recipe
    year: int
    depth: int
    top5: float | None
    source: str
    torchvision: float | None


PUBLISHED = (
    Published(NETWORKS["lenet5"], 1998, 7, None,
              "not on ImageNet: 0.95% of MNIST's digits wrong (LeCun et al. 1998)", None),
    Published(RECIPES["paper"], 2012, 8, 18.2,
              "Krizhevsky et al. 2012, table 2: one network, ten crops", 20.934),
    Published(NETWORKS["zfnet"], 2013, 8, 16.5,
              "Zeiler and Fergus 2013, table 2: one network as in figure 3, ten crops", None),
    Published(NETWORKS["vgg11"], 2014, 11, 10.4,
              "Simonyan and Zisserman 2014, table 3, A: one scale, the whole image", 11.372),
    Published(NETWORKS["vgg16"], 2014, 16, 8.1,
              "Simonyan and Zisserman 2014, table 3, D: one scale, the whole image", 9.618),
    Published(NETWORKS["googlenet"], 2014, 22, 10.07,
              "Szegedy et al. 2014, table 3: one network, one crop", 10.47),
    Published(NETWORKS["resnet18"], 2015, 18, None,
              "He et al. 2015 give its top-1 error only: 27.88, table 2, ten crops", 10.922),
)  # fmt: skip

# Top-5 error of the winner on the test images, usually of several networks together. Russakovsky et
# al. 2015, "ImageNet Large Scale Visual Recognition Challenge"; 2015: He et al., table 5.
WINNERS = {
    2010: (28.2, "no network"), 2011: (25.8, "no network"), 2012: (16.4, "AlexNet"),
    2013: (11.7, "Clarifai"), 2014: (6.7, "GoogLeNet"), 2015: (3.57, "ResNet-152"),
}  # fmt: skip


class Row(NamedTuple):
    """A network, and what is counted of it; 1,000 classes, LeNet-5's ten."""

    network: Published
    name: str
    side: int
    parameters: int
    macs: int


def count(network: Published) -> Row:
    recipe = network.recipe
    model = build_model(recipe, 10 if recipe.model == "lenet5" else 1000)
    table = summary(model, (3, recipe.input_size, recipe.input_size))
    name = recipe.title.removesuffix(" two-tower")
    return Row(network, name, recipe.input_size, table.parameters, table.macs)


def table(rows: list[Row]) -> str:
    """The networks, in Markdown."""
    head = ("network", "year", "input", "layers", "parameters", "multiply-adds", "top-5 error, %",
            "torchvision's weights, %")  # fmt: skip
    lines = [head, ("---", *["---:"] * 7)]
    for row in rows:
        of = row.network
        lines.append((
            row.name, str(of.year), f"{row.side}²", str(of.depth), f"{row.parameters:,}",
            f"{row.macs / 1e6:,.2f} M" if row.macs < 1e7 else f"{row.macs / 1e6:,.0f} M",
            "" if of.top5 is None else f"{of.top5:g}",
            "" if of.torchvision is None else f"{of.torchvision:.2f}",
        ))  # fmt: skip
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def sources(rows: list[Row]) -> str:
    """Where each error is from, in Markdown."""
    return "\n".join(f"- {row.name}: {row.network.source}" for row in rows)


def page(text: str, rows: list[Row]) -> str:
    """The page with both in their places."""
    for name, content in (("table", table(rows)), ("sources", sources(rows))):
        before, rest = text.split(BEGIN.format(name))
        after = rest.split(END.format(name))[1]
        text = f"{before}{BEGIN.format(name)}\n{content}\n{END.format(name)}{after}"
    return text


def draw(rows: list[Row], path: Path) -> None:
    """Errors by year, and what each network costs."""
    figure, (errors, costs) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    years = list(WINNERS)
    errors.plot(years, [WINNERS[year][0] for year in years], "o-", color=GREY, lw=1, ms=4,
                label="the contest's winner, several networks")  # fmt: skip
    for year, (error, who) in WINNERS.items():
        below = who != "no network"
        errors.annotate(who, (year, error), (-6, -8) if below else (8, 2), ha="right" * below or
                        "left", va="top" if below else "bottom", color=GREY,
                        textcoords="offset points", fontsize=8)  # fmt: skip
    # Where the paper has no such error, that of torchvision's weights.
    shown = [(row, row.network.top5 or row.network.torchvision) for row in rows]
    for row, error in shown:
        if error:
            errors.plot(row.network.year, error, "o", ms=7, color=ORANGE)
            label(errors, row.name, row.network.year, error, above=row.name == "VGG-11")
    errors.plot([], [], "o", ms=7, color=ORANGE, label="one network")
    errors.set(title="Top-5 error on ImageNet, %", ylim=(0, 30), xlim=(2009.6, 2016.4))
    errors.legend(frameon=False, fontsize=8, loc="upper right")

    for row in rows:
        costs.plot(row.macs / 1e6, row.parameters / 1e6, "o", ms=7,
                   color=BLUE if row.name == "AlexNet" else ORANGE)  # fmt: skip
        label(costs, f"{row.name}, {row.network.year}: {row.network.depth} layers",
              row.macs / 1e6, row.parameters / 1e6, left=row.name in ("AlexNet", "VGG-11"),
              above=row.name == "VGG-16")  # fmt: skip
    costs.set(title="What they cost", xscale="log", yscale="log", xlim=(0.15, 200_000),
              ylim=(0.03, 400), xlabel="million multiply-adds for an image",
              ylabel="million parameters")  # fmt: skip
    for axes in (errors, costs):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def label(
    axes: Any, text: str, x: float, y: float, left: bool = False, above: bool = False
) -> None:
    """Write beside a point, where no other point's label stands."""
    place, ha, va = (8, 0), "left", "center"
    if left:
        place, ha = (-8, 0), "right"
    if above:
        place, ha, va = (0, 7), "center", "bottom"
    axes.annotate(text, (x, y), place, ha=ha, va=va, textcoords="offset points", fontsize=9)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, metavar="FOLDER", help="[docs]")
    options = parser.parse_args(arguments)
    rows = [count(network) for network in PUBLISHED]
    text = page((HERE / "before_and_after.md").read_text("utf-8"), rows)
    (options.out / "before_and_after.md").write_text(text, "utf-8")
    draw(rows, options.out / "before_and_after.png")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
