"""Fuzzes one target guided by coverage, with atheris: inputs that reach new code are kept.

    python tests/fuzz/guided.py image build/corpus -max_total_time=600

The first word is a target, the rest libFuzzer's: a folder that inputs are gathered in, options.
A find is any error that is not the project's own; libFuzzer writes it to crash-*, for
`python tests/fuzz/run.py --replay TARGET crash-...`.
"""

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

import atheris

INSTRUMENTED = ["alexnet_scratch", "minigrad", "PIL", "tarfile", "zipfile", "http"]
with atheris.instrument_imports(include=INSTRUMENTED):
    from targets import TARGETS, make_seeds


def main() -> None:
    """Never returns."""
    target = TARGETS[sys.argv.pop(1)]
    work = Path(tempfile.mkdtemp())
    make_seeds(work)

    def one(data: bytes) -> None:
        with contextlib.suppress(*target.errors):
            target.run(data, work)

    arguments = [sys.argv[0], *sys.argv[1:], str(work / target.name), "-rss_limit_mb=2048"]
    atheris.Setup([*arguments, "-timeout=30"], one)
    try:
        atheris.Fuzz()
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
