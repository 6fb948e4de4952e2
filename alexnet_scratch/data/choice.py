"""Which images of a source make a prepared set: classes, validation images, a subset."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .folder import drawn, hold_out
from .image import DataError, some
from .source import SPLITS, Item, Source
from .splits import check_same_classes


@dataclass(frozen=True)
class Choice:
    """The images of a set before they are decoded, in the order they will have."""

    classes: dict[str, str]
    items: dict[str, list[Item]]

    def digest(self) -> str:
        """SHA-256 of all of it."""
        digest = hashlib.sha256(json.dumps(self.classes).encode())
        for split, items in self.items.items():
            for item in items:
                digest.update(f"{split}\0{item.class_id}\0{item.name}\n".encode(errors="replace"))
        return digest.hexdigest()


def choose(
    source: Source,
    val_fraction: float,
    seed: int,
    classes: Sequence[str] | int | None = None,
    per_class: int | None = None,
) -> Choice:
    """Which images of the source make the set, see `prepare`.

    What is drawn from a class depends on the seed, the class id and its images only.
    Raises DataError for unknown classes, if no class or no image would be left, and if those of
    the wanted classes (None: all) that have training images and validation images differ.
    """
    chosen = _chosen_classes(source.classes, classes)
    by_class: dict[str, dict[str, list[Item]]] = {s: {c: [] for c in chosen} for s in SPLITS}
    for item in source.items:
        if item.class_id in chosen:
            by_class[item.split][item.class_id].append(item)
    train, val = (by_class[split] for split in SPLITS)
    empty = [c for c in chosen if not train[c]]
    if empty:
        raise DataError(f"no training images of {some(empty)}: add some, or leave them out")
    _check_splits(source, set(chosen) if classes is not None else None)
    if not any(item.split == "val" for item in source.items):
        for c, images in train.items():
            held_out, kept = hold_out(len(images), val_fraction, seed, c)
            val[c], train[c] = [images[i] for i in held_out], [images[i] for i in kept]
    if not any(val.values()):
        raise DataError(
            "no validation images, and no class with two images to hold one of them out: add some"
        )
    if per_class is not None:
        for place, split in enumerate(SPLITS):
            for c, images in by_class[split].items():
                entropy = [seed, 1 + place, *c.encode(errors="surrogateescape")]
                by_class[split][c] = [images[i] for i in drawn(len(images), per_class, entropy)[0]]
    items = {s: [item for images in by_class[s].values() for item in images] for s in SPLITS}
    return Choice(chosen, items)


def too_few(
    source: Source, per_class: int | None, val_fraction: float,
    classes: Sequence[str] | int | None = None,
) -> list[str]:  # fmt: skip
    """A note for people, which names the classes with fewer training images than `per_class`.

    The other arguments as for `choose`, which raises their errors.
    """
    if per_class is None:
        return []
    wanted = _chosen_classes(source.classes, classes)
    counts = Counter(item.class_id for item in source.items if item.split == "train")
    if not any(item.split == "val" for item in source.items):
        counts = Counter({c: len(hold_out(n, val_fraction, 0, c)[1]) for c, n in counts.items()})
    few = [f"{wanted[c].partition(',')[0]} ({counts[c]})" for c in wanted if counts[c] < per_class]
    if not few:
        return []
    each = f"class{'es have' if len(few) > 1 else ' has'}"
    return [f"Note: {len(few)} {each} fewer than {per_class} training images: {some(few)}"]


def _check_splits(source: Source, wanted: set[str] | None) -> None:
    train, val = ({i.class_id for i in source.items if i.split == split} for split in SPLITS)
    if val:
        if wanted is not None:
            train, val = train & wanted, val & wanted
        check_same_classes(Path("train"), sorted(train), Path("val"), sorted(val))


def _chosen_classes(known: dict[str, str], wanted: Sequence[str] | int | None) -> dict[str, str]:
    """The classes that are wanted, sorted by id."""
    ids = sorted(known)
    if isinstance(wanted, int):
        if not 1 <= wanted <= len(ids):
            raise DataError(f"{wanted} classes wanted, expected 1 to {len(ids)}: as many as it has")
        ids = ids[:wanted]
    elif wanted is not None:
        named = _ids_by_name(known)
        unknown = sorted(name for name in set(wanted) if name not in named)
        if unknown:
            close = difflib.get_close_matches(unknown[0], named)
            shown = [f"{i} ({n.partition(',')[0]})" if n != i else i for i, n in known.items()]
            hint = f"did you mean {' or '.join(close)}" if close else f"it has {some(shown)}"
            raise DataError(f"the source has no class {some(unknown)}: {hint}")
        ids = sorted({named[name] for name in wanted})
    if not ids:
        raise DataError("no classes are wanted, expected at least one id: add some")
    return {class_id: known[class_id] for class_id in ids}


def _ids_by_name(known: dict[str, str]) -> dict[str, str]:
    """The class id of every id, readable name, and part of one between commas that is one's own."""
    ids: dict[str, set[str]] = {}
    for class_id, text in known.items():
        for name in {text, *(part.strip() for part in text.split(","))}:
            ids.setdefault(name, set()).add(class_id)
    unique = {name: next(iter(of)) for name, of in ids.items() if len(of) == 1}
    return unique | {class_id: class_id for class_id in known}
