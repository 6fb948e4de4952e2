"""How far the image gets through a network before its first training step, and what to do if not.

At initialisation a network can carry a constant in place of the image: biases of 1 over weights of
0.01 do, and then training sits at ln(C), what guessing gives, for thousands of steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from minigrad import Tensor, nn, no_grad
from minigrad.arrays import Array

from .model import evaluating
from .recipe import Recipe

# How far the image should move the logits: the gradients of all layers grow with it. On a small
# task LSUV (0.03) left ln(C) after 150 steps, Caffe's recipe (0.005) after 450, and the paper's
# text (0.003) had not after 900.
LEAST_IMAGE = 0.01
# The part of the logits that should depend on the image. Below it a constant swamps the image: in
# the paper's recipe (0.01, against 0.07 in Caffe's, which differs in its biases of 0.1).
LEAST_SHARE = 0.03
# Loss above ln(C), in nats. Guessing costs ln(C); logits that are sure of wrong classes cost more,
# and their gradients are as large. The recipes here begin below 0.5; He's initialisation (12) and
# the 2012 code's with inverted dropout (3) blow up at a rate of 0.01.
MOST_EXCESS = 1.0
# Where the image has little part in a layer, a unit's sign is the same for all images, and half of
# the units are off by chance. Clearly more means that something pushes the layer down.
MOST_DEAD = 0.75

_SHOWN = (
    nn.Conv2d, nn.Linear, nn.ReLU, nn.PaperLRN, nn.LocalResponseNorm, nn.LocalContrastNorm,
    nn.BatchNorm2d,
)  # fmt: skip


@dataclass(frozen=True)
class LayerSignal:
    """What a layer puts out for a batch; the layer includes the ReLU that follows it directly.

    A unit is one value of the output for one image: with maps, one place in one map.
    rms: of all values. std: of all values about their common mean. image_rms: how far an image
    moves a unit: root of the mean, over the units, of a unit's variance over the images. dead: the
    share of units that are 0 for every image, None where there is no ReLU.
    """

    name: str
    rms: float
    std: float
    image_rms: float
    dead: float | None

    @property
    def image_share(self) -> float:
        """The part of the rms that depends on the image, 0 to 1."""
        return self.image_rms / self.rms if self.rms else 0.0


def measure(model: nn.Module, images: Tensor) -> list[LayerSignal]:
    """The signal in each layer with weights, normalisation and ReLU, in the order they are called.

    images: (N, 3, size, size) as the network gets them, N at least 2; dropout is off. ValueError
    for fewer. The network is left as it was.
    """
    if len(images) < 2:
        raise ValueError(
            f"measure got {len(images)} images, expected at least 2: they are compared"
        )
    rows: list[LayerSignal] = []
    previous: list[Any] = []  # the module called before, if it was one with weights

    def note(module: nn.Module, name: str, output: Tensor) -> None:
        rectified = isinstance(module, nn.ReLU)
        if rectified and previous:
            name = rows.pop().name
        if isinstance(module, _SHOWN):
            rows.append(_signal(name, output.data, rectified))
        weighted = isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d)
        previous[:] = [module] * weighted

    def hook(name: str) -> Any:
        return lambda module, _, output: note(module, name, output)

    leaves = [(n, m) for n, m in model.named_modules() if next(m.children(), None) is None]
    handles = [module.register_forward_hook(hook(name)) for name, module in leaves]
    try:
        with evaluating(model), _by_the_batch(model), no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    return rows


@contextmanager
def _by_the_batch(model: nn.Module) -> Iterator[None]:
    """Batch normalisation as in training, where the running statistics know nothing yet; they are
    left as they were."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    kept = [{name: b.data.copy() for name, b in norm.named_buffers()} for norm in norms]
    for norm in norms:
        norm.train()
    try:
        yield
    finally:
        for norm, values in zip(norms, kept, strict=True):
            for name, buffer in norm.named_buffers():
                buffer.data[...] = values[name]


def _signal(name: str, output: Array, rectified: bool) -> LayerSignal:
    units = output.reshape(len(output), -1)
    mean = units.mean(axis=0, dtype="float64")
    variance = ((units - mean) ** 2).mean(axis=0)  # of each unit over the images
    total = float((variance + mean**2).mean())
    centre = float(mean.mean())
    return LayerSignal(
        name,
        rms=math.sqrt(total),
        std=math.sqrt(max(total - centre**2, 0.0)),
        image_rms=math.sqrt(float(variance.mean())),
        dead=float((units == 0).all(axis=0).mean()) if rectified else None,
    )


def advice(signals: list[LayerSignal], loss: float, classes: int, recipe: Recipe) -> list[str]:
    """What speaks against learning from this start, a sentence or two each; empty if nothing does.

    loss: of the first training step, dropout on.
    """
    said = []
    logits, chance = signals[-1], math.log(classes)
    guessing = f"ln({classes}) = {chance:.3f}, what guessing gives"
    if not loss - chance < MOST_EXCESS:
        said.append(
            f"The initial loss of {loss:.3f} is far above {guessing}: the first steps will be too "
            f"large and may ruin the network. Use --init lsuv, or a lower rate (--lr "
            f"{recipe.lr / 10:g}) with --warmup-steps 200."
        )
    if logits.image_rms < LEAST_IMAGE:
        swamped = logits.image_share < LEAST_SHARE
        said.append(
            f"The image does not reach the classes: it moves the logits by {logits.image_rms:.1g}, "
            f"at least {LEAST_IMAGE:g} is good"
            + f", and only {percent(logits.image_share)} of them depends on it" * swamped
            + f". The loss is likely to stay at {guessing}, for "
            + ("thousands" if swamped else "hundreds")
            + f" of steps. {_mend(recipe)}"
        )
    for layer in signals:
        if layer.dead is not None and layer.dead > MOST_DEAD:
            said.append(
                f"{layer.dead:.0%} of the units of {layer.name} are 0 for every image of the batch "
                "and will not learn: use --init lsuv, or look at the scale of the input "
                "(--input-mean, --input-std)."
            )
    return said


def percent(share: float) -> str:
    """A share of 1 in percent; a small one keeps a digit."""
    return f"{share:.1%}" if share >= 1e-3 or share == 0 else f"{100 * share:.1g}%"


def _mend(recipe: Recipe) -> str:
    if recipe.init in ("paper", "source2012", "caffe"):
        return (
            "Use --recipe small, or --init lsuv --input-std 64,64,64"
            + "; smaller biases (--init caffe) shorten it" * (recipe.init != "caffe")
            + "; this initialisation presumes raw pixels (--input-std 1,1,1)"
            * (recipe.input_std != (1.0, 1.0, 1.0))
            + "."
        )
    if recipe.init == "lsuv":
        return "LSUV was given images that do not differ: look at the training images."
    return "Use --init lsuv."
