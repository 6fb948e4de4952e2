"""`alexnet import`: a run of weights that were trained elsewhere, from the file to a prediction."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

import alexnet_scratch
from alexnet_scratch.cli import main
from alexnet_scratch.data.download import Archive
from alexnet_scratch.recipe import Recipe, build_model
from alexnet_scratch.report import Report
from alexnet_scratch.runs import read_run
from alexnet_scratch.training.checkpoint import load_checkpoint
from alexnet_scratch.weights.published import PUBLISHED, Published
from minigrad import Tensor, no_grad
from minigrad.kernels.softmax import log_softmax_forward
from minigrad.serialization import save_file

Capture = pytest.CaptureFixture[str]
# Of the colours, and of others between them, in no order.
CLASSES = ("white", "red", "black", "blue", "green")


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory, narrow: Recipe) -> Path:
    """A run of weights for `CLASSES`, drawn at random."""
    folder = tmp_path_factory.mktemp("imported")
    model = build_model(replace(narrow, init="he"), len(CLASSES))
    generator = np.random.default_rng(3)
    tensors = {
        name: (0.1 * generator.standard_normal(tensor.shape)).astype(np.float32)
        for name, tensor in model.state_dict().items()
    }
    save_file(tensors, folder / "weights.safetensors")
    (folder / "recipe.json").write_text(narrow.to_json())
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    assert main([
        "import", f"{folder}/weights.safetensors", f"{folder}/run",
        "--recipe", f"{folder}/recipe.json", "--classes", f"{folder}/classes.txt",
    ]) == 0  # fmt: skip
    return folder / "run"


def test_torchvisions_file_becomes_a_run_with_the_thousand_names(
    tmp_path: Path, narrow_owt: Callable[[int, int], Any], torchvision_models: ModuleType,
    capsys: Capture, colours: Path,
) -> None:  # fmt: skip
    torch = pytest.importorskip("torch")
    model = narrow_owt(1000, 16)
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    run = tmp_path / "run"
    assert main(["import", str(tmp_path / "weights.pth"), str(run)]) == 0
    said = capsys.readouterr().out
    assert "Recognised: torchvision's alexnet, 2,634,440 parameters, 1,000 classes; images" in said
    trained = alexnet_scratch.load(run)
    for name, tensor in trained.model.state_dict().items():
        assert tensor.data.tobytes() == model.state_dict()[name].numpy().tobytes()
    assert trained.names["n01440764"] == "tench, Tinca tinca"
    record = json.loads((run / "run.json").read_text())["imported"]
    digest = hashlib.sha256((tmp_path / "weights.pth").read_bytes()).hexdigest()
    assert (record["file"], record["sha256"]) == ("weights.pth", digest)
    image = str(colours / "val/red/red_0.png")
    assert main(["predict", str(run), image, "--json"]) == 0
    best = json.loads(capsys.readouterr().out)[0]["predictions"][0]
    transforms = torchvision_models.AlexNet_Weights.IMAGENET1K_V1.transforms()
    with torch.no_grad(), Image.open(image) as picture:
        expected = model(transforms(picture)[None]).softmax(1)[0].numpy()
    place = int(expected.argmax())
    assert best["class"] == trained.classes[place]
    assert best["probability"] == pytest.approx(expected[place], rel=1e-4)


def test_running_means_do_not_count_as_parameters(
    tmp_path: Path, torchvision_models: ModuleType, capsys: Capture
) -> None:
    torch = pytest.importorskip("torch")
    model = torchvision_models.resnet18(num_classes=5)
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    assert main(["import", str(tmp_path / "weights.pth"), str(tmp_path / "run")]) == 0
    count = sum(parameter.numel() for parameter in model.parameters())
    assert f" {count:,} parameters, 5 classes" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 1.6"])
def test_the_whole_alexnet_of_torchvision_gives_its_logits(
    tmp_path: Path, torchvision_models: ModuleType, zipped: bool
) -> None:
    torch = pytest.importorskip("torch")
    model = torchvision_models.alexnet(weights=None).eval()
    file, run = tmp_path / "weights.pth", tmp_path / "run"
    torch.save(model.state_dict(), file, _use_new_zipfile_serialization=zipped)
    assert main(["import", str(file), str(run)]) == 0
    x = torch.randn(4, 3, 224, 224)
    with torch.no_grad(), no_grad():
        found = alexnet_scratch.load(run).model(Tensor(x.numpy())).data
        np.testing.assert_allclose(found, model(x).numpy(), atol=1e-5)


def test_a_run_that_is_imported_is_a_run_with_no_epoch_and_no_images(
    imported: Path, capsys: Capture
) -> None:
    run = read_run(imported)
    assert not run.epochs
    checkpoint = load_checkpoint(imported / "best.safetensors")
    assert checkpoint.classes == list(CLASSES)
    assert checkpoint.data["imported"] == "weights.safetensors"
    assert main(["evaluate", str(imported)]) == 2
    assert "weights are imported, without images: say which" in capsys.readouterr().err
    assert main(["train", "--resume", str(imported)]) == 2
    assert "nothing to resume there" in capsys.readouterr().err
    assert main(["compare", str(imported)]) == 0


def expected_scores(imported: Path, colours: Path, among: list[str]) -> tuple[float, float]:
    """Loss and top-1 over the validation images, by the logits of these classes."""
    network = alexnet_scratch.load(imported)
    losses, hits = [], []
    places = [CLASSES.index(name) for name in among]
    for name in ("blue", "green", "red"):
        for file in sorted((colours / "val" / name).iterdir()):
            [row] = np.log(network.predict(network.image(file)[None]).astype(np.float64))
            own = log_softmax_forward(row[None, places])[0]
            losses.append(-own[among.index(name)])
            hits.append(own.argmax() == among.index(name))
    return float(np.mean(losses)), float(np.mean(hits))


@pytest.mark.parametrize("only", [False, True], ids=["all", "the data's"])
def test_a_set_with_some_of_the_classes_is_evaluated_among_all_or_its_own(
    imported: Path, colours: Path, tmp_path: Path, capsys: Capture, only: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    reports: list[Report] = []
    monkeypatch.setattr(
        "alexnet_scratch.commands.evaluate.write_report",
        lambda folder, report, facts: reports.append(report),
    )
    command = ["evaluate", str(imported), str(colours), "--json", "--report", f"{tmp_path}/report"]
    assert main([*command, *["--only-data-classes"] * only]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    order = ["blue", "green", "red"] if only else [*CLASSES]
    loss, top1 = expected_scores(imported, colours, order)
    scores = found["scores"]["centre"]
    assert scores["loss"] == pytest.approx(loss, rel=1e-5)
    assert scores["top1"] == pytest.approx(top1)
    assert (found["data_classes"], found["chosen_among"]) == (3, 3 if only else 5)
    assert "the data has 3 of the network's 5 classes" in said.err
    [report] = reports
    assert (list(report.classes), list(report.names)) == (order, order)
    own = [report.classes[label] for label in report.predictions.labels]
    assert own == [name for name in ("blue", "green", "red") for _ in range(4)]


def test_classes_that_the_network_does_not_have_are_refused(
    imported: Path, colours: Path, tmp_path: Path, capsys: Capture
) -> None:
    for name in ("red", "purple"):
        (tmp_path / name).symlink_to(colours / "val" / "red")
    assert main(["evaluate", str(imported), str(tmp_path)]) == 2
    assert "unknown: purple" in capsys.readouterr().err


def test_what_cannot_be_imported_is_told_in_a_line(
    imported: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = imported.parent
    weights, recipe = f"{source}/weights.safetensors", ["--recipe", f"{source}/recipe.json"]
    (tmp_path / "two.txt").write_text("a\n\nb\n")
    (tmp_path / "twice.txt").write_text("a\na\nb\nc\nd\n")
    for words, said in (
        ([weights, "out"], f"{weights}: these may be the weights of a network of ours"),
        ([weights, "out", "--recipe", "paper"], "not the weights of the network of the recipe pap"),
        ([weights, str(imported), *recipe], f"{imported} is not empty: give the name of a new"),
        ([str(imported / "best.safetensors"), "out"], "a checkpoint of `alexnet train`"),
        ([weights, "out", *recipe, "--network", "caffenet"], "give one of them"),
        ([weights, "out", *recipe, "--classes", "two.txt"], "names 2 classes, the network has 5"),
        ([weights, "out", *recipe, "--classes", "twice.txt"], "a class stands there twice"),
        ([weights, "out", *recipe, "--classes", "none.txt"], "none.txt: cannot be read"),
        ([weights, "out", "--download", "torchvision"], "give FILE and OUT, or --download NAME"),
        (["none.pth", "out"], "none.pth: no such file; expected a file of weights"),
    ):
        monkeypatch.chdir(tmp_path)
        assert main(["import", *words]) == 2, words
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_classes_without_names_are_numbered(
    imported: Path, tmp_path: Path, capsys: Capture
) -> None:
    source = imported.parent
    command = ["import", f"{source}/weights.safetensors", str(tmp_path / "run")]
    assert main([*command, "--recipe", f"{source}/recipe.json"]) == 0
    assert "have no names: 'class 0' and so on (--classes FILE)" in capsys.readouterr().out
    assert alexnet_scratch.load(tmp_path / "run").classes[4] == "class 4"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    handler = partial(Quiet, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


def test_published_weights_are_fetched_checked_and_their_licence_said(
    imported: Path, tmp_path: Path, server: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (imported.parent / "weights.safetensors").read_bytes()
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "weights.pth").write_bytes(data)
    good = f"sha256:{hashlib.sha256(data).hexdigest()}"
    flags = ["--downloads", str(tmp_path / "kept"), "--recipe", f"{imported.parent}/recipe.json"]
    for checksum, status in (("sha256:" + "0" * 64, 2), (good, 0)):
        archive = Archive(f"{server}/weights.pth", len(data), checksum)
        monkeypatch.setitem(PUBLISHED, "torchvision", Published(archive, "free for this test"))
        command = ["import", "--download", "torchvision", str(tmp_path / f"run{status}"), *flags]
        assert main(command) == status
        said = capsys.readouterr()
        assert "Licence: free for this test." in said.out
        assert ("expected 0000" in said.err) == bool(status)
    record = json.loads((tmp_path / "run0" / "run.json").read_text())["imported"]
    assert record["licence"] == "free for this test"
    with no_grad():
        x = np.zeros((1, 3, 64, 64), np.float32)
        outputs = [alexnet_scratch.load(run).model(Tensor(x)).data
                   for run in (imported, tmp_path / "run0")]  # fmt: skip
    np.testing.assert_array_equal(*outputs)


def test_torchvisions_own_file_is_the_one_that_it_names(torchvision_models: ModuleType) -> None:
    archive = PUBLISHED["torchvision"].archive
    weights = torchvision_models.AlexNet_Weights.IMAGENET1K_V1
    assert archive.url == weights.url
    assert archive.size is not None
    assert round(archive.size / 2**20, 3) == weights.meta["_file_size"]
    assert str(archive.checksum).removeprefix("sha256:").startswith("7be5be79")
