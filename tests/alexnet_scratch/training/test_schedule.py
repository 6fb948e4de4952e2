"""The learning rate of every step, against hand-made tables."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from alexnet_scratch.recipe import RECIPES, Recipe
from alexnet_scratch.training.schedule import RecipeLR
from minigrad import nn, optim

BASE = replace(RECIPES["small"], lr=1.0, epochs=4, warmup_steps=0)


def schedule(recipe: Recipe, steps_per_epoch: int) -> RecipeLR:
    parameter = nn.Parameter(np.zeros(3, np.float32))
    optimizer = optim.SGD([{"params": [parameter], "lr": recipe.lr}])
    return RecipeLR(optimizer, recipe, steps_per_epoch)


def rates(it: RecipeLR, steps: int) -> list[float]:
    seen = []
    for _ in range(steps):
        seen.append(it.get_last_lr()[0])
        it.step()
    return seen


def test_warm_up_rises_linearly_and_is_a_quarter_at_most() -> None:
    assert rates(schedule(replace(BASE, schedule="constant", warmup_steps=3), 10), 5) == [
        0.25, 0.5, 0.75, 1.0, 1.0,
    ]  # fmt: skip
    short = schedule(replace(BASE, schedule="constant", warmup_steps=40), 2)
    assert rates(short, 4) == pytest.approx([1 / 3, 2 / 3, 1, 1])


def test_cosine_ends_at_zero() -> None:
    it = schedule(replace(BASE, warmup_steps=2), 3)
    assert rates(it, 12)[2:] == pytest.approx(
        [(1 + math.cos(math.pi * i / 10)) / 2 for i in range(10)]
    )
    assert it.get_last_lr() == pytest.approx([0])


def test_steps_drop_after_the_epochs_given() -> None:
    it = schedule(replace(BASE, schedule="steps", drop_epochs=(1, 3), drop_factor=0.5), 2)
    assert rates(it, 8) == [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]


def plateau(**changes: Any) -> RecipeLR:
    return schedule(replace(BASE, schedule="plateau", plateau_patience=1, **changes), 1)


def test_plateau_waits_for_the_validation_error() -> None:
    it = plateau()
    errors = [0.9, 0.8, 0.8, 0.85, 0.7, 0.7, 0.6, 0.65, 0.65]
    drops = [it.end_epoch(error, at_chance=False) for error in errors]
    assert drops == [False, False, False, True, False, False, False, False, True]
    assert it.get_last_lr() == pytest.approx([0.01])


def test_plateau_drops_three_times_at_most() -> None:
    it = plateau()
    assert sum(it.end_epoch(0.5, at_chance=False) for _ in range(50)) == 3
    assert it.get_last_lr() == pytest.approx([1e-3])


def test_plateau_does_not_count_epochs_at_chance() -> None:
    it = plateau()
    assert not any(it.end_epoch(0.9, at_chance=True) for _ in range(50))
    assert it.get_last_lr() == [1.0]


def test_other_schedules_ignore_the_error() -> None:
    it = schedule(replace(BASE, schedule="constant"), 1)
    assert not any(it.end_epoch(0.5, at_chance=False) for _ in range(50))


@pytest.mark.parametrize("kind", ["plateau", "steps", "cosine", "constant"])
def test_state_goes_on_where_it_was(kind: str) -> None:
    recipe = replace(BASE, schedule=kind, drop_epochs=(2,), warmup_steps=2, plateau_patience=0)
    whole, first, second = (schedule(recipe, 3) for _ in range(3))
    for it in (whole, first):
        rates(it, 5)
        it.end_epoch(0.5, False)
        it.end_epoch(0.5, False)
    second.load_state_dict(first.state_dict())
    assert rates(second, 7) == rates(whole, 7)
    assert second.end_epoch(0.6, False) == whole.end_epoch(0.6, False)


def groups(recipe: Recipe, steps_per_epoch: int) -> RecipeLR:
    """A schedule over conv1's weights and the others'."""
    names = ("conv1 weights", "weights")
    parameters = [nn.Parameter(np.zeros(3, np.float32)) for _ in names]
    optimizer = optim.SGD(
        {"params": [p], "lr": recipe.lr, "name": name}
        for p, name in zip(parameters, names, strict=True)
    )
    return RecipeLR(optimizer, recipe, steps_per_epoch)


def test_conv1_drops_apart_and_is_frozen_at_last() -> None:
    recipe = replace(
        BASE, schedule="steps", epochs=10, drop_epochs=(2, 8), conv1_drop_epochs=(2, 5),
        conv1_freeze_epoch=7,
    )  # fmt: skip
    it = groups(recipe, 1)
    seen = []
    for _ in range(10):
        seen.append(it.get_last_lr())
        it.step()
    conv1, others = (pytest.approx(rates) for rates in zip(*seen, strict=True))
    assert conv1 == [1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0, 0, 0]
    assert others == [1, 1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01]


def test_a_replayed_schedule_keeps_its_proportions() -> None:
    recipe = replace(BASE, schedule="steps", epochs=9, drop_epochs=(30, 60), replayed_epochs=90)
    assert rates(schedule(recipe, 1), 9) == pytest.approx([1] * 3 + [0.1] * 3 + [0.01] * 3)


# ----- to the last bit: runs of before go on with the same rates -----


def by_formula(recipe: Recipe, steps_per_epoch: int, step: int, drops: int = 0) -> float:
    """The rate of a step, as the formulas have it."""
    total = recipe.epochs * steps_per_epoch
    warmup = min(recipe.warmup_steps, total // 4)
    if step < warmup:
        return recipe.lr * (step + 1) / (warmup + 1)
    if recipe.schedule == "cosine":
        return recipe.lr * ((1 + math.cos(math.pi * ((step - warmup) / (total - warmup)))) / 2)
    if recipe.schedule == "steps":
        stretch = recipe.epochs / (recipe.replayed_epochs or recipe.epochs)
        ends = [round(epoch * stretch * steps_per_epoch) for epoch in recipe.drop_epochs]
        drops = sum(step >= end for end in ends)
    return recipe.lr * recipe.drop_factor**drops


@pytest.mark.parametrize("kind", ["steps", "cosine", "constant"])
@pytest.mark.parametrize("name", RECIPES)
def test_every_rate_is_that_of_the_formula_bit_for_bit(name: str, kind: str) -> None:
    recipe = replace(RECIPES[name], schedule=kind, warmup_steps=40, lr=0.01 / 3)
    it = schedule(recipe, 7)
    total = 7 * recipe.epochs
    assert rates(it, total) == [by_formula(recipe, 7, step) for step in range(total)]


def test_every_rate_of_a_plateau_is_that_of_the_formula_bit_for_bit() -> None:
    recipe = replace(RECIPES["paper"], lr=0.01 / 3, epochs=40, warmup_steps=11)
    it, errors, drops = schedule(recipe, 3), [0.9, 0.5, *[0.6] * 3, 0.4, *[0.7] * 34], 0
    for epoch, error in enumerate(errors):
        expected = [by_formula(recipe, 3, 3 * epoch + i, drops) for i in range(3)]
        assert rates(it, 3) == expected
        drops += it.end_epoch(error, at_chance=False)
    assert drops == 3


def test_numbers_that_runs_were_trained_with() -> None:
    small = rates(schedule(replace(RECIPES["small"], epochs=4), 100), 400)
    assert [small[i] for i in (0, 39, 40, 41, 250, 399)] == [
        0.00024390243902439024, 0.00975609756097561, 0.01, 0.009999809615320857,
        0.003705904774487396, 1.903846791434516e-07,
    ]  # fmt: skip


def test_conv1_rests_also_within_the_warm_up() -> None:
    recipe = replace(
        BASE, schedule="steps", epochs=8, warmup_steps=2, drop_epochs=(4,), conv1_freeze_epoch=1
    )
    it = groups(recipe, 1)
    assert it.get_last_lr() == [1 / 3, 1 / 3]
    it.step()
    assert it.get_last_lr() == [0, 2 / 3]


def test_a_state_of_an_older_run_loads() -> None:
    it = schedule(replace(RECIPES["paper"], warmup_steps=0), 5)
    old = {"last_epoch": 37, "drops": 2, "waited": 1, "lowest_error": 0.625}
    it.load_state_dict(old)
    assert it.get_last_lr() == [0.01 * 0.1**2]
    assert it.state_dict() == old
    assert [it.end_epoch(0.7, at_chance) for at_chance in (False, True, False)] == [
        False, False, True,
    ]  # fmt: skip
