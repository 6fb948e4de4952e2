"""`python -m alexnet_scratch` is `alexnet`, and `alexnet` begins here."""

import signal
import sys


def main() -> int:
    """Load the command and run it; Ctrl-C while it is loaded ends it without a word."""
    listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if listens:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .cli import main as command

    if listens:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return command()
    except KeyboardInterrupt:  # before it listened, or while it told of the first one
        return 130


if __name__ == "__main__":
    sys.exit(main())
