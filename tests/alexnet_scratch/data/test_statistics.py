"""Statistics: exact, whatever the order and the parts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from alexnet_scratch.data import DataError
from alexnet_scratch.data.statistics import (
    Accumulator,
    Statistics,
    load_statistics,
    measure,
    save_statistics,
)

SIDE = 37  # no divisor of anything


def images(n: int, seed: int = 0, low: int = 0) -> NDArray[np.uint8]:
    """Random images whose channels hang together, so that the colours have clear axes."""
    rng = np.random.default_rng(seed)
    light = rng.integers(low, 200, (n, SIDE, SIDE, 1))
    return np.clip(light + rng.integers(0, 56, (n, SIDE, SIDE, 3)), 0, 255).astype(np.uint8)


def values(statistics: Statistics) -> list[Any]:
    return [np.asarray(value).tobytes() for value in vars(statistics).values()]


@pytest.mark.parametrize("pixels", [images(300), np.full((600, 8, 8, 3), 255, np.uint8)])
def test_agrees_with_numpy_on_the_whole(pixels: NDArray[np.uint8]) -> None:
    found, whole = measure(pixels, 2), pixels.astype(np.float64)
    colours = whole.reshape(-1, 3)

    def close(a: Any, b: Any) -> None:
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)

    assert found.images == len(pixels)
    close(found.mean_image_0_255, whole.mean(axis=0))
    close(found.channel_mean_0_255, colours.mean(axis=0))
    close(found.channel_std_0_255, colours.std(axis=0))
    covariance = np.cov(colours.T, bias=True)
    close(found.colour_covariance_0_255_squared, covariance)
    axes, eigenvalues = found.colour_eigenvectors, found.colour_eigenvalues_0_255_squared
    close(eigenvalues, np.linalg.eigvalsh(covariance)[::-1])
    close(axes * eigenvalues @ axes.T, covariance)
    close(axes.T @ axes, np.eye(3))
    close(found.colour_std_0_255**2, eigenvalues)
    assert (axes[np.abs(axes).argmax(axis=0), range(3)] > 0).all()


def test_parts_in_any_order_give_the_same_bits() -> None:
    pixels = images(90)
    expected = values(measure(pixels, 1))
    assert values(measure(pixels, 5)) == expected
    total = Accumulator(SIDE)
    for first, last in ((40, 90), (0, 1), (1, 40)):
        part = Accumulator(SIDE)
        part.add(pixels[first:last])
        total.merge(part)
    assert values(total.result()) == expected


def test_sums_of_the_brightest_images_do_not_overflow() -> None:
    white = np.full((1000, 4, 4, 3), 255, np.uint8)
    total = Accumulator(4)
    total.add(white)
    assert (total.result().mean_image_0_255 == 255).all()
    assert (total.result().colour_covariance_0_255_squared == 0).all()


def test_comes_back_from_disk_bit_by_bit(tmp_path: Path) -> None:
    statistics = measure(images(3))
    save_statistics(statistics, tmp_path)
    assert values(load_statistics(tmp_path, SIDE, 3)) == values(statistics)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"images": "many"}'])
def test_damaged_files_are_data_errors(tmp_path: Path, text: str) -> None:
    save_statistics(measure(images(3)), tmp_path)
    (tmp_path / "statistics.json").write_text(text)
    with pytest.raises(DataError, match=r"statistics\.json .*cannot be read .*; prepare it again"):
        load_statistics(tmp_path, SIDE, 3)


def test_wrong_images_are_refused() -> None:
    total = Accumulator(SIDE)
    with pytest.raises(ValueError, match="got no image"):
        total.result()
    with pytest.raises(ValueError, match="expected uint8"):
        total.add(np.zeros((1, SIDE, SIDE, 3), np.float32))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected uint8"):
        total.add(np.zeros((1, SIDE, SIDE + 1, 3), np.uint8))
    with pytest.raises(ValueError, match="parts of the same set"):
        total.merge(Accumulator(4))
