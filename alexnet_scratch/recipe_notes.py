"""A line on each field of a recipe: what the choice does, for `alexnet diff`.

Sources: Krizhevsky et al. 2012 ("the paper"), the authors' published code ("the code"), Caffe's
bvlc_alexnet, torchvision.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from .recipe_fields import Recipe

NOTES = {
    "variant": "two towers end LRN's windows at their border, groups do not; one tower has neither",
    "input_size": "224 is the paper's and the code's; 227 is Caffe's, who knows no ceil rule",
    "conv1_edge": "the paper leaves 224 -> 55 unexplained; the code reads zeros right and below",
    "orders": "the paper has ReLU first; the code's layer 1 normalises and pools the linear "
    "output, its layer 2 adds a normalisation within each map that the paper does not mention",
    "lrn_size": "channels that compete; all agree on 5",
    "lrn_k": "the paper and the code have 2, Caffe 1",
    "lrn_alpha": "on the plain sum: the paper writes 1e-4; the code and Caffe divide it by 5",
    "lrn_beta": "all agree on 0.75",
    "dropout": "mask in training and halve at test (paper), or double in training (inverted): "
    "equal at test, two different optimisation problems",
    "dropout_p": "all agree on 0.5",
    "widths": "maps of the five convolutions",
    "fc_width": "all agree on 4096; fewer overfit less on small sets",
    "init": "the paper: 0.01 everywhere; the code: 0.03 in conv3 to conv5; Caffe: biases 0.1 for "
    "1, 0.005 in fc6 and fc7; LSUV measures the images",
    "image_size": "side of the prepared images",
    "mean": "the paper subtracts the mean image; the code its centre, wherever the crop was; "
    "torchvision three channel means",
    "input_mean": "used where mean is constant",
    "input_std": "the paper's weights presume raw pixels; of unit ones hardly anything reaches fc8",
    "crop": "the paper counts 2048 = 32 x 32 x 2 crops; the code draws from 33 x 33 x 2 = 2178",
    "crop_chunk": "the paper gives each image its own crop; the code one for 32 images in a row",
    "flip": "mirrored images",
    "colour_noise": "lambda: the paper says eigenvalue, the code takes the standard deviation",
    "colour_std": "standard deviation of the noise's factor; both have 0.1",
    "colour_divisor": "the paper adds the noise; the code divides the sum by 1.1 afterwards",
    "colour_epochs": "the paper has noise throughout; the code's logs end it about 25 epochs early",
    "colour_jitter": "no part of 2012; modern recipes have it",
    "rotation": "no part of 2012, though summaries name it",
    "val_fraction": "where the data has no validation images of its own",
    "epochs": "the paper says roughly 90; the 2012 log ends at 91",
    "batch_size": "the paper and the code have 128, Caffe and torchvision 256",
    "lr": "all four start at 0.01",
    "momentum": "all agree on 0.9",
    "weight_decay": "0.0005 in 2012, 0.0001 in torchvision",
    "bias_lr_factor": "the paper: an equal rate for all; the code and Caffe: twice for biases",
    "bias_decay": "the paper's rule decays w; the code and Caffe leave biases out",
    "rule": "the rate inside the velocity (paper, code, Caffe) or outside (PyTorch): they part "
    "when the rate drops",
    "label_smoothing": "no part of 2012",
    "schedule": "the paper waits for a plateau; the code's epochs are replayed from its log",
    "warmup_steps": "no part of 2012",
    "drop_factor": "all divide by 10",
    "drop_epochs": "when the rate is divided; by hand in 2012, every 20 epochs in Caffe",
    "conv1_drop_epochs": "the code's log lowers conv1 a third time before the rest",
    "conv1_freeze_epoch": "and freezes it near the end; the paper mentions neither",
    "replayed_epochs": "a shorter run keeps the proportions of the one whose epochs these are",
    "plateau_patience": "the paper does not say how long it waited",
    "plateau_drops": "the paper: three times",
    "seed": "of everything that is drawn",
}


def differences(one: Recipe, other: Recipe) -> list[tuple[str, Any, Any, str]]:
    """The fields in which two recipes differ: name, both values, and the note."""
    names = [f.name for f in fields(Recipe) if f.name != "name"]
    pairs = [(name, getattr(one, name), getattr(other, name)) for name in names]
    return [(name, a, b, NOTES[name]) for name, a, b in pairs if a != b]
