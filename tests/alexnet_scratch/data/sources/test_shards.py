"""Parquet files and WebDataset's tars: which are read, what they hold, damage, and how often."""

import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from layouts import (
    LAYOUTS,
    WITHIN,
    WORDS,
    Made,
    images,
    samples,
    write_files,
    write_folder,
    write_parquet,
    write_pngs,
    write_shard,
    write_tar,
    write_webdataset,
)

from alexnet_scratch.cli import main
from alexnet_scratch.data import BadImageError, DataError
from alexnet_scratch.data.folder import ImageFiles
from alexnet_scratch.data.source import LeftOut
from alexnet_scratch.data.sources import open_folder, open_source, parquet

MADE = images()
TRAIN = [m for m in MADE if m.split == "train"]
VAL = [m for m in MADE if m.split == "val"]
IDS = sorted(WORDS)
FLAGS = [
    "--widths", "4,8,8,8,8", "--fc-width", "16", "--input-size", "64", "--image-size", "64",
    "--batch-size", "4", "--epochs", "1", "--max-steps", "1",
]  # fmt: skip


def content(path: Path, first: int | None = None) -> dict[tuple[str, str], bytes]:
    """(split, CLASS_ID/FILE) -> bytes."""
    with closing(open_source(path, first)) as source:
        return {(item.split, item.name): source.read(item) for item in source.items}


def refused(path: Path, said: str, first: int | None = None) -> None:
    began = time.process_time()
    tracemalloc.start()
    with pytest.raises(DataError, match=said) as caught:
        open_source(path, first)
    assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert time.process_time() - began < 5


# -- both ------------------------------------------------------------------------------------

WRITERS = {"parquet": write_parquet, "webdataset": write_webdataset}
SHARD = {"parquet": "data/train-00001-of-00002.parquet", "webdataset": "imagenet-train-000001.tar"}
DIRECT = ("parquet", "webdataset", "cifar-10-python", "mnist")


@pytest.mark.parametrize("name", DIRECT)
def test_training_reads_them_where_they_are(tmp_path: Path, name: str) -> None:
    if name in WRITERS:
        plain, source = write_folder(tmp_path / "plain", MADE), LAYOUTS[name](tmp_path / "in", MADE)
    else:
        made, files = WITHIN[name]()
        plain, source = write_pngs(tmp_path / "plain", made), write_files(tmp_path / "in", files)
    for split in ("train", "val"):
        one, other = (ImageFiles(open_folder(p), split, None, 64) for p in (plain, source))
        assert (one.classes, one.targets) == (other.classes, other.targets)
        for i in reversed(range(len(one))):
            np.testing.assert_array_equal(one[i][0], other[i][0])
    assert main(["stats", str(source), "--image-size", "16"]) == 0
    if name == "parquet":
        run = str(tmp_path / "run")
        assert main(["train", str(source), "--out", run, *FLAGS]) == 0
        assert main(["train", "--resume", run, "--max-steps", "2"]) == 0


@pytest.mark.parametrize("name", WRITERS)
def test_an_image_that_is_damaged_is_named_in_training(tmp_path: Path, name: str) -> None:
    made = [m._replace(data=m.data[:50]) if m is TRAIN[0] else m for m in MADE]
    files = ImageFiles(open_folder(WRITERS[name](tmp_path / "in", made)), "train", None, 64)
    file = TRAIN[0].name.rpartition("/")[2]
    with pytest.raises(BadImageError, match=rf"{file}: cut short"):
        files[0]


@pytest.mark.parametrize("name", WRITERS)
def test_the_first_shards_with_what_is_missing_in_them(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # One class is in the second shard alone, and another has one image in the first.
    here = [m for m in TRAIN if m.class_id == IDS[0]] + [TRAIN[4]]
    there = [m for m in TRAIN if m not in here]
    if name == "parquet":
        for i, part in enumerate((here, there)):
            write_shard(tmp_path / "in" / "data" / f"train-{i:05d}-of-00002.parquet", part)
        write_shard(tmp_path / "in" / "data" / "validation-00000-of-00001.parquet", VAL)
    else:
        write_webdataset(tmp_path / "in", VAL)
        for i, part in enumerate((here, there)):
            write_tar(tmp_path / "in" / f"imagenet-train-{i:06d}.tar", samples(part))
    source, out = str(tmp_path / "in"), str(tmp_path / "out")
    flags = ["--image-size", "32", "--shards", "1", "--per-class", "2"]
    assert main(["prepare", source, out, *flags]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"1 class left out, without train or val images in these shards: {IDS[2]}" in said
    assert "1 class has fewer than 2 training images: English springer (1)" in said
    assert f"{SHARD[name]} (not of the first 1)" in said
    assert "3 training and 4 validation images of 2 classes" in said
    assert main(["prepare", source, f"{out}2", *flags[2:], "--shards", "2"]) == 0
    assert "of 3 classes" in capsys.readouterr().out


def test_shards_are_asked_for_where_there_are_none(tmp_path: Path) -> None:
    refused(write_folder(tmp_path / "in", MADE), "has no shards: leave --shards out", 1)
    assert main(["prepare", str(tmp_path / "in"), str(tmp_path / "out"), "--shards", "0"]) == 2


SPLITS = {
    ("train-0", "val-0"): ("train", "val"),
    ("train/0000", "validation/0000"): ("train", "val"),
    ("default/partial-train/0000", "default/partial-test/0000"): ("train", "val"),
    ("0000", "0001"): ("train", "train"),
    ("cars_train_0", "cars_valid_0"): ("train", "val"),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("files", SPLITS)
def test_the_files_names_say_the_split(
    tmp_path: Path, name: str, files: tuple[str, str]
) -> None:
    for file, made in zip(files, (TRAIN, VAL), strict=True):
        if name == "parquet":
            write_shard(tmp_path / f"{file}.parquet", made)
        else:
            write_tar(tmp_path / f"{file}.tar", samples(made))
    with closing(open_source(tmp_path)) as source:
        splits = dict(zip(("train", "val"), SPLITS[files], strict=True))
        assert sorted(item.split for item in source.items) == sorted(splits[m.split] for m in MADE)


def test_files_that_are_not_named_alike_or_are_two_sets_are_refused(tmp_path: Path) -> None:
    write_shard(tmp_path / "a" / "train-0.parquet", TRAIN)
    write_shard(tmp_path / "b" / "train-0.parquet", TRAIN)
    refused(tmp_path, "holds several sets, in a, b: give the folder of one")
    write_shard(tmp_path / "a" / "more.parquet", VAL)
    refused(tmp_path / "a", "cannot tell which files are for training, of more")
    write_shard(tmp_path / "c" / "test.parquet", TRAIN)
    refused(tmp_path / "c", "cannot tell which")


# -- parquet ---------------------------------------------------------------------------------

PLAIN = {("train", m.name): m.data for m in TRAIN}
BYTES = [m.data for m in TRAIN]
LABELS = [IDS.index(m.class_id) for m in TRAIN]
KINDS: dict[str, dict[str, Any]] = {
    "texts": {"labels": [m.class_id for m in TRAIN], "names": None},
    "texts in a dictionary": {
        "labels": pa.array([m.class_id for m in TRAIN]).dictionary_encode(), "names": None,
    },
    "small numbers": {"labels": pa.array(LABELS, pa.uint8())},
    "large strings": {"labels": pa.array([m.class_id for m in TRAIN], pa.large_string()),
                      "names": None},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_any_kind(tmp_path: Path, kind: str) -> None:
    path = write_shard(tmp_path / "train.parquet", TRAIN, **KINDS[kind])
    assert content(path) == PLAIN
    assert len(open_folder(path).items) == len(TRAIN)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_plain_bytes_are_called_by_file_and_row(tmp_path: Path, kind: Any) -> None:
    path = write_shard(tmp_path / "part-0.parquet", TRAIN, image=pa.array(BYTES, kind))
    rows = [f"{m.class_id}/part-0-{i:05d}" for i, m in enumerate(TRAIN)]
    assert content(path) == {("train", n): d for n, d in zip(rows, BYTES, strict=True)}


def test_a_struct_of_other_order_and_more_fields(tmp_path: Path) -> None:
    kind = pa.struct([("id", pa.int64()), ("path", pa.string()), ("bytes", pa.large_binary())])
    held = [{"id": 1, "path": m.name.rpartition("/")[2], "bytes": m.data} for m in TRAIN]
    assert content(write_shard(tmp_path / "x.parquet", TRAIN, image=pa.array(held, kind))) == PLAIN


def test_numbers_without_names_and_other_names_of_columns(tmp_path: Path) -> None:
    table = pa.table({
        "fine_label": [2, 11, 2], "coarse_label": [0, 0, 0],
        "img": [{"bytes": d, "path": None} for d in BYTES[:3]],
    })  # fmt: skip
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    names = [f"{i}/x-{row:05d}" for row, i in enumerate(("02", "11", "02"))]
    assert content(tmp_path) == {("train", n): d for n, d in zip(names, BYTES, strict=False)}


def test_a_name_that_two_images_share_is_none(tmp_path: Path) -> None:
    twice = [TRAIN[0], TRAIN[0]._replace(data=TRAIN[1].data)]
    names = {name for _, name in content(write_shard(tmp_path / "x.parquet", twice))}
    assert names == {f"{IDS[0]}/x-00000", f"{IDS[0]}/x-00001"}


def test_test_images_without_labels_are_left_out(tmp_path: Path) -> None:
    write_shard(tmp_path / "train-0.parquet", TRAIN)
    write_shard(tmp_path / "test-0.parquet", VAL, labels=[-1] * len(VAL))
    with closing(open_source(tmp_path)) as source:
        assert {item.split for item in source.items} == {"train"}
        assert source.left_out == [LeftOut("test-0.parquet", "without labels")]


def test_an_image_without_bytes_is_skipped(tmp_path: Path) -> None:
    held = [{"bytes": m.data, "path": None} for m in TRAIN]
    held[1], held[2] = {"bytes": None, "path": "a.jpg"}, None  # type: ignore[call-overload]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    write_shard(tmp_path / "in" / "x.parquet", TRAIN, image=pa.array(held, kind))
    with closing(open_source(tmp_path / "in")) as source:
        for item in source.items[1:3]:
            with pytest.raises(BadImageError, match=r"row [12]: no bytes of an image in it"):
                source.read(item)
        assert source.read(source.items[3]) == TRAIN[3].data
    assert main(["prepare", str(tmp_path / "in"), str(tmp_path / "out"), "--image-size", "8"]) == 0
    assert (tmp_path / "out" / "report.csv").read_text().count("no bytes of an image") == 2


def test_a_group_of_rows_is_unpacked_once_and_a_few_rows_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = np.random.default_rng(0).bytes(1 << 12)
    many = [Made("train", IDS[i % 3], f"{i}.jpg", data[i:]) for i in range(300)]
    path = write_shard(tmp_path / "train.parquet", many, rows=150)
    unpacked = []
    before = parquet._Reader._unpack

    def count(self: Any, file: Any, group: int) -> Any:
        unpacked.append(group)
        return before(self, file, group)

    monkeypatch.setattr(parquet._Reader, "_unpack", count)
    with closing(open_source(path)) as source:
        assert unpacked == []
        pool = pa.default_memory_pool()
        began = pool.bytes_allocated()
        for item in source.items:  # class by class, so through all groups for each
            row = int(item.name.rpartition("/")[2].partition(".")[0])
            assert source.read(item) == data[row:]
        assert sorted(unpacked) == [0, 1]
        assert pool.bytes_allocated() == began


def test_an_image_that_stands_for_all_rows_takes_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pa.table({"image": [bytes(1 << 20)] * 40, "label": [0, 1] * 20})
    path = tmp_path / "train.parquet"
    pyarrow.parquet.write_table(table, path, compression="zstd", data_page_size=1 << 20)
    rows = []
    before = parquet._Reader._keep

    def count(self: Any, column: Any, path: str) -> Any:
        rows.append(len(column))
        return before(self, column, path)

    monkeypatch.setattr(parquet._Reader, "_keep", count)
    began = pa.default_memory_pool().bytes_allocated()
    monkeypatch.setattr(parquet, "_MEMORY", 4 << 20)
    for free, most in ((8 << 20, 4), (1 << 19, 0)):  # all 40 rows are 42 MB
        monkeypatch.setattr(parquet, "FREE", free)
        rows.clear()
        with closing(open_source(path)) as source:
            for item in source.items[:2]:
                with pytest.raises(BadImageError, match="decompression bomb"):
                    source.read(item)
        assert max(rows, default=0) <= most
        assert pa.default_memory_pool().bytes_allocated() == began


def test_without_pyarrow_its_command_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parquet(tmp_path / "in", MADE)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    refused(tmp_path / "in", "holds parquet files, which pyarrow reads: pip install pyarrow")
    write_folder(tmp_path / "in", MADE)  # class folders beside it need none of it
    with closing(open_source(tmp_path / "in" / "train")) as source:
        assert len(source.items) == len(TRAIN)


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "cut": (lambda p: p.write_bytes(p.read_bytes()[:-9]), "damaged, or not read by pyarrow"),
    "another file": (lambda p: p.write_bytes(b"hello"), "no parquet file, damaged or cut off"),
    "nothing": (lambda p: p.write_bytes(b""), "no parquet file"),
    "a pointer": (
        lambda p: p.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"),
        "a pointer of Git LFS, not the file: git lfs pull",
    ),
    "no rows": (lambda p: write_shard(p, [], labels=pa.array([], pa.int64())), "0 rows in"),
    "no images": (
        lambda p: write_shard(p, TRAIN, image=pa.array([1] * len(TRAIN))),
        r"no column of images .*; it has image \(int64\), label \(int64\)",
    ),
    "no labels": (
        lambda p: pyarrow.parquet.write_table(pa.table({"image": BYTES}), p), "no column of labels",
    ),
    "numbers with points": (
        lambda p: write_shard(p, TRAIN, labels=[0.5] * len(TRAIN)), "of type double, expected nu",
    ),
    "a label out of range": (
        lambda p: write_shard(p, TRAIN, labels=[3] * len(TRAIN)), "a label is 3, expected 0 to 2",
    ),
    "a label that is a story": (
        lambda p: write_shard(p, TRAIN, labels=["x" * 300] * len(TRAIN), names=None),
        "a label of 300 letters, expected 1 to 255",
    ),
    "a label of -1": (
        lambda p: write_shard(p, TRAIN, labels=[-1] * len(TRAIN)), "a label is -1, expected 0",
    ),
    "a label that is missing": (
        lambda p: write_shard(p, TRAIN, labels=[0, None] + [1] * (len(TRAIN) - 2)),
        "row 1 has no label",
    ),
    "two classes of one name": (
        lambda p: write_shard(p, TRAIN, names=("cat", "dog", "cat")), "two classes of one name",
    ),
    "metadata": (
        lambda p: pyarrow.parquet.write_table(
            pa.table({"image": BYTES, "label": LABELS}, metadata={"huggingface": "{"}), p
        ),
        "its metadata 'huggingface' is damaged",
    ),
    "names that are none": (
        lambda p: pyarrow.parquet.write_table(
            pa.table(
                {"image": BYTES, "label": LABELS},
                metadata={"huggingface": json.dumps({"info": {"features": {
                    "label": {"_type": "ClassLabel", "names": [1]}}}})},
            ), p,
        ),
        "the names of its classes are no names",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_parquet_file_that_is_none_is_told(tmp_path: Path, case: str) -> None:
    make, said = BAD[case]
    path = write_shard(tmp_path / "train-0.parquet", TRAIN)
    make(path)
    refused(tmp_path, said)


def test_files_of_other_columns_are_told(tmp_path: Path) -> None:
    write_shard(tmp_path / "train-0.parquet", TRAIN)
    pyarrow.parquet.write_table(pa.table({"image": BYTES}), tmp_path / "train-1.parquet")
    refused(tmp_path, r"train-1\.parquet: damaged, or not read by pyarrow")


def test_damage_in_a_group_is_told_of_each_of_its_images(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "train.parquet", TRAIN, rows=6)
    whole = path.read_bytes()
    place = pyarrow.parquet.ParquetFile(path).metadata.row_group(0).column(0)
    at = min(n for n in (place.dictionary_page_offset, place.data_page_offset) if n)
    path.write_bytes(whole[:at] + b"\xff" * 60 + whole[at + 60 :])
    with closing(open_source(path)) as source:
        said = []
        for item in source.items:
            try:
                source.read(item)
            except BadImageError as error:
                said.append(str(error))
    assert len(said) == 6
    assert all("damaged, or not read by pyarrow" in line and "\n" not in line for line in said)


# -- WebDataset ------------------------------------------------------------------------------


def test_a_pattern_stands_for_its_files(tmp_path: Path) -> None:
    for i in range(3):
        write_tar(tmp_path / f"shard-{i:03d}.tar", samples(TRAIN[4 * i : 4 * i + 4]))
    write_files(tmp_path, {"classes.txt": "\n".join(IDS).encode()})
    assert content(tmp_path / "shard-{000..002}.tar") == PLAIN
    some = content(tmp_path / "shard-{001..002}.tar")
    assert list(some.values()) == BYTES[4:]
    assert len(open_folder(tmp_path / "shard-{000..001}.tar").items) == 8
    refused(tmp_path / "shard-{000..004}.tar", r"no such file: shard-003\.tar, shard-004\.tar; get")
    refused(tmp_path / "shard-{004..000}.tar", "stands for no files")
    refused(tmp_path / "shard-{0..9999999999}.tar", "or for more than 100000")


def test_a_single_tar_with_its_names_beside_it_or_in_it(tmp_path: Path) -> None:
    names = {"classnames.txt": "\n".join(IDS).encode()}
    write_files(tmp_path, names)
    assert content(write_tar(tmp_path / "a.tar", samples(TRAIN))) == PLAIN
    (tmp_path / "classnames.txt").unlink()
    assert content(write_tar(tmp_path / "b.tar.gz", samples(TRAIN) | names)) == PLAIN
    numbered = content(tmp_path / "a.tar")
    assert {name[:2] for _, name in numbered} == {"0/", "1/", "2/"}


@pytest.mark.parametrize("kind", ["names", "json", "json number"])
def test_labels_of_other_kinds(tmp_path: Path, kind: str) -> None:
    files = {}
    for m in TRAIN:
        file = m.name.rpartition("/")[2]
        key = file.partition(".")[0]
        number = IDS.index(m.class_id)
        files |= {
            "names": {f"{key}.cls": f"{m.class_id}\n".encode()},
            "json": {f"{key}.json": json.dumps({"label": m.class_id}).encode()},
            "json number": {f"{key}.json": json.dumps({"id": 7, "label": number}).encode()},
        }[kind] | {file: m.data, f"{key}.txt": b"a caption"}
    files["classes.txt"] = "\n".join(IDS).encode()
    with closing(open_source(write_tar(tmp_path / "a.tar", files))) as source:
        assert [source.read(item) for item in source.items] == BYTES
        assert list(source.classes) == IDS
        assert source.left_out == []


def test_keys_that_begin_anew_in_each_shard(tmp_path: Path) -> None:
    for i in range(2):
        files = {"0.jpg": BYTES[i], "0.cls": b"0", "1.jpg": BYTES[i + 2], "1.cls": b"1"}
        write_tar(tmp_path / f"s{i}.tar", files)
    assert content(tmp_path) == {
        ("train", f"{label}/s{shard}/{label}.jpg"): BYTES[2 * label + shard]
        for label in (0, 1) for shard in (0, 1)
    }  # fmt: skip


def test_halves_of_samples_are_left_out_and_told(tmp_path: Path) -> None:
    files = samples(TRAIN) | {"x.jpg": BYTES[0], "y.cls": b"1"}
    with closing(open_source(write_tar(tmp_path / "a.tar", files))) as source:
        assert len(source.items) == len(TRAIN)
        note = "2 samples without an image or a label are left out: x, y"
        assert source.notes == [note]
        assert [one.name for one in source.left_out] == ["x.jpg", "y.cls"]


LABEL = f"{TRAIN[0].name.rpartition('/')[2].partition('.')[0]}.cls"
BAD_LABELS: dict[str, tuple[dict[str, bytes], str]] = {
    "out of range": ({LABEL: b"3"}, "a label is 3, expected 0 to 2, as there are 3 names"),
    "below 0": ({LABEL: b"-1"}, "a label is -1"),
    "a name among numbers": ({LABEL: b"cat"}, "some labels are numbers and some are names, cat"),
    "nothing": ({LABEL: b" \n"}, "no label in it"),
    "much": ({LABEL: b"1" * 70_000}, "more than 65536 bytes, expected a label"),
    "a story": ({LABEL: b"once upon\na time"}, "no label but a text of 16 letters"),
    "two classes of one name": ({"classnames.txt": b"cat\ndog\ncat\n"}, "two classes of one name"),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_labels_that_are_none_are_told(tmp_path: Path, case: str) -> None:
    change, said = BAD_LABELS[case]
    names = {"classnames.txt": "\n".join(IDS).encode()}
    refused(write_tar(tmp_path / "a.tar", samples(TRAIN) | names | change), said)
    (tmp_path / "a.tar").rename(tmp_path / "train-0.tar")
    refused(tmp_path, said)


def test_a_shard_that_is_cut_off_is_named(tmp_path: Path) -> None:
    write_webdataset(tmp_path, MADE)
    for name in ("imagenet-train-000000.tar", "imagenet-validation-000000.tar"):
        path = tmp_path / name
        whole = path.read_bytes()
        path.write_bytes(whole[:3000])
        refused(tmp_path, rf"{name}: cut off, damaged")
        path.write_bytes(whole)


def test_a_packed_tar_in_a_folder_is_to_be_given_itself(tmp_path: Path) -> None:
    write_tar(tmp_path / "set.tar.gz", samples(TRAIN)).rename(tmp_path / "set.tar")
    refused(tmp_path, r"but an archive, set\.tar: give that file")


def test_class_folders_beside_a_tar_are_the_set(tmp_path: Path) -> None:
    write_folder(tmp_path, MADE)
    write_tar(tmp_path / "backup.tar", samples(TRAIN))
    with closing(open_source(tmp_path)) as source:
        assert source.layout == "folder"
        assert source.left_out[-1].name == "backup.tar"
