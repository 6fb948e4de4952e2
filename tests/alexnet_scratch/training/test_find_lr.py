"""The learning-rate range test: the number it names, what it refuses, and that nothing is left."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alexnet_scratch.cli import main
from alexnet_scratch.recipe import Recipe
from alexnet_scratch.training import find_lr
from alexnet_scratch.training.find_lr import RangeTest, _blown_up, _smooth, range_test, suggestion
from alexnet_scratch.training.input import open_splits
from alexnet_scratch.training.watchdog import Diverged


def made(loss: Any, blew_up: bool = False, noise: float = 0.02) -> RangeTest:
    """A test of 200 steps from 1e-4 to 1, with this loss by rate and some noise."""
    rates = np.geomspace(1e-4, 1, 200).tolist()
    rng = np.random.default_rng(0)
    losses = [loss(rate) + noise * rng.normal() for rate in rates]
    return RangeTest(rates, losses, _smooth(losses, 200), blew_up)


def falling(rate: float) -> float:
    """From 2.3 to 1.3 at 0.1, fastest at 0.01, then up again."""
    return 1.8 - 0.5 * math.tanh(2 * math.log10(rate / 0.01)) + 0.2 * max(0, math.log(rate / 0.1))


def test_half_of_the_rate_of_the_lowest_loss_is_suggested() -> None:
    found = suggestion(made(falling))
    assert found is not None
    assert found.lr == pytest.approx(0.05, rel=0.3)
    assert found.why.startswith("half of 0.")
    assert "it went from 2." in found.why
    assert "blew up" not in found.why


def test_a_rate_near_the_blow_up_is_not_suggested() -> None:
    """Fastest at 0.3, where it blows up at 1: a twentieth of that."""
    found = suggestion(made(lambda rate: falling(rate / 30), blew_up=True))
    assert found is not None
    assert found.lr == pytest.approx(0.05)
    assert "a twentieth of the rate at which it blew up" in found.why


def test_noise_is_no_fall() -> None:
    assert suggestion(made(lambda rate: 2.3, noise=0.3)) is None
    assert suggestion(made(lambda rate: 2.3, blew_up=True, noise=0.3)) is None
    assert suggestion(RangeTest([], [], [], False)) is None


def test_rates_rise_by_a_factor_and_the_recipes_schedule_is_off(
    narrow: Recipe, colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    seen: list[list[float]] = []
    recipe = replace(narrow, bias_lr_factor=2.0, warmup_steps=100, average=0.9)

    class Watched(find_lr.Trainer):
        def _step(self, *sample: Any) -> None:
            seen.append([group["lr"] for group in self.optimizer.param_groups])
            assert self.average is None
            super()._step(*sample)

    monkeypatch.setattr(find_lr, "Trainer", Watched)
    test = range_test(recipe, open_splits(colours, recipe), 1e-5, 1e-3, 12, workers=0)
    assert np.allclose(test.rates, np.geomspace(1e-5, 1e-3, 12))
    np.testing.assert_allclose([pair[0] for pair in seen], test.rates, rtol=1e-9)
    np.testing.assert_allclose([pair[1] for pair in seen], np.multiply(2, test.rates), rtol=1e-9)
    assert len(test.losses) == len(test.smooth) == 12
    assert not test.blew_up
    assert not any(tmp_path.iterdir())


def test_a_loss_that_blows_up_ends_it(narrow: Recipe, colours: Path) -> None:
    test = range_test(narrow, open_splits(colours, narrow), 1e-3, 1e6, 60, workers=0)
    assert test.blew_up
    assert len(test.rates) < 60
    assert np.isfinite(test.losses).all()


def test_a_lucky_batch_and_a_loss_near_0_are_no_blow_up() -> None:
    assert not _blown_up([1.1, 0.6, 0.3, 0.02, 0.5])
    assert _blown_up([1.1, 0.6, 0.3, 0.02, 1.2])
    assert not _blown_up([1.1, 1.0, 3.9])
    for none in (math.nan, math.inf):
        assert _blown_up([1.1, none])
        assert _blown_up([none])


def test_a_loss_that_is_none_from_the_start_is_told(narrow: Recipe, colours: Path) -> None:
    recipe = replace(narrow, init="he", lrn_k=0.0)
    with pytest.raises(Diverged, match="the loss of a new network is NaN or Inf, before any rate"):
        range_test(recipe, open_splits(colours, recipe), 1e-3, 1, 20, workers=0)


def test_a_blow_up_in_the_last_step_is_one(narrow: Recipe, colours: Path) -> None:
    splits = open_splits(colours, narrow)
    steps = len(range_test(narrow, splits, 1e6, 1e6, 60, workers=0).losses)
    assert range_test(narrow, splits, 1e6, 1e6, steps, workers=0).blew_up


def test_the_command(
    tmp_path: Path, narrow_flags: list[str], colours: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """One number, nothing left in the folder; runs and checkpoints are refused."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    command = ["find-lr", str(colours), *narrow_flags, "--steps", "20", "--workers", "0"]
    assert main([*command, "--json", "--highest", "1e6"]) == 1  # few steps, which learn nothing
    said = capsys.readouterr()
    assert json.loads(said.out)["blew_up"]
    assert json.loads(said.out)["suggestion"] is None
    assert re.search("where it blew up, the\\s+loss did not", said.err)
    monkeypatch.setattr(
        "alexnet_scratch.commands.find_lr.range_test", lambda *_, **__: made(falling)
    )
    assert main(command) == 0
    assert re.search(r"Try --lr 0\.0\d+ \(the loss: half of 0\.\d+, where", capsys.readouterr().out)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path / "here")
    assert not any(Path.cwd().iterdir())
    assert main([*command, "--lowest", "1e-9", "--highest", "1e-8", "--plot", "a.png"]) == 1
    assert "Nothing was found" in capsys.readouterr().err
    assert [file.name for file in Path.cwd().iterdir()] == ["a.png"]

    (tmp_path / "run").mkdir()
    (tmp_path / "run/last.safetensors").write_bytes(b"")
    for wrong, message in (
        ([str(tmp_path / "run")], "is a trained network, and the test begins with a new one"),
        ([str(colours), "--lr", "0.1"], "--lr: it is what this command looks for"),
        ([str(colours), "--steps", "3"], "expected at least 20 steps"),
        ([str(colours), "--lowest", "5"], "below the highest"),
    ):
        assert main(["find-lr", *wrong]) == 2
        assert message in capsys.readouterr().err
