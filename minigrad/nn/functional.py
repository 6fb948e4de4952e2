"""The operations under PyTorch's names: `from minigrad.nn import functional as F`."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from .. import names as _names
from ..ops import activation as _activation
from ..ops import contrast as _contrast
from ..ops import conv as _conv
from ..ops import loss as _loss
from ..ops import pool as _pool
from ..ops import target_loss as _target_loss
from ..ops.activation import *  # noqa: F403
from ..ops.batch_norm import batch_norm
from ..ops.contrast import *  # noqa: F403
from ..ops.conv import *  # noqa: F403
from ..ops.dropout import dropout, paper_dropout
from ..ops.linear import linear
from ..ops.loss import *  # noqa: F403
from ..ops.norm import *  # noqa: F403
from ..ops.norm import __all__ as _norms  # `ops.norm` is the function
from ..ops.pool import *  # noqa: F403
from ..ops.shape import pad
from ..ops.target_loss import *  # noqa: F403

__all__ = ["batch_norm", "dropout", "linear", "pad", "paper_dropout"]
__all__ += _activation.__all__
__all__ += _contrast.__all__
__all__ += _conv.__all__
__all__ += _loss.__all__
__all__ += _norms
__all__ += _pool.__all__
__all__ += _target_loss.__all__

if not _TYPE_CHECKING:
    __getattr__ = _names.teller("minigrad.nn.functional", __all__)
