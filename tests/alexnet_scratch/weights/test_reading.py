"""Weight files of other programs: each container is read to the bit, and nothing of it runs."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import pickletools
import struct
import tracemalloc
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alexnet_scratch.weights import WeightFile, read_weights
from minigrad.serialization import CheckpointError, save_file

DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8",
          "bool")  # fmt: skip


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


def assert_same(found: WeightFile, expected: dict[str, Any], torch: Any) -> None:
    assert list(found.tensors) == list(expected)
    for name, tensor in expected.items():
        half = tensor.dtype in (torch.float16, torch.bfloat16)
        wanted = (tensor.float() if half else tensor).detach().numpy()
        array = found.tensors[name]
        assert (array.dtype, array.shape) == (wanted.dtype, wanted.shape), name
        assert array.tobytes() == wanted.tobytes(), name
        assert not array.flags.writeable


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 1.6"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_torch_saves_is_read_to_the_bit(
    tmp_path: Path, torch: Any, dtype: str, zipped: bool
) -> None:
    a = (10 * torch.randn(4, 5)).to(getattr(torch, dtype))
    saved = {
        "a": a, "transposed": a.T, "strided": a[1:, ::2], "same": a, "one": a[2, 3],
        "nothing": a[:0], "parameter": torch.nn.Parameter(a, requires_grad=False),
    }  # fmt: skip
    torch.save(saved, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    found = read_weights(tmp_path / "a.pth")
    assert_same(found, saved, torch)
    assert found.source == "torch"
    assert found.tensors["same"] is found.tensors["a"]


def test_a_checkpoint_with_more_in_it_gives_its_weights(tmp_path: Path, torch: Any) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    optimizer = {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"betas": (0.9, 1)}]}
    for key in ("state_dict", "model_state_dict", "model"):
        whole = {"epoch": 3, "arch": "alexnet", "best_acc1": torch.tensor(3.0), "lr": 0.1,
                 key: model.state_dict(), "optimizer": optimizer}  # fmt: skip
        torch.save(whole, tmp_path / "a.pth")
        found = read_weights(tmp_path / "a.pth")
        assert_same(found, model.state_dict(), torch)
        assert found.facts == {"epoch": 3, "arch": "alexnet", "lr": 0.1}


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch executed",)


def test_code_in_a_file_is_refused_and_not_run(
    tmp_path: Path, torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    network = torch.nn.Linear(2, 2)
    for what, said in ((Evil(), "posix.system|nt.system"), (network, "Linear.*, which is refused"),
                       ({"a": torch.ones(2), "args": Evil()}, "wants to run")):  # fmt: skip
        for zipped in (True, False):
            torch.save(what, "a.pth", _use_new_zipfile_serialization=zipped)
            with pytest.raises(CheckpointError, match=said) as caught:
                read_weights("a.pth")
            assert "its weights alone, with torch.save(model.state_dict()" in str(caught.value)
    np.save("a.npy", {"conv1": [np.ones(2), Evil()]}, allow_pickle=True)
    with pytest.raises(CheckpointError, match="wants to run"):
        read_weights("a.npy")
    assert not Path("executed").exists()


def rezipped(path: Path, change: dict[str, bytes | None], kind: int = zipfile.ZIP_STORED) -> None:
    """The zip with parts replaced, or left out."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, body in parts.items():
            new = change.get(name.partition("/")[2], body)
            if new is not None:
                archive.writestr(name, new)


def described(pickled: bytes, old: bytes, new: bytes) -> bytes:
    assert pickled.count(old) >= 1
    return pickled.replace(old, new, 1)


def test_what_a_zip_claims_is_held_against_what_is_there(tmp_path: Path, torch: Any) -> None:
    path = tmp_path / "a.pth"

    def saved(**tensors: Any) -> bytes:
        torch.save(tensors or {"a": torch.arange(6.0).reshape(2, 3)}, path)
        with zipfile.ZipFile(path) as archive:
            return archive.read("a/data.pkl")

    def refused(said: str) -> None:
        with pytest.raises(CheckpointError, match=said) as caught:
            read_weights(path)
        assert "\n" not in str(caught.value)

    pickled = saved()
    sizes = b"K\2K\3\x86q\x08"
    for new, said in (
        (b"K\2K\4\x86q\x08", r"'a': a tensor of shape \(2, 4\) reaches beyond the 6 numbers"),
        (b"K\2N\x86q\x08", "no whole number"), (b"K\2K\xff\x86q\x08", "reaches beyond"),
    ):  # fmt: skip
        saved()
        rezipped(path, {"data.pkl": described(pickled, sizes, new)})
        refused(said)
    for change, said in (
        ({"data/0": None}, "the part 'data/0' is missing"),
        ({"data/0": bytes(20)}, "a storage of 20 bytes, expected 24"),
        ({"byteorder": b"big"}, "byte order of another machine"),
        ({"data.pkl": None}, "a zip without a data.pkl"),
        ({"data.pkl": pickled[:-9]}, "ends too early"),
    ):  # fmt: skip
        saved()
        rezipped(path, change)
        refused(said)
    saved()
    rezipped(path, {}, zipfile.ZIP_DEFLATED)
    refused("parts are packed")
    saved(a=torch.ones(1).expand(1000, 1000))
    refused(r"shape \(1000, 1000\) reaches beyond the 1 numbers")
    saved(**{f"a{i}": torch.ones(2000, dtype=torch.float64)[:i] for i in range(1900, 1903)})
    read_weights(path)  # views of one storage take nothing
    wide = torch.randn(40, 50, dtype=torch.float64)
    saved(**{f"a{i}": wide[:i].T for i in range(30, 40)})
    refused("would take more than 2 times its")
    saved(a=torch.arange(1000.0))
    data = bytearray(path.read_bytes())
    data[data.index(np.arange(1000, dtype=np.float32).tobytes()) + 7] ^= 1
    path.write_bytes(data)
    refused("damaged: the checksum of 'a/data/0'")


def test_notes_beside_the_tensors_are_facts(tmp_path: Path, torch: Any) -> None:
    path = tmp_path / "a.pth"
    torch.save({"a": torch.ones(2)}, path)
    notes = {"recipe": "{}", "classes": '["x"]', "else": 3}
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a/alexnet.json", json.dumps(notes))
    assert read_weights(path).facts == {"recipe": "{}", "classes": '["x"]'}


def of_python_2(array: Any) -> bytes:
    """A .npy file whose texts and bytes are Python 2's, as the file of 2016 has them."""
    pickled = bytearray(pickle.dumps(array, protocol=3))
    for op, _, at in pickletools.genops(bytes(pickled)):
        if op.name in ("BINBYTES", "SHORT_BINBYTES"):
            pickled[at] = {"BINBYTES": ord("T"), "SHORT_BINBYTES": ord("U")}[op.name]
    head = b"{'descr': 'O', 'fortran_order': False, 'shape': (), }"
    head += b" " * (-(len(head) + 11) % 16) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head + bytes(pickled)


@pytest.mark.parametrize("old", [False, True], ids=["numpy", "python 2"])
def test_layers_in_a_npy_file_are_read_to_the_bit(tmp_path: Path, old: bool) -> None:
    rng = np.random.default_rng(0)
    layers = {
        "conv1": [rng.standard_normal((11, 11, 3, 4)).astype(np.float32), np.ones(4, np.float32)],
        "fc6": {"weights": np.asfortranarray(rng.standard_normal((20, 30))),
                "biases": np.arange(300, dtype=">f4")},
        "half": (np.arange(700, dtype=np.float16),),
    }  # fmt: skip
    whole = np.array(layers, object)
    if old:
        (tmp_path / "a.npy").write_bytes(of_python_2(whole))
    else:
        np.save(tmp_path / "a.npy", whole, allow_pickle=True)
    found = read_weights(tmp_path / "a.npy")
    assert found.source == "npy"
    assert list(found.tensors) == ["conv1.0", "conv1.1", "fc6.weights", "fc6.biases", "half.0"]
    for array, made in zip(
        found.tensors.values(), [*layers["conv1"], *layers["fc6"].values(), *layers["half"]],
        strict=True,
    ):  # fmt: skip
        np.testing.assert_array_equal(array, made)
        assert array.dtype.isnative
        assert array.dtype != np.float16


def test_other_npy_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    loop: list[Any] = []
    loop.append(loop)
    for held, said in (
        (np.ones((2, 3)), r"one array of float64, \(2, 3\), without names"),
        ({"a": 1}, "no array in it"), ([{}, {}], "expected one dict"),
        ({"a": loop}, "nested deeper than 4"),
        ({"a": [[[[[np.ones(2)]]]]]}, "nested deeper than 4"),
        ({"a": np.array(["x"])}, "an array of 'U1', expected numbers"),
    ):  # fmt: skip
        np.save(path, held, allow_pickle=True)
        with pytest.raises(CheckpointError, match=said):
            read_weights(path)


def test_safetensors_of_any_program_are_read(tmp_path: Path, torch: Any) -> None:
    save = pytest.importorskip("safetensors.torch").save_file
    tensors = {name: torch.randn(3, 4).to(getattr(torch, name)) for name in DTYPES}
    tensors |= {"one": torch.tensor(2.5), "nothing": torch.zeros(0, 3)}
    save(tensors, tmp_path / "a.safetensors", {"format": "pt"})
    found = read_weights(tmp_path / "a.safetensors")
    assert_same(WeightFile({name: found.tensors[name] for name in tensors}, ""), tensors, torch)
    assert (found.source, found.facts) == ("safetensors", {"format": "pt"})


def test_our_own_safetensors_are_compared_with_their_checksum(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": np.arange(6.0)}, path, {"recipe": "x"})
    assert read_weights(path).facts == {"recipe": "x"}
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="does not match the checksum"):
        read_weights(path)


def test_what_is_no_file_of_weights_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("weights?\n" * 50)
    (tmp_path / "empty").touch()
    (tmp_path / "cut.safetensors").touch()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "x")
    (tmp_path / "a.zip").write_bytes(buffer.getvalue())
    header = json.dumps({"a": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}).encode()
    (tmp_path / "f8").write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    for name, said in (
        ("a.txt", r"begins with b'weights\?\\nweights', .* safetensors, .*, a .caffe.* .onnx$"),
        ("empty", "is empty, as no weights that are known; expected PyTorch's .pth"),
        ("cut.safetensors", "is not a safetensors file"),
        ("a.zip", "a zip without a data.pkl"), ("none", "no such file; expected a file of weights"),
        (".", "is a folder"), ("f8", "'a' is of dtype F8_E4M3"),
    ):  # fmt: skip
        with pytest.raises(CheckpointError, match=said):
            read_weights(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="not a plain file"):
        read_weights(tmp_path / "pipe")


def overlaid() -> bytes:
    """A zip whose list names the same part a thousand times, by different names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\2}." + bytes(50_000))
        first = archive.infolist()[0]
        for i in range(1000):
            again = copy.copy(first)
            again.filename = f"a/data/{i}"
            archive.filelist.append(again)
    return buffer.getvalue()


def zipped(pickled: bytes, more: int = 0, parts: Mapping[str, bytes] | None = None) -> bytes:
    """A file of torch.save's form with this pickle, and with empty parts or those given."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/data.pkl", pickled)
        for i in range(more):
            archive.writestr(str(i), b"")
        for name, data in (parts or {}).items():
            archive.writestr(name, data)
    return buffer.getvalue()


def laughs(doubled: bytes) -> bytes:
    """Lists in lists, each twice: small, and without an end for who walks through them."""
    lines = b"".join(b"(h" + bytes([i]) + b"h" + bytes([i]) + b"lq" + bytes([i + 1])
                     for i in range(60))  # fmt: skip
    return b"\x80\x02" + doubled + b"q\0" + lines


def npy_of(pickled: bytes) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array({}, object), allow_pickle=True)
    whole = buffer.getvalue()
    return whole[: whole.index(b"\n") + 1] + pickled


def state_of(offset: bytes) -> bytes:
    """A pickle of one tensor that begins at `offset`, an object on the stack."""
    storage = pickle.dumps("storage", 2)[2:-1] + b"ctorch\nFloatStorage\nU\x010U\x03cpuK\x01tQ"
    return (
        b"\x80\x02}U\x01actorch._utils\n_rebuild_tensor_v2\n((" + storage + offset
        + b"K\x01\x85K\x01\x85\x89}tRs."
    )  # fmt: skip


def array_of(shape: bytes) -> bytes:
    """The steps that build a NumPy array of four bytes, of a shape on the stack."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(K\0tR(K\1" + shape
        + b"cnumpy\ndtype\n(U\2f4tR\x89U\4abcdtb"
    )  # fmt: skip


def layers_of(steps: bytes) -> bytes:
    """A file of np.save with one object, which the steps build."""
    return npy_of(
        b"\x80\2cnumpy.core.multiarray\n_reconstruct\n(K\0tR(K\1)cnumpy\ndtype\n(U\2O8tR\x89]"
        + steps + b"atb."
    )  # fmt: skip


PAIRS = b"](" + b"".join(b"M" + struct.pack("<H", i) + b"N\x86" for i in range(3000)) + b"eq\1"
EMPTY = b"](" + b")" * 3000 + b"eq\1"

HOSTILE: dict[str, bytes] = {
    "a zip of a hundred thousand parts": zipped(b"\x80\x02}.", 20_000),
    "a pickle of a million lists": zipped(b"\x80\x02" + b"]" * 1_000_000 + b"."),
    "a memo of a million places": zipped(b"\x80\x02]" + b"".join(
        b"r" + struct.pack("<I", i) for i in range(200_000)) + b"."),
    "lists without an end": zipped(laughs(b"]") + b"}X\x01\0\0\0ah\x3cs."),
    "a npy file of lists without an end": npy_of(laughs(b"]") + b"."),
    "a npy file with a text of 2**63 bytes": npy_of(b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f"),
    "a npy header without an end": npy_of(b"")[:8] + b"\xff\xff" + b"(" * 65535,
    "a npy header of version 2 and four gigabytes": b"\x93NUMPY\2\0\xff\xff\xff\xff{" + bytes(100),
    "a place that is tuples without an end": zipped(state_of(
        b"K\1q\0" + b"0h\0h\0\x86q\0" * 60), parts={"a/data/0": bytes(4)}),
    "one list, copied as a thousand shapes": zipped(
        b"\x80\2" + EMPTY + b"ctorch\nSize\nq\2" + b"h\2h\1\x85R" * 2000 + b"."),
    "one list, made a thousand dicts": zipped(
        b"\x80\2" + PAIRS + b"ccollections\nOrderedDict\nq\2" + b"h\2h\1\x85R" * 2000 + b"."),
    "parts of a zip that lie over each other": overlaid(),
    "a npy file of lists in lists": layers_of(
        EMPTY + b"0(" + b"h\1" * 3000 + b"lq\0020(" + b"h\2" * 3000 + b"l"),
    "a npy file with an array of 5,000 dimensions": layers_of(
        b"}U\1a" + array_of(b"(\x8a\xff" + b"\xff" * 254 + b"\x7fq\1" + b"h\1" * 5000 + b"t")
        + b"s"),
    "a header of many tensors": (lambda text: len(text).to_bytes(8, "little") + text)(json.dumps(
        {f"{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(20_000)}
    ).encode()),
    "a header of nothing but brackets": (100_000).to_bytes(8, "little") + b"{" + b"[" * 99_999,
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_made_to_harm_takes_no_more_than_twice_its_size(tmp_path: Path, case: str) -> None:
    (tmp_path / "a").write_bytes(HOSTILE[case])
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError) as caught:
            read_weights(tmp_path / "a")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert peak < 2 * len(HOSTILE[case]) + (4 << 20)  # and what a few steps of a pickle take


def test_a_state_dict_of_python_2_is_read(tmp_path: Path, torch: Any) -> None:
    """There an OrderedDict was made of a list of pairs, as in files of 2018."""
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2)}
    torch.save(dict(tensors), tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth") as archive:
        pickled = archive.read("a/data.pkl")
    dict_of_items = b"ccollections\nOrderedDict\n(]("
    start, end = pickled.index(b"}q\0(") + 4, pickled.rindex(b"u.")
    at = pickled.index(b"X\1\0\0\0b", start)
    pairs = b"".join(b"](" + pair + b"e" for pair in (pickled[start:at], pickled[at:end]))
    rezipped(tmp_path / "a.pth", {"data.pkl": pickled[:2] + dict_of_items + pairs + b"etR."})
    assert_same(read_weights(tmp_path / "a.pth"), tensors, torch)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 1.6"])
def test_half_a_file_of_pytorchs_is_to_be_copied_again(
    tmp_path: Path, torch: Any, zipped: bool
) -> None:
    path = tmp_path / "a.pth"
    torch.save({"a": torch.ones(1000)}, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(CheckpointError, match="cut short or damaged: copy or download it again"):
        read_weights(path)
