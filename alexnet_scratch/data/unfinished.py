"""A prepared set while it is made: what is done is on disk, and a killed run goes on from there.

`.NAME.part` beside the set holds its folder `set`, files that grow at their ends, in it or not, and
`progress.json`: what is made, how many items are done, and how long each file was then. Whatever a
file has beyond that is of a chunk that was never finished, and is cut off. At the end `set` gets
the set's name.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from minigrad.files import rename, sync_folder, to_disk

from ..lock import Lock, LockedError
from ..schema import checked, json_of, limited, read_text
from .image import DataError

PROGRESS, SET, LOCK = "progress.json", "set", "lock"


@dataclass(kw_only=True)
class Progress:
    """progress.json."""

    plan: dict[str, Any]
    done: int = limited(low=0)
    lengths: dict[str, int] = limited(low=0)


class Unfinished:
    """The files of a set that is being made, for one process at a time; a context manager.

    out: the folder to be. plan: what is made, as JSON holds it; going on needs the same.
    files: names of the growing files, below `part`; those below `set` stay in the set.
    restart: forget what an earlier run has done.
    done: items done so far. lengths: bytes of each file so far.

    Raises DataError if `out` exists, another process is at it, or an earlier run had another plan.
    """

    def __init__(
        self, out: Path, plan: Mapping[str, Any], files: tuple[str, ...], restart: bool = False
    ) -> None:
        self.out, self.plan, self.names = out, dict(plan), files
        self.part = out.with_name(f".{out.name}.part")
        self.set = self.part / SET
        self.done = 0
        self.lengths = dict.fromkeys(files, 0)
        self._stack = contextlib.ExitStack()
        self._files: dict[str, IO[bytes]] = {}
        self._refuse_existing()
        self.part.mkdir(parents=True, exist_ok=True)
        try:
            self._lock()
            self._refuse_existing()  # another process may have finished it just now
            if restart or not (self.part / PROGRESS).exists():
                self._empty()
            else:
                self._go_on()
            self._open()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Unfinished:
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):  # a full disk is told of once, where it was met
            self._stack.close()

    def append(self, name: str, data: Any) -> None:
        """Add bytes to the end of a file; they count only after the next `commit`."""
        self._files[name].write(data)

    def commit(self, done: int) -> None:
        """All that was added is for good, and `done` items are done."""
        for file in self._files.values():
            to_disk(file)
        self.done = done
        self.lengths = {name: file.tell() for name, file in self._files.items()}
        state = {"plan": self.plan, "done": done, "lengths": self.lengths}
        temporary = self.part / f"{PROGRESS}.tmp"
        with open(temporary, "w", encoding="utf-8") as text:
            json.dump(state, text)
            to_disk(text)
        rename(temporary, self.part / PROGRESS)

    def pieces(self, name: str, size: int) -> Iterator[bytes]:
        """What is in a file so far, `size` bytes at a time."""
        with open(self.part / name, "rb") as file:
            while piece := file.read(size):
                yield piece

    def finish(self) -> None:
        """Give the set its name; it must be complete."""
        for growing in self._files.values():
            growing.close()
        for path in self.set.iterdir():
            with open(path, "rb+") as file:
                to_disk(file)
        sync_folder(self.set)
        rename(self.set, self.out)
        shutil.rmtree(self.part, ignore_errors=True)

    def _refuse_existing(self) -> None:
        if os.path.lexists(self.out):
            if self.part.exists() and not (self.part / SET).exists():
                shutil.rmtree(self.part, ignore_errors=True)  # killed between its last two steps
            raise DataError(f"{self.out} exists: give the name of a new folder, or remove it first")

    def _lock(self) -> None:
        try:
            self._stack.enter_context(Lock(self.part / LOCK))
        except LockedError as error:
            raise DataError(
                f"{self.out} is being prepared by {error}: wait for it, or give another name"
            ) from error

    def _empty(self) -> None:
        (self.part / PROGRESS).unlink(missing_ok=True)  # first: without it nothing counts
        shutil.rmtree(self.set, ignore_errors=True)
        self.set.mkdir()

    def _go_on(self) -> None:
        try:
            state = checked(Progress, json_of(read_text(self.part / PROGRESS)))
            plan, self.done, self.lengths = state.plan, state.done, state.lengths
            sizes = {name: (self.part / name).stat().st_size for name in self.names}
            if any(sizes[name] < self.lengths[name] for name in self.names):
                raise ValueError("a file is shorter than it was")
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{self.part}: damaged ({error}); start over with --restart") from error
        differ = [
            f"{k}: {plan.get(k)!s:.80}, now {v}" for k, v in self.plan.items() if plan.get(k) != v
        ]
        if differ:
            raise DataError(
                f"{self.out} was begun with other arguments or another source ("
                f"{'; '.join(differ)}): give the same to go on, or start over with --restart"
            )

    def _open(self) -> None:
        for name in self.names:
            file = self._stack.enter_context(open(self.part / name, "ab"))  # noqa: SIM115
            file.truncate(self.lengths[name])
            self._files[name] = file
