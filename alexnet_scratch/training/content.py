"""Which images a run is trained on: names and sizes, by which other ones are noticed and named."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping

from minigrad.data import Dataset, Subset

from ..data.packed import PackedImages
from ..data.source import SPLITS
from ..names import one_line

Facts = Iterable[tuple[str, str]]  # the name of an image, or of the like, and what is known of it
MOST = 1 << 25  # bytes of a listing in a checkpoint: beyond it there is the checksum alone


def facts_of(
    train: Dataset, val: Dataset, names: Mapping[str, str], sizes: bool = True
) -> Iterator[tuple[str, str]]:
    """All that tells these images from other ones, wherever they lie, in their order.

    Of a prepared set the checksums of its pixels, its classes, and the name and class of each
    image; of a folder the path and, with `sizes`, the size of each file in it.
    """
    if isinstance(train, PackedImages) and isinstance(val, PackedImages):
        yield "the data", f"a prepared set of {train.image_size} pixels ({train.resize})"
        for class_id, name in names.items():
            yield f"class {class_id}", name
        for split, packed in zip(SPLITS, (train, val), strict=True):
            yield f"{split}.images", f"sha256 {packed.sha256}"
            for name, label in zip(packed.source_names, packed.targets, strict=True):
                yield f"{split}/{name}", packed.classes[label]
        return
    yield "the data", "a folder of images"
    for split, images in zip(SPLITS, (train, val), strict=True):
        root = os.path.join(getattr(_whole(images), "root", ""), "")
        for index in range(len(images)):
            path = images.describe(index)
            use = "for training" if split == "train" else "for validation"
            yield path.removeprefix(root), f"{_size(path)}{use}" if sizes else use


def noted(facts: Facts, what: str) -> dict[str, str]:
    """For a checkpoint: `checksum` of the facts, named `what`, and `listing`, which holds them."""
    text = _text(facts)
    listing = base64.b64encode(zlib.compress(text, 1)).decode()
    return {
        "checksum": f"sha256 of {what} {hashlib.sha256(text).hexdigest()}",
        "listing": listing if len(listing) <= MOST else "",
    }


def difference(before: str, now: str) -> str:
    """In what two listings differ, the first of it; "" where that cannot be told."""
    try:
        new = zlib.decompress(base64.b64decode(now))
        # Of the user's own data `now` is to be trusted; a bomb in `before` ends here.
        unpacking = zlib.decompressobj()
        old = unpacking.decompress(base64.b64decode(before), 4 * len(new) + (1 << 20))
    except (zlib.error, ValueError):
        return ""
    was, is_now = (_facts(text) for text in (old, new))
    gone = [f"{name} is gone" for name in was if name not in is_now]
    other = [
        f"{name} is {fact}, was {was[name]}"
        for name, fact in is_now.items() if was.get(name, fact) != fact
    ]  # fmt: skip
    added = [f"{name} is new" for name in is_now if name not in was]
    found = other[:1] if other and other[0].startswith("the data ") else gone + other + added
    if not old or not found:
        return ""
    return found[0] + f" (the first of {len(found)} differences)" * (len(found) > 1)


def _text(facts: Facts) -> bytes:
    return "".join(f"{one_line(name)}\t{one_line(fact)}\n" for name, fact in facts).encode()


def _facts(text: bytes) -> dict[str, str]:
    lines = (line.partition("\t") for line in text.decode("utf-8", "replace").split("\n") if line)
    return {name: fact for name, _, fact in lines}


def _whole(images: Dataset) -> Dataset:
    return images.dataset if isinstance(images, Subset) else images


def _size(path: str) -> str:
    try:
        return f"{os.stat(path).st_size} bytes, "
    except OSError:
        return ""  # an image within a file; or one that is gone, which the loader will tell
