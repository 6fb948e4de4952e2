"""Checkpoints: all that a run needs to go on, in one safetensors file.

Tensors: the parameters as `model.<name>`, their running average as `average.<name>` where the
recipe has one, the optimiser's state as `optimizer.<name>.<key>`, what was measured on the training
images as `pixels.mean` and `pixels.axes`.
Metadata, each value JSON: `format`, `recipe`, `classes`, `data`, and the fields of `Position`.

The weights may be stored in float16, as those of the network that comes with the package are.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import Tensor, nn, optim
from minigrad.arrays import Array
from minigrad.files import replacing
from minigrad.serialization import CheckpointError, load_file, load_metadata

from ..data.image import RESIZES
from ..model import COUNT
from ..network import Network
from ..pixels import PixelStatistics
from ..recipe import Recipe, RecipeError, build_model, shapes_of
from ..schema import MOST_FLOAT, SchemaError, as_given, checked, json_of, limited
from .position import Position

FORMAT = "alexnet_scratch 2"
# The network that comes with the package; its README.md says how it was trained.
BOXED = Path(__file__).resolve().parents[1] / "boxed"
FOREIGN = (".pth", ".pt", ".npy", ".onnx", ".caffemodel")  # endings that `alexnet import` takes
AGAIN = "copy it again from its source, or use another checkpoint of the run"
# What each optimiser keeps for a parameter.
_ADAMS = ("step", "exp_avg", "exp_avg_sq")
_STATE = {"sgd": ("momentum_buffer",), "adam": _ADAMS, "adamw": _ADAMS}


@dataclass(kw_only=True)
class DataNote:
    """What a checkpoint says about its data, see `data_note`."""

    root: str | None
    train_images: int = limited(low=0)  # 0: not known, of weights that are imported
    digest: str = ""
    names: dict[str, str] = limited(factory=dict)
    resize: str = limited("crop", choices=RESIZES)
    checksum: str = ""
    listing: str = ""
    imported: str = ""  # the file that the weights are from, where no run here made them


@dataclass(kw_only=True)
class Header:
    """The metadata that is not the `Position`."""

    recipe: dict[str, Any]
    classes: list[str]
    data: dict[str, Any] = limited(shape=DataNote)
    groups: list[dict[str, Any]]


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

    def model(self, averaged: bool = True) -> Network:
        """The network with its weights, in evaluation mode: where the recipe averages them, with
        the average, or without `averaged` as training left them.

        Raises CheckpointError if they do not fit, before there is memory for them, or are no
        numbers.
        """
        try:
            shapes = shapes_of(self.recipe, len(self.classes))
        except RecipeError as error:
            raise CheckpointError(f"{self.path}: its recipe cannot be used: {error}") from error
        prefix = "average." if averaged and self.recipe.average else "model."
        given = self._below(prefix)
        wrong = unfit(given, {
            name: (np.int64 if name.endswith(COUNT) else np.float32, shape)
            for name, shape in shapes.items()
        })  # fmt: skip
        if wrong:
            raise CheckpointError(
                f"{self.path} holds the weights of another model than its recipe describes: {wrong}"
            )
        self._check_numbers(prefix)
        model = build_model(self.recipe, len(self.classes))
        model.load_state_dict(given)
        model.eval()
        return model

    def restore(self, optimizer: optim.Optimizer, model: nn.Module) -> None:
        """Load the optimiser's state. CheckpointError if it does not fit, or a run cannot go on
        from what the checkpoint holds."""
        self._check_position()
        own = optimizer.state_dict()["param_groups"]
        if _kinds(self.groups) != _kinds(own):
            raise CheckpointError(
                f"{self.path}: damaged: its optimiser's groups {as_given(self.groups)} are not "
                f"those of its recipe; {AGAIN}"
            )
        names = _names(optimizer, model)
        given = self._below("optimizer.")
        done = self.position.step > self.position.scaler.get("skipped_steps", 0)
        if done or given:
            learning = {n: p for n, p in model.named_parameters() if p.requires_grad}
            self._check_state(given, learning)
        state: dict[int, dict[str, Any]] = {}
        try:
            for key, tensor in given.items():
                name, _, entry = key.rpartition(".")
                state.setdefault(names.index(name), {})[entry] = tensor
            optimizer.load_state_dict({"state": state, "param_groups": self.groups})
        except ValueError as error:
            raise CheckpointError(f"{self.path}: {error}") from error

    def _check_state(self, given: Mapping[str, Tensor], parameters: Mapping[str, Any]) -> None:
        """CheckpointError unless the optimiser's state is whole: what it lacks would begin anew."""
        kept = _STATE[self.recipe.optimizer]
        if self.recipe.optimizer == "sgd" and not self.recipe.momentum:
            kept = ()
        expected = {
            f"{name}.{entry}": (np.int64, ()) if entry == "step" else (np.float32, p.shape)
            for name, p in parameters.items() for entry in kept
        }  # fmt: skip
        wrong = unfit(given, expected)
        if wrong:
            raise CheckpointError(
                f"{self.path}: damaged: its optimiser's state (momentum) is not whole, so that the "
                f"run would go another way: {wrong}; {AGAIN}"
            )
        self._check_numbers("optimizer.")

    def _check_position(self) -> None:
        """CheckpointError unless a run can go on from there."""
        at = self.position
        batches = math.ceil(self.data["train_images"] / self.recipe.batch_size)
        problems = {
            "generator": len(at.generator) == 2,
            "schedule": at.schedule and at.schedule["drops"] <= self.recipe.plateau_drops,
            "batch": at.batch <= batches,
            "metrics": [row["epoch"] for row in at.metrics] == [*range(1, at.epoch + 1)],
            "best": at.best in at.metrics if at.epoch else not at.best,
        }
        for name, fine in problems.items():
            if not fine:
                raise CheckpointError(
                    f"{self.path}: damaged: {name} is {as_given(getattr(at, name))}, which does "
                    f"not go with the rest (epoch {at.epoch}); {AGAIN}"
                )

    def _check_numbers(self, prefix: str) -> None:
        """CheckpointError for NaN or infinity."""
        for name, tensor in self._below(prefix).items():
            array = tensor.numpy()
            if not (math.isfinite(array.min()) and math.isfinite(array.max())):
                raise CheckpointError(
                    f"{self.path}: {prefix}{name} holds NaN or infinity: training had blown up "
                    "before it was saved, or the file was changed; use an older checkpoint"
                )

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
    average: nn.Module | None = None,
) -> tuple[dict[str, Array], dict[str, str]]:
    """What `save_file` writes of a checkpoint: arrays, those in use, and metadata."""
    state = optimizer.state_dict()
    names = _names(optimizer, model)
    arrays = {f"model.{name}": tensor.data for name, tensor in model.state_dict().items()}
    if average is not None:
        arrays |= {f"average.{name}": t.data for name, t in average.state_dict().items()}
    for index, entries in state["state"].items():
        for key, value in entries.items():
            arrays[f"optimizer.{names[index]}.{key}"] = value
    arrays |= {"pixels.mean": pixels.mean, "pixels.axes": pixels.axes}
    return arrays, header(recipe, classes, data, state["param_groups"], position)


def header(
    recipe: Recipe, classes: list[str], data: Mapping[str, Any], groups: list[dict[str, Any]],
    position: Position,
) -> dict[str, str]:  # fmt: skip
    """A checkpoint's metadata. data: see `DataNote`; groups: the optimiser's."""
    values = {
        "format": FORMAT,
        "recipe": asdict(recipe),
        "classes": classes,
        "data": dict(data),
        "groups": groups,
        **asdict(position),
    }
    return {key: json.dumps(value) for key, value in values.items()}


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint. CheckpointError for a file that is none, or is damaged."""
    path = Path(path)
    makes_a_run = f"`alexnet import {path} OUT` makes a run of weights from elsewhere"
    if path.suffix.lower() in FOREIGN and path.is_file():
        raise CheckpointError(f"{path} is no checkpoint of `alexnet train`: {makes_a_run}")
    metadata = load_metadata(path)
    if "recipe" not in metadata or "format" not in metadata:
        raise CheckpointError(
            f"{path} is a safetensors file, but no checkpoint of `alexnet train`, as it has no "
            f"recipe: {makes_a_run}"
        )
    try:
        return _checked(path, metadata)
    except SchemaError as error:
        raise CheckpointError(f"{path}: damaged: {error}; {AGAIN}") from error


def _checked(path: Path, metadata: Mapping[str, str]) -> Checkpoint:
    """The checkpoint in a file with this metadata. SchemaError for what is not as `FORMAT` says."""
    values = {}
    for key in ("format", *Header.__annotations__, *Position.__annotations__):
        if key in metadata:
            try:
                values[key] = json_of(metadata[key])
            except SchemaError as error:
                raise SchemaError(f"{key}: {error}") from error
    if values["format"] != FORMAT:
        raise CheckpointError(
            f"{path} has format {as_given(values['format'])}, this program reads {FORMAT!r}: use "
            "the version that wrote it"
        )
    try:
        recipe = Recipe.from_json(metadata["recipe"])
    except RecipeError as error:
        raise CheckpointError(f"{path}: its recipe cannot be used here: {error}") from error
    head = checked(Header, values)
    if not head.classes or len(set(head.classes)) != len(head.classes):
        raise SchemaError(f"classes is {as_given(head.classes)}, expected names, each once")
    position = checked(Position, values, optional=("precision", "scaler", "micro_batch"))
    tensors = {name: _in_float32(name, tensor) for name, tensor in load_file(path).items()}
    side = recipe.image_size
    mean = (side, side, 3) if recipe.mean.startswith("image") else (3,)
    expected = {"pixels.mean": (np.float32, mean), "pixels.axes": (np.float32, (3, 3))}
    held = {name: tensor for name, tensor in tensors.items() if name in expected}
    wrong = unfit(held, expected)
    if wrong:
        raise SchemaError(wrong)
    pixels = PixelStatistics(tensors["pixels.mean"].numpy(), tensors["pixels.axes"].numpy())
    found = Checkpoint(
        path, recipe, head.classes, head.data, position, head.groups, pixels, tensors
    )
    found._check_numbers("pixels.")
    return found


def progress_of(path: Path) -> tuple[int, int, int]:
    """Epochs done, epochs in all and steps done, from a checkpoint's metadata; the tensors are not
    read. CheckpointError for a file that is none."""
    metadata = load_metadata(path)
    try:
        recipe = Recipe.from_json(metadata["recipe"])
        values = {key: json_of(metadata[key]) for key in ("epoch", "step")}
        at = checked(Position, values, optional=Position.__annotations__)
    except (KeyError, RecipeError, SchemaError) as error:
        raise CheckpointError(f"{path}: damaged: {error}") from error
    return at.epoch, recipe.epochs, at.step


def _in_float32(name: str, tensor: Any) -> Any:
    """Weights that are stored in float16 are computed with in float32."""
    half = name.startswith("model.") and isinstance(tensor, Tensor) and tensor.dtype == np.float16
    return Tensor(tensor.numpy().astype(np.float32)) if half else tensor


def place_of(run: str | os.PathLike[str]) -> Path:
    """Where a run is: "boxed" is the network that comes with the package, unless something of that
    name is here."""
    run = Path(run)
    return BOXED if run == Path(BOXED.name) and not run.exists() else run


def find_checkpoint(run: str | os.PathLike[str]) -> Path:
    """The checkpoint of a run folder, the best one if there is one; a file stands for itself."""
    run = place_of(run)
    if not run.is_dir():
        if not run.exists():
            raise CheckpointError(
                f"no such run: {run}; expected the folder of an `alexnet train`, or {BOXED.name} "
                "for the network that comes with the package"
            )
        return run
    for name in ("best.safetensors", "last.safetensors"):
        if (run / name).is_file():
            return run / name
    raise CheckpointError(
        f"{run} has no best.safetensors and no last.safetensors: it is not the folder of a run, "
        "or the run ended before it saved"
    )


def is_run(path: str | os.PathLike[str]) -> bool:
    """Does it name a run or a checkpoint, there or not, and nothing else?"""
    path = os.fspath(path)
    if path.endswith(".safetensors") or os.path.isfile(os.path.join(path, "recipe.json")):
        return True
    with contextlib.suppress(CheckpointError):
        return place_of(path).is_dir() and bool(find_checkpoint(path))
    return False


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


def unfit(
    given: Mapping[str, Any], expected: Mapping[str, tuple[Any, tuple[int, ...]]]
) -> str | None:
    """What is wrong with these tensors, by the dtypes and shapes that they should have."""
    missing = [name for name in expected if name not in given]
    if missing:
        return f"it has no '{missing[0]}'" + f" nor {len(missing) - 1} more" * (len(missing) > 1)
    unknown = [name for name in given if name not in expected]
    if unknown:
        return f"{as_given(unknown[0])} is not expected"
    for name, (dtype, shape) in expected.items():
        tensor = given[name]
        if not isinstance(tensor, Tensor):
            return f"{name} is a {type(tensor).__name__}, expected a tensor"
        if tensor.shape != shape or tensor.dtype != dtype:
            return (
                f"{name} has shape {tensor.shape} of {tensor.dtype}, expected {shape} of "
                f"{np.dtype(dtype)}"
            )
    return None


def _kinds(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The groups with their parameters and names, and the types of their other options."""

    def kind(key: str, value: Any) -> Any:
        if key in ("params", "name"):
            return value
        if isinstance(value, list | tuple):
            return [kind("", item) for item in value]
        if type(value) in (int, float):
            return "number" if -MOST_FLOAT <= value <= MOST_FLOAT else "no number"
        return type(value)

    # A schedule adds the rate that a group began with, which an optimiser need not have.
    return [
        {key: kind(key, value) for key, value in {"initial_lr": 0.0, **group}.items()}
        for group in groups
    ]
