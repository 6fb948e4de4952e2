"""Which folders of a data set are its splits, and which are its classes, told by their names.

Nothing is guessed in silence: what is unclear is an error that says how to make it clear, and what
somebody could take for something else is a note for the user.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from .image import DataError, some

# Words of a folder's name that make it a split, and which: "test" is used where "val" is not.
SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trn", "trainval"), "train"),
    **dict.fromkeys(
        ("val", "validation", "validate", "valid", "dev", "devel", "development", "eval",
         "evaluation", "holdout"), "val",
    ),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}  # fmt: skip
# Words that say nothing beside one of those: training_set, seg_train, valImages.
_FILLERS = (
    "sets", "set", "images", "image", "imgs", "img", "dataset", "data", "folder", "dir", "split",
    "seg", "photos", "pictures", "pics", "files", "samples", "jpeg", "jpg", "png", "full",
)  # fmt: skip
_WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])")
_LIKE_SPLIT = re.compile(r"train|val|dev|test", re.IGNORECASE)


class Children(NamedTuple):
    """What is right in a folder: the names of its folders, and are there files and images?"""

    folders: set[str]
    files: bool
    images: bool


class DataFolders(NamedTuple):
    """Where a data set begins, and its splits' folders; paths are "" or end with "/".

    splits: of "train", "val" and "test" those that are there; none for a root of class folders.
    notes: what somebody could take for something else, a line each.
    """

    root: str
    splits: dict[str, str]
    notes: list[str]


def split_of(name: str) -> str | None:
    """ "train", "val" or "test" for a folder of one of their usual names, else None."""
    role, rest = _role(name)
    return None if rest else role


def word_of_split(path: str) -> str | None:
    """The split that a file's name speaks of, else the nearest of its folders; None for none."""
    return next((role for part in reversed(path.split("/")) if (role := _role(part)[0])), None)


def find_data(children: Callable[[str], Children], where: object, expected: str) -> DataFolders:
    """The data set in a tree, of which `children` lists the folder at a path such as "a/b/".

    DataError, in which the tree is `where`, for folders that may be splits or classes, two folders
    of one split, and validation images without training images.
    """
    root = _outermost(children)
    place = f"{where}/{root}".rstrip("/")
    folders = children(root).folders
    roles = _roles(folders)
    train = roles.get("train", [])
    others = sorted(folders.difference(*roles.values()))
    if not train or _are_classes(children, root, roles, others):
        held = [n for names in roles.values() for n in names if children(f"{root}{n}/").folders]
        if not others or (held and not train):
            found = ", ".join(sorted(held if others else folders))
            if others:
                beside = f" beside {some(others)}; put these into {place}/train"
            else:
                beside = f"; to evaluate on {found}, give that folder" * (len(folders) == 1)
            raise DataError(f"{place} has {found} but no train folder{beside}; {expected}")
        return DataFolders(root, {}, _check_classes(children, root, place))
    splits, notes = {}, []
    for split, names in roles.items():
        if len(names) > 1 and (split != "test" or "val" not in roles):
            raise DataError(
                f"{place} holds {' and '.join(names)}, each a folder of {split} images: "
                "keep one, move the others elsewhere"
            )
        splits[split] = _inner(children, f"{root}{names[0]}/")
    if _splits_within(children, splits["train"]):
        raise DataError(
            f"{where}/{splits['train']} holds {some(sorted(children(splits['train']).folders))}, "
            "splits within a split: give that folder, or the one whose classes you want"
        )
    notes += _check_classes(children, splits["train"], place, declared=True)
    return DataFolders(root, splits, notes)


def same_names(
    train: str, train_classes: Iterable[str], val: str, val_classes: Iterable[str]
) -> dict[str, str]:
    """Which class of `train` each class of `val` is, where only Unicode's form of a letter differs.

    DataError, in which the splits are `train` and `val`, for two class folders of one split that
    look the same.
    """
    known = _by_look(train, train_classes)
    return {name: known[look] for look, name in _by_look(val, val_classes).items() if look in known}


def check_same_classes(
    train: object, train_classes: Sequence[str], val: object, val_classes: Sequence[str]
) -> None:
    """DataError unless both splits have the same classes."""
    missing = sorted(set(train_classes) - set(val_classes))
    extra = sorted(set(val_classes) - set(train_classes))
    if missing or extra:
        parts = [f"only in {train}: {some(missing)}"] * bool(missing)
        parts += [f"only in {val}: {some(extra)}"] * bool(extra)
        advice = difference(missing, extra) or "make them alike"
        raise DataError(f"the splits have different classes; {'; '.join(parts)}; {advice}")


def difference(some_names: Iterable[str], other_names: Iterable[str]) -> str:
    """What to do about names that differ in what the eye hardly sees; "" where that is not it."""
    others = {_look(name): name for name in other_names}
    folded = {look.casefold().strip(): name for look, name in others.items()}
    for name in sorted(some_names):
        look = _look(name)
        if look in others:
            return (
                f"{name!r} is written with other Unicode characters than {others[look]!r} (NFC and "
                f"NFD: {name!a}, {others[look]!a}): rename one of the two folders"
            )
        if look.casefold().strip() in folded:
            return (
                f"{name!r} and {folded[look.casefold().strip()]!r} differ only in upper and lower "
                "case or spaces: rename one of the two folders"
            )
    return ""


def _look(name: str) -> str:
    """The name in Unicode's composed form: Macs write the accent as a character of its own."""
    return unicodedata.normalize("NFC", name)


def _by_look(split: str, names: Iterable[str]) -> dict[str, str]:
    looks: dict[str, str] = {}
    for name in sorted(names):
        other = looks.setdefault(_look(name), name)
        if other != name:
            raise DataError(
                f"{split} holds two class folders that look the same, {other!a} and {name!a} "
                "(Unicode NFC and NFD): move the images into one"
            )
    return looks


def _role(name: str) -> tuple[str | None, tuple[str, ...]]:
    """The split that a name speaks of, and its words that say something else."""
    roles, rest = [], []
    for found in _WORD.findall(_look(name)):
        word = found.lower()
        for filler in _FILLERS:  # trainset
            if word.endswith(filler) and word.removesuffix(filler) in SPLIT_WORDS:
                word = word.removesuffix(filler)
                break
        if word in SPLIT_WORDS:
            roles.append(SPLIT_WORDS[word])
        elif word not in _FILLERS:
            rest.append(word)
    return (roles[0], tuple(rest)) if len(roles) == 1 else (None, tuple(rest))


def _roles(folders: Iterable[str]) -> dict[str, list[str]]:
    """The folders that are splits: of the usual names, or such as pets_train beside pets_test."""
    groups: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for name in sorted(folders):
        role, rest = _role(name)
        if role:
            groups.setdefault(rest, {}).setdefault(role, []).append(name)
    plain = groups.pop((), {})
    if not plain:
        plain = next((g for g in groups.values() if "train" in g and len(g) > 1), {})
    order = ("train", "val", "test")
    return {role: plain[role] for role in order if role in plain}


def _outermost(children: Callable[[str], Children]) -> str:
    """The folder in which class folders or splits begin: not one that holds all the others."""
    root, here = "", children("")
    while len(here.folders) == 1:  # one folder that holds all, whatever lies beside it
        (only,) = here.folders
        path = f"{root}{only}/"
        below = children(path)
        if below.images or not below.folders:
            break
        if split_of(only) and not _splits_within(children, path):
            break
        root, here = path, below
    return root


def _splits_within(children: Callable[[str], Children], path: str) -> bool:
    """Is there a train folder with class folders right in this folder?"""
    train = _roles(children(path).folders).get("train", [])
    return any(children(f"{path}{name}/").folders for name in train)


def _inner(children: Callable[[str], Children], path: str) -> str:
    """The folder in which a split's class folders are: training_set/training_set/, train/images/"""
    while len(here := children(path).folders) == 1:
        (only,) = here
        below = children(f"{path}{only}/")
        plain = split_of(only) is not None or only.lower() in _FILLERS
        if below.images or not (len(below.folders) > 1 or (plain and below.folders)):
            break
        path = f"{path}{only}/"
    return path


def _are_classes(
    children: Callable[[str], Children], root: str, roles: dict[str, list[str]], others: list[str]
) -> bool:
    """Bus, Car and Train are classes; but train/ may hold unlabelled images beside anything."""
    if any(children(f"{root}{name}/").folders for name in roles["train"]):
        return False
    full = [name for name in others if children(f"{root}{name}/").images]
    unlabelled = "train" in roles["train"] and (len(roles) > 1 or len(full) < 2)
    return bool(full) and not unlabelled


def _check_classes(
    children: Callable[[str], Children], root: str, place: str, declared: bool = False
) -> list[str]:
    """Notes about class folders that could be something else. DataError where that is likely.

    declared: they lie in a train folder, which says that they are classes.
    """
    names = sorted(children(root).folders)
    notes = []
    like = [name for name in names if _LIKE_SPLIT.match(_look(name)) or _role(name)[0]]
    if like and len(like) == len(names) > 1 and not declared:
        raise DataError(
            f"{place} holds {some(like)}, all named like splits, but not train and val: name the "
            f"folders so; or put them into {place}/train if they are classes"
        )
    if like:
        notes.append(f"taken for classes, though named like splits: {some(like)}")
    inner = [children(_inner(children, f"{root}{name}/")) for name in names]
    deep = [here for here in inner if here.folders]
    common = set.intersection(*(here.folders for here in deep)) if len(deep) > 1 else set()
    if common:
        text = f"{some(names)}, which hold the same folders: {some(sorted(common))}"
        if len(common) > 1 and not declared and not any(here.images for here in deep):
            raise DataError(
                f"{place} holds {text}; if {names[0]} and the others are splits, name them train "
                f"and val; if they are classes, put them into {place}/train"
            )
        notes.append(f"taken for classes: {text}")
    folded: dict[str, list[str]] = {}
    for name in names:
        folded.setdefault(name.casefold(), []).append(name)
    for alike in folded.values():
        if len(alike) > 1:
            notes.append(f"classes that differ only in upper and lower case: {some(alike)}")
    return notes
