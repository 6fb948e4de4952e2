"""Modules: a tree of named parameters with a forward."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from .. import arrays
from ..core import RemovableHook, Tensor
from ..rules import MixedDeviceError
from .utils import values_for

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


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` could not use."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base of all layers and networks. Assigning a `Parameter` or `Module` to an attribute
    registers it, in the order of assignment, which is the order of `state_dict`."""

    training: bool

    def __init__(self) -> None:  # by way of __dict__: our __setattr__ looks into these tables
        self.__dict__.update(
            _parameters={}, _modules={}, _forward_pre_hooks={}, _forward_hooks={}, training=True
        )

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
        if name in self._parameters and not isinstance(value, Parameter | None):
            raise TypeError(
                f"{type(self).__name__}.{name} is a parameter, got {type(value).__name__}: "
                "assign an nn.Parameter or None, or edit it in place under no_grad()"
            )
        home: dict[str, Any] = self.__dict__
        if isinstance(value, Parameter):
            home = self._parameters
        elif isinstance(value, Module):
            home = self._modules
        for table in (self._parameters, self._modules, self.__dict__):
            if table is not home:
                table.pop(name, None)
        home[name] = value  # assigned again, a name keeps its place in the order

    def __getattr__(self, name: str) -> Any:
        for table in ("_parameters", "_modules"):
            if name in self.__dict__.get(table, {}):
                return self.__dict__[table][name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for table in (self._parameters, self._modules, self.__dict__):
            if name in table:
                del table[name]
                return
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

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
        """All parameters with their paths, in definition order; shared ones as in named_modules."""
        found = (
            (f"{path}.{name}" if path else name, parameter)
            for path, module in self._paths("")
            for name, parameter in module._parameters.items()
        )
        return _once(found) if remove_duplicate else found

    def parameters(self) -> Iterator[Parameter]:
        """All parameters, in definition order."""
        return (parameter for _, parameter in self.named_parameters())

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
        """Move and convert all parameters in place (their gradients, too); returns the module."""
        dtype, device = arrays.parse_targets(targets, dtype, device)
        for parameter in self.parameters():
            for tensor in (parameter, parameter.grad):
                if tensor is not None:
                    data = arrays.to_device(tensor.data, device or tensor.device)
                    data = data if dtype is None else data.astype(dtype, copy=False)
                    if data is not tensor.data:  # else it would count as an edit
                        tensor.data = data
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
        for parameter in self.parameters():
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
        """The parameters by path, in definition order; they share memory with the module."""
        return {name: parameter.detach() for name, parameter in self.named_parameters(False)}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy values in (tensors, arrays, CPU tensors of PyTorch); dtype and device of the
        parameters stay. Returns the keys left over.

        Raises RuntimeError naming every missing and unexpected key (if `strict`) and every value of
        another shape or that cannot be read; then nothing has been changed.
        """
        own = dict(self.named_parameters(False))
        missing = [name for name in own if name not in state]
        unexpected = [name for name in state if name not in own]
        values, unfit = values_for(own, state)
        problems = [f"missing keys: {', '.join(missing)}"] if strict and missing else []
        problems += [f"unexpected keys: {', '.join(unexpected)}"] if strict and unexpected else []
        if problems or unfit:
            message = f"{type(self).__name__}.load_state_dict: " + "; ".join(problems + unfit)
            raise RuntimeError(message)
        for name, value in values.items():
            own[name].data[...] = arrays.to_device(value, own[name].device)
            own[name].bump_version()
        return IncompatibleKeys(missing, unexpected)

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
