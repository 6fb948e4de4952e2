"""The page of a run: what it reached, how it came there, what it takes for what, what it is."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import nn
from minigrad.files import write_text

from ..evaluation import TOP
from ..inside import first_filters
from ..inside.draw import filter_grid
from ..progress import duration, quantity
from ..recipe import BY_NAME, Recipe
from ..recipe.flags import shown
from ..recipe.notes import NOTES, differences
from ..report import Report
from ..runs import Run
from ..training.metrics import EpochMetrics
from .charts import Line, chart
from .mistakes import mistakes
from .parts import facts, folded, name, page, percent, picture, section, table, text


@dataclass(frozen=True)
class Measured:
    """An evaluation on a page. facts: as in report.json."""

    report: Report
    facts: dict[str, Any]

    @property
    def last(self) -> tuple[str, dict[str, Any]]:
        """What the last set of views is called, and its scores."""
        views, scores = list(self.facts["scores"].items())[-1]
        return views, scores


def write_page(
    path: Path,
    run: Run | None,
    model: nn.Module | None = None,
    measured: Measured | None = None,
    missing: str = "",
) -> None:
    """Write the page of a run, or of an evaluation of several networks (run None), all or nothing.

    model: the run's network, None before there is a checkpoint. measured: None where nothing could
    be evaluated; `missing` then says why.
    """
    title = _title(run, measured)
    body = [f"<header><h1>{name(title)}</h1>", *_below_title(run, model), "</header><main>"]
    body += _headline(run, measured)
    if measured is not None:
        body += _networks(measured.facts.get("networks"), len(measured.report.classes))
        body += _views(measured)
    if run is not None:
        body += _curves(run.epochs, _classes(run, measured))
    if measured is not None:
        body += mistakes(measured.report)
    elif missing:
        said = f"No confusion matrix and no hardest images: {missing}"
        body.append(f'<p class="note">{text(said)}</p>')
    if model is not None:
        body += _filters(model)
    if run is not None:
        body += [_recipe(run.recipe), _environment(run)]
    if measured is not None:
        body.append(_evaluation(measured.facts))
    write_text(path, page(f"{title}: alexnet", [*body, "</main>"]))


# ----- the head -----


def _title(run: Run | None, measured: Measured | None) -> str:
    if run is not None:
        return run.folder.absolute().name
    assert measured is not None, "a page is of a run, or of an evaluation"
    return f"The mean of {len(measured.facts['networks'])} networks"


def _below_title(run: Run | None, model: nn.Module | None) -> list[str]:
    if run is None:
        return []
    recipe, data = run.recipe, run.facts.data
    what = [f"recipe {recipe.name}", f"{recipe.title}, {recipe.input_size} pixels"]
    if model is not None:
        count = sum(parameter.data.size for parameter in model.parameters())
        what.append(f"{_millions(count)} parameters")
    if data.train_images:
        what.append(f"{data.train_images:,} training images of {data.classes} classes, {data.name}")
    lines = [f'<p class="soft">{name(" · ".join(what))}</p>']
    if not run.finished:
        done = len(run.epochs)
        said = f"This run is not finished: {done} of {recipe.epochs} epochs are done."
        if not done and model is not None and not run.facts.command:
            said = "These weights were not trained here: there are no curves of them."
        lines.append(f'<p class="note">{said}</p>')
    return lines


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f} million" if count >= 1e6 else f"{count:,}"


def _classes(run: Run, measured: Measured | None) -> int:
    """How many there are, 0 where nobody knows."""
    return len(measured.report.classes) if measured is not None else run.facts.data.classes


def _headline(run: Run | None, measured: Measured | None) -> list[str]:
    """The numbers that a reader looks for, and what they are of."""
    cards: list[tuple[str, str, str]] = []
    said = ""
    if measured is not None:
        views, scores = measured.last
        of, classes = measured.facts["scores"], len(measured.report.classes)
        if len(of) > 1:  # the centre stands beside the other views
            cards.append(("top-1, centre", percent(next(iter(of.values()))["top1"]), ""))
        plain = len(of) == 1
        cards.append(("top-1" + f", {views}" * (not plain), percent(scores["top1"]), ""))
        if classes > TOP:
            cards.append(("top-5" + f", {views}" * (not plain), percent(scores["top5"]), ""))
        stand = measured.facts.get("stand", "")
        said = f"Of {scores['images']:,} images, loss {scores['loss']:.3f}"
        said += f"; the network {stand}." if stand else "."
    elif run is not None and run.best is not None:
        best, data = run.best, run.facts.data
        cards.append(("top-1", percent(best.val_top1), ""))
        if data.classes > TOP or not data.classes:
            cards.append(("top-5", percent(best.val_top5), ""))
        of_images = f"Of {data.val_images:,} validation images" if data.val_images else "Measured"
        said = f"{of_images} after epoch {best.epoch}, the best one, in training."
    if run is not None and run.epochs:
        cards.append(("training and validation", duration(60 * run.minutes), "text"))
    if run is not None and run.facts.device_name:
        cards.append((f"machine{_threads(run)}", run.facts.device_name, "text"))
    if not cards:
        return ['<p class="note">Nothing is measured yet.</p>']
    items = (
        f'<li class="{kind}"><b>{name(value)}</b><span>{text(label)}</span></li>'
        for label, value, kind in cards
    )
    return [f'<ul class="cards">{"".join(items)}</ul>', f'<p class="soft">{text(said)}</p>']


def _networks(networks: Sequence[dict[str, Any]] | None, classes: int) -> list[str]:
    """A line for each of several networks."""
    if networks is None:
        return []
    files = [network["checkpoint"] for network in networks]
    folders = [Path(file).parent.name for file in files]
    named = folders if len(set(folders)) == len(folders) else files
    one = all(len(network["scores"]) == 1 for network in networks)
    rows = [
        (called, *[views] * (not one), *_score_cells(scores, classes))
        for called, network in zip(named, networks, strict=True)
        for views, scores in network["scores"].items()
    ]
    head = ("network", *["views"] * (not one), *_score_names(classes))
    where = folded("Where they are", facts(zip(named, files, strict=True)))
    return [section("Each network by itself", table(head, rows), where)]


def _views(measured: Measured) -> list[str]:
    scores, classes = measured.facts["scores"], len(measured.report.classes)
    if len(scores) == 1:
        return []
    rows = [(views, *_score_cells(s, classes)) for views, s in scores.items()]
    return [section("Views", table(("views", *_score_names(classes)), rows))]


def _score_names(classes: int) -> list[str]:
    return ["top-1", *["top-5"] * (classes > TOP), "loss"]


def _score_cells(scores: dict[str, Any], classes: int) -> list[str]:
    top5 = [f"{scores['top5']:.2%}"] * (classes > TOP)
    return [f"{scores['top1']:.2%}", *top5, f"{scores['loss']:.4f}"]


# ----- the curves -----


def _curves(rows: Sequence[EpochMetrics], classes: int) -> list[str]:
    if not rows:
        return []
    epochs = [row.epoch for row in rows]
    losses = [
        Line("training", [row.train_loss for row in rows]),
        Line("validation", [row.val_loss for row in rows]),
    ]
    shares = [
        Line("training", [row.train_top1 for row in rows]),
        Line("validation", [row.val_top1 for row in rows]),
    ]
    if classes > TOP:
        shares.append(Line("validation, top-5", [row.val_top5 for row in rows]))
    chance = max(classes, 1)
    most = 1.05 * max([math.log(chance), *(v for line in losses for v in line.values), 1e-3])
    charts = [
        chart(
            "Loss", epochs, losses, most, lambda v: f"{v:.3g}",
            (f"guessing, ln({chance})", math.log(chance)),
        ),
        chart(
            "Accuracy", epochs, shares, 1.0, lambda v: f"{v:.0%}",
            (f"guessing, 1 of {chance}", 1 / chance),
        ),
    ]  # fmt: skip
    with_top5 = classes > TOP
    head = ("epoch", "training loss", "top-1", "validation loss", "top-1",
            *["top-5"] * with_top5, "rate", "images/s")  # fmt: skip
    lines = [
        (row.epoch, f"{row.train_loss:.3f}", percent(row.train_top1), f"{row.val_loss:.3f}",
         percent(row.val_top1), *[percent(row.val_top5)] * with_top5, f"{row.lr:.2g}",
         quantity(row.images_per_second))
        for row in rows
    ]  # fmt: skip
    return [
        section(
            "Curves of training", f'<div class="charts">{"".join(charts)}</div>',
            folded("The same in numbers", table(head, lines)),
        )
    ]  # fmt: skip


# ----- what it is -----


def _filters(model: nn.Module) -> list[str]:
    try:
        _, towers = first_filters(model)
    except ValueError:
        return []
    drawn = []
    for number, part in enumerate(towers, 1):
        side, several = part.shape[2], len(towers) > 1
        words = f"{len(part)} filters of {side} x {side} pixels" + f", tower {number}" * several
        title = f"<figcaption>Tower {number}</figcaption>" * several
        shown_part = picture(filter_picture(part), words, "pixels")
        drawn.append(f'<figure class="filters">{title}{shown_part}</figure>')
    about = (
        "What the first layer looks for: each filter is stretched by itself around grey, a weight "
        "of 0. A trained network has edges and colours here, a fresh one noise."
    )
    return [section("First-layer filters", f'<p class="soft">{about}</p>', *drawn)]


def filter_picture(weight: NDArray[np.floating], columns: int = 16) -> NDArray[np.uint8]:
    """`filter_grid` as bytes with transparency (H, W, 4): nothing between the filters."""
    columns = min(columns, len(weight))
    grid = filter_grid(weight, columns)
    covered = filter_grid(np.zeros_like(weight), columns)[:, :, :1] == 0.5
    return np.round(255 * np.concatenate([grid, covered], axis=2)).astype(np.uint8)


def _recipe(recipe: Recipe) -> str:
    """What differs from its preset, field by field with what the choice does; then all of it."""
    preset = BY_NAME.get(recipe.name)
    every = [
        (field, shown(value), NOTES.get(field, ""))
        for field, value in json.loads(recipe.to_json()).items()
        if field not in ("name", *recipe.unused)
    ]
    whole = folded("All its fields", table(("field", "value", "what it is"), every))
    if preset is None:
        said = f"The recipe {recipe.name} is none that comes with this version."
        return section("Recipe", f"<p>{text(said)}</p>", whole)
    found = differences(preset, recipe)
    if preset.seed != recipe.seed and all(field != "seed" for field, *_ in found):
        found.append(("seed", preset.seed, recipe.seed, NOTES["seed"]))
    if not found:
        return section("Recipe", f"<p>The preset {text(recipe.name)}, as it is.</p>", whole)
    lines = "".join(
        f"<dt>{text(field)}: {text(shown(now))} <span class=\"soft\">instead of "
        f"{text(shown(before))}</span></dt><dd class=\"soft\">{text(note)}</dd>"
        for field, before, now, note in found
    )
    said = f"The preset {recipe.name}, but for:"
    return section("Recipe", f"<p>{text(said)}</p><dl>{lines}</dl>", whole)


def _environment(run: Run) -> str:
    told, data = run.facts, run.facts.data
    versions = ", ".join(f"{package} {number}" for package, number in told.versions.items())
    return section("Environment of the training", facts([
        ("machine", told.device_name and f"{told.device_name}{_threads(run)}"),
        ("system", told.system),
        ("precision", told.precision),
        ("started", told.started),
        ("went on", _times(len(told.resumed))),
        ("command", shlex.join(told.command)),
        ("computed by", told.computed_by),
        ("versions", versions),
        ("commit", told.commit),
        ("data", data.name if told.command else ""),
        ("its images", f"{data.train_images:,} for training, {data.val_images:,} for validation"
         if data.train_images else ""),
        ("checksum", data.checksum),
    ]))  # fmt: skip


def _threads(run: Run) -> str:
    """What stands behind the machine's name: on a GPU they matter little."""
    count = run.facts.threads
    return f", {count} thread{'s' * (count != 1)}" * run.facts.device.startswith("cpu")


def _times(count: int) -> str:
    return "" if not count else "once" if count == 1 else f"{count} times"


def _evaluation(told: dict[str, Any]) -> str:
    versions = ", ".join(f"{package} {number}" for package, number in told["versions"].items())
    return section("How it was evaluated", facts([
        ("checkpoint", told.get("checkpoint")),
        ("data", told["data"]),
        ("unreadable", f"{told['skipped']} images"),
        ("views", ", ".join(told["scores"])),
        ("date", told["date"]),
        ("command", shlex.join(told["command"])),
        ("computed on", told["device_name"]),
        ("versions", f"{versions}, commit {told['commit'] or 'unknown'}"),
    ]))  # fmt: skip
