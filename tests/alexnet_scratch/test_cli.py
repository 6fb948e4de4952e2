"""The `alexnet` command: the whole way from images to a prediction, and every wrong turn."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import alexnet_scratch
import minigrad
from alexnet_scratch.cli import main
from alexnet_scratch.progress import EVERY, say
from alexnet_scratch.training.checkpoint import load_checkpoint
from minigrad.serialization import CheckpointError, load_metadata, save_file

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def learnt(
    tmp_path_factory: pytest.TempPathFactory, colours: Path, narrow_flags: list[str]
) -> Path:
    """A run on the colours until it knows them."""
    run = tmp_path_factory.mktemp("runs") / "learnt"
    flags = ["--epochs", "12", "--lr", "0.02", "--out", str(run)]
    assert main(["train", str(colours), *narrow_flags, *flags]) == 0
    return run


def test_an_overfitted_network_names_the_class(
    learnt: Path, colours: Path, capsys: Capture
) -> None:
    images = [str(colours / f"val/{name}/{name}_0.png") for name in ("red", "green", "blue")]
    assert main(["predict", str(learnt), *images, "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert [r["image"] for r in results] == images
    assert [r["predictions"][0]["class"] for r in results] == ["red", "green", "blue"]
    for result in results:
        probabilities = [p["probability"] for p in result["predictions"]]
        assert probabilities == sorted(probabilities, reverse=True)
        assert sum(probabilities) == pytest.approx(1, abs=1e-5)  # three classes, all shown
    assert main(["predict", str(learnt), images[0]]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0] == images[0]
    assert table[1].split()[1] == "red"


def test_load_gives_the_network_that_the_commands_use(
    learnt: Path, colours: Path, capsys: Capture
) -> None:
    trained = alexnet_scratch.load(learnt)
    assert not trained.model.training
    images = [colours / f"val/{name}/{name}_0.png" for name in ("red", "green", "blue")]
    rows = trained.predict(np.stack([trained.image(image) for image in images]))
    assert [trained.classes[row.argmax()] for row in rows] == ["red", "green", "blue"]
    assert main(["predict", str(learnt), *map(str, images), "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    said = [r["predictions"][0]["probability"] for r in results]
    assert said == rows.max(axis=1).tolist()
    one = alexnet_scratch.load(learnt / "best.safetensors")
    for name, weight in trained.model.state_dict().items():
        np.testing.assert_array_equal(one.model.state_dict()[name].data, weight.data)
    with pytest.raises(CheckpointError, match=r"no such run: .*expected the folder"):
        alexnet_scratch.load(learnt / "nowhere")


def test_importing_the_package_imports_neither_engine_nor_pillow() -> None:
    code = "import sys, alexnet_scratch; print({'minigrad', 'PIL'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_evaluate_agrees_with_the_run(learnt: Path, colours: Path, capsys: Capture) -> None:
    best = load_checkpoint(learnt / "best.safetensors").position.best
    assert best["val_top1"] >= 0.9
    for data in ([], [str(colours)]):
        assert main(["evaluate", str(learnt), *data]) == 0
        said = capsys.readouterr().out
        assert f"top-1 {best['val_top1']:.1%}" in said
        assert f"loss {best['val_loss']:.3f}" in said
        assert "(12 images)" in said
    assert main(["evaluate", str(learnt / "last.safetensors"), str(colours / "train")]) == 0
    assert "(36 images)" in capsys.readouterr().out  # other data without a val folder: all of it


def test_a_missing_validation_split_is_held_out(
    tmp_path: Path, colours: Path, narrow_flags: list[str], capsys: Capture
) -> None:
    flags = [*narrow_flags, "--epochs", "1", "--out", str(tmp_path / "run")]
    assert main(["train", str(colours / "train"), *flags]) == 0
    said = capsys.readouterr().out
    assert "33 training and 3 validation images (held out from training)" in said
    assert main(["evaluate", str(tmp_path / "run")]) == 0  # on the images held out, and no others
    assert "(3 images)" in capsys.readouterr().out


def test_runs_get_fresh_names_and_say_how_to_go_on(
    tmp_path: Path, colours: Path, narrow_flags: list[str], capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    said = []
    for folder in ("runs/colours-small", "runs/colours-small-2"):
        assert main(["train", str(colours), *narrow_flags, "--max-steps", "2"]) == 0
        said = capsys.readouterr().out.splitlines()
        assert said[0] == f"Run folder: {folder}"
        assert said[-1] == (
            f"Saved in epoch 1, step 2. Go on with: alexnet train --resume {folder}"
        )
    assert said[1] == (
        "runs/colours-small is unfinished (0 of 2 epochs done, step 2); to go on with it: alexnet "
        "train --resume runs/colours-small"
    )
    run = "runs/colours-small"
    assert main(["train", "--resume", run, "--max-steps", "3"]) == 0
    assert load_checkpoint(f"{run}/last.safetensors").position.step == 3
    assert main(["train", "--resume", run, "--epochs", "1"]) == 0
    out = capsys.readouterr().out
    assert "Resumed from epoch 1, step 3." in out
    assert "not those" not in out  # the data, which are the same under another path
    assert "Done. Best:" in out
    assert main(["train", "--resume", run, "--epochs", "2", "--max-steps", "5"]) == 0
    assert "The schedule is that of 2 epochs now: the rate goes up from" in capsys.readouterr().out


def test_a_run_is_never_silent_before_its_first_step(
    tmp_path: Path, colours: Path, narrow_flags: list[str], capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Here no work may pass without a word; the folder comes first, then what the data are."""

    def told_at_once(text: str, tell: Callable[[str], None] = say) -> Any:
        tell(text)
        return nullcontext()

    for module in ("commands.train", "training.begin"):
        monkeypatch.setattr(f"alexnet_scratch.{module}.told_if_slow", told_at_once)
    out = str(tmp_path / "run")
    command = ["train", str(colours), *narrow_flags, "--out", out, "--max-steps", "1"]
    assert main([*command, "--batch-size", "60000"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == [f"Run folder: {out}", f"Looking for images in {colours}"]
    assert said[2].startswith("Data: ")
    assert [line.partition(",")[0] for line in said[4:9]] == [
        "Note: a batch of 60000 is more than the 36 training images: each epoch is one step on all "
        "of them (--batch-size)",
        "Note: a run of 2 steps is too short to learn much from 36 images: --epochs 400 makes 400",
        "Loading the first batch",
        "Initialising the weights (lsuv) on 36 images",
        "Writing down what it takes to repeat the run",
    ]
    assert said[9].startswith("AlexNet two-tower, recipe small, ")
    (tmp_path / "empty").mkdir()
    assert "empty folder" in fails(capsys, "train", str(tmp_path / "empty"), "--out", f"{out}2")
    assert not Path(f"{out}2").exists()


def test_a_run_tells_what_it_takes_to_repeat_it(
    tmp_path: Path, colours: Path, narrow_flags: list[str], capsys: Capture
) -> None:
    data, run = shutil.copytree(colours, tmp_path / "data"), tmp_path / "run"
    command = ["train", str(data), *narrow_flags, "--out", str(run), "--max-steps", "2"]
    assert main(command) == 0
    facts = json.loads((run / "run.json").read_text())
    assert facts["command"] == ["alexnet", *command]
    assert facts["versions"]["numpy"] == np.__version__
    assert facts["versions"]["minigrad"] == minigrad.__version__
    assert facts["commit"] is None or len(facts["commit"].removesuffix("-dirty")) == 40
    assert (facts["device"], facts["threads"]) == ("cpu", minigrad.get_num_threads())
    assert facts["host"]
    assert facts["blas"]
    told = facts["data"]
    assert (told["root"], told["train_images"], told["val_images"]) == (str(data), 36, 12)
    log = (run / "log.txt").read_text().splitlines()
    assert f"  command: alexnet train {data} --widths" in log[0]
    assert any(told["checksum"] in line for line in log[:5])
    one, other = (data / f"train/red/red_{i}.png" for i in (0, 1))
    other.write_bytes(one.read_bytes())
    resume = ["train", "--resume", str(run), "--max-steps", "3"]
    assert main(resume) == 2
    sizes = [file.stat().st_size for file in (one, colours / "train/red/red_1.png")]
    other = f"train/red/red_1.png is {sizes[0]} bytes, for training, was {sizes[1]} bytes"
    assert f"not those that the run was trained on: {other}" in capsys.readouterr().err
    assert main([*resume, "--accept-changed-data"]) == 0
    assert f"Going on with other data than before: {other}" in capsys.readouterr().out
    again = json.loads((run / "run.json").read_text())
    (resumed,) = again.pop("resumed")
    assert again == facts
    assert resumed["at"] == {"epoch": 0, "step": 2}
    assert resumed["data"]["checksum"] != told["checksum"]


def test_a_set_keeps_the_checksum_of_its_pixels(
    tmp_path: Path, colours: Path, narrow_flags: list[str]
) -> None:
    sums = []
    for name in ("one", "two"):
        made, run = tmp_path / name, tmp_path / f"{name}-run"
        assert main(["prepare", str(colours), str(made), "--image-size", "72"]) == 0
        flags = [*narrow_flags, "--out", str(run), "--max-steps", "1"]
        assert main(["train", str(made), *flags]) == 0
        sums.append(json.loads((run / "run.json").read_text())["data"]["checksum"])
    assert sums[0] == sums[1]
    assert sums[0].startswith("sha256 of pixels ")


def alexnet(*arguments: str, **options: Any) -> Any:
    return subprocess.Popen(
        [sys.executable, "-m", "alexnet_scratch", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def test_an_interrupted_process_resumes_to_the_same_bytes(
    tmp_path: Path, colours: Path, narrow_flags: list[str]
) -> None:
    flags = [*narrow_flags, "--batch-size", "2", "--epochs", "3"]
    # In a process, too: here NumPy was imported before alexnet_scratch could choose its kernels.
    whole = alexnet("train", str(colours), *flags, "--out", str(tmp_path / "whole"))
    _, err = whole.communicate(timeout=60)
    assert whole.returncode == 0, err
    run = tmp_path / "run"
    process = alexnet("train", str(colours), *flags, "--out", str(run))
    while process.poll() is None and not (run / "curves.png").exists():
        time.sleep(0.01)  # the first epoch is done when its picture is there
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"alexnet train --resume {run}" in out
    assert "Finishing this batch" in err
    stopped = load_checkpoint(run / "last.safetensors").position
    assert 18 <= stopped.step < 54
    resumed = alexnet("train", "--resume", str(run), "--workers", "0")
    out, err = resumed.communicate(timeout=60)
    assert resumed.returncode == 0
    assert err == ""
    one, two = (load_checkpoint(f / "last.safetensors") for f in (run, tmp_path / "whole"))
    assert one.position.step == two.position.step == 54
    for name, tensor in one.tensors.items():
        assert tensor.data.tobytes() == two.tensors[name].data.tobytes(), name


def test_divergence_is_said_with_advice(
    tmp_path: Path, colours: Path, narrow_flags: list[str], capsys: Capture
) -> None:
    run = tmp_path / "run"
    flags = ["--lr", "1e30", "--warmup-steps", "0", "--out", str(run)]
    assert main(["train", str(colours), *narrow_flags, *flags]) == 1
    captured = capsys.readouterr()
    assert "training has blown up. Try a lower rate" in captured.err
    assert "There is no checkpoint yet." in captured.out
    assert "training has blown up" in (run / "log.txt").read_text()


# ----- bad input -----


def fails(capsys: Capture, *arguments: str) -> str:
    """The message of a command that must end with status 2 and one line on stderr."""
    capsys.readouterr()
    try:
        status = main(list(arguments))
    except SystemExit as exit:  # argparse
        status = int(str(exit.code))
    captured = capsys.readouterr()
    assert status == 2
    assert "Traceback" not in captured.err
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("alexnet")
    return lines[0]


@pytest.fixture
def copied(tmp_path: Path, colours: Path) -> Path:
    return shutil.copytree(colours, tmp_path / "data")


def test_bad_data_folders(tmp_path: Path, copied: Path, capsys: Capture) -> None:
    assert "no such folder" in fails(capsys, "train", str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    assert "empty folder" in fails(capsys, "train", str(tmp_path / "empty"))
    shutil.rmtree(copied / "train/red")
    assert "different classes" in fails(capsys, "train", str(copied))
    (copied / "train/red").mkdir()
    assert "class red has no images" in fails(capsys, "train", str(copied))
    one = tmp_path / "one"
    shutil.copytree(copied / "train/blue", one / "blue")
    assert "one class only" in fails(capsys, "train", str(one))


def test_bad_images(
    tmp_path: Path, copied: Path, narrow_flags: list[str], capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for file in (copied / "train").rglob("*_1*.png"):
        file.write_bytes(file.read_bytes()[:300])
    message = fails(capsys, "train", str(copied), *narrow_flags)
    assert "cannot be read, more than the 3 that are let pass: mend or remove" in message
    assert "blue_1" in message
    for file in (copied / "train").rglob("*.png"):
        Image.new("RGB", (72, 72), "white").save(file)
    assert "blank" in fails(
        capsys, "train", str(copied), *narrow_flags, "--input-mean", "255,255,255"
    )


def test_bad_images_to_predict(
    learnt: Path, tmp_path: Path, colours: Path, capsys: Capture
) -> None:
    good = colours / "val/red/red_0.png"
    text, short = tmp_path / "text.png", tmp_path / "short.png"
    text.write_text("no image")
    short.write_bytes(good.read_bytes()[:400])
    assert main(["predict", str(learnt), str(good), str(text), str(good), "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"alexnet: {text}: not an image of the formats that are read")
    assert [row["image"] for row in json.loads(captured.out)] == [str(good)] * 2  # the others
    assert "short.png: cut short" in fails(capsys, "predict", str(learnt), str(short))
    heic = tmp_path / "photo.HEIC"
    heic.write_bytes(b"\0\0\0\x18ftypheic")
    assert f"{heic}: HEIC is not read, save it as JPEG" in fails(
        capsys, "predict", str(learnt), str(heic)
    )
    assert "No such file" in fails(capsys, "predict", str(learnt), str(tmp_path / "none.png"))


def test_predict_takes_folders(
    learnt: Path, tmp_path: Path, colours: Path, capsys: Capture
) -> None:
    folder = shutil.copytree(colours / "val" / "red", tmp_path / "in")
    (folder / "notes.txt").write_text("no image")
    (folder / "a.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    assert main(["predict", str(learnt), str(folder), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == (
        "Left out 2 files: a.HEIC (HEIC is not read, save it as JPEG), notes.txt (not an image)\n"
    )
    rows = json.loads(captured.out)
    assert [row["image"] for row in rows] == sorted(map(str, folder.glob("*.png")))
    (tmp_path / "empty").mkdir()
    assert "no images in" in fails(capsys, "predict", str(learnt), str(tmp_path / "empty"))


def test_train_says_what_it_takes_its_data_for_and_knows_its_files_again(
    tmp_path: Path, colours: Path, narrow_flags: list[str], capsys: Capture
) -> None:
    data, run = shutil.copytree(colours / "train", tmp_path / "in"), tmp_path / "run"
    (data / "red" / "notes.txt").write_text("no image")
    flags = [*narrow_flags, "--batch-size", "100", "--max-steps", "1", "--out", str(run)]
    assert main(["train", str(data), *flags]) == 0
    said = capsys.readouterr().out
    for line in (
        f"Data: {data}, folder layout",
        "3 classes: blue, green, red",
        "Left out 1 file: red/notes.txt (not an image)",
        "Note: a batch of 100 is more than the 33 training images",
        "too short to learn much from 33 images: --epochs 400 makes 400",
    ):
        assert line in said
        assert line in (run / "log.txt").read_text()
    assert (run / "report.csv").read_text() == "name,reason\nred/notes.txt,not an image\n"
    (data / "blue" / "blue_3.png").rename(data / "blue" / "other.png")  # as many as before
    said = fails(capsys, "train", "--resume", str(run))
    assert "blue/blue_3.png is gone (the first of 2 differences)" in said
    assert "bring back the same files" in fails(capsys, "evaluate", str(run))


def test_bad_checkpoints(learnt: Path, tmp_path: Path, colours: Path, capsys: Capture) -> None:
    image = str(colours / "val/red/red_0.png")
    text, foreign = tmp_path / "text.safetensors", tmp_path / "foreign.safetensors"
    text.write_text("this is not a checkpoint")
    save_file({"conv1.weight": minigrad.zeros(2)}, foreign)
    for command in (["predict", "RUN", image], ["evaluate", "RUN"]):

        def refused(run: Path, command: list[str] = command) -> str:
            return fails(capsys, *[str(run) if word == "RUN" else word for word in command])

        assert "no such run" in refused(tmp_path / "nowhere")
        assert "not the folder of a run" in refused(colours)
        assert "not a safetensors file" in refused(text)
        assert "no checkpoint of `alexnet train`" in refused(foreign)
    assert "nothing to resume" in fails(capsys, "train", "--resume", str(colours))


def test_evaluate_on_other_classes(
    learnt: Path, tmp_path: Path, copied: Path, capsys: Capture
) -> None:
    for split in ("train", "val"):
        (copied / split / "red").rename(copied / split / "pink")
    message = fails(capsys, "evaluate", str(learnt), str(copied))
    assert "missing: red; unknown: pink" in message


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--lr", "fast"], "argument --lr: invalid float value: 'fast'"),
        (["--lr", "-1"], "lr is -1.0, expected 0 or more"),
        (["--batch-size", "0"], "batch_size is 0"),
        (["--variant", "three-tower"], "argument --variant: invalid choice"),
        (["--widths", "8,x"], "not a list of int values"),
        (["--widths", "8,8"], "expected five even numbers"),
        (["--orders", "pool,pool"], "orders is 'pool': use one of"),
        (["--input-size", "300"], "image_size is 256, expected at least input_size"),
        (["--recipe", "big"], "recipe big: use small, modern, paper"),
        (["--recipe", "none.json"], "No such file"),
        (["--workers", "-2"], "not a whole number"),
        (["--device", "tpu"], "device 'tpu' is unknown"),
        (["--paint", "red"], "unrecognized arguments: --paint red"),
        (["--resume", "RUN", "--lr", "0.1"], "--lr with --resume"),
        (["--out", "RUN"], "is not empty: go on with it (--resume"),
    ],
)
def test_bad_flags(
    flags: list[str], message: str, learnt: Path, colours: Path, capsys: Capture
) -> None:
    flags = [str(learnt) if flag == "RUN" else flag for flag in flags]
    assert message in fails(capsys, "train", str(colours), *flags)


@pytest.mark.parametrize("flag", [["train", "DATA", "--out"], ["evaluate", "RUN", "--report"]])
def test_an_output_within_a_file(
    flag: list[str], learnt: Path, colours: Path, capsys: Capture
) -> None:
    paths = {"DATA": colours, "RUN": learnt}
    within = learnt / "log.txt" / "new"
    message = fails(capsys, *(str(paths.get(word, word)) for word in flag), str(within))
    assert message.startswith(f"alexnet: {within}: Not a directory; a part of this path is a file")


@pytest.mark.skipif(minigrad.cuda.is_available(), reason="needs a machine without a GPU")
def test_an_unusable_device(learnt: Path, colours: Path, capsys: Capture) -> None:
    for command in (["train", str(colours)], ["evaluate", str(learnt)]):
        assert "cuda" in fails(capsys, *command, "--device", "cuda")


def test_resume_without_its_data(learnt: Path, tmp_path: Path, capsys: Capture) -> None:
    run = shutil.copytree(learnt, tmp_path / "run")
    checkpoint = load_checkpoint(run / "last.safetensors")
    metadata = load_metadata(run / "last.safetensors")
    metadata["data"] = json.dumps({"root": str(tmp_path / "gone"), "train_images": 36})
    save_file(checkpoint.tensors, run / "last.safetensors", metadata)
    message = fails(capsys, "train", "--resume", str(run))
    assert f"say where it is now: alexnet train DATA --resume {run}" in message


# ----- the rest -----


COMMANDS = [
    [], ["prepare"], ["stats"], ["train"], ["evaluate"], ["predict"], ["summary"], ["diff"],
    ["show-augment"], ["doctor"], ["find-lr"], ["bench"], ["learn"], ["completion"], ["import"],
    ["export"], ["inside"], ["features"], ["probe"],
    ["report"], ["demo"],
]  # fmt: skip


@pytest.mark.parametrize("columns", ["40", "80", "200"])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_begins_with_examples_and_fits_the_screen(
    command: list[str], columns: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit) as exit:
        main([*command, "--help"])
    assert exit.value.code == 0
    usage, examples, *_ = capsys.readouterr().out.split("\n\n")
    assert usage.startswith(" ".join(["usage: alexnet", *command]))
    first, *lines = examples.splitlines()
    assert first == "examples:"
    for line in lines:
        assert line.startswith("  ")
        assert "alexnet" in line
        assert len(line) <= 79


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_80_columns(
    command: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > 80] == []


def test_the_flags_of_train_stand_in_groups_what_is_changed_most_first(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    out = capsys.readouterr().out
    places = [out.index(f"\nrecipe: {name}:") for name in
              ("optimiser", "schedule", "input", "network", "draws")]  # fmt: skip
    assert places == sorted(places)
    assert places[0] < out.index("  --epochs") < out.index("  --lr ") < places[1]
    assert places[3] < out.index("  --widths") < places[4] < out.index("  --seed")


def test_alexnet_alone_prints_its_help(capsys: Capture) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: alexnet")
    assert "examples:" in out


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        (["training"], "train"), (["predic", "run", "image"], "predict"),
        (["train", "--weight_decay", "0.1"], "--weight-decay"),
        (["train", "--weight_decay=0.1"], "--weight-decay"),
        (["train", "--schedule", "step"], "steps"), (["train", "--recipe", "papper"], "paper"),
        (["train", "--orders", "relu-lrn-pol,relu-lrn-pool"], "relu-lrn-pool"),
        (["diff", "paper", "source2021"], "source2012"),
        (["prepare", "a", "--resize", "crp"], "crop"),
        (["completion", "bsh"], "bash"), (["evaluate", "run", "--views", "center"], "centre"),
        (["inside", "boxed", "--what", "grad_cam"], "grad-cam"),
    ],
)  # fmt: skip
def test_what_is_misspelt_is_guessed(command: list[str], meant: str, capsys: Capture) -> None:
    assert f"did you mean {meant}?" in fails(capsys, *command)


def test_completion_knows_commands_flags_and_values(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert "pip install shtab" in fails(capsys, "completion", "bash")
    monkeypatch.undo()
    pytest.importorskip("shtab")
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    for word in ("show-augment", "--weight-decay", "source2012", "cosine"):
        assert word in script
    subprocess.run(["bash", "-n", "-c", script], check=True)


@pytest.mark.parametrize(
    "command", [["summary"], ["train", "--help"], ["diff", "small", "owt"], []]
)
@pytest.mark.parametrize("lines", [0, 1])
def test_a_reader_that_goes_away_is_no_error(command: list[str], lines: int) -> None:
    with alexnet(*command) as process:
        for _ in range(lines):
            process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize("command", [["summary"], ["diff", "paper", "source2012"]])
def test_tables_fit_80_columns(
    command: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(command) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > 80] == []


def test_the_doctors_lines_fit_80_columns(
    colours: Path, narrow_flags: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["doctor", str(colours), *narrow_flags]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80 and str(colours) not in line] == []


def test_predict_cuts_names_at_the_comma(
    learnt: Path, colours: Path, capsys: Capture, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    checkpoint = load_checkpoint(learnt / "last.safetensors")
    metadata = load_metadata(learnt / "last.safetensors")
    names = {"blue": "blue", "green": "green, verdant", "red": "red, ruddy"}
    metadata["data"] = json.dumps({**checkpoint.data, "names": names})
    save_file(checkpoint.tensors, run / "last.safetensors", metadata)
    image = str(colours / "val/red/red_0.png")
    assert main(["predict", str(run), image]) == 0
    titles = {line.split("%  ")[1] for line in capsys.readouterr().out.splitlines()[1:]}
    assert titles == {"red", "green", "blue"}
    assert main(["predict", str(run), image, "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert result["predictions"][0]["name"] == "red, ruddy"  # whole, for programs


def test_long_work_speaks_without_a_terminal(
    learnt: Path, colours: Path, tmp_path: Path, narrow_flags: list[str], capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Here after every piece of work; see `EVERY`. What is printed for programs stays as it was."""
    assert 0 < EVERY <= 60
    monkeypatch.setattr("alexnet_scratch.progress.EVERY", 0.0)
    capsys.readouterr()
    assert main(["evaluate", str(learnt), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["scores"]
    assert "evaluation: 8 of 12 images (67%), " in err
    assert " images/s, " in err
    assert main(["prepare", str(colours), str(tmp_path / "set"), "--image-size", "72"]) == 0
    assert "preparing: 48 of 48 images (100%), " in capsys.readouterr().err
    flags = [
        "--widths",
        "8,8,8,8,8",
        "--fc-width",
        "8",
        "--num-classes",
        "3",
        "--batch-size",
        "2",
        "--steps",
        "1",
    ]
    assert main(["bench", *flags]) == 0
    assert "measuring: 4 of 4 steps (100%), " in capsys.readouterr().err
    run = tmp_path / "run"
    assert main(["train", str(colours), *narrow_flags, "--out", str(run)]) == 0
    out = capsys.readouterr().out
    assert "validation: 2 of 2 batches (100%), " in out
    assert "validation: 2 of 2 batches (100%), " in (run / "log.txt").read_text()


def test_closed_streams(tmp_path: Path) -> None:
    for close in (">&-", "2>&-", "<&-", ">&- 2>&- <&-"):
        command = f"{sys.executable} -m alexnet_scratch summary {close}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", [[], ["train"], ["evaluate"], ["predict"], ["summary"]])
def test_help(command: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as exit:
        main([*command, "--help"])
    assert exit.value.code == 0
    said = capsys.readouterr().out
    if not command:
        assert all(c in said for c in ("train", "evaluate", "predict", "summary", "bench"))
    if command == ["train"]:
        assert "--no-flip" in said
        assert "in minutes, from any seed" in " ".join(said.split())


def test_version(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["--version"])
    assert exit.value.code == 0
    assert capsys.readouterr().out == f"alexnet {minigrad.__version__}\n"


@pytest.mark.parametrize(
    ("variant", "parameters"), [("grouped", "60,965,224"), ("one-tower", "61,100,840")]
)
def test_summary_is_the_papers_table(variant: str, parameters: str, capsys: Capture) -> None:
    assert main(["summary", "--variant", variant]) == 0
    assert parameters in capsys.readouterr().out
    assert main(["summary", "--num-classes", "10", "--input-size", "288", "--fc-width", "16"]) == 0


def test_the_module_is_the_command() -> None:
    process = alexnet("predict", "nowhere", "image.jpg", env={**os.environ, "NO_COLOR": "1"})
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err.startswith("alexnet: no such run: nowhere")
