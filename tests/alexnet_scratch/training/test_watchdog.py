"""The watchdog's words, and that it barks once and at the right moment."""

import math
from dataclasses import replace
from typing import Any

import pytest

from alexnet_scratch.recipe import RECIPES
from alexnet_scratch.training.watchdog import PATIENCE, WINDOW, Diverged, Watchdog, is_chance

SMALL, PAPER = RECIPES["small"], RECIPES["paper"]


def said(dog: Watchdog, loss: float, times: int) -> list[str]:
    return [text for text in (dog.see(loss) for _ in range(times)) if text]


def test_it_says_once_that_the_loss_stays_at_chance() -> None:
    dog = Watchdog(PAPER, 10)
    assert said(dog, math.log(10), PATIENCE - 1) == []
    (text,) = said(dog, math.log(10), 500)
    assert f"After {PATIENCE} iterations the loss has not left ln(10) = 2.303" in text
    assert "--recipe small" in text
    (good,) = said(dog, 1.5, WINDOW)
    assert "has left ln(10)" in good


def test_a_mean_over_a_window_decides_not_one_loss() -> None:
    dog = Watchdog(SMALL, 10)
    texts = [dog.see(1.9 if i % 10 == 0 else 2.33) for i in range(PATIENCE)]
    assert any(texts)  # the mean is 2.287


def test_a_network_that_learns_hears_nothing() -> None:
    dog = Watchdog(SMALL, 10)
    assert said(dog, 2.3, 200) + said(dog, 2.1, 150) + said(dog, 2.4, 1000) == []


def test_advice_depends_on_the_recipe() -> None:
    (text,) = said(Watchdog(replace(SMALL, lr=0.006), 10), math.log(10), PATIENCE)
    assert "--lr 0.002 or 0.01)" in text  # never above the preset's own
    assert "--recipe small" not in text
    (text,) = said(Watchdog(SMALL, 10), math.log(10), PATIENCE)
    assert "--lr 0.00333333)" in text
    (text,) = said(Watchdog(replace(SMALL, lr=0.3), 10), 3.0, PATIENCE)
    assert "steps are too large: try --lr 0.01." in text


@pytest.mark.parametrize(
    ("changed", "rate"),
    [
        ({"lr": 100.0}, "0.01"), ({"lr": 0.02}, "0.01"), ({"lr": 0.01}, "0.00333333"),
        ({"lr": 3e-3}, "0.001"), ({"lr": 1.0, "optimizer": "adam"}, "0.0003"),
        ({"lr": 1.0, "name": "mine"}, "0.01"), ({"lr": 3e-4, "optimizer": "adamw"}, "0.0001"),
    ],
)  # fmt: skip
def test_advice_after_a_blow_up_is_the_recipes_own_rate(changed: dict[str, Any], rate: str) -> None:
    with pytest.raises(Diverged, match=rf"Try a lower rate \(--lr {rate}\)"):
        Watchdog(replace(SMALL, **changed), 10).see(math.nan)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_training(loss: float) -> None:
    dog = Watchdog(SMALL, 10, step=41)
    with pytest.raises(Diverged, match=f"{loss} at step 42: training has blown up.*--lr"):
        dog.see(loss)


def test_chance() -> None:
    assert is_chance(math.log(10), 10)
    assert is_chance(7.0, 10)
    assert is_chance(math.nan, 10)
    assert not is_chance(2.2, 10)
