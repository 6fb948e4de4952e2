"""The layer table: its numbers are the network's, and looking changes nothing."""

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.model import AlexNet
from minigrad import nn
from minigrad.nn.module import observers as module_observers
from minigrad.random import default_generator
from minigrad.tools.summary import summary

LAYERS = {  # output, parameters, multiply-adds: the paper's network at 1000 classes
    "conv1": ((96, 55, 55), 34_944, 105_415_200),
    "pool1": ((96, 27, 27), 0, 0),
    "conv2": ((256, 27, 27), 307_456, 223_948_800),
    "pool2": ((256, 13, 13), 0, 0),
    "conv3": ((384, 13, 13), 885_120, 149_520_384),
    "conv4": ((384, 13, 13), 663_936, 112_140_288),
    "conv5": ((256, 13, 13), 442_624, 74_760_192),
    "pool5": ((256, 6, 6), 0, 0),
    "fc6": ((4096,), 37_752_832, 37_748_736),
    "fc7": ((4096,), 16_781_312, 16_777_216),
    "fc8": ((1000,), 4_097_000, 4_096_000),
}


@pytest.fixture(scope="module")
def paper():
    return summary(AlexNet(1000, "grouped"), (3, 224, 224))


def test_every_layer_of_the_paper(paper):
    rows = {row.name: (row.output_shape, row.parameters, row.macs) for row in paper.rows}
    assert LAYERS.items() <= rows.items()


def test_totals_of_the_paper(paper):
    assert paper.macs == 724_406_816
    assert paper.training_macs == 3 * 724_406_816 - 105_415_200
    assert paper.parameters == 60_965_224
    assert paper.parameter_bytes == 4 * 60_965_224
    conv_and_lrn = 2 * (96 * 55 * 55 + 256 * 27 * 27)
    assert paper.activation_bytes > 4 * conv_and_lrn


@pytest.mark.parametrize(
    ("variant", "macs", "parameters"),
    [("two-tower", 724_406_816, 60_965_224), ("one-tower", 714_188_480, 61_100_840)],
)
def test_the_other_variants(variant, macs, parameters):
    table = summary(AlexNet(1000, variant), (3, 224, 224))
    assert (table.macs, table.parameters) == (macs, parameters)


def test_the_text_has_a_line_for_each_layer_and_the_totals(paper):
    text = str(paper)
    for row in paper.rows:
        assert any(line.startswith(f"{row.name} ") for line in text.splitlines())
    for part in ("96 x 55 x 55", "105,415,200", "724,406,816", "60,965,224", "4.14 GFLOP"):
        assert part in text


def test_bytes_kept_for_backward_by_hand():
    """conv keeps its input and (for ReLU) its output, pooling a byte an output, linear its input,
    which flattening channels-last memory has copied."""
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 9, 5)
    )
    table = summary(model, (2, 8, 8))
    expected = 4 * (2 * 64 + 4 * 36) + 4 * 9 + 4 * 36
    assert table.saved_bytes == expected
    # the ReLU is computed with the convolution, so that it has no memory of its own
    assert [row.activation_bytes for row in table.rows] == [4 * 144, 0, 4 * 36, 4 * 36, 4 * 5]
    assert [row.macs for row in table.rows] == [36 * 4 * 18, 0, 0, 0, 36 * 5]


def test_a_relu_has_a_row_and_memory_of_its_own_where_it_runs_by_itself():
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU())
    fused = summary(model, (2, 8, 8))
    assert [row[:3] for row in fused.rows] == [("0", "Conv2d", (4, 6, 6)), ("1", "ReLU", (4, 6, 6))]
    model[1].register_forward_hook(lambda module, args, output: None)
    alone = summary(model, (2, 8, 8))
    assert [row.activation_bytes for row in alone.rows] == [4 * 144, 4 * 144]
    assert [row._replace(activation_bytes=0) for row in alone.rows] == [
        row._replace(activation_bytes=0) for row in fused.rows
    ]


@pytest.mark.parametrize(
    ("variant", "relus"),
    [("two-tower", [f"relu{i}" for i in range(1, 8)]),
     ("one-tower", [*(f"features.{i}" for i in (1, 4, 7, 9, 11)), "classifier.2", "classifier.5"])],
)  # fmt: skip
def test_every_relu_of_alexnet_has_a_row(variant, relus):
    model = AlexNet(10, variant, fc_width=8)
    rows = [row for row in summary(model, (3, 224, 224)).rows if row.kind == "ReLU"]
    assert [row.name for row in rows] == relus
    assert [row.activation_bytes for row in rows] == [0] * 5 + [4 * 8] * 2
    assert all(row.macs == row.parameters == 0 for row in rows)


def test_a_frozen_model_keeps_nothing():
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU()).requires_grad_(False)
    assert summary(model, (2, 8, 8)).saved_bytes == 0


def test_a_layer_used_twice_has_two_rows_and_its_parameters_once():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 3)
            self.same = self.fc

        def forward(self, x):
            return self.same(self.fc(x))

    table = summary(Twice(), (3,))
    assert [row.parameters for row in table.rows] == [12, 0]
    assert table.parameters == 12
    assert table.macs == 18


def test_looking_changes_nothing():
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.Linear(3, 2))
    model[1].train(False)
    modes = [m.training for m in model.modules()]
    state = default_generator.state
    with mg.no_grad():
        assert summary(model, (3,)).saved_bytes > 0
        assert not mg.is_grad_enabled()
    assert [m.training for m in model.modules()] == modes
    assert default_generator.state == state
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks for m in model.modules())
    assert not module_observers


def test_a_wrong_input_raises_and_leaves_no_hook():
    model = nn.Sequential(nn.Linear(3, 3))
    model.eval()
    with pytest.raises(RuntimeError, match="do not fit"):
        summary(model, (4,))
    assert not any(m._forward_hooks for m in model.modules())
    assert not module_observers
    assert not model.training


def test_dtype_follows_the_model_or_the_argument():
    model = nn.Sequential(nn.Linear(3, 3)).double()
    assert summary(model, (3,)).activation_bytes == 8 * 3
    with pytest.raises(TypeError, match="dtypes are never converted"):
        summary(model, (3,), "float32")


def test_forward_hooks_replace_what_they_return():
    layer = nn.Linear(2, 2)
    x = mg.tensor(np.ones((1, 2), np.float32))
    plain = layer(x).detach().numpy()
    before = layer.register_forward_pre_hook(lambda module, args: (args[0] * 2.0,))
    doubled = layer(x).detach().numpy()
    after = layer.register_forward_hook(lambda module, args, output: output * 0.0)
    assert not layer(x).detach().numpy().any()
    before.remove()
    after.remove()
    np.testing.assert_array_equal(layer(x).detach().numpy(), plain)
    bias = layer.bias.detach().numpy()
    np.testing.assert_allclose(doubled - bias, 2 * (plain - bias), rtol=1e-6)
