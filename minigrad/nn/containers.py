"""Modules that hold modules or parameters: in a row, in a list, in a dict."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, TypeVar

from ..core import Tensor
from .module import Module, Parameter, observers, tell

Row = TypeVar("Row", bound="_Row")


class _Row(Module):
    """A list of modules, each registered by its position or under a name of its own."""

    _modules: dict[str, Module]

    def append(self: Row, module: Module) -> Row:
        """Add a module at the end, named by its position."""
        return self.extend([module])

    def extend(self: Row, modules: Iterable[Module]) -> Row:
        """Add modules at the end. Raises TypeError for anything else, and then adds none."""
        every = [*self, *modules]
        names = [*self._modules, *map(str, range(len(self), len(every)))]
        self._hold(every, names if len(set(names)) == len(names) else None)
        return self

    def insert(self: Row, index: int, module: Module) -> Row:
        """Put a module before the one at `index`; then all are named by position, as in PyTorch."""
        if not -len(self) <= index <= len(self):
            raise IndexError(f"{type(self).__name__}: {index} is out of range, have {len(self)}")
        modules = list(self)
        modules.insert(index, module)
        self._hold(modules)
        return self

    def pop(self, key: int | slice = -1) -> Any:
        """Take out a module (or a slice of them) and return it; the others as in `del`."""
        taken = self[key]
        del self[key]
        return taken

    def _hold(self, modules: Iterable[Module], names: Iterable[str] | None = None) -> None:
        """Hold these and no others, under these names or their positions."""
        modules = list(modules)
        names = map(str, range(len(modules))) if names is None else names
        named = dict(zip(names, modules, strict=True))
        for name, module in named.items():
            if not isinstance(module, Module):
                raise TypeError(
                    f"{type(self).__name__}: {name} is {type(module).__name__}, expected a Module"
                )
        self._modules.clear()
        for name, module in named.items():
            setattr(self, name, module)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: int | slice) -> Any:
        return list(self._modules.values())[index]

    def __setitem__(self, index: int, module: Module) -> None:
        """Put a module in the place of another; its name stays."""
        if not isinstance(module, Module):
            raise TypeError(
                f"{type(self).__name__}: {index} is {type(module).__name__}, expected a Module"
            )
        setattr(self, list(self._modules)[index], module)

    def __delitem__(self, index: int | slice) -> None:
        """Take out modules; then all are named by position, as in PyTorch."""
        modules = list(self)
        del modules[index]
        self._hold(modules)

    def __add__(self: Row, other: Iterable[Module]) -> Row:
        both = type(self)()
        both._hold([*self, *other])
        return both


class Sequential(_Row):
    """Modules one after another; named by position, or by the keys of a mapping.

    A ReLU right behind a Conv2d is computed with it, while the output is in the cache: same
    numbers, less memory. A forward hook of either, or a pre-hook of the ReLU, is handed what is
    between the two; then each runs by itself.
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            self._hold(modules[0].values(), modules[0].keys())
        else:
            self._hold(modules)  # type: ignore[arg-type]  # which it checks

    def forward(self, input: Any) -> Any:
        """Feed each module's output to the next."""
        modules = list(self._modules.values())
        while modules:
            module = modules.pop(0)
            forward = _fused(module, modules[0]) if modules else None
            if forward is None:
                input = module(input)
                continue
            input = module._call(forward, (input,), {})
            following = modules.pop(0)
            if observers:  # its input has become its output, in the same memory
                tell("enter", following, (input,), None)
                tell("leave", following, (input,), input)
        return input
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Sequential(dict(list(self._modules.items())[index]))
        return super().__getitem__(index)


class ModuleList(_Row):
    """A list of modules, registered by position; it has no forward of its own."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def __getitem__(self, index: int | slice) -> Any:
        found = super().__getitem__(index)
        return ModuleList(found) if isinstance(index, slice) else found


class _Dict(Module):
    """What a dict of modules and one of parameters have in common: all but what they hold."""

    def __init__(self, values: Any = ()) -> None:
        super().__init__()
        self.update(values)

    def _held(self) -> dict[str, Any]:
        raise NotImplementedError

    def _put(self, key: str, value: Any) -> None:
        raise NotImplementedError

    def update(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Put in what a mapping, or pairs of a key and a value, hold."""
        pairs = values.items() if isinstance(values, Mapping | _Dict) else values
        for key, value in pairs:
            self[key] = value

    def pop(self, key: str) -> Any:
        """Take out a value and return it."""
        value = self[key]
        del self[key]
        return value

    def clear(self) -> None:
        """Take out all values."""
        self._held().clear()

    def keys(self) -> KeysView[str]:
        return self._held().keys()

    def values(self) -> ValuesView[Any]:
        return self._held().values()

    def items(self) -> ItemsView[str, Any]:
        return self._held().items()

    def __getitem__(self, key: str) -> Any:
        return self._held()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._put(key, value)

    def __delitem__(self, key: str) -> None:
        del self._held()[key]

    def __len__(self) -> int:
        return len(self._held())

    def __iter__(self) -> Iterator[str]:
        return iter(self._held())

    def __contains__(self, key: object) -> bool:
        return key in self._held()


class ModuleDict(_Dict):
    """A dict of modules, registered by their keys; it has no forward of its own."""

    _modules: dict[str, Module]

    def _held(self) -> dict[str, Any]:
        return self._modules

    def _put(self, key: str, value: Any) -> None:
        if value is None:
            raise TypeError(f"ModuleDict: {key} is None, expected a Module")
        self.add_module(key, value)


class ParameterDict(_Dict):
    """A dict of parameters, registered by their keys. Tensors become parameters."""

    _parameters: dict[str, Parameter]

    def _held(self) -> dict[str, Any]:
        return self._parameters

    def _put(self, key: str, value: Any) -> None:
        self.register_parameter(key, _as_parameter(self, key, value))

    def extra_repr(self) -> str:
        return ", ".join(f"{key}: {value.shape}" for key, value in self.items())


class ParameterList(Module):
    """A list of parameters, registered by position. Tensors become parameters."""

    def __init__(self, values: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.extend(values)

    def append(self, value: Tensor) -> ParameterList:
        """Add a parameter at the end."""
        return self.extend([value])

    def extend(self, values: Iterable[Tensor]) -> ParameterList:
        """Add parameters at the end. Raises TypeError for what is no tensor."""
        for value in values:
            name = str(len(self))
            setattr(self, name, _as_parameter(self, name, value))
        return self

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters.values())

    def __getitem__(self, index: int | slice) -> Any:
        found = list(self._parameters.values())[index]
        return ParameterList(found) if isinstance(found, list) else found

    def __setitem__(self, index: int, value: Tensor) -> None:
        name = list(self._parameters)[index]
        setattr(self, name, _as_parameter(self, name, value))

    def extra_repr(self) -> str:
        return ", ".join(str(parameter.shape) for parameter in self)


def _as_parameter(owner: Module, name: str, value: Any) -> Parameter:
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{type(owner).__name__}: {name} is {type(value).__name__}, expected a tensor"
        )
    return value if isinstance(value, Parameter) else Parameter(value)


def _fused(module: Module, following: Module) -> Callable[..., Any] | None:
    """How to compute both in one, unless a hook is to see what is between them."""
    if module._forward_hooks or following._forward_pre_hooks or following._forward_hooks:
        return None
    return module.fused(following)
