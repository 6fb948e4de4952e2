"""The pictures of `alexnet inside`: each is computed, drawn, written, and told in a line."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from minigrad import Tensor
from minigrad.files import replacing

from ..data import DataError
from ..names import file_name, one_line, short_names
from ..picture import save_picture, shown
from ..trained import Trained
from . import draw, filters, layers, made, maps, units

OF_THE_NETWORK = ("filters", "class", "units", "neighbours")
WHERE = ("saliency", "occlusion", "grad-cam", "guided")
OF_AN_IMAGE = ("maps", *WHERE, "fooling")
KINDS = (*OF_THE_NETWORK, *OF_AN_IMAGE)

MOST_CLASSES = 10  # drawn without being asked for
UNITS, EXAMPLES = 6, 9  # units drawn, and images of each
QUERIES, NEIGHBOURS = 6, 6
COVER, STEPS = 4, 16  # occlusion: a cover of a quarter of the image's side, a step of a sixteenth


@dataclass(frozen=True)
class Looked:
    """An image that is looked at.

    whole: (S, S, 3), S the recipe's image size; x: what the network gets of its centre, `crop`; p:
    its probabilities; label: its true class, if that is known.
    """

    name: str
    whole: NDArray[np.uint8]
    crop: NDArray[np.uint8]
    x: Tensor
    p: layers.Floats
    label: int | None = None


@dataclass(frozen=True)
class Gallery:
    """Many images: their centres (N, s, s, 3), and their true classes (N,)."""

    crops: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Written:
    """A picture's file, what it shows in a line, and its numbers by name."""

    file: Path
    text: str
    numbers: dict[str, Any]


@dataclass
class Pictures:
    """What draws a network into a folder.

    form: "png" or "svg". layer: whose maps are drawn, by default the last convolution's behind its
    ReLU. classes: asked for, by number; by default the one that the network names.
    """

    network: Trained
    folder: Path
    form: str = "png"
    layer: str = ""
    classes: Sequence[int] = ()
    written: list[Written] = field(default_factory=list)
    _files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        network = self.network
        self.model = network.model
        self.black, self.white = network.black_and_white()
        self.layer = self.layer or layers.last_maps(self.model, self.black)
        self.names = short_names([network.names.get(c, c) for c in network.classes])

    def looked(self, name: str, whole: NDArray[np.uint8], label: int | None = None) -> Looked:
        """An image as the others take it."""
        x = self.network.preprocess(whole[None])
        p = layers.probabilities(self.model, x)[0]
        return Looked(name, whole, self.network.as_images(x)[0], x, p, label)

    # ----- of the network -----

    def filters(self) -> Written:
        """The first layer's filters by tower, with how colourful they are."""
        name, towers = filters.first_filters(self.model)
        every = np.concatenate(towers)
        values = [filters.colourfulness(tower) for tower in towers]
        means = [float(each.mean()) for each in values]
        said = ", ".join(
            f"{mean:.2f}" + f" in tower {i + 1}" * (len(means) > 1) for i, mean in enumerate(means)
        )
        numbers: dict[str, Any] = {
            "tower_colourfulness": means,
            "filter_colourfulness": [[round(float(v), 4) for v in each] for each in values],
        }
        text = f"the {len(every)} filters of {name}; colourfulness {said} (0 is grey, 0.67 chance)"
        if len(towers) == 2:
            share = filters.random_halves(np.concatenate(values))
            numbers["random_halves_that_differ_as_much"] = share
            text += f"; of random halves {share:.1%} differ as much"
        figure = draw.draw_filters(every, len(towers), measured=True)
        return self._write(figure, "filters", text, numbers)

    def class_images(self, most: int = MOST_CLASSES) -> list[Looked]:
        """Images made for the classes that are asked for, or for the first `most`."""
        chosen = list(self.classes) or list(range(min(len(self.names), most)))
        x = made.class_images(self.model, chosen, self.black, self.white)
        side, found = self.network.recipe.image_size, []
        for c, crop in zip(chosen, self.network.as_images(x), strict=True):
            whole = np.full((max(side, len(crop)),) * 2 + (3,), 127, np.uint8)
            _centre(whole, len(crop))[:] = crop
            found.append(self.looked(f"class image of {self.names[c]}", whole, c))
        return found

    def draw_classes(self, images: Sequence[Looked]) -> Written:
        """The images made for classes."""
        asked = [(each.label, each) for each in images if each.label is not None]
        own = [(self.names[label], float(each.p[label])) for label, each in asked]
        titles = [f"{shown(name, 24)} {p:.1%}" for name, p in own]  # two may be called alike
        figure = draw.draw_images([each.crop for each in images], titles)
        text = (
            f"images made by gradient ascent for {len(images)} of {len(self.names)} classes; the "
            f"network gives each its class with {min(p for _, p in own):.1%} or more"
        )
        return self._write(figure, "class", text, {"probability": dict(own)})

    def units(self, gallery: Gallery, asked: Sequence[int] = ()) -> Written:
        """The images that excite units of the layer most, cut to what the unit sees.

        DataError for a unit that the layer does not have.
        """
        values, places = (
            np.concatenate(parts) for parts in zip(*self._by_batch(
                gallery.crops, lambda x: units.peaks(self.model, x, self.layer)
            ), strict=True)
        )  # fmt: skip
        best = units.excited(values, min(EXAMPLES, len(values)))
        wrong = [unit for unit in asked if unit >= len(best)]
        if wrong:
            raise DataError(
                f"--unit {wrong[0]}: {self.layer} has {len(best)} units, give 0 to {len(best) - 1}"
            )
        field_of_row = layers.receptive_field(self.model, self.black, self.layer)
        pictures, titles, numbers = [], [], {}
        for unit in asked or _telling(values, best, gallery.labels):
            rows = best[unit]
            crops = [_seen(gallery.crops[i], field_of_row[places[i, unit]]) for i in rows]
            counts = np.bincount(gallery.labels[rows])
            common, times = self.names[int(counts.argmax())], int(counts.max())
            pictures.append(draw.mosaic(crops))
            titles.append(
                f"unit {unit}: {times} of {len(rows)}\n{shown(common, 20)}, "
                f"largest {values[rows[0], unit]:.1f}"
            )
            numbers[f"unit {unit}"] = {
                "largest": float(values[rows[0], unit]), "commonest": common, "times": times,
            }  # fmt: skip
        figure = draw.draw_images(pictures, titles, columns=3)
        sees = int((field_of_row[:, 1] - field_of_row[:, 0] + 1).max())
        text = (
            f"of {len(values)} images the {best.shape[1]} that excite each of {len(titles)} units "
            f"of {self.layer} most, cut to what it sees ({sees} pixels across at most)"
        )
        return self._write(figure, "units", text, numbers)

    def neighbours(self, queries: Sequence[Looked], gallery: Gallery) -> Written:
        """The images whose last hidden layer is nearest to that of each query."""
        rows = np.concatenate(
            self._by_batch(gallery.crops, lambda x: layers.features(self.model, x))
        )
        asked = np.concatenate([layers.features(self.model, q.x) for q in queries])
        found = units.nearest(rows, asked, min(NEIGHBOURS + 1, len(rows)))
        chosen = []  # a query that is in the gallery itself is no neighbour
        for query, order in zip(queries, found, strict=True):
            others = [i for i in order if not np.array_equal(gallery.crops[i], query.crop)]
            chosen.append(others[:NEIGHBOURS])
        least = min(map(len, chosen))
        chosen = [order[:least] for order in chosen]
        classes = [int(q.p.argmax()) if q.label is None else q.label for q in queries]
        same = float(np.mean([
            gallery.labels[i] == c for c, order in zip(classes, chosen, strict=True) for i in order
        ]))  # fmt: skip
        captions = [
            [self.names[c], *(self.names[gallery.labels[i]] for i in order)]
            for c, order in zip(classes, chosen, strict=True)
        ]
        figure = draw.draw_neighbours(
            [q.crop for q in queries], [[gallery.crops[i] for i in order] for order in chosen],
            captions,
        )  # fmt: skip
        text = (
            f"beside {len(queries)} images the {least} of {len(rows)} that are nearest in the last "
            f"hidden layer; {same:.0%} are of the image's class"
        )
        return self._write(figure, "neighbours", text, {"same_class": same})

    # ----- of an image -----

    def maps(self, image: Looked) -> Written:
        """What the first convolution and the layer make of an image."""
        first, _ = filters.first_filters(self.model)
        names = list(dict.fromkeys([first, self.layer]))
        kept = layers.activations(self.model, image.x, names)
        found = {name: values[0] for name, values in kept.items()}
        dark = float((found[self.layer].max(axis=(1, 2)) <= 0).mean())
        figure = draw.draw_maps(image.crop, self._title(image), found)
        text = (
            f"what {' and '.join(names)} make of {self._short(image)}; {dark:.0%} of "
            f"{self.layer}'s maps are dark"
        )
        return self._write(figure, f"maps-{self._file(image)}", text, {"dark_maps": dark})

    def where(self, image: Looked, kinds: Sequence[str]) -> Written:
        """Which pixels matter, by the methods of WHERE that are asked for."""
        rows, numbers, said = [], {}, []
        for label in self.classes or [int(image.p.argmax())]:
            found = {kind: self._where(image, kind, label) for kind in kinds}
            rows.append((image.crop, self._title(image, label), found))
            told = {kind: _number(kind, values) for kind, values in found.items()}
            numbers[self.names[label]] = told
            said.append(
                f"{self.names[label]}: "
                + ", ".join(_SAID[kind].format(told[kind]) for kind in kinds)
            )
        text = f"which pixels of {self._short(image)} matter; {'; '.join(said)}"
        return self._write(draw.draw_where(rows), f"where-{self._file(image)}", text, numbers)

    def _where(self, image: Looked, kind: str, label: int) -> layers.Floats:
        if kind == "saliency":
            return np.asarray(maps.saliency(self.model, image.x, [label])[0])
        if kind == "guided":
            return np.asarray(maps.guided_backpropagation(self.model, image.x, [label])[0])
        if kind == "grad-cam":
            return np.asarray(maps.grad_cam(self.model, image.x, [label], self.layer)[0])
        size = image.crop.shape[0]
        patch, stride = max(size // COVER, 1), max(size // STEPS, 1)
        covered = maps.occlusion(self.model, image.x, label, patch, stride)
        return np.asarray(covered - image.p[label])

    def fooling(self, image: Looked) -> Written:
        """A change of the image that makes the network name another class, and the image changed,
        whole and without loss, for `alexnet predict`."""
        named = int(image.p.argmax())
        others = [c for c in self.classes if c != named]
        target = others[0] if others else int(np.argsort(-image.p, kind="stable")[1])
        found = made.fooling(self.model, image.x, target, self.black, self.white)
        fooled = self.network.as_images(found.image)[0]
        whole = image.whole.copy()
        _centre(whole, len(fooled))[:] = fooled
        name = self._file(image)
        with replacing(self.folder / f"fooled-{name}.png") as temporary:
            Image.fromarray(whole).save(temporary, format="PNG")
        after = f"{self.names[int(found.after.argmax())]} {found.after.max():.0%}"
        text = f"{self._short(image)}: no small change makes it {self.names[target]}"
        if found.done:
            text = (
                f"{self._short(image)} with {found.rms:.2f} of 255 grey levels added (at most "
                f"{found.largest:.0f}) is {after}; alexnet predict says so of fooled-{name}.png"
            )
        numbers = {
            "rms_grey_levels": found.rms, "largest_grey_levels": found.largest,
            "norm_grey_levels": float(np.sqrt((found.change**2).sum())), "fooled": found.done,
            "before": {self.names[named]: float(found.before[named])},
            "after": {self.names[target]: float(found.after[target])},
        }  # fmt: skip
        figure = draw.draw_fooling(image.crop, fooled, found, self.names)
        return self._write(figure, f"fooling-{name}", text, numbers)

    # ----- what they share -----

    def _write(self, figure: Any, name: str, text: str, numbers: dict[str, Any]) -> Written:
        file = self.folder / f"{name}.{self.form}"
        save_picture(figure, file)
        self.written.append(Written(file, text, numbers))
        return self.written[-1]

    def _by_batch(self, crops: NDArray[np.uint8], ask: Callable[[Tensor], Any]) -> list[Any]:
        size = self.network.recipe.batch_size
        parts = (crops[i : i + size] for i in range(0, len(crops), size))
        return [ask(self.network.preprocess(part)) for part in parts]

    def _title(self, image: Looked, label: int | None = None) -> str:
        label = int(image.p.argmax()) if label is None else label
        said = f"{shown(self.names[label], 24)} {image.p[label]:.1%}"
        if image.label not in (None, label):
            said += f", is {shown(self.names[image.label], 20)}"
        return f"{shown(Path(image.name).name, 30)}\n{said}"

    def _short(self, image: Looked) -> str:
        best = int(image.p.argmax())
        return one_line(f"{Path(image.name).name} ({self.names[best]} {image.p[best]:.0%})")

    def _file(self, image: Looked) -> str:
        """A name for the image's files, of its own where several images are called alike."""
        if image.name not in self._files:
            plain = file_name(Path(image.name).stem) or "image"
            taken = set(self._files.values())
            others = (f"{plain}-{number}" for number in itertools.count(2))
            free = (name for name in itertools.chain([plain], others) if name not in taken)
            self._files[image.name] = next(free)
        return self._files[image.name]


# What a map says in one number.
_SAID = {
    "saliency": "saliency has {:.0%} in a tenth of the pixels",
    "occlusion": "a cover takes up to {:.2f} off the probability",
    "grad-cam": "Grad-CAM is above half its peak on {:.0%}",
    "guided": "guided backpropagation above a tenth on {:.0%}",
}


def _number(kind: str, values: layers.Floats) -> float:
    if kind == "saliency":
        order = np.sort(values, axis=None)[::-1]
        return float(order[: len(order) // 10].sum() / max(float(order.sum()), 1e-12))
    if kind == "occlusion":
        return max(float(-values.min()), 0.0)
    if kind == "guided":
        values = np.abs(values).max(axis=0)
    share = 0.1 if kind == "guided" else 0.5
    return float((values > share * values.max()).mean()) if values.max() > 0 else 0.0


def _centre(whole: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The view of the middle of an image (S, S, 3) that the network sees."""
    top, left = ((side - size) // 2 for side in whole.shape[:2])
    return whole[top : top + size, left : left + size]


def _seen(image: NDArray[np.uint8], spans: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The part of an image that rows spans[0] and columns spans[1], first and last, show."""
    (top, bottom), (left, right) = spans
    return image[top : bottom + 1, left : right + 1]


def _telling(
    values: layers.Floats, best: NDArray[np.int64], labels: NDArray[np.int64]
) -> list[int]:
    """The units that are drawn without being asked for: those whose best images are most often of
    one class, the strongest first, at first one for each class."""
    counts = [np.bincount(labels[row]) for row in best]
    key = [(-int(c.max()), -float(values[row[0], u])) for u, (c, row) in
           enumerate(zip(counts, best, strict=True))]  # fmt: skip
    order = sorted(range(len(best)), key=key.__getitem__)
    firsts = list({int(counts[u].argmax()): u for u in reversed(order)}.values())
    firsts.sort(key=order.index)
    rest = [u for u in order if u not in firsts]
    return (firsts + rest)[:UNITS]
