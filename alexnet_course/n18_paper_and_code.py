"""Checks of notebook 18, the paper and the code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checks import Function, Hint, close, exercise, generator, result_of
from .questions import Question

Array = NDArray[Any]

_SENTENCES = (  # whether it is true, and what to say to who thinks otherwise
    (False, "The paper cites where it has ReLU from: Nair and Hinton, 2010."),
    (False, "It is 1 for every positive x; 0 is its value for negative ones."),
    (False, "0.9 multiplies the previous velocity, the last step that was taken."),
    (False, "n = 5 is the whole window: two channels before, the channel itself, two after."),
    (True, "That is section 4.2: with twice as many units there, each counts half."),
    (False, "It divides the outputs that were kept; the weights stay as they are."),
    (True, "Section 3.3 says so."),
    (
        False,
        "Deeper plain networks had a higher training error, although their gradients were fine.",
    ),
    (True, "Five trained on the competition's images, two trained before on more."),
    (False, "The paper says so in section 1, but conv3 and conv4 have more: count them."),
)


class _Sentences(Question):
    """True or False for each sentence."""

    def _judge(self, answer: Any, happened: Any) -> tuple[bool, str]:
        given = list(answer) if isinstance(answer, list | tuple | np.ndarray) else None
        if given is None or not all(isinstance(a, bool | np.bool_) for a in given):
            raise Hint("A list of True and False is expected, in the order of the sentences.")
        if len(given) != len(_SENTENCES):
            raise Hint(
                f"There are {len(_SENTENCES)} sentences; your list has {len(given)} answers."
            )
        missed = [n for n, (a, (t, _)) in enumerate(zip(given, _SENTENCES, strict=True)) if a != t]
        if not missed:
            return True, "All ten."
        hits = len(_SENTENCES) - len(missed)
        return False, f"{hits} of {len(_SENTENCES)}. Sentence {missed[0] + 1}: " + (
            _SENTENCES[missed[0]][1]
        )


sentences = _Sentences("sentences", "", prediction=False)


# ----- exercise 1 -----


@exercise
def ensemble_error(learner: Function) -> None:
    """ensemble_error(logits (M, N, C), labels (N,), k) -> the share of errors."""
    rng = generator(0)
    # Networks of very different certainty, so that an average of logits is another one.
    logits = rng.standard_normal((3, 400, 12)) * np.array([[[0.6]], [[2.0]], [[5.0]]])
    labels = rng.integers(0, 12, 400)
    logits[:, np.arange(400), labels] += 1
    answers = []
    cases = [(logits, labels, k) for k in (1, 3, 5)]
    for case in cases:
        got = result_of(learner, *case)
        if np.ndim(got) != 0 or isinstance(got, str | dict | set):
            raise Hint("Expected one number: the share of images that are counted as errors.")
        answers.append(float(got))
    for mistake, hint in _WRONG_ERRORS.items():
        if np.allclose(answers, [_error(*case, mistake) for case in cases]):
            raise Hint(hint)
    for (_, _, k), got, right in zip(cases, answers, [_error(*c) for c in cases], strict=True):
        if not close(got, right):
            raise Hint(
                f"For three networks and 400 images, k = {k}, you say {got:.4g}, expected "
                f"{right:.4g}."
            )


def _error(logits: Array, labels: Array, k: int, mistake: str = "") -> float:
    axis = 1 if mistake == "over images" else 2
    p = np.exp(logits if mistake == "no sum" else logits - logits.max(axis, keepdims=True))
    if not mistake.startswith("no sum"):
        p /= p.sum(axis, keepdims=True)
    mean = {"logits": logits.mean(0), "first": p[0], "largest": p.max(0)}.get(mistake, p.mean(0))
    k = {"one": 1, "one more": k + 1, "one fewer": k - 1}.get(mistake, k)
    order = np.argsort(mean if mistake == "unlikeliest" else -mean, 1)[:, :k]
    known = (order == labels[:, None]).any(1)
    alone = (np.argsort(-p, 2)[:, :, :k] == labels[:, None]).any(2)
    votes = {"each": alone.mean(0), "any": alone.any(0), "majority": alone.mean(0) > 0.5}
    if mistake == "place":
        known = order[:, -1] == labels
    if mistake == "anywhere":
        known = np.isin(labels, order)
    if mistake == "pairs":
        return float(1 - (order == labels[:, None]).mean())
    errors = 1 - votes.get(mistake, known).astype(float)
    scale = {"percent": 100, "count": len(labels)}.get(mistake, 1)
    return float((1 - errors if mistake == "hits" else errors).mean() * scale)


_NO_SUM = (
    "You average exp of the logits. Each network's must be divided by their sum first: "
    "probabilities add up to 1."
)
_WRONG_ERRORS = {
    "hits": "That is the share of hits: an error is an image whose class is not among the k.",
    "percent": "That is in percent: expected is a share, from 0 to 1.",
    "count": "That is the number of errors: divide by the number of images.",
    "logits": "You average the logits (or multiply the probabilities, which orders the classes in "
    "the same way). Then the network with the largest numbers decides "
    "alone; average the probabilities.",
    "each": "You average the errors of the networks. Average their probabilities, and count once.",
    "first": "Only the first network is looked at.",
    "largest": "You take the largest probability among the networks: take the mean.",
    "any": "You count an image as known if any of the networks knows it: that is not one answer.",
    "majority": "You let the networks vote. Average their probabilities, and look at the k "
    "likeliest of the average.",
    "over images": "Your softmax runs over the images: the probabilities of an image's classes add "
    "up to 1, which is the last axis.",
    "no sum": _NO_SUM,
    "no sum, largest 1": _NO_SUM,
    "one": "k is not looked at: for k = 5, an image is known if its class is among the five "
    "likeliest.",
    "one more": "You look at k + 1 classes.",
    "one fewer": "You look at k - 1 classes.",
    "anywhere": "You ask whether a class is among the likeliest of any image: compare each image "
    "with its own.",
    "pairs": "You take the mean over images and places. An image has one answer: is its class at "
    "any of the k places?",
    "unlikeliest": "You take the k smallest probabilities: np.argsort sorts upwards.",
    "place": "You look at the k-th class only: any of the first k will do.",
}


def whose_errors(learner: Function) -> tuple[Function, str]:
    """What counts errors, and whose it is: the learner's, once it is right."""
    return ensemble_error.chosen(learner, _error)


# ----- exercise 2 -----

_KEYS = ("alpha", "momentum_buffer", "weight_decay", "weight", "bias")


@exercise
def into_pytorch(learner: Function) -> None:
    """into_pytorch(n, alpha, velocity, lr, decay, weight, bias, p) -> a dictionary."""
    rng = generator(1)
    velocity, bias = rng.standard_normal((2, 4))
    weight = rng.standard_normal((4, 6))
    n, alpha, lr, decay, p = 7, 3e-4, 0.02, 0.004, 0.3
    got = result_of(learner, n, alpha, velocity, lr, decay, weight, bias, p)
    if not isinstance(got, dict):
        raise Hint("Expected a dictionary with the five names as its keys.")
    missing = [key for key in _KEYS if key not in got]
    if missing:
        raise Hint(f'Your dictionary has no "{missing[0]}"; its keys are {", ".join(_KEYS)}.')
    right = _translated(n, alpha, velocity, lr, decay, weight, bias, p)
    keep = 1 - p
    wrong = {
        "alpha": (
            (alpha, "It is the paper's number. PyTorch divides it by n: what undoes that?"),
            (alpha / n, "The wrong way round: PyTorch divides by n itself, so it must get more."),
            (5 * alpha, "5 is the paper's n; here it is another one, the argument n."),
        ),
        "momentum_buffer": (
            (velocity, "The paper's velocity holds steps, PyTorch's holds gradients."),
            (velocity / lr, "The sign: PyTorch subtracts its velocity, the paper adds."),
            (-velocity, "The rate: it is inside the paper's velocity and outside PyTorch's."),
            (-velocity * lr, "The wrong way round: the rate is in the paper's velocity already."),
            (velocity * lr, "The wrong way round, and the sign: v_paper = -lr * v_PyTorch."),
            (-velocity / 0.01, "0.01 is the paper's rate at the start; here it is lr."),
            (np.zeros(4), "Without its velocity the run would not go on as it was."),
        ),
        "weight_decay": (
            (
                2 * decay,
                "The factor 2 belongs to a loss with lambda * w^2; the update has decay * w.",
            ),
            (decay / 2, "The half is in the loss, its gradient is decay * w without it."),
            (decay * lr, "PyTorch multiplies by the rate itself, where w moves."),
            (decay / lr, "Both rules multiply the decay by the rate, once."),
            (0.0005, "0.0005 is the paper's decay; here it is the argument decay."),
            (0, "The decay is left out."),
        ),
        "weight": (
            (
                weight,
                "The paper multiplies what the weight reads at test by 1 - p, PyTorch does not.",
            ),
            (
                weight * p,
                "p is the probability to drop; what is left is 1 - p. At 0.5 nobody notices.",
            ),
            (weight / keep, "The wrong way round: PyTorch's inputs are larger at test."),
            (weight * 0.5, "0.5 is the paper's p; here it is the argument p."),
        ),
        "bias": (
            (bias * keep, "The bias is added to the sum: dropout does not reach it."),
            (bias / keep, "The bias is added to the sum: dropout does not reach it."),
            (bias * p, "The bias is added to the sum: dropout does not reach it."),
        ),
    }
    for key in _KEYS:
        if np.shape(got[key]) != np.shape(right[key]):
            raise Hint(
                f'"{key}" has the shape {np.shape(got[key])}, expected {np.shape(right[key])}.'
            )
        if close(got[key], right[key]):
            continue
        for value, hint in wrong[key]:
            if close(got[key], value) and np.any(got[key]) == np.any(value):
                raise Hint(f'"{key}": {hint}')
        before = "" if key == _KEYS[0] else " What comes before it in the list is."
        raise Hint(f'"{key}" is not right.{before}')


def _translated(
    n: int, alpha: float, velocity: Array, lr: float, decay: float, weight: Array, bias: Array,
    p: float,
) -> dict[str, Any]:  # fmt: skip
    return {
        "alpha": n * alpha, "momentum_buffer": -velocity / lr, "weight_decay": decay,
        "weight": weight * (1 - p), "bias": bias,
    }  # fmt: skip


def whose_translation(learner: Function) -> tuple[Function, str]:
    """The translation, and whose it is: the learner's, once it is right."""
    return into_pytorch.chosen(learner, _translated, "you")
