"""What every optimizer shares: parameter groups and the state dict."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from numbers import Real
from typing import Any

import numpy as np

from ..arrays import array_module, device_of, is_array, to_device
from ..core import Tensor
from ..modes import enable_grad
from ..names import Keywords

Update = tuple[Any, Any, dict[str, Any], dict[str, Any]]  # w, its gradient, its state, its group

class Optimizer(Keywords):
    """Base of the optimizers: parameter groups and their state, as in PyTorch.

    `params` is an iterable of tensors, or of dicts with a "params" entry and the options of that
    group; an option that a group does not name comes from `defaults`. Parameters keep the order
    in which they were given, and `state` is keyed by the position in that order.

    A subclass writes `_update(w, g, state, group)`, which changes the raw array `w` in place, or
    `_update_all`, which gets these four for every parameter at once; and `_check(group)`, which
    raises on options out of range.

    Raises TypeError for things that are no parameters, ValueError for an empty list, a parameter
    given twice, or an option out of range.
    Source: PyTorch's torch.optim.Optimizer, whose names and meanings these are.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[int, dict[str, Any]] = {}
        entries = _as_list(params)
        if not entries:
            raise ValueError(
                "optimizer got an empty parameter list; expected at least one tensor, "
                "for example model.parameters() (an iterator is used up after one pass)"
            )
        groups = entries if isinstance(entries[0], dict) else [{"params": entries}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group: a dict with "params" (a tensor or an iterable of tensors) and options.

        Raises TypeError or ValueError as the constructor does.
        """
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise TypeError(
                f"a parameter group is a dict with a 'params' entry, got {param_group!r:.200}; "
                "give either tensors only or such dicts only"
            )
        known = {"params", "initial_lr", "name", *self.defaults}
        unknown = sorted(set(param_group) - known)
        if unknown:
            raise ValueError(
                f"{type(self).__name__} does not know the group option(s) {', '.join(unknown)}; "
                f"it knows {', '.join(self.defaults)}"
            )
        params = param_group["params"]
        params = [params] if isinstance(params, Tensor) else _as_list(params)
        group = {**self.defaults, **param_group, "params": params}
        self._check(group)
        self._check_params(params)
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop every parameter's gradient, or fill it with zeros where `set_to_none` is False."""
        for param, _ in self._parameters():
            if set_to_none:
                param.grad = None
            elif param.grad is not None:
                param.grad.data[...] = 0
                param.grad.bump_version()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient, in place; the others are left alone.

        A `closure` computes the gradients first: it calls zero_grad() and backward(), and what it
        returns, the loss, is returned.

        Raises ValueError where a gradient's shape, dtype or device is not its parameter's; then
        nothing is updated.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        updates, changed = [], []
        for index, (param, group) in enumerate(self._parameters()):
            if param.grad is None:
                continue
            w, g = param.data, param.grad.data
            _check_gradient(w, g, index)
            updates.append((w, g, self.state.setdefault(index, {}), group))
            changed.append(param)
        self._update_all(updates)
        for param in changed:
            param.bump_version()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The state and the options: {"state": {index: {name: array}}, "param_groups"}.

        "params" of each group holds indices in definition order. Arrays are those in use, not
        copies, on the device of their parameter; a count of steps is one of shape (), on the CPU.
        `save_file` takes all of it as it is.
        """
        state = {
            index: {name: _stored(value) for name, value in entry.items()}
            for index, entry in self.state.items()
            if entry
        }
        groups, start = [], 0
        for group in self.param_groups:
            stop = start + len(group["params"])
            groups.append({**group, "params": list(range(start, stop))})
            start = stop
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over state and options from `state_dict()`, copied onto each parameter's device.

        Arrays may be NumPy arrays, CuPy arrays or tensors, a count of steps a number, too. Nothing
        is changed when it raises.

        Raises ValueError that names what does not fit: the number of groups, their sizes, their
        options, the state's names or shapes.
        """
        groups, saved = self.param_groups, state_dict["param_groups"]
        sizes = [len(group["params"]) for group in groups]
        saved_sizes = [len(group["params"]) for group in saved]
        if sizes != saved_sizes:
            raise ValueError(
                f"this optimizer has parameter groups of {sizes} tensors, the saved state of "
                f"{saved_sizes}; build the optimizer with the groups it was saved with"
            )
        loaded_groups = [self._loaded_group(*pair) for pair in zip(groups, saved, strict=True)]
        # an index of the saved state means the position of that index in its own groups
        positions = [index for group in saved for index in group["params"]]
        entries = {int(index): entry for index, entry in state_dict["state"].items()}
        stray = sorted(set(entries) - set(positions))
        if stray:
            raise ValueError(f"the saved state has entries {stray} that no saved group lists")
        params = [param for param, _ in self._parameters()]
        self.state = {
            position: _loaded_entry(entries[index], params[position], position)
            for position, index in enumerate(positions)
            if index in entries
        }
        self.param_groups = loaded_groups

    def __repr__(self) -> str:
        lines = [type(self).__name__ + " ("]
        for index, group in enumerate(self.param_groups):
            options = ", ".join(f"{key}={group[key]}" for key in sorted(set(group) - {"params"}))
            lines.append(f"  group {index}: {len(group['params'])} tensors, {options}")
        return "\n".join([*lines, ")"])

    def _update_all(self, updates: list[Update]) -> None:
        for update in updates:
            self._update(*update)

    def _update(self, w: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define _update(w, g, state, group)")

    def _check(self, group: dict[str, Any]) -> None:
        check_range("learning rate", group["lr"])
        check_range("weight_decay value", group["weight_decay"])

    def _parameters(self) -> Iterator[tuple[Tensor, dict[str, Any]]]:
        for group in self.param_groups:
            for param in group["params"]:
                yield param, group

    def _check_params(self, params: list[Any]) -> None:
        if not params:
            raise ValueError(
                "optimizer got an empty parameter group; expected at least one tensor: "
                "leave the group out"
            )
        seen = {id(param) for param, _ in self._parameters()}
        for position, param in enumerate(params):
            if not isinstance(param, Tensor):
                raise TypeError(
                    f"optimizer can only optimize tensors, got {type(param).__name__} at "
                    f"position {position} of the group; give model.parameters()"
                )
            if param.node is not None:
                raise ValueError(
                    f"can't optimize a non-leaf Tensor: the one at position {position} of the "
                    f"group was computed (by {param.node.operation}), so that no gradient reaches "
                    "it; make it a parameter: tensor.detach().requires_grad_()"
                )
            if param.data.dtype.kind != "f":
                raise TypeError(
                    f"optimizer can only optimize floating point tensors, got {param.data.dtype} "
                    f"at position {position} of the group"
                )
            if id(param) in seen:
                raise ValueError(
                    f"the parameter at position {position} of the group (shape "
                    f"{param.data.shape}) was given before; give each parameter once"
                )
            seen.add(id(param))

    def _loaded_group(self, group: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
        options = {key: value for key, value in saved.items() if key != "params"}
        missing = sorted(set(self.defaults) - set(options))
        unknown = sorted(set(options) - set(self.defaults) - {"initial_lr", "name"})
        if missing or unknown:
            raise ValueError(
                f"the saved state is not that of {type(self).__name__}: its options lack "
                f"{missing} and have {unknown} in addition; load it into the optimizer class "
                "that saved it"
            )
        self._check(options)
        return {**options, "params": group["params"]}


def check_range(name: str, value: Any, below: float = math.inf) -> None:
    """Raise ValueError unless `value` is a real number with 0 <= value < `below`."""
    number: Any = value  # not made a float, for which an integer may be too large
    if not isinstance(value, Real) or not 0 <= number < min(below, sys.float_info.max):
        limit = "finite" if below == math.inf else f"below {below:g}"
        raise ValueError(f"Invalid {name}: {value!r}; expected a number that is >= 0 and {limit}")


def _as_list(params: Any) -> list[Any]:
    """The parameters as a list; refuses what has no order or is no collection of tensors."""
    if isinstance(params, Tensor | dict | str) or not isinstance(params, Iterable):
        raise TypeError(
            f"params must be an iterable of tensors or of dicts, got {type(params).__name__}; "
            "give model.parameters(), or [tensor] for a single one"
        )
    if isinstance(params, set | frozenset):
        raise TypeError("params must have an order that stays the same, got a set; give a list")
    return list(params)


def _check_gradient(w: Any, g: Any, index: int) -> None:
    if type(g) is not type(w) or g.shape != w.shape or g.dtype != w.dtype:
        raise ValueError(
            f"parameter {index} is {_describe(w)} but its gradient is {_describe(g)}; a gradient "
            "has the shape, dtype and device of its parameter: call zero_grad() after moving or "
            "converting a model"
        )


def _describe(array: Any) -> str:
    if not is_array(array):
        return f"of type {type(array).__name__}"
    return f"{type(array).__module__} {array.dtype} {tuple(array.shape)}"


def _loaded_entry(entry: dict[str, Any], param: Tensor, index: int) -> dict[str, Any]:
    return {name: _loaded_value(value, param, name, index) for name, value in entry.items()}


def _stored(value: Any) -> Any:
    """An entry of the state as an array: Adam counts its steps in an int."""
    return np.array(value, np.int64) if isinstance(value, int) else value


def _loaded_value(value: Any, param: Tensor, name: str, index: int) -> Any:
    """A copy of `value` in the memory order, dtype and device of `param`; "step" is an int."""
    array = value.data if isinstance(value, Tensor) else value
    if name == "step" and np.ndim(array) == 0:
        return int(array)
    if array.shape != param.data.shape:
        raise ValueError(
            f"saved {name!r} of parameter {index} has shape {tuple(array.shape)}, the parameter "
            f"{tuple(param.data.shape)}; load it into the model it was saved with"
        )
    copy = array_module(param.data).empty_like(param.data)
    copy[...] = to_device(array, device_of(param.data))
    return copy
