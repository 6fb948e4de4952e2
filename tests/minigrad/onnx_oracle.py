"""What onnx's reference evaluator and onnxruntime make of a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
reference = pytest.importorskip("onnx.reference")
from onnx.reference.op_run import OpRun  # noqa: E402


class LRN(OpRun):
    """By the words of ONNX's specification. onnx 1.23's own takes the size of the batch for the
    number of channels and leaves the others without a sum."""

    def _run(self, x, alpha=None, beta=None, bias=None, size=None):
        before, after = (size - 1) // 2, size // 2
        padded = np.pad(x * x, ((0, 0), (before, after), (0, 0), (0, 0)))
        total = sum(padded[:, i : i + x.shape[1]] for i in range(size))
        return ((x / (bias + alpha / size * total) ** beta).astype(x.dtype),)


def answers(model: Any, x: np.ndarray, first: int = 3) -> list[np.ndarray]:
    """What the reference evaluator makes of the first samples, and onnxruntime of all."""
    onnx.checker.check_model(model, full_check=True)
    session = runtime.InferenceSession(model.SerializeToString())
    evaluator = reference.ReferenceEvaluator(model, new_ops=[LRN])
    return [evaluator.run(None, {"input": x[:first]})[0], session.run(None, {"input": x})[0]]
