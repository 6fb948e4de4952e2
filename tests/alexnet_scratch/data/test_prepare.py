"""`prepare`: which images, what they become, and the same bytes however often it is killed."""

import csv
import errno
import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from alexnet_scratch.data import BadImageError, DataError, load_image
from alexnet_scratch.data.decode import decoded
from alexnet_scratch.data.packed import PackedImages, open_packed
from alexnet_scratch.data.prepare import prepare
from alexnet_scratch.data.source import Item, LeftOut
from alexnet_scratch.data.sources import open_source
from alexnet_scratch.data.unfinished import Unfinished

SIDE = 12
RED, BLUE = (200, 30, 40), (20, 60, 220)

CMYK_NAMES = (
    "n01739381_1309", "n02077923_14822", "n02447366_23489", "n02492035_15739", "n02747177_10752",
    "n03018349_4028", "n03062245_4620", "n03347037_9675", "n03467068_12171", "n03529860_11437",
    "n03544143_17228", "n03633091_5218", "n03710637_5125", "n03961711_5286", "n04033995_2932",
    "n04258138_17003", "n04264628_27969", "n04336792_7448", "n04371774_5854", "n04596742_4225",
    "n07583066_647", "n13037406_4650",
)  # fmt: skip
PNG_NAME = "n02105855_2933"  # the one that is called JPEG


class Files:
    """A source of made files: (split, name) -> bytes, where a name is CLASS_ID/FILE."""

    layout = "made"

    def __init__(
        self, files: dict[tuple[str, str], bytes], left_out: Sequence[LeftOut] = ()
    ) -> None:
        self.files, self.left_out = files, [*left_out]
        self.folders, self.notes = {"train": ""}, list[str]()
        self.items = sorted(Item(s, name.split("/")[0], name) for s, name in files)
        self.classes = {c: f"the {c}" for c in sorted({item.class_id for item in self.items})}

    def read(self, item: Item) -> bytes:
        return self.files[item.split, item.name]

    def close(self) -> None:
        pass


def encoded(image: Image.Image, fmt: str = "PNG", **how: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, fmt, **how)
    return buffer.getvalue()


def noise(seed: int, size: tuple[int, int] = (20, 14)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return encoded(Image.fromarray(pixels))


def made(counts: dict[str, int], split: str = "train") -> dict[tuple[str, str], bytes]:
    """So many images of each class."""
    return {
        (split, f"{c}/{i:03d}.png"): noise(1000 * place + i + 500 * (split == "val"))
        for place, (c, n) in enumerate(sorted(counts.items()))
        for i in range(n)
    }


def make(source: Files, out: Path, **how: Any) -> tuple[PackedImages, PackedImages]:
    prepare(source, out, **{"name": "made", "image_size": SIDE, "progress": False, **how})
    packed = open_packed(out)
    return packed.images("train", None), packed.images("val", None)


def names(images: PackedImages) -> list[str]:
    return images.source_names


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


# -- which images ----------------------------------------------------------------------------


def test_records_are_the_images_in_order(tmp_path: Path) -> None:
    source = Files({**made({"b": 4, "a": 3}), **made({"a": 1, "b": 2}, "val")})
    for images, split in zip(make(source, tmp_path / "set"), ("train", "val"), strict=True):
        items = [item for item in source.items if item.split == split]
        assert names(images) == [item.name for item in items]
        assert images.targets == ["ab".index(item.class_id) for item in items]
        for i, item in enumerate(items):
            np.testing.assert_array_equal(images[i][0], load_image(source.read(item), SIDE))
    assert open_packed(tmp_path / "set").names == {"a": "the a", "b": "the b"}
    assert [p.name for p in tmp_path.iterdir()] == ["set"]  # nothing is left beside it


def test_squash_takes_all_of_the_image(tmp_path: Path) -> None:
    wide = Image.new("RGB", (90, 30), BLUE)
    wide.paste(RED, (0, 0, 45, 30))
    source = Files({("train", "a/1"): encoded(wide), ("val", "a/2"): encoded(wide)})
    for resize, left in (("crop", RED), ("squash", RED)):
        image = make(source, tmp_path / resize, resize=resize)[0][0][0]
        assert (image[:, 0] == left).all()
        assert (image[:, -1] == BLUE).all()
    crop, squash = (open_packed(tmp_path / r).pixels("train")[0] for r in ("crop", "squash"))
    whole = np.asarray(wide.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(squash, whole)
    centre = wide.crop((30, 0, 60, 30)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(crop, np.asarray(centre))
    with pytest.raises(DataError, match="resize is 'stretch', expected one of crop, squash"):
        make(source, tmp_path / "new", resize="stretch")


def test_validation_images_are_held_out_per_class_by_the_seed(tmp_path: Path) -> None:
    source = Files(made({"many": 20, "few": 3, "one": 1}))

    def split(name: str, **how: Any) -> tuple[list[str], list[str]]:
        train, val = make(source, tmp_path / name, val_fraction=0.2, **how)
        return names(train), names(val)

    train, val = split("set")
    assert sorted(train + val) == [item.name for item in source.items]
    assert train == sorted(train)
    assert Counter(name.split("/")[0] for name in val) == {"many": 4, "few": 1}
    assert split("same") == (train, val)
    assert split("other", seed=1) != (train, val)
    # A class is split alike whatever other classes there are.
    assert split("less", classes=["many"])[1] == [name for name in val if "many" in name]


def test_a_part_of_the_classes_and_images(tmp_path: Path) -> None:
    source = Files({**made({"a": 6, "b": 6, "c": 6}), **made({"a": 3, "b": 1, "c": 3}, "val")})
    train, val = make(source, tmp_path / "two", classes=2, per_class=2)
    assert train.classes == ["a", "b"]
    assert (train.targets, val.targets) == ([0, 0, 1, 1], [0, 0, 1])
    assert names(train) == sorted(names(train))
    more, _ = make(source, tmp_path / "more", classes=["b", "a"], per_class=4)
    assert set(names(train)) < set(names(more))
    other, _ = make(source, tmp_path / "other", classes=2, per_class=2, seed=5)
    assert names(other) != names(train)
    every, _ = make(source, tmp_path / "every", classes=["c"], per_class=100)
    assert (every.classes, len(every), every.targets[0]) == (["c"], 6, 0)


def test_only_the_wanted_classes_need_be_in_both_splits(tmp_path: Path) -> None:
    for (split, name), data in {
        **made({"a": 3, "b": 3}), **made({"b": 2, "c": 1, "d": 1}, "val"),
    }.items():  # fmt: skip
        file = tmp_path / "in" / split / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    source, out = open_source(tmp_path / "in"), tmp_path / "set"
    how = {"name": "made", "image_size": SIDE, "progress": False}
    for classes, only in ((None, "only in train: a; only in val: c, d"), (1, "only in train: a")):
        with pytest.raises(DataError, match=f"the splits have different classes; {only}; make"):
            prepare(source, out, **how, classes=classes)
    made_of_b = prepare(source, out, **how, classes=["b"])
    assert (made_of_b.counts, open_packed(out).classes) == ({"train": 3, "val": 2}, ["b"])


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"classes": ["cat", "dgo"]}, "no class dgo: did you mean dog"),
        ({"classes": ["zebra"]}, "no class zebra: it has cat .the cat., dog .the dog."),
        ({"classes": 3}, "3 classes wanted, expected 1 to 2"),
        ({"classes": []}, "no classes are wanted"),
        ({"per_class": 0}, "per_class is 0, expected at least 1"),
        ({"image_size": 0}, "image_size is 0, expected at least 1"),
        ({"seed": -1}, "seed is -1, expected at least 0"),
        ({"val_fraction": 1.0}, r"val_fraction is 1\.0, expected a share between 0 and 1"),
    ],
)
def test_wrong_arguments_write_nothing(tmp_path: Path, how: dict[str, Any], message: str) -> None:
    source = Files(made({"cat": 2, "dog": 2}))
    with pytest.raises(DataError, match=message) as caught:
        make(source, tmp_path / "set", **how)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


# -- what they become ------------------------------------------------------------------------


def colour_of(image: NDArray[np.uint8]) -> list[int]:
    return np.round(image.reshape(-1, 3).mean(axis=0)).astype(int).tolist()


def test_imagenets_odd_files_have_the_right_colours(tmp_path: Path) -> None:
    orange = (230, 120, 30)
    cmyk = encoded(Image.new("RGB", (24, 18), orange).convert("CMYK"), "JPEG", quality=95)
    assert Image.open(io.BytesIO(cmyk)).info["adobe"]  # stored inverted, as Photoshop does
    files = {("train", f"{name.split('_')[0]}/{name}.JPEG"): cmyk for name in CMYK_NAMES}
    png = encoded(Image.new("RGB", (24, 18), orange))
    files["train", f"n02105855/{PNG_NAME}.JPEG"] = png
    files.update({("val", f"{name.split('/')[0]}/val.JPEG"): png for _, name in files})
    train, _ = make(Files(files), tmp_path / "set")
    assert len(train) == len(CMYK_NAMES) + 1
    for i in range(len(train)):
        assert np.abs(np.subtract(colour_of(train[i][0]), orange)).max() <= 3, train.describe(i)


def bad_files() -> dict[str, tuple[bytes, str]]:
    whole = noise(9, (64, 64))
    jpeg = encoded(Image.open(io.BytesIO(whole)), "JPEG")
    return {
        "empty.jpg": (b"", "not an image"),
        "text.jpg": (b"no image", "not an image"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "cut short"),
        "cut.png": (whole[: len(whole) // 2], "cut short"),
    }


def test_bad_files_are_listed_and_left_out(tmp_path: Path) -> None:
    bad = bad_files()
    source = Files(
        {**made({"cat": 3, "dog": 2}), **{("train", f"cat/{n}"): b for n, (b, _) in bad.items()}}
    )
    result = prepare(source, tmp_path / "set", name="made", image_size=SIDE, progress=False,
                     val_fraction=0.01)  # fmt: skip
    rows = list(csv.reader((tmp_path / "set" / "report.csv").read_text().splitlines()))
    assert rows[0] == ["name", "reason"]
    held_out = names(open_packed(tmp_path / "set").images("val", None))
    assert result.skipped == len(rows) - 1 == len(bad)
    for name, reason in rows[1:]:
        assert bad[name.removeprefix("cat/")][1] in reason
        assert "image:" not in reason
    train = open_packed(tmp_path / "set").images("train", None)
    good = {item.name for item in source.items} - {f"cat/{name}" for name in bad}
    assert sorted(names(train) + held_out) == sorted(good)
    assert open_packed(tmp_path / "set").statistics.images == len(train)


def test_what_a_source_leaves_out_stands_in_the_report(tmp_path: Path) -> None:
    left_out = [LeftOut("cat/notes\n.txt", "not an image"), LeftOut("extra/", "no split", 7)]
    files = {**made({"cat": 3, "dog": 2}), ("train", "cat/bad.png"): b"no image"}
    result = prepare(Files(files, left_out), tmp_path / "set", name="made", image_size=SIDE,
                     progress=False)  # fmt: skip
    rows = list(csv.reader((tmp_path / "set" / "report.csv").read_text().splitlines()))
    assert result.skipped == 1
    assert rows[2:] == [["cat/notes\\n.txt", "not an image"], ["extra/", "no split, 7 inside"]]


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    files = {**made({"a": 3}), ("train", "a/bomb.png"): noise(1, (200, 10))}
    assert len(make(Files({**files, **made({"a": 1}, "val")}), tmp_path / "set")[0]) == 3
    assert "decompression bomb" in (tmp_path / "set" / "report.csv").read_text()


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_class_without_a_readable_image_is_an_error(tmp_path: Path, split: str) -> None:
    files = {**made({"a": 2, "b": 2}), **made({"a": 1, "b": 1}, "val")}
    lost = "b/" if split == "train" else ""  # all of the validation images
    files = {key: b"" if key[0] == split and lost in key[1] else v for key, v in files.items()}
    what = "training image of b" if split == "train" else "validation image"
    with pytest.raises(DataError, match=rf"no {what} can be read \(\d bad files, see .*report.csv"):
        make(Files(files), tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_strange_names_stay_in_one_line(tmp_path: Path) -> None:
    strange = ("a/x\ny.png", "a/\udcff.png", 'a/",.png', "a/\u2028é.png")
    files = {("train", name): noise(i) for i, name in enumerate(strange)}
    files["train", "a/bad\nname"] = b""
    train, _ = make(Files({**files, **made({"a": 1}, "val")}), tmp_path / "set")
    assert sorted(names(train)) == sorted(
        ["a/x\\ny.png", "a/\\xff.png", 'a/",.png', "a/\\u2028é.png"]
    )
    assert "a/bad\\nname" in (tmp_path / "set" / "report.csv").read_text()
    odd = ["\udcffa", "é"]
    assert make(Files(made(dict.fromkeys(odd, 3))), tmp_path / "odd")[0].classes == sorted(odd)


def test_a_reason_of_many_lines_is_one_bad_file(tmp_path: Path) -> None:
    source = Files({**made({"a": 3}), **made({"a": 1}, "val")})
    read = source.read

    def bad(item: Item) -> bytes:
        if item.name == "a/001.png":
            raise BadImageError("a\nb/1.png: gone\r\n")
        return read(item)

    source.read = bad  # type: ignore[method-assign]
    result = prepare(source, tmp_path / "set", name="made", image_size=SIDE, progress=False)
    assert result.skipped == 1
    rows = (tmp_path / "set" / "report.csv").read_text().splitlines()
    assert rows == ["name,reason", "a/001.png,a\\nb/1.png: gone\\r\\n"]


# -- in order, in little memory --------------------------------------------------------------


def test_only_so_many_images_are_decoded_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Files(made({"a": 120}))
    begun, lock = Counter[str](), threading.Lock()

    def read(item: Item) -> bytes:
        with lock:
            begun["n"] += 1
        return source.files[item.split, item.name]

    source.read = read  # type: ignore[method-assign]
    monkeypatch.setattr("alexnet_scratch.data.decode.AHEAD_BYTES", 20 * SIDE * SIDE * 3)
    done, most = 0, 0
    for piece in decoded(source, source.items, 0, SIDE, "crop", None, workers=4, most=5):
        time.sleep(0.005)
        most = max(most, begun["n"] - done)
        done += piece.done
    assert done == 120
    assert most <= 20 + 5  # those ahead, and those that have just been handed over


@pytest.mark.parametrize("how", [{"workers": 1}, {"workers": 7}, {"chunk": 3}, {"chunk": 1000}])
def test_bytes_depend_on_no_setting(tmp_path: Path, how: dict[str, int]) -> None:
    files = {**made({"a": 21, "b": 20}), **{("train", f"b/{n}"): b for n, (b, _) in
                                              bad_files().items()}}  # fmt: skip
    make(Files(files), tmp_path / "one")
    make(Files(files), tmp_path / "two", **how)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


# -- interrupted -----------------------------------------------------------------------------

DRIVER = """
import os, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_prepare import Files, bad_files, made
from alexnet_scratch.data.prepare import prepare
bad = {("train", f"b/{name}"): data for name, (data, _) in bad_files().items()}
source = Files({**made({"a": 50, "b": 50}), **bad})
left = int(sys.argv[2])
def read(item):
    global left
    left -= 1
    if left == 0:
        time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGKILL)
    return source.files[item.split, item.name]
source.read = read
prepare(source, Path(sys.argv[1]), name="made", image_size=12, chunk=4, workers=2, progress=False)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL there")
def test_killed_ten_times_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    def run(out: Path, reads: int) -> int:
        """Prepare in a process that is killed while it reads its image number `reads`."""
        here = str(Path(__file__).parent)
        return subprocess.run([sys.executable, "-c", DRIVER, str(out), str(reads), here]).returncode

    assert run(tmp_path / "undisturbed", 1000) == 0
    out, luck, done = tmp_path / "killed", random.Random(0), [0]
    for _ in range(10):
        assert run(out, luck.randint(2, 10)) == -signal.SIGKILL
        assert not out.exists()
        progress = tmp_path / ".killed.part" / "progress.json"
        done.append(json.loads(progress.read_text())["done"] if progress.exists() else 0)
    assert done == sorted(done)  # it never began anew
    assert done[-1] > 0
    assert run(out, 1000) == 0
    assert contents(out) == contents(tmp_path / "undisturbed")
    assert {file.name for file in tmp_path.iterdir()} == {"undisturbed", "killed"}


class Stop(Exception):  # noqa: N818
    """Raised instead of killing the process."""


def stopped(source: Files, out: Path, monkeypatch: pytest.MonkeyPatch, after: int = 2) -> None:
    """Prepare, and stop at commit number `after`."""
    commit, calls = Unfinished.commit, Counter[str]()

    def stop(self: Unfinished, done: int) -> None:
        commit(self, done)
        calls["n"] += 1
        if calls["n"] == after:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(Unfinished, "commit", stop)
        with pytest.raises(Stop):
            make(source, out, chunk=4)


def test_going_on_decodes_only_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Files({**made({"a": 10, "b": 10}), **made({"a": 2, "b": 2}, "val")})
    stopped(source, tmp_path / "set", monkeypatch, after=3)
    read: list[Item] = []
    decode = source.read

    def noted(item: Item) -> bytes:
        read.append(item)
        return decode(item)

    source.read = noted  # type: ignore[method-assign]
    make(source, tmp_path / "set", chunk=4)
    assert sorted(read) == source.items[12:]
    make(source, tmp_path / "undisturbed")
    assert contents(tmp_path / "set") == contents(tmp_path / "undisturbed")


def test_torn_ends_are_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Files(made({"a": 20}))
    stopped(source, tmp_path / "set", monkeypatch)
    for file in (tmp_path / ".set.part").rglob("*"):
        if file.is_file() and file.name != "progress.json":
            with file.open("ab") as torn:
                torn.write(b"half a record")
    make(source, tmp_path / "set")
    make(source, tmp_path / "undisturbed")
    assert contents(tmp_path / "set") == contents(tmp_path / "undisturbed")


def test_other_arguments_are_told_and_restart_forgets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = Files(made({"a": 20})), tmp_path / "set"
    stopped(source, out, monkeypatch)
    with pytest.raises(DataError, match=r"image_size: 12, now 13\): .* with --restart") as caught:
        make(source, out, image_size=13)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"list of images: \w+, now \w+\)"):
        make(source, out, seed=1)
    with pytest.raises(DataError, match="training images: 18, now 19"):
        make(Files(made({"a": 21})), out)
    assert len(make(source, out, image_size=13, restart=True)[0]) == 18
    assert make(source, tmp_path / "undisturbed", image_size=13)
    assert contents(out) == contents(tmp_path / "undisturbed")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("set/train.images", "{"),
        *(("progress.json", text) for text in (
            "{", "[]", "{}", "[" * 100_000, '{"plan": [], "done": 0, "lengths": {}}',
            '{"plan": {}, "done": -1, "lengths": {}}', '{"plan": {}, "done": 0, "lengths": {}}',
            '{"plan": {}, "done": 0, "lengths": {"train.labels": "x"}}',
        )),
    ],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_damaged_leftovers_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str
) -> None:
    source, out = Files(made({"a": 20})), tmp_path / "set"
    stopped(source, out, monkeypatch)
    (tmp_path / ".set.part" / file).write_text(text)
    with pytest.raises(DataError, match=r"damaged .*start over with --restart"):
        make(source, out)


def test_an_existing_folder_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with pytest.raises(DataError, match="set exists: give the name of a new folder"):
        make(Files(made({"a": 3})), tmp_path / "set")
    assert [file.name for file in tmp_path.iterdir()] == ["set"]


def test_killed_between_the_last_two_steps_the_set_is_there(tmp_path: Path) -> None:
    make(Files(made({"a": 3})), tmp_path / "set")
    (tmp_path / ".set.part").mkdir()
    (tmp_path / ".set.part" / "progress.json").write_text("{}")
    with pytest.raises(DataError, match="exists"):
        make(Files(made({"a": 3})), tmp_path / "set")
    assert [file.name for file in tmp_path.iterdir()] == ["set"]


@pytest.mark.skipif(os.name == "nt", reason="there are no such locks there")
def test_two_at_once_are_refused(tmp_path: Path) -> None:
    source = Files(made({"a": 9}))
    inside, go_on = threading.Event(), threading.Event()
    decode = source.read

    def slow(item: Item) -> bytes:
        inside.set()
        assert go_on.wait(30)
        return decode(item)

    source.read = slow  # type: ignore[method-assign]
    first = threading.Thread(target=make, args=(source, tmp_path / "set"))
    first.start()
    assert inside.wait(30)
    with pytest.raises(DataError, match=r"is being prepared by process \d+ on .+ since 20"):
        make(Files(made({"a": 9})), tmp_path / "set", restart=True)
    go_on.set()
    first.join()
    assert open_packed(tmp_path / "set").counts == {"train": 8, "val": 1}


@pytest.mark.parametrize("where", ["append", "commit", "finish"])
def test_a_full_disk_is_told_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    source, calls = Files(made({"a": 40})), Counter[str]()
    whole = getattr(Unfinished, where)

    def full(self: Unfinished, *args: Any) -> None:
        calls["n"] += 1
        if calls["n"] > 5 or where == "finish":
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Unfinished, where, full)
        with pytest.raises(DataError, match=r"disk full: .*same command again: what is done is"):
            make(source, tmp_path / "set", chunk=4)
    assert not (tmp_path / "set").exists()
    make(source, tmp_path / "set")
    make(source, tmp_path / "undisturbed")
    assert contents(tmp_path / "set") == contents(tmp_path / "undisturbed")


def test_a_source_that_cannot_be_read_stops_and_can_go_on(tmp_path: Path) -> None:
    source = Files(made({"a": 20}))

    def broken(item: Item) -> bytes:
        if item.name == "a/015.png":
            raise OSError(errno.EIO, "Input/output error")
        return source.files[item.split, item.name]

    source.read = broken  # type: ignore[method-assign]
    with pytest.raises(OSError, match="Input/output error"):
        make(source, tmp_path / "set", chunk=4)
    assert (len(make(Files(source.files), tmp_path / "set")[0])) == 18
