"""Lines on each field of a recipe, for `alexnet diff`: what the choice does, and who chose what.

Sources: Krizhevsky et al. 2012 ("the paper"), the authors' published code ("the code"), Caffe's
bvlc_alexnet, torchvision.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from .fields import Recipe
from .presets import RECIPES

# What the choice does: true of any two recipes.
NOTES = {f.name: f.metadata["about"] for f in fields(Recipe) if f.name != "name"}

# What is to be said of a preset's value: shown where that preset is one of the two.
SAID = {
    "paper": {
        "conv1_edge": "the paper leaves 224 -> 55 unexplained",
        "orders": "the paper has ReLU first",
        "lrn_alpha": "the paper writes 1e-4",
        "init": "the paper: 0.01 everywhere, many biases of 1",
        "mean": "the paper: the mean image",
        "crop": "the paper counts 2048 = 32 x 32 x 2 crops",
        "crop_chunk": "the paper gives each image its own",
        "colour_noise": "the paper calls lambda the eigenvalue",
        "epochs": "the paper says roughly 90",
        "bias_lr_factor": "the paper: an equal rate for all",
        "bias_decay": "the paper's rule decays w",
        "schedule": "the paper waits for a plateau",
        "plateau_patience": "the paper does not say how long it waited",
        "plateau_drops": "the paper: three",
    },
    "source2012": {
        "conv1_edge": "the code reads zeros right and below",
        "orders": "the code's layer 1 normalises and pools the linear output, its layer 2 adds a "
        "normalisation within each map",
        "lrn_alpha": "the code divides 1e-4 by the 5 channels",
        "init": "the code: 0.03 in conv3 to conv5",
        "mean": "the code: the mean image's centre, wherever the crop was",
        "crop": "the code draws from 33 x 33 x 2 = 2178",
        "crop_chunk": "the code has one for 32",
        "colour_noise": "the code takes the standard deviation",
        "colour_divisor": "the code: 1.1, after adding",
        "colour_epochs": "the code's logs end it about 25 epochs early",
        "epochs": "the 2012 log ends at 91",
        "bias_lr_factor": "the code: twice",
        "bias_decay": "the code leaves biases out",
        "schedule": "the code's epochs are replayed from its log",
        "drop_epochs": "by hand in 2012",
        "conv1_drop_epochs": "the code's log lowers it a third time before the rest",
        "conv1_freeze_epoch": "near the end of the code's log",
    },
    "caffe": {
        "input_size": "Caffe, which knows no ceil rule, has 227",
        "lrn_alpha": "Caffe divides 1e-4 by the 5 channels",
        "init": "Caffe: biases 0.1 for 1, weights 0.005 in fc6 and fc7",
        "mean": "Caffe: the mean image",
        "bias_lr_factor": "Caffe: twice",
        "bias_decay": "Caffe leaves biases out",
        "drop_epochs": "every 100,000 iterations in Caffe, 20 epochs",
    },
    "owt": {
        "variant": "torchvision's has 64,192,384,256,256 maps",
        "init": "torchvision: PyTorch's default, by a layer's inputs",
        "mean": "torchvision: three channel means",
        "crop": "torchvision's are of random size and shape",
        "weight_decay": "a fifth of 2012's in torchvision",
        "drop_epochs": "every 30 in torchvision",
    },
    "modern": {
        "init": "He: variance 2 / fan in, for ReLU, whatever the images",
        "crop": "of random size and shape, so that no image is seen twice alike",
        "crop_area": "35% on, for hundreds of images a class; 8% needs millions of images",
        "batch_size": "small sets need the steps",
        "label_smoothing": "Szegedy et al. 2016: a tenth",
        "epochs": "more, since crops, smoothing and dropout make each one harder",
        "average": "the noise of the last steps averages out",
        "warmup_steps": "about an epoch of a small set",
    },
    "boxed": {
        "widths": "half of 2012's, for a file of 3 MB",
        "crop_area": "8% needs more images and epochs",
        "dropout_p": "narrow layers have fewer units to lose",
    },
    "small": {
        "init": "LSUV measures the images",
        "batch_size": "small sets need the steps",
        "warmup_steps": "the first steps with momentum are the ones that blow up",
        "schedule": "a few epochs leave no time to wait for a plateau",
    },
    "tiny": {
        "conv1_kernel": "11 x 11 of 64 pixels would be a sixth of the picture",
        "conv1_stride": "4 would leave conv2 six of 56 pixels",
        "widths": "two thirds of the paper's",
        "fc_width": "a quarter of the paper's",
        "init": "LSUV measures the images",
        "schedule": "a cosine needs no plateau to wait for",
    },
    "transfer": {
        "lr_factor": "the last layer is new, all others have learnt already",
        "lr": "less than half of small's: what is learnt already is to be kept",
        "crop_area": "35% on, for tens of images a class",
        "epochs": "hardly anything changes afterwards",
    },
    "cifar": {
        "widths": "the code's layer file has 32,32,64",
        "lrn_size": "the code's file of the 11% network has 9",
        "lrn_alpha": "the code's 0.001, divided by its 9 channels, times the square of "
        "the 64 by which pixels are divided here",
        "init": "LSUV measures the images",
        "mean": "the code: the mean image",
        "crop": "the code's crops leave a border of 4 of 32 pixels",
        "schedule": "the rates were lowered by hand in the code's day",
    },
}


def differences(one: Recipe, other: Recipe) -> list[tuple[str, Any, Any, str]]:
    """The fields in which two recipes differ: name, both values, and the note.

    Fields that one of the two has no use for are left out.
    """
    unused = ("name", *one.unused, *other.unused)
    names = [f.name for f in fields(Recipe) if f.name not in unused]
    pairs = [(name, getattr(one, name), getattr(other, name)) for name in names]
    return [(name, a, b, _note(name, one, other)) for name, a, b in pairs if a != b]


def _note(field: str, *recipes: Recipe) -> str:
    said = [
        SAID[recipe.name][field]
        for recipe in recipes
        if field in SAID.get(recipe.name, ())
        and getattr(recipe, field) == getattr(RECIPES[recipe.name], field)  # a run may change it
    ]
    return "; ".join([NOTES[field], *said])
