"""Every kernel on a GPU under NVIDIA's compute-sanitizer, where it is installed.

memcheck finds accesses out of bounds. racecheck finds races in shared memory; for those in global
memory there is the thread sanitiser of test_compilers.py, which needs no GPU.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minigrad.kernels import cuda

HERE = Path(__file__).parent
TOOLKITS = [os.environ.get("CUDA_PATH"), os.environ.get("CUDA_HOME"), "/usr/local/cuda"]
TOOL = shutil.which("compute-sanitizer") or next(
    (found for kit in TOOLKITS if kit and (found := shutil.which(f"{kit}/bin/compute-sanitizer"))),
    None,
)
FAULT = ("activation", "i < (unsigned)(n);", "i <= (unsigned)(n);")  # one element too many


def on_a_gpu(test):
    """Marks for what needs a GPU and the tool."""
    reason = "compute-sanitizer, of NVIDIA's toolkit, is not here"
    missing = pytest.mark.skipif(TOOL is None, reason=reason)
    return pytest.mark.gpu(pytest.mark.slow(missing(test)))


def sanitized(tool, *fault):
    """Run every kernel under `tool`: exit status 66 and a report where it finds something."""
    # A probe of the driver that fails is no error of ours, so API errors are not reported.
    command = [TOOL, "--tool", tool, "--error-exitcode", "66"]
    command += ["--report-api-errors", "no"] if tool == "memcheck" else []
    path = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [*command, sys.executable, str(HERE / "run_sanitized.py"), "gpu", *fault],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@on_a_gpu
@pytest.mark.parametrize("tool", ["memcheck", "racecheck"])
def test_it_finds_nothing_in_the_kernels(tool):
    done = sanitized(tool)
    assert done.returncode == 0, done.stdout + done.stderr


@on_a_gpu
def test_it_finds_an_access_out_of_bounds():
    done = sanitized("memcheck", *FAULT)
    assert done.returncode == 66, done.stdout + done.stderr
    assert "Invalid __global__" in done.stdout


def test_the_fault_that_is_planted_fits_the_source():
    file, right, _ = FAULT
    assert cuda.source(file).count(right) == 1
