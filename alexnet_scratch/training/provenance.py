"""What it takes to repeat a run, or to trust it a week later: run.json and the log's head."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

import minigrad
from minigrad import arrays
from minigrad.data import Dataset
from minigrad.files import write_text

from ..data.packed import DESCRIPTION, is_packed
from ..data.source import SPLITS
from .input import Splits

PACKAGES = ("numpy", "pillow", "safetensors", "cupy-cuda13x", "cupy-cuda12x")
SOURCES = Path(__file__).resolve().parents[2]  # a clone's, if it is one
FILE = "run.json"


def provenance(
    command: Sequence[str], root: str | os.PathLike[str] | None, splits: Splits, device: str,
    precision: str, workers: int,
) -> dict[str, Any]:  # fmt: skip
    """All of it, fit for JSON. root: the data set's folder, None for the drawn patterns."""
    return {
        "started": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "command": ["alexnet", *command],
        "folder": str(Path.cwd()),
        **environment(device),
        "precision": precision,
        "workers": workers,
        "data": {
            "root": os.path.abspath(root) if root else None,
            "train_images": len(splits.train),
            "val_images": len(splits.val),
            "classes": len(splits.classes),
            "checksum": checksum(root, splits),
        },
    }


def environment(device: str) -> dict[str, Any]:
    """Versions, commit, host, device, threads and BLAS."""
    return {
        "versions": {
            "minigrad": minigrad.__version__,
            "python": platform.python_version(),
            **dict(_installed(PACKAGES)),
        },
        "commit": commit(),
        "host": platform.node(),
        "system": platform.platform(terse=True),
        "device": device,
        "device_name": device_name(device),
        "threads": minigrad.get_num_threads(),
        "cores": os.cpu_count(),
        "blas": [
            {key: blas.get(key) for key in ("internal_api", "version", "architecture",
                                            "num_threads")}
            for blas in threadpool_info() if blas["user_api"] == "blas"
        ],
    }  # fmt: skip


def head(facts: dict[str, Any]) -> list[str]:
    """The same as a few lines of a log."""
    data, blas = facts["data"], facts["blas"]
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    kernels = "; ".join(
        f"{b['internal_api']} {b['version']} for {b['architecture']}, {b['num_threads']} threads"
        for b in blas
    )
    return [
        f"command: {shlex.join(facts['command'])}",
        f"in: {facts['folder']}",
        f"versions: {versions}; commit {facts['commit'] or 'unknown'}",
        f"host: {facts['host']}, {facts['system']}; {facts['device']}: {facts['device_name']}; "
        f"{facts['threads']} threads of {facts['cores']} cores; BLAS: {kernels or 'unknown'}",
        f"data: {data['root'] or 'drawn patterns'}, {data['train_images']} and "
        f"{data['val_images']} images of {data['classes']} classes, {data['checksum']}",
    ]


def write_start(folder: Path, facts: dict[str, Any], resumed: dict[str, int] | None) -> None:
    """Write run.json: the facts of the first start, and in `resumed` those of every later one.

    resumed: where the run goes on, None for its first start.
    """
    whole = facts
    if resumed is not None:
        whole = read(folder) or {}
        whole.setdefault("resumed", []).append({"at": resumed, **facts})
    write_text(folder / FILE, json.dumps(whole, indent=2) + "\n")


def read(folder: Path) -> dict[str, Any] | None:
    """run.json of a run's folder, None if there is none that can be read."""
    try:
        found = json.loads((folder / FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def checksum(root: str | os.PathLike[str] | None, splits: Splits) -> str:
    """Of a prepared set's pixels as its description has it; of a folder's file names and sizes.

    The same wherever the folder lies.
    """
    if root is not None and is_packed(root):
        described = json.loads((Path(root) / DESCRIPTION).read_text("utf-8"))
        found = [described["splits"][split]["sha256"] for split in SPLITS]
        return f"sha256 of pixels {hashlib.sha256(''.join(found).encode()).hexdigest()}"
    digest = hashlib.sha256()
    for images in (splits.train, splits.val):
        for line in _names_and_sizes(images):
            digest.update(line)
    return f"sha256 of names and sizes {digest.hexdigest()}"


def _names_and_sizes(images: Dataset) -> Iterable[bytes]:
    for index in range(len(images)):
        path = images.describe(index)
        name = "/".join(path.split(os.sep)[-2:])  # CLASS/FILE
        size = os.stat(path).st_size if os.path.isfile(path) else -1
        yield f"{name}\0{size}\n".encode(errors="surrogateescape")


def commit() -> str | None:
    """Of the sources that run, with "-dirty" if they were edited; None outside a clone."""
    if not (SOURCES / ".git").exists():
        return None
    with suppress(OSError, subprocess.SubprocessError):
        hash_of = _git("rev-parse", "HEAD")
        edited = _git("status", "--porcelain", "--untracked-files=no")
        return hash_of + "-dirty" * bool(edited)
    return None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(SOURCES), *arguments]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=10)
    return done.stdout.strip()


def device_name(device: str) -> str:
    """What the maker calls the processor or the GPU."""
    if device == "cpu":
        return _cpu_name() or platform.processor() or platform.machine()
    cupy = arrays.array_module(arrays.to_device(np.zeros(1, np.float32), device))
    index = int(device.partition(":")[2] or 0)
    name = cupy.cuda.runtime.getDeviceProperties(index)["name"]
    return name.decode() if isinstance(name, bytes) else str(name)


def _cpu_name() -> str | None:
    """Where the system says so (Linux)."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return None


def _installed(packages: Iterable[str]) -> Iterable[tuple[str, str]]:
    for package in packages:
        with suppress(PackageNotFoundError):
            yield package, version(package)
