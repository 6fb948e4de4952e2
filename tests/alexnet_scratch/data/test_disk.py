"""A full disk is told in one line; checksums are those that others compute."""

import errno
import hashlib
from pathlib import Path

import pytest

from alexnet_scratch.data import DataError, disk


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
