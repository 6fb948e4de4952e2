"""`alexnet completion`: what makes a shell complete commands, flags and file names."""

from __future__ import annotations

import argparse
from typing import Any

from ..data import DataError

SHELLS = ("bash", "zsh", "tcsh")
PATHS = (
    "DATA", "RUN", "SET", "SOURCE", "OUT", "FOLDER", "DIR", "FILE", "IMAGE", "FILE.png", "NAME",
)  # fmt: skip


def add_parser(commands: Any) -> None:
    """The flags of `alexnet completion`."""
    parser = commands.add_parser(
        "completion",
        help="print what makes your shell complete commands and flags",
        examples=(
            'eval "$(alexnet completion bash)"      # now, or in ~/.bashrc for ever',
            'eval "$(alexnet completion zsh)"       # or in ~/.zshrc',
        ),
        description="Print a script for your shell with which the Tab key completes commands, "
        "flags, their values and file names. Needs shtab: pip install shtab.",
    )
    parser.add_argument("shell", choices=SHELLS, help=", ".join(SHELLS))
    parser.set_defaults(command=_completion)


def _completion(options: argparse.Namespace) -> int:
    try:
        import shtab
    except ImportError:
        raise DataError("shell completion needs shtab: pip install shtab") from None
    for action in _actions(options.root):
        if action.choices is None and action.metavar in PATHS:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(options.root, options.shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Those of a parser and of its commands."""
    found = list(parser._actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found += [inner for command in action.choices.values() for inner in _actions(command)]
    return found
