"""What several commands share."""

from __future__ import annotations

import argparse

from minigrad import arrays, cuda
from minigrad.cuda.memory import parse_limit

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130  # exit statuses


def count(text: str) -> int:
    """A flag's value: a whole number of 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


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
            "--workers", type=count, default=2, metavar="N", help="threads that load images [2]"
        )


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
