"""Weights that others have published, and under what terms."""

from __future__ import annotations

from typing import NamedTuple

from ..data.download import Archive


class Published(NamedTuple):
    """A file on a server, and its licence in a line."""

    archive: Archive
    licence: str


# The first eight digits of the checksum are in the file's name, as torchvision checks it.
PUBLISHED = {
    "torchvision": Published(
        Archive(
            "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth", 244_408_911,
            "sha256:7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        ),
        "torchvision is under the BSD 3-clause licence; its weights were trained on ImageNet, "
        "whose terms are for non-commercial research and education: whether more is needed for a "
        "use is for those who use them to judge",
    ),
}  # fmt: skip
