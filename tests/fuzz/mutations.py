"""Changed inputs, drawn by a seeded generator: bytes, JSON, and words of a command line."""

import copy
import json
import random
from typing import Any

Draw = random.Random
_NUMBERS = (0, 1, 127, 128, 255, 2**15 - 1, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**64 - 1)
WORDS = (
    "", "-", "--", "\0", ".", "..", "/dev/null", "/dev/zero", "nan", "inf", "-1", "0", "1e400",
    "9" * 400, "1,2", ",", "é", "\udcff", "a" * 300, "%s", "{}", "*", "-0", "0x10", "１",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3.5, -0.0, 2**31, 2**63, 10**400, 1e308, float("nan"),
    float("inf"), "", "x", "\ud800", "\0", [], {}, [[]], [None], {"": 0}, "9" * 5000,
    list(range(300)),
)  # fmt: skip


def changed_bytes(draw: Draw, data: bytes, other: bytes) -> bytes:
    """`data` after one to four changes; `other` lends pieces."""
    new = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        at = draw.randrange(len(new) + 1)
        size = draw.choice((1, 2, 4, 8, 16, 64, 512))
        kind = draw.randrange(8)
        if kind == 0 and at < len(new):
            new[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            new[at : at + size] = draw.randbytes(size)
        elif kind == 2:
            del new[at : at + size]
        elif kind == 3:
            new[at:at] = new[at : at + size] * draw.choice((1, 2, 50))
        elif kind == 4:
            width, order = draw.choice((1, 2, 4, 8)), draw.choice(("little", "big"))
            number = draw.choice(_NUMBERS) & (256**width - 1)
            new[at : at + width] = number.to_bytes(width, order)  # type: ignore[arg-type]
        elif kind == 5:
            del new[at:]
        elif kind == 6:
            start = draw.randrange(len(other) + 1)
            new[at : at + size] = other[start : start + size]
        else:
            digits = draw.choice((b"0", b"-1", b"7777777", b"99999999999", b"9" * 40))
            new[at : at + len(digits)] = digits
    return bytes(new)


def changed_json(draw: Draw, value: Any) -> str:
    """JSON of `value` with one to three of its parts replaced, lost, doubled or nested deeply."""
    whole = {"": copy.deepcopy(value)}
    for _ in range(draw.choice((1, 1, 2, 3))):
        places = list(_places(whole))
        holder, key = draw.choice(places)
        kind = draw.randrange(10)
        if kind == 0 and isinstance(holder, dict) and key != "":
            holder[f"{key}{draw.choice(WORDS)}"] = holder.pop(key)
        elif kind == 1 and key != "":
            del holder[key]
        elif kind == 2:
            other, name = draw.choice(places)
            holder[key] = copy.deepcopy(other[name])
        elif kind == 3:
            for _ in range(draw.choice((3, 200))):
                holder[key] = [holder[key]] if draw.random() < 0.5 else {"x": holder[key]}
        elif kind == 4 and isinstance(holder[key], list):
            holder[key] = holder[key] * draw.choice((0, 2, 50))
        elif kind == 5 and isinstance(holder[key], int | float):
            try:
                holder[key] = draw.choice((-1, 0.5, 2, 1000, 10**9)) * holder[key]
            except OverflowError:
                holder[key] = 0
        else:
            holder[key] = copy.deepcopy(draw.choice(VALUES))
    text = json.dumps(whole[""])
    if draw.random() < 0.02:
        depth = draw.choice((1000, 100_000))
        text = "[" * depth + "]" * depth if draw.random() < 0.5 else '{"a":' * depth
    if draw.random() < 0.05:
        text = changed_bytes(draw, text.encode(), text.encode()).decode("utf-8", "replace")
    return text


def _places(value: Any) -> Any:
    """(container, key) of every part."""
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            yield holder, key
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])


def changed_words(draw: Draw, words: list[str]) -> list[str]:
    """A command line with one to three words lost, added or replaced."""
    new = list(words)
    for _ in range(draw.choice((1, 1, 2, 3))):
        at = draw.randrange(len(new) + 1)
        kind = draw.randrange(4)
        if kind == 0:
            del new[at : at + 1]
        elif kind == 1:
            new.insert(at, draw.choice(WORDS))
        elif kind == 2 and new:
            new.insert(at, draw.choice(new))
        elif at < len(new):
            new[at] = draw.choice((*WORDS, new[at] + draw.choice(WORDS), new[at][:-1]))
    return new
