"""Which network a file's weights are of, by the names and shapes of its tensors.

To add one: a line in `NETWORKS`. Its recipe says how it is built and what becomes of an image
before it sees it, so that this comes with the weights.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import Tensor
from minigrad.serialization import CheckpointError

from ..data.augment import centre, cut
from ..data.disk import read_array
from ..model import COUNT
from ..names import did_you_mean
from ..pixels import PixelStatistics, needs_statistics, pixel_statistics
from ..recipe import NETWORKS as OTHERS
from ..recipe import RECIPES, Recipe, RecipeError, shapes_of
from ..schema import SchemaError, json_of
from ..training.checkpoint import unfit
from .caffe_layout import Arrays, from_caffe, outputs_of
from .file import WeightFile
from .onnx_alexnet import CAFFE_MEAN

# What wrappers put before every name: DataParallel, Lightning and the like, torch.compile.
PREFIXES = ("module.", "model.", "net.", "_orig_mod.")
PIXELS = ("pixels.mean", "pixels.axes")  # what a file of ours holds beside the network


def _as_it_is(arrays: Arrays, source: str) -> Arrays:
    return arrays


def _fixed(recipe: Recipe, arrays: Arrays) -> Recipe:
    return recipe


@dataclass(frozen=True)
class Network:
    """name: what --network takes. title: for people. recipe: how it is built, and its images
    prepared. converted: the tensors by our names and in our layout. sized: the recipe with what
    the shapes say of its sizes. sources: the formats that it comes in, any where none is named.
    extra: beginnings of the names of tensors that it does not need. note: what somebody has to
    know whose file does not tell it from another network."""

    name: str
    title: str
    recipe: Recipe
    resize: str = "crop"
    converted: Callable[[Arrays, str], Arrays] = _as_it_is
    sized: Callable[[Recipe, Arrays], Recipe] = _fixed
    sources: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Identified:
    """A network with its weights: float32 by the names of its state_dict; pixels: what it takes
    from the images that it was trained on; classes: readable names by id, where the file has
    them."""

    title: str
    recipe: Recipe
    arrays: Arrays
    resize: str
    pixels: PixelStatistics
    classes: dict[str, str] | None
    note: str = ""

    @property
    def outputs(self) -> int:
        """How many classes it tells apart."""
        return int(self.arrays[_head(self.recipe)].shape[0])


# ----- torchvision's -----


def _owt_sized(recipe: Recipe, arrays: Arrays) -> Recipe:
    return _with(recipe, fc_width=outputs_of(arrays, "classifier.4"))


# ----- Caffe's -----

def _caffe_sized(recipe: Recipe, arrays: Arrays) -> Recipe:
    widths = tuple(outputs_of(arrays, f"conv{i}") for i in range(1, 6))
    return _with(recipe, widths=widths, fc_width=outputs_of(arrays, "fc7"))


def _caffe(name: str, title: str, order: str) -> Network:
    recipe = replace(
        RECIPES["caffe"], name=name, orders=(order, order), mean="constant", input_mean=CAFFE_MEAN
    )
    other = "caffenet" if name == "bvlc_alexnet" else "bvlc_alexnet"
    return Network(
        name, title, recipe, "squash", from_caffe, _caffe_sized, ("npy", "caffe", "onnx"),
        note=f"{other} has the same tensors, with LRN and pooling the other way round: --network "
        f"{other}, if it is that",
    )  # fmt: skip


def _torchvision(name: str, recipe: Recipe, **how: Any) -> Network:
    """A network with torchvision's keys, whose images are prepared as torchvision's are."""
    owt = RECIPES["owt"]
    recipe = replace(
        recipe, image_size=owt.image_size, input_size=owt.input_size, mean="constant",
        input_mean=owt.input_mean, input_std=owt.input_std, colour_noise="none",
    )  # fmt: skip
    return Network(name, f"torchvision's {name}", recipe, **how)


def _googlenet() -> Network:
    """torchvision ported its weights from TensorFlow: they take pixels from -1 to 1, which there is
    done within the network ("transform_input")."""
    found = _torchvision("googlenet", OTHERS["googlenet"], extra=("aux1.", "aux2."))
    halves = (127.5, 127.5, 127.5)
    return replace(found, recipe=replace(found.recipe, input_mean=halves, input_std=halves))


# Of two that fit equally the first one is meant, or the one that --network names.
NETWORKS: tuple[Network, ...] = (
    _torchvision("alexnet", RECIPES["owt"], sized=_owt_sized),
    _caffe("bvlc_alexnet", "Caffe's bvlc_alexnet", "relu-lrn-pool"),
    _caffe("caffenet", "Caffe's CaffeNet (pooling before LRN)", "relu-pool-lrn"),
    *(_torchvision(name, OTHERS[name]) for name in ("vgg11", "vgg16", "resnet18")),
    _googlenet(),
)


def identify(
    file: WeightFile, network: str | None = None, recipe: Recipe | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Identified:  # fmt: skip
    """The network that a file's weights are of: `network` if it is named, or one of `recipe`, or
    of the recipe that the file itself names, else the one of `NETWORKS` that fits best.

    folder: where the file is, and the mean image that it may name.
    Raises CheckpointError, which names the tensor, if its weights are not those of the network.
    """
    if "recipe" in file.facts and "format" in file.facts:
        raise CheckpointError(
            "a checkpoint of `alexnet train`: evaluate, predict and train take it as it is"
        )
    arrays = _unwrapped({k: array for k, array in file.tensors.items() if k not in PIXELS})
    recipe = recipe or _own_recipe(file.facts)
    if recipe is not None and network is None:
        own = Network("", f"the network of the recipe {recipe.name}", recipe)
        return _fitted(own, arrays, file, folder)
    chosen = _chosen(arrays, file, network)
    found = _fitted(chosen, arrays, file, folder)
    told = network is not None or _pooled_first(file.facts) is not None
    return found if told else replace(found, note=chosen.note)


def _chosen(arrays: Arrays, file: WeightFile, network: str | None) -> Network:
    names = ", ".join(known.name for known in NETWORKS)
    if network is not None:
        for known in NETWORKS:
            if known.name == network:
                return known
        close = did_you_mean(network, [known.name for known in NETWORKS])
        raise CheckpointError(f"no network {network!r} is known: use one of {names}{close}")
    shares = [_share(known, arrays, file.source) for known in NETWORKS]
    if max(shares) > 0.1:  # ResNet-18 has a conv1.weight, too
        chosen = NETWORKS[shares.index(max(shares))]
        if chosen.name == "bvlc_alexnet" and _pooled_first(file.facts):
            return next(known for known in NETWORKS if known.name == "caffenet")
        return chosen
    if any(name.startswith("conv1.") for name in arrays):
        raise CheckpointError(
            "these may be the weights of a network of ours, and no tensor tells its LRN and its "
            "order of layers: give its recipe (--recipe NAME, or the recipe.json of its run)"
        )
    raise CheckpointError(
        f"none of the networks that are known here ({names}) has tensors of these names: "
        f"{', '.join(list(arrays)[:4])!s:.200}; give its recipe (--recipe), or another file"
    )


def _pooled_first(facts: Mapping[str, Any]) -> bool | None:
    """Does the file's order of layers have pool1 before norm1, as CaffeNet's? None if it has no
    order."""
    layers = facts.get("layers")
    names = [str(layer) for layer in layers] if isinstance(layers, list | tuple) else []
    if "pool1" not in names or "norm1" not in names:
        return None
    return names.index("pool1") < names.index("norm1")


def _share(network: Network, arrays: Arrays, source: str) -> float:
    """How much of the network's tensors and of the file's have the same names."""
    if network.sources and source not in network.sources:
        return 0.0
    held, expected = set(network.converted(arrays, source)), _names_of(network.recipe)
    return len(held & expected) / len(held | expected)


@functools.cache
def _names_of(recipe: Recipe) -> frozenset[str]:
    return frozenset(shapes_of(recipe, 1))


def _fitted(
    network: Network, arrays: Arrays, file: WeightFile, folder: str | os.PathLike[str] | None
) -> Identified:
    if network.sources and file.source not in network.sources:
        raise CheckpointError(
            f"{network.title} is known as {', '.join(network.sources)}, the file is {file.source}: "
            "give another --network, or its recipe (--recipe)"
        )
    arrays = {
        name: array for name, array in network.converted(arrays, file.source).items()
        if not name.startswith(network.extra)
    }  # fmt: skip
    recipe = network.sized(network.recipe, arrays)
    head = _head(recipe)
    classes = max(1, outputs_of(arrays, head.removesuffix(".weight")))
    try:
        shapes = shapes_of(recipe, classes)
    except RecipeError as error:
        raise CheckpointError(f"{network.title}: its recipe cannot be used: {error}") from error
    arrays = {
        name: arrays[name] for name in (*shapes, *arrays) if name in arrays
    } | {
        name: np.zeros((), np.int64)  # PyTorch counts since 0.4.1
        for name in shapes if name.endswith(COUNT) and name not in arrays
    }  # fmt: skip
    wrong = unfit(
        {name: Tensor(_outline(array)) for name, array in arrays.items()},
        {name: (np.int64 if name.endswith(COUNT) else np.float32, shape)
         for name, shape in shapes.items()},
    )  # fmt: skip
    if wrong:
        raise CheckpointError(f"not the weights of {network.title}: {wrong}")
    arrays = {name: array.astype(_plain(array.dtype), copy=False) for name, array in arrays.items()}
    # What is loaded is what was validated; there is no other set of weights to average.
    recipe = replace(recipe, average=0.0)
    said = _json(file.facts, "preprocessing")
    said = said if isinstance(said, dict) else {}
    image = _mean_image(recipe, said.get("mean_file"), folder)
    if image is not None:  # of the central crop, whatever the crop then is
        recipe = replace(recipe, mean="image-centre")
    pixels = _pixels(recipe, file, said) if image is None else image
    if not (np.isfinite(pixels.mean).all() and np.isfinite(pixels.axes).all()):
        raise CheckpointError("what it subtracts from pixels is no number, or too large a one")
    return Identified(
        network.title, recipe, arrays, _RESIZES.get(str(said.get("resize")), network.resize),
        pixels, _names(file.facts),
    )  # fmt: skip


_RESIZES = {"short side": "crop", "both sides": "squash"}  # as `alexnet export` says it


def _mean_image(
    recipe: Recipe, name: Any, folder: str | os.PathLike[str] | None
) -> PixelStatistics | None:
    """The mean image beside a file of ours, which is that of a central crop; None if there is none.

    Around it are zeros, which no central crop sees.
    """
    if folder is None or not isinstance(name, str) or not recipe.mean.startswith("image"):
        return None
    if os.path.basename(name) != name:
        raise CheckpointError(f"its mean image {name!r:.80} is not beside it")
    size, side = recipe.input_size, recipe.image_size
    advice = "it belongs to the weights: bring both from where they were exported"
    crop = read_array(Path(folder) / name, np.float32, (3, size, size), advice)
    mean = np.zeros((side, side, 3), np.float32)
    cut(mean, centre(side, size), size)[...] = crop.transpose(1, 2, 0)
    return PixelStatistics(mean, np.zeros((3, 3), np.float32))


def _pixels(recipe: Recipe, file: WeightFile, said: Mapping[str, Any]) -> PixelStatistics:
    """What is subtracted from pixels: the recipe's constant, or as the file says."""
    noiseless = replace(recipe, colour_noise="none")
    if not needs_statistics(noiseless):
        return pixel_statistics(noiseless, None)
    held = [file.tensors.get(key) for key in PIXELS]
    mean = said.get("mean")
    if held[0] is not None:
        mean = held[0]
    elif recipe.mean != "channel" or not _are_numbers(mean, 3):
        raise CheckpointError(
            f"the recipe {recipe.name} subtracts the mean of its training images ({recipe.mean}), "
            f"which the file does not hold ({PIXELS[0]}): give a recipe with a constant mean"
        )
    axes = np.zeros((3, 3)) if held[1] is None else held[1]
    with np.errstate(over="ignore"):
        found = PixelStatistics(np.asarray(mean, np.float32), np.asarray(axes, np.float32))
    side = recipe.image_size
    shape = (side, side, 3) if recipe.mean.startswith("image") else (3,)
    if found.mean.shape != shape or found.axes.shape != (3, 3):
        raise CheckpointError(f"{PIXELS[0]} has shape {found.mean.shape}, expected {shape}")
    return found


def _are_numbers(held: Any, count: int) -> bool:
    fine = isinstance(held, list) and len(held) == count
    return fine and all(isinstance(number, int | float) for number in held)


def _plain(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Of floats float32; others do not belong there, which is told later."""
    return np.dtype(np.float32) if dtype.kind == "f" else dtype


def _outline(array: NDArray[Any]) -> NDArray[Any]:
    """An array of its shape and of the dtype that it will have, without memory for its numbers: a
    constant of ONNX can have any size."""
    return np.broadcast_to(np.zeros((), _plain(array.dtype)), array.shape)


def _unwrapped(tensors: Mapping[str, NDArray[Any]]) -> Arrays:
    """The tensors without what wrappers put before all their names."""
    found = dict(tensors)
    while found:
        common = [p for p in PREFIXES if all(name.startswith(p) for name in found)]
        if not common:
            break
        found = {name.removeprefix(common[0]): array for name, array in found.items()}
    return found


def _own_recipe(facts: Mapping[str, Any]) -> Recipe | None:
    """The recipe that a file of ours names in its metadata."""
    text = _text(facts, "recipe")
    if text is None:
        return None
    try:
        return Recipe.from_json(text)
    except RecipeError as error:
        raise CheckpointError(f"its recipe cannot be used here: {error}") from error


def _names(facts: Mapping[str, Any]) -> dict[str, str] | None:
    """The classes that a file names, as a list or as JSON of one, with their readable names."""
    ids, names = _json(facts, "classes"), _json(facts, "names")
    if not isinstance(ids, list) or not ids or not all(isinstance(name, str) for name in ids):
        return None
    known = names if isinstance(names, dict) else {}
    return {name: str(known.get(name, name)) for name in ids}


def _json(facts: Mapping[str, Any], key: str) -> Any:
    """A fact that is a value, or JSON of one."""
    held = facts.get(key)
    try:
        return json_of(held) if isinstance(held, str) else held
    except SchemaError:
        return None


def _text(facts: Mapping[str, Any], key: str) -> str | None:
    held = facts.get(key)
    if isinstance(held, dict):
        return json.dumps(held)
    return held if isinstance(held, str) else None


def _head(recipe: Recipe) -> str:
    """The weights of the last layer."""
    last = list(shapes_of(recipe, 1))[-1]
    return last.rpartition(".")[0] + ".weight"


def _with(recipe: Recipe, **sizes: Any) -> Recipe:
    """The recipe with these sizes, as it is where they make no network."""
    try:
        return replace(recipe, **sizes)
    except RecipeError:
        return recipe
