"""Draw README's pictures of the inside of the network that comes with alexnet.

    python docs/draw_inside.py [--out FOLDER]

They need no photograph: the first layer's filters, an image made for each class, and which pixels
matter in an image of two halves, taken from the images made for two classes. `alexnet inside` draws
the same of any run, and of photographs. By default it writes into docs/inside.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from PIL import Image

import alexnet_scratch
from alexnet_scratch.inside.pictures import WHERE, Looked, Pictures

TRACKED = Path(__file__).with_name("inside")
HALVES = ("English springer", "tench")  # left and right


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=TRACKED, metavar="FOLDER", help="[docs/inside]")
    options = parser.parse_args(arguments)
    options.out.mkdir(exist_ok=True)
    pictures = Pictures(alexnet_scratch.load("boxed"), options.out)
    pictures.filters()
    images = pictures.class_images()
    pictures.draw_classes(images)
    pictures.classes = [pictures.names.index(name) for name in HALVES]
    pictures.where(two_halves(pictures, images), WHERE)
    for each in pictures.written:
        in_256_colours(each.file)
        print(f"{each.file}: {each.text}")
    return 0


def in_256_colours(file: Path) -> None:
    """A third of the bytes, which a repository keeps for ever."""
    with Image.open(file) as picture:
        few = picture.convert("RGB").quantize(256)
    few.save(file, optimize=True)


def two_halves(pictures: Pictures, images: list[Looked]) -> Looked:
    """The middles of two of the images side by side."""
    left, right = (images[c].whole for c in pictures.classes)
    half = left.shape[1] // 2
    whole, middle = left.copy(), slice(half // 2, half // 2 + half)
    whole[:, :half], whole[:, half:] = left[:, middle], right[:, middle]
    return pictures.looked("two-halves", whole)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
