"""Archives, lists and folders made to harm: each is told in a line, soon, in little memory."""

import io
import os
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from layouts import LAYOUTS, images, write_files, write_tar, write_zip

from alexnet_scratch.data import DataError
from alexnet_scratch.data.sources import archive, image_files, mat, open_source

PIXEL = images(train=1, val=1)[0].data
END = bytes(1024)  # of a tar


@contextmanager
def soon(said: str, seconds: float = 5, memory: int = 64 << 20) -> Iterator[None]:
    """What is done here ends with a DataError of one line that holds `said`."""
    began = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=said) as caught:
            yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert time.process_time() - began < seconds
    assert peak < memory


def header(kind: bytes, size: int, name: str = "cat/1.png") -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def record(key: str, value: str) -> bytes:
    """A line of a PAX header, which begins with its own length."""
    rest = f" {key}={value}\n".encode()
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length += 1
    return str(length).encode() + rest


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g"])
def test_a_tar_whose_header_claims_gigabytes_is_told_unread(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "set.tar"
    path.write_bytes(header(kind, 7_000_000_000))
    os.truncate(path, 7_000_002_048)  # a hole
    with soon("more than 1048576 bytes of headers"):
        open_source(path)


def old_sparse(blocks: int) -> bytes:
    """A sparse file whose list of pieces goes on for `blocks` blocks."""
    head = bytearray(header(b"S", 0))
    head[482] = 1
    head[148:156] = b"%06o\0 " % (sum(head) - sum(head[148:156]) + 8 * 32)
    return bytes(head) + (b"0" * 504 + b"\1" + bytes(7)) * blocks


def pax(kind: bytes, data: bytes) -> bytes:
    return header(kind, len(data)) + padded(data)


HEADERS: dict[str, Callable[[], bytes]] = {
    "records": lambda: pax(b"x", record("k", "1") * 1_000_000),
    "a chain": lambda: pax(b"x", record("k", "v" * 200_000)) * 40,
    "digits": lambda: pax(b"x", b"9" * 200_000),
    "a sparse list": lambda: old_sparse(20_000),
    "records for all": lambda: b"".join(pax(b"g", record(f"key{i}", "v")) for i in range(300)),
}


@pytest.mark.parametrize("ending", ["tar", "tgz"])
@pytest.mark.parametrize("what", HEADERS)
def test_headers_of_a_member_have_a_limit_together(
    tmp_path: Path, what: str, ending: str
) -> None:
    data = HEADERS[what]() + header(b"0", len(PIXEL)) + padded(PIXEL) + END
    packer = zlib.compressobj(1, wbits=31)
    packed = packer.compress(data) + packer.flush() if ending == "tgz" else data
    (tmp_path / f"set.{ending}").write_bytes(packed)
    with soon("bytes of headers|records for all members|hundreds of digits"):
        open_source(tmp_path / f"set.{ending}")


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("name", ["cat/" + "n" * 5000, "a/" * 65 + "1.png", "a/" * 2000 + "1.png"])
def test_names_have_a_limit_in_letters_and_folders(tmp_path: Path, kind: str, name: str) -> None:
    write = {"tar": write_tar, "zip": write_zip}[kind]
    path = write(tmp_path / f"set.{kind}", {"cat/1.png": PIXEL, name: PIXEL})
    with soon(r"is refused: its name has \d+ letters and \d+ folders"):
        open_source(path)


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_all_names_together_have_a_limit(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = {"tar": write_tar, "zip": write_zip}[kind]
    path = write(tmp_path / f"set.{kind}", {f"cat/{i}.png": PIXEL for i in range(10)})
    open_source(path).close()
    monkeypatch.setattr(archive, "MAX_NAMES", 80)
    with soon("more than 80 letters in names"):
        open_source(path)


def test_a_class_tar_within_a_class_tar_is_a_file(tmp_path: Path) -> None:
    inner = b""
    for _ in range(1500):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            member = tarfile.TarInfo("n00000001.tar")
            member.size = len(inner)
            tar.addfile(member, io.BytesIO(inner))
        inner = data.getvalue()[: len(inner) + 1536]
    (tmp_path / "set.tar").write_bytes(inner)
    with soon("holds the class tars"):
        open_source(tmp_path / "set.tar")


def many_names(path: Path, count: int, size: int) -> Path:
    """A zip that lists one stream of `size` zeros under `count` names."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("cat/00000.png", bytes(size))
    data = path.read_bytes()
    start = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    entry = data[start:end]
    listed = b"".join(entry.replace(b"00000", b"%05d" % i) for i in range(count))
    counts = struct.pack("<HHLL", count, count, len(listed), start)
    path.write_bytes(data[:start] + listed + data[end : end + 8] + counts + b"\0\0")
    return path


def test_a_zip_whose_members_unpack_to_far_more_together_is_a_bomb(tmp_path: Path) -> None:
    path = many_names(tmp_path / "set.zip", 20_000, 4 << 20)
    assert path.stat().st_size < 5_000_000
    with soon("more than 100 times its size when unpacked, a decompression bomb", 15):
        open_source(path)


def test_a_zip_of_more_members_than_any_set_has_is_refused_before_it_makes_objects_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 1000)
    with soon("more than 1000 members"):
        open_source(many_names(tmp_path / "set.zip", 1001, 10))


def test_zip_members_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    with soon(r"'cat/00001\.png' is refused: it shares its bytes"):
        open_source(many_names(tmp_path / "set.zip", 2, 1000))


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_member_without_a_name_is_refused(tmp_path: Path, kind: str) -> None:
    path = write_zip(tmp_path / "set.zip", {"cat/1.png": PIXEL, "x": PIXEL})
    if kind == "zip":
        data = path.read_bytes()
        end = data.index(b"PK\5\6")
        last = data.rindex(b"PK\1\2")
        entry = bytearray(data[last:end])[:-1]
        entry[28:30] = b"\0\0"  # letters of the name
        tail = bytearray(data[end:])
        tail[12:16] = (int.from_bytes(tail[12:16], "little") - 1).to_bytes(4, "little")
        path.write_bytes(data[:last] + entry + tail)
    else:
        path = write_tar(tmp_path / "set.tar", {"cat/1.png": PIXEL, ".": PIXEL})
    with soon("is refused: it has no name"):
        open_source(path)


def test_a_zip_whose_list_claims_gigabytes_is_told_unread(tmp_path: Path) -> None:
    size, path = 0xF0000000, tmp_path / "set.zip"
    with open(path, "wb") as file:
        file.write(b"PK\3\4")
        file.seek(size + 4)
        file.write(b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, 1, 1, size, 4, 0))
    with soon("more than 536870912 bytes of headers"):
        open_source(path)


def test_a_tgz_that_swells_is_given_up_after_a_quarter_of_a_gigabyte(tmp_path: Path) -> None:
    packer = zlib.compressobj(1, wbits=31)
    chunk = bytes(1 << 24)
    packed = b"".join(packer.compress(chunk) for _ in range(20)) + packer.flush()
    (tmp_path / "set.tgz").write_bytes(packed)
    with soon("decompression bomb"):
        open_source(tmp_path / "set.tgz")


# -- lists of labels -------------------------------------------------------------------------

KAGGLE = {
    "ILSVRC/Data/CLS-LOC/train/n01440764/n01440764_1.JPEG": PIXEL,
    "ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000001.JPEG": PIXEL,
}


def test_a_table_of_labels_with_an_endless_field_is_told(tmp_path: Path) -> None:
    table = b"ImageId,PredictionString\nILSVRC2012_val_00000001," + b"n" * 200_000
    with soon("LOC_val_solution.csv: damaged"):
        open_source(write_files(tmp_path / "in", {**KAGGLE, "LOC_val_solution.csv": table}))


@pytest.mark.parametrize("beside", [False, True])
def test_a_table_of_labels_of_gigabytes_is_not_read(tmp_path: Path, beside: bool) -> None:
    root = write_files(tmp_path / "in", KAGGLE)
    table = root / "LOC_val_solution.csv"
    table.touch()
    os.truncate(table, (100 << 20) if not beside else (200 << 30))
    with soon("expected a list of at most 16777216", memory=256 << 20):
        open_source(root / "ILSVRC" if beside else root)


def test_a_number_of_thousands_of_digits_is_no_label(tmp_path: Path) -> None:
    root = LAYOUTS["ilsvrc2012"](tmp_path / "in", images(train=1, val=1))
    with tarfile.open(root / "ILSVRC2012_devkit_t12.tar.gz") as kit:
        files = {m.name: kit.extractfile(m).read() for m in kit if m.isreg()}  # type: ignore[union-attr]
    truth = next(name for name in files if name.endswith("ground_truth.txt"))
    files[truth] = b"1" * 5000 + b"\n" + files[truth]
    write_tar(root / "ILSVRC2012_devkit_t12.tar.gz", files)
    with soon("no class is given for the validation image", memory=1 << 28):
        open_source(root)


def test_a_mat_file_that_swells_is_told_in_little_memory() -> None:
    bomb = zlib.compress(bytes(1 << 28))
    data = bytes(124) + b"\0\1IM" + struct.pack("<II", 15, len(bomb)) + bomb
    tracemalloc.start()
    with pytest.raises(ValueError, match="more than 16777216 bytes when unpacked"):
        mat.load_mat(data)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


# -- folders ---------------------------------------------------------------------------------


def test_links_that_double_the_paths_are_followed_a_few_times(tmp_path: Path) -> None:
    write_files(tmp_path / "in", {"cat/1.png": PIXEL})
    for i in range(40):
        (tmp_path / f"d{i}").mkdir()
    for i in range(39):
        for link in ("a", "b"):
            (tmp_path / f"d{i}" / link).symlink_to(tmp_path / f"d{i + 1}")
    (tmp_path / "in" / "dog").symlink_to(tmp_path / "d0")
    files, left_out = image_files(tmp_path / "in")
    assert [Path(file).name for file in files] == ["1.png"]
    assert any("links lead to already" in left.reason for left in left_out)
    assert len(left_out) < 10_000


def test_folders_in_one_another_have_a_limit(tmp_path: Path) -> None:
    write_files(tmp_path / "in", {"cat/1.png": PIXEL})
    here = os.open(tmp_path / "in", os.O_RDONLY)
    for _ in range(500):
        os.mkdir("a", dir_fd=here)
        inner = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    files, left_out = image_files(tmp_path / "in")
    assert [Path(file).name for file in files] == ["1.png"]
    assert [left.reason for left in left_out] == ["more than 64 folders deep"]
