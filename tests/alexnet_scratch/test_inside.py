"""Activations, saliency, occlusion and neighbours against what they mean."""

import numpy as np
import pytest

import alexnet_scratch
import minigrad as mg
from alexnet_scratch import inside
from alexnet_scratch.model import AlexNet
from minigrad import nn
from minigrad.nn.module import observers

CLASSES = 3


@pytest.fixture(scope="module")
def model():
    mg.manual_seed(0)
    model = AlexNet(CLASSES, input_size=63, widths=(4, 4, 4, 4, 4), fc_width=8)
    for parameter in model.parameters():
        parameter.data *= 3  # far from a constant output
    return model.double()


@pytest.fixture
def x():
    return mg.tensor(np.random.default_rng(0).standard_normal((2, 3, 63, 63)))


def logits(model, array):
    model.eval()
    with mg.no_grad():
        return model(mg.tensor(array)).numpy()


def test_activations_are_the_layers_outputs(model, x):
    kept = inside.activations(model, x, ["conv1", "fc8"])
    assert kept["conv1"].shape == (2, 4, 15, 15)
    np.testing.assert_array_equal(kept["fc8"], logits(model, x.data))


def test_a_convolution_is_seen_before_its_relu_and_the_relu_behind(model, x):
    kept = inside.activations(model, x, ["conv1", "relu1"])
    assert (kept["conv1"] < 0).any()
    np.testing.assert_array_equal(kept["relu1"], np.maximum(kept["conv1"], 0))


def test_the_mode_and_the_hooks_are_put_back(model, x):
    model.train()
    inside.activations(model, x, ["conv1"])
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_an_unknown_layer_is_told_the_names(model, x):
    with pytest.raises(ValueError, match="no layer 'conv9'; there are conv1"):
        inside.activations(model, x, ["conv9"])


def test_features_are_what_the_classifier_reads_or_a_layer_in_a_row(model, x):
    kept = inside.activations(model, x, ["relu7", "fc7", "conv1"])
    np.testing.assert_array_equal(inside.features(model, x), kept["relu7"])
    assert inside.last_layer(model) == "relu7"  # `alexnet features` begins there, too
    np.testing.assert_array_equal(inside.features(model, x, "fc7"), kept["fc7"])
    np.testing.assert_array_equal(
        inside.features(model, x, "conv1"), kept["conv1"].reshape(2, -1)
    )
    with pytest.raises(ValueError, match="no Linear behind another layer: name a layer"):
        inside.features(nn.Sequential(nn.ReLU()), x)


class Block(nn.Module):
    """Two ways through it, side by side."""

    def __init__(self):
        super().__init__()
        self.near, self.far = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 5, padding=2)

    def forward(self, input):
        return mg.cat([self.near(input), self.far(input)], 1)


def branching():
    return nn.Sequential({
        "conv": nn.Conv2d(3, 4, 3, stride=2), "pool": nn.MaxPool2d(3, 2), "block": Block(),
        "relu": nn.ReLU(), "mean": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(),
        "fc": nn.Linear(8, 3),
    })  # fmt: skip


@pytest.mark.parametrize(
    ("network", "size", "layer"),
    [
        (lambda: AlexNet(3, input_size=95, widths=(4,) * 5, fc_width=8), 95, "relu5"),
        (lambda: AlexNet(3, "cifar", input_size=24, widths=(4, 4, 4)), 24, "relu3"),
        (lambda: AlexNet(3, "one-tower", input_size=95, fc_width=8), 95, "features.11"),
        (branching, 21, "relu"),
    ],
)
def test_the_last_maps_are_the_last_convolutions_behind_its_relu(network, size, layer):
    x = mg.zeros(1, 3, size, size)
    assert inside.last_maps(network(), x) == layer
    assert not observers
    with pytest.raises(ValueError, match="no convolution that gives maps"):
        inside.last_maps(nn.Sequential(nn.Flatten(), nn.Linear(3 * size * size, 2)), x)


def test_a_receptive_field_follows_every_branch():
    x = mg.zeros(1, 3, 21, 21)
    model = branching()
    np.testing.assert_array_equal(
        inside.receptive_field(model, x, "conv", batch=8), [[2 * r, 2 * r + 2] for r in range(10)]
    )
    np.testing.assert_array_equal(
        inside.receptive_field(model, x, "pool"), [[4 * r, 4 * r + 6] for r in range(4)]
    )
    np.testing.assert_array_equal(
        inside.receptive_field(model, x, "block"), [[0, 14], [0, 18], [0, 18], [4, 18]]
    )
    np.testing.assert_array_equal(inside.receptive_field(model, x, "fc"), [[0, 18]])


def test_grad_cam_weighs_maps_by_what_moves_the_logit(model, x):
    """a_k by definition: the logit's change where all of map k is raised by a little."""
    label, layer = 1, "conv5"
    maps = inside.activations(model, x, [layer])[layer]
    module, step = dict(model.named_modules())[layer], 1e-5
    weights = np.zeros(maps.shape[:2])
    for k in range(maps.shape[1]):
        found = []
        for sign in (1, -1):
            raised = maps.copy()
            raised[:, k] += sign * step
            hook = module.register_forward_hook(lambda *_, to=raised: mg.tensor(to))
            found.append(logits(model, x.data)[:, label])
            hook.remove()
        weights[:, k] = (found[0] - found[1]) / (2 * step * maps[0, 0].size)
    expected = np.maximum((weights[:, :, None, None] * maps).sum(axis=1), 0)
    assert expected.max() > 0
    found = inside.grad_cam(model, x, [label] * 2, layer)
    np.testing.assert_allclose(found, expected, atol=1e-6 * expected.max())
    with pytest.raises(ValueError, match="fc6 gives shape"):
        inside.grad_cam(model, x, [0, 0], "fc6")


def test_guided_backpropagation_by_hand():
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 2, bias=False))
    model[0].weight.data = np.array([[1, 2], [-1, 1], [3, -1]], np.float32)
    model[2].weight.data = np.array([[1, 1, -1], [0, -1, 2]], np.float32)
    x = mg.tensor([[1.0, 0.5], [1.0, 2.0]])  # hidden: (2, -0.5, 2.5), (5, 1, 1)
    found = inside.guided_backpropagation(model, x, [0, 1])
    np.testing.assert_array_equal(found, [[1, 2], [6, -2]])
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    with pytest.raises(ValueError, match="no ReLU"):
        inside.guided_backpropagation(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), x, [0, 1])


@pytest.mark.parametrize("classes", [[0], [0, 3], [-1, 0]])
@pytest.mark.parametrize("ask", [inside.saliency, inside.guided_backpropagation])
def test_a_class_that_is_not_there_is_refused(ask, classes, model, x):
    with pytest.raises(ValueError, match="expected one of 0 to 2 for each"):
        ask(model, x, classes)


@pytest.fixture(scope="module")
def boxed():
    """The trained network of the package, and what it gets of black and of white."""
    trained = alexnet_scratch.load("boxed")
    return trained.model, trained.black_and_white()


def test_class_images_raise_their_own_logit_within_the_range_of_pixels(boxed):
    model, (black, white) = boxed
    images = inside.class_images(model, [4, 7], black, white, steps=8)
    assert images.shape == (2, 3, 128, 128)
    assert images.dtype == np.float32
    assert images.data.min() >= black.data.min()
    assert images.data.max() <= white.data.max()
    grey = logits(model, (black.data + white.data) / 2)[0]
    found = logits(model, images.data)
    assert found[0, 4] > grey[4] + 1
    assert found[1, 7] > grey[7] + 1
    again = inside.class_images(model, [4, 7], black, white, steps=8)
    np.testing.assert_array_equal(images.data, again.data)


def test_a_fooling_image_is_of_whole_grey_levels_and_close(boxed):
    model, (black, white) = boxed
    low, span = black.data, white.data - black.data
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 8, 8)).repeat(16, 2).repeat(16, 3)
    start = mg.tensor((low + span * pixels / 255).astype(np.float32))
    before = logits(model, start.data)[0]
    target = int(before.argsort()[-2])
    found = inside.fooling(model, start, target, black, white)
    assert found.done
    levels = (found.image.data - low) / span * 255
    np.testing.assert_allclose(levels, pixels + found.change, atol=1e-3)
    assert (found.change == np.rint(found.change)).all()
    assert logits(model, found.image.data)[0].argmax() == target == found.after.argmax()
    assert found.before.argmax() == before.argmax()
    assert 0 < found.rms < 4
    assert found.largest == np.abs(found.change).max()
    same = inside.fooling(model, start, int(before.argmax()), black, white)
    assert (same.done, same.rms) == (True, 0)
    assert not inside.fooling(model, start, target, black, white, most=0).done


def test_what_excites_a_unit_most(model, x):
    values, places = inside.peaks(model, x, "relu1")
    maps = inside.activations(model, x, ["relu1"])["relu1"]
    np.testing.assert_array_equal(values, maps.max(axis=(2, 3)))
    for n, unit in np.ndindex(values.shape):
        assert maps[n, unit][tuple(places[n, unit])] == values[n, unit]
    values, places = inside.peaks(model, x, "fc6")
    assert values.shape == (2, 8)
    assert not places.any()
    np.testing.assert_array_equal(inside.excited(np.array([[1, 5], [3, 4], [2, 6]]), 2),
                                  [[1, 2], [2, 0]])  # fmt: skip
    with pytest.raises(ValueError, match="expected 1 to 3"):
        inside.excited(np.zeros((3, 2)), 4)


def test_colourfulness_is_the_share_that_is_not_grey():
    rng = np.random.default_rng(0)
    grey = np.repeat(rng.standard_normal((1, 1, 5, 5)), 3, axis=1)
    opposed = rng.standard_normal((1, 3, 5, 5))
    opposed -= opposed.mean(axis=1, keepdims=True)
    weight = np.concatenate([grey, opposed, grey + opposed, np.zeros((1, 3, 5, 5))])
    found = inside.colourfulness(weight)
    share = (opposed**2).sum() / ((opposed**2).sum() + (grey**2).sum())
    np.testing.assert_allclose(found, [0, 1, share, 0], atol=1e-12)
    chance = inside.colourfulness(rng.standard_normal((500, 3, 5, 5))).mean()
    assert chance == pytest.approx(2 / 3, abs=0.02)


def test_random_halves_tell_a_gap_from_chance():
    assert inside.random_halves(np.repeat([0.1, 0.9], 12)) < 0.01
    assert inside.random_halves(np.tile([0.1, 0.9], 12)) > 0.5


def test_the_first_filters_come_by_tower(model):
    name, towers = inside.first_filters(model)
    assert (name, [len(tower) for tower in towers]) == ("conv1", [2, 2])
    np.testing.assert_array_equal(np.concatenate(towers), model.conv1.weight.data)
    assert len(inside.first_filters(branching())[1]) == 1
    with pytest.raises(ValueError, match="no first convolution"):
        inside.first_filters(nn.Sequential(nn.Conv2d(2, 2, 3)))
    _, (grey,) = inside.first_filters(nn.Sequential(nn.Conv2d(1, 2, 3)))
    assert grey.shape == (2, 3, 3, 3)
    np.testing.assert_allclose(inside.colourfulness(grey), 0, atol=1e-12)


def test_saliency_is_the_slope_of_the_logit(model, x):
    found = inside.saliency(model, x, [2, 0])
    assert found.shape == (2, 63, 63)
    step = 1e-6
    for n, label, i, j in ((0, 2, 30, 31), (1, 0, 12, 40)):
        slopes = []
        for c in range(3):
            up, down = x.data.copy(), x.data.copy()
            up[n, c, i, j] += step
            down[n, c, i, j] -= step
            slopes.append((logits(model, up) - logits(model, down))[n, label] / (2 * step))
        assert found[n, i, j] == pytest.approx(np.abs(slopes).max(), rel=1e-5, abs=1e-9)
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_occlusion_covers_one_place_at_a_time(model, x):
    one = mg.tensor(x.data[:1])
    found = inside.occlusion(model, one, 1, patch=21, stride=21, batch=4)
    assert found.shape == (3, 3)
    covered = one.data.copy()
    covered[0, :, 21:42, 42:63] = one.data[0].mean(axis=(1, 2))[:, None, None]
    p = np.exp(logits(model, covered)[0])
    assert found[1, 2] == pytest.approx(p[1] / p.sum())


@pytest.mark.parametrize(
    ("patch", "stride", "images"), [(0, 1, 1), (64, 1, 1), (8, 0, 1), (8, 8, 2)]
)
def test_occlusion_refuses_what_has_no_places(model, x, patch, stride, images):
    with pytest.raises(ValueError, match="expected one image, a patch of 1 to 63"):
        inside.occlusion(model, mg.tensor(x.data[:images]), 0, patch, stride)


def test_nearest_is_by_distance_and_nearest_first():
    features = np.array([[0, 0], [10, 0], [0, 3], [4, 4]], np.float32)
    queries = np.array([[1, 1], [9, 1]], np.float32)
    np.testing.assert_array_equal(inside.nearest(features, queries, 3), [[0, 2, 3], [1, 3, 0]])
    with pytest.raises(ValueError, match="expected 1 to 4"):
        inside.nearest(features, queries, 5)
