"""ImageFolder: what it finds, how it decodes, and what it says about bad files and folders."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from alexnet_scratch.data import (
    BadImageError,
    DataError,
    ImageFolder,
    find_splits,
    load_image,
    split_samples,
)
from alexnet_scratch.data.image import image_size
from alexnet_scratch.recipe import RECIPES
from alexnet_scratch.training.input import open_splits
from minigrad.data import Compose, DataLoader, RandomCrop, RandomHorizontalFlip, SkipSample

RED, BLUE = (200, 30, 40), (20, 60, 220)


def save(path: Path, colour: Any = RED, size: tuple[int, int] = (16, 16), **kwargs: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **kwargs)
    return path


def encoded(image: Image.Image, fmt: str, **kwargs: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, fmt, **kwargs)
    return buffer.getvalue()


# -- finding ---------------------------------------------------------------------------------


def test_classes_and_samples_are_sorted_and_hidden_files_are_not_seen(tmp_path: Path) -> None:
    for name in ("b/2.JPG", "b/10.png", "b/deep/er/1.WebP", "a/x.jpeg", "a/y.TIFF", "a/z.bmp",
                 "a/p.ppm", "a/q.gif", "a/r.tif", "a/.hidden.jpg", "a/.cache/1.jpg",
                 ".git/1.jpg"):  # fmt: skip
        save(tmp_path / name)
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / "README.md").write_text("no class")
    data = ImageFolder(tmp_path, None, image_size=8)
    assert data.classes == ["a", "b"]
    assert data.class_to_idx == {"a": 0, "b": 1}
    names = [Path(file).relative_to(tmp_path).as_posix() for file, _ in data.samples]
    assert names == ["a/p.ppm", "a/q.gif", "a/r.tif", "a/x.jpeg", "a/y.TIFF", "a/z.bmp",
                     "b/10.png", "b/2.JPG", "b/deep/er/1.WebP"]  # fmt: skip
    assert data.targets == [0] * 6 + [1] * 3
    assert data.describe(6) == str(tmp_path / "b" / "10.png")
    for i in range(len(data)):
        image, label = data[i]
        assert (image.shape, image.dtype, label) == ((8, 8, 3), np.uint8, data.targets[i])
        assert np.abs(image.astype(int) - RED).max() <= 4  # JPEG is not exact


@pytest.mark.parametrize("val", ["val", "validation", "valid", "test", None])
def test_splits_are_found_by_name(tmp_path: Path, val: str | None) -> None:
    save(tmp_path / "train" / "cat" / "1.png")
    if val:
        save(tmp_path / val / "cat" / "1.png")
    assert find_splits(tmp_path) == (tmp_path / "train", tmp_path / val if val else None)


def test_plain_folder_has_no_validation_and_val_wins_over_test(tmp_path: Path) -> None:
    save(tmp_path / "plain" / "cat" / "1.png")
    assert find_splits(tmp_path / "plain") == (tmp_path / "plain", None)
    for split in ("train", "test", "val"):
        save(tmp_path / "both" / split / "cat" / "1.png")
    assert find_splits(tmp_path / "both")[1] == tmp_path / "both" / "val"


def test_a_test_folder_of_unlabelled_images_is_no_validation_set(tmp_path: Path) -> None:
    save(tmp_path / "train" / "cat" / "1.png")
    save(tmp_path / "test" / "1.png")
    assert find_splits(tmp_path)[1] is None


def test_bad_folders_each_get_one_clear_line(tmp_path: Path) -> None:
    def message(find: Any, folder: Path) -> str:
        with pytest.raises(DataError) as caught:
            find(folder)
        assert "\n" not in str(caught.value)
        assert str(folder) in str(caught.value)
        return str(caught.value)

    (tmp_path / "empty").mkdir()
    save(tmp_path / "flat" / "1.png")
    save(tmp_path / "only" / "val" / "cat" / "1.png")
    assert "no such folder" in message(find_splits, tmp_path / "missing")
    assert "not a folder" in message(find_splits, tmp_path / "flat" / "1.png")
    assert "empty folder" in message(find_splits, tmp_path / "empty")
    assert "no class folders" in message(find_splits, tmp_path / "flat")
    assert "val but no train" in message(find_splits, tmp_path / "only")

    save(tmp_path / "set" / "cat" / "1.png")
    (tmp_path / "set" / "dog").mkdir()
    (tmp_path / "set" / "dog" / "notes.txt").write_text("no image")
    assert "class dog has no images" in message(
        lambda folder: ImageFolder(folder, None), tmp_path / "set"
    )


@pytest.mark.parametrize(
    ("train", "val"), [("Train", "Val"), ("training", "VALIDATION"), ("TRAIN", "Test")]
)
def test_splits_are_found_in_any_case_also_in_a_folder_of_their_own(
    tmp_path: Path, train: str, val: str
) -> None:
    for split in (train, val):
        save(tmp_path / "data" / split / "cat" / "1.png")
    save(tmp_path / "logo.png")
    for root in (tmp_path, tmp_path / "data"):
        assert find_splits(root) == (tmp_path / "data" / train, tmp_path / "data" / val)


def test_images_far_smaller_than_the_recipes_are_told(tmp_path: Path) -> None:
    for name in ("a/1", "a/2", "b/1", "b/2"):
        save(tmp_path / f"{name}.png", size=(40, 32))
    said = "\n".join(open_splits(tmp_path, RECIPES["small"]).overview)
    assert "images of about 32 pixels are enlarged 8 times to 256: --image-size 32" in said
    assert "--recipe cifar, is faster" in said
    assert "enlarged" not in "\n".join(open_splits(tmp_path, RECIPES["cifar"]).overview)
    weighted = open_splits(tmp_path, RECIPES["small"], trained=True)  # its weights have its size
    assert "enlarged" not in "\n".join(weighted.overview)


def test_a_split_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    for split in ("train", "val", "Validation"):
        save(tmp_path / split / "cat" / "1.png")
    with pytest.raises(DataError, match="holds Validation and val, each a folder of val images"):
        find_splits(tmp_path)


def test_the_one_folder_that_holds_all_class_folders_is_no_class(tmp_path: Path) -> None:
    save(tmp_path / "images" / "cat" / "1.png")
    (tmp_path / "README.txt").write_text("about them")
    assert find_splits(tmp_path) == (tmp_path / "images", None)


def test_a_class_of_trains_is_no_split_but_unlabelled_images_are_no_class(tmp_path: Path) -> None:
    for name in ("a/Bus", "a/Train", "b/test1", "b/train"):
        save(tmp_path / name / "1.png")
    assert find_splits(tmp_path / "a") == (tmp_path / "a", None)
    with pytest.raises(DataError, match=r"no class folders in .*train, only files"):
        find_splits(tmp_path / "b")


def test_an_archive_in_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "imagenette2.tgz").write_bytes(b"")
    with pytest.raises(DataError, match=r"but an archive, imagenette2\.tgz: give that file to"):
        find_splits(tmp_path)


def test_classes_of_one_split_only_are_named(tmp_path: Path) -> None:
    for name in ("train/cat", "train/dog", "val/cat", "val/fox"):
        save(tmp_path / name / "1.png")
    with pytest.raises(DataError, match=r"only in .*train: dog; only in .*val: fox"):
        find_splits(tmp_path)


# -- decoding --------------------------------------------------------------------------------


def test_resize_scales_the_short_side_and_crops_the_centre() -> None:
    wide = Image.new("RGB", (90, 40), BLUE)
    wide.paste(RED, (25, 0, 65, 40))  # exactly the central square
    image = load_image(encoded(wide, "PNG"), 20)
    assert image.shape == (20, 20, 3)
    assert (image[:, 1:-1] == RED).all()
    tall = wide.transpose(Image.Transpose.ROTATE_90)
    assert (load_image(encoded(tall, "PNG"), 20)[1:-1] == RED).all()


def test_one_resize_equals_resize_then_crop() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (48, 96, 3), np.uint8)
    photo = Image.fromarray(pixels)
    whole = np.asarray(photo.resize((48, 24), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(load_image(encoded(photo, "PNG"), 24) - whole[:, 12:36]).max() <= 1


def test_an_image_of_the_right_size_is_not_resampled() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    np.testing.assert_array_equal(load_image(encoded(Image.fromarray(pixels), "PNG"), 32), pixels)


def test_large_jpeg_agrees_with_a_full_decode() -> None:
    ramp = np.linspace(0, 255, 1024).astype(np.uint8)
    photo = Image.fromarray(
        np.stack(np.broadcast_arrays(ramp, ramp[:, None], 99), -1).astype(np.uint8)
    )
    from_jpeg = load_image(encoded(photo, "JPEG", quality=95), 64).astype(int)
    from_png = load_image(encoded(photo, "PNG"), 64).astype(int)
    assert np.abs(from_jpeg - from_png).max() <= 4


def rgba(alpha: int) -> Image.Image:
    return Image.new("RGBA", (8, 8), (*RED, alpha))


def palette(transparent: bool) -> bytes:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, *RED])
    return encoded(image, "PNG", **({"transparency": 1} if transparent else {}))


def sixteen_bit(value: int, fmt: str) -> bytes:
    return encoded(Image.fromarray(np.full((8, 8), value, np.uint16)), fmt)


def keyed_16_bit(value: int, key: int) -> bytes:
    """A 16-bit grey PNG with a transparent value."""
    plain = sixteen_bit(value, "PNG")
    name_and_key = b"tRNS" + struct.pack(">H", key)
    chunk = struct.pack(">I", 2) + name_and_key + struct.pack(">I", zlib.crc32(name_and_key))
    start = plain.index(b"IDAT") - 4
    return plain[:start] + chunk + plain[start:]


def thirty_two_bit(value: int) -> bytes:
    return encoded(Image.fromarray(np.full((8, 8), value, np.int32)), "TIFF")


WHITE = (255, 255, 255)
MODES = {
    "grey": (encoded(Image.new("L", (8, 8), 77), "PNG"), (77,) * 3),
    "bilevel": (encoded(Image.new("1", (8, 8), 1), "PNG"), WHITE),
    "grey with alpha": (encoded(Image.new("LA", (8, 8), (77, 255)), "PNG"), (77,) * 3),
    "grey with key": (encoded(Image.new("L", (8, 8), 7), "PNG", transparency=7), WHITE),
    "opaque alpha": (encoded(rgba(255), "PNG"), RED),
    "transparent": (encoded(rgba(0), "PNG"), WHITE),
    "half transparent": (encoded(rgba(128), "PNG"), (227, 142, 147)),
    "transparent webp": (encoded(rgba(0), "WEBP", lossless=True), WHITE),
    "colour key": (encoded(Image.new("RGB", (8, 8), RED), "PNG", transparency=RED), WHITE),
    "palette": (palette(False), RED),
    "palette with key": (palette(True), WHITE),
    "gif": (encoded(Image.new("RGB", (8, 8), RED), "GIF"), RED),
    "cmyk jpeg": (encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"), (255, 0, 0)),
    "cmyk tiff": (encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"), (255, 0, 0)),
    "16-bit png": (sixteen_bit(77 * 257, "PNG"), (77,) * 3),
    "16-bit tiff": (sixteen_bit(77 * 257, "TIFF"), (77,) * 3),
    "16-bit pgm": (b"P5 8 8 65535\n" + struct.pack(">H", 77 * 257) * 64, (77,) * 3),
    "16-bit png with key": (keyed_16_bit(77 * 257, 7), (77,) * 3),
    "16-bit png that is the key": (keyed_16_bit(77 * 257, 77 * 257), WHITE),
    "dark 16-bit pgm": (b"P5 8 8 65535\n" + struct.pack(">H", 200) * 64, (0,) * 3),
    "32-bit tiff of 8 bits": (thirty_two_bit(77), (77,) * 3),
    "32-bit tiff of 16 bits": (thirty_two_bit(77 * 257), (77,) * 3),
    "16-bit rgb": (b"P6 8 8 65535\n" + struct.pack(">3H", *(c * 257 for c in RED)) * 64, RED),
}


@pytest.mark.parametrize("size", [8, 4])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_rgb(mode: str, size: int) -> None:
    data, colour = MODES[mode]
    image = load_image(data, size)
    assert (image.shape, image.dtype) == ((size, size, 3), np.uint8)
    assert np.abs(image.astype(int) - colour).max() <= 3


def with_orientation(photo: Image.Image, fmt: str, orientation: int, **how: Any) -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "a camera", orientation
    return encoded(photo, fmt, exif=exif, **how)


@pytest.mark.parametrize("fmt", ["JPEG", "TIFF", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_a_photo_is_turned_upright_as_exif_says(fmt: str, orientation: int) -> None:
    corner = Image.new("RGB", (40, 24), BLUE)
    corner.paste(RED, (0, 0, 16, 8))
    data = with_orientation(corner, fmt, orientation, **({"quality": 95} if fmt != "TIFF" else {}))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    for how in ("crop", "squash"):
        ours = load_image(data, 24, how).astype(int)
        theirs = load_image(encoded(upright.convert("RGB"), "PNG"), 24, how)
        assert np.abs(ours - theirs).max() <= 1
    if fmt != "PNG":  # whose EXIF data stands behind the pixels
        assert image_size(data) == upright.size


TURNED = struct.pack("<HHLHxx", 0x0112, 3, 1, 6)
DAMAGED_EXIF = {
    "none": b"",
    "cut in the head": b"II*\0\x08",
    "no tags there": struct.pack("<2sHL", b"II", 42, 1 << 31),
    "cut in a tag": struct.pack("<2sHLH", b"II", 42, 8, 2) + TURNED[:7],
    "more tags than bytes": struct.pack("<2sHLH", b"II", 42, 8, 65535) + b"\xff" * 24,
    "text for a number": struct.pack("<2sHLH", b"II", 42, 8, 1) + b"\x12\1\2\0" + TURNED[4:],
    "a resolution that is not there": struct.pack(
        "<2sHLHHHLL", b"II", 42, 8, 1, 0x011A, 5, 1, 1 << 20),
    "noise": b"\xa5" * 60,
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGED_EXIF)
def test_damaged_exif_turns_nothing_and_fails_nothing(damage: str) -> None:
    half = Image.new("RGB", (32, 32), BLUE)
    half.paste(RED, (0, 0, 32, 16))
    exif = b"Exif\0\0" + DAMAGED_EXIF[damage]
    for fmt in ("JPEG", "WEBP"):
        image = load_image(encoded(half, fmt, exif=exif, quality=95), 32)
        assert np.abs(image[4].astype(int) - RED).max() < 12


# -- bad files -------------------------------------------------------------------------------


def bomb() -> bytes:
    """A PNG that says it has 30000 x 30000 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000)))


def bad_files() -> dict[str, tuple[bytes, str]]:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    jpeg, png = encoded(noise, "JPEG"), encoded(noise, "PNG")
    return {
        "empty.jpg": (b"", "not an image"),
        "text.jpg": (b"this is no image at all", "not an image"),
        "short.jpg": (jpeg[: len(jpeg) // 2], "cut short"),
        "short.png": (png[: len(png) // 2], "cut short"),
        "header.jpg": (jpeg[:12], "not an image|cut short|damaged"),
        "bomb.png": (bomb(), "decompression bomb"),
        "damaged.png": (png[:60] + b"\0" * 40 + png[100:], "damaged|cut short"),
        "deep.tif": (thirty_two_bit(70000), "grey from 70000 to 70000, expected 0 to 255"),
        "float.tif": (encoded(Image.new("F", (8, 8), 0.5), "TIFF"), "floating-point"),
    }


def test_bad_files_are_skipped_with_name_and_reason(tmp_path: Path) -> None:
    save(tmp_path / "cat" / "good.png")
    files = bad_files()
    for name, (data, _) in files.items():
        (tmp_path / "cat" / name).write_bytes(data)
    data_set = ImageFolder(tmp_path, None, image_size=8)
    for i, (file, _) in enumerate(data_set.samples):
        name = Path(file).name
        if name != "good.png":
            with pytest.raises(SkipSample, match=f"{name}: .*({files[name][1]})") as caught:
                data_set[i]
            assert "\n" not in str(caught.value)
    loader = DataLoader(data_set, 4, num_workers=2)
    assert [batch[0].shape for batch in loader] == [(1, 8, 8, 3)]
    assert {Path(skipped.name).name for skipped in loader.skipped} == set(files)


def test_an_image_between_warning_and_error_size_is_a_bomb_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = encoded(Image.new("RGB", (40, 40)), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(BadImageError, match="more than 1000 pixels"):
        load_image(data, 8)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes there")
def test_a_pipe_is_refused_unopened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", Path("/dev/zero")):
        with pytest.raises(BadImageError, match=rf"{path}: .* not a plain file"):
            load_image(path, 8)


def test_a_vanished_file_and_bad_bytes_are_data_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.jpg: No such file"):
        load_image(tmp_path / "gone.jpg", 8)
    with pytest.raises(DataError, match="image: not an image"):
        load_image(b"nothing", 8)


# -- sampling --------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 4])
def test_augmented_batches_do_not_depend_on_workers(drawn: Path, workers: int) -> None:
    transform = Compose([RandomCrop(56), RandomHorizontalFlip()])
    data = ImageFolder(drawn / "val", transform, image_size=64)

    def first_bytes(workers: int) -> list[bytes]:
        batches = DataLoader(data, 16, shuffle=True, num_workers=workers, seed=9).batches(1)
        return [next(batches)[0].numpy().tobytes() for _ in range(3)]

    assert first_bytes(workers) == first_bytes(0)


def test_indexing_is_repeatable(drawn: Path) -> None:
    data = ImageFolder(drawn / "val", RandomCrop(24), image_size=64)
    assert len(data) == 300
    np.testing.assert_array_equal(data[5][0], data[5][0])


def test_split_is_per_class_seeded_and_complete(tmp_path: Path) -> None:
    for name, count in (("many", 20), ("few", 3), ("one", 1)):
        for i in range(count):
            save(tmp_path / name / f"{i}.png")
    data = ImageFolder(tmp_path, None)
    train, val = split_samples(data, 0.2, seed=0)
    assert sorted(train + val) == list(range(24))
    assert np.bincount(np.asarray(data.targets)[val], minlength=3).tolist() == [1, 4, 0]
    assert split_samples(data, 0.2, seed=0) == (train, val)
    assert split_samples(data, 0.2, seed=1) != (train, val)
    with pytest.raises(ValueError, match=r"fraction=1\.5"):
        split_samples(data, 1.5, seed=0)
