"""What goes on inside a trained network, as functions and as pictures (`draw`).

    filters     what the first layer looks for, and how colourful each filter is
    layers      activations, features, where a value of a layer looks
    maps        which pixels matter: saliency, guided backpropagation, Grad-CAM, occlusion
    made        images made for the network: a class's by ascent, one that fools it
    units       what excites a unit most, and nearest neighbours

All of them take any network of this package, whatever its layers are called, and the network's own
input, (N, 3, size, size) tensors as `Trained.preprocess` makes them. They leave the network in the
mode it was in, without gradients.
"""

from .filters import colourfulness, first_filters, random_halves
from .layers import activations, features, last_layer, last_maps, probabilities, receptive_field
from .made import Fooled, class_images, fooling
from .maps import grad_cam, guided_backpropagation, occlusion, saliency
from .units import excited, nearest, peaks

__all__ = [
    "Fooled", "activations", "class_images", "colourfulness", "excited", "features",
    "first_filters", "fooling", "grad_cam", "guided_backpropagation", "last_layer", "last_maps",
    "nearest", "occlusion", "peaks", "probabilities", "random_halves", "receptive_field",
    "saliency",
]  # fmt: skip
