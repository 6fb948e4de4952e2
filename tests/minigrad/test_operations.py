"""Every operation against every promise, driven by the table in `operations.py`."""

from __future__ import annotations

import importlib.util
import math

import numpy as np
import operations
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operations import BY_NAME, CASES, KEY, Case, leaves

import minigrad as mg
from minigrad import Tensor, nn
from minigrad.kernels import im2col, lrn
from minigrad.kernels.conv import conv2d_backward, conv2d_forward, conv2d_naive
from minigrad.kernels.dropout import dropout_mask, threshold
from minigrad.kernels.pool import max_pool2d_backward, max_pool2d_forward, max_pool2d_naive
from minigrad.nn import functional as F

DIFFERENTIABLE = [case for case in CASES if case.differentiable]
SMALL = 400  # entries of a Jacobian that is checked in full
HAS_TORCH = importlib.util.find_spec("torch") is not None

every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
differentiable = pytest.mark.parametrize("case", DIFFERENTIABLE, ids=lambda case: case.name)


def test_table_holds_every_operation():
    named = set(mg.ops.__all__) - operations.CASTS
    assert {case.operation for case in CASES} == named


def test_names_are_unique():
    assert len(BY_NAME) == len(CASES)


# ----- gradients -----


@differentiable
def test_complex_step(case: Case):
    assert mg.gradcheck(case.call, case.tensors())


@differentiable
def test_finite_differences(case: Case):
    assert mg.gradcheck(case.call, case.tensors(seed=1), "central", directions=1)


@pytest.mark.parametrize(
    "case",
    [
        case for case in DIFFERENTIABLE
        if sum(a.size for a in case.arrays() if a.dtype.kind == "f")
        * case.call(*case.tensors()).numel() <= SMALL**2 / 40
    ],
    ids=lambda case: case.name,
)  # fmt: skip
def test_full_jacobian(case: Case):
    assert mg.gradcheck(case.call, case.tensors(), "jacobian")


# ----- dtype, memory, layout -----


@every
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(case: Case, dtype: type):
    out, grads = case.run(case.arrays(dtype))
    assert not case.differentiable or out.dtype == dtype
    assert all(g.dtype == dtype for g in grads)


@differentiable
def test_float32_is_close_to_float64(case: Case):
    arrays = case.arrays(np.float32)
    double = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]
    upstream = case.upstream(case.call(*leaves(double)).shape, np.float32)
    out, grads = case.run(arrays, upstream)
    exact, expected = case.run(double, upstream.astype(np.float64))
    for a, b in zip([out, *grads], [exact, *expected], strict=True):
        scale = np.abs(b).max(initial=1.0)
        np.testing.assert_allclose(a, b, rtol=0, atol=case.float32_tolerance * scale)


@every
def test_inputs_and_upstream_are_not_changed(case: Case):
    arrays = case.arrays()
    upstream = case.upstream(case.call(*leaves(arrays)).shape)
    before = [a.copy() for a in [*arrays, upstream]]
    for array in [*arrays, upstream]:
        array.flags.writeable = False  # whoever writes raises
    case.run(arrays, upstream)
    for array, copy in zip([*arrays, upstream], before, strict=True):
        np.testing.assert_array_equal(array, copy)


def strided(array):
    """Every second element of a larger array, backwards along the last axis."""
    large = np.full([2 * n for n in array.shape], 77, array.dtype)
    view = large[tuple(slice(None, None, 2) for _ in array.shape)][..., ::-1]
    view[...] = array
    return view


def channels_last(array):
    if array.ndim < 3:
        return array
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)


LAYOUTS = {"strided": strided, "transposed": np.asfortranarray, "channels last": channels_last}


def laid_out(array, layout):
    return LAYOUTS[layout](array) if array.ndim else array


@every
@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_layout_does_not_matter(case: Case, layout: str):
    arrays = case.arrays()
    upstream = case.upstream(case.call(*leaves(arrays)).shape)
    expected, expected_grads = case.run(arrays, upstream)
    out, grads = case.run([laid_out(a, layout) for a in arrays], laid_out(upstream, layout))
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-13)
    for g, e in zip(grads, expected_grads, strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", [c for c in CASES if c.batched], ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_empty_batch(case: Case, dtype: type):
    arrays = [a[:0] if i in case.batched else a for i, a in enumerate(case.arrays(dtype))]
    tensors = leaves(arrays)
    out = case.call(*tensors)
    if not case.differentiable:
        assert out.numel() == 0
        return
    out.backward(np.ones(out.shape, dtype))
    for tensor in tensors:
        if tensor.requires_grad:
            assert tensor.grad is not None
            assert tensor.grad.shape == tensor.shape
            assert tensor.grad.dtype == dtype
            assert not tensor.grad.data.any()


@every
def test_same_bits_twice(case: Case):
    for dtype in (np.float32, np.float64):
        out, grads = case.run(case.arrays(dtype))
        again, others = case.run(case.arrays(dtype))
        for a, b in zip([out, *grads], [again, *others], strict=True):
            assert a.tobytes() == b.tobytes()


@differentiable
def test_no_graph_without_need(case: Case):
    tensors = [Tensor(a) for a in case.arrays()]
    out = case.call(*tensors)
    assert not out.requires_grad
    assert out.node is None


# ----- twins -----


@pytest.mark.parametrize("case", [c for c in CASES if c.naive], ids=lambda case: case.name)
def test_naive_twin(case: Case):
    arrays = case.arrays()
    out = case.call(*leaves(arrays)).data
    expected = case.naive(*arrays)
    assert out.shape == np.shape(expected)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


def torch_run(case: Case, arrays, upstream):
    import torch

    tensors = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    out = case.torch(torch, *tensors)
    if not case.differentiable:
        return out.detach().numpy(), []
    out.backward(torch.tensor(upstream))
    return out.detach().numpy(), [t.grad.numpy() for t in tensors if t.grad is not None]


if HAS_TORCH:

    @pytest.mark.parametrize("case", [c for c in CASES if c.torch], ids=lambda case: case.name)
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_same_as_torch(case: Case, dtype: type):
        arrays = case.arrays(dtype)
        upstream = case.upstream(case.call(*leaves(arrays)).shape, dtype)
        out, grads = case.run(arrays, upstream)
        expected, expected_grads = torch_run(case, arrays, upstream)
        tolerance = case.float32_tolerance if dtype == np.float32 else 1e-12
        assert out.shape == expected.shape
        for a, b in zip([out, *grads], [expected, *expected_grads], strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


geometry = {
    "kernel": st.tuples(st.integers(1, 4), st.integers(1, 4)),
    "stride": st.tuples(st.integers(1, 3), st.integers(1, 3)),
    "padding": st.tuples(st.integers(0, 3), st.integers(0, 3)),
    "dilation": st.tuples(st.integers(1, 3), st.integers(1, 3)),
    "extra": st.tuples(st.integers(0, 5), st.integers(0, 5)),
}
relaxed = settings(derandomize=True, deadline=None, max_examples=60, database=None)


def map_size(kernel, padding, dilation, extra):
    """The smallest map that the window fits, and `extra` more."""
    sizes = zip(kernel, padding, dilation, extra, strict=True)
    return tuple(max(1, (k - 1) * d + 1 - 2 * p) + e for k, p, d, e in sizes)


@relaxed
@given(groups=st.integers(1, 3), ratio=st.integers(1, 2), part=st.integers(1, 3),
       images=st.integers(1, 3), **geometry)  # fmt: skip
def test_any_convolution(groups, ratio, part, images, kernel, stride, padding, dilation, extra):
    rng = np.random.default_rng(0)
    size = map_size(kernel, padding, dilation, extra)
    x = rng.normal(size=(images, groups * part, *size))
    weight, bias = rng.normal(size=(groups * ratio, part, *kernel)), rng.normal(size=groups * ratio)
    how = (stride, padding, dilation, groups)
    y = conv2d_forward(x, weight, bias, *how)
    grad = rng.normal(size=y.shape)
    expected, *expected_grads = conv2d_naive(x, weight, bias, *how, grad=grad)
    np.testing.assert_allclose(y, expected, rtol=1e-11, atol=1e-12)
    for g, e in zip(conv2d_backward(grad, x, weight, *how), expected_grads, strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-11, atol=1e-12)


@relaxed
@given(ceil=st.booleans(), ties=st.booleans(), **geometry)
def test_any_max_pool(ceil, ties, kernel, stride, padding, dilation, extra):
    rng = np.random.default_rng(0)
    padding = tuple(min(p, k // 2) for p, k in zip(padding, kernel, strict=True))
    size = map_size(kernel, padding, dilation, extra)
    x = rng.normal(size=(2, 2, *size))
    x = np.round(x) if ties else x
    how = (kernel, stride, padding, dilation)
    y, winners = max_pool2d_forward(x, *how, ceil)
    grad = rng.normal(size=y.shape)
    expected, expected_dx = max_pool2d_naive(x, *how, ceil, grad=grad)
    np.testing.assert_array_equal(y, expected)
    dx = max_pool2d_backward(grad, winners, x.shape, *how)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-12, atol=1e-13)


@relaxed
@given(window=st.integers(1, 7), part=st.integers(1, 6), groups=st.integers(1, 2),
       alpha=st.sampled_from([1e-4, 0.1, 1.0]), beta=st.sampled_from([0.5, 0.6, 0.75]))  # fmt: skip
def test_any_lrn(window, part, groups, alpha, beta):
    rng = np.random.default_rng(0)
    x, grad = rng.normal(size=(2, 2, part * groups, 2, 3))
    y, scale = lrn.lrn_forward(x, window, 2.0, alpha, beta, groups)
    np.testing.assert_allclose(
        y, lrn.lrn_naive(x, window, 2.0, alpha, beta, groups), rtol=1e-13, atol=1e-14
    )
    np.testing.assert_allclose(
        lrn.lrn_backward(grad, x, scale, window, alpha, beta, groups),
        lrn.lrn_backward_naive(grad, x, window, 2.0, alpha, beta, groups),
        rtol=1e-12, atol=1e-13,
    )  # fmt: skip


@relaxed
@given(**geometry)
def test_im2col_and_its_adjoint(kernel, stride, padding, dilation, extra):
    rng = np.random.default_rng(0)
    window = im2col.Window(kernel, stride, (0, 0), dilation)
    size = map_size(kernel, (0, 0), dilation, extra)
    x = rng.normal(size=(2, *size, 3))
    out = window.output(*size)
    col = im2col.im2col(x, window, out, np.empty((2 * out[0] * out[1], kernel[0] * kernel[1] * 3)))
    np.testing.assert_array_equal(col, im2col.im2col_naive(x, window, out))
    other = rng.normal(size=col.shape)
    back = im2col.col2im(other, window, out, np.full_like(x, np.nan))
    np.testing.assert_allclose(
        back, im2col.col2im_naive(other, window, out, x.shape), rtol=1e-13, atol=1e-13
    )
    np.testing.assert_allclose((col * other).sum(), (x * back).sum(), rtol=1e-11, atol=1e-11)


# ----- kinks -----


def gradient(call, *arrays):
    """The gradients of the sum of call(*arrays), by plain lists."""
    tensors = [mg.tensor(a, dtype="float64", requires_grad=True) for a in arrays]
    call(*tensors).sum().backward()
    grads = [t.grad.tolist() for t in tensors]
    return grads[0] if len(grads) == 1 else grads


def test_relu_has_derivative_0_at_0():
    assert gradient(F.relu, [-1.0, -0.0, 0.0, 1.0]) == [0, 0, 0, 1]


def test_fused_relu_has_derivative_0_at_0():
    x, weight, bias = np.zeros((1, 1, 1, 1)), np.ones((1, 1, 1, 1)), np.zeros(1)
    dx, dw, db = gradient(F.conv2d_relu, x, weight, bias)
    assert (dx, dw, db) == ([[[[0]]]], [[[[0]]]], [0])


def test_leaky_relu_and_prelu_take_the_slope_at_0():
    assert gradient(lambda x: F.leaky_relu(x, 0.25), [0.0, 1.0]) == [0.25, 1]
    dx, _ = gradient(F.prelu, [0.0, 1.0], [0.25])
    assert dx == [0.25, 1]


def test_abs_has_derivative_0_at_0():
    assert gradient(mg.abs, [-2.0, 0.0, 2.0]) == [-1, 0, 1]


def test_clamp_passes_the_gradient_on_its_ends():
    x = [-2.0, -1.0, 0.0, 1.0, 2.0]
    assert gradient(lambda x: mg.clamp(x, -1, 1), x) == [0, 1, 1, 1, 0]


def test_clamp_gives_a_bound_the_gradient_of_what_it_stands_for():
    x, low, high = [-2.0, -1.0, 0.0, 2.0, 5.0], [-1.0, -1.0, 3.0, 0.0, 0.0], [1.0] * 5
    dx, dlow, dhigh = gradient(mg.clamp, x, low, high)
    assert (dx, dlow, dhigh) == ([0, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 1, 1, 1])


def test_maximum_and_minimum_share_ties():
    assert gradient(mg.maximum, [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]) == [[0.5, 0, 1], [0.5, 1, 0]]
    assert gradient(mg.minimum, [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]) == [[0.5, 1, 0], [0.5, 0, 1]]


NAN = math.nan


def test_maximum_and_minimum_pass_nan_on_and_give_both_the_gradient_there():
    a, b = [NAN, 3.0, NAN], [1.0, NAN, NAN]
    for operation in (mg.maximum, mg.minimum):
        assert np.isnan(operation(mg.tensor(a), mg.tensor(b)).data).all()
        assert gradient(operation, a, b) == [[1, 1, 1], [1, 1, 1]]


def test_clamp_passes_nan_on_and_no_gradient_there():
    assert np.isnan(mg.clamp(mg.tensor([NAN]), -1, 1).item())
    assert gradient(lambda x: mg.clamp(x, -1, 1), [NAN, 0.0]) == [0, 1]


def test_std_of_equal_numbers_has_gradient_0():
    assert gradient(lambda x: x.std(0), [2.0, 2.0, 2.0]) == [0, 0, 0]
    rows = gradient(lambda x: x.std(1, correction=0), [[2.0, 2.0], [1.0, 3.0]])
    assert rows == [[0, 0], [-0.5, 0.5]]


def test_prelu_of_a_number():
    x, weight = mg.tensor(-2.0, requires_grad=True), mg.tensor([0.5], requires_grad=True)
    y = F.prelu(x, weight)
    y.backward()
    assert (y.shape, y.item(), x.grad.tolist(), weight.grad.tolist()) == ((), -1, 0.5, [-2])


def test_amax_shares_ties_and_max_gives_them_to_the_first():
    x = [[3.0, 1.0, 3.0]]
    assert gradient(lambda x: mg.amax(x, 1), x) == [[0.5, 0, 0.5]]
    assert gradient(lambda x: mg.max(x, 1).values, x) == [[1, 0, 0]]
    assert gradient(lambda x: mg.min(x, 1).values, [[1.0, 3.0, 1.0]]) == [[1, 0, 0]]


def test_norm_has_derivative_0_at_0():
    for p in (0.5, 1, 2, 3, np.inf):
        assert gradient(lambda x, p=p: mg.norm(x, p), [0.0, 0.0]) == [0, 0]
    assert mg.norm(mg.tensor([3.0, 0.0, -1.0]), 0).item() == 2
    assert gradient(lambda x: mg.norm(x, 1), [-2.0, 0.0]) == [-1, 0]
    assert gradient(lambda x: mg.norm(x, np.inf), [-2.0, 2.0, 1.0]) == [-0.5, 0.5, 0]


def test_pow_at_base_0():
    assert gradient(lambda x: x**2, [0.0]) == [0]
    assert gradient(lambda x: x**1, [0.0]) == [1]
    assert gradient(lambda x: x**0, [0.0]) == [0]
    assert gradient(mg.pow, [0.0], [2.0])[1] == [0]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_max_pool_ties_go_to_the_first_in_row_major_order(dtype):
    x = mg.tensor(np.ones((1, 1, 3, 3)), dtype=dtype, requires_grad=True)
    F.max_pool2d(x, 2, 1).backward(mg.tensor([[[[1, 2], [3, 4]]]], dtype=dtype))
    assert x.grad.tolist() == [[[[1, 2, 0], [3, 4, 0], [0, 0, 0]]]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_max_pool_pads_with_minus_infinity(dtype):
    x = mg.tensor(-np.arange(1, 10).reshape(1, 1, 3, 3), dtype=dtype, requires_grad=True)
    y = F.max_pool2d(x, 2, 2, 1)
    assert y.tolist() == [[[[-1, -2], [-4, -5]]]]
    y.sum().backward()
    assert x.grad.tolist() == [[[[1, 1, 0], [1, 1, 0], [0, 0, 0]]]]


@pytest.mark.parametrize("plain", [False, True])
def test_max_pool_gives_the_gradient_to_nan_and_never_to_padding(plain):
    x = np.full((1, 1, 4, 4), -np.inf)
    x[0, 0, 2, 2], x[0, 0, 2, 3], x[0, 0, 3, 2] = np.nan, 5, np.nan
    with mg.plain() if plain else mg.enable_grad():
        given = mg.tensor(x, requires_grad=True)
        y, places = F.max_pool2d(given, 2, 2, 1, return_indices=True)
        y.backward(mg.ones(1, 1, 3, 3, dtype="float64"))
    # The first pixel that is in the image, where all are what the padding counts as.
    assert places.tolist() == [[[[0, 1, 3], [4, 10, 11], [12, 14, 15]]]]
    assert given.grad.data.reshape(-1)[places.data.reshape(-1)].tolist() == [1] * 9
    assert y.data[0, 0, 1:, 1].tolist() == pytest.approx([np.nan, np.nan], nan_ok=True)


def test_max_pool_adds_up_where_one_pixel_wins_several_windows():
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1] = 1
    assert gradient(lambda x: F.max_pool2d(x, 2, 1), x)[0][0][1][1] == 4


def test_max_pool_passes_nan_on():
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    x[0, 0, 0, 0] = np.nan
    y = F.max_pool2d(mg.tensor(x), 2).data
    assert np.isnan(y).tolist() == [[[[True, False], [False, False]]]]


# ----- values that the table cannot show -----


def test_softmax_and_losses_do_not_overflow():
    x = mg.tensor([[1e4, 0.0, -1e4], [-3e38, 3e38, 0.0]], requires_grad=True)
    assert F.softmax(x).tolist() == [[1, 0, 0], [0, 1, 0]]
    loss = F.cross_entropy(x, np.array([0, 1]))
    loss.backward()
    assert loss.item() == 0
    assert not x.grad.data.any()


def test_binary_cross_entropy_at_its_ends():
    p = mg.tensor([0.0, 1.0, 0.0], requires_grad=True)
    losses = F.binary_cross_entropy(p, mg.tensor([1.0, 0.0, 0.0]), reduction="none")
    assert losses.tolist() == [100, 100, 0]  # PyTorch's logarithm of 0
    losses.sum().backward()
    np.testing.assert_allclose(p.grad.data, [-1e12, 1e12, 0])
    x = mg.tensor([1e4, -1e4], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, mg.tensor([0.0, 0.0]), reduction="sum")
    loss.backward()
    assert [loss.item(), x.grad.tolist()] == [1e4, [1, 0]]


def test_ignored_labels_count_for_nothing():
    x = mg.tensor([[np.inf, 0.0], [0.0, 0.0]], requires_grad=True)
    labels = [-100, 1]
    loss = F.nll_loss(x, labels)
    loss.backward()
    assert [loss.item(), x.grad.tolist()] == [0, [[0, 0], [0, -1]]]
    assert np.isnan(F.cross_entropy(mg.zeros(2, 3), [-100, -100]).item())  # as in PyTorch
    assert F.cross_entropy(mg.zeros(2, 3), [-100, -100], reduction="sum").item() == 0
    with pytest.raises(IndexError, match="-100"):
        F.cross_entropy(mg.zeros(2, 3), labels, ignore_index=None)


def test_labels_may_be_of_any_integer_dtype():
    for dtype in ("uint8", "int8", "int32", "uint64"):
        x = mg.zeros(1, 200 if dtype == "int8" else 256)
        loss = F.cross_entropy(x, np.array([127], dtype))
        assert loss.item() == pytest.approx(np.log(x.shape[1]))


def test_sigmoid_does_not_overflow():
    assert F.sigmoid(mg.tensor([-1e4, 0.0, 1e4])).tolist() == [0, 0.5, 1]


def test_dropout_keeps_the_mean_and_scales_what_it_keeps():
    x = mg.ones(200_000)
    y = F.dropout(x, 0.3, key=KEY).data
    assert set(np.unique(y)) == {0, np.float32(1 / 0.7)}
    assert abs(y.mean() - 1) < 4 * np.sqrt(0.3 / 0.7 / y.size)
    kept = F.paper_dropout(x, 0.3, key=KEY).data
    np.testing.assert_array_equal(kept, y > 0)
    np.testing.assert_array_equal(dropout_mask(x.shape, 0.3, KEY), y > 0)


def test_dropout_with_p_near_its_ends():
    assert [threshold(p) for p in (0.25, 1 - 2**-32, 1 - 2**-40)] == [2**30, 2**32 - 1, 2**32 - 1]
    assert not F.dropout(mg.ones(1000), 1 - 2**-40).data.any()
    assert F.dropout(mg.ones(1000), 2**-40).data.all()


def test_dropout_draws_a_new_mask_each_time_and_the_same_after_seeding():
    x = mg.ones(64)
    mg.manual_seed(3)
    first, second = F.dropout(x).data, F.dropout(x).data
    assert (first != second).any()
    mg.manual_seed(3)
    np.testing.assert_array_equal(F.dropout(x).data, first)


def test_astype_carries_the_gradient_between_dtypes():
    x = mg.tensor([1.0, 2.0], dtype="float32", requires_grad=True)
    y = x.to("float64") * 3
    assert y.dtype == np.float64
    y.sum().backward()
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == [3, 3]


def test_lrn_follows_the_paper_and_pytorch_divides_alpha():
    x = mg.tensor(np.random.default_rng(0).normal(size=(1, 6, 2, 2)))
    ours, theirs = F.lrn(x, 5, 1.0, 0.1), F.local_response_norm(x, 5, 0.5, 0.75, 1.0)
    np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-14)


def test_softmax_of_a_number_is_1():
    assert F.softmax(mg.tensor(7.0), 0).item() == 1
    assert F.log_softmax(mg.tensor(7.0)).shape == ()


def test_softmax_over_nothing_is_nothing():
    for operation in (F.softmax, F.log_softmax):
        x = mg.zeros(2, 0, requires_grad=True)
        y = operation(x, 1)
        y.backward(mg.zeros(2, 0))
        assert y.shape == x.grad.shape == (2, 0)


@pytest.mark.parametrize("sizes", [(3, 0), (0, 3), (0, 0)])
@pytest.mark.parametrize("plain", [False, True])
def test_linear_from_or_to_no_features(sizes, plain):
    layer, x = nn.Linear(*sizes), mg.ones(2, sizes[0], requires_grad=True)
    with mg.plain() if plain else mg.enable_grad():
        y = layer(x)
        y.sum().backward()
    assert y.shape == (2, sizes[1])
    assert not y.data.any()
    assert layer.weight.grad.shape == layer.weight.shape
    assert layer.bias.grad.tolist() == [2] * sizes[1]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "int64", "uint64", ">i4"])
def test_labels_of_any_integer_dtype(dtype):
    classes = 100 if dtype == "int8" else 256
    labels = np.array([0, classes - 1]).astype(dtype)
    x = np.random.default_rng(0).normal(size=(2, classes))
    for loss in (F.cross_entropy, F.nll_loss):
        grads = []
        for target in (labels, labels.tolist()):
            logits = mg.tensor(x, requires_grad=True)
            loss(logits, target).backward()
            grads.append(logits.grad.data)
        np.testing.assert_array_equal(*grads)
    assert F.cross_entropy(mg.zeros(2, 300), labels).item() == pytest.approx(math.log(300))


def test_max_along_the_axis_of_a_number():
    values, index = mg.tensor(3.0).max(0)
    assert (values.item(), index.item(), mg.tensor(3.0).argmin(-1).item()) == (3, 0, 0)


def test_extremes_of_many_equal_bytes():
    assert mg.tensor(np.full(256, 7, np.uint8)).amax().item() == 7


def test_clamp_of_bytes_to_bounds_that_no_byte_holds():
    assert mg.clamp(mg.tensor(np.array([0, 255], np.uint8)), -1, 300).tolist() == [0, 255]


# ----- arguments that are refused -----

x4 = mg.zeros(2, 4, 5, 5)


def set_grad_and_walk(value):
    x = mg.ones(2, requires_grad=True)
    x.grad = value
    x.sum().backward()


REFUSED = {
    "conv channels": (lambda: F.conv2d(x4, mg.zeros(2, 3, 3, 3)), ValueError, r"\(2, 4, 3, 3\)"),
    "conv groups": (lambda: F.conv2d(x4, mg.zeros(2, 4, 3, 3), groups=3), ValueError, "groups=3"),
    "conv groups of the input": (lambda: F.conv2d(x4, mg.zeros(3, 1, 3, 3), groups=3), ValueError,
                                 "groups=3"),
    "conv no groups": (lambda: F.conv2d(x4, mg.zeros(2, 4, 3, 3), groups=0), ValueError,
                       "groups=0"),
    "conv kernel": (lambda: F.conv2d(x4, mg.zeros(2, 4, 6, 3)), ValueError, "does not fit"),
    "conv bias": (lambda: F.conv2d(x4, mg.zeros(2, 4, 3, 3), mg.zeros(3)), ValueError, "bias"),
    "conv stride": (lambda: F.conv2d(x4, mg.zeros(2, 4, 3, 3), stride=0), ValueError, "stride"),
    "conv same": (lambda: F.conv2d(x4, mg.zeros(2, 4, 3, 3), stride=2, padding="same"), ValueError,
                  "needs stride 1, got"),
    "conv same of rows": (lambda: F.conv2d(x4, mg.zeros(2, 4, 3), padding="same"), ValueError,
                          r"x of shape \(2, 4, 5, 5\) and weight of shape \(2, 4, 3\)"),
    "batch norm ndim": (lambda: F.batch_norm(mg.zeros(3), None, None), ValueError, "N, C, ..."),
    "batch norm eps": (lambda: F.batch_norm(x4, None, None, eps=0), ValueError, "eps=0"),
    "batch norm weight": (lambda: F.batch_norm(x4, None, None, mg.ones(3), training=True),
                          RuntimeError, r"weight has shape \(3,\), expected \(4,\)"),
    "batch norm mean": (lambda: F.batch_norm(x4, mg.ones(3), mg.ones(4)), RuntimeError,
                        "running_mean has shape"),
    "batch norm evaluation": (lambda: F.batch_norm(x4, None, None), RuntimeError,
                              "running_mean and running_var must be given"),
    "batch norm one value": (lambda: F.batch_norm(mg.zeros(1, 4), None, None, training=True),
                             ValueError, "more than 1 value per channel"),
    "pool size": (lambda: F.max_pool2d(x4, 6), ValueError, "does not fit"),
    "pool padding": (lambda: F.max_pool2d(x4, 2, padding=2), ValueError, "half the kernel"),
    "pool ndim": (lambda: F.max_pool2d(mg.zeros(4, 4), 2), ValueError, "N, C, H, W"),
    "avg divisor": (lambda: F.avg_pool2d(x4, 2, divisor_override=0), ValueError, "divisor"),
    "lrn ndim": (lambda: F.lrn(mg.zeros(4, 4)), ValueError, r"N, C, \.\.\."),
    "lrn groups": (lambda: F.lrn(x4, groups=3), ValueError, "groups=3"),
    "lrn size": (lambda: F.local_response_norm(x4, 0), ValueError, "at least 1"),
    "relu inplace": (lambda: F.relu(x4, inplace=True), NotImplementedError, "inplace"),
    "dropout p": (lambda: F.dropout(x4, 1.5), ValueError, "1.5"),
    "prelu": (lambda: F.prelu(x4, mg.zeros(3)), RuntimeError, r"\(4,\)"),
    "linear": (lambda: F.linear(mg.zeros(2, 3), mg.zeros(4, 5)), RuntimeError, "do not fit"),
    "matmul": (lambda: mg.zeros(2, 3) @ mg.zeros(2, 3), RuntimeError, "3 != 2"),
    "reshape": (lambda: x4.reshape(3, -1), RuntimeError, "does not hold"),
    "t of a cube": (lambda: mg.zeros(2, 3, 4).t(), RuntimeError, r"\(2, 3, 4\), expected a matrix"),
    "cat": (lambda: mg.cat([x4, mg.zeros(2, 3, 5, 4)], 1), RuntimeError, "differ"),
    "pad mode": (lambda: F.pad(x4, (1, 1), "symmetric"), NotImplementedError, "expected one of"),
    **{f"pad {mode}": (lambda mode=mode: F.pad(x4, (6, 0), mode), ValueError, f"{mode} by 6 takes")
       for mode in ("reflect", "circular")},
    "memory format": (lambda: x4.to(memory_format="channels_last"), NotImplementedError,
                      "channels-last where that is faster"),
    "avg_pool of whole numbers": (lambda: F.avg_pool2d(x4.long(), 2), TypeError, "no whole mean"),
    "lrn of whole numbers": (lambda: F.lrn(x4.long()), TypeError, "seldom whole"),
    "pad crop": (lambda: F.pad(x4, (-3, -3)), ValueError, "crop"),
    "label range": (lambda: F.cross_entropy(mg.zeros(1, 3), np.array([3])), IndexError, "3 to 3"),
    "label dtype": (lambda: F.cross_entropy(mg.zeros(2, 3), np.zeros(2)), TypeError, "integer"),
    "label shape": (lambda: F.cross_entropy(mg.zeros(2, 3), np.array([1])), ValueError, r"\(1,\)"),
    "reduction": (lambda: F.cross_entropy(mg.zeros(1, 3), np.array([1]), reduction="avg"),
                  ValueError, "avg"),
    "reduction's place": (lambda: F.cross_entropy(mg.zeros(1, 3), [1], "sum"), TypeError,
                          "did you mean reduction='sum'"),
    "labels' options' place": (lambda: F.nll_loss(mg.zeros(1, 3), [0], None, -100), TypeError,
                               "positional"),
    "logits' options' place": (lambda: F.cross_entropy(mg.zeros(1, 3), [0], None, -100), TypeError,
                               "positional"),
    "ignored label": (lambda: F.nll_loss(mg.zeros(2, 3), [-100, 3]), IndexError,
                      r"3 to 3, expected 0 to 2 \(or ignore_index, -100\)"),
    "ignored probabilities": (lambda: F.cross_entropy(mg.zeros(1, 3), mg.ones(1, 3),
                              ignore_index=0), ValueError, "ignore_index is for labels"),
    "class weights": (lambda: F.nll_loss(mg.zeros(1, 3), [0], mg.ones(2)), ValueError,
                      r"\(2,\).*3 classes"),
    "weights' dtype": (lambda: F.nll_loss(mg.zeros(1, 3), [0], mg.ones(3, dtype="float64")),
                       TypeError, "weight is float64, input float32"),
    "weights' gradient": (lambda: F.nll_loss(mg.zeros(1, 3), [0], mg.ones(3, requires_grad=True)),
                          RuntimeError, "detach"),
    "map of labels": (lambda: F.cross_entropy(mg.zeros(1, 3, 2), [[0, 1, 2]]), ValueError,
                      r"\(1, 3, 2\) and target \(1, 3\)"),
    "bce reduction's place": (lambda: F.binary_cross_entropy(mg.ones(1), mg.ones(1), None, "sum"),
                              TypeError, "positional"),
    "logits' reduction's place": (lambda: F.binary_cross_entropy_with_logits(
                                  mg.ones(1), mg.ones(1), None, "sum"), TypeError, "positional"),
    "bce range": (lambda: F.binary_cross_entropy(mg.ones(1) * 2, mg.ones(1)), RuntimeError,
                  r"\[0, 1\]: use sigmoid"),
    "bce shape": (lambda: F.binary_cross_entropy_with_logits(mg.ones(2), mg.ones(1)), ValueError,
                  r"\(2,\), target \(1,\)"),
    "bce target": (lambda: F.binary_cross_entropy(mg.ones(1), mg.tensor([1])), TypeError,
                   "target is int64"),
    "bce weight": (lambda: F.binary_cross_entropy(mg.ones(2), mg.ones(2), mg.ones(3)), ValueError,
                   "does not broadcast"),
    "smooth l1": (lambda: F.smooth_l1_loss(mg.ones(1), mg.ones(1), beta=-1), ValueError, "beta"),
    "l1": (lambda: F.l1_loss(mg.zeros(2, 3), mg.zeros(3)), ValueError, r"\(3,\)"),
    "one_hot dtype": (lambda: F.one_hot(mg.ones(2)), TypeError, "integer labels"),
    "one_hot range": (lambda: F.one_hot(mg.tensor([3, -1]), 3), IndexError, "-1 to 3"),
    "one_hot of nothing": (lambda: F.one_hot(mg.arange(0)), ValueError, "num_classes"),
    "mse": (lambda: F.mse_loss(mg.zeros(2, 3), mg.zeros(3)), ValueError, r"\(3,\)"),
    "bits of floats": (lambda: x4 & 1, TypeError, "bitwise_and: got float32.*compare first"),
    "whole number by 0": (lambda: mg.arange(3) % 0, RuntimeError, "remainder.*divided by 0"),
    "mixed floats": (lambda: x4 + x4.double(), TypeError,
                     "add: input is float32, other is float64"),
    "no number": (lambda: x4 + None, TypeError, "a tensor and None"),
    "no numbers": (lambda: x4 < "a", TypeError, "a tensor and 'a'"),
    "div rounded": (lambda: x4.div(2, rounding_mode="floor"), NotImplementedError, "a // b"),
    "floor_divide": (lambda: (mg.ones(1, requires_grad=True) // 2).backward(), NotImplementedError,
                     "no derivative"),
    "topk": (lambda: mg.arange(3).topk(4), ValueError, "k is 4, expected 0 to 3"),
    "split sizes": (lambda: mg.arange(5).split([2, 2]), ValueError, r"\[2, 2\] do not add up to 5"),
    "split size": (lambda: mg.arange(5).split(0), ValueError, "at least 1"),
    "split of a number": (lambda: mg.tensor(1).split(1), RuntimeError, "no axis"),
    "chunk": (lambda: mg.arange(5).chunk(0), ValueError, "at least 1"),
    "repeat": (lambda: x4.repeat(2), ValueError, r"\(2,\) for 4 dimensions"),
    "norm dtype": (lambda: mg.arange(3).norm(), RuntimeError, "float"),
    "norm order": (lambda: x4.norm("nuc"), NotImplementedError, "'nuc'"),
    "einsum sizes": (lambda: mg.einsum("ij,jk", mg.ones(2, 3), mg.ones(4, 5)), ValueError,
                     "sizes 3 and 4"),
    "einsum axes": (lambda: mg.einsum("ij->i", mg.ones(3)), ValueError, "names 2 axes, got 1"),
    "einsum count": (lambda: mg.einsum("i,j", mg.ones(3)), ValueError, "2 operands, got 1"),
    "einsum result": (lambda: mg.einsum("i->ij", mg.ones(3)), ValueError, "no operand has"),
    "einsum twice": (lambda: mg.einsum("ij->ii", mg.ones(3, 3)), ValueError, "repeats a letter"),
    "einsum letters": (lambda: mg.einsum("i1->i", mg.ones(3, 3)), ValueError, "may hold letters"),
    "einsum diagonal": (lambda: mg.einsum("ii", mg.ones(3, 2)), ValueError, r"sizes \[2, 3\]"),
    "einsum form": (lambda: mg.einsum(mg.ones(3), [0]), TypeError, "an equation and tensors"),
    "randint": (lambda: mg.randint(3, 3, (2,)), ValueError, "low < high"),
    "randint form": (lambda: mg.randint(3), TypeError, r"randint\(high, size\)"),
    "axis": (lambda: x4.sum(4), IndexError, "dim 4"),
    "axis twice": (lambda: x4.sum((1, -3)), ValueError, "twice"),
    "empty max": (lambda: mg.zeros(0, 3).amax(0), IndexError, "empty"),
    "integer linear": (lambda: F.linear(mg.tensor([[1, 2]]), mg.ones(3, 2)), TypeError,
                       r"linear: input is int64, weight is float32; .*use input.float\(\)"),
    "double linear": (lambda: F.linear(mg.ones(1, 2).double(), mg.ones(3, 2)), TypeError,
                      "input is float64, weight is float32; dtypes are never converted"),
    "integer conv": (lambda: F.conv2d(mg.ones(1, 1, 3, 3).to("uint8"), mg.ones(2, 1, 2, 2)),
                     TypeError, r"conv2d: input is uint8, weight is float32;.*input.float\(\)"),
    "integer matmul": (lambda: mg.arange(2) @ mg.ones(2), TypeError, "input is int64, other is fl"),
    "bool matmul": (lambda: (x4 > 0) @ (x4 > 0), TypeError, "bool, expected numbers"),
    "integer std": (lambda: mg.arange(3).std(), TypeError, r"std: .*int64.*\.float\(\)"),
    "expand": (lambda: x4.expand(3), RuntimeError, "fewer dimensions"),
    "cat of numbers": (lambda: mg.cat([mg.tensor(1.0)]), RuntimeError, "use stack"),
    "huge number": (lambda: mg.arange(2) + 2**70, OverflowError, "does not fit into int64"),
    "None": (lambda: x4 + None, TypeError, "expected numbers, got NoneType"),
    "dim of a float": (lambda: x4.sum(1.0), TypeError, "expected integers"),
    "size of a float": (lambda: x4.reshape(100, 2.0), TypeError, "expected integers"),
    "index of bytes": (lambda: mg.arange(2)[np.ones(2, np.uint8)], IndexError, "mask"),
    "grad of a number": (lambda: setattr(mg.ones(2), "grad", 0), TypeError, "set to int.*None"),
    "grad of an array": (lambda: setattr(nn.Parameter(np.ones(2)), "grad", np.ones(2)), TypeError,
                         r"set to ndarray.*minigrad.tensor\("),
    "grad of another dtype": (lambda: set_grad_and_walk(mg.ones(2).double()), TypeError, "float64"),
    "integer mean": (lambda: mg.arange(3).mean(), RuntimeError, "float"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_reason(name):
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        call()
