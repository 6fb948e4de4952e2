"""The ONNX graph under construction: nodes, constants, and names for both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arrays import is_array, to_numpy


class Value:
    """An array of the network: its name in the graph, and what it was for the first batch."""

    def __init__(self, name: str, array: Any) -> None:
        self.name, self.array = name, array
        self.shape: tuple[int, ...] = tuple(array.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)


class Graph:
    """The nodes and constants so far."""

    def __init__(self, names: Mapping[tuple[int, tuple[int, ...]], str]) -> None:
        self.names, self._given = names, {*names.values(), "input", "output"}
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.helper: Any = onnx_package().helper
        self.stem = ""  # of the next result's name; that of the operation where empty

    def add(self, kind: str, *inputs: Any, **attributes: Any) -> str:
        """One more node; inputs are values, names, or arrays. Returns the name of its result."""
        names = [self.name_of(value) for value in inputs]
        result, self.stem = self._new(self.stem or kind.lower()), ""
        given = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(self.helper.make_node(kind, names, [result], name=result, **given))
        return result

    def name_of(self, value: Any) -> str:
        """The name of a value, a name, or a constant array; "" for None."""
        if value is None or isinstance(value, str):
            return value or ""
        if isinstance(value, Value):
            return value.name
        array = to_numpy(value) if is_array(value) else np.asarray(value)
        name = self.names.get(place_of(array)) if array.ndim else None
        if name is None:
            name = self._new("constant")
        self.constants[name] = array
        return name

    def _new(self, stem: str) -> str:
        name, number = stem, 1
        while name in self._given:
            number += 1
            name = f"{stem}_{number}"
        self._given.add(name)
        return name


def onnx_package() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise ImportError("ONNX needs the package onnx: pip install onnx") from error
    return onnx


def place_of(array: Any) -> tuple[int, tuple[int, ...]]:
    """What tells one piece of memory from another; views of a shape are one."""
    return array.__array_interface__["data"][0], tuple(array.shape)
