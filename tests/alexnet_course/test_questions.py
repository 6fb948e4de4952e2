"""Questions and predictions: what is said to right, wrong, missing and malformed answers."""

import numpy as np
import pytest

from alexnet_course.questions import Choice, Number, done

COLOUR = Choice("colour", "b", "The sea is.", wrong={"a": "That is fire.", "c": "That is grass."})
GUESS = Choice("guess", "a", "It rains.", wrong={"b": "Look out of the window."}, prediction=True)
LEGS = Number(
    "legs", 8, "Spiders have eight.", typical={6: "That is an insect."},
    small="A spider has more.", large="A spider has fewer.",
)  # fmt: skip
CALLS = Number(
    "calls", 2_000_000, "Each doubles it.", typical={21: "That is the number of values."},
    small="Far more.", large="Fewer.", factor=2, prediction=True,
)  # fmt: skip
LOSS = Number("loss", 2.3, "ln 10.", small="Lower?", large="Higher?", within=0.05)


@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        (COLOUR, None, "colour: not answered yet."),
        (COLOUR, ..., "colour: not answered yet."),
        (COLOUR, "?", "colour: not answered yet."),
        (COLOUR, "b", "colour: right. The sea is."),
        (COLOUR, "(B) ", "colour: right. The sea is."),
        (COLOUR, "a", "colour: not yet. That is fire."),
        (COLOUR, "c", "colour: not yet. That is grass."),
        (COLOUR, "d", 'colour: not yet. Answer with one of "a", "b", "c", quotation marks '
         "too; yours is 'd'."),
        (COLOUR, 2, 'colour: not yet. Answer with one of "a", "b", "c", quotation marks '
         "too; yours is 2."),
        (GUESS, "a", "guess: right. You said (a), and it was (a). It rains."),
        (GUESS, "b", "guess: not so. You said (b), and it was (a). Look out of the window."),
        (LEGS, None, "legs: not answered yet."),
        (LEGS, 8, "legs: right. Spiders have eight."),
        (LEGS, 8.0, "legs: right. Spiders have eight."),
        (LEGS, np.int64(8), "legs: right. Spiders have eight."),
        (LEGS, np.array([8]), "legs: right. Spiders have eight."),
        (LEGS, 6, "legs: not yet. That is an insect."),
        (LEGS, 4, "legs: not yet. A spider has more."),
        (LEGS, 100, "legs: not yet. A spider has fewer."),
        (LEGS, "8", "legs: not yet. '8' is a text: write the number without quotation marks."),
        (LEGS, (2, 97), "legs: not yet. (2, 97) is a tuple: write a number without commas, "
         "12_345.6 or 12345.6."),
        (LEGS, [1, 2], "legs: not yet. A number is expected; yours is [1, 2]."),
        (LEGS, True, "legs: not yet. A number is expected; yours is True."),
        (LEGS, float("nan"), "legs: not yet. A finite number is expected; yours is nan."),
        (CALLS, 1_500_000,
         "calls: right. You said 1,500,000, and it was 2,000,000. Each doubles it."),
        (CALLS, 21, "calls: not so. You said 21, and it was 2,000,000. That is the number of "
         "values. Each doubles it."),
        (CALLS, 1e9, "calls: not so. You said 1,000,000,000, and it was 2,000,000. Fewer. Each "
         "doubles it."),
        (LOSS, 2.3026, "loss: right. ln 10."),
        (LOSS, 2.2, "loss: not yet. Lower?"),
    ],
)  # fmt: skip
def test_what_is_said_to_an_answer(question, answer, said, capsys):
    assert question.verdict(answer) == said
    question(answer)
    assert capsys.readouterr().out == said + "\n"


def test_what_happened_in_the_notebook_decides_a_prediction():
    assert CALLS.verdict(100, 120).startswith("calls: right. You said 100, and it was 120.")
    assert "You said 100, and it was 0.125." in CALLS.verdict(100, 0.125)


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (COLOUR.verdict("b"), True), (COLOUR.verdict("a"), False), (COLOUR.verdict(None), False),
        (GUESS.verdict("b"), True), (GUESS.verdict("x"), False), (GUESS.verdict(None), False),
        ("order: right.", True), ("order: not filled in yet.", False),
    ],
)  # fmt: skip
def test_a_wrong_prediction_is_done_and_a_wrong_answer_is_not(verdict, expected):
    assert done(verdict) is expected


def test_each_wrong_choice_has_a_sentence_of_its_own():
    for wrong in ({"a": "No."}, {"b": "No.", "c": "No."}, {"b": ""}):
        with pytest.raises(ValueError, match="a sentence of its own"):
            Choice("colour", "a", "Yes.", wrong=wrong)
    with pytest.raises(ValueError, match="would count as right"):
        Number("legs", 8, "", small="", large="", typical={9: "No."}, within=1)
