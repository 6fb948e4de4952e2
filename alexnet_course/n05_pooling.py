"""Checks of notebook 05, pooling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from minigrad.kernels.pool import max_pool2d_backward, max_pool2d_forward

from .checks import Function, Hint, close, exercise, generator, result_for_case
from .questions import Number


class _Case(NamedTuple):
    """A pooling to try: of a map of this shape."""

    shape: tuple[int, int]
    size: int
    stride: int

    def __str__(self) -> str:
        return f"For a map of shape {self.shape}, size {self.size} and stride {self.stride}"


# Windows side by side; gaps between them; overlap; rows and columns left over; a step of one pixel.
_CASES = (
    _Case((6, 8), 2, 2),
    _Case((11, 8), 2, 3),
    _Case((7, 7), 3, 2),
    _Case((8, 6), 3, 2),
    _Case((5, 7), 3, 1),
)
# One window with two equal pixels, and the tap that wins. Of those of the first map, rows and
# columns lead to the same one first; of those of the second they do not.
_TIES = (
    ([[0.0, 9.0, 0.0], [0.0, 0.0, 9.0], [0.0, 0.0, 0.0]], 1),
    ([[0.0, 9.0, 0.0], [9.0, 0.0, 0.0], [0.0, 0.0, 0.0]], 1),
    ([[0.0, 0.0, 0.0], [9.0, 0.0, 9.0], [0.0, 0.0, 0.0]], 3),
)
_PLACES = (
    "window (i, j) begins at (i * stride, j * stride), and tap t lies t // size rows and t % size "
    "columns on."
)


def _map(seed: int, case: _Case) -> np.ndarray:
    """A map of numbers with fractions, no two equal, most of them negative."""
    return generator(seed).uniform(-20, 5, case.shape)


def _pooled(x: np.ndarray, size: int, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """minigrad's max-pooling of one map, and its winners as tap numbers."""
    y, winners = max_pool2d_forward(x[None, None], (size, size), (stride, stride))
    assert winners is not None
    return y[0, 0], winners[0, 0]


def _backward(grad: np.ndarray, winners: np.ndarray, case: _Case) -> np.ndarray:
    dx = max_pool2d_backward(
        grad[None, None], winners[None, None], (1, 1, *case.shape), (case.size, case.size),
        (case.stride, case.stride),
    )  # fmt: skip
    return np.asarray(dx[0, 0])


def _numbers(name: str, value: Any) -> np.ndarray:
    """A map that the learner's function returns, as an array."""
    try:
        got = np.asarray(value)
    except ValueError:
        raise Hint(f"The rows of {name} are not equally long.") from None
    if got.dtype.kind not in "biuf":
        raise Hint(f"{name} has dtype {got.dtype}: it should hold numbers.")
    return got


@exercise
def pool_forward(learner: Function) -> None:
    """pool_forward(x, size, stride) -> (y, winners), for a map x (H, W)."""
    for seed, case in enumerate(_CASES):
        x = _map(seed, case)
        y, winners = _pooled(x, case.size, case.stride)
        got_y, got_winners = _forward_of(learner, x, case)
        _check_y(got_y, y, x, case)
        _check_winners(got_winners, winners, x, case)
    for rows, first in _TIES:
        x = np.array(rows)
        _, got_winners = _forward_of(learner, x, _Case((3, 3), 3, 1))
        _check_tie(int(got_winners[0, 0]), first, x)


def _forward_of(learner: Function, x: np.ndarray, case: _Case) -> tuple[np.ndarray, np.ndarray]:
    """What the learner's function returns: y and winners, with the shapes that they should have."""
    y, _ = _pooled(x, case.size, case.stride)
    question = "Does each window begin at (i * stride, j * stride), and end inside the map?"
    got = result_for_case(learner, (x, case.size, case.stride), case, question=question)
    if isinstance(got, np.ndarray) and got.ndim == 3:
        got = tuple(got)
    if not isinstance(got, tuple) or len(got) != 2:
        raise Hint("Expected two things, in this order: y and the winners.")
    got_y, got_winners = _numbers("y", got[0]), _numbers("winners", got[1])
    if got_winners.shape == y.shape and close(got_winners, y):
        raise Hint("y comes second: return first y, then the winners.")
    if got_y.shape == (y.size,):
        raise Hint(
            f"{case}, y has one number for each window, but in one row: expected {y.shape}, rows "
            "and columns of windows."
        )
    if got_y.shape != y.shape:
        raise Hint(
            f"{case}, y has shape {got_y.shape}, expected {y.shape}: the last window must still "
            "fit, so there are (H - size) // stride + 1 rows, and likewise "
            "(W - size) // stride + 1 columns."
        )
    if got_winners.shape != y.shape:
        raise Hint(
            f"{case}, winners has shape {got_winners.shape}, expected {y.shape}: one number for "
            "each window, u * size + v."
        )
    return got_y, got_winners


def _windows(x: np.ndarray, case: _Case) -> np.ndarray:
    """The windows of a map, (oh, ow, size * size)."""
    view = np.lib.stride_tricks.sliding_window_view(x, (case.size, case.size))
    view = view[:: case.stride, :: case.stride]
    return view.reshape(*view.shape[:2], -1)


def _check_y(got: np.ndarray, y: np.ndarray, x: np.ndarray, case: _Case) -> None:
    if close(got, y):
        return
    windows = _windows(x, case)
    rows, columns = y.shape
    for wrong, words in (
        (windows.mean(2), "y is the mean of each window: keep the largest."),
        (windows.sum(2), "y is the sum of each window: keep the largest."),
        (windows.min(2), "y is the smallest of each window: keep the largest."),
        (abs(windows).max(2), "y is the largest size |x|: -20 is less than 3, so signs count."),
        (
            _windows(x, case._replace(stride=1))[:rows, :columns].max(2),
            "The windows move by one pixel: window (i, j) begins at (i * stride, j * stride).",
        ),
    ):
        if wrong.shape == got.shape and close(got, wrong):
            raise Hint(words)
    if got.dtype.kind in "biu":
        raise Hint(f"y has whole numbers (dtype {got.dtype}): make it with dtype float.")
    if close(got, np.maximum(y, 0)):
        raise Hint("Negative maxima come out as 0: where does your maximum begin? At -infinity.")
    i, j = _first_wrong(got, y)
    raise Hint(
        f"{case}, y[{i}, {j}] is {got[i, j]:.4g}, expected {y[i, j]:.4g}: which pixels does "
        f"window ({i}, {j}) cover, and which of them is the largest?"
    )


def _check_winners(got: np.ndarray, winners: np.ndarray, x: np.ndarray, case: _Case) -> None:
    if close(got, winners):
        return
    corner = np.indices(winners.shape) * case.stride
    row, column = corner[0] + winners // case.size, corner[1] + winners % case.size
    if close(got, row * x.shape[1] + column):
        raise Hint(
            "The winners are places in the whole map: number the taps within each window, from 0 "
            "to size * size - 1."
        )
    if close(got, winners % case.size * case.size + winners // case.size):
        raise Hint("The winners count down the columns: count along the rows, u * size + v.")
    if close(got, winners + 1):
        raise Hint("The winners are counted from 1: the first tap of a window is number 0.")
    i, j = _first_wrong(got, winners)
    u, v = divmod(int(winners[i, j]), case.size)
    raise Hint(
        f"y is right and the winners are not. {case}, winners[{i}, {j}] is {got[i, j]:g}; the "
        f"largest value of this window is in its row u = {u} and its column v = {v}: number the "
        "taps u * size + v."
    )


def _first_wrong(got: np.ndarray, expected: np.ndarray) -> tuple[int, int]:
    wrong = ~(np.abs(got - expected) <= 1e-6 * np.abs(expected).max())
    i, j = np.argwhere(wrong)[0]
    return int(i), int(j)


def _check_tie(got: int, first: int, x: np.ndarray) -> None:
    if got == first:
        return
    if (got, first) == (5, 1):
        raise Hint(
            "When two pixels tie, the last one wins: does your test say >= where it should say >?"
        )
    raise Hint(
        f"In x = {x.astype(int).tolist()}, tap {got} wins, expected {first}. Among equal pixels "
        "the first in row order wins: u in the outer loop, v in the inner, both from 0 up."
    )


@exercise
def pool_backward(learner: Function) -> None:
    """pool_backward(grad, winners, shape, size, stride) -> dx (H, W)."""
    for seed, case in enumerate(_CASES, 10):
        y, winners = _pooled(_map(seed, case), case.size, case.stride)
        grad = generator(seed).standard_normal(y.shape)
        args = (grad, winners, case.shape, case.size, case.stride)
        got = result_for_case(learner, args, case, question=_PLACES.capitalize())
        _check_dx(_numbers("dx", got), grad, winners, case)


def _check_dx(got: np.ndarray, grad: np.ndarray, winners: np.ndarray, case: _Case) -> None:
    dx = _backward(grad, winners, case)
    if got.shape != dx.shape:
        raise Hint(f"It returns an array of shape {got.shape}, expected {dx.shape}.")
    if close(got, dx):
        return
    if got.dtype.kind in "biu":
        raise Hint(f"dx has whole numbers (dtype {got.dtype}): make it with dtype float.")
    wins = _backward(np.ones_like(grad), winners, case)
    if (wins == 1).any() and close(got[wins <= 1], dx[wins <= 1]):
        raise Hint(
            "Right wherever a pixel wins one window, wrong where it wins several: the gradients "
            "of all of them must be added (+=), not written (=). (With arrays of places, "
            "dx[rows, columns] += ... writes, too; np.add.at adds.)"
        )
    for wrong, words in _wrong_dxs(grad, winners, case):
        if close(got, wrong):
            raise Hint(words)
    if close(got.sum(), dx.sum()):
        raise Hint(f"The gradients arrive, but at the wrong pixels: {_PLACES}")
    raise Hint("The gradients that arrive do not add up to those that came in.")


def _wrong_dxs(
    grad: np.ndarray, winners: np.ndarray, case: _Case
) -> Iterator[tuple[np.ndarray, str]]:
    """What wrong backwards make, and the hints."""
    whole, largest, in_map, by_size = (np.zeros(case.shape) for _ in range(4))
    for i, j in np.ndindex(*grad.shape):
        u, v = divmod(int(winners[i, j]), case.size)
        row, column = i * case.stride, j * case.stride
        whole[row : row + case.size, column : column + case.size] += grad[i, j]
        place = row + u, column + v
        largest[place] = max(largest[place], grad[i, j])
        in_map[divmod(int(winners[i, j]), case.shape[1])] += grad[i, j]
        row, column = i * case.size + u, j * case.size + v
        if row < case.shape[0] and column < case.shape[1]:
            by_size[row, column] += grad[i, j]
    yield whole, "Every pixel of a window gets its gradient: only the one that won gets it."
    yield (
        whole / case.size**2,
        "The gradient is shared out among all pixels of the window: that is the backward of a "
        "mean. Here the winner gets it whole.",
    )
    yield (
        _backward(np.ones_like(grad), winners, case),
        "dx counts the windows that a pixel wins: how much does L grow with y[i, j]?",
    )
    yield largest, "A pixel that wins several windows gets the largest gradient: add them up."
    yield (
        in_map,
        "A tap is taken for a place in the whole map: it is counted within its window, which "
        "begins at (i * stride, j * stride).",
    )
    yield (
        by_size,
        "The gradients arrive, but at the wrong pixels: window (i, j) begins at (i * stride, "
        "j * stride), not at i * size or at a fixed step.",
    )
    yield -_backward(grad, winners, case), "Each gradient is subtracted: it must be added (+=)."
    yield _backward(np.abs(grad), winners, case), "The gradients have lost their signs."


largest_gradient = Number(
    "largest_gradient",
    4,
    "A pixel where two rows and two columns of windows overlap lies in four, and may win all four.",
    typical={
        1: "So it would be if windows did not overlap. A pixel may win several windows, and gets "
        "the sum.",
        2: "That is a pixel at an edge between two windows. At a corner more of them meet.",
        9: "No pixel lies in all nine windows: the first and the last do not touch.",
        3: "A pixel lies in one, two or four windows.",
        0.25: "The gradient is not shared out among windows: each gives the winner its whole 1.",
        2.25: "That would be 9 / 4, the mean number of windows over a pixel of a large map: the "
        "largest is asked for.",
    },
    small="How many windows may one pixel win? Look at the counts printed above.",
    large="How many windows does a pixel lie in at most? Look at the counts printed above.",
)

windows_with_a_tie = Number(
    "windows_with_a_tie",
    0.2,
    "Nine zeros are needed, and (1/2)^9 is 0.2%.",
    within=0.3,
    prediction=True,
    typical={
        50: "That is the share of zeros. For a tie the largest of the nine must be 0: all of them.",
        11: "That is one in nine. A tie needs all nine numbers to be 0.",
        100: "Some zeros are in nearly every window, but a tie is between the largest.",
        25: "That is two zeros out of two. All nine numbers of a window must be 0.",
    },
    small="A little more: all nine are 0 now and then.",
    large="Far fewer: the largest of nine numbers is 0 only if all nine are.",
)
