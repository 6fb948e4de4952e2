"""The engine: tensors, the operations that made them, and the walk back.

    tensor ──node──▶ Node ──edges──▶ the nodes and leaf tensors that it came from

A `Function` pairs the forward of an operation with its backward, both on raw arrays. `apply` runs
forward and records a `Node`. A node owns the nodes it came from and a tensor owns its node; nothing
points the other way, so there is no cycle and a graph goes the moment its last tensor goes.
`backpropagate` takes the newest node first, adds up the gradients that arrive, and hands them on.

Elsewhere: recording on and off (`modes`), second derivatives (`derivatives`), what a tensor can do
(`class Methods: relu = relu` in a file of `ops`; `ops/methods.py` sets all of them on `Tensor`).
`rules.check_...` only raise, a RuntimeError or TypeError that says what is wrong: read past them.
"""

from __future__ import annotations

import heapq
import itertools
import re
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from . import arrays, rules, sums
from .arrays import Array, array_module, as_array, device_of, is_alone, is_array, may_share_memory
from .modes import mode, observed  # observed(phase, name, f, *args) is f(*args), told to profilers

if TYPE_CHECKING:  # the operators and methods that `ops/methods.py` sets on Tensor, for its types
    from .ops.methods import Methods
else:
    Methods = object

Hooks = dict[int, Callable[["Tensor"], Any]]
RETAIN = -1  # the key of `retain_grad`, always the last in a node's hooks


# ----- the tensor -----


class Version:
    """Counts in-place edits of one piece of memory; views share it."""

    __slots__ = ("shared", "value")

    def __init__(self) -> None:
        self.value = 0
        self.shared = False  # an operation's result views it: `y += 1` may not enter the graph


class Tensor(Methods):
    """An n-dimensional array that remembers how it was computed.

    `data` is the raw NumPy or CuPy array, `grad` a tensor or None, `node` the operation that
    produced it (None for a leaf). In-place edits through this class are counted in `version`: to
    edit what was saved for backward is an error. After an edit of `data` call `bump_version()`.
    """

    __slots__ = ("__weakref__", "_data", "_grad", "hooks", "node", "requires_grad", "version")
    __array_priority__ = 1000  # numpy_array * tensor asks the tensor

    def __init__(self, data: Array, requires_grad: bool = False) -> None:
        self._data = data = arrays.plain(data)
        if requires_grad:
            rules.check_differentiable(data)
        self._grad: Tensor | None = None
        self.requires_grad = requires_grad
        self.node: Node | None = None
        self.version = Version()
        self.hooks: Hooks = {}  # of a leaf; those of a result are its node's

    @property
    def data(self) -> Array:
        """The raw array. Assigning an array, or a tensor for its array, replaces it."""
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        given = value._data if isinstance(value, Tensor) else value
        self._data = arrays.plain(given, "data is an array")
        self.bump_version()

    @property
    def grad(self) -> Tensor | None:
        """The gradient. Assigning None forgets it; what is no tensor is refused."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        rules.check_assigned(value, Tensor)
        self._grad = value

    def bump_version(self) -> None:
        """Say that `data` was edited in place by code that works on raw arrays."""
        self.version.value += 1

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        return self._data.ndim  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._data.dtype  # type: ignore[no-any-return]

    @property
    def device(self) -> str:
        return device_of(self._data)

    @property
    def is_leaf(self) -> bool:
        return self.node is None

    def detach(self) -> Tensor:
        """Return a tensor on the same memory that is no part of the graph."""
        out = Tensor(self.data)
        out.version = self.version
        return out

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Switch recording on or off for a leaf."""
        if self.node is not None:
            raise RuntimeError("requires_grad can be changed on a leaf only: detach() it first")
        if requires_grad:
            rules.check_differentiable(self.data)
        self.requires_grad = requires_grad
        return self

    def backward(
        self, gradient: Any = None, retain_graph: bool = False, create_graph: bool = False
    ) -> None:
        """Add d(self)/d(leaf) to `grad` of every leaf that requires a gradient.

        A tensor that is not a scalar needs `gradient`, of its own shape. The graph is freed on the
        way unless `retain_graph`. `create_graph=True` is refused: use `minigrad.hvp`.
        """
        rules.check_first_order(create_graph)
        backpropagate(self, gradient, retain_graph)

    def register_hook(self, hook: Callable[[Tensor], Any]) -> RemovableHook:
        """Call `hook(gradient)` when this tensor's gradient is complete; what it returns, unless
        None, replaces the gradient. The result's `remove()` takes the hook away."""
        rules.check_requires_grad("register_hook", self)
        return RemovableHook(self.hooks if self.node is None else self.node.hooks, hook)

    def retain_grad(self) -> None:
        """Keep the gradient of a tensor that is not a leaf in `grad`, too."""
        rules.check_requires_grad("retain_grad", self)
        if self.node is None:
            return
        holder = weakref.ref(self)  # the node must not own its own result

        def keep(gradient: Tensor) -> None:
            owner = holder()
            if owner is not None:
                _accumulate(owner, gradient.data.copy())

        self.node.hooks[RETAIN] = keep  # once, however often it is asked for


class RemovableHook:
    """Returned by `register_hook`; `remove()` takes the hook away."""

    _keys = itertools.count()

    def __init__(self, hooks: dict[int, Any], hook: Callable[..., Any]) -> None:
        self._hooks, self._key = hooks, next(self._keys)
        hooks[self._key] = hook
        if RETAIN in hooks:  # keeps what all hooks have made of it
            hooks[RETAIN] = hooks.pop(RETAIN)

    def remove(self) -> None:
        self._hooks.pop(self._key, None)


# ----- the operation -----


class Context:
    """What one call of a `Function` keeps for its backward.

    `needs[i]` tells whether the gradient of forward's i-th argument is wanted. `save(*arrays)`
    keeps arrays, `saved` returns them. Anything else (a stride, a shape) is set as an attribute.
    """

    __slots__ = ("__dict__", "_guards", "_saved", "needs", "operation")

    def __init__(self, operation: str, needs: tuple[bool, ...]) -> None:
        self.operation = operation
        self.needs = needs
        self._saved: tuple[Array, ...] | None = ()
        self._guards: list[tuple[int, Version, int]] = []

    if TYPE_CHECKING:  # options are attributes of any name and type

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def save(self, *arrays: Array | None) -> None:
        """Keep arrays for backward (None is allowed); nothing is kept if no gradient is wanted."""
        if any(self.needs):
            self._saved = arrays

    @property
    def saved(self) -> tuple[Array, ...]:
        """The arrays given to `save`. Raises RuntimeError if one was edited in place since."""
        rules.check_not_freed(self.operation, self._saved)
        for place, version, then in self._guards:
            rules.check_unedited(self.operation, place, then, version.value)
        return self._saved or ()

    @property
    def arrays(self) -> list[Array]:
        """All arrays that are kept, by `save` or as an attribute."""
        return [a for a in (*(self._saved or ()), *vars(self).values()) if is_array(a)]

    @property
    def saved_bytes(self) -> int:
        """Bytes kept for backward."""
        return sum(a.nbytes for a in self.arrays)

    def guard(self, tensors: Sequence[tuple[int, Tensor]]) -> None:
        """Remember the versions of those arguments (-1: the output) whose memory is kept."""
        kept = self.arrays
        for place, tensor in tensors:
            for array in kept:
                if may_share_memory(array, tensor.data):
                    self._guards.append((place, tensor.version, tensor.version.value))
                    break

    def free(self) -> None:
        """Drop everything kept."""
        vars(self).clear()
        self._saved, self._guards = None, []


class Edge(NamedTuple):
    """Where the gradient of one argument goes, a node or a leaf, and the shape and dtype that it
    must have. `target` is None where none is wanted."""

    target: Node | Tensor | None
    shape: tuple[int, ...]
    dtype: Any


_NO_EDGE = Edge(None, (), None)


class Node:
    """One recorded operation; `edges[i]` leads to the producer of its i-th argument."""

    __slots__ = ("__weakref__", "context", "edges", "function", "hooks", "line", "number")
    _numbers = itertools.count()  # a node is always newer than the nodes it came from

    def __init__(
        self, function: type[Function], context: Context, edges: tuple[Edge, ...], line: str
    ) -> None:
        self.function, self.context = function, context
        self.line = line  # of the user's call, under `detect_anomaly`
        self.edges: tuple[Edge, ...] | None = edges
        self.hooks: Hooks = {}
        self.number = next(self._numbers)

    @property
    def operation(self) -> str:  # its name in messages, e.g. "conv2d"
        return self.function.operation

    def __lt__(self, other: Node) -> bool:
        return self.number > other.number  # a heap of nodes yields the newest first

    def gradients(self, grad: Array) -> Iterator[tuple[Node | Tensor, Array, bool]]:
        """(producer, its gradient, owned) for each edge. Owned: nobody else holds that array, so
        that more may be added to it in place. In a + b, say, both gradients are `grad` itself."""
        rules.check_not_freed(self.operation, self.edges)
        edges, held = self.edges or (), [grad, *self.context.arrays]
        _ = self.context.saved  # refuses what was edited since, also for arrays in attributes
        result = observed("backward", self.operation, self.function.backward, self.context, grad)
        grads = [as_array(g) for g in (result if isinstance(result, tuple) else (result,))]
        rules.check_count(self, edges, len(grads))
        for index, (edge, g) in enumerate(itertools.zip_longest(edges, grads)):  # None where none
            if edge.target is None:
                continue
            if self.function.broadcasts and is_array(g):
                g = unbroadcast(g, edge.shape)
            rules.check_gradient(self, index, edge, g)
            others = held + [o for i, o in enumerate(grads) if i != index and is_array(o)]
            yield edge.target, g, is_alone(g, others)  # writable, and no memory shared

    def free(self) -> None:
        """Drop the saved arrays and let go of the producers."""
        self.context.free()
        self.edges = None


class Function:
    """An operation with its derivative. Subclass it, write two static methods, call `apply`.

    `forward(ctx, *args)` gets raw arrays where `apply` was given tensors, everything else as it
    is, and returns one array. `backward(ctx, grad)` gets the gradient of the output and returns
    the gradient of each argument, in order (None where there is none; trailing None may be left
    out; a single gradient needs no tuple). No dtype may change on the way: float32 in, float32 out.

    Class attributes: `broadcasts` (as in `where`) lets the engine sum a gradient back to its
    argument's shape; `casts` says that the output may have another dtype.
    """

    operation: ClassVar[str] = "function"
    broadcasts: ClassVar[bool] = False
    casts: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "operation" not in cls.__dict__:
            cls.operation = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()

    def __init__(self, *_: Any) -> None:
        raise TypeError(f"{self.operation}: use {type(self).__name__}.apply(...), not the class")

    @staticmethod
    def forward(ctx: Context, *args: Any) -> Array:
        """Compute the output from raw arrays."""
        raise NotImplementedError("a Function needs a static method forward(ctx, ...)")

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        """Return the gradients of forward's arguments."""
        raise NotImplementedError("a Function needs a static method backward(ctx, grad)")

    @classmethod
    def apply(cls, *args: Any) -> Tensor:
        """Run forward on tensors and record the call if a gradient may be asked for."""
        tensors = [(i, a) for i, a in enumerate(args) if isinstance(a, Tensor)]
        rules.check_one_device(cls.operation, tensors)
        needs = tuple(mode.recording and isinstance(a, Tensor) and a.requires_grad for a in args)
        ctx = Context(cls.operation, needs)
        raw = [a.data if isinstance(a, Tensor) else a for a in args]
        with np.errstate(all="ignore"):  # NaN and Inf are results; detect_anomaly looks for them
            data = as_array(observed("forward", cls.operation, cls.forward, ctx, *raw))
        rules.check_output(cls, data, tensors)

        out = Tensor(data)
        for _, tensor in tensors:
            if may_share_memory(data, tensor.data):  # a view: an edit of one is an edit of both
                out.version = tensor.version
                out.version.shared = True
        if any(needs) and data.dtype.kind in "fc":  # whole numbers have no derivative
            ctx.guard([*tensors, (-1, out)])
            edges = tuple(
                Edge(a.node or a, a.shape, a.data.dtype) if need else _NO_EDGE
                for a, need in zip(args, needs, strict=True)
            )
            out.node = Node(cls, ctx, edges, rules.caller() if mode.anomaly else "")
            out.requires_grad = True
        return out


def unbroadcast(grad: Array, shape: tuple[int, ...]) -> Array:
    """Sum a gradient over the axes that broadcasting added or stretched: the adjoint of
    broadcasting, done here for every operation that says `broadcasts`. What `shape` cannot have
    been broadcast to is returned as it is (and the rules refuse it)."""
    added = grad.ndim - len(shape)  # from (3, 1) to (2, 3, 4): 1, and axis 2 is stretched
    if grad.shape == shape or added < 0:
        return grad
    stretched = tuple(added + i for i, n in enumerate(shape) if n != grad.shape[added + i])
    if any(shape[axis - added] != 1 for axis in stretched):
        return grad
    return sums.over(grad, (*range(added), *stretched), keepdims=True).reshape(shape)


# ----- the walk back -----


@np.errstate(all="ignore")  # as in `apply`
def backpropagate(
    root: Tensor, gradient: Any = None, retain_graph: bool = False,
    inputs: Sequence[Tensor] | None = None,
) -> dict[int, Array]:  # fmt: skip
    """Walk the graph from `root`, add to every leaf's `grad`, and return the gradients by tensor
    (by its id, for == of tensors compares their numbers).

    Nodes are taken newest first, which is a topological order: whoever used a result is newer than
    it. The walk is a loop over a heap, so a chain of any length works.
    With `inputs` (leaves or not), theirs alone are returned and no `grad` is touched.
    """
    rules.check_has_graph(root)
    wanted = None if inputs is None else {id(t.node or t): id(t) for t in inputs}
    found: dict[int, Array] = {}
    sums = GradientSums()
    sums.add(root.node or root, _seed(root, gradient), False)
    while sums.nodes:
        node, grad = sums.pop_newest()
        if node.hooks:
            grad = _run_hooks(node.hooks, grad)
        if wanted is not None and id(node) in wanted:
            found[wanted[id(node)]] = grad
        for target, g, owned in node.gradients(grad):
            sums.add(target, g, owned)
        if not retain_graph:
            node.free()
    for leaf, grad in sums.leaves():
        if wanted is None or id(leaf) in wanted:
            if leaf.hooks:  # a hook may keep what it sees, or return what it keeps
                grad = _run_hooks(leaf.hooks, grad).copy()
            found[id(leaf)] = grad
            if wanted is None:
                _accumulate(leaf, grad)
    return found


class GradientSums:
    """The gradients that have arrived so far: one sum for each node and leaf.

    `owned`: nobody else holds the array, so that the next gradient may be added to it in place.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []  # a heap, the newest on top
        self._sums: dict[int, tuple[Node | Tensor, Array, bool]] = {}  # by id(target)

    def add(self, target: Node | Tensor, grad: Array, owned: bool) -> None:
        """One more gradient of `target` has arrived."""
        if id(target) in self._sums:
            _, total, total_owned = self._sums[id(target)]
            grad = _add(total, grad, in_place=total_owned)
            owned = True
        elif isinstance(target, Node):
            heapq.heappush(self.nodes, target)
        self._sums[id(target)] = target, grad, owned

    def pop_newest(self) -> tuple[Node, Array]:
        """Take out the newest node, whose sum is complete: all its users have had their turn."""
        node = heapq.heappop(self.nodes)
        return node, self._sums.pop(id(node))[1]

    def leaves(self) -> Iterator[tuple[Tensor, Array]]:
        """The leaves, which are left in the end, each with an array of its own."""
        for leaf, grad, owned in self._sums.values():
            assert isinstance(leaf, Tensor)
            yield leaf, grad if owned else grad.copy()


def _add(total: Array, grad: Array, in_place: bool) -> Array:
    return as_array(array_module(grad).add(total, grad, out=total if in_place else None))


def _seed(root: Tensor, gradient: Any) -> Array:
    """The gradient that the walk begins with: 1 for a scalar unless another is given."""
    xp = array_module(root.data)
    if gradient is None:
        rules.check_scalar(root)
        return xp.ones_like(root.data)
    array = gradient if is_array(gradient) else getattr(gradient, "data", gradient)
    if not is_array(array):
        array = xp.asarray(array, dtype=root.data.dtype)
    rules.check_seed(root, array)
    return array


def _run_hooks(hooks: Hooks, grad: Array) -> Array:
    for hook in list(hooks.values()):
        changed = hook(Tensor(grad))
        if changed is not None:
            rules.check_hooked(changed, grad, Tensor)
            grad = changed.data
    return grad


def _accumulate(leaf: Tensor, grad: Array) -> None:
    rules.check_leaf(leaf, grad)
    if leaf.grad is None:
        leaf.grad = Tensor(grad)
    else:
        _add(leaf.grad.data, grad, in_place=True)
        leaf.grad.bump_version()
