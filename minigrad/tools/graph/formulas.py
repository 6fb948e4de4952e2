"""What the common operations compute, and what their backward sends to each input.

`{a}`, `{b}`, `{c}` are the arguments in order, `{y}` the result, `{grad}` the gradient that comes
in. An entry is the formula, then what goes to each argument.
"""

from __future__ import annotations

# As Python reads it: of scalars, the same is shown with numbers. A rule with `.T` is for matrices.
FORMULAS: dict[str, tuple[str, ...]] = {
    "add": ("{a} + {b}", "{grad}", "{grad}"),
    "sub": ("{a} - {b}", "{grad}", "-{grad}"),
    "mul": ("{a} * {b}", "{grad} * {b}", "{grad} * {a}"),
    "div": ("{a} / {b}", "{grad} / {b}", "-{grad} * {a} / {b} ** 2"),
    "neg": ("-{a}", "-{grad}"),
    "pow": ("{a} ** {b}", "{grad} * {b} * {a} ** ({b} - 1)", "{grad} * {y} * log({a})"),
    "exp": ("exp({a})", "{grad} * {y}"),
    "log": ("log({a})", "{grad} / {a}"),
    "sqrt": ("sqrt({a})", "{grad} / (2 * {y})"),
    "abs": ("abs({a})", "{grad} * sign({a})"),
    "relu": ("relu({a})", "{grad} * ({a} > 0)"),
    "sigmoid": ("sigmoid({a})", "{grad} * {y} * (1 - {y})"),
    "tanh": ("tanh({a})", "{grad} * (1 - {y} ** 2)"),
    "matmul": ("{a} @ {b}", "{grad} @ {b}.T", "{a}.T @ {grad}"),
}

# Where words are shorter.
WORDS: dict[str, tuple[str, ...]] = {
    "sum": ("sum({a})", "{grad}, to each element that was summed"),
    "reshape": ("reshape({a}, {b})", "{grad}, in the shape of {a}"),
    "permute": ("permute({a}, {b})", "{grad}, its axes put back in order"),
    "getitem": ("{a}[{b}]", "{grad} in the places that were taken, 0 in the others"),
    "where": (
        "where({a}, {b}, {c})", "", "{grad} where {a}, else 0", "{grad} where not {a}, else 0",
    ),
    "maximum": (
        "maximum({a}, {b})", "{grad} where {a} is the larger, else 0",
        "{grad} where {b} is the larger, else 0",
    ),
    "minimum": (
        "minimum({a}, {b})", "{grad} where {a} is the smaller, else 0",
        "{grad} where {b} is the smaller, else 0",
    ),
    "linear": ("linear({a}, {b}, {c})", "{grad} @ {b}", "{grad}.T @ {a}", "{grad}, rows added up"),
    "softmax": ("softmax({a})", "{y} * ({grad} - the sum of {grad} * {y})"),
    "cross_entropy": ("cross_entropy({a}, {b})", "(softmax({a}) - target) * {grad}, row by row"),
    "max_pool2d": ("max_pool2d({a})", "{grad}, to the largest of each window"),
    "avg_pool2d": ("avg_pool2d({a})", "{grad}, in equal shares to each window"),
    "conv2d": (
        "conv2d({a}, {b}, {c})", "{grad} spread by {b}: the transposed convolution",
        "windows of {a}, each times its {grad}, added up", "{grad}, images and places added up",
    ),
    "conv2d with relu": (
        "relu(conv2d({a}, {b}, {c}))", "{grad} where {y} > 0, spread by {b}",
        "windows of {a}, each times its {grad} where {y} > 0, added up",
        "{grad} where {y} > 0, images and places added up",
    ),
}  # fmt: skip
