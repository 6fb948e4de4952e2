"""Grading: notebooks of others, whose code nobody has read, held to the checks of the course.

The check runs in a process that is trusted (`grade.py`); the learner's functions run in one of
their own (`worker.py`), which is confined (`confine.py`). The two exchange values (`wire.py`), so
that nothing that the learner's code does to its own process reaches a verdict: it may print, patch,
exit or write what it likes, and what counts is what its functions return. `submission.py` finds in
a notebook what has to run, `outputs.py` writes the results, `assignment.py` the lesson for other
graders.
"""
