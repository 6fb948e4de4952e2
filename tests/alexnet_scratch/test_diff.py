"""`alexnet diff`: every field explained, and the paper against the code that ran."""

import json
from dataclasses import fields, replace

import pytest

from alexnet_scratch.cli import main
from alexnet_scratch.recipe import RECIPES, Recipe
from alexnet_scratch.recipe.notes import NOTES, SAID, differences


def test_every_field_has_a_note() -> None:
    assert set(NOTES) == {f.name for f in fields(Recipe)} - {"name"}
    assert set(SAID) == set(RECIPES)
    assert all(set(said) <= set(NOTES) for said in SAID.values())


def test_what_all_presets_have_is_so() -> None:
    for name in (name for name, note in NOTES.items() if "all presets" in note):
        assert len({getattr(recipe, name) for recipe in RECIPES.values()}) == 1, name


def test_notes_speak_of_the_two_recipes_and_the_values_they_have() -> None:
    notes = {name: note for name, _, _, note in differences(RECIPES["caffe"], RECIPES["small"])}
    assert "Caffe: biases 0.1" in notes["init"]
    assert "LSUV measures" in notes["init"]
    assert not any("the paper" in note or "the code" in note for note in notes.values())
    changed = replace(RECIPES["paper"], epochs=30)  # as a run's recipe.json may be
    notes = {name: note for name, _, _, note in differences(changed, RECIPES["source2012"])}
    assert "roughly 90" not in notes["epochs"]
    assert "ends at 91" in notes["epochs"]


def test_what_one_tower_does_not_use_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {name for name, *_ in differences(RECIPES["source2012"], RECIPES["owt"])}
    assert "variant" in rows
    assert not rows & {"orders", "lrn_alpha", "widths"}
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    of_k = capsys.readouterr().out.partition("--lrn-k ")[2].partition("--lrn-alpha ")[0]
    assert "caffe: 1.0" in of_k
    assert "owt" not in of_k


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
    presets = "use small, modern, paper, source2012, caffe, owt, cifar, tiny, boxed"
    assert presets in capsys.readouterr().err
