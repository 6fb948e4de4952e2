"""Images for training: folders of class folders, and the embedded data set of drawn patterns."""

from .folder import ImageFolder, find_splits, split_samples
from .image import BadImageError, DataError, load_image

__all__ = [
    "BadImageError",
    "DataError",
    "ImageFolder",
    "find_splits",
    "load_image",
    "split_samples",
]
