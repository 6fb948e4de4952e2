"""Writes one made data set in every layout that people have: `LAYOUTS[name](folder, images())`.

Every writer makes what it writes below `folder` (which must be new) and returns the path to open.
The same images stand under the same CLASS_ID/FILE in each, with the real names and quirks around.
"""

import csv
import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

WORDS = {
    "n01440764": "tench, Tinca tinca",
    "n02102040": "English springer, English springer spaniel",
    "n02979186": "cassette player",
}
# ILSVRC2012_ID counts in another order than the sorted ids.
ILSVRC_IDS = {"n02979186": 1, "n01440764": 2, "n02102040": 3}


class Made(NamedTuple):
    """A made image file: name is CLASS_ID/FILE."""

    split: str
    class_id: str
    name: str
    data: bytes


Images = list[Made]


def images(seed: int = 0, train: int = 4, val: int = 2) -> Images:
    """Three classes of `train` and `val` images each, named as in ImageNet, sorted.

    The first class has a CMYK JPEG first and a grey one second, the second a PNG called JPEG.
    """
    rng = np.random.default_rng(seed)
    made = []
    for label, class_id in enumerate(WORDS):
        for i in range(train):
            kind = {(0, 0): "CMYK", (0, 1): "L", (1, 0): "PNG"}.get((label, i), "RGB")
            name = f"{class_id}/{class_id}_{10 * i + 7}.JPEG"
            made.append(Made("train", class_id, name, encoded(rng, kind)))
        for i in range(val):  # the classes take turns, as in the real numbering
            name = f"{class_id}/ILSVRC2012_val_{3 * i + label + 1:08d}.JPEG"
            made.append(Made("val", class_id, name, encoded(rng, "RGB")))
    return sorted(made)


def encoded(rng: np.random.Generator, kind: str = "RGB", size: tuple[int, int] = (48, 40)) -> bytes:
    """A picture of soft blobs: a JPEG of mode `kind`, or a PNG."""
    pixels = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
    picture = pixels.resize(size, Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    if kind == "PNG":
        picture.save(buffer, "PNG")
    else:
        picture.convert(kind).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


# -- plain folders and archives of them ------------------------------------------------------


def write_folder(root: Path, made: Images) -> Path:
    """ROOT/train/CLASS and ROOT/val/CLASS, with a hidden file and a note beside the images."""
    files = {f"{m.split}/{m.name}": m.data for m in made}
    return write_files(root, files | {"train/.DS_Store": b"\0", "README.md": b"made"})


def write_classes(root: Path, made: Images) -> Path:
    """ROOT/CLASS with the training images only."""
    return write_files(root, {m.name: m.data for m in made if m.split == "train"})


def write_imagenette_tgz(folder: Path, made: Images) -> Path:
    """imagenette2-160.tgz as fast.ai makes it, with a Mac's leavings."""
    files = {f"imagenette2-160/{m.split}/{m.name}": m.data for m in made}
    files |= {
        "imagenette2-160/noisy_imagenette.csv": b"path,noisy_labels_0\n",
        "._imagenette2-160": b"\0\5\x16\7",
        f"imagenette2-160/train/._{made[0].class_id}": b"\0\5\x16\7",
        f"imagenette2-160/{made[0].split}/{made[0].class_id}/._x.JPEG": b"\0\5\x16\7",
    }
    return write_tar(folder / "imagenette2-160.tgz", files)


def write_folder_tar(folder: Path, made: Images) -> Path:
    """A .tar made inside the folder with `tar cf ../set.tar .`."""
    return write_tar(folder / "set.tar", {f"./{m.split}/{m.name}": m.data for m in made})


def write_folder_zip(folder: Path, made: Images) -> Path:
    """A .zip as macOS makes it."""
    files = {f"set/{m.split}/{m.name}": m.data for m in made}
    return write_zip(folder / "set.zip", files | {"__MACOSX/set/._train": b"\0\5\x16\7"})


# -- ImageNet ---------------------------------------------------------------------------------


def write_ilsvrc(folder: Path, made: Images, val: bool = True, devkit: bool = True) -> Path:
    """The archives of ILSVRC2012 as they are downloaded; without those of val or the devkit."""
    write_tar(folder / "ILSVRC2012_img_train.tar", class_tars(made))
    if val:
        flat = {m.name.split("/")[1]: m.data for m in _val_order(made)}
        write_tar(folder / "ILSVRC2012_img_val.tar", flat)
    if devkit:
        write_devkit(folder, made)
    return folder


def class_tars(made: Images) -> dict[str, bytes]:
    """What is in the archive of the training images: a tar for each class."""
    inner = {}
    for class_id in WORDS:
        mine = [m for m in made if (m.split, m.class_id) == ("train", class_id)]
        inner[f"{class_id}.tar"] = tar_bytes({m.name.split("/")[1]: m.data for m in mine})
    return inner


def write_class_tars(root: Path, made: Images) -> Path:
    """train/ as it comes out of that archive, beside sorted validation images."""
    files = {f"train/{name}": data for name, data in class_tars(made).items()}
    return write_files(root, files | {f"val/{m.name}": m.data for m in made if m.split == "val"})


def write_devkit(folder: Path, made: Images) -> Path:
    """ILSVRC2012_devkit_t12.tar.gz."""
    truth = "".join(f"{ILSVRC_IDS[m.class_id]}\n" for m in _val_order(made))
    top = "ILSVRC2012_devkit_t12"
    files = {
        f"{top}/readme.txt": b"documentation",
        f"{top}/data/meta.mat": meta_mat(),
        f"{top}/data/ILSVRC2012_validation_ground_truth.txt": truth.encode(),
        f"{top}/evaluation/demo_eval.m": b"% MATLAB",
    }
    return write_tar(folder / f"{top}.tar.gz", files)


def meta_mat() -> bytes:
    """meta.mat: a column of structs, the leaves 1, 2, 3 and then two synsets above them."""
    fields = ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children", "children",
              "wordnet_height", "num_train_images")  # fmt: skip
    leaves = sorted((number, wnid) for wnid, number in ILSVRC_IDS.items())
    rows: list[tuple[Any, ...]]
    rows = [(n, w, WORDS[w], "a thing", 0, [], 0, 1300) for n, w in leaves]
    rows += [(4, "n00001740", "entity", "that which is", 2, [1, 5], 2, 0)]
    rows += [(5, "n00015388", "animal, beast", "alive", 2, [2, 3], 1, 0)]
    return mat_file("synsets", fields, rows)


def mat_file(name: str, fields: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """A column of structs as MATLAB 7 writes it: compressed, text as UTF-8, numbers as doubles
    that are stored as bytes or 16-bit integers where these hold them."""
    names = b"".join(field.encode().ljust(32, b"\0") for field in fields)
    contents = mat_element(5, struct.pack("<i", 32)) + mat_element(1, names)
    for row in rows:
        for value in row:
            contents += mat_value(value)
    whole = mat_matrix(2, (len(rows), 1), contents, name)
    packed = zlib.compress(whole)
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM"
    return header + struct.pack("<II", 15, len(packed)) + packed


def mat_value(value: Any) -> bytes:
    """A string, a number or a row of them as an unnamed matrix."""
    if isinstance(value, str):
        return mat_matrix(4, (1, len(value)), mat_element(16, value.encode()))
    row = np.atleast_1d(np.asarray(value, np.float64))
    kind, dtype = (2, "u1") if (row < 256).all() else (4, "<u2")
    return mat_matrix(6, (int(len(row) > 0), len(row)), mat_element(kind, row.astype(dtype)))


def mat_matrix(kind: int, dims: Sequence[int], contents: bytes, name: str = "") -> bytes:
    """An element of type miMATRIX."""
    flags, shape = struct.pack("<II", kind, 0), struct.pack(f"<{len(dims)}i", *dims)
    head = mat_element(6, flags) + mat_element(5, shape) + mat_element(1, name.encode())
    return mat_element(14, head + contents)


def mat_element(kind: int, data: Any) -> bytes:
    """Tag, data and padding; data of one to four bytes stand in the tag."""
    data = bytes(data)
    if 0 < len(data) <= 4:
        return struct.pack("<HH", kind, len(data)) + data.ljust(4, b"\0")
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def write_kaggle(root: Path, made: Images) -> Path:
    """Kaggle's tree, with a CSV that Excel has saved (BOM, CRLF)."""
    return write_files(root, kaggle_files(made))


def kaggle_files(made: Images) -> dict[str, bytes]:
    """The files of Kaggle's tree."""
    data, files = "ILSVRC/Data/CLS-LOC", {}
    for m in made:
        name = m.name if m.split == "train" else m.name.split("/")[1]
        files[f"{data}/{m.split}/{name}"] = m.data
    table = io.StringIO(newline="")
    rows = csv.writer(table, lineterminator="\r\n")
    rows.writerow(["ImageId", "PredictionString"])
    for i, m in enumerate(reversed(_val_order(made))):  # in no order, with one box or two
        boxes = f"{m.class_id} 85 1 499 272 " * (1 + i % 2)
        rows.writerow([m.name.split("/")[1].removesuffix(".JPEG"), boxes])
    synsets = "".join(f"{wnid} {words}\n" for wnid, words in WORDS.items())
    return files | {
        f"{data}/test/ILSVRC2012_test_00000001.JPEG": made[0].data,
        "ILSVRC/ImageSets/CLS-LOC/val.txt": b"ILSVRC2012_val_00000001 1\n",
        "ILSVRC/Annotations/CLS-LOC/val/ILSVRC2012_val_00000001.xml": b"<annotation/>",
        "LOC_sample_submission.csv": b"ImageId,PredictionString\n",
        "LOC_synset_mapping.txt": synsets.encode(),
        "LOC_val_solution.csv": b"\xef\xbb\xbf" + table.getvalue().encode(),
    }


# -- Tiny ImageNet ----------------------------------------------------------------------------


def write_tiny(root: Path, made: Images) -> Path:
    """The folder of Tiny ImageNet."""
    return write_files(root, tiny_files(made))


def write_tiny_zip(folder: Path, made: Images) -> Path:
    """tiny-imagenet-200.zip."""
    files = {f"tiny-imagenet-200/{name}": data for name, data in tiny_files(made).items()}
    return write_zip(folder / "tiny-imagenet-200.zip", files)


def tiny_files(made: Images) -> dict[str, bytes]:
    """The files of Tiny ImageNet."""
    files, boxes = {}, ""
    for m in made:
        file = m.name.split("/")[1]
        folder = "val" if m.split == "val" else f"train/{m.class_id}"
        files[f"{folder}/images/{file}"] = m.data
        boxes += f"{file}\t{m.class_id}\t0\t32\t44\t62\n" if m.split == "val" else ""
    for class_id in WORDS:
        files[f"train/{class_id}/{class_id}_boxes.txt"] = f"{class_id}_7.JPEG\t0\t1\n".encode()
    words = "".join(f"{wnid}\t{text}\n" for wnid, text in [("n00001740", "entity"), *WORDS.items()])
    return files | {
        "val/val_annotations.txt": boxes.encode(),
        "test/images/test_0.JPEG": made[0].data,
        "wnids.txt": "\n".join(reversed(WORDS)).encode(),
        "words.txt": words.encode(),
    }


# -- files, tars and zips ---------------------------------------------------------------------


def write_files(root: Path, files: dict[str, bytes]) -> Path:
    """Plain files below `root`."""
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    """A tar with its folders as members, packed where the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w")
    path.write_bytes(tar_bytes(files, mode))
    return path


def tar_bytes(files: dict[str, bytes], mode: str = "w") -> bytes:
    """The bytes of such a tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        for name in sorted({str(p) for f in files for p in Path(f).parents if p.name}):
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    """A zip with its folders as members; every other file is stored, not deflated."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted({str(p) for f in files for p in Path(f).parents if p.name}):
            archive.writestr(f"{name}/", b"")
        for i, (name, data) in enumerate(files.items()):
            archive.writestr(name, data, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[i % 2])
    return path


def _val_order(made: Images) -> Images:
    return sorted((m for m in made if m.split == "val"), key=lambda m: m.name.split("/")[1])


# -- shards -----------------------------------------------------------------------------------


def write_parquet(root: Path, made: Images) -> Path:
    """Hugging Face's data/train-00000-of-00002.parquet and the others, shuffled."""
    order = np.random.default_rng(0).permutation(len(made))
    for split, name, count in (("train", "train", 2), ("val", "validation", 1)):
        here = [made[i] for i in order if made[i].split == split]
        for i in range(count):
            write_shard(root / "data" / f"{name}-{i:05d}-of-{count:05d}.parquet", here[i::count])
    return write_files(root, {"README.md": b"---\ndataset_info:\n---\n"})


def write_shard(
    path: Path, made: Sequence[Made], names: Sequence[str] | None = tuple(WORDS), rows: int = 3,
    labels: Sequence[Any] | None = None, **columns: Any,
) -> Path:  # fmt: skip
    """A parquet file as `datasets` writes it, so many rows in a group.

    names: in the metadata, or None. labels: instead of the images' classes. columns: more of them,
    or others instead.
    """
    import pyarrow as pa
    import pyarrow.parquet

    images = [{"bytes": m.data, "path": m.name.rpartition("/")[2]} for m in made]
    if labels is None:
        labels = [sorted(WORDS).index(m.class_id) for m in made]
    table = pa.table({
        "image": pa.array(images, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        "label": pa.array(labels), **columns,
    })  # fmt: skip
    features = {"image": {"_type": "Image"}, "label": {"dtype": "int64", "_type": "Value"}}
    if names is not None:
        features["label"] = {"names": list(names), "_type": "ClassLabel"}  # type: ignore[dict-item]
        held = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": held})
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(table, path, row_group_size=rows)
    return path


def write_webdataset(root: Path, made: Images) -> Path:
    """imagenet-train-000000.tar and the others, labels as numbers, with a list of names."""
    for split, name, count in (("train", "train", 2), ("val", "validation", 1)):
        here = [m for m in made if m.split == split]
        for i in range(count):
            write_tar(root / f"imagenet-{name}-{i:06d}.tar", samples(here[i::count]))
    return write_files(root, {"classnames.txt": "".join(f"{n}\n" for n in sorted(WORDS)).encode()})


def samples(made: Sequence[Made]) -> dict[str, bytes]:
    """The members of a shard."""
    files = {}
    for m in made:
        name = m.name.rpartition("/")[2]
        key = name.partition(".")[0]
        label = sorted(WORDS).index(m.class_id)
        files |= {f"{key}.cls": f"{label}".encode(), f"{key}.json": b'{"w": 3}', name: m.data}
    return files


# -- images within files ----------------------------------------------------------------------

CIFAR_10 = ("airplane", "automobile", "bird")
BATCH = 4  # images in a training file of CIFAR-10


class Pixels(NamedTuple):
    """A made image of raw pixels, uint8 (S, S, 3) or (S, S): name is CLASS_ID/FILE."""

    split: str
    class_id: str
    name: str
    pixels: Any


def pixels(
    seed: int = 0, train: int = 8, val: int = 4, shape: tuple[int, ...] = (32, 32, 3),
    classes: Sequence[str] = CIFAR_10, name: str = "{split}-{i:05d}",
) -> list[Pixels]:  # fmt: skip
    """Images whose classes take turns, the training images first, in the order of their files."""
    rng, made = np.random.default_rng(seed), []
    for split, count in (("train", train), ("val", val)):
        for i in range(count):
            label = classes[(5 * i + 1) % len(classes)]
            file = name.format(split=split, i=i, batch=1 + i // BATCH, row=i % BATCH)
            values = rng.integers(0, 256, shape, dtype=np.uint8)
            made.append(Pixels(split, label, f"{label}/{file}", values))
    return made


def write_pngs(root: Path, made: Sequence[Pixels]) -> Path:
    """The plain folder of these images."""
    files = {}
    for m in made:
        buffer = io.BytesIO()
        Image.fromarray(m.pixels).save(buffer, "PNG")
        files[f"{m.split}/{m.name}"] = buffer.getvalue()
    return write_files(root, files)


def planar(made: Sequence[Pixels]) -> list[bytes]:
    """The bytes of each image as CIFAR has them, all of red first."""
    return [m.pixels.transpose(2, 0, 1).tobytes() for m in made]


def _split(made: Sequence[Pixels], split: str) -> list[Pixels]:
    return [m for m in made if m.split == split]


def cifar_10_binary() -> tuple[list[Pixels], dict[str, bytes]]:
    """Images and the files of cifar-10-binary.tar.gz, whose images have no names."""
    made = pixels(name="data_batch_{batch}-{row:05d}")
    made = [m._replace(name=m.name.replace("data_batch_1-", "test_batch-")) if m.split == "val"
            else m for m in made]  # fmt: skip
    top, rows = "cifar-10-batches-bin", []
    for m, data in zip(made, planar(made), strict=True):
        rows.append(bytes([CIFAR_10.index(m.class_id)]) + data)
    train = len(_split(made, "train"))
    files = {f"{top}/test_batch.bin": b"".join(rows[train:])}
    for i in range(0, train, BATCH):
        files[f"{top}/data_batch_{1 + i // BATCH}.bin"] = b"".join(rows[i : min(i + BATCH, train)])
    names = "".join(f"{name}\n" for name in CIFAR_10)
    return made, files | {
        f"{top}/batches.meta.txt": f"{names}\n".encode(), f"{top}/readme.html": b"<html>",
    }  # fmt: skip


CIFAR_100 = ("apple", "aquarium_fish", "baby")


def cifar_100_binary() -> tuple[list[Pixels], dict[str, bytes]]:
    """Images and the files of cifar-100-binary.tar.gz: two labels before each."""
    made = pixels(1, classes=CIFAR_100, name="{split}-{i:05d}")
    made = [m._replace(name=m.name.replace("val-", "test-")) for m in made]
    files = {}
    for split, file in (("train", "train.bin"), ("val", "test.bin")):
        here = _split(made, split)
        files[f"cifar-100-binary/{file}"] = b"".join(
            bytes([19 - i % 20, CIFAR_100.index(m.class_id)]) + data
            for i, (m, data) in enumerate(zip(here, planar(here), strict=True))
        )
    return made, files | {
        "cifar-100-binary/fine_label_names.txt": "".join(f"{n}\n" for n in CIFAR_100).encode(),
        "cifar-100-binary/coarse_label_names.txt": b"aquatic_mammals\nfish\n",
    }


def python_2(value: Any) -> bytes:
    """A pickle of protocol 2 as Python 2 and NumPy 1.5 wrote CIFAR's."""
    return b"\x80\x02" + _python_2(value) + b"."


def _python_2(value: Any) -> bytes:
    if isinstance(value, dict):
        pairs = b"".join(_python_2(k) + _python_2(v) for k, v in value.items())
        return b"}q\x01(" + pairs + b"u"
    if isinstance(value, list):
        return b"]q\x02(" + b"".join(map(_python_2, value)) + b"e"
    if isinstance(value, int):
        return b"K" + bytes([value]) if value < 256 else b"M" + struct.pack("<H", value)
    if isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        head = b"U" + bytes([len(data)]) if len(data) < 256 else b"T" + struct.pack("<i", len(data))
        return head + data + b"q\x03"
    new = b"cnumpy.core.multiarray\n_reconstruct\nq\x04cnumpy\nndarray\nq\x05K\0\x85U\1b\x87R"
    dtype = b"cnumpy\ndtype\nU\2u1K\0K\1\x87R(K\3U\1|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    shape = b"".join(map(_python_2, value.shape)) + b"\x86"
    return new + b"(K\1" + shape + dtype + b"\x89" + _python_2(value.tobytes()) + b"tb"


def cifar_10_python() -> tuple[list[Pixels], dict[str, bytes]]:
    """Images and the files of cifar-10-python.tar.gz: pickles, its names in protocol 0."""
    made = pixels(2, name="{split}_s_{i:06d}.png")
    top, files = "cifar-10-batches-py", {}
    train, val = _split(made, "train"), _split(made, "val")
    parts = {f"data_batch_{1 + i // BATCH}": train[i : i + BATCH] for i in range(0, 8, BATCH)}
    for name, here in (parts | {"test_batch": val}).items():
        files[f"{top}/{name}"] = python_2({
            "batch_label": "training batch 1 of 5",
            "labels": [CIFAR_10.index(m.class_id) for m in here],
            "data": np.frombuffer(b"".join(planar(here)), np.uint8).reshape(len(here), -1),
            "filenames": [m.name.partition("/")[2] for m in here],
        })  # fmt: skip
    names = "".join(f"S'{name}'\np{5 + i}\na" for i, name in enumerate(CIFAR_10))
    meta = f"(dp1\nS'num_cases_per_batch'\np2\nI10000\nsS'label_names'\np3\n(lp4\n{names}s."
    return made, files | {f"{top}/batches.meta": meta.encode(), f"{top}/readme.html": b"<html>"}


def cifar_100_python() -> tuple[list[Pixels], dict[str, bytes]]:
    """Images and the files of cifar-100-python.tar.gz."""
    made = pixels(3, classes=CIFAR_100, name="{split}_s_{i:06d}.png")
    files = {"cifar-100-python/file.txt~": b""}
    for split, file in (("train", "train"), ("val", "test")):
        here = _split(made, split)
        files[f"cifar-100-python/{file}"] = python_2({
            "filenames": [m.name.partition("/")[2] for m in here],
            "batch_label": "training batch 1 of 1",
            "fine_labels": [CIFAR_100.index(m.class_id) for m in here],
            "coarse_labels": [11] * len(here),
            "data": np.frombuffer(b"".join(planar(here)), np.uint8).reshape(len(here), -1),
        })  # fmt: skip
    meta = {"fine_label_names": list(CIFAR_100), "coarse_label_names": ["fish", "flowers"]}
    return made, files | {"cifar-100-python/meta": python_2(meta)}


def idx(values: Any) -> bytes:
    """An idx file of bytes."""
    head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return head + values.tobytes()


def mnist(packed: bool = True) -> tuple[list[Pixels], dict[str, bytes]]:
    """Images and the four files of MNIST, or of Fashion-MNIST."""
    digits = tuple(map(str, range(3)))
    made = pixels(4, shape=(28, 28), classes=digits, name="{split}-images-idx3-ubyte-{i:05d}")
    made = [m._replace(name=m.name.replace("val-", "t10k-")) for m in made]
    files = {}
    for split, name in (("train", "train"), ("val", "t10k")):
        here = _split(made, split)
        images = idx(np.stack([m.pixels for m in here]))
        labels = idx(np.array([int(m.class_id) for m in here], np.uint8))
        for kind, data in (("images-idx3", images), ("labels-idx1", labels)):
            if packed:
                files[f"{name}-{kind}-ubyte.gz"] = gzip.compress(data, 1)
            else:
                files[f"{name}-{kind}-ubyte"] = data
    return made, files


# Layouts of raw pixels: the images, and the files that hold them.
WITHIN: dict[str, Callable[[], tuple[list[Pixels], dict[str, bytes]]]] = {
    "cifar-10-binary": cifar_10_binary,
    "cifar-100-binary": cifar_100_binary,
    "cifar-10-python": cifar_10_python,
    "cifar-100-python": cifar_100_python,
    "mnist": mnist,
    "mnist-unpacked": lambda: mnist(packed=False),
}


LAYOUTS: dict[str, Callable[[Path, Images], Path]] = {
    "folder": write_folder,
    "tar": write_folder_tar,
    "zip": write_folder_zip,
    "imagenette": write_imagenette_tgz,
    "ilsvrc2012": write_ilsvrc,
    "class-tars": write_class_tars,
    "kaggle": write_kaggle,
    "tiny-imagenet": write_tiny,
    "tiny-imagenet-zip": write_tiny_zip,
    "parquet": write_parquet,
    "webdataset": write_webdataset,
}
