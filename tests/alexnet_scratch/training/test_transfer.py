"""A run that begins with another one's weights; layers that rest, or learn at their own rates."""

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alexnet_scratch.cli import main
from alexnet_scratch.pixels import PixelStatistics
from alexnet_scratch.recipe import RECIPES, Recipe, RecipeError, build_model
from alexnet_scratch.recipe.groups import check_layers, frozen_layers, head_of, rate_factors
from alexnet_scratch.training.checkpoint import load_checkpoint
from alexnet_scratch.training.folder import RunError
from alexnet_scratch.training.input import data_note, open_splits
from alexnet_scratch.training.trainer import Outcome, Trainer
from alexnet_scratch.training.transfer import Pretrained, load, pretrained, transferred
from minigrad import Tensor, no_grad

CONVS = [f"conv{i}" for i in range(1, 6)]
NORMS = [f"bn{i}" for i in range(1, 6)]


def trainer(folder: Path, recipe: Recipe, data: Path, **options: Any) -> Trainer:
    folder.mkdir(exist_ok=True)
    splits = open_splits(data, recipe)
    return Trainer(folder, recipe, splits, data_note(data, splits), workers=0, **options)


@pytest.fixture(scope="module")
def others(colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images under other names: four classes, of which two look the same."""
    folder = tmp_path_factory.mktemp("data") / "others"
    names = {"ash": "green", "birch": "blue", "cedar": "red", "dogwood": "red"}
    for split in ("train", "val"):
        (folder / split).mkdir(parents=True)
        for name, colour in names.items():
            (folder / split / name).symlink_to(colours / split / colour, True)
    return folder


@pytest.fixture(scope="module")
def run(colours: Path, narrow: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on three colours."""
    folder = tmp_path_factory.mktemp("run") / "colours"
    recipe = replace(narrow, epochs=1, input_mean=(120.0, 110.0, 100.0), widths=(8, 12, 16, 16, 8))
    assert trainer(folder, recipe, colours).run() is Outcome.FINISHED
    return folder


@pytest.fixture(scope="module")
def source(run: Path) -> Pretrained:
    return pretrained(run)


@pytest.fixture(scope="module")
def tuned(narrow: Recipe, source: Pretrained) -> Recipe:
    """What `--init-from` makes of the preset, with a batch that suits the few images."""
    return transferred(replace(RECIPES["transfer"], batch_size=8, epochs=2), source)


# ----- which layers -----


def test_layers_are_named_one_by_one_and_by_kind(narrow: Recipe) -> None:
    batch = replace(narrow, norm="batch")
    assert frozen_layers(replace(narrow, freeze=("conv",))) == set(CONVS)
    assert frozen_layers(replace(batch, freeze=("conv",))) == {*CONVS, *NORMS}
    assert frozen_layers(replace(batch, freeze=("conv2", "fc6"))) == {"conv2", "bn2", "fc6"}
    assert frozen_layers(replace(batch, freeze=("bn1",))) == {"bn1"}
    owt = replace(RECIPES["owt"], norm="batch")
    assert frozen_layers(replace(owt, freeze=("features.0",))) == {"features.0", "features.1"}
    assert len(frozen_layers(replace(owt, freeze=("features",)))) == 10
    factors = rate_factors(replace(narrow, lr_factor=("conv=0.1", "conv5=1", "head=10")))
    assert factors == {**dict.fromkeys(CONVS, 0.1), "conv5": 1.0, "fc8": 10.0}
    assert [head_of(RECIPES[n]) for n in ("small", "owt", "cifar")] == [
        ("fc8",), ("classifier.6",), ("fc4",)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"freeze": ("conv9",)}, "freeze has 'conv9', expected conv, fc, head, or .*did you mean"),
        ({"freeze": ("conv", "fc")}, "freeze is conv,fc: no layer is left to learn"),
        ({"freeze": ("conv1", "conv1")}, "expected names of layers, each once"),
        ({"lr_factor": ("fc9=10",)}, "lr_factor has 'fc9', expected conv"),
        ({"lr_factor": ("conv1=2",), "freeze": ("conv",)}, "conv1, which freeze keeps from"),
        ({"lr_factor": ("fc8",)}, "expected NAME=NUMBER for each layer"),
        ({"lr_factor": ("fc8=0",)}, "above 0 and at most 1000"),
        ({"lr_factor": ("fc8=1e4",)}, "above 0 and at most 1000"),
        ({"lr_factor": ("fc8=nan",)}, "above 0 and at most 1000"),
        ({"lr_factor": ("fc8=1", "fc8=2")}, "expected each name once"),
    ],
)
def test_wrong_layers_are_named(change: dict[str, Any], message: str, narrow: Recipe) -> None:
    with pytest.raises(RecipeError, match=message):
        check_layers(replace(narrow, **change))


# ----- what is loaded -----


def test_the_network_and_its_pixels_are_the_sources_the_training_is_not(
    source: Pretrained, tuned: Recipe
) -> None:
    assert tuned.name == "transfer"
    own, preset = source.recipe, RECIPES["transfer"]
    for name in ("variant", "widths", "fc_width", "input_size", "image_size", "input_mean"):
        assert getattr(tuned, name) == getattr(own, name), name
    for name in ("lr", "crop", "lr_factor", "schedule", "seed"):
        assert getattr(tuned, name) == getattr(preset, name), name


def test_other_classes_get_a_new_head_whose_first_loss_is_ln_c(
    others: Path, tuned: Recipe, source: Pretrained, tmp_path: Path
) -> None:
    it = trainer(tmp_path / "run", tuned, others, source=source)
    weights = source.checkpoint.model().state_dict()
    for name, tensor in it.model.state_dict().items():
        same = name in weights and np.array_equal(tensor.data, weights[name].data)
        assert same is not name.startswith("fc8"), name
    assert it.loaded is not None
    assert it.loaded.new == ("fc8",)
    assert "fc8: new, for 4 other classes" in it.loaded.line()
    scores, _ = it._validate()
    assert scores.loss == pytest.approx(math.log(4), abs=0.02)
    assert scores.loss != math.log(4)


def test_the_same_classes_keep_their_head(
    colours: Path, tuned: Recipe, source: Pretrained, tmp_path: Path
) -> None:
    it = trainer(tmp_path / "run", tuned, colours, source=source)
    for name, tensor in source.checkpoint.model().state_dict().items():
        np.testing.assert_array_equal(it.model.state_dict()[name].data, tensor.data)
    assert it.loaded is not None
    assert it.loaded.new == ()


def test_classes_in_another_order_are_put_into_theirs(tuned: Recipe, source: Pretrained) -> None:
    x = Tensor(np.random.default_rng(0).normal(0, 1, (2, 3, 64, 64)).astype(np.float32))
    order = ["red", "blue", "green"]
    model = build_model(tuned, 3).eval()
    loaded = load(model, tuned, order, source)
    before = source.checkpoint.model()
    with no_grad():
        now, then = model(x).data, before(x).data
    places = [source.checkpoint.classes.index(name) for name in order]
    np.testing.assert_allclose(now, then[:, places], rtol=1e-6, atol=1e-6)
    assert loaded.new == ()
    assert "fc8: put into the order of" in loaded.line()


def test_as_many_classes_under_other_names_are_other_classes(
    tuned: Recipe, source: Pretrained
) -> None:
    assert load(build_model(tuned, 3), tuned, ["a", "b", "c"], source).new == ("fc8",)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"variant": "grouped"}, "--variant grouped: the weights of .* two-tower.*: leave it out"),
        ({"input_mean": (1.0, 2.0, 3.0)}, "--input-mean 1.0,2.0,3.0: the weights of"),
        ({"input_size": 96}, "--input-size 96: fc6 of .* would get 32: leave it out"),
        ({"image_size": 60}, r"image_size is 60, expected at least input_size \(64\)"),
        ({"freeze": ("conv7",)}, "freeze has 'conv7'"),
    ],
)
def test_what_would_make_the_weights_worthless_is_refused(
    given: dict[str, Any], message: str, source: Pretrained
) -> None:
    with pytest.raises(RecipeError, match=message):
        transferred(RECIPES["transfer"], source, **given)
    assert transferred(RECIPES["transfer"], source, image_size=80, dropout_p=0.2).image_size == 80


def test_the_input_of_one_tower_is_free_as_its_pooling_adapts(source: Pretrained) -> None:
    owt = replace(source, checkpoint=replace(source.checkpoint, recipe=RECIPES["owt"]))
    assert transferred(RECIPES["transfer"], owt).input_size == 224
    assert transferred(RECIPES["transfer"], owt, input_size=160).input_size == 160
    larger = transferred(RECIPES["transfer"], owt, input_size=288)
    assert (larger.input_size, larger.image_size) == (288, 288)


def test_a_set_too_small_for_the_network_is_to_be_prepared_again(
    colours: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    small = tmp_path / "small"
    assert main(["prepare", str(colours), str(small), "--image-size", "32"]) == 0
    assert main(["train", str(small), "--init-from", str(run), "--out", str(tmp_path / "x")]) == 2
    said = capsys.readouterr().err
    assert "the recipe crops 64: prepare it with --image-size 72\n" in said


def test_dropouts_probability_is_free_where_testing_does_not_scale_by_it(
    source: Pretrained,
) -> None:
    own = replace(source.recipe, dropout="paper", dropout_p=0.5)
    paper = replace(source, checkpoint=replace(source.checkpoint, recipe=own))
    with pytest.raises(RecipeError, match=r"--dropout-p 0\.2: the weights"):
        transferred(RECIPES["transfer"], paper, dropout_p=0.2)


def test_the_mean_is_the_sources_and_the_colours_axes_are_new(
    colours: Path, narrow: Recipe, source: Pretrained, tmp_path: Path
) -> None:
    mean = np.full((72, 72, 3), 99, np.float32)
    own = replace(source.recipe, mean="image", colour_noise="none")
    pixels = PixelStatistics(mean, np.zeros((3, 3), np.float32))
    by_image = replace(source, checkpoint=replace(source.checkpoint, recipe=own, pixels=pixels))
    base = replace(RECIPES["transfer"], batch_size=8)
    recipe = transferred(base, by_image, colour_noise="eigenvalue")
    it = trainer(tmp_path / "run", recipe, colours, source=by_image)
    np.testing.assert_array_equal(it.pixels.mean, mean)
    assert it.pixels.axes.any()
    larger = transferred(base, by_image, image_size=80)
    with pytest.raises(RunError, match="mean image of 72 pixels, the images have 80"):
        trainer(tmp_path / "other", larger, colours, source=by_image)


def test_a_new_layer_cannot_rest(
    others: Path, tuned: Recipe, source: Pretrained, tmp_path: Path
) -> None:
    recipe = replace(tuned, freeze=("fc",), lr_factor=())
    with pytest.raises(RunError, match="freeze is fc, but fc8 is new"):
        trainer(tmp_path / "run", recipe, others, source=source)


# ----- what learns -----


def test_groups_have_the_factors_of_their_layers(
    colours: Path, tuned: Recipe, tmp_path: Path
) -> None:
    recipe = replace(
        tuned, freeze=("conv1",), lr_factor=("conv=0.1", "head=10"), lr=0.5, bias_lr_factor=2.0
    )
    it = trainer(tmp_path / "run", recipe, colours)
    rates = {group["name"]: group["initial_lr"] for group in it.optimizer.param_groups}
    assert rates == {
        "weights x 0.1": 0.05, "biases x 0.1": 0.1, "weights": 0.5, "biases": 1.0,
        "weights x 10": 5.0, "biases x 10": 10.0,
    }  # fmt: skip
    learning = sum(len(group["params"]) for group in it.optimizer.param_groups)
    assert learning == 2 * (8 - 1)
    assert it.rate == 0.5 / 3  # of two steps of warm-up; the plain one is reported


def test_frozen_layers_keep_their_bytes_and_their_statistics(
    colours: Path, narrow: Recipe, tmp_path: Path
) -> None:
    """Weight decay, momentum, averaging and clipping included; dropout behind them stays."""
    recipe = replace(
        narrow, norm="batch", freeze=("conv1", "conv2", "fc6"), average=0.9, clip=1.0, epochs=1,
        dropout_p=0.5,
    )  # fmt: skip
    it = trainer(tmp_path / "run", recipe, colours)
    before = {name: t.data.copy() for name, t in it.model.state_dict().items()}
    modes: list[dict[str, bool]] = []

    def note(*_: Any) -> None:
        modes.append({n: m.training for n, m in it.model.named_modules()})

    it.model.register_forward_pre_hook(note)
    assert it.run() is Outcome.FINISHED
    still = ("conv1.", "conv2.", "bn1.", "bn2.", "fc6.")
    for name, tensor in it.model.state_dict().items():
        assert np.array_equal(tensor.data, before[name]) is name.startswith(still), name
    assert it.average is not None
    for name, tensor in it.average.module.state_dict().items():
        if name.startswith(still):
            np.testing.assert_array_equal(tensor.data, before[name])
    training = [mode for mode in modes if mode[""]]
    assert len(training) == 5
    assert all(not m["bn1"] and not m["bn2"] and m["bn3"] and m["drop6"] for m in training)
    assert not any(k.startswith("optimizer.conv1") for k in it.contents()[0])


def test_backward_ends_at_the_first_layer_that_learns(
    colours: Path, narrow: Recipe, tmp_path: Path
) -> None:
    it = trainer(tmp_path / "run", replace(narrow, freeze=("conv",)), colours)
    _, (images, _, places) = next(it.feed.batches(0, 0))
    it.train_mode()
    x = it.to_input(images, places.data)
    for name, module in it.model.named_children():
        x = module(x)
        assert x.requires_grad is (name[-1] in "678")


def test_micro_batches_do_for_batch_normalisation_that_rests(
    colours: Path, narrow: Recipe, tmp_path: Path
) -> None:
    recipe = replace(narrow, norm="batch", freeze=("conv",), dropout_p=0.5)
    steps = []
    for size in (0, 3):
        it = trainer(tmp_path / f"run{size}", recipe, colours, micro_batch=size, max_steps=2)
        it.run()
        steps.append({name: p.data for name, p in it.model.named_parameters()})
    for name, whole in steps[0].items():
        np.testing.assert_allclose(steps[1][name], whole, rtol=1e-4, atol=1e-6, err_msg=name)
    some = replace(recipe, freeze=("conv1",))
    with pytest.raises(RunError, match="batch normalisation takes its mean"):
        trainer(tmp_path / "some", some, colours, micro_batch=3)


def test_resume_is_exact(others: Path, tuned: Recipe, source: Pretrained, tmp_path: Path) -> None:
    recipe = replace(tuned, freeze=("conv1", "conv2"), average=0.9, epochs=1)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trainer(whole, recipe, others, source=source).run()
    trainer(parts, recipe, others, source=source, max_steps=3).run()
    stopped = load_checkpoint(parts / "last.safetensors")
    assert trainer(parts, stopped.recipe, others, resume=stopped).run() is Outcome.FINISHED
    one, other = (load_checkpoint(f / "last.safetensors") for f in (whole, parts))
    assert list(one.tensors) == list(other.tensors)
    for name, tensor in one.tensors.items():
        assert tensor.data.tobytes() == other.tensors[name].data.tobytes(), name


# ----- the commands -----


def test_train_notes_where_its_weights_are_from(
    others: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    flags = ["--freeze", "conv", "--batch-size", "8", "--epochs", "2", "--workers", "0"]
    command = ["train", str(others), "--init-from", str(run), *flags]
    assert main([*command, "--max-steps", "3"]) == 0
    said = capsys.readouterr().out
    assert "fc8: new, for 4 other classes; frozen: conv1, conv2, conv3, conv4, conv5" in said
    folder = Path("runs/others-transfer")
    facts = json.loads((folder / "run.json").read_text())["init_from"]
    digest = hashlib.sha256((run / "best.safetensors").read_bytes()).hexdigest()
    assert facts["checksum"] == f"sha256 {digest}"
    assert (facts["new"], facts["frozen"]) == (["fc8"], CONVS)
    assert main(["train", "--resume", str(folder), "--workers", "0"]) == 0
    assert json.loads((folder / "run.json").read_text())["init_from"] == facts
    assert main(["compare", str(run), str(folder)]) == 0
    table = capsys.readouterr().out
    assert "weights from" in table
    assert "conv" in table
    for more, message in (
        (["--resume", str(folder), "--init-from", str(run)], "--init-from with --resume"),
        ([str(others), "--init-from", "nothing"], "no such run: nothing"),
        ([str(others), "--init-from", str(run), "--freeze", "convs"], "freeze has 'convs'"),
    ):
        assert main(["train", *more]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["plan", "find-lr"])
def test_plan_and_find_lr_take_a_trained_network(
    command: str, others: Path, run: Path, capsys: pytest.CaptureFixture
) -> None:
    flags = ["--init-from", str(run), "--batch-size", "8", "--workers", "0", "--json"]
    flags += ["--steps", "20"] if command == "find-lr" else []
    main([command, str(others), *flags])  # find-lr may find nothing in so few steps
    found = json.loads(capsys.readouterr().out)
    assert found.get("recipe", "transfer") == "transfer"
    assert math.isclose(found.get("losses", [math.log(4)])[0], math.log(4), abs_tol=0.1)
