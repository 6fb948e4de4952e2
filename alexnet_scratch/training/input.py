"""From a data set to what the network gets: splits, crops, and bytes made float."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from minigrad import Tensor, backend
from minigrad.data import (
    CenterCrop,
    Compose,
    Dataset,
    RandomCrop,
    RandomHorizontalFlip,
    Subset,
    Transform,
)
from minigrad.kernels.layout import as_nchw
from minigrad.memory import empty

from ..data import DataError, ImageFolder, find_splits, split_samples
from ..recipe import Recipe


@dataclass(frozen=True)
class Splits:
    """The training and validation images of a data set, and what its labels mean."""

    train: Dataset
    val: Dataset
    classes: list[str]
    held_out: bool  # were the validation images taken from the training folder?


def open_splits(root: str | os.PathLike[str], recipe: Recipe) -> Splits:
    """The two splits of the data set in `root`, with the recipe's crops and flips.

    Where there is no validation folder, the recipe's `val_fraction` is held out by its seed.
    Raises DataError for a folder that cannot be used.
    """
    train_folder, val_folder = find_splits(root)
    train = ImageFolder(train_folder, train_transform(recipe), recipe.image_size)
    if len(train.classes) < 2:
        raise DataError(
            f"{train_folder} has one class only, '{train.classes[0]}': expected at least two"
        )
    if val_folder is not None:
        val = ImageFolder(val_folder, test_transform(recipe), recipe.image_size)
        return Splits(train, val, train.classes, held_out=False)
    kept, held_out = split_samples(train, recipe.val_fraction, recipe.seed)
    if not held_out:
        raise DataError(
            f"{train_folder} has one image per class, none to hold out for validation: add images "
            "or a val folder"
        )
    plain = ImageFolder(train_folder, test_transform(recipe), recipe.image_size)
    return Splits(Subset(train, kept), Subset(plain, held_out), train.classes, held_out=True)


def train_transform(recipe: Recipe) -> Transform:
    """The augmentation of training images."""
    crop = RandomCrop if recipe.random_crop else CenterCrop
    return Compose([crop(recipe.input_size), RandomHorizontalFlip(0.5 if recipe.flip else 0.0)])


def test_transform(recipe: Recipe) -> Transform:
    """The central crop."""
    return CenterCrop(recipe.input_size)


def to_input(images: Tensor, recipe: Recipe, device: str = "cpu") -> Tensor:
    """uint8 (N, H, W, 3) -> float32 (N, 3, H, W), a view of channels-last memory on `device`.

    Bytes travel to the device, a quarter of what floats would weigh.
    """
    pixels = backend.to_device(images.data, device)
    xp = backend.array_module(pixels)
    x = empty(xp, pixels.shape, np.float32)
    xp.subtract(pixels, xp.asarray(recipe.input_mean, np.float32), out=x)
    if recipe.input_std != 1:
        x *= np.float32(1 / recipe.input_std)
    return Tensor(as_nchw(x))
