"""What a file of weights holds, whatever format it is in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class WeightFile:
    """tensors: by their names in the file. source: its format: "torch", "safetensors", "npy",
    "caffe" or "onnx". facts: what else it says, such as the order of layers, or a recipe."""

    tensors: dict[str, NDArray[Any]]
    source: str
    facts: dict[str, Any] = field(default_factory=dict)
