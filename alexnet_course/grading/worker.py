"""The process in which a learner's functions run: `python -m alexnet_course.grading.worker`.

It is told on standard input what to do, as `wire.py` writes it. Nothing of its own matters to a
verdict; it is thrown away with its folder.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from .confine import confine, needed_to_read, refuse


def main() -> int:
    """Confine this process, then answer calls until the line ends."""
    source, target = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    order = json.loads(sys.argv[1])
    folder = Path(order["folder"])
    os.chdir(folder)
    silence = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(silence, standard)
    held = confine(folder, needed_to_read(), order["memory"], order["seconds"])

    import importlib

    from . import wire

    importlib.import_module(order["checks"])
    peer = wire.Peer(source, target, trusted=False)
    peer.number(_Notebook())  # the call that the other end makes first: number 0
    refuse(folder)
    wire.send(target, [*held], [])
    while True:
        try:
            message, blobs = wire.receive(source)
        except wire.Closed:
            return 0
        peer.answer(message, blobs)


class _Notebook:
    """Runs statements of a notebook's cells in one namespace a call."""

    def __call__(self, cells: list[tuple[int, str, list[int]]], name: str) -> Any:
        """Run these statements (the cell's number, its text, which of its statements), and return
        what is called `name` then."""
        import ast

        from . import wire

        namespace: dict[str, Any] = {"__name__": "__main__"}
        for number, text, chosen in cells:
            file = f"<cell {number}>"
            wire.CELLS[file] = text.splitlines()
            body = ast.parse(text, file).body
            module = ast.Module([body[i] for i in chosen], [])
            exec(compile(module, file, "exec"), namespace)
        return namespace[name]


if __name__ == "__main__":
    sys.exit(main())
