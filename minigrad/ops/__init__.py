"""Operations on tensors: a Function each, and its public call under PyTorch's name.

A file lists its operations once, in `__all__`, and in `Methods` those that are methods, too.
"""

from . import activation as _activation
from . import batch_norm as _batch_norm
from . import choice as _choice
from . import contrast as _contrast
from . import conv as _conv
from . import dropout as _dropout
from . import einsum as _einsum
from . import elementwise as _elementwise
from . import integer as _integer
from . import linear as _linear
from . import loss as _loss
from . import methods as methods
from . import norm as _norm
from . import order as _order
from . import pieces as _pieces
from . import pool as _pool
from . import reduce as _reduce
from . import shape as _shape
from . import target_loss as _target_loss
from . import truth as _truth
from . import vector_norm as _vector_norm
from .activation import *  # noqa: F403
from .batch_norm import *  # noqa: F403
from .choice import *  # noqa: F403
from .contrast import *  # noqa: F403
from .conv import *  # noqa: F403
from .dropout import *  # noqa: F403
from .einsum import *  # noqa: F403
from .elementwise import *  # noqa: F403
from .integer import *  # noqa: F403
from .linear import *  # noqa: F403
from .loss import *  # noqa: F403
from .norm import *  # noqa: F403
from .order import *  # noqa: F403
from .pieces import *  # noqa: F403
from .pool import *  # noqa: F403
from .reduce import *  # noqa: F403
from .shape import *  # noqa: F403
from .target_loss import *  # noqa: F403
from .truth import *  # noqa: F403
from .vector_norm import *  # noqa: F403

__all__: list[str] = []
__all__ += _activation.__all__
__all__ += _contrast.__all__
__all__ += _batch_norm.__all__
__all__ += _choice.__all__
__all__ += _conv.__all__
__all__ += _dropout.__all__
__all__ += _einsum.__all__
__all__ += _elementwise.__all__
__all__ += _integer.__all__
__all__ += _linear.__all__
__all__ += _loss.__all__
__all__ += _norm.__all__
__all__ += _order.__all__
__all__ += _pieces.__all__
__all__ += _pool.__all__
__all__ += _reduce.__all__
__all__ += _shape.__all__
__all__ += _target_loss.__all__
__all__ += _truth.__all__
__all__ += _vector_norm.__all__
