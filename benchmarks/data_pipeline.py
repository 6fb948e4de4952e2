"""Time the way of images into the network: `alexnet prepare`, and loading from a set or a folder.

    python benchmarks/data_pipeline.py [--photos FOLDER] [--image-size 256] [--images 2000]
        [--rounds 5] [--threads N] [--folder FOLDER]

--photos is a folder of class folders; without it JPEGs like photos are made: 500 x 375, quality 90,
noise of all frequencies with amplitudes that fall as in photos. Then, each side in a process of its
own, in alternating rounds:

- prepare (read, decode, resize, checksum, statistics, write, flush to disk) against Pillow alone
  (open, draft, resize; nothing is kept) with the same number of threads; and, where it is
  installed, simplejpeg in the place of Pillow's decoder, with Pillow's resize: of how many images
  the pixels are the same is told;
- loading in batches of 128 by two threads, with random crop of seven eighths, flip, and mean
  subtraction to float32, from the set and from the images as they are, against PyTorch's DataLoader
  with two workers doing the same from the same files, where PyTorch is installed: images are
  decoded by Pillow and cropped in the workers, floats are made in the main process.

Rates are medians over the rounds, ratios are taken within a round. CPU is the time of all threads
of the process, which a machine with other work to do changes less. At last the batches of 0, 1, 2
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
from alexnet_scratch.data.folder import ImageFolder
from alexnet_scratch.data.image import EXTENSIONS
from alexnet_scratch.data.packed import open_packed
from alexnet_scratch.data.prepare import prepare
from alexnet_scratch.data.sources import open_source
from alexnet_scratch.pixels import PixelStatistics, ToInput
from alexnet_scratch.recipe import RECIPES
from minigrad.data import Compose, DataLoader, RandomCrop, RandomHorizontalFlip
from minigrad.tools.text import align, format_bytes

WIDTH, HEIGHT, QUALITY = 500, 375, 90
BATCH, WORKERS = 128, 2
CLASSES = 10
EPOCHS = 3  # of a set, timed, after one to warm up
PREPARE, PILLOW, SIMPLEJPEG = "prepare", "Pillow alone", "simplejpeg"
OURS, TORCH = "minigrad", "PyTorch"
OURS_FOLDER, TORCH_FOLDER = f"{OURS}, decoding", f"{TORCH}, decoding"


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
    with closing(open_source(options.photos)) as source:
        begin, cpu = time.perf_counter(), time.process_time()
        made = prepare(
            source, out, name="photos", image_size=options.image_size, workers=options.threads,
            progress=False,
        )  # fmt: skip
        seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    shutil.rmtree(out)
    images = sum(made.counts.values())
    return {"rate": images / seconds, "cpu": 1000 * cpu / images, "peak_bytes": peak_bytes()}


def work_pillow(options: argparse.Namespace) -> dict[str, float]:
    return decoding(pillow_alone, options)


def work_simplejpeg(options: argparse.Namespace) -> dict[str, float]:
    measured = decoding(simplejpeg_alone, options)
    files, size = files_of(options.photos), options.image_size
    same = sum(
        pillow_alone(file, size).tobytes() == simplejpeg_alone(file, size).tobytes()
        for file in files
    )
    return {**measured, "same": same, "of": len(files)}


def decoding(
    decode: Callable[[Path, int], Image.Image], options: argparse.Namespace
) -> dict[str, float]:
    """Rate and CPU milliseconds of decoding all photos, none of which is kept."""

    def alone(file: Path) -> int:
        decode(file, options.image_size)
        return 1

    files = files_of(options.photos)
    alone(files[0])
    np.empty(16 << 20, np.uint8)  # as in alexnet_scratch/data/decode.py: freed memory stays
    begin, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(options.threads) as pool:
        images = sum(pool.map(alone, files))
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    return {"rate": images / seconds, "cpu": 1000 * cpu / images, "peak_bytes": peak_bytes()}


def files_of(photos: Path) -> list[Path]:
    return sorted(file for file in photos.rglob("*") if file.suffix.lower() in EXTENSIONS)


def pillow_alone(file: Path, size: int) -> Image.Image:
    with Image.open(file) as image:
        image.draft(None, (2 * size, 2 * size))
        return square(image, size)


def simplejpeg_alone(file: Path, size: int) -> Image.Image:
    """As `pillow_alone`, which it calls for what simplejpeg would decode to other pixels."""
    import simplejpeg

    data = file.read_bytes()
    height, width, colours, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    if colours not in ("YCbCr", "Gray") or min(height, width) >= 4 * size:  # Pillow scales
        return pillow_alone(file, size)
    mode = {"YCbCr": "RGB", "Gray": "GRAY"}[colours]
    pixels = simplejpeg.decode_jpeg(data, mode, strict=False)
    return square(Image.fromarray(pixels.squeeze()), size)


def square(image: Image.Image, size: int) -> Image.Image:
    """The centre of an image, resized as `load_image` does."""
    image = image if image.mode in ("RGB", "L") else image.convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), Image.Resampling.BILINEAR, box=box)


def work_minigrad(options: argparse.Namespace) -> dict[str, float]:
    return work_ours(*loading(options), EPOCHS)


def work_minigrad_folder(options: argparse.Namespace) -> dict[str, float]:
    transform = Compose([RandomCrop(crop_of(options)), RandomHorizontalFlip()])
    return work_ours(
        ImageFolder(options.photos, transform, options.image_size), loading(options)[1], 1
    )


def work_ours(images: Any, to_input: ToInput, epochs: int) -> dict[str, float]:
    loader = DataLoader(images, BATCH, shuffle=True, num_workers=WORKERS)

    def epoch() -> None:
        for pixels, _ in loader:
            to_input(pixels)

    return {"rate": rate_of(epoch, len(images), epochs), "peak_bytes": peak_bytes()}


def loading(options: argparse.Namespace) -> tuple[Any, ToInput]:
    """The training images with their crops, and what makes floats of them."""
    packed = open_packed(options.folder / "set")
    transform = Compose([RandomCrop(crop_of(options)), RandomHorizontalFlip()])
    mean = packed.statistics.channel_mean_0_255.astype(np.float32)
    to_input = ToInput(RECIPES["small"], PixelStatistics(mean, np.zeros((3, 3), np.float32)))
    return packed.images("train", transform), to_input


def crop_of(options: argparse.Namespace) -> int:
    return int(options.image_size) * 7 // 8


def work_torch(options: argparse.Namespace) -> dict[str, float]:
    packed = open_packed(options.folder / "set")
    pixels, labels = packed.pixels("train"), packed.images("train", None).targets
    return work_theirs(lambda index: pixels[index], labels, options, EPOCHS)


def work_torch_folder(options: argparse.Namespace) -> dict[str, float]:
    images = ImageFolder(options.photos, None)
    files = [Path(file) for file, _ in images.samples]
    size = options.image_size
    return work_theirs(
        lambda index: np.asarray(pillow_alone(files[index], size).convert("RGB")),
        images.targets, options, 1,
    )  # fmt: skip


def work_theirs(
    image_of: Callable[[int], Any], labels: list[int], options: argparse.Namespace, epochs: int
) -> dict[str, float]:
    import torch
    from torch.utils import data

    mean = torch.from_numpy(
        open_packed(options.folder / "set").statistics.channel_mean_0_255.astype(np.float32)
    )
    side = crop_of(options)
    room = options.image_size - side + 1

    class Crops(data.Dataset[Any]):
        def __len__(self) -> int:
            return len(labels)

        def __getitem__(self, index: int) -> tuple[Any, int]:
            top, left = torch.randint(room, (2,)).tolist()
            crop = image_of(index)[top : top + side, left : left + side]
            if torch.rand(()) < 0.5:
                crop = crop[:, ::-1]
            return torch.from_numpy(crop.copy()), labels[index]

    loader = data.DataLoader(
        Crops(), BATCH, shuffle=True, num_workers=WORKERS, persistent_workers=True
    )

    def epoch() -> None:
        for batch, _ in loader:
            batch.to(torch.float32).sub_(mean).permute(0, 3, 1, 2)

    return {"rate": rate_of(epoch, len(labels), epochs), "peak_bytes": peak_bytes()}


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


def rate_of(epoch: Callable[[], None], images: int, epochs: int) -> float:
    """Images per second over so many epochs, after one to warm up."""
    epoch()
    begin = time.perf_counter()
    for _ in range(epochs):
        epoch()
    return epochs * images / (time.perf_counter() - begin)


SIDES: dict[str, Callable[[argparse.Namespace], Any]] = {
    PREPARE: work_prepare, PILLOW: work_pillow, SIMPLEJPEG: work_simplejpeg,
    OURS: work_minigrad, TORCH: work_torch,
    OURS_FOLDER: work_minigrad_folder, TORCH_FOLDER: work_torch_folder, "same": work_same,
}  # fmt: skip


# ----- the rounds -----


def run(side: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run a side in a fresh process and return what it printed."""
    flags = [
        "--side", side, "--folder", str(options.folder), "--photos", str(options.photos),
        "--threads", str(options.threads), "--image-size", str(options.image_size),
    ]  # fmt: skip
    try:
        return run_side(__file__, flags)
    except SideError as error:
        sys.exit(f"data_pipeline: the process of {side!r} failed:\n{error}")


def compare(title: str, sides: list[str], options: argparse.Namespace) -> str:
    """Alternating rounds of the sides; the table, and the ratios to the first side's."""
    rounds = alternate(sides, options.rounds, lambda side: run(side, options))
    timed = "cpu" in rounds[0][sides[0]]
    cells = [(title, "images/s", "min..max", "peak memory", *("CPU ms an image",) * timed)]
    for side in sides:
        cells.append((
            side, *spread([r[side]["rate"] for r in rounds], ".0f"),
            format_bytes(max(r[side]["peak_bytes"] for r in rounds)),
            *(spread([r[side].get("cpu", 0) for r in rounds], ".3f")[:1] * timed),
        ))  # fmt: skip
    lines = align(cells, left=1)
    lines += [ratio_line(rounds, sides[0], side) for side in sides[1:]]
    for side in sides[1:]:
        if timed:
            by_cpu = [
                {one: {"rate": 1 / r[one]["cpu"]} for one in (sides[0], side)} for r in rounds
            ]
            lines.append(f"by CPU time, {ratio_line(by_cpu, sides[0], side)}")
    if "same" in rounds[0][sides[0]]:
        same, of = (rounds[0][sides[0]][key] for key in ("same", "of"))
        lines.append(f"{sides[0]}: {same} of {of} images have Pillow's pixels")
    return "\n".join(lines)


def main() -> int:
    options = parse()
    if options.side:
        print(json.dumps(SIDES[options.side](options)))
        return 0
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        options.folder = Path(folder)
        if options.photos is None:
            options.photos = options.folder / "photos"
            make_photos(options.photos, options.images)
        files = files_of(options.photos)
        weight = sum(file.stat().st_size for file in files) / len(files)
        with Image.open(files[0]) as first:
            print(
                f"{len(files)} images of about {first.width} x {first.height}, "
                f"{weight / 1000:.0f} kB each, to {options.image_size} pixels, {options.threads} "
                f"threads, {options.rounds} rounds\n"
            )
        has_simplejpeg = importlib.util.find_spec("simplejpeg") is not None
        has_torch = importlib.util.find_spec("torch") is not None
        print(compare("decoding", [PREPARE, PILLOW], options), "\n")
        if has_simplejpeg:
            print(compare("decoders", [SIMPLEJPEG, PILLOW], options), "\n")
        with closing(open_source(options.photos)) as source:
            prepare(
                source, options.folder / "set", name="photos", image_size=options.image_size,
                progress=False,
            )  # fmt: skip
        print(compare("from a set", [OURS] + [TORCH] * has_torch, options), "\n")
        sides = [OURS_FOLDER] + [TORCH_FOLDER] * has_torch
        print(compare("from a folder", sides, options), "\n")
        digests = run("same", options)
    same = len(set(digests.values())) == 1
    print(f"order and pixels of {', '.join(digests)} workers: {'the same' if same else digests}")
    return int(not same)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, metavar="FOLDER",
                        help="of class folders (default: photos are made)")  # fmt: skip
    parser.add_argument("--image-size", type=int, default=256, help="default: 256")
    parser.add_argument("--images", type=int, default=2000, help="photos to make (default: 2000)")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--threads", type=int, default=os.cpu_count(),
                        help="that decode, on either side (default: all cores)")  # fmt: skip
    parser.add_argument("--folder", type=Path, help="where to work (default: the temporary folder)")
    parser.add_argument("--side", choices=tuple(SIDES), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
