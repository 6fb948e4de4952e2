"""What it takes to repeat a run, or to trust it a week later: run.json and the log's head."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

import minigrad
from minigrad import arrays
from minigrad.files import write_text

from ..schema import SchemaError, checked, json_of, limited, read_text
from .input import Splits

PACKAGES = ("numpy", "pillow", "safetensors", "cupy-cuda13x", "cupy-cuda12x")
SOURCES = Path(__file__).resolve().parents[2]  # a clone's, if it is one
FILE = "run.json"


def provenance(
    command: Sequence[str], data: Mapping[str, Any], splits: Splits, device: str, precision: str,
    workers: int, framework: str,
) -> dict[str, Any]:  # fmt: skip
    """All of it, fit for JSON. data: its `data_note`. framework: what computes."""
    return {
        "started": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "command": list(command),
        "folder": str(Path.cwd()),
        "framework": framework,
        **environment(device),
        "precision": precision,
        "workers": workers,
        "data": {
            "root": data["root"],
            "train_images": len(splits.train),
            "val_images": len(splits.val),
            "classes": len(splits.classes),
            "checksum": data["checksum"],
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


@dataclass(kw_only=True)
class Start:
    """What is read of run.json: of its first start, and in `resumed` of every later one."""

    framework: str = ""
    device: str = ""
    threads: int = 0
    blas: list[dict[str, Any]] = limited(factory=list)
    resumed: list[dict[str, Any]] = limited(factory=list)


def read(folder: Path) -> dict[str, Any] | None:
    """run.json of a run's folder, None if there is none that can be read."""
    try:
        found = json_of(read_text(folder / FILE))
        for later in checked(Start, found).resumed[-1:]:
            checked(Start, later)
    except (OSError, SchemaError):
        return None
    return dict(found)


def framework_of(folder: Path) -> str:
    """What computed the run in a folder, without its version: "minigrad" where it is not said."""
    found = checked(Start, read(folder) or {}).framework
    return found.partition(" ")[0] or "minigrad"


def computed_otherwise(before: dict[str, Any] | None, now: dict[str, Any]) -> str | None:
    """What of a resumed run's device, threads and BLAS is not as at its last start."""
    if before is None:
        return None
    last = checked(Start, (before.get("resumed") or [before])[-1])
    kernels = [
        ", ".join(str(blas.get("architecture")) for blas in start)
        for start in (last.blas, now["blas"])
    ]
    differ = [
        f"{what} {new} (before: {old})"
        for what, old, new in (
            ("device", last.device, now["device"]), ("threads", last.threads, now["threads"]),
            ("BLAS kernels", *kernels),
        ) if old and old != new
    ]  # fmt: skip
    if not differ:
        return None
    return (
        f"Computed with {', '.join(differ)}: the numbers are those of an uninterrupted run to "
        "rounding, not to the bit."
    )


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
