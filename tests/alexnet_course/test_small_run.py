"""The training run of notebooks 13 and 14, cut to two epochs of a few images."""

from dataclasses import replace

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
