"""The command line's parser: examples first, errors in one line that guess what was meant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from .names import did_you_mean

BAD_INPUT = 2  # exit status


class Parser(argparse.ArgumentParser):
    """argparse's, with `examples` in its help, behind the usage, and `parser` in its options."""

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **how: Any) -> None:
        super().__init__(*arguments, **how)
        self.examples = examples
        self.set_defaults(parser=self)  # of the innermost command

    def format_help(self) -> str:
        """Usage, examples, then what argparse has."""
        text = super().format_help()
        if not self.examples:
            return text
        usage, _, rest = text.partition("\n\n")
        lines = "".join(f"  {example}\n" for example in self.examples)
        return f"{usage}\n\nexamples:\n{lines}\n{rest}"

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The options. A flag that the command does not have is its parser's error.

        What stands behind a flag, too, is added to the list that the command's default `gathers`
        names, if it has one: argparse reads such a list in one place only.
        """
        if any("\0" in argument for argument in arguments):
            self.error("an argument holds a NUL character, which no name of a file can")
        options, unknown = self.parse_known_args(arguments)
        if "gathers" in options and not any(word.startswith("-") for word in unknown):
            getattr(options, options.gathers).extend(unknown)
        elif unknown:
            parser: Parser = options.parser
            flag = next((word for word in unknown if word.startswith("-")), "").partition("=")[0]
            close = did_you_mean(flag, parser._option_string_actions) if flag else ""
            parser.error(f"unrecognized arguments: {' '.join(unknown)}{close}")
        return options

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            close = did_you_mean(str(value), known)
            raise argparse.ArgumentError(
                action, f"invalid choice: {value!r}{close} (choose from {', '.join(known)})"
            )

    def error(self, message: str) -> NoReturn:
        """In one line: the flags of `train` would push a message off the screen."""
        self.exit(BAD_INPUT, f"{self.prog}: {message} (see {self.prog} --help)\n")
