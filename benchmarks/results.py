"""The results page, docs/results.md, from the small files of runs; nothing on it is typed by hand.

    python benchmarks/results.py collect RUN... [--set NAME]
    python benchmarks/results.py write

`collect` evaluates a run's best checkpoint, in the centre and over ten crops, and keeps what the
page needs in docs/results/SET/RUN: recipe.json, metrics.jsonl, run.json without the names of
folders and hosts, and result.json with the scores and the SHA-256 of the weights. `write` makes the
page of them, the curves of each set, and README's table. A run of `benchmarks/twin.py` is collected
as any other and stands beside the runs of its recipe. Published numbers, each with its source, are
in docs/results/published.csv.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import io
import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import sections

from alexnet_scratch.cli import main as alexnet
from alexnet_scratch.commands.compare import labels
from alexnet_scratch.data.views import CENTRE, TEN_CROP, name_of
from alexnet_scratch.recipe import BY_NAME
from alexnet_scratch.recipe.flags import shown
from alexnet_scratch.recipe.notes import differences
from alexnet_scratch.runs import METRICS, RECIPE, Group, Run, classes_of, grouped, read_run
from alexnet_scratch.training.plot import draw_comparison
from alexnet_scratch.training.run import BEST
from alexnet_scratch.training.transfer import TAKEN

ROOT = Path(__file__).resolve().parents[1]
PAGE, FOLDER, README = ROOT / "docs/results.md", ROOT / "docs/results", ROOT / "README.md"
RESULT, PUBLISHED, CURVES = "result.json", "published.csv", "curves.png"
ABOUT = "about.md"  # how a set is made, where that is not plain from its name
KEPT = (
    "started", "framework", "versions", "commit", "device", "device_name", "threads", "cores",
    "blas", "precision", "workers",
)  # fmt: skip
CENTRE_NAME, TEN_NAME = name_of(CENTRE), name_of(TEN_CROP)
HEAD = """# Results

What the recipes reach on real photographs. `python benchmarks/results.py write` makes this page of
the small files below [results](results): every number is read from a run's recipe, metrics and
scores, and none is typed by hand. To repeat a run, take its command; to add one, see the head of
[benchmarks/results.py](../benchmarks/results.py).

Accuracies are of the validation images, in percent, of the epoch that was best there: the mean of
the seeds, and their range. *Ten crops* averages four corners, the centre and their mirror images,
as the paper did. *PyTorch* is the same recipe from the same first weights on the same batches, see
[benchmarks/twin.py](../benchmarks/twin.py). Minutes are of training and validation by the clock,
and whatever else the machine did meanwhile is in them.
"""


# ----- from a run's folder into the tree -----


def collect(run: Path, name: str | None, folder: Path = FOLDER) -> Path:
    """Copy what the page needs of a run; returns where it lies. RunError for no run's folder."""
    read = read_run(run)
    facts = json.loads((run / "run.json").read_text("utf-8"))
    target = folder / (name or read.facts.data.name) / run.absolute().name
    target.mkdir(parents=True, exist_ok=True)
    for file in (RECIPE, METRICS):
        shutil.copyfile(run / file, target / file)
    _write_json(target / "run.json", stripped(facts))
    _write_json(target / RESULT, {"checksum": sha256(run / BEST), **scores(run, read)})
    return target


def stripped(facts: dict[str, Any]) -> dict[str, Any]:
    """run.json without what tells of a machine's folders and its name."""
    data = dict(facts["data"])
    data["root"] = os.path.basename(data["root"]) if data["root"] else None
    kept = {key: facts[key] for key in KEPT if key in facts}
    kept["command"] = without_folders(facts["command"])
    kept["data"] = data
    if "init_from" in facts:
        source = dict(facts["init_from"])
        kept["init_from"] = {**source, "run": os.path.basename(source["run"].rstrip("/"))}
    again = ("at", *KEPT)
    kept["resumed"] = [{k: r[k] for k in again if k in r} for r in facts.get("resumed", [])]
    return kept


def without_folders(command: Sequence[str]) -> list[str]:
    """The words, of each path that leads elsewhere its last part alone: `--out=/home/me/x`, too."""
    told = []
    for word in command:
        flag, value = "", word
        if word.startswith("-") and "=" in word:
            flag, _, value = word.partition("=")
            flag += "="
        if os.path.isabs(value) or value.startswith(("~", "..")):
            value = PurePath(value).name
        told.append(flag + value)
    return told


def scores(run: Path, read: Run) -> dict[str, Any]:
    """What `alexnet evaluate` says of the best checkpoint, over ten crops where there is room."""
    flags = ["--ten-crop"] * (read.recipe.image_size > read.recipe.input_size)
    found = evaluated(str(run), *flags)
    return {key: found[key] for key in ("epoch", "step", "skipped", "scores")}


def evaluated(*arguments: str) -> dict[str, Any]:
    """What `alexnet evaluate --json` says; where it fails it has said why, and the program ends."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = alexnet(["evaluate", *arguments, "--json"])
    if status:
        raise SystemExit(status)
    found: dict[str, Any] = json.loads(said.getvalue())
    return found


def sha256(path: Path) -> str:
    """Of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")


# ----- from the tree onto the page -----


@dataclass(frozen=True)
class Pair:
    """Runs of one recipe on one set: ours, and those of its twin in PyTorch."""

    ours: Group | None
    twin: Group | None


def sets(folder: Path) -> dict[str, list[Run]]:
    """The runs that are kept, by set."""
    found = sorted(folder.glob(f"*/*/{RECIPE}"))
    names = dict.fromkeys(file.parents[1].name for file in found)
    return {
        name: [read_run(file.parent) for file in found if file.parents[1].name == name]
        for name in names
    }


def pairs(runs: Sequence[Run]) -> list[Pair]:
    """By recipe; whose images were prepared twice are the same set here."""
    found: dict[Any, dict[bool, list[Run]]] = {}
    for run in runs:
        key = replace(run.recipe, seed=0, name=""), run.facts.init_from.checksum
        sides = found.setdefault(key, {False: [], True: []})
        sides[run.facts.computed_by.startswith("PyTorch")].append(run)
    return [
        Pair(*(Group(side) if side else None for side in (sides[False], sides[True])))
        for sides in found.values()
    ]


def page(folder: Path) -> str:
    """The text of docs/results.md."""
    kept = sets(folder)
    published = _published(folder)
    text = [HEAD]
    for name in [*kept, *(name for name in published if name not in kept)]:
        text.append(f"## {name}\n")
        if name in kept:
            text.append(_set_text(folder, name, kept[name]))
        if name in published:
            text.append(_table(("published", "top-1", "top-5", "how", "source"), published[name]))
    return "\n".join(text)


def readme_table(folder: Path) -> str:
    """README's part: a line per recipe."""
    lines = []
    for name, runs in sets(folder).items():
        for pair in pairs(runs):
            group = pair.ours or pair.twin
            assert group is not None
            twin = _percent(pair.twin, CENTRE_NAME) if pair.twin else ""
            ours = _row(group)
            if pair.ours is None:
                ours[2:5] = ["", "", ""]
            lines.append([name, ours[0], ours[1], ours[2], ours[4], twin, ours[5]])
    if not lines:
        return "No run is kept yet."
    head = ("set", "recipe", "seeds", "top-1", "ten crops", "PyTorch", "minutes")
    return _table(head, lines).rstrip("\n")


def _set_text(folder: Path, name: str, runs: Sequence[Run]) -> str:
    data = runs[0].facts.data
    about = folder / name / ABOUT
    said = [about.read_text("utf-8")] if about.is_file() else []
    said += [
        f"{data.train_images:,} training and {data.val_images:,} validation images of "
        f"{data.classes} classes.\n"
    ]
    rows, gaps = [], []
    for pair in pairs(runs):
        for group in filter(None, (pair.ours, pair.twin)):
            row = _row(group)
            rows.append([row[0], group.first.facts.computed_by, *row[1:]])
        if pair.ours and pair.twin:
            gaps.append(_gap(pair.ours, pair.twin))
    head = ("recipe", "computed by", "seeds", "top-1", "top-5", "ten crops", "minutes", "machine")
    said.append(_table(head, rows))
    said += gaps + _gains([group for pair in pairs(runs) if (group := pair.ours)])
    said.append(f"![Validation loss and top-1 by epoch](results/{name}/{CURVES})\n")
    for run in runs:
        link = f"results/{name}/{run.folder.name}"
        result = _result(run)
        command = shlex.join(json.loads((run.folder / "run.json").read_text("utf-8"))["command"])
        of = "" if run.finished else f", stopped after {len(run.epochs)} of {run.recipe.epochs}"
        said.append(
            f"- [{run.folder.name}]({link}): `{command}`; seed {run.recipe.seed}, "
            f"epoch {result['epoch']}{of}; commit `{(run.facts.commit or 'unknown')[:10]}`, "
            f"weights `sha256 {result['checksum'][:16]}`"
        )
    return "\n".join([*said, ""])


def described(run: Run) -> str:
    """The recipe by its name and the flags that make it of the preset."""
    recipe = run.recipe
    if recipe.name not in BY_NAME:
        return recipe.name
    preset = replace(BY_NAME[recipe.name], seed=recipe.seed)
    source = run.facts.init_from.run
    flags = []
    if source:  # its network comes with the weights
        preset = replace(preset, **{name: getattr(recipe, name) for name in TAKEN})
        flags = ["--init-from", source]
    changed = differences(preset, recipe)
    flags += [f"--{name.replace('_', '-')} {shown(value)}" for name, _, value, _ in changed]
    return " ".join([recipe.name, *flags])


def _row(group: Group) -> list[str]:
    """Recipe, seeds, top-1, top-5, ten crops, minutes, machine."""
    first = group.first
    minutes = group.spread(lambda run: run.minutes)
    with_top5 = first.facts.data.classes > 5
    facts = first.facts
    return [
        f"`{described(first)}`",
        ", ".join(str(run.recipe.seed) for run in group.runs),
        _percent(group, CENTRE_NAME),
        _percent(group, CENTRE_NAME, "top5") if with_top5 else "",
        _percent(group, TEN_NAME),
        minutes.text(".0f") if minutes else "",
        f"{facts.device_name}, {facts.threads} threads",
    ]


def _percent(group: Group, views: str, what: str = "top1") -> str:
    spread = group.spread(_score(views, what))
    return spread.text(".1f") if spread else ""


def _score(views: str, what: str) -> Callable[[Run], float | None]:
    def value(run: Run) -> float | None:
        found = _result(run)["scores"].get(views)
        return None if found is None else 100 * float(found[what])

    return value


def _gap(ours: Group, twin: Group) -> str:
    one, other = (group.spread(_score(CENTRE_NAME, "top1")) for group in (ours, twin))
    assert one is not None
    assert other is not None
    return (
        f"`{described(ours.first)}`: PyTorch's mean is {other.mean - one.mean:+.1f} points from "
        "ours.\n"
    )


def _gains(groups: Sequence[Group]) -> list[str]:
    """What beginning with another run's weights gives, against weights of one's own and as many
    steps."""
    said = []
    for tuned in groups:
        for scratch in groups:
            if tuned.first.facts.init_from.run and not scratch.first.facts.init_from.run:
                if _steps(tuned.first) != _steps(scratch.first):
                    continue
                one, other = (g.spread(_score(CENTRE_NAME, "top1")) for g in (tuned, scratch))
                if one and other:
                    said.append(
                        f"`{described(tuned.first)}`: {one.mean - other.mean:+.1f} points from "
                        f"`{described(scratch.first)}`, in as many steps.\n"
                    )
    return said


def _steps(run: Run) -> int:
    return run.recipe.epochs * -(-run.facts.data.train_images // run.recipe.batch_size)


def _result(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.folder / RESULT).read_text("utf-8"))
    return found


def _published(folder: Path) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    with (folder / PUBLISHED).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            cells = [row[key] for key in ("network", "top-1", "top-5", "how", "source")]
            found.setdefault(row["set"], []).append(cells)
    return found


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write(folder: Path = FOLDER, page_file: Path = PAGE, readme: Path = README) -> None:
    """The page, the curves of each set, and README's table."""
    page_file.write_text(page(folder), "utf-8")
    for name, runs in sets(folder).items():
        groups = grouped(runs)
        curves = [[run.epochs for run in group.runs] for group in groups]
        named = list(zip(labels(groups), curves, strict=True))
        draw_comparison(folder / name / CURVES, named, classes_of(groups))
    sections.write(readme, "results", readme_table(folder), plain=False)


def main() -> int:
    """Collect runs, or write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    collecting = commands.add_parser("collect", help="take runs into the tree")
    collecting.add_argument("runs", metavar="RUN", nargs="+", type=Path)
    collecting.add_argument("--set", metavar="NAME", help="what the data is called [its folder]")
    commands.add_parser("write", help="write docs/results.md and README's table")
    options = parser.parse_args()
    if options.command == "collect":
        for run in options.runs:
            print(collect(run, options.set))
    else:
        write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
