"""Draw README's picture of the first layer's filters, those of the network that comes with alexnet.

    python docs/draw_filters.py [RUN] [--out FILE]

RUN: another run; then --out names the file. Without both it writes docs/filters.png.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import alexnet_scratch
from alexnet_course.figures import draw_filters

TRACKED = Path(__file__).with_name("filters.png")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", nargs="?", metavar="RUN", help="[boxed]")
    parser.add_argument("--out", type=Path, metavar="FILE", help="[docs/filters.png]")
    options = parser.parse_args(arguments)
    if options.run and not options.out:
        parser.error("the filters of another run than boxed: name a file with --out")
    model = alexnet_scratch.load(options.run or "boxed").model
    weight = dict(model.named_parameters())["conv1.weight"].data
    draw_filters(weight).savefig(options.out or TRACKED, dpi=100)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
