"""AlexNet: its size, its variants, its gradient, its training beside PyTorch's."""

import importlib.util

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.model import ORDERS, AlexNet, Stem
from minigrad import nn, optim
from minigrad.nn import functional as F

HAS_TORCH = importlib.util.find_spec("torch") is not None
NARROW = {"widths": (8, 16, 12, 12, 8), "fc_width": 24, "input_size": 67}


def images(count, size, dtype="float64", seed=0):
    return mg.tensor(np.random.default_rng(seed).normal(size=(count, 3, size, size)), dtype=dtype)


def spread(net, seed=0):
    """Weights that keep the scale of the signal, and biases of their own, in place."""
    mg.manual_seed(seed)
    for name, parameter in net.named_parameters():
        if name.endswith("weight"):
            nn.init.kaiming_normal_(parameter, nonlinearity="relu")
        else:
            nn.init.normal_(parameter, 0.0, 0.1)
    return net


@pytest.fixture(scope="module")
def shapes():
    """Shapes of the state of a variant, without drawing 60 million numbers."""

    def of(variant, classes=1000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("minigrad.nn.layers._pytorch_init", lambda *a: None)
            return {k: v.shape for k, v in AlexNet(classes, variant).state_dict().items()}

    return of


# ----- its size -----


@pytest.mark.parametrize(
    ("variant", "classes", "count"),
    [
        ("two-tower", 1000, 60_965_224), ("grouped", 1000, 60_965_224),
        ("one-tower", 1000, 61_100_840), ("two-tower", 10, 56_909_194),
    ],
)  # fmt: skip
def test_number_of_parameters(shapes, variant, classes, count):
    assert sum(int(np.prod(shape)) for shape in shapes(variant, classes).values()) == count


@pytest.mark.parametrize("variant", ["two-tower", "grouped"])
def test_state_of_the_papers_network(shapes, variant):
    weights = {
        "conv1": (96, 3, 11, 11), "conv2": (256, 48, 5, 5), "conv3": (384, 256, 3, 3),
        "conv4": (384, 192, 3, 3), "conv5": (256, 192, 3, 3), "fc6": (4096, 9216),
        "fc7": (4096, 4096), "fc8": (1000, 4096),
    }  # fmt: skip
    expected = {}
    for name, shape in weights.items():
        expected |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    assert shapes(variant) == expected
    assert list(shapes(variant)) == list(expected)


def test_state_of_torchvisions_network(shapes):
    weights = {
        "features.0": (64, 3, 11, 11), "features.3": (192, 64, 5, 5),
        "features.6": (384, 192, 3, 3), "features.8": (256, 384, 3, 3),
        "features.10": (256, 256, 3, 3), "classifier.1": (4096, 9216),
        "classifier.4": (4096, 4096), "classifier.6": (1000, 4096),
    }  # fmt: skip
    expected = {}
    for name, shape in weights.items():
        expected |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    assert shapes("one-tower") == expected


@pytest.mark.parametrize("edge", ["pad", "ceil"])
def test_sizes_of_the_maps_at_224(edge):
    net = AlexNet(10, conv1_edge=edge, widths=(2, 2, 2, 2, 2), fc_width=4).eval()
    sizes, h = {}, images(1, 224, "float32")
    for name, layer in net.named_children():
        h = layer(h)
        sizes[name] = h.shape[1:]
    assert sizes["conv1"] == (2, 55, 55)
    assert sizes["pool1"] == sizes["conv2"] == (2, 27, 27)
    assert sizes["pool2"] == sizes["conv3"] == sizes["conv5"] == (2, 13, 13)
    assert sizes["pool5"] == (2, 6, 6)
    assert h.shape == (1, 10)


@pytest.mark.parametrize("edges", [("floor",) * 3, ("ceil",) * 3, ("floor", "floor", "ceil")])
@pytest.mark.parametrize("size", [67, 75, 83, 91, 95])
def test_the_poolings_end_as_pytorchs_do(size, edges):
    torch = pytest.importorskip("torch")
    net = AlexNet(3, input_size=size, conv1_edge="valid", pool_edges=edges,
                  widths=(2, 2, 2, 2, 2), fc_width=2).eval()  # fmt: skip
    h = images(1, size, "float32")
    for name, layer in net.named_children():
        if name.startswith("pool"):
            ceil = edges[("pool1", "pool2", "pool5").index(name)] == "ceil"
            given = torch.from_numpy(np.ascontiguousarray(h.detach().numpy()))
            theirs = torch.nn.functional.max_pool2d(given, 3, 2, ceil_mode=ceil).numpy()
            np.testing.assert_array_equal(layer(h).detach().numpy(), theirs)
        h = layer(h)
    assert h.shape == (1, 3)


def test_the_ceil_rule_is_an_image_with_three_zeros_to_the_right_and_below():
    net = spread(AlexNet(10, conv1_edge="ceil", **{**NARROW, "input_size": 224})).double().eval()
    x = images(1, 224)
    padded = mg.tensor(np.pad(x.data, ((0, 0), (0, 0), (0, 3), (0, 3))))
    expected = F.relu(F.conv2d(padded, net.conv1.weight, net.conv1.bias, stride=4))
    ours = net[:3](x)  # the edge, conv1 and its ReLU
    assert ours.shape[2:] == (55, 55)
    np.testing.assert_allclose(ours.data, expected.data, rtol=1e-12, atol=1e-13)
    other = F.relu(F.conv2d(x, net.conv1.weight, net.conv1.bias, stride=4, padding=2))
    assert not np.allclose(ours.data, other.data, rtol=1e-2)  # not the padding of 2 on all sides


# ----- its variants -----


def tower_by_tower(p, x):
    """The paper's figure 2: two towers with arrays of their own, which meet in conv3."""

    def half(name, tower):
        weight, bias = p[f"{name}.weight"].data, p[f"{name}.bias"].data
        part = slice(tower * len(weight) // 2, (tower + 1) * len(weight) // 2)
        return mg.tensor(weight[part]), mg.tensor(bias[part])

    def conv(h, name, tower, **how):
        return F.relu(F.conv2d(h, *half(name, tower), **how))

    def normed(h):
        return F.max_pool2d(F.lrn(h, 5, 2.0, 1e-4, 0.75), 3, 2)

    towers = [normed(conv(x, "conv1", t, stride=4, padding=2)) for t in (0, 1)]
    towers = [normed(conv(h, "conv2", t, padding=2)) for t, h in enumerate(towers)]
    both = mg.cat(towers, 1)
    towers = [conv(both, "conv3", t, padding=1) for t in (0, 1)]
    towers = [conv(h, "conv4", t, padding=1) for t, h in enumerate(towers)]
    towers = [F.max_pool2d(conv(h, "conv5", t, padding=1), 3, 2) for t, h in enumerate(towers)]
    h = mg.cat([h.flatten(1) for h in towers], 1)
    for name in ("fc6", "fc7"):
        h = mg.cat([F.relu(F.linear(h, *half(name, t))) for t in (0, 1)], 1)
    return F.linear(h, p["fc8.weight"], p["fc8.bias"])


def test_two_tower_is_two_towers():
    net = spread(AlexNet(10, "two-tower", **NARROW)).double().eval()
    x = images(2, 67) * 20.0  # large enough that LRN matters
    logits = tower_by_tower(net.state_dict(), x).data
    np.testing.assert_allclose(net(x).data, logits, rtol=1e-11, atol=1e-12)
    grouped = AlexNet(10, "grouped", **NARROW).double().eval()
    grouped.load_state_dict(net.state_dict())
    assert np.abs(grouped(x).data - logits).max() > 1e-9 * np.abs(logits).max()


def test_grouped_differs_from_two_tower_at_the_border_of_the_towers_alone():
    two = spread(AlexNet(10, "two-tower", **{**NARROW, "widths": (16, 8, 8, 8, 8)})).double()
    grouped = AlexNet(10, "grouped", **{**NARROW, "widths": (16, 8, 8, 8, 8)}).double()
    grouped.load_state_dict(two.state_dict())
    x = images(1, 67)
    a, b = (net[:3](x).data for net in (two, grouped))  # conv1, ReLU and LRN
    differs = (a != b).any((0, 2, 3))
    # A window of 5 reaches 2 channels across: 6, 7 | 8, 9 of 16.
    assert np.flatnonzero(differs).tolist() == [6, 7, 8, 9]


@pytest.mark.parametrize("order", ORDERS)
def test_order_of_the_layers(order):
    net = AlexNet(10, orders=(order, "relu-pool"), **NARROW)
    names = [type(m).__name__ for m in net.children()]
    steps = {"relu": "ReLU", "lrn": "PaperLRN", "pool": "MaxPool2d"}
    steps["contrast"] = "LocalContrastNorm"
    expected = [steps[s] for s in order.split("-")]
    assert names[1 : names.index("Conv2d", 1)] == expected
    assert net(images(1, 67, "float32")).shape == (1, 10)


def test_the_printed_network_shows_its_relus():
    lines = [line.strip() for line in repr(AlexNet(10, **NARROW)).splitlines()]
    for i in range(1, 6):
        conv = next(j for j, line in enumerate(lines) if line.startswith(f"(conv{i})"))
        assert lines[conv + 1] == f"(relu{i}): ReLU()"


def test_one_tower_has_torchvisions_layers_at_their_places():
    kinds = [type(layer).__name__ for layer in AlexNet(10, "one-tower", fc_width=8).features]
    assert kinds == [
        "Conv2d", "ReLU", "MaxPool2d", "Conv2d", "ReLU", "MaxPool2d", "Conv2d", "ReLU",
        "Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d",
    ]  # fmt: skip


def test_dropout_form_and_probability():
    net = AlexNet(10, dropout="paper", dropout_p=0.3, **NARROW)
    drops = [m for m in net.modules() if isinstance(m, nn.Dropout)]
    assert [type(d) for d in drops] == [nn.PaperDropout] * 2
    assert [d.p for d in drops] == [0.3, 0.3]
    names = list(dict(net.named_children()))
    assert names.index("drop6") == names.index("relu6") + 1  # after fc6 and fc7, never the last
    assert names[-2:] == ["drop7", "fc8"]


def test_one_tower_drops_before_its_fully_connected_layers():
    net = AlexNet(10, "one-tower", fc_width=8)
    assert [type(m).__name__ for m in net.classifier] == [
        "Dropout", "Linear", "ReLU", "Dropout", "Linear", "ReLU", "Linear",
    ]  # fmt: skip
    assert net.eval()(images(1, 96, "float32")).shape == (1, 10)  # the average takes other sizes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"variant": "three-tower"}, "'three-tower' is unknown: use one of two-tower"),
        ({"conv1_edge": "floor"}, "conv1_edge 'floor'"),
        ({"pool_edges": ("ceil", "pad", "floor")}, "pool_edges 'pad' is unknown"),
        ({"dropout": "none"}, "dropout 'none'"),
        ({"orders": ("relu-lrn-pool", "pool-relu")}, "orders 'pool-relu'"),
        ({"num_classes": 0}, "num_classes must be at least 1, got 0"),
        ({"widths": (8, 8, 8, 8)}, "widths must be five even numbers"),
        ({"widths": (8, 8, 7, 8, 8)}, "widths must be five even numbers"),
        ({"dropout_p": 2.0, "fc_width": 2}, "p is the probability"),
    ],
)
def test_arguments_that_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        AlexNet(**arguments)


@pytest.mark.parametrize(("edge", "least"), [("pad", 63), ("ceil", 64), ("valid", 67)])
def test_smallest_image(edge, least):
    narrow = {"widths": (2, 2, 2, 2, 2), "fc_width": 2, "conv1_edge": edge}
    assert AlexNet(3, input_size=least, **narrow)(images(1, least, "float32")).shape == (1, 3)
    with pytest.raises(ValueError, match=f"{least - 1} is too small, expected at least {least}"):
        AlexNet(3, input_size=least - 1, **narrow)


@pytest.mark.parametrize("edge", ["pad", "ceil", "valid"])
@pytest.mark.parametrize(("kernel", "stride", "least"), [(11, 4, 63), (5, 2, 29), (3, 1, 15)])
def test_a_smaller_conv1_takes_smaller_images(kernel, stride, least, edge):
    stem = Stem(kernel, stride, edge)
    if edge != "pad":
        least = {11: 64, 5: 32, 3: 17}[kernel] if edge == "ceil" else 14 * stride + kernel
    assert stem.smallest == least
    assert stem.pooled_side(least) == 1
    assert stem.pooled_side(least - 1) < 1
    net = AlexNet(3, input_size=least, conv1_kernel=kernel, conv1_stride=stride, conv1_edge=edge,
                  widths=(2, 2, 2, 2, 2), fc_width=2)  # fmt: skip
    assert net(images(1, least, "float32")).shape == (1, 3)
    assert net.conv1.weight.shape == (2, 3, kernel, kernel)


@pytest.mark.parametrize("shape", [(1, 3, 66, 67), (1, 1, 67, 67), (3, 67, 67)])
def test_image_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"expected \(N, 3, 67, 67\)"):
        AlexNet(3, **NARROW)(mg.zeros(*shape))


# ----- its gradient -----


def loss_of(net, labels, seed=5):
    """The training loss, with the same dropout masks each time."""

    def loss(x):
        mg.manual_seed(seed)
        return F.cross_entropy(net(x), labels)

    return loss


def test_gradient_of_the_whole_network():
    # Full width, 56.9 million parameters, and the image: dropout on, LRN at the paper's alpha.
    net = AlexNet(10).double()
    x = images(1, 224)
    x.requires_grad_()
    assert mg.gradcheck(loss_of(net, np.array([3])), x, parameters=net, directions=2)


@pytest.mark.parametrize(
    "options",
    [
        {"variant": "two-tower"}, {"variant": "grouped", "dropout": "paper"},
        {"variant": "two-tower", "conv1_edge": "ceil", "lrn_alpha": 0.1, "lrn_size": 4},
        {"orders": ("relu-pool-lrn", "lrn-pool-relu"), "lrn_beta": 0.5},
    ],
    ids=str,
)  # fmt: skip
def test_gradient_of_a_narrow_network(options):
    net = spread(AlexNet(10, **{**NARROW, **options})).double()
    x = images(2, 67)
    x.requires_grad_()
    assert mg.gradcheck(loss_of(net, np.array([3, 7])), x, parameters=net)


def test_gradient_of_torchvisions_network():
    net = spread(AlexNet(4, "one-tower", fc_width=16)).double()
    assert mg.gradcheck(loss_of(net, np.array([3])), images(1, 64), parameters=net, directions=1)


# ----- its training -----

MOMENTUM = {"momentum": 0.9, "weight_decay": 5e-4}


def torch_forward(p, x, variant):
    """The same network by PyTorch's functions, dropout off."""
    import torch.nn.functional as G

    if variant == "one-tower":
        for i, stride, padding, pools in ((0, 4, 2, 1), (3, 1, 2, 1), (6, 1, 1, 0), (8, 1, 1, 0),
                                          (10, 1, 1, 1)):  # fmt: skip
            weight, bias = p[f"features.{i}.weight"], p[f"features.{i}.bias"]
            x = G.relu(G.conv2d(x, weight, bias, stride, padding))
            x = G.max_pool2d(x, 3, 2) if pools else x
        x = G.adaptive_avg_pool2d(x, 6).flatten(1)
        names = [f"classifier.{i}" for i in (1, 4, 6)]
    else:
        for i, stride, padding, groups in ((1, 4, 2, 1), (2, 1, 2, 2), (3, 1, 1, 1), (4, 1, 1, 2),
                                           (5, 1, 1, 2)):  # fmt: skip
            weight, bias = p[f"conv{i}.weight"], p[f"conv{i}.bias"]
            x = G.relu(G.conv2d(x, weight, bias, stride, padding, groups=groups))
            if i < 3:
                towers = x.chunk(2 if variant == "two-tower" else 1, 1)
                normed = [G.local_response_norm(t, 5, 5e-4, 0.75, 2.0) for t in towers]
                x = joined(normed)
            x = G.max_pool2d(x, 3, 2) if i in (1, 2, 5) else x
        x = x.flatten(1)
        names = ["fc6", "fc7", "fc8"]
    for name in names:
        x = G.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])
        x = x if name == names[-1] else G.relu(x)
    return x


def joined(towers):
    import torch

    return torch.cat(towers, 1)


def both_trainings(net, variant, batch, size, classes, lr=0.01, steps=20):
    """Losses of `steps` steps of SGD from the same weights on the same batches: ours, PyTorch's."""
    import torch

    net.eval()  # dropout off
    p = {k: torch.tensor(v.data.copy(), requires_grad=True) for k, v in net.state_dict().items()}
    ours = optim.SGD(net.parameters(), lr, **MOMENTUM)
    theirs = torch.optim.SGD(p.values(), lr, **MOMENTUM)
    dtype = next(net.parameters()).dtype
    losses, expected = [], []
    for step in range(steps):
        x = images(batch, size, dtype, seed=step % 4)
        labels = np.random.default_rng(step % 4).integers(classes, size=batch)
        ours.zero_grad()
        loss = F.cross_entropy(net(x), labels)
        loss.backward()
        ours.step()
        losses.append(loss.item())
        theirs.zero_grad()
        twin = torch.nn.functional.cross_entropy(
            torch_forward(p, torch.tensor(x.data), variant), torch.tensor(labels)
        )
        twin.backward()
        theirs.step()
        expected.append(twin.item())
    return losses, expected


if HAS_TORCH:

    @pytest.fixture
    def one_torch_thread():
        """On small arrays PyTorch's waiting threads take the cores from ours."""
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(before)

    @pytest.mark.parametrize("variant", ["two-tower", "grouped"])
    def test_20_steps_beside_pytorch(variant, one_torch_thread):
        net = spread(AlexNet(10, variant, **{**NARROW, "widths": (16, 32, 24, 24, 16)}))
        losses, expected = both_trainings(net, variant, 8, 67, 10)
        np.testing.assert_allclose(losses, expected, rtol=1e-4)
        assert losses[-1] < 0.8 * losses[0]  # it did move

    @pytest.mark.slow
    @pytest.mark.parametrize("variant", ["two-tower", "grouped", "one-tower"])
    @pytest.mark.parametrize(("dtype", "batch", "rtol"), [("float32", 16, 1e-4),
                                                          ("float64", 4, 1e-9)])  # fmt: skip
    def test_20_steps_beside_pytorch_at_full_width(variant, dtype, batch, rtol):
        # Few images make it a matter of luck in float32 without LRN: rounding decides pooling
        # windows whose two largest pixels agree to 1e-7. With 4 images of the one-tower network,
        # PyTorch with one thread and with two differ by up to 1.5e-4.
        mg.manual_seed(0)
        net = AlexNet(10, variant).to(dtype)
        losses, expected = both_trainings(net, variant, batch, 224, 10)
        np.testing.assert_allclose(losses, expected, rtol=rtol)
        assert max(losses) > 1.01 * min(losses)  # it did move
