"""A file per command of `alexnet`: `add_parser(commands)` and what the command does."""
