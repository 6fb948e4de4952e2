"""The fields of a recipe: their values, checks, and the recipe as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, get_args, get_origin, get_type_hints

from ..initialise import SCHEMES
from ..model import CONV1_EDGES, DROPOUTS, ORDERS, VARIANTS

MEANS = ("constant", "channel", "image", "image-centre")
CROPS = ("random", "random-2048", "resized", "centre")
COLOUR_NOISES = ("none", "eigenvalue", "deviation")
SCHEDULES = ("plateau", "steps", "cosine", "constant")
RULES = ("torch", "paper")
NOT_ONE_TOWER = ("widths", "orders", "lrn_size", "lrn_k", "lrn_alpha", "lrn_beta")


class RecipeError(ValueError):
    """A recipe that cannot be used; the message is one line for the user."""


def _option(
    default: Any,
    help: str,
    choices: tuple[str, ...] = (),
    low: float = -math.inf,
    high: float = math.inf,
) -> Any:
    """A field with its description and the values it may take (bounds included)."""
    limits = {"help": help, "choices": choices, "low": low, "high": high}
    return field(default=default, metadata=limits)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One experiment. Every field is simple, has a line of help, and is a flag of `alexnet train`.

    Raises RecipeError for a value of another type or out of range.
    """

    name: str = _option("paper", "name of the recipe")

    # ----- the network -----
    variant: str = _option("two-tower", "form of the network", VARIANTS)
    input_size: int = _option(224, "side of the network's input in pixels", low=63)
    conv1_edge: str = _option("pad", "conv1's border: padding 2, or the ceil rule", CONV1_EDGES)
    orders: tuple[str, str] = _option(
        ("relu-lrn-pool", "relu-lrn-pool"), "what follows conv1 and conv2", ORDERS
    )
    lrn_size: int = _option(5, "channels in the window of the response normalisation", low=1)
    lrn_k: float = _option(2.0, "response normalisation: k", low=0)
    lrn_alpha: float = _option(1e-4, "response normalisation: alpha, on the plain sum", low=0)
    lrn_beta: float = _option(0.75, "response normalisation: beta", low=0)
    dropout: str = _option("paper", "scale in training (inverted) or at test (paper)", DROPOUTS)
    dropout_p: float = _option(0.5, "probability that dropout zeroes a unit", low=0, high=1)
    widths: tuple[int, ...] = _option((96, 256, 384, 384, 256), "maps of the convolutions", low=2)
    fc_width: int = _option(4096, "units of fc6 and fc7", low=1)
    init: str = _option("paper", "initialisation", SCHEMES)

    # ----- the input -----
    image_size: int = _option(256, "side to which images are resized before cropping", low=1)
    mean: str = _option(
        "image",
        "what is subtracted from pixels: input_mean, the training images' channel means, or their "
        "mean image, where the crop is or always its centre",
        MEANS,
    )
    input_mean: tuple[float, float, float] = _option(
        (127.3, 119.7, 104.9), "mean constant: red, green and blue (0-255)"
    )
    input_std: tuple[float, float, float] = _option(
        (1.0, 1.0, 1.0), "what red, green and blue are divided by afterwards", low=1e-6
    )
    crop: str = _option(
        "random-2048",
        "training crops: at every place, at 32 x 32 places, resized at random, or at the centre",
        CROPS,
    )
    crop_chunk: int = _option(1, "images in a row that share crop and flip", low=1)
    flip: bool = _option(True, "mirror half of the training images")
    colour_noise: str = _option(
        "eigenvalue",
        "noise along the colours' principal axes, scaled by the eigenvalue (of pixels from 0 to 1, "
        "as everybody reads it) or by the standard deviation",
        COLOUR_NOISES,
    )
    colour_std: float = _option(0.1, "colour noise: standard deviation of its factor", low=0)
    colour_divisor: float = _option(1.0, "colour noise: what the sum is divided by", low=1e-6)
    colour_epochs: int = _option(0, "colour noise: epochs with it, 0 for all", low=0)
    colour_jitter: float = _option(
        0.0, "most change of brightness, contrast and saturation, as a share", low=0, high=1
    )
    rotation: float = _option(0.0, "most degrees that a training image is turned", low=0, high=180)
    val_fraction: float = _option(
        0.1, "share held out for validation where the data has no such folder", low=1e-6, high=0.999
    )

    # ----- the optimiser -----
    epochs: int = _option(90, "passes over the training images", low=1)
    batch_size: int = _option(128, "images in a training step", low=1)
    lr: float = _option(0.01, "learning rate after the warm-up", low=0)
    momentum: float = _option(0.9, "momentum", low=0, high=0.999999)
    weight_decay: float = _option(0.0005, "weight decay", low=0)
    bias_lr_factor: float = _option(1.0, "learning rate of the biases, as a factor", low=0)
    bias_decay: bool = _option(True, "weight decay on the biases, too")
    rule: str = _option("paper", "learning rate outside (torch) or inside the velocity", RULES)
    label_smoothing: float = _option(0.0, "share of the label given to all classes", low=0, high=1)

    # ----- the schedule -----
    schedule: str = _option("plateau", "how the learning rate falls", SCHEDULES)
    warmup_steps: int = _option(0, "steps of rising learning rate, at most a quarter of all", low=0)
    drop_factor: float = _option(0.1, "plateau, steps: factor of one drop", low=0, high=1)
    drop_epochs: tuple[int, ...] = _option((), "steps: epochs after which the rate drops", low=1)
    conv1_drop_epochs: tuple[int, ...] = _option(
        (), "steps: the same for conv1 alone, if other ones", low=1
    )
    conv1_freeze_epoch: int = _option(0, "steps: epoch after which conv1 rests, 0 for none", low=0)
    replayed_epochs: int = _option(
        0, "length of the run that epochs of drops, of conv1 and of colour noise are taken from: "
        "they are stretched to this run's; 0: as given",
        low=0,
    )  # fmt: skip
    plateau_patience: int = _option(
        2, "plateau: epochs without a better validation error that are let pass", low=0
    )
    plateau_drops: int = _option(3, "plateau: most drops", low=0)

    seed: int = _option(0, "seed of initialisation, dropout, order and augmentation", low=0)

    def __post_init__(self) -> None:
        hints = get_type_hints(Recipe)
        for f in fields(self):
            _check_type(f.name, getattr(self, f.name), hints[f.name])
            _check_value(f.name, getattr(self, f.name), f.metadata)
        if self.image_size < self.input_size:
            raise RecipeError(
                f"image_size is {self.image_size}, expected at least input_size "
                f"({self.input_size}): the input is cropped from the image"
            )
        if len(self.widths) != 5 or any(width % 2 for width in self.widths):
            raise RecipeError(
                f"widths is {_text(self.widths)}, expected five even numbers: half for each tower"
            )
        if self.variant == "one-tower":
            self._check_one_tower()

    def _check_one_tower(self) -> None:
        """torchvision's network has no such choices; a value that did nothing would mislead."""
        fixed = {name: getattr(Recipe, name) for name in self.unused}
        for name, value in {"conv1_edge": "pad", "dropout": "inverted", **fixed}.items():
            if getattr(self, name) != value:
                raise RecipeError(
                    f"{name} is {_text(getattr(self, name))}, but the one-tower network has only "
                    f"{_text(value)}: give that, or another variant"
                )

    @property
    def unused(self) -> tuple[str, ...]:
        """The fields that the variant has no use for."""
        return NOT_ONE_TOWER if self.variant == "one-tower" else ()

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
            given = json.loads(text)
        except ValueError as error:
            raise RecipeError(f"a recipe is a JSON object, this is no JSON: {error}") from error
        if not isinstance(given, dict):
            raise RecipeError(f"a recipe is a JSON object, got {type(given).__name__}")
        known = [f.name for f in fields(Recipe)]
        unknown = [name for name in given if name not in known]
        if unknown:
            raise RecipeError(
                f"unknown field {', '.join(unknown)}: a recipe has {', '.join(known)}"
            )
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in given.items()
        }
        return Recipe(**values)


def _check_type(name: str, value: Any, hint: Any) -> None:
    if get_origin(hint) is tuple:
        items = get_args(hint)
        fits = isinstance(value, tuple)
        if fits and items[-1] is not Ellipsis:
            fits = len(value) == len(items)
        if not fits:
            kind = items[0].__name__
            expected = f"{kind} values" if items[-1] is Ellipsis else f"{len(items)} {kind} values"
            raise RecipeError(f"{name} is {_text(value)}, expected {expected}")
        for item in value:
            _check_type(name, item, items[0])
        return
    accepted = (int, float) if hint is float else hint  # 1 is a fine learning rate, True is not
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise RecipeError(f"{name} is {_text(value)}, expected {hint.__name__}")


def _check_value(name: str, value: Any, limits: Any) -> None:
    for item in value if isinstance(value, tuple) else (value,):
        if limits["choices"] and item not in limits["choices"]:
            raise RecipeError(f"{name} is {item!r}: use one of {', '.join(limits['choices'])}")
        if isinstance(item, str | bool):
            continue
        low, high = limits["low"], limits["high"]
        if not math.isfinite(item) or not low <= item <= high:
            bounds = f"{low:g} or more" if high == math.inf else f"{low:g} to {high:g}"
            number = "a finite number" if low == -math.inf else bounds
            raise RecipeError(f"{name} is {item}, expected {number}")


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else repr(value)
