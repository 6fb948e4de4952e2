"""What to say of a name that is not there: which are near it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any


def unknown(owner: str, name: str, names: Iterable[str]) -> AttributeError:
    """The error for `owner.name`, with the names that are near it."""
    if name.startswith("_"):  # asked by Python and NumPy, of everything
        return AttributeError(f"{owner} has no {name!r}")
    public = {each.lower(): each for each in names if not each.startswith("_")}
    asked = name.lower().strip("_")
    near = [each for each in public if asked in each or (len(each) > 3 and each in asked)]
    near += difflib.get_close_matches(asked, public, 5, 0.6)
    found = ", ".join(public[each] for each in list(dict.fromkeys(near))[:5])
    said = f"near it: {found}; " if found else ""
    return AttributeError(f"{owner} has no {name!r}; {said}docs/pytorch.md lists what there is")


def teller(module: str, names: Iterable[str]) -> Callable[[str], Any]:
    """A module's `__getattr__`, which Python asks for names that are not there."""

    def tell(name: str) -> Any:
        raise unknown(module, name, names)

    return tell
