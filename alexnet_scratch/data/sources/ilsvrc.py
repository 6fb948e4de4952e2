"""ILSVRC2012 as it is downloaded: a tar of class tars, a flat tar, and the development kit.

The kit counts the classes in an order of its own (ILSVRC2012_ID); everybody since Caffe sorts the
WordNet ids. The ids are what is used here.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..image import DataError
from .mat import load_mat
from .tree import Found, Place, Tree, class_images, find_file, flat_images, found, read_lines

TRAIN, VAL = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"
DEVKIT = "ILSVRC2012_devkit_t12.tar.gz"
META, TRUTH = "data/meta.mat", "data/ILSVRC2012_validation_ground_truth.txt"
_CLASS_FILE = re.compile(r"n\d{8}_")
_NUMBER = re.compile(r"\d{1,9}")
_VAL_FILE = re.compile(r"ILSVRC2012_val_(\d{1,9})\.jpe?g", re.IGNORECASE)


def archives(folder: Path) -> list[tuple[Path, str]]:
    """The archives of ILSVRC2012 in a folder, each with its place in the tree: its own name."""
    there = [name for name in (TRAIN, VAL, DEVKIT) if (folder / name).is_file()]
    return [(folder / name, f"{name}/") for name in there] if {TRAIN, VAL} & set(there) else []


def find(tree: Tree) -> Found | None:
    """The downloaded archives; without the kit the training images alone, without names.

    DataError for validation images without the kit, which holds their classes, or without
    training images.
    """
    has = {name for name in (TRAIN, VAL, DEVKIT) if _any(tree, f"{name}/")}
    if not has:
        if _any(tree, "ILSVRC2012_val_") and not _one_class(tree):
            raise DataError(
                f"{tree.path}: the classes of these images stand in {DEVKIT}: put it, {VAL} and "
                f"{TRAIN} into one folder, and give that"
            )
        return None
    if VAL in has and DEVKIT not in has:
        raise DataError(
            f"{tree.path}: {DEVKIT} is needed: it holds the classes of the images in {VAL}; "
            "download it, too, or move that file away"
        )
    if TRAIN not in has:
        raise DataError(f"{tree.path}: {TRAIN} is missing; download it to this folder")
    synsets = _synsets(tree) if DEVKIT in has else {}
    train = class_images(tree, f"{TRAIN}/", "train")
    val = _val_images(tree, synsets) if VAL in has else []
    folders = {"train": f"{TRAIN}/"} | ({"val": f"{VAL}/"} if val else {})
    return found(
        tree, "ilsvrc2012", train, val, dict(synsets.values()), folders=folders,
        labels=(f"{DEVKIT}/",),
    )  # fmt: skip


def _one_class(tree: Tree) -> bool:
    """Is this one class folder of a sorted set, which has images of these names, too?"""
    id_of = _CLASS_FILE.match
    return bool(id_of(f"{tree.path.resolve().name}_")) or any(map(id_of, tree.names))


def _val_images(tree: Tree, synsets: dict[int, tuple[str, str]]) -> list[Place]:
    truth = read_lines(tree, _kit_file(tree, TRUTH))

    def class_of(file: str) -> str | None:
        match = _VAL_FILE.fullmatch(file)
        line = int(match[1]) if match else 0
        if not 1 <= line <= len(truth) or not _NUMBER.fullmatch(truth[line - 1].strip()):
            return None
        return synsets.get(int(truth[line - 1]), (None,))[0]

    return flat_images(tree, f"{VAL}/", class_of)


def _synsets(tree: Tree) -> dict[int, tuple[str, str]]:
    """ILSVRC2012_ID -> (class id, words) of the leaves; others group them and have no images."""
    data = tree.read(_kit_file(tree, META))
    try:
        return {
            int(row["ILSVRC2012_ID"].item()): (str(row["WNID"]), str(row["words"]))
            for row in load_mat(data)["synsets"]
            if int(row["num_children"].item()) == 0
        }
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise DataError(
            f"{tree.path}/{DEVKIT}: {META} cannot be read ({type(error).__name__}: {error}); "
            "download it again"
        ) from error


def _kit_file(tree: Tree, name: str) -> int:
    position = find_file(tree, name)
    if position is None:
        raise DataError(f"{tree.path}/{DEVKIT}: no {name} in it; download it again")
    return position


def _any(tree: Tree, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in tree.names)
