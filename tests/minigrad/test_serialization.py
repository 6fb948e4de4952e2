"""safetensors files: what comes back, what is refused, and what a failure leaves behind."""

import json
import os
import pickle
import stat

import numpy as np
import pytest
import safetensors.numpy

from minigrad import serialization
from minigrad.core import Tensor
from minigrad.serialization import CheckpointError, load_file, load_metadata, save_file


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "conv1.weight": rng.standard_normal((4, 3, 2, 2)).astype(np.float32),
        "conv1.bias": rng.standard_normal(4),
        "step": np.array(7),
        "labels": np.arange(5, dtype=np.uint8),
        "mask": np.array([True, False]),
        "empty": np.zeros((0, 3), np.float32),
    }


def check_equal(loaded, arrays):
    assert set(loaded) == set(arrays)
    for name, array in arrays.items():
        assert isinstance(loaded[name], Tensor)
        assert loaded[name].data.dtype == array.dtype
        assert loaded[name].data.shape == array.shape
        np.testing.assert_array_equal(loaded[name].data, array)


def test_round_trip(arrays, tmp_path):
    path = tmp_path / "model.safetensors"
    given = {**arrays, "conv1.bias": Tensor(arrays["conv1.bias"], requires_grad=True)}
    save_file(given, path, {"recipe": '{"lr": 0.01}', "ε": "ü"})
    loaded = load_file(str(path))
    check_equal(loaded, arrays)
    assert load_metadata(path) == {"recipe": '{"lr": 0.01}', "ε": "ü"}
    loaded["conv1.weight"].data += 1  # it owns its memory
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_other_memory_orders_are_saved_in_c_order(arrays, tmp_path):
    path = tmp_path / "model.safetensors"
    weight = arrays["conv1.weight"]
    last = np.ascontiguousarray(weight.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    given = {
        "last": last,
        "sliced": weight[:, ::2],
        "reversed": weight[::-1],
        "broadcast": np.broadcast_to(np.float32(2), (3, 4)),
        "big endian": weight.astype(">f4"),
    }
    save_file(given, path)
    check_equal(load_file(path), {**given, "big endian": weight})


def test_the_file_is_plain_safetensors_both_ways(arrays, tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(arrays, path)
    other = safetensors.numpy.load_file(path)
    for name, array in arrays.items():
        np.testing.assert_array_equal(other[name], array)
    safetensors.numpy.save_file(arrays, path, metadata={"format": "pt"})  # has no checksum
    check_equal(load_file(path), arrays)
    assert load_metadata(path) == {"format": "pt"}


def test_an_empty_dict_and_no_metadata(tmp_path):
    path = tmp_path / "empty.safetensors"
    save_file({}, path)
    assert load_file(path) == {}
    assert load_metadata(path) == {}


def test_a_flipped_bit_anywhere_is_noticed(arrays, tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(arrays, path, {"epoch": "3"})
    good = path.read_bytes()
    header = 8 + int.from_bytes(good[:8], "little")
    for place in range(len(good)):
        if place % 3 and place > header:
            continue  # a third of the numbers will do
        bad = bytearray(good)
        bad[place] ^= 1 << place % 7
        path.write_bytes(bad)
        with pytest.raises(CheckpointError) as caught:
            load_file(path)
        check_message(caught, path)


def test_a_flipped_bit_in_the_numbers_is_called_damage(arrays, tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(arrays, path)
    bad = bytearray(path.read_bytes())
    bad[-5] ^= 1
    path.write_bytes(bad)
    with pytest.raises(CheckpointError, match="damaged: its content does not match the checksum"):
        load_file(path)


def test_a_file_cut_short_anywhere_is_noticed(arrays, tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(arrays, path)
    good = path.read_bytes()
    header = 8 + int.from_bytes(good[:8], "little")
    for length in (0, 5, 8, 9, 100, header - 1, header, header + 1, len(good) - 1):
        path.write_bytes(good[:length])
        for load in (load_file, load_metadata):
            with pytest.raises(CheckpointError) as caught:
                load(path)
            check_message(caught, path, "cut short" if length > 8 else "not a safetensors file")
    path.write_bytes(good + b"x")
    with pytest.raises(CheckpointError, match="wrong size"):
        load_file(path)


def check_message(caught, path, part=""):
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert part in message
    assert "\n" not in message


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_pickles_are_never_loaded(protocol, tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(pickle.dumps({"a": 1}, protocol))
    for content in (path.read_bytes(), b"PK\x03\x04 a zip archive of PyTorch"):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="pickles are never loaded") as caught:
            load_file(path)
        check_message(caught, path)


def test_files_that_are_none(tmp_path):
    with pytest.raises(CheckpointError, match="nothing: no such file"):
        load_file(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="is a folder"):
        load_metadata(tmp_path)
    text = tmp_path / "notes.txt"
    text.write_text("weights? " * 50)
    with pytest.raises(CheckpointError, match="is not a safetensors file"):
        load_file(text)
    header = json.dumps(["a"]).encode()
    text.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError, match="is not a safetensors file"):
        load_file(text)


def test_a_dtype_that_numpy_lacks_is_named(tmp_path):
    path = tmp_path / "half.safetensors"
    entry = {"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    header = json.dumps(entry).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(CheckpointError, match="'w' is of dtype BF16") as caught:
        load_file(path)
    check_message(caught, path)


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        ({1: np.ones(2)}, None, "names are strings, got 1"),
        ({"a": 1.5}, None, "'a' is float; expected a tensor or an array"),
        ({"a": np.array(["x"])}, None, "'a' has dtype <U1"),
        ({"a": np.array([None])}, None, "'a' has dtype object"),
        ({"a": np.ones(2, np.complex128)}, None, "'a' has dtype complex128"),
        ({}, {"epoch": 3}, "metadata maps strings to strings, got 'epoch': 3"),
    ],
)
def test_what_cannot_be_stored_is_named_and_leaves_no_file(tensors, metadata, message, tmp_path):
    with pytest.raises(TypeError, match=message):
        save_file(tensors, tmp_path / "a.safetensors", metadata)
    assert os.listdir(tmp_path) == []


def test_our_own_metadata_keys_are_reserved(tmp_path):
    for key in (serialization.CHECKSUM, serialization.FORMAT):
        with pytest.raises(ValueError, match="are reserved"):
            save_file({}, tmp_path / "a", {key: "x"})


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*missing"):
        save_file({}, tmp_path / "missing" / "a.safetensors")


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()])
def test_a_failure_keeps_the_old_file_and_no_temporary(step, error, arrays, tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_file(arrays, path)
    old = path.read_bytes()

    def fail(*_):
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)):
        save_file({"other": np.ones(3)}, path)
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_a_link_stays_a_link_and_the_mode_is_the_users(tmp_path):
    path, link = tmp_path / "a.safetensors", tmp_path / "link.safetensors"
    save_file({"a": np.ones(2)}, path)
    plain = tmp_path / "plain"
    plain.write_text("")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    link.symlink_to(path)
    save_file({"a": np.zeros(2)}, link)
    assert link.is_symlink()
    np.testing.assert_array_equal(load_file(path)["a"].data, 0)


def test_optimizer_state_survives_the_file(tmp_path):
    from minigrad.optim import Adam

    tensor = Tensor(np.ones((3, 2), np.float32), requires_grad=True)
    tensor.grad = Tensor(np.full((3, 2), 0.5, np.float32))
    adam = Adam([tensor])
    adam.step()
    state = adam.state_dict()
    step = state["state"][0].pop("step")
    save_file(state["state"][0], tmp_path / "a", {"groups": json.dumps(state["param_groups"])})
    loaded = {"step": step, **load_file(tmp_path / "a")}
    groups = json.loads(load_metadata(tmp_path / "a")["groups"])
    again = Adam([tensor])
    again.load_state_dict({"state": {0: loaded}, "param_groups": groups})
    np.testing.assert_array_equal(again.state[0]["exp_avg_sq"], adam.state[0]["exp_avg_sq"])
    again.step()
    assert again.state[0]["step"] == 2
