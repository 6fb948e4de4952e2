"""Operations on tensors: a Function each, and its public call under PyTorch's name.

A file lists its operations once, in `__all__`, and in `Methods` those that are methods, too.
"""

from . import activation as _activation
from . import batch_norm as _batch_norm
from . import conv as _conv
from . import dropout as _dropout
from . import elementwise as _elementwise
from . import linear as _linear
from . import loss as _loss
from . import methods as methods
from . import norm as _norm
from . import pool as _pool
from . import reduce as _reduce
from . import shape as _shape
from .activation import *  # noqa: F403
from .batch_norm import *  # noqa: F403
from .conv import *  # noqa: F403
from .dropout import *  # noqa: F403
from .elementwise import *  # noqa: F403
from .linear import *  # noqa: F403
from .loss import *  # noqa: F403
from .norm import *  # noqa: F403
from .pool import *  # noqa: F403
from .reduce import *  # noqa: F403
from .shape import *  # noqa: F403

__all__: list[str] = []
__all__ += _activation.__all__
__all__ += _batch_norm.__all__
__all__ += _conv.__all__
__all__ += _dropout.__all__
__all__ += _elementwise.__all__
__all__ += _linear.__all__
__all__ += _loss.__all__
__all__ += _norm.__all__
__all__ += _pool.__all__
__all__ += _reduce.__all__
__all__ += _shape.__all__
