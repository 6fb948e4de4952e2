"""Sets in many files of one kind, as train-00000-of-00005.parquet: which are of which split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..image import DataError, some
from ..source import Item, LeftOut
from ..splits import word_of_split
from .tree import Found, Place, Tree, found
from .within import TEST_NOTE

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MOST = 100_000  # files of a pattern
_OF = re.compile(r"-of-(\d{1,6})(?!\d)")


class Shards(NamedTuple):
    """The files of each split, "train" and "val"; which are not used, and why; notes.

    partial: are some of them missing, or not wanted?
    """

    files: dict[str, list[str]]
    left_out: list[LeftOut]
    notes: list[str]
    partial: bool

    def split_of(self) -> dict[str, str]:
        """File -> its split."""
        return {file: split for split, files in self.files.items() for file in files}


def choose_shards(names: Iterable[str], where: object, first: int | None) -> Shards:
    """The splits of files that are named by them, as val/0001.tar is; the `first` of each.

    All are for training where none is named; those for testing serve as validation where nothing
    else does. DataError, which says `where`, for no training files, and for those of two sets.
    """
    by_split: dict[str, list[str]] = {}
    for name in sorted(names):
        by_split.setdefault(word_of_split(name) or "", []).append(name)
    if set(by_split) == {""}:
        by_split = {"train": by_split[""]}
    if "train" not in by_split or "" in by_split:
        told = some([found[0] for found in by_split.values()])
        raise DataError(
            f"{where}: cannot tell which files are for training, of {told}; name them train-..., "
            "validation-... or test-..., or give those of one split alone"
        )
    sets = sorted({_set_of(name) for name in by_split["train"]})
    if len(sets) > 1:
        raise DataError(
            f"{where} holds several sets, in {some([one or 'itself' for one in sets])}: give the "
            "folder of one"
        )
    val = "val" if "val" in by_split else "test"
    files = {"train": by_split.pop("train")}
    if val in by_split:
        files["val"] = [name for name in by_split.pop(val) if _set_of(name) in sets]
    notes = [TEST_NOTE] * (val == "test" and "val" in files)
    left_out = [
        LeftOut(name, f"a {split} shard that is not used")
        for split, others in by_split.items() for name in others
    ]  # fmt: skip
    partial = False
    for split, there in files.items():
        total = max((int(of[1]) for name in there if (of := _OF.search(name))), default=0)
        if len(there) < total:
            notes.append(f"{len(there)} of {total} {split} shards are there")
            partial = True
        if first is not None and len(there) > first:
            files[split] = there[:first]
            left_out += [LeftOut(n, f"not of the first {first}") for n in there[first:]]
            partial = True
    return Shards(files, left_out, notes, partial)


def found_in_shards(
    tree: Tree, layout: str, items: Sequence[Item], positions: Sequence[int],
    known: Iterable[str], shards: Shards, where: str, label_files: Sequence[int] = (),
    labels: tuple[str, ...] = (),
) -> Found:  # fmt: skip
    """What is found where items[i] is the file positions[i] of the tree.

    known: the ids of classes that there should be. Of some shards, classes that have no images for
    training, or none for validation where others have, are left out; they are named.
    """
    splits = {one.split for one in items}
    classes = {split: {one.class_id for one in items if one.split == split} for split in splits}
    if "train" not in classes:
        raise DataError(f"{where}: no images for training; get its shards anew")
    both = set.intersection(*classes.values())
    missing = sorted(set(known).union(*classes.values()) - both) if shards.partial else []
    missing = missing or sorted(set(known).difference(*classes.values()))
    notes = list(shards.notes)
    if missing:
        what = " or".join(f" {split}" for split in sorted(splits))
        notes.append(
            f"{len(missing)} class{'es' * (len(missing) != 1)} left out, without{what} images in "
            f"these shards: {some(missing)}"
        )
    gone = set(missing)
    places = [
        Place(item, position)
        for item, position in zip(items, positions, strict=True)
        if item.class_id not in gone
    ]
    if not places:
        raise DataError(f"{where}: no class has images for training and validation: take more")
    train, val = ([p for p in places if p.item.split == split] for split in ("train", "val"))
    folders = {"train": ""} | ({"val": ""} if val else {})
    return found(
        tree, layout, train, val, folders=folders, notes=notes, labels=labels,
        label_files=label_files,
    )  # fmt: skip


def expanded(pattern: Path) -> list[str] | None:
    """The names that shard-{000..009}.tar stands for; None where there is no such pattern in it.

    DataError for a file of them that is not there.
    """
    name = pattern.name
    braces = _BRACES.search(name)
    if braces is None:
        return None
    first, last = int(braces[1]), int(braces[2])
    if not 0 <= last - first < _MOST:
        raise DataError(f"{pattern}: {braces[0]} stands for no files, or for more than {_MOST}")
    width = len(braces[1]) if braces[1].startswith("0") else 1
    names = [
        f"{name[: braces.start()]}{number:0{width}d}{name[braces.end() :]}"
        for number in range(first, last + 1)
    ]
    missing = [one for one in names if not (pattern.parent / one).is_file()]
    if missing:
        raise DataError(
            f"{pattern}: no such file: {some(missing, 2)}; get it, or narrow the pattern"
        )
    return names


def _set_of(name: str) -> str:
    """The folder that a shard's set is in: not one that is named as a split."""
    parts = name.split("/")[:-1]
    return "/".join(part for part in parts if word_of_split(part) is None)
