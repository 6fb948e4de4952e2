"""The learner's functions in the place of minigrad's: "Your code is the network".

    yours.plug("05_pooling", globals())     # at the end of a lesson: judged, plugged in, compared
    mine = yours.collect(".")               # the functions of all lessons, for the capstone

The table of what stands in the place of what is in `parts.py` (operations) and `pieces.py` (what
has no backward). `halves.py` takes the learner's functions of one image to whole batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .collected import Yours, collect, ready_made
from .parts import PARTS, Way
from .pieces import PIECES
from .plugged import RIGHT, Plugged, compare_piece, compare_way, judged, lessons, state_of_piece

__all__ = ["Yours", "collect", "plug", "ready_made"]


def plug(lesson: str, namespace: Mapping[str, Any]) -> None:
    """Judge the learner's functions of a lesson (in `namespace`, as globals()), put those that are
    right in the place of minigrad's, compare the two on the same inputs, and print a table.

    Times are printed for what is the learner's only, so that an unsolved notebook always prints
    the same.
    """
    if lesson not in lessons():
        raise ValueError(
            f"plug: lesson {lesson!r} gives the network no function; give one of "
            f"{', '.join(lessons())}"
        )
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
            name = piece.exercise
            state = state_of_piece(piece, verdicts[name], functions[name])
            if state == RIGHT:
                apart, mine, ready = compare_piece(piece, there[name])
                rows.append((name, f"your {name}", _apart(apart)))
                timed.append((name, mine, ready))
            else:
                rows.append((name, _ready({name: state}, (name,)), ""))
    _print(rows, timed)


def _rows_of(
    plugged: Plugged, verdicts: Mapping[str, str]
) -> tuple[list[tuple[str, str, str]], list[tuple[str, float, float]]]:
    """The lines of an operation: one for each way that could be the learner's."""
    part, rows, timed = plugged.part, [], []
    for number, (half, ways) in enumerate(
        (("forward", part.forwards), ("backward", part.backwards or part.forwards))
    ):
        name, exercises = f"{part.name} {half}", [way.exercise for way in ways]
        states = {e: plugged.stopped.get(f"{half} {e}", verdicts[e]) for e in exercises}
        if not ways:
            rows.append((name, "ready-made (no exercise asks for it)", ""))
        elif all(states[exercise] != RIGHT for exercise in exercises):
            rows.append((name, _ready(states, exercises), ""))
        else:
            for way in ways:
                row, times = _row_of(plugged, number, way, states[way.exercise])
                rows.append(row)
                timed += times
    return rows, timed


def _row_of(
    plugged: Plugged, number: int, way: Way, state: str
) -> tuple[tuple[str, str, str], list[tuple[str, float, float]]]:
    """The line of one way to compute a half, and its times if it is right."""
    half, exercise = ("forward", "backward")[number], way.exercise
    name = f"{plugged.part.name} {half}"
    if state != RIGHT:
        return (name, f"ready-made ({exercise} {state})", ""), []
    in_forward = not plugged.part.backwards  # which has computed the gradient already
    compared = compare_way(
        plugged.part, "forward" if in_forward else half, way, plugged.functions[exercise]
    )
    apart = _apart(compared.backward if number else max(compared.forward, compared.backward))
    title = f"{name}, {exercise}" if len(plugged.part.exercises) > 2 else name
    seconds, ready = compared.seconds[number], compared.ready_seconds[number]
    return (name, f"your {exercise}", apart), [(title, seconds, ready)]


def _ready(states: Mapping[str, str], exercises: Sequence[str]) -> str:
    """Why minigrad's stays: what each of the functions that could take its place still is."""
    why = [
        f"{' and '.join(name for name in exercises if states[name] == kind)} {kind}"
        for kind in dict.fromkeys(states[name] for name in exercises)
    ]
    return f"ready-made ({', '.join(why)})"


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
