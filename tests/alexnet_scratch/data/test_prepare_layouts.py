"""Every layout, with its real names and quirks, prepares to the same set as the plain folder."""

import json
from pathlib import Path

import layouts
import pytest

from alexnet_scratch.cli import main

MADE = layouts.images(0)


def files(out: Path) -> dict[str, bytes]:
    """The set's bytes, but for what it says about where it came from."""
    found = {path.name: path.read_bytes() for path in out.iterdir()}
    described = json.loads(found["set.json"])
    del described["source"], described["layout"], described["sha256"]  # which is of these, too
    del found["report.csv"]  # of what lies around the images
    return {**found, "set.json": json.dumps(described).encode()}


def prepared(layout: str, folder: Path, *flags: str) -> Path:
    source = layouts.LAYOUTS[layout](folder / layout, MADE)
    out = folder / f"{layout}-set"
    assert main(["prepare", str(source), str(out), "--image-size", "32", *flags]) == 0
    return out


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return files(prepared("folder", tmp_path_factory.mktemp("plain")))


@pytest.mark.parametrize("layout", layouts.LAYOUTS)
def test_it_is_the_same_set(layout: str, plain: dict[str, bytes], tmp_path: Path) -> None:
    assert files(prepared(layout, tmp_path)) == plain


@pytest.mark.parametrize("layout", [name for name in layouts.LAYOUTS if name != "folder"])
def test_a_subset_is_the_same_subset(layout: str, tmp_path: Path) -> None:
    flags = ("--classes", "2", "--per-class", "2", "--seed", "3")
    both = [files(prepared(name, tmp_path / name, *flags)) for name in ("folder", layout)]
    assert both[0] == both[1]
    assert len(json.loads(both[0]["set.json"])["classes"]) == 2


@pytest.mark.parametrize("name", layouts.WITHIN)
def test_images_within_files_are_the_set_of_their_pngs(name: str, tmp_path: Path) -> None:
    made, held = layouts.WITHIN[name]()
    plain = layouts.write_pngs(tmp_path / "plain", made)
    packed = layouts.write_tar(tmp_path / "set.tar.gz", held)
    outs = []
    for source in (plain, packed):
        outs.append(tmp_path / f"{source.name}-set")
        flags = ("--image-size", "40", "--per-class", "2", "--seed", "1")
        assert main(["prepare", str(source), str(outs[-1]), *flags]) == 0
    assert files(outs[0]) == files(outs[1])
