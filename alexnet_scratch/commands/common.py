"""What several commands share."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from minigrad import arrays, cuda
from minigrad.cuda.memory import parse_limit

from ..recipe import Recipe
from ..recipe.flags import recipe_from
from ..recipe.groups import check_layers
from ..training.checkpoint import BOXED
from ..training.precision import AMP, DTYPES
from ..training.transfer import Pretrained, pretrained, transferred

MOST_THREADS = 1024  # beyond it systems give none, or have no time left for anything else
FAILED, INTERRUPTED = 1, 130  # exit statuses, beside BAD_INPUT


class Download(argparse.Action):
    """--download stands for the source: the only path that is given then, OUT, arrives as the
    first."""

    def __init__(self, positional: tuple[argparse.Action, argparse.Action], **how: Any) -> None:
        super().__init__(**how)
        self._first, self._second = positional

    def __call__(self, parser: Any, options: Any, name: Any, flag: str | None = None) -> None:
        self._second.required = False
        self._first.metavar = "OUT"  # the name of what is missing
        options.download = name


def count(text: str) -> int:
    """A flag's value: a whole number of 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def threads(text: str) -> int:
    """A flag's value: a number of threads."""
    number = count(text)
    if number > MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{text:.20} threads, expected 0 to {MOST_THREADS}")
    return number


def memory(text: str) -> str:
    """A flag's value: an amount of memory, see `cuda.set_memory_limit`."""
    try:
        parse_limit(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def add_device_flags(parser: argparse.ArgumentParser, workers: bool = True) -> None:
    """--device, --gpu-memory and, for commands that load images, --workers."""
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N [cpu]")
    parser.add_argument(
        "--gpu-memory", type=memory, metavar="SIZE",
        help="most that this run may take of the GPU's memory, as 6G or 80%% [all]",
    )  # fmt: skip
    if workers:
        parser.add_argument(
            "--workers", type=threads, default=2, metavar="N", help="threads that load images [2]"
        )


def add_precision_flags(parser: argparse.ArgumentParser) -> None:
    """--dtype and --amp, for commands that train."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--dtype", choices=DTYPES,
        help="how products of float32 are computed [tf32 on a GPU that has it, else float32]",
    )  # fmt: skip
    either.add_argument(
        "--amp", nargs="?", const=AMP[0], type=_amp, metavar="TYPE", dest="dtype",
        default=argparse.SUPPRESS,
        help="mixed precision: columns and products of float16 (or bfloat16), all else float32",
    )  # fmt: skip


def _amp(text: str) -> str:
    if text not in AMP:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not {' or '.join(AMP)}; a bare --amp stands behind DATA"
        )
    return text


def add_source_flag(parser: argparse.ArgumentParser) -> None:
    """--init-from, for commands that train."""
    parser.add_argument(
        "--init-from", metavar="RUN",
        help="begin with the weights of another run, or of a checkpoint in it; its network comes "
        f"with them, and where the classes are others a new last layer ({BOXED.name}: the network "
        "that comes with alexnet); --recipe is transfer then, unless given",
    )  # fmt: skip


def recipe_and_source(options: argparse.Namespace) -> tuple[Recipe, Pretrained | None]:
    """The recipe, with the network of --init-from, and that network; None without the flag.

    RecipeError also for layers in --freeze and --lr-factor that the network does not have.
    """
    if options.init_from is None:
        recipe = recipe_from(options)
        check_layers(recipe)
        return recipe, None
    source = pretrained(options.init_from)
    return recipe_from(options, partial(transferred, source=source)), source


def device_from(options: argparse.Namespace) -> str:
    """The device that the flags name, its memory limited. DeviceError for one that cannot be."""
    device = arrays.parse_device(options.device)
    if options.gpu_memory is not None:
        if device == "cpu":
            raise arrays.DeviceError(
                "--gpu-memory limits a GPU, the device is the CPU: give --device cuda, too, or "
                "leave it out"
            )
        cuda.set_memory_limit(options.gpu_memory, device)
    return device
