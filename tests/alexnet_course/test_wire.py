"""Values and calls between a process that is trusted and one that is not."""

import contextlib
import io
import os
import random
import threading

import numpy as np
import pytest

import minigrad as mg
from alexnet_course import n01_autograd, n16_gpu
from alexnet_course.checks import Hint
from alexnet_course.grading import wire
from minigrad import nn


@pytest.fixture
def call():
    """call(function, *args): the function is called at the untrusted end."""
    ends = [os.pipe(), os.pipe()]
    modes = ("rb", "wb")
    files = [os.fdopen(fd, m) for pair in ends for fd, m in zip(pair, modes, strict=True)]
    there = wire.Peer(files[0], files[3], trusted=False)
    here = wire.Peer(files[2], files[1], trusted=True)

    def serve():
        while True:
            try:
                there.answer(*wire.receive(files[0]))
            except wire.Closed:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield lambda function, *args: here.call(there.number(function), "__call__", args, {})
    files[1].close()
    thread.join(10)
    for file in (files[0], files[2], files[3]):
        file.close()


@pytest.mark.parametrize(
    "value",
    [
        None, True, -(10**40), 0.1, float("inf"), "text \N{GREEK SMALL LETTER ALPHA}", "\udc80",
        b"\0", 1 + 2j, (1, [2, {3}], {"k": (4,), 5: None}), frozenset({1}), slice(1, None),
        range(3), ...,
    ],
    ids=repr,
)  # fmt: skip
def test_a_value_comes_back_as_it_was(call, value):
    assert call(lambda x: x, value) == value


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "u1", "?", "c16", "U3"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (2, 3)])
def test_an_array_comes_back_as_it_was(call, dtype, shape):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    for given in (array, np.asfortranarray(array), array[()]):
        back = call(lambda x: x, given)
        np.testing.assert_array_equal(back, given, strict=True)
        assert type(back) is type(given)


def test_what_is_changed_there_is_changed_here(call):
    def change(array, words, value):
        array[0] = 7
        words.append("more")
        value.grad = 3.0

    array, words, value = np.zeros(2), ["one"], n01_autograd._Value("x", 1.0)
    call(change, array, words, value)
    assert array.tolist() == [7, 0]
    assert words == ["one", "more"]
    assert value.grad == 3.0


def test_an_object_comes_back_as_itself(call):
    value = n01_autograd._square()
    inner, outer = call(lambda v: (v.inputs[0], {v: 1}), value)
    assert inner is value.inputs[0]
    assert outer == {value: 1}


def test_a_function_is_called_where_it_is_and_its_error_is_the_very_one(call):
    raised = Hint("never twice")

    def refuse(x):
        raise raised

    assert call(lambda f, x: f(x) + 1, np.sum, np.ones(3)) == 4
    with pytest.raises(Hint) as caught:
        call(lambda f: f(1), refuse)
    assert caught.value is raised
    assert call(lambda k: next(k), iter([5])) == 5
    assert list(call(lambda: (n for n in range(3)))) == [0, 1, 2]


def test_memory_that_watches_stays_where_it_is(call):
    memory = n16_gpu._Own(4)
    memory.thread = 2
    call(lambda dx: dx.__setitem__(2, 5.0), memory)
    assert memory.values.tolist() == [0, 0, 5, 0]
    with pytest.raises(n16_gpu._Foreign, match="belongs to thread 3"):
        call(lambda dx: dx.__setitem__(3, 5.0), memory)


def test_a_network_travels_both_ways(call):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten())
    x = mg.tensor(np.ones((1, 1, 4, 4), "f4"))
    back = call(lambda m: nn.Sequential(*m.children(), nn.Dropout(0.5)).eval(), model)
    assert [type(layer) for layer in back.children()] == [
        nn.Conv2d, nn.ReLU, nn.Flatten, nn.Dropout,
    ]  # fmt: skip
    with mg.no_grad():
        np.testing.assert_array_equal(back(x).numpy(), model(x).numpy())
    assert call(lambda m, t: m(t).detach().numpy(), model, x).shape == (1, 8)


class Theirs:
    """A class that is nobody's business here."""

    def __array__(self, *_, **__):
        raise AssertionError("nothing of theirs runs here")

    __eq__ = __len__ = __array__
    __hash__ = None


def test_what_cannot_travel_is_no_value_of_ours(call):
    assert isinstance(call(Theirs), wire.Opaque)
    assert type(call(Theirs)).__name__ == "Theirs"
    assert isinstance(call(lambda: [np.array([None])])[0], wire.Opaque)


@pytest.mark.parametrize(
    "message",
    [
        ["return", ["object", 0], [[0, "alexnet_course.checks", "Exercise", []]], [], None],
        ["return", ["object", 0], [[0, "subprocess", "Popen", []]], [], None],
        ["return", ["object", 0], [[0, "minigrad.core", "Tensor", [["__class__", 1]]]], [], None],
        ["return", ["yours", 99], [], [], None],
        ["return", ["array", "O", [1], 0, True, None], [], [], None],
        ["return", ["array", "<f8", [10**12], 0, True, None], [], [], None],
        ["return", None, [], [["attribute", 0, ["__class__", None]]], None],
        ["call", 0, "__reduce__", ["tuple", []], ["dict", []], [], 1000],
        ["call", 5, "__call__", ["tuple", []], ["dict", []], [], 1000],
        ["sing"], [], 3, None,
    ],
)  # fmt: skip
def test_a_forged_message_is_none(message):
    said = io.BytesIO()
    wire.send(said, message, [b""])
    peer = wire.Peer(io.BytesIO(said.getvalue()), io.BytesIO(), trusted=True)
    with pytest.raises(wire.WireError):
        peer.call(0, "__call__", (np.ones(2), n01_autograd._Value("x", 1.0)), {})


def test_damaged_messages_end_in_a_word(call):
    """Whatever bytes come: an answer, or a WireError."""
    said, draw = io.BytesIO(), random.Random(0)
    answer = ["return", ["list", [["array", "<f8", [2], 0, True, None], ["complex", 1, 2]]], [], [
        ["array", 0, ["array", "<f8", [2], 1, True, None]]], None]  # fmt: skip
    wire.send(said, answer, [bytes(16), bytes(16)])
    for _ in range(300):
        data = bytearray(said.getvalue())
        for _ in range(draw.randint(1, 4)):
            data[draw.randrange(8, len(data))] = draw.choice(b'0123456789[]",ae-\x00\xff')
        peer = wire.Peer(io.BytesIO(bytes(data)), io.BytesIO(), trusted=True)
        with contextlib.suppress(wire.WireError):
            peer.call(0, "__call__", (np.ones(2),), {})
