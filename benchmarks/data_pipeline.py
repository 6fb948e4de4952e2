"""Time the way of images into the network: `alexnet prepare`, and loading from a prepared set.

    python benchmarks/data_pipeline.py [--images 2000] [--rounds 5] [--threads N] [--folder FOLDER]

JPEGs like photos are made first: 500 x 375, quality 90, noise of all frequencies with amplitudes
that fall as in photos. Then, each side in a process of its own, in alternating rounds:

- prepare (read, decode, resize, checksum, statistics, write, flush to disk) against Pillow alone
  (open, draft, resize; nothing is kept) with the same number of threads;
- loading from the set in batches of 128 by two threads, with random crop of 224, flip, and mean
  subtraction to float32, against PyTorch's DataLoader with two workers doing the same from the same
  file, where PyTorch is installed: crop and flip in the workers, floats in the main process.

Rates are medians over the rounds, ratios are taken within a round. At last the batches of 0, 1, 2
and 8 workers are compared; the exit status is 1 if they differ. --images 10000 --rounds 1 shows the
peak memory of preparing many.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rounds import SideError, alternate, ratio_line, run_side, spread

from alexnet_scratch.bench import peak_bytes
from alexnet_scratch.data.packed import open_packed
from alexnet_scratch.data.prepare import prepare
from alexnet_scratch.data.sources import open_source
from alexnet_scratch.pixels import PixelStatistics, ToInput
from alexnet_scratch.recipe import RECIPES
from minigrad.data import Compose, DataLoader, RandomCrop, RandomHorizontalFlip
from minigrad.tools.text import align, format_bytes

WIDTH, HEIGHT, QUALITY = 500, 375, 90
SIZE, CROP, BATCH, WORKERS = 256, 224, 128, 2
CLASSES = 10
EPOCHS = 3  # timed, after one to warm up
PREPARE, PILLOW, OURS, TORCH = "prepare", "Pillow alone", "minigrad", "PyTorch"


# ----- photos -----


def make_photos(folder: Path, images: int) -> None:
    """Class folders of JPEGs, each another piece of a few large sheets of noise."""
    sheets = [_sheet(np.random.default_rng([0, i])) for i in range(8)]
    for c in range(CLASSES):
        (folder / f"class{c}").mkdir(parents=True)

    def write(i: int) -> None:
        rng = np.random.default_rng([1, i])
        sheet = sheets[i % len(sheets)]
        top, left = (int(rng.integers(n)) for n in (HEIGHT, WIDTH))
        piece = sheet[top : top + HEIGHT, left : left + WIDTH, rng.permutation(3)]
        photo = Image.fromarray(piece[:, :: rng.choice((-1, 1))])
        photo.save(folder / f"class{i % CLASSES}" / f"{i:06d}.jpg", quality=QUALITY)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(write, range(images)))


def _sheet(rng: np.random.Generator) -> Any:
    """uint8 (2 * HEIGHT, 2 * WIDTH, 3): Gaussian noise, amplitudes as frequency**-1.1."""
    shape = (2 * HEIGHT, 2 * WIDTH)
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))
    frequency[0, 0] = np.inf

    def field() -> Any:
        noise = np.fft.rfft2(rng.standard_normal(shape)) * frequency**-1.1
        values = np.fft.irfft2(noise, shape)
        return values / values.std()

    light = 45 * field()
    channels = [light + 14 * field() + mean for mean in (123, 117, 104)]
    return np.clip(np.stack(channels, -1), 0, 255).astype(np.uint8)


# ----- one side, in a process of its own -----


def work_prepare(options: argparse.Namespace) -> dict[str, float]:
    out = options.folder / "again"
    shutil.rmtree(out, ignore_errors=True)
    with closing(open_source(options.folder / "photos")) as source:
        begin = time.perf_counter()
        made = prepare(source, out, name="photos", workers=options.threads, progress=False)
        seconds = time.perf_counter() - begin
    shutil.rmtree(out)
    images = sum(made.counts.values())
    return {"rate": images / seconds, "peak_bytes": peak_bytes(), "images": images}


def work_pillow(options: argparse.Namespace) -> dict[str, float]:
    files = sorted((options.folder / "photos").rglob("*.jpg"))
    begin = time.perf_counter()
    with ThreadPoolExecutor(options.threads) as pool:
        images = sum(pool.map(pillow_alone, files))
    return {"rate": images / (time.perf_counter() - begin), "peak_bytes": peak_bytes()}


def pillow_alone(file: Path) -> int:
    with Image.open(file) as image:
        image.draft(None, (2 * SIZE, 2 * SIZE))
        left, top = (image.width - image.height) / 2, 0
        box = (left, top, left + image.height, image.height)
        image.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=box)
    return 1


def work_minigrad(options: argparse.Namespace) -> dict[str, float]:
    images, to_input = loading(options)
    loader = DataLoader(images, BATCH, shuffle=True, num_workers=WORKERS)

    def epoch() -> None:
        for pixels, _ in loader:
            to_input(pixels)

    return {"rate": rate_of(epoch, len(images)), "peak_bytes": peak_bytes()}


def loading(options: argparse.Namespace) -> tuple[Any, ToInput]:
    """The training images with their crops, and what makes floats of them."""
    packed = open_packed(options.folder / "set")
    transform = Compose([RandomCrop(CROP), RandomHorizontalFlip()])
    mean = packed.statistics.channel_mean_0_255.astype(np.float32)
    to_input = ToInput(RECIPES["small"], PixelStatistics(mean, np.zeros((3, 3), np.float32)))
    return packed.images("train", transform), to_input


def work_torch(options: argparse.Namespace) -> dict[str, float]:
    import torch
    from torch.utils import data

    packed = open_packed(options.folder / "set")
    pixels, labels = packed.pixels("train"), packed.images("train", None).targets
    mean = torch.from_numpy(packed.statistics.channel_mean_0_255.astype(np.float32))

    class Crops(data.Dataset[Any]):
        def __len__(self) -> int:
            return len(pixels)

        def __getitem__(self, index: int) -> tuple[Any, int]:
            top, left = torch.randint(SIZE - CROP + 1, (2,)).tolist()
            crop = pixels[index, top : top + CROP, left : left + CROP]
            if torch.rand(()) < 0.5:
                crop = crop[:, ::-1]
            return torch.from_numpy(crop.copy()), labels[index]

    loader = data.DataLoader(
        Crops(), BATCH, shuffle=True, num_workers=WORKERS, persistent_workers=True
    )

    def epoch() -> None:
        for batch, _ in loader:
            batch.to(torch.float32).sub_(mean).permute(0, 3, 1, 2)

    return {"rate": rate_of(epoch, len(pixels)), "peak_bytes": peak_bytes()}


def work_same(options: argparse.Namespace) -> dict[str, str]:
    """A digest of labels and pixels of an epoch for each number of workers."""
    images, to_input = loading(options)
    found = {}
    for workers in (0, 1, 2, 8):
        digest = hashlib.sha256()
        for pixels, labels in DataLoader(images, BATCH, shuffle=True, num_workers=workers):
            digest.update(labels.numpy().tobytes())
            digest.update(to_input(pixels).numpy().tobytes())
        found[str(workers)] = digest.hexdigest()
    return found


def rate_of(epoch: Callable[[], None], images: int) -> float:
    """Images per second over EPOCHS epochs."""
    epoch()
    begin = time.perf_counter()
    for _ in range(EPOCHS):
        epoch()
    return EPOCHS * images / (time.perf_counter() - begin)


SIDES: dict[str, Callable[[argparse.Namespace], Any]] = {
    PREPARE: work_prepare, PILLOW: work_pillow, OURS: work_minigrad, TORCH: work_torch,
    "same": work_same,
}  # fmt: skip


# ----- the rounds -----


def run(side: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run a side in a fresh process and return what it printed."""
    flags = ["--side", side, "--folder", str(options.folder), "--threads", str(options.threads)]
    try:
        return run_side(__file__, flags)
    except SideError as error:
        sys.exit(f"data_pipeline: the process of {side!r} failed:\n{error}")


def compare(title: str, sides: list[str], options: argparse.Namespace) -> str:
    """Alternating rounds of the sides; the table, and the ratios to the first side's."""
    rounds = alternate(sides, options.rounds, lambda side: run(side, options))
    cells = [(title, "images/s", "min..max", "peak memory")]
    for side in sides:
        cells.append((
            side, *spread([r[side]["rate"] for r in rounds], ".0f"),
            format_bytes(max(r[side]["peak_bytes"] for r in rounds)),
        ))  # fmt: skip
    lines = align(cells, left=1)
    return "\n".join([*lines, *(ratio_line(rounds, sides[0], side) for side in sides[1:])])


def main() -> int:
    options = parse()
    if options.side:
        print(json.dumps(SIDES[options.side](options)))
        return 0
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        options.folder = Path(folder)
        photos = options.folder / "photos"
        make_photos(photos, options.images)
        weight = sum(file.stat().st_size for file in photos.rglob("*.jpg")) / options.images
        print(
            f"{options.images} JPEGs of {WIDTH} x {HEIGHT}, {weight / 1000:.0f} kB each, "
            f"{options.threads} threads, {options.rounds} rounds\n"
        )
        print(compare("decoding", [PREPARE, PILLOW], options), "\n")
        with closing(open_source(photos)) as source:
            prepare(source, options.folder / "set", name="photos", progress=False)
        has_torch = importlib.util.find_spec("torch") is not None
        print(compare("loading", [OURS] + [TORCH] * has_torch, options), "\n")
        digests = run("same", options)
    same = len(set(digests.values())) == 1
    print(f"order and pixels of {', '.join(digests)} workers: {'the same' if same else digests}")
    return int(not same)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=2000, help="photos to make (default: 2000)")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--threads", type=int, default=os.cpu_count(),
                        help="that decode, on either side (default: all cores)")  # fmt: skip
    parser.add_argument("--folder", type=Path, help="where to work (default: the temporary folder)")
    parser.add_argument("--side", choices=tuple(SIDES), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
