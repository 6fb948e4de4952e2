"""What is fuzzed: seeds of ours, how they are changed, what is done with them, what may come out.

Every input is bytes, so that a find is a file. Structured ones begin with a line that says which
part they replace.
"""

import bz2
import contextlib
import io
import json
import lzma
import os
import pickle
import random
import shutil
import socket
import struct
import tarfile
import threading
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from mutations import changed_bytes, changed_json, changed_words
from PIL import Image
from safetensors import numpy as safetensors

import alexnet_scratch.data.download as downloads
from alexnet_scratch.cli import USER_ERRORS
from alexnet_scratch.cli import main as alexnet
from alexnet_scratch.commands.compare import table
from alexnet_scratch.data import BadImageError, DataError, load_image
from alexnet_scratch.data.image import FORMATS
from alexnet_scratch.data.packed import open_packed
from alexnet_scratch.data.sources import open_source
from alexnet_scratch.data.sources.mat import load_mat
from alexnet_scratch.features import load_features
from alexnet_scratch.pickles import load_pickle
from alexnet_scratch.recipe import NETWORKS, RECIPES, Recipe, RecipeError
from alexnet_scratch.runs import as_json, grouped, read_run
from alexnet_scratch.training.checkpoint import load_checkpoint
from alexnet_scratch.training.folder import RunError
from alexnet_scratch.training.tensorboard import FILE as EVENTS
from alexnet_scratch.training.tensorboard import Events
from alexnet_scratch.weights import read_weights
from alexnet_scratch.weights.caffemodel import read_caffemodel
from alexnet_scratch.weights.file import WeightFile
from alexnet_scratch.weights.networks import identify
from alexnet_scratch.weights.onnx_in import read_onnx
from alexnet_scratch.weights.pth import MAGIC
from minigrad.serialization import CheckpointError, load_file, load_metadata, save_file

Draw = random.Random
FLAGS = [
    "--widths", "4,8,8,8,8", "--fc-width", "16", "--input-size", "64", "--image-size", "64",
    "--batch-size", "4", "--epochs", "1",
]  # fmt: skip
FIXED = 1 << 20  # bytes that reading weights may take besides twice a file's size
COMMANDS = (
    "predict run data/train/red/0.png", "predict run data --json", "evaluate run",
    "evaluate run run/last.safetensors data", "report run --out report.html",
    "summary --recipe small --input-size 64", "diff small paper", "stats packed --verify",
    "prepare data out --image-size 16 --per-class 2 --workers 1", "show-augment data --out a.png",
    "train --resume run", "completion bash", "compare run --json",
    "import run/best.safetensors out --network alexnet",
    "doctor data " + " ".join(FLAGS), "plan data " + " ".join(FLAGS),
    "train data --out new --max-steps 1 " + " ".join(FLAGS), "features run data --layer fc7",
    "train data --init-from run --out new --max-steps 1 --freeze conv --lr-factor fc8=5",
    "probe run data --json",
)  # fmt: skip


class Target(NamedTuple):
    """share: of 100,000 inputs, by their cost. errors: what may come out of `run`."""

    name: str
    share: int
    change: Callable[[Draw, bytes, bytes], bytes]
    run: Callable[[bytes, Path], object]
    errors: tuple[type[Exception], ...]


# -- seeds -----------------------------------------------------------------------------------


def make_seeds(root: Path) -> None:
    """Write the seeds of every target to root/TARGET; root/world: a set, a packed one, a run."""
    world = root / "world"
    for split, count in (("train", 3), ("val", 1)):
        for i, colour in enumerate(("red", "green")):
            folder = world / "data" / split / colour
            folder.mkdir(parents=True)
            for k in range(count):
                noise = np.random.default_rng(10 * i + k).integers(0, 256, (64, 64, 3), np.uint8)
                Image.fromarray(noise).save(folder / f"{k}.png")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        flags = [*FLAGS, "--tensorboard"]
        assert alexnet(["train", f"{world}/data", "--out", f"{world}/run", *flags]) == 0
        assert alexnet(["prepare", f"{world}/data", f"{world}/packed", "--image-size", "64"]) == 0
        file = f"{world}/run-data-relu7.npz"
        assert alexnet(["features", f"{world}/run", f"{world}/data", "--out", file]) == 0
    last = world / "run" / "last.safetensors"
    tensors = {"a": np.arange(6.0).reshape(2, 3), "b": {"c": [np.zeros(2, np.int8), 3, None]}}
    save_file(tensors, root / "tree.safetensors", {"note": "made"})
    plain = {"x": np.ones((2, 3), np.float32), "y": np.zeros(0, np.int64)}  # without a checksum
    seeds = {
        "weights": [(root / "tree.safetensors").read_bytes(), safetensors.save(plain)],
        "foreign": _foreign(),
        "checkpoint": [last.read_bytes()],
        "metadata": [f"{k}\n{v}".encode() for k, v in load_metadata(last).items() if "." not in k],
        "recipe": [one.to_json().encode() for one in (*RECIPES.values(), *NETWORKS.values())],
        "run": [
            f"{name}\n".encode() + (world / "run" / name).read_bytes()
            for name in ("metrics.jsonl", "run.json", "recipe.json")
        ],
        "events": [(world / "run" / EVENTS).read_bytes()],
        "image": _images(),
        "archive": _archives(world / "data"),
        "mat": _mats(),
        "pickle": _pickles(),
        "within": _within(),
        "parquet": _parquets(world / "data"),
        "packed": [
            file.name.encode() + b"\n" + file.read_bytes()
            for file in sorted((world / "packed").iterdir())
            if not file.name.endswith(".images")
        ],
        "caffemodel": _caffemodels(),
        "onnx": _onnx_models(),
        "download": _answers(),
        "features": [(world / "run-data-relu7.npz").read_bytes()],
        "command": ["\x1f".join(command.split()).encode() for command in COMMANDS],
    }
    for name, contents in seeds.items():
        (root / name).mkdir()
        for i, content in enumerate(contents):
            (root / name / f"{i:03d}").write_bytes(content)


def _torch_pickle(tensors: dict[str, np.ndarray], reduced: bytes = b"") -> bytes:
    """As torch.save pickles a state_dict; `reduced` is put before its end."""

    def text(word: str) -> bytes:
        return b"X" + struct.pack("<I", len(word)) + word.encode()

    def numbers(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"

    kinds = {"<f4": "Float", "<f2": "Half", "<u2": "BFloat16", "<i8": "Long"}
    ordered = b"ccollections\nOrderedDict\n)R"
    found = b"\x80\x02" + ordered
    for key, (name, array) in enumerate(tensors.items()):
        storage = b"(" + text("storage") + f"ctorch\n{kinds[array.dtype.str]}Storage\n".encode()
        storage += text(str(key)) + text("cpu") + b"J" + struct.pack("<i", array.size) + b"tQ"
        strides = tuple(stride // array.itemsize for stride in array.strides)
        found += text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\0"
        found += numbers(array.shape) + numbers(strides) + b"\x89" + ordered + b"tRs"
    return found + reduced + b"."


def _foreign() -> list[bytes]:
    """What PyTorch since 1.6 and before wrote, .npy files of layers, safetensors; one has code."""
    draw = np.random.default_rng(0)
    shapes = {"conv1": (4, 3, 11, 11), "conv2": (8, 2, 5, 5), "fc8": (5, 16)}
    floats = {
        f"{name}.{kind}": draw.standard_normal(shape if kind == "weight" else shape[:1])
        for name, shape in shapes.items() for kind in ("weight", "bias")
    }  # fmt: skip
    found = []
    code = b"cposix\nsystem\n(S'touch executed'\ntR0"
    for kind, harm in ((np.float32, b""), (np.float16, b""), (np.uint16, b""), (np.float32, code)):
        tensors = {name: array.astype(kind) for name, array in floats.items()}
        tensors["count"] = np.array(3, np.int64)
        pickled, buffer = _torch_pickle(tensors, harm), io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("a/data.pkl", pickled)
            archive.writestr("a/byteorder", b"little")
            for key, array in enumerate(tensors.values()):
                archive.writestr(f"a/data/{key}", array.tobytes())
        machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
        before = b"".join(pickle.dumps(x, 2) for x in (MAGIC, 1001, machine))
        keys = pickle.dumps([str(key) for key in range(len(tensors))], 2)
        data = b"".join(struct.pack("<q", a.size) + a.tobytes() for a in tensors.values())
        found += [buffer.getvalue(), before + pickled + keys + data]
    arrays = {name: array.astype(np.float32) for name, array in floats.items()}
    layers = {name: [arrays[f"{name}.weight"].T, arrays[f"{name}.bias"]] for name in shapes}
    named = {name: {"weights": pair[0], "biases": pair[1]} for name, pair in layers.items()}
    for held in (layers, named):
        buffer = io.BytesIO()
        np.save(buffer, np.array(held, object), allow_pickle=True)
        found.append(buffer.getvalue())
    return [*found, safetensors.save(arrays), safetensors.save({"a": np.ones(9, np.float16)})]


def _images() -> list[bytes]:
    rng, found = np.random.default_rng(0), []
    noise = Image.fromarray(rng.integers(0, 256, (12, 10, 4), np.uint8))
    for fmt in FORMATS:
        for mode in ("RGB", "L", "RGBA", "LA", "P", "1", "CMYK", "I;16", "I", "F"):
            for how in ({}, {"progressive": True}, {"compression": "tiff_lzw"}, {"interlace": 1}):
                buffer = io.BytesIO()
                with contextlib.suppress(Exception):  # most pairs do not exist
                    noise.convert(mode).save(buffer, fmt, **how)
                    found.append(buffer.getvalue())
    exif = Image.Exif()
    exif[0x0112] = 6
    for fmt in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        buffer = io.BytesIO()
        noise.convert("RGB").save(buffer, fmt, exif=exif)
        found.append(buffer.getvalue())
    animated = io.BytesIO()
    noise.convert("P").save(animated, "GIF", save_all=True, append_images=[noise.convert("P")] * 2)
    return sorted({*found, animated.getvalue(), b"P3 2 2 255 1 2 3 4 5 6 7 8 9 9 9 9"})


def _archives(data: Path) -> list[bytes]:
    files = {str(f.relative_to(data)): f.read_bytes() for f in sorted(data.rglob("*.png"))}
    small = dict(list(files.items())[:2])
    pixel = small[next(iter(small))]
    found = []
    for content in (files, {f"{'deep/' * 30}cat/{'n' * 120}.png": pixel, "é/1.png": pixel}):
        for layout in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w", format=layout) as tar:
                for name, body in content.items():
                    member = tarfile.TarInfo(name)
                    member.size = len(body)
                    with contextlib.suppress(ValueError):  # too long for ustar
                        tar.addfile(member, io.BytesIO(body))
            found.append(buffer.getvalue().rstrip(b"\0") + bytes(1024))
        for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w", kind) as archive:
                for name, body in content.items():
                    archive.writestr(name, body)
            found.append(buffer.getvalue())
    kaggle = "ILSVRC/Data/CLS-LOC"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{kaggle}/train/n01440764/n01440764_1.JPEG", pixel)
        archive.writestr(f"{kaggle}/val/ILSVRC2012_val_00000001.JPEG", pixel)
        table = "ImageId,PredictionString\nILSVRC2012_val_00000001,n01440764 1 2 3 4\n"
        archive.writestr("LOC_val_solution.csv", table)
        archive.writestr("LOC_synset_mapping.txt", "n01440764 tench, Tinca tinca\n")
    samples = io.BytesIO()
    with tarfile.open(fileobj=samples, mode="w") as tar:
        for name, body in (("0.png", pixel), ("0.cls", b"1"), ("1.png", pixel), ("1.cls", b"0"),
                           ("classnames.txt", b"cat\ndog\n")):  # fmt: skip
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    packed = [zlib.compress(found[0], wbits=31), bz2.compress(found[0]), lzma.compress(found[0])]
    return [*found, buffer.getvalue(), samples.getvalue(), *packed]


def _pickles(bytes_each: int = 20) -> list[bytes]:
    """CIFAR's batches as Python 3 and NumPy write them, and names in protocols 0 to 4."""
    pixels = np.random.default_rng(0).integers(0, 256, (4, bytes_each), np.uint8)
    batch = {"data": pixels, "labels": [0, 1, 1, 0], "filenames": [f"{i}.png" for i in range(4)]}
    meta = {"label_names": ["cat", "dog"]}
    batches = [pickle.dumps(batch, protocol) for protocol in (3, 4, 2, 5)]
    return [*batches, *(pickle.dumps(meta, protocol) for protocol in range(5))]


def _within() -> list[bytes]:
    """A line with the file's name, then its bytes: see `_load_within`."""
    pixels = np.random.default_rng(0).integers(0, 256, (4, 3072), np.uint8)
    images = bytes([0, 0, 8, 3]) + struct.pack(">3I", 4, 24, 32) + pixels[:, :768].tobytes()
    records = [bytes([i % 2]) + row.tobytes() for i, row in enumerate(pixels)]
    files = {
        "data_batch_1.bin": b"".join(records),
        "batches.meta.txt": b"cat\ndog\n",
        "data_batch_1": _pickles(3072)[0],
        "batches.meta": _pickles()[-1],
        "train-images-idx3-ubyte": images,
        "train-labels-idx1-ubyte": bytes([0, 0, 8, 1]) + struct.pack(">I4B", 4, 0, 1, 1, 0),
        "train-images-idx3-ubyte.gz": zlib.compress(images, wbits=31),
    }
    return [name.encode() + b"\n" + body for name, body in files.items()]


def _parquets(data: Path) -> list[bytes]:
    pixels = [file.read_bytes()[:300] for file in sorted(data.rglob("*.png"))]
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["a", "b"]}}
    found = []
    for images in (pixels, [{"bytes": one, "path": "x.png"} for one in pixels]):
        for how in ({}, {"compression": "none", "use_dictionary": False}, {"compression": "zstd"},
                    {"data_page_version": "2.0", "row_group_size": 3}):  # fmt: skip
            held = {"huggingface": json.dumps({"info": {"features": features}})}
            labels = [i % 2 for i in range(len(pixels))]
            table = pa.table({"image": images, "label": labels}, metadata=held)
            buffer = io.BytesIO()
            pyarrow.parquet.write_table(table, buffer, store_schema=False, **how)
            found.append(buffer.getvalue())
    return found


def _mats() -> list[bytes]:
    """A struct array of two fields, as in the development kit, compressed or not."""

    def element(kind: int, body: bytes) -> bytes:
        return struct.pack("<II", kind, len(body)) + body + bytes(-len(body) % 8)

    def matrix(kind: int, dims: tuple[int, ...], name: bytes, *rest: bytes) -> bytes:
        flags = element(6, struct.pack("<II", kind, 0))
        shape = element(5, struct.pack(f"<{len(dims)}i", *dims))
        return element(14, flags + shape + element(1, name) + b"".join(rest))

    number = matrix(6, (1, 1), b"", element(2, b"\7"))
    text = matrix(4, (1, 5), b"", element(16, b"tench"))
    fields = element(5, struct.pack("<i", 6)) + element(1, b"ID\0\0\0\0words\0")
    synsets = matrix(2, (2, 1), b"synsets", fields, number, text, number, text)
    head = bytes(124) + b"\0\1IM"
    return [head + synsets, head + element(15, zlib.compress(synsets))]


def _run(number: int, *parts: bytes) -> bytes:
    """A field of a protobuf message that is a run of bytes."""
    data = b"".join(parts)
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    return (bytes([value & 127 | 128]) + _varint(value >> 7)) if value > 127 else bytes([value])


def _caffemodels() -> list[bytes]:
    """Two layers in the form of today and in that of 2014, and one that says all it can."""
    numbers = np.arange(6, dtype="<f4").tobytes()
    new = _run(5, numbers) + _run(7, _run(1, b"\2\3"))
    old = b"\x08\1\x10\1\x18\2\x20\3" + _run(5, numbers)
    found = []
    for layers, name, kind, blobs, blob in ((100, 1, _run(2, b"Convolution"), 7, new),
                                            (2, 4, b"\x28\4", 6, old)):  # fmt: skip
        layer = _run(layers, _run(name, b"conv1"), kind, _run(blobs, blob), _run(blobs, blob))
        found.append(_run(1, b"net") + layer + _run(layers, _run(name, b"pool1"), _run(121)))
    lrn = _run(118, b"\x08\5\x15" + np.float32(1e-4).tobytes())
    options = _run(106, b"\x18\2\x20\3\x28\2\x30\4"), _run(121, b"\x10\3\x18\2"), lrn
    return [*found, _run(100, _run(1, b"all"), _run(2, b"LRN"), *options, _run(7, new))]


def _onnx_models() -> list[bytes]:
    """A convolution of an initialiser, in bytes and in floats, and of a constant of one value."""
    floats = np.arange(6, dtype="<f4").tobytes()
    shape = b"\x08\2\x08\3"
    one = _run(5, shape, b"\x10\1", _run(8, b"w"), _run(9, floats))
    two = _run(5, shape, b"\x10\1", _run(8, b"w"), _run(4, floats))
    sizes = _run(5, b"\x08\2\x10\7", _run(8, b"s"), _run(7, b"\2\3"))
    value = _run(5, _run(1, b"value"), _run(5, b"\x08\1\x10\1", _run(9, floats[:4])), b"\xa0\1\4")
    filled = _run(1, _run(1, b"s"), _run(2, b"w"), _run(4, b"ConstantOfShape"), value)
    pads = _run(5, _run(1, b"pads"), _run(8, b"\1\1"), b"\xa0\1\7")
    conv = _run(1, _run(1, b"x"), _run(1, b"w"), _run(2, b"y"), _run(4, b"Conv"), pads)
    free = _run(1, _run(2, b"n")), _run(1, b"\x08\3")
    size = _run(11, _run(1, b"x"), _run(2, _run(1, b"\x08\1", _run(2, *free))))
    note = _run(14, _run(1, b"classes"), _run(2, b"[]"))
    return [_run(7, *parts, conv, size) + note for parts in ((one,), (two,), (sizes, filled))]


def _answers() -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\nETag: \"one\"\r\nContent-Length: 1000\r\n\r\n"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n"
    rest = b"HTTP/1.1 206 Partial\r\nETag: \"one\"\r\nContent-Range: bytes 500-999/1000\r\n\r\n"
    return [
        head + bytes(1000), chunked + bytes(1000) + b"\r\n0\r\n\r\n", rest + bytes(500),
        b"HTTP/1.1 416 No\r\nContent-Range: bytes */1000\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 Later\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    ]  # fmt: skip


# -- what is done with an input --------------------------------------------------------------


def _bytes(draw: Draw, data: bytes, other: bytes) -> bytes:
    return changed_bytes(draw, data, other)


def _json(draw: Draw, data: bytes, _: bytes) -> bytes:
    return changed_json(draw, json.loads(data)).encode("utf-8", "replace")


def _part(draw: Draw, data: bytes, other: bytes) -> bytes:
    """A line that stays, then JSON or bytes that are changed."""
    name, _, body = data.partition(b"\n")
    is_json = name.endswith(b".json") or b"." not in name
    changed = _json(draw, body, b"") if is_json else changed_bytes(draw, body, other)
    return name + b"\n" + changed


def _named(draw: Draw, data: bytes, other: bytes) -> bytes:
    """A line that stays, then bytes that are changed."""
    name, _, body = data.partition(b"\n")
    return name + b"\n" + changed_bytes(draw, body, other)


def _archive(draw: Draw, data: bytes, other: bytes) -> bytes:
    """Also what is in a gzipped tar, and checksums of a tar's headers that fit."""
    new = bytearray(changed_bytes(draw, data, other))
    if len(new) > 512 and data[257:262] == b"ustar" and draw.random() < 0.5:
        for at in range(0, len(new) - 512, 512):
            if new[at + 257 : at + 262] == b"ustar":
                new[at + 148 : at + 156] = b" " * 8
                new[at + 148 : at + 156] = b"%06o\0 " % sum(new[at : at + 512])
        if draw.random() < 0.3:
            return zlib.compress(new, 1, wbits=31)
    return bytes(new)


def _weights(draw: Draw, data: bytes, other: bytes) -> bytes:
    """Also a part of a zip, with the checksum that fits it."""
    if data[:2] != b"PK" or draw.random() < 0.4:
        return changed_bytes(draw, data, other)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = "a/data.pkl" if draw.random() < 0.8 else draw.choice(sorted(parts))
    parts[name] = changed_bytes(draw, parts[name], parts[name])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in parts.items():
            archive.writestr(name, body)
    return buffer.getvalue()


def _words(draw: Draw, data: bytes, _: bytes) -> bytes:
    words = data.decode().split("\x1f")
    kept = 0 if draw.random() < 0.05 else 1  # the command itself
    words = words[:kept] + changed_words(draw, words[kept:])
    return "\x1f".join(words).encode("utf-8", "surrogateescape")


def _load_weights(data: bytes, work: Path) -> None:
    (work / "file").write_bytes(data)
    load_metadata(work / "file")
    load_file(work / "file")


def _load_foreign(data: bytes, work: Path) -> None:
    """Runs nothing, and takes at most twice the file's size and a fixed amount.

    Memory is traced from the first file on, for good: Python 3.11 may crash when tracing stops
    while another thread, such as the watchdog's, frees memory.
    """
    (work / "file").write_bytes(data)
    with contextlib.suppress(CheckpointError):
        identify(WeightFile({}, "torch"))  # the names that networks have are made once, and stay
    if not tracemalloc.is_tracing():
        tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    try:
        weights = read_weights(work / "file")
        with contextlib.suppress(CheckpointError):
            identify(weights)
    finally:
        peak = tracemalloc.get_traced_memory()[1] - before
        assert peak < 2 * len(data) + FIXED, peak
        assert not Path("executed").exists()


def _read(reader: Callable[[str], WeightFile], data: bytes, work: Path) -> None:
    """The tensors of a file of another program, every number of them."""
    (work / "file").write_bytes(data)
    for array in reader(str(work / "file")).tensors.values():
        if any(array.strides):  # else it is one number, however many times
            array.tobytes()


def _load_checkpoint(data: bytes, work: Path) -> None:
    (work / "file").write_bytes(data)
    load_checkpoint(work / "file").model()


def _load_features(data: bytes, work: Path) -> None:
    (work / "file").write_bytes(data)
    load_features(work / "file")


def _load_metadata(data: bytes, work: Path) -> None:
    """The run's checkpoint with one value changed and the right checksum."""
    last = work / "world" / "run" / "last.safetensors"
    name, _, value = data.partition(b"\n")
    held = {k: v for k, v in load_metadata(last).items() if not k.startswith("minigrad.")}
    changed = {**held, name.decode("utf-8", "replace"): value.decode("utf-8", "replace")}
    try:
        save_file(load_file(last), work / "file", changed)
    except (ValueError, TypeError):  # a name that is reserved
        return
    load_checkpoint(work / "file").model()


def _load_run(data: bytes, work: Path) -> None:
    """The run's small files with one replaced."""
    name, _, body = data.partition(b"\n")
    folder = work / "foreign"
    folder.mkdir(exist_ok=True)
    for file in ("metrics.jsonl", "run.json", "recipe.json"):
        own = (work / "world" / "run" / file).read_bytes()
        (folder / file).write_bytes(body if file.encode() == name else own)
    groups = grouped([read_run(folder), read_run(work / "world" / "run")])
    json.dumps(as_json(groups), allow_nan=False)
    assert table(groups, 80)


def _load_events(data: bytes, work: Path) -> None:
    (work / EVENTS).write_bytes(data)
    Events(work / EVENTS).begin(1, [])


def _load_archive(data: bytes, work: Path) -> None:
    (work / "file").write_bytes(data)
    with contextlib.closing(open_source(work / "file")) as source:
        for item in source.items[:10]:
            with contextlib.suppress(BadImageError):
                source.read(item)


def _load_within(data: bytes, work: Path) -> None:
    """A folder of CIFAR's or MNIST's files with one of them replaced."""
    changed, _, body = data.partition(b"\n")
    folder = work / "files"
    folder.mkdir(exist_ok=True)
    kind = next((kind for kind in WITHIN if changed.decode("utf-8", "replace") in kind), WITHIN[0])
    seeds = dict(seed.split(b"\n", 1) for seed in _within())
    try:
        for name in kind:
            key = name.encode()
            (folder / name).write_bytes(body if key == changed else seeds[key])
        with contextlib.closing(open_source(folder)) as source:
            for item in source.items[:10]:
                with contextlib.suppress(BadImageError):
                    load_image(source.read(item), 8)
    finally:
        shutil.rmtree(folder)


WITHIN = (
    ("data_batch_1.bin", "batches.meta.txt"), ("data_batch_1", "batches.meta"),
    ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"),
)  # fmt: skip


def _load_parquet(data: bytes, work: Path) -> None:
    (work / "train.parquet").write_bytes(b"PAR1" + data[4:])
    try:
        with contextlib.closing(open_source(work / "train.parquet")) as source:
            for item in source.items[:10]:
                with contextlib.suppress(BadImageError):
                    source.read(item)
    finally:
        (work / "train.parquet").unlink()


def _load_packed(data: bytes, work: Path) -> None:
    """The packed set with one file replaced."""
    name, _, body = data.partition(b"\n")
    file = work / "world" / "packed" / Path(name.decode("utf-8", "replace").replace("\0", "")).name
    if not file.is_file():
        return
    before = file.read_bytes()
    try:
        file.write_bytes(body)
        packed = open_packed(file.parent)
        images = packed.images("train", None)
        assert images[0][0].shape == (packed.image_size,) * 2 + (3,)
        assert len(images.source_names) == len(images)
        assert packed.statistics.images >= 0
        packed.verify()
    finally:
        file.write_bytes(before)


def _fetch(data: bytes, work: Path) -> None:
    """A server's answer; every other one comes when half of the file is there."""
    downloads.RETRIES, downloads.BACK_OFF, downloads.TIMEOUT = 0, 0.0, 1.0
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(1.0)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(1.0)
                    connection.recv(65536)
                    connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)

    folder = work / "downloads"
    folder.mkdir(exist_ok=True)
    if len(data) % 2:
        (folder / "x.tgz.part").write_bytes(bytes(500))
        (folder / "x.tgz.part.etag").write_bytes(b'"one"')
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x.tgz"
        file = downloads.fetch(downloads.Archive(url, 1000, None), folder)
        assert file.stat().st_size == 1000
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        shutil.rmtree(folder)


def _command(data: bytes, work: Path) -> None:
    words = data.decode("utf-8", "surrogateescape").split("\x1f")
    if words[0] in ("learn", "bench") or "--download" in words:
        return  # Jupyter, minutes, and other computers
    if words[0] in ("train", "doctor", "plan") and not {"--resume", FLAGS[1]}.intersection(words):
        return  # the whole network
    os.environ["ALEXNET_CACHE"] = "/dev/null/none"  # where nothing can be drawn, for minutes
    with contextlib.chdir(work / "world"):
        try:
            status = alexnet(words)
        except SystemExit as end:
            status = int(end.code or 0)
        finally:
            for made in ("out", "new"):
                shutil.rmtree(made, ignore_errors=True)
        assert status in (0, 1, 2)


TARGETS = {
    target.name: target
    for target in (
        Target("weights", 6_000, _bytes, _load_weights, (CheckpointError,)),
        Target("checkpoint", 8_000, _bytes, _load_checkpoint, (CheckpointError,)),
        Target("metadata", 6_000, _part, _load_metadata, (CheckpointError,)),
        Target("features", 3_000, _bytes, _load_features, (DataError,)),
        Target("recipe", 12_000, _json, lambda data, _: Recipe.from_json(
            data.decode("utf-8", "replace")), (RecipeError,)),
        Target("run", 3_000, _part, _load_run, (RunError,)),
        Target("events", 1_000, _bytes, _load_events, ()),
        Target("image", 12_300, _bytes, lambda data, _: load_image(data, 8), (BadImageError,)),
        Target("archive", 8_000, _archive, _load_archive, (DataError,)),
        Target("mat", 5_000, _bytes, lambda data, _: load_mat(data), (ValueError,)),
        Target("pickle", 3_000, _bytes, lambda data, _: load_pickle(
            io.BytesIO(data)), (ValueError,)),
        Target("within", 2_000, _named, _load_within, (DataError,)),
        Target("parquet", 3_000, _bytes, _load_parquet, (DataError,)),
        Target("packed", 5_000, _part, _load_packed, (DataError,)),
        Target("caffemodel", 6_000, _bytes, lambda data, work: _read(
            read_caffemodel, data, work), (CheckpointError,)),
        Target("onnx", 6_000, _bytes, lambda data, work: _read(
            read_onnx, data, work), (CheckpointError,)),
        Target("download", 1_700, _bytes, _fetch, (DataError,)),
        Target("command", 1_000, _words, _command, USER_ERRORS),
        # The last, as it slows what follows.
        Target("foreign", 8_000, _weights, _load_foreign, (CheckpointError,)),
    )
}  # fmt: skip
