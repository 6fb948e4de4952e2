"""The page of the networks before and after AlexNet says what is counted."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("before", DOCS / "draw_before_and_after.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_the_page_says_of_lenet_is_counted(script):
    row = script.count(script.PUBLISHED[0])
    page = (DOCS / "before_and_after.md").read_text("utf-8")
    assert script.table([row]).splitlines()[-1] in page
    assert script.sources([row]) in page


@pytest.mark.slow
def test_the_page_and_the_picture_are_what_the_script_writes(script, tmp_path):
    assert script.main(["--out", str(tmp_path)]) == 0
    page = "before_and_after.md"
    assert (tmp_path / page).read_text("utf-8") == (DOCS / page).read_text("utf-8")
    assert (tmp_path / "before_and_after.png").stat().st_size > 20_000


def test_torchvisions_errors_are_those_of_its_documentation(script, torchvision_models):
    for network in script.PUBLISHED:
        if network.torchvision is not None:
            name = network.recipe.model
            metrics = torchvision_models.get_model_weights(name).IMAGENET1K_V1.meta["_metrics"]
            expected = 100 - metrics["ImageNet-1K"]["acc@5"]
            assert network.torchvision == pytest.approx(expected, abs=1e-9), name
