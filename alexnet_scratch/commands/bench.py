"""`alexnet bench`: how long a training step takes here, layer by layer."""

from __future__ import annotations

import argparse
import statistics
from typing import Any

import minigrad as mg

from ..bench import TrainingStep, layer_table, positive, seconds_of, time_layers
from ..progress import progress_bar, quantity
from ..recipe import build_model
from ..recipe.flags import MODEL_FIELDS, add_recipe_flags, recipe_from
from ..training.precision import chosen_precision
from .common import add_device_flags, add_precision_flags, device_from


def add_parser(commands: Any) -> None:
    """The flags of `alexnet bench`."""
    parser = commands.add_parser(
        "bench",
        help="time a training step layer by layer",
        examples=(
            "alexnet bench                          # batches of 32 on all cores",
            "alexnet bench --batch-size 128 --device cuda --amp",
            "alexnet bench --model resnet18 --input-size 64",
        ),
        usage="alexnet bench [--recipe NAME] [--batch-size N] [flags]",
        description="How long each layer of a recipe's network takes here, forward and backward, "
        "and how many images a second that makes. On a GPU, which computes while Python is ahead, "
        "the images only.",
    )
    parser.add_argument(
        "--recipe", help="a preset, or the recipe.json of a run [small]", metavar="NAME"
    )
    parser.add_argument("--batch-size", type=positive, default=32, metavar="N", help="images [32]")
    parser.add_argument("--num-classes", type=positive, default=1000, metavar="N", help="[1000]")
    parser.add_argument("--steps", type=positive, default=3, metavar="N", help="measured steps [3]")
    parser.add_argument("--threads", type=positive, metavar="N", help="CPU threads [all cores]")
    add_device_flags(parser, workers=False)
    add_precision_flags(parser)
    add_recipe_flags(parser, MODEL_FIELDS)
    parser.set_defaults(command=_bench)


def _bench(options: argparse.Namespace) -> int:
    device = device_from(options)
    precision = chosen_precision(options.dtype, None, device)
    size = options.batch_size
    del options.batch_size  # of the bench, not of the recipe
    if hasattr(options, "input_size"):
        options.image_size = options.input_size  # no image is cropped here
    recipe = recipe_from(options)
    if options.threads:
        mg.set_num_threads(options.threads)
    model = build_model(recipe, options.num_classes)
    model.to(device)
    step = TrainingStep(model, size, precision=precision)
    print(
        f"{recipe.title}, {options.num_classes} classes, batch {size}, {precision}, "
        + (f"{mg.get_num_threads()} threads" if device == "cpu" else device)
        + f", median of {options.steps} steps\n",
        flush=True,
    )

    def forward() -> None:
        with mg.no_grad():
            model(step.images)
        _wait(device)

    def train() -> None:
        step()
        _wait(device)

    with progress_bar("measuring", 2 * (options.steps + 1), unit="steps") as bar:
        if device == "cpu":
            times = time_layers(step, options.steps, after=bar.update)
            print(layer_table(times) + "\n")
            whole = times.step
        else:
            whole = statistics.median(seconds_of(train, options.steps, after=bar.update))
        model.eval()
        alone = statistics.median(seconds_of(forward, options.steps, after=bar.update))
    print(f"training  {quantity(size / whole):>8} images/s (forward, backward, update)")
    print(f"forward   {quantity(size / alone):>8} images/s (evaluation)")
    return 0


def _wait(device: str) -> None:
    if device != "cpu":
        mg.cuda.synchronize(device)
