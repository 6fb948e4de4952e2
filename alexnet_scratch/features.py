"""What a layer of a trained network gives for each image of a data set, and its file (npz)."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.data import DataLoader, Dataset
from minigrad.files import replacing
from minigrad.tools.text import format_bytes

from .data import DataError
from .data.disk import read_npy_header
from .data.image import check_plain
from .data.source import SPLITS
from .inside import activations
from .out_of_memory import free_memory
from .pixels import ToInput
from .progress import progress_bar
from .schema import as_given
from .trained import Trained, check_numbers
from .training.input import Splits, fitted, open_splits, pinned_for

# The entries of a file and the kinds of their numbers; U is text.
_KINDS = {
    "features": "f", "labels": "i", "names": "U", "splits": "U", "classes": "U", "layer": "U",
    "run": "U",
}  # fmt: skip

# What zipfile and NumPy raise for damage: OSError of a place before the file's beginning.
_UNREADABLE = (
    ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError,
)  # fmt: skip


@dataclass(frozen=True)
class Features:
    """The features of N images.

    features: (N, D) float32. labels: (N,) int64, places in `classes`. names: (N,), the images'
    files. splits: (N,), "train" or "val". classes: (C,), the data set's. layer, run: what gave
    them.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    names: NDArray[np.str_]
    splits: NDArray[np.str_]
    classes: NDArray[np.str_]
    layer: str
    run: str

    def of(self, split: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Features and labels of the images of a split."""
        chosen = self.splits == split
        return self.features[chosen], self.labels[chosen]


def central(network: Trained, root: str | os.PathLike[str]) -> Splits:
    """The splits of a data set of any classes, of each image the central crop."""
    whole = fitted(network.recipe, root, trained=True)
    recipe = replace(whole, crop="centre", flip=False, rotation=0.0, colour_jitter=0.0)
    return open_splits(root, recipe, trained=True)


def extract(
    network: Trained, splits: Splits, layers: Sequence[str], run: str, *, root: str = "",
    batch: int, workers: int = 2,
) -> tuple[list[Features], list[str]]:  # fmt: skip
    """The features of all images of both splits, for each of the layers; and why images that
    cannot be read are left out.

    splits: see `central`. run: what the file calls the network. root: the data set's folder, which
    names do without. batch: images computed at a time.
    Raises DataError for a layer that is not there and for features that the memory has no room
    for, and CheckpointError for features that are no numbers.
    """
    to_input = ToInput(network.recipe, network.pixels, network.device)
    parts: dict[str, list[NDArray[np.float32]]] = {layer: [] for layer in layers}
    labels: list[NDArray[np.int64]] = []
    names: list[str] = []
    of: list[str] = []
    skipped: list[str] = []
    sides: tuple[Dataset, Dataset] = (splits.train, splits.val)
    for split, images in zip(SPLITS, sides, strict=True):
        loader = DataLoader(images, batch, num_workers=workers, **pinned_for(network.device))
        with (
            closing(loader.batches(0)) as batches,  # type: ignore[type-var]
            progress_bar(f"features of {split}", len(images), unit="images") as bar,
        ):
            for crops, targets, *_ in batches:
                try:
                    found = activations(network.model, to_input(crops), layers)
                except ValueError as error:
                    raise DataError(str(error).partition(": ")[2]) from error
                if not labels:
                    _check_room(found, len(splits.train) + len(splits.val))
                for layer in layers:
                    parts[layer].append(found[layer].reshape(len(targets), -1))
                labels.append(targets.numpy())
                bar.update(len(targets))
        bad = {sample.index for sample in loader.skipped}
        skipped += [sample.reason for sample in loader.skipped]
        kept = [images.describe(i) for i in loader.order(0) if i not in bad]
        names += [name.removeprefix(os.path.join(root, "")) for name in kept]
        of += [split] * len(kept)
    made = []
    for layer in layers:
        features = np.concatenate(parts[layer]).astype(np.float32)
        check_numbers(features, run)
        made.append(Features(
            features, np.concatenate(labels), np.array(names), np.array(of),
            np.array(splits.classes), layer, run,
        ))  # fmt: skip
    return made, skipped


def _check_room(batch: dict[str, Any], images: int) -> None:
    """DataError where the features of all images, and those of a layer once more, do not fit."""
    widths = {layer: values[0].size for layer, values in batch.items()}
    needed, free = 4 * images * (sum(widths.values()) + max(widths.values())), free_memory()
    if free is None or needed <= free:
        return
    widest = max(widths, key=widths.__getitem__)
    raise DataError(
        f"{widths[widest]:,} features of {widest} for each of {images:,} images: "
        f"{', '.join(widths)} would take {format_bytes(needed)}, and {format_bytes(free)} are "
        "free: name another layer, or give fewer images"
    )


def save_features(features: Features, path: str | os.PathLike[str]) -> None:
    """Write the file: entries named as the fields of `Features`, which `numpy.load` reads."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        entries: dict[str, Any] = {name: np.asarray(getattr(features, name)) for name in _KINDS}
        np.savez(file, **entries)


def load_features(path: str | os.PathLike[str]) -> Features:
    """Read such a file. DataError for anything else; it takes no more memory than the file has
    bytes."""
    check_plain(path)
    size = os.stat(path).st_size
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                found = {name: _entry(archive, name, kind, size) for name, kind in _KINDS.items()}
        except _UNREADABLE as error:
            raise DataError(
                f"{path}: {as_given(str(error))}; expected a file of `alexnet features`"
            ) from error
    features = Features(**{**found, "layer": str(found["layer"]), "run": str(found["run"])})
    wrong = _unfit(features)
    if wrong:
        raise DataError(f"{path}: {wrong}; make it again with `alexnet features`")
    return features


def _entry(archive: zipfile.ZipFile, name: str, kind: str, most: int) -> Any:
    """An array of an npz file; ValueError for one of other bytes than its head says."""
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    if info.file_size > most:
        raise ValueError(f"{name} claims more bytes than the file has")
    data = io.BytesIO(archive.read(info))
    shape, fortran, dtype = read_npy_header(data)
    rest = data.getbuffer()[data.tell() :]
    count = 1
    for side in shape:
        count *= side
    if dtype.kind != kind or fortran or count * dtype.itemsize != len(rest):
        raise ValueError(f"{name} is {dtype} of shape {shape} in {len(rest)} bytes")
    return np.frombuffer(rest, dtype, count).reshape(shape)


def _unfit(found: Features) -> str | None:
    """What of a file does not go with the rest."""
    n, classes = len(found.labels), len(found.classes)
    if found.features.ndim != 2 or found.features.dtype != np.float32:
        return f"its features are {found.features.dtype} of shape {found.features.shape}"
    if not len(found.features) == len(found.names) == len(found.splits) == n:
        return "its features, labels, names and splits are not as many"
    if not set(found.splits.tolist()) <= set(SPLITS):
        return f"its splits are not {' and '.join(SPLITS)} alone"
    if classes < 2 or n == 0 or not 0 <= found.labels.min() <= found.labels.max() < classes:
        return f"its labels are not places in its {classes} classes"
    if not np.isfinite(found.features).all():
        return "its features are not all numbers"
    return None
