"""Recipes: complete, strict, and the same as JSON, as flags and as groups of an optimiser."""

import argparse
import json
from dataclasses import fields, replace
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from alexnet_scratch.recipe import (
    NETWORKS,
    RECIPES,
    Recipe,
    RecipeError,
    build_model,
    build_optimizer,
    parameter_groups,
)
from alexnet_scratch.recipe.flags import add_recipe_flags, recipe_from
from minigrad import optim

FIELDS = [f.name for f in fields(Recipe) if f.name != "name"]


def other_value(name: str) -> Any:
    """A legal value that no preset has."""
    known = {
        "widths": (8, 8, 16, 16, 8), "orders": ("lrn-pool-relu", "relu-pool"),
        "input_mean": (1.5, 2.0, 3.0), "drop_epochs": (3, 5), "input_size": 128, "image_size": 300,
        "input_std": (1.5, 2.0, 3.0), "crop_area": (0.25, 0.5), "conv1_drop_epochs": (2, 4),
        "conv1_kernel": 9, "conv1_stride": 3, "freeze": ("conv1", "conv"),
        "lr_factor": ("fc8=2.5", "conv=0.1"),
        "pool_edges": ("ceil", "floor", "ceil"),
    }  # fmt: skip
    choices = next(f.metadata["choices"] for f in fields(Recipe) if f.name == name)
    used = [getattr(recipe, name) for recipe in RECIPES.values()]
    if name in known:
        return known[name]
    if choices:
        return next((c for c in choices if c not in used), choices[0])
    if isinstance(used[0], bool):
        return not used[0]
    return 0.125 if isinstance(used[0], float) else 77


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_json_gives_the_recipe_back(recipe: Recipe) -> None:
    changed = replace(recipe, lr=1 / 3, drop_epochs=(2, 4, 6))
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_json(changed.to_json()) == changed


def test_every_field_is_simple_and_described() -> None:
    hints = get_type_hints(Recipe)
    for f in fields(Recipe):
        of = get_args(hints[f.name])[0] if get_origin(hints[f.name]) is tuple else hints[f.name]
        assert of in (int, float, str, bool)
        assert f.metadata["about"]


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_a_flag(name: str) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipe")
    add_recipe_flags(parser)
    value = other_value(name)
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        arguments = [flag if value else f"--no-{flag[2:]}"]
    else:
        arguments = [flag, ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]
    needed = ["--lr", "0.001"] if name == "optimizer" else []
    recipe = recipe_from(parser.parse_args([*arguments, *needed]))
    rate = {"lr": 0.001} if needed else {}
    if name == "model":  # which comes with a recipe of its own
        assert recipe == NETWORKS[value]
    else:
        assert recipe == replace(RECIPES["small"], **rate, **{name: value})
    parser.format_help()  # a stray % in a help text would fail here


def test_a_missing_field_has_the_papers_value() -> None:
    assert Recipe.from_json('{"lr": 0.5}') == Recipe(lr=0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "no JSON"),
        ("[1]", "JSON object, got list"),
        ('{"learning_rate": 1}', "unknown field learning_rate"),
        ('{"lr": "fast"}', "lr is 'fast', expected float"),
        ('{"lr": true}', "lr is True, expected float"),
        ('{"epochs": 1.5}', "epochs is 1.5, expected int"),
        ('{"flip": 1}', "flip is 1, expected bool"),
        ('{"widths": 96}', "widths is 96, expected int values"),
        ('{"input_mean": [1.0, 2.0]}', "expected 3 float values"),
        ('{"orders": ["relu-pool", 3]}', "orders is 3, expected str"),
        ("[" * 100_000, "no JSON: it is nested too deeply"),
        ('{"widths": ' + "[" * 900 + "]" * 900 + "}", "nested deeper than 64 levels"),
        ('{"widths": ' + "[" * 60 + "]" * 60 + "}", r"widths is \[\[\[.*expected int"),
        ('{"lr": 1' + "0" * 6000 + "}", "no JSON: Exceeds the limit"),
        ('{"lr": Infinity}', "lr is inf, expected a finite"),
        ('{"name": null}', "name is None, expected str"),
    ],
)
def test_wrong_json_is_named(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.from_json(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": -1.0}, "lr is -1.0, expected 0 or more"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"input_mean": (0.0, float("inf"), 0.0)}, "expected a finite number"),
        ({"dropout_p": 1.5}, "dropout_p is 1.5, expected 0 to 1"),
        ({"batch_size": 0}, "batch_size is 0, expected 1 to 65,536"),
        ({"widths": (10**400, 2, 2, 2, 2)}, "widths is about 1e400, expected 2 to 8,192"),
        ({"image_size": 10**6}, "image_size is 1000000, expected 1 to 2,048"),
        ({"fc_width": 10**5000}, "fc_width is about 1e5000, expected 1 to 32,768"),
        ({"lr": 10**400}, "lr is about 1e400, expected a finite number of at most 3e[+]38"),
        ({"input_mean": (0, 1e39, 0)}, "input_mean is 1e[+]39, expected a finite number"),
        ({"seed": 2**64}, "seed is 18446744073709551616, expected 0 to"),
        ({"variant": "three-tower"}, "variant is 'three-tower': use one of two-tower, grouped"),
        ({"orders": ("relu-pool", "pool")}, "orders is 'pool': use one of"),
        ({"input_size": 224, "image_size": 200}, "image_size is 200, expected at least input_size"),
        ({"widths": (96, 256, 384)}, "expected five even numbers"),
        ({"widths": (9, 8, 8, 8, 8)}, "expected five even numbers"),
        ({"crop_area": (0.5, 0.25)}, "crop_area is 0.5,0.25, expected the least share first"),
        ({"crop_area": (0.0, 1.0)}, "crop_area is 0.0, expected 0.001 to 1"),
        ({"average": 1.0}, "average is 1.0, expected 0 to 0.999999"),
        ({"clip": -1.0}, "clip is -1.0, expected 0 or more"),
        ({"variant": "one-tower"}, "dropout is 'paper', but the one-tower network has only"),
        ({"variant": "cifar"}, "expected three numbers for the cifar network, such as 32,32,64"),
        ({"variant": "cifar", "widths": (4, 4, 4)}, "init is paper, .* use source2012, lsuv"),
        ({"variant": "cifar", "widths": (4, 4, 4), "init": "lsuv", "fc_width": 9},
         "fc_width is 9, but the cifar network has no such choice: leave it at 4096"),
    ],
)
def test_wrong_values_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        replace(RECIPES["paper"], **change)


def test_sizes_that_do_not_fit_are_a_recipe_error() -> None:
    with pytest.raises(RecipeError, match="input_size 63 is too small, expected at least 64"):
        replace(RECIPES["small"], input_size=63, conv1_edge="ceil")
    with pytest.raises(RecipeError, match="input_size 62 is too small, expected at least 63"):
        replace(RECIPES["small"], input_size=62)
    with pytest.raises(RecipeError, match="input_size is 7, expected 8 to 2,048"):
        replace(RECIPES["cifar"], input_size=7)


def test_paper_is_what_the_paper_says() -> None:
    paper = RECIPES["paper"]
    assert (paper.lrn_size, paper.lrn_k, paper.lrn_alpha, paper.lrn_beta) == (5, 2, 1e-4, 0.75)
    assert (paper.batch_size, paper.lr, paper.momentum, paper.weight_decay) == (
        128,
        0.01,
        0.9,
        5e-4,
    )
    assert (paper.schedule, paper.plateau_drops, paper.drop_factor) == ("plateau", 3, 0.1)
    assert (paper.rule, paper.dropout, paper.init, paper.epochs) == ("paper", "paper", "paper", 90)
    assert paper.input_std == (1, 1, 1)
    assert (paper.mean, paper.crop, paper.crop_chunk) == ("image", "random-2048", 1)
    assert (paper.colour_noise, paper.colour_std, paper.colour_epochs) == ("eigenvalue", 0.1, 0)
    assert paper.warmup_steps == 0
    assert (paper.clip, paper.average, paper.label_smoothing) == (0, 0, 0)


def test_parameter_groups_hold_each_parameter_once() -> None:
    recipe = replace(
        RECIPES["small"], widths=(8, 8, 8, 8, 8), fc_width=8, lr=0.5, weight_decay=0.25,
        bias_lr_factor=2.0, bias_decay=False,
    )  # fmt: skip
    model = build_model(recipe, 3)
    weights, biases = parameter_groups(model, recipe)
    assert {p.ndim for p in biases["params"]} == {1}
    assert 1 not in {p.ndim for p in weights["params"]}
    assert len(weights["params"]) == len(biases["params"]) == 8
    assert (weights["lr"], weights["weight_decay"]) == (0.5, 0.25)
    assert (biases["lr"], biases["weight_decay"]) == (1.0, 0.0)


def test_a_saved_recipe_can_be_given_as_a_file(tmp_path: Any) -> None:
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps({"name": "mine", "lr": 0.25}))
    options = argparse.Namespace(recipe=str(file), momentum=0.5)
    assert recipe_from(options) == Recipe(name="mine", lr=0.25, momentum=0.5)
    with pytest.raises(RecipeError, match="use small, modern, paper"):
        recipe_from(argparse.Namespace(recipe="huge"))


def test_epochs_that_a_user_names_are_taken_as_they_are() -> None:
    recipe = recipe_from(argparse.Namespace(recipe="caffe", drop_epochs=(2, 4), epochs=6))
    assert (recipe.drop_epochs, recipe.stretch) == ((2, 4), 1)
    assert recipe_from(argparse.Namespace(recipe="caffe", epochs=9)).stretch == 0.1


def test_conv1_is_set_apart_in_every_variant() -> None:
    for preset in ("small", "owt"):
        recipe = replace(RECIPES[preset], conv1_freeze_epoch=3, fc_width=2)
        groups = parameter_groups(build_model(recipe, 2), recipe)
        assert {g["name"]: len(g["params"]) for g in groups} == {
            "conv1 weights": 1, "conv1 biases": 1, "weights": 7, "biases": 7,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "of"), [("sgd", optim.SGD), ("adam", optim.Adam), ("adamw", optim.AdamW)]
)
def test_the_optimizer_is_the_recipes(name: str, of: type) -> None:
    recipe = replace(RECIPES["small"], optimizer=name, lr=0.25, weight_decay=0.125, fc_width=2)
    optimizer = build_optimizer(build_model(recipe, 2), recipe)
    assert type(optimizer) is of
    assert {group["lr"] for group in optimizer.param_groups} == {0.25}
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.125}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"optimizer": "adam"}, "give --lr, too, since the rate of small .0.01. is meant for sgd"),
        ({"optimizer": "adam", "lr": 0.001, "momentum": 0.9}, "--momentum: of no use to adam"),
        ({"optimizer": "adamw", "lr": 0.001, "rule": "torch"}, "--rule: of no use to adamw"),
        ({"recipe": "owt", "lrn_k": 2.0}, "--lrn-k: of no use .* the one-tower network"),
        ({"norm": "batch", "lrn_k": 2.0}, "--lrn-k: of no use"),
        ({"recipe": "cifar", "fc_width": 4096}, "--fc-width: of no use .* the cifar network"),
        ({"recipe": "mine.json", "optimizer": "sgd"}, "give --lr, too, since the rate of mine"),
    ],
)
def test_flags_that_do_not_go_together(
    given: dict[str, Any], message: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.json").write_text('{"name": "mine", "optimizer": "adam", "lr": 0.001}')
    with pytest.raises(RecipeError, match=message):
        recipe_from(argparse.Namespace(**{"recipe": None, **given}))


def test_an_adam_goes_on_with_its_own_rate(tmp_path: Any) -> None:
    file = tmp_path / "recipe.json"
    file.write_text('{"optimizer": "adam", "lr": 0.001}')
    assert recipe_from(argparse.Namespace(recipe=str(file), optimizer="adamw")).lr == 0.001
