"""Sixty SIGKILLs at random moments: what is gone on with ends as what was left alone.

The short test of the kind, and the paper's network, are in test_survival.py.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from alexnet_scratch.training.checkpoint import load_checkpoint

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL there")

ALEXNET = (sys.executable, "-m", "alexnet_scratch")
TIMES = ("images_per_second", "seconds", "waiting", "seconds_left")
Kill = Callable[[Path, float], bool]  # (run folder, seconds since the start): now?


def killed(words: list[str], when: Kill, folder: Path) -> bool:
    """Run a command and kill it, by SIGKILL, once `when` says so; whether it was in time for it."""
    process = subprocess.Popen(
        [*ALEXNET, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    began = time.monotonic()
    while process.poll() is None:
        if when(folder, time.monotonic() - began):
            process.kill()
            break
        time.sleep(0.002)
    said = process.communicate()[1]
    assert process.returncode in (0, -signal.SIGKILL), said
    return process.returncode != 0


def after(seconds: float) -> Kill:
    return lambda _, since: since > seconds


def while_saving(folder: Path, since: float) -> bool:
    """A checkpoint is being written, and not the first one of this process."""
    last = folder / "last.safetensors"
    if not any(folder.glob(".*safetensors*.tmp")) or not last.exists():
        return False
    return time.time() - last.stat().st_mtime < since


def rows(file: Path) -> list[dict[str, Any]]:
    read = [json.loads(line) for line in file.read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in TIMES} for row in read]


def assert_same_run(one: Path, two: Path) -> None:
    """The same files, and in them the same bytes but for what the clock wrote."""
    assert {file.name for file in one.iterdir()} == {file.name for file in two.iterdir()}
    for name in ("last.safetensors", "best.safetensors"):
        first, second = load_checkpoint(one / name), load_checkpoint(two / name)
        assert list(first.tensors) == list(second.tensors)
        for key, tensor in first.tensors.items():
            assert tensor.data.tobytes() == second.tensors[key].data.tobytes(), (name, key)
        for key in ("epoch", "batch", "step", "lr", "schedule", "generator"):
            assert getattr(first.position, key) == getattr(second.position, key), (name, key)
    assert rows(one / "metrics.jsonl") == rows(two / "metrics.jsonl")


def train_killed(folder: Path, begin: list[str], kills: list[Kill], luck: random.Random) -> int:
    """Train, killed so often and resumed with other workers; how many kills were in time."""
    words, hits = [*begin, "--out", str(folder)], 0
    for kill in [*kills, lambda *_: False]:
        save, workers = str(luck.randint(1, 4)), str(luck.randint(0, 4))
        hits += killed([*words, "--save-every", save, "--workers", workers], kill, folder)
        if (folder / "last.safetensors").exists():
            words = ["train", "--resume", str(folder)]
    return hits


@pytest.fixture
def begin(colours: Path, narrow_flags: list[str]) -> list[str]:
    new = ["--average", "0.95", "--clip", "2", "--mixup", "0.3", "--micro-batch", "5"]
    return ["train", str(colours), *narrow_flags, "--epochs", "4", *new]


@pytest.mark.slow
def test_forty_kills_of_training_end_with_the_same_bytes(tmp_path: Path, begin: list[str]) -> None:
    """In training, while it saves, and before there is a checkpoint; each resumed twice."""
    whole = tmp_path / "whole"
    began = time.monotonic()
    assert not killed([*begin, "--out", str(whole)], lambda *_: False, tmp_path)
    length = time.monotonic() - began

    def one(number: int) -> int:
        luck = random.Random(number)
        kills = [luck.choice([while_saving, after(luck.uniform(0.2, length))]) for _ in range(2)]
        hits = train_killed(tmp_path / f"run{number}", begin, kills, luck)
        assert_same_run(tmp_path / f"run{number}", whole)
        return hits

    with ThreadPoolExecutor(2) as pool:
        hits = sum(pool.map(one, range(26)))
    assert hits >= 40  # of 52: some came when all was done


@pytest.mark.slow
def test_twenty_kills_of_preparing_end_with_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(750):
        folder = tmp_path / "data" / f"class{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (90, 90, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.jpg")
    data = tmp_path / "data"
    begin = ["prepare", str(data), "--image-size", "72"]
    began = time.monotonic()
    assert not killed([*begin, str(tmp_path / "whole")], lambda *_: False, tmp_path)
    length = time.monotonic() - began
    whole = {file.name: file.read_bytes() for file in (tmp_path / "whole").iterdir()}
    luck, hits, number = random.Random(0), 0, 0
    while hits < 20:
        out = tmp_path / f"set{number}"
        for _ in range(2):
            words = [*begin, str(out), "--workers", str(luck.randint(1, 4))]
            hits += not out.exists() and killed(words, after(luck.uniform(0.2, length)), out)
        if not out.exists():
            assert not killed([*begin, str(out)], lambda *_: False, out)
        assert {file.name: file.read_bytes() for file in out.iterdir()} == whole
        number += 1
    sets = {f"set{n}" for n in range(number)}
    assert {file.name for file in tmp_path.iterdir()} == {"data", "whole", *sets}
