"""The networks before and after AlexNet: their sizes, and torch's numbers from torch's weights."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch import zoo
from alexnet_scratch.zoo.googlenet import GoogLeNet
from alexnet_scratch.zoo.lenet import TABLE, LeNet5
from alexnet_scratch.zoo.resnet import ResNet18
from alexnet_scratch.zoo.vgg import VGG11, VGG16
from alexnet_scratch.zoo.zfnet import ZFNet, pooled_side
from minigrad import nn
from minigrad.nn.shapes import shapes_only

NARROW = 12  # of VGG's and ZFNet's wide layers, in place of 4096
CLASSES = 7


def parameters(model: type[nn.Module], *arguments: Any, **options: Any) -> int:
    with shapes_only():
        return sum(p.numel() for p in model(*arguments, **options).parameters())


@pytest.mark.parametrize(
    ("model", "options", "count"),
    [
        # LeCun et al. 1998, section II.B: "60,000 trainable free parameters"
        (LeNet5, {"num_classes": 10, "head": "rbf"}, 60_000),
        (LeNet5, {"num_classes": 10}, 60_850),
        (ZFNet, {}, 62_357_608),  # of figure 3, by hand
        (VGG11, {}, 132_863_336),  # from here on as torchvision publishes it
        (VGG16, {}, 138_357_544),
        (VGG11, {"norm": "batch"}, 132_868_840),
        (VGG16, {"norm": "batch"}, 138_365_992),
        (GoogLeNet, {}, 6_624_904),
        (GoogLeNet, {"aux_logits": True}, 13_004_888),
        (ResNet18, {}, 11_689_512),
    ],
)
def test_parameters_are_as_many_as_published(
    model: Any, options: dict[str, Any], count: int
) -> None:
    assert parameters(model, **options) == count


def test_the_layers_of_lenet_have_the_papers_counts() -> None:
    net = LeNet5()
    counts = [
        sum(p.numel() for p in layer.parameters())
        for layer in (net.c1, net.s2, net.c3, net.s4, net.c5, net.f6, net.output)
    ]
    assert counts == [156, 12, 1516, 32, 48_120, 10_164, 850]
    common = 156 + (16 * 6 * 25 + 16) + 48_120 + 10_164 + 850  # no table, no weights in S2 and S4
    assert common == 61_706


def test_sides_of_zfnet_are_those_of_figure_3() -> None:
    with shapes_only():
        assert ZFNet().fc6.weight.shape == (4096, 256 * 6 * 6)
    net = ZFNet(3, fc_width=2).eval()
    x, sides = mg.zeros(1, 3, 224, 224), []
    with mg.no_grad():
        for name, layer in net.named_children():
            x = layer(x)
            if name.startswith(("conv", "pool")):
                sides.append(x.shape[2])
    assert sides == [110, 55, 26, 13, 13, 13, 13, 6]
    assert (pooled_side(53), pooled_side(52)) == (1, 0)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vgg11", {}), ("vgg16", {}), ("vgg11_bn", {"norm": "batch"}), ("googlenet", {}),
        ("googlenet", {"aux_logits": True}), ("resnet18", {}),
    ],
)  # fmt: skip
def test_names_and_shapes_are_torchvisions(
    name: str, options: dict[str, Any], torchvision_models: ModuleType
) -> None:
    import torch

    own = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    own |= {k: v for k, v in options.items() if k != "norm"}
    with torch.device("meta"):
        theirs = getattr(torchvision_models, name)(num_classes=5, **own).state_dict()
    expected = {key: tuple(value.shape) for key, value in theirs.items()}
    found = zoo.state_shapes(name.removesuffix("_bn"), 5, **options)
    assert list(found.items()) == list(expected.items())


@pytest.mark.parametrize(
    "name",
    ["lenet5", "zfnet", "resnet18", *(
        pytest.param(name, marks=pytest.mark.slow) for name in ("vgg11", "vgg16", "googlenet")
    )],
)  # fmt: skip
def test_shapes_are_those_of_the_network(name: str) -> None:
    narrow = {"fc_width": 2} if "fc_width" in zoo.MODELS[name].fields else {}
    net = zoo.MODELS[name](3, **narrow)  # type: ignore[call-arg]
    expected = [(key, tensor.shape) for key, tensor in net.state_dict().items()]
    assert list(zoo.state_shapes(name, 3, **narrow).items()) == expected


# ----- torch's numbers -----


def torchs(models: ModuleType, name: str, aux: bool = False) -> Any:
    """torchvision's network, narrow, every layer with numbers that show in the logits."""
    import torch
    from torch import nn as tnn

    torch.manual_seed(3)
    if name.startswith("vgg"):
        with torch.device("meta"):
            net = getattr(models, name)(num_classes=2)
        batch, letter = name.endswith("_bn"), "A" if "11" in name else "D"
        net.features = models.vgg.make_layers(models.vgg.cfgs[letter], batch)
        net.classifier = tnn.Sequential(
            tnn.Linear(512 * 49, NARROW), tnn.ReLU(), tnn.Dropout(),
            tnn.Linear(NARROW, NARROW), tnn.ReLU(), tnn.Dropout(), tnn.Linear(NARROW, CLASSES),
        )  # fmt: skip
    elif name == "googlenet":
        net = models.googlenet(num_classes=CLASSES, init_weights=False, aux_logits=aux)
    else:
        net = models.resnet18(num_classes=CLASSES)
    spread(net)
    return net


def spread(net: Any) -> None:
    """He's weights, so that the signal stays; biases, gammas and statistics off their defaults."""
    import torch
    from torch import nn as tnn

    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, tnn.Conv2d | tnn.Linear):
                tnn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    module.bias.normal_(0, 0.1)
            elif isinstance(module, tnn.BatchNorm2d):
                for tensor in (module.weight, module.running_var):
                    tensor.uniform_(0.5, 1.5)
                for tensor in (module.bias, module.running_mean):
                    tensor.normal_(0, 0.1)


def pictures(side: int, count: int = 2, dtype: Any = np.float32) -> Any:
    return np.random.default_rng(side).standard_normal((count, 3, side, side)).astype(dtype)


def assert_same_logits(ours: Any, theirs: Any, x: Any) -> None:
    import torch

    with torch.no_grad(), mg.no_grad():
        expected = theirs.eval()(torch.tensor(x)).numpy()
        found = ours.eval()(mg.Tensor(x)).numpy()
    assert expected.std() > 0.01
    assert np.abs(found - expected).max() < 1e-4 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize(
    ("name", "side", "options"),
    [
        ("vgg11", 40, {"fc_width": NARROW}), ("googlenet", 45, {}), ("resnet18", 47, {}),
        pytest.param("vgg16", 32, {"fc_width": NARROW}, marks=pytest.mark.slow),
        pytest.param(
            "vgg11_bn", 64, {"fc_width": NARROW, "norm": "batch"}, marks=pytest.mark.slow
        ),
    ],
)
def test_logits_are_torchs_with_its_weights(
    name: str, side: int, options: dict[str, Any], torchvision_models: ModuleType
) -> None:
    theirs = torchs(torchvision_models, name)
    ours = zoo.MODELS[name.removesuffix("_bn")](CLASSES, **options)  # type: ignore[call-arg]
    ours.load_state_dict(theirs.state_dict())
    assert_same_logits(ours, theirs, pictures(side))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "side"), [("googlenet", 40), ("resnet18", 40)])
def test_gradients_and_running_statistics_are_torchs(
    name: str, side: int, torchvision_models: ModuleType
) -> None:
    """In training, every head adding to the loss; dropout off."""
    import torch

    theirs = torchs(torchvision_models, name, aux=True).double()
    ours: Any = zoo.MODELS[name](CLASSES, **{"aux_logits": True} if name == "googlenet" else {})  # type: ignore[call-arg]
    ours.double().load_state_dict(theirs.state_dict())
    for module in (*ours.modules(), *theirs.modules()):
        if isinstance(module, nn.Dropout | torch.nn.Dropout):
            module.p = 0.0
    x = pictures(side, 3, np.float64)
    image, tensor = mg.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    heads, expected = ours(image), theirs(tensor)
    if name == "resnet18":
        heads, expected = (heads,), (expected,)
    weight = np.random.default_rng(1).standard_normal((3, CLASSES))
    for i, (head, other) in enumerate(zip(heads, expected, strict=True)):
        np.testing.assert_allclose(head.detach().numpy(), other.detach().numpy(), rtol=0, atol=1e-8)
        factor = 0.3 if i else 1.0
        (head * mg.Tensor(weight * factor)).sum().backward(retain_graph=True)
        (other * torch.tensor(weight * factor)).sum().backward(retain_graph=True)
    pairs = {"image": (image.grad, tensor.grad)}
    pairs |= {
        key: (own.grad, other.grad)
        for (key, own), other in zip(
            ours.named_parameters(), theirs.parameters(), strict=True
        )
    }
    for key, (own, other) in pairs.items():
        largest = other.abs().max().item()
        assert np.abs(own.numpy() - other.numpy()).max() <= 1e-8 * largest, key
    for (key, own), other in zip(ours.named_buffers(), theirs.buffers(), strict=True):
        np.testing.assert_allclose(own.numpy(), other.numpy(), rtol=1e-6, err_msg=key)


def test_zfnet_is_its_layers_in_torch() -> None:
    torch = pytest.importorskip("torch")
    from torch import nn as tnn

    net = ZFNet(CLASSES, input_size=90, fc_width=NARROW, lrn_alpha=0.1)
    layers: list[Any] = []
    norm = tnn.LocalResponseNorm(5, 0.5, 0.75, 2.0)  # which divides alpha by 5
    for inputs, maps, kernel, stride, padding in (
        (3, 96, 7, 2, 1), (96, 256, 5, 2, 0), (256, 384, 3, 1, 1), (384, 384, 3, 1, 1),
        (384, 256, 3, 1, 1),
    ):  # fmt: skip
        layers += [tnn.Conv2d(inputs, maps, kernel, stride, padding), tnn.ReLU()]
        layers += [tnn.MaxPool2d(3, 2, 1), norm] if stride == 2 else []
    layers += [tnn.MaxPool2d(3, 2), tnn.Flatten()]
    for inputs, units in ((1024, NARROW), (NARROW, NARROW), (NARROW, CLASSES)):
        layers += [tnn.Linear(inputs, units), tnn.ReLU()]
    theirs = tnn.Sequential(*layers[:-1])
    torch.manual_seed(4)
    spread(theirs)
    values = [value.numpy() for value in theirs.state_dict().values()]
    net.load_state_dict(dict(zip(net.state_dict(), values, strict=True)))
    assert_same_logits(net, theirs, pictures(90))


def test_c3_is_a_convolution_with_the_tables_zeros() -> None:
    """The table is what the paper's is: each map of S2 is seen by ten of C3's sixteen."""
    assert [len(row) for row in TABLE] == [3] * 6 + [4] * 9 + [6]
    assert np.bincount(np.concatenate(TABLE)).tolist() == [10] * 6
    assert len(set(TABLE)) == 16
    net = LeNet5(5).double()
    full = np.zeros((16, 6, 5, 5))
    for map_, (row, conv) in enumerate(zip(TABLE, net.c3, strict=True)):
        full[map_, list(row)] = conv.weight.detach().numpy()[0]
    bias = np.concatenate([conv.bias.detach().numpy() for conv in net.c3])
    x = mg.randn(2, 6, 14, 14, dtype="float64")
    expected = nn.functional.conv2d(x, mg.Tensor(full), mg.Tensor(bias)).numpy()
    np.testing.assert_allclose(net.c3(x).detach().numpy(), expected, atol=1e-12)


def test_lenet_is_the_papers_formulas() -> None:
    """Written once more in NumPy, layer by layer, for one grey image."""
    mg.manual_seed(2)
    net = LeNet5(4, head="rbf").double()
    state = {key: value.numpy() for key, value in net.state_dict().items()}
    for name in ("s2", "s4"):
        state[f"{name}.bias"] += 0.3

    def squash(a: Any) -> Any:
        return 1.7159 * np.tanh(2 / 3 * a)

    def convolve(x: Any, weight: Any, bias: Any) -> Any:
        windows = np.lib.stride_tricks.sliding_window_view(x, (5, 5), axis=(1, 2))
        return np.einsum("chwij,ocij->ohw", windows, weight) + bias[:, None, None]

    def subsample(x: Any, name: str) -> Any:
        total = x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2).sum((2, 4))
        return total * state[f"{name}.weight"][:, None, None] + state[f"{name}.bias"][:, None, None]

    image = np.random.default_rng(0).standard_normal((1, 32, 32))
    x = squash(convolve(image, state["c1.weight"], state["c1.bias"]))
    x = squash(subsample(x, "s2"))
    x = squash(np.concatenate([
        convolve(x[list(row)], state[f"c3.{i}.weight"], state[f"c3.{i}.bias"])
        for i, row in enumerate(TABLE)
    ]))  # fmt: skip
    x = squash(subsample(x, "s4"))
    x = squash(convolve(x, state["c5.weight"], state["c5.bias"]))[:, 0, 0]
    x = squash(state["f6.weight"] @ x + state["f6.bias"])
    assert set(np.unique(state["output.weight"])) == {-1.0, 1.0}
    distances = ((x - state["output.weight"]) ** 2).sum(1)
    found = net(mg.Tensor(image[None])).detach().numpy()[0]
    np.testing.assert_allclose(found, -distances, rtol=1e-10)


def test_lenet_sees_colours_in_grey() -> None:
    net, image = LeNet5(3).double(), pictures(32, dtype=np.float64)
    grey = np.einsum("nchw,c->nhw", image, [0.299, 0.587, 0.114])[:, None]
    one, other = (net(mg.Tensor(x)).detach().numpy() for x in (image, grey))
    np.testing.assert_allclose(one, other, rtol=1e-10)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (LeNet5, {"input_size": 40}, "LeNet-5: input_size is 40, but it reads 32 pixels"),
        (LeNet5, {"head": "svm"}, "LeNet-5: head 'svm' is unknown: use linear or rbf"),
        (ZFNet, {"input_size": 52}, "ZFNet: input_size 52 is too small, expected at least 53"),
        (ZFNet, {"norm": "layer"}, "ZFNet: norm 'layer', expected response, batch, none"),
        (VGG11, {"norm": "response"}, "VGG-11: norm 'response', expected none or batch"),
        (VGG16, {"input_size": 31}, "VGG-16: input_size 31 is too small, expected at least 32"),
        (ResNet18, {"conv1_kernel": 11, "conv1_stride": 4},
         "ResNet-18: conv1_kernel is 11 and conv1_stride 4, expected 7 and 2"),
        (GoogLeNet, {"num_classes": 0}, "GoogLeNet: num_classes must be at least 1, got 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named(model: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message), shapes_only():
        model(**options)


@pytest.mark.parametrize("name", zoo.MODELS)
def test_what_is_no_batch_of_images_is_named(name: str) -> None:
    with shapes_only():
        net = zoo.MODELS[name](3)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=f"{net.title}: got input of shape .1, 4, 64, 64., exp"):
        net(mg.zeros(1, 4, 64, 64))


def test_small_images_keep_their_pixels_longer() -> None:
    """The stem of 3 x 3 at stride 1: what layer1 gets, and layer4 gives, of 32 pixels."""
    net = ResNet18(3, conv1_kernel=3, conv1_stride=1)
    seen = {}
    for name in ("layer1", "layer4"):
        getattr(net, name).register_forward_hook(
            lambda _, args, out, name=name: seen.update({name: (args[0].shape[2], out.shape[2])})
        )
    net.eval()(mg.zeros(1, 3, 32, 32))
    assert (seen["layer1"][0], seen["layer4"][1]) == (32, 4)
