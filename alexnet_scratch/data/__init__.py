"""Images for training: folders of class folders, and the embedded data set of drawn patterns."""

from .folder import (
    BadImageError,
    DataError,
    ImageFolder,
    class_names,
    find_splits,
    load_image,
    split_samples,
)

__all__ = [
    "BadImageError",
    "DataError",
    "ImageFolder",
    "class_names",
    "find_splits",
    "load_image",
    "split_samples",
]
