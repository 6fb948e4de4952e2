"""The `alexnet` command."""

from __future__ import annotations

import argparse
import contextlib
import errno
import faulthandler
import sys
from collections.abc import Callable, Iterator, Sequence

import minigrad
from minigrad import arrays
from minigrad.data import LoaderError
from minigrad.serialization import CheckpointError

from .commands import (
    assign,
    bench,
    compare,
    completion,
    demo,
    diff,
    doctor,
    evaluate,
    export,
    features,
    find_lr,
    grade,
    import_weights,
    inside,
    learn,
    plan,
    predict,
    prepare,
    probe,
    report,
    show_augment,
    stats,
    summary,
    train,
)
from .commands.common import FAILED, INTERRUPTED
from .data import DataError
from .initialise import InitialisationError
from .names import one_line
from .out_of_memory import OutOfMemory, shortage
from .parser import BAD_INPUT, Parser
from .recipe import RecipeError
from .streams import Output, named
from .training.folder import RunError
from .training.watchdog import Diverged

COMMANDS = (
    prepare, stats, plan, find_lr, train, import_weights, evaluate, report, predict, demo, inside,
    features, probe, export, compare, summary, diff, show_augment, doctor, bench, learn, grade,
    assign, completion,
)  # fmt: skip

# What a user can mend; anything else is our fault and deserves its traceback.
USER_ERRORS = (
    DataError, CheckpointError, RecipeError, RunError, InitialisationError, LoaderError,
    arrays.DeviceError, OSError,
)  # fmt: skip


# What to do about what the system says of a path.
ADVICE = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of this path is a file: give one that leads through folders only",
    errno.EACCES: "give a path that you may read and write",
    errno.EPERM: "give a path that you may read and write",
    errno.EROFS: "nothing can be written there: give another path",
    errno.ENOSPC: "free some space, or give a path on another disk",
    errno.ENAMETOOLONG: "give a shorter one",
}


def main(argv: Sequence[str] | None = None, parser: Parser | None = None) -> int:
    """Run the `alexnet` command with these arguments and return the exit status.

    parser: of another program with the same manners; its options have a `command` to call.
    0: done; 1: training failed; 2: the input cannot be used; 130: interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    with named() as output, _crashes_told():
        try:
            try:
                return _run(arguments, output, parser or _parser())
            finally:
                sys.stdout.flush()  # now, when a reader that has gone can still be dealt with
        except BrokenPipeError:
            return 0
        except OSError as error:  # of standard output; what a command meets is told in `_run`
            return _fail(_said(error), BAD_INPUT)


@contextlib.contextmanager
def _crashes_told() -> Iterator[None]:
    """What ends the process at once (a file that is cut while it is mapped into memory: SIGBUS)
    leaves on standard error where it was."""
    was = faulthandler.is_enabled()
    with contextlib.suppress(OSError, ValueError, AttributeError):  # it is no file
        if not was:
            faulthandler.enable(2, all_threads=False)
    try:
        yield
    finally:
        if not was:
            faulthandler.disable()


def _run(arguments: list[str], output: Output, parser: Parser) -> int:
    if not arguments:
        parser.print_help()
        return 0
    options = parser.parse(arguments)
    options.arguments, options.root = arguments, parser
    output.unfailing = getattr(options, "unheard", False)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except BrokenPipeError:
        raise
    except USER_ERRORS as error:
        return _fail(_said(error), BAD_INPUT)
    except (Diverged, OutOfMemory) as error:
        return _fail(str(error), FAILED)
    except MemoryError as error:
        return _fail(_no_memory(error), FAILED)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)


def _said(error: Exception) -> str:
    """The error's message; of the system's own the path first, without the number."""
    if not isinstance(error, OSError) or error.filename is None:
        return str(error)
    advice = ADVICE.get(error.errno or 0, "give another path")
    return f"{error.filename}: {error.strerror}; {advice}"


def _no_memory(error: MemoryError) -> str:
    if minigrad.cuda.is_out_of_memory(error):
        return f"{shortage(error)}: free memory on the GPU, or use --device cpu"
    return f"out of memory ({error}): use a smaller --batch-size, or train with --micro-batch N"


def _fail(message: str, status: int) -> int:
    print(f"alexnet: {one_line(message)}", file=sys.stderr)
    return status


def _parser() -> Parser:
    parser = Parser(
        prog="alexnet",
        description="AlexNet from scratch: train it, evaluate it, look inside.",
        epilog="alexnet COMMAND --help shows a command's examples and flags.",
        examples=(
            "alexnet train                          # drawn patterns: runs/patterns-small",
            "alexnet prepare imagenette2-320.tgz imagenette",
            "alexnet train imagenette --epochs 30   # runs/imagenette-small",
            "alexnet evaluate runs/imagenette-small --ten-crop",
            "alexnet report runs/imagenette-small   # a page of it, to open in a browser",
            "alexnet predict runs/imagenette-small photo.jpg",
            "alexnet predict photo.jpg              # by a network that comes with it",
            "alexnet demo                           # a page where you drop photos",
        ),
    )
    parser.add_argument("--version", action="version", version=f"alexnet {minigrad.__version__}")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )
    for command in COMMANDS:
        command.add_parser(commands)
    return parser
