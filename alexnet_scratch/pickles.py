"""Pickles as far as data sets and weights need them: nothing is imported, nothing of theirs runs.

A pickle is a program for a machine with a stack and a memo. Its own machine calls whatever the
program names. This one knows the steps that build numbers, texts, lists, tuples and dicts, and a
few names, of which it makes a note that there is an array; what an array holds stays in the file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import IO, Any, NamedTuple

STEPS = 1_000_000  # the training file of CIFAR-100 has about 200,000
_TEXTS = 64 << 20  # bytes of all short texts; 50,000 names of files have 1 MB
SHORT = 1 << 10  # bytes of a text that is read; longer ones, as images are, stay in the file
_LINE = 1000  # bytes of a line, as protocol 0 has them
_DIGITS = 9  # of a place in the memo, in a line

class InFile(NamedTuple):
    """Bytes that stay in the file: where they are, and how many."""

    offset: int
    size: int


class Array:
    """An array: dtype such as "u1", shape, and where its bytes are; None as long as not told.

    order: "<" or ">", of its bytes. data: a list where the dtype is "O", of any values.
    """

    dtype: str | None = None
    order: str = "<"
    shape: tuple[int, ...] | None = None
    data: InFile | bytes | list[Any] | None = None
    fortran: bool = False


class Dtype:
    """The dtype of an array, such as "f4"."""

    def __init__(self, name: Any, *_: Any) -> None:
        if not isinstance(name, str):
            raise ValueError(f"a dtype of type {type(name).__name__}")
        self.name, self.order = name, "<"


class Attributed(dict[Any, Any]):
    """A dict that may be given attributes, as a state_dict is; they are left out."""


class Name(NamedTuple):
    """What the pickle calls by its name: "MODULE NAME"."""

    name: str


Makers = Mapping[str, Callable[..., Any] | None]


def _placeholder(text: Any, *_: Any) -> bytes:
    """What an array begins as."""
    if text != "b":
        raise ValueError("it wants to run '_codecs.encode', which is refused")
    return b"b"


# The names that an array is made of, as NumPy 1 and 2 write them: what is made of the arguments
# where it is called, None for one that is an argument itself.
NUMPY: Makers = {
    "numpy.core.multiarray _reconstruct": lambda *_: Array(),
    "numpy._core.multiarray _reconstruct": lambda *_: Array(),
    "numpy ndarray": None,
    "numpy dtype": Dtype,
    "_codecs encode": _placeholder,
}

_MARK = object()


def load_pickle(
    file: IO[bytes],
    names: Makers = NUMPY,
    persistent: Callable[[Any], Any] | None = None,
    steps: int | None = None,
) -> Any:
    """What a pickle builds: numbers, texts, None, lists, tuples, dicts; `file` is at its begin.

    Texts of Python 2 are str where they are ASCII, else bytes; those above `SHORT` bytes are an
    `InFile`, arrays an `Array`. names: what else it may call, and what is made of the arguments.
    persistent: what stands for an object that is stored elsewhere, made of its id. steps: the most
    that the program may have [STEPS]; copying a value is one, too.

    Raises ValueError for anything else, above all for names of which code would be run, for a
    pickle that ends too early and for one that is larger than any that is wanted.
    """
    machine = _Machine(file, names, persistent, STEPS if steps is None else steps)
    try:
        return machine.run()
    except (IndexError, KeyError, TypeError, AttributeError, struct.error, OverflowError) as error:
        raise ValueError(f"damaged ({type(error).__name__}: {error})") from error


class _Machine:
    def __init__(
        self, file: IO[bytes], names: Makers, persistent: Callable[[Any], Any] | None, steps: int
    ) -> None:
        self.file, self.names, self.persistent = file, names, persistent
        self.steps = self.left = steps
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.text_bytes = 0

    def run(self) -> Any:
        while True:
            self.take_steps(1)
            code = self.read(1)
            if code == b".":
                (result,) = self.stack
                return result
            step = _CODES.get(code)
            if step is None:
                raise ValueError(f"its step {code!r} builds no number, text or array: refused")
            step(self)

    def take_steps(self, count: int) -> None:
        """One for each step, and one for each value that it copies: a list can be named often."""
        self.left -= count
        if self.left < 0:
            raise ValueError(f"more than {self.steps} steps")

    def read(self, size: int) -> bytes:
        data = self.file.read(size)
        if len(data) != size:
            raise ValueError("it ends too early")
        return data

    def line(self) -> bytes:
        line = self.file.readline(_LINE + 1)
        if not line.endswith(b"\n"):
            raise ValueError("it ends too early, or holds a line that is too long")
        return line[:-1]

    def number(self, form: str) -> int:
        (value,) = struct.unpack(form, self.read(struct.calcsize(form)))
        return int(value)

    def since_mark(self) -> list[Any]:
        """What was put on the stack since the last mark, which goes with it."""
        for at in range(len(self.stack) - 1, -1, -1):
            if self.stack[at] is _MARK:
                found = self.stack[at + 1 :]
                del self.stack[at:]
                return found
        raise ValueError("a mark is missing")

    def text(self, size: int, encoding: str | None) -> None:
        """A text of so many bytes; encoding None: of bytes."""
        if size > SHORT:
            place = InFile(self.file.tell(), size)
            if place.offset + size > self.file.seek(0, 2):
                raise ValueError("it ends too early")
            self.file.seek(place.offset + size)
            self.stack.append(place)
            return
        if size < 0 or self.text_bytes + size > _TEXTS:
            raise ValueError(f"a text of {size} bytes, more than {_TEXTS} in all")
        self.text_bytes += size
        self.stack.append(_decoded(self.read(size), encoding))

    def name(self, module: Any, name: Any) -> None:
        # Only then the text of it: that of nested tuples may have no end.
        full = f"{module} {name}" if isinstance(module, str) and isinstance(name, str) else "?"
        if full not in self.names:
            raise ValueError(f"it wants to run {full.replace(' ', '.')!r:.100}, which is refused")
        self.stack.append(Name(full))

    def reduce(self) -> None:
        arguments, name = self.stack.pop(), self.stack.pop().name
        make = self.names[name]
        if make is None:
            raise ValueError(f"it wants to run {name!r}, which is refused")
        self.take_steps(len(arguments) + sum(map(_length, arguments)))
        self.stack.append(make(*arguments))

    def stored(self) -> None:
        """An object that is stored elsewhere, by its id."""
        if self.persistent is None:
            raise ValueError("it wants an object that is stored elsewhere, which is refused")
        identity = self.stack.pop()
        self.take_steps(_length(identity))
        self.stack.append(self.persistent(identity))

    def build(self) -> None:
        """The state of an array (version, shape, dtype, by columns?, bytes), or of its dtype."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Dtype):
            target.order = ">" if state[1] == ">" else "<"
            return
        if isinstance(target, Attributed):
            return
        if not isinstance(target, Array):
            raise ValueError("it wants to set the state of an object, which is refused")
        _, shape, dtype, fortran, data = state
        if not isinstance(data, list if dtype.name.startswith("O") else InFile | bytes | str):
            raise ValueError("an array without bytes")
        self.take_steps(len(shape))
        target.shape = tuple(int(n) for n in shape)
        target.dtype, target.order, target.fortran = dtype.name, dtype.order, bool(fortran)
        target.data = data.encode("latin-1") if isinstance(data, str) else data

    def put(self, at: int) -> None:
        self.memo[at] = self.stack[-1]

    def collect(self, make: Callable[[list[Any]], Any]) -> None:
        items = self.since_mark()
        self.stack.append(make(items))

    def take(self, count: int) -> None:
        items = tuple(self.stack[len(self.stack) - count :])
        if len(items) != count:
            raise ValueError("too little on the stack")
        del self.stack[len(self.stack) - count :]
        self.stack.append(items)

    def extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise ValueError("it wants to append to what is no list, which is refused")
        self.stack[-1].extend(items)

    def set_items(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], dict):
            raise ValueError("it wants to set an item of what is no dict, which is refused")
        self.stack[-1].update(_pairs(items))

    def pop(self) -> Any:
        return self.stack.pop()

    def push(self, value: Any) -> None:
        self.stack.append(value)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list | tuple | dict) else 0


def _decoded(data: bytes, encoding: str | None) -> str | bytes:
    if encoding is None:
        return data
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return data


def _pairs(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2 or not all(isinstance(key, str | bytes | int) for key in items[::2]):
        raise ValueError("a dict with other keys than texts")
    return dict(zip(items[::2], items[1::2], strict=True))


def _quoted(line: bytes) -> str | bytes:
    """A text as Python 2 writes it in protocol 0: 'airplane', without escapes."""
    if len(line) < 2 or line[:1] not in b"'\"" or line[-1:] != line[:1] or b"\\" in line:
        raise ValueError("a text that is not in quotes, or has escapes")
    return _decoded(line[1:-1], "ascii")


def _integer(line: bytes) -> int | bool:
    if line in (b"00", b"01"):  # False and True
        return line == b"01"
    return _place(line.removesuffix(b"L"))


def _place(line: bytes) -> int:
    if not line.removeprefix(b"-").isdigit() or len(line) > _DIGITS + 1:
        raise ValueError(f"{line!r:.40} is no number")
    return int(line)


def _long(machine: _Machine) -> None:
    machine.push(int.from_bytes(machine.read(machine.number("<B")), "little", signed=True))


def _stack_global(m: _Machine) -> None:
    name, module = m.pop(), m.pop()
    m.name(module, name)


def _dict(items: list[Any]) -> dict[Any, Any]:
    return _pairs(items)


_CODES: dict[bytes, Callable[[_Machine], Any]] = {
    b"\x80": lambda m: m.read(1),  # the protocol
    b"\x95": lambda m: m.read(8),  # how long a frame is
    # numbers and the like
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"G": lambda m: m.push(struct.unpack(">d", m.read(8))[0]),
    b"K": lambda m: m.push(m.number("<B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"J": lambda m: m.push(m.number("<i")),
    b"I": lambda m: m.push(_integer(m.line())),
    b"L": lambda m: m.push(_integer(m.line())),
    b"\x8a": _long,
    # texts and bytes
    b"S": lambda m: m.push(_quoted(m.line())),
    b"U": lambda m: m.text(m.number("<B"), "ascii"),
    b"T": lambda m: m.text(m.number("<i"), "ascii"),
    b"V": lambda m: m.push(m.line().decode("ascii", "replace")),
    b"X": lambda m: m.text(m.number("<I"), "utf-8"),
    b"\x8c": lambda m: m.text(m.number("<B"), "utf-8"),
    b"C": lambda m: m.text(m.number("<B"), None),
    b"B": lambda m: m.text(m.number("<I"), None),
    b"\x8e": lambda m: m.text(m.number("<q"), None),
    # lists, tuples and dicts
    b"(": lambda m: m.push(_MARK),
    b"]": lambda m: m.push([]),
    b"}": lambda m: m.push({}),
    b")": lambda m: m.push(()),
    b"l": lambda m: m.collect(list),
    b"d": lambda m: m.collect(_dict),
    b"t": lambda m: m.collect(tuple),
    b"\x85": lambda m: m.take(1),
    b"\x86": lambda m: m.take(2),
    b"\x87": lambda m: m.take(3),
    b"a": lambda m: m.extend([m.pop()]),
    b"e": lambda m: m.extend(m.since_mark()),
    b"s": lambda m: m.set_items([m.pop(), m.pop()][::-1]),
    b"u": lambda m: m.set_items(m.since_mark()),
    b"0": lambda m: m.pop(),
    # the memo
    b"p": lambda m: m.put(_place(m.line())),
    b"q": lambda m: m.put(m.number("<B")),
    b"r": lambda m: m.put(m.number("<I")),
    b"\x94": lambda m: m.put(len(m.memo)),
    b"g": lambda m: m.push(m.memo[_place(m.line())]),
    b"h": lambda m: m.push(m.memo[m.number("<B")]),
    b"j": lambda m: m.push(m.memo[m.number("<I")]),
    # arrays
    b"c": lambda m: m.name(m.line().decode("latin-1"), m.line().decode("latin-1")),
    b"\x93": _stack_global,
    b"R": lambda m: m.reduce(),
    b"Q": lambda m: m.stored(),
    b"b": lambda m: m.build(),
}
