"""`alexnet bench`: the table's rows and counts (never its times)."""

import pytest

from alexnet_scratch import bench
from alexnet_scratch.cli import main
from alexnet_scratch.model import AlexNet


@pytest.fixture
def small():
    return AlexNet(5, "grouped", input_size=67, widths=(8, 8, 8, 8, 8), fc_width=16)


def test_layers_in_order_with_their_work(small):
    times = bench.time_layers(bench.TrainingStep(small, batch=2), times=1)
    names = [layer.name for layer in times.layers]
    assert names[:3] == ["conv1", "lrn1", "pool1"]
    assert names[-3:] == ["fc8", "loss", "update"]
    layers = {layer.name: layer for layer in times.layers}
    fc7 = 16 * 16
    assert layers["fc7"].flops == 2 * 2 * 3 * fc7  # batch, multiply and add, three products
    conv1 = 8 * 16 * 16 * 3 * 11 * 11
    assert layers["conv1"].flops == 2 * 2 * 2 * conv1  # nobody asks for the image's gradient
    assert layers["conv1"].output == "8 x 16 x 16"
    assert layers["pool5"].flops == 0
    for name in ("conv1", "pool2", "fc8", "loss"):
        assert layers[name].forward > 0
        assert layers[name].backward > 0
    total = sum(layer.forward + layer.backward for layer in times.layers)
    assert total == pytest.approx(times.step)  # no operation is left out


def test_a_step_trains(small):
    step = bench.TrainingStep(small, batch=4, lr=0.05)
    losses = [float(step().item()) for _ in range(30)]
    assert losses[-1] < losses[0]


def test_the_table_adds_up():
    layers = (
        bench.LayerTime("conv1", "8 x 3 x 3", 0.001, 0.003, 8e6),
        bench.LayerTime("update", "", 0.0, 0.004, 0),
    )
    lines = bench.layer_table(bench.StepTimes(layers, 0.008)).splitlines()
    assert lines[2].split() == ["conv1", "8", "x", "3", "x", "3", "1.0", "3.0", "2", "50.0%"]
    assert lines[-1].split() == ["step", "1.0", "7.0", "1", "100.0%"]


SMALL = ["--input-size", "67", "--widths", "8,8,8,8,8", "--fc-width", "16", "--num-classes", "5"]


def test_the_command(capsys):
    assert main(["bench", *SMALL, "--variant", "grouped", "--batch-size", "2", "--steps", "1"]) == 0
    out = capsys.readouterr().out
    assert "AlexNet grouped, 5 classes, batch 2, float32" in out
    for part in ("conv1", "fc8", "update", "training", "forward", "images/s"):
        assert part in out
    assert all(len(line) <= 80 for line in out.splitlines())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--batch-size", "0"], "got '0', expected an integer of at least 1"),
        (["--steps", "x"], "argument --steps: got 'x'"),
        (["--threads", "-1"], "argument --threads: got '-1'"),
        (["--variant", "vgg"], "argument --variant: invalid choice: 'vgg'"),
        (["--classes", "10"], "did you mean --num-classes?"),
        (["--widths", "8"], "expected five even numbers"),
        (["--device", "tpu"], "device 'tpu' is unknown"),
        (["--amp"], "--amp float16 was asked for, but"),
        (["--recipe", "papper"], "did you mean paper?"),
    ],
)
def test_a_wrong_flag_is_an_error_of_one_line(flags, message, capsys):
    try:
        status = main(["bench", *flags])
    except SystemExit as exit:
        status = exit.code
    assert status == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
