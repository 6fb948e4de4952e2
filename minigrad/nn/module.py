"""Modules: a tree of named parameters with a forward."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from .. import arrays
from ..core import RemovableHook, Tensor
from ..names import Keywords
from ..rules import MixedDeviceError
from . import state

Named = TypeVar("Named")
Paths = Iterator[tuple[str, Named]]  # modules or parameters with their dotted names

# Called as observer(event, module, args, output) when a forward begins ("enter", without an output)
# and when it is over ("leave"). Unlike a hook, an observer changes nothing, not even what is fused.
observers: list[Callable[[str, Module, tuple[Any, ...], Any], None]] = []


class Parameter(Tensor):
    """A leaf tensor that a module registers and an optimiser trains."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data.data if isinstance(data, Tensor) else data, requires_grad)
        if isinstance(data, Tensor):
            self.version = data.version  # the same memory


class Module(Keywords):
    """Base of all layers and networks. Assigning a `Parameter` or `Module` to an attribute
    registers it, in the order of assignment; a list of them is refused (`ModuleList` is one)."""

    training: bool

    def __init__(self) -> None:  # by way of __dict__: our __setattr__ looks into these tables
        self.__dict__.update(
            _parameters={}, _buffers={}, _modules={}, _unsaved_buffers=set(), training=True,
            _forward_pre_hooks={}, _forward_hooks={},
        )  # fmt: skip

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(self.forward, args, kwargs)

    def _call(self, forward: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """Hooks, `forward`, hooks. `forward` is the module's, or what `fused` gave a Sequential."""
        for hook in list(self._forward_pre_hooks.values()):
            changed = hook(self, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        if observers:
            tell("enter", self, args, None)
        try:
            output = forward(*args, **kwargs)
        except MixedDeviceError as error:
            # Every module on the way up names its parameters; the outermost has the whole path.
            paths = {id(p): name for name, p in self.named_parameters()}
            error.args = (error.describe(paths),)
            raise
        for hook in list(self._forward_hooks.values()):
            changed = hook(self, args, output)
            output = output if changed is None else changed
        if observers:
            tell("leave", self, args, output)
        return output

    def fused(self, following: Module) -> Callable[..., Any] | None:
        """A forward that computes `following(self(...))` in one, or None where there is none.

        `Sequential` takes it where no hook looks at what would be between the two.
        """
        return None

    def register_forward_pre_hook(self, hook: Callable[[Module, Any], Any]) -> RemovableHook:
        """Call `hook(module, args)` before every forward; what it returns, unless None, replaces
        the positional arguments. The result's `remove()` takes the hook away."""
        return RemovableHook(self._forward_pre_hooks, hook)

    def register_forward_hook(self, hook: Callable[[Module, Any, Any], Any]) -> RemovableHook:
        """Call `hook(module, args, output)` after every forward; what it returns, unless None,
        replaces the output. The result's `remove()` takes the hook away."""
        return RemovableHook(self._forward_hooks, hook)

    def __setattr__(self, name: str, value: Any) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(
                f"{type(self).__name__}: call super().__init__() before setting {name!r}"
            )
        home: dict[str, Any] = self.__dict__
        if isinstance(value, Parameter):
            home = self._parameters
        elif isinstance(value, Module):
            home = self._modules
        elif name in self._buffers and isinstance(value, Tensor | None):
            home = self._buffers
        state.check_assigned(self, name, value, (Module, Parameter))
        for table in (self._parameters, self._buffers, self._modules, self.__dict__):
            if table is not home:
                table.pop(name, None)
        home[name] = value  # assigned again, a name keeps its place in the order

    def __getattr__(self, name: str) -> Any:
        for table in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__.get(table, {}):
                return self.__dict__[table][name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for table in (self._parameters, self._buffers, self._modules, self.__dict__):
            if name in table:
                del table[name]
                return
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """A tensor that moves with the module and, if `persistent`, is saved; no parameter."""
        state.check_registrable(self, name, tensor, Tensor)
        self._buffers[name] = tensor
        (self._unsaved_buffers.discard if persistent else self._unsaved_buffers.add)(name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """An assignment that refuses anything else."""
        state.check_registrable(self, name, param, Parameter)
        setattr(self, name, param)

    def add_module(self, name: str, module: Module | None) -> None:
        """An assignment that refuses anything else; the name may be a number ("0")."""
        state.check_registrable(self, name, module, Module)
        setattr(self, name, module)

    # ----- the tree -----

    def named_children(self) -> Paths[Module]:
        """The modules directly below, with their names."""
        return _once(iter(self._modules.items()))

    def children(self) -> Iterator[Module]:
        """The modules directly below."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "", remove_duplicate: bool = True) -> Paths[Module]:
        """This module and all below it, with their paths; a shared one comes once (or under each of
        its paths)."""
        return _once(self._paths(prefix)) if remove_duplicate else self._paths(prefix)

    def _paths(self, prefix: str) -> Paths[Module]:
        yield prefix, self
        for name, module in self._modules.items():
            yield from module._paths(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator[Module]:
        """This module and all below it."""
        return (module for _, module in self.named_modules())

    def named_parameters(self, remove_duplicate: bool = True) -> Paths[Parameter]:
        """All parameters with their paths, in definition order; shared ones as in named_modules.
        Raises TypeError where a list hides a module or parameter."""
        state.check_registered(self, (Module, Parameter))
        return self._named("_parameters", remove_duplicate)

    def parameters(self) -> Iterator[Parameter]:
        """All parameters, in definition order."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self, remove_duplicate: bool = True) -> Paths[Tensor]:
        """All buffers with their paths, as the parameters."""
        return self._named("_buffers", remove_duplicate)

    def buffers(self) -> Iterator[Tensor]:
        """All buffers, in definition order."""
        return (buffer for _, buffer in self.named_buffers())

    def _named(self, table: str, remove_duplicate: bool) -> Paths[Any]:
        found = (
            (f"{path}.{name}" if path else name, value)
            for path, module in self._paths("")
            for name, value in module.__dict__[table].items()
            if value is not None
        )
        return _once(found) if remove_duplicate else found

    def apply(self, fn: Callable[[Module], Any]) -> Module:
        """Call `fn` on every module, children first."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # ----- modes and places -----

    def train(self, mode: bool = True) -> Module:
        """Switch dropout and the like to training (or evaluation)."""
        for module in self.modules():
            module.__dict__["training"] = mode
        return self

    def eval(self) -> Module:
        """Switch to evaluation."""
        return self.train(False)

    def to(self, *targets: Any, dtype: Any = None, device: str | None = None) -> Module:
        """Move all parameters, gradients and buffers, and convert those of floats, in place."""
        state.convert(self, *arrays.parse_targets(targets, dtype, device))
        return self

    def cpu(self) -> Module:
        return self.to("cpu")

    def cuda(self) -> Module:
        return self.to("cuda")

    def float(self) -> Module:
        return self.to(np.float32)

    def double(self) -> Module:
        return self.to(np.float64)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or fill them with zeros."""
        for _, parameter in self._named("_parameters", True):
            if set_to_none or parameter.grad is None:
                parameter.grad = None
            else:
                parameter.grad.data[...] = 0
                parameter.grad.bump_version()

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Switch the training of all parameters on or off."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    # ----- state -----

    def state_dict(self) -> dict[str, Tensor]:
        """Parameters and buffers by path; they share memory with the module."""
        return {name: tensor.detach() for name, tensor in state.saved(self).items()}

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> state.IncompatibleKeys:
        """Copy values in (tensors, arrays, PyTorch's CPU tensors). Returns the keys left over.

        Raises RuntimeError naming every missing and unexpected key (if `strict`) and every value of
        another shape or that cannot be read; then nothing has been changed.
        """
        return state.load(self, state_dict, strict)

    def extra_repr(self) -> str:
        """What stands between the parentheses of `repr`."""
        return ""

    def __repr__(self) -> str:
        lines = [
            f"  ({name}): " + repr(module).replace("\n", "\n  ")
            for name, module in self._modules.items()
        ]
        inner = "\n" + "\n".join(lines) + "\n" if lines else self.extra_repr()
        return f"{type(self).__name__}({inner})"


def _once(named: Paths[Named]) -> Paths[Named]:
    first: dict[int, tuple[str, Named]] = {}
    for name, value in named:
        first.setdefault(id(value), (name, value))
    return iter(first.values())


def tell(event: str, module: Module, args: tuple[Any, ...], output: Any) -> None:
    for observer in list(observers):
        observer(event, module, args, output)
