"""What a CUDA kernel is called with, held against its parameter list."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

_DTYPES = {
    "real": "float32", "float": "float32", "double": "float64",
    "int": "int32", "unsigned": "uint32", "unsigned int": "uint32",
    "unsigned char": "uint8", "unsigned short": "uint16", "long long": "int64",
}  # fmt: skip


def check(text: str, function: str, args: list[Any]) -> None:
    """Raise TypeError if the arguments, the last of them the number of elements, do not fit.

    args: NumPy arrays and numbers. A type that only a macro or a template knows is not checked.
    """
    parameters = parameters_of(text, function)
    call = f"{function}({', '.join(parameters)})"
    if len(parameters) != len(args):
        raise TypeError(
            f"{call} takes {len(parameters)} arguments; it was given {len(args)}: {len(args) - 1} "
            "by you, and the number of elements, which `run` adds as the last, `int n`"
        )
    for parameter, value in zip(parameters, args, strict=True):
        wanted, given = _wanted(parameter), _given(value)
        if wanted not in (None, given):
            raise TypeError(f"{call}: for `{parameter}` expected {wanted}, got {given}")


def parameters_of(text: str, function: str) -> list[str]:
    """The parameters of a kernel, as the source (which compiles) has them.

    A macro may put the name together: NAME##x.
    """
    flat = text.replace("\\\n", " ")
    for name, parameters in re.findall(r"__global__\s+void\s+([\w#]+)\s*\(([^)]*)\)", flat):
        if re.fullmatch(re.sub(r"##\w+", r"\\w+", name), function):
            return [" ".join(p.split()) for p in parameters.split(",")]
    raise ValueError(f"no kernel {function} in the source")


def _wanted(parameter: str) -> str | None:
    """In words; None for a type that is not known here."""
    words = re.findall(r"\w+", parameter)
    kind = " ".join(w for w in words[:-1] if w not in ("const", "__restrict__"))
    dtype = _DTYPES.get(kind)
    if "*" in parameter:
        return dtype and f"an array of {dtype}"
    return {"float32": "a float", "int32": "an int", "uint32": "an int"}.get(dtype or "")


def _given(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return "a float" if isinstance(value, np.floating) else "an int"
