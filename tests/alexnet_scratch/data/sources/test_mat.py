"""MATLAB's files: what SciPy reads in them is read, and damage is told in words."""

import io
import random
import struct

import numpy as np
import pytest
from layouts import mat_element, mat_file, mat_matrix, mat_value, meta_mat

from alexnet_scratch.data.sources.mat import load_mat

HEADER = mat_file("x", ("a",), [])[:128]
# What MATLAB writes in other ways than the development kit's file.
VALUES = {
    "bytes": [1, 2, 3],
    "16 bits": [1, 300],
    "empty": [],
    "latin-1": "é",
    "long": "a word " * 50,
    "UTF-8": "Kraków, 鳥",
}


def values_file():
    return mat_file("x", ("v",), [[value] for value in VALUES.values()])


def same(ours, theirs):
    """A variable as we and as SciPy read it."""
    if isinstance(ours, list):
        fields = theirs.dtype.names
        assert all(tuple(one) == fields for one in ours)
        rows = zip(ours, theirs.ravel(order="F"), strict=True)
        return all(same(one[field], row[field]) for one, row in rows for field in fields)
    return "".join(theirs) == ours if isinstance(ours, str) else np.array_equal(ours, theirs)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_file_of_scipy_is_read(compressed):
    scipy_io = pytest.importorskip("scipy.io")
    structs = np.empty((2, 2), [(name, object) for name in ("n", "text", "row", "grid", "large")])
    for i in range(4):
        grid = np.arange(6.0).reshape(2, 3) + i
        structs[divmod(i, 2)] = (float(i), "word " * i, np.ones((1, i), np.uint16), grid, 1e300)
    buffer = io.BytesIO()
    scipy_io.savemat(buffer, {"synsets": structs, "x": -7}, do_compression=compressed)
    found = load_mat(buffer.getvalue())
    assert all(same(found[name], scipy_io.loadmat(buffer)[name]) for name in ("synsets", "x"))


@pytest.mark.parametrize("data", [meta_mat(), values_file()], ids=["the kit", "other values"])
def test_scipy_reads_the_same(data):
    ((name, ours),) = load_mat(data).items()
    assert same(ours, pytest.importorskip("scipy.io").loadmat(io.BytesIO(data))[name])


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_value_is_read(value):
    (row,) = load_mat(mat_file("x", ("v",), [[value]]))["x"]
    assert row["v"] == value if isinstance(value, str) else row["v"].ravel().tolist() == value


def test_text_of_16_bits_and_the_short_empty_matrix():
    text = mat_matrix(4, (1, 2), mat_element(4, "né".encode("utf-16-le")), "t")
    assert load_mat(HEADER + text) == {"t": "né"}
    assert load_mat(HEADER + mat_element(14, b""))[""].shape == (0, 0)


REFUSED = {
    "nothing": (b"", "not a little-endian MAT-file"),
    "big-endian": (HEADER[:126] + b"MI", "not a little-endian MAT-file"),
    "version 7.3": (b"\x89HDF\r\n\x1a\n" + bytes(200), "not a little-endian MAT-file"),
    "cut tag": (HEADER + b"\0\0", "ends too early"),
    "cut": (meta_mat()[:-20], "says that it holds"),
    "zlib": (HEADER + struct.pack("<II", 15, 4) + b"abcd", "compressed element is damaged"),
    "no matrix": (HEADER + mat_element(6, bytes(8)), "type 6, expected 14"),
    "small of 9": (HEADER + struct.pack("<HH", 14, 9) + bytes(4), "at most 4 fit"),
    "half a matrix": (HEADER + mat_element(14, mat_element(6, bytes(8))), "of 1 elements"),
    "cell": (HEADER + mat_matrix(1, (1, 1), mat_value(1)), "class 1 and dimensions .* not supp"),
    "rows of text": (HEADER + mat_matrix(4, (2, 1), mat_element(16, b"ab")), "class 4 .* not supp"),
    "complex": (HEADER + mat_matrix(0x806, (1, 1), mat_element(2, b"a") * 2), "not supported"),
    "structs inside": (
        HEADER + mat_matrix(2, (1, 1), mat_element(5, b"\1\0\0\0") + mat_element(1, b"a")
                            + mat_matrix(2, (1, 1), b"")), "class 2 .* in a struct: not supported"),
    "no names": (HEADER + mat_matrix(2, (1, 1), mat_element(5, bytes(4)) * 2), "structs of 0 fie"),
    "missing struct": (HEADER + mat_matrix(2, (9, 1), mat_element(5, b"\1\0\0\0")
                                           + mat_element(1, b"a")), "0 fields in 9 structs of 1"),
    "numbers": (HEADER + mat_matrix(6, (3, 3), mat_element(2, b"ab")), "2 numbers in a matrix"),
    "negative": (HEADER + mat_matrix(6, (-1, 1), mat_element(2, b"a")), "of dimensions"),
    "text as numbers": (HEADER + mat_matrix(6, (1, 1), mat_element(16, b"a")), "are no numbers"),
    "numbers as text": (HEADER + mat_matrix(4, (1, 1), mat_element(9, bytes(8))), "of type 9"),
    "UTF-8": (HEADER + mat_matrix(4, (1, 1), mat_element(16, b"\xff")), "damaged"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_told(data, words):
    with pytest.raises(ValueError, match=words):
        load_mat(data)


def test_damage_anywhere_is_a_value_error():
    """No other error, whatever byte is changed."""
    contents = mat_element(5, struct.pack("<i", 32)) + mat_element(1, b"v".ljust(32, b"\0"))
    plain = HEADER + mat_matrix(
        2, (len(VALUES), 1), contents + b"".join(map(mat_value, VALUES.values())), "x"
    )
    luck = random.Random(0)
    for data in [values_file(), plain] * 1000:
        damaged = bytearray(data)
        for _ in range(luck.randint(1, 3)):
            damaged[luck.randrange(len(data))] = luck.randrange(256)
        try:
            load_mat(bytes(damaged[: luck.choice([len(data), luck.randrange(len(data))])]))
        except ValueError:
            continue
