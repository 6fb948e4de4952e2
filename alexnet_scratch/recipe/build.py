"""What a recipe asks for: the network, and the average of its weights."""

from __future__ import annotations

from typing import Any

from minigrad import nn, optim
from minigrad.nn.shapes import shapes_only

from ..model import AlexNet
from ..network import Network
from ..zoo import MODELS
from .fields import Recipe
from .option import RecipeError


def build_model(recipe: Recipe, num_classes: int) -> Network:
    """The recipe's network, with the layers' default initialisation.

    Raises RecipeError for sizes that do not fit together.
    """
    try:
        if recipe.model != "alexnet":
            kind: Any = MODELS[recipe.model]
            return kind(num_classes, **recipe.network_options)  # type: ignore[no-any-return]
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
    """The shapes of `build_model`'s parameters and buffers, by name, without any memory
    for them. RecipeError as there."""
    with shapes_only():
        state = build_model(recipe, num_classes).state_dict()
    return {name: tensor.shape for name, tensor in state.items()}


def build_average(model: nn.Module, recipe: Recipe) -> optim.swa_utils.AveragedModel | None:
    """The running average of the network's weights, None for a recipe without.

    Batch normalisation's running statistics are averaged, too: those of the network as it is now
    belong to weights that are not the average's.
    """
    if not recipe.average:
        return None
    decay = optim.swa_utils.get_ema_multi_avg_fn(recipe.average, warmup=True)
    return optim.swa_utils.AveragedModel(model, multi_avg_fn=decay, use_buffers=True)
