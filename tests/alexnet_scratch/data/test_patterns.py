"""The drawn data set: deterministic, whole, and not solvable without convolution."""

import hashlib
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from threadpoolctl import threadpool_limits

from alexnet_scratch.data import DataError, ImageFolder, find_splits, patterns


def digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*.jpg")
    }


def test_bytes_depend_on_the_seed_alone(tmp_path: Path) -> None:
    def made(name: str, **kwargs: Any) -> dict[str, str]:
        options = {"train": 3, "val": 2, "seed": 0, "size": 64, "progress": False, **kwargs}
        return digests(patterns.generate(tmp_path / name, **options))

    one = made("one", threads=1)
    assert len(one) == len(set(one.values())) == 50
    assert made("many", threads=7) == one
    assert not set(made("other", seed=1).values()) & set(one.values())
    smaller = made("smaller", train=2, val=1)
    assert smaller.items() < one.items()


def test_layout_is_imagenets(drawn: Path) -> None:
    train, val = find_splits(drawn)
    assert val is not None
    for split, count in ((train, 80), (val, 30)):
        data = ImageFolder(split, None)
        assert data.classes == sorted(patterns.CLASSES)
        assert np.bincount(data.targets).tolist() == [count] * 10
    with Image.open(next((train / "rings").iterdir())) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (256, 256))


def thumbnails(split: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(n, 32 * 32 * 3) pixels in 0..1 and labels."""
    pixels, labels = [], []
    for label, name in enumerate(patterns.CLASSES):
        for file in sorted((split / name).iterdir()):
            with Image.open(file) as image:
                pixels.append(np.asarray(image.reduce(8), np.float64).ravel() / 255)
            labels.append(label)
    return np.stack(pixels), np.asarray(labels)


@pytest.fixture(scope="module")
def pixels(drawn: Path) -> Any:
    return thumbnails(drawn / "train"), thumbnails(drawn / "val")


def fit_softmax_regression(
    gram: NDArray[np.float64], labels: NDArray[np.int64], decay: float
) -> NDArray[np.float64]:
    """Multinomial logistic regression with L2 by Nesterov's method, in its dual form.

    The weights of the minimum lie in the span of the images, so with weights = X.T @ dual only
    the Gram matrix X @ X.T is needed, ten times smaller than X.
    """
    n = len(labels)
    wanted = np.eye(10)[labels]
    step = 1 / (0.5 * np.linalg.eigvalsh(gram)[-1] / n + decay)
    dual = ahead = np.zeros((n, 10))
    for t in range(300):
        logits = gram @ ahead
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        new = ahead - step * ((p - wanted) / n + decay * ahead)
        dual, ahead = new, new + t / (t + 3) * (new - dual)
    return dual


@pytest.mark.parametrize("standardise", [False, True])
def test_logistic_regression_on_pixels_stays_under_half(pixels: Any, standardise: bool) -> None:
    (x, y), (x_val, y_val) = pixels
    mean, std = x.mean(axis=0), x.std(axis=0)
    if standardise:
        x, x_val = (x - mean) / std, (x_val - mean) / std
    x, x_val = (np.append(a, np.ones((len(a), 1)), axis=1) for a in (x, x_val))
    gram = x @ x.T
    seen, held_out = [], []
    for decay in (1e-3, 1e-1, 10.0):
        with threadpool_limits(1):  # on a busy machine, threads on small products only wait
            dual = fit_softmax_regression(gram, y, decay)
        seen.append(np.mean((gram @ dual).argmax(axis=1) == y))
        held_out.append(np.mean((x_val @ (x.T @ dual)).argmax(axis=1) == y_val))
    assert max(seen) > 0.7  # it was trained: it has the training images nearly by heart
    assert max(held_out) < 0.5


def test_mean_colour_does_not_tell_the_class(pixels: Any) -> None:
    (x, y), _ = pixels
    colours = x.reshape(len(x), -1, 3).mean(axis=1)
    # One-way analysis of variance per channel; F(9, 790) exceeds 3.2 once in a thousand times.
    groups = np.stack([colours[y == label] for label in range(10)])
    between = groups.mean(axis=1).var(axis=0, ddof=1) * groups.shape[1]
    within = groups.var(axis=1, ddof=1).mean(axis=0)
    assert np.all(between / within < 3.2)


def test_no_single_pixel_tells_the_class(pixels: Any) -> None:
    (x, y), (x_val, y_val) = pixels
    # A Gaussian per class and pixel: the best class for each pixel's three values.
    x, x_val = x.reshape(len(x), -1, 3), x_val.reshape(len(x_val), -1, 3)
    scores = []
    for label in range(10):
        own = x[y == label]
        mean, var = own.mean(axis=0), own.var(axis=0)
        scores.append(-(((x_val - mean) ** 2) / var + np.log(var)).sum(axis=-1))
    right = np.mean(np.argmax(scores, axis=0) == y_val[:, None], axis=0)
    assert right.max() < 0.3


@pytest.mark.parametrize("name", patterns.CLASSES)
def test_contrast_is_visible_in_every_image(name: str) -> None:
    for seed in range(10):
        image = patterns.draw(name, np.random.default_rng(seed), 128)
        assert (image.shape, image.dtype) == ((128, 128, 3), np.uint8)
        low, high = np.percentile(image @ np.array([0.299, 0.587, 0.114]), (5, 95))
        assert high - low > 40


def test_ensure_draws_once_and_finds_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    folder = patterns.ensure(None, 1, 1, seed=4, progress=False)
    assert folder == tmp_path / "cache" / "patterns-4-1x1"
    assert [f.name for f in folder.parent.iterdir()] == [folder.name]
    before = digests(folder)
    assert len(before) == 20
    monkeypatch.setattr(patterns, "generate", None)  # would fail if it were called again
    assert patterns.ensure(None, 1, 1, seed=4) == folder
    assert digests(folder) == before


def test_two_at_once_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both_drawn, generate = threading.Barrier(2, timeout=30), patterns.generate

    def drawn_at_the_same_time(*args: Any, **kwargs: Any) -> Path:
        folder = generate(*args, **kwargs)
        both_drawn.wait()
        return folder

    monkeypatch.setattr(patterns, "generate", drawn_at_the_same_time)
    found: list[Path] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(patterns.ensure(tmp_path, 1, 1, progress=False))
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / "patterns-0-1x1"] * 2
    assert list(tmp_path.iterdir()) == found[:1]
    assert len(digests(found[0])) == 20


def test_an_interrupted_drawing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = patterns._write

    def interrupted(file: Path, *args: Any) -> None:
        if "val" in file.parts:
            raise KeyboardInterrupt
        write(file, *args)

    monkeypatch.setattr(patterns, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        patterns.ensure(tmp_path, 1, 1, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="not an empty folder"):
        patterns.generate(tmp_path, 1, 1)
    with pytest.raises(ValueError, match="train=0, expected at least 1"):
        patterns.generate(tmp_path / "new", 0)
    with pytest.raises(ValueError, match="no pattern named 'cat'"):
        patterns.draw("cat", np.random.default_rng(0))


def test_the_cache_folder_is_the_users_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALEXNET_CACHE", "elsewhere")
    assert patterns.cache_folder() == Path("elsewhere")
    monkeypatch.setenv("ALEXNET_CACHE", "")
    assert patterns.cache_folder() == Path.home() / ".cache" / "alexnet-scratch"
