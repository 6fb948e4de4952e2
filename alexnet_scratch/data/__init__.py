"""Images for training: folders of class folders, and the embedded data set of drawn patterns."""

from .folder import (
    BadImageError,
    DataError,
    ImageFolder,
    class_names,
    load_image,
    split_samples,
)
from .splits import find_splits

__all__ = [
    "BadImageError",
    "DataError",
    "ImageFolder",
    "class_names",
    "find_splits",
    "load_image",
    "split_samples",
]
