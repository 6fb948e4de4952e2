"""The fields of a recipe, each declared once, and the recipe as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..initialise import SCHEMES
from ..model import CONV1_EDGES, DROPOUTS, NORMS, ORDERS, POOL_EDGES, VARIANTS
from ..schema import MOST_EPOCHS, MOST_PIXELS, SchemaError, as_given, check_fields, json_of
from ..zoo import MODELS
from .fits import NOT_CIFAR, NOT_ONE_TOWER, OF_LAYERS, check_network
from .option import RecipeError, option

MEANS = ("constant", "channel", "image", "image-centre")
CROPS = ("random", "random-2048", "resized", "centre")
COLOUR_NOISES = ("none", "eigenvalue", "deviation")
SCHEDULES = ("plateau", "steps", "cosine", "linear", "constant")
OPTIMIZERS = ("sgd", "adam", "adamw")
RULES = ("torch", "paper")
ON_NANS = ("stop", "skip")
NOT_ADAM = ("momentum", "rule")
MOST_FACTOR = 1000  # of a layer's rate


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One experiment. Every field is simple, says what it is, and is a flag of `alexnet train`.

    Raises RecipeError for a value of another type or out of range.
    """

    name: str = option("paper", "name of the recipe")

    # ----- the network -----
    model: str = option(
        "alexnet",
        "the network: alexnet, or one from before it (lenet5) or after it, each with a recipe of "
        "its name; another network has few of the choices that follow",
        ("alexnet", *MODELS),
    )
    variant: str = option(
        "two-tower",
        "form of the network: two towers end LRN's windows at their border, groups do not; one "
        "tower has no groups and no LRN; cifar is the 2012 code's small network of four layers, "
        "for images of 32 pixels",
        VARIANTS,
    )
    input_size: int = option(
        224, "side in pixels of the network's input, the crops that it sees",
        low=8, high=MOST_PIXELS,
    )  # fmt: skip
    conv1_kernel: int = option(
        11, "side of conv1's filters: smaller ones suit smaller images", low=1, high=64
    )
    conv1_stride: int = option(
        4, "pixels from one of conv1's windows to the next: 2 for images of 64 pixels, 1 for 32",
        low=1, high=64,
    )  # fmt: skip
    conv1_edge: str = option(
        "pad",
        "conv1's border: two zeros around the image, zeros right and below only (ceil), or none "
        "(valid)",
        CONV1_EDGES,
    )
    pool_edges: tuple[str, str, str] = option(
        ("floor", "floor", "floor"),
        "last windows of pool1, pool2 and pool5: left out where they hang over the edge (floor), "
        "or taken with what they have (ceil), as Caffe does",
        POOL_EDGES,
    )
    orders: tuple[str, str] = option(
        ("relu-lrn-pool", "relu-lrn-pool"), "what follows conv1 and conv2", ORDERS
    )
    norm: str = option(
        "response",
        "normalisation of the maps: response is LRN, where `orders` has it; batch, behind every "
        "convolution, makes large rates safe and hides how the weights began; or none",
        NORMS,
    )
    lrn_size: int = option(5, "response normalisation: channels in the window", low=1, high=1024)
    lrn_k: float = option(
        2.0, "response normalisation: k, the constant that the sum is added to", low=0
    )
    lrn_alpha: float = option(1e-4, "response normalisation: alpha, on the plain sum", low=0)
    lrn_beta: float = option(0.75, "response normalisation: beta, the power", low=0)
    dropout: str = option(
        "paper",
        "mask in training and halve at test (paper), or double in training (inverted): equal at "
        "test, two different optimisation problems",
        DROPOUTS,
    )
    dropout_p: float = option(0.5, "probability that dropout zeroes a unit", low=0, high=1)
    widths: tuple[int, ...] = option(
        (96, 256, 384, 384, 256), "maps of the convolutions: five, for cifar three",
        low=2, high=8192,
    )  # fmt: skip
    fc_width: int = option(
        4096, "units of fc6 and fc7: fewer overfit less on small sets", low=1, high=32768
    )
    init: str = option(
        "paper",
        "initialisation: how large the first weights and biases are, and so how much of the image "
        "gets through",
        SCHEMES,
    )

    # ----- the input -----
    image_size: int = option(
        256, "side to which images are resized before cropping", low=1, high=MOST_PIXELS
    )
    mean: str = option(
        "image",
        "what is subtracted from pixels: input_mean, the training images' channel means, or their "
        "mean image, where the crop is or always its centre",
        MEANS,
    )
    input_mean: tuple[float, float, float] = option(
        (127.3, 119.7, 104.9), "mean constant: red, green and blue (0-255)"
    )
    input_std: tuple[float, float, float] = option(
        (1.0, 1.0, 1.0),
        "what red, green and blue are divided by afterwards; weights of 0.01 presume raw pixels: "
        "of unit ones hardly anything reaches fc8",
        low=1e-6,
    )
    crop: str = option(
        "random-2048",
        "training crops: at every place, at 32 x 32 places, resized at random, or at the centre",
        CROPS,
    )
    crop_area: tuple[float, float] = option(
        (0.08, 1.0), "crop resized: least and most share of the image's area, uniformly drawn",
        low=1e-3, high=1,
    )  # fmt: skip
    crop_chunk: int = option(
        1, "images in a row that share crop and flip", low=1, high=1_000_000
    )
    flip: bool = option(True, "mirror half of the training images")
    colour_noise: str = option(
        "eigenvalue",
        "noise along the colours' principal axes, scaled by the eigenvalue (of pixels from 0 to 1, "
        "as most programs read it) or by the standard deviation",
        COLOUR_NOISES,
    )
    colour_std: float = option(0.1, "colour noise: standard deviation of its factor", low=0)
    colour_divisor: float = option(
        1.0, "colour noise: what the sum of pixels and noise is divided by", low=1e-6
    )
    colour_epochs: int = option(
        0, "colour noise: epochs with it, 0 for all", low=0, high=MOST_EPOCHS
    )
    colour_jitter: float = option(
        0.0, "most change of brightness, contrast and saturation, as a share (none in 2012)",
        low=0, high=1,
    )  # fmt: skip
    rotation: float = option(
        0.0, "most degrees that a training image is turned (none in 2012)", low=0, high=180
    )
    val_fraction: float = option(
        0.1, "share held out for validation where the data has no such folder",
        low=1e-6, high=0.999,
    )  # fmt: skip

    # ----- the optimiser -----
    epochs: int = option(90, "passes over the training images", low=1, high=MOST_EPOCHS)
    batch_size: int = option(
        128, "images in a training step: fewer make more steps, and noisier ones",
        low=1, high=65_536,
    )  # fmt: skip
    optimizer: str = option(
        "sgd",
        "what moves the weights: sgd with momentum, or a step of about lr for each weight (adam; "
        "adamw, whose weight decay bypasses its means)",
        OPTIMIZERS,
    )
    lr: float = option(0.01, "learning rate after the warm-up", low=0)
    momentum: float = option(0.9, "sgd: momentum", low=0, high=0.999999)
    rule: str = option(
        "paper",
        "sgd: the rate inside the velocity (paper) or outside (torch): they part when it changes",
        RULES,
    )
    weight_decay: float = option(
        0.0005, "weight decay: how hard the weights are pulled to 0", low=0
    )
    bias_lr_factor: float = option(1.0, "learning rate of the biases, as a factor", low=0)
    bias_decay: bool = option(True, "weight decay on the biases, too")
    freeze: tuple[str, ...] = option(
        (),
        "layers that do not learn, as the first ones of a network that another run has trained: "
        "names as in `alexnet summary`, or conv for all convolutions, fc for all fully connected "
        "layers; batch normalisation rests with the layer before it",
    )
    lr_factor: tuple[str, ...] = option(
        (),
        "layers with a learning rate of their own, as a factor: head=10,conv=0.1 has the last "
        "layer learn fast and the convolutions slowly; names as for freeze, and head; where two "
        "name the same layer, the later one counts",
    )
    label_smoothing: float = option(
        0.0, "share of the label given to all classes (none in 2012)", low=0, high=1
    )
    clip: float = option(
        0.0,
        "most that the norm of all gradients together may be, larger ones are scaled down; 0 for "
        "no bound (none in 2012)",
        low=0,
    )
    average: float = option(
        0.0,
        "decay of a running average of the weights, a step at a time: with 0.999 about the last "
        "1,000 steps count, fewer at first; the average is what is validated and used; 0 for none "
        "(none in 2012)",
        low=0, high=0.999999,
    )  # fmt: skip
    mixup: float = option(
        0.0,
        "blend each image with another of its batch, and their labels: the shares are from "
        "Beta(mixup, mixup), so 0.2 rarely blends much and 1 anything; 0 for none (none in 2012)",
        low=0, high=1000,
    )  # fmt: skip
    fade: float = option(
        0.0,
        "share of the images into which a quarter of another one is faded, without its label: "
        "mixup's ancestor, in the authors' code of 2013 with 0.05; 0 for none (none in 2012)",
        low=0, high=1,
    )  # fmt: skip
    on_nan: str = option(
        "stop",
        "NaN or Inf in the loss or in gradients ends the run, or skips the step (which looks at "
        "every gradient, and on a GPU waits for it)",
        ON_NANS,
    )

    # ----- the schedule -----
    schedule: str = option("plateau", "how the learning rate falls after the warm-up", SCHEDULES)
    warmup_steps: int = option(
        0, "steps of rising learning rate, at most a quarter of all (none in 2012)",
        low=0, high=10**9,
    )  # fmt: skip
    drop_factor: float = option(0.1, "plateau, steps: factor of one drop", low=0, high=1)
    drop_epochs: tuple[int, ...] = option(
        (), "steps: epochs after which the rate drops", low=1, high=MOST_EPOCHS
    )
    conv1_drop_epochs: tuple[int, ...] = option(
        (), "steps: the same for conv1 alone, if other ones", low=1, high=MOST_EPOCHS
    )
    conv1_freeze_epoch: int = option(
        0, "steps: epoch after which conv1 rests, 0 for never", low=0, high=MOST_EPOCHS
    )
    replayed_epochs: int = option(
        0,
        "length of the run that epochs of drops, of conv1 and of colour noise are taken from: "
        "they are stretched to this run's; 0: as given",
        low=0, high=MOST_EPOCHS,
    )
    plateau_patience: int = option(
        2, "plateau: epochs without a better validation error that are let pass",
        low=0, high=MOST_EPOCHS,
    )  # fmt: skip
    plateau_drops: int = option(3, "plateau: most drops", low=0, high=1000)

    seed: int = option(
        0, "seed of everything drawn: initialisation, dropout, order, augmentation",
        low=0, high=2**63 - 1,
    )  # fmt: skip

    def __post_init__(self) -> None:
        try:
            check_fields(self)
        except SchemaError as error:
            raise RecipeError(str(error)) from error
        if self.image_size < self.input_size:
            raise RecipeError(
                f"image_size is {self.image_size}, expected at least input_size "
                f"({self.input_size}): the input is cropped from the image"
            )
        if self.mixup and self.fade:
            raise RecipeError(
                f"mixup is {self.mixup} and fade {self.fade}: both blend images, give one of them"
            )
        if self.crop_area[0] > self.crop_area[1]:
            raise RecipeError(
                f"crop_area is {as_given(self.crop_area)}, expected the least share first"
            )
        if len(set(self.freeze)) < len(self.freeze) or "" in self.freeze:
            raise RecipeError(
                f"freeze is {as_given(self.freeze)}, expected names of layers, each once"
            )
        if len(self.lr_factors) < len(self.lr_factor):
            raise RecipeError(
                f"lr_factor is {as_given(self.lr_factor)}, expected each name once"
            )
        check_network(self)

    @property
    def title(self) -> str:
        """The network's name, for people."""
        if self.model == "alexnet":
            return f"AlexNet {self.variant}"
        return MODELS[self.model].title

    @property
    def network_options(self) -> dict[str, Any]:
        """What the constructor of a network that is not AlexNet takes."""
        return {name: getattr(self, name) for name in ("input_size", *MODELS[self.model].fields)}

    @property
    def unused(self) -> tuple[str, ...]:
        """The fields that the network or the optimizer has no use for."""
        of_lrn = ("lrn_size", "lrn_k", "lrn_alpha", "lrn_beta") * (self.norm != "response")
        of_network = {"one-tower": NOT_ONE_TOWER, "cifar": NOT_CIFAR}.get(self.variant, ())
        if self.model != "alexnet":
            has = MODELS[self.model].fields
            of_network = tuple(name for name in OF_LAYERS if name not in has)
        return of_lrn + of_network + NOT_ADAM * (self.optimizer != "sgd")

    @property
    def lr_factors(self) -> dict[str, float]:
        """`lr_factor` as numbers. RecipeError for what is no NAME=NUMBER."""
        found = {}
        for item in self.lr_factor:
            name, _, number = item.partition("=")
            try:
                found[name] = float(number)
            except ValueError:
                found[name] = math.nan
            if not name or not 0 < found[name] <= MOST_FACTOR:
                raise RecipeError(
                    f"lr_factor is {as_given(self.lr_factor)}, expected NAME=NUMBER for each "
                    f"layer, the number above 0 and at most {MOST_FACTOR}, such as head=10; a "
                    "layer that is not to learn stands in freeze"
                )
        return found

    @property
    def stretch(self) -> float:
        """What the epochs of a replayed run are multiplied by."""
        return self.epochs / (self.replayed_epochs or self.epochs)

    def to_json(self) -> str:
        """The recipe as JSON, a field per line."""
        return json.dumps(asdict(self), indent=2)

    @staticmethod
    def from_json(text: str) -> Recipe:
        """The recipe that `to_json` wrote; a field that is missing has its default.

        Raises RecipeError for anything but a JSON object, an unknown field or a wrong value.
        """
        try:
            given = json_of(text)
        except SchemaError as error:
            raise RecipeError(f"a recipe is a JSON object, {error}") from error
        if not isinstance(given, dict):
            raise RecipeError(f"a recipe is a JSON object, got {type(given).__name__}")
        known = [f.name for f in fields(Recipe)]
        unknown = [name for name in given if name not in known]
        if unknown:
            raise RecipeError(
                f"unknown field {as_given(tuple(unknown))}: a recipe has {', '.join(known)}"
            )
        return Recipe(**given)
