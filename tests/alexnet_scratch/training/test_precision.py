"""What `alexnet train` says of --dtype and --amp without a GPU."""

from pathlib import Path

import pytest

from alexnet_scratch.cli import main
from alexnet_scratch.training.checkpoint import load_checkpoint


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--amp",), "--amp float16 was asked for, but the CPU has no float16 products: leave it"),
        (("--amp", "bfloat16"), "--amp bfloat16 was asked for, but the CPU has no bfloat16"),
        (("--dtype", "tf32"), "--dtype tf32 was asked for, but the CPU has no tf32 products"),
    ],
)
def test_the_cpu_has_none_of_it(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags, message
) -> None:
    assert main(["train", str(colours), "--out", str(tmp_path / "run"), *flags]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--amp", "half"), "'half' is not float16 or bfloat16; a bare --amp stands behind DATA"),
        (("--dtype", "float32", "--amp"), "not allowed with argument"),
    ],
)
def test_flags_that_make_no_sense(capsys: pytest.CaptureFixture[str], flags, message) -> None:
    with pytest.raises(SystemExit):
        main(["train", *flags])
    assert message in capsys.readouterr().err


def test_float32_is_said_and_kept(
    colours: Path, tmp_path: Path, narrow_flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    flags = [*narrow_flags, "--max-steps", "1", "--out", str(run), "--dtype", "float32"]
    assert main(["train", str(colours), *flags]) == 0
    assert "on cpu, products in float32\n" in (run / "log.txt").read_text()
    position = load_checkpoint(run / "last.safetensors").position
    assert (position.precision, position.scaler) == ("float32", {})
