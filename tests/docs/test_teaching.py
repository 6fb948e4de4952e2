"""docs/teaching.md knows every lesson, every exercise, and every mistake that the checks know."""

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

from alexnet_course.grading.grade import exercises_of
from alexnet_scratch.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/teaching.md").read_text("utf-8")
LESSONS = sorted(path.stem for path in ROOT.glob("notebooks/source/[0-9]*.py"))


@pytest.fixture(scope="module")
def writer():
    spec = importlib.util.spec_from_file_location("write_teaching", ROOT / "docs/write_teaching.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def part(title):
    """The part of the page with this heading."""
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_has_its_hours(lesson):
    assert re.search(rf"^\| {int(lesson[:2])} [A-Z]", part("Hours"), re.MULTILINE)


def test_the_hours_are_those_of_the_lessons(writer):
    """Otherwise: python docs/write_teaching.py"""
    assert writer.hours(PAGE) == PAGE
    assert writer.minutes(ROOT / "notebooks/source/19_after_2012.py") == 60
    assert writer.minutes(ROOT / "notebooks/source/20_your_alexnet.py") == 45


def test_every_mistake_is_told_with_its_hint(writer):
    """Otherwise: python docs/write_teaching.py"""
    told = {}
    for block in part("Which check catches which mistake").split("<details>")[1:]:
        name = re.search(r"<code>(\w+)</code>", block)[1]
        told[name] = told.get(name, "") + re.sub(r"\\(.)", r"\1", block)
    for _, function, words, _ in writer.wrong_answers():
        exercise = function.partition("_by_")[0]
        assert words.strip() in told.get(exercise, ""), f"{exercise}: {words}"


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_exercise_is_there(lesson):
    checks = importlib.import_module(f"alexnet_course.n{lesson}")
    for exercise in exercises_of(checks):
        assert f"<code>{exercise.name}</code>" in PAGE


def test_a_topic_s_lesson_is_one_of_the_table():
    numbers = {int(n) for n in re.findall(r"^\| (\d+) [A-Z]", part("Hours"), re.MULTILINE)}
    assert numbers == set(range(21))
    rows = re.findall(r"^\| .* \| ([^|]*) \|$", part("Every topic, and its lesson"), re.MULTILINE)
    assert len(rows) > 25
    for row in rows:
        named = {int(n) for n in re.findall(r"\b\d+\b", row)}
        assert row == "lesson" or (named and named <= numbers), row


def test_the_flags_it_names_are_there(capsys):
    for command in ("grade", "assign"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
    help_of_both = capsys.readouterr().out
    flags = set(re.findall(r"(--[a-z-]+)", part("Grading") + part("Other graders")))
    assert flags - set(re.findall(r"(--[a-z-]+)", help_of_both)) == set()
