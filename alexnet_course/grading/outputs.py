"""What graded submissions are written as."""

from __future__ import annotations

import collections
import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .grade import Graded

FIELDS = (
    "student", "file", "lesson", "seed", "exercise", "score", "out_of", "verdict", "same_as",
)  # fmt: skip


def rows(graded: Sequence[Graded]) -> list[dict[str, Any]]:
    """A row for each exercise, one for a file that could not be graded."""
    found: list[dict[str, Any]] = []
    for one in graded:
        row = {"student": one.student, "file": one.file, "lesson": one.lesson, "seed": one.seed}
        if one.problem:
            found.append({**row, "exercise": "", "score": "", "out_of": "", "verdict": one.problem,
                          "same_as": ""})  # fmt: skip
        found += [
            {**row, "exercise": score.exercise, "score": int(score.right), "out_of": 1,
             "verdict": score.verdict, "same_as": "; ".join(score.same_as)}
            for score in one.scores
        ]  # fmt: skip
    return found


def write_csv(graded: Sequence[Graded], path: Path) -> None:
    """For a spreadsheet; what would be a formula there is kept from being one."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    for row in rows(graded):
        writer.writerow({key: _plain(value) for key, value in row.items()})
    path.write_text(text.getvalue(), encoding="utf-8")


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


def write_json(graded: Sequence[Graded], path: Path) -> None:
    """Everything, an object for each submission."""
    found = [
        {
            "student": one.student, "file": one.file, "lesson": one.lesson, "seed": one.seed,
            "score": one.points, "out_of": len(one.scores), "problem": one.problem or None,
            "sandbox": one.held, "seconds": round(one.seconds, 2),
            "exercises": [
                {"name": s.exercise, "right": s.right, "verdict": s.verdict,
                 "same_as": list(s.same_as)}
                for s in one.scores
            ],
        }
        for one in graded
    ]  # fmt: skip
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def gradescope(graded: Sequence[Graded]) -> dict[str, Any]:
    """What Gradescope reads of an autograder, /autograder/results/results.json: of one student."""
    tests = [
        {
            "name": f"{one.lesson}: {score.exercise}", "score": float(score.right),
            "max_score": 1.0, "status": "passed" if score.right else "failed",
            "output": score.verdict, "output_format": "text", "visibility": "visible",
        }
        for one in graded
        for score in one.scores
    ]  # fmt: skip
    problems = [one.problem for one in graded if one.problem]
    return dict(  # noqa: C408  (a literal would name the folder that nothing installed may name)
        score=sum(test["score"] for test in tests),
        output="\n".join(problems),
        output_format="text",
        execution_time=round(sum(one.seconds for one in graded), 2),
        stdout_visibility="hidden",
        tests=tests,
    )


def write_gradescope(graded: Sequence[Graded], path: Path) -> None:
    """Write `gradescope`."""
    path.write_text(json.dumps(gradescope(graded), indent=1) + "\n", encoding="utf-8")


def as_table(one: Graded) -> str:
    """A line for a submission, and one for each exercise that is not right."""
    name = f"{one.student:16}  {one.lesson:22}"
    if one.problem:
        return f"{name}  not graded: {one.problem}"
    lines = [f"{name}  {one.points} of {len(one.scores)}"]
    lines += [f"    {score.verdict}" for score in one.scores if not score.right]
    return "\n".join(lines)


def repeated(graded: Sequence[Graded]) -> dict[tuple[str, str], int]:
    """Of which student and lesson there are several notebooks, and how many."""
    counted = collections.Counter((one.student, one.lesson) for one in graded if one.lesson)
    return {key: number for key, number in counted.items() if number > 1}


def copies(graded: Sequence[Graded]) -> list[str]:
    """A line for each exercise in which several wrote the same code."""
    found: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for one in graded:
        for score in one.scores:
            if score.same_as:
                group = tuple(sorted({one.student, *score.same_as}))
                found.setdefault((one.lesson, score.exercise), set()).add(group)
    return [
        f"the same code, names aside, for {exercise} ({lesson}): {', '.join(group)}"
        for (lesson, exercise), groups in sorted(found.items())
        for group in sorted(groups)
    ]
