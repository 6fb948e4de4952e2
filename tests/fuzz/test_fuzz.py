"""Properties of what reads hostile bytes; the seeds of the fuzz are sound; and the fuzz itself."""

import io
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from run import input_of, seeds_of
from targets import TARGETS, make_seeds

from alexnet_scratch.data import BadImageError, DataError, load_image
from alexnet_scratch.data.image import FORMATS
from alexnet_scratch.data.sources import open_source

MARKS = (
    b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"P5 ",
    b"P3 ", b"RIFF\0\0\0\0WEBPVP8 ", b"\0\0\0\x0cjP  \r\n\x87\n", b"\0\0\0\x1cftypavif",
)  # fmt: skip
RUN = Path(__file__).with_name("run.py")
quick = settings(
    max_examples=60, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


@quick
@given(st.binary(max_size=2000), st.sampled_from(MARKS))
def test_any_bytes_are_an_image_or_refused(data: bytes, mark: bytes) -> None:
    with suppress(BadImageError):
        image = load_image(mark + data, 8)
        assert (image.shape, image.dtype) == ((8, 8, 3), np.uint8)


@quick
@given(st.sampled_from(FORMATS), st.integers(1, 40), st.integers(1, 40), st.integers(0, 255))
def test_a_plain_image_of_any_size_keeps_its_colour(
    fmt: str, width: int, height: int, colour: int
) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (colour,) * 3).save(buffer, fmt)
    image = load_image(buffer.getvalue(), 8)
    np.testing.assert_allclose(image, colour, atol=4)


@quick
@given(
    st.dictionaries(st.text(max_size=12), st.binary(max_size=20), max_size=6),
    st.sampled_from(["tar", "tgz", "zip"]),
)
def test_an_archive_of_any_names_gives_back_its_bytes_or_is_refused(
    tmp_path: Path, files: dict[str, bytes], kind: str
) -> None:
    path = tmp_path / f"set.{kind}"
    files = {f"cat/{i}{name}.png": data for i, (name, data) in enumerate(files.items())}
    try:
        if kind == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                for name, data in files.items():
                    archive.writestr(name, data)
        else:
            with tarfile.open(path, "w:gz" if kind == "tgz" else "w") as tar:
                for name, data in files.items():
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
    except (ValueError, UnicodeError):  # a name that the archive cannot hold
        return
    with suppress(DataError), closing(open_source(path)) as source:
        for item in source.items:
            assert source.read(item) in files.values()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    make_seeds(folder)
    return folder


@pytest.mark.parametrize("name", [name for name in TARGETS if name != "command"])
def test_the_seeds_are_what_they_should_be(root: Path, name: str) -> None:
    seeds = sorted((root / name).iterdir())
    taken = 0
    for seed in seeds:
        with suppress(*TARGETS[name].errors):
            TARGETS[name].run(seed.read_bytes(), root)
            taken += 1
    assert seeds
    assert taken >= len(seeds) // 3  # some are what must be refused: floating point, an answer 503


def test_weight_files_of_others_run_nothing_and_take_at_most_twice_their_size(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    target, seeds = TARGETS["foreign"], seeds_of(root, TARGETS["foreign"])
    try:
        for index in range(200):
            with suppress(*target.errors):
                target.run(input_of(target, seeds, 0, index), root)
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_a_hundred_thousand_inputs_find_nothing(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, RUN, "--inputs", "100000", "--seed", "0", "--finds", tmp_path / "finds"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    assert "100000 inputs, 0 finds" in ran.stdout
    peak = int(ran.stdout.split("peak ")[1].split(" MB")[0])
    assert peak < 1500, ran.stdout
