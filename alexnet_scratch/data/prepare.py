"""From a source to a prepared set: which images, decoded, written, measured. See packed.py."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..names import one_line
from ..progress import progress_bar
from ..schema import MOST_PIXELS
from .choice import Choice, choose
from .decode import Piece, decoded
from .disk import checksum, full_disk_told, save_array
from .image import RESIZES, DataError, some
from .packed import (
    CHECKED,
    DESCRIPTION,
    FORMAT,
    REPORT,
    VERSION,
    images_file,
    labels_file,
    names_file,
    sealed,
)
from .source import SPLITS, Source, csv_row, left_out_rows
from .statistics import Accumulator, save_statistics
from .unfinished import SET, Unfinished

CHUNK = 128  # items between two points that a killed run goes on from
_FULL_DISK = "free some space and give the same command again: what is done is kept"
_LABEL = _SIDE = np.dtype("<i4")
_REPORT = f"{SET}/{REPORT}"


def _growing_images(split: str) -> str:
    return f"{SET}/{images_file(split)}"


def _growing_names(split: str) -> str:
    return f"{SET}/{names_file(split)}"


def _growing_labels(split: str) -> str:
    return f"{split}.labels"  # the set's own have their number in front, known at the end


_SIDES = "short.sides"  # of the images before they were resized, for set.json
_GROWING = (
    _REPORT, _SIDES,
    *(f(s) for s in SPLITS for f in (_growing_images, _growing_names, _growing_labels)),
)  # fmt: skip


@dataclass(frozen=True)
class Prepared:
    """What `prepare` made: the folder, images of each split, and how many files it left out."""

    path: Path
    counts: dict[str, int]
    skipped: int


def prepare(
    source: Source,
    out: str | os.PathLike[str],
    *,
    name: str,
    image_size: int = 256,
    resize: str = "crop",
    val_fraction: float = 0.1,
    seed: int = 0,
    classes: Sequence[str] | int | None = None,
    per_class: int | None = None,
    workers: int | None = None,
    restart: bool = False,
    chunk: int = CHUNK,
    progress: bool = True,
) -> Prepared:
    """Write the images of `source` as a prepared set into the new folder `out`.

    name: what the set calls its source. image_size, resize: see `load_image`. val_fraction: share
    of each class for validation, where the source has no validation images. classes: ids to take,
    or how many of the sorted ids; per_class: at most so many images of each class in each split,
    drawn by `seed`. workers: threads (default: all cores). chunk: items between two points that a
    killed run goes on from. Files that are no whole images are listed in report.csv, and those that
    the source leaves out.

    `out` appears when it is complete; until then everything is in `.NAME.part` beside it, and the
    same call goes on with it and ends with the same bytes; restart=True begins anew.

    Raises DataError for arguments that do not fit the source, a class without a readable training
    image, no readable validation image, an `out` that exists or is being prepared by another
    process, other arguments than those it was begun with, and a full disk.
    """
    _check(image_size, resize, val_fraction, seed, per_class, chunk)
    chosen = choose(source, val_fraction, seed, classes, per_class)
    plan = {
        "source": name, "layout": source.layout, "image_size": image_size, "resize": resize,
        "classes": len(chosen.classes), "training images": len(chosen.items["train"]),
        "validation images": len(chosen.items["val"]), "list of images": chosen.digest()[:16],
    }  # fmt: skip
    target = Path(os.path.abspath(out))
    with (
        full_disk_told(target.parent, lambda: _FULL_DISK),
        Unfinished(target, plan, _GROWING, restart) as unfinished,
    ):
        making = _Making(unfinished, chosen, image_size, progress)
        making.decode(source, resize, workers, chunk)
        return making.finish(plan, left_out_rows(source.left_out))


class _Making:
    """The set's files as they grow, and what is known of them so far."""

    def __init__(
        self, unfinished: Unfinished, chosen: Choice, image_size: int, progress: bool
    ) -> None:
        self._unfinished, self._chosen, self._size = unfinished, chosen, image_size
        self._progress = progress
        self._labels = {class_id: label for label, class_id in enumerate(chosen.classes)}
        self._statistics = Accumulator(image_size)
        self._sha256 = {split: hashlib.sha256() for split in SPLITS}
        if unfinished.done:
            self._read_again()
        else:
            unfinished.append(_REPORT, csv_row("name", "reason"))

    def decode(self, source: Source, resize: str, workers: int | None, chunk: int) -> None:
        """Decode and write everything that is not there yet."""
        unfinished, items = self._unfinished, self._chosen.items
        done = unfinished.done
        with self._bar("preparing", sum(map(len, items.values())), done, "images") as bar:
            for split, before in zip(SPLITS, (0, len(items["train"])), strict=True):
                pieces = decoded(
                    source, items[split], max(done - before, 0), self._size, resize,
                    self._statistics if split == "train" else None, workers, chunk,
                )  # fmt: skip
                with contextlib.closing(pieces):
                    for piece in pieces:
                        self._write(split, piece)
                        done += piece.done
                        bar.update(piece.done)
                        if done - unfinished.done >= chunk:
                            unfinished.commit(done)
        unfinished.commit(done)

    def finish(self, plan: dict[str, Any], left_out: bytes) -> Prepared:
        """Write what the whole set says about itself, and give it its name.

        left_out: rows for the report, of files that were never tried.
        """
        labels = {
            split: np.fromfile(self._unfinished.part / _growing_labels(split), _LABEL)
            for split in SPLITS
        }
        skipped = (self._unfinished.part / _REPORT).read_bytes().count(b"\n") - 1  # a line each
        self._refuse_losses(labels, skipped)
        self._unfinished.append(_REPORT, left_out)  # not committed: a killed run adds it again
        folder = self._unfinished.set
        for split in SPLITS:
            save_array(folder / labels_file(split), labels[split])
        save_statistics(self._statistics.result(), folder)
        sides = np.fromfile(self._unfinished.part / _SIDES, _SIDE)
        described = {
            "format": FORMAT,
            "version": VERSION,
            **{key: plan[key] for key in ("image_size", "resize", "source", "layout")},
            "classes": [{"id": i, "name": name} for i, name in self._chosen.classes.items()],
            "splits": {
                split: {"images": len(labels[split]), "sha256": self._sha256[split].hexdigest()}
                for split in SPLITS
            },
            "enlarged": int((sides < self._size).sum()),
            "short_side": int(np.sort(sides)[len(sides) // 2]),
            "files": {name: checksum(folder / name, "sha256") for name in CHECKED},
        }
        text = json.dumps(sealed(described), indent=1) + "\n"
        (folder / DESCRIPTION).write_text(text, "utf-8")
        self._unfinished.finish()
        counts = {split: len(labels[split]) for split in SPLITS}
        return Prepared(self._unfinished.out, counts, skipped)

    def _write(self, split: str, piece: Piece) -> None:
        append = self._unfinished.append
        append(_growing_images(split), piece.pixels)
        self._sha256[split].update(piece.pixels.data)
        labels = [self._labels[item.class_id] for item in piece.kept]
        append(_growing_labels(split), np.array(labels, _LABEL))
        names = "".join(f"{one_line(item.name)}\n" for item in piece.kept)
        append(_growing_names(split), names.encode())
        append(_SIDES, np.array([min(size) for size in piece.sizes], _SIDE))
        for item, reason in piece.skipped:
            append(_REPORT, csv_row(item.name, reason))

    def _read_again(self) -> None:
        """Checksum and sums of what an earlier run has written."""
        images = 16 * self._size**2 * 3
        total = sum(self._unfinished.lengths[_growing_images(split)] for split in SPLITS)
        with self._bar("reading what is there", total, 0, "bytes") as bar:
            for split in SPLITS:
                for piece in self._unfinished.pieces(_growing_images(split), images):
                    self._sha256[split].update(piece)
                    if split == "train":
                        pixels = np.frombuffer(piece, np.uint8)
                        self._statistics.add(pixels.reshape(-1, self._size, self._size, 3))
                    bar.update(len(piece))

    def _refuse_losses(self, labels: dict[str, NDArray[np.int32]], skipped: int) -> None:
        images = np.bincount(labels["train"], minlength=len(self._labels))
        lost = [class_id for class_id, label in self._labels.items() if not images[label]]
        what = f"training image of {some(lost)}" if lost else "validation image"
        if lost or not len(labels["val"]):
            raise DataError(
                f"no {what} can be read ({skipped} bad files, see "
                f"{self._unfinished.part / _REPORT}): mend them, then start over with --restart"
            )

    def _bar(self, title: str, total: int, done: int, unit: str) -> Any:
        return progress_bar(title, total, done, unit, hidden=not self._progress)


def _check(
    image_size: int, resize: str, val_fraction: float, seed: int, per_class: int | None, chunk: int
) -> None:
    """Raises DataError for a value that makes no sense with any source."""
    if resize not in RESIZES:
        raise DataError(f"resize is {resize!r}, expected one of {', '.join(RESIZES)}: give one")
    if not 0 < val_fraction < 1:
        raise DataError(f"val_fraction is {val_fraction}, expected a share between 0 and 1")
    if image_size > MOST_PIXELS:
        raise DataError(f"image_size is {image_size}, expected at most {MOST_PIXELS} pixels")
    for name, value, least in (
        ("image_size", image_size, 1), ("seed", seed, 0), ("per_class", per_class, 1),
        ("chunk", chunk, 1),
    ):  # fmt: skip
        if value is not None and value < least:
            raise DataError(f"{name} is {value}, expected at least {least}: give more")
