"""AlexNet, built from minigrad: data, training, evaluation, the paper's experiments."""

from .blas import load_numpy

load_numpy()
