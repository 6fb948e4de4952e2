"""The folder of a run: a new one, never one that holds something, and one run's alone."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from minigrad.serialization import CheckpointError

from ..lock import Lock, LockedError
from ..names import file_name, in_shell, program
from .checkpoint import progress_of
from .tensorboard import FILE as EVENTS

RUNS = Path("runs")
LOCK = ".lock"
# What a run writes before its first checkpoint.
BEGINNING = {
    "log.txt", "run.json", "recipe.json", "metrics.jsonl", "steps.jsonl", "report.csv", EVENTS,
}  # fmt: skip
# What a process that was killed leaves of a file it was writing; `.tmp...` is safetensors' own.
LEFTOVER = re.compile(r"\..+\.tmp|\.tmp\w{6}")


class RunError(ValueError):
    """A run that cannot be started or resumed; the message is one line for the user."""


class RunLock(Lock):
    """The lock of a run's folder: one process at a time trains in it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / LOCK)

    def acquire(self) -> None:
        """Take it; nothing if this object holds it. Raises RunError that says who has it.

        And for a folder with a pipe or the like in it: who opens one waits for ever.
        """
        for file in self.path.parent.iterdir():
            if file.exists() and not file.is_file() and not file.is_dir():
                raise RunError(f"{file}: a device, a pipe or a socket, not a run's file: remove it")
        try:
            super().acquire()
        except LockedError as error:
            raise RunError(
                f"{self.path.parent} is in use by {error}: wait for that run or stop it, or give "
                "another folder"
            ) from error


def run_name(data: str | os.PathLike[str] | None, recipe: str) -> str:
    """What a run is called: after its data (None: the drawn patterns) and its recipe."""
    of = "patterns" if data is None else file_name(os.path.basename(os.path.abspath(data)))
    return "-".join(filter(None, (of, file_name(recipe)))) or "run"


def new_folder(name: str, out: str | None) -> tuple[Path, RunLock]:
    """The run's folder, made and locked: `out`, or the first free of runs/name, runs/name-2, ...

    What a run leaves that was killed before its first checkpoint does not count: it starts again.
    Raises RunError if `out` holds something, or is in use.
    """
    if out is None:
        for folder in _folders(name):
            with suppress(RunError):
                return folder, _claimed(folder)
    folder = Path(str(out))
    if folder.exists() and not folder.is_dir():
        raise RunError(f"--out {out} is a file: give the name of a new folder")
    return folder, _claimed(folder)


def _claimed(folder: Path) -> RunLock:
    """The lock of a folder that is made now or holds nothing. Raises RunError."""
    with suppress(FileExistsError):  # a file: told below
        folder.mkdir(parents=True, exist_ok=True)
    _refuse_run(folder)
    lock = RunLock(folder)
    lock.acquire()
    try:
        _refuse_run(folder)  # somebody may have had it until now
    except RunError:
        lock.release()
        raise
    return lock


def _refuse_run(folder: Path) -> None:
    """RunError for a folder with anything in it but what a run writes before it first saves."""
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else {""}
    names = {name for name in names if not LEFTOVER.fullmatch(name)} - {LOCK}
    if not names or ("log.txt" in names and names <= BEGINNING):
        return
    hint = ""
    if (folder / "last.safetensors").exists():
        hint = f"go on with it (--resume {in_shell(folder)}), or "
    raise RunError(f"--out {folder} is not empty: {hint}give the name of a new folder")


def _folders(name: str) -> Iterator[Path]:
    numbered = (RUNS / f"{name}-{number}" for number in itertools.count(2))
    return itertools.chain([RUNS / name], numbered)


def unfinished(name: str, but: Path) -> str | None:
    """What there is to say of the last run of this name, other than `but`, that could go on."""
    before = list(itertools.takewhile(lambda folder: folder.exists(), _folders(name)))
    for folder in reversed([folder for folder in before if folder != but]):
        try:
            epoch, epochs, step = progress_of(folder / "last.safetensors")
        except (CheckpointError, OSError):
            continue
        if epoch < epochs:
            return (
                f"{folder} is unfinished ({epoch} of {epochs} epochs done, step {step}); to go on "
                f"with it: {program()} train --resume {in_shell(folder)}"
            )
    return None
