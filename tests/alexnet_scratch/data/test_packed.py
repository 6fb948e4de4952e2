"""A prepared set: the same as its folder, and what it says when it is damaged."""

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from alexnet_scratch.data import DataError, ImageFolder
from alexnet_scratch.data.packed import is_packed, open_packed
from alexnet_scratch.data.prepare import prepare
from alexnet_scratch.data.sources import open_source
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


DAMAGE = {
    "images cut": (cut("val.images"), r"val\.images: 82,943 bytes, expected 82,944 for 12"),
    "images gone": (lambda r: (r / "train.images").unlink(), r"train\.images: no such file"),
    "names gone": (lambda r: (r / "val.names.txt").unlink(), r"val\.names\.txt: no such file"),
    "names cut": (edit("train.names.txt", "\n", ""), r"35 names, expected 36"),
    "labels cut": (cut("train.labels.npy"), r"train\.labels\.npy: cannot be read"),
    "labels pickled": (
        lambda r: np.save(r / "val.labels.npy", np.array([{}] * 12), allow_pickle=True),
        "cannot be read",
    ),
    "labels too large": (
        lambda r: np.save(r / "val.labels.npy", np.full(12, 3, np.int32)), "labels outside 0..2",
    ),
    "labels of another kind": (
        lambda r: np.save(r / "val.labels.npy", np.zeros(12)), "float64 .*expected int32",
    ),
    "description cut": (cut("set.json", 3), r"set\.json: damaged"),
    "no size": (edit("set.json", "image_size", "size"), "damaged .KeyError: 'image_size'"),
    "empty split": (edit("set.json", '"images": 12', '"images": 0'), r"val\.images: .* bytes"),
    "later version": (edit("set.json", '"version": 1', '"version": 2'), "version 2, expected 1"),
    "another format": (edit("set.json", "alexnet-packed", "other"), "not the description"),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_told_in_one_line(packed_colours: Path, tmp_path: Path, what: str) -> None:
    root = tmp_path / "set"
    shutil.copytree(packed_colours, root)
    damage, message = DAMAGE[what]
    damage(root)
    with pytest.raises(DataError, match=message) as caught:
        [open_packed(root).images(split, None).describe(0) for split in ("train", "val")]
    assert "\n" not in str(caught.value)
    assert str(root) in str(caught.value)


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
    ]  # fmt: skip
