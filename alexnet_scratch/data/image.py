"""An image file: is it one, and its pixels."""

from __future__ import annotations

import functools
import io
import os
import stat
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from minigrad.data import SkipSample

# Files that end so are images without a look at them; of others the content tells.
EXTENSIONS = (
    ".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".bmp", ".gif", ".webp", ".avif", ".tif", ".tiff",
    ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2",
)  # fmt: skip
RESIZES = ("crop", "squash")
# What Pillow opens but cannot decode by itself: metadata of videos and grids, PostScript.
_NO_PIXELS = ("EPS", "MPEG", "BUFR", "GRIB", "HDF5", "WMF")


class DataError(ValueError):
    """A folder or file that cannot be used as images; the message is one line for the user."""


class BadImageError(DataError, SkipSample):
    """A file that is not a whole image; the loader leaves it out, other callers see a DataError."""


def load_image(
    source: str | os.PathLike[str] | bytes, size: int, resize: str = "crop"
) -> NDArray[np.uint8]:
    """Decode an image file, or its bytes, to uint8 RGB (size, size, 3).

    resize "crop": the short side is scaled to `size` and the centre cropped (Krizhevsky et al.
    2012, section 2); "squash": all of it is scaled, whatever its shape (Caffe's ImageNet tutorial).
    One bilinear resize; an image of that size already is not touched. Grey, 16-bit grey,
    palette and CMYK become RGB; transparent pixels are laid on white; the first frame of an
    animation is taken; EXIF orientation is not applied. Whole numbers of 32 bits are taken for 8
    bits where none is above 255, else for 16.
    Raises BadImageError, which names the file and the reason, for anything that is not a whole
    image or has more than `PIL.Image.MAX_IMAGE_PIXELS` pixels; a pipe or a device is not opened.
    """
    if resize not in RESIZES:
        raise ValueError(f"no resize {resize!r}: give one of {', '.join(RESIZES)}")
    name = "image" if isinstance(source, bytes) else os.fspath(source)
    try:
        if not isinstance(source, bytes):
            check_plain(source)
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            limit = Image.MAX_IMAGE_PIXELS
            if limit is not None and image.width * image.height > limit:
                raise Image.DecompressionBombError
            # JPEG can decode at 1/2, 1/4, 1/8: much faster for large photos, and still at least
            # twice the size we resize to, so that the resize decides the quality.
            image.draft(None, (2 * size, 2 * size))
            return np.array(_resized(_to_rgb(image), size, resize), dtype=np.uint8)
    except (MemoryError, BadImageError):
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged bytes
        raise BadImageError(f"{name}: {_reason(error)}") from error


def check_plain(path: str | os.PathLike[str]) -> int:
    """The size of a file. BadImageError for a pipe or the like, which waits for ever when opened.

    OSError if there is none.
    """
    found = os.stat(path)
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise BadImageError(f"{os.fspath(path)}: a device, a pipe or a socket, not a plain file")
    return found.st_size


def image_size(source: str | os.PathLike[str] | bytes) -> tuple[int, int]:
    """(width, height) of an image file, or its bytes, from its head. BadImageError if Pillow cannot
    tell."""
    name = "image" if isinstance(source, bytes) else os.fspath(source)
    try:
        if not isinstance(source, bytes):
            check_plain(source)
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            return image.size
    except (MemoryError, BadImageError):
        raise
    except Exception as error:  # as in load_image
        raise BadImageError(f"{name}: {_reason(error)}") from error


def is_image(data: bytes) -> bool:
    """Does Pillow know these bytes as an image, whole or not?"""
    try:
        with Image.open(io.BytesIO(data), formats=_told_by_content()):
            return True
    except MemoryError:
        raise
    except Exception:  # Pillow's readers raise nearly anything on other files
        return False


@functools.cache
def _told_by_content() -> list[str]:
    """Formats that Pillow decodes and that begin with a mark of their own."""
    Image.init()
    return [name for name, (_, mark) in Image.OPEN.items() if mark and name not in _NO_PIXELS]


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):  # whole numbers above 255; convert() would clip them to white
        return _grey(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range, expected 8 or 16 bits")
    return image.convert("RGB")


def _grey(image: Image.Image) -> Image.Image:
    """Whole numbers of 16 bits, or of 32 with the values of 8 or 16, as RGB; one may be white."""
    values = np.asarray(image).astype(np.int64)
    least, most = int(values.min()), int(values.max())
    if least < 0 or most > 65535:
        raise ValueError(f"grey from {least} to {most}, expected 0 to 255 or 0 to 65535")
    # Of 16 bits for certain: Pillow brings a PGM's values to that range, the others say so.
    sixteen = image.mode != "I" or image.format == "PPM" or most > 255
    grey = (values >> 8 if sixteen else values).astype(np.uint8)
    grey[values == image.info.get("transparency", -1)] = 255
    return Image.fromarray(grey).convert("RGB")


def _resized(image: Image.Image, size: int, resize: str) -> Image.Image:
    if image.size == (size, size):
        return image
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side) if resize == "crop" else None
    return image.resize((size, size), Image.Resampling.BILINEAR, box=box)


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"more than {Image.MAX_IMAGE_PIXELS} pixels (a decompression bomb?); make it smaller"
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return str(error.strerror)
    said = " ".join(str(error).split())  # one line
    if "truncated" in said.lower():
        return f"cut short ({said})"
    return f"damaged or unsupported image ({type(error).__name__}: {said})"


def some(names: Sequence[str], most: int = 5) -> str:
    """The first of these names, and how many more there are."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
