"""Every command where terminals, paths and streams are not as one is used to."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SURROUNDINGS = {  # name of the folder that everything is in, columns, is standard input closed?
    "newline, right to left, narrow": ("a \n b \u05d0\u05d1", 40, True),
    "not UTF-8, as usual": (b"\xe9\xff $x$ %s", 80, False),
    "spaces, quotes, wide": ("it's  \"mine\" {0}", 200, True),
}
COMMANDS = {
    "prepare": ["prepare", "--image-size", "72", "{data}", "{out}"],
    "stats": ["stats", "{set}"],
    "train": ["train", "{data}", "--out", "{out}", "--max-steps", "1", "{narrow}"],
    "resume": ["train", "--resume", "{run}"],
    "evaluate": ["evaluate", "{run}", "--report", "{out}"],
    "evaluate two": ["evaluate", "{run}", "{run}/last.safetensors", "{data}"],
    "report": ["report", "{run}", "--ten-crop"],
    "predict": ["predict", "{run}", "{image}"],
    "inside": ["inside", "{run}", "{image}", "--what", "saliency,fooling", "--out", "{out}"],
    "show-augment": ["show-augment", "{data}", "--out", "{out}.png"],
    "summary": ["summary", "--num-classes", "3"],
    "diff": ["diff", "{run}/recipe.json", "paper"],
    "doctor": ["doctor"],
    "help": ["train", "--help"],
}

pytestmark = pytest.mark.slow  # a process each


def run(arguments: list[bytes], columns: int, closed: bool) -> tuple[int, str]:
    """Exit status and all that was written, where standard output is a pipe."""
    code = "import sys; from alexnet_scratch.cli import main; sys.exit(main())"
    command: list[bytes] = [os.fsencode(sys.executable), b"-c", code.encode(), *arguments]
    done = subprocess.run(
        command, check=False, timeout=300, env={**os.environ, "COLUMNS": str(columns)},
        stdin=None if closed else subprocess.DEVNULL, preexec_fn=close_stdin if closed else None,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout.decode("utf-8", "replace")


def close_stdin() -> None:
    os.close(0)


@pytest.fixture(scope="module", params=SURROUNDINGS)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, colours: Path,
    narrow_flags: list[str],
) -> tuple[dict[str, bytes], list[bytes], int, bool]:  # fmt: skip
    """A data set and a run below a folder of that name."""
    name, columns, closed = SURROUNDINGS[request.param]
    top = tmp_path_factory.mktemp("place") / os.fsdecode(name)
    shutil.copytree(colours, top / "data")
    for split in ("train", "val"):  # a class by such a name, too
        (top / "data" / split / "red").rename(top / "data" / split / os.fsdecode(name))
    image = next((top / "data" / "train" / "blue").iterdir())
    paths = {"data": top / "data", "set": top / "set", "run": top / "run", "image": image}
    narrow = [os.fsencode(flag) for flag in narrow_flags]
    train = [b"train", os.fsencode(top / "data"), b"--out", os.fsencode(top / "run"), *narrow]
    prepare = [b"prepare", b"--image-size", b"72", os.fsencode(top / "data")]
    for command in ([*train, b"--epochs", b"1"], [*prepare, os.fsencode(top / "set")]):
        status, said = run(command, columns, closed)
        assert (status, "Traceback" in said) == (0, False), said
    return {key: os.fsencode(path) for key, path in paths.items()}, narrow, columns, closed


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_works(
    name: str, place: tuple[dict[str, bytes], list[bytes], int, bool], tmp_path: Path
) -> None:
    paths, narrow, columns, closed = place
    paths = {**paths, "out": paths["run"] + b" of " + name.encode()}
    arguments: list[bytes] = []
    for word in COMMANDS[name]:
        if word == "{narrow}":
            arguments += narrow
            continue
        raw = word.encode()
        for key, path in paths.items():
            raw = raw.replace(b"{%s}" % key.encode(), path)
        arguments.append(raw)
    status, said = run(arguments, columns, closed)
    assert "Traceback" not in said, said
    assert status == 0, said
    assert said.strip()
