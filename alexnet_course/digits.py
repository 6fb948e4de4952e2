"""Small pictures of the ten digits, drawn by a pen that trembles: data for notebook 03."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIDE = 16
_FINE = 6  # drawn this many times larger, then averaged

# Each digit as one line through points (x, y) of a square from 0 to 1, y downwards.
_LINES = {
    0: (".5,.0 .8,.1 .9,.5 .8,.9 .5,1 .2,.9 .1,.5 .2,.1 .5,.0"),
    1: (".25,.25 .55,.0 .55,1"),
    2: (".15,.2 .35,.0 .7,.0 .85,.25 .7,.5 .15,1 .9,1"),
    3: (".15,.1 .5,.0 .8,.12 .8,.35 .45,.48 .8,.6 .85,.85 .5,1 .15,.9"),
    4: (".7,1 .7,.0 .1,.68 .95,.68"),
    5: (".85,.0 .2,.0 .18,.45 .6,.4 .85,.62 .8,.88 .5,1 .15,.92"),
    6: (".75,.0 .35,.25 .15,.65 .3,.95 .65,1 .85,.75 .65,.52 .2,.6"),
    7: (".1,.0 .9,.0 .4,1"),
    8: (".5,.48 .2,.3 .3,.05 .7,.05 .8,.3 .5,.48 .15,.75 .3,1 .7,1 .85,.75 .5,.48"),
    9: (".8,.4 .35,.48 .15,.25 .35,.0 .7,.05 .85,.35 .65,.75 .25,1"),
}
_POINTS = {
    digit: np.array([pair.split(",") for pair in line.split()], float)
    for digit, line in _LINES.items()
}


def digits(count: int, seed: int, shift: int = 1) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """`count` pictures (count, SIDE, SIDE) from 0 (paper) to 1 (ink), and the digits on them.

    Each digit is a little turned, sheared, stretched and shaken, and moved by up to `shift` pixels
    in each direction.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count)
    pictures = np.stack([_draw(int(digit), rng, shift) for digit in labels])
    return pictures, labels


def _draw(digit: int, rng: np.random.Generator, shift: int) -> NDArray[np.float64]:
    points = _POINTS[digit] - 0.5
    angle, shear = rng.normal(0, 0.12), rng.normal(0, 0.15)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = points @ np.array([[1, 0], [shear, 1]]) @ turn
    points = points * rng.uniform((0.42, 0.55), (0.6, 0.72)) + rng.normal(0, 0.015, points.shape)
    places = (points + 0.5) * SIDE + rng.uniform(-shift, shift, 2)
    sheet = Image.new("L", (SIDE * _FINE, SIDE * _FINE))
    pen = int(rng.uniform(1.1, 1.9) * _FINE)
    line = [(float(x), float(y)) for x, y in places * _FINE]
    ImageDraw.Draw(sheet).line(line, fill=255, width=pen, joint="curve")
    return np.asarray(sheet.reduce(_FINE), float) / 255
