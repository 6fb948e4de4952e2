"""Why a GPU cannot be used, and the command that mends it.

`look` collects facts from the system without CuPy, which may be what is broken; each check takes
them and returns one line, or None where it finds nothing. Minimal versions: CuPy's installation
guide; NVIDIA's CUDA release notes (a driver runs the CUDA of its own number and all before; CUDA 13
begins with driver 580 and compute capability 7.5, CUDA 12 with driver 525 and 5.0).
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
from dataclasses import dataclass, field, replace
from importlib.metadata import distributions
from typing import Any

OURS = {"cuda12": "cupy-cuda12x", "cuda13": "cupy-cuda13x"}  # extra -> package
VERSIONS = ">=14.1,<15"
NO_DEVICE, MISMATCH = 100, 803  # what cuInit answers
LIBRARIES = {
    "nvrtc": "NVRTC", "cublas": "cuBLAS", "cudart": "the CUDA runtime",
    "cuda_fp16.h": "CUDA's headers", "cannot open source file": "CUDA's headers",
}  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What there is on this machine.

    packages: CuPy's installed distributions and their versions. driver: the newest CUDA that the
    driver runs, 12040 for 12.4; None without a driver. status: what cuInit answered. gpus: name
    and compute capability of each, 75 for 7.5. visible: CUDA_VISIBLE_DEVICES. smi: is there an
    nvidia-smi?
    """

    packages: dict[str, str] = field(default_factory=dict)
    driver: int | None = None
    status: int = 0
    gpus: tuple[tuple[str, int], ...] = ()
    visible: str | None = None
    smi: bool = False

    @property
    def extra(self) -> str:
        """The extra to take: CUDA 13 needs a driver and a GPU for it."""
        new = (self.driver or 0) >= 13000 and all(c >= 75 for _, c in self.gpus)
        return "cuda13" if new else "cuda12"


def diagnosis(facts: Facts, error: str | None = None) -> str | None:
    """The first thing that is wrong, and what to do; None if nothing is known to be.

    error: what CuPy said, if it was tried.
    """
    if error is not None and not facts.packages:  # it was imported, so it is there
        facts = replace(facts, packages={"cupy": "of unknown version"})
    for check in (
        no_cupy, no_driver, driver_fails, hidden, no_gpu, several, wrong_package, wrong_version,
        old_gpu, old_driver,
    ):  # fmt: skip
        found = check(facts)
        if found:
            return found
    return None if error is None else library_missing(facts, error) or failed(facts, error)


def no_cupy(facts: Facts) -> str | None:
    if facts.packages:
        return None
    if facts.driver is None:
        return (
            "CuPy is not installed, and there is no NVIDIA driver: where there is an NVIDIA GPU, "
            f"install its driver, then {_install('cuda13')}, or cuda12 for a GPU before Turing"
        )
    return f"CuPy is not installed; the driver runs {_cuda(facts)}: {_install(facts.extra)}"


def no_driver(facts: Facts) -> str | None:
    if facts.driver is not None:
        return None
    if facts.smi:
        return (
            "nvidia-smi is there, but the driver's library libcuda is not: start a container with "
            "--gpus all; elsewhere install NVIDIA's driver anew"
        )
    return (
        "there is no NVIDIA driver: install it (nvidia-smi must list the GPU then), or use "
        "device 'cpu'"
    )


def driver_fails(facts: Facts) -> str | None:
    if facts.status in (0, NO_DEVICE):
        return None
    why = " (its library and its kernel module differ)" if facts.status == MISMATCH else ""
    return (
        f"the NVIDIA driver does not start, cuInit says {facts.status}{why}: restart the machine, "
        "then see whether nvidia-smi works"
    )


def hidden(facts: Facts) -> str | None:
    if facts.gpus or facts.visible is None:
        return None
    return (
        f"CUDA_VISIBLE_DEVICES is {facts.visible!r}, which hides every GPU: "
        "unset CUDA_VISIBLE_DEVICES"
    )


def no_gpu(facts: Facts) -> str | None:
    if facts.gpus:
        return None
    return (
        f"the driver runs {_cuda(facts)} but finds no GPU: nvidia-smi must list one; or use "
        "device 'cpu'"
    )


def several(facts: Facts) -> str | None:
    if len(facts.packages) < 2:
        return None
    names = sorted(facts.packages)
    return (
        f"{' and '.join(names)} are both installed and clash: "
        f"pip uninstall -y {' '.join(names)}, then {_install(facts.extra)}"
    )


def wrong_package(facts: Facts) -> str | None:
    """One for another CUDA, or for AMD; plain `cupy` may be built for any."""
    (name,) = facts.packages
    if name in (*OURS.values(), "cupy"):
        return None
    return f"{name} does not fit: {_replace(name, facts.extra)}"


def wrong_version(facts: Facts) -> str | None:
    ((name, version),) = facts.packages.items()
    found = re.match(r"(\d+)\.(\d+)", version)
    if not found or (14, 1) <= (int(found[1]), int(found[2])) < (15, 0):
        return None
    mend = _replace(name, facts.extra) if name == "cupy" else _install(_extra_of(name))
    return f"{name} {version} does not fit, expected {VERSIONS}: {mend}"


def old_gpu(facts: Facts) -> str | None:
    (package,) = facts.packages
    name, capability = max(facts.gpus, key=lambda gpu: gpu[1])
    said = f"{name} has compute capability {capability // 10}.{capability % 10}"
    if capability < 50:
        return f"{said}, CuPy needs 5.0 or more: use device 'cpu'"
    if capability < 75 and package == OURS["cuda13"]:
        return f"{said}, CUDA 13 needs 7.5 or more: {_replace(package, 'cuda12')}"
    return None


def old_driver(facts: Facts) -> str | None:
    (package,) = facts.packages
    driver = facts.driver or 0
    if driver < 12000:
        return f"the driver runs {_cuda(facts)}, CuPy 14 needs CUDA 12: update it to 525 or newer"
    if driver < 13000 and package == OURS["cuda13"]:
        return (
            f"{package} needs a driver for CUDA 13, this one runs {_cuda(facts)}: "
            f"{_replace(package, 'cuda12')}; or update the driver to 580 or newer"
        )
    return None


def library_missing(facts: Facts, error: str) -> str | None:
    (package,) = facts.packages
    missing = [name for sign, name in LIBRARIES.items() if sign in error.lower()]
    if not missing or not re.search("no such file|not found|cannot open|fail", error.lower()):
        return None
    mend = _replace(package, facts.extra) if package == "cupy" else _install(_extra_of(package))
    return f"CuPy does not find {missing[0]}, part of its ctk: {mend}"


def failed(facts: Facts, error: str) -> str:
    (package,) = facts.packages
    first = error.strip().splitlines()[0] if error.strip() else "no message"
    return f"CuPy cannot compute on it ({first}): {_replace(package, facts.extra)}"


# ----- words -----


def _cuda(facts: Facts) -> str:
    version = facts.driver or 0
    return f"CUDA {version // 1000}.{version % 1000 // 10}"


def _install(extra: str) -> str:
    return f"pip install '{OURS[extra]}[ctk]{VERSIONS}' (our extra {extra})"


def _replace(package: str, extra: str) -> str:
    return f"pip uninstall -y {package}, then {_install(extra)}"


def _extra_of(package: str) -> str:
    return next(extra for extra, name in OURS.items() if name == package)


# ----- the facts -----


def look() -> Facts:
    """The facts of this machine."""
    driver, status, gpus = _driver()
    return Facts(
        packages=cupy_packages(),
        driver=driver,
        status=status,
        gpus=gpus,
        visible=os.environ.get("CUDA_VISIBLE_DEVICES"),
        smi=shutil.which("nvidia-smi") is not None,
    )


def cupy_packages() -> dict[str, str]:
    """CuPy's installed distributions, of which there should be one: name and version."""
    found = {d.metadata["Name"].lower(): d.version for d in distributions() if d.metadata["Name"]}
    pattern = re.compile(r"cupy(-(cuda|rocm)[\w.-]+)?|amd-cupy")
    return {name: version for name, version in found.items() if pattern.fullmatch(name)}


def _driver() -> tuple[int | None, int, tuple[tuple[str, int], ...]]:
    """The driver's CUDA version, cuInit's answer and the GPUs, by the driver's own library."""
    try:
        cuda: Any = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return None, 0, ()
    number = ctypes.c_int()

    def asked(function: str, *args: Any) -> int:
        getattr(cuda, function)(ctypes.byref(number), *args)
        return number.value

    version = asked("cuDriverGetVersion")
    status = cuda.cuInit(0)
    if status:
        return version, status, ()
    gpus = []
    for index in range(asked("cuDeviceGetCount")):
        device = asked("cuDeviceGet", index)
        name = ctypes.create_string_buffer(100)
        cuda.cuDeviceGetName(name, len(name), device)
        major, minor = (asked("cuDeviceGetAttribute", which, device) for which in (75, 76))
        gpus.append((name.value.decode(), 10 * major + minor))
    return version, 0, tuple(gpus)
