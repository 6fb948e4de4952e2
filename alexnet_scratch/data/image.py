"""An image file: is it one, and its pixels.

Files may be made to harm: a file is offered only to the decoders of `FORMATS`, to those its first
bytes name, and no decoder there starts a program. Memory stays within a few bytes a pixel.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from minigrad.data import SkipSample

from .heads import EXIF, check_tiff, exif_of_jpeg, orientation

# What is read, by Pillow's names: formats of photos that begin with a mark of their own. Never
# EPS, which is a program and runs Ghostscript; not the rare ones, whose decoders few look after.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000")
_HUNGRY = ("WEBP", "AVIF", "JPEG2000")  # take 16 to 28 bytes a pixel in their own libraries
# Files that end so are images without a look at them; of others the content tells.
EXTENSIONS = (
    ".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".bmp", ".gif", ".webp", ".avif", ".tif", ".tiff",
    ".ppm", ".pgm", ".pbm", ".pnm", ".jp2",
)  # fmt: skip
# Photos that most programs show, and Pillow does not: a phone's, and cameras' raw ones.
_PHOTOS = (
    ".heic", ".heif", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2",
)  # fmt: skip
RESIZES = ("crop", "squash")
MAX_FILE = 128 << 20  # bytes of one image file
_READS = 1 << 19  # pieces that a file may be read in: Pillow goes through tiny ones in Python
_STRIP = 1 << 20  # pixels that are converted at once
_LARGE = 32 << 20  # pixels; of larger images one is decoded at a time, whatever the threads
_ONE_LARGE = threading.Lock()
# What turns an image upright, by its orientation in EXIF.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip
_SIDEWAYS = 5  # from this orientation on width and height change places


class DataError(ValueError):
    """A folder or file that cannot be used as images; the message is one line for the user."""


class BadImageError(DataError, SkipSample):
    """A file that is not a whole image; the loader leaves it out, other callers see a DataError."""


class Loaded(NamedTuple):
    """An image as it is used, and as it was.

    pixels: uint8 RGB (size, size, 3), read-only. width, height: before the resize, upright.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int


def load_image(
    source: str | os.PathLike[str] | bytes, size: int, resize: str = "crop"
) -> NDArray[np.uint8]:
    """Decode an image file, or its bytes, to uint8 RGB (size, size, 3).

    resize "crop": the short side is scaled to `size` and the centre cropped (Krizhevsky et al.
    2012, section 2); "squash": all of it is scaled, whatever its shape (Caffe's ImageNet tutorial).
    One bilinear resize; an image of that size already is not touched. Grey, 16-bit grey,
    palette and CMYK become RGB; transparent pixels are laid on white; the first frame of an
    animation is taken. A photo is turned and mirrored as the orientation in its EXIF data says (of
    JPEG, TIFF, PNG, WebP and AVIF), as viewers do; torchvision's ImageFolder and Caffe show a
    network the pixels as they are stored: it matters for a few images of ImageNet. EXIF data that
    is damaged turns nothing. Whole numbers of 32 bits are taken for 8 bits where none is above 255,
    else for 16.
    Raises BadImageError, which names the file and the reason, for anything that is not a whole
    image of `FORMATS`, a file above `MAX_FILE` bytes, and more pixels than
    `PIL.Image.MAX_IMAGE_PIXELS`, 89,478,485 unless you set it, a third of that in WebP, AVIF and
    JPEG 2000; a pipe or a device is not opened. Up to 10 bytes of memory a pixel are needed.
    """
    return np.array(loaded(source, size, resize).pixels)  # one that may be written to


def loaded(
    source: str | os.PathLike[str] | bytes, size: int, resize: str = "crop"
) -> Loaded:
    """`load_image`, without its last copy, and with the size of the original."""
    if resize not in RESIZES:
        raise ValueError(f"no resize {resize!r}: give one of {', '.join(RESIZES)}")
    name = "image" if isinstance(source, bytes) else os.fspath(source)
    try:
        with _opened(source if isinstance(source, bytes) else _content(source)) as image:
            limit = Image.MAX_IMAGE_PIXELS
            if limit is not None and image.format in _HUNGRY:
                limit //= 3
            if limit is not None and image.width * image.height > limit:
                raise BadImageError(f"{name}: {_bomb(limit)}")
            width, height = _upright_size(image)
            large = width * height > _LARGE
            # JPEG can decode at 1/2, 1/4, 1/8: much faster for large photos, and still at least
            # twice the size we resize to, so that the resize decides the quality.
            image.draft(None, (2 * size, 2 * size))
            with _ONE_LARGE if large else contextlib.nullcontext():
                small = _resized(_opaque(image), size, resize)
            # Known of all formats now, of PNG from its end.
            turn = _TURNS.get(orientation(image.info.get("exif")))
            if turn is not None:
                small = small.transpose(turn)
            pixels = np.asarray(small if small.mode == "RGB" else small.convert("RGB"), np.uint8)
            return Loaded(pixels, width, height)
    except (MemoryError, BadImageError):
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged bytes
        raise BadImageError(f"{name}: {_reason(error, name)}") from error


def check_plain(path: str | os.PathLike[str]) -> int:
    """The size of a file. BadImageError for a pipe or the like, which waits for ever when opened.

    OSError if there is none.
    """
    found = os.stat(path)
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise BadImageError(f"{os.fspath(path)}: a device, a pipe or a socket, not a plain file")
    return found.st_size


def checked(size: int, where: str) -> int:
    """The size of a file that is to be read. BadImageError if it is too large for an image."""
    if size > MAX_FILE:
        raise BadImageError(f"{where}: {size} bytes, too large for an image (at most {MAX_FILE})")
    return size


def image_size(source: str | os.PathLike[str] | bytes) -> tuple[int, int]:
    """(width, height) of an image file, or its bytes, from its head: upright, but for PNG, whose
    head does not tell. BadImageError as for `load_image`."""
    name = "image" if isinstance(source, bytes) else os.fspath(source)
    try:
        with _opened(source if isinstance(source, bytes) else _content(source)) as image:
            return _upright_size(image)
    except (MemoryError, BadImageError):
        raise
    except Exception as error:  # as in load_image
        raise BadImageError(f"{name}: {_reason(error, name)}") from error


def is_image(data: bytes) -> bool:
    """Do these bytes begin an image of `FORMATS`, whole or not?"""
    try:
        with _opened(data):
            return True
    except MemoryError:
        raise
    except Exception:  # Pillow's readers raise nearly anything on other files
        return False


class _Pieces(io.BytesIO):
    """The bytes of a file, read in a bounded number of pieces."""

    _left = _READS

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"in more than {_READS} pieces")
        return super().read(size)


def _content(path: str | os.PathLike[str]) -> bytes:
    size = checked(check_plain(path), os.fspath(path))
    with open(path, "rb") as file:
        return file.read(size)


def _opened(data: bytes) -> Image.Image:
    """The image, its head read. Any error for what is none of `FORMATS`."""
    check_tiff(data)
    if not data.startswith(b"\xff\xd8"):
        return Image.open(_Pieces(data), formats=FORMATS)
    exifs = exif_of_jpeg(data)
    if not exifs:
        return Image.open(_Pieces(data), formats=FORMATS)
    plain = bytearray(data)
    for at in exifs:  # Pillow would look for a resolution there, and warn or fail if it is damaged
        plain[at : at + len(EXIF)] = bytes(len(EXIF))
    image = Image.open(_Pieces(plain), formats=FORMATS)
    image.info["exif"] = data[exifs[0] : exifs[0] + (1 << 16)]
    return image


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) of an image that is turned as its head says."""
    turned = _SIDEWAYS <= orientation(image.info.get("exif")) <= max(_TURNS)
    return (image.height, image.width) if turned else image.size


def _opaque(image: Image.Image) -> Image.Image:
    """The pixels without transparency, in RGB or in 8-bit grey: one more copy of them at most."""
    if image.mode.startswith("I"):  # whole numbers above 255; convert() would clip them to white
        return _by_strips(image, "L", _grey(image))
    if image.has_transparency_data:
        return _by_strips(image, "RGB", _on_white)
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range, expected 8 or 16 bits")
    return image if image.mode in ("RGB", "L") else image.convert("RGB")


def _by_strips(
    image: Image.Image, mode: str, convert: Callable[[Image.Image], Image.Image]
) -> Image.Image:
    """`convert` of the whole image, some rows at a time, so that its copies are small."""
    rows = max(1, _STRIP // image.width)
    if rows >= image.height:
        return convert(image)
    whole = Image.new(mode, image.size)
    for top in range(0, image.height, rows):
        box = (0, top, image.width, min(top + rows, image.height))
        whole.paste(convert(image.crop(box)), box)
    return whole


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _grey(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """What makes 8-bit grey of this image's whole numbers of 16 bits, or of 32 with the values of
    8 or 16; one may be white. ValueError for others."""
    sixteen = image.mode != "I" or image.format == "PPM"  # whose values Pillow brings to 16 bits
    if image.mode == "I":
        least, most = cast("tuple[int, int]", image.getextrema())
        if least < 0 or most > 65535:
            raise ValueError(f"grey from {least} to {most}, expected 0 to 255 or 0 to 65535")
        sixteen = sixteen or most > 255
    white = image.info.get("transparency", -1)

    def convert(piece: Image.Image) -> Image.Image:
        values = np.asarray(piece)
        grey = (values >> 8 if sixteen else values).astype(np.uint8)
        grey[values == white] = 255
        return Image.fromarray(grey)

    return convert


def _resized(image: Image.Image, size: int, resize: str) -> Image.Image:
    if image.size == (size, size):
        return image
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side) if resize == "crop" else None
    return image.resize((size, size), Image.Resampling.BILINEAR, box=box)


def not_an_image(name: str) -> str:
    """Why a file of this name, which no decoder takes, is left out."""
    ending = os.path.splitext(name)[1]
    if ending.lower() in _PHOTOS:
        return f"{ending[1:]} is not read, save it as JPEG"
    return "not an image"


def _reason(error: Exception, name: str) -> str:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return _bomb(Image.MAX_IMAGE_PIXELS)
    if isinstance(error, UnidentifiedImageError):
        said = not_an_image(name)
        listed = f" of the formats that are read: {', '.join(FORMATS)}"
        return said + listed * (said == "not an image")
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return str(error.strerror)
    said = " ".join(str(error).split())  # one line
    if "truncated" in said.lower():
        return f"cut short ({said})"
    return f"damaged or unsupported image ({type(error).__name__}: {said})"


def _bomb(limit: int | None) -> str:
    return f"more than {limit} pixels (a decompression bomb?); make it smaller"


def some(names: Sequence[str], most: int = 5) -> str:
    """The first of these names, and how many more there are."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
