"""`alexnet doctor`: the installation, a data set, and a recipe before its first step."""

from __future__ import annotations

import argparse
import math
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

import minigrad as mg
from minigrad import arrays, no_grad
from minigrad.cuda import device, diagnosis
from minigrad.data import DataLoader
from minigrad.kernels.fast.parallel import get_num_threads
from minigrad.nn import functional as F

from ..data import DataError, patterns
from ..data.folder import ImageFiles
from ..data.packed import is_packed, open_packed
from ..data.source import SPLITS
from ..data.sources import open_folder
from ..names import one_line, short_names
from ..out_of_memory import free_memory
from ..progress import wrapped
from ..recipe import Recipe
from ..recipe.flags import add_recipe_flags, recipe_from
from ..signal_meter import LayerSignal, advice, measure, percent
from ..training.input import fitted, open_splits
from ..training.trainer import Trainer
from .common import add_device_flags, device_from

IMAGES = 32  # in the batch that is measured
OPTIONAL = {"jupyterlab": "the notebooks"}


def add_parser(commands: Any) -> None:
    """The flags of `alexnet doctor`."""
    parser = commands.add_parser(
        "doctor",
        help="check the installation, a data set, and whether a recipe will learn on it",
        examples=(
            "alexnet doctor                   # the installation, the drawn patterns",
            "alexnet doctor imagenette --recipe paper",
        ),
        usage="alexnet doctor [DATA] [--recipe NAME] [--device DEVICE] [flags]",
        description="Check the installation and a data set, then follow a batch of its images "
        "through the network as the recipe initialises it, and say where training would stall.",
    )
    parser.add_argument(
        "data", metavar="DATA", nargs="?", help="a prepared set or a folder [drawn patterns]"
    )
    parser.add_argument(
        "--recipe", help="a preset, or the recipe.json of a run [small]", metavar="NAME"
    )
    add_device_flags(parser)
    add_recipe_flags(parser)
    parser.set_defaults(command=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    recipe = recipe_from(options)
    _show("Installation", _installation())
    device = device_from(options)
    if options.data:
        _show(f"Data: {options.data}", _data(Path(options.data)))
    root = Path(options.data) if options.data else patterns.ensure()
    _signal(root, recipe, device, options)
    return 0


def _show(title: str, rows: Iterable[tuple[str, str]]) -> None:
    print(wrapped(one_line(title)))
    for name, value in rows:
        print(wrapped(f"  {name:<12} {one_line(value)}", " " * 15))
    print()


# ----- the installation -----


def _installation() -> Iterable[tuple[str, str]]:
    yield "Python", f"{platform.python_version()} on {platform.platform(terse=True)}"
    yield "minigrad", f"{mg.__version__}, {get_num_threads()} threads of {os.cpu_count()} cores"
    yield "NumPy", np.__version__
    for blas in threadpool_info():
        if blas["user_api"] == "blas":
            kernels = blas.get("architecture", "unknown")
            yield (
                "BLAS",
                f"{blas['internal_api']} {blas['version']} for {kernels}, "
                f"{blas['num_threads']} threads",
            )
    packages = diagnosis.cupy_packages().items()
    yield "CuPy", ", ".join(f"{name} {number}" for name, number in packages) or "not installed"
    yield from _gpus()
    for package, use in OPTIONAL.items():
        yield package, _installed(package) or f"not installed, only needed for {use}"
    free = free_memory()
    yield "memory", "unknown" if free is None else f"{_size(free)} free"
    yield "disk", f"{_size(shutil.disk_usage(Path.cwd()).free)} free here"


def _installed(*packages: str) -> str | None:
    """The version of the first of these that is installed."""
    for package in packages:
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return None


def _gpus() -> Iterable[tuple[str, str]]:
    problem = device.why_not()
    if problem:
        why = problem.removeprefix("device 'cuda' was asked for, but ")  # not by the doctor
        yield "GPU", f"none to be used: {why}"
        return
    cupy = arrays.array_module(arrays.to_device(np.zeros(1, np.float32), "cuda"))
    runtime = cupy.cuda.runtime
    yield (
        "CUDA",
        f"driver for {_cuda(runtime.driverGetVersion())}, "
        f"runtime {_cuda(runtime.runtimeGetVersion())}",
    )
    for index in range(runtime.getDeviceCount()):
        with cupy.cuda.Device(index):
            free, total = runtime.memGetInfo()
        name = runtime.getDeviceProperties(index)["name"].decode()
        yield f"cuda:{index}", f"{name}, {_size(free)} of {_size(total)} free"
    found = diagnosis.diagnosis(diagnosis.look())
    if found:  # it works, but
        yield "advice", found


def _cuda(number: int) -> str:
    """13000 -> "13.0"."""
    return f"{number // 1000}.{number % 1000 // 10}"


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


# ----- the data -----


def _data(root: Path) -> Iterable[tuple[str, str]]:
    yield from _prepared(root) if is_packed(root) else _folder(root)


def _prepared(root: Path) -> Iterable[tuple[str, str]]:
    packed = open_packed(root)
    yield "layout", f"a prepared set, from {packed.source} ({packed.layout})"
    side = packed.image_size
    yield "images", f"{side} x {side} pixels, {_size(sum(packed.counts.values()) * side**2 * 3)}"
    for split in SPLITS:
        yield split, _counts(packed.images(split, None).targets, list(packed.names.values()))
    statistics = packed.statistics
    yield "mean", f"{_rgb(statistics.channel_mean_0_255)} red, green, blue (0-255)"
    yield "deviation", _rgb(statistics.channel_std_0_255)
    packed.verify()
    yield "checksum", "right"


def _folder(root: Path) -> Iterable[tuple[str, str]]:
    source = open_folder(root)
    kind = "a folder of images" if source.layout == "folder" else f"a folder, {source.layout}"
    yield "layout", f"{kind}; `alexnet prepare` makes one that loads faster"
    names = list(source.classes.values())
    yield "train", _counts(ImageFiles(source, "train", None).targets, names)
    if "val" in source.folders:
        yield "val", _counts(ImageFiles(source, "val", None).targets, names)
    else:
        yield "val", "none: a share of the training images is held out (--val-fraction)"
    for note in source.notes:
        yield "note", note
    if source.left_out:
        yield "left out", f"{sum(one.files for one in source.left_out)} files"


def _rgb(values: Any) -> str:
    return " ".join(f"{value:.1f}" for value in values)


def _counts(targets: Any, names: list[str]) -> str:
    classes = short_names(names)
    counts = np.bincount(np.asarray(targets, np.int64), minlength=len(classes))
    least, most = int(counts.argmin()), int(counts.argmax())
    text = f"{counts.sum():,} images of {len(classes)} classes"
    if counts[least] == counts[most]:
        return f"{text}, {counts[least]:,} of each"
    return (
        f"{text}, from {counts[least]:,} ({classes[least]}) to {counts[most]:,} ({classes[most]})"
    )


# ----- the signal -----


def _signal(root: Path, recipe: Recipe, device: str, options: argparse.Namespace) -> None:
    """Print what the network does with a batch before the first step."""
    recipe = fitted(recipe, root, getattr(options, "image_size", None))
    splits, workers = open_splits(root, recipe), options.workers
    with tempfile.TemporaryDirectory() as folder:  # of a run that never begins
        start = Trainer(Path(folder), recipe, splits, {}, device=device, workers=workers)
    loader = DataLoader(splits.train, IMAGES, shuffle=True, num_workers=workers, seed=recipe.seed)
    # Not the first epoch's batch: LSUV has fitted the network to that one.
    with closing(loader.batches(1)) as batches:  # type: ignore[type-var]
        images, labels, places = next(batches)
    for skipped in loader.skipped:
        print(f"Skipped, cannot be read: {one_line(skipped.reason)}", file=sys.stderr)
    if len(images) < 2:
        raise DataError(f"{root}: only one image can be read, expected at least 2 to compare")
    x = start.to_input(images, places.data)
    signals = measure(start.model, x)
    with no_grad():
        logits = start.model.train()(x)
        loss = F.cross_entropy(logits, labels.data, label_smoothing=recipe.label_smoothing).item()
    data = options.data or "drawn patterns"
    title = f"Signal at initialisation: recipe {recipe.name}, {len(images)} images of {data}"
    print(wrapped(one_line(title)))
    _table(signals)
    classes, last = len(splits.classes), signals[-1]
    print(
        f"\n  Logits: standard deviation {last.std:.2g}; the image moves them by "
        f"{last.image_rms:.2g}."
        f"\n  Initial loss: {loss:.3f}; guessing gives ln({classes}) = {math.log(classes):.3f}.\n"
    )
    found = advice(signals, loss, classes, recipe)
    found = found or ["Fine: nothing in this start speaks against learning."]
    print("\n\n".join(wrapped(text, "") for text in found))


def _table(signals: list[LayerSignal]) -> None:
    width = max(len(layer.name) for layer in signals)
    print(f"\n  {'layer':<{width}}      rms  by the image  dead units")
    for layer in signals:
        dead = "" if layer.dead is None else percent(layer.dead)
        share = percent(layer.image_share)
        print(f"  {layer.name:<{width}} {layer.rms:8.3g} {share:>13} {dead:>11}".rstrip())
    print("  rms: of a layer's output, the part of it that differs from image to")
    print("  image, and the share of its units that are 0 for every image")
