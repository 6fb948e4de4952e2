"""A made data set and a narrow network, for runs that take a second; and helpers to import."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from alexnet_scratch.recipe import RECIPES, Recipe

sys.path.append(str(Path(__file__).parent / "minigrad"))  # `import operations`

COLOURS = {"blue": (40, 60, 200), "green": (50, 190, 60), "red": (200, 50, 40)}

# The preset's recipe with a narrow network and a small image; as flags of `alexnet train` below.
NARROW = {
    "widths": (8, 16, 16, 16, 16), "fc_width": 32, "input_size": 64, "image_size": 72,
    "batch_size": 8, "epochs": 2, "dropout_p": 0.1,
}  # fmt: skip


def make_images(folder: Path, per_class: int, seed: int) -> Path:
    """Noisy images of one colour each, in class folders named by the colour."""
    rng = np.random.default_rng(seed)
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for i in range(per_class):
            pixels = np.clip(rng.normal(colour, 30, (72, 72, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{name}_{i}.png")
    return folder


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of three colours: 12 training and 4 validation images each."""
    folder = tmp_path_factory.mktemp("data") / "colours"
    make_images(folder / "train", 12, 0)
    make_images(folder / "val", 4, 1)
    return folder


@pytest.fixture(scope="session")
def narrow() -> Recipe:
    """The small recipe with a narrow network."""
    return Recipe(**{**vars(RECIPES["small"]), **NARROW})


@pytest.fixture(scope="session")
def narrow_flags() -> list[str]:
    """The same as flags."""
    flags = []
    for name, value in NARROW.items():
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        flags += [f"--{name.replace('_', '-')}", text]
    return flags


@pytest.fixture(scope="session")
def torchvision_models() -> ModuleType:
    """torchvision.models, where PyTorch and torchvision are installed."""
    pytest.importorskip("torch")
    # It describes compiled operators, which a torchvision for CUDA lacks beside a PyTorch without.
    # The models need none of them.
    described = "torchvision._meta_registrations"
    sys.modules.setdefault(described, ModuleType(described))
    return pytest.importorskip("torchvision.models")
