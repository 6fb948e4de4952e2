"""WebDataset: tars in which the files of a sample stand side by side, 000017.jpg and 000017.cls.

A sample's key is the path up to the first dot of the file's name. The label is a number or a name,
in KEY.cls, or in KEY.json as "label". Names of numbered classes may stand in classnames.txt or
classes.txt, a line each, in the tar or beside the shards.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from ...schema import SchemaError, json_of
from ..image import DataError, check_plain, some
from .archive import tar_index
from .folder import FolderTree, read_part
from .packing import unpacker
from .shards import Shards, choose_shards, found_in_shards
from .tars_in_folder import TarsInFolder
from .tree import (
    CLASS_TAR,
    MAX_TEXT,
    Found,
    Tree,
    find_file,
    has_image_ending,
    in_class_folders,
    lines,
    read_lines,
)
from .within import Labelled, class_id, class_ids, ids_of_names, named

_NAMES = ("classnames.txt", "classes.txt")
_LABEL_KEYS = ("label", "class", "cls")
_MOST = 1 << 16  # bytes of a file with one label


class _Sample(NamedTuple):
    """Where the files of a sample stand in the tree's names; -1 for one that is not there."""

    image: int
    label: int


def with_shards(tree: FolderTree, first: int | None = None) -> FolderTree | TarsInFolder:
    """The folder with its shards opened, the `first` of each split; as it is without any."""
    tars = sorted(n for n in tree.names if n.endswith(".tar") and not _is_class_tar(n))
    if not tars or in_class_folders(tree):
        return tree
    path = os.path.join(tree.path, tars[0])
    if unpacker(read_part(path, 0, min(6, check_plain(path)))) is not None:
        return tree
    inner = [name for name, *_ in tar_index(path, [])]
    if not _samples(inner, of_json=True):
        return tree
    shards = choose_shards(tars, tree.path, first)
    for one in shards.left_out:
        tree.leave_out([one.name], one.reason)
    return TarsInFolder(tree, sorted(shards.split_of()), shards)


def find(tree: Tree) -> Found | None:
    """The samples of a tar, or of the tars in a folder.

    DataError for labels that are no labels, and numbers without a name where there are names.
    """
    if not any(name.endswith((".cls", ".json")) for name in tree.names):
        return None
    shards = getattr(tree, "shards", None)
    samples = _samples(tree.names, shards is not None or not in_class_folders(tree))
    whole = {key: one for key, one in samples.items() if min(one) >= 0}
    if not whole:
        return None
    shards = shards or Shards({"train": [""]}, [], [], False)
    split_of = {name.removesuffix(".tar"): split for name, split in shards.split_of().items()}
    labels = {key: _label(tree, sample.label) for key, sample in whole.items()}
    ids, known = _class_ids(tree, labels)
    images = [
        Labelled(
            _split(key, split_of), ids[key], tree.names[one.image].rpartition("/")[2],
            tree.names[one.image],
        )
        for key, one in whole.items()
    ]  # fmt: skip
    halves = sorted(key for key, one in samples.items() if min(one) < 0)
    if halves:
        shards.notes.append(
            f"{len(halves)} samples without an image or a label are left out: {some(halves, 3)}"
        )
    positions = [one.image for one in whole.values()]
    shown = set(positions)
    beside = [i for i, n in enumerate(tree.names) if _key(n)[0] in whole and i not in shown]
    return found_in_shards(
        tree, "webdataset", named(images), positions, known, shards, str(tree.path), beside,
        tuple(name for name in tree.names if name.rpartition("/")[2] in _NAMES),
    )  # fmt: skip


def _samples(names: list[str], of_json: bool) -> dict[str, _Sample]:
    """Key -> sample, of all with an image and of all with a label; a .cls goes before a .json."""
    found: dict[str, _Sample] = {}
    nothing, images, json = _Sample(-1, -1), False, {}
    for position, name in enumerate(names):
        key, ending = _key(name)
        if ending == "cls":
            found[key] = found.get(key, nothing)._replace(label=position)
        elif ending == "json" and of_json:
            json[key] = position
        elif has_image_ending(f".{ending}") and "." not in ending:
            found[key] = found.get(key, nothing)._replace(image=position)
            images = True
    if not images:
        return {}
    if any(one.label >= 0 for one in found.values()):
        return found
    for key in found.keys() & json.keys():
        found[key] = found[key]._replace(label=json[key])
    return found if any(one.label >= 0 for one in found.values()) else {}


def _key(name: str) -> tuple[str, str]:
    """The key of a file's sample, and the rest of its name, such as "jpg"."""
    above, slash, file = name.rpartition("/")
    stem, _, ending = file.partition(".")
    return above + slash + stem, ending.lower()


def _label(tree: Tree, position: int) -> int | str:
    """What a .cls or a .json says."""
    name = tree.names[position]
    where = f"{tree.path}: {name}"
    if tree.size(position) > _MOST:
        raise DataError(f"{where}: more than {_MOST} bytes, expected a label; get it anew")
    text = tree.read(position).decode("utf-8", "replace").strip()
    value: Any = text
    if name.endswith("json"):
        try:
            held = json_of(text)
        except SchemaError as error:
            raise DataError(f"{where}: {error}; get it anew") from error
        if isinstance(held, dict):
            value = next((held[key] for key in _LABEL_KEYS if key in held), None)
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) < 10:
        value = int(value)
    if not isinstance(value, int | str) or isinstance(value, bool) or value == "":
        raise DataError(f"{where}: no label in it: expected a number or a name; get it anew")
    if isinstance(value, str) and ("\n" in value or len(value) > 200):
        raise DataError(f"{where}: no label but a text of {len(value)} letters; get it anew")
    return value


def _class_ids(tree: Tree, labels: dict[str, int | str]) -> tuple[dict[str, str], list[str]]:
    """The class id of each sample, and of the classes that have names."""
    numbers = {label for label in labels.values() if isinstance(label, int)}
    if numbers and len(numbers) < len(set(labels.values())):
        texts = sorted(label for label in set(labels.values()) if isinstance(label, str))
        raise DataError(
            f"{tree.path}: some labels are numbers and some are names, {some(texts, 2)}: make them "
            "alike"
        )
    if not numbers:
        return {key: class_id(str(label)) for key, label in labels.items()}, []
    names = _names(tree)
    ids = class_ids(numbers, names, tree.path)
    return {key: ids[label] for key, label in labels.items() if isinstance(label, int)}, names


def _names(tree: Tree) -> list[str]:
    """The ids of the names in classnames.txt, the nearest to the root, or beside what is read."""
    beside = tree.path if tree.path.is_dir() else tree.path.parent
    for name in _NAMES:
        position = find_file(tree, name)
        if position is not None:
            found = read_lines(tree, position)
        elif (beside / name).is_file():
            with open(beside / name, "rb") as file:
                found = lines(file.read(MAX_TEXT + 1), str(beside / name))
        else:
            continue
        while found and not found[-1].strip():
            found.pop()
        return ids_of_names(found, name)
    return []


def _split(key: str, split_of: dict[str, str]) -> str:
    """The split of the shard that a key is in."""
    while key and key not in split_of:
        key = key.rpartition("/")[0]
    return split_of.get(key, "train")


def _is_class_tar(name: str) -> bool:
    return CLASS_TAR.fullmatch(name.rpartition("/")[2]) is not None
