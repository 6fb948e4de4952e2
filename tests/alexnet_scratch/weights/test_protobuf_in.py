"""Caffe's files and ONNX models: read to the bit without the programs that wrote them."""

from __future__ import annotations

import os
import sys
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alexnet_scratch.weights.caffemodel import read_caffemodel
from alexnet_scratch.weights.onnx_in import read_onnx
from alexnet_scratch.weights.protobuf import open_message
from minigrad.serialization import CheckpointError

sys.path.append(str(Path(__file__).parent))  # `import caffe_files`


def saved(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def run(number: int, data: bytes) -> bytes:
    """A field that is a run of bytes."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


FOUR = run(5, np.arange(4, dtype="<f4").tobytes())  # a blob's numbers


# ----- the wire -----


def test_every_kind_of_field_is_read(tmp_path: Path) -> None:
    data = (
        varint(1 << 3) + varint(300) + varint(1 << 3) + varint(2**64 - 2)
        + varint(2 << 3 | 5) + np.float32(1.5).tobytes() + varint(3 << 3 | 1) + bytes(8)
        + run(4, "é".encode()) + run(5, varint(1) + varint(2**64 - 1)) + varint(5 << 3) + varint(7)
        + run(6, np.arange(3, dtype="<f4").tobytes()) + run(7, run(1, b"deep"))
    )  # fmt: skip
    given = open_message(saved(tmp_path / "a", data)).grouped()
    assert given.integers(1) == [300, -2]
    assert (given.integer(1), given.integer(99, 4)) == (-2, 4)
    assert (given.number(2, 0.0), given.number(99, 2.5)) == (1.5, 2.5)
    assert given[3] == [bytes(8)]
    assert (given.text(4), given.text(99)) == ("é", "")
    assert given.integers(5) == [1, -1, 7]
    numbers = given.messages(6)[0].numbers("<f4")
    np.testing.assert_array_equal(numbers, [0, 1, 2])
    assert numbers.base is not None  # a view of the file
    deep = given.message(7)
    assert deep is not None
    assert deep.grouped().text(1) == "deep"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x08", "ends within a number"), (b"\x08" + b"\xff" * 11, "ends within a number"),
        (b"\x00\x01", "field of number 0"), (b"\x0b\x0c", "unknown kind 3"),
        (b"\x0a\x05abc", "ends too early"), (b"\x0d\x01", "ends too early"),
        (b"\x0a" + varint(2**63), "ends too early"),
    ],
)  # fmt: skip
def test_what_is_no_protobuf_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        open_message(saved(tmp_path / "a", data)).grouped()


def test_a_field_of_another_kind_is_refused(tmp_path: Path) -> None:
    data = varint(1 << 3) + b"\1" + run(2, b"\xff") + run(3, b"a" * 10_001) + run(4, bytes(6))
    given = open_message(saved(tmp_path / "a", data)).grouped()
    for ask, said in (
        (lambda: given.text(1), "field 1 is not stored as a message"),
        (lambda: given.number(1, 0.0), "not stored as a number of 32 bits"),
        (lambda: given.text(2), "can't decode"), (lambda: given.text(3), "10,001 bytes, at most"),
        (lambda: given.messages(4)[0].numbers("<f4"), "no numbers of 4 bytes"),
        (lambda: given.integers(2), "ends within a number"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            ask()


def test_reading_takes_little_memory_whatever_the_file_says(tmp_path: Path) -> None:
    hostile = [
        b"\x08\x01" * 50_000,  # many fields
        run(7, run(1, b"") * 2_501), run(7, run(1, b"") * 2_500), run(7, run(5, b"") * 2_501),
        run(100, b"") * 2_501, run(100, run(7, FOUR) * 17), run(7, run(1, run(5, b"") * 9_000)),
        run(100, run(1, b"x") + run(2, b"y") + run(7, run(7, run(1, varint(2**62) * 2)))),
        run(100, run(7, run(7, run(1, b"\x01" * 100_000)) + run(5, bytes(4)))),
        run(7, run(5, b"\x08" + varint(2**62) + run(8, b"w") + b"\x10\x01" + run(9, bytes(4)))),
    ]
    for data in hostile:
        path = saved(tmp_path / "a", data)
        tracemalloc.start()
        for read in (read_caffemodel, read_onnx):
            with pytest.raises(CheckpointError, match="not read as"):
                read(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2 * len(data) + (5 << 20)


# ----- Caffe -----


@pytest.mark.parametrize("v1", [False, True], ids=["layer", "V1"])
@pytest.mark.parametrize("shapes", [True, False], ids=["shape", "four sizes"])
def test_caffes_blobs_are_read_to_the_bit(tmp_path: Path, v1: bool, shapes: bool) -> None:
    from caffe_files import alexnet, blobs

    arrays = blobs()
    found = read_caffemodel(saved(tmp_path / "a.caffemodel", alexnet(arrays, v1=v1, shapes=shapes)))
    assert found.source == "caffe"
    assert list(found.tensors) == list(arrays)
    for name, array in arrays.items():
        given = found.tensors[name]
        assert given.tobytes() == array.tobytes()
        assert given.squeeze().shape == array.shape
        assert shapes is False or given.shape == array.shape
        assert not given.flags.writeable


@pytest.mark.parametrize("v1", [False, True], ids=["layer", "V1"])
def test_caffes_order_of_layers_and_their_numbers_are_told(tmp_path: Path, v1: bool) -> None:
    from caffe_files import alexnet, blobs

    facts = read_caffemodel(
        saved(tmp_path / "a.caffemodel", alexnet(blobs(), "relu-pool-lrn", v1=v1))
    ).facts
    assert facts["network"] == "AlexNet"
    assert facts["layers"][:9] == [
        "data", "conv1", "relu1", "pool1", "norm1", "conv2", "relu2", "pool2", "norm2",
    ]  # fmt: skip
    layers = {layer["name"]: layer for layer in facts["graph"]}
    assert layers["conv1"] == {"name": "conv1", "type": "Convolution", "stride": (4, 4),
                               "padding": (0, 0), "groups": 1}  # fmt: skip
    assert (layers["conv2"]["padding"], layers["conv2"]["groups"]) == ((2, 2), 2)
    assert layers["conv2"]["stride"] == (1, 1)
    assert layers["pool1"] == {"name": "pool1", "type": "Pooling", "pool": "max", "kernel": (3, 3),
                               "stride": (2, 2), "padding": (0, 0)}  # fmt: skip
    norm = layers["norm1"]
    assert (norm["type"], norm["size"], norm["beta"], norm["k"]) == ("LRN", 5, 0.75, 1.0)
    assert norm["alpha"] == pytest.approx(1e-4)
    assert layers["drop6"]["p"] == pytest.approx(0.4)
    assert [layers[name]["type"] for name in ("relu1", "fc6", "loss")] == [
        "ReLU", "InnerProduct", "SoftmaxWithLoss",
    ]  # fmt: skip


def test_caffes_older_and_rarer_ways_of_saying_it(tmp_path: Path) -> None:
    from caffe_files import MESSAGES

    net = MESSAGES["NetParameter"]()
    layer = net.layer.add(name="a", type="Convolution")
    layer.convolution_param.pad_h, layer.convolution_param.pad_w = 1, 2
    layer.convolution_param.stride.extend([3, 4])
    blob = layer.blobs.add()
    blob.shape.dim.extend([2, 2])
    blob.double_data.extend([1.0, 2.0, 3.0, 1e300])
    net.layer.add(name="b", type="LRN")
    pool = net.layer.add(name="c", type="Pooling")
    pool.pooling_param.kernel_h, pool.pooling_param.kernel_w, pool.pooling_param.pool = 2, 3, 1
    found = read_caffemodel(saved(tmp_path / "a", net.SerializeToString()))
    np.testing.assert_array_equal(found.tensors["a.weight"], [[1.0, 2.0], [3.0, 1e300]])
    a, b, c = found.facts["graph"]
    assert (a["padding"], a["stride"]) == ((1, 2), (3, 4))
    assert (b["size"], b["alpha"], b["beta"], b["k"]) == (5, 1.0, 0.75, 1.0)
    assert (c["pool"], c["kernel"], c["stride"]) == ("mean", (2, 3), (1, 1))


def _layer(blob: bytes, name: bytes = b"a") -> bytes:
    return run(100, run(1, name) + run(2, b"Convolution") + run(7, blob))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty file"), (b"hello, this is a text of some length", "not read as Caffe's"),
        (run(1, b"net"), "no layer in it has weights"),
        (_layer(FOUR + run(7, run(1, varint(5)))), "reaches beyond the 4 numbers"),
        (_layer(FOUR + run(7, run(1, varint(3)))), "4 numbers for a shape of 3"),
        (_layer(FOUR + run(7, run(1, varint(2**64 - 4)))), "no whole number"),
        (_layer(FOUR + FOUR), "2 rows of numbers"), (_layer(b""), "0 rows of numbers"),
        (_layer(varint(5 << 3 | 5) + bytes(4)), "field 5 is not stored as a message"),
        (_layer(FOUR + run(7, run(1, varint(4)))) * 2, "two layers of the name 'a'"),
        (_layer(FOUR)[:-3], "ends too early"),
    ],
)  # fmt: skip
def test_a_damaged_file_of_caffes_is_refused_in_a_line(
    tmp_path: Path, data: bytes, said: str
) -> None:
    path = saved(tmp_path / "a.caffemodel", data)
    with pytest.raises(CheckpointError, match=said) as caught:
        read_caffemodel(path)
    assert str(caught.value).startswith(f"{path}: not read as Caffe's: ")
    assert "\n" not in str(caught.value)


# ----- ONNX -----


def model(**weights: Any) -> Any:
    """A model that uses all of these arrays or TensorProtos as weights."""
    onnx = pytest.importorskip("onnx")
    held = [
        value if hasattr(value, "dims") else onnx.numpy_helper.from_array(value, name)
        for name, value in weights.items()
    ]  # fmt: skip
    made = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["x", *weights], ["y"], group=2, alpha=0.25, pads=[1, -1],
                               some=[0.5, 2.0], how="SAME")],
        "g", [onnx.helper.make_tensor_value_info("x", 1, ["n", 3, 8, 8])],
        [onnx.helper.make_tensor_value_info("y", 1, None)], held,
    )  # fmt: skip
    result = onnx.helper.make_model(made, producer_name="me")
    onnx.helper.set_model_props(result, {"classes": "é" * 30_000})
    return result


def test_initialisers_are_read_to_the_bit_in_every_way_that_they_are_stored(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    draw = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        dtype: draw.standard_normal((2, 3, 2)).astype(dtype) for dtype in ("f4", "f8", "f2")
    }
    listed = onnx.helper.make_tensor("listed", 1, (2, 2), [1.5, 2.5, np.inf, -0.0])
    doubles = onnx.helper.make_tensor("doubles", 11, (2,), [1e300, 2.0])
    half = onnx.helper.make_tensor("half", 16, (2,), np.uint16([0x3FC0, 0xC000]).tobytes(), True)
    made = model(**arrays, listed=listed, doubles=doubles, half=half, whole=np.arange(3))
    found = read_onnx(saved(tmp_path / "a.onnx", made.SerializeToString()))
    assert set(found.tensors) == {*arrays, "listed", "doubles", "half"}  # whole numbers are none
    for name, array in arrays.items():
        wanted = array.astype(np.float32) if name == "f2" else array
        assert found.tensors[name].tobytes() == wanted.tobytes()
        assert not found.tensors[name].flags.writeable
    np.testing.assert_array_equal(found.tensors["listed"], [[1.5, 2.5], [np.inf, 0]])
    np.testing.assert_array_equal(found.tensors["doubles"], [1e300, 2.0])
    np.testing.assert_array_equal(found.tensors["half"], [1.5, -2.0])


def test_nodes_and_properties_are_facts(tmp_path: Path) -> None:
    made = model(w=np.ones((4, 3, 1, 1), np.float32))
    facts = read_onnx(saved(tmp_path / "a.onnx", made.SerializeToString())).facts
    assert facts["producer"] == "me"
    assert facts["classes"] == "é" * 30_000
    assert facts["input"] == [0, 3, 8, 8]
    (node,) = facts["graph"]
    assert node == {"type": "Conv", "name": "y", "inputs": ["x", "w"], "outputs": ["y"],
                    "group": 2, "alpha": 0.25, "pads": [1, -1], "some": [0.5, 2.0],
                    "how": "SAME"}  # fmt: skip


@pytest.mark.parametrize(
    "name", ["zfnet512", "vgg19", "squeezenet", "resnet50", "densenet121"]
)
def test_the_public_test_models_are_read_as_onnx_reads_them(name: str) -> None:
    onnx = pytest.importorskip("onnx")
    folder = Path(onnx.__file__).parent / "backend/test/data/light"
    path = folder / f"light_{name}.onnx"
    found = read_onnx(os.fspath(path))
    theirs = onnx.load(path).graph
    constant = ("ConstantOfShape", "Constant")
    nodes = [node for node in theirs.node if node.op_type not in constant]
    assert [node["type"] for node in found.facts["graph"]] == [node.op_type for node in nodes]
    shapes = {one.name: onnx.numpy_helper.to_array(one) for one in theirs.initializer}
    for node in theirs.node:
        if node.op_type == "ConstantOfShape" and node.output[0] in found.tensors:
            array = found.tensors[node.output[0]]
            assert array.shape == tuple(shapes[node.input[0]])
            assert array.nbytes == 0 or not any(array.strides)  # one number in memory
            value = onnx.numpy_helper.to_array(node.attribute[0].t)
            assert array.reshape(-1)[0] == value[0]
    weighed = {n for node in nodes if node.op_type in ("Conv", "Gemm") for n in node.input[1:]}
    assert weighed <= set(found.tensors)


@pytest.mark.slow
def test_a_model_that_pytorch_exports_keeps_its_names_and_bits(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    nn = torch.nn
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), nn.Flatten(),
                        nn.Linear(144, 5)).eval()  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is a newer exporter, which needs onnxscript
        torch.onnx.export(net, (torch.randn(2, 3, 8, 8),), tmp_path / "a.onnx", dynamo=False)
    found = read_onnx(str(tmp_path / "a.onnx"))
    state = {k: v.numpy() for k, v in net.state_dict().items() if not k.endswith("tracked")}
    assert found.facts["producer"] == "pytorch"
    assert found.tensors.keys() == state.keys()
    for name, array in found.tensors.items():
        assert array.tobytes() == state[name].tobytes()


def _tensor(**fields: bytes) -> bytes:
    """A model of one initialiser, and a node that takes it."""
    node = run(1, run(1, b"x") + run(1, b"w") + run(2, b"y") + run(4, b"Conv"))
    return run(7, node + run(5, run(8, b"w") + b"".join(fields.values())))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty file"), (b"hello, this is a text of some length", "not read as an ONNX"),
        (run(2, b"me"), "there is no graph in it"), (run(7, run(2, b"g")), "no node in it has we"),
        (_tensor(type=b"\x10\x01", dims=b"\x08\x05", raw=run(9, bytes(16))), "4 numbers for the"),
        (_tensor(type=b"\x10\x01", dims=b"\x08\x05"), "it has no numbers"),
        (_tensor(type=b"\x10\x15", dims=b"\x08\x05"), "has the type 21, which is not read"),
        (_tensor(type=b"\x10\x01", dims=b"\x08" + varint(2**64 - 1), raw=run(9, bytes(4))),
         "1 numbers for the shape"),
        (_tensor(type=b"\x10\x01", where=run(13, run(1, b"location"))), "are in another file"),
        (_tensor(type=b"\x10\x01", dims=b"\x08\x01" * 9, raw=run(9, bytes(4))), "9 dimensions"),
        (_tensor(type=b"\x10\x01", dims=run(1, varint(2**62) * 30_000), raw=run(9, bytes(4))),
         "30000 dimensions"),
        (_tensor(type=b"\x10\x01", dims=b"\x08\x01", raw=run(9, bytes(4)))[:-2], "ends too early"),
    ],
)  # fmt: skip
def test_a_damaged_model_is_refused_in_a_line(tmp_path: Path, data: bytes, said: str) -> None:
    path = saved(tmp_path / "a.onnx", data)
    with pytest.raises(CheckpointError, match=said) as caught:
        read_onnx(path)
    assert str(caught.value).startswith(f"{path}: not read as an ONNX model: ")
    assert "\n" not in str(caught.value)
