"""Checks of notebook 16, the GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.kernels.pool import max_pool2d_backward, max_pool2d_forward

from .checks import Function, Hint, close, exercise, generator, result_of
from .questions import Choice, Number

lost_in = Number(
    "lost_in",
    4,
    "Only A A B B and B B A A are right: there one thread is done before the other begins.",
    typical={
        0: "Nothing would be lost if += were one step. It is two, and the other thread may come "
        "between them.",
        1: "It is the common case: whenever the second load comes before the first store.",
        2: "It is the other way round: two are right, in which one thread is done before the other "
        "begins.",
        3: "Take each order in turn: what has B loaded when A stores?",
        6: "Where one thread is done before the other begins, nothing is lost.",
    },
    small="There are six orders.",
    large="There are six orders.",
    prediction=True,
)

suspect = Choice(
    "suspect",
    "b",
    "The same bytes in every order: no race. Wrong at the far edges only: an index that leaves "
    "the map there, and reads whatever lies behind it.",
    wrong={
        "a": "A race shows as bytes that change with the order; these do not.",
        "c": "A maximum is not a sum, it does not round. And rounding does not choose the edges.",
        "d": "Outputs without a thread would keep what was there before, and they would be the "
        "last ones in memory, not those of the last row and column of each map.",
    },
)

# ----- exercise 1 -----


@exercise
def elements(learner: Function) -> None:
    """elements(n, block_dim, most_blocks) -> {(block, thread): [the elements it does]}."""
    for n, block_dim, most in ((8, 4, 9), (10, 4, 9), (3, 8, 9), (1, 1, 1), (23, 4, 2), (50, 3, 5)):
        case = f"For n = {n}, block_dim = {block_dim}, most_blocks = {most}: "
        got = result_of(learner, n, block_dim, most)
        if not isinstance(got, dict) or not all(isinstance(k, tuple) and len(k) == 2 for k in got):
            raise Hint("Expected a dictionary whose keys are pairs: (block, thread).")
        if not all(isinstance(v, list | tuple | range | np.ndarray) for v in got.values()):
            raise Hint("Expected a dictionary whose values are lists: the elements of a thread.")
        blocks = min(-(-n // block_dim), most)
        pairs = {(b, t) for b in range(blocks) for t in range(block_dim)}
        if blocks != block_dim and set(got) == {(t, b) for b, t in pairs}:
            raise Hint(f"{case}your keys are (thread, block): the block comes first.")
        _check_grid({b for b, _ in got}, blocks, n, block_dim, most, case)
        if len(got) != blocks * block_dim:
            raise Hint(
                f"{case}{blocks} blocks of {block_dim} threads are {blocks * block_dim} threads, "
                f"and your dictionary has {len(got)}. Idle ones count: their list is empty."
            )
        done = [int(i) for thread in got.values() for i in thread]
        if any(i >= n for i in done):
            raise Hint(
                f"{case}some thread does element {max(done)}, and the last one is {n - 1}. The "
                "last block may have more threads than there is work: what keeps them from it?"
            )
        missing, twice = set(range(n)) - set(done), {i for i in done if done.count(i) > 1}
        if twice:
            raise Hint(
                f"{case}element {min(twice)} is done by more than one thread. How many threads are "
                "in the blocks before this one? And how many in the whole grid: that is the step."
            )
        if missing:
            raise Hint(
                f"{case}nobody does element {min(missing)}. The blocks are as many as they should "
                "be: what does a thread do after its first element?"
            )
        if any(list(thread) != sorted(thread) for thread in got.values()):
            raise Hint(f"{case}a thread goes upwards through its elements.")
        side_by_side = {(b, t): b * block_dim + t for b, t in got}
        if any(list(got[key][:1]) != [first] for key, first in side_by_side.items() if first < n):
            raise Hint(
                f"{case}every element is done once, but neighbouring threads do not do "
                "neighbouring elements. Thread t of block b begins with number b * block_dim + t."
            )


def _check_grid(
    numbers: set[int], blocks: int, n: int, block_dim: int, most: int, case: str
) -> None:
    """The blocks that occur are 0 to blocks - 1."""
    if numbers == set(range(blocks)):
        return
    if len(numbers) > most:
        raise Hint(f"{case}{len(numbers)} blocks: there must not be more than most_blocks.")
    if len(numbers) == n // block_dim < blocks:
        raise Hint(
            f"{case}{len(numbers)} blocks have {len(numbers) * block_dim} threads, too few for {n} "
            "elements. Divide and round up: -(-n // block_dim)."
        )
    if len(numbers) == n // block_dim + 1:
        raise Hint(
            f"{case}one block too many: n // block_dim + 1 is not the same as rounding up. What "
            "happens if block_dim divides n?"
        )
    if len(numbers) == most > blocks:
        raise Hint(
            f"{case}{most} blocks, where {blocks} of {block_dim} threads are enough: most_blocks "
            "is a limit. How many are needed for one element a thread?"
        )
    raise Hint(f"{case}there are blocks {sorted(numbers)}, expected 0 to {blocks - 1}.")


# ----- exercise 2 -----


class _Foreign(Hint):
    """A thread touches what is not its own."""


class _Rubbish(Hint):
    """A thread reads its element before it has written it."""


class _Own:
    """Memory in which one thread may write one element, and which holds rubbish before."""

    def __init__(self, size: int) -> None:
        self.values, self.written, self.thread = np.zeros(size), np.zeros(size, bool), 0
        self.size, self.shape = size, (size,)

    def __len__(self) -> int:
        return self.size

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python and NumPy look for these
            raise AttributeError(name)
        raise Hint(f"dx is memory, as behind a pointer in C: there is dx[i], and no dx.{name}.")

    def _place(self, key: Any, verb: str) -> int:
        if isinstance(key, slice):
            raise _Foreign("A thread may write only its own element, dx[i], and not a piece of dx.")
        if not isinstance(key, int | np.integer):
            raise _Foreign(f"dx is one row of numbers: expected dx[i], your code has dx[{key}].")
        if not 0 <= key < self.size:
            raise _Foreign(
                f"Thread {self.thread} {verb} dx[{key}], which is outside: there are {self.size} "
                "elements. A thread may write only its own, dx[i]."
            )
        if key != self.thread:
            raise _Foreign(
                f"Thread {self.thread} {verb} dx[{key}], which belongs to thread {key}. A thread "
                "may write only its own element. So do not ask where a window's gradient goes: ask "
                "which windows could have this pixel as their winner."
            )
        return int(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        place = self._place(key, "writes")
        self.values[place], self.written[place] = value, True

    def __getitem__(self, key: Any) -> Any:
        place = self._place(key, "reads")
        if not self.written[place]:
            raise _Rubbish(
                f"Thread {place} reads dx[{place}] before it has written it (+= reads, too). The "
                "memory holds what was there before: add up in a variable of the thread."
            )
        return self.values[place]


class _Windows(np.ndarray[Any, Any]):
    """An array of windows in which no index may lie outside."""

    def __getitem__(self, key: Any) -> Any:
        pair = isinstance(key, tuple) and all(isinstance(k, int | np.integer) for k in key)
        if pair and not all(0 <= k < size for k, size in zip(key, self.shape, strict=False)):
            window = tuple(int(k) for k in key)
            raise Hint(
                f"A thread asks for window {window}, and there are {self.shape[0]} x "
                f"{self.shape[1]}. In CUDA C that reads somebody else's memory: check both ends."
            )
        return super().__getitem__(key)


@exercise
def pool_backward_thread(learner: Function) -> None:
    """pool_backward_thread(i, dx, grad, winners, width, size, stride): writes dx[i] only."""
    for seed, (height, width), size, stride in (
        (0, (4, 6), 2, 2), (1, (7, 9), 3, 2), (2, (8, 6), 3, 2), (3, (5, 7), 3, 1),
    ):  # fmt: skip
        rng = generator(seed)
        x = rng.permutation(height * width).reshape(1, 1, height, width).astype(float)
        y, won = max_pool2d_forward(x, (size, size), (stride, stride))
        assert won is not None
        grad, winners = rng.standard_normal(y.shape), won.astype(int)
        dx = max_pool2d_backward(grad, won, x.shape, (size, size), (stride, stride))[0, 0]
        numbers = width, size, stride
        order = rng.permutation(height * width)  # on a GPU nobody says which comes first
        got = _launched(learner, order, grad[0, 0], winners[0, 0], numbers).reshape(dx.shape)
        if close(got, dx):
            continue
        case = f"For a {height}x{width} map, size {size}, stride {stride}: "
        for rule, hint in _WRONG_RULES.items():
            if close(got, _gathered(grad[0, 0], winners[0, 0], dx.shape, size, stride, rule)):
                raise Hint(case + hint)
        for rule, hint in _WRONG_TAPS.items():
            if close(got, _asked(grad[0, 0], winners[0, 0], dx.shape, size, stride, rule)):
                raise Hint(case + hint)
        raise Hint(
            f"{case}the right element is written, with a wrong number. Window (y, x) sees pixel "
            "(row, column) as its tap (u, v) if row = y * stride + u and column = x * stride + v."
        )


def _launched(
    learner: Function, order: Any, grad: Any, winners: Any, numbers: tuple[int, int, int]
) -> Any:
    """What the threads write. Raises Hint for the first mistake; a foreign element goes first: a
    scatter makes other mistakes, too, but this is why it is one. Then comes a += into rubbish:
    its cure cures a missing 0, too."""
    memory, mistakes = _Own(len(order)), []
    given = {"grad": grad.copy().view(_Windows), "winners": winners.copy().view(_Windows)}
    for i in map(int, order):
        memory.thread = i
        try:
            returned = learner(i, memory, *given.values(), *numbers)
            if not memory.written[i] and returned is not None:
                raise Hint(
                    f"Thread {i} returns a number and writes nothing. Nobody takes what a thread "
                    "returns: it leaves its number in dx[i]."
                )
            if not memory.written[i]:
                raise Hint(
                    f"Thread {i} writes nothing. Every thread has to write its element, also a 0: "
                    "the memory is not empty by itself."
                )
        except _Foreign:
            raise
        except Hint as mistake:
            mistakes.append(mistake)
        for name, right in (("grad", grad), ("winners", winners)):
            if not np.array_equal(given[name], right):
                raise Hint(f"Thread {i} changes {name}, which all threads read: it is input only.")
    if mistakes:
        raise next((m for m in mistakes if isinstance(m, _Rubbish)), mistakes[0])
    return memory.values


_BETWEEN = (
    "some pixels get the gradient of windows that do not begin at a multiple of stride. If row - u "
    "is not divisible by stride, there is no such window; the same holds for columns."
)
_ONE_WINDOW = "right for pixels that win one window; a pixel can win several, and gets the sum."
_WRONG_RULES = {
    "everyone": (
        "each pixel gets the gradient of every window that it lies in. Only the winner gets it: "
        "what do you compare with winners[y, x]?"
    ),
    "swapped": "the tap's number is u * size + v: rows first.",
    "between": _BETWEEN,
    "between rows": _BETWEEN,
    "between columns": _BETWEEN,
    "first": _ONE_WINDOW,
    "last": _ONE_WINDOW,
    "largest": "one that wins several windows gets the sum of their gradients, not the largest.",
    "count": "you count the windows that a pixel won; dx is the sum of their gradients.",
    "pixel": (
        "you compare winners[y, x] with the number of a pixel. It is the number of a tap in its "
        "window, u * size + v."
    ),
    "undivided": (
        "window y begins in row y * stride, so it sees the pixel as its tap u if "
        "y * stride + u = row. Solve it for y; the same holds for columns."
    ),
}


def _gathered(
    grad: Any, winners: Any, shape: tuple[int, ...], size: int, stride: int, rule: str
) -> np.ndarray[Any, Any]:
    """dx by a wrong rule."""
    dx = np.zeros(shape)
    step = 1 if rule == "undivided" else stride
    for row, column in np.ndindex(*shape):
        shares = []
        for u, v in np.ndindex(size, size):
            y, x = (row - u) // step, (column - v) // step
            fits = ((row - u) % step == 0 or rule in ("between", "between rows")) and (
                (column - v) % step == 0 or rule in ("between", "between columns")
            )
            if not (0 <= y < grad.shape[0] and 0 <= x < grad.shape[1]):
                continue
            number = {"swapped": v * size + u, "pixel": row * shape[1] + column}
            won = rule == "everyone" or winners[y, x] == number.get(rule, u * size + v)
            if won and fits:
                shares.append(grad[y, x])
        dx[row, column] = _TOTALS.get(rule, sum)(shares)
    return dx


_OUTSIDE = (
    "some pixels get the gradient of windows that they do not lie in. The tap is u = row - y * "
    "stride: which u does a window have? The same holds for v."
)
_WRONG_TAPS = {
    "none": _OUTSIDE,
    "rows": _OUTSIDE,
    "one more": _OUTSIDE + " (size itself is one too many.)",
    "pixel": _WRONG_RULES["pixel"],
    "turned": "i is row * width + column: what do i // width and i % width give?",
    "3 and 2": "size and stride are arguments; the network's 3 and 2 are only one case.",
}


def _asked(
    grad: Any, winners: Any, shape: tuple[int, ...], size: int, stride: int, rule: str
) -> np.ndarray[Any, Any]:
    """dx by a wrong rule of a thread that asks every window."""
    dx = np.zeros(shape)
    if rule == "3 and 2":
        size, stride = 3, 2
    y, x = np.indices(grad.shape)
    for i in range(dx.size):
        row, column = divmod(i, shape[1])
        if rule == "turned":
            row, column = column, row
        u, v = row - y * stride, column - x * stride
        last = size if rule == "one more" else size - 1
        rows, columns = (u >= 0) & (u <= last), (v >= 0) & (v <= last)
        inside = {"none": True, "pixel": True, "rows": rows}.get(rule, rows & columns)
        won = winners == (i if rule == "pixel" else u * size + v)
        dx.flat[i] = grad[won & inside].sum()
    return dx


_TOTALS: dict[str, Callable[[list[Any]], Any]] = {
    "first": lambda shares: sum(shares[:1]),
    "last": lambda shares: sum(shares[-1:]),
    "largest": lambda shares: max(shares, default=0),
    "count": len,
}


# ----- exercise 3 -----


def whose_thread(learner: Function) -> tuple[Function, str]:
    """The thread of max-pooling's backward, and whose it is: the learner's, once it is right."""
    ours = "ours: yours is not right yet"
    return pool_backward_thread.chosen(learner, _pool_backward_thread, "yours", ours)


def _pool_backward_thread(
    i: int, dx: Any, grad: Any, winners: Any, width: int, size: int, stride: int
) -> None:
    row, column = divmod(i, width)
    taps = ((row - u, column - v, u * size + v) for u in range(size) for v in range(size))
    total = 0.0
    for down, along, tap in taps:
        y, x = down // stride, along // stride
        inside = 0 <= y < grad.shape[0] and 0 <= x < grad.shape[1]
        if inside and down % stride == along % stride == 0 and winners[y, x] == tap:
            total += grad[y, x]
    dx[i] = total
