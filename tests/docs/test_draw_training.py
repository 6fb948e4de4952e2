"""README's picture is drawn from the run it is said to be of, and from no other."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from alexnet_scratch.recipe import RECIPES
from alexnet_scratch.training.checkpoint import Checkpoint
from alexnet_scratch.training.metrics import EpochMetrics
from alexnet_scratch.training.position import Position

SCRIPT = Path(__file__).resolve().parents[2] / "docs/draw_training.py"
SMALL = RECIPES["small"]


@pytest.fixture
def script(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("draw_training", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "TRACKED", tmp_path / "training.png")
    return module


def run_of(script, monkeypatch, folder, epochs=SMALL.epochs, recipe=SMALL, root=None):
    """A run that the script will find in `folder`."""
    rows = [EpochMetrics(i + 1, 2.0, 0.1, 2.0, 0.2, 0.6, 0.01, 30.0, 90.0) for i in range(epochs)]
    position = Position(epoch=epochs, metrics=[vars(row) for row in rows])
    data = {"root": root}
    run = Checkpoint(folder / "last.safetensors", recipe, [], data, position, [], None, {})
    monkeypatch.setattr(script, "load_checkpoint", lambda path: run)


def test_the_picture_of_make_train_is_drawn(script, monkeypatch, tmp_path):
    run_of(script, monkeypatch, tmp_path)
    assert script.main([str(tmp_path)]) == 0
    assert (tmp_path / "training.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"root": "/photos"}, "trained on /photos, expected the embedded data set"),
        ({"epochs": 0}, "has not finished an epoch"),
        ({"epochs": 1}, f"has done 1 of {SMALL.epochs} epochs"),
        ({"recipe": replace(SMALL, lr=0.1)}, "another recipe than `make train`"),
    ],
)
def test_no_other_run_overwrites_it(run, words, script, monkeypatch, tmp_path):
    run_of(script, monkeypatch, tmp_path, **run)
    with pytest.raises(SystemExit, match=words):
        script.main([str(tmp_path)])
    assert not (tmp_path / "training.png").exists()


def test_another_run_on_the_same_data_is_drawn_elsewhere(script, monkeypatch, tmp_path):
    run_of(script, monkeypatch, tmp_path, epochs=1, recipe=replace(SMALL, lr=np.pi / 100))
    assert script.main([str(tmp_path), "--out", str(tmp_path / "mine.png")]) == 0
    assert (tmp_path / "mine.png").exists()
    assert not (tmp_path / "training.png").exists()


def test_what_is_no_run_is_told(script, tmp_path):
    with pytest.raises(SystemExit, match=r"draw_training: .*last\.safetensors"):
        script.main([str(tmp_path)])
