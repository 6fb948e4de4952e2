"""ImageNet as Kaggle has it: ILSVRC/Data/CLS-LOC, with the labels in CSV files above."""

from __future__ import annotations

import csv
from pathlib import PurePosixPath

from ..image import DataError
from .tree import (
    MAX_TEXT,
    Found,
    Place,
    Tree,
    class_images,
    find_file,
    flat_images,
    folders_of,
    found,
    lines,
    read_lines,
)

DATA = "Data/CLS-LOC/"
LABELS, SYNSETS = "LOC_val_solution.csv", "LOC_synset_mapping.txt"


def find(tree: Tree) -> Found | None:
    """Kaggle's tree: its ROOT, the ILSVRC folder in it, or an archive of one.

    The two lists are looked for in the tree and in the folder that holds it.
    DataError for validation images without LOC_val_solution.csv.
    """
    root = _root(tree)
    if root is None:
        return None
    words = {}
    for line in _lines(tree, SYNSETS) or []:  # n01440764 tench, Tinca tinca
        class_id, _, text = line.partition(" ")
        words[class_id] = text.strip()
    train = class_images(tree, f"{root}train/", "train")
    val = _val_images(tree, f"{root}val/")
    folders = {"train": f"{root}train/", "val": f"{root}val/"}
    above = root.removesuffix(DATA)
    return found(
        tree, "kaggle", train, val, words,
        folders=folders if val else {"train": folders["train"]},
        labels=(*(f"{above}{name}" for name in ("Annotations/", "ImageSets/")), *_tables(tree)),
    )  # fmt: skip


def _tables(tree: Tree) -> list[str]:
    """Kaggle's lists, "LOC_val_solution.csv" and others."""
    return [name for name in tree.names if PurePosixPath(name).name.startswith("LOC_")]


def _val_images(tree: Tree, folder: str) -> list[Place]:
    there = folders_of(tree)(folder)
    if there.folders:  # sorted into class folders by one of the usual scripts
        return class_images(tree, folder, "val")
    class_of = _labels(_lines(tree, LABELS) or [])
    if there.images and not class_of:
        raise DataError(
            f"{tree.path}: no {LABELS} with the classes of the images in {folder}; put it beside "
            "the ILSVRC folder"
        )
    return flat_images(tree, folder, lambda file: class_of.get(PurePosixPath(file).stem))


def _root(tree: Tree) -> str | None:
    """The path of CLS-LOC/ in the tree."""
    for name in tree.names:
        above, there, _ = name.partition(f"{DATA}train/")
        if there and (not above or above.endswith("/")):
            return above + DATA
    return None


def _lines(tree: Tree, name: str) -> list[str] | None:
    position = find_file(tree, name)
    if position is not None:
        return read_lines(tree, position)
    beside = tree.path.resolve().parent / name
    if not beside.is_file():
        return None
    with open(beside, "rb") as file:
        return lines(file.read(MAX_TEXT + 1), str(beside))


def _labels(table: list[str]) -> dict[str, str]:
    """ImageId -> class id; PredictionString is "n03995372 85 1 499 272", repeated per box.

    DataError for a damaged table.
    """
    try:
        return {
            row["ImageId"]: row["PredictionString"].split()[0]
            for row in csv.DictReader(table)
            if row.get("ImageId") and (row.get("PredictionString") or "").strip()
        }
    except csv.Error as error:
        raise DataError(f"{LABELS}: damaged ({error}); download it again") from error
