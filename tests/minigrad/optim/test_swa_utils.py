"""Averaged weights: PyTorch's averages, and none that stays with the initial weights."""

import copy
import importlib.util

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.kernels.fast.blockwise import BLOCK_CPU
from minigrad.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def walk(model: nn.Module, rng: np.random.Generator) -> None:
    """Other parameters and buffers, as a training step leaves them."""
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data += rng.integers(0, 9, tensor.shape).astype(tensor.dtype)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("decay", [None, 0.0, 0.75, 1.0])
def test_averages_are_pytorchs(decay, use_buffers):
    import torch
    from torch.optim import swa_utils as theirs

    mine, rng = network(), np.random.default_rng(0)
    other = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    options = [
        {} if decay is None else {"multi_avg_fn": module.get_ema_multi_avg_fn(decay)}
        for module in (mg.optim.swa_utils, theirs)
    ]
    average = AveragedModel(mine, use_buffers=use_buffers, **options[0])
    expected = theirs.AveragedModel(other, use_buffers=use_buffers, **options[1])
    for _ in range(5):
        walk(mine, rng)
        other.load_state_dict({k: torch.tensor(v.numpy()) for k, v in mine.state_dict().items()})
        average.update_parameters(mine)
        expected.update_parameters(other)
    ours = average.state_dict()
    assert set(ours) == set(expected.state_dict())
    for name, value in expected.state_dict().items():
        if use_buffers and name.endswith("num_batches_tracked"):  # PyTorch averages this, too
            value = other.state_dict()[name.removeprefix("module.")]
        np.testing.assert_allclose(ours[name].numpy(), value.numpy(), rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("updates", [3, 30, 300])
def test_with_warm_up_the_first_weights_never_dominate(updates):
    """A decay for a run of thousands of steps, in a short one: without warm-up the average is still
    where the first step left it."""
    model = nn.Linear(1, 1)
    averages = [
        AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9999, warmup=warmup))
        for warmup in (True, False)
    ]
    for step in range(updates):
        model.weight.data[...] = step / (updates - 1)
        for average in averages:
            average.update_parameters(model)
    warm, cold = (float(average.module.weight.data[0, 0]) for average in averages)
    assert warm > 0.75
    assert cold < 0.02
    long = [average for average in averages if average.multi_avg_fn]
    model.weight.data[...] = 5.0
    long[0].multi_avg_fn([long[0].module.weight.data], [model.weight.data], 10**7)
    assert float(long[0].module.weight.data[0, 0]) == pytest.approx(warm + (5 - warm) * 1e-4)


def test_the_copy_is_its_own_and_has_no_gradients():
    model = nn.Linear(300, BLOCK_CPU // 100)  # several blocks
    model(mg.randn(2, 300)).sum().backward()
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.5))
    assert all(p.grad is None for p in average.parameters())
    assert model.weight.grad is not None
    first, before = model.weight.data.copy(), copy.deepcopy(average.module.weight)
    average.update_parameters(model)
    np.testing.assert_array_equal(before.data, first)
    model.weight.data[...] += 2
    average.update_parameters(model)
    np.testing.assert_allclose(average.module.weight.data, first + 1, rtol=1e-6)
    assert average.module.weight.version.value > before.version.value
    x = mg.randn(2, 300)
    np.testing.assert_array_equal(average(x).data, average.module(x).data)


def test_a_decay_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"decay=1.5, expected 0 to 1"):
        get_ema_multi_avg_fn(1.5)
