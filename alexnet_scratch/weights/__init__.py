"""Weights of other programs: read without them, recognised, made a run of, and written for them.

A file is made by anybody. Nothing of it is run; what it claims is held against what is there before
memory is taken for it, so that reading takes at most twice the file's size (see `stored`).
"""

from __future__ import annotations

import os
from collections.abc import Callable

from minigrad.serialization import CheckpointError

from ..data.image import BadImageError, check_plain
from .caffemodel import read_caffemodel
from .file import WeightFile
from .npy import read_npy
from .onnx_in import read_onnx
from .pth import read_legacy, read_zip
from .safetensors import read_safetensors

__all__ = ["WeightFile", "read_weights"]

Reader = Callable[[str], WeightFile]

# By the first bytes of a file.
_BEGINNINGS: tuple[tuple[bytes, Reader], ...] = (
    (b"PK\3\4", read_zip),
    (b"\x93NUMPY", read_npy),
    (b"\x80\x02\x8a\x0a", read_legacy),
)
# By the last letters of its name, for formats that begin with nothing of their own.
_ENDINGS: tuple[tuple[str, Reader], ...] = (
    (".caffemodel", read_caffemodel),
    (".onnx", read_onnx),
    (".safetensors", read_safetensors),
)
KINDS = (
    "PyTorch's .pth or .pt (torch.save of a state_dict), safetensors, a .npy of a dict of layers, "
    "or, by its name, a .caffemodel or .onnx"
)


def read_weights(path: str | os.PathLike[str]) -> WeightFile:
    """The tensors in a file: .pth and .pt of torch.save, .safetensors, .npy with a dict of layers,
    .caffemodel, .onnx.

    Numbers of 16 bits become float32; the others have the dtype that they are stored in. Arrays are
    read-only, and where the format allows it views of the file, which must stay as it is.
    Raises CheckpointError for anything else, and for what is damaged.
    """
    path = os.fspath(path)
    try:
        check_plain(path)
        if os.path.isdir(path):
            raise CheckpointError(f"{path}: is a folder, expected a file of weights")
        with open(path, "rb") as file:
            start = file.read(16)
    except (BadImageError, FileNotFoundError) as error:
        said = str(error) if isinstance(error, BadImageError) else f"{path}: no such file"
        raise CheckpointError(f"{said}; expected a file of weights") from error
    for beginning, reader in _BEGINNINGS:
        if start.startswith(beginning):
            return reader(path)
    for ending, reader in _ENDINGS:
        if path.lower().endswith(ending):
            return reader(path)
    if start[8:9] == b"{":  # behind the length of the header
        return read_safetensors(path)
    begins = f"begins with {start!r}" if start else "is empty"
    raise CheckpointError(f"{path}: {begins}, as no weights that are known; expected {KINDS}")
