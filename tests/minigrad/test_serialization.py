"""safetensors files: what comes back, what is refused, and what a failure leaves behind."""

import errno
import json
import os
import pickle
import stat
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy

import minigrad as mg
from minigrad import nn, optim, serialization
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
            assert length < header or f"{length:,} bytes of {len(good):,}" in str(caught.value)
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


def test_a_header_that_is_not_there_takes_no_memory(tmp_path):
    path = tmp_path / "short.safetensors"
    path.write_bytes((90_000_000).to_bytes(8, "little") + b"{}")
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match="is cut short in its header"):
            load_metadata(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


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
        ({"a": 1.5j}, None, "'a' is complex; expected a tensor or an array"),
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
    for key in (serialization.CHECKSUM, serialization.FORMAT, serialization.TREE):
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


def trained(optimizer_of):
    """A layer and its optimizer after three steps."""
    layer = nn.Linear(3, 2)
    optimizer = optimizer_of(layer.parameters())
    for _ in range(3):
        layer(mg.ones(1, 3)).sum().backward()
        optimizer.step()
    return layer, optimizer


@pytest.mark.parametrize("optimizer_of", [
    lambda p: optim.Adam(p, betas=(0.8, 0.9)), lambda p: optim.SGD(p, 0.1, momentum=0.9),
    lambda p: optim.SGD(p, 0.1),
], ids=["Adam", "momentum", "SGD"])  # fmt: skip
def test_an_optimizer_is_saved_and_loaded(optimizer_of, tmp_path):
    layer, optimizer = trained(optimizer_of)
    save_file(optimizer.state_dict(), tmp_path / "a")
    other, again = trained(optimizer_of)
    again.load_state_dict(load_file(tmp_path / "a"))
    other.load_state_dict(layer.state_dict())
    assert again.param_groups[0].keys() == optimizer.param_groups[0].keys()
    for each in (layer, other):
        each.zero_grad()
        each(mg.ones(1, 3)).sum().backward()
    optimizer.step()
    again.step()
    np.testing.assert_array_equal(other.weight.data, layer.weight.data)
    assert again.state.keys() == optimizer.state.keys()
    assert again.state.get(0, {}).get("step") == optimizer.state.get(0, {}).get("step")


def test_a_checkpoint_as_in_pytorch(tmp_path):
    layer, optimizer = trained(optim.AdamW)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    saved = {
        "model": layer.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3,
        "schedule": plateau.state_dict(), "note": None, "history": [(0.5, "ä"), {7: mg.ones(2)}],
        "lr": np.float32(0.5), "done": False,
    }  # fmt: skip
    save_file(saved, tmp_path / "a", {"mine": "x"})
    loaded = load_file(tmp_path / "a")
    assert list(loaded) == list(saved)
    assert loaded["optimizer"]["param_groups"] == saved["optimizer"]["param_groups"]
    assert loaded["optimizer"]["state"][1]["step"].item() == 3
    assert loaded["schedule"] == saved["schedule"]  # its best so far is infinite
    assert loaded["history"][0] == (0.5, "ä")
    assert loaded["history"][1][7].tolist() == [1, 1]
    assert (loaded["epoch"], loaded["note"], loaded["done"], loaded["lr"]) == (3, None, False, 0.5)
    np.testing.assert_array_equal(loaded["model"]["weight"].data, layer.weight.data)
    assert load_metadata(tmp_path / "a") == {"mine": "x"}
    names = safetensors.numpy.load_file(tmp_path / "a").keys()
    assert {"model.weight", "optimizer.state.0.exp_avg", "history.1.7", "lr"} <= names


def test_what_else_cannot_be_stored(tmp_path):
    for wrong, message in (
        ({"a": {"b": {1, 2}}}, "'a.b' is set; expected a tensor"),
        ({"a": {None: 1}}, "names are strings, got None .* in 'a'"),
    ):
        with pytest.raises(TypeError, match=message):
            save_file(wrong, tmp_path / "a")
    with pytest.raises(ValueError, match=r"two tensors have the path 'a\.b'"):
        save_file({"a": {"b": np.ones(1)}, "a.b": np.ones(1)}, tmp_path / "a")
    assert os.listdir(tmp_path) == []


def test_a_disk_that_fills_up_is_the_systems_own_error(tmp_path):
    """The library's error is another one; the old file stays, and nothing else."""
    resource = pytest.importorskip("resource")
    path = tmp_path / "weights.safetensors"
    save_file({"w": np.zeros(4)}, path)
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large") as caught:
            save_file({"w": np.zeros(4000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_name_is_on_disk_with_its_file(tmp_path, monkeypatch):
    """The file is flushed, renamed, and then the folder is flushed."""
    done = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor):
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def replaced(source, target):
        done.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    save_file({"w": np.zeros(4)}, tmp_path / "weights.safetensors")
    assert done == ["file", "rename", "folder"][: 2 if os.name == "nt" else 3]


@pytest.mark.parametrize(
    "tree",
    ["no JSON", "[" * 100_000, "{}", '{"dict": 3}', '{"dict": [[[], 1]]}', '{"tensor": "b"}',
     '{"list": 3}', "5", '{"tensor": 1, "list": 2}'],
)  # fmt: skip
def test_a_tree_that_does_not_fit_is_damage(tree, tmp_path):
    path = tmp_path / "x.safetensors"
    arrays = {"a": np.ones(2, np.float32)}
    metadata = {serialization.TREE: tree, serialization.FORMAT: "1"}
    metadata[serialization.CHECKSUM] = serialization._checksum(arrays, metadata)
    safetensors.numpy.save_file(arrays, path, metadata)
    with pytest.raises(CheckpointError, match=r"x\.safetensors: damaged: minigrad\.tree"):
        load_file(path)


def test_a_header_nested_without_end_is_told(tmp_path):
    header = b"{" + b'"a":[' * 100_000
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    for read in (load_file, load_metadata):
        with pytest.raises(CheckpointError, match="damaged header"):
            read(path)
