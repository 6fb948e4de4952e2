"""Optimizers and learning rate schedules, under PyTorch's names."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from .. import names as _names
from . import lr_scheduler, swa_utils
from .adam import Adam, AdamW
from .grad_scaler import GradScaler
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "GradScaler", "Optimizer", "lr_scheduler", "swa_utils"]

if not _TYPE_CHECKING:
    __getattr__ = _names.teller("minigrad.optim", __all__)
