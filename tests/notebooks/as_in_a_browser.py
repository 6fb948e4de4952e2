"""Runs a notebook's cells as Python in a browser would: without threads, processes, hard links.

    python as_in_a_browser.py SOURCE
"""

import os
import sys
from pathlib import Path

import jupytext
from IPython.core.interactiveshell import InteractiveShell

sys.path.append(str(Path(__file__).parents[1]))
from elsewhere import take_away


def make_short():
    """The training run of two notebooks takes a minute and a half; two epochs of 120 images do."""
    from dataclasses import replace

    from alexnet_course import small_run

    small_run.TRAIN = 12
    small_run.RECIPE = replace(small_run.RECIPE, epochs=2)


def main(source):
    take_away("browser")
    make_short()
    os.environ["MPLBACKEND"] = "agg"
    shell = InteractiveShell.instance(history_length=0)
    shell.history_manager.enabled = False
    for cell in jupytext.read(source).cells:
        if cell.cell_type == "code":
            shell.run_cell(cell.source).raise_error()


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parents[2] / "notebooks")
    main(sys.argv[1])
