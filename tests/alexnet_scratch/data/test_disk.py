"""A full disk is told in one line; checksums are those that others compute."""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from layouts import images, write_folder

from alexnet_scratch.data import DataError, disk, patterns
from alexnet_scratch.data.prepare import prepare
from alexnet_scratch.data.sources import open_source


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_names_the_folder_and_what_to_do(number: int) -> None:
    with (
        pytest.raises(DataError, match=r"^disk full: sets \(no room\); remove some$"),
        disk.full_disk_told(Path("sets"), lambda: "remove some"),
    ):
        raise OSError(number, "no room")


def test_another_error_stays_as_it_is() -> None:
    with (
        pytest.raises(PermissionError, match="not yours"),
        disk.full_disk_told(Path("sets"), lambda: "remove some"),
    ):
        raise PermissionError(errno.EACCES, "not yours")


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_checksums_of_files_larger_than_a_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(disk, "CHUNK", 7)
    (tmp_path / "file").write_bytes(content := bytes(range(100)))
    assert disk.checksum(tmp_path / "file", kind) == hashlib.new(kind, content).hexdigest()


SmallDisk = Callable[[int], Path]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Makes an empty disk of so many bytes, in the place of the last one."""
    where = tmp_path / "disk"
    where.mkdir()
    quiet = {"stderr": subprocess.DEVNULL, "check": False}

    def make(size: int) -> Path:
        subprocess.run(["umount", where], **quiet)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", where]
        if not sys.platform.startswith("linux") or not shutil.which("mount"):
            pytest.skip("no small disks there")
        if subprocess.run(mount, **quiet).returncode:
            pytest.skip("only root may mount a small disk")
        return where

    yield make
    subprocess.run(["umount", where], **quiet)


def test_wherever_a_full_disk_ends_prepare_it_is_called_full(
    tmp_path: Path, small_disk: SmallDisk
) -> None:
    made = write_folder(tmp_path / "in", images(train=2, val=1))

    def run(out: Path) -> None:
        source = open_source(made)
        try:
            prepare(source, out, name="in", image_size=64, workers=1, progress=False)
        finally:
            source.close()

    run(tmp_path / "whole")
    whole = sum(file.stat().st_size for file in (tmp_path / "whole").iterdir())
    failed = 0
    for size in range(whole - 120_000, whole + 60_000, 12_288):  # the last step's files, too
        out = small_disk(size) / "set"
        try:
            run(out)
        except DataError as error:
            assert str(error).startswith(f"disk full: {out.parent} (")  # noqa: PT017
            failed += 1
    assert failed > 5
    assert out.is_dir()


def test_a_full_disk_ends_drawing_in_one_line(small_disk: SmallDisk) -> None:
    folder = small_disk(100_000) / "drawn"
    with pytest.raises(DataError, match=f"^disk full: {folder} .* ALEXNET_CACHE") as caught:
        patterns.generate(folder, train=8, val=1, progress=False)
    assert "\n" not in str(caught.value)


def test_an_array_is_saved_as_numpy_does(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(3, 5))
    disk.save_array(tmp_path / "ours.npy", array)
    np.save(tmp_path / "numpys.npy", array)
    assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "numpys.npy").read_bytes()
    if os.path.exists("/dev/full"):
        with pytest.raises(OSError, match="No space left"):
            disk.save_array(Path("/dev/full"), array)
