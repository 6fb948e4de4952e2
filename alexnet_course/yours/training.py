"""The capstone's data, network and run: everything but the assembly and the loop, which are the
learner's there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

import minigrad as mg
from alexnet_scratch.data import patterns
from minigrad.kernels.conv import columns, conv_geometry
from minigrad.kernels.threefry import Key

from .collected import BESIDE, NETWORK, Yours, ready_made
from .halves import Array
from .parts import Clock

IMAGE, CROP = 72, 67  # pixels; of 67, the poolings leave maps of 7, of 3 and of one pixel
CLASSES = ("checks", "rays", "rings", "spiral", "stripes", "triangles")
# The weights of each layer. Filters of conv2, conv4 and conv5 see the maps of one tower.
SHAPES: dict[str, tuple[int, ...]] = {
    "conv1": (16, 3, 11, 11), "conv2": (24, 8, 5, 5), "conv3": (32, 24, 3, 3),
    "conv4": (32, 16, 3, 3), "conv5": (32, 16, 3, 3), "fc6": (64, 32), "fc7": (64, 64),
    "fc8": (len(CLASSES), 64),
}  # fmt: skip
PER_CLASS, EPOCHS, BATCH = 40, 24, 16
RATE, MOMENTUM, DECAY = 0.02, 0.9, 0.0005
COLOUR_STD = 0.1
Weights = dict[str, tuple[mg.Tensor, mg.Tensor]]
Assembly = Callable[[Any, Weights, mg.Tensor, "Keys | None"], mg.Tensor]
Keys = tuple[Key, Key]


class Images(NamedTuple):
    """Images (N, 72, 72, 3) uint8, and their classes (N,)."""

    pixels: Array
    labels: Array


def drawn(per_class: int = PER_CLASS, seed: int = 0) -> Images:
    """`per_class` images of each class, drawn from `seed`, one class after the other."""
    pixels = [
        patterns.draw(name, np.random.default_rng([seed, number, image]), IMAGE)
        for number, name in enumerate(CLASSES)
        for image in range(per_class)
    ]
    return Images(np.stack(pixels), np.repeat(np.arange(len(CLASSES)), per_class))


class Input:
    """From images to what the network reads, with the learner's functions of lesson 10: a crop at
    a random place, mirrored or not, less the mean image, with noise on its colours."""

    def __init__(self, yours: Yours, images: Images) -> None:
        pieces = yours.pieces
        self._places = list(pieces["all_places"](IMAGE, CROP))
        self._subtract_mean = pieces["subtract_mean"]
        self._colour_shift = pieces["colour_shift"]
        pixels = images.pixels.reshape(-1, 3).astype(float)
        self._mean = images.pixels.mean(0)
        self._eigenvalues, self._eigenvectors = np.linalg.eigh(np.cov(pixels.T))
        self._scale = pixels.std()

    def batches(
        self, images: Images, rng: np.random.Generator
    ) -> Iterator[tuple[mg.Tensor, Array]]:
        """Each image once, in random order: x (N, 3, 67, 67) float32, labels (N,)."""
        order = rng.permutation(len(images.labels))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            yield self._crops(images, chosen, rng), images.labels[chosen]

    def centre(self, images: Images) -> Array:
        """The crop in the middle of each image, as the network reads it: (N, 3, 67, 67)."""
        edge = (IMAGE - CROP) // 2
        return self._tensor([self._crop(pixels, edge, edge, False) for pixels in images.pixels])

    def _crops(self, images: Images, chosen: Array, rng: np.random.Generator) -> mg.Tensor:
        crops = []
        for image in images.pixels[chosen]:
            place = self._places[rng.integers(len(self._places))]
            alpha = COLOUR_STD * rng.standard_normal(3)
            shift = self._colour_shift(self._eigenvectors, self._eigenvalues, alpha)
            crops.append(self._crop(image, *place) + np.asarray(shift))
        return mg.tensor(self._tensor(crops))

    def _crop(self, image: Array, top: int, left: int, mirrored: bool) -> Array:
        crop = image[top : top + CROP, left : left + CROP]
        crop = crop[:, ::-1] if mirrored else crop
        return np.asarray(self._subtract_mean(crop, self._mean, top, left, mirrored))

    def _tensor(self, crops: list[Array]) -> Array:
        x: Array = (np.stack(crops) / self._scale).astype(np.float32)
        return x.transpose(0, 3, 1, 2)


class Net:
    """A network in training: what a training loop calls.

    `loss(x, labels)` is a tensor, `backward(loss)` adds to the `grad` of each of `weights`,
    `step(w, v, grad, lr)` returns the new w and the new v, and `velocities` has an array for each
    of `weights`. `logits(x)` (N, 6) is without dropout, for images (N, 3, 67, 67).
    """

    def __init__(self, yours: Yours, assembly: Assembly, x: Array, seed: int) -> None:
        self.yours, self._assembly, self._seed = yours, assembly, seed
        self.clock = Clock()  # of backward and of the steps, whosever they are
        self.layers = _first_weights(yours, assembly, x, seed)
        self.weights = [tensor for pair in self.layers.values() for tensor in pair]
        self.velocities = [np.zeros_like(weight.data) for weight in self.weights]
        self._draws = 0

    def loss(self, x: Any, labels: Array) -> mg.Tensor:
        """The mean cross-entropy of a batch, with dropout."""
        keys = (Key(self._seed, self._draws), Key(self._seed, self._draws + 1))
        self._draws += 2
        logits = self._assembly(self.yours, self.layers, _as_tensor(x), keys)
        return self.yours.cross_entropy(logits, labels)

    def logits(self, x: Any) -> Array:
        """The logits (N, classes), without dropout."""
        with mg.no_grad():
            return self._assembly(self.yours, self.layers, _as_tensor(x), None).numpy()

    def backward(self, loss: mg.Tensor) -> None:
        """Add the gradient of each weight to its `grad`."""
        self.yours.backward(loss)

    def step(self, w: Array, v: Array, grad: Array, lr: float) -> tuple[Array, Array]:
        """The new w and the new v."""
        function = self.yours.pieces["sgd_step"]
        new = self.clock.call("forward", function, w, v, grad, lr, MOMENTUM, DECAY, "torch")
        return np.asarray(new[0], w.dtype), np.asarray(new[1], w.dtype)


def _as_tensor(x: Any) -> mg.Tensor:
    return x if isinstance(x, mg.Tensor) else mg.tensor(x)


class _Starting:
    """The operations, with a layer's first weights scaled by lsuv just before they are used."""

    def __init__(self, yours: Yours, last: mg.Tensor) -> None:
        self._yours, self._last = yours, last

    def __getattr__(self, name: str) -> Any:
        return getattr(self._yours, name)

    def conv2d(
        self,
        x: mg.Tensor,
        weight: mg.Tensor,
        bias: mg.Tensor,
        stride: int,
        padding: int,
        groups: int,
    ) -> mg.Tensor:
        pairs = (stride, stride), (padding, padding), (1, 1)
        geometry = conv_geometry(x.shape, weight.shape, *pairs, groups)
        seen = columns(x.data, geometry)  # (groups, windows, u v c)
        for part, rows in zip(np.split(weight.data, groups), seen, strict=True):
            matrix = part.transpose(0, 2, 3, 1).reshape(len(part), -1)
            scaled = self._scaled(matrix, rows, 1.0)
            part[...] = scaled.reshape(len(part), *part.shape[2:], -1).transpose(0, 3, 1, 2)
        return self._yours.conv2d(x, weight, bias, stride, padding, groups)

    def linear(self, x: mg.Tensor, weight: mg.Tensor, bias: mg.Tensor) -> mg.Tensor:
        target = 0.1 if weight is self._last else 1.0
        weight.data[...] = self._scaled(weight.data, x.data, target)
        return self._yours.linear(x, weight, bias)

    def _scaled(self, weight: Array, x: Array, target: float) -> Array:
        return np.asarray(self._yours.pieces["lsuv"](weight, x, target), weight.dtype)


def _first_weights(yours: Yours, assembly: Assembly, x: Array, seed: int) -> Weights:
    rng = np.random.default_rng(seed)
    layers = {
        name: (
            mg.tensor(rng.standard_normal(shape).astype(np.float32), requires_grad=True),
            mg.tensor(np.zeros(shape[0], np.float32), requires_grad=True),
        )
        for name, shape in SHAPES.items()
    }
    with mg.no_grad():
        assembly(_Starting(yours, layers["fc8"][0]), layers, mg.tensor(x), None)
    return layers


def rates(epochs: int) -> list[float]:
    """The rate of each epoch: it rises in the first two and then falls in a straight line."""
    return [RATE * min((e + 1) / 2, 1) * (epochs - e) / epochs for e in range(epochs)]


@dataclass
class Run:
    """A run that is over, or was stopped."""

    net: Net
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    tested: list[int] = field(default_factory=list)  # the epochs (from 1) after which it was tested
    accuracies: list[float] = field(default_factory=list)  # in these tests

    @property
    def accuracy(self) -> float:
        """The mean after the last three epochs: a single one goes up and down."""
        last = self.accuracies[-3:]
        return sum(last) / len(last)


def train(
    yours: Yours,
    assembly: Assembly,
    train_epoch: Callable[..., float],
    accuracy: Callable[..., float],
    images: Images,
    test: Images,
    epochs: int = EPOCHS,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Run:
    """Train a network from its first weights on. One seed: the same weights, batches and masks."""
    source = Input(yours, images)
    net = Net(yours, assembly, source.centre(images)[:: max(1, len(images.labels) // 60)], seed)
    rng, seen, run = np.random.default_rng([seed, 1]), source.centre(test), Run(net)
    start = perf_counter()
    for epoch, rate in enumerate(rates(epochs)):
        run.losses.append(float(train_epoch(net, source.batches(images, rng), rate)))
        if _tested(epoch + 1, epochs):
            run.tested.append(epoch + 1)
            run.accuracies.append(float(accuracy(net, seen, test.labels, 64)))
        run.seconds = perf_counter() - start
        if progress is not None and epoch == 0:
            progress(f"One epoch of {epochs} took {run.seconds:.1f} s.")
    return run


def _tested(epoch: int, epochs: int) -> bool:
    """Every fourth epoch, and the last three."""
    return epoch % 4 == 0 or epoch > epochs - 3


# ----- what fits into the time -----


def fit(
    yours: Yours, assembly: Assembly, images: Images, seconds: float = 240.0, epochs: int = EPOCHS
) -> list[str]:
    """Take minigrad's in the place of what would make the run longer than that. Returns a sentence
    for each such function."""
    said: list[str] = []
    while True:
        costs = {
            (name, half): cost * len(images.labels) * epochs * (1.5 if half == "forward" else 1)
            for (name, half), cost in _costs_of_an_image(yours, assembly, images).items()
        }  # forward is computed in the tests, too
        whole = sum(costs.values())
        mine = {key: cost for key, cost in costs.items() if _by(yours, *key)}
        if whole <= seconds or not mine:
            return said
        name, half = max(mine, key=lambda key: mine[key])
        operation = yours.operations[name]
        by = _by(yours, name, half)
        operation.skipped.add(f"{half} {by}")
        operation.choose()
        now = _by(yours, name, half)
        instead = f"your {now}" if now else "minigrad's"
        said.append(
            f"{name} {half}: your {by} is right, and alone would take about "
            f"{mine[name, half] / 60:.0f} minutes here: {instead} takes its place."
        )


def _by(yours: Yours, name: str, half: str) -> str:
    return yours.operations[name].by[half == "backward"]


def _costs_of_an_image(
    yours: Yours, assembly: Assembly, images: Images
) -> dict[tuple[str, str], float]:
    """Seconds of each half of each operation for one image, in a step with one, or, if that was
    fast, with eight: a call has costs of its own, which a batch shares."""
    costs: dict[tuple[str, str], float] = {}
    for count in (1, 8):
        few = Images(images.pixels[:count], images.labels[:count])
        x = Input(yours, images).centre(few)
        net = Net(ready_made(), assembly, x, 0)
        net.yours = yours
        costs = {key: cost / count for key, cost in _costs(net, x, few.labels).items()}
        if sum(costs.values()) > 0.1:
            break
    return costs


def _costs(net: Net, x: Array, labels: Array) -> dict[tuple[str, str], float]:
    """Seconds of each half of each operation in one step: the faster one of two."""
    steps = []
    for _ in range(2):
        for operation in net.yours.operations.values():
            operation.clock.seconds = {"forward": 0.0, "backward": 0.0}
        net.backward(net.loss(x, labels))
        steps.append(
            {
                (name, half): seconds
                for name, operation in net.yours.operations.items()
                for half, seconds in operation.clock.seconds.items()
            }
        )
    return {key: min(step[key] for step in steps) for key in steps[0]}


# ----- how much of it is the learner's -----


class Share(NamedTuple):
    """How much of a run is the learner's."""

    functions: int
    of_functions: int
    weights: float
    products: float  # multiply-adds of the layers, forward and backward
    seconds: float


def share(run: Run, own: int = 0) -> Share:
    """own: how many of the three functions of the capstone itself are the learner's."""
    yours = run.net.yours
    weights, products = _sizes()
    mine = {name: all(yours.operations[name].by) for name in ("conv2d", "linear")}
    operation = {name: "conv2d" if name.startswith("conv") else "linear" for name in SHAPES}
    halves = {name: [bool(by) for by in yours.operations[name].by] for name in ("conv2d", "linear")}
    done = sum(
        products[name] * np.dot((1, 2), halves[operation[name]]) for name in SHAPES
    )  # backward has two products where forward has one
    spent = _seconds(yours, run.net)
    return Share(
        len(yours.in_use()) + own,
        most_functions() + 3,
        sum(weights[n] for n in SHAPES if mine[operation[n]]) / sum(weights.values()),
        float(done / (3 * sum(products.values()))),
        sum(s for s, is_mine in spent if is_mine) / max(sum(s for s, _ in spent), 1e-9),
    )


def _seconds(yours: Yours, net: Net) -> list[tuple[float, bool]]:
    spent = [
        (seconds, bool(_by(yours, name, half)))
        for name in NETWORK
        for half, seconds in yours.operations[name].clock.seconds.items()
    ]
    ready = yours.verdicts["sgd_step"] != "right"
    return [*spent, (net.clock.seconds["forward"], not ready)]


def most_functions() -> int:
    """How many functions of the lessons a network that is all the learner's computes with."""
    operations = ready_made().operations.values()
    ways = [(o.part.forwards, o.part.backwards) for o in operations]
    return len({half[0].exercise for halves in ways for half in halves if half}) + len(BESIDE)


def _sizes() -> tuple[dict[str, int], dict[str, int]]:
    """Weights and multiply-adds of one image, by layer."""
    pixels = {"conv1": 15 * 15, "conv2": 7 * 7, "conv3": 9, "conv4": 9, "conv5": 9}
    weights = {name: int(np.prod(shape)) + shape[0] for name, shape in SHAPES.items()}
    products = {name: int(np.prod(shape)) * pixels.get(name, 1) for name, shape in SHAPES.items()}
    return weights, products
