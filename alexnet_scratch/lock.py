"""A folder that one process at a time works in."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import platform
import time
from pathlib import Path
from typing import IO, Any


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


# A browser's Python has neither: two at once are not noticed there.
fcntl, msvcrt = _module("fcntl"), _module("msvcrt")
FAR = 1 << 30  # Windows locks bytes, and locked ones cannot be read: none that we write


class LockedError(ValueError):
    """Another process holds the lock; the message is who: "process 7 on host since ..."."""


class Lock:
    """The lock of a folder: a file in it that the system locks, and that says who holds it.

    The lock is the system's: it ends with the process, however that ends, and the file of a process
    that was killed locks nobody out. A disk that knows no locks has none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take it; nothing if this object holds it. Raises LockedError, or OSError."""
        while self._file is None:
            file = open(self.path, "a+", encoding="utf-8")  # noqa: SIM115
            try:
                _lock(file)
            except BlockingIOError:
                with file:
                    raise LockedError(_holder(file)) from None
            if _is_at(file, self.path):
                self._file = file
                with contextlib.suppress(OSError):  # a full disk: locked all the same
                    _sign(file)
            else:
                file.close()  # its last holder has just removed it

    def release(self) -> None:
        """Give it back, if it is held."""
        file, self._file = self._file, None
        if file is None:
            return
        with contextlib.suppress(OSError):  # Windows removes no open file: it stays, unlocked
            os.unlink(self.path)
        with contextlib.suppress(OSError):
            file.close()

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _lock(file: IO[str]) -> None:
    """BlockingIOError if another process (or another object of this one) has locked it."""
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif msvcrt is not None:
            file.seek(FAR)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError) as error:  # Windows says the latter
        raise BlockingIOError from error
    except OSError:  # a disk that knows no locks
        return


def _sign(file: IO[str]) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    file.truncate(0)
    json.dump({"host": platform.node(), "process": os.getpid(), "since": since}, file)
    file.flush()


def _holder(file: IO[str]) -> str:
    try:
        file.seek(0)
        said = json.loads(file.read(1000))
        return f"process {said['process']} on {said['host']} since {said['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it is just about to write it
        return "another process"


def _is_at(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except OSError:
        return False
