"""Places for the nodes of a graph: columns in the order of computing, few crossings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

Place = tuple[int, float]  # column, row
SWEEPS = 4  # over the columns, there and back; small graphs are settled after two


def places(count: int, arrows: Sequence[tuple[int, int]]) -> tuple[list[Place], list[list[Place]]]:
    """Where nodes 0 ... count - 1 stand, and the way of each arrow (source, target) past them.

    Nodes are numbered so that every source is smaller than its target. A way is the places that
    the arrow goes through between its ends: one in each column that it crosses.
    """
    columns = _columns(count, arrows)
    # An arrow over several columns becomes a chain of points that take up room like nodes.
    points = list(columns)
    links: list[tuple[int, int]] = []
    ways: list[list[int]] = []
    for source, target in arrows:
        way = list(range(len(points), len(points) + columns[target] - columns[source] - 1))
        points += range(columns[source] + 1, columns[target])
        chain = [source, *way, target]
        links += pairwise(chain)
        ways.append(way)
    rows = _rows(points, links)
    at = list(zip(points, rows, strict=True))
    return at[:count], [[at[point] for point in way] for way in ways]


def _columns(count: int, arrows: Sequence[tuple[int, int]]) -> list[int]:
    """One more than the last input's; what has no inputs stands just before its first user."""
    columns = [0] * count
    for source, target in sorted(arrows, key=lambda arrow: arrow[1]):
        columns[target] = max(columns[target], columns[source] + 1)
    has_inputs = {target for _, target in arrows}
    for node in range(count):
        users = [columns[target] for source, target in arrows if source == node]
        if node not in has_inputs and users:
            columns[node] = min(users) - 1
    return columns


def _rows(columns: Sequence[int], links: Sequence[tuple[int, int]]) -> list[float]:
    """Rows within the columns: each point near the middle of those it is linked to."""
    near: defaultdict[int, list[int]] = defaultdict(list)
    for source, target in links:
        near[source].append(target)
        near[target].append(source)
    members: defaultdict[int, list[int]] = defaultdict(list)
    for point, column in enumerate(columns):
        members[column].append(point)
    rows = [0.0] * len(columns)
    there = sorted(members)
    for column in there:
        _spread(members[column], rows)
    for sweep in range(2 * SWEEPS):
        step = 1 if sweep % 2 else -1  # the column that was settled just before
        for column in there if step == -1 else reversed(there):
            wanted = {}
            for point in members[column]:
                others = [rows[o] for o in near[point] if columns[o] == column + step]
                wanted[point] = sum(others) / len(others) if others else rows[point]
            members[column].sort(key=wanted.__getitem__)
            _spread(members[column], rows)
    return rows


def _spread(points: Sequence[int], rows: list[float]) -> None:
    """One row each, the column's middle at 0."""
    for place, point in enumerate(points):
        rows[point] = place - (len(points) - 1) / 2
