"""Activations, saliency, occlusion and neighbours against what they mean."""

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch import inside
from alexnet_scratch.model import AlexNet

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
