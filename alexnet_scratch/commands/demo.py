"""`alexnet demo`: a page on this machine that names photographs."""

from __future__ import annotations

import argparse
import webbrowser
from typing import Any

from ..names import short_names
from ..pages.demo import PORT, Demo, Server
from ..progress import say
from ..trained import trained
from ..training.checkpoint import BOXED, find_checkpoint, load_checkpoint, place_of
from .common import add_device_flags, count, device_from


def add_parser(commands: Any) -> None:
    """The flags of `alexnet demo`."""
    parser = commands.add_parser(
        "demo",
        help="a page on this machine that names photographs",
        examples=(
            "alexnet demo                    # the network that comes with alexnet",
            "alexnet demo runs/imagenette-small --open",
        ),
        description="Serve a page, to this machine alone, where a photograph is dropped or picked: "
        "it shows the five likeliest classes, and what in the image the network went by. Nothing "
        "leaves the machine. Ctrl-C ends it.",
    )
    parser.add_argument(
        "run", metavar="RUN", nargs="?", default=BOXED.name,
        help=f"run folder, or a checkpoint in it [{BOXED.name}: the network that comes with "
        "alexnet]",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=port, default=PORT, metavar="N", help=f"0 for any that is free [{PORT}]"
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser, too")
    add_device_flags(parser, workers=False)
    parser.set_defaults(command=_demo)


def port(text: str) -> int:
    """A flag's value: a port's number."""
    number = count(text)
    if number > 65_535:
        raise argparse.ArgumentTypeError(f"there is no port {text:.20}, expected 0 to 65535")
    return number


def _demo(options: argparse.Namespace) -> int:
    with Server(demo_of(options.run, device_from(options)), options.port) as server:
        try:
            say(f"{server.url} names photographs; Ctrl-C ends it")
            if options.open:
                webbrowser.open(server.url)
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            say("Ended.")
    return 0


def demo_of(run: str, device: str) -> Demo:
    """What the page shows of a run."""
    network = trained(load_checkpoint(find_checkpoint(run)), device)
    place = place_of(run)
    if place != BOXED:
        return Demo(network, place.absolute().name if place.is_dir() else str(place))
    names = ", ".join(short_names([network.names.get(c, c) for c in network.classes]))
    return Demo(
        network, "the network that comes with alexnet",
        f"It names one of {names}, whatever the photograph shows.",
    )  # fmt: skip
