"""Submissions held to the checks of their lessons, each in a process of its own."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any, NamedTuple

from ..checks import Exercise, own_inputs
from ..questions import Question, done
from .confine import ROOT, Held
from .submission import (
    Submission,
    SubmissionError,
    fingerprint,
    given_statements,
    read,
    student_of,
)
from .wire import Closed, Peer, WireError, receive

NOTEBOOKS = ROOT / "notebooks"  # beside the packages, in a clone
START_SECONDS = 60  # for Python and NumPy to be loaded, on a machine with other work


class Limits(NamedTuple):
    """Of one submission: seconds for an exercise, MB of memory."""

    seconds: float = 30
    memory: int = 2048


class Score(NamedTuple):
    """What an exercise or a question got. `same_as`: who else wrote the same code."""

    exercise: str
    right: bool  # of a prediction: it was made
    verdict: str
    print: str = ""  # of the code, for copies
    same_as: tuple[str, ...] = ()


class Graded(NamedTuple):
    """What a submission got; `problem` is why it could not be graded."""

    student: str
    file: str
    lesson: str = ""
    seed: int | None = None
    scores: tuple[Score, ...] = ()
    problem: str = ""
    held: str = ""  # what kept its code in bounds
    seconds: float = 0.0

    well_held: bool = True  # by the system alone

    @property
    def points(self) -> int:
        """A point for each exercise and question that is right."""
        return sum(score.right for score in self.scores)


class Task(NamedTuple):
    """A file to grade, and how."""

    path: Path
    seed: int | None
    by_name: bool
    lesson: str | None
    limits: Limits


def grade_all(
    paths: Sequence[Path],
    seed: int | None = None,
    by_name: bool = False,
    lesson: str | None = None,
    limits: Limits | None = None,
    jobs: int = 1,
) -> Iterator[Graded]:
    """Grade notebooks, `jobs` at a time, in their order; the column of copies comes with
    `with_copies`.

    seed: the checks' inputs depend on it; by_name: on it and the student's name.
    lesson: of all of them, such as "04_convolution"; otherwise each says its own.
    """
    tasks = [Task(path, seed, by_name, lesson, limits or Limits()) for path in paths]
    if jobs <= 1:
        yield from map(grade, tasks)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(grade, tasks)


def grade(task: Task) -> Graded:
    """Grade one notebook."""
    start = perf_counter()
    try:
        submission = read(task.path)
        lesson = task.lesson or submission.lesson
        checks = checks_of(lesson, task.path)
    except SubmissionError as error:
        return Graded(student_of(task.path), str(task.path), problem=str(error))
    seed = seed_of(submission.student, task.seed) if task.by_name else task.seed
    result = Graded(submission.student, str(task.path), lesson, seed)
    try:
        with _Run(submission, checks, task.limits) as run, own_inputs(seed):
            scores = tuple(run.score(asked) for asked in asked_of(checks))
        well = run.held is None or all(run.held)
        result = result._replace(scores=scores, held=str(run.held or ""), well_held=well)
    except (WireError, OSError) as error:
        result = result._replace(problem=f"its process cannot be started: {error}")
    return result._replace(seconds=perf_counter() - start)


def seed_of(student: str, salt: int | None = None) -> int:
    """A student's own seed; with another salt another one."""
    return int(hashlib.sha256(f"{salt} {student}".encode()).hexdigest()[:8], 16)


def checks_of(lesson: str, path: Path) -> ModuleType:
    """The module with the checks of a lesson. Raises SubmissionError where there is none."""
    try:
        return importlib.import_module(f"alexnet_course.n{lesson}")
    except ModuleNotFoundError:
        raise SubmissionError(f"{path}: there is no lesson {lesson} in this course") from None


def exercises_of(checks: ModuleType) -> list[Exercise]:
    """The exercises of a lesson, in their order."""
    return [value for value in vars(checks).values() if isinstance(value, Exercise)]


def asked_of(checks: ModuleType) -> list[Exercise | Question]:
    """The exercises and the questions of a lesson, in their order."""
    return [value for value in vars(checks).values() if isinstance(value, Exercise | Question)]


# ----- one submission -----


class _Stopped(BaseException):
    """The learner's process is gone; no check may catch it."""


class _Run:
    """The checks of one submission, and the process that its functions run in."""

    def __init__(self, submission: Submission, checks: ModuleType, limits: Limits) -> None:
        self.held: Held | None = None
        self._submission, self._checks, self._limits = submission, checks, limits
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._given = frozenset[str]()
        with contextlib.suppress(SubmissionError):
            name = checks.__name__.rpartition(".n")[2]
            self._given = given_statements(read(NOTEBOOKS / f"{name}.ipynb"))

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def score(self, exercise: Exercise | Question) -> Score:
        """Hold one exercise, or one answer, to its check. A process that is gone is followed by
        another; what an exercise before has left in it may be to blame, so it is tried again."""
        name, program = exercise.name, self._submission.program(exercise.name)
        if broken := self._submission.broken_cell_of(name):
            return Score(name, False, f"{name}: cell {broken[0]} is no Python. {broken[1]}")
        if not program:
            return Score(name, False, f"{name}: there is nothing of this name.")
        question = isinstance(exercise, Question)
        mark = "" if question else fingerprint(program, self._given)
        fresh, verdict = False, ""
        while not (fresh or verdict):
            fresh = self._peer is None
            peer = self._peer or self._begin()
            try:
                with self._deadline(self._limits.seconds):
                    verdict = self._verdict(peer, exercise, program)
            except _Stopped as stopped:
                self._end()
                verdict = f"{name}: {stopped}" if fresh else ""
        right = done(verdict) if question else verdict == f"{name}: right."
        return Score(name, right, verdict, mark)

    def _verdict(self, peer: Peer, exercise: Exercise | Question, program: list[Any]) -> str:
        cells = self._submission.cells_of(program)
        try:
            function = _Guarded(peer.call(0, "__call__", (cells, exercise.name), {}), self._why)
        except WireError as error:
            raise _Stopped(self._why(error)) from None
        except Exception as error:
            line = getattr(error, "learner_line", "")
            where = f" (in the line: {line})" if line else ""
            return (
                f"{exercise.name}: a cell that it needs stopped with {type(error).__name__}: "
                f"{error}{where}"
            )
        if isinstance(exercise, Exercise) and not callable(function):
            return f"{exercise.name}: this is no function: {function!r:.60}"
        return exercise.verdict(function)

    # ----- the process -----

    _peer: Peer | None = None

    def _begin(self) -> Peer:
        self._folder = Path(tempfile.mkdtemp(prefix="submission_"))
        (self._folder / "home").mkdir()
        order = {
            "folder": str(self._folder), "memory": self._limits.memory << 20,
            "seconds": int(self._limits.seconds * 20) + START_SECONDS,
            "checks": self._checks.__name__,
        }  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.worker", json.dumps(order)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=_environment(self._folder), start_new_session=True, cwd=self._folder,
        )  # fmt: skip
        source, target = self._process.stdout, self._process.stdin
        assert source is not None
        assert target is not None
        self._peer = Peer(source, target, trusted=True)
        with self._deadline(START_SECONDS):
            self.held = Held(*receive(source)[0])
        return self._peer

    @contextlib.contextmanager
    def _deadline(self, seconds: float) -> Iterator[None]:
        """Stop the process when its time is up; what waits for it then sees that it has gone."""
        self._late = False

        def stop() -> None:
            self._late = True
            self._kill()

        timer = threading.Timer(seconds, stop)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _why(self, error: WireError) -> str:
        """Why a learner's process is gone."""
        if self._late:
            return f"stopped after {self._limits.seconds:g} seconds: does it end?"
        if not isinstance(error, Closed):
            return f"what its process sends cannot be read ({error})"
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        return (
            "the process ended in the middle of it "
            f"(exit status {self._process.returncode}): does the code exit, or take all memory?"
        )

    def _kill(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(OSError):
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)

    def _end(self) -> None:
        if self._process is not None:
            self._kill()
            self._process.wait()
            for file in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    assert file is not None
                    file.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._process = self._peer = self._folder = None


class _Guarded:
    """A learner's function, or another value of theirs; where its process goes, the check ends."""

    def __new__(cls, function: Any, why: Any) -> Any:
        return object.__new__(cls) if callable(function) else function

    def __init__(self, function: Any, why: Any) -> None:
        self._function, self._reason = function, why
        self.__name__ = getattr(function, "__name__", "")
        if hasattr(function, "__signature__"):
            self.__signature__ = function.__signature__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._function(*args, **kwargs)
        except WireError as error:
            raise _Stopped(self._reason(error)) from None


def _environment(folder: Path) -> dict[str, str]:
    """What the process sees of the environment: nothing of the teacher's."""
    kept = {k: os.environ[k] for k in ("PATH", "LANG", "SYSTEMROOT", "TZ") if k in os.environ}
    here = os.getcwd()  # on Python's path where it was started with -m; submissions may be there
    paths = [str(ROOT), *(p for p in sys.path if p and os.path.isdir(p) and p != here)]
    return kept | {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0", "HOME": str(folder / "home"), "TMPDIR": str(folder),
        "TEMP": str(folder), "MPLBACKEND": "agg", "MPLCONFIGDIR": str(folder / "home"),
        "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MINIGRAD_NUM_THREADS": "1",
    }  # fmt: skip


# ----- copies -----


def with_copies(graded: Sequence[Graded], solutions: bool = True) -> list[Graded]:
    """The results with who wrote the same code, names and layout aside, as somebody else; "the
    solution" is the course's own."""
    who: dict[tuple[str, str, str], list[str]] = {}
    for one in graded:
        for score in one.scores:
            who.setdefault((one.lesson, score.exercise, score.print), []).append(one.student)
    if solutions:
        for lesson in {one.lesson for one in graded if one.lesson}:
            for exercise, mark in solution_prints(lesson).items():
                who.setdefault((lesson, exercise, mark), []).append("the solution")
    result = []
    for one in graded:
        scores = []
        for score in one.scores:
            same = who[one.lesson, score.exercise, score.print] if score.print else []
            others = tuple(sorted(set(same) - {one.student}))
            scores.append(score._replace(same_as=others))
        result.append(one._replace(scores=tuple(scores)))
    return result


def solution_prints(lesson: str) -> dict[str, str]:
    """The course's own answers by exercise, where its notebooks are beside the packages."""
    try:
        solution = read(NOTEBOOKS / "solutions" / f"{lesson}.ipynb")
        given = given_statements(read(NOTEBOOKS / f"{lesson}.ipynb"))
    except SubmissionError:
        return {}
    names = [exercise.name for exercise in exercises_of(checks_of(lesson, NOTEBOOKS))]
    return {name: fingerprint(solution.program(name), given) for name in names}
