"""What a network's outputs mean: ImageNet's 1,000 classes, or a file's."""

from __future__ import annotations

import re
from pathlib import Path

from ..data.image import DataError, check_plain
from ..data.sources.tree import MAX_TEXT, lines
from ..names import one_line

# ILSVRC 2012's, a WordNet id and WordNet's words in each line, in the order of the ids: that of
# torchvision's weights and of Caffe's (and not of the development kit's numbers).
IMAGENET = Path(__file__).with_name("imagenet.txt")
_WORDNET = re.compile(r"(n\d{8})(?:[\s,:]+(.*))?")


def imagenet() -> dict[str, str]:
    """Names by WordNet id."""
    return _named(IMAGENET.read_text("utf-8").splitlines())


def classes_of(
    count: int, file: str | None = None, known: dict[str, str] | None = None
) -> dict[str, str]:
    """Readable names by id of `count` classes, in the order of the network's outputs.

    file: a class in each line: a WordNet id with a name behind it, or a name; by default `known`,
    then ImageNet's where there are 1,000, then numbers. DataError for a file of another length.
    """
    if file is not None:
        found = _read(file)
    elif known is not None:
        found = dict(known)
    elif count == 1000:
        found = imagenet()
    else:
        found = {name: name for name in (f"class {i:0{len(str(count - 1))}}" for i in range(count))}
    if len(found) != count:
        raise DataError(
            f"{file or 'the file'} names {len(found)} classes, the network has {count}: give a "
            "file with a class in each line, in the order of its outputs (--classes FILE)"
        )
    return found


def _read(path: str) -> dict[str, str]:
    try:
        check_plain(path)
        with open(path, "rb") as file:
            text = lines(file.read(MAX_TEXT + 1), path)
    except OSError as error:
        raise DataError(
            f"--classes {path}: cannot be read ({error.strerror}); expected a file with a class in "
            "each line"
        ) from error
    text = [line.strip() for line in text if line.strip()]
    found = _named(text)
    if len(found) != len(text):
        raise DataError(f"--classes {path}: a class stands there twice; expected each once")
    return found


def _named(text: list[str]) -> dict[str, str]:
    found = {}
    for line in text:
        match = _WORDNET.fullmatch(line)
        name = match[1] if match else line
        found[one_line(name)] = one_line(match[2] or name if match else line)
    return found
