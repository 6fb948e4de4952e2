"""`pytest -m gpu` needs a GPU and CuPy: no PyTorch, no C++ compiler."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = """
import sys
sys.modules["torch"] = None  # an import of it fails

def pytest_collection_finish(session):
    for item in session.items:
        for mark in item.iter_markers("skipif"):
            if mark.args[0]:
                print("will be skipped:", item.nodeid)
"""


@pytest.mark.slow
def test_they_are_collected_and_not_skipped_without_pytorch_and_a_compiler(tmp_path):
    (tmp_path / "hide_torch.py").write_text(PLUGIN)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PATH": str(tmp_path), "PYTHONPATH": f"{tmp_path}:{root}"}
    command = [sys.executable, "-m", "pytest", "-p", "hide_torch", "-m", "gpu", "-q", "tests"]
    done = subprocess.run(
        [*command, "--collect-only"],
        cwd=root, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {name: int(n) for name, n in re.findall(r"(test_\w+)\.py: (\d+)", done.stdout)}
    wanted = {"test_operations_on_cuda", "test_cuda_kernels", "test_optimizers_on_cuda",
              "test_training_on_cuda", "test_compute_sanitizer", "test_gpu_benchmark"}  # fmt: skip
    assert wanted <= counts.keys()
    skipped = re.findall(r"will be skipped: \S*?(test_\w+)\.py", done.stdout)
    assert set(skipped) <= {"test_compute_sanitizer"}  # it needs one more tool
