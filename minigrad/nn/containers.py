"""Modules that hold modules: in a row, and in a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .module import Module, observers, tell


class Sequential(Module):
    """Modules one after another; named by position, or by the keys of a mapping.

    A ReLU right behind a Conv2d is computed with it, while the output is in the cache: same
    numbers, less memory. A forward hook of either, or a pre-hook of the ReLU, is handed what is
    between the two; then each runs by itself.
    """

    _modules: dict[str, Module]

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        named = (
            modules[0].items()
            if len(modules) == 1 and isinstance(modules[0], Mapping)
            else ((str(i), m) for i, m in enumerate(modules))
        )
        for name, module in named:
            if not isinstance(module, Module):
                raise TypeError(f"Sequential: {name} is {type(module).__name__}, expected a Module")
            setattr(self, name, module)

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

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return Sequential(dict(list(self._modules.items())[index]))
        return list(self._modules.values())[index]


class ModuleList(Module):
    """A list of modules, registered by position; it has no forward of its own."""

    _modules: dict[str, Module]

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def append(self, module: Module) -> ModuleList:
        """Add a module at the end."""
        return self.extend([module])

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Add modules at the end. Raises TypeError for anything else."""
        for module in modules:
            self._register(len(self), module)
        return self

    def insert(self, index: int, module: Module) -> None:
        """Put a module before the one at `index`; those behind it move up."""
        modules = list(self)
        modules.insert(index, module)
        for i, each in enumerate(modules):
            self._register(i, each)

    def _register(self, index: int, module: Module) -> None:
        if not isinstance(module, Module):
            raise TypeError(f"ModuleList: got {type(module).__name__}, expected a Module")
        setattr(self, str(index), module)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: int | slice) -> Module:
        modules = list(self._modules.values())[index]
        return ModuleList(modules) if isinstance(modules, list) else modules

    def __setitem__(self, index: int, module: Module) -> None:
        self._register(range(len(self))[index], module)


def _fused(module: Module, following: Module) -> Callable[..., Any] | None:
    """How to compute both in one, unless a hook is to see what is between them."""
    if module._forward_hooks or following._forward_pre_hooks or following._forward_hooks:
        return None
    return module.fused(following)
