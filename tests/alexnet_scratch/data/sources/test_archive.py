"""Archives: what is refused, what cutting and damage do, and that nothing is unpacked."""

import io
import os
import random
import stat
import tarfile
import tempfile
import tracemalloc
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from layouts import LAYOUTS, images, write_imagenette_tgz, write_tar, write_zip

from alexnet_scratch.data import BadImageError, DataError, image
from alexnet_scratch.data.sources import archive, open_source, packing

MADE = images(train=2, val=1)
PIXEL = MADE[0].data


def tar_with(path: Path, member: tarfile.TarInfo, mode: str = "w") -> Path:
    """A tar of a good image and `member`."""
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        good = tarfile.TarInfo("cat/1.png")
        good.size = member.size = len(PIXEL)
        tar.addfile(good, io.BytesIO(PIXEL))
        tar.addfile(member, io.BytesIO(PIXEL))
    return path


BAD_NAMES = [
    "../x.png", "cat/../../x.png", "cat/..", "/etc/x.png", "C:/x.png", "cat/x\n.png",
    "./../.hidden",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("kind", ["tar", "tgz", "zip"])
def test_names_that_lead_out_are_refused(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / f"set.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("cat/1.png", PIXEL)
            packed.writestr(name, PIXEL)
    else:
        tar_with(path, tarfile.TarInfo(name), "w:gz" if kind == "tgz" else "w")
    with pytest.raises(DataError, match="is refused: its name") as caught:
        open_source(path)
    assert str(path) in str(caught.value)
    assert repr(name) in str(caught.value)


def test_names_with_windows_separators_lead_out_or_are_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="leads out"):
        open_source(write_zip(tmp_path / "bad.zip", {"cat/1.png": PIXEL, "..\\x.png": PIXEL}))
    source = open_source(write_zip(tmp_path / "good.zip", {"set\\cat\\1.png": PIXEL}))
    assert [item.name for item in source.items] == ["cat/1.png"]
    source.close()


@pytest.mark.parametrize("kind", ["SYMTYPE", "LNKTYPE", "CHRTYPE", "BLKTYPE", "FIFOTYPE"])
def test_links_and_devices_in_tars_are_refused(tmp_path: Path, kind: str) -> None:
    member = tarfile.TarInfo("cat/evil.png")
    member.type, member.linkname = getattr(tarfile, kind), "1.png"
    with pytest.raises(DataError, match=r"'cat/evil\.png' is refused: it is a link or a device"):
        open_source(tar_with(tmp_path / "set.tar", member))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK])
def test_links_and_devices_in_zips_are_refused(tmp_path: Path, kind: int) -> None:
    member = zipfile.ZipInfo("cat/evil.png")
    member.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as packed:
        packed.writestr(member, b"/etc/passwd")
    with pytest.raises(DataError, match=r"'cat/evil\.png' is refused: it is a link or a device"):
        open_source(tmp_path / "set.zip")


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'cat/1\.png' is there twice"):
        open_source(tar_with(tmp_path / "set.tar", tarfile.TarInfo("./cat/1.png")))


def test_a_tar_whose_first_name_begins_like_a_zip_is_a_tar(tmp_path: Path) -> None:
    source = open_source(write_tar(tmp_path / "set.tar", {"PK/1.png": PIXEL}))
    assert [item.name for item in source.items] == ["PK/1.png"]
    source.close()


@pytest.mark.parametrize("ending", ["bz2", "xz"])
def test_a_tar_that_is_packed_is_unpacked_once_and_told_where_it_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    path = write_tar(tmp_path / f"set.tar.{ending}", {f"{m.split}/{m.name}": m.data for m in MADE})
    source = open_source(path)
    assert [source.read(item) for item in source.items] == [m.data for m in MADE]
    source.close()
    whole = path.read_bytes()
    for cut in (4, 40, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=rf"set\.tar\.{ending}: .*download or copy it again"):
            open_source(path)
    path.write_bytes(whole[:60] + bytes(9) + whole[69:])
    with pytest.raises(DataError, match=rf"set\.tar\.{ending}: damaged"):
        open_source(path)
    path.write_bytes(whole + (b"" if ending == "bz2" else bytes(8)) + whole)  # two of them in a row
    open_source(path).close()
    monkeypatch.setattr(packing, "FREE", 0)
    write_tar(path, {"cat/1.bmp": bytes(10 << 20)})
    with pytest.raises(DataError, match="decompression bomb"):
        open_source(path)


def test_an_xz_that_wants_much_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "XZ_MEMORY", 1 << 20)
    with pytest.raises(DataError, match="Memory usage limit"):
        open_source(write_tar(tmp_path / "set.tar.xz", {"cat/1.png": PIXEL}))


def test_zips_packed_in_other_ways_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_LZMA) as packed:
        packed.writestr("cat/1.png", PIXEL)
    with pytest.raises(DataError, match="packed in an unusual way"):
        open_source(tmp_path / "set.zip")


@pytest.mark.parametrize("name", ["tar", "zip", "imagenette", "ilsvrc2012"])
def test_archives_that_are_cut_off_are_told_by_name(tmp_path: Path, name: str) -> None:
    path = LAYOUTS[name](tmp_path / "in", MADE)
    if path.is_dir():
        path /= "ILSVRC2012_img_train.tar"
    whole = path.read_bytes()
    end = len(whole.rstrip(b"\0")) if path.suffix == ".tar" else len(whole)
    for length in [0, 1, 100, 511, 512, 600, *range(1024, end, max(512, end // 40)), end - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=path.name):
            open_source(path)


def test_a_tar_cut_between_two_members_is_not_taken_for_whole(tmp_path: Path) -> None:
    path = LAYOUTS["tar"](tmp_path, MADE)
    with tarfile.open(path) as tar:
        starts = [member.offset for member in tar][1:]
    for start in starts:
        path.write_bytes((whole := path.read_bytes())[:start])
        with pytest.raises(DataError, match="cut off"):
            open_source(path)
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["tar", "zip", "imagenette"])
def test_damage_is_a_data_error_or_none(tmp_path: Path, name: str) -> None:
    rng = random.Random(0)
    path = LAYOUTS[name](tmp_path, MADE)
    whole = path.read_bytes()
    said = []
    for _ in range(100):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # two members of one name, says zipfile
            try:
                source = open_source(path)
            except DataError as error:
                said.append(str(error))
                continue
        for item in source.items:
            try:
                source.read(item)
            except BadImageError as error:
                said.append(str(error))
        source.close()
    assert len(said) > (10 if name == "tar" else 50)  # a tar has no checksum of the data
    assert all(path.name in line and "\n" not in line for line in said)


def test_a_zip_member_that_unpacks_to_more_than_it_says_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "set.zip", {"cat/0.png": PIXEL, "cat/1.png": bytes(1 << 20)})
    small = (5000).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace((1 << 20).to_bytes(4, "little"), small))
    source = open_source(path)
    with pytest.raises(BadImageError, match=r"'cat/1\.png': damaged"):
        source.read(source.items[1])
    source.close()


def test_a_zip_member_that_swells_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    size = archive.FREE_FILE + 1
    path = write_zip(tmp_path / "set.zip", {"cat/0.png": PIXEL, "cat/1.png": bytes(size)})
    source = open_source(path)
    tracemalloc.start()
    with pytest.raises(BadImageError, match=r"'cat/1\.png': more than 100 times .* bomb"):
        source.read(source.items[1])
    assert tracemalloc.get_traced_memory()[1] < size / 10
    tracemalloc.stop()
    assert source.read(source.items[0]) == PIXEL
    source.close()


@pytest.mark.parametrize("name", ["tar", "zip", "imagenette", "ilsvrc2012"])
def test_without_pread_many_threads_read_the_right_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delattr(os, "pread", raising=False)
    source = open_source(LAYOUTS[name](tmp_path / "in", MADE))
    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(source.read, source.items * 50))
    source.close()
    assert got == [made.data for made in MADE] * 50


def test_files_too_large_for_an_image_and_tars_that_swell_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "MAX_FILE", len(PIXEL) - 1)
    source = open_source(tar_with(tmp_path / "set.tar", tarfile.TarInfo("cat/2.png")))
    with pytest.raises(BadImageError, match="too large for an image"):
        source.read(source.items[0])
    source.close()
    monkeypatch.setattr(packing, "FREE", 0)
    with tarfile.open(tmp_path / "bomb.tgz", "w:gz") as tar:
        member = tarfile.TarInfo("cat/1.bmp")
        member.size = 10 << 20
        tar.addfile(member, io.BytesIO(bytes(member.size)))
    with pytest.raises(DataError, match="decompression bomb"):
        open_source(tmp_path / "bomb.tgz")


def test_nothing_is_written_but_one_file_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_imagenette_tgz(tmp_path / "in", MADE)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    source = open_source(path)
    assert list((tmp_path / "tmp").iterdir()) == []
    source.close()
    assert [file.name for file in (tmp_path / "in").iterdir()] == [path.name]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_imagenette_tgz(tmp_path, MADE)
    monkeypatch.setattr(tempfile, "TemporaryFile", partial(open, "/dev/full", "wb"))
    with pytest.raises(DataError, match=r"disk full: .*TMPDIR"):
        open_source(path)
