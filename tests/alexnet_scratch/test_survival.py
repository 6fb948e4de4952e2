"""A run outlives its surroundings: real processes, signals, closed streams, full disks, kills."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alexnet_scratch.cli import main
from alexnet_scratch.recipe import Recipe
from alexnet_scratch.training.checkpoint import load_checkpoint
from alexnet_scratch.training.folder import RunError, RunLock
from alexnet_scratch.training.input import Splits, open_splits
from alexnet_scratch.training.saver import SaveEvery, Saver, save_every
from alexnet_scratch.training.trainer import Outcome, Trainer
from alexnet_scratch.training.watchdog import Diverged

posix = pytest.mark.skipif(os.name == "nt", reason="signals, limits and fork of POSIX")
BEGIN = "import sys; from alexnet_scratch.__main__ import main; sys.exit(main())"


def start(*arguments: Any, **options: Any) -> "subprocess.Popen[str]":
    """`alexnet` in a process of its own."""
    command = [sys.executable, "-c", BEGIN, *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(command, text=True, **streams)  # type: ignore[call-overload]


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in f"{out}{err}", err
    return process.returncode, out, err


def until(is_so: Callable[[], object], what: str) -> None:
    for _ in range(6000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError(f"waited in vain for {what}")


def assert_same_weights(folder: Path, other: Path) -> None:
    """All tensors of the last and the best checkpoint, to the last bit; nothing is left over."""
    for name in ("last.safetensors", "best.safetensors"):
        one, two = (load_checkpoint(f / name) for f in (folder, other))
        assert one.position.step == two.position.step
        assert list(one.tensors) == list(two.tensors)
        for key, tensor in one.tensors.items():
            assert tensor.data.tobytes() == two.tensors[key].data.tobytes(), (name, key)
    assert not [file.name for file in folder.iterdir() if file.name.startswith(".")]


@pytest.fixture(scope="module")
def splits(colours: Path, narrow: Recipe) -> Splits:
    return open_splits(colours, narrow)


def trainer(folder: Path, recipe: Recipe, splits: Splits, **options: Any) -> Trainer:
    folder.mkdir(exist_ok=True)
    return Trainer(folder, recipe, splits, {"root": None, "train_images": 36}, **options)


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, colours: Path, narrow_flags: list[str]
) -> Path:
    folder = tmp_path_factory.mktemp("run") / "whole"
    assert main(["train", str(colours), *narrow_flags, "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def limited() -> Iterator[Callable[[int], None]]:
    """Call it with the bytes that a file may have from then on."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


# ----- streams -----


def close_both() -> None:
    os.close(1)
    os.close(2)


@posix
@pytest.mark.parametrize("case", ["the reader goes", "both closed", "both full"])
def test_a_run_goes_on_without_its_streams(
    case: str, tmp_path: Path, colours: Path, narrow_flags: list[str], undisturbed: Path
) -> None:
    run = tmp_path / "run"
    arguments = ("train", colours, *narrow_flags, "--out", run)
    if case == "the reader goes":
        process = start(*arguments)
        assert process.stdout is not None
        assert "Run folder" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(120) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
        process.stderr.close()
    elif case == "both closed":
        assert start(*arguments, stdout=None, stderr=None, preexec_fn=close_both).wait(120) == 0
    else:
        with open("/dev/full", "w") as full:
            assert start(*arguments, stdout=full, stderr=full).wait(120) == 0
    log = (run / "log.txt").read_text()
    assert "Done. Best:" in log
    said = {"the reader goes": "Broken pipe", "both full": "No space left on device"}.get(case)
    assert said is None or f"Standard output: {said}; going on without it." in log
    assert_same_weights(run, undisturbed)


@posix
def test_a_full_standard_output_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    with open("/dev/full", "w") as full:
        process = start("summary", "--num-classes", 3, stdout=full)
        status, _, err = ended(process)
    assert status == 2
    assert err.startswith("alexnet: standard output: No space left on device; ")


@posix
@pytest.mark.parametrize("command", ["evaluate", "prepare"])
def test_a_closed_standard_error_keeps_nothing_from_being_done(
    command: str, tmp_path: Path, colours: Path, undisturbed: Path
) -> None:
    more = {"evaluate": [undisturbed], "prepare": [colours, tmp_path / "set"]}[command]
    process = start(command, *more, stderr=None, preexec_fn=lambda: os.close(2))
    assert ended(process)[:2][0] == 0
    assert command == "evaluate" or (tmp_path / "set" / "set.json").is_file()


# ----- signals and kills -----


@posix
@pytest.mark.parametrize("name", ["SIGHUP", "SIGTERM"])
def test_a_closed_terminal_saves_as_sigterm_does(
    name: str, tmp_path: Path, narrow: Recipe, splits: Splits
) -> None:
    number = getattr(signal, name)
    it = trainer(tmp_path / "run", narrow, splits)
    step, before = it._step, signal.getsignal(number)

    def signalled(*batch: Any) -> None:
        step(*batch)
        if it.at.step == 2:
            signal.raise_signal(number)

    it._step = signalled  # type: ignore[method-assign]
    assert it.run() is Outcome.INTERRUPTED
    assert load_checkpoint(tmp_path / "run/last.safetensors").position.step == 2
    assert signal.getsignal(number) is before


@posix
@pytest.mark.parametrize("later", [0.05, 0.4])
def test_ctrl_c_while_the_command_is_loaded_leaves_no_traceback(later: float) -> None:
    begin = BEGIN.replace("sys.exit", "print('here', flush=True); sys.exit")
    process = subprocess.Popen(
        [sys.executable, "-c", begin, "doctor"], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, preexec_fn=listen,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    time.sleep(later)
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] in (-signal.SIGINT, 130)


def listen() -> None:
    """To Ctrl-C, which a shell's background job ignores."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@posix
def test_a_crash_of_the_process_leaves_word_of_it(
    tmp_path: Path, colours: Path, narrow_flags: list[str]
) -> None:
    """SIGBUS: a disk behind mapped memory has gone."""
    run = tmp_path / "run"
    flags = [*narrow_flags, "--epochs", "500", "--out", run]
    process = start("train", colours, *flags)
    until((run / "steps.jsonl").exists, "the run's beginning")
    process.send_signal(signal.Signals["SIGBUS"])
    assert "Fatal Python error: Bus error" in process.communicate(timeout=60)[1]


def killed(process: "subprocess.Popen[str]", moment: Callable[[], object]) -> None:
    """SIGKILL when it is `moment`, or soon after the process has ended by itself."""
    until(lambda: process.poll() is not None or moment(), "the moment to kill")
    process.kill()
    process.communicate()


def new_checkpoint(last: Path, later: float = 0.0) -> Callable[[], bool]:
    """Is there another one than now, and `later` seconds over?"""

    def inode() -> int:
        return last.stat().st_ino if last.exists() else 0

    before = inode()

    def moment() -> bool:
        if inode() == before:
            return False
        time.sleep(later)
        return True

    return moment


@posix
def test_killed_while_it_trains_and_saves_it_ends_in_the_same_bytes(
    tmp_path: Path, colours: Path, narrow_flags: list[str], undisturbed: Path
) -> None:
    """The first kill comes before the first checkpoint: the same command starts again."""
    run, rng = tmp_path / "run", random.Random(0)
    last, often = run / "last.safetensors", ("--save-every", 1)
    new = ("train", colours, *narrow_flags, "--out", run, *often)
    killed(start(*new), (run / "recipe.json").exists)
    killed(start(*new), new_checkpoint(last))
    for _ in range(2):
        moment = new_checkpoint(last, rng.uniform(0, 0.05))
        killed(start("train", "--resume", run, *often), moment)
    (run / ".curves.png.1a2b3c4d.tmp").write_text("half a picture")
    (run / ".tmpAb12Cd").write_text("what safetensors leaves")
    (run / ".best.safetensors.tmp").write_text("an old name")
    status, _, err = ended(start("train", "--resume", run, "--workers", 0))
    assert status == 0, err
    assert_same_weights(run, undisturbed)


@pytest.mark.slow
@posix
def test_the_papers_network_killed_five_times_while_it_saves(tmp_path: Path, colours: Path) -> None:
    """57 million parameters: a checkpoint is 455 MB, and is being written most of the time."""
    flags = ["--recipe", "paper", "--batch-size", "4", "--max-steps", "7"]
    whole, run = tmp_path / "whole", tmp_path / "run"
    assert main(["train", str(colours), *flags, "--out", str(whole)]) == 0
    last, often = run / "last.safetensors", ("--save-every", 1)
    new = (colours, *flags, "--out", run)
    for _ in range(5):
        begin = ("--resume", run, "--max-steps", 7) if last.exists() else new
        one_more = new_checkpoint(last)

        def half_written(one_more: Callable[[], bool] = one_more) -> bool:
            with suppress(FileNotFoundError):  # it has just got its name
                sizes = [file.stat().st_size for file in run.glob(".*tmp*")]
                return one_more() and any(size > 1e8 for size in sizes)
            return False

        killed(start("train", *begin, *often), half_written)
    assert any(run.glob(".*tmp*"))
    assert ended(start("train", "--resume", run, "--max-steps", 7))[0] == 0
    one, two = (load_checkpoint(folder / "last.safetensors") for folder in (whole, run))
    assert one.position.step == two.position.step == 7
    for name, tensor in one.tensors.items():
        assert tensor.data.tobytes() == two.tensors[name].data.tobytes(), name
    assert not [file.name for file in run.iterdir() if file.name.startswith(".")]


# ----- two at once -----


@posix
def test_one_folder_is_one_runs(
    tmp_path: Path, colours: Path, narrow_flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused with the other's name; a killed one's lock is free."""
    run = tmp_path / "run"
    new = ["train", str(colours), *narrow_flags, "--epochs", "500", "--out", str(run)]
    process = start(*new, "--save-every", 1)
    try:
        until((run / "last.safetensors").exists, "a checkpoint")
        for command in (new, ["train", "--resume", str(run)]):
            assert main(command) == 2
            said = capsys.readouterr().err
            assert "is not empty" in said or f"in use by process {process.pid} on " in said
        assert " since 20" in said
        assert "log.txt" in os.listdir(run)
    finally:
        process.kill()
        process.communicate()
    assert (run / ".lock").exists()
    step = load_checkpoint(run / "last.safetensors").position.step
    assert main(["train", "--resume", str(run), "--max-steps", str(step + 1)]) == 0
    assert not (run / ".lock").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes there")
@pytest.mark.parametrize("name", ["log.txt", "metrics.jsonl", "recipe.json", "run.json", ".lock"])
def test_a_pipe_in_the_place_of_a_runs_file_is_told(
    tmp_path: Path, undisturbed: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(undisturbed, tmp_path / "run")
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)
    assert main(["train", "--resume", str(run), "--epochs", "3"]) == 2
    assert f"{run / name}: a device, a pipe or a socket" in capsys.readouterr().err


def test_a_lock_is_held_once_and_given_back(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    one, other = RunLock(tmp_path), RunLock(tmp_path)
    with one:
        one.acquire()  # its own
        with pytest.raises(RunError, match=rf"in use by process {os.getpid()} on .+ since 20"):
            other.acquire()
    assert list(tmp_path.iterdir()) == []
    with other, pytest.raises(RunError):
        one.acquire()


# ----- full disks -----


def test_a_full_disk_stops_no_training(
    tmp_path: Path, narrow: Recipe, splits: Splits, limited: Callable[[int], None],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """From step 3 on no file may grow beyond 2,000 bytes, from step 8 on all is well again."""
    whole, run = tmp_path / "whole", tmp_path / "run"
    trainer(whole, narrow, splits).run()
    trainer(run, narrow, splits, max_steps=2).run()
    before = (run / "last.safetensors").read_bytes()
    checkpoint = load_checkpoint(run / "last.safetensors")
    it = trainer(run, narrow, splits, resume=checkpoint, save_every=SaveEvery(steps=1))
    step, kept = it._step, []

    def on_a_full_disk(*batch: Any) -> None:
        step(*batch)
        if it.at.step == 3:
            limited(2000)
        if it.at.step == 7:
            it.saver.wait()
            kept.append((run / "last.safetensors").read_bytes())
        if it.at.step == 8:
            limited(2**40)

    it._step = on_a_full_disk  # type: ignore[method-assign]
    assert it.run() is Outcome.FINISHED
    assert load_checkpoint(run / "best.safetensors").position.epoch == it.at.best["epoch"]
    assert it.files.missing() is None
    assert len(kept[0]) == len(before)
    assert_same_weights(run, whole)
    said = capsys.readouterr().out
    assert said.count("last.safetensors cannot be written (File too large): the checkpoint") == 1
    assert "the one before it stays; training goes on, and the next save tries again" in said
    assert "last.safetensors is written again." in said
    assert "written again" in (run / "log.txt").read_text()


def test_what_is_missing_at_the_end_is_said_with_a_failing_status(
    tmp_path: Path, colours: Path, narrow_flags: list[str], limited: Callable[[int], None],
    capsys: pytest.CaptureFixture[str], undisturbed: Path,
) -> None:  # fmt: skip
    run = tmp_path / "run"
    limited(1500)  # less than recipe.json and a log
    assert main(["train", str(colours), *narrow_flags, "--out", str(run)]) == 1
    limited(2**40)
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    for name in ("last.safetensors", "best.safetensors", "curves.png", "log.txt"):
        assert f"{name} (File too large)" in said.out
    assert "There is no checkpoint yet." in said.out
    assert not [file for file in run.iterdir() if file.name.startswith(".")]
    json.loads((run / "recipe.json").read_text())  # whole
    if not (run / "curves.png").exists():
        assert main(["train", str(colours), *narrow_flags, "--out", str(run)]) == 0
        assert_same_weights(run, undisturbed)


# ----- saving beside training -----


def test_training_does_not_wait_for_the_disk(
    tmp_path: Path, narrow: Recipe, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that never ends until five more steps are done; what it writes is of step 2."""
    it = trainer(tmp_path / "run", narrow, splits, save_every=SaveEvery(steps=2), max_steps=4)
    step, five = it._step, threading.Event()
    write = it.files.checkpoint
    weights: dict[int, bytes] = {}

    def counted(*batch: Any) -> None:
        step(*batch)
        weights[it.at.step] = it.model.fc8.weight.data.tobytes()
        if it.at.step == 3:
            five.set()

    def slow(copies: Any, metadata: Any, of_step: int, best: bool) -> None:
        assert five.wait(60) or of_step != 2
        assert np.ascontiguousarray(copies["model.fc8.weight"]).tobytes() == weights[of_step]
        write(copies, metadata, of_step, best)

    monkeypatch.setattr(it, "_step", counted)
    monkeypatch.setattr(it.files, "checkpoint", slow)
    assert it.run() is Outcome.STEP_LIMIT
    assert load_checkpoint(tmp_path / "run/last.safetensors").position.step == 4


def test_one_save_at_a_time_and_its_error_is_told() -> None:
    saver, open_, running = Saver(SaveEvery()), threading.Event(), []

    def slow(copies: Any) -> None:
        running.append(copies["w"].copy())
        assert open_.wait(60)

    w = np.zeros(3)
    saver.save({"w": w}, slow)
    w += 1
    threading.Timer(0.05, open_.set).start()
    saver.save({"w": w}, slow)  # waits for the first
    saver.wait()
    assert [list(copy) for copy in running] == [[0, 0, 0], [1, 1, 1]]

    def broken(copies: Any) -> None:
        raise Diverged("bad")

    saver.save({"w": w}, broken)
    with pytest.raises(Diverged, match="bad"):
        saver.wait()


def test_how_often_and_how_many(tmp_path: Path, narrow: Recipe, splits: Splits) -> None:
    assert [save_every(text) for text in ("10m", "90s", "1.5h", "500")] == [
        SaveEvery(600), SaveEvery(90), SaveEvery(5400), SaveEvery(steps=500),
    ]  # fmt: skip
    for text in ("", "0", "0m", "10 m", "m", "-1", "1d", "1.5"):
        with pytest.raises(ValueError, match="no time"):
            save_every(text)
    run = tmp_path / "run"
    trainer(run, narrow, splits, save_every=SaveEvery(steps=3), keep=3).run()
    names = sorted(file.name for file in run.glob("step-*"))
    assert names == [f"step-{step:08}.safetensors" for step in (6, 9, 10)]  # 5 and 10 end epochs
    steps = [load_checkpoint(run / name).position.step for name in names]
    assert steps == [6, 9, 10]
    assert os.path.samefile(run / names[-1], run / "last.safetensors")


# ----- data that changes under a run -----


def test_a_packed_set_that_is_cut_under_a_run_is_told(
    tmp_path: Path, colours: Path, narrow_flags: list[str], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    packed, run = tmp_path / "set", tmp_path / "run"
    assert main(["prepare", str(colours), str(packed), "--image-size", "72"]) == 0
    step, images = Trainer._step, packed / "train.images"

    def cut(self: Trainer, *batch: Any) -> None:
        step(self, *batch)
        if self.at.step == 5:  # all images of the first epoch are loaded, the second's are not
            os.truncate(images, 4096)

    monkeypatch.setattr(Trainer, "_step", cut)
    flags = ["--out", str(run), "--save-every", "1", "--workers", "0"]
    assert main(["train", str(packed), *narrow_flags, *flags]) == 2
    said = capsys.readouterr().err
    assert "train.images was cut to 4,096 bytes while it was read, expected 559,872" in said
    assert "was cut to" in (run / "log.txt").read_text()
    assert load_checkpoint(run / "last.safetensors").position.step == 5


# ----- NaN -----


def poisoned(it: Trainer, where: str, at_step: int = 3) -> None:
    """Make step `at_step` go wrong in the output of conv4, its gradient, or an update."""
    step, hooks = it._step, []

    def bad_output(module: Any, args: Any, output: Any) -> Any:
        return output * float("inf")

    def stepped(*batch: Any) -> None:
        if it.at.step == at_step - 1:
            if where == "output":
                hooks.append(it.model.conv4.register_forward_hook(bad_output))
            elif where == "gradient":
                hooks.append(
                    it.model.conv4.register_forward_hook(
                        lambda m, a, o: o.register_hook(lambda g: g * float("nan")) and None
                    )
                )
        step(*batch)
        if it.at.step == at_step:
            for hook in hooks:
                hook.remove()
            if where == "update":
                it.model.fc7.bias.data[0] = np.nan

    it._step = stepped  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("where", "step", "cause"),
    [
        ("output", 3, "The output of conv4 was the first that is not finite"),
        ("gradient", 4, r"The gradient of conv4\.bias was the first that is not finite"),
        ("update", 4, r"fc7\.bias itself is not finite"),
    ],
)
def test_nan_names_its_layer_and_spares_the_checkpoint(
    where: str, step: int, cause: str, tmp_path: Path, narrow: Recipe, splits: Splits
) -> None:
    it = trainer(tmp_path, narrow, splits, save_every=SaveEvery(steps=1))
    poisoned(it, where)
    with pytest.raises(Diverged, match=rf"at step {step}.*--lr 0\.00333.*{cause}"):
        it.run()
    kept = load_checkpoint(tmp_path / "last.safetensors")
    assert kept.position.step == 2
    assert all(np.isfinite(tensor.data).all() for tensor in kept.tensors.values())


def test_weights_that_are_not_finite_are_never_saved(
    tmp_path: Path, narrow: Recipe, splits: Splits
) -> None:
    """The last step of a run: no loss comes after it."""
    it = trainer(tmp_path, narrow, splits, save_every=SaveEvery(steps=1), max_steps=3)
    poisoned(it, "update")
    with pytest.raises(Diverged, match=r"After step 3 model\.fc7\.bias holds NaN or Inf"):
        it.run()
    assert load_checkpoint(tmp_path / "last.safetensors").position.step == 2


@pytest.mark.parametrize("norm", ["response", "batch"])
@pytest.mark.parametrize("where", ["output", "gradient"])
def test_nan_is_skipped_if_the_recipe_says_so(
    where: str, norm: str, tmp_path: Path, narrow: Recipe, splits: Splits,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The running statistics of batch normalisation stay as they were, as the weights do."""
    recipe = Recipe(**{**vars(narrow), "on_nan": "skip", "norm": norm})
    it = trainer(tmp_path, recipe, splits, max_steps=4)
    poisoned(it, where)
    before: dict[int, list[bytes]] = {}
    step = it._step

    def noted(*batch: Any) -> None:
        step(*batch)
        before[it.at.step] = [t.data.tobytes() for t in it.model.state_dict().values()]
        assert all(np.isfinite(t.data).all() for t in it.model.state_dict().values())

    it._step = noted  # type: ignore[method-assign]
    assert it.run() is Outcome.STEP_LIMIT
    assert before[2] == before[3] != before[4]
    assert "1 step skipped up to step 3 for NaN or Inf." in capsys.readouterr().out
    assert np.isfinite(it.tally.totals.mean_loss)
    assert it.tally.totals.images == (24 if where == "output" else 32)
