"""A recipe from the command line: a preset or a file, and a flag for every field."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import Field, fields, replace
from typing import Any, get_args, get_origin, get_type_hints

from ..names import did_you_mean
from ..schema import SchemaError, read_text
from .fields import Recipe
from .networks import BY_NAME, NETWORKS, with_network
from .option import RecipeError
from .presets import RECIPES

# Help has the fields in these groups, what is changed most often first; each begins at the field
# named here and goes on, in the order of `Recipe`, to the next.
GROUPS = {
    "optimiser": "epochs", "schedule": "schedule", "input": "image_size", "network": "model",
    "draws": "seed",
}  # fmt: skip
MODEL_FIELDS = (
    "model", "variant", "input_size", "conv1_kernel", "conv1_stride", "conv1_edge", "pool_edges",
    "orders", "dropout", "widths", "fc_width", "norm",
)  # fmt: skip


def recipe_from(
    options: argparse.Namespace, made: Callable[..., Recipe] = replace
) -> Recipe:
    """The preset, or the recipe of a file, with the flags that were given.

    Another --model than the recipe's comes with what its own recipe says of the network.
    made: what makes the recipe of that and the fields that were given, as keywords.
    """
    given = given_fields(options)
    if given.keys() & {"drop_epochs", "conv1_drop_epochs", "conv1_freeze_epoch", "colour_epochs"}:
        given = {"replayed_epochs": 0, **given}  # epochs that a user names are this run's
    default = "transfer" if getattr(options, "init_from", None) else None
    base = _begun_with(options.recipe or default, given.get("model"))
    recipe = made(base, **given)
    _check_of_use(recipe, given)
    if "lr" not in given and (base.optimizer == "sgd") != (recipe.optimizer == "sgd"):
        raise RecipeError(
            f"--optimizer {recipe.optimizer}: give --lr, too, since the rate of {base.name} "
            f"({base.lr:g}) is meant for {base.optimizer}: about 0.01 for sgd, 0.0003 for an Adam"
        )
    return recipe


def _check_of_use(recipe: Recipe, given: dict[str, Any]) -> None:
    """RecipeError for a flag that would do nothing: somebody believes that it does."""
    idle = [f"--{name.replace('_', '-')}" for name in recipe.unused if name in given]
    if idle:
        raise RecipeError(
            f"{', '.join(idle)}: of no use to {recipe.optimizer} in {_network_of(recipe)}; "
            "leave it out, or choose another --optimizer or "
            + ("--variant" if recipe.model == "alexnet" else "--model")
        )


def _network_of(recipe: Recipe) -> str:
    return f"the {recipe.variant} network" if recipe.model == "alexnet" else recipe.title


def _begun_with(name: str | None, model: str | None) -> Recipe:
    """The recipe of that name, for that network; of the network if no recipe is named."""
    own = NETWORKS.get(model or "", RECIPES["small"])
    if name is None:
        return own
    recipe = recipe_named(name)
    return recipe if model in (None, recipe.model) else with_network(recipe, own)


def recipe_named(name: str) -> Recipe:
    """A preset by its name, or the recipe in a .json file. Raises RecipeError for another name."""
    if name in BY_NAME:
        return BY_NAME[name]
    if not name.endswith(".json"):
        raise RecipeError(
            f"recipe {name}: use {', '.join(BY_NAME)}, or the recipe.json of a run"
            + did_you_mean(name, BY_NAME)
        )
    try:
        text = read_text(name)
    except SchemaError as error:
        raise RecipeError(f"recipe {name}: {error}") from error
    return Recipe.from_json(text)


def given_fields(options: argparse.Namespace) -> dict[str, Any]:
    """The recipe's fields that were given as flags."""
    names = [f.name for f in fields(Recipe)]
    return {name: getattr(options, name) for name in names if hasattr(options, name)}


def add_recipe_flags(parser: argparse.ArgumentParser, only: tuple[str, ...] = ()) -> None:
    """A flag per field of Recipe, named after it; what is not given leaves no trace."""
    hints = get_type_hints(Recipe)
    for title, members in _grouped(only).items():
        group = parser.add_argument_group(f"recipe: {title}")
        for f in members:
            _add_flag(group, f, hints[f.name])


def _grouped(only: tuple[str, ...]) -> dict[str, list[Field[Any]]]:
    """The fields by group, without those that are not wanted."""
    starts = {first: title for title, first in GROUPS.items()}
    groups: dict[str, list[Field[Any]]] = {title: [] for title in GROUPS}
    title = ""
    for f in fields(Recipe):
        title = starts.get(f.name, title)
        if f.name != "name" and (not only or f.name in only):
            groups[title].append(f)
    return {title: members for title, members in groups.items() if members}


def _add_flag(group: Any, f: Field[Any], hint: Any) -> None:
    choices = f.metadata["choices"]
    parsing: dict[str, Any] = {"type": hint, "metavar": hint.__name__.upper()}
    if hint is bool:
        parsing = {"action": argparse.BooleanOptionalAction}
    elif get_origin(hint) is tuple:
        parsing = {"type": _tuple_of(get_args(hint)[0]), "metavar": "A,B,..."}
    elif choices:
        parsing = {"choices": choices}
    of = f" ({' or '.join(choices)})" if choices and "choices" not in parsing else ""
    text = f"{f.metadata['about']}{of} [{_presets(f.name)}]".replace("%", "%%")
    flag = f"--{f.name.replace('_', '-')}"
    group.add_argument(flag, dest=f.name, default=argparse.SUPPRESS, help=text, **parsing)


def _tuple_of(item: type) -> Callable[[str], tuple[Any, ...]]:
    def parse(text: str) -> tuple[Any, ...]:
        try:
            return tuple(item(part) for part in text.split(",") if part)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a list of {item.__name__} values, expected A,B,..."
            ) from None

    return parse


def _presets(name: str) -> str:
    """What the presets that use the field have: one value, or a value each."""
    values = {
        preset: getattr(recipe, name)
        for preset, recipe in RECIPES.items()
        if name not in recipe.unused
    }
    if len(set(values.values())) == 1:
        return shown(next(iter(values.values())))
    return ", ".join(f"{preset}: {shown(value)}" for preset, value in values.items())


def shown(value: Any) -> str:
    """A field's value as one would give it to its flag."""
    return ",".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)
