"""A run that begins with the weights of another one: what it takes from there, and what is new."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from minigrad import Tensor, nn

from ..pixels import PixelStatistics
from ..recipe import Recipe, RecipeError, shapes_of
from ..recipe.flags import shown
from ..recipe.groups import check_layers, frozen_layers, head_of, layer_of
from .checkpoint import Checkpoint, find_checkpoint, load_checkpoint
from .folder import RunError

_NAMES = [f.name for f in fields(Recipe)]
# The fields that come with weights: the network, and what it presumes of pixels. What augmentation
# does to these is the new run's own choice.
TAKEN = (
    *(name for name in _NAMES[1 : _NAMES.index("image_size")] if name != "init"),
    "image_size", "mean", "input_mean", "input_std",
)  # fmt: skip
_FREE = ("input_size", "image_size", "dropout_p")  # unless the user names another value
_LIMIT = 1 << 20  # bytes hashed at a time


@dataclass(frozen=True)
class Pretrained:
    """The network that a run begins with. run: as the user named it."""

    run: str
    checkpoint: Checkpoint
    sha256: str

    @property
    def recipe(self) -> Recipe:
        return self.checkpoint.recipe


@dataclass(frozen=True)
class Loaded:
    """What became of the weights, by layer. of: where they come from. head: "" for one that is
    kept, else why it is not as it was."""

    of: Pretrained
    new: tuple[str, ...]
    frozen: tuple[str, ...]
    head: str

    def line(self) -> str:
        """For people."""
        at = self.of.checkpoint
        told = [f"Weights from {self.of.run} ({at.path.name}, epoch {at.position.epoch})"]
        if self.head:
            told.append(f"{', '.join(head_of(self.of.recipe))}: {self.head}")
        if self.frozen:
            told.append(f"frozen: {', '.join(self.frozen)}")
        return "; ".join(told)

    def facts(self) -> dict[str, Any]:
        """The same for run.json."""
        return {
            "run": self.of.run, "checkpoint": self.of.checkpoint.path.name,
            "checksum": f"sha256 {self.of.sha256}", "recipe": self.of.recipe.name,
            "epoch": self.of.checkpoint.position.epoch, "classes": len(self.of.checkpoint.classes),
            "new": list(self.new), "frozen": list(self.frozen),
        }  # fmt: skip


def pretrained(run: str | os.PathLike[str]) -> Pretrained:
    """The best checkpoint of a run's folder, or one by its file's name. CheckpointError as there.
    """
    path = find_checkpoint(run)
    return Pretrained(str(run), load_checkpoint(path), _sha256(path))


def transferred(recipe: Recipe, source: Pretrained, **given: Any) -> Recipe:
    """The recipe of a run that begins with the source's weights: `recipe` with the fields `given`,
    which the user named, and with the source's network.

    What the network presumes of pixels is the source's, too, and so are its sizes and dropout's
    probability unless given. How it is trained, and on what, is not.
    Raises RecipeError for a field that is given and would make the weights worthless.
    """
    own = source.recipe
    scaled = own.dropout == "paper"  # at test, too: by its probability
    fixed = [name for name in TAKEN if name not in _FREE or (scaled and name == "dropout_p")]
    for name in fixed:
        if given.get(name, getattr(own, name)) != getattr(own, name):
            flag = f"--{name.replace('_', '-')}"
            raise RecipeError(
                f"{flag} {shown(given[name])}: the weights of {source.run} are those of a network "
                f"with {flag} {shown(getattr(own, name))}: leave it out"
            )
    taken = {name: getattr(own, name) for name in TAKEN if name not in given}
    if "image_size" in taken:
        taken["image_size"] = max(own.image_size, given.get("input_size", 0))
    made = replace(recipe, **taken, **{n: v for n, v in given.items() if n not in taken})
    _check_shapes(made, source)
    check_layers(made)
    return made


def pixels_of(recipe: Recipe, source: Pretrained, measured: PixelStatistics) -> PixelStatistics:
    """The mean that the source's weights presume, with the colour axes of the new images.

    RunError for a mean image where the recipe's images have another size.
    """
    mean = source.checkpoint.pixels.mean
    if mean.ndim == 3 and len(mean) != recipe.image_size:
        raise RunError(
            f"{source.run} subtracts a mean image of {len(mean)} pixels, the images have "
            f"{recipe.image_size}: prepare the set with --image-size {len(mean)}"
        )
    return PixelStatistics(mean, measured.axes)


def load(
    model: nn.Module, recipe: Recipe, classes: Sequence[str], source: Pretrained
) -> Loaded:
    """Copy the source's weights into the model, which has an output for each of `classes`.

    Classes in another order are put into theirs; other classes leave the model's own head.
    CheckpointError if the checkpoint's weights do not fit its own recipe.
    """
    known = source.checkpoint.classes
    weights: dict[str, Tensor] = dict(source.checkpoint.model().state_dict())
    head, said = head_of(recipe), ""
    new: tuple[str, ...] = ()
    if set(known) != set(classes):
        new, said = head, f"new, for {len(classes)} other classes"
        weights = {name: w for name, w in weights.items() if layer_of(name) not in head}
    elif known != list(classes):
        said = "put into the order of this data set's classes"
        rows = [known.index(name) for name in classes]
        weights |= {
            name: Tensor(w.data[rows].copy()) for name, w in weights.items()
            if layer_of(name) in head
        }  # fmt: skip
    model.load_state_dict(weights, strict=False)
    frozen = frozen_layers(recipe)
    layers = dict.fromkeys(layer_of(name) for name in model.state_dict())
    return Loaded(source, new, tuple(name for name in layers if name in frozen), said)


def check_new_learns(recipe: Recipe, loaded: Loaded) -> None:
    """RunError for a layer that is drawn anew and frozen."""
    idle = [name for name in loaded.new if name in loaded.frozen]
    if idle:
        raise RunError(
            f"freeze is {','.join(recipe.freeze)}, but {', '.join(idle)} is new, for other classes "
            f"than those of {loaded.of.run}: leave it out of --freeze"
        )


def _check_shapes(recipe: Recipe, source: Pretrained) -> None:
    """RecipeError where the source's weights do not fit, but for those of its classes."""
    own, head = shapes_of(source.recipe, 2), head_of(recipe)
    for name, shape in shapes_of(recipe, 2).items():
        if own[name] != shape and layer_of(name) not in head:
            raise RecipeError(
                f"--input-size {recipe.input_size}: {layer_of(name)} of {source.run} takes "
                f"{own[name][-1]:,} numbers of images of {source.recipe.input_size} pixels, and "
                f"would get {shape[-1]:,}: leave it out"
            )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_LIMIT):
            digest.update(block)
    return digest.hexdigest()
