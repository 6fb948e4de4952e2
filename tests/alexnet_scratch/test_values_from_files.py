"""Values that make no sense, in files and flags: every command says so in one line.

The checks themselves have their tables in training/test_checkpoint.py, data/test_packed.py and
test_recipe.py; here is what a person meets.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alexnet_scratch.cli import main
from minigrad.serialization import load_file, load_metadata, save_file

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def begun(
    tmp_path_factory: pytest.TempPathFactory, colours: Path, narrow_flags: list[str]
) -> Path:
    """A run of two steps."""
    run = tmp_path_factory.mktemp("begun") / "run"
    command = ["train", str(colours), "--out", str(run), "--max-steps", "2", *narrow_flags]
    assert main(command) == 0
    return run


def change(run: Path, tensors: dict[str, Any] | None = None, **metadata: Any) -> None:
    """Other content in a run's checkpoint, its checksum right."""
    path = run / "last.safetensors"
    new = {name: json.dumps(value) for name, value in metadata.items()}
    save_file({**load_file(path), **(tensors or {})}, path, {**load_metadata(path), **new})


CHANGES: dict[str, Callable[[Path], None]] = {
    "classes": lambda run: change(run, classes=4),
    "classes that are numbers": lambda run: change(run, classes=[1, 2, 3]),
    "data": lambda run: change(run, data=[]),
    "root": lambda run: change(run, data={"root": 5, "train_images": 36}),
    "epoch": lambda run: change(run, epoch="x"),
    "step": lambda run: change(run, step=10**400),
    "metrics": lambda run: change(run, metrics=None),
    "precision": lambda run: change(run, precision="x"),
    "format": lambda run: change(run, format=[]),
    "no object": lambda run: change(run, recipe=[]),
    "image size": lambda run: change(run, recipe={"image_size": 10**6}),
    "another size": lambda run: change(run, recipe={"fc_width": 32768}),
    "weights that are NaN": lambda run: change(
        run, {"model.fc8.bias": np.full(3, np.nan, np.float32)}
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_checkpoint_of_nonsense_is_told(
    what: str, begun: Path, colours: Path, tmp_path: Path, capsys: Capture
) -> None:
    run = shutil.copytree(begun, tmp_path / "run")
    CHANGES[what](run)
    image = str(colours / "val/red/red_0.png")
    name = str(run)
    for command in (["predict", name, image], ["evaluate", name], ["train", "--resume", name]):
        assert main(command) == 2
        said = capsys.readouterr().err.strip()
        assert said.startswith(f"alexnet: {run}/last.safetensors")
        assert "\n" not in said


def test_a_network_that_gives_no_numbers_is_told(
    begun: Path, colours: Path, tmp_path: Path, capsys: Capture
) -> None:
    run = shutil.copytree(begun, tmp_path / "run")
    change(run, {"model.fc8.weight": np.full((3, 32), 3e38, np.float32)})
    for command in (["predict", str(run), str(colours / "val")], ["evaluate", str(run)]):
        assert main([*command, "--json"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert "its network gives NaN or infinity" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--widths", "9" * 400], "widths is about 1e400, expected 2 to 8,192"),
        (["--widths", "9" * 5000], "is not a list of int values"),
        (["--fc-width", "1000000000"], "fc_width is 1000000000, expected 1 to 32,768"),
        (["--image-size", "1000000"], "image_size is 1000000, expected 1 to 2,048"),
        (["--batch-size", "1000000"], "batch_size is 1000000, expected 1 to 65,536"),
        (["--epochs", "9" * 30], "epochs is about 1e30, expected 1 to 1,000,000"),
        (["--workers", "9" * 30], "threads, expected 0 to 1024"),
        (["--workers", "1025"], "1025 threads, expected 0 to 1024"),
        (["--out", "a\0b"], "an argument holds a NUL character"),
        (["--accept-changed-data"], "--accept-changed-data without --resume"),
    ],
)
def test_a_flag_of_nonsense_is_told(
    flags: list[str], message: str, colours: Path, tmp_path: Path, capsys: Capture
) -> None:
    command = ["train", str(colours), "--out", str(tmp_path / "run"), *flags]
    try:
        status = main(command)
    except SystemExit as stopped:  # argparse's way
        status = int(stopped.code or 0)
    assert status == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["train", "diff"])
def test_a_recipe_that_is_no_plain_file_is_told(
    command: str, tmp_path: Path, capsys: Capture
) -> None:
    pipe = tmp_path / "recipe.json"
    os.mkfifo(pipe)
    flags = ["--recipe", str(pipe)] if command == "train" else [str(pipe), "small"]
    assert main([command, *flags]) == 2
    assert "a device, a pipe or a socket, not a plain file" in capsys.readouterr().err
    pipe.unlink()
    pipe.touch()
    with open(pipe, "wb") as file:
        file.truncate(1 << 40)  # a terabyte, of which nothing is on the disk
    assert main([command, *flags]) == 2
    assert "bytes, expected at most" in capsys.readouterr().err


def test_a_loop_of_links_is_no_new_folder(colours: Path, tmp_path: Path, capsys: Capture) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert main(["prepare", str(colours), str(loop)]) == 2
    assert f"{loop} exists" in capsys.readouterr().err


def test_a_damaged_run_of_that_name_is_no_unfinished_one(
    begun: Path, colours: Path, tmp_path: Path, narrow_flags: list[str], capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    run = shutil.copytree(begun, tmp_path / "runs/colours-small")
    for changes in ({"epoch": "x"}, {"epoch": None}, {"recipe": []}, {"step": []}):
        change(run, **changes)
        assert main(["train", str(colours), "--max-steps", "1", *narrow_flags]) == 0
        assert "unfinished" not in capsys.readouterr().out
        shutil.rmtree(tmp_path / "runs/colours-small-2")


def test_memory_for_what_a_checkpoint_asks_is_not_taken(
    begun: Path, colours: Path, tmp_path: Path
) -> None:
    """Under a limit, as a command: the reliability list's case of a machine without memory."""
    run = shutil.copytree(begun, tmp_path / "run")
    recipe = json.loads(load_metadata(run / "last.safetensors")["recipe"])
    huge = {"image_size": 2048, "input_size": 2048, "widths": [8192] * 5, "fc_width": 32768}
    change(run, recipe={**recipe, **huge})
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))\n"
        "from alexnet_scratch.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "predict", run, colours / "val/red/red_0.png"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "conv1.weight has shape (8, 3, 11, 11) of float32, expected (8192," in done.stderr
