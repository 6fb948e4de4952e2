"""A training batch with all that is drawn for it, whole or a few rows at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import Tensor, arrays
from minigrad.arrays import Array

from ..mixing import Mix, mixed, mixed_labels
from ..pixels import ToInput

Rows = slice | NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """images: uint8 (N, s, s, 3) on the device. labels (N,), places (N, 3) and alphas (N, 3) or
    None are on the CPU; see `ToInput`."""

    images: Array
    labels: NDArray[np.int64]
    places: NDArray[Any]
    alphas: NDArray[np.float32] | None
    mix: Mix | None

    def input(self, to_input: ToInput, rows: slice) -> Tensor:
        """What the network gets of these rows."""
        x = self._plain_input(to_input, rows)
        if self.mix is None:
            return x
        partners = self._plain_input(to_input, self.mix.partner[rows])
        share = arrays.to_device(self.mix.share[rows], to_input.device)
        return Tensor(mixed(x.data, partners.data, share))

    def targets(self, logits: Tensor, rows: slice) -> Array:
        """Their labels, on the CPU, or the probabilities (n, classes) of mixed ones."""
        if self.mix is None or not self.mix.labels:
            return self.labels[rows]
        soft = mixed_labels(self.labels, logits.shape[1], self.mix)[rows]
        return arrays.to_device(soft.astype(logits.dtype), logits.device)

    def _plain_input(self, to_input: ToInput, rows: Rows) -> Tensor:
        where = rows
        if not isinstance(rows, slice):
            where = arrays.to_device(rows, to_input.device)
        alphas = None if self.alphas is None else self.alphas[rows]
        return to_input(Tensor(self.images[where]), self.places[rows], alphas)
