"""A batch computed in parts: the gradients of the whole, whatever is drawn for it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch import out_of_memory
from alexnet_scratch.cli import main
from alexnet_scratch.recipe import RECIPES, Recipe
from alexnet_scratch.training.checkpoint import load_checkpoint
from alexnet_scratch.training.folder import RunError
from alexnet_scratch.training.input import Splits, open_splits
from alexnet_scratch.training.parts import Parts
from alexnet_scratch.training.trainer import Outcome, Trainer
from minigrad import nn


@pytest.fixture(scope="module")
def splits(colours: Path, narrow: Recipe) -> Splits:
    return open_splits(colours, narrow)


def trainer(folder: Path, recipe: Recipe, splits: Splits, **options: Any) -> Trainer:
    folder.mkdir(exist_ok=True)
    data = {"root": None, "train_images": len(splits.train)}
    return Trainer(folder, recipe, splits, data, **options)


DRAWN: dict[str, dict[str, Any]] = {
    "paper": {"colour_noise": "deviation", "mean": "image", "dropout": "paper"},
    "mixup": {"mixup": 0.5, "label_smoothing": 0.1},
    "fade": {"fade": 0.5, "colour_noise": "eigenvalue"},
}


@pytest.mark.parametrize("drawn", DRAWN.values(), ids=DRAWN)
def test_parts_have_the_gradients_of_the_whole(
    drawn: dict[str, Any], tmp_path: Path, narrow: Recipe, splits: Splits
) -> None:
    """In float64, where only the order of sums differs; the last part may be a short one."""
    recipe = replace(narrow, batch_size=32, dropout_p=0.5, **drawn)
    it = trainer(tmp_path, recipe, splits)
    it.model.train().double()
    to_input = it.to_input

    class Double:
        device = "cpu"

        def __call__(self, *arguments: Any) -> mg.Tensor:
            return to_input(*arguments).double()

    it.to_input = Double()  # type: ignore[assignment]
    steps: dict[int, list[Any]] = {}
    it.optimizer.step = lambda: None  # type: ignore[assignment,method-assign,return-value]
    _, sample = next(it.feed.batches(0, 0))
    state = mg.random.default_generator.state
    for size in (0, 16, 8, 5):
        mg.random.default_generator.state, it.at.micro_batch, it.at.step = state, size, 0
        it._step(*sample)
        gradients = np.concatenate([p.grad.data.ravel() for p in it.model.parameters()])
        after = mg.random.default_generator.state
        loss, right, count = it.tally.totals._pending.pop()
        steps[size] = [float(loss), int(right), count, after, gradients]
    for size, (*numbers, gradients) in steps.items():
        *expected, whole = steps[0]
        assert numbers[0] == pytest.approx(expected[0], rel=1e-12)
        assert numbers[1:] == expected[1:], size
        np.testing.assert_allclose(gradients, whole, rtol=0, atol=1e-12 * abs(whole).max())
    assert steps[0][2] == 32


def test_a_run_in_parts_ends_as_one_that_is_not(
    tmp_path: Path, narrow: Recipe, splits: Splits
) -> None:
    """To rounding; and to the bit when it is resumed, which keeps the parts' size."""
    recipe = replace(narrow, dropout_p=0.5, epochs=1)  # 36 images: batches of 8, the last one of 4
    assert trainer(tmp_path / "whole", recipe, splits).run() is Outcome.FINISHED
    in_parts = {"micro_batch": 3}
    assert trainer(tmp_path / "parts", recipe, splits, **in_parts).run() is Outcome.FINISHED
    first = trainer(tmp_path / "again", recipe, splits, max_steps=3, **in_parts)
    assert first.run() is Outcome.STEP_LIMIT
    stopped = load_checkpoint(tmp_path / "again/last.safetensors")
    resumed = trainer(tmp_path / "again", recipe, splits, resume=stopped)
    assert resumed.at.micro_batch == 3
    assert resumed.run() is Outcome.FINISHED
    files = (tmp_path / name / "last.safetensors" for name in ("whole", "parts", "again"))
    whole, parts, again = map(load_checkpoint, files)
    for name, tensor in whole.tensors.items():
        np.testing.assert_allclose(parts.tensors[name].data, tensor.data, rtol=1e-3, atol=1e-5)
        assert parts.tensors[name].data.tobytes() == again.tensors[name].data.tobytes()
    for one, two in zip(whole.position.metrics, parts.position.metrics, strict=True):
        assert one["train_loss"] == pytest.approx(two["train_loss"], rel=1e-5)
        assert one["train_top1"] == two["train_top1"]


def test_batch_normalisation_is_refused(
    tmp_path: Path, narrow: Recipe, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = trainer(tmp_path, narrow, splits)
    it.model.add_module("norm", nn.BatchNorm2d(3))
    it.at.micro_batch = 4
    with pytest.raises(RunError, match="--micro-batch 4: batch normalisation takes its mean over"):
        Parts._check_micro_batch(it)
    monkeypatch.setattr(out_of_memory, "batch_that_fits", lambda *_: 2)
    assert "give --batch-size 2, as batch normalisation" in it._what_fits()


def test_the_flag(tmp_path: Path, colours: Path, narrow_flags: list[str]) -> None:
    command = ["train", str(colours), *narrow_flags, "--max-steps", "1", "--out"]
    for given, kept in (("2", 2), ("8", 0), ("999999999", 0)):  # all of a batch of 8, or more
        assert main([*command, str(tmp_path / given), "--micro-batch", given]) == 0
        checkpoint = load_checkpoint(tmp_path / given / "last.safetensors")
        assert checkpoint.position.micro_batch == kept


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["paper", "modern"])
def test_the_papers_network_in_parts(
    preset: str, tmp_path: Path, colours: Path, narrow: Recipe
) -> None:
    recipe = replace(RECIPES[preset], batch_size=32, image_size=narrow.image_size, input_size=64)
    it = trainer(tmp_path, recipe, open_splits(colours, recipe))
    it.model.train()
    it.optimizer.step = lambda: None  # type: ignore[assignment,method-assign,return-value]
    _, sample = next(it.feed.batches(0, 0))
    state, whole = mg.random.default_generator.state, None
    for size in (0, 16, 8):
        mg.random.default_generator.state, it.at.micro_batch, it.at.step = state, size, 0
        it._step(*sample)
        gradients = np.concatenate([p.grad.data.ravel() for p in it.model.parameters()])
        whole = gradients if whole is None else whole
        assert np.linalg.norm(gradients - whole) < 1e-6 * np.linalg.norm(whole)


