"""A prepared set: the same as its folder, and what it says when it is damaged."""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alexnet_scratch.data import DataError, ImageFolder
from alexnet_scratch.data.packed import is_packed, open_packed
from alexnet_scratch.data.prepare import prepare
from alexnet_scratch.data.sources import open_source
from alexnet_scratch.data.survey import enlarged_in
from minigrad.data import Compose, DataLoader, RandomCrop, RandomHorizontalFlip

SIDE = 48


@pytest.fixture(scope="module")
def packed_colours(tmp_path_factory: pytest.TempPathFactory, colours: Path) -> Path:
    """The three colours, prepared."""
    out = tmp_path_factory.mktemp("packed") / "set"
    with closing(open_source(colours)) as source:
        prepare(source, out, name="colours", image_size=SIDE, progress=False)
    return out


@pytest.mark.parametrize("split", ["train", "val"])
def test_is_the_same_as_the_folder(packed_colours: Path, colours: Path, split: str) -> None:
    transform = Compose([RandomCrop(32), RandomHorizontalFlip()])
    packed = open_packed(packed_colours).images(split, transform, SIDE)
    folder = ImageFolder(colours / split, transform, SIDE)
    assert len(packed) == len(folder)
    assert (packed.classes, packed.class_to_idx) == (folder.classes, folder.class_to_idx)
    assert packed.targets == folder.targets
    for i in range(len(folder)):
        np.testing.assert_array_equal(packed[i][0], folder[i][0])
        assert packed[i][1] == folder[i][1]
        assert (
            packed.describe(i) == Path(folder.describe(i)).relative_to(colours / split).as_posix()
        )


def test_describes_itself_without_paths_or_times(packed_colours: Path) -> None:
    packed = open_packed(packed_colours)
    assert (packed.image_size, packed.resize, packed.source) == (SIDE, "crop", "colours")
    assert packed.names == {name: name for name in ("blue", "green", "red")}
    assert packed.counts == {"train": 36, "val": 12}
    assert str(packed_colours.parent) not in (packed_colours / "set.json").read_text()
    whole = packed.pixels("train").astype(np.float64)
    np.testing.assert_allclose(packed.statistics.mean_image_0_255, whole.mean(axis=0), rtol=1e-10)


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_batches_do_not_depend_on_workers(packed_colours: Path, workers: int) -> None:
    images = open_packed(packed_colours).images("train", RandomCrop(32))

    def batches(workers: int) -> list[list[bytes]]:
        loader = DataLoader(images, 8, shuffle=True, num_workers=workers, seed=3)
        return [[field.numpy().tobytes() for field in batch] for batch in loader]

    assert batches(workers) == batches(0)


def test_a_sample_is_a_view_that_cannot_be_written(packed_colours: Path) -> None:
    images = open_packed(packed_colours).images("train", RandomCrop(32))
    crop, _ = images[5]
    assert np.shares_memory(crop, images.pixels)
    with pytest.raises(ValueError, match="read-only"):
        crop[0] = 0


def test_only_a_prepared_set_is_packed(packed_colours: Path, colours: Path, tmp_path: Path) -> None:
    (tmp_path / "set.json").write_text("{}")
    assert is_packed(packed_colours)
    assert not any(map(is_packed, (colours, tmp_path, tmp_path / "missing", __file__)))


def edit(name: str, old: str, new: str) -> Callable[[Path], object]:
    """A text file with a piece replaced."""
    return lambda root: (root / name).write_text((root / name).read_text().replace(old, new, 1))


def cut(name: str, by: int = 1) -> Callable[[Path], object]:
    """A file without its last bytes."""
    return lambda root: (root / name).write_bytes((root / name).read_bytes()[:-by])


def header(file: Path, old: str, new: str) -> None:
    """A .npy file with another header of the same length."""
    start, rest = file.read_bytes()[:128].decode("latin-1"), file.read_bytes()[128:]
    assert old in start
    changed = start[:10] + start[10:].replace(old, new).rstrip().ljust(117)[:117] + "\n"
    file.write_bytes(changed.encode("latin-1") + rest)


def describe(root: Path, file: str = "set.json", **changes: Any) -> None:
    """Other entries in a JSON file; None takes one away, but of `classes`."""
    held = {**json.loads((root / file).read_text()), **changes}
    kept = {k: v for k, v in held.items() if v is not None or k == "classes"}
    (root / file).write_text(json.dumps(kept))


def statistics(root: Path, **changes: Any) -> None:
    """Other entries in statistics.json."""
    describe(root, "statistics.json", **changes)


def pipe(file: Path) -> None:
    """A pipe in the place of a file: nobody writes to it."""
    file.unlink()
    if not hasattr(os, "mkfifo"):
        pytest.skip("there are no pipes there")
    os.mkfifo(file)


def read_all(root: Path) -> None:
    """All but the images."""
    packed = open_packed(root)
    for split in ("train", "val"):
        packed.images(split, None).describe(0)
    assert packed.statistics.images == packed.counts["train"]


DAMAGE = {
    "images cut": (cut("val.images"), r"val\.images: 82,943 bytes, expected 82,944 for 12"),
    "images gone": (lambda r: (r / "train.images").unlink(), r"train\.images: no such file"),
    "names gone": (lambda r: (r / "val.names.txt").unlink(), r"val\.names\.txt: no such file"),
    "names cut": (edit("train.names.txt", "\n", ""), r"35 names, expected 36"),
    "labels cut": (cut("train.labels.npy"), r"train\.labels\.npy: cannot be read"),
    "labels pickled": (
        lambda r: np.save(r / "val.labels.npy", np.array([{}] * 12), allow_pickle=True),
        "object .*expected int32",
    ),
    "labels empty": (lambda r: (r / "train.labels.npy").write_bytes(b""), "labels.npy: cannot be"),
    "labels of any size": (
        lambda r: header(r / "val.labels.npy", "(12,), ", "(1<<60,), "), "cannot be read",
    ),
    "labels of a huge size": (
        lambda r: header(r / "val.labels.npy", "(12,), ", "(999999999999,), "), "999999999999,.*12",
    ),
    "labels with a header that is no Python": (
        lambda r: header(r / "val.labels.npy", "{'descr'", "{((('descr'"), "labels.npy: cannot be",
    ),
    "labels for fewer": (
        lambda r: header(r / "val.labels.npy", "(12,), ", "(11,), "), "int32 .11,., expected",
    ),
    "labels too large": (
        lambda r: np.save(r / "val.labels.npy", np.full(12, 3, np.int32)), "labels outside 0..2",
    ),
    "labels of another kind": (
        lambda r: np.save(r / "val.labels.npy", np.zeros(12)), "float64 .*expected int32",
    ),
    "description cut": (cut("set.json", 3), r"set\.json: damaged"),
    "no size": (edit("set.json", "image_size", "size"), "damaged: it has no 'image_size'"),
    "empty split": (
        edit("set.json", '"images": 12', '"images": 0'), "damaged: splits.val.images is 0, expected"
    ),
    "negative size": (edit("set.json", "48", "-48"), "image_size is -48, expected 1 to 2,048"),
    "infinite size": (edit("set.json", "48", "Infinity"), "image_size is inf, expected int"),
    "infinite count": (edit("set.json", ": 12", ": 1e999"), "splits.val.images is inf, expected"),
    "a size of many digits": (edit("set.json", "48", "9" * 6000), "damaged .*Exceeds the limit"),
    "nested": (edit("set.json", "48", "[" * 100_000), "nested too deeply"),
    "nested a little": (edit("set.json", "48", "[" * 99 + "]" * 99), "deeper than 64 levels"),
    "resized otherwise": (edit("set.json", '"crop"', '"nope"'), "resize is 'nope': use one of"),
    "classes null": (
        lambda r: describe(r, classes=None), "classes is None, expected ClassEntry values"
    ),
    "classes in another order": (
        lambda r: describe(r, classes=[{"id": i, "name": i} for i in ("red", "green", "blue")]),
        "not sorted ids, each once",
    ),
    "the same class twice": (edit("set.json", '"id": "red"', '"id": "green"'), "each once"),
    "names without end": (
        lambda r: (r / "val.names.txt").write_text("x" * 60_000), "val.names.txt: .*at most 50,400"
    ),
    "statistics infinite": (
        edit("statistics.json", '"images": 36', '"images": Infinity'), "images is inf, expected int"
    ),
    "statistics of others": (edit("statistics.json", ": 36", ": 35"), "35 images, the set has 36"),
    "five channels": (
        lambda r: statistics(r, channel_mean_0_255=[1.0] * 5), "expected 3 float values",
    ),
    "a mean beyond bytes": (
        lambda r: statistics(r, channel_mean_0_255=[1.0, 2.0, 1e30]), "is 1e.30, expected 0 to 255"
    ),
    "a covariance of one row": (
        lambda r: statistics(r, colour_covariance_0_255_squared=[[1.0] * 3]), "expected 3 tuple",
    ),
    "mean image of another size": (
        lambda r: np.save(r / "mean_image.npy", np.ones((47, 48, 3))), "float64 .47, 48, 3., exp"
    ),
    "mean image of text": (
        lambda r: np.save(r / "mean_image.npy", np.full((48, 48, 3), "x")), "expected float64"
    ),
    "mean image with nan": (
        lambda r: np.save(r / "mean_image.npy", np.full((48, 48, 3), np.nan)), "outside 0..255"
    ),
    "labels a pipe": (lambda r: pipe(r / "val.labels.npy"), "labels.npy: no such file"),
    "names a pipe": (lambda r: pipe(r / "val.names.txt"), "names.txt: no such file"),
    "mean image a pipe": (lambda r: pipe(r / "mean_image.npy"), "mean_image.* a pipe or a socket"),
    "statistics a pipe": (lambda r: pipe(r / "statistics.json"), "statistics.* a pipe or a socket"),
    "later version": (edit("set.json", '"version": 1', '"version": 2'), "version 2, expected 1"),
    "another format": (edit("set.json", "alexnet-packed", "other"), "not the description"),
}  # fmt: skip


@pytest.mark.parametrize("sealed", [False, True], ids=["of before", "with checksums"])
@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_told_in_one_line(
    packed_colours: Path, tmp_path: Path, what: str, sealed: bool
) -> None:
    root = tmp_path / "set"
    shutil.copytree(packed_colours, root)
    if not sealed:
        describe(root, sha256=None, files=None)
    damage, message = DAMAGE[what]
    damage(root)
    with pytest.raises(DataError, match="set" if sealed else message) as caught:
        read_all(root)
    assert "\n" not in str(caught.value)
    assert str(root) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (edit("set.json", '"name": "red"', '"name": "tench"'), "set.json: damaged: it was changed"),
        (edit("set.json", '"layout": "folder"', '"layout": "f"'), "set.json: damaged: it was"),
        (
            lambda r: np.save(r / "train.labels.npy", np.zeros(36, np.int32)),
            r"train\.labels\.npy: damaged: its sha256 is \w+, expected",
        ),
        (edit("val.names.txt", "blue_1", "blue_7"), r"val\.names\.txt: damaged: its sha256"),
        (edit("statistics.json", "1", "2"), r"statistics\.json: damaged: its sha256"),
        (
            lambda r: np.save(r / "mean_image.npy", np.ones((48, 48, 3))),
            r"mean_image\.npy: damaged: its sha256",
        ),
    ],
)  # fmt: skip
def test_a_change_that_makes_sense_is_noticed(
    packed_colours: Path, tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    root = shutil.copytree(packed_colours, tmp_path / "set")
    change(root)
    with pytest.raises(DataError, match=message):
        read_all(root)


def test_a_set_from_before_there_were_checksums_is_read(
    packed_colours: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(packed_colours, tmp_path / "set")
    describe(root, sha256=None, files=None, enlarged=None, short_side=None)
    read_all(root)
    packed = open_packed(root)
    packed.verify()
    assert (packed.enlarged, packed.short_side, enlarged_in(packed)) == (0, 0, [])


def test_a_set_without_a_readable_description_is_still_one(
    packed_colours: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(packed_colours, tmp_path / "set")
    description = root / "set.json"
    description.write_bytes(bytes(200) + description.read_bytes()[200:])
    for said in ("damaged", "no such file, expected in a prepared set"):
        assert is_packed(root)
        with pytest.raises(DataError, match=rf"set\.json: {said}"):
            open_packed(root)
        description.unlink(missing_ok=True)


def test_verify_finds_a_flipped_bit(packed_colours: Path, tmp_path: Path) -> None:
    root = tmp_path / "set"
    shutil.copytree(packed_colours, root)
    open_packed(root).verify()
    pixels = bytearray((root / "val.images").read_bytes())
    pixels[1000] ^= 1
    (root / "val.images").write_bytes(pixels)
    with pytest.raises(DataError, match=r"val\.images: damaged: its sha256 is \w+, expected"):
        open_packed(root).verify()


def test_no_set_and_another_size(packed_colours: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        open_packed(tmp_path / "missing")
    with pytest.raises(DataError, match=r"not a prepared set.*alexnet prepare"):
        open_packed(tmp_path)
    packed = open_packed(packed_colours)
    with pytest.raises(DataError, match=r"images of 48 pixels, expected 64: .*--image-size 64"):
        packed.images("train", None, 64)
    with pytest.raises(ValueError, match="no split 'test'"):
        packed.images("test", None)


def test_set_json_is_as_documented(packed_colours: Path) -> None:
    described = json.loads((packed_colours / "set.json").read_text())
    assert list(described) == [
        "format", "version", "image_size", "resize", "source", "layout", "classes", "splits",
        "enlarged", "short_side", "files", "sha256",
    ]  # fmt: skip
