"""What to say of a name or keyword that is not there: which are near it."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from typing import Any


def unknown(owner: str, name: str, names: Iterable[str]) -> AttributeError:
    """The error for `owner.name`, with the names that are near it."""
    if name.startswith("_"):  # asked by Python and NumPy, of everything
        return AttributeError(f"{owner} has no {name!r}")
    said = _near(name, names)
    return AttributeError(f"{owner} has no {name!r}; {said}docs/pytorch.md lists what there is")


class Keywords:
    """Base of what is made with options: one that it does not know is answered with those it knows.
    (Functions leave it to Python, whose message names the keyword: to look costs them time.)"""

    def __new__(cls, *args: Any, **options: Any) -> Any:
        if options:
            _check_options(cls, options)
        new = super().__new__
        return new(cls) if new is object.__new__ else new(cls, *args, **options)


def _check_options(cls: type, options: Iterable[str]) -> None:
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]
    known = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    unknown = [name for name in options if name not in known]
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        takes = f"it takes {', '.join(known)}" if known else "it takes no options"
        raise TypeError(
            f"{cls.__name__} has no option {unknown[0]!r}; {_near(unknown[0], known)}{takes}"
        )


def _near(name: str, names: Iterable[str]) -> str:
    """The names that are near it, as the beginning of a clause."""
    public = {each.lower(): each for each in names if not each.startswith("_")}
    asked = name.lower().strip("_")
    near = [each for each in public if asked in each or (len(each) > 3 and each in asked)]
    near += difflib.get_close_matches(asked, public, 5, 0.6)
    found = ", ".join(public[each] for each in list(dict.fromkeys(near))[:5])
    return f"near it: {found}; " if found else ""


def teller(module: str, names: Iterable[str]) -> Callable[[str], Any]:
    """A module's `__getattr__`, which Python asks for names that are not there."""

    def tell(name: str) -> Any:
        raise unknown(module, name, names)

    return tell
