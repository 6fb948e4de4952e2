"""The embedded data set: ten classes of drawn textures, as an ImageNet-style folder of JPEGs.

What tells the classes apart is shape. Colours, orientation, scale, position, light and noise are
random, light and dark change places at random, so neither a mean colour nor any single pixel nor
a linear function of the pixels tells the class.
"""

from __future__ import annotations

import functools
import io
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from minigrad.files import rename
from minigrad.kernels.fast.parallel import executor

from ..progress import progress_bar
from .disk import full_disk_told
from .image import DataError

TRAIN_PER_CLASS = 300
VAL_PER_CLASS = 50
_LUMA = np.array([0.299, 0.587, 0.114])
_SUPERSAMPLING = 4
_FULL_DISK = "free some space, or set ALEXNET_CACHE to a folder on another disk"

Plane = NDArray[Any]  # float32; Any keeps mixed arithmetic readable to the type checker


@dataclass(frozen=True)
class _Canvas:
    """Where a pattern is drawn: the size in pixels and the image's own random stream."""

    size: int
    rng: np.random.Generator

    def length(self, low: float, high: float) -> float:
        """A random length in pixels; `low` and `high` are given for an image of 256."""
        return float(self.rng.uniform(low, high)) * self.size / 256

    def angle(self) -> float:
        return float(self.rng.uniform(0, 2 * np.pi))

    def grid(self) -> tuple[Plane, Plane]:
        """x and y, shapes (1, size) and (size, 1), about a random centre inside the image."""
        place = np.arange(self.size, dtype=np.float32)
        x, y = (place - np.float32(self.length(80, 176)) for _ in range(2))
        return x[None, :], y[:, None]

    def turned(self) -> tuple[Plane, Plane]:
        """Two perpendicular coordinates at a random angle and offset, (size, size) each."""
        x, y = self.grid()
        angle = self.angle()
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        return x * c + y * s, y * c - x * s


# A pattern returns a signed distance in pixels to the border of its figure, positive inside.
# Clipped to half a pixel on both sides, that is the anti-aliased share of each pixel covered.


def _to_line(t: Plane, period: float) -> Plane:
    """Distance along t to the nearest of the lines that stand one each period."""
    u = t * np.float32(1 / period)
    u -= np.round(u)
    u *= np.float32(period)
    return np.abs(u, out=u)


def _band(t: Plane, period: float, share: float = 0.5) -> Plane:
    """Signed distance to bands along t: one each period, `share` of it wide."""
    distance = _to_line(t, period)
    return np.subtract(np.float32(share / 2 * period), distance, out=distance)


def _stripes(canvas: _Canvas) -> Plane:
    t, _ = canvas.turned()
    return _band(t, canvas.length(20, 44), canvas.rng.uniform(0.4, 0.6))


def _checks(canvas: _Canvas) -> Plane:
    s, t = canvas.turned()
    period = canvas.length(44, 80)
    a, b = _band(s, period), _band(t, period)
    distance: Plane = np.copysign(np.minimum(np.abs(a), np.abs(b)), a * b)
    return distance


def _dots(canvas: _Canvas) -> Plane:
    """Discs on a triangular lattice, which is two rectangular ones, half a step apart."""
    s, t = canvas.turned()
    step = canvas.length(26, 50)
    radius = step * canvas.rng.uniform(0.26, 0.34)
    nearest: Plane = np.full_like(s, np.inf)
    for shift in (0, step / 2):
        u = _to_line(s + np.float32(shift), step)
        v = _to_line(t + np.float32(shift * np.sqrt(3)), step * np.sqrt(3))
        nearest = np.minimum(nearest, u * u + v * v)
    return np.float32(radius) - np.sqrt(nearest)


def _rings(canvas: _Canvas) -> Plane:
    x, y = canvas.grid()
    period = canvas.length(20, 46)
    phase = np.float32(canvas.rng.uniform(0, period))
    return _band(np.sqrt(x * x + y * y) + phase, period, canvas.rng.uniform(0.4, 0.6))


def _waves(canvas: _Canvas) -> Plane:
    s, t = canvas.turned()
    wavelength, slope = canvas.length(50, 100), canvas.rng.uniform(0.9, 1.5)
    turn = t * np.float32(2 * np.pi / wavelength)
    s += np.sin(turn) * np.float32(slope * wavelength / (2 * np.pi))
    steepness = np.cos(turn) * np.float32(slope)
    distance: Plane = _band(s, canvas.length(24, 46)) / np.sqrt(1 + steepness * steepness)
    return distance


def _grid(canvas: _Canvas) -> Plane:
    s, t = canvas.turned()
    period = canvas.length(24, 50)
    share = canvas.rng.uniform(0.14, 0.2)
    return np.maximum(_band(s, period, share), _band(t, period, share))


def _rays(canvas: _Canvas) -> Plane:
    x, y = canvas.grid()
    rays = int(canvas.rng.integers(8, 19))
    turns = np.arctan2(y, x) * np.float32(1 / (2 * np.pi)) + np.float32(canvas.rng.random())
    distance: Plane = _band(turns, 1 / rays) * np.sqrt(x * x + y * y) * np.float32(2 * np.pi)
    return distance


def _spiral(canvas: _Canvas) -> Plane:
    """Logarithmic arms: they cross every circle and every ray at the same slant."""
    x, y = canvas.grid()
    arms = int(canvas.rng.integers(4, 8))
    slant = canvas.rng.uniform(1.0, 1.7) * canvas.rng.choice((-1, 1))
    r2 = x * x + y * y + np.float32(1e-3)
    turns = np.arctan2(y, x) + np.log(r2) * np.float32(slant / 2)
    turns = turns * np.float32(1 / (2 * np.pi)) + np.float32(canvas.rng.random())
    across = np.float32(2 * np.pi / np.hypot(1, slant))
    distance: Plane = _band(turns, 1 / arms) * np.sqrt(r2) * across
    return distance


def _blotches(canvas: _Canvas) -> Plane:
    """The zero level of a sum of plane waves of like length in all directions."""
    x, y = canvas.grid()
    wavelength = canvas.length(50, 90)
    total = np.zeros((canvas.size, canvas.size), np.float32)
    waves = 12
    for _ in range(waves):
        angle, start = canvas.angle(), canvas.angle()
        k = 2 * np.pi / wavelength * canvas.rng.uniform(0.5, 1.3)
        a, b = (
            x * np.float32(k * np.cos(angle)) + np.float32(start),
            y * np.float32(k * np.sin(angle)),
        )
        total += np.cos(a) * np.cos(b)
        total -= np.sin(a) * np.sin(b)
    typical_gradient = 2 * np.pi / wavelength * 0.93 * np.sqrt(waves / 2)
    return total / np.float32(typical_gradient)


def _triangles(canvas: _Canvas) -> Plane:
    """Triangles turned at random, one in each cell of a shaken lattice, so that none overlap."""
    rng, size, fine = canvas.rng, canvas.size, _SUPERSAMPLING
    cell = canvas.length(44, 68)
    reach = int(size / cell) + 1
    lattice = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1) * cell
    u, v = lattice + rng.uniform(-0.05, 0.05, lattice.shape) * cell
    angle, (left, top) = canvas.angle(), size / 2 + rng.uniform(0, cell, 2)
    x, y = left + u * np.cos(angle) - v * np.sin(angle), top + u * np.sin(angle) + v * np.cos(angle)
    corner = rng.uniform(0, 2 * np.pi, x.shape) + np.arange(3)[:, None] * 2 * np.pi / 3
    points = np.stack([x + 0.48 * cell * np.cos(corner), y + 0.48 * cell * np.sin(corner)], axis=-1)
    seen = (np.abs(x - size / 2) < size / 2 + cell) & (np.abs(y - size / 2) < size / 2 + cell)
    sheet = Image.new("L", (size * fine, size * fine))
    pen = ImageDraw.Draw(sheet)
    for triangle in (points[:, seen] * fine).transpose(1, 0, 2).reshape(-1, 6).tolist():
        pen.polygon(triangle, fill=255)
    return np.asarray(sheet.reduce(fine), np.float32) / np.float32(255) - np.float32(0.5)


PATTERNS: dict[str, Callable[[_Canvas], Plane]] = {
    "blotches": _blotches,
    "checks": _checks,
    "dots": _dots,
    "grid": _grid,
    "rays": _rays,
    "rings": _rings,
    "spiral": _spiral,
    "stripes": _stripes,
    "triangles": _triangles,
    "waves": _waves,
}
CLASSES = tuple(PATTERNS)


def draw(name: str, rng: np.random.Generator, size: int = 256) -> NDArray[np.uint8]:
    """One image of class `name`: uint8 (size, size, 3), all randomness from `rng`.

    ValueError if there is no such class.
    """
    if name not in PATTERNS:
        raise ValueError(f"no pattern named {name!r}: give one of {', '.join(CLASSES)}")
    canvas = _Canvas(size, rng)
    cover = np.clip(PATTERNS[name](canvas) + np.float32(0.5), 0, 1)
    return _paint(canvas, cover)


def _paint(canvas: _Canvas, cover: Plane) -> NDArray[np.uint8]:
    """Two colours where `cover` is 0 and 1, under a gradient of light, with noise."""
    rng, size = canvas.rng, canvas.size
    back, front = _two_colours(rng)
    angle, slope = canvas.angle(), rng.uniform(0, 0.3)
    place = np.linspace(-1, 1, size, dtype=np.float32) * np.float32(slope)
    light = (
        1 + place[None, :] * np.float32(np.cos(angle)) + place[:, None] * np.float32(np.sin(angle))
    )
    noise = rng.standard_normal((size, size), np.float32) * np.float32(rng.uniform(1, 7))
    cover *= light
    image = np.empty((size, size, 3), np.uint8)
    for channel in range(3):
        plane = cover * np.float32(front[channel] - back[channel])
        plane += light * np.float32(back[channel])
        plane += noise
        image[:, :, channel] = np.clip(plane, 0, 255, out=plane)
    return image


def _two_colours(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Colours 0..255 whose luminances differ by at least 85; either may be the lighter one."""
    while True:
        back, front = rng.uniform(15, 240, (2, 3))
        if abs((front - back) @ _LUMA) >= 85:
            return back, front


def generate(
    folder: str | os.PathLike[str],
    train: int = TRAIN_PER_CLASS,
    val: int = VAL_PER_CLASS,
    seed: int = 0,
    size: int = 256,
    *,
    threads: int | None = None,
    progress: bool = True,
) -> Path:
    """Draw the data set into `folder`, which must be new or empty; returns it.

    train, val: images per class, written to folder/train/CLASS and folder/val/CLASS as JPEG of
    size x size. Image i of a class and split depends on (seed, split, class, i, size) only, so a
    larger set contains the smaller one and the bytes do not depend on `threads` (default: the
    number of processors). DataError if `folder` holds something, and for a full disk; ValueError
    for a wrong number.
    """
    folder = Path(folder)
    for name, value, least in (
        ("train", train, 1),
        ("val", val, 0),
        ("size", size, 16),
        ("seed", seed, 0),
    ):
        if value < least:
            raise ValueError(f"generate got {name}={value}, expected at least {least}: give more")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(
            f"{folder} is not an empty folder: give a new one to draw the patterns into"
        )
    jobs = []
    with full_disk_told(folder, lambda: _FULL_DISK):
        for split, (split_name, count) in enumerate((("train", train), ("val", val))):
            for label, name in enumerate(CLASSES):
                into = folder / split_name / name
                into.mkdir(parents=True, exist_ok=True)
                jobs += [
                    functools.partial(
                        _write, into / f"{name}_{i:05d}.jpg", name, (seed, split, label, i), size
                    )
                    for i in range(count)
                ]
        _run_all(jobs, threads, progress)
    return folder


def _write(file: Path, name: str, entropy: tuple[int, ...], size: int) -> None:
    rng = np.random.default_rng(np.random.SeedSequence(entropy))
    data = io.BytesIO()  # Pillow's own error does not say that the disk is full
    Image.fromarray(draw(name, rng, size)).save(data, "JPEG", quality=90)
    file.write_bytes(data.getbuffer())


def _run_all(jobs: list[functools.partial[None]], threads: int | None, progress: bool) -> None:
    pool = executor(threads)
    try:
        running = [pool.submit(job) for job in jobs]
        with progress_bar("drawing", len(jobs), unit="images", hidden=not progress) as bar:
            for done in as_completed(running):
                done.result()
                bar.update()
    finally:
        # On Ctrl-C or a full disk the rest is not worth drawing.
        pool.shutdown(cancel_futures=True)


def cache_folder() -> Path:
    """Where data sets are kept: $ALEXNET_CACHE, or ~/.cache/alexnet-scratch; it need not exist."""
    return Path(os.environ.get("ALEXNET_CACHE") or Path.home() / ".cache/alexnet-scratch")


def ensure(
    cache: str | os.PathLike[str] | None = None,
    train_per_class: int = TRAIN_PER_CLASS,
    val_per_class: int = VAL_PER_CLASS,
    seed: int = 0,
    *,
    progress: bool = True,
) -> Path:
    """The folder of the drawn data set, drawn now if the cache does not have it.

    It is `patterns-SEED-TRAINxVAL` in `cache` (default: `cache_folder()`). It appears under that
    name only when it is complete, so an interrupted drawing leaves nothing half done and two
    processes at once do no harm.
    """
    root = Path(cache or cache_folder())
    folder = root / f"patterns-{seed}-{train_per_class}x{val_per_class}"
    if folder.is_dir():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=root))
    try:
        # One level down: mkdtemp's own folder is closed to other users.
        drawn = generate(
            workshop / "drawn", train_per_class, val_per_class, seed, progress=progress
        )
        try:
            rename(drawn, folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was first, with the same bytes
                raise
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return folder
