"""Loss scaling: what is skipped, how the scale moves, and the state; torch's where torch is."""

import importlib.util

import numpy as np
import pytest

import minigrad as mg
from minigrad.optim import SGD, GradScaler


def parameter(*values):
    return mg.tensor(np.array(values, np.float32), requires_grad=True)


def step(scaler, optimizer, w, gradient):
    """One step whose unscaled gradient is as given."""
    optimizer.zero_grad()
    loss = (w * mg.tensor(np.array(gradient, np.float32))).sum()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()


def test_a_step_is_what_it_is_without_scaling():
    """To the bit: the scale is a power of two."""
    w, plain = parameter(1, -2, 3), parameter(1, -2, 3)
    scaler, optimizer, other = GradScaler(), SGD([w], 0.1, momentum=0.9), SGD([plain], 0.1, 0.9)
    for gradient in ([0.1, 0.2, -0.3], [1e-6, 5.0, 0.7]):
        step(scaler, optimizer, w, gradient)
        step(GradScaler(enabled=False), other, plain, gradient)
        np.testing.assert_array_equal(w.grad.numpy(), plain.grad.numpy())
    np.testing.assert_array_equal(w.detach().numpy(), plain.detach().numpy())
    assert scaler.skipped_steps == 0


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan, 1e38])
def test_overflow_skips_the_step_and_halves_the_scale(bad):
    """1e38 is finite, but not times the scale."""
    w, still = parameter(1, 2), parameter(5)
    scaler = GradScaler(1024)
    optimizer = SGD([w, still], 0.1, momentum=0.9)
    step(scaler, optimizer, w, [1, 1])
    before, velocity = w.detach().numpy().copy(), optimizer.state[0]["momentum_buffer"].copy()
    with np.errstate(all="ignore"):
        step(scaler, optimizer, w, [1, bad])
    np.testing.assert_array_equal(w.detach().numpy(), before)
    np.testing.assert_array_equal(optimizer.state[0]["momentum_buffer"], velocity)
    assert (scaler.get_scale(), scaler.skipped_steps) == (512, 1)
    step(scaler, optimizer, w, [1, 1])
    assert not np.array_equal(w.detach().numpy(), before)


def test_opposite_infinities_are_seen_too():
    w, v = parameter(1, 1), parameter(1)
    scaler, optimizer = GradScaler(2), SGD([w, v], 1.0)
    w.grad, v.grad = mg.tensor(np.float32([np.inf, 1])), mg.tensor(np.float32([-np.inf]))
    scaler.step(optimizer)
    assert scaler.skipped_steps == 1


def test_the_scale_grows_after_good_steps_in_a_row():
    w = parameter(1.0)
    scaler, optimizer = GradScaler(8, growth_interval=3), SGD([w], 1e-3)
    scales = []
    for gradient in (1, 1, np.inf, 1, 1, 1, 1, 1, 1, np.inf, 1):
        with np.errstate(all="ignore"):
            step(scaler, optimizer, w, [gradient])
        scales.append(scaler.get_scale())
    assert scales == [8, 8, 4, 4, 4, 8, 8, 8, 16, 8, 8]
    assert scaler.skipped_steps == 2


def test_gradients_can_be_unscaled_before_the_step():
    w = parameter(1.0)
    scaler, optimizer = GradScaler(64), SGD([w], 0.5)
    scaler.scale((w * 3.0).sum()).backward()
    assert w.grad.item() == 192
    scaler.unscale_(optimizer)
    assert w.grad.item() == 3
    with pytest.raises(RuntimeError, match="unscaled already"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    assert w.item() == -0.5
    with pytest.raises(RuntimeError, match=r"called twice: call update\(\)"):
        scaler.step(optimizer)
    scaler.update(128)
    assert scaler.get_scale() == 128


def test_misuse_is_named():
    w = parameter(1.0)
    scaler = GradScaler()
    with pytest.raises(RuntimeError, match=r"no parameter has a gradient: call backward\(\)"):
        scaler.step(SGD([w], 0.1))
    with pytest.raises(RuntimeError, match=r"update\(\) without a step"):
        scaler.update()
    with pytest.raises(ValueError, match="the state is empty"):
        scaler.load_state_dict({})
    for options in ({"init_scale": 0}, {"growth_factor": 1}, {"backoff_factor": 1},
                    {"growth_interval": 0}, {"init_scale": np.inf}, {"growth_factor": np.inf},
                    {"backoff_factor": 0}):  # fmt: skip
        with pytest.raises(ValueError, match=f"{next(iter(options))} is .*, expected"):
            GradScaler(**options)
    GradScaler(init_scale=0.01, growth_factor=1.01, backoff_factor=0.01, growth_interval=1)


def test_a_disabled_scaler_does_nothing():
    w = parameter(1.0)
    scaler, optimizer = GradScaler(enabled=False), SGD([w], 1.0)
    loss = w.sum()
    assert scaler.scale(loss) is loss
    loss.backward()
    scaler.step(optimizer)
    scaler.update()
    assert w.item() == 0
    assert (scaler.get_scale(), scaler.state_dict(), scaler.is_enabled()) == (1.0, {}, False)


def test_the_state_goes_on_where_it_was():
    w = parameter(1.0)
    scaler, optimizer = GradScaler(8, growth_interval=3), SGD([w], 1e-3)
    with np.errstate(all="ignore"):
        for gradient in (np.inf, 1, 1):
            step(scaler, optimizer, w, [gradient])
    other = GradScaler()
    other.load_state_dict(scaler.state_dict())
    step(other, optimizer, w, [1])
    assert (other.get_scale(), other.skipped_steps) == (8, 1)


if importlib.util.find_spec("torch"):

    def test_the_state_is_torchs():
        import torch

        theirs = torch.amp.GradScaler("cpu", init_scale=32.0, growth_interval=7)
        ours = GradScaler(32.0, growth_interval=7)
        expected = {**theirs.state_dict(), "skipped_steps": 0}
        assert ours.state_dict() == expected
        ours.load_state_dict(theirs.state_dict())
        assert GradScaler().state_dict() == {**torch.amp.GradScaler("cpu").state_dict(),
                                             "skipped_steps": 0}  # fmt: skip
