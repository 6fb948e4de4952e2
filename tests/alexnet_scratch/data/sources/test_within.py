"""Images within files: CIFAR's records and pickles, MNIST's arrays. What they hold, and damage."""

import gzip
import io
import os
import pickle
import struct
import time
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import layouts
import numpy as np
import pytest
from layouts import WITHIN, write_files, write_tar, write_zip

from alexnet_scratch import pickles
from alexnet_scratch.data import DataError, load_image
from alexnet_scratch.data.source import LeftOut
from alexnet_scratch.data.sources import open_folder, open_source, packing
from alexnet_scratch.pickles import Array, InFile, load_pickle

NAMES = {"mnist": "idx", "mnist-unpacked": "idx"}


def check(path: Path, made: list[layouts.Pixels], opening: Callable[..., Any] = open_source) -> Any:
    """The source at `path` has these images, read in any order; returns what it left out."""
    with closing(opening(path)) as source:
        expected = {m.name: m for m in made}
        assert [item.name for item in source.items] == [m.name for m in sorted(made, key=key)]
        assert [item[:2] for item in source.items] == [key(m)[:2] for m in sorted(made, key=key)]
        assert list(source.classes) == sorted({m.class_id for m in made})
        for item in reversed(source.items):
            pixels = expected[item.name].pixels
            size = len(pixels)
            image = load_image(source.read(item), size)
            rgb = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1)
            np.testing.assert_array_equal(image, rgb)
        return source.left_out


def key(made: layouts.Pixels) -> tuple[str, str, str]:
    return made[:3]


@pytest.mark.parametrize("name", WITHIN)
def test_each_is_the_same_in_a_folder_a_tar_and_a_zip(tmp_path: Path, name: str) -> None:
    made, files = WITHIN[name]()
    folder = write_files(tmp_path / "in", files)
    packed = write_tar(tmp_path / "set.tar.gz", files)
    zipped = write_zip(tmp_path / "set.zip", files)  # every other member is deflated
    for path in (folder, packed, zipped):
        assert check(path, made) == []
    check(folder, made, open_folder)
    with closing(open_source(folder)) as source:
        assert source.layout == NAMES.get(name, name.rpartition("-")[0])
        assert source.notes == [
            "the test images serve as validation: they also choose the best epoch"
        ]
        assert source.folders == {"train": "", "val": ""}


def test_what_lies_beside_the_batches_is_told(tmp_path: Path) -> None:
    made, files = WITHIN["cifar-10-binary"]()
    files["cifar-10-batches-bin/notes.txt"] = b"mine"
    left = check(write_files(tmp_path, files), made)
    assert left == [LeftOut("cifar-10-batches-bin/notes.txt", "not an image")]


def test_without_pread_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pread", raising=False)
    for name in ("mnist", "cifar-10-python"):
        made, files = WITHIN[name]()
        check(write_tar(tmp_path / f"{name}.tar.gz", files), made)


def test_numbers_without_names_sort_as_numbers(tmp_path: Path) -> None:
    labels = np.array([*range(12), 2], np.uint8)
    images = np.zeros((len(labels), 5, 7), np.uint8)
    files = {"train-images.idx3-ubyte": layouts.idx(images),
             "train-labels.idx1-ubyte": layouts.idx(labels)}  # fmt: skip
    with closing(open_source(write_files(tmp_path, files))) as source:
        assert list(source.classes) == [f"{i:02d}" for i in range(12)]
        assert source.folders == {"train": ""}


@pytest.mark.parametrize("name", ["digits/{}", "emnist-letters-{}"])
def test_files_of_two_sets_are_not_mixed(tmp_path: Path, name: str) -> None:
    """Neither is one of them dropped in silence: their labels stand for different classes."""
    _, files = WITHIN["mnist-unpacked"]()
    refused(tmp_path, files | {name.format(f): d for f, d in files.items()}, "holds several sets")


def refused(folder: Path, files: dict[str, bytes], said: str) -> None:
    """It is told in one line, soon and in little memory, whatever it is packed in."""
    for path in (write_files(folder / "in", files), write_tar(folder / "set.tar", files)):
        began = time.process_time()
        tracemalloc.start()
        with pytest.raises(DataError, match=said) as caught:
            open_source(path)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
        tracemalloc.stop()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 1000
        assert time.process_time() - began < 5


DAMAGE: dict[str, tuple[str, str, Callable[[bytes], bytes], str]] = {
    "cifar cut": ("cifar-10-binary", "data_batch_2.bin", lambda d: d[:-1], "expected images of"),
    "cifar empty": ("cifar-10-binary", "test_batch.bin", lambda d: b"", "0 bytes, expected"),
    "cifar label": (
        "cifar-10-binary", "data_batch_1.bin", lambda d: b"\7" + d[1:],
        "a label is 7, expected 0 to 2, as there are 3 names",
    ),
    "names": (
        "cifar-100-binary", "fine_label_names.txt", lambda d: b"apple\nbaby\napple\n",
        "two classes of one name, or none: apple",
    ),
    "pickle cut": ("cifar-10-python", "data_batch_1", lambda d: d[:-9], "it ends too early"),
    "pickle cut early": ("cifar-100-python", "train", lambda d: d[:99], "it ends too early"),
    "no stop": ("cifar-10-python", "data_batch_1", lambda d: d[:-1], "it ends too early"),
    "pickle of something else": (
        "cifar-10-python", "data_batch_1", lambda d: pickle.dumps([1]), "not a pickle of a dict",
    ),
    "labels missing": (
        "cifar-10-python", "test_batch", lambda d: d.replace(b"labels", b"LABELS"),
        "not as many labels as images",
    ),
    "label of a pickle": (
        "cifar-10-python", "test_batch",
        lambda d: d.replace(b"labelsq\3]q\2(K\1", b"labelsq\3]q\2(K\7"), "a label is 7",
    ),
    "no names": ("cifar-100-python", "meta", lambda d: pickle.dumps({}, 2), "no list 'fine_label_"),
    "idx cut": ("mnist-unpacked", "train-images-idx3-ubyte", lambda d: d[:-1], "bytes, expected"),
    "idx head": ("mnist-unpacked", "t10k-labels-idx1-ubyte", lambda d: d[:6], "not an idx file"),
    "idx floats": (
        "mnist-unpacked", "t10k-images-idx3-ubyte", lambda d: d.replace(b"\0\0\10\3", b"\0\0\15\3"),
        "not an idx file of images of bytes",
    ),
    "idx huge": (
        "mnist-unpacked", "train-images-idx3-ubyte", lambda d: d[:4] + b"\xff" * 12 + d[16:],
        "expected 792",
    ),
    "idx counts": (
        "mnist-unpacked", "train-labels-idx1-ubyte", lambda d: layouts.idx(np.zeros(3, np.uint8)),
        "8 images, but 3 labels",
    ),
    "gz cut": ("mnist", "train-images-idx3-ubyte.gz", lambda d: d[:-20], "cut off or damaged"),
    "gz of something": (
        "mnist", "train-images-idx3-ubyte.gz", lambda d: gzip.compress(b"hello"), "not an idx",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_told_with_the_file(tmp_path: Path, case: str) -> None:
    layout, name, change, said = DAMAGE[case]
    files = WITHIN[layout]()[1]
    full = next(file for file in files if file.endswith(name))
    files[full] = change(files[full])
    refused(tmp_path, files, said)
    with pytest.raises(DataError, match=name):
        open_source(tmp_path / "in")


def test_a_gz_that_swells_is_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "FREE", 0)
    files = WITHIN["mnist"]()[1]
    files["train-images-idx3-ubyte.gz"] = gzip.compress(bytes(8 << 20))
    refused(tmp_path, files, "decompression bomb")


# -- pickles ---------------------------------------------------------------------------------


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch executed",)


def laughs() -> bytes:
    """Tuples in tuples: small, and without an end when written out; then asked for as a name."""
    doubled = b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1])
                       for i in range(100))  # fmt: skip
    return b"\x80\x04)q\0" + doubled + b"h\x64h\x64\x93."


HOSTILE: dict[str, tuple[bytes, str]] = {
    **{f"code, protocol {p}": (pickle.dumps({"data": Evil()}, p), "it wants to run '(posix|nt)")
       for p in range(6)},
    "code in a list": (pickle.dumps([[Evil()]], 2), "it wants to run"),
    "builtins": (b"c__builtin__\neval\n(S'1'\ntR.", "it wants to run '__builtin__.eval'"),
    "by two texts": (b"\x80\x04\x8c\5posix\x8c\6system\x93.", "it wants to run 'posix.system'"),
    "an instance": (b"(S'x'\nios\nsystem\n.", "its step b'i' builds no number"),
    "an object": (b"\x80\x02cnumpy\nndarray\n)\x81.", "its step b'\\\\x81' builds"),
    "an extension": (b"\x80\x02\x82\1.", "its step"),
    "a persistent id": (b"Px\n.", "its step"),
    "a known name that is called in another way": (b"cnumpy\nndarray\n)R.", "'numpy ndarray'"),
    "the state of a dict": (b"}}b.", "set the state of an object"),
    "nothing": (b"", "it ends too early"),
    "no end": (b"\x80\x02K\1", "it ends too early"),
    "a text longer than the file": (b"B\xff\xff\xff\x7f.", "it ends too early"),
    "a text of 2**62 bytes": (b"\x8e" + struct.pack("<q", 1 << 62) + b".", "ends too early"),
    "a text of -1 bytes": (b"T\xff\xff\xff\xff.", "a text of -1 bytes"),
    "a memo of the last place": (b"K\1r\xff\xff\xff\xff.", ""),
    "a memo that is empty": (b"h\7.", "damaged"),
    "too little on the stack": (b"K\1\x87.", "too little"),
    "nothing on the stack": (b"s.", "damaged"),
    "a mark that is missing": (b"K\1t.", "a mark is missing"),
    "an endless program": (b"]0" * 6000, "more than"),
    "a line without an end": (b"I" + b"1" * 5000, "a line that is too long"),
    "a number of a thousand digits": (b"I" + b"1" * 900 + b"\n.", "is no number"),
    "tuples without an end": (laughs(), "it wants to run"),
    "a list as a key": (b"(]K\1d.", "a dict with other keys"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_pickle_made_to_harm_runs_nothing_and_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pickles, "STEPS", 10_000)
    data, said = HOSTILE[case]
    if said:
        with pytest.raises(ValueError, match=said):
            load_pickle(io.BytesIO(data))
    files = WITHIN["cifar-10-python"]()[1]
    refused(tmp_path, files | {"cifar-10-batches-py/data_batch_1": data}, "download it again")
    assert not (tmp_path / "executed").exists()


def test_texts_have_a_limit_all_together() -> None:
    text = b"X\0\4\0\0" + bytes(1024) + b"0"  # put on the stack, and taken off
    with pytest.raises(ValueError, match="more than 67108864 in all"):
        load_pickle(io.BytesIO(text * 70_000))


@pytest.mark.parametrize("protocol", [3, 4])
def test_pickles_of_python_3_are_read_and_their_arrays_stay_in_the_file(protocol: int) -> None:
    values = np.arange(70_000, dtype=np.uint8).reshape(7, -1)
    made = {"data": values, "labels": [1, -5, 300, 70_000, 1 << 40], b"x": (None, True, "é", b"\0")}
    data = pickle.dumps(made, protocol)
    found = load_pickle(io.BytesIO(data))
    array = found.pop("data")
    assert isinstance(array, Array)
    assert isinstance(array.data, InFile)
    assert (array.dtype, array.shape, array.fortran) == ("u1", values.shape, False)
    offset, size = array.data
    assert data[offset : offset + size] == values.tobytes()
    assert found == {"labels": made["labels"], b"x": made[b"x"]}
