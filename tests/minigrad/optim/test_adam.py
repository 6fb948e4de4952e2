"""Adam and AdamW."""

import copy
import importlib.util
import math

import numpy as np
import pytest

from minigrad.core import Tensor
from minigrad.kernels.fast.blockwise import BLOCK_CPU
from minigrad.optim import Adam, AdamW


def make_param(rng, shape, dtype=np.float64):
    tensor = Tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True)
    tensor.grad = Tensor(rng.standard_normal(shape).astype(dtype))
    return tensor


def test_two_steps_by_hand():
    w = Tensor(np.array([1.0]), requires_grad=True)
    adam = Adam([w], lr=0.1, betas=(0.5, 0.75), eps=0.0)
    w.grad = Tensor(np.array([2.0]))
    adam.step()  # m 1, v 1; corrected 2 and 4: a step of lr
    np.testing.assert_allclose(w.data, [0.9], rtol=1e-14)
    w.grad = Tensor(np.array([-4.0]))
    adam.step()  # m 0.5 - 2 = -1.5, / 0.75 = -2;  v 0.75 + 4 = 4.75, / 0.4375
    np.testing.assert_allclose(w.data, [0.9 + 0.1 * 2 / math.sqrt(4.75 / 0.4375)], rtol=1e-14)
    assert adam.state[0]["step"] == 2


def test_decay_goes_through_the_means_in_adam_and_past_them_in_adamw():
    for kind, expected in ((Adam, 1 - 0.1), (AdamW, 1 - 0.1 * 0.5)):
        w = Tensor(np.array([1.0]), requires_grad=True)
        w.grad = Tensor(np.array([0.0]))
        kind([w], lr=0.1, weight_decay=0.5).step()
        np.testing.assert_allclose(w.data, [expected], rtol=1e-6)
    assert AdamW([w]).param_groups[0]["weight_decay"] == 0.01


def test_blocked_equals_whole_arrays_bit_for_bit():
    rng = np.random.default_rng(0)
    tensor = make_param(rng, BLOCK_CPU * 2 + 999, np.float32)
    w, g = tensor.data.copy(), tensor.grad.data
    m, v = np.zeros_like(w), np.zeros_like(w)
    adam = AdamW([tensor], lr=0.01)
    for n in range(1, 4):
        adam.step()
        w = w * (1 - 0.01 * 0.01)
        m = m + (g - m) * (1 - 0.9)
        v = v * 0.999 + g * g * (1 - 0.999)
        denominator = np.sqrt(v) / math.sqrt(1 - 0.999**n) + 1e-8
        w = w - m / denominator * (0.01 / (1 - 0.9**n))
    np.testing.assert_array_equal(tensor.data, w)
    assert tensor.data.dtype == np.float32
    assert {a.dtype.name for a in adam.state[0].values() if a is not adam.state[0]["step"]} == {
        "float32"
    }


def test_resuming_midway_is_bit_equal():
    def train(tensor, adam, steps):
        for step in steps:
            tensor.grad = Tensor(np.random.default_rng(step).standard_normal(tensor.shape))
            adam.step()

    straight = make_param(np.random.default_rng(1), (20, 30))
    adam = Adam([straight], lr=0.01)
    train(straight, adam, range(4))
    saved = copy.deepcopy(adam.state_dict())
    resumed = Tensor(straight.data.copy(), requires_grad=True)
    train(straight, adam, range(4, 9))
    second = Adam([resumed])
    second.load_state_dict(saved)
    train(resumed, second, range(4, 9))
    np.testing.assert_array_equal(straight.data, resumed.data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -1}, "Invalid learning rate: -1"),
        ({"eps": -1}, "Invalid epsilon value: -1"),
        ({"weight_decay": -1}, "Invalid weight_decay value: -1"),
        ({"betas": (1.0, 0.9)}, "Invalid beta parameter at index 0: 1.0"),
        ({"betas": (0.9, -0.1)}, "Invalid beta parameter at index 1: -0.1"),
        ({"betas": 0.9}, "Invalid betas: 0.9"),
    ],
)
@pytest.mark.parametrize("kind", [Adam, AdamW])
def test_options_out_of_range_raise(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind([Tensor(np.ones(2), requires_grad=True)], **options)


if importlib.util.find_spec("torch"):
    import torch

    @pytest.mark.parametrize("name", ["Adam", "AdamW"])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize(
        "options", [{}, {"weight_decay": 0.1, "betas": (0.8, 0.9)}, {"maximize": True, "eps": 0.1}]
    )
    def test_every_step_is_pytorchs(name, dtype, options):
        rng = np.random.default_rng(2)
        ours = make_param(rng, (6, 5), dtype)
        theirs = torch.nn.Parameter(torch.from_numpy(ours.data.copy()))
        optimizer = {"Adam": Adam, "AdamW": AdamW}[name]([ours], lr=0.01, **options)
        oracle = getattr(torch.optim, name)([theirs], lr=0.01, **options)
        tolerance = 1e-12 if dtype == np.float64 else 1e-5
        for step in range(12):
            if step == 6:
                optimizer.param_groups[0]["lr"] = oracle.param_groups[0]["lr"] = 0.001
            ours.grad = Tensor(rng.standard_normal((6, 5)).astype(dtype))
            theirs.grad = torch.from_numpy(ours.grad.data.copy())
            optimizer.step()
            oracle.step()
            np.testing.assert_allclose(
                ours.data, theirs.detach().numpy(), rtol=tolerance, atol=tolerance
            )
