"""Which layers of a network learn, at what rate, and the optimiser that moves them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from minigrad import nn, optim

from ..names import did_you_mean
from .build import shapes_of
from .fields import Recipe
from .option import RecipeError

CONV1 = ("conv1.", "features.0.", "c1.")  # the second in one tower and VGG, the third in LeNet-5
HEAD = "head"
_KINDS = {4: "conv", 2: "fc"}  # by the axes of a layer's weights


def layer_of(parameter: str) -> str:
    """The layer's name in a parameter's: fc8 of fc8.weight."""
    return parameter.rpartition(".")[0]


def head_of(recipe: Recipe) -> tuple[str, ...]:
    """The layers whose outputs are the classes: those with other shapes for another number."""
    some, more = shapes_of(recipe, 2), shapes_of(recipe, 3)
    return tuple(dict.fromkeys(layer_of(name) for name in some if some[name] != more[name]))


def frozen_layers(recipe: Recipe) -> set[str]:
    """The names of the layers that the recipe freezes, with the batch normalisation behind them.

    Raises RecipeError for a name that the network does not have.
    """
    return set().union(*(_named(recipe, "freeze", name) for name in recipe.freeze))


def rate_factors(recipe: Recipe) -> dict[str, float]:
    """The factor of each layer that has one.

    Raises RecipeError for a name that the network does not have, and for one whose layers are all
    frozen.
    """
    frozen = frozen_layers(recipe)
    factors: dict[str, float] = {}
    for name, factor in recipe.lr_factors.items():
        layers = _named(recipe, "lr_factor", name)
        if frozen.issuperset(layers):
            raise RecipeError(
                f"lr_factor has {name}, which freeze keeps from learning: leave one of them out"
            )
        factors |= dict.fromkeys(layers, factor)
    return factors


def check_layers(recipe: Recipe) -> None:
    """RecipeError for names of layers that the network does not have, and if none would learn."""
    rate_factors(recipe)
    frozen = frozen_layers(recipe)
    if all(layer_of(name) in frozen for name in shapes_of(recipe, 2)):
        raise RecipeError(f"freeze is {','.join(recipe.freeze)}: no layer is left to learn")


def freeze(model: nn.Module, recipe: Recipe) -> list[nn.Module]:
    """Take the recipe's frozen layers out of training; returns their batch normalisation, which
    must stay in evaluation mode, as their running statistics belong to the frozen weights.

    What does not require a gradient gets none: backward ends at the first layer that learns.
    """
    frozen = frozen_layers(recipe)
    for name, parameter in model.named_parameters():
        if layer_of(name) in frozen:
            parameter.requires_grad_(False)
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    return [m for name, m in model.named_modules() if name in frozen and isinstance(m, norms)]


def build_optimizer(model: nn.Module, recipe: Recipe) -> optim.Optimizer:
    """The recipe's optimiser for those of the network's parameters that are not frozen."""
    groups = parameter_groups(model, recipe)
    if recipe.optimizer == "adam":
        return optim.Adam(groups)
    if recipe.optimizer == "adamw":
        return optim.AdamW(groups)
    return optim.SGD(groups, momentum=recipe.momentum, rule=recipe.rule)


def parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """The optimiser's groups: weights, and biases with their own rate and decay; conv1's apart,
    where the schedule treats it apart, and layers with a factor; frozen layers are in none."""
    check_layers(recipe)
    frozen, factors = frozen_layers(recipe), rate_factors(recipe)
    groups: dict[str, dict[str, Any]] = {}
    apart = bool(recipe.conv1_drop_epochs or recipe.conv1_freeze_epoch)
    for name, parameter in model.named_parameters():
        if layer_of(name) in frozen:
            continue
        bias, factor = name.endswith("bias"), factors.get(layer_of(name), 1.0)
        label = "conv1 " * (apart and name.startswith(CONV1)) + ("biases" if bias else "weights")
        label += f" x {factor:g}" * (factor != 1)
        group = groups.setdefault(
            label,
            {
                "name": label,
                "params": [],
                "lr": recipe.lr * factor * (recipe.bias_lr_factor if bias else 1.0),
                "weight_decay": recipe.weight_decay if recipe.bias_decay or not bias else 0.0,
            },
        )
        group["params"].append(parameter)
    return list(groups.values())


def _named(recipe: Recipe, field: str, name: str) -> list[str]:
    """The layers of a name in `freeze` or `lr_factor`. RecipeError if there are none."""
    layers = _layers(recipe)
    head = head_of(recipe) if name == HEAD else ()
    found = [
        layer for layer, kind in layers.items()
        if layer in head or name == kind or f"{layer}.".startswith(f"{name}.")
    ]  # fmt: skip
    if not found:
        raise RecipeError(
            f"{field} has {name!r}, expected conv, fc, {HEAD}, or of this network's layers "
            f"{', '.join(layers)}{did_you_mean(name, layers)}"
        )
    return list(_with_norms(found, layers))


def _layers(recipe: Recipe) -> dict[str, str]:
    """The layers with weights in the network's order, and what each is: conv, fc or norm."""
    found: dict[str, str] = {}
    for name, shape in shapes_of(recipe, 2).items():
        found.setdefault(layer_of(name), _KINDS.get(len(shape), "norm"))
    return found


def _with_norms(chosen: Iterable[str], layers: dict[str, str]) -> Iterator[str]:
    """The layers and the batch normalisation behind each: what it does follows from the layer."""
    taken, before = set(chosen), ""
    for layer, kind in layers.items():
        if layer in taken or (kind == "norm" and before in taken):
            yield layer
        before = layer
