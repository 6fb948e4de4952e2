"""Data sets, the loader that batches them, and the transforms any image model needs."""

from .collate import LoaderError
from .dataset import Dataset, SkipSample, Subset, TensorDataset
from .loader import DataLoader, Skipped
from .transforms import CenterCrop, Compose, RandomCrop, RandomHorizontalFlip, Transform

__all__ = [
    "CenterCrop",
    "Compose",
    "DataLoader",
    "Dataset",
    "LoaderError",
    "RandomCrop",
    "RandomHorizontalFlip",
    "SkipSample",
    "Skipped",
    "Subset",
    "TensorDataset",
    "Transform",
]
