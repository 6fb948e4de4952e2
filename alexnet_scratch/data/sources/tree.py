"""A tree of files, in a folder or an archive, and the data set in it.

A layout is a function from a tree to what it found, or None where it does not fit: here that of
class folders, and the pieces that the others share.
"""

from __future__ import annotations

import codecs
import os
import re
import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple, Protocol

from .. import image
from ..image import EXTENSIONS, BadImageError, DataError, not_an_image, some
from ..source import Item, LeftOut
from ..splits import Children, DataFolders, find_data, same_names, split_of
from .names import WORDS

KNOWN = (
    "a folder of class folders (ROOT/CLASS/*.jpg, or ROOT/train/CLASS/*.jpg with "
    "ROOT/val/CLASS/*.jpg); a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz of one, such as "
    "ImageNette's; the folder of ILSVRC2012_img_train.tar, or of its class tars; Kaggle's ILSVRC "
    "folder; Tiny ImageNet; Hugging Face's parquet files; WebDataset's tars; CIFAR-10 and "
    "CIFAR-100; or MNIST's idx files"
)
MAX_DEPTH = 64  # folders in one another
MAX_TEXT = 16 << 20  # bytes of a list of labels or names: ImageNet's longest has 3 MB
ARCHIVE_ENDINGS = (
    ".zip", ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz",
)  # fmt: skip
# What systems and programs add to folders and nobody misses.
_LEAVINGS = (
    "__MACOSX", "Icon\r", ".DS_Store", ".Trashes", ".fseventsd", ".Spotlight-V100", "Thumbs.db",
    "desktop.ini", ".directory", ".ipynb_checkpoints", ".git", ".gitignore", ".gitkeep",
    ".gitattributes", "@eaDir", "lost+found",
)  # fmt: skip
CLASS_TAR = re.compile(r"n\d{8}\.tar")  # one class of ILSVRC2012_img_train.tar
WORDNET_ID = re.compile(r"n\d{8}")
_BEFORE = re.compile(r"([^\W_]+)[._-]")  # what may be the class in a flat file's name


class Tree(Protocol):
    """Files below a folder or in an archive.

    path: what was opened. names: paths below it with "/" between the parts, those of folders with
    a "/" at the end, in no order; what `hidden` tells is left out. passed: what is not in `names`
    and is no leaving of a system.
    """

    path: Path
    names: list[str]
    passed: list[LeftOut]
    in_files: bool  # are these plain files below a folder?

    def read(self, position: int) -> bytes:
        """The bytes of the file names[position]; any thread may call it. BadImageError without."""

    def size(self, position: int) -> int:
        """How many bytes the file names[position] has. BadImageError without."""

    def part(self, position: int, offset: int, size: int) -> bytes:
        """So many bytes within that file from `offset` on; as `read`."""

    def close(self) -> None:
        """Close what is open."""


class Place(NamedTuple):
    """An image, and where it stands in the tree's names."""

    item: Item
    position: int


class Found(NamedTuple):
    """What a layout made of a tree; as in `Source`.

    tree: in whose names the places are; another than the layout was given, where the images stand
    within files. labels: what begins the names of files that say which image is of which class.
    label_files: where such files stand in the tree's names.
    """

    tree: Tree
    layout: str
    classes: dict[str, str]
    places: list[Place]
    folders: dict[str, str]
    notes: list[str]
    labels: tuple[str, ...]
    label_files: Sequence[int] = ()


class TreeSource:
    """The `Source` of what a layout found in a tree."""

    def __init__(self, found: Found) -> None:
        tree = found.tree
        self.layout = found.layout
        self.classes = found.classes
        self.folders, self.notes = found.folders, found.notes
        self.left_out = _left_out(tree, found)
        self.items = [place.item for place in found.places]
        self._positions = array("q", (place.position for place in found.places))
        self._tree = tree

    def read(self, item: Item) -> bytes:
        """The file's bytes; any thread may call it. BadImageError if they cannot be read."""
        return self._tree.read(self._position(item))

    @property
    def path(self) -> Path:
        """What was opened."""
        return self._tree.path

    @property
    def in_files(self) -> bool:
        """Is each image a file of a folder?"""
        return self._tree.in_files

    def file(self, item: Item) -> str:
        """The path of an item's file, in a folder; of an image within a file, as if it had one."""
        return os.path.join(self._tree.path, self._tree.names[self._position(item)])

    def close(self) -> None:
        """Close what is open."""
        self._tree.close()

    def _position(self, item: Item) -> int:
        index = bisect_left(self.items, item)
        if index == len(self.items) or self.items[index] != item:
            raise KeyError(item)
        return self._positions[index]


def hidden(part: str) -> bool:
    """Is a file or folder of this name left out? Such as what a Mac adds to a zip."""
    return part.startswith(".") or part in _LEAVINGS


def is_leaving(part: str) -> bool:
    """Did a system or a program leave this hidden file or folder, so that nobody misses it?"""
    return part in _LEAVINGS or part.startswith("._")


def class_folders(tree: Tree) -> Found:
    """ROOT/train/CLASS with ROOT/val/CLASS, or ROOT/CLASS; in a folder of its own or not.

    Raises DataError for a tree without class folders, a class without images, a split that is
    there twice, and a val folder without class folders.
    """
    children = _not_empty(tree)
    data = find_data(children, tree.path, f"expected {KNOWN}")
    if "train" not in data.splits:
        train = class_images(tree, data.root, "train")
        return found(tree, "folder", train, [], folders={"train": data.root}, notes=data.notes)
    folder = data.splits["train"]
    if not children(folder).folders:
        raise _no_classes(tree, folder)
    train = class_images(tree, folder, "train")
    folders, notes = {"train": folder}, list(data.notes)
    split = _val_split(tree, children, data)
    val = class_images(tree, data.splits[split], "val") if split else []
    if split == "test":
        notes.append(f"{data.splits[split]} serves as validation: it also chooses the best epoch")
    if split:
        folders["val"] = data.splits[split]
        val = _renamed(tree, train, val, folders, notes)
    return found(tree, "folder", train, val, folders=folders, notes=notes)


def only_classes(tree: Tree) -> Found:
    """ROOT/CLASS alone, whatever the class folders are called."""
    _not_empty(tree)
    return found(tree, "folder", class_images(tree, "", "train"), [], folders={"train": ""})


def _not_empty(tree: Tree) -> Callable[[str], Children]:
    """See `folders_of`. DataError for a tree without folders."""
    if not tree.names:
        what = "empty folder" if tree.path.is_dir() else "empty"
        raise DataError(f"{what}: {tree.path}; expected {KNOWN}")
    children = folders_of(tree)
    if not children("").folders:
        raise _no_classes(tree, "")
    return children


def _val_split(tree: Tree, children: Callable[[str], Children], data: DataFolders) -> str | None:
    """ "val", or "test" where that is the one with class folders, or None."""
    for split in ("val", "test"):
        if split not in data.splits:
            continue
        folder = data.splits[split]
        there = children(folder)
        if there.folders:
            return split
        # Unlabelled test images are common and not for us; val images are meant to be used.
        if there.files and split != "test":
            raise DataError(
                f"{tree.path}: {folder.rstrip('/')} holds images without class folders, so that "
                "their classes are unknown; give the folder above it with the labels; "
                f"expected {KNOWN}"
            )
    return None


def _renamed(
    tree: Tree, train: list[Place], val: list[Place], folders: Mapping[str, str], notes: list[str]
) -> list[Place]:
    """The validation images, their classes written as the training images' are."""
    ids = [dict.fromkeys(place.item.class_id for place in places) for places in (train, val)]
    paths = [f"{tree.path}/{folders[split]}".rstrip("/") for split in ("train", "val")]
    same = same_names(paths[0], ids[0], paths[1], ids[1])
    other = {name: to for name, to in same.items() if name != to}
    if not other:
        return val
    names = some(sorted(other.values()))
    notes.append(f"classes written in two forms of Unicode, taken for the same: {names}")
    renamed = []
    for item, position in val:
        to = other.get(item.class_id, item.class_id)
        file = item.name[len(item.class_id) :]
        renamed.append(Place(Item(item.split, to, to + file), position))
    return renamed


def _no_classes(tree: Tree, folder: str) -> DataError:
    """The error for a folder that holds only files, which may be an archive or flat images."""
    where = f"{tree.path}/{folder}".rstrip("/")
    name = Path(where).resolve().name
    files = sorted(
        there[len(folder) :] for there in tree.names if there.startswith(folder) and there != folder
    )
    tars = [name for name in files if CLASS_TAR.fullmatch(name)]
    if tars:
        return DataError(
            f"{where} holds the class tars of ILSVRC2012_img_train.tar, {some(tars, 2)}: give the "
            "folder that holds them to `alexnet prepare`, which reads them as they are"
        )
    archives = [name for name in files if name.lower().endswith(ARCHIVE_ENDINGS)]
    if archives:
        return DataError(
            f"no class folders in {where}, but an archive, {archives[0]}: give that file to "
            "`alexnet prepare`"
        )
    return DataError(
        f"no class folders in {where}, only files{_flat_advice(name, files)}; expected {KNOWN}"
    )


def _of_one_class(files: list[str]) -> bool:
    """Are these the images of one class of ImageNet, those for validation, too?"""
    ids = {name.partition("_")[0] for name in files if not name.startswith("ILSVRC2012_val_")}
    return len(ids) == 1 and WORDNET_ID.fullmatch(ids.pop()) is not None


def _flat_advice(tree_name: str, files: list[str]) -> str:
    """How to sort images whose names begin with their class, n01440764_tench.JPEG or cat.0.jpg."""
    if files and (WORDNET_ID.fullmatch(tree_name) or _of_one_class(files)):
        return f" ({tree_name} is one class: give the folder that holds the class folders)"
    parts = [_BEFORE.match(name) for name in files if has_image_ending(name)]
    classes: dict[str, int] = {}
    for part in parts:
        if part:
            classes[part[1]] = classes.get(part[1], 0) + 1
    if len(classes) == 1 and len(parts) > 1:
        return f" (the images of one class, {next(iter(classes))}? give the folder above it)"
    if not 1 < len(classes) < max(len(parts), 3):
        return ""
    names = some(sorted(classes), 2)
    return (
        f" (their names seem to begin with the class, {names}: sort them by it, in bash: "
        'for f in *; do d=${f%%[._-]*}; mkdir -p "$d"; mv "$f" "$d/"; done)'
    )


def class_images(tree: Tree, prefix: str, split: str, level: str = "") -> list[Place]:
    """The images of the class folders below `prefix`; a folder `level` in each is dropped.

    DataError for a class without images.
    """
    places, filled, classes = [], set(), set()
    for position, name in enumerate(tree.names):
        if not name.startswith(prefix):
            continue
        rest = name[len(prefix) :]
        class_id, folder, file = rest.partition("/")
        if not folder:
            continue
        class_id = sys.intern(class_id)
        classes.add(class_id)
        if file and is_image(tree, position):
            filled.add(class_id)
            if level and file.startswith(level):
                rest = f"{class_id}/{file[len(level) :]}"
            places.append(Place(Item(split, class_id, rest), position))
    if not places:
        where = f"{tree.path}/{prefix}".rstrip("/")
        tars = [name for name in tree.names if CLASS_TAR.fullmatch(name.rpartition("/")[2])]
        if tars:
            raise _no_classes(tree, f"{tars[0].rpartition('/')[0]}/")
        raise DataError(f"no images in {where}; expected {KNOWN}")
    if len(filled) < len(classes):
        raise DataError(
            f"class {some(sorted(classes - filled))} has no images: {tree.path}/{prefix} holds no "
            "file there that Pillow reads as an image; add some or remove the folder"
        )
    return places


def flat_images(tree: Tree, prefix: str, class_of: Callable[[str], str | None]) -> list[Place]:
    """The validation images in one folder; `class_of` gives the class id of a file name.

    DataError for one that has none.
    """
    places = []
    for position, name in enumerate(tree.names):
        file = name[len(prefix) :]
        if name.startswith(prefix) and "/" not in file and is_image(tree, position):
            class_id = class_of(file)
            if class_id is None:
                raise DataError(
                    f"{tree.path}: no class is given for the validation image {file!r}; get the "
                    "list of labels anew, or remove the image"
                )
            class_id = sys.intern(class_id)
            places.append(Place(Item("val", class_id, f"{class_id}/{file}"), position))
    return places


def found(
    tree: Tree, layout: str, train: list[Place], val: list[Place],
    words: Mapping[str, str] = WORDS, *, folders: dict[str, str],
    notes: Sequence[str] = (), labels: tuple[str, ...] = (), label_files: Sequence[int] = (),
) -> Found:  # fmt: skip
    """Both splits together. DataError if an image is there twice.

    Validation images of classes without training images stay: which classes are wanted is not
    known here, see `choose`.
    """
    places = sorted(train + val)
    for one, other in pairwise(places):
        if one.item == other.item:
            first, second = (tree.names[place.position] for place in (one, other))
            raise DataError(
                f"{tree.path}: {one.item.name!r} is there twice, as {first!r} and {second!r}; "
                "keep one"
            )
    classes = sorted({place.item.class_id for place in train})
    readable = {name: words.get(name) or WORDS.get(name, name) for name in classes}
    return Found(tree, layout, readable, places, folders, list(notes), labels, label_files)


def folders_of(tree: Tree) -> Callable[[str], Children]:
    """What lists the folder of a tree at a path such as "a/b/", "" for the root."""
    there: dict[str, Children] = {}

    def folder(path: str) -> Children:
        if path not in there:
            there[path] = Children(set(), False, False)
            if path:  # an archive need not hold its folders themselves
                above, _, name = path[:-1].rpartition("/")
                folder(f"{above}/" if above else "").folders.add(name)
        return there[path]

    folder("")
    for name in tree.names:
        above, _, file = name.rpartition("/")
        path = f"{above}/" if above else ""
        known = folder(path)
        if file and not known.images:
            there[path] = Children(known.folders, True, has_image_ending(file))
    return lambda path: there.get(path, Children(set(), False, False))


def in_class_folders(tree: Tree) -> bool:
    """Are there images right in two folders or more, as in a folder of class folders?"""
    folders = set()
    for name in tree.names:
        if has_image_ending(name):
            folders.add(_above(name))
            if len(folders) > 1:
                return True
    return False


def has_image_ending(name: str) -> bool:
    """Does the file's name end as those of images usually do?"""
    return name.lower().endswith(EXTENSIONS)


def is_image(tree: Tree, position: int) -> bool:
    """Is this file an image? Told by its content where its name does not say so."""
    if has_image_ending(tree.names[position]):
        return True
    try:
        return image.is_image(tree.read(position))
    except BadImageError:
        return False


def _left_out(tree: Tree, found: Found) -> list[LeftOut]:
    """The files that are neither images of the set nor its labels; a folder of such as one."""
    used = bytearray(len(tree.names))
    holding = {""}  # folders with a file that is used
    for position in chain(found.label_files, (place.position for place in found.places)):
        used[position] = True
    for path in chain(found.labels, (tree.names[place.position] for place in found.places)):
        while (path := _above(path)) not in holding:
            holding.add(path)
    files: list[LeftOut] = []
    folders: dict[str, int] = {}
    for position, name in enumerate(tree.names):
        if used[position] or name.endswith("/") or name.startswith(found.labels or ("/",)):
            continue
        path, top = name, None
        while (path := _above(path)) not in holding:
            top = path
        if top is None:
            reason = "in no class folder" if has_image_ending(name) else not_an_image(name)
            files.append(LeftOut(name, reason))
        else:
            folders[top] = folders.get(top, 0) + 1
    groups = [LeftOut(name, _why_unused(name), count) for name, count in folders.items()]
    return sorted([*files, *groups, *tree.passed])


def _above(path: str) -> str:
    """The folder that holds a file or folder, "" for the root."""
    above = path.rstrip("/").rpartition("/")[0]
    return f"{above}/" if above else ""


def _why_unused(folder: str) -> str:
    split = split_of(folder.rstrip("/").rpartition("/")[2])
    return f"a {split} folder that is not used" if split else "not part of the splits"


def find_file(tree: Tree, name: str) -> int | None:
    """The position of the file of that name, or path's end, nearest to the root."""
    ends = [
        (there.count("/"), position)
        for position, there in enumerate(tree.names)
        if there.endswith(name) and (there == name or there.endswith(f"/{name}"))
    ]
    return min(ends)[1] if ends else None


def read_lines(tree: Tree, position: int) -> list[str]:
    """The lines of a text file. DataError for one that is too long for a list."""
    return lines(tree.read(position), f"{tree.path}: {tree.names[position]}")


def lines(data: bytes, where: str) -> list[str]:
    """The lines of a text in UTF-8, or in UTF-16 with a byte order mark, as Windows writes it.

    DataError, which says `where`, for a text that is too long for a list of labels.
    """
    if len(data) > MAX_TEXT:
        raise DataError(
            f"{where}: {len(data)} bytes, expected a list of at most {MAX_TEXT}: give the right one"
        )
    utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if utf_16 else "utf-8-sig", errors="replace").splitlines()
