"""The GPU's memory: counted, limited, reported, and what happens when it does not suffice."""

import contextlib
import json
import math
import re

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.cli import main
from alexnet_scratch.recipe import Recipe
from alexnet_scratch.training import trainer as training
from alexnet_scratch.training.input import open_splits
from minigrad import nn
from minigrad.testing import cupy_memory_on_cpu as memory
from minigrad.testing import cupy_on_cpu as standin

MB = 1 << 20


@pytest.fixture(autouse=True)
def pool(cupy):
    """The pool, without free blocks or a limit."""
    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    yield pool
    pool.set_limit()
    cupy.cuda.set_allocator(pool.malloc)


@pytest.fixture(params=["emulated", pytest.param("real", marks=pytest.mark.gpu)])
def device(request, pool):
    """The stand-in, or a GPU."""
    return request.param


def test_what_goes_is_kept_for_reuse_until_it_is_given_back():
    used, held = mg.cuda.memory_allocated(), mg.cuda.memory_reserved("cuda:0")
    x = mg.zeros(MB, dtype="uint8", device="cuda")
    assert mg.cuda.memory_allocated() - used == MB
    view = x.data[: MB // 2]
    del x
    assert mg.cuda.memory_allocated() - used == MB  # its view holds it
    del view
    assert mg.cuda.memory_allocated() == used
    assert mg.cuda.memory_reserved() >= held + MB
    free, total = mg.cuda.mem_get_info()
    assert 0 < free < total
    mg.cuda.empty_cache()
    assert mg.cuda.memory_reserved() == used
    assert mg.cuda.mem_get_info()[0] > free


def test_the_peak_is_the_most_at_once(device):
    mg.cuda.reset_peak_memory_stats()
    used = mg.cuda.memory_allocated()
    x = mg.zeros(MB, dtype="uint8", device="cuda")
    y = mg.zeros(MB, dtype="uint8", device="cuda")
    del x, y
    z = mg.zeros(MB, dtype="uint8", device="cuda")
    assert 2 * MB <= mg.cuda.max_memory_allocated() - used < 4 * MB
    assert mg.cuda.memory_allocated() - used == z.data.nbytes == MB
    mg.cuda.reset_peak_memory_stats()
    assert mg.cuda.max_memory_allocated() == mg.cuda.memory_allocated()


def test_the_peak_is_not_guessed(cupy, monkeypatch):
    monkeypatch.setattr("minigrad.cuda.memory._peaks", lambda cupy: {})
    with pytest.raises(RuntimeError, match="call reset_peak_memory_stats"):
        mg.cuda.max_memory_allocated()


@pytest.mark.parametrize(
    ("limit", "size"),
    [
        (123, 123), ("6G", 6 * 10**9), ("1.5GB", 1_500_000_000),
        ("500m", 5 * 10**8), ("80%", int(0.8 * memory.TOTAL)), (None, 0),
    ],
)  # fmt: skip
def test_limits(limit, size):
    mg.cuda.set_memory_limit(limit, "cuda")
    assert mg.cuda.memory_limit() == size


@pytest.mark.parametrize("limit", ["", "0", "much", "120%", "0%", "-1G", "6 cows", "%"])
def test_what_is_no_limit(limit):
    with pytest.raises(ValueError, match="is no amount of memory: give bytes, as 6G"):
        mg.cuda.set_memory_limit(limit)


def test_free_blocks_go_back_before_the_limit_refuses(cupy):
    before = [cupy.zeros(MB, np.uint8) for _ in range(8)]
    mg.cuda.set_memory_limit(mg.cuda.memory_reserved() + MB)
    del before
    cupy.zeros(6 * MB, np.uint8)  # fits into what they leave together, but into none
    with pytest.raises(MemoryError, match="limit set to") as raised:
        cupy.zeros(12 * MB, np.uint8)
    assert mg.cuda.is_out_of_memory(raised.value)
    assert not mg.cuda.is_out_of_memory(MemoryError())


def number(report: str, name: str) -> float:
    (value,) = re.findall(rf"^{name} +([\d.]+) MB$", report, re.MULTILINE)
    return float(value)


def test_the_report_says_who_holds_what():
    model = nn.Linear(1000, 500, bias=False).to("cuda")
    update = mg.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    x = mg.randn(250, 1000).to("cuda")
    model(x).sum().backward()
    update.step()
    mg.cuda.set_memory_limit("2G")
    out = model(x).relu().sum()
    report = mg.memory_report(out, model, update)
    assert "memory                    cuda:0" in report
    for name in ("parameters", "gradients", "optimizer state"):
        assert number(report, name) == 2.0
    assert number(report, "kept for backward") == 1.5  # x and relu's result
    assert number(report, "pool: in use") == pytest.approx(mg.cuda.memory_allocated() / 1e6, abs=1)
    assert "pool: limit              2.00 GB" in report


# ----- training -----


def run(folder, recipe, colours, batch):
    recipe = Recipe(**{**vars(recipe), "batch_size": batch, "epochs": 1})
    splits = open_splits(colours, recipe)
    folder.mkdir()
    data = {"root": None, "train_images": len(splits.train)}
    return training.Trainer(folder, recipe, splits, data, device="cuda", workers=0)


def flags(narrow_flags, batch):
    """The flags with another batch size, for one epoch on the GPU."""
    kept = [*narrow_flags]
    kept[kept.index("--batch-size") + 1] = str(batch)
    kept[kept.index("--epochs") + 1] = "1"
    return [*kept, "--device", "cuda", "--workers", "0"]


@pytest.fixture
def tight(tmp_path, narrow, colours):
    """A limit for which a batch of 4 suffices, and one of 32 is far too many."""
    small = run(tmp_path / "small", narrow, colours, 4)
    memory.pool.free_all_blocks()
    small.run()
    held = memory.pool.total_bytes()
    del small
    memory.pool.free_all_blocks()
    return str(held)


def test_out_of_memory_names_a_batch_that_fits(tight, tmp_path, narrow_flags, colours, capsys):
    assert main(["train", str(colours), *flags(narrow_flags, 2), "--out", str(tmp_path / "a")]) == 0
    files = {file.name: file.read_bytes() for file in (tmp_path / "a").iterdir()}
    capsys.readouterr()
    limited = ["--gpu-memory", tight, "--out"]
    out = tmp_path / "b"
    assert main(["train", str(colours), *flags(narrow_flags, 32), *limited, str(out)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    said = re.fullmatch(
        r"alexnet: the GPU's memory does not suffice: [\d.]+ [kM]?B asked for with [\d.]+ MB in "
        r"use, [\d.]+ [kM]?B kept for reuse, [\d.]+ GB of [\d.]+ GB free, and a limit of [\d.]+ MB "
        r"\(--gpu-memory\); a batch of (\d+) fits, 32 is too many: give --micro-batch \1, which "
        r"trains on the same batches, \1 images at a time, or free memory on the GPU",
        line,
    )
    assert said, line
    assert said[1] in ("4", "8", "16")
    beginning = {"log.txt", "run.json", "recipe.json", "metrics.jsonl", "steps.jsonl"}
    assert {file.name for file in out.iterdir()} <= beginning
    assert line.removeprefix("alexnet: ") in (out / "log.txt").read_text()
    fits = [*flags(narrow_flags, 32), "--micro-batch", said[1]]
    assert main(["train", str(colours), *fits, *limited, str(tmp_path / "c")]) == 0
    assert files.keys() == {file.name for file in (tmp_path / "c").iterdir()}


def test_running_out_later_keeps_the_last_checkpoint(tmp_path, narrow, colours, monkeypatch, pool):
    trainer = run(tmp_path / "run", narrow, colours, 8)
    step, files = trainer._step, {}

    def tightened(*batch):
        if trainer.at.step == 2 and not files:
            trainer._save()
            trainer.saver.wait()
            files.update({f.name: f.read_bytes() for f in trainer.folder.glob("[!.]*")})  # no lock
            pool.set_limit(pool.used_bytes() + 4096)
        step(*batch)

    monkeypatch.setattr(trainer, "_step", tightened)
    with pytest.raises(training.OutOfMemory, match="not even a batch of 1 fits"):
        trainer.run()
    assert files == {f.name: f.read_bytes() for f in trainer.folder.iterdir()}


def test_what_is_not_the_gpus_memory_is_left_alone(tmp_path, narrow, colours, monkeypatch):
    trainer = run(tmp_path / "run", narrow, colours, 8)

    def broken(*batch):
        raise MemoryError("the host's")

    monkeypatch.setattr(trainer, "_step", broken)
    with pytest.raises(MemoryError, match="the host's"):
        trainer.run()


def test_evaluation_goes_on_in_smaller_batches(tmp_path, narrow_flags, colours, capsys, pool):
    out = tmp_path / "run"
    assert main(["train", str(colours), *flags(narrow_flags, 12), "--out", str(out)]) == 0
    capsys.readouterr()

    def scores(*more):
        pool.free_all_blocks()
        assert main(["evaluate", str(out), "--json", "--device", "cuda", *more]) == 0
        said = capsys.readouterr()
        return json.loads(said.out)["scores"]["centre"], said.err

    whole, _ = scores()
    held = pool.total_bytes()
    less, said = scores("--gpu-memory", str(int(held * 0.7)))
    assert "trying batches of 6" in said
    assert less["loss"] == pytest.approx(whole["loss"], rel=1e-5)
    assert less["images"] == whole["images"]
    pool.free_all_blocks()
    image = next((colours / "val").rglob("*.png"))
    flag = ["--device", "cuda", "--gpu-memory", str(pool.used_bytes() + 4096)]
    assert main(["predict", str(out), str(image), *flag]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("alexnet: the GPU's memory does not suffice: ")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--gpu-memory", "6G"], "--gpu-memory limits a GPU, the device is the CPU"),
        (["--gpu-memory", "much", "--device", "cuda"], "'much' is no amount of memory"),
    ],
)
def test_a_limit_that_cannot_be(more, said, capsys, tmp_path):
    with contextlib.suppress(SystemExit):  # of argparse
        assert main(["train", "--out", str(tmp_path / "run"), *more]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


# ----- what crosses the bus -----


def test_bytes_travel_and_the_loop_does_not_wait(kernels, tmp_path, narrow, colours, monkeypatch):
    trainer = run(tmp_path / "run", narrow, colours, 8)
    memory.sent.clear()
    standin.transfers.clear()
    seen = []
    monkeypatch.setattr("alexnet_scratch.training.tally.EVERY", math.inf)  # no line on the way
    monkeypatch.setattr(trainer.tally, "read", lambda: seen.append(standin.transfers["to host"]))
    trainer._train_epoch()
    assert seen == [0]  # once, when the epoch is over
    images, size = len(trainer.splits.train), trainer.recipe.input_size
    assert memory.sent["uint8"] == images * size * size * 3
    assert memory.sent["float32"] <= images * 3 * 4  # alphas
    assert memory.sent["int64"] <= 2 * images * 8  # labels
    assert sum(memory.sent.values()) < 1.05 * memory.sent["uint8"]
    losses = standin.transfers["to host"]
    type(trainer.tally).read(trainer.tally)
    assert standin.transfers["to host"] == losses + 2  # all at once
    assert trainer.tally.totals.images == images
    assert np.isfinite(trainer.tally.totals.mean_loss)
