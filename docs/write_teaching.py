"""Write the parts of docs/teaching.md that lessons and checks say themselves: hours and mistakes.

    python docs/write_teaching.py

The hours are the minutes that a lesson's head states. For the mistakes it gives every wrong answer
of tests/alexnet_course/wrong_answers to its check, and keeps the sentence of the hint that the
tests ask for. tests/docs/test_teaching.py holds the page to both. Takes half a minute.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/teaching.md"
PART = re.compile(r"(<!-- mistakes: [^>]*-->\n).*?(<!-- end -->)", re.DOTALL)
HOURS = re.compile(r"^(\| (\d+) [^|]+\|) *[\d.]+ *(\|[^|]+\|)$", re.MULTILINE)  # a row of the table
SOLUTIONS = ROOT / "notebooks/source/solutions"


def minutes(lesson: Path) -> int:
    """What its head states: "About 45 minutes: 20 to read, 20 for ...", "About an hour: ...", or
    "About 40 minutes to read, 25 for ...", which is the sum."""
    head = re.sub(r"\n# ?", " ", lesson.read_text("utf-8").partition("# %%\n")[0])
    found = re.search(r"About (an hour|\d+)( minutes)?(:| to read,)(.*?)\.", head)
    if found is None:
        raise SystemExit(f"{lesson}: its head does not say how long it takes")
    whole = 60 if found[1] == "an hour" else int(found[1])
    further = re.search(r"(\d+) for", found[4])
    return whole if found[3] == ":" or further is None else whole + int(further[1])


def hours(text: str) -> str:
    """The page with each lesson's hours in its row of the table."""
    lessons = {int(p.name[:2]): p for p in sorted(SOLUTIONS.parent.glob("[0-9]*.py"))}
    return HOURS.sub(
        lambda row: f"{row[1]} {round(minutes(lessons[int(row[2])]) / 60, 1):g} {row[3]}", text
    )


def wrong_answers() -> Iterator[tuple[str, str, str, Any]]:
    """Lesson, function of the solution, words of the hint, and the edits, of each."""
    for path in sorted((ROOT / "tests/alexnet_course/wrong_answers").glob("[0-9]*.py")):
        for function, answers in runpy.run_path(str(path))["WRONG"].items():
            for *edits, words in answers:
                yield path.stem, function, words, edits


def sentence(lesson: str, function: str, words: str, edits: Any) -> str:
    """The sentence with these words in the hint that the edited solution gets."""
    text = (SOLUTIONS / f"{lesson}.py").read_text("utf-8")
    for old, new in [tuple(edits)] if isinstance(edits[0], str) else edits[0]:
        text = text.replace(old, new)
    namespace: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(re.sub(r"^check\..*$", "", text, flags=re.MULTILINE), namespace)
    checks = importlib.import_module(f"alexnet_course.n{lesson}")
    exercise = getattr(checks, function.partition("_by_")[0])
    said = exercise.verdict(namespace[function])
    hint = re.split("not (?:yet|so)[.] ", said, maxsplit=1)[-1]
    parts = re.split(r"(?<=[.?!]) (?=[A-Z])", hint)
    return next((part for part in parts if words.strip() in part), hint)


def mistakes() -> str:
    """A part for each exercise, which opens; a line in it for each hint."""
    known: dict[tuple[str, str], dict[str, None]] = {}
    for lesson, function, words, edits in wrong_answers():
        hints = known.setdefault((lesson, function.partition("_by_")[0]), {})
        hints[sentence(lesson, function, words, edits)] = None
    lines = []
    for (lesson, exercise), hints in known.items():
        about = f"{int(lesson[:2])}, <code>{exercise}</code>: {len(hints)} hints"
        lines += ["", f"<details><summary>{about}</summary>", ""]
        lines += [f"- {escaped(hint)}" for hint in hints]
        lines += ["", "</details>"]
    return "\n".join([*lines, "", ""])


def escaped(text: str) -> str:
    """Without the meaning that some characters have in Markdown."""
    return re.sub(r"([|*_<>`\[\]\\])", r"\\\1", text)


def main() -> None:
    sys.path.insert(0, str(ROOT))
    text = hours(PAGE.read_text("utf-8"))
    PAGE.write_text(PART.sub(lambda found: f"{found[1]}{mistakes()}{found[2]}", text), "utf-8")


if __name__ == "__main__":
    main()
