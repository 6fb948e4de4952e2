"""What runs came to, from their small files: finished ones, ones under way, ones from elsewhere."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from .recipe import Recipe, RecipeError
from .schema import SchemaError, checked, json_of, limited, read_text
from .training import provenance
from .training.checkpoint import Checkpoint, place_of
from .training.folder import RunError
from .training.metrics import EpochMetrics

RECIPE, METRICS = "recipe.json", "metrics.jsonl"


@dataclass(kw_only=True)
class DataFacts:
    """What run.json says of the data."""

    root: str | None = None  # None: the drawn patterns
    train_images: int = limited(0, low=0)
    val_images: int = limited(0, low=0)
    classes: int = limited(0, low=0)
    checksum: str = ""

    @property
    def name(self) -> str:
        """The folder's own name."""
        return os.path.basename(self.root.rstrip("/\\")) if self.root else "drawn patterns"


@dataclass(kw_only=True)
class InitFrom:
    """What run.json says of the weights that a run began with, see `Loaded.facts`."""

    run: str = ""
    checksum: str = ""

    @property
    def name(self) -> str:
        """The run's own name, with the end of the checksum; "" for a run with weights of its own.
        """
        folder = os.path.basename(self.run.rstrip("/\\"))
        return f"{folder} {self.checksum[-12:]}" if self.run else ""


@dataclass(kw_only=True)
class Facts:
    """What run.json says of how a run was computed; the first ones do not name the framework."""

    framework: str = ""
    versions: dict[str, str] = limited(factory=dict)
    command: list[str] = limited(factory=list)
    commit: str | None = None
    device: str = ""
    device_name: str | None = None
    threads: int = limited(0, low=0)
    system: str = ""
    precision: str = ""
    started: str = ""
    resumed: list[dict[str, Any]] = limited(factory=list)
    data: DataFacts = limited(factory=DataFacts)
    init_from: InitFrom = limited(factory=InitFrom)

    @property
    def computed_by(self) -> str:
        """The framework with its version."""
        return self.framework or f"minigrad {self.versions.get('minigrad', '')}".strip()


@dataclass(frozen=True)
class Run:
    """A run's recipe, the epochs that are done, and the circumstances."""

    folder: Path
    recipe: Recipe
    epochs: Sequence[EpochMetrics]
    facts: Facts

    @property
    def best(self) -> EpochMetrics | None:
        """The epoch of the highest validation accuracy, as best.safetensors has it."""
        return max(self.epochs, key=lambda e: (e.val_top1, -e.val_loss), default=None)

    @property
    def minutes(self) -> float:
        """Of training and validation, by the clock: other work on the machine counts, too."""
        return sum(epoch.seconds for epoch in self.epochs) / 60

    @property
    def finished(self) -> bool:
        return len(self.epochs) >= self.recipe.epochs


def read_run(folder: str | os.PathLike[str]) -> Run:
    """The run in a folder, of which only recipe.json must be there.

    Raises RunError for a folder that is no run's, or holds a file that cannot be read.
    """
    folder = place_of(folder)
    if not (folder / RECIPE).is_file():
        what = f"it has no {RECIPE}" if folder.is_dir() else "no such folder"
        raise RunError(f"{folder}: {what}; expected the folder of an `alexnet train`")
    file = folder / RECIPE
    try:
        recipe = Recipe.from_json(read_text(file))
        file = folder / METRICS
        lines = read_text(file).splitlines() if file.is_file() else ()
        epochs = [checked(EpochMetrics, json_of(line)) for line in lines]
        file = folder / provenance.FILE
        facts = checked(Facts, provenance.read(folder) or {})
    except (SchemaError, RecipeError) as error:
        raise RunError(f"{file}: {error}") from error
    return Run(folder, recipe, epochs, facts)


def run_of(checkpoint: Checkpoint) -> Run:
    """The run that a checkpoint is of: its folder's, or where it lies alone what it says itself."""
    folder = checkpoint.path.parent
    if (folder / RECIPE).is_file():
        found = read_run(folder)
        if found.recipe == checkpoint.recipe:
            return found
    data = checkpoint.data
    facts = DataFacts(
        root=data["root"], train_images=data["train_images"], classes=len(checkpoint.classes),
        checksum=data.get("checksum", ""),
    )  # fmt: skip
    epochs = [checked(EpochMetrics, row) for row in checkpoint.position.metrics]
    return Run(folder, checkpoint.recipe, epochs, Facts(data=facts))


@dataclass(frozen=True)
class Spread:
    """Of several seeds."""

    mean: float
    low: float
    high: float

    @staticmethod
    def of(values: Iterable[float]) -> Spread | None:
        """None without a value."""
        given = list(values)
        return Spread(statistics.fmean(given), min(given), max(given)) if given else None

    def text(self, form: str) -> str:
        """The mean, with the range where there is one."""
        mean, low, high = (format(x, form) for x in (self.mean, self.low, self.high))
        return mean if low == high else f"{mean} ({low} to {high})"


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seed (and in what they are called)."""

    runs: Sequence[Run]

    @property
    def first(self) -> Run:
        return self.runs[0]

    def spread(self, value: Callable[[Run], float | None]) -> Spread | None:
        """Over the runs that have the value."""
        found = [value(run) for run in self.runs]
        return Spread.of(x for x in found if x is not None)


def grouped(runs: Iterable[Run]) -> list[Group]:
    """The runs by recipe, data and framework, in the order in which they come."""
    groups: dict[Any, list[Run]] = {}
    for run in runs:
        groups.setdefault(_key(run), []).append(run)
    return [Group(members) for members in groups.values()]


def _key(run: Run) -> Any:
    data = run.facts.data
    same_data = data.checksum or (data.name, data.train_images)
    framework = run.facts.computed_by.partition(" ")[0]
    return replace(run.recipe, seed=0, name=""), same_data, framework, run.facts.init_from.checksum


def classes_of(groups: Sequence[Group]) -> int:
    """How many classes the data of all of them have; 0 where that is not the same or not known."""
    found = {run.facts.data.classes for group in groups for run in group.runs}
    return found.pop() if len(found) == 1 else 0


def differing(groups: Sequence[Group]) -> dict[str, list[Any]]:
    """What is not the same for all groups: a value each, None where a recipe has no use for it."""
    firsts = [group.first for group in groups]
    said: dict[str, list[Any]] = {
        "data": [run.facts.data.name for run in firsts],
        "training images": [run.facts.data.train_images for run in firsts],
        "data checksum": [run.facts.data.checksum[-12:] for run in firsts],
        "computed by": [run.facts.computed_by for run in firsts],
        "device": [run.facts.device_name for run in firsts],
        "threads": [run.facts.threads for run in firsts],
        "weights from": [run.facts.init_from.name or "none" for run in firsts],
        "recipe": [run.recipe.name for run in firsts],
    }
    for field in fields(Recipe):
        if field.name not in ("name", "seed"):
            said[field.name] = [
                None if field.name in run.recipe.unused else getattr(run.recipe, field.name)
                for run in firsts
            ]
    return {name: values for name, values in said.items() if len(set(values)) > 1}


def _best(field: str) -> Callable[[Run], float | None]:
    return lambda run: getattr(run.best, field, None)


def _last(field: str) -> Callable[[Run], float | None]:
    return lambda run: getattr(run.epochs[-1], field) if run.epochs else None


# What comes out of a run, and how it is shown.
RESULTS: dict[str, tuple[Callable[[Run], float | None], str]] = {
    "best top-1": (_best("val_top1"), ".1%"),
    "its top-5": (_best("val_top5"), ".1%"),
    "in epoch": (_best("epoch"), ".0f"),
    "last top-1": (_last("val_top1"), ".1%"),
    "last loss": (_last("val_loss"), ".3f"),
    "training loss": (_last("train_loss"), ".3f"),
    "minutes": (lambda run: run.minutes if run.epochs else None, ".1f"),
}


def as_json(groups: Sequence[Group]) -> dict[str, Any]:
    """All of it: what differs, and for each group its runs and what came out."""
    return {
        "differing": differing(groups),
        "groups": [
            {
                "runs": [str(run.folder) for run in group.runs],
                "seeds": [run.recipe.seed for run in group.runs],
                "epochs_done": [len(run.epochs) for run in group.runs],
                "results": {
                    name: spread and asdict(spread)
                    for name, (value, _) in RESULTS.items()
                    for spread in [group.spread(value)]
                },
            }
            for group in groups
        ],
    }
