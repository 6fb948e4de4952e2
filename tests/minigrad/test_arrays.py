"""What comes from outside: arrays of any kind, other frameworks' tensors, integers of any kind."""

import importlib.util
import warnings

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from minigrad.nn import functional as F

HAS_TORCH = importlib.util.find_spec("torch") is not None


def matrix(values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asmatrix(values)


# ----- arrays -----


@pytest.mark.parametrize("wrap", [mg.tensor, mg.from_numpy, Tensor, lambda a: mg.ones(1) * a])
def test_a_matrix_multiplies_element_by_element(wrap):
    t = wrap(matrix(np.array([[1, 2], [3, 4]], np.float32)))
    assert type(t.data) is np.ndarray
    assert (t * t).tolist() == [[1, 4], [9, 16]]


def test_data_is_a_plain_array_on_the_same_memory():
    given, t = np.zeros((1, 2)), mg.ones(1)
    t.data = matrix(given)
    given[0, 1] = 5
    assert type(t.data) is np.ndarray
    assert t.tolist() == [[0, 5]]


def test_a_masked_array_is_taken_only_if_nothing_is_masked():
    assert mg.tensor(np.ma.array([1.0, 2.0])).sum().item() == 3
    for wrap in (mg.tensor, mg.from_numpy, Tensor):
        with pytest.raises(TypeError, match=r"fill it first: array.filled\(value\)"):
            wrap(np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0]))


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i4", ">i8", ">c8"])
def test_foreign_byte_order_is_converted(dtype):
    given = np.array([1, 2], dtype)
    t = mg.tensor(given)
    assert t.dtype.isnative
    assert t.dtype == given.dtype.newbyteorder("=")
    assert (t + given).reshape(2, 1).tolist() == [[2], [4]]


def test_foreign_byte_order_cannot_be_shared():
    for wrap in (mg.from_numpy, Tensor):
        with pytest.raises(TypeError, match=r">f4, of foreign byte order: use minigrad.tensor\(\)"):
            wrap(np.ones(2, ">f4"))


@pytest.mark.parametrize("value", [None, "text", object(), [None, 1], {"a": 1}])
def test_what_holds_no_numbers_is_refused(value):
    for take in (mg.tensor, lambda v: mg.ones(2) + v, lambda v: mg.ones(2) < v):
        with pytest.raises(TypeError, match="expected numbers, got"):
            take(value)


def test_a_tensor_is_not_equal_to_what_holds_no_numbers():
    t = mg.ones(2)
    assert (t == None, t == "text", t != None, t != "text") == (False, False, True, True)  # noqa: E711
    assert (t == [1, 2]) is False  # as PyTorch's


class Exported:
    """A tensor of a framework that offers DLPack alone."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **how):
        return self.array.__dlpack__(**how)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_dlpack():
    assert mg.tensor(Exported(np.arange(3.0))).dtype == np.float64
    assert (mg.arange(3) * Exported(np.arange(3))).tolist() == [0, 1, 4]


if HAS_TORCH:
    import torch

    def test_tensors_of_torch_keep_their_dtype():
        for dtype in (torch.float32, torch.float64, torch.int32, torch.uint8, torch.bool):
            assert str(mg.tensor(torch.ones(2, dtype=dtype)).dtype) in str(dtype)
        assert (mg.ones(2) * torch.tensor([2.0, 3.0])).tolist() == [2, 3]
        assert mg.arange(3)[torch.tensor([0, 2])].tolist() == [0, 2]
        assert F.cross_entropy(mg.zeros(1, 2), torch.tensor([1])).item() > 0

    @pytest.mark.parametrize("given", [
        torch.ones(2, requires_grad=True), torch.ones(2, dtype=torch.bfloat16),
        torch.ones(2, device="meta"), torch.ones(2).to_sparse(),
    ])  # fmt: skip
    def test_what_numpy_cannot_read_of_torch_is_refused_with_the_way(given):
        with pytest.raises(TypeError, match=r"torch.*\.numpy\(\)"):
            mg.tensor(given)


# ----- integers -----


class Three:
    """An integer as Python sees it."""

    def __index__(self):
        return 3


@pytest.mark.parametrize("three", [np.int64(3), np.uint8(3), np.array(3), mg.tensor(3), Three()])
def test_integers_of_any_kind_are_sizes_and_axes(three):
    x = mg.ones(2, 1, 1, 3)
    assert mg.zeros(three).shape == mg.ones((three,)).shape == mg.rand(three).shape == (3,)
    assert x.reshape(2, three).shape == mg.ones(1, 3).expand(2, three).shape == (2, 3)
    assert mg.ones(3).reshape(three).shape == mg.ones(1).expand(three).shape == (3,)
    assert x.sum(three).shape == (2, 1, 1)
    assert x.sum((three, 0)).shape == (1, 1)
    assert x.argmax(three).shape == x.mean(three).shape == (2, 1, 1)
    if not isinstance(three, mg.Tensor):  # the max of two tensors is another operation
        assert x.max(three).values.shape == (2, 1, 1)
    assert x.permute(0, three, 1, 2).shape == x.transpose(1, three).shape == (2, 3, 1, 1)
    assert x.unsqueeze(three).squeeze(three).shape == x.flatten(2, three).unsqueeze(1).shape
    assert F.softmax(x, three).shape == mg.cat([x], three).shape == (2, 1, 1, 3)
    assert F.pad(x, (three, 0)).shape == (2, 1, 1, 6)
    assert mg.arange(5)[three].item() == 3
    assert F.avg_pool2d(mg.ones(1, 1, 6, 6), three).shape == (1, 1, 2, 2)


def test_sizes_from_an_array():
    assert mg.ones(2, 3).reshape(np.prod((2, 3))).shape == (6,)
    assert mg.zeros(np.array([2, 3])).shape == mg.zeros(3, 2).permute(np.array([1, 0])).shape


# ----- indices -----


def test_indices_of_any_kind():
    t = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    assert t[[]].shape == t[np.array([], np.int64)].shape == (0,)
    assert t[[mg.tensor(True), mg.tensor(False), mg.tensor(True)]].tolist() == [1, 3]
    assert t[[mg.tensor(1), np.uint8(0)]].tolist() == t[np.array([1, 0], ">i4")].tolist() == [2, 1]
    assert t[range(2)].tolist() == [1, 2]
    t[[]].sum().backward()
    assert t.grad.tolist() == [0, 0, 0]


def test_assignment_takes_any_kind_of_values():
    t = mg.zeros(2)
    t[:] = np.array([1, 2], ">f8")
    assert t.tolist() == [1, 2]
