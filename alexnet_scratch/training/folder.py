"""The folder of a run: a new one, never one that holds something."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from minigrad.serialization import CheckpointError

from ..names import file_name, in_shell
from .checkpoint import progress_of

RUNS = Path("runs")


class RunError(ValueError):
    """A run that cannot be started or resumed; the message is one line for the user."""


def run_name(data: str | os.PathLike[str] | None, recipe: str) -> str:
    """What a run is called: after its data (None: the drawn patterns) and its recipe."""
    of = "patterns" if data is None else file_name(os.path.basename(os.path.abspath(data)))
    return "-".join(filter(None, (of, file_name(recipe)))) or "run"


def new_folder(name: str, out: str | None) -> Path:
    """Create the run's folder: `out`, or the first free of runs/name, runs/name-2, ...

    Raises RunError if `out` holds something.
    """
    if out is None:
        for folder in _folders(name):
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                continue
            return folder
    folder = Path(str(out))
    if folder.exists() and not folder.is_dir():
        raise RunError(f"--out {out} is a file: give the name of a new folder")
    # log.txt alone is what a run leaves whose data could not be used.
    if folder.exists() and any(entry.name != "log.txt" for entry in folder.iterdir()):
        hint = ""
        if (folder / "last.safetensors").exists():
            hint = f"go on with it (--resume {in_shell(folder)}), or "
        raise RunError(f"--out {out} is not empty: {hint}give the name of a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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
                f"with it: alexnet train --resume {in_shell(folder)}"
            )
    return None
