"""The folder of a run: a new one, never one that holds something."""

from __future__ import annotations

import itertools
from pathlib import Path

RUNS = Path("runs")


class RunError(ValueError):
    """A run that cannot be started or resumed; the message is one line for the user."""


def new_folder(name: str, out: str | None) -> Path:
    """Create the run's folder: `out`, or the first free of runs/name, runs/name-2, ...

    Raises RunError if `out` holds something.
    """
    if out is None:
        for number in itertools.count(1):
            folder = RUNS / (name if number == 1 else f"{name}-{number}")
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
        hint = f"go on with it (--resume {out}), or " * (folder / "last.safetensors").exists()
        raise RunError(f"--out {out} is not empty: {hint}give the name of a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
