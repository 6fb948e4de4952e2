"""What `Module` does apart from being a tree: state in and out, moves, and what may be registered.

`module.py` calls these, each from the method that documents it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import arrays
from ..core import Tensor

if TYPE_CHECKING:
    from .module import Module

Kinds = tuple[type, ...]


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` could not use."""

    missing_keys: list[str]
    unexpected_keys: list[str]


# ----- state and place -----


def saved(module: Module) -> dict[str, Tensor]:
    """Parameters and persistent buffers by path, those of a module together; shared ones under each
    of their paths."""
    module.named_parameters()  # refuses what no path leads to
    found = {}
    for path, each in module.named_modules(remove_duplicate=False):
        own: dict[str, Tensor | None] = {**each._parameters, **each._buffers}
        for name, tensor in own.items():
            if tensor is not None and name not in each._unsaved_buffers:
                found[f"{path}.{name}" if path else name] = tensor
    return found


def load(module: Module, state: Mapping[str, Any], strict: bool) -> IncompatibleKeys:
    """Copy values in, after everything has been checked."""
    own = saved(module)
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    values, unfit = _values_for(own, state)
    problems = [f"missing keys: {', '.join(missing)}"] if strict and missing else []
    problems += [f"unexpected keys: {', '.join(unexpected)}"] if strict and unexpected else []
    if problems or unfit:
        message = f"{type(module).__name__}.load_state_dict: " + "; ".join(problems + unfit)
        raise RuntimeError(message)
    for name, value in values.items():
        own[name].data[...] = arrays.to_device(value, own[name].device)
        own[name].bump_version()
    return IncompatibleKeys(missing, unexpected)


def _values_for(
    own: Mapping[str, Tensor], state: Mapping[str, Any]
) -> tuple[dict[str, arrays.Array], list[str]]:
    """The arrays that `state` has for the tensors of `own`, by name, and a line for each that does
    not fit. Nothing is changed."""
    values, unfit = {}, []
    for name, tensor in own.items():
        if name not in state:
            continue
        try:
            given = state[name]
            value = arrays.from_outside(given.data if isinstance(given, Tensor) else given)
        except (TypeError, ValueError) as error:
            unfit.append(f"{name}: {error}")
            continue
        if value.shape != tensor.shape:
            unfit.append(f"{name} has shape {value.shape}, expected {tensor.shape}")
        elif value.dtype.kind == "c" and tensor.dtype.kind != "c":
            unfit.append(f"{name} is {value.dtype}, expected real numbers for {tensor.dtype}")
        else:
            values[name] = value
    return values, unfit


def convert(module: Module, dtype: Any, device: str | None) -> None:
    """Move and convert parameters, their gradients and buffers in place; None leaves as it is."""
    parameters = list(module.parameters())
    gradients = [p.grad for p in parameters if p.grad is not None]
    for tensor in (*parameters, *gradients, *module.buffers()):
        data = arrays.to_device(tensor.data, device or tensor.device)
        if dtype is not None and data.dtype.kind == "f":
            data = data.astype(dtype, copy=False)
        if data is not tensor.data:  # else it would count as an edit
            tensor.data = data


# ----- what may be registered -----


def check_assigned(module: Module, name: str, value: Any, kinds: Kinds) -> None:
    """Refuse an assignment that would take something out of the state, or leave it out, in silence:
    a parameter or buffer overwritten, modules or parameters (`kinds`) in a list or dict."""
    place, given = f"{type(module).__name__}.{name}", type(value).__name__
    if isinstance(value, list | tuple | dict | set):
        _check_container(module, place, value, kinds)
    if value is None or isinstance(value, kinds):
        return
    if name in module._parameters:
        raise TypeError(
            f"{place} is a parameter, got {given}: assign an nn.Parameter or None, or edit it in "
            "place under no_grad()"
        )
    if name in module._buffers and not isinstance(value, Tensor):
        raise TypeError(f"{place} is a buffer, got {given}: assign a tensor or None")


def check_registered(module: Module, kinds: Kinds) -> None:
    """Refuse modules and parameters that were put into a list or dict later, by append() say."""
    for each in module.modules():
        for name, value in each.__dict__.items():
            if isinstance(value, list | tuple | dict | set) and name not in _OWN:
                _check_container(module, f"{type(each).__name__}.{name}", value, kinds)


def check_registrable(module: Module, name: str, value: Any, kind: type) -> None:
    """Refuse a name that is taken, or cannot be part of a path, and a value of another kind."""
    if "_parameters" not in module.__dict__:
        raise AttributeError(f"{type(module).__name__}: call super().__init__() first")
    if not isinstance(name, str):
        raise TypeError(f"{type(module).__name__}: a name is a string, got {name!r}")
    if name == "" or "." in name:
        raise KeyError(f"{type(module).__name__}: a name is not empty and has no dot, got {name!r}")
    tables = (module._parameters, module._buffers, module._modules)
    if hasattr(module, name) and not any(name in table for table in tables):
        raise KeyError(f"{type(module).__name__} has an attribute {name!r}: use another name")
    if value is not None and not isinstance(value, kind):
        raise TypeError(
            f"{type(module).__name__}.{name}: got {type(value).__name__}, expected "
            f"{kind.__name__} or None"
        )


_OWN = ("_parameters", "_buffers", "_modules", "_forward_pre_hooks", "_forward_hooks")


def _check_container(module: Module, place: str, value: Any, kinds: Kinds) -> None:
    """What a container holds must be registered by itself, too, or nobody trains or saves it."""
    held = list(_held(value, kinds))
    if not held:
        return
    registered = {id(each) for each in module.modules()}
    registered |= {id(p) for each in module.modules() for p in each._parameters.values()}
    lost = next((each for each in held if id(each) not in registered), None)
    if lost is not None:
        what = "Parameter" if isinstance(lost, Tensor) else "Module"
        use = f"nn.{what}{'Dict' if isinstance(value, dict) else 'List'}"
        raise TypeError(
            f"{place} is a {type(value).__name__} that holds a {what} ({type(lost).__name__}), "
            f"which would be neither trained nor saved nor moved: use {use}(...) in its place (to "
            "leave it out on purpose, keep it in a function: lambda: value)"
        )


def _held(value: Any, kinds: Kinds, depth: int = 3) -> Iterator[Any]:
    """The modules and parameters in a container, or in one inside it."""
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, kinds):
            yield item
        elif depth and isinstance(item, list | tuple | dict | set):
            yield from _held(item, kinds, depth - 1)
