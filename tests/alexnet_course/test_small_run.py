"""The training run of notebook 13, cut to two epochs of a few images."""

from dataclasses import replace

import numpy as np
import pytest

from alexnet_course import small_run
from alexnet_scratch.training.checkpoint import load_checkpoint


@pytest.fixture
def trainer(tmp_path, monkeypatch):
    monkeypatch.setattr(small_run, "TRAIN", 4)
    monkeypatch.setattr(small_run, "VAL", 1)
    small = replace(small_run.RECIPE, widths=(2,) * 5, fc_width=4, epochs=2, batch_size=20)
    return small_run.begin(tmp_path, small)


def test_an_epoch_at_a_time_is_the_run_in_one(trainer, tmp_path, capsys):
    rows = list(small_run.epochs(trainer))
    assert [row.epoch for row in rows] == [1, 2]
    assert capsys.readouterr().out == ""
    (tmp_path / "again").mkdir()
    (tmp_path / "patterns").rename(tmp_path / "again/patterns")
    whole = small_run.begin(tmp_path / "again", trainer.recipe)
    whole.run()
    losses = [row["train_loss"] for row in whole.at.metrics]
    assert losses == [row.train_loss for row in rows]


def test_an_interrupt_ends_it_and_is_saved(trainer):
    trainer.signals.asked = True
    assert list(small_run.epochs(trainer)) == []
    assert load_checkpoint(trainer.folder / "last.safetensors").position.step == 1


def test_the_trained_one_is_made_once_and_keeps_its_start(trainer, tmp_path, monkeypatch):
    monkeypatch.setattr(small_run, "RECIPE", trainer.recipe)
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    start = {name: w.numpy().copy() for name, w in trainer.model.state_dict().items()}
    list(small_run.epochs(trainer))
    first = small_run.trained()
    monkeypatch.setattr(small_run, "begin", None)
    again = small_run.trained()
    for name, w in again.untrained.state_dict().items():
        assert np.array_equal(w.numpy(), start[name])
    for name, w in again.model.state_dict().items():
        assert np.array_equal(w.numpy(), first.model.state_dict()[name].numpy())
    assert not np.array_equal(again.model.conv1.weight.numpy(), start["conv1.weight"])
    images, labels = again.pictures("train", 2)
    assert images.shape == (20, 128, 128, 3)
    assert labels.tolist() == sorted(2 * list(range(10)))
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_run_that_is_kept_is_not_trained_again(trainer, tmp_path, monkeypatch):
    monkeypatch.setattr(small_run, "RECIPE", trainer.recipe)
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    small_run.keep(trainer)  # it has not begun
    assert not (tmp_path / "cache").exists()
    list(small_run.epochs(trainer))
    small_run.keep(trainer)
    monkeypatch.setattr(small_run, "begin", None)
    model = small_run.trained().model
    assert np.array_equal(model.conv1.weight.numpy(), trainer.model.conv1.weight.detach().numpy())


def test_an_interrupted_one_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path))
    monkeypatch.setattr(small_run, "TRAIN", 4)
    monkeypatch.setattr(small_run, "VAL", 1)
    monkeypatch.setattr(small_run, "epochs", lambda trainer: [])
    with pytest.raises(KeyboardInterrupt):
        small_run.trained()
    assert list(tmp_path.iterdir()) == []
