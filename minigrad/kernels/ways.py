"""One kernel, several ways to compute it.

The plain way, a few lines of array code, says what a kernel is. Others take its place where they
can: those of `fast/` share the batch out over CPU threads, those of `cuda/` launch kernels of our
own. `with plain():` goes without them, and the tests hold each of them to the plain way.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

_plain: ContextVar[bool] = ContextVar("minigrad_plain", default=False)

ROOMS = ("cuda", "fast")  # in which order they are asked

# Called as watcher(kernel's name, way's name) before a kernel computes.
watchers: list[Callable[[str, str], None]] = []


class Way(NamedTuple):
    """Another way to compute a kernel: its name ("fast", "cuda"), where it can be taken, and it."""

    name: str
    usable: Callable[..., bool]
    compute: Callable[..., Any]


class Kernel(Generic[P, R]):
    """A function on arrays, defined by its plain way; `ways` lists what may compute it instead."""

    def __init__(self, plain: Callable[P, R]) -> None:
        functools.update_wrapper(self, plain)
        self.name = plain.__name__
        self.plain = plain
        self.ways: list[Way] = []

    def __repr__(self) -> str:
        return f"<kernel {self.name}: {', '.join([way.name for way in self.ways] + ['plain'])}>"

    def __call__(self, *args: P.args, **options: P.kwargs) -> R:
        if not _plain.get():
            for name, usable, compute in self.ways:
                if usable(*args, **options):
                    if watchers:
                        _tell(self.name, name)
                    return compute(*args, **options)  # type: ignore[no-any-return]
        if watchers:
            _tell(self.name, "plain")
        return self.plain(*args, **options)

    def instead(self, usable: Callable[..., bool], name: str = "") -> Callable[[F], F]:
        """Decorate a way that is taken where `usable(*args, **options)`, the arguments of the call,
        says so. Its name is that of its folder, unless given. The newest is asked first, but for
        "cuda" and then "fast", which are asked last, in whatever order they are imported."""

        def register(compute: F) -> F:
            room = compute.__module__.split(".")[-2]
            self.ways.insert(0, Way(name or room, usable, compute))
            self.ways.sort(key=lambda way: ROOMS.index(way.name) if way.name in ROOMS else -1)
            return compute

        return register


def always(*args: Any, **options: Any) -> bool:
    """`usable` of a way that any call may take."""
    return True


def _tell(kernel: str, way: str) -> None:
    for watcher in list(watchers):
        watcher(kernel, way)


@contextmanager
def plain() -> Iterator[None]:
    """Compute everything inside the plain way: slower, and each line can be stepped through."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)
