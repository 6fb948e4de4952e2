"""A run's folder around weights that were trained elsewhere: what evaluates, predicts and goes on
from a run takes them as one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from minigrad.files import write_text
from minigrad.serialization import save_file

from ..data.disk import checksum
from ..training.checkpoint import header
from ..training.folder import new_folder
from ..training.position import Position
from ..training.provenance import FILE, environment
from ..training.run import BEST
from .networks import Identified


def write_run(
    found: Identified, names: Mapping[str, str], out: str | os.PathLike[str],
    source: str | os.PathLike[str], command: Sequence[str] = (), licence: str = "",
) -> Path:  # fmt: skip
    """Write recipe.json, best.safetensors and run.json into `out`, a new folder.

    names: readable names by class id, in the order of the network's outputs. source: the file that
    the weights came in; its name and checksum are noted. Raises RunError if `out` holds something.
    """
    folder, lock = new_folder("", os.fspath(out))
    with lock:
        data = {
            "root": None,
            "train_images": 0,
            "names": dict(names),
            "resize": found.resize,
            "imported": os.path.basename(source),
        }
        tensors = {f"model.{name}": array for name, array in found.arrays.items()}
        tensors |= {"pixels.mean": found.pixels.mean, "pixels.axes": found.pixels.axes}
        facts = {
            "started": time.strftime("%Y-%m-%d %H:%M:%S %z"),
            "command": list(command),
            **environment("cpu"),
            "imported": {
                "file": os.path.basename(source),
                "sha256": checksum(Path(source), "sha256"),
                "network": found.title,
                "licence": licence,
            },
            "data": {"root": "unknown: imported weights", "classes": len(names)},
        }
        metadata = header(found.recipe, list(names), data, [], Position())
        save_file(tensors, folder / BEST, metadata)
        write_text(folder / "recipe.json", found.recipe.to_json() + "\n")
        write_text(folder / FILE, json.dumps(facts, indent=2) + "\n")
    return folder
