"""Initialisation: what each scheme promises, on every variant."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.initialise import LAST_STD, SCHEMES, InitialisationError, initialise
from alexnet_scratch.model import VARIANTS, AlexNet
from alexnet_scratch.recipe import Recipe, build_model
from alexnet_scratch.recipe.fits import NOT_CIFAR
from minigrad import nn


def model_of(recipe: Recipe, variant: str) -> AlexNet:
    widths = Recipe.widths if variant == "one-tower" else recipe.widths
    if variant == "cifar":
        fixed = {name: getattr(Recipe, name) for name in NOT_CIFAR}
        return build_model(replace(recipe, variant=variant, **{**fixed, "widths": (8, 8, 8)}), 7)
    return build_model(replace(recipe, variant=variant, widths=widths), 7)


def layers(model: AlexNet) -> dict[str, Any]:
    kinds = nn.Conv2d | nn.Linear
    return {name: m for name, m in model.named_modules() if isinstance(m, kinds)}


@pytest.fixture
def images() -> mg.Tensor:
    rng = np.random.default_rng(3)
    return mg.tensor(rng.normal(0.3, 2.0, (6, 3, 64, 64)).astype(np.float32))


def output_of(model: AlexNet, name: str, images: mg.Tensor) -> Any:
    """The layer's output before its ReLU, in evaluation, all other layers as they are."""
    layer, seen = layers(model)[name], []
    hook = layer.register_forward_hook(lambda module, args, output: seen.append(output.data))
    model.eval()
    with mg.no_grad():
        model(images)
    hook.remove()
    return seen[0]


@pytest.mark.parametrize("variant", VARIANTS)
def test_lsuv_gives_every_layer_unit_variance(
    variant: str, narrow: Recipe, images: mg.Tensor
) -> None:
    model = model_of(narrow, variant)
    initialise(model, "lsuv", images)
    stds = {name: float(output_of(model, name, images).std()) for name in layers(model)}
    *hidden, last = stds.values()
    assert hidden == pytest.approx([1.0] * len(hidden), rel=1e-3), stds
    assert last == pytest.approx(LAST_STD, rel=1e-3)
    assert all((layer.bias.data == 0).all() for layer in layers(model).values())


def test_lsuv_leaves_dropout_out(narrow: Recipe, images: mg.Tensor) -> None:
    """Same weights for every dropout: its noise and its scale are not part of the signal."""
    states = []
    for form, p in (("inverted", 0.0), ("inverted", 0.9), ("paper", 0.5)):
        model = build_model(replace(narrow, dropout=form, dropout_p=p), 7)
        mg.manual_seed(5)
        initialise(model.train(), "lsuv", images)  # type: ignore[arg-type]
        states.append(model.state_dict())
    for state in states[1:]:
        for name, value in state.items():
            np.testing.assert_array_equal(value.numpy(), states[0][name].numpy())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_seed_decides(scheme: str, narrow: Recipe, images: mg.Tensor) -> None:
    first, again, other = (build_model(narrow, 7) for _ in range(3))
    for model, seed in ((first, 1), (again, 1), (other, 2)):
        mg.manual_seed(seed)
        initialise(model, scheme, images)
    np.testing.assert_array_equal(first.conv3.weight.data, again.conv3.weight.data)
    assert (first.conv3.weight.data != other.conv3.weight.data).all()
    assert all(p.grad is None and p.is_leaf for p in first.parameters())


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "cifar"])
def test_papers_weights_and_biases(variant: str, narrow: Recipe) -> None:
    model = model_of(narrow, variant)
    initialise(model, "paper")
    everything = np.concatenate([x.weight.data.ravel() for x in layers(model).values()])
    assert everything.std() == pytest.approx(0.01, rel=0.05)
    assert abs(everything.mean()) < 3e-4
    biases = [set(layer.bias.data.tolist()) for layer in layers(model).values()]
    assert biases == [{0}, {1}, {0}, {1}, {1}, {1}, {1}, {0}]


def test_pytorchs_bounds(narrow: Recipe) -> None:
    model = build_model(narrow, 7)
    initialise(model, "pytorch")
    for layer in layers(model).values():
        bound = 1 / np.sqrt(np.prod(layer.weight.shape[1:]))
        for values in (layer.weight.data, layer.bias.data):
            assert 0.5 * bound < abs(values).max() <= bound * 1.0001


@pytest.mark.parametrize("variant", VARIANTS)
def test_hes_variance_follows_fan_in(variant: str, narrow: Recipe, images: mg.Tensor) -> None:
    model = model_of(narrow, variant)
    initialise(model, "he")
    *hidden, last = layers(model).values()
    for layer in hidden:
        std, few = np.sqrt(2 / np.prod(layer.weight.shape[1:])), 5 / np.sqrt(layer.weight.numel())
        assert layer.weight.data.std() == pytest.approx(std, rel=few)
    small = LAST_STD / np.sqrt(last.weight.shape[1])
    assert last.weight.data.std() == pytest.approx(small, rel=0.2)
    assert all((layer.bias.data == 0).all() for layer in layers(model).values())
    logits = model.eval()(images / 2)  # of unit variance, which He's numbers keep
    loss = nn.functional.cross_entropy(logits, np.arange(6)).item()
    assert loss == pytest.approx(np.log(7), rel=0.02)


def test_refusals(narrow: Recipe, images: mg.Tensor) -> None:
    model = build_model(narrow, 7)
    with pytest.raises(ValueError, match="'xavier' is unknown: use paper, source2012, caffe, lsuv"):
        initialise(model, "xavier", images)
    with pytest.raises(ValueError, match="give images"):
        initialise(model, "lsuv")
    with pytest.raises(InitialisationError, match=r"conv1 has standard deviation 0\.0"):
        initialise(model, "lsuv", mg.zeros(2, 3, 64, 64))
