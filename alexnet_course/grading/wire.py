"""Calls between a process that is trusted and one that is not: values by copy, functions by name.

A message is JSON with the bytes of its arrays behind it. Nothing in it is run when it is read, as a
pickle would be: numbers, texts, containers and arrays are made anew, a function stays where it is
and is called through a `Remote`, an object of the packages' own classes is copied with its
attributes. What a callee changes in an array, a list or an object it was given is changed at the
caller's, too, so that a check sees an argument changed as it would in one process.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import importlib
import inspect
import json
import re
import struct
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any

import numpy as np

from minigrad import Tensor
from minigrad.nn import Module

from ..checks import Hint

MOST_BYTES = 128 << 20  # of one message
MOST_ITEMS = 1_000_000  # of what comes from an iterator, which may have no end
PACKAGES = ("minigrad", "alexnet_scratch", "alexnet_course")  # whose classes may travel
MOST_NESTED = 5000  # calls: what the other end may raise Python's limit to here
_ATOMS = (type(None), bool, int, float, str)
_TEXT = (
    "__call__", "__getattr__", "__getitem__", "__setitem__", "__len__",
)  # fmt: skip  (what may be asked of an object that stays where it is)


class WireError(Exception):
    """The other process has gone, or sends what is no message."""


class Closed(WireError):  # noqa: N818  (an end, which is expected)
    """The other process has gone."""


# ----- bytes -----


def send(file: IO[bytes], value: Any, blobs: list[bytes]) -> None:
    """Write one message."""
    head = json.dumps([value, [len(b) for b in blobs]]).encode()
    if len(head) + sum(map(len, blobs)) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES >> 20} MB in one call")
    try:
        file.write(b"".join([struct.pack("<Q", len(head)), head, *blobs]))
        file.flush()
    except OSError:
        raise Closed("the other process has gone") from None


def receive(file: IO[bytes]) -> tuple[Any, list[bytes]]:
    """Read one message. Raises Closed at its end, WireError for what is none."""
    (size,) = struct.unpack("<Q", _exactly(file, 8))
    if size > MOST_BYTES:
        raise WireError("a message without end")
    try:
        value, sizes = json.loads(_exactly(file, size))
        if not all(type(n) is int and n >= 0 for n in sizes) or sum(sizes) > MOST_BYTES:
            raise WireError("a message without end")
        return value, [_exactly(file, n) for n in sizes]
    except (ValueError, TypeError, RecursionError) as error:
        raise WireError(f"no message: {error}") from None


def _exactly(file: IO[bytes], size: int) -> bytes:
    try:
        data = file.read(size)
    except (OSError, ValueError):
        data = b""
    if len(data) < size:
        raise Closed("the other process has gone")
    return data


# ----- values -----


class Remote:
    """A function, or an object that stays where it is, of the other process."""

    _peer: Peer
    _number: int

    def __init__(self, peer: Peer, number: int, name: str, parameters: list[str] | None) -> None:
        self.__dict__.update(_peer=peer, _number=number, __name__=name)
        if parameters is not None:
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            names = dict.fromkeys(p for p in parameters if p.isidentifier())
            self.__dict__["__signature__"] = inspect.Signature(
                [inspect.Parameter(p, kind) for p in names]
            )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._peer.call(self._number, "__call__", args, kwargs)


class RemoteObject(Remote):
    """A `Remote` with items and attributes."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python and NumPy look for these
            raise AttributeError(name)
        return self._peer.call(self._number, "__getattr__", (name,), {})

    def __getitem__(self, key: Any) -> Any:
        return self._peer.call(self._number, "__getitem__", (key,), {})

    def __setitem__(self, key: Any, value: Any) -> None:
        self._peer.call(self._number, "__setitem__", (key, value), {})

    def __len__(self) -> int:
        return int(self._peer.call(self._number, "__len__", (), {}))


class Opaque:
    """Stands for a value that cannot travel; a check sees that it is not what was asked for."""


def _stays(value: Any) -> bool:
    """Whether an object is called where it is: functions, and what has items of its own kind."""
    if isinstance(value, type | Module | Tensor | np.ndarray | tuple):
        return False
    return callable(value) or (_ours(type(value)) and hasattr(value, "__setitem__"))


def _ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in PACKAGES


def _state(value: Any) -> dict[str, Any]:
    """The attributes of an object. Of a tensor its numbers: what computed it stays behind."""
    if isinstance(value, Tensor):
        return {"_data": value._data, "_grad": value._grad, "requires_grad": value.requires_grad}
    names = [n for kind in type(value).__mro__ for n in getattr(kind, "__slots__", ())]
    slots = {n: getattr(value, n) for n in names if n != "__weakref__" and hasattr(value, n)}
    return slots | getattr(value, "__dict__", {})


def _shell(kind: type) -> Any:
    """An object of a class, without its attributes."""
    if issubclass(kind, Tensor):
        made = kind.__new__(kind)
        Tensor.__init__(made, np.zeros(0))
        return made
    return object.__new__(kind)


def _set(value: Any, name: str, attribute: Any) -> None:
    if name.startswith("__"):
        raise WireError(f"an attribute {name}")
    if isinstance(value, Module):  # past its __setattr__, which sorts into its tables
        value.__dict__[name] = attribute
    else:
        object.__setattr__(value, name, attribute)


class _Writer:
    """One message's values; of objects, those in `waiting` are still without attributes."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.blobs: list[bytes] = []
        self.arrays: list[np.ndarray[Any, Any]] = []
        self.lists: list[list[Any]] = []
        self.objects: dict[int, Any] = {}  # by number
        self.waiting: list[int] = []

    def value(self, value: Any) -> Any:
        """What stands for a value in the message."""
        kind = type(value)
        if kind in _ATOMS:
            return value
        if isinstance(value, list):
            self.lists.append(value)
            return ["list", [self.value(v) for v in value]]
        if kind in (tuple, set, frozenset):
            return [kind.__name__, [self.value(v) for v in value]]
        if isinstance(value, dict):
            return ["dict", [[self.value(k), self.value(v)] for k, v in value.items()]]
        if kind is complex:
            return ["complex", value.real, value.imag]
        if kind is bytes:
            return ["bytes", self._blob(value)]
        if kind in (slice, range):
            return [kind.__name__, [self.value(v) for v in (value.start, value.stop, value.step)]]
        if value is Ellipsis:
            return ["ellipsis"]
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, np.generic) and value.dtype.kind in "biufcSU":
            return ["scalar", value.dtype.str, self._blob(value.tobytes())]
        return self._other(value, kind)

    def _other(self, value: Any, kind: type) -> Any:
        if isinstance(value, Remote) and value._peer is self.peer:
            return ["yours", value._number]
        if isinstance(value, tuple):
            items = [self.value(v) for v in value]
            if _ours(kind) and self.peer.trusted:
                return ["named", kind.__module__, kind.__qualname__, items]
            return ["tuple", items]
        if isinstance(value, type):
            return ["class", kind.__module__, value.__qualname__]
        if (number := self.peer.theirs(value)) is not None:
            return ["yours", number]
        if _stays(value):
            return ["remote", self.peer.number(value), *_called(value)]
        if _ours(kind) and not isinstance(value, BaseException):
            number = self.peer.number(value)
            if number not in self.objects:
                self.objects[number] = value
                self.waiting.append(number)
            return ["object", number]
        if isinstance(value, Iterator) or kind.__name__ in ("dict_keys", "dict_values"):
            taken = [v for v, _ in zip(value, range(MOST_ITEMS), strict=False)]
            return ["iterator", [self.value(v) for v in taken]]
        return ["opaque", kind.__name__]

    def _array(self, value: np.ndarray[Any, Any]) -> Any:
        if value.dtype.kind not in "biufcSU":
            return ["opaque", type(value).__name__]
        self.arrays.append(value)
        own = type(value) if _ours(type(value)) else np.ndarray
        where = [own.__module__, own.__qualname__] if own is not np.ndarray else None
        plain = np.ascontiguousarray(value)
        blob = self._blob(plain.tobytes())
        return ["array", value.dtype.str, list(value.shape), blob, value.flags.writeable, where]

    def _blob(self, data: bytes) -> int:
        self.blobs.append(data)
        return len(self.blobs) - 1

    def states(self) -> list[Any]:
        """The attributes of all objects, those that they lead to as well."""
        states = []
        while self.waiting:
            number = self.waiting.pop()
            value = self.objects[number]
            kind = type(value)
            attributes = [[n, self.value(v)] for n, v in _state(value).items()]
            states.append([number, kind.__module__, kind.__qualname__, attributes])
        return states


def _called(value: Any) -> list[Any]:
    """Name and parameters of what is called; whether it has items."""
    try:
        parameters = list(inspect.signature(value).parameters) if callable(value) else None
    except (ValueError, TypeError):
        parameters = None
    return [str(getattr(value, "__name__", "")), parameters, hasattr(value, "__setitem__")]


_CONTAINERS: dict[str, Callable[[list[Any]], Any]] = {
    "list": lambda items: items, "tuple": tuple, "set": set, "frozenset": frozenset,
    "iterator": iter,
}  # fmt: skip


class _Reader:
    """One message's values, and what they were before somebody changed them."""

    def __init__(self, peer: Peer, blobs: list[bytes]) -> None:
        self.peer, self.blobs = peer, blobs
        self.arrays: list[np.ndarray[Any, Any]] = []
        self.lists: list[list[Any]] = []
        self.objects: dict[int, Any] = {}

    def states(self, states: list[Any]) -> None:
        """Make the objects, then give them their attributes."""
        for number, module, name, _ in states:
            known, kind = self.peer.known.get(number), self.peer.find_class(module, name)
            self.objects[number] = known if type(known) is kind else _shell(kind)
            self.peer.learn(number, self.objects[number])
        for number, _, _, attributes in states:
            for name, value in attributes:
                _set(self.objects[number], name, self.value(value))

    def value(self, given: Any) -> Any:
        """The value that a part of the message stands for."""
        if type(given) in _ATOMS:
            return given
        tag, *rest = given
        if tag in _CONTAINERS:
            items = [self.value(v) for v in rest[0]]
            if tag == "list":
                self.lists.append(items)
            return _CONTAINERS[tag](items)
        if tag == "dict":
            return {self.value(k): self.value(v) for k, v in rest[0]}
        if tag == "complex":
            return complex(*map(float, rest))
        if tag == "bytes":
            return self.blobs[rest[0]]
        if tag in ("slice", "range"):
            return {"slice": slice, "range": range}[tag](*[self.value(v) for v in rest[0]])
        if tag == "ellipsis":
            return Ellipsis
        if tag == "array":
            return self._array(*rest)
        if tag == "scalar":
            return np.frombuffer(self.blobs[rest[1]], _dtype(rest[0]))[0]
        if tag == "yours":
            return self.peer.mine(rest[0])
        if tag == "remote":
            number, name, parameters, items = rest
            return (RemoteObject if items else Remote)(self.peer, int(number), name, parameters)
        if tag == "object":
            return self.objects[rest[0]]
        if tag == "named":
            return self.peer.find_class(rest[0], rest[1])(*[self.value(v) for v in rest[2]])
        if tag == "class":
            return type(str(rest[1]), (Opaque,), {})
        if tag == "opaque":
            return type(str(rest[0]), (Opaque,), {})()
        raise WireError(f"no value: {tag!s:.20}")

    def _array(self, dtype: str, shape: list[int], blob: int, writeable: bool, own: Any) -> Any:
        array = np.ndarray(shape, _dtype(dtype), self.blobs[blob]).copy()
        if own is not None:
            array = array.view(self.peer.find_class(*own))
        array.flags.writeable = bool(writeable)
        self.arrays.append(array)
        return array


_DTYPE = re.compile(r"[<>|][biufcSU]\d{1,6}")


def _dtype(name: Any) -> np.dtype[Any]:
    if not _DTYPE.fullmatch(str(name)):  # NumPy would read a whole grammar there
        raise WireError("an array of no dtype that can travel")
    dtype: np.dtype[Any] = np.dtype(name)
    return dtype


class _Before:
    """What a callee was given, so that it can be said what it has changed."""

    def __init__(self, read: _Reader) -> None:
        self._read = read
        self._arrays = [a.copy() for a in read.arrays]
        self._lists = [list(v) for v in read.lists]
        self._objects = {n: _state(v) for n, v in read.objects.items()}

    def changes(self, write: _Writer) -> list[Any]:
        """[kind, which, new content] of each."""
        arrays = self._read.arrays
        changed: list[Any] = [
            ["array", i, write.value(np.asarray(new))]
            for i, (old, new) in enumerate(zip(self._arrays, arrays, strict=True))
            if old.tobytes() != new.tobytes()
        ]
        changed += [
            ["list", i, [write.value(v) for v in new]]
            for i, (old, new) in enumerate(zip(self._lists, self._read.lists, strict=True))
            if len(old) != len(new) or any(a is not b for a, b in zip(old, new, strict=True))
        ]
        for number, old in self._objects.items():
            for name, value in _state(self._read.objects[number]).items():
                if name not in old or old[name] is not value:
                    changed.append(["attribute", number, [name, write.value(value)]])
        return changed


def _apply(changes: list[Any], sent: _Writer, read: _Reader) -> None:
    """Change what was sent as the callee has changed its copies."""
    for kind, which, content in changes:
        if kind == "array":
            new, old = read.value(content), sent.arrays[which]
            if new.shape == old.shape and new.dtype == old.dtype and old.flags.writeable:
                np.ndarray.__setitem__(old, ..., new)
        elif kind == "list":
            sent.lists[which][:] = [read.value(v) for v in content]
        elif kind == "attribute":
            _set(sent.objects[which], str(content[0]), read.value(content[1]))


# ----- calls -----


class Peer:
    """One end of the line. `trusted`: the other end is not."""

    def __init__(self, source: IO[bytes], target: IO[bytes], trusted: bool) -> None:
        self._source, self._target, self.trusted = source, target, trusted
        self._numbers: dict[int, int] = {}  # of my own values, by id
        self._mine: list[Any] = []
        self.known: dict[int, Any] = {}  # copies of the other's objects, by number
        self._theirs: dict[int, int] = {}  # their numbers, by id
        self._raised: list[BaseException] = []  # of mine, which may come back

    def number(self, value: Any) -> int:
        """The number under which the other end knows a value of mine."""
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self._mine)
            self._mine.append(value)
        return self._numbers[id(value)]

    def mine(self, number: Any) -> Any:
        """The value of mine that has a number."""
        if type(number) is not int or not 0 <= number < len(self._mine):
            raise WireError("a number that was never given")
        return self._mine[number]

    def learn(self, number: int, value: Any) -> None:
        """Keep a copy of an object of the other's."""
        self.known[number] = value
        self._theirs[id(value)] = number

    def theirs(self, value: Any) -> int | None:
        """The number of an object of the other's of which this is the copy."""
        return self._theirs.get(id(value))

    def find_class(self, module: str, name: str) -> type:
        """A class of the packages, for an object that is to be made. On the trusted side only
        layers and tensors are, from modules that are loaded already."""
        if module.partition(".")[0] in PACKAGES and not self.trusted:
            importlib.import_module(module)
        if module in sys.modules:
            kind: Any = functools.reduce(getattr, name.split("."), sys.modules[module])
            harmless = module.startswith("minigrad.") and issubclass(kind, Module | Tensor)
            if harmless or not self.trusted:
                return kind  # type: ignore[no-any-return]
        raise WireError(f"an object of class {module}.{name}")

    def call(self, number: int, method: str, args: Any, kwargs: dict[str, Any]) -> Any:
        """Call a function of the other end's."""
        write = _Writer(self)
        given = [write.value(tuple(args)), write.value(kwargs)]
        limit = sys.getrecursionlimit()
        self._send(["call", number, method, *given, write.states(), limit], write)
        while True:
            message, blobs = receive(self._source)
            try:
                if message[0] == "call":
                    self.answer(message, blobs)
                    continue
                return self._finish(message, blobs, write)
            except (TypeError, LookupError, ValueError, AttributeError, RecursionError) as error:
                if getattr(error, "learner", None) is not None or error in self._raised:
                    raise
                raise WireError(f"no message: {type(error).__name__}: {error}") from error

    def _finish(self, message: Any, blobs: list[bytes], sent: _Writer) -> Any:
        tag, value, states, changes, limit = message
        read = _Reader(self, blobs)
        read.states(states)
        _apply(changes, sent, read)
        if type(limit) is int and limit > sys.getrecursionlimit():  # as a check may ask
            sys.setrecursionlimit(min(limit, MOST_NESTED))
        if tag == "return":
            return read.value(value)
        if tag != "raise":
            raise WireError("no message")
        raise self._exception(*value)

    def answer(self, message: Any, blobs: list[bytes]) -> None:
        """Make the call that a message asks for, and send what comes of it."""
        _, number, method, args, kwargs, states, limit = message
        read = _Reader(self, blobs)
        read.states(states)
        target = self.mine(number)
        given, named = read.value(args), read.value(kwargs)
        before, write, was = _Before(read), _Writer(self), sys.getrecursionlimit()
        if not self.trusted:
            sys.setrecursionlimit(limit)
        try:
            result = self._ask(target, method, given, named)
            answer = ["return", write.value(result)]
        except WireError:
            raise
        except BaseException as error:
            answer = ["raise", self._told(error)]
        left = sys.getrecursionlimit()
        sys.setrecursionlimit(was)
        changes = before.changes(write)
        try:
            self._send([*answer, write.states(), changes, None if self.trusted else left], write)
        except ValueError as error:  # too large, or a number that JSON cannot say
            self._send(["raise", self._told(error), [], [], None], _Writer(self))

    def _ask(self, target: Any, method: Any, args: Any, kwargs: Any) -> Any:
        if method not in _TEXT or not (method == "__call__" or _stays(target)):
            raise WireError(f"a call of {method}")
        if method == "__call__":
            return target(*args, **kwargs)
        if method == "__getattr__":
            name = str(args[0])
            if name.startswith("_"):
                raise AttributeError(f"{type(target).__name__} has no attribute {name!r}")
            return getattr(target, name)
        return getattr(type(target), method)(target, *args)

    def _send(self, message: Any, write: _Writer) -> None:
        send(self._target, message, write.blobs)

    # ----- exceptions -----

    def _told(self, error: BaseException) -> list[Any]:
        """Class and Python's own above it, words, line of the learner's, and the number if it was
        raised at the other end."""
        kind, back = type(error), getattr(error, "_number", None)
        base = next(k.__name__ for k in kind.__mro__ if k.__module__ == "builtins")
        line = getattr(error, "learner_line", None) or line_of_learner(error)
        self._raised.append(error)
        number = len(self._raised) - 1
        return [kind.__module__, kind.__qualname__, base, _words(error), line, back, number]

    def _exception(
        self, module: str, name: str, base: str, words: str, line: str, back: Any, number: int
    ) -> BaseException:
        """The exception that was raised; the very one, where it comes from here."""
        if type(back) is int and 0 <= back < len(self._raised):
            return self._raised[back]
        kind = _exception_class(str(module), str(name), str(base))
        error: Exception = type(str(name), (kind,), {"__str__": lambda self: str(words)})()
        for key, value in (("learner_line", str(line)), ("_number", number), ("learner", True)):
            setattr(error, key, value)
        return error


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def line_of_learner(error: BaseException) -> str:
    """The line of a notebook's cell where an error came up."""
    trace, line = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename.startswith("<cell "):
            lines = CELLS.get(code.co_filename, [])
            line = lines[trace.tb_lineno - 1].strip() if trace.tb_lineno <= len(lines) else ""
        trace = trace.tb_next
    return line


CELLS: dict[str, list[str]] = {}  # the lines of the notebook's cells, by "<cell N>"


def _exception_class(module: str, name: str, base: str) -> type[Exception]:
    """The class of an exception: a Hint of the checks, or what it is to Python."""
    kind = getattr(builtins, base, None)
    if module.startswith("alexnet_course.") and module in sys.modules:
        hint = getattr(sys.modules[module], name, None)
        kind = hint if isinstance(hint, type) and issubclass(hint, Hint) else kind
    if isinstance(kind, type) and issubclass(kind, Exception):
        with contextlib.suppress(TypeError):  # made of more than words
            kind("")
            return kind
    return Exception
