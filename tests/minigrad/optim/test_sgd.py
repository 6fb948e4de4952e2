"""SGD in both forms, and what every optimizer shares."""

import copy
import importlib.util
from functools import partial

import numpy as np
import pytest

from minigrad.core import Tensor
from minigrad.kernels.fast.blockwise import BLOCK_CPU, blockwise, flat_views
from minigrad.modes import no_grad
from minigrad.optim import SGD, Adam

BIG = BLOCK_CPU * 2 + 12_345  # several blocks, the last one short


def param(values, grad=None, dtype=np.float64):
    tensor = Tensor(np.array(values, dtype=dtype), requires_grad=True)
    if grad is not None:
        tensor.grad = Tensor(np.array(grad, dtype=dtype))
    return tensor


def random_param(rng, shape, dtype=np.float32):
    return param(rng.standard_normal(shape), rng.standard_normal(shape), dtype)


def channels_last(array):
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


# ----- the rules, worked by hand -----


def test_paper_rule_by_hand_with_a_drop_of_the_rate():
    # lr 0.1, momentum 0.5, decay 0.1, gradient 2 throughout; the rate drops to 0.01 after step 2.
    w = param([1.0], [2.0])
    sgd = SGD([w], lr=0.1, momentum=0.5, weight_decay=0.1, rule="paper")
    sgd.step()  # v = -0.1*0.1*1 - 0.1*2 = -0.21
    np.testing.assert_allclose(w.data, [0.79], rtol=1e-15)
    sgd.step()  # v = 0.5*-0.21 - 0.01*0.79 - 0.2 = -0.3129
    np.testing.assert_allclose(w.data, [0.4771], rtol=1e-14)
    sgd.param_groups[0]["lr"] = 0.01
    sgd.step()  # v = 0.5*-0.3129 - 0.001*0.4771 - 0.02 = -0.1769271: the old velocity is kept whole
    np.testing.assert_allclose(w.data, [0.3001729], rtol=1e-14)
    np.testing.assert_allclose(sgd.state[0]["momentum_buffer"], [-0.1769271], rtol=1e-14)


def test_torch_rule_by_hand_with_a_drop_of_the_rate():
    w = param([1.0], [2.0])
    sgd = SGD([w], lr=0.1, momentum=0.5, weight_decay=0.1)
    sgd.step()  # v = 2 + 0.1 = 2.1
    np.testing.assert_allclose(w.data, [0.79], rtol=1e-15)
    sgd.step()  # v = 1.05 + 2.079 = 3.129
    np.testing.assert_allclose(w.data, [0.4771], rtol=1e-14)
    sgd.param_groups[0]["lr"] = 0.01
    sgd.step()  # v = 1.5645 + 2.04771 = 3.61221: the drop scales the whole past
    np.testing.assert_allclose(w.data, [0.4771 - 0.0361221], rtol=1e-14)


def test_rules_agree_while_the_rate_is_constant_and_differ_after_a_drop():
    rng = np.random.default_rng(0)
    start = rng.standard_normal(50)
    torch_like, paper = param(start), param(start)
    options = {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}
    runs = [SGD([torch_like], **options), SGD([paper], rule="paper", **options)]

    def both_step():
        gradient = rng.standard_normal(50)
        for tensor, run in zip([torch_like, paper], runs, strict=True):
            tensor.grad = Tensor(gradient)
            run.step()

    for _ in range(10):
        both_step()
    np.testing.assert_allclose(paper.data, torch_like.data, rtol=1e-10)
    for run in runs:
        run.param_groups[0]["lr"] = 0.005
    both_step()
    assert np.abs(paper.data - torch_like.data).max() > 0.01


def test_paper_rule_without_momentum_and_with_maximize():
    w = param([1.0], [2.0])
    SGD([w], lr=0.1, weight_decay=0.1, rule="paper", maximize=True).step()
    np.testing.assert_allclose(w.data, [1 - 0.01 + 0.2], rtol=1e-15)


def test_groups_have_their_own_rate_and_decay():
    weight, bias = param([1.0], [1.0]), param([1.0], [1.0])
    groups = [{"params": [weight]}, {"params": bias, "lr": 0.2, "weight_decay": 0}]
    SGD(groups, lr=0.1, weight_decay=1.0).step()
    np.testing.assert_allclose([weight.data[0], bias.data[0]], [0.8, 0.8])


# ----- blocks -----


@pytest.mark.parametrize(
    ("rule", "nesterov"), [("torch", False), ("torch", True), ("paper", False)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocked_equals_whole_arrays_bit_for_bit(rule, nesterov, dtype):
    rng = np.random.default_rng(1)
    tensor = random_param(rng, BIG, dtype)
    w, g, v = tensor.data.copy(), tensor.grad.data, np.zeros(BIG, dtype)
    sgd = SGD([tensor], 0.01, 0.9, 5e-4, nesterov=nesterov, rule=rule)
    for _ in range(3):
        sgd.step()
        if rule == "paper":
            v = 0.9 * v - 5e-4 * 0.01 * w - 0.01 * g
            w = w + v
        else:
            decayed = g + 5e-4 * w
            v = 0.9 * v + decayed
            w = w - 0.01 * (decayed + 0.9 * v if nesterov else v)
    assert tensor.data.dtype == dtype
    assert sgd.state[0]["momentum_buffer"].dtype == dtype
    np.testing.assert_array_equal(tensor.data, w)


def test_a_numpy_float64_rate_does_not_change_the_result():
    rng = np.random.default_rng(2)
    one = random_param(rng, 100)
    two = param(one.data, one.grad.data, np.float32)
    SGD([one], lr=0.1, momentum=0.9).step()
    SGD([two], lr=np.float64(0.1), momentum=np.float64(0.9)).step()
    assert two.data.dtype == np.float32
    np.testing.assert_array_equal(one.data, two.data)


@pytest.mark.parametrize("make", [partial(SGD, momentum=0.9, rule="paper"), Adam])
@pytest.mark.parametrize("w_last", [False, True])
@pytest.mark.parametrize("g_last", [False, True])
def test_memory_order_does_not_change_the_result(make, w_last, g_last):
    rng = np.random.default_rng(3)
    shape = (8, 5, 3, 2)
    plain = random_param(rng, shape)
    other = Tensor(channels_last(plain.data) if w_last else plain.data.copy(), requires_grad=True)
    other.grad = Tensor(channels_last(plain.grad.data) if g_last else plain.grad.data)
    strides = other.data.strides
    for tensor in (plain, other):
        optimizer = make([tensor], lr=0.1)
        optimizer.step()
        optimizer.step()
    np.testing.assert_array_equal(plain.data, other.data)
    assert other.data.strides == strides


def test_a_slice_of_an_array_is_updated_in_place_and_nothing_around_it():
    base = np.ones((4, 6), np.float32)
    tensor = Tensor(base[:, 1:4], requires_grad=True)
    tensor.grad = Tensor(np.broadcast_to(np.float32(1), (4, 3)))
    SGD([tensor], lr=1.0, momentum=0.9).step()
    np.testing.assert_array_equal(base[:, 1:4], 0)
    np.testing.assert_array_equal(base[:, [0, 4, 5]], 1)


def test_flat_views_share_memory_and_refuse_mixed_orders():
    array = np.zeros((2, 3, 4, 5))
    for same in (array, channels_last(array), array.transpose(3, 1, 0, 2)):
        (view,) = flat_views((same,))
        assert np.shares_memory(view, same)
    assert flat_views((array, channels_last(array))) is None
    assert flat_views((array[..., ::2],)) is None
    assert flat_views((np.zeros((3, 1, 1, 2)), channels_last(np.zeros((3, 1, 1, 2))))) is not None
    assert flat_views((np.array(1.0),))[0].shape == (1,)


def test_blockwise_covers_every_element_once():
    counts = np.zeros(BIG)
    blockwise(lambda xp, s, t, block: xp.add(block, 1, out=block), counts)
    np.testing.assert_array_equal(counts, 1)
    blockwise(lambda xp, s, t, block: None, np.zeros((0, 3)))


# ----- gradients -----


def test_a_parameter_without_gradient_is_left_alone_and_gets_no_state():
    idle, used = param([1.0]), param([1.0], [1.0])
    sgd = SGD([idle, used], lr=0.1, momentum=0.9, weight_decay=0.5)
    sgd.step()
    assert idle.data[0] == 1.0
    assert set(sgd.state_dict()["state"]) == {1}


def test_step_counts_as_an_edit_and_leaves_the_gradient_alone():
    w = param([1.0], [2.0])
    before = w.version.value
    SGD([w], lr=0.1, momentum=0.9, weight_decay=0.1, maximize=True).step()
    assert w.version.value == before + 1
    assert w.grad.data[0] == 2.0


def test_zero_grad():
    w, idle = param([1.0], [2.0]), param([1.0])
    sgd = SGD([w, idle], lr=0.1)
    held = w.grad
    sgd.zero_grad(set_to_none=False)
    assert w.grad is held
    assert held.data[0] == 0
    assert idle.grad is None
    sgd.zero_grad()
    assert w.grad is None


def test_a_gradient_that_does_not_fit_is_named():
    w = param([1.0, 2.0])
    for wrong in (np.ones(3), np.ones(2, np.float32)):
        w.grad = Tensor(wrong)
        with pytest.raises(ValueError, match=r"parameter 0 is numpy float64 \(2,\) but its grad"):
            SGD([w], lr=0.1).step()


# ----- what cannot be built -----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -0.1}, "Invalid learning rate: -0.1"),
        ({"lr": float("nan")}, "Invalid learning rate"),
        ({"lr": 10**400}, "Invalid learning rate"),
        ({"lr": "0.1"}, "Invalid learning rate"),
        ({"momentum": -1}, "Invalid momentum value: -1"),
        ({"weight_decay": -1}, "Invalid weight_decay value: -1"),
        ({"nesterov": True}, "Nesterov momentum requires"),
        ({"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "Nesterov momentum requires"),
        ({"rule": "caffe"}, "Invalid rule: 'caffe'"),
        ({"rule": "paper", "momentum": 0.9, "nesterov": True}, "has no nesterov"),
        ({"rule": "paper", "momentum": 0.9, "dampening": 0.1}, "has no nesterov and no dampening"),
    ],
)
def test_options_out_of_range_raise(options, message):
    with pytest.raises(ValueError, match=message):
        SGD([param([1.0])], **options)
    with pytest.raises(ValueError, match=message):
        SGD([{"params": [param([1.0])], **options}], lr=0.1)


def test_parameters_that_are_none_raise():
    w = param([1.0])
    with pytest.raises(ValueError, match="empty parameter list"):
        SGD(iter([]), lr=0.1)
    with pytest.raises(ValueError, match="empty parameter group"):
        SGD([{"params": []}], lr=0.1)
    with pytest.raises(ValueError, match="was given before"):
        SGD([w, w], lr=0.1)
    with pytest.raises(ValueError, match="was given before"):
        SGD([{"params": [w]}, {"params": [w]}], lr=0.1)
    for wrong in (w, {w}, "w", 3):
        with pytest.raises(TypeError, match="params must"):
            SGD(wrong, lr=0.1)
    with pytest.raises(TypeError, match="got ndarray at position 1"):
        SGD([w, np.ones(3)], lr=0.1)
    with pytest.raises(TypeError, match="got int64"):
        SGD([Tensor(np.array([1]))], lr=0.1)
    with pytest.raises(TypeError, match="a parameter group is a dict"):
        SGD([{"params": [w]}, param([2.0])], lr=0.1)
    with pytest.raises(ValueError, match=r"does not know the group option\(s\) learning_rate"):
        SGD([{"params": [w], "learning_rate": 1}], lr=0.1)
    with pytest.raises(TypeError, match="foreach"):
        SGD([w], lr=0.1, foreach=True)


def test_what_no_gradient_can_reach_is_refused():
    scaled = param([1.0, 2.0]) * 0.01  # the usual way to scale an initialisation
    for given in ([scaled], [{"params": [param([1.0]), scaled]}], [{"params": scaled}]):
        with pytest.raises(ValueError, match=r"non-leaf Tensor: .* \(by mul\).*requires_grad_\(\)"):
            SGD(given, lr=0.1)
    sgd = SGD([scaled.detach().requires_grad_()], lr=0.1)
    with pytest.raises(ValueError, match="non-leaf"):
        sgd.add_param_group({"params": scaled})
    frozen = Tensor(np.ones(2))  # a leaf that is frozen may be thawed later, as in PyTorch
    SGD([frozen], lr=0.1)


def test_a_closure_computes_the_gradients_and_its_loss_comes_back():
    w = param([3.0])
    sgd = SGD([w], lr=0.5)

    def closure():
        sgd.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with no_grad():  # the closure records all the same
        assert sgd.step(closure).item() == 9
    assert w.data == [0]
    assert sgd.step() is None


# ----- state -----


def test_resuming_midway_is_bit_equal():
    def fresh():
        rng = np.random.default_rng(4)
        tensors = [random_param(rng, (40, 30)), random_param(rng, 7)]
        groups = [{"params": tensors[0]}, {"params": tensors[1], "lr": 0.02}]
        return tensors, SGD(groups, lr=0.01, momentum=0.9, weight_decay=5e-4, rule="paper")

    def train(tensors, sgd, steps):
        for step in steps:
            rng = np.random.default_rng(step)
            for tensor in tensors:
                tensor.grad = Tensor(rng.standard_normal(tensor.shape).astype(np.float32))
            sgd.step()

    straight, sgd = fresh()
    train(straight, sgd, range(5))
    saved, weights = copy.deepcopy(sgd.state_dict()), [t.data.copy() for t in straight]
    sgd.param_groups[0]["lr"] = 0.001
    saved["param_groups"][0]["lr"] = 0.001
    train(straight, sgd, range(5, 10))

    resumed, sgd2 = fresh()
    for tensor, weight in zip(resumed, weights, strict=True):
        tensor.data[...] = weight
    sgd2.load_state_dict(saved)
    train(resumed, sgd2, range(5, 10))
    for one, two in zip(straight, resumed, strict=True):
        np.testing.assert_array_equal(one.data, two.data)
    buffer = sgd2.state[0]["momentum_buffer"]
    assert not np.shares_memory(buffer, saved["state"][0]["momentum_buffer"])


def test_state_dict_has_pytorchs_form():
    a, b, c = (param([1.0], [1.0]) for _ in range(3))
    sgd = SGD([{"params": [a, b]}, {"params": [c], "lr": 0.5}], lr=0.1, momentum=0.9)
    sgd.step()
    state = sgd.state_dict()
    assert [group["params"] for group in state["param_groups"]] == [[0, 1], [2]]
    assert [group["lr"] for group in state["param_groups"]] == [0.1, 0.5]
    assert list(state["state"]) == [0, 1, 2]
    assert list(state["state"][2]) == ["momentum_buffer"]
    assert "group 1: 1 tensors" in repr(sgd)


def test_loading_takes_tensors_string_keys_and_the_parameters_memory_order():
    rng = np.random.default_rng(5)
    tensor = random_param(rng, (4, 3, 2, 2))
    tensor.data = channels_last(tensor.data)
    sgd = SGD([tensor], lr=0.1, momentum=0.9)
    velocity = rng.standard_normal((4, 3, 2, 2)).astype(np.float32)
    state = {"0": {"momentum_buffer": Tensor(velocity)}}
    sgd.load_state_dict({"state": state, "param_groups": sgd.state_dict()["param_groups"]})
    np.testing.assert_array_equal(sgd.state[0]["momentum_buffer"], velocity)
    assert sgd.state[0]["momentum_buffer"].strides == tensor.data.strides


def test_loading_what_does_not_fit_raises_and_changes_nothing():
    sgd = SGD([param([1.0, 2.0], [1.0, 1.0])], lr=0.1, momentum=0.9)
    sgd.step()
    good = sgd.state_dict()
    buffer = sgd.state[0]["momentum_buffer"]

    two = SGD([param([1.0]), param([1.0])], lr=0.1)
    with pytest.raises(ValueError, match=r"groups of \[1\] tensors, the saved state of \[2\]"):
        sgd.load_state_dict(two.state_dict())
    with pytest.raises(ValueError, match=r"not that of SGD: .*momentum.*betas"):
        sgd.load_state_dict(Adam([param([1.0])]).state_dict())
    with pytest.raises(ValueError, match=r"'momentum_buffer' of parameter 0 has shape \(3,\)"):
        sgd.load_state_dict({**good, "state": {0: {"momentum_buffer": np.ones(3)}}})
    with pytest.raises(ValueError, match=r"entries \[4\]"):
        sgd.load_state_dict({**good, "state": {4: {}}})
    assert sgd.state[0]["momentum_buffer"] is buffer


# ----- PyTorch -----

if importlib.util.find_spec("torch"):
    import torch

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"weight_decay": 0.1},
            {"momentum": 0.9},
            {"momentum": 0.9, "weight_decay": 0.1, "dampening": 0.3},
            {"momentum": 0.9, "weight_decay": 0.1, "nesterov": True},
            {"momentum": 0.9, "weight_decay": 0.1, "maximize": True},
        ],
    )
    def test_every_step_is_pytorchs(options, dtype):
        rng = np.random.default_rng(6)
        shapes = [(7, 3), (5,)]
        ours = [random_param(rng, shape, dtype) for shape in shapes]
        theirs = [torch.nn.Parameter(torch.from_numpy(t.data.copy())) for t in ours]
        rates = [{"lr": 0.1}, {"lr": 0.03}]
        sgd = SGD([{"params": t, **r} for t, r in zip(ours, rates, strict=True)], **options)
        oracle = torch.optim.SGD(
            [{"params": t, **r} for t, r in zip(theirs, rates, strict=True)], **options
        )
        for step in range(12):
            if step == 6:
                sgd.param_groups[0]["lr"] = oracle.param_groups[0]["lr"] = 0.01
            for one, two in zip(ours, theirs, strict=True):
                one.grad = Tensor(rng.standard_normal(one.shape).astype(dtype))
                two.grad = torch.from_numpy(one.grad.data.copy())
            sgd.step()
            oracle.step()
            for one, two in zip(ours, theirs, strict=True):
                tolerance = 1e-12 if dtype == np.float64 else 1e-5
                np.testing.assert_allclose(
                    one.data, two.detach().numpy(), rtol=tolerance, atol=tolerance
                )
