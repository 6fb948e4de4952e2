"""What a data set on disk looks like to `prepare`, whatever layout it came in."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from ..names import one_line
from .image import some

SPLITS = ("train", "val")


class Item(NamedTuple):
    """An image of a source: its split, its class id, and its name, CLASS_ID/FILE in any layout."""

    split: str
    class_id: str
    name: str


class LeftOut(NamedTuple):
    """A file that is no image of the set, or a folder ("name/") of so many, and why not."""

    name: str
    reason: str
    files: int = 1


class Source(Protocol):
    """A data set as it came: which images there are, and the bytes of each.

    layout: what it was recognised as, such as "folder" or "ilsvrc2012". classes: class id ->
    readable name (the id itself where none is known), sorted by id. items: sorted, so by split,
    class id and name; without a "val" item the validation images are yet to be split off.
    folders: split -> the folder it was found in, "" for the root. notes: what somebody could have
    meant otherwise, for the user. left_out: files that are there but not used.
    """

    layout: str
    classes: dict[str, str]
    items: list[Item]
    folders: dict[str, str]
    notes: list[str]
    left_out: list[LeftOut]

    def read(self, item: Item) -> bytes:
        """The file's bytes; any thread may call it."""

    def close(self) -> None:
        """Close what is open."""


def overview(
    where: object,
    taken_for: str,
    classes: Mapping[str, str],
    folders: Mapping[str, str],
    notes: Sequence[str],
    left_out: Sequence[LeftOut],
) -> list[str]:
    """What a data set was taken for ("folder layout"), in lines for people; see `Source`."""
    names = [name.partition(",")[0] for name in classes.values()]
    split_names = {"train": "training", "val": "validation"}
    parts = [f"{split_names[s]} images in {f.rstrip('/')}" for s, f in folders.items() if f]
    lines = [
        f"Data: {where}, {taken_for}" + "".join(f", {part}" for part in parts),
        f"{len(names)} class{'es' * (len(names) != 1)}: {some(names)}",
        *(f"Note: {note}" for note in notes),
    ]
    if left_out:
        lines.append(left_out_line(left_out))
    return [one_line(line) for line in lines]


def overview_of(where: object, source: Source) -> list[str]:
    """The overview of a folder or an archive."""
    return overview(
        where, f"{source.layout} layout", source.classes, source.folders, source.notes,
        source.left_out,
    )  # fmt: skip


def left_out_line(left_out: Sequence[LeftOut]) -> str:
    """How many files these are, and the first of them, for people."""
    count = sum(one.files for one in left_out)
    told = [
        f"{one.name} ({one.reason}{f', {one.files} inside' * one.name.endswith('/')})"
        for one in left_out
    ]
    return one_line(f"Left out {count} file{'s' * (count != 1)}: {some(told, 3)}")


def left_out_rows(left_out: Sequence[LeftOut]) -> bytes:
    """These files as rows of report.csv."""
    rows = []
    for name, reason, files in left_out:
        rows.append(csv_row(name, f"{reason}, {files} inside" if name.endswith("/") else reason))
    return b"".join(rows)


def csv_row(*values: str) -> bytes:
    """A row of report.csv, on one line."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([one_line(value) for value in values])
    return text.getvalue().encode()
