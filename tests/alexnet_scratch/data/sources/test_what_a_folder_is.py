"""What a folder is taken for: splits, classes, or an error; and that nothing of it is silent."""

import os
import socket
import unicodedata
from pathlib import Path

import pytest
from layouts import images, write_files, write_tar, write_tiny

from alexnet_scratch.data import DataError, find_splits
from alexnet_scratch.data.source import LeftOut, overview
from alexnet_scratch.data.sources import image_files, open_folder, open_source
from alexnet_scratch.data.sources.tree import TreeSource

MADE = images()
PIXEL = MADE[0].data
NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
CLASSES = ("cats", "dogs")


def made(root: Path, *folders: str) -> Path:
    """An image in each of these folders."""
    return write_files(root, {f"{folder}/1.png": PIXEL for folder in folders})


def of_classes(*folders: str, classes: tuple[str, ...] = CLASSES) -> list[str]:
    return [f"{folder}/{name}" for folder in folders for name in classes]


def said(source: TreeSource) -> str:
    """What the user is told of it."""
    return "\n".join(
        overview("in", source.layout, source.classes, source.folders, source.notes, source.left_out)
    )


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ("training_set/training_set", "test_set/test_set"),
        ("training_set", "test_set"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("train_images", "val_images"),
        ("images_train", "images_val"),
        ("train2017", "val2017"),
        ("Train Set", "Test Set"),
        ("trainSet", "valSet"),
        ("TRAIN-DATA", "VALID-DATA"),
        ("trainset", "testset"),
        ("train", "dev"),
        ("train", "eval"),
        ("train/images", "valid/images"),
        ("pets_train", "pets_test"),
        ("data/train/train", "data/train/val"),
    ],
)
def test_splits_are_found_under_their_usual_names(tmp_path: Path, train: str, val: str) -> None:
    root = made(tmp_path / "in", *of_classes(train, val))
    assert find_splits(root) == (root / train, root / val)
    source = open_folder(root)
    assert list(source.classes) == ["cats", "dogs"]
    assert [item.split for item in source.items] == ["train"] * 2 + ["val"] * 2
    assert ("serves as validation" in said(source)) == ("test" in val.lower())
    assert "2 classes: cats, dogs" in said(source)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (of_classes("learn", "check"), "check, learn, which hold the same folders: cats, dogs"),
        (of_classes("x/x", "y/y"), "x, y, which hold the same folders: cats, dogs"),
        ([*of_classes("setA", "setB"), "setB/birds"], "hold the same folders: cats, dogs"),
        (["trainA", "trainB", "testA", "testB"], "all named like splits"),
        ([*CLASSES, *of_classes("test")], "has test but no train folder beside cats, dogs"),
        ([*of_classes("train/train", "train/val"), *of_classes("test")], "splits within a split"),
        ([f"train/{NFC}", f"train/{NFD}", "val/a"], "look the same"),
        (["train/Cat", "train/x", "val/cat", "val/x"], "differ only in upper and lower case"),
    ],
)
def test_what_may_be_splits_or_classes_is_asked(
    tmp_path: Path, folders: list[str], message: str
) -> None:
    root = made(tmp_path / "in", *folders)
    with pytest.raises(DataError, match=message) as caught:
        open_folder(root)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("folders", "classes", "note"),
    [
        (["valley", "hill"], ["hill", "valley"], "though named like splits: valley"),
        (["valid", "invalid"], ["invalid", "valid"], "though named like splits: valid"),
        (["bus", "car", "train"], ["bus", "car", "train"], "though named like splits: train"),
        (["train/train", "train/val"], ["train", "val"], "though named like splits: train, val"),
        (["a/images", "b/images"], ["a", "b"], "which hold the same folders: images"),
        (of_classes("train/a", "train/b"), ["a", "b"], "which hold the same folders: cats, dogs"),
        (["Cat", "cat"], ["Cat", "cat"], "differ only in upper and lower case: Cat, cat"),
    ],
)
def test_classes_that_could_be_something_else_are_told(
    tmp_path: Path, folders: list[str], classes: list[str], note: str
) -> None:
    source = open_folder(made(tmp_path / "in", *folders))
    assert list(source.classes) == classes
    assert note in said(source)


def test_unicodes_two_forms_of_a_name_are_one_class(tmp_path: Path) -> None:
    source = open_folder(made(tmp_path / "in", f"train/{NFC}", "train/x", f"val/{NFD}", "val/x"))
    assert [item.class_id for item in source.items] == [NFC, "x", NFC, "x"]
    assert source.read(source.items[2]) == PIXEL
    assert "two forms of Unicode" in said(source)


def test_images_are_told_by_content_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    root = tmp_path / "in"
    names = ("1.pgm", "2.jfif", "3", "4.foo", "5.txt")
    write_files(root, {f"train/{c}/{n}": PIXEL for c in CLASSES for n in names})
    write_files(root, {
        "train/cats/notes.txt": b"text", "train/cats/empty": b"", "train/cats/.secret.png": PIXEL,
        "train/cats/.DS_Store": b"", "train/cats/Thumbs.db": b"", "train/loose.png": PIXEL,
        "test/9.png": PIXEL, "extra/a/b.bin": b"", "extra/c.bin": b"",
    })  # fmt: skip
    source = open_folder(root)
    assert [item.name for item in source.items] == [f"{c}/{n}" for c in CLASSES for n in names]
    assert source.left_out == [
        LeftOut("extra/", "not part of the splits", 2),
        LeftOut("test/", "a test folder that is not used", 1),
        LeftOut("train/cats/.secret.png", "hidden"),
        LeftOut("train/cats/empty", "not an image"),
        LeftOut("train/cats/notes.txt", "not an image"),
        LeftOut("train/loose.png", "in no class folder"),
    ]
    assert "Left out 7 files: extra/ (not part of the splits, 2 inside), " in said(source)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes there")
def test_pipes_sockets_and_circles_of_links_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = made(tmp_path / "in", *CLASSES)
    os.mkfifo(root / "cats" / "pipe.png")
    os.mkfifo(root / "cats" / "pipe")
    monkeypatch.chdir(root / "cats")  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
    (root / "cats" / "self.png").symlink_to("self.png")
    (root / "cats" / "round").symlink_to(root)
    source = open_folder(root)
    assert [item.name for item in source.items] == ["cats/1.png", "dogs/1.png"]
    assert [one.name for one in source.left_out] == [
        f"cats/{name}" for name in ("pipe", "pipe.png", "round/", "self.png", "socket.png")
    ]
    files, left_out = image_files(root / "cats")
    assert files[0] == str(root / "cats" / "1.png")
    assert len(left_out) >= 4
    for path in (root / "cats" / "pipe", Path("/dev/zero")):
        with pytest.raises(DataError, match="not a plain file"):
            open_source(path)
        with pytest.raises(DataError, match="not a folder"):
            open_folder(path)
    (tmp_path / "set").mkdir()
    os.mkfifo(tmp_path / "set" / "set.json")
    with pytest.raises(DataError):
        open_folder(tmp_path / "set")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["n01440764_a.JPEG", "n01440764_b.JPEG", "n02102040_c.JPEG"], "sort them by it, in bash"),
        (["cat.0.jpg", "cat.1.jpg", "dog.0.jpg", "dog.1.jpg"], "the class, cat, dog: sort them"),
        (["n01440764_1.JPEG", "ILSVRC2012_val_00000001.JPEG"], "is one class: give the folder"),
    ],
)
def test_flat_images_are_told_how_to_go_on(tmp_path: Path, names: list[str], message: str) -> None:
    root = write_files(tmp_path / "in", dict.fromkeys(names, PIXEL))
    for reader in (open_folder, open_source):
        with pytest.raises(DataError, match=message):
            reader(root)


def test_a_class_folder_of_imagenette_is_no_ilsvrc(tmp_path: Path) -> None:
    root = write_files(tmp_path / "n01440764", {"ILSVRC2012_val_00000293.JPEG": PIXEL})
    with pytest.raises(DataError, match="n01440764 is one class: give the folder"):
        open_source(root)


def test_class_tars_are_prepared_as_they_are_and_train_says_so(tmp_path: Path) -> None:
    for name in ("n01440764", "n02102040"):
        write_tar(tmp_path / "in" / "train" / f"{name}.tar", {"1.JPEG": PIXEL})
    for root in (tmp_path / "in", tmp_path / "in" / "train"):
        with pytest.raises(DataError, match=f"with `alexnet prepare {root} OUT`"):
            open_folder(root)
        source = open_source(root)
        assert [item.name for item in source.items] == ["n01440764/1.JPEG", "n02102040/1.JPEG"]
        assert source.read(source.items[1]) == PIXEL


def test_of_an_unpacked_class_tar_the_folder_is_taken(tmp_path: Path) -> None:
    made(tmp_path, "n01440764", "n02102040")
    write_tar(tmp_path / "n01440764.tar", {"2.JPEG": PIXEL})
    for source in (open_folder(tmp_path), open_source(tmp_path)):
        assert len(source.items) == 2
        assert source.left_out == [LeftOut("n01440764.tar", "unpacked beside it")]


def test_a_class_tar_that_is_cut_off_is_named(tmp_path: Path) -> None:
    for name in ("n01440764", "n02102040"):
        write_tar(tmp_path / f"{name}.tar", {"1.JPEG": PIXEL})
    whole = (tmp_path / "n02102040.tar").read_bytes()
    (tmp_path / "n02102040.tar").write_bytes(whole[:700])
    with pytest.raises(DataError, match=r"n02102040\.tar: cut off, damaged"):
        open_source(tmp_path)


def test_tiny_imagenet_needs_no_preparing(tmp_path: Path) -> None:
    source = open_folder(write_tiny(tmp_path / "in", MADE))
    assert source.layout == "tiny-imagenet"
    assert source.items == [made[:3] for made in MADE]
    assert source.left_out == [LeftOut("test/", "a test folder that is not used", 1)]


def test_other_packings_are_named(tmp_path: Path) -> None:
    for mark, kind in ((b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a\7", "rar")):
        (tmp_path / "x").write_bytes(mark + bytes(100))
        with pytest.raises(DataError, match=rf"packed as {kind}, expected \.zip"):
            open_source(tmp_path / "x")
