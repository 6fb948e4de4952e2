"""What a field of a recipe declares."""

from __future__ import annotations

from typing import Any

from ..schema import limited


class RecipeError(ValueError):
    """A recipe that cannot be used; the message is one line for the user."""


def option(default: Any, about: str, choices: tuple[str, ...] = (), **limits: Any) -> Any:
    """A field: what it is and what its choice does, and the values it may take, see `limited`.

    about: for the flag of `alexnet train` and for `alexnet diff`, so true of any two recipes.
    """
    return limited(default, about=about, choices=choices, **limits)
