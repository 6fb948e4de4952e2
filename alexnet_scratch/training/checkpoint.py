"""Checkpoints: all that a run needs to go on, in one safetensors file.

Tensors: the parameters as `model.<name>`, the optimiser's state as `optimizer.<name>.<key>`,
what was measured on the training images as `pixels.mean` and `pixels.axes`.
Metadata, each value JSON: `format`, `recipe`, `classes`, `data`, and the fields of `Position`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from minigrad import Tensor, nn, optim
from minigrad.arrays import Array
from minigrad.files import replacing
from minigrad.serialization import CheckpointError, load_file, load_metadata

from ..model import AlexNet
from ..pixels import PixelStatistics
from ..recipe import Recipe, RecipeError, build_model
from .metrics import EpochMetrics

FORMAT = "alexnet_scratch 2"


@dataclass
class Position:
    """Where a run stands. Every field is fit for JSON."""

    epoch: int = 0  # epochs complete
    batch: int = 0  # batches done of the epoch in progress
    step: int = 0  # training steps in all
    lr: float = 0.0  # the rate of the last step
    totals: dict[str, Any] = field(default_factory=dict)  # sums over the epoch in progress
    schedule: dict[str, Any] = field(default_factory=dict)
    generator: list[int] = field(default_factory=list)
    best: dict[str, Any] = field(default_factory=dict)  # the metrics of the best epoch
    metrics: list[dict[str, Any]] = field(default_factory=list)  # the lines of metrics.jsonl
    precision: str = "float32"  # of products in training
    scaler: dict[str, Any] = field(default_factory=dict)  # the loss scaling, for float16

    @property
    def is_best(self) -> bool:
        """Is this the end of the best epoch so far?"""
        return bool(self.epoch and not self.batch and self.best["epoch"] == self.epoch)

    def count_epoch(self, row: EpochMetrics) -> None:
        """One more epoch is complete: its metrics, and whether it is the best so far."""
        best = self.best
        if not best or (row.val_top1, -row.val_loss) > (best["val_top1"], -best["val_loss"]):
            self.best = asdict(row)
        self.metrics.append(asdict(row))
        self.epoch, self.batch = self.epoch + 1, 0


@dataclass
class Checkpoint:
    """A checkpoint in memory. `data` is the data set's folder, None for the embedded one."""

    path: Path
    recipe: Recipe
    classes: list[str]
    data: dict[str, Any]
    position: Position
    groups: list[dict[str, Any]]
    pixels: PixelStatistics
    tensors: dict[str, Tensor]

    def model(self) -> AlexNet:
        """The network with its weights, in evaluation mode. CheckpointError if they do not fit."""
        try:
            model = build_model(self.recipe, len(self.classes))
            model.load_state_dict(self._below("model."))
        except (ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"{self.path} holds the weights of another model than its recipe describes: "
                f"{error.args[0]}"
            ) from error
        model.eval()
        return model

    def restore(self, optimizer: optim.Optimizer, model: nn.Module) -> None:
        """Load the optimiser's state. CheckpointError if it does not fit."""
        names = _names(optimizer, model)
        state: dict[int, dict[str, Any]] = {}
        try:
            for key, tensor in self._below("optimizer.").items():
                name, _, entry = key.rpartition(".")
                state.setdefault(names.index(name), {})[entry] = tensor
            optimizer.load_state_dict({"state": state, "param_groups": self.groups})
        except ValueError as error:
            raise CheckpointError(f"{self.path}: {error}") from error

    def _below(self, prefix: str) -> dict[str, Tensor]:
        return {
            key[len(prefix) :]: tensor
            for key, tensor in self.tensors.items()
            if key.startswith(prefix)
        }


def contents(
    model: nn.Module,
    optimizer: optim.Optimizer,
    recipe: Recipe,
    classes: list[str],
    data: Mapping[str, Any],
    position: Position,
    pixels: PixelStatistics,
) -> tuple[dict[str, Array], dict[str, str]]:
    """What `save_file` writes of a checkpoint: arrays, those in use, and metadata."""
    state = optimizer.state_dict()
    names = _names(optimizer, model)
    arrays = {f"model.{name}": tensor.data for name, tensor in model.state_dict().items()}
    for index, entries in state["state"].items():
        for key, value in entries.items():
            arrays[f"optimizer.{names[index]}.{key}"] = value
    arrays |= {"pixels.mean": pixels.mean, "pixels.axes": pixels.axes}
    values = {
        "format": FORMAT,
        "recipe": asdict(recipe),
        "classes": classes,
        "data": dict(data),
        "groups": state["param_groups"],
        **asdict(position),
    }
    return arrays, {key: json.dumps(value) for key, value in values.items()}


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint. CheckpointError for a file that is none, or is damaged."""
    path = Path(path)
    metadata = load_metadata(path)
    if "recipe" not in metadata or "format" not in metadata:
        raise CheckpointError(
            f"{path} is a safetensors file, but no checkpoint of `alexnet train`: it has no recipe"
        )
    try:
        values = {key: json.loads(value) for key, value in metadata.items()}
    except ValueError as error:
        raise CheckpointError(f"{path} is no checkpoint of `alexnet train`: {error}") from error
    if values["format"] != FORMAT:
        raise CheckpointError(
            f"{path} has format {values['format']!r}, this program reads {FORMAT!r}: use the "
            "version that wrote it"
        )
    try:
        recipe = Recipe.from_json(metadata["recipe"])
    except RecipeError as error:
        raise CheckpointError(f"{path}: its recipe cannot be used here: {error}") from error
    values = {"precision": "float32", "scaler": {}, **values}  # the first files have neither
    tensors = load_file(path)
    try:
        position = Position(**{name: values[name] for name in asdict(Position())})
        pixels = PixelStatistics(tensors["pixels.mean"].numpy(), tensors["pixels.axes"].numpy())
        return Checkpoint(
            path, recipe, values["classes"], values["data"], position, values["groups"], pixels,
            tensors,
        )  # fmt: skip
    except KeyError as error:
        raise CheckpointError(
            f"{path}: damaged: it has no {error}, expected in every {FORMAT!r}; copy it again from "
            "its source, or use another checkpoint of the run"
        ) from error


def find_checkpoint(run: str | os.PathLike[str]) -> Path:
    """The checkpoint of a run folder, the best one if there is one; a file stands for itself."""
    run = Path(run)
    if not run.is_dir():
        if not run.exists():
            raise CheckpointError(f"no such run: {run}; expected the folder of an `alexnet train`")
        return run
    for name in ("best.safetensors", "last.safetensors"):
        if (run / name).is_file():
            return run / name
    raise CheckpointError(
        f"{run} has no best.safetensors and no last.safetensors: it is not the folder of a run, "
        "or the run ended before it saved"
    )


def link(source: Path, target: Path) -> None:
    """Give a checkpoint a second name without writing it twice, where the disk knows links.

    Checkpoints are replaced, never edited, so that the two cannot disturb each other.
    """
    with contextlib.suppress(OSError):
        if os.path.samefile(source, target):
            return
    with replacing(target) as temporary:
        try:
            os.unlink(temporary)
            os.link(source, temporary)
        except (OSError, AttributeError):  # a browser's Python has no os.link at all
            shutil.copyfile(source, temporary)


def _names(optimizer: optim.Optimizer, model: nn.Module) -> list[str]:
    """The parameters' names in the order in which the optimiser counts them."""
    paths = {id(parameter): name for name, parameter in model.named_parameters()}
    return [paths[id(p)] for group in optimizer.param_groups for p in group["params"]]
