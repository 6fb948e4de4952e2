"""Time, calls, output bytes and the kernels' ways of every operation, forward and backward."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from .. import modes
from ..arrays import is_array
from ..kernels import ways
from ..nn import module as calls
from ..nn.module import Module
from .text import align, format_bytes


@dataclass
class Cost:
    """What the calls of one operation took: seconds, and bytes of results.

    `way` names how its kernels were computed: "plain", "fast" or "cuda", several joined by "+"; ""
    where there is only one way.
    """

    calls: int = 0
    seconds: float = 0.0
    bytes: int = 0
    way: str = ""

    def add(self, calls: int, seconds: float, size: int, ways: Iterable[str] = ()) -> None:
        """Count further calls."""
        self.calls += calls
        self.seconds += seconds
        self.bytes += size
        for way in ways:
            if way and way not in self.way.split("+"):
                self.way += "+" * bool(self.way) + way


class Profile:
    """What `profile()` has seen; `str()` is a table, longest time first.

    `costs` maps (path of the module, operation, "forward" or "backward") to a `Cost`; the path is
    "" outside of all modules, and everywhere if `profile()` was given no model.
    """

    def __init__(self) -> None:
        self.costs: defaultdict[tuple[str, str, str], Cost] = defaultdict(Cost)
        self._thread = threading.get_ident()
        self._stack: list[str] = []  # paths of the modules that are running
        # Paths of the recorded calls by operation. Backward runs newest first, so that of several
        # calls of one operation it always comes to the last one that is left.
        self._recorded: defaultdict[str, list[str]] = defaultdict(list)
        self._ways: list[str] = []  # of the kernels that the running operation has called

    def by_operation(self) -> dict[tuple[str, str], Cost]:
        """Costs by (operation, phase)."""
        return self._grouped(1, 2)

    def by_module(self) -> dict[tuple[str, str], Cost]:
        """Costs by (path of the module, phase)."""
        return self._grouped(0, 2)

    @property
    def seconds(self) -> float:
        """Time of all operations together."""
        return sum(cost.seconds for cost in self.costs.values())

    def table(self, by: str = "operation") -> str:
        """The table by "operation" or by "module". Raises ValueError for another word."""
        if by not in ("operation", "module"):
            raise ValueError(f"table: got by={by!r}, expected 'operation' or 'module'")
        costs = self.by_operation() if by == "operation" else self.by_module()
        total = Cost()
        head = (by, "phase", "way", "calls", "total ms", "ms/call", "share", "results")
        cells: list[tuple[str, ...]] = [head]
        for (name, phase), cost in sorted(costs.items(), key=lambda item: -item[1].seconds):
            cells.append((name or "(no module)", phase, cost.way, *_numbers(cost, self.seconds)))
            total.add(cost.calls, cost.seconds, cost.bytes)
        cells.append(("total", "", "", *_numbers(total, self.seconds)))
        return "\n".join(align(cells, left=3))

    def __str__(self) -> str:
        return self.table()

    def _grouped(self, *fields: int) -> dict[tuple[str, str], Cost]:
        groups: defaultdict[tuple[str, str], Cost] = defaultdict(Cost)
        for key, cost in self.costs.items():
            one, two = (key[field] for field in fields)
            groups[one, two].add(cost.calls, cost.seconds, cost.bytes, cost.way.split("+"))
        return dict(groups)

    def _observe(
        self, phase: str, operation: str, seconds: float, result: Any, _: tuple[Any, ...]
    ) -> None:
        if threading.get_ident() != self._thread:
            return
        path = self._stack[-1] if self._stack else ""
        recorded = self._recorded[operation]
        if phase == "backward":
            path = recorded.pop() if recorded else ""
        elif modes.is_grad_enabled():
            recorded.append(path)
        results = result if isinstance(result, tuple) else (result,)
        size = sum(r.nbytes for r in results if is_array(r))
        self.costs[path, operation, phase].add(1, seconds, size, self._ways)
        self._ways.clear()

    def _note_way(self, kernel: str, way: str) -> None:
        if threading.get_ident() == self._thread and modes.mode.inside:
            self._ways.append(way)

    def _follow(self, event: str, path: str) -> None:
        """A module's forward begins or is over."""
        if threading.get_ident() != self._thread:
            return
        self._ways.clear()  # what an operation that raised has left behind
        if event == "enter":
            if not path:
                self._stack.clear()  # what a module that raised has left behind
            self._stack.append(path)
        elif path in self._stack:
            while self._stack.pop() != path:
                pass


@contextmanager
def profile(model: Module | None = None) -> Iterator[Profile]:
    """Collect the cost of every operation of this thread inside the block.

        with profile(model) as p:
            loss = F.cross_entropy(model(x), y)
            loss.backward()
        print(p)  # or p.table("module")

    With `model`, costs are known by module, too. Backward's are assigned in the order of the
    engine, newest call first, which is exact when all that was recorded inside takes part in
    backward. Blocks may be nested, and other threads may have their own. On a GPU the times are
    those of the launches. A profile changes nothing in what runs, not even what a Sequential fuses.
    Nothing stays behind when the block ends, by an exception or not.
    """
    seen = Profile()
    # One that stands in two places counts for the last.
    paths = {} if model is None else {m: path for path, m in model.named_modules()}

    def follow(event: str, module: Module, args: Any, output: Any) -> None:
        if module in paths:
            seen._follow(event, paths[module])

    with ExitStack() as stack:
        watch: tuple[tuple[list[Any], Any], ...] = (
            (modes.observers, seen._observe),
            (ways.watchers, seen._note_way),
            (calls.observers, follow),
        )
        for observers, observer in watch:
            observers.append(observer)
            stack.callback(observers.remove, observer)
        yield seen


def _numbers(cost: Cost, total: float) -> tuple[str, ...]:
    return (
        str(cost.calls),
        f"{1e3 * cost.seconds:.2f}",
        f"{1e3 * cost.seconds / max(1, cost.calls):.3f}",
        f"{cost.seconds / total:.1%}" if total else "",
        format_bytes(cost.bytes),
    )
