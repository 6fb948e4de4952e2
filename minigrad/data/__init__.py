"""Data sets, the loader that batches them, and the transforms any image model needs."""

from .collate import LoaderError
from .dataset import Dataset, SkipSample, Subset, TensorDataset, random_split
from .loader import DataLoader, Skipped
from .prefetch import prefetch
from .transforms import (
    CenterCrop,
    ColorJitter,
    Compose,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    Transform,
)

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "DataLoader",
    "Dataset",
    "LoaderError",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomRotation",
    "SkipSample",
    "Skipped",
    "Subset",
    "TensorDataset",
    "Transform",
    "prefetch",
    "random_split",
]
