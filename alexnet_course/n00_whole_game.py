"""Checks of notebook 00, the whole game, its two computed pictures, and its charts."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import minigrad as mg
from alexnet_scratch import inside
from alexnet_scratch.trained import Trained

from .checks import Function, Hint, close, exercise, generator, result_for_case
from .photographs import photograph
from .questions import Choice, Number
from .style import BLUE, GREEN, ORANGE, PURPLE, RED, SKY

Pixels = NDArray[np.uint8]

# ----- the questions -----

what_of_a_cat = Choice(
    "what_of_a_cat",
    "c",
    "It has ten outputs, and their shares add up to 1, whatever the picture shows: it knows no "
    "word for 'none of these'.",
    wrong={
        "a": "There is no eleventh output that would say so, and nobody ever showed it a picture "
        "that was none of the ten.",
        "b": "Equal shares need equal scores. Fur, eyes and colours raise some scores more than "
        "others, and a small lead in the scores makes a large one in the shares.",
    },
    prediction=True,
)

stuck_at = Number(
    "stuck_at",
    float(np.log(10)),
    "Each class gets a share of 1/10, and -ln(1/10) = ln 10 = 2.303. With 1000 classes it is "
    "ln 1000 = 6.908, the number that people find when they ask why their AlexNet does not learn.",
    typical={
        0.1: "0.1 is the share of the right class; the loss is minus its logarithm.",
        1: "A loss of 1 is a share of 37% for the right class, far more than one in ten.",
        0: "A loss of 0 means to be sure and right.",
        6.908: "That is ln 1000, for the 1000 classes of ImageNet; here there are ten.",
        3.322: "That is the logarithm to base 2; the loss takes the natural one.",
        -2.303: "ln(1/10) is negative; the loss is minus that.",
        10: "10 is the number of classes; the loss is its logarithm.",
    },
    small="So small a loss would need more than one share in ten for the right class.",
    large="So large a loss would mean less than one share in ten: worse than not knowing.",
    within=0.05,
    prediction=True,
)

fewer_connections = Number(
    "fewer_connections",
    224 * 224 * 3 / (11 * 11 * 3),
    "150,528 against 363: the window is the reason. And all windows share one set of 363 weights.",
    typical={
        224 * 224 * 3 / (11 * 11): "The window has a depth, too: 11 x 11 pixels of three colours.",
        224 * 224 / (11 * 11 * 3): "The image has three colours, too: 224 x 224 x 3 numbers.",
        363: "363 is what the convolution reads. How many times more is 150,528?",
        150_528: "150,528 is what the fully connected layer reads. How many times 363 is that?",
        363 / 150_528: "The other way round: how many times more has the fully connected layer?",
        150_528 * 55 * 55 / 363: "That is how many times more weights it has, as all windows share "
        "theirs. A connection counts once for each output.",
        1e6: "That is about how many times more weights it has, as all windows share theirs. A "
        "connection counts once for each output.",
        3025: "3025 is the number of windows, 55 x 55: how many times each weight is used.",
    },
    small="Divide all numbers of the image by those of one window.",
    large="Divide all numbers of the image by those of one window.",
    within=1.0,
)

# ----- the exercise -----


def _ranks(scores: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
    """How many scores are above that of the label, for each image."""
    own = scores[np.arange(len(labels)), labels]
    return (scores > own[:, None]).sum(axis=1)  # type: ignore[no-any-return]


@exercise
def top_k_error(learner: Function) -> None:
    """top_k_error(scores, labels, k) -> the share of images whose label is not among the best k."""
    numbers = generator(0)
    for images, classes, k in ((211, 12, 5), (41, 7, 1), (89, 9, 3)):
        scores = numbers.permutation(images * classes).reshape(images, classes) / 10.0
        labels = numbers.integers(0, classes, images)
        ranks = _ranks(scores, labels)
        wrong = float((ranks >= k).mean())
        case = f"For {images} images, {classes} classes and k = {k}"
        got = result_for_case(
            learner, (scores, labels, k), case, question="The best classes of all images are an "
            f"array ({images}, {k}), a row for each image; labels is ({images},). Does each label "
            "meet its own row?",
        )  # fmt: skip
        where = f"{case}: "
        if np.size(got) != 1:
            raise Hint(
                f"{where}it returns {np.shape(got)} numbers; the error is one, the mean over the "
                "images."
            )
        got = float(np.asarray(got).item())
        if close(got, wrong, 1e-9):
            continue
        best = np.argsort(scores, axis=1)
        for value, words in (
            (1 - wrong, "that is the share of images that are right; the error is the rest."),
            (100 * wrong, "100 times too large: a share, from 0 to 1, not per cent."),
            (wrong * images, "you have the number of wrong images: divide by how many there are."),
            (wrong * images / classes, "you divide by the number of classes, not of images."),
            (float((ranks >= 1).mean()), "that is the top-1 error: what does k do?"),
            (float((ranks >= 5).mean()), "that is the top-5 error: k is given."),
            (float((ranks >= k + 1).mean()), "you look at one class too many: k of them."),
            (0.0, "no image counts as wrong. Is each label looked for in the row of its own image "
             "alone, and divided with /?"),
            (1.0, "no label is found. Look for it among the places of the k largest scores "
             "(np.argsort), not among the scores themselves."),
            (float((ranks >= k - 1).mean()), "you look at one class too few: k of them."),
            (float((ranks < classes - k).mean()),
             "you take the k smallest scores: argsort puts the smallest first."),
            (float(1 - (np.argsort(scores, axis=0)[:, -k:] == labels[:, None]).any(1).mean()),
             "you sort each column, the images of one class: sort each row, the classes of one "
             "image (axis=1)."),
            (float(1 - (best[::-1, :k] == labels[:, None]).any(1).mean()),
             "[::-1] turns the order of the images round; that of the classes is [:, ::-1]."),
            (float((best[:, ::-1][np.arange(images), labels] >= k).mean()),
             "argsort says which class is in a place; you read it as the place of a class."),
            (float(((ranks >= k) | (ranks == 0)).mean()),
             "the likeliest class itself is left out: the k last places are [-k:], to the end."),
            (float((ranks != k - 1).mean()),
             f"you look at the class in place {k} alone: any of the first {k} will do."),
            (float((ranks < k).sum() / k / images), "right ones, divided by k, too: is one of k "
             "enough for an image to be right?"),
            (float(1 - (ranks < k).sum() / k / images), "is one of k enough for an image to be "
             "right? You divide by k."),
        ):  # fmt: skip
            if close(got, value, 1e-9):
                raise Hint(where + words)
        raise Hint(
            f"{where}it returns {got:.4g}, expected {wrong:.4g}. Of each row of scores take the "
            "places of the k largest (not the scores themselves), and see whether the label is one."
        )


# ----- what the network in the box says -----


def answers() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """What the network in the box gave the 3,925 validation photographs of Imagenette: its logits
    (3925, 10), and the right classes. Numbers only: the photographs belong to others."""
    with np.load(Path(__file__).with_name("boxed_answers.npz")) as data:
        return data["logits"].astype(np.float32), data["labels"].astype(np.int64)


def as_file(picture: Pixels) -> bytes:
    """A picture as the bytes of a PNG file, which `Trained.image` reads."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def print_mistakes(
    logits: NDArray[Any], labels: NDArray[Any], classes: Sequence[str], count: int = 4
) -> None:
    """Print which classes are taken for which others most often."""
    confused = np.zeros((len(classes), len(classes)), int)
    np.add.at(confused, (labels, logits.argmax(axis=1)), 1)
    np.fill_diagonal(confused, 0)
    for place in np.argsort(-confused, axis=None)[:count]:
        is_in_fact, said = np.unravel_index(place, confused.shape)
        times = confused[is_in_fact, said]
        print(f"{times} times: a {classes[is_in_fact]}, said to be a {classes[said]}")


# ----- pictures that are computed -----


def golf_ball(size: int = 320, radius: float = 0.28) -> Pixels:
    """A white ball with 380 dimples on the photograph of grass."""
    grass = photograph("grass")[:size, :size] / 255 * [0.75, 0.95, 0.5]
    y, x = np.mgrid[:size, :size] / size
    u, v = (x - 0.5) / radius, (y - 0.52) / radius
    from_centre = u**2 + v**2
    point = np.stack([u, v, np.sqrt(np.clip(1 - from_centre, 0, 1))], -1)
    i = np.arange(380) + 0.5  # dimples on a spiral, evenly spread
    down, around = np.arccos(1 - 2 * i / 380), np.pi * (1 + 5**0.5) * i
    dimples = np.stack(
        [np.cos(around) * np.sin(down), np.sin(around) * np.sin(down), np.cos(down)], -1
    )
    nearness = point @ dimples.T
    inside = np.arccos(np.clip(nearness.max(-1), -1, 1)) < 0.085
    tilt = (point - dimples[nearness.argmax(-1)]) * inside[..., None]
    normal = point - 2.5 * tilt
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9
    light = np.array([-0.45, -0.7, 0.6]) / np.linalg.norm([-0.45, -0.7, 0.6])
    ball = (0.35 + 0.65 * np.clip(normal @ light, 0, 1))[..., None] * [0.97, 0.97, 0.95]
    shadow = ((x - 0.55) / radius) ** 2 + ((y - 0.52 - 0.9 * radius) / (0.35 * radius)) ** 2 < 1.2
    picture = np.where(shadow[..., None], 0.5 * grass, grass)
    picture = np.where((from_centre < 1)[..., None], ball, picture)
    return (255 * picture).astype(np.uint8)


def parachute(size: int = 320) -> Pixels:
    """A striped canopy with its lines before a blue sky."""
    y, x = np.mgrid[:size, :size] / size
    picture = np.stack([0.35 + 0.35 * y, 0.55 + 0.3 * y, 0.9 + 0.05 * y], -1)
    u, v = (x - 0.5) / 0.33, (y - 0.42) / 0.27
    canopy = (u**2 + v**2 < 1) & (v < 0.05 * np.cos(7 * np.pi * u))
    across = np.clip(u / np.sqrt(np.clip(1 - v**2, 1e-3, 1)), -1, 1)
    stripe = np.floor(np.arcsin(across) / np.pi * 8 + 8).astype(int) % 2
    colours = np.array([[0.85, 0.15, 0.1], [0.98, 0.95, 0.9]])
    shade = 0.7 + 0.3 * np.sqrt(np.clip(1 - u**2 - v**2, 0, 1))
    picture = np.where(canopy[..., None], colours[stripe] * shade[..., None], picture)
    for start in np.linspace(-0.9, 0.9, 9):
        share = (y - 0.43) / 0.39  # 0 at the canopy, 1 at the load
        place = 0.5 + 0.33 * start * (1 - share)
        line = (np.abs(x - place) < 0.003) & (share > 0) & (share < 1)
        picture = np.where(line[..., None], 0.25, picture)
    load = (np.abs(x - 0.5) < 0.018) & (np.abs(y - 0.86) < 0.05)
    return (255 * np.where(load[..., None], 0.12, picture)).astype(np.uint8)


# ----- charts -----


def names_of(trained: Trained) -> list[str]:
    """The classes that a network knows, each in a word or two."""
    return [trained.names.get(name, name).split(",")[0] for name in trained.classes]


def show(trained: Trained, images: Sequence[Pixels], best: int = 3) -> None:
    """Show images, each above the `best` classes to which the network gives the largest shares."""
    import matplotlib.pyplot as plt

    classes = names_of(trained)
    shares = trained.predict(np.stack([trained.image(as_file(image)) for image in images]))
    columns = 2
    rows = -(-len(images) // columns)
    _, axes = plt.subplots(
        2 * rows, columns, figsize=(5.6, 3.3 * rows), height_ratios=[2.4, 1] * rows, squeeze=False
    )
    for number in range(rows * columns):
        row, column = divmod(number, columns)
        above, below = axes[2 * row][column], axes[2 * row + 1][column]
        above.set_axis_off()
        below.set_axis_off()
        if number >= len(images):
            continue
        above.imshow(images[number])
        order = np.argsort(-shares[number])[:best]
        below.barh(range(best), shares[number][order], color=SKY, height=0.85)
        for place, one in enumerate(order):
            below.text(0.02, place, f"{classes[one]}  {shares[number][one]:.0%}", va="center")
        below.set(xlim=(0, 1), ylim=(best - 0.4, -0.6))
    plt.show()


def show_covered(trained: Trained, picture: Pixels, name: str) -> None:
    """Show what the network gets of a picture, and the share of the class `name` with a grey patch
    in each place."""
    import matplotlib.pyplot as plt

    x = trained.preprocess(as_file(picture))
    covered = inside.occlusion(trained.model, x, names_of(trained).index(name), patch=48, stride=8)
    figure, (left, right) = plt.subplots(1, 2, figsize=(5.6, 2.6))
    left.imshow(trained.as_images(x)[0])
    shown = right.imshow(covered)
    left.set_title("what the network gets", fontsize=10)
    right.set_title("its share if covered here", fontsize=10)
    for axes in (left, right):
        axes.set_axis_off()
    figure.colorbar(shown)
    plt.show()


TOP_5 = {  # the winner of each year's ILSVRC, per cent of the test images
    "2010\nNEC, Illinois": 28.2,
    "2011\nXerox": 25.8,
    "2012\nAlexNet": 15.3,
    "2013\nClarifai": 11.7,
    "2014\nGoogLeNet": 6.7,
    "2015\nResNet": 3.6,
}
SECOND_IN_2012 = 26.2
ONE_PERSON = 5.1  # Russakovsky and others, 2015, section 6.4


def show_top_5() -> None:
    """Show the top-5 error of the winners from 2010 to 2015."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(figsize=(6.4, 3.6))
    names, errors = list(TOP_5), list(TOP_5.values())
    colours = [ORANGE] * 2 + [BLUE] * 4  # features by hand, networks
    bars = axes.bar(range(len(errors)), errors, color=colours)
    axes.bar_label(bars, [f"{error}%" for error in errors])
    axes.plot([1.6, 2.4], [SECOND_IN_2012] * 2, color=ORANGE, linewidth=2)
    axes.text(1.6, SECOND_IN_2012 + 0.5, "second: 26.2%", fontsize=9)
    axes.plot([5.5, 6.8], [ONE_PERSON] * 2, color="0.4", linestyle=":")
    axes.text(5.5, ONE_PERSON + 0.6, "a trained\nperson: 5.1%", fontsize=9)
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.set(ylabel="top-5 error (%)", xlim=(-0.6, 6.9), ylim=(0, 31))
    axes.grid(False, axis="x")
    axes.set_title("ILSVRC: orange: features by hand; blue: networks", fontsize=11)
    plt.show()


_LESSON = {  # of a layer, by the first letters of its name, and its colour in the map
    "image": ("10  data", "0.5"),
    "conv": ("4  convolution", BLUE),
    "relu": ("6  ReLU", GREEN),
    "lrn": ("7  LRN", PURPLE),
    "pool": ("5  pooling", ORANGE),
    "fc": ("3  linear", RED),
    "drop": ("9  dropout", SKY),
}


def show_map(trained: Trained) -> None:
    """Show a bar for each layer, as long as the logarithm of how many numbers it puts out for an
    image, with the lesson that takes it apart."""
    import matplotlib.pyplot as plt

    x, _ = trained.black_and_white()
    sizes = [("image", x.numel())]
    with mg.no_grad():
        for name, layer in trained.model.named_children():
            x = layer(x)
            if name != "flatten":
                sizes.append((name, x.numel()))
    _, axes = plt.subplots(figsize=(5.6, 6.4))
    for place, (name, size) in enumerate(sizes):
        lesson, colour = _LESSON[name.rstrip("0123456789")]
        axes.barh(place, np.log10(size), color=colour, height=0.8, alpha=0.75)
        axes.text(0.05, place, f"{name}", va="center", fontsize=9)
        axes.text(np.log10(size) + 0.06, place, f"{size:,}", va="center", fontsize=8, color="0.45")
        axes.text(6.0, place, lesson, va="center", fontsize=9)
    axes.text(6.0, -1, "lesson", va="center", fontsize=9, weight="bold")
    axes.set(xlim=(0, 7.4), ylim=(len(sizes) - 0.4, -1.6))
    axes.set_axis_off()
    plt.show()
