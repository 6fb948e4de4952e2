"""Every optimizer's steps, weights and state, on "cuda" as on the CPU."""

from functools import partial

import numpy as np
import pytest
from agreement import assert_as_near

import minigrad as mg
from minigrad import Tensor
from minigrad.arrays import to_device
from minigrad.kernels.layout import as_nchw
from minigrad.optim import SGD, Adam, AdamW

STEPS = 5
OPTIMIZERS = {
    "sgd": partial(SGD, lr=0.1),
    "sgd-decay": partial(SGD, lr=0.1, weight_decay=0.1),
    "sgd-momentum": partial(SGD, lr=0.1, momentum=0.9, weight_decay=0.1),
    "sgd-dampening": partial(SGD, lr=0.1, momentum=0.9, dampening=0.3),
    "sgd-maximize": partial(SGD, lr=0.1, momentum=0.9, weight_decay=0.1, maximize=True),
    "nesterov": partial(SGD, lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True),
    "paper": partial(SGD, lr=0.1, momentum=0.9, weight_decay=0.1, rule="paper"),
    "paper-plain": partial(SGD, lr=0.1, weight_decay=0.1, rule="paper"),
    "paper-maximize": partial(SGD, lr=0.1, momentum=0.9, rule="paper", maximize=True),
    "adam": partial(Adam, lr=0.1),
    "adam-decay": partial(Adam, lr=0.1, betas=(0.8, 0.95), weight_decay=0.1, maximize=True),
    "adamw": partial(AdamW, lr=0.1, weight_decay=0.1),
}


def numbers(device, dtype, seed):
    """A vector, and four axes in channels-last memory, as a convolution's gradient may be."""
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in ((301,), (4, 3, 5, 6))]
    vector, maps = (to_device(array.astype(dtype), device) for array in arrays)
    return [vector, as_nchw(maps)]


def run(name, device, dtype, first=0, state=None):
    """Weights and state after so many steps, the first of them number `first`."""
    weights = [Tensor(array, requires_grad=True) for array in numbers(device, dtype, 100 + first)]
    optimizer = OPTIMIZERS[name](weights)
    if state is not None:
        optimizer.load_state_dict(state)
    for seed in range(first, first + STEPS):
        for weight, grad in zip(weights, numbers(device, dtype, seed), strict=True):
            weight.grad = Tensor(grad)
        optimizer.step()
    return [weight.data for weight in weights], optimizer


def found(weights, optimizer):
    """All numbers by name, on the host."""
    values = {f"weight {i}": weight for i, weight in enumerate(weights)}
    for index, entry in optimizer.state.items():
        values |= {f"{key} {index}": value for key, value in entry.items() if key != "step"}
    return {name: Tensor(value).cpu().numpy() for name, value in values.items()}


def check(name, dtype, ours, first=0, state=None):
    cpu, exact = (found(*run(name, "cpu", d, first, state)) for d in (np.float32, np.float64))
    assert ours.keys() == exact.keys()
    for key, value in exact.items():
        assert ours[key].dtype == dtype
        assert_as_near(ours[key], cpu[key], value, key)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_and_state_equal_the_cpu(kernels, name, dtype):
    check(name, dtype, found(*run(name, "cuda", dtype)))


@pytest.mark.parametrize("name", ["sgd-momentum", "paper", "adam"])
def test_a_run_of_the_cpu_goes_on_on_the_gpu(kernels, name):
    _, before = run(name, "cpu", np.float32)
    state = before.state_dict()
    check(name, np.float32, found(*run(name, "cuda", np.float32, STEPS, state)), STEPS, state)


def test_a_gradient_elsewhere_is_refused(cupy):
    weight = mg.ones(3, device="cuda", requires_grad=True)
    weight.grad = Tensor(np.ones(3, np.float32))
    with pytest.raises(ValueError, match="gradient is numpy"):
        SGD([weight], lr=0.1).step()
