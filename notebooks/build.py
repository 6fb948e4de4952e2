"""Make the notebooks from their sources: notebooks/source/NAME.py -> notebooks/NAME.ipynb.

    python notebooks/build.py [NAME ...]     # all of them, or those whose name begins with NAME

A source is a Python file with cells between "# %%" lines (jupytext's percent form), which diffs and
editors read well. Each notebook is executed from the top in a fresh kernel and kept with what its
cells printed and drew. A cell with the tag "machine" prints what depends on time or machine, so its
output is not kept. Stops with the notebook's name and the cell when one fails.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from ipykernel.ipkernel import IPythonKernel
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "source"
KERNEL = "python3"
TIMEOUT = 600  # seconds for one cell: the training run, on a machine with other work


def sources() -> list[Path]:
    """Every source, the solutions last."""
    return sorted(SOURCE.glob("*.py")) + sorted((SOURCE / "solutions").glob("*.py"))


def target(source: Path) -> Path:
    """Where the notebook of a source stands."""
    return (HERE / source.relative_to(SOURCE)).with_suffix(".ipynb")


def unexecuted(source: Path) -> nbformat.NotebookNode:
    """The notebook of a source, without outputs; a cell's id is its place, so that it stays."""
    notebook = jupytext.read(source)
    notebook.metadata = metadata()
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    return notebook


def metadata() -> dict[str, Any]:
    """What JupyterLab writes of the kernel when it opens a notebook: with another text there the
    notebook would count as changed before anybody has changed it."""
    spec = KernelSpecManager().get_kernel_spec(KERNEL)
    return {
        "kernelspec": {
            "display_name": spec.display_name, "language": spec.language, "name": KERNEL,
        },
        "language_info": IPythonKernel.language_info,
    }  # fmt: skip


def joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Printed text in one piece: in how many it arrives is a matter of time."""
    whole: list[nbformat.NotebookNode] = []
    for output in outputs:
        if whole and output.output_type == "stream" and whole[-1].get("name") == output.name:
            whole[-1].text += output.text
        else:
            whole.append(output)
    return whole


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run all cells in a fresh kernel with `folder` as its working directory."""
    client = NotebookClient(
        notebook, timeout=TIMEOUT, kernel_name=KERNEL,
        resources={"metadata": {"path": str(folder)}}, record_timing=False,
    )  # fmt: skip
    client.execute()
    for cell in notebook.cells:
        cell["metadata"].pop("execution", None)
        if cell.cell_type == "code":
            cell["outputs"] = joined(cell["outputs"])
        if "machine" in cell["metadata"].get("tags", []):
            cell["outputs"] = []


def build(source: Path) -> Path:
    """Execute the notebook of a source and write it."""
    notebook = unexecuted(source)
    execute(notebook, HERE)
    path = target(source)
    path.parent.mkdir(exist_ok=True)
    nbformat.validate(notebook)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="how the names begin [all]")
    options = parser.parse_args()
    chosen = [
        s for s in sources()
        if not options.names or any(s.name.startswith(name) for name in options.names)
    ]  # fmt: skip
    if not chosen:
        sys.exit(f"build: no source in {SOURCE} begins with {' or '.join(options.names)}")
    os.environ.setdefault("MINIGRAD_NUM_THREADS", "2")  # sums over threads have a fixed order
    for source in chosen:
        try:
            print(build(source).relative_to(HERE), flush=True)
        except CellExecutionError as error:
            sys.exit(f"build: {source.name}: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
