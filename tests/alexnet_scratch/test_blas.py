"""OpenBLAS's kernels are chosen before NumPy is loaded, and nothing else changes."""

import subprocess
import sys
from pathlib import Path

import pytest

from alexnet_scratch.blas import better_core

CPU = """processor\t: 0
vendor_id\t: {}
cpu family\t: {}
model name\t: some name
flags\t\t: fpu {}

processor\t: 1
"""
REPORT = """
import os
import alexnet_scratch
import numpy
from threadpoolctl import threadpool_info
print(os.environ.get("OPENBLAS_CORETYPE"))
print(*[lib["architecture"] for lib in threadpool_info() if lib["internal_api"] == "openblas"])
"""


@pytest.mark.parametrize(
    ("cpu", "core"),
    [
        (CPU.format("AuthenticAMD", 25, "avx2 avx512f"), "Haswell"),  # Zen 4
        (CPU.format("AuthenticAMD", 25, "avx2"), None),  # Zen 3
        (CPU.format("AuthenticAMD", 26, "avx2 avx512f"), None),  # Zen 5
        (CPU.format("GenuineIntel", 25, "avx2 avx512f"), None),
        ("", None),
        ("Hardware : an ARM board", None),
    ],
)
def test_only_zen_4_takes_other_kernels(cpu, core):
    assert better_core(cpu) == core


def report(program, **environment):
    """The variable, and the kernels that OpenBLAS took, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_numpy_gets_the_better_kernels_and_the_environment_stays():
    own = report("import numpy\n" + REPORT)  # NumPy first: OpenBLAS's own choice
    info = Path("/proc/cpuinfo")
    better = better_core(info.read_text()) if info.is_file() else None
    assert report(REPORT) == (["None", better] if better and own[1:] else own)


def test_the_users_choice_is_left_alone():
    given = report("import numpy\n" + REPORT, OPENBLAS_CORETYPE="SkylakeX")
    assert report(REPORT, OPENBLAS_CORETYPE="SkylakeX") == given
