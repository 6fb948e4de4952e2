"""Every operation of the table with every dtype and kind of array: PyTorch's value, or words."""

from __future__ import annotations

import importlib.util
import re
import warnings

import numpy as np
import pytest
from operations import CASES, Case

import minigrad as mg
from minigrad import arrays

HAS_TORCH = importlib.util.find_spec("torch") is not None
REFUSALS = (TypeError, ValueError, RuntimeError, IndexError, NotImplementedError)
# What Python and NumPy say to whoever wrote the operation, not to whoever called it.
UNCLEAR = re.compile(r"ufunc|NumPy scalar|unpack|zip\(|object is not|attribute|argument \d")

# Of complex numbers they are the analytic continuation, which the complex step needs.
CONTINUED = {"abs", "l1_loss", "norm", "smooth_l1_loss", "std", "var"}


def matrix(array):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asmatrix(array) if array.ndim == 2 else array.view(np.recarray)


def strided(array):
    large = np.full([2 * n for n in array.shape], array.dtype.type(1), array.dtype)
    view = large[(..., *(slice(None, None, 2),) * array.ndim)]
    view[...] = array
    return view


def read_only(array):
    array = np.array(array)
    array.flags.writeable = False
    return array


FORMS = {
    "strided": strided,
    "read-only": read_only,
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "matrix": matrix,
    "masked": np.ma.masked_array,
}
SHAPES = {
    "as in the table": lambda array: array,
    "empty": lambda array: array[:0] if array.ndim else array,
    "0-d": lambda array: array.reshape(-1)[:1].reshape(()),
}


def inputs(case: Case, dtype: str, shape: str) -> list:
    """The table's inputs, doubled and cut off to `dtype`; labels stay what they are."""
    made = [a if a.dtype.kind == "i" else (2 * a).astype(dtype) for a in positive(case, dtype)]
    return [SHAPES[shape](a) for a in made]


def positive(case: Case, dtype: str) -> list:
    """The inputs, without signs for a dtype that has none."""
    return [np.abs(a) if dtype in ("uint8", "bool") else a for a in case.arrays()]


def outcome(call, *args):
    """The array that a call returns, or the exception."""
    try:
        return np.asarray(call(*args))
    except REFUSALS as error:
        return error


def ours(case: Case, given: list):
    found = outcome(lambda *a: case.call(*map(mg.tensor, a)).data, *given)
    if isinstance(found, Exception):
        assert not UNCLEAR.search(str(found)), f"{type(found).__name__}: {found}"
    return found


def check_same(found, expected, tolerance=0.0):
    if isinstance(expected, Exception):
        assert isinstance(found, type(expected)), found
        return
    assert not isinstance(found, Exception), found
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
no_warnings = pytest.mark.filterwarnings("ignore:.*(divide by zero|invalid value):RuntimeWarning")


@every
@no_warnings
def test_any_kind_of_array_gives_what_a_plain_one_gives(case: Case):
    for dtype in arrays.SUPPORTED_DTYPES:
        for shape in SHAPES:
            given = inputs(case, dtype, shape)
            expected = ours(case, given)
            for form in FORMS.values():
                check_same(ours(case, [form(a) for a in given]), expected, 1e-5)


if HAS_TORCH:

    @pytest.mark.parametrize("case", [c for c in CASES if c.torch], ids=lambda case: case.name)
    @no_warnings
    @pytest.mark.filterwarnings(r"ignore:(var|std)\(\)")
    def test_any_dtype_gives_what_torch_gives_or_is_refused(case: Case):
        import torch

        for dtype in arrays.SUPPORTED_DTYPES:
            if case.operation in CONTINUED and dtype.startswith("complex"):
                continue
            if case.operation == "einsum" and dtype[:3] in ("int", "uin"):
                continue  # PyTorch's dtype depends on the order of its sums
            for shape in SHAPES:
                given = inputs(case, dtype, shape)
                found = ours(case, given)
                twin = outcome(lambda *a: case.torch(torch, *map(torch.tensor, a)).numpy(), *given)
                if not isinstance(found, Exception) and not isinstance(twin, Exception):
                    check_same(found, twin, 1e-4)


@pytest.mark.parametrize(
    "dtype",
    ["int8", "int16", "uint16", "uint32", "uint64", "float16", "longdouble", "clongdouble", "U3",
     "S3", "object", "datetime64[s]", "timedelta64[s]", "V4", "f4,f4"],
)  # fmt: skip
def test_other_dtypes_are_refused_at_the_door(dtype: str):
    with pytest.raises(TypeError, match=r"is not supported: use one of|expected numbers"):
        mg.tensor(np.zeros(2, dtype))


@pytest.mark.parametrize("whole", ["uint8", "int32", "int64", "bool"])
@pytest.mark.parametrize("real", ["float32", "float64"])
def test_whole_numbers_that_meet_floats_become_floats(whole: str, real: str):
    torch = pytest.importorskip("torch")
    a, b = np.array([0, 1, 1]).astype(whole), np.array([0.5, 2.5, 1.0]).astype(real)
    for operation in ("add", "mul", "div", "maximum", "pow", "remainder", "eq", "lt"):
        for pair in ((a, b), (b, a)):
            expected = getattr(torch, operation)(*map(torch.tensor, pair)).numpy()
            check_same(getattr(mg, operation)(*map(mg.tensor, pair)).data, expected, 1e-6)
    for pair in ((a, b), (b, a)):
        expected = torch.where(torch.tensor(b > 1), *map(torch.tensor, pair)).numpy()
        check_same(mg.where(mg.tensor(b > 1), *map(mg.tensor, pair)).data, expected)
