"""Networks as ONNX models: the same numbers in onnx's reference evaluator and in onnxruntime."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from onnx_oracle import answers, onnx

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F
from minigrad.tools.onnx import OnnxError, export, rule, to_onnx
from minigrad.tools.onnx_rules import RULES
from minigrad.tools.trace import trace


class Net(nn.Module):
    """A function of one tensor as a network, with parameters `w`."""

    def __init__(self, function, *parameters: tuple[int, ...]) -> None:
        super().__init__()
        self.function = function
        for i, shape in enumerate(parameters):
            setattr(self, f"w{i}", nn.Parameter(mg.randn(*shape) * 0.3))

    def forward(self, x):
        return self.function(x, *self.parameters())


def away_from_0(x):
    return x * x + 0.5


def residual(x, w):
    y = F.conv2d(x, w, padding=1)
    y += x  # in place, as many write it
    return y.relu()


IMAGES = (4, 7, 6)
CASES = {
    "convolution": (nn.Conv2d(4, 6, 3, 2, (1, 0), dilation=(1, 2), groups=2), IMAGES),
    "convolution without bias": (nn.Conv2d(4, 6, (3, 2), bias=False), IMAGES),
    "fused": (nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU()), IMAGES),
    "linear": (nn.Linear(5, 3), (5,)),
    "linear of rows": (nn.Linear(5, 3), (4, 5)),
    "linear without bias": (nn.Linear(5, 3, bias=False), (5,)),
    "lrn": (nn.PaperLRN(3, 2.0, 0.3, 0.75), (7, 3, 2)),
    "lrn of towers": (nn.PaperLRN(3, 2.0, 0.3, 0.75, 2), (8, 3, 2)),
    "lrn of an even window": (nn.PaperLRN(4, 1.0, 0.5, 0.6, 2), (8, 3, 2)),
    "lrn as PyTorch": (nn.LocalResponseNorm(5, 0.8), (8, 3, 2)),
    "contrast": (nn.LocalContrastNorm(5, 0.7, 0.75, 1.0), IMAGES),
    "contrast of an even window": (nn.LocalContrastNorm(4, 0.7, 0.75, 1.0), IMAGES),
    "response within a map": (nn.LocalContrastNorm(5, 0.7, subtract_mean=False), IMAGES),
    "batch": (nn.BatchNorm2d(4), IMAGES),
    "batch without its own": (nn.BatchNorm2d(4, affine=False), IMAGES),
    "maximum": (nn.MaxPool2d(3, 2), IMAGES),
    "maximum, ceil": (nn.MaxPool2d(3, 2, 1, ceil_mode=True), IMAGES),
    "maximum, ceil without padding": (nn.MaxPool2d(2, 2, ceil_mode=True), IMAGES),
    "maximum, spread": (nn.MaxPool2d(2, 1, dilation=2), IMAGES),
    "mean": (nn.AvgPool2d(3, 2, 1), IMAGES),
    "mean, ceil": (nn.AvgPool2d(3, 2, ceil_mode=True), IMAGES),
    "mean, ceil, padding": (nn.AvgPool2d((3, 2), 2, 1, ceil_mode=True), IMAGES),
    "mean of what is there": (nn.AvgPool2d(3, 2, 1, True, False), IMAGES),
    "mean by another number": (nn.AvgPool2d(3, 2, 1, divisor_override=5), IMAGES),
    "adaptive": (nn.AdaptiveAvgPool2d((3, 4)), IMAGES),
    "global": (nn.AdaptiveAvgPool2d(1), IMAGES),
    "flatten": (nn.Flatten(), IMAGES),
    "dropouts": (nn.Sequential(nn.Dropout(0.4), nn.PaperDropout(0.3)), (5,)),
    "activations": (Net(lambda x: F.leaky_relu(x, 0.2).sigmoid() + x.tanh()), IMAGES),
    "prelu": (nn.PReLU(4, init=0.3), IMAGES),
    "softmax": (nn.Softmax(1), IMAGES),
    "log softmax": (nn.LogSoftmax(-1), IMAGES),
    "arithmetic": (Net(lambda x: (2 - x) * x / away_from_0(x) - (-x) ** 2 + 1), IMAGES),
    "functions": (Net(lambda x: away_from_0(x).log() + x.exp() + away_from_0(x).sqrt()), (5,)),
    "sums": (Net(lambda x: x.mean((2, 3)) + x.sum(2).amax(-1) - x.amin((2, 3))), IMAGES),
    "deviation": (Net(lambda x: x.std(2).abs()), IMAGES),
    "choice": (Net(lambda x: x.clamp(-0.5, 0.4) + x.clamp(min=0.1).maximum(-x)), IMAGES),
    "minimum": (Net(lambda x: x.minimum(x * x)), IMAGES),
    "where": (Net(lambda x: mg.where(mg.tensor([True, False, True]), x, -x)), (2, 3)),
    "product": (Net(lambda x, w: x @ w @ w.T, (6, 5)), IMAGES),
    "product with itself": (Net(lambda x: x @ x.permute(0, 1, 3, 2)), IMAGES),
    "shapes": (Net(lambda x: x.reshape(x.shape[0] * 2, -1).reshape(-1, 4, 7, 6)), IMAGES),
    "expand": (Net(lambda x, w: w.expand(4, 7, 6) * x.unsqueeze(1).expand(-1, 2, 4, 7, 6)[:, 1],
                   (1, 6)), IMAGES),
    "indices": (Net(lambda x: x[:, 1:3, ..., -1][..., :3] + x[..., ::2, 0][:, -2:, 1:]
                    @ x[0:, 0, -3:, -3:]), IMAGES),
    "backwards": (Net(lambda x: x[:, -1::-2, :-1]), IMAGES),
    "cat": (Net(lambda x: mg.cat([x.relu(), x[:, :1]], 1)), IMAGES),
    "pad": (Net(lambda x: F.pad(x, (0, 3, -1, 2), value=0.5)), IMAGES),
    "residual": (Net(residual, (4, 4, 3, 3)), IMAGES),
    "casts": (Net(lambda x: (x.double() * 2).float().clone()), (5,)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_model_gives_the_network_s_numbers_for_batches_of_any_size(name):
    net, shape = CASES[name]
    net.eval()
    if isinstance(net, nn.BatchNorm2d):
        net.running_mean.data[...], net.running_var.data[...] = [1, 2, 3, 4], [0.5, 1, 2, 3]
    x = np.random.default_rng(1).standard_normal((5, *shape)).astype(np.float32)
    expected = net(mg.tensor(x)).detach().numpy()
    model = to_onnx(net, shape)
    for answer in answers(model, x):
        np.testing.assert_allclose(answer, expected[: len(answer)], rtol=1e-5, atol=1e-6)
    held = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    for key, parameter in net.named_parameters():  # under its own name, and to the bit
        np.testing.assert_array_equal(held[key], parameter.detach().numpy())


def test_every_rule_is_tried():
    used = {Square}
    for net, shape in CASES.values():
        net.eval()
        used |= {call.function for call in trace(net, mg.randn(2, *shape)).calls}
    assert used >= set(RULES)


class Square(mg.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return 2 * grad * ctx.saved[0]


def test_an_operation_of_one_s_own_gets_a_rule():
    net = Net(lambda x: Square.apply(x) + 1)
    with pytest.raises(OnnxError, match=r"square has no rule for ONNX: write one under @rule\(Squ"):
        to_onnx(net, (3,))
    rule(Square)(lambda graph, y, x: graph.add("Mul", x, x))
    x = np.float32([[1, 2, 3]] * 3)
    for answer in answers(to_onnx(net, (3,)), x):
        np.testing.assert_array_equal(answer, x * x + 1)


@pytest.mark.parametrize(
    ("forward", "said"),
    [
        (lambda x: x + x.detach().mean(), "add is given what changes with the input"),
        (lambda x: x[: len(x) // 2], "getitem is given what changes"),
        (lambda x: x * float(len(x)), "mul is given what changes"),
        (lambda x: x.detach(), "owes nothing to the input"),
        (lambda x: (x, x), "gives tuple, expected one tensor"),
        (lambda x: x.sum(), r"shape \(\), expected the batch first"),
        (lambda x: x.relu() if len(x) == 2 else x.tanh(), "runs other operations"),
        (lambda x: x[mg.tensor([0, 0])], "slices and whole numbers"),
        (lambda x: F.dropout(x, 0.5), "dropout has no rule|changes with the input"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused(forward, said):
    with pytest.raises(OnnxError, match=said):
        to_onnx(Net(forward), (3,))


def test_export_leaves_the_network_as_it_was(tmp_path):
    net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Linear(4, 2).eval())
    export(net, (3,), tmp_path / "net.onnx", {"classes": "a,b"})
    assert [m.training for m in net] == [True, True, False]
    assert all(p.grad is None for p in net.parameters())
    assert not mg.modes.observers
    model = onnx.load(tmp_path / "net.onnx")
    assert [node.op_type for node in model.graph.node] == ["Gemm", "Gemm", "Identity"]
    assert [node.name for node in model.graph.node] == ["0", "2", "output"]
    assert {p.key: p.value for p in model.metadata_props} == {"classes": "a,b"}


def test_without_onnx_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match="pip install onnx"):
        to_onnx(nn.Linear(3, 2), (3,))


def test_a_trace_keeps_no_numbers_but_constants():
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Softmax(1))
    calls, first, last = trace(net, mg.randn(4, 3))
    assert [call.function.operation for call in calls] == ["linear", "relu", "softmax"]
    linear, relu, softmax = calls
    assert linear.sources == (first, net[0].weight, net[0].bias)
    assert linear.arguments[1] is net[0].weight.data
    assert (relu.sources, softmax.sources, softmax.arguments[1:]) == (
        (linear.node,), (relu.node, None), (1,),
    )  # fmt: skip
    assert softmax.node is last
    for call in calls:
        assert (call.result.shape, any(call.result.strides)) == ((4, 2), False)
    assert net[0].weight.grad is None
