"""The precision of float32 matrix products: what it rounds, where it holds, and where it ends."""

import threading

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels.fast.product import product
from minigrad.kernels.product import bfloat16_bits
from minigrad.nn import functional as F

HALF_ULP = {"float32": 0.0, "tf32": 0.0, "float16": 2.0**-11, "bfloat16": 2.0**-8}  # on the CPU


@pytest.fixture(autouse=True)
def _strict():
    yield
    mg.set_precision("float32")


def operands(dtype=np.float32):
    rng = np.random.default_rng(0)
    return rng.normal(size=(7, 90)).astype(dtype), rng.normal(size=(90, 5)).astype(dtype)


def error(a, b, found):
    """The largest error of found = a b, as a share of |a| |b|, which bounds what rounding does."""
    exact = a.astype(np.float64) @ b.astype(np.float64)
    return (np.abs(found - exact) / (np.abs(a) @ np.abs(b)).astype(np.float64)).max()


@pytest.mark.parametrize("name", HALF_ULP)
def test_a_product_is_off_by_the_rounding_of_its_operands_and_of_float32_sums(name):
    a, b = operands()
    with mg.precision(name):
        found = product(a, b, np.empty((7, 5), np.float32))
    u, sums = HALF_ULP[name], a.shape[1] * 2.0**-24
    assert found.dtype == np.float32
    assert error(a, b, found) <= 2 * u + u * u + sums
    assert u == 0 or error(a, b, found) > u / 50  # it has been rounded


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
@pytest.mark.parametrize("shapes", [((7, 90), (90, 5)), ((2, 1, 3, 4), (5, 4, 6)), ((4,), (4,))])
def test_matmul_follows_and_only_in_float32(name, shapes):
    rng = np.random.default_rng(1)
    for dtype in (np.float32, np.float64, np.complex64):
        a, b = (rng.normal(size=shape).astype(dtype) for shape in shapes)
        with mg.precision(name):
            found = mg.matmul(a, b).numpy()
        assert found.shape == (a @ b).shape
        assert np.array_equal(found, a @ b) == (dtype != np.float32)
        np.testing.assert_allclose(found, a @ b, atol=0.1)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_layers_follow_in_both_directions_and_in_every_thread_of_a_split(name):
    """What the operands are rounded to beforehand makes no difference: they were rounded."""
    rng = np.random.default_rng(2)
    x, w = rng.normal(size=(6, 4, 9, 9)), rng.normal(size=(8, 2, 3, 3))
    dense, upstream = rng.normal(size=(5, 392)), rng.normal(size=(6, 5))
    x, w, dense, upstream = (a.astype(np.float32) for a in (x, w, dense, upstream))

    def rounded(a):
        if name == "float16":
            return a.astype(np.float16).astype(np.float32)
        bits = a.view(np.uint32)
        return (
            ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
        )

    def gradients(x, w, dense, precision):
        x, w, dense = (mg.tensor(a, requires_grad=True) for a in (x, w, dense))
        with mg.precision(precision):
            y = F.conv2d(x, w, groups=2).flatten(1)
            out = F.linear(y, dense)
            out.backward(mg.tensor(rounded(upstream)))
        return [out.detach().numpy(), *(t.grad.numpy() for t in (dense, x, w))]

    found = gradients(x, w, dense, name)
    again = gradients(rounded(x), rounded(w), rounded(dense), name)
    strict = gradients(x, w, dense, "float32")
    for one, other, full in zip(found, again, strict, strict=True):
        np.testing.assert_array_equal(one, other)
        assert not np.array_equal(one, full)
        np.testing.assert_allclose(one, full, atol=0.03 * np.abs(full).max())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3.4e38, 1e-40, -0.0])
@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_unusual_numbers(name, value):
    one = np.ones((1, 1), np.float32)
    with mg.precision(name):
        found = product(np.full((1, 1), value, np.float32), one, np.empty((1, 1), np.float32))
    beyond = {"float16": 65520, "bfloat16": 3.396e38}[name]
    expected = np.copysign(np.inf, value) if abs(value) >= beyond else value
    np.testing.assert_allclose(found[0, 0], expected, rtol=2**-8, atol=1e-30)


def test_bfloat16_rounds_ties_to_even():
    torch = pytest.importorskip("torch")
    bits = (np.arange(0x3F80, 0x3FC0, dtype=np.uint32) << 16) + np.uint32([[0x7FFF], [0x8000], [1]])
    x = bits.ravel().view(np.float32)
    expected = torch.tensor(x).bfloat16().view(torch.uint16).numpy()
    np.testing.assert_array_equal(bfloat16_bits(x), expected)


def test_the_context_ends_and_the_setter_stays():
    assert mg.get_precision() == "float32"
    with mg.precision("tf32"):
        assert mg.get_precision() == "tf32"
        with mg.precision("float32"):
            assert mg.get_precision() == "float32"
        assert mg.get_precision() == "tf32"
    with pytest.raises(ZeroDivisionError), mg.precision("float16"):
        raise ZeroDivisionError
    assert mg.get_precision() == "float32"
    mg.set_precision("bfloat16")
    with mg.precision("float32"):
        assert mg.get_precision() == "float32"
    assert mg.get_precision() == "bfloat16"


def test_a_context_holds_in_its_thread_and_the_setter_in_all():
    seen = []

    def look():
        thread = threading.Thread(target=lambda: seen.append(mg.get_precision()))
        thread.start()
        thread.join()

    with mg.precision("tf32"):
        look()
    mg.set_precision("tf32")
    look()
    assert seen == ["float32", "tf32"]


@pytest.mark.parametrize("use", [mg.set_precision, lambda name: mg.precision(name).__enter__()])
def test_another_name_is_refused(use):
    with pytest.raises(ValueError, match="precision is 'half': use one of float32, tf32, float16"):
        use("half")


def test_a_gradient_check_is_strict():
    """Also where the function has a float32 part, whose rounding would be its error."""
    used = []

    def f(x):
        used.append(mg.get_precision())
        return (x * x).sum()

    mg.set_precision("bfloat16")
    assert mg.gradcheck(f, mg.randn(3, dtype="float64", requires_grad=True))
    assert set(used) == {"float32"}
    assert mg.get_precision() == "bfloat16"
