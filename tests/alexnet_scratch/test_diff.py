"""`alexnet diff`: every field explained, and the paper against the code that ran."""

import json
from dataclasses import fields

import pytest

from alexnet_scratch.cli import main
from alexnet_scratch.recipe import RECIPES, Recipe
from alexnet_scratch.recipe_notes import NOTES, differences


def test_every_field_has_a_note() -> None:
    assert set(NOTES) == {f.name for f in fields(Recipe)} - {"name"}


@pytest.mark.parametrize(
    ("field", "paper", "code"),
    [
        ("init", "paper", "source2012"),  # 0.03 in conv3 to conv5
        ("lrn_alpha", 1e-4, 2e-5),  # divided by the window
        ("orders", ("relu-lrn-pool",) * 2, ("lrn-pool-relu", "relu-lrn-contrast-pool")),
        ("bias_lr_factor", 1.0, 2.0),
        ("conv1_drop_epochs", (), (25, 51, 67)),
        ("conv1_freeze_epoch", 0, 72),
        ("bias_decay", True, False),
        ("colour_noise", "eigenvalue", "deviation"),
        ("colour_divisor", 1.0, 1.1),
        ("colour_epochs", 0, 67),
        ("crop_chunk", 1, 32),
        ("crop", "random-2048", "random"),
        ("mean", "image", "image-centre"),
        ("conv1_edge", "pad", "ceil"),
    ],
)
def test_paper_and_code_differ(field: str, paper: object, code: object) -> None:
    rows = {name: (a, b) for name, a, b, _ in differences(*(RECIPES[n] for n in PAIR))}
    assert rows[field] == (paper, code)


PAIR = ("paper", "source2012")


def test_the_command_prints_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", *PAIR, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["field"] for row in rows] == [r[0] for r in differences(*map(RECIPES.get, PAIR))]  # type: ignore[arg-type]
    assert main(["diff", *PAIR]) == 0
    text = capsys.readouterr().out
    assert all(row["field"] in text for row in rows)
    assert "batch_size" not in text  # both have 128
    assert main(["diff", "caffe", "caffe"]) == 0
    assert "agree in every field" in capsys.readouterr().out
    assert main(["diff", "paper", "alexnet"]) == 2
    assert "use small, paper, source2012, caffe, owt" in capsys.readouterr().err
