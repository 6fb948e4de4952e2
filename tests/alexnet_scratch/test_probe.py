"""Features of a data set in a file, and the linear classifier that is fitted on them."""

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alexnet_scratch
from alexnet_scratch.cli import main
from alexnet_scratch.data import DataError
from alexnet_scratch.data.image import load_image
from alexnet_scratch.features import Features, load_features, save_features
from alexnet_scratch.inside import activations
from alexnet_scratch.pixels import ToInput
from alexnet_scratch.probe import path, probe
from minigrad import Tensor


def drawn(n: int = 120, d: int = 6, classes: int = 3, seed: int = 0) -> tuple[Any, Any]:
    """Overlapping clusters, one unit far larger than the others and one that is always the same."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    x = rng.normal(0, 1, (classes, d))[y] + rng.normal(0, 1, (n, d))
    x[:, 0] = 1000 * x[:, 0] + 500
    x[:, 1] = 3
    return x.astype(np.float32), y.astype(np.int64)


def made(**changes: Any) -> Features:
    x, y = drawn()
    splits = np.where(np.arange(len(y)) < 90, "train", "val")
    names = np.array([f"image {i}" for i in range(len(y))])
    fields = {
        "features": x, "labels": y, "names": names, "splits": splits,
        "classes": np.array(["a", "b", "c"]), "layer": "fc7", "run": "boxed", **changes,
    }  # fmt: skip
    return Features(**fields)


@pytest.mark.parametrize("l2", [1.0, 1e-3])
def test_the_classifier_is_scikit_learns(l2: float) -> None:
    """Its C is 1 / (l2 N), as it adds the losses up where ours takes their mean."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = drawn()
    (ours,) = path(x, y, 3, [l2])
    z = (x - ours.mean) / ours.std
    theirs = linear_model.LogisticRegression(C=1 / (l2 * len(y)), tol=1e-8, max_iter=10_000)
    theirs.fit(z, y)
    np.testing.assert_allclose(ours.weight.T, theirs.coef_, rtol=0, atol=1e-4)
    logits = ours(x)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(p, theirs.predict_proba(z), rtol=0, atol=1e-5)


def test_more_features_than_images_have_the_same_minimum() -> None:
    """There the weights are sought as sums of the images; the slope of the loss as it is defined
    says whether that is its minimum."""
    rng = np.random.default_rng(1)
    y = np.arange(30, dtype=np.int64) % 3
    x = rng.standard_normal((30, 200)) + 0.2 * y[:, None]
    *_, fit = path(x, y, 3, [1.0, 0.05])
    p = np.exp(fit(x))
    error = (p / p.sum(axis=1, keepdims=True) - np.eye(3)[y]) / len(y)
    assert fit.weight.shape == (200, 3)
    z = (x - fit.mean) / fit.std
    np.testing.assert_allclose(z.T @ error + 0.05 * fit.weight, 0, rtol=0, atol=1e-5)
    np.testing.assert_allclose(error.sum(axis=0), 0, rtol=0, atol=1e-5)


def test_a_path_ends_where_each_strength_alone_does() -> None:
    x, y = drawn()
    *_, last = path(x, y, 3, [10.0, 0.1, 0.01])
    (alone,) = path(x, y, 3, [0.01])
    np.testing.assert_allclose(last.weight, alone.weight, rtol=0, atol=1e-4)


def test_validation_images_are_only_scored() -> None:
    """What they are labelled as has no part in the classifier, and noise is not learnt by heart."""
    found = probe(made())
    assert (found.train_images, found.val_images, found.dimensions) == (90, 30, 6)
    assert found.top1 > 0.6
    assert found.top5 == 1
    train = np.arange(120) < 90
    _, y = drawn()
    wrong = made(labels=np.where(train, y, (y + 1) % 3))
    assert probe(wrong).train_top1 == found.train_top1
    assert probe(wrong).top1 < 0.3
    noise = np.random.default_rng(0).normal(size=(120, 200)).astype(np.float32)
    assert probe(made(features=noise)).l2 >= 0.1


def test_a_probe_needs_both_splits() -> None:
    with pytest.raises(DataError, match="120 training and 0 validation images"):
        probe(made(splits=np.array(["train"] * 120)))


def test_features_are_the_layers_outputs_for_the_central_crops(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a network with other classes; numpy.load reads the file, and so does `probe`."""
    monkeypatch.chdir(tmp_path)
    assert main(["features", "boxed", str(colours), "--layer", "relu6", "--workers", "0"]) == 0
    file = np.load("boxed-colours-relu6.npz")
    assert file["features"].shape == (48, 320)
    assert file["classes"].tolist() == ["blue", "green", "red"]
    assert (file["splits"] == "val").sum() == 12
    assert (str(file["layer"]), str(file["run"])) == ("relu6", "boxed")
    network = alexnet_scratch.load("boxed")
    for i in (0, 40):
        split = str(file["splits"][i])
        assert Path(file["names"][i]).parts[:1] == (split,)
        assert Path(file["names"][i]).parent.name == file["classes"][file["labels"][i]]
        image = load_image(colours / str(file["names"][i]), 144)[None, 8:136, 8:136]
        x = ToInput(network.recipe, network.pixels)(Tensor(np.ascontiguousarray(image)))
        own = activations(network.model, x, ["relu6"])["relu6"][0]
        np.testing.assert_allclose(file["features"][i], own, rtol=1e-4, atol=1e-5)
    capsys.readouterr()
    assert main(["probe", "boxed-colours-relu6.npz", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["layer"], row["classes"], row["val_images"]) == ("relu6", 3, 12)
    assert row["top1"] == 1
    assert main(["probe", "boxed", str(colours), "--layer", "pool9", "--workers", "0"]) == 2
    assert "there is no layer 'pool9'; there are conv1" in capsys.readouterr().err


def test_features_that_do_not_fit_into_memory_are_refused_after_a_batch(
    colours: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alexnet_scratch.features.free_memory", lambda: 1_000_000)
    assert main(["probe", "boxed", str(colours), "--layer", "relu7,conv1", "--workers", "0"]) == 2
    said = capsys.readouterr().err
    assert "features of conv1 for each of 48 images: relu7, conv1 would take" in said
    assert "name another layer, or give fewer images" in said


def headed(header: bytes) -> bytes:
    """An npz file whose features have this header, which is Python."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        text = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header
        archive.writestr("features.npy", text)
    return buffer.getvalue()


def npz(**entries: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **entries)
    return buffer.getvalue()


def claiming(shape: str) -> bytes:
    """A file whose features claim another shape than they have bytes for."""
    found = made()
    data = npz(**{name: np.asarray(value) for name, value in vars(found).items()})
    own = str(found.features.shape)
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            entry = old.read(name)
            if name == "features.npy":
                entry = entry.replace(own.encode(), shape.ljust(len(own)).encode()[: len(own)])
            new.writestr(name, entry)
    return changed.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a file of `alexnet features`"),
        (b"PK" * 100, "expected a file of `alexnet features`"),
        (npz(features=np.zeros((2, 2), np.float32)), "expected a file of `alexnet features`"),
        (headed(b"("), "a damaged header"), (headed(b"{1: 2, 'a': 3}"), "a damaged header"),
        (headed(b"-" * 9000), "a damaged header"),
        (claiming("(9**9,6)"), "expected a file of `alexnet features`"),
        (claiming("(240, 6)"), r"of shape \(240, 6\) in 2880 bytes"),
    ],
)
def test_a_file_of_anything_else_is_told(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_features(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.full(120, 3)}, "labels are not places in its 3 classes"),
        ({"splits": np.full(120, "test")}, "splits are not train and val alone"),
        ({"features": np.full((120, 2), np.nan, np.float32)}, "not all numbers"),
        ({"names": np.array(["one"])}, "are not as many"),
        ({"features": np.zeros((120, 2))}, "features are float64"),
        ({"run": np.array([None])}, "expected a file of `alexnet features`"),
    ],
)
def test_what_does_not_go_together_is_told(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    save_features(made(**change), tmp_path / "x.npz")
    with pytest.raises(DataError, match=message):
        load_features(tmp_path / "x.npz")
