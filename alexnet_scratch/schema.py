"""What comes from a file is checked before it is used: a dataclass is the schema of a JSON object.

A field's type says what it holds: numbers, texts, lists, tuples and dicts of them, `X | None`,
another dataclass. `limited` says which values it takes. Recipes, checkpoints, prepared sets and
run.json are all read this way; each reader turns a SchemaError into its own error.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import reprlib
import stat
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from minigrad.serialization import parse_json

from .names import did_you_mean

T = TypeVar("T")

MOST_PIXELS = 2048  # side of an image
MOST_EPOCHS = 1_000_000
MOST_WHOLE = 2**53  # whole numbers up to here are the same in every reader of JSON
MOST_FLOAT = 3e38  # what float32, in which all is computed, can hold
MOST_DEPTH = 64  # of JSON; what would walk deeper runs out of Python's stack
MOST_BYTES = 1 << 26  # of a JSON file; ImageNet's 21,841 classes take two megabytes


class SchemaError(ValueError):
    """A value that a schema does not allow; the message is one line without the file's name."""


def limited(
    default: Any = dataclasses.MISSING,
    *,
    choices: Collection[str] = (),
    low: float | None = None,
    high: float | None = None,
    shape: Any = None,
    factory: Any = dataclasses.MISSING,
    **more: Any,
) -> Any:
    """A field and the values that it, or each item in it, may have.

    low, high: of numbers, bounds included; without them, what a float32 or JSON can hold. shape:
    the dataclass that describes a dict which stays a dict; where an empty one is what there is by
    default, it is allowed.
    """
    metadata = {"choices": tuple(choices), "low": low, "high": high, "shape": shape, **more}
    metadata["empty"] = factory is dict
    return dataclasses.field(default=default, default_factory=factory, metadata=metadata)


def checked(
    kind: type[T], given: Any, name: str = "", optional: Collection[str] | None = None
) -> T:
    """The dataclass `kind` from a JSON object; names that it does not know are left out.

    optional: what may be missing, by default what has a default value.
    Raises SchemaError.
    """
    if not isinstance(given, dict):
        raise SchemaError(f"{name or 'it'} is {as_given(given)}, expected an object")
    found = {}
    for field, hint in _schema(cast(Any, kind)):
        if field.name in given:
            path = f"{name}.{field.name}" if name else field.name
            found[field.name] = value_of(path, given[field.name], hint, field.metadata)
        elif not (_has_default(field) if optional is None else field.name in optional):
            raise SchemaError(f"{name or 'it'} has no '{field.name}'")
    return kind(**found)


def check_fields(instance: Any) -> None:
    """Check the fields of a dataclass that was made; lists become the tuples that are declared."""
    for field, hint in _schema(cast(Any, type(instance))):
        value = value_of(field.name, getattr(instance, field.name), hint, field.metadata)
        object.__setattr__(instance, field.name, value)  # it may be frozen


def value_of(name: str, value: Any, hint: Any, limits: Mapping[str, Any]) -> Any:
    """The value as `hint` has it. SchemaError, which calls it `name`, for another one."""
    kind: Any
    kind, items = get_origin(hint) or hint, get_args(hint)
    if kind is UnionType:
        return None if value is None else value_of(name, value, items[0], limits)
    if kind in (list, tuple):
        return kind(_items(name, value, items, limits))
    if kind is dict:
        if limits.get("shape") is not None:
            return {} if value == {} and limits["empty"] else _shaped(name, value, limits["shape"])
        if not isinstance(value, dict):
            raise SchemaError(f"{name} is {as_given(value)}, expected an object")
        return {
            key: value_of(f"{name}.{_plain(key)}", v, items[1], limits)
            for key, v in value.items()
        }
    if dataclasses.is_dataclass(kind):
        return checked(cast(type, kind), value, name)
    if kind is not Any:
        _check_scalar(name, value, kind, limits)
    return value


def read_text(path: str | os.PathLike[str], most: int = MOST_BYTES) -> str:
    """The text of a file of at most `most` bytes.

    Raises SchemaError for a longer one, for one that is no UTF-8, and for a pipe or a device, which
    is not opened; OSError as the system gives it.
    """
    found = os.stat(path)
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise SchemaError("a device, a pipe or a socket, not a plain file")
    if found.st_size > most:
        raise SchemaError(f"{found.st_size:,} bytes, expected at most {most:,}")
    try:
        return Path(path).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise SchemaError(f"this is no text: {error}") from error


def json_of(text: str) -> Any:
    """What `text` says in JSON. SchemaError for anything else, and for what is nested deeply."""
    try:
        found = parse_json(text)
    except ValueError as error:
        raise SchemaError(f"this is no JSON: {error}") from error
    level = [found]
    for _ in range(MOST_DEPTH):
        level = [inner for value in level for inner in _inside(value)]
    if level:
        raise SchemaError(f"this is JSON nested deeper than {MOST_DEPTH} levels")
    return found


def as_given(value: Any) -> str:
    """A value as a message gives it, in one line, shortened; a tuple as one gives it to a flag."""
    if isinstance(value, tuple):
        return ",".join(map(_plain, value[:20]))
    return _SHORT.repr(value)


def _plain(value: Any) -> str:
    fits = isinstance(value, str) and len(value) < 60 and value.isprintable()
    return value if fits else _SHORT.repr(value)


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _items(name: str, value: Any, hints: Any, limits: Mapping[str, Any]) -> list[Any]:
    fits = isinstance(value, list | tuple)
    fixed = len(hints) > 1 and hints[-1] is not Ellipsis
    if not fits or (fixed and len(value) != len(hints)):
        of = f"{getattr(hints[0], '__name__', 'such')} values"
        raise SchemaError(
            f"{name} is {as_given(value)}, expected {f'{len(hints)} {of}' if fixed else of}"
        )
    scalar = hints[0] in (int, float, str, bool)
    return [
        value_of(name if scalar else f"{name}[{i}]", item, hints[0], limits)
        for i, item in enumerate(value)
    ]


def _shaped(name: str, value: Any, shape: Any) -> dict[str, Any]:
    """The dict's entries that `shape` knows, each checked; what it does not have stays missing."""
    known = vars(checked(shape, value, name))
    return {key: known[key] for key in value if key in known}


def _check_scalar(name: str, value: Any, kind: Any, limits: Mapping[str, Any]) -> None:
    accepted = (int, float) if kind is float else kind  # 1 is a fine learning rate, True is not
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise SchemaError(f"{name} is {as_given(value)}, expected {kind.__name__}")
    choices = limits.get("choices")
    if choices and value not in choices:
        close = did_you_mean(str(value), choices)
        raise SchemaError(f"{name} is {as_given(value)}: use one of {', '.join(choices)}{close}")
    if kind in (str, bool):
        return
    low, high = limits.get("low"), limits.get("high")
    most = MOST_FLOAT if kind is float else MOST_WHOLE
    if not (-most if low is None else low) <= value <= (most if high is None else high):
        bounds = _bounds(value, low, high, most)
        raise SchemaError(f"{name} is {as_given(value)}, expected {bounds}")


def _bounds(value: float, low: float | None, high: float | None, most: float) -> str:
    if low is not None and high is not None:
        return f"{low:,} to {high:,}"
    if low is not None and value < low:
        return f"{low:,} or more"
    return f"a finite number of at most {f'{most:g}' if high is None else f'{high:,}'}"


class _Short(reprlib.Repr):
    """Whatever somebody wrote, in a few words."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 60

    def repr_int(self, x: int, level: int) -> str:
        """A number of thousands of digits has no text in Python."""
        return repr(x) if abs(x) < 10**20 else f"about 1e{int(math.log10(abs(x)))}"


_SHORT = _Short()


def _has_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


@functools.cache
def _schema(kind: Any) -> list[tuple[dataclasses.Field[Any], Any]]:
    """The fields of a dataclass with their types."""
    hints = get_type_hints(kind)
    return [(field, hints[field.name]) for field in dataclasses.fields(kind)]
