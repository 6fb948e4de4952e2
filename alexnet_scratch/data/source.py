"""What a data set on disk looks like to `prepare`, whatever layout it came in."""

from __future__ import annotations

from typing import NamedTuple, Protocol

SPLITS = ("train", "val")


class Item(NamedTuple):
    """An image of a source: its split, its class id, and its name, CLASS_ID/FILE in any layout."""

    split: str
    class_id: str
    name: str


class Source(Protocol):
    """A data set as it came: which images there are, and the bytes of each.

    layout: what it was recognised as, such as "folder" or "ilsvrc2012". classes: class id ->
    readable name (the id itself where none is known), sorted by id. items: sorted, so by split,
    class id and name; without a "val" item the validation images are yet to be split off.
    """

    layout: str
    classes: dict[str, str]
    items: list[Item]

    def read(self, item: Item) -> bytes:
        """The file's bytes; any thread may call it."""

    def close(self) -> None:
        """Close what is open."""
