"""Images made to harm: which decoders see them, and what they cost."""

import io
import json
import os
import stat
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from alexnet_scratch.data import BadImageError, image, load_image


def encoded(mode: str, fmt: str, size: tuple[int, int] = (8, 8), **how: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, fmt, **how)
    return buffer.getvalue()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for Ghostscript")
def test_no_program_is_started_for_postscript_named_jpg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gs = tmp_path / "gs"
    gs.write_text(f"#!/bin/sh\ntouch '{tmp_path}/called'\n")
    gs.chmod(gs.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # what an earlier look has found
    (tmp_path / "evil.jpg").write_bytes(encoded("RGB", "EPS"))
    for source in (tmp_path / "evil.jpg", (tmp_path / "evil.jpg").read_bytes()):
        with pytest.raises(BadImageError, match="not an image of the formats that are read: JPEG"):
            load_image(source, 8)
    with pytest.raises(BadImageError, match="not an image"):
        image.image_size(tmp_path / "evil.jpg")
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize(
    "fmt", ["ICO", "ICNS", "TGA", "PCX", "SGI", "DDS", "MSP", "QOI", "BLP", "XBM", "DIB"]
)
def test_formats_that_are_not_listed_are_not_decoded(fmt: str) -> None:
    mode = {"MSP": "1", "XBM": "1", "BLP": "P"}.get(fmt, "RGB")
    data = encoded(mode, fmt, (32, 32))
    assert not image.is_image(data)
    with pytest.raises(BadImageError, match="not an image of the formats"):
        load_image(data, 8)


@pytest.mark.parametrize("fmt", image.FORMATS)
def test_listed_formats_are_known_by_their_content(tmp_path: Path, fmt: str) -> None:
    Image.new("RGB", (16, 16), "red").save(tmp_path / "photo", fmt)
    data = (tmp_path / "photo").read_bytes()
    assert image.is_image(data)
    assert image.image_size(tmp_path / "photo") == (16, 16)
    np.testing.assert_allclose(load_image(data, 8), load_image(tmp_path / "photo", 8))
    np.testing.assert_allclose(load_image(data, 8)[4, 4], (255, 0, 0), atol=4)


def test_a_decoder_that_somebody_registers_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    Image.init()
    asked = []
    monkeypatch.setattr(Image, "ID", ["EVIL", *Image.ID])
    monkeypatch.setattr(Image, "OPEN", {**Image.OPEN, "EVIL": (asked.append, asked.append)})
    for data in (b"anything", encoded("RGB", "PNG")):
        assert image.is_image(data) == (data != b"anything")
    with pytest.raises(BadImageError):
        load_image(b"anything", 8)
    assert not asked


COSTLY = {
    "grey of 16 bits": ("I;16", "PNG", {}),
    "grey of 32 bits": ("I", "TIFF", {"compression": "tiff_adobe_deflate"}),
    "alpha": ("RGBA", "PNG", {}),
    "palette": ("P", "PNG", {"transparency": 0}),
}
SIDE = 3000  # 2 KB to 50 KB each
PEAKS = """
import json, re, sys
from alexnet_scratch.data import load_image
def status(name):
    return int(re.search(rf"{name}:\\s+(\\d+)", open("/proc/self/status").read())[1]) << 10
peaks = []
load_image(sys.argv[1], 64)  # what is loaded once
for path in sys.argv[1:]:
    open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
    before = status("VmRSS")
    load_image(path, 64)
    peaks.append(status("VmHWM") - before)
print(json.dumps(peaks))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells the peak")
def test_an_image_takes_ten_bytes_of_memory_a_pixel_at_most(tmp_path: Path) -> None:
    paths = []
    for name, (mode, fmt, how) in COSTLY.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(encoded(mode, fmt, (SIDE, SIDE), **how))
    ran = subprocess.run(
        [sys.executable, "-c", PEAKS, *paths], capture_output=True, text=True, check=True
    )
    per_pixel = {
        name: peak / SIDE**2 for name, peak in zip(COSTLY, json.loads(ran.stdout), strict=True)
    }
    assert max(per_pixel.values()) < 10.5, per_pixel
    assert per_pixel["grey of 16 bits"] < 5, per_pixel


@pytest.mark.parametrize("mode", ["I;16", "I", "RGBA", "LA", "P"])
def test_strips_give_the_same_pixels(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    if mode in ("I;16", "I"):
        noise = Image.fromarray(
            rng.integers(0, 65536, (50, 40), np.uint16 if mode == "I;16" else np.int32)
        )
    else:
        noise = Image.fromarray(rng.integers(0, 256, (50, 40, 4), np.uint8)).convert(mode)
    buffer = io.BytesIO()
    noise.save(buffer, "TIFF" if mode == "I" else "PNG")
    whole = load_image(buffer.getvalue(), 32)
    monkeypatch.setattr(image, "_STRIP", 7 * 40)
    np.testing.assert_array_equal(load_image(buffer.getvalue(), 32), whole)


@pytest.mark.parametrize("fmt", ["WEBP", "AVIF", "JPEG2000", "PNG"])
def test_formats_whose_libraries_take_more_memory_may_have_a_third_of_the_pixels(
    fmt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encoded("RGB", fmt, (32, 32))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3 * 32 * 32)
    load_image(data, 8)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3 * 32 * 32 - 1)
    if fmt == "PNG":
        load_image(data, 8)
    else:
        with pytest.raises(BadImageError, match="more than 1023 pixels"):
            load_image(data, 8)


def test_of_large_images_one_is_decoded_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    opaque, busy, most = image._opaque, threading.Semaphore(1), []

    def alone(picture: Image.Image) -> Image.Image:
        most.append(busy.acquire(blocking=False))
        time.sleep(0.01)
        busy.release()
        return opaque(picture)

    monkeypatch.setattr(image, "_LARGE", 10)
    monkeypatch.setattr(image, "_opaque", alone)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: load_image(encoded("RGB", "PNG"), 4), range(12)))
    assert all(most)


@pytest.mark.parametrize("ending", ["webp", "tif", "jpg"])
def test_a_file_too_large_for_an_image_is_not_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"huge.{ending}"
    path.write_bytes(encoded("RGB", {"webp": "WEBP", "tif": "TIFF", "jpg": "JPEG"}[ending]))
    os.truncate(path, 200 << 30)  # a hole
    for look in (lambda: load_image(path, 8), lambda: image.image_size(path)):
        with pytest.raises(BadImageError, match="214748364800 bytes, too large for an image"):
            look()


def tiff_of_strips(order: str, count: int) -> bytes:
    """64 x 64 pixels whose rows are said to stand in `count` strips."""
    tags = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 277: 1, 278: 1}
    rows = [(tag, 4, 1, value) for tag, value in tags.items()] + [(273, 4, count, 118)]
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}LH", 8, len(rows))
    entries = b"".join(struct.pack(f"{order}HHLL", *row) for row in sorted(rows))
    return head + entries + bytes(12) + bytes(4 * count)


GIF, PNG, JPEG = (encoded("L", fmt) for fmt in ("GIF", "PNG", "JPEG"))
TINY = struct.pack(">I", 0) + b"teSt" + struct.pack(">I", zlib.crc32(b"teSt"))  # of a PNG


def repeated(image: bytes, at: int, piece: bytes) -> bytes:
    return image[:at] + piece * 1_000_000 + image[at:]


def exif_of_numbers(count: int) -> bytes:
    """A JPEG whose EXIF data, in many pieces, has a resolution of `count` numbers."""
    tags = struct.pack("<HHLLHHLL", 0x11A, 5, count, 38, 0x128, 3, 1, 2)
    exif = b"II*\0" + struct.pack("<LH", 8, 2) + tags + bytes(4) + b"\1\0\0\0" * 2 * count
    pieces = [b"Exif\0\0" + exif[i : i + 65000] for i in range(0, len(exif), 65000)]
    segments = [b"\xff\xe1" + struct.pack(">H", len(piece) + 2) + piece for piece in pieces]
    return JPEG[:2] + b"".join(segments) + JPEG[20:]  # without JFIF's, which has a resolution, too


MANY = {
    "exif": exif_of_numbers(2_000_000),
    "tiff <": tiff_of_strips("<", 3_000_000),
    "tiff >": tiff_of_strips(">", 3_000_000),
    "gif": repeated(GIF, GIF.index(b",\0\0\0\0\x08\0\x08\0"), b"!\xfe\1.\0"),
    "png": repeated(PNG, 33, TINY),
    "jpeg": repeated(JPEG, 2, b"\xff\xfe\0\3."),
}


@pytest.mark.parametrize("kind", MANY)
def test_millions_of_tiny_pieces_are_given_up_soon(kind: str) -> None:
    began = time.process_time()
    with pytest.raises(BadImageError, match=r"in more than \d+ pieces|3000000 numbers in"):
        load_image(MANY[kind], 8)
    assert time.process_time() - began < 8


@pytest.mark.parametrize("order", "<>")
def test_a_tiff_of_a_strip_for_each_row_is_read(order: str) -> None:
    assert load_image(tiff_of_strips(order, 64), 8).shape == (8, 8, 3)


def of_scans(count: int, colours: str, progressive: bool) -> bytes:
    """A JPEG of a million pixels whose last scan is there again and again."""
    data = encoded(colours, "JPEG", (1000, 1000), progressive=progressive)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * (count - data.count(b"\xff\xda")) + data[-2:]


@pytest.mark.parametrize("colours", ["RGB", "L"])
def test_a_jpeg_of_thousands_of_scans_is_refused_before_it_is_decoded(colours: str) -> None:
    few = of_scans(100, colours, progressive=True)
    assert load_image(few, 8).shape == (8, 8, 3)
    many = of_scans(5000, colours, progressive=True)
    for data in (many, many[:2] + b"\0garbage" + many[2:]):  # which libjpeg passes over
        began = time.process_time()
        with pytest.raises(BadImageError, match=r"5000 scans, expected at most 100"):
            load_image(data, 8)
        assert time.process_time() - began < 0.5
    with pytest.raises(BadImageError, match=r"101 scans"):
        load_image(of_scans(101, colours, progressive=True), 8)
    with pytest.raises(BadImageError, match="broken data"):  # the first scan has all colours
        load_image(of_scans(5000, colours, progressive=False), 8)


def test_a_bomb_is_refused_with_one_line_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with pytest.raises(BadImageError, match="more than 89478485 pixels") as caught:
            load_image(encoded("1", "PNG", (9460, 9460)), 8)
    assert "\n" not in str(caught.value)
