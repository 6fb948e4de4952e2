"""What a CUDA kernel is called with, held against its parameter list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

_DTYPES = {
    "float": "float32", "double": "float64", "char": "int8", "unsigned char": "uint8",
    "short": "int16", "unsigned short": "uint16", "int": "int32", "unsigned": "uint32",
    "unsigned int": "uint32", "long long": "int64", "unsigned long long": "uint64",
}  # fmt: skip
MINIGRAD: Mapping[str, object] = {"real": "float"}  # what a name of a type stands for


def check(
    text: str, function: str, args: list[Any], macros: Mapping[str, object] = MINIGRAD
) -> None:
    """Raise TypeError if the arguments, the last of them the number of elements, do not fit.

    args: NumPy arrays and numbers. macros: what names of types stand for. A type that only
    another macro or a template knows is not checked.
    """
    parameters = parameters_of(text, function)
    call = f"{function}({', '.join(parameters)})"
    if len(parameters) != len(args):
        raise TypeError(
            f"{call} takes {len(parameters)} arguments; it was given {len(args)}: {len(args) - 1} "
            "by you, and the number of elements, which comes last, `int n`"
        )
    for parameter, value in zip(parameters, args, strict=True):
        wanted, given = _wanted(parameter, macros), _given(value)
        if wanted not in (None, given):
            raise TypeError(f"{call}: for `{parameter}` expected {wanted}, got {given}")


def parameters_of(text: str, function: str) -> list[str]:
    """The parameters of a kernel, as the source (which compiles) has them.

    A macro may put the name together: NAME##x.
    """
    flat = re.sub(r"//[^\n]*|/\*.*?\*/", "", text.replace("\\\n", " "), flags=re.DOTALL)
    for name, parameters in re.findall(r"__global__\s+void\s+([\w#]+)\s*\(([^)]*)\)", flat):
        if re.fullmatch(re.sub(r"##\w+", r"\\w+", name), function):
            return [" ".join(p.split()) for p in parameters.split(",")]
    raise ValueError(f"no kernel {function} in the source")


def dtype_of(parameter: str, macros: Mapping[str, object]) -> str | None:
    """NumPy's name for the type of a parameter, or of what it points to; None if not known."""
    words = re.findall(r"\w+", parameter)
    kind = " ".join(w for w in words[:-1] if w not in ("const", "__restrict__", "__restrict"))
    return _DTYPES.get(str(macros.get(kind, kind)))


def _wanted(parameter: str, macros: Mapping[str, object]) -> str | None:
    """In words; None for a type that is not known here."""
    dtype = dtype_of(parameter, macros)
    if dtype is None or "*" in parameter:
        return dtype and f"an array of {dtype}"
    return "a float" if dtype.startswith("float") else "an int"


def _given(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return "a float" if isinstance(value, float | np.floating) else "an int"
