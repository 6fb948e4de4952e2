"""Which of its kernels OpenBLAS takes, decided before NumPy loads it.

Zen 4 carries out a 512-bit instruction as two halves, so that OpenBLAS's AVX-512 kernels, which it
takes there, gain nothing from their width; its AVX2 kernels, made for Haswell, are a few per cent
faster. To compare:

    OPENBLAS_CORETYPE=SkylakeX python benchmarks/train_step.py    # and without the variable

OpenBLAS reads the variable once, when it is loaded: a program that imports NumPy first keeps
OpenBLAS's own choice. Set by the user, the variable is left alone.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from pathlib import Path

VARIABLE = "OPENBLAS_CORETYPE"


def better_core(cpuinfo: str) -> str | None:
    """The core whose kernels are faster than those OpenBLAS takes, from the text of Linux's
    /proc/cpuinfo; None where OpenBLAS chooses well."""
    first = cpuinfo.partition("\n\n")[0]
    facts = dict(re.findall(r"^([\w ]+?)\s*:[ \t]*(.*)$", first, re.MULTILINE))
    zen_3_or_4 = facts.get("vendor_id") == "AuthenticAMD" and facts.get("cpu family") == "25"
    wide = "avx512f" in facts.get("flags", "").split()  # Zen 4, not Zen 3
    return "Haswell" if zen_3_or_4 and wide else None


def load_numpy() -> None:
    """Import NumPy with the better core, if it is not imported yet; the environment stays as it
    was."""
    path = Path("/proc/cpuinfo")
    if "numpy" in sys.modules or VARIABLE in os.environ or not path.is_file():
        return
    core = better_core(path.read_text("utf-8", errors="replace"))
    if core is None:
        return
    os.environ[VARIABLE] = core
    try:
        importlib.import_module("numpy")
    finally:
        del os.environ[VARIABLE]
