"""Files that are whole or not there: written beside their place, flushed to disk, renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

StrPath = str | os.PathLike[str]


@contextlib.contextmanager
def replacing(path: StrPath) -> Iterator[str]:
    """A temporary path beside `path` that takes its place, on disk, when the block succeeds.

    Raises FileNotFoundError for a missing folder, and OSError as the system gives it; both name
    `path`.
    """
    target = Path(os.path.realpath(path))  # through a symbolic link: the link stays one
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot save {path}: there is no folder {target.parent}")
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        yield str(temporary)
        os.chmod(temporary, mode)  # a library may leave a file that only its owner can read
        with open(temporary, "rb+") as file:
            to_disk(file)
        rename(temporary, target)
    except BaseException as error:  # Ctrl-C too: no half-written file stays behind
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename, error.filename2 = os.fspath(path), None
        raise


def write_text(path: StrPath, text: str) -> None:
    """Write a text file, all of it or nothing; see `replacing`."""
    with replacing(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")


def rename(source: StrPath, target: StrPath) -> None:
    """Give a file or an empty place's folder its name for good: also after a power cut.

    A file that is at `target` is replaced in one step.
    """
    os.replace(source, target)
    sync_folder(Path(target).parent)


def to_disk(file: IO[Any]) -> None:
    """Have the system write what it holds of an open file."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: StrPath) -> None:
    """Have the system write a folder's names, where it can: Windows opens no folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
