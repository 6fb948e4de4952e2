"""open_source: every layout gives the images, classes and bytes of the plain folder."""

import io
import os
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from layouts import (
    LAYOUTS,
    WORDS,
    Images,
    images,
    kaggle_files,
    tar_bytes,
    tiny_files,
    write_classes,
    write_devkit,
    write_files,
    write_folder,
    write_ilsvrc,
    write_kaggle,
    write_tar,
    write_zip,
)
from PIL import Image

from alexnet_scratch.data import (
    BadImageError,
    DataError,
    ImageFolder,
    find_splits,
    image,
    load_image,
)
from alexnet_scratch.data.sources import ilsvrc, open_source

MADE = images()
TRAIN_ONLY = [m for m in MADE if m.split == "train"]
PIXEL = MADE[0].data


def check(path: Path, expected: Images = MADE) -> str:
    """The source at `path` has these images; returns its layout."""
    source = open_source(path)
    try:
        assert source.items == [made[:3] for made in expected]
        assert [source.read(item) for item in source.items] == [made.data for made in expected]
        assert source.classes == WORDS
        assert list(source.classes) == sorted(WORDS)
        return source.layout
    finally:
        source.close()


# -- each layout -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_the_same_data_set(tmp_path: Path, name: str) -> None:
    known = {"imagenette": "folder", "tar": "folder", "zip": "folder", "class-tars": "folder"}
    expected = known.get(name, name.removesuffix("-zip"))
    assert check(LAYOUTS[name](tmp_path / "in", MADE)) == expected


def test_the_made_images_have_the_quirks_of_imagenet() -> None:
    kinds = set()
    for made in MADE:
        assert made.name.endswith(".JPEG")
        assert load_image(made.data, 32).shape == (32, 32, 3)
        with Image.open(io.BytesIO(made.data)) as image:
            kinds.add((image.format, image.mode))
    assert kinds == {("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGB")}


def test_plain_folders_and_archives_of_them(tmp_path: Path) -> None:
    flat = {made.name: made.data for made in TRAIN_ONLY}
    assert check(write_classes(tmp_path / "in", MADE), TRAIN_ONLY) == "folder"
    assert check(write_tar(tmp_path / "flat.tar", flat), TRAIN_ONLY) == "folder"
    deep = {f"data/v2/{name}": data for name, data in flat.items()}
    assert check(write_zip(tmp_path / "deep.zip", deep), TRAIN_ONLY) == "folder"
    assert check(write_files(tmp_path / "deep", deep), TRAIN_ONLY) == "folder"


def test_an_archive_is_told_by_its_content_not_its_name(tmp_path: Path) -> None:
    packed = LAYOUTS["imagenette"](tmp_path, MADE)
    assert check(packed.rename(tmp_path / "download.zip")) == "folder"


def test_wordnet_ids_without_a_known_name_stand_for_themselves(tmp_path: Path) -> None:
    files = {f"{name}/1.png": PIXEL for name in ("n99999999", "n02115641", "cat")}
    source = open_source(write_files(tmp_path / "in", files))
    dingo = "dingo, warrigal, warragal, Canis dingo"
    assert source.classes == {"cat": "cat", "n02115641": dingo, "n99999999": "n99999999"}


SHAPES = {
    "plain": ["cat/1.png", "dog/2.JPG", "dog/deep/er/1.png", "dog/.no/1.png", "dog/.no.png"],
    "train alone": ["train/cat/1.png", "train/dog/1.png", "notes.txt"],
    "val": ["train/cat/1.png", "val/cat/1.png", "test/dog/1.png", "extra/1.png"],
    "validation": ["train/cat/1.png", "validation/cat/2.png"],
    "valid": ["train/cat/1.png", "valid/cat/2.png"],
    "test": ["train/cat/1.png", "train/dog/1.png", "test/cat/2.png", "test/dog/deep/1.png"],
    "unlabelled": ["train/cat/1.png", "train/dog/1.png", "test/1.png"],
    "any case": ["Train/cat/1.png", "Valid/cat/2.png"],
    "other names": ["training/cat/1.png", "Validation/cat/2.png"],
    "in one folder": ["images/cat/1.png", "images/dog/1.png", "README.txt", "logo.png"],
    "splits in one folder": ["data/Train/cat/1.png", "data/val/cat/1.png", "README.txt"],
    "trains": ["Bus/1.png", "Car/1.png", "Train/1.png"],
    "a class called train": ["train/train/1.png", "train/val/1.png"],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_folder_is_what_training_from_it_sees(tmp_path: Path, shape: str) -> None:
    write_files(tmp_path / "in", dict.fromkeys(SHAPES[shape], PIXEL))
    expected = []
    for split, folder in zip(("train", "val"), find_splits(tmp_path / "in"), strict=True):
        for file, label in (data := ImageFolder(folder, None)).samples if folder else ():
            expected.append((split, data.classes[label], Path(file).relative_to(folder).as_posix()))
    assert open_source(tmp_path / "in").items == sorted(expected)


def test_links_in_a_folder_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "in", MADE)
    shutil.move(root / "train" / "n01440764", tmp_path / "moved")
    (root / "train" / "n01440764").symlink_to(tmp_path / "moved")
    (tmp_path / "moved" / "round").symlink_to(root / "train")
    check(root)


# -- ImageNet --------------------------------------------------------------------------------


def test_ilsvrc_without_val_or_devkit_is_its_training_images(tmp_path: Path) -> None:
    assert check(write_ilsvrc(tmp_path / "a", MADE, False, False), TRAIN_ONLY) == "ilsvrc2012"
    assert check(write_ilsvrc(tmp_path / "b", MADE, False), TRAIN_ONLY) == "ilsvrc2012"
    assert check(tmp_path / "a" / "ILSVRC2012_img_train.tar", TRAIN_ONLY) == "folder"


def test_ilsvrc_says_what_is_missing(tmp_path: Path) -> None:
    root = write_ilsvrc(tmp_path / "in", MADE, devkit=False)
    for path in (root, root / "ILSVRC2012_img_val.tar"):
        with pytest.raises(DataError, match=r"ILSVRC2012_devkit_t12\.tar\.gz"):
            open_source(path)
    write_devkit(root, MADE)
    (root / "ILSVRC2012_img_train.tar").unlink()
    with pytest.raises(DataError, match=r"ILSVRC2012_img_train\.tar is missing"):
        open_source(root)


def test_ilsvrc_a_label_that_is_no_leaf_or_not_there_is_told(tmp_path: Path) -> None:
    root, top = write_ilsvrc(tmp_path / "in", MADE), "ILSVRC2012_devkit_t12"
    meta = tar_members(root / f"{top}.tar.gz")[f"{top}/data/meta.mat"]
    for truth in (b"2\n3\n1\n2\n3\n4\n", b"2\n3\n1\n2\n3\n", b"2\n3\n1\n2\n3\n\n"):
        files = {
            "d/data/meta.mat": meta,
            f"d/{ilsvrc.TRUTH}": truth,
        }
        write_tar(root / f"{top}.tar.gz", files)
        with pytest.raises(DataError, match=r"no class .* 'ILSVRC2012_val_00000006\.JPEG'"):
            open_source(root)
    write_tar(root / f"{top}.tar.gz", {"d/data/meta.mat": b"MATLAB 5.0"})
    with pytest.raises(DataError, match=r"meta\.mat cannot be read"):
        open_source(root)


def test_an_inner_tar_that_is_cut_off_does_not_run_into_the_next(tmp_path: Path) -> None:
    inner = [tar_bytes({"n_1.JPEG": PIXEL}) for _ in range(2)]
    end = 512 + -(-len(PIXEL) // 512) * 512  # of the member; its end mark follows
    for cut in (end, end - 512, 512, 100, 0):
        files = {"n00000001.tar": inner[0][:cut], "n00000002.tar": inner[1]}
        write_tar(tmp_path / "ILSVRC2012_img_train.tar", files)
        with pytest.raises(DataError, match=r"img_train\.tar: cut off"):
            open_source(tmp_path)


def test_kaggle_is_found_from_its_parent_itself_and_an_archive(tmp_path: Path) -> None:
    root = write_kaggle(tmp_path / "in", MADE)
    assert check(root / "ILSVRC") == "kaggle"
    assert check(tmp_path) == "kaggle"
    files = kaggle_files(MADE)
    assert check(write_zip(tmp_path / "all.zip", files)) == "kaggle"
    tree = {name: data for name, data in files.items() if name.startswith("ILSVRC/")}
    assert check(write_tar(root / "patched2019.tar.gz", tree)) == "kaggle"  # the CSV is beside it


def test_kaggle_with_val_sorted_into_class_folders_needs_no_list(tmp_path: Path) -> None:
    root = tmp_path / "in" / "ILSVRC" / "Data" / "CLS-LOC"
    write_folder(root, MADE)
    assert check(tmp_path / "in") == "kaggle"
    assert check(root) == "folder"


def test_kaggle_without_its_labels_is_refused(tmp_path: Path) -> None:
    root = write_kaggle(tmp_path / "in", MADE)
    table = root / "LOC_val_solution.csv"
    rows = table.read_text("utf-8-sig").splitlines()
    table.write_text("\n".join(rows[:-1]))
    with pytest.raises(DataError, match=r"no class .* 'ILSVRC2012_val_00000001\.JPEG'"):
        open_source(root)
    table.unlink()
    with pytest.raises(DataError, match=r"no LOC_val_solution\.csv"):
        open_source(root)
    with pytest.raises(DataError, match="val holds images without class folders"):
        open_source(root / "ILSVRC" / "Data" / "CLS-LOC")
    shutil.rmtree(root / "ILSVRC" / "Data" / "CLS-LOC" / "val")
    check(root, TRAIN_ONLY)


def test_tiny_imagenet_without_words_and_with_windows_lines(tmp_path: Path) -> None:
    files = tiny_files(MADE)
    del files["words.txt"]
    labels = files["val/val_annotations.txt"]
    files["val/val_annotations.txt"] = b"\xef\xbb\xbf" + labels.replace(b"\n", b"\r\n")
    assert check(write_files(tmp_path / "in", files)) == "tiny-imagenet"
    files["val/val_annotations.txt"] = labels.partition(b"\n")[2]
    with pytest.raises(DataError, match="no class is given for the validation image"):
        open_source(write_files(tmp_path / "in", files))


# -- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "empty"),
        (["1.png"], "only files"),
        (["inner.zip"], r"but an archive, inner\.zip: give that file to `alexnet prepare`"),
        (["train/cat/1.png", "val/cat/1.png", "Valid/cat/1.png"], "holds Valid and val, each"),
        (["val/cat/1.png"], "no train folder; to evaluate on val, give that folder; expected"),
        (["train/cat/1.png", "val/1.png"], "val holds images without class folders"),
        (["cat/1.png", "dog/notes.txt"], "class dog has no images"),
        (["cat/1.txt", "dog/notes.txt"], "no images in "),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(tmp_path: Path, names: list[str], said: str) -> None:
    files = {name: PIXEL if name.endswith("png") else b"no image" for name in names}
    (tmp_path / "in").mkdir()
    for path in (write_files(tmp_path / "in", files), write_tar(tmp_path / "in.tar", files)):
        with pytest.raises(DataError, match=said) as caught:
            open_source(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_an_empty_class_folder_is_told_in_folders_and_archives(tmp_path: Path) -> None:
    (write_files(tmp_path / "in", {"cat/1.png": PIXEL}) / "dog").mkdir()
    for kind in ("tar", "zip", "gztar"):
        archive = shutil.make_archive(str(tmp_path / kind), kind, tmp_path / "in")
        for path in (tmp_path / "in", archive):
            with pytest.raises(DataError, match="class dog has no images"):
                open_source(path)


def test_no_such_path_and_no_data_set_list_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(PIXEL)
    (tmp_path / "empty").write_bytes(b"")
    for name, said in (
        ("missing", "in one of the forms that `alexnet prepare --help` lists"),
        ("x.jpg", r"folder of class folders .* Kaggle's .* Tiny ImageNet"),
        ("empty", r"folder of class folders .* Kaggle's .* Tiny ImageNet"),
    ):
        with pytest.raises(DataError, match=said):
            open_source(tmp_path / name)


def test_an_image_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    files = tiny_files(MADE)
    file = MADE[0].name.split("/")[1]
    files[f"train/{MADE[0].class_id}/{file}"] = PIXEL  # beside the one in images/
    with pytest.raises(DataError, match="is there twice"):
        open_source(write_files(tmp_path / "in", files))


# -- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYOUTS)
def test_many_threads_read_the_right_bytes(tmp_path: Path, name: str) -> None:
    source = open_source(LAYOUTS[name](tmp_path / "in", MADE))
    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(source.read, source.items * 20))
    source.close()
    assert got == [made.data for made in MADE] * 20


def test_a_file_that_cannot_be_read_is_an_image_error_and_an_unknown_one_a_mistake(
    tmp_path: Path,
) -> None:
    source = open_source(write_folder(tmp_path / "in", MADE))
    os.unlink(tmp_path / "in" / "train" / MADE[0].name)
    with pytest.raises(DataError, match=rf"{MADE[0].name}: No such file"):
        source.read(source.items[0])
    with pytest.raises(KeyError):
        source.read(source.items[0]._replace(name="other"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes there")
def test_links_to_what_is_no_plain_file_are_refused_unread(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    root = write_files(tmp_path / "in", {"cat/ok.png": PIXEL})
    (root / "cat" / "pipe.png").symlink_to(tmp_path / "pipe")
    (root / "cat" / "zero.png").symlink_to("/dev/zero")
    source = open_source(root)
    assert [item.name for item in source.items] == ["cat/ok.png", "cat/pipe.png", "cat/zero.png"]
    for item in source.items[1:]:
        with pytest.raises(BadImageError, match=rf"{item.name}: .* not a plain file"):
            source.read(item)
    assert source.read(source.items[0]) == PIXEL


def test_a_file_too_large_for_an_image_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(write_files(tmp_path / "in", {"cat/1.png": PIXEL}) / "cat" / "0.png", "wb") as file:
        file.truncate(image.MAX_FILE + 1)
    source = open_source(tmp_path / "in")
    monkeypatch.setattr("builtins.open", None)  # would fail if it were called
    with pytest.raises(BadImageError, match=r"cat/0\.png: 134217729 bytes, too large"):
        source.read(source.items[0])


def tar_members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isreg()}  # type: ignore[union-attr]
