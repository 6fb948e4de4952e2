"""Checks of notebook 13, optimisers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .checks import Function, Hint, close, exercise, generator, result_of
from .questions import Number

next_step = Number(
    "next_step",
    0.91,
    "The velocity holds steps taken: 0.9 of the old step is kept, and a tenth of the rate adds a "
    "tenth of 0.1 of it, 0.91 in all.",
    within=0.015,
    typical={
        0.1: "So it is in PyTorch's rule, where the rate multiplies the whole velocity.",
        1.0: "The old velocity is multiplied by 0.9 as in any step, so it cannot stay as it was.",
        0.09: "You have divided the old velocity by 10, too; in the paper's rule the new rate "
        "multiplies the new gradient only.",
        0.01: "That is what the new gradient adds. And what is left of the old velocity?",
        0.091: "That is the distance. Divided by the step before it, which was 0.1, it is a share.",
        91: "That is in percent: as a share it is a number between 0 and 1.",
        0.19: "You have added the old rate's share of the gradient to a velocity divided by 10.",
    },
    small="More of the old velocity is left: it is multiplied by 0.9 and by nothing else.",
    large="The old velocity is multiplied by 0.9, and the new gradient by a tenth of the rate.",
    prediction=True,
)

halving_decay = Number(
    "halving_decay",
    math.log(2) * 0.1 / (0.01 * 750),
    "750 steps of rate * decay / (1 - momentum) each must be ln 2: 18 times the paper's decay.",
    factor=1.1,
    typical={
        math.log(2) / (0.01 * 750): "You have left out momentum, which makes the decay ten times "
        "as strong: divide rate * decay by 1 - momentum.",
        0.5 * 0.1 / (0.01 * 750): "The steps multiply: after n of them exp(-n * per_step) is left. "
        "For a half, n * per_step is ln 2, not 0.5.",
        0.0005: "That is the paper's, of which the cell above says how little it does here.",
        math.log(2) / 750: "That is what a step must take. The decay is this, divided by the rate, "
        "times 1 - momentum.",
        -math.log(2) * 0.1 / (0.01 * 750): "The size is right, the sign is not: ln(1/2) is -ln 2, "
        "and exp(-n * per_step) is 1/2.",
        math.log(2) / 750 * 0.1: "The rate is missing: a step takes rate * decay / (1 - momentum).",
    },
    small="Too small: less than half would be lost. `per_step` in the cell above has the formula.",
    large="Too large: more than half would be lost. `per_step` in the cell above has the formula.",
)


@exercise
def sgd_step(learner: Function) -> None:
    """sgd_step(w, v, grad, lr, momentum, weight_decay, rule) -> (w, v)."""
    rng = generator(1)
    w, v, grad = rng.standard_normal((3, 6))
    lr, momentum, decay = 0.2, 0.7, 0.25
    answers = {}
    for rule in ("paper", "torch"):
        if learner(w.copy(), v.copy(), grad.copy(), lr, momentum, decay, rule) is None:
            raise Hint(
                f'For rule="{rule}" it returns None. Is there a `return` for either rule, and is '
                'the rule compared with "paper" or "torch"?'
            )
        got = result_of(learner, w, v, grad, lr, momentum, decay, rule)
        if not isinstance(got, tuple | np.ndarray) or len(got) != 2:
            things = f"{len(got)} things" if isinstance(got, tuple) else "one thing"
            raise Hint(f"It returns {things}, expected two: the new w and the new v.")
        if np.shape(got[0]) != w.shape or np.shape(got[1]) != w.shape:
            raise Hint("Both results are arrays of the shape of w.")
        answers[rule] = got
    pull = decay * w + grad
    velocity = {"paper": momentum * v - lr * pull, "torch": momentum * v + pull}
    other = {"paper": "torch", "torch": "paper"}
    for rule, (new_w, new_v) in answers.items():
        right = velocity[rule]
        if close(new_v, velocity[other[rule]]):
            raise Hint(
                f'For rule="{rule}" your v follows the other rule: in the paper the rate is inside '
                "the velocity, in PyTorch it is not."
            )
        if close(new_w, right):
            raise Hint("The new v stands where the new w should: return w first, then v.")
        _velocity_hints(new_v, rule, w, v, grad, lr, momentum, decay)
        if not close(new_v, right):
            raise Hint(f'For rule="{rule}" v is not that of the formula.')
        move = -lr * right if rule == "torch" else right
        old = -lr * v if rule == "torch" else v
        if close(new_w, w + old):
            raise Hint(f'For rule="{rule}" v is right, and w moves by the old v: take the new one.')
        if close(new_w, w - move):
            raise Hint(f'For rule="{rule}" v is right, and w moves the wrong way: see the sign.')
        if rule == "torch" and close(new_w, w - right):
            raise Hint('For rule="torch" v is right; the rate is missing where w moves.')
        if rule == "paper" and close(new_w, w + lr * right):
            raise Hint('For rule="paper" v is right; the rate is in it already, w moves by v.')
        if not close(new_w, w + move):
            raise Hint(f'For rule="{rule}" v is right and w is not.')


def _velocity_hints(
    got: Any, rule: str, w: Any, v: Any, grad: Any, lr: float, momentum: float, decay: float
) -> None:
    """Usual mistakes in the velocity of either rule."""
    gain = -lr if rule == "paper" else 1.0
    wrong = (
        (
            momentum * v + gain * (grad + 2 * decay * w),
            "the decay is twice as large: does your loss hold w^2, and not w^2 / 2?",
        ),
        (
            0.9 * v + gain * (grad + decay * w),
            "0.9 is written out: it is `momentum`, another number in this call.",
        ),
        (
            momentum * v + gain * (grad + 0.0005 * w),
            "0.0005 is written out: it is `weight_decay`, another number in this call.",
        ),
        (
            0.9 * v + gain * (grad + 0.0005 * w),
            "0.9 and 0.0005 are `momentum` and `weight_decay`, other numbers in this call.",
        ),
        (
            momentum * v - 0.01 * (grad + decay * w),
            "0.01 is written out: it is `lr`, another number in this call.",
        ),
        (momentum * v + gain * grad, "the decay is missing: it belongs to v, in both rules."),
        (
            momentum * v + gain * (grad - decay * w),
            "the decay has the wrong sign: it must shrink w.",
        ),
        (momentum * v - gain * (grad + decay * w), "v has the wrong sign: where is downhill?"),
        (
            momentum * v + (1 - momentum) * gain * (grad + decay * w),
            "you multiply the gradient by 1 - momentum. Some optimisers do, this one does not.",
        ),
        (v, 'v is the old v: is the rule compared with "paper" or "torch", letter by letter?'),
        (gain * (grad + decay * w), "v has no past: momentum times the old v is missing."),
        (
            momentum * v - decay * w - lr * grad,
            "the decay lacks the rate: the paper multiplies it by both.",
        ),
        (
            momentum * v - lr * decay * w - grad,
            "the gradient lacks the rate: both what it and what the decay add is multiplied by it.",
        ),
        (
            momentum * v - decay * w - grad,
            "the rate is missing: the paper multiplies the gradient and the decay by it.",
        ),
        (
            momentum * v + lr * grad + decay * w,
            "the gradient is multiplied by the rate: in PyTorch's rule the rate comes where w "
            "moves.",
        ),
        (v + gain * (grad + decay * w), "nothing slows the old v down: momentum multiplies it."),
        (
            gain * (decay * w - grad) + momentum * v,
            "the gradient has the wrong sign: the step goes downhill, and the decay pulls to 0.",
        ),
        (
            momentum * (v + gain * (grad + decay * w)),
            "momentum multiplies the gradient, too: it multiplies the old v only.",
        ),
        (
            momentum * (v + gain * decay * w) + gain * grad,
            "momentum multiplies the decay, too: it multiplies the old v only.",
        ),
        (
            lr * (momentum * v - decay * w - grad),
            "the rate multiplies the old v, too: that is made of steps, with the rate in them.",
        ),
        (
            momentum * v + lr * (grad + decay * w),
            "the rate is inside v: in PyTorch's rule it comes where w moves.",
        ),
        (
            momentum * v + grad + lr * decay * w,
            "the decay is multiplied by the rate: in PyTorch's rule the rate comes where w moves.",
        ),
    )
    for value, words in wrong:
        if close(got, value):
            raise Hint(f'For rule="{rule}" {words}')


@exercise
def plateau_rates(learner: Function) -> None:
    """plateau_rates(errors, at_chance, lr, patience, most_drops) -> a rate for each epoch."""
    answers = []
    for run in _RUNS:
        got = result_of(learner, list(run.errors), run.at_chance, 0.01, run.patience, run.most)
        if np.shape(got) != (len(run.errors),):
            raise Hint(
                f"For {len(run.errors)} epochs you return something of shape {np.shape(got)}, "
                "expected a list with a rate for each epoch."
            )
        answers.append(np.asarray(got))
    for flaw, words in _FLAWS.items():
        # A mistake that shows in no run is no mistake that these runs could tell.
        flawed = [_rates(run, flaw) for run in _RUNS]
        if _same(answers, flawed) and not _same(flawed, [_rates(run) for run in _RUNS]):
            raise Hint(words)
    for run, got in zip(_RUNS, answers, strict=True):
        _compare(got, run)


def _same(answers: Sequence[Any], expected: Sequence[Any]) -> bool:
    return all(close(a, e) for a, e in zip(answers, expected, strict=True))


class _Run(NamedTuple):
    errors: tuple[float, ...]
    chance: tuple[int, ...]  # the epochs at chance, from 0
    patience: int
    most: int

    @property
    def at_chance(self) -> list[bool]:
        return [epoch in self.chance for epoch in range(len(self.errors))]


def _compare(got: Any, run: _Run) -> None:
    """Raises Hint with the first epoch whose rate is wrong."""
    right = _rates(run)
    differs = ~np.isclose(got, right, rtol=1e-6)
    if not differs.any():
        return
    first = int(np.argmax(differs))
    if first == 0:
        raise Hint(f"The first epoch has the rate lr, here {right[0]:g}; you say {got[0]:g}.")
    chance = [epoch + 1 for epoch in run.chance if epoch < first]
    at_chance = f" (at chance: epoch {', '.join(map(str, chance))})" if chance else ""
    raise Hint(
        f"With patience {run.patience} and the errors {list(run.errors[:first])}{at_chance}, "
        f"epoch {first + 1} has the rate {right[first]:g}, you say {got[first]:g}."
    )


_RUNS = (
    _Run((0.8, 0.6, 0.5, 0.52, 0.51, 0.53, 0.5, 0.51, 0.45, 0.44, 0.46, 0.45, 0.45), (), 2, 3),
    _Run((0.9, 0.9, 0.9, 0.9, 0.9, 0.7, 0.6, 0.65, 0.64, 0.5), (0, 1, 2, 3, 4), 1, 3),
    _Run((0.8, 0.5, 0.5, 0.5, *(0.6,) * 7), (), 1, 2),
    _Run((0.9, 0.8, 0.7, 0.72, 0.71, 0.9, 0.73, 0.74), (5,), 2, 3),  # falls asleep again
    _Run((0.89, 0.9, 0.895, 0.892, 0.9, 0.91), (0,), 2, 3),  # the best epoch is at chance
)
_FLAWS = {
    "early": "Each rate comes one epoch early: a rate that an epoch's error lowers is that of the "
    "epoch after it, and the first epoch has lr itself.",
    "late": "Each rate comes one epoch late: a rate that an epoch's error lowers is that of the "
    "very next epoch.",
    "eager": "The rate falls an epoch too soon: `patience` epochs without a better error are let "
    "pass, and it falls when there is one more.",
    "patient": "The rate falls an epoch too late: it falls as soon as `waited` is more than "
    "`patience`.",
    "keeps waiting": "After a drop the rate falls again at once: the new rate deserves its time, "
    "so waited goes back to 0.",
    "neighbour": "You compare with the epoch before: what counts is the lowest error so far.",
    "adds up": "A better error does not set waited back: the epochs to wait for come in a row.",
    "chance": "Epochs at chance are counted. Then the rate is gone before the network has begun.",
    "inverted": "waited grows at the epochs at chance and not at the others: it is the other way "
    "round.",
    "forgets": "An epoch at chance sets waited back to 0: it does not count, neither for nor "
    "against; only a better error sets waited back.",
    "starts anew": "An epoch at chance begins everything anew: it only does not make waited grow.",
    "skips": "An epoch at chance is skipped as a whole: if its error is the lowest so far, it is "
    "`lowest` all the same (step 1).",
    "first sleep": "Only the epochs at chance at the beginning are exempt: a network may fall "
    "asleep again, and at_chance has an entry for each epoch.",
    "endless": "The rate falls more often than `most_drops` allows.",
    "one more": "The rate falls once more than `most_drops` allows: it falls while `drops` is less "
    "than `most_drops`.",
    "never": "The rate never falls. Does a lower error become `lowest`, and do `waited` and "
    "`drops` grow?",
    "ties": "An error equal to the lowest one counts as better: it has to be lower.",
    "once": "The rate falls once only, or always to the same value: each drop divides it by 10.",
    "halves": "Each drop halves the rate; it divides it by 10.",
    "compounds": "You multiply a rate that has fallen already by 0.1**drops: it is lr, the rate of "
    "the beginning, that is multiplied.",
}


def _rates(run: _Run, flaw: str = "") -> list[float]:
    """The rate of each epoch (the first has 0.01), or what it is with a usual mistake."""
    lowest, waited, drops, awake, rate = 1.0, 0, 0, False, 0.01
    rates = [rate]
    for error, chance in zip(run.errors, run.at_chance, strict=True):
        awake |= not chance
        exempt = {"chance": False, "inverted": not chance, "first sleep": not awake}
        better = error <= lowest if flaw == "ties" else error < lowest
        if flaw == "skips" and chance:
            better = False
        if better:
            lowest, waited = error, waited * (flaw == "adds up")
        elif not exempt.get(flaw, chance):
            waited += 1
        if flaw == "neighbour":
            lowest = error
        if chance and flaw in ("forgets", "starts anew"):
            lowest, waited = (1.0 if flaw == "starts anew" else lowest), 0
        if waited > run.patience + {"eager": -1, "patient": 1}.get(flaw, 0) and (
            drops < run.most + (flaw == "one more") or flaw == "endless"
        ):
            drops += 1
            waited *= flaw == "keeps waiting"
            if flaw == "compounds":
                rate *= 0.1**drops
        if flaw not in ("compounds", "never"):
            rate = 0.01 * (0.5 if flaw == "halves" else 0.1) ** (
                min(drops, 1) if flaw == "once" else drops
            )
        rates.append(rate)
    if flaw == "late":
        return [0.01, *rates[:-2]]
    return rates[1:] if flaw == "early" else rates[:-1]
