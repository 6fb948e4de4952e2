"""Tiny ImageNet: train/CLASS/images, and val/images with their classes in val_annotations.txt."""

from __future__ import annotations

from .tree import Found, Tree, class_images, find_file, flat_images, found, read_lines

LABELS = "val/val_annotations.txt"


def find(tree: Tree) -> Found | None:
    """Tiny-ImageNet-200; the images of test/ have no labels and are left out.

    None where val/ has been sorted into class folders: that is a folder of class folders.
    """
    labels = find_file(tree, LABELS)
    if labels is None:
        return None
    root = tree.names[labels].removesuffix(LABELS)
    # file, class id, and a box: val_0.JPEG  n03444034  0  32  44  62
    rows = (line.split("\t") for line in read_lines(tree, labels))
    class_of = {row[0]: row[1].strip() for row in rows if len(row) > 1}
    val = flat_images(tree, f"{root}val/images/", class_of.get)
    if not val:
        return None
    train = class_images(tree, f"{root}train/", "train", level="images/")
    boxes = tuple(
        f"{root}train/{c}/{c}_boxes.txt" for c in {place.item.class_id for place in train}
    )
    return found(
        tree, "tiny-imagenet", train, val, _words(tree, root),
        folders={"train": f"{root}train/", "val": f"{root}val/"},
        labels=(f"{root}{LABELS}", f"{root}wnids.txt", f"{root}words.txt", *boxes),
    )  # fmt: skip


def _words(tree: Tree, root: str) -> dict[str, str]:
    """words.txt names all of WordNet: n01443537  goldfish, Carassius auratus."""
    name = f"{root}words.txt"
    if name not in tree.names:
        return {}
    rows = (line.split("\t") for line in read_lines(tree, tree.names.index(name)))
    return {row[0]: row[1].strip() for row in rows if len(row) > 1}
