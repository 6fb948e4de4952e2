"""What a recipe's network can be: fields that it has no choice of, and sizes that do not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..initialise import OF_ALEXNET, OF_EIGHT_LAYERS, SCHEMES
from ..model import Stem, check_sizes
from ..schema import as_given
from ..zoo import MODELS
from .option import RecipeError

if TYPE_CHECKING:
    from .fields import Recipe

NOT_ONE_TOWER = (
    "conv1_kernel", "conv1_stride", "widths", "orders", "pool_edges", "lrn_size", "lrn_k",
    "lrn_alpha", "lrn_beta",
)  # fmt: skip
NOT_CIFAR = (
    "conv1_kernel", "conv1_stride", "conv1_edge", "pool_edges", "orders", "dropout", "dropout_p",
    "fc_width",
)  # fmt: skip
OF_LAYERS = (  # of all fields of the network, those that say what its layers are
    "variant", "conv1_kernel", "conv1_stride", "conv1_edge", "pool_edges", "orders", "norm",
    "lrn_size", "lrn_k", "lrn_alpha", "lrn_beta", "dropout", "dropout_p", "widths", "fc_width",
)  # fmt: skip


def check_network(recipe: Recipe) -> None:
    """RecipeError, which names the field, for a network that cannot be built."""
    if recipe.model != "alexnet":
        _check_other(recipe)
        return
    _check_alexnet(recipe)
    if recipe.variant == "one-tower":
        _check_one_tower(recipe)
    if recipe.variant == "cifar":
        _check_cifar(recipe)


def _check_alexnet(recipe: Recipe) -> None:
    count = 3 if recipe.variant == "cifar" else 5
    if len(recipe.widths) != count or (count == 5 and any(width % 2 for width in recipe.widths)):
        raise RecipeError(
            f"widths is {as_given(recipe.widths)}, expected "
            + ("five even numbers: half for each tower" if count == 5
               else "three numbers for the cifar network, such as 32,32,64")
        )  # fmt: skip
    try:
        stem = Stem(recipe.conv1_kernel, recipe.conv1_stride, recipe.conv1_edge, recipe.pool_edges)
        check_sizes(recipe.variant, recipe.widths, recipe.input_size, stem)
    except ValueError as error:
        raise RecipeError(str(error).removeprefix("AlexNet: ")) from error


def _check_other(recipe: Recipe) -> None:
    """A network that is not AlexNet: what it has no choice of, and what it cannot be."""
    title = recipe.title
    if recipe.init in OF_ALEXNET:
        others = ", ".join(scheme for scheme in SCHEMES if scheme not in OF_ALEXNET)
        raise RecipeError(
            f"init is {recipe.init}, whose numbers are AlexNet's, and the network is {title}: "
            f"use {others}, or begin with --recipe {recipe.model}"
        )
    has = MODELS[recipe.model].fields
    fixed = {name: getattr(type(recipe), name) for name in OF_LAYERS if name not in has}
    if "dropout_p" in has:
        fixed["dropout"] = "inverted"
    for name, value in fixed.items():
        if getattr(recipe, name) != value:
            raise RecipeError(
                f"{name} is {as_given(getattr(recipe, name))}, but {title} has no such choice: "
                f"leave it at {as_given(value)}, or give another model"
            )
    try:
        MODELS[recipe.model].check(1, **recipe.network_options)
    except ValueError as error:
        raise RecipeError(str(error).removeprefix(f"{title}: ")) from error


def _check_cifar(recipe: Recipe) -> None:
    if recipe.init in OF_EIGHT_LAYERS:
        others = ", ".join(scheme for scheme in SCHEMES if scheme not in OF_EIGHT_LAYERS)
        raise RecipeError(
            f"init is {recipe.init}, which has numbers for eight layers, and the cifar network "
            f"has four: use {others}"
        )
    for name in NOT_CIFAR:
        if getattr(recipe, name) != getattr(type(recipe), name):
            raise RecipeError(
                f"{name} is {as_given(getattr(recipe, name))}, but the cifar network has no such "
                f"choice: leave it at {as_given(getattr(type(recipe), name))}, or give another "
                "variant"
            )


def _check_one_tower(recipe: Recipe) -> None:
    """torchvision's network has no such choices; a value that did nothing would mislead."""
    fixed = {name: getattr(type(recipe), name) for name in NOT_ONE_TOWER}
    for name, value in {"conv1_edge": "pad", "dropout": "inverted", **fixed}.items():
        if getattr(recipe, name) != value:
            raise RecipeError(
                f"{name} is {as_given(getattr(recipe, name))}, but the one-tower network has "
                f"only {as_given(value)}: give that, or another variant"
            )
