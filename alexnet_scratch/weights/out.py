"""A run's network for other programs: its weights, and what they are worth nothing without."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.files import replacing
from minigrad.serialization import save_file

from ..data import DataError
from ..data.augment import centre, cut
from ..trained import Trained
from .pth_out import write_pth

ENDINGS = {"torch": ".pth", "safetensors": ".safetensors", "onnx": ".onnx"}


def write(network: Trained, path: Path, to: str, softmax: bool = False) -> list[Path]:
    """Write a network's weights in one of the formats of ENDINGS, and return the files written.

    A mean image that is taken off the pixels is written, too: into a file beside it, as `mean_file`
    in the notes says, and into safetensors as well, as `pixels.mean`, so that import has it.
    DataError for ONNX without the package that writes it, and for a name whose mean image is that
    of another network.
    """
    mean = mean_image(network)
    beside = None if mean is None else path.with_name(f"{path.stem}.mean.npy")
    data = b"" if mean is None else _npy(mean)
    if beside is not None and beside.exists() and beside.read_bytes() != data:
        raise DataError(
            f"{beside} is there already, the mean image of another network: give another name with "
            "--out FILE"
        )
    notes = notes_of(network, beside)
    state = {name: tensor.numpy() for name, tensor in network.model.state_dict().items()}
    if to == "torch":
        write_pth(path, state, {"alexnet.json": json.dumps(notes, indent=2)})
    elif to == "safetensors":
        pixels = network.pixels
        whole = {"pixels.mean": pixels.mean, "pixels.axes": pixels.axes} if beside else {}
        save_file({**state, **whole}, path, notes)
    else:
        _write_onnx(network, path, notes, softmax)
    if beside is None:
        return [path]
    with replacing(beside) as temporary, open(temporary, "wb") as file:
        file.write(data)
    return [path, beside]


def _npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _write_onnx(network: Trained, path: Path, notes: dict[str, str], softmax: bool) -> None:
    from minigrad.tools.onnx import OnnxError, export

    model: nn.Module = network.model
    if softmax:
        model = nn.Sequential({"network": model, "softmax": nn.Softmax(1)})
    size = network.recipe.input_size
    try:
        export(model, (3, size, size), path, notes)
    except (ImportError, OnnxError) as error:
        raise DataError(str(error)) from error


def mean_image(network: Trained) -> Any:
    """The mean image (3, S, S) that is subtracted from a central crop; None for a mean colour."""
    mean, size = network.pixels.mean, network.recipe.input_size
    if mean.ndim == 1:
        return None
    return np.ascontiguousarray(cut(mean, centre(len(mean), size), size).transpose(2, 0, 1))


def notes_of(network: Trained, mean_file: Path | None = None) -> dict[str, str]:
    """Texts for the file, each JSON: classes, readable names, preprocessing and the recipe, in
    which what was measured on the training images is a constant, where it is a colour."""
    recipe, mean = network.recipe, network.pixels.mean
    if mean.ndim == 1:
        red, green, blue = _colour(mean)
        recipe = replace(recipe, mean="constant", input_mean=(red, green, blue))
    held = {
        "classes": network.classes,
        "names": network.names,
        "preprocessing": preprocessing(network, mean_file),
    }
    return {
        **{key: json.dumps(value) for key, value in held.items()},
        "recipe": recipe.to_json(),
    }


def preprocessing(network: Trained, mean_file: Path | None = None) -> dict[str, Any]:
    """What is done to an image before the network sees it, as numbers by name."""
    recipe, mean = network.recipe, network.pixels.mean
    size = recipe.input_size
    return {
        "channels": "RGB",
        "layout": ["batch", 3, size, size],
        "resize": {"crop": "short side", "squash": "both sides"}[network.resize],
        "resize_to": recipe.image_size,
        "central_crop": size,
        "pixels": [0, 255],
        "mean": _colour(mean),
        **({} if mean_file is None else {"mean_file": mean_file.name}),
        "std": list(recipe.input_std),
    }


def described(network: Trained, mean_file: Path | None = None) -> str:
    """The preprocessing in a line for people."""
    facts = preprocessing(network, mean_file)
    size = facts["central_crop"]
    mean = facts.get("mean_file") or _numbers(facts["mean"])
    return (
        f"RGB from 0 to 255, {facts['resize']} to {facts['resize_to']}, the central {size} x "
        f"{size}, (pixel - {mean}) / {_numbers(facts['std'])}, as float32 (N, 3, {size}, {size})"
    )


def _colour(mean: Any) -> list[float]:
    """The mean of all pixels as numbers of float32, in no more digits than these have."""
    means = mean.reshape(-1, 3).mean(0, dtype=np.float64).astype(np.float32)
    return [float(str(one)) for one in means]


def _numbers(three: Any) -> str:
    return f"({', '.join(f'{number:g}' for number in three)})"
