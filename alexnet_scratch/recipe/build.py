"""What a recipe asks for: the network, and the optimiser with its groups of parameters."""

from __future__ import annotations

from typing import Any

from minigrad import nn, optim

from ..model import AlexNet, state_shapes
from .fields import Recipe
from .option import RecipeError

CONV1 = ("conv1.", "features.0.")  # its name in one tower is the second


def build_model(recipe: Recipe, num_classes: int) -> AlexNet:
    """The recipe's network, with the layers' default initialisation.

    Raises RecipeError for sizes that do not fit together.
    """
    try:
        return AlexNet(
            num_classes, recipe.variant, input_size=recipe.input_size,
            conv1_kernel=recipe.conv1_kernel, conv1_stride=recipe.conv1_stride,
            conv1_edge=recipe.conv1_edge, pool_edges=recipe.pool_edges, orders=recipe.orders,
            lrn_size=recipe.lrn_size, lrn_k=recipe.lrn_k,
            lrn_alpha=recipe.lrn_alpha, lrn_beta=recipe.lrn_beta,
            dropout=recipe.dropout, dropout_p=recipe.dropout_p,
            widths=recipe.widths, fc_width=recipe.fc_width, norm=recipe.norm,
        )  # fmt: skip
    except ValueError as error:
        raise RecipeError(str(error)) from error


def shapes_of(recipe: Recipe, num_classes: int) -> dict[str, tuple[int, ...]]:
    """The shapes of `build_model`'s parameters and buffers, by name. RecipeError as there."""
    try:
        return state_shapes(
            num_classes, recipe.variant, input_size=recipe.input_size,
            conv1_kernel=recipe.conv1_kernel, conv1_stride=recipe.conv1_stride,
            conv1_edge=recipe.conv1_edge, pool_edges=recipe.pool_edges, widths=recipe.widths,
            fc_width=recipe.fc_width, norm=recipe.norm,
        )  # fmt: skip
    except ValueError as error:
        raise RecipeError(str(error)) from error


def build_optimizer(model: nn.Module, recipe: Recipe) -> optim.Optimizer:
    """The recipe's optimiser for the network's parameters."""
    groups = parameter_groups(model, recipe)
    if recipe.optimizer == "adam":
        return optim.Adam(groups)
    if recipe.optimizer == "adamw":
        return optim.AdamW(groups)
    return optim.SGD(groups, momentum=recipe.momentum, rule=recipe.rule)


def build_average(model: nn.Module, recipe: Recipe) -> optim.swa_utils.AveragedModel | None:
    """The running average of the network's weights, None for a recipe without.

    Batch normalisation's running statistics are averaged, too: those of the network as it is now
    belong to weights that are not the average's.
    """
    if not recipe.average:
        return None
    decay = optim.swa_utils.get_ema_multi_avg_fn(recipe.average, warmup=True)
    return optim.swa_utils.AveragedModel(model, multi_avg_fn=decay, use_buffers=True)


def parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """The optimiser's groups: weights, and biases with their own rate and decay; conv1's apart,
    where the schedule treats it apart."""
    groups: dict[str, dict[str, Any]] = {}
    apart = bool(recipe.conv1_drop_epochs or recipe.conv1_freeze_epoch)
    for name, parameter in model.named_parameters():
        bias = name.endswith("bias")
        label = "conv1 " * (apart and name.startswith(CONV1)) + ("biases" if bias else "weights")
        group = groups.setdefault(
            label,
            {
                "name": label,
                "params": [],
                "lr": recipe.lr * (recipe.bias_lr_factor if bias else 1.0),
                "weight_decay": recipe.weight_decay if recipe.bias_decay or not bias else 0.0,
            },
        )
        group["params"].append(parameter)
    return list(groups.values())
