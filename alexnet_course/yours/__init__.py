"""The learner's functions in the place of minigrad's: "Your code is the network".

    yours.plug("05_pooling", globals())     # at the end of a lesson: judged, plugged in, compared
    mine = yours.collect(".")               # the functions of all lessons, for the capstone

The table of what stands in the place of what is in `parts.py` (operations) and `pieces.py` (what
has no backward). `halves.py` takes the learner's functions of one image to whole batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minigrad import names

from .collected import Yours, collect, ready_made
from .parts import PARTS
from .pieces import PIECES
from .plugged import RIGHT, Plugged, compare_piece, compare_way, judged, lessons

__all__ = ["Yours", "collect", "plug", "ready_made"]


def plug(lesson: str, namespace: Mapping[str, Any]) -> None:
    """Judge the learner's functions of a lesson (in `namespace`, as globals()), put those that are
    right in the place of minigrad's, compare the two on the same inputs, and print a table.

    Times are printed for what is the learner's only, so that an unsolved notebook always prints
    the same.
    """
    if lesson not in lessons():
        raise ValueError(names.unknown("lesson", lesson, lessons()))
    functions = {name: namespace.get(name) for name in lessons()[lesson]}
    functions = {name: f if callable(f) else None for name, f in functions.items()}
    verdicts = {name: judged(lesson, name, f) for name, f in functions.items()}
    there = {name: f for name, f in functions.items() if f is not None}
    rows, timed = [], []
    for part in PARTS:
        if part.lesson == lesson:
            plugged = Plugged(part, verdicts, there)
            found, seconds = _rows_of(plugged, verdicts)
            rows += found
            timed += seconds
    for piece in PIECES:
        if piece.lesson == lesson:
            if verdicts[piece.exercise] == RIGHT:
                apart, mine, ready = compare_piece(piece, there[piece.exercise])
                rows.append((piece.exercise, f"your {piece.exercise}", _apart(apart)))
                timed.append((piece.exercise, mine, ready))
            else:
                rows.append((piece.exercise, f"ready-made ({verdicts[piece.exercise]})", ""))
    _print(rows, timed)


def _rows_of(
    plugged: Plugged, verdicts: Mapping[str, str]
) -> tuple[list[tuple[str, str, str]], list[tuple[str, float, float]]]:
    """The lines of an operation: one for each way that could be the learner's."""
    part, rows, timed = plugged.part, [], []
    for number, (half, ways) in enumerate(
        (("forward", part.forwards), ("backward", part.backwards))
    ):
        name = f"{part.name} {half}"
        if not ways and number == 0:
            rows.append((name, "ready-made (no exercise asks for it)", ""))
        for way in ways:
            exercise = way.exercise
            if verdicts[exercise] != RIGHT or exercise in plugged.stopped:
                state = plugged.stopped.get(exercise, verdicts[exercise])
                rows.append((name, f"ready-made ({exercise} {state})", ""))
                continue
            compared = compare_way(part, half, way, plugged.functions[exercise])
            apart = max(compared.forward, compared.backward)
            rows.append((name, f"your {exercise}", _apart(apart)))
            title = f"{name}, {exercise}" if len(ways) > 1 else name
            timed.append((title, compared.seconds[number], compared.ready_seconds[number]))
    return rows, timed


def _apart(difference: float) -> str:
    if difference == 0:
        return "the same"
    return f"differs by {difference:.0e}"


def _print(rows: list[tuple[str, str, str]], timed: list[tuple[str, float, float]]) -> None:
    wide = max(len(row[0]) for row in (*rows, *timed))
    for name, whose, apart in rows:
        print(f"{name:{wide}}  {whose}{f', {apart}' if apart else ''}")
    mine = sum(1 for _, _, apart in rows if apart)
    print(f"\n{mine} of {len(rows)} {'is' if mine == 1 else 'are'} yours.", end="")
    if not timed:
        print(" Fill in an exercise above, then run this cell again.")
        return
    print(" (Difference: the largest, as a part of the largest number; 1e-16 is rounding.)\n")
    print("Milliseconds for a few images, on this machine just now:")
    for name, seconds, ready in timed:
        print(f"{name:{wide}}  {1000 * seconds:8.3f} yours  {1000 * ready:8.3f} ready-made")
