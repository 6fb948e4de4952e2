"""The tensor: what it is made from, conversions, devices, indexing, its look."""

import copy
import importlib.util

import numpy as np
import pytest

import minigrad as mg
from minigrad import DeviceError, Tensor, arrays, nn
from minigrad.nn import functional as F
from minigrad.rules import MixedDeviceError

HAS_CUPY = importlib.util.find_spec("cupy") is not None


# ----- making one -----


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, "float32"), ([1.0, 2.0], "float32"), (3, "int64"), ([1, 2], "int64"), (True, "bool"),
        (np.float64(1), "float64"), (np.ones(2), "float64"), (np.ones(2, np.float32), "float32"),
        (np.ones(2, np.uint8), "uint8"), (np.ones(2, np.int32), "int32"),
        (np.ones(2, np.complex128), "complex128"),
    ],
)  # fmt: skip
def test_dtype_of_a_new_tensor(data, dtype):
    assert mg.tensor(data).dtype == dtype


def test_tensor_copies_and_from_numpy_shares():
    array = np.zeros(3)
    copied, shared = mg.tensor(array), mg.from_numpy(array)
    array[0] = 5
    assert copied.tolist() == [0, 0, 0]
    assert shared.tolist() == [5, 0, 0]


def test_tensor_of_tensors():
    t = mg.tensor([mg.tensor(1.0), mg.tensor(2.0)])
    assert t.tolist() == [1, 2]
    assert mg.tensor(t).data is not t.data


@pytest.mark.parametrize("dtype", ["float16", "int8", "object", "datetime64[s]"])
def test_unsupported_dtype_lists_the_supported(dtype):
    with pytest.raises(TypeError, match="is not supported: use one of float32, float64"):
        mg.tensor([1], dtype=dtype)


def test_unknown_dtype():
    with pytest.raises(TypeError, match="'flaot32' is unknown: use one of float32,"):
        mg.ones(2, dtype="flaot32")


def test_only_floats_can_require_a_gradient():
    with pytest.raises(RuntimeError, match="int64"):
        mg.tensor([1, 2], requires_grad=True)
    with pytest.raises(RuntimeError, match="bool"):
        mg.tensor([True]).requires_grad_()


def test_wrapping_something_that_is_no_array():
    with pytest.raises(TypeError, match=r"list: use minigrad.tensor\(\)"):
        Tensor([1.0])


def test_creation():
    assert mg.zeros(2, 3).shape == mg.zeros((2, 3)).shape == (2, 3)
    assert mg.ones_like(mg.zeros(2, dtype="float64")).dtype == np.float64
    assert mg.full((2,), 7).dtype == np.int64
    assert mg.arange(5).tolist() == [0, 1, 2, 3, 4]
    assert mg.arange(1, 2, 0.5).tolist() == [1, 1.5]
    assert mg.randn(2, 3).dtype == np.float32
    u = mg.rand(1000)
    assert 0 <= u.data.min() < u.data.max() < 1


# ----- conversions -----


def test_numpy_shares_memory_and_refuses_the_graph():
    t = mg.ones(3)
    assert t.numpy() is t.data
    assert np.asarray(t).tolist() == [1, 1, 1]
    with pytest.raises(RuntimeError, match=r"detach\(\).numpy\(\)"):
        mg.ones(3, requires_grad=True).numpy()


def test_item_and_truth():
    assert mg.tensor([[2.5]]).item() == 2.5
    assert float(mg.tensor(2.5)) == 2.5
    assert int(mg.tensor(7)) == 7
    assert bool(mg.tensor(0.0)) is False
    for ask in (bool, float, int):
        with pytest.raises(RuntimeError, match=r"\(2,\)"):
            ask(mg.ones(2))


def test_an_integer_tensor_is_an_index_and_a_float_is_not():
    assert [10, 20, 30][mg.tensor(1)] == 20
    with pytest.raises(TypeError, match="index"):
        [10, 20][mg.tensor(1.0)]


def test_to_keeps_the_tensor_if_nothing_changes():
    t = mg.ones(2)
    assert t.to("cpu") is t
    assert t.to("float32") is t
    assert t.float() is t
    assert t.double().dtype == t.to("cpu", "float64").dtype == np.float64
    assert t.long().dtype == np.int64


def test_detach_shares_memory_and_leaves_the_graph():
    x = mg.ones(3, requires_grad=True)
    y = (x * 2).detach()
    assert not y.requires_grad
    assert x.detach().data is x.data


def test_requires_grad_of_a_result_cannot_be_changed():
    with pytest.raises(RuntimeError, match="leaf"):
        (mg.ones(2, requires_grad=True) * 2).requires_grad_(False)


def test_integers_become_floats_where_they_must():
    n = mg.arange(1, 4)
    assert (n / 2).dtype == np.float32
    assert (n + 1).dtype == np.int64
    assert (n * 0.5).dtype == np.float32
    assert (n * mg.ones(3, dtype="float64")).dtype == np.float64
    assert n.exp().dtype == np.float32


def test_operators_with_arrays_and_numbers_on_the_left():
    t = mg.tensor([1.0, 2.0])
    array = np.array([3.0, 4.0], np.float32)
    for result, expected in (
        (array + t, [4, 6]), (array * t, [3, 8]), (array - t, [2, 2]), (1 - t, [0, -1]),
        (2 / t, [2, 1]), (2**t, [2, 4]), (-t, [-1, -2]), (abs(-t), [1, 2]), (array @ t, 11),
    ):  # fmt: skip
        assert isinstance(result, Tensor)
        assert result.dtype == np.float32
        assert result.tolist() == expected


def test_comparisons_are_tensors_and_tensors_are_hashed_by_identity():
    a, b = mg.tensor([1.0, 2.0]), mg.tensor([1.0, 3.0])
    assert (a == b).tolist() == [True, False]
    assert (a != 1).tolist() == [False, True]
    assert (a < b).tolist() == [False, True]
    assert (a >= b).tolist() == [True, False]
    assert len({a, b, a}) == 2


def test_length_iteration_and_shape():
    t = mg.tensor(np.arange(6).reshape(3, 2))
    assert len(t) == 3
    assert [row.tolist() for row in t] == [[0, 1], [2, 3], [4, 5]]
    assert (t.size(), t.size(1), t.dim(), t.numel()) == ((3, 2), 2, 2, 6)
    assert t.T.tolist() == [[0, 2, 4], [1, 3, 5]]
    for ask in (len, list):
        with pytest.raises(TypeError, match="0-d"):
            ask(mg.tensor(1.0))


def test_repr():
    assert repr(mg.tensor([1.0, 2.5])) == "tensor([1. , 2.5])"
    x = mg.ones(1, dtype="float64", requires_grad=True)
    assert repr(x) == "tensor([1.], dtype=float64, requires_grad=True)"
    assert repr(x.exp()) == "tensor([2.7183], dtype=float64, grad_fn=<exp>)"
    assert len(repr(mg.zeros(1000, 1000))) < 500


def test_deep_copy_is_its_own():
    x = mg.ones(2, requires_grad=True)
    y = copy.deepcopy(x)
    with mg.no_grad():
        y.add_(1.0)
    assert x.tolist() == [1, 1]
    assert y.requires_grad


def test_setitem_writes_into_the_memory():
    t = mg.zeros(2, 3)
    array = t.data
    t[0, 1:] = mg.tensor([1.0, 2.0])
    t[mg.tensor([1])] = 5
    assert array.tolist() == [[0, 1, 2], [5, 5, 5]]


def test_in_place_result_must_fit():
    with pytest.raises(RuntimeError, match=r"shape \(2, 3\).*this tensor \(3,\)"):
        mg.ones(3).add_(mg.ones(2, 3))


# ----- devices -----


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:", "cuda:-1", "CPU"])
def test_unknown_device(device):
    with pytest.raises(DeviceError, match="is unknown: use 'cpu', 'cuda' or 'cuda:<index>'"):
        mg.ones(2, device=device)


if not HAS_CUPY:

    def test_cuda_without_cupy_says_what_to_install():
        assert not mg.cuda.is_available()
        assert "CuPy is not installed" in mg.cuda.why_not()
        for ask in (lambda: mg.ones(2, device="cuda"), mg.ones(2).cuda, nn.Linear(2, 2).cuda):
            with pytest.raises(DeviceError, match=r"not installed.*: .*pip install 'cupy-cuda1"):
                ask()
        mg.cuda.synchronize()  # nothing to wait for


@pytest.fixture
def other_device(monkeypatch):
    """Arrays of this class count as being on another device."""

    class Elsewhere(np.ndarray):
        pass

    right = arrays.device_of

    def device_of(array):
        return "cuda:0" if isinstance(array, Elsewhere) else right(array)

    monkeypatch.setattr(arrays, "device_of", device_of)
    monkeypatch.setattr("minigrad.core.device_of", device_of)
    monkeypatch.setattr("minigrad.rules.device_of", device_of)

    def move(tensor):
        moved = Tensor(tensor.data, tensor.requires_grad)
        moved._data = tensor.data.view(Elsewhere)  # Tensor() would take the subclass off
        return moved

    return move


def test_mixed_devices_name_operation_and_arguments(other_device):
    words = (
        r"matmul: argument 0 of shape \(2, 3\) is on cpu, argument 1 of shape \(3, 1\) is on "
        r"cuda:0; all must be on one device.*\.to\(device\)"
    )
    with pytest.raises(MixedDeviceError, match=words):
        mg.ones(2, 3) @ other_device(mg.ones(3, 1))


def test_mixed_devices_name_the_path_of_the_parameter(other_device):
    body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    net = nn.Sequential({"body": body, "head": nn.Flatten()})
    with pytest.raises(MixedDeviceError) as caught:
        net(other_device(mg.ones(1, 1, 4, 4)))
    message = str(caught.value)
    assert "conv2d: argument 0 of shape (1, 1, 4, 4) is on cuda:0" in message
    assert "argument 1 (body.0.weight) of shape (2, 1, 3, 3) is on cpu" in message
    assert "argument 2 (body.0.bias)" in message


def test_labels_on_another_device(other_device):
    with pytest.raises(DeviceError, match="cross_entropy: input is on cpu, target on cuda:0"):
        F.cross_entropy(mg.ones(2, 3), other_device(mg.tensor([0, 1])))


METHODS = (
    "abs", "add", "amax", "amin", "argmax", "argmin", "clamp", "clip", "clone", "div", "eq", "exp",
    "expand", "flatten", "ge", "gt", "le", "log", "log_softmax", "lt", "matmul", "max", "maximum",
    "mean", "min", "minimum", "mul", "ne", "neg", "permute", "pow", "relu", "reshape", "sigmoid",
    "softmax", "sqrt", "squeeze", "std", "sub", "sum", "tanh", "transpose", "unsqueeze", "var",
    "view",
)  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_methods_are_the_operations(name):
    assert getattr(Tensor, name) is getattr(mg.ops, name)


def test_every_method_that_is_an_operation_is_that_operation():
    shared = [name for name in mg.ops.__all__ if hasattr(Tensor, name)]
    assert set(METHODS) <= set(shared)
    assert all(getattr(Tensor, name) is getattr(mg.ops, name) for name in shared)


def test_an_editor_sees_what_the_operations_hand_over():
    import jedi  # what completes names in JupyterLab; IPython brings it
    source = "import minigrad as mg\nx: mg.Tensor\nx."
    names = {c.name for c in jedi.Script(source).complete(3, 2)}
    assert {"relu", "sum", "reshape", "numpy", "backward", "add_"} <= names
