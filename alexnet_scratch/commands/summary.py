"""`alexnet summary`: the layer table."""

from __future__ import annotations

import argparse
from typing import Any

from ..recipe import build_model
from ..recipe.flags import MODEL_FIELDS, add_recipe_flags, recipe_from
from .common import count


def add_parser(commands: Any) -> None:
    """The flags of `alexnet summary`."""
    parser = commands.add_parser(
        "summary",
        help="the layer table: shapes, parameters, multiply-adds, bytes",
        examples=(
            "alexnet summary",
            "alexnet summary --recipe owt --num-classes 10",
            "alexnet summary --model resnet18",
        ),
        usage="alexnet summary [--recipe NAME] [--num-classes N] [flags]",
        description="A row for each layer; the ReLUs that a convolution computes have no bytes.",
    )
    parser.add_argument("--recipe", help="a preset, or the recipe.json of a run [small]")
    parser.add_argument("--num-classes", type=count, default=1000, metavar="N", help="[1000]")
    add_recipe_flags(parser, MODEL_FIELDS)
    parser.set_defaults(command=_summary)


def _summary(options: argparse.Namespace) -> int:
    from minigrad.tools.summary import summary

    if hasattr(options, "input_size"):
        options.image_size = options.input_size  # no image is cropped here, any input will do
    recipe = recipe_from(options)
    model = build_model(recipe, options.num_classes)
    print(f"{recipe.title}, {options.num_classes} classes\n")
    print(summary(model, (3, recipe.input_size, recipe.input_size)))
    return 0
