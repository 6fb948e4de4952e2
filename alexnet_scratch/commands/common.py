"""What several commands share."""

from __future__ import annotations

import argparse

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130  # exit statuses


def count(text: str) -> int:
    """A flag's value: a whole number of 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def add_device_flags(parser: argparse.ArgumentParser, workers: bool = True) -> None:
    """--device and, for commands that load images, --workers."""
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N [cpu]")
    if workers:
        parser.add_argument(
            "--workers", type=count, default=2, metavar="N", help="threads that load images [2]"
        )
