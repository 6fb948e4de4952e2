"""What a field of a recipe declares, and the checks of its value."""

from __future__ import annotations

import math
from dataclasses import field
from typing import Any, get_args, get_origin

from ..names import did_you_mean


class RecipeError(ValueError):
    """A recipe that cannot be used; the message is one line for the user."""


def option(
    default: Any,
    about: str,
    choices: tuple[str, ...] = (),
    low: float = -math.inf,
    high: float = math.inf,
) -> Any:
    """A field: what it is and what its choice does, and the values it may take (bounds included).

    about: for the flag of `alexnet train` and for `alexnet diff`, so true of any two recipes.
    """
    metadata = {"about": about, "choices": choices, "low": low, "high": high}
    return field(default=default, metadata=metadata)


def check_type(name: str, value: Any, hint: Any) -> None:
    """RecipeError unless the field's value is of its type; an int serves as a float."""
    if get_origin(hint) is tuple:
        items = get_args(hint)
        fits = isinstance(value, tuple)
        if fits and items[-1] is not Ellipsis:
            fits = len(value) == len(items)
        if not fits:
            of = f"{items[0].__name__} values"
            expected = of if items[-1] is Ellipsis else f"{len(items)} {of}"
            raise RecipeError(f"{name} is {as_given(value)}, expected {expected}")
        for item in value:
            check_type(name, item, items[0])
        return
    accepted = (int, float) if hint is float else hint  # 1 is a fine learning rate, True is not
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise RecipeError(f"{name} is {as_given(value)}, expected {hint.__name__}")


def check_value(name: str, value: Any, limits: Any) -> None:
    """RecipeError unless the value is one of those that `option` allows."""
    for item in value if isinstance(value, tuple) else (value,):
        if limits["choices"] and item not in limits["choices"]:
            known = limits["choices"]
            close = did_you_mean(str(item), known)
            raise RecipeError(f"{name} is {item!r}: use one of {', '.join(known)}{close}")
        if isinstance(item, str | bool):
            continue
        low, high = limits["low"], limits["high"]
        if not math.isfinite(item) or not low <= item <= high:
            bounds = f"{low:g} or more" if high == math.inf else f"{low:g} to {high:g}"
            number = "a finite number" if low == -math.inf else bounds
            raise RecipeError(f"{name} is {item}, expected {number}")


def as_given(value: Any) -> str:
    """A value as a message gives it."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else repr(value)
