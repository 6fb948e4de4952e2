"""Wrong derivatives that somebody could have written: the gradient check must find every one.

A mutant is built from the right function and put in its place. One that a gradient check cannot
see by nature (what happens at a kink) must be found by the test that pins the kink's rule.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
import pytest
import test_operations as kinks
from operations import BY_NAME

import minigrad as mg
from minigrad.kernels.dropout import dropout_forward
from minigrad.kernels.pool import tap_slices
from minigrad.kernels.ways import Kernel
from minigrad.nn import functional as F


class Mutant(NamedTuple):
    """`wrong(right)` takes the place of `target` ("module:name" under minigrad); `case` dies.

    A target that is a kernel is planted in its plain way and in its fast one, unless `way` names
    one of them; so is any other target with a `way`, in which alone it is reached.
    """

    name: str
    target: str
    wrong: Callable[[Any], Any]
    case: str
    way: str = ""


def owner_of(target: str) -> tuple[Any, str]:
    """The module or class, and the name in it."""
    module_name, _, path = target.partition(":")
    owner: Any = importlib.import_module(f"minigrad.{module_name}")
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    return owner, name


def ways_of(target: str, way: str) -> list[str]:
    """The ways in which a mutant is planted."""
    owner, name = owner_of(target)
    found = getattr(owner, name)
    if way or not isinstance(found, Kernel):
        return [way]
    return ["plain", *(w.name for w in found.ways if w.name == "fast")]


def plant(
    monkeypatch: pytest.MonkeyPatch, target: str, wrong: Callable[[Any], Any], way: str = "plain"
) -> None:
    """Replace a function of a module, a method of a class, or one way of a kernel."""
    owner, name = owner_of(target)
    right = getattr(owner, name)
    if not isinstance(right, Kernel):
        static = isinstance(inspect.getattr_static(owner, name), staticmethod)
        mutated = wrong(right)
        monkeypatch.setattr(owner, name, staticmethod(mutated) if static else mutated)
    elif way == "plain":
        monkeypatch.setattr(right, "plain", wrong(right.plain))
    else:
        ways = [w._replace(compute=wrong(w.compute)) if w.name == way else w for w in right.ways]
        monkeypatch.setattr(right, "ways", ways)


def taking(way: str) -> Any:
    """A block in which the kernels take this way."""
    return mg.plain() if way == "plain" else nullcontext()


# ----- how to be wrong -----


def scaled(factor: float) -> Callable[[Any], Any]:
    """Every gradient times a factor."""

    def wrong(right: Any) -> Any:
        def backward(*args: Any) -> Any:
            result = right(*args)
            many = result if isinstance(result, tuple) else (result,)
            changed = tuple(None if g is None else g * g.dtype.type(factor) for g in many)
            return changed if isinstance(result, tuple) else changed[0]

        return backward

    return wrong


def one_wrong(place: int, change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """One of several gradients changed."""

    def wrong(right: Any) -> Any:
        def backward(*args: Any, **options: Any) -> Any:
            result = list(right(*args, **options))
            if result[place] is not None:
                result[place] = change(result[place])
            return tuple(result)

        return backward

    return wrong


def instead(backward: Callable[..., Any]) -> Callable[[Any], Any]:
    """Something else altogether."""
    return lambda right: backward


def fitted(grad: Any, shape: tuple[int, ...]) -> Any:
    """`grad` cut or filled with zeros to another size of map."""
    out = np.zeros((*grad.shape[:2], *shape), grad.dtype)
    rows, columns = (min(a, b) for a, b in zip(shape, grad.shape[2:], strict=True))
    out[:, :, :rows, :columns] = grad[:, :, :rows, :columns]
    return out


def conv_dx(change: Callable[..., tuple[Any, ...]]) -> Callable[[Any], Any]:
    """dx from a convolution with other options; dweight and dbias stay right."""

    def wrong(right: Any) -> Any:
        def backward(
            grad: Any, x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: int,
            *rest: Any,
        ) -> Any:  # fmt: skip
            _, dw, db = right(grad, x, w, stride, padding, dilation, groups, *rest)
            w2, stride, padding, dilation, groups = change(w, stride, padding, dilation, groups)
            sizes = zip(x.shape[2:], w2.shape[2:], stride, padding, dilation, strict=True)
            shape = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sizes)
            options = (stride, padding, dilation, groups)
            return right(fitted(grad, shape), x, w2, *options, *rest)[0], dw, db

        return backward

    return wrong


def unmirrored(right: Any) -> Any:
    """Forward's window in backward: the same as the mirrored one of channels in reverse."""

    def backward(g: Any, x: Any, s: Any, *options: Any) -> Any:
        return right(g[:, ::-1], x[:, ::-1], s[:, ::-1], *options)[:, ::-1]

    return backward


def pool_that_overwrites(right: Any) -> Any:
    def backward(
        grad: Any, winners: Any, shape: Any, kernel: Any, stride: Any, padding: Any, dilation: Any
    ) -> Any:
        dx = np.zeros(shape)
        for n, c, i, j in np.ndindex(*grad.shape):
            u, v = divmod(int(winners[n, c, i, j]), kernel[1])
            row = i * stride[0] + u * dilation[0] - padding[0]
            dx[n, c, row, j * stride[1] + v * dilation[1] - padding[1]] = grad[n, c, i, j]
        return dx

    return backward


def winners_among_zeros(right: Any) -> Any:
    """Winners as if the padding were 0."""

    def forward(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, *rest: Any,
                winners: bool) -> Any:  # fmt: skip
        y = right(x, kernel, stride, padding, dilation, *rest, winners=False)[0]
        padded = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
        return y, right(padded, kernel, stride, (0, 0), dilation, *rest)[1]

    return forward


def overwriting_col2im(col: Any, window: Any, out: Any, padded: Any) -> Any:
    kh, kw = window.kernel
    taps = col.reshape(len(padded), *out, kh, kw, padded.shape[3])
    padded[...] = 0
    for u in range(kh):
        for v in range(kw):
            rows, columns = tap_slices(u, v, window, out)
            padded[:, rows, columns] = taps[:, :, :, u, v]
    return padded


def first_instead_of_sum(grad: Any, shape: tuple[int, ...]) -> Any:
    """A broadcast undone by taking one element where a sum belongs."""
    while grad.ndim > len(shape):
        grad = grad[0]
    for axis, size in enumerate(shape):
        if size == 1:
            grad = grad.take([0], axis)
    return grad


def edited(old: str, new: str) -> Callable[[Any], Any]:
    """The function with one expression of its source replaced."""

    def wrong(right: Any) -> Any:
        source = textwrap.dedent(inspect.getsource(right))
        source = source[source.index("def ") :]  # without its decorators
        assert source.count(old) == 1, f"{old!r} is no longer in {right.__name__}"
        namespace = dict(right.__globals__)
        exec(compile("from __future__ import annotations\n" + source.replace(old, new), "mutant",
                     "exec"), namespace)  # fmt: skip
        return namespace[right.__name__]

    return wrong


def swapped_halves(array: Any) -> Any:
    return np.roll(array, len(array) // 2, axis=0)


def softmax_diagonal(grad: Any, y: Any) -> Any:
    return grad * y * (1 - y)


def softmax_wrong_axis(ctx: Any, grad: Any) -> Any:
    (y,) = ctx.saved  # the axis is the last of y
    g = grad.swapaxes(ctx.axis, -1)
    return (y * (g - (g * y).sum(0, keepdims=True))).swapaxes(ctx.axis, -1)


BATCH_NORM = "ops.batch_norm:BatchNorm.backward"
LRN, CONV = "kernels.lrn:lrn_backward", "kernels.conv:conv2d_backward"
CONTRAST = "kernels.contrast:contrast_norm_backward"
MAX_POOL = "kernels.pool:max_pool2d_backward"
ELEMENTWISE, CHOICE = "ops.elementwise:", "ops.choice:"
SHAPE, LOSS = "ops.shape:", "ops.loss:"
ACTIVATION, SOFTMAX = "ops.activation:", "kernels.softmax:"


def lrn_with(change: Callable[..., tuple[Any, ...]]) -> Callable[[Any], Any]:
    """LRN's backward with other (n, alpha, beta, groups)."""
    return lambda right: lambda g, x, s, *options: right(g, x, s, *change(*options))


LRN_MUTANTS = [
    (name, wrong, case)
    for name, wrong, case in (
        ("no cross terms", lrn_with(lambda n, a, b, g: (1, a, b, g)), "n 5"),
        ("no second term", lrn_with(lambda n, a, b, g: (n, 0.0, b, g)), "n 5"),
        ("wrong sign", lrn_with(lambda n, a, b, g: (n, -a, b, g)), "n 5"),
        ("window one too large", lrn_with(lambda n, a, b, g: (n + 1, a, b, g)), "n 5"),
        ("window one too small", lrn_with(lambda n, a, b, g: (n - 1, a, b, g)), "n 5"),
        ("window 3", lrn_with(lambda n, a, b, g: (3, a, b, g)), "n 5"),
        ("window not mirrored", unmirrored, "n 4"),
        ("missing factor 2", lrn_with(lambda n, a, b, g: (n, a / 2, b, g)), "n 5"),
        ("missing beta", lrn_with(lambda n, a, b, g: (n, a / b, b, g)), "n 5"),
        ("alpha divided by the window", lrn_with(lambda n, a, b, g: (n, a / n, b, g)), "n 5"),
    )
]  # fmt: skip

MUTANTS = [
    *(
        Mutant(f"lrn: {name}, alpha {alpha}", LRN, wrong, f"lrn-{case}, alpha {alpha}")
        for name, wrong, case in LRN_MUTANTS
        for alpha in ("0.0001", "1")
    ),
    *(
        Mutant(f"lrn: power -beta for -beta - 1, alpha {alpha}, {way}", LRN, wrong,
               f"lrn-n 5, alpha {alpha}", way)
        for way, wrong in (
            ("plain", edited("scaled * x / scale", "scaled * x")),
            ("fast", edited("xp.divide(part, s[rows], out=ratio)", "ratio[...] = part")),
        )
        for alpha in ("0.0001", "1")
    ),
    Mutant("batch_norm: mean held fixed", BATCH_NORM,
           edited("- dbias / n", ""), "batch_norm-maps"),
    Mutant("batch_norm: variance held fixed", BATCH_NORM,
           edited("- xhat * (dweight / n)", ""), "batch_norm-maps"),
    Mutant("batch_norm: both held fixed", BATCH_NORM, edited("if ctx.of_batch:", "if False:"),
           "batch_norm-rows"),
    Mutant("batch_norm: batch's in evaluation", BATCH_NORM,
           edited("if ctx.of_batch:", "if True:"), "batch_norm-evaluation"),
    Mutant("batch_norm: n - 1", BATCH_NORM, edited("n = max(_per_channel(x), 1)",
           "n = _per_channel(x) - 1"), "batch_norm-maps"),
    Mutant("batch_norm: weight forgotten", BATCH_NORM,
           edited("scale * weight.reshape(scale.shape)", "scale"), "batch_norm-evaluation"),
    Mutant("batch_norm: scale forgotten", BATCH_NORM,
           edited("dx * (scale if weight is None", "dx * (1 if weight is None"),
           "batch_norm-evaluation, not affine"),
    Mutant("batch_norm: xhat not centred", BATCH_NORM, edited("(x - mean) * scale", "x * scale"),
           "batch_norm-evaluation"),
    Mutant("batch_norm: dweight of x", BATCH_NORM, edited("_sum(grad * xhat)", "_sum(grad * x)"),
           "batch_norm-rows"),
    Mutant("lrn: towers forgotten", LRN, lrn_with(lambda n, a, b, g: (n, a, b, 1)),
           "lrn-two groups, alpha 1e-4"),
    Mutant("lrn: beta 0.75 always", LRN, lrn_with(lambda n, a, b, g: (n, a, 0.75, g)),
           "lrn-beta 0.6"),
    Mutant("contrast: mean's term forgotten", CONTRAST,
           lambda right: lambda *a: right(*a[:-1], False), "local_contrast_norm-size 5, mean"),
    Mutant("contrast: missing factor 2", CONTRAST,
           lambda right: lambda g, s, n, a, b, m: right(g, s, n, a / 2, b, m),
           "local_contrast_norm-size 3, no mean"),
    Mutant("contrast: window not mirrored", CONTRAST,
           lambda right: lambda g, s, *o: right(
               g[..., ::-1, ::-1], tuple(a[..., ::-1, ::-1] for a in s), *o)[..., ::-1, ::-1],
           "local_contrast_norm-size 4, no mean"),
    Mutant("contrast: same count everywhere", CONTRAST,
           edited("_counts(u, before, after)", "size**2"), "local_contrast_norm-size 5, mean"),
    # pooling
    Mutant("max_pool: winners as if the padding were 0", "kernels.pool:max_pool2d_forward",
           winners_among_zeros, "max_pool2d-all negative"),
    Mutant("max_pool: overlap overwrites", MAX_POOL, pool_that_overwrites, "max_pool2d-stride 1"),
    Mutant("max_pool: rows and columns of the winner swapped", MAX_POOL,
           lambda right: lambda g, w, *o: right(g, w % 3 * 3 + w // 3, *o), "max_pool2d-AlexNet's"),
    Mutant("max_pool: padding forgotten", MAX_POOL,
           lambda right: lambda g, w, sh, k, s, p, d: right(g, w, sh, k, s, (0, 0), d),
           "max_pool2d-padding"),
    Mutant("max_pool: dilation forgotten", MAX_POOL,
           lambda right: lambda g, w, sh, k, s, p, d: right(g, w, sh, k, s, p),
           "max_pool2d-dilation"),
    Mutant("max_pool: stride is the kernel", MAX_POOL,
           lambda right: lambda g, w, sh, k, s, p, d: right(g, w, sh, k, k, p, d),
           "max_pool2d-stride 1"),
    Mutant("max_pool: gradient to the whole window", MAX_POOL,
           lambda right: lambda g, w, *o: sum(right(g, np.full_like(w, t), *o) for t in range(4)),
           "max_pool2d-plain"),
    Mutant("avg_pool: no divisor", "ops.pool:AvgPool2d.backward", scaled(4), "avg_pool2d-plain"),
    Mutant("avg_pool: padding counted", "kernels.pool:avg_pool2d_backward",
           lambda right: lambda *a: right(*a[:-2], True, a[-1]), "avg_pool2d-padding not counted"),
    Mutant("avg_pool: divisor forgotten", "kernels.pool:avg_pool2d_backward",
           lambda right: lambda *a: right(*a[:-1], None), "avg_pool2d-divisor"),
    # activations
    Mutant("relu: no mask", ACTIVATION + "relu_backward", instead(lambda g, y: g), "relu"),
    Mutant("relu: mask from the gradient", ACTIVATION + "relu_backward",
           instead(lambda g, y: g * (g > 0)), "relu"),
    Mutant("relu: mask turned round", ACTIVATION + "relu_backward",
           instead(lambda g, y: g * (y <= 0)), "relu"),
    Mutant("conv2d_relu: no mask", CONV,
           lambda right: lambda *a: right(*a[:7], None, *a[8:]), "conv2d_relu"),
    Mutant("leaky_relu: slope on the wrong side", ACTIVATION + "LeakyRelu.backward",
           lambda right: lambda ctx, g: np.where(ctx.saved[0] > 0, g * ctx.slope, g), "leaky_relu"),
    Mutant("leaky_relu: slope forgotten", ACTIVATION + "LeakyRelu.backward",
           lambda right: lambda ctx, g: np.where(ctx.saved[0] > 0, g, 0), "leaky_relu"),
    Mutant("prelu: weight's gradient from the positive side", ACTIVATION + "Prelu.backward",
           lambda right: lambda ctx, g: (right(ctx, g)[0], (g * ctx.saved[0] * (ctx.saved[0] > 0))
                                         .sum((0, 2))), "prelu-3 weights"),
    Mutant("prelu: weight's gradient without x", ACTIVATION + "Prelu.backward",
           lambda right: lambda ctx, g: (right(ctx, g)[0], (g * (ctx.saved[0] <= 0)).sum()
                                         .reshape(1)),
           "prelu-1 weights"),
    Mutant("sigmoid: y for y (1 - y)", ACTIVATION + "Sigmoid.backward",
           instead(lambda ctx, g: g * ctx.saved[0]), "sigmoid"),
    Mutant("tanh: 1 - y for 1 - y^2", ACTIVATION + "Tanh.backward",
           instead(lambda ctx, g: g * (1 - ctx.saved[0])), "tanh"),
    # convolution
    Mutant("conv: col2im overwrites", "kernels.conv:col2im",
           instead(overwriting_col2im), "conv2d-plain", "plain"),
    Mutant("conv: col2im overwrites, fast", "kernels.fast.conv:col2im",
           instead(overwriting_col2im), "conv2d-plain", "fast"),
    Mutant("conv: pixels with the padding", "kernels.conv:pixels",
           edited("top : top + height, left : left + width", ":height, :width"),
           "conv2d-padding", "plain"),
    Mutant("conv: columns with the groups mixed", "kernels.conv:columns",
           edited("groups, geometry.channels // groups)", "geometry.channels // groups, groups)"
                  ".swapaxes(5, 6)"), "conv2d-groups 2", "plain"),
    Mutant("conv: groups swapped in dweight", CONV, one_wrong(1, swapped_halves),
           "conv2d-groups 2"),
    Mutant("conv: groups swapped in dx", CONV, one_wrong(0, lambda dx: np.roll(dx, 2, 1)),
           "conv2d-groups 2"),
    Mutant("conv: dx with the kernel turned round", CONV,
           conv_dx(lambda w, *o: (w[:, :, ::-1, ::-1], *o)), "conv2d-plain"),
    Mutant("conv: dx with the kernel transposed", CONV,
           conv_dx(lambda w, *o: (w.swapaxes(2, 3), *o)), "conv2d-plain"),
    Mutant("conv: stride ignored in dx", CONV, conv_dx(lambda w, s, *o: (w, (1, 1), *o)),
           "conv2d-stride"),
    Mutant("conv: dilation ignored in dx", CONV,
           conv_dx(lambda w, s, p, d, g: (w, s, p, (1, 1), g)), "conv2d-dilation"),
    Mutant("conv: padding forgotten in dx", CONV,
           conv_dx(lambda w, s, p, d, g: (w, s, (0, 0), d, g)), "conv2d-padding"),
    Mutant("conv: dweight transposed", CONV, one_wrong(1, lambda dw: dw.swapaxes(2, 3)),
           "conv2d-plain"),
    Mutant("conv: dweight averaged over the batch", CONV, one_wrong(1, lambda dw: dw / 2),
           "conv2d-plain"),
    Mutant("conv: bias forgotten", CONV, one_wrong(2, np.zeros_like), "conv2d-plain"),
    Mutant("conv: bias is a mean", CONV, one_wrong(2, lambda db: db / 12), "conv2d-plain"),
    Mutant("conv by columns of the gradient: kernel not turned", "kernels.fast.conv:_flipped",
           edited("[:, :, ::-1, ::-1]", ""), "conv2d-fewer features", "fast"),
    Mutant("conv by columns of the gradient: groups mixed", "kernels.fast.conv:_flipped",
           edited("[:, :, ::-1, ::-1]", "[::-1, :, ::-1, ::-1]"),
           "conv2d-fewer features, all options", "fast"),
    # fully connected
    Mutant("linear: dweight transposed", "kernels.linear:linear_backward",
           one_wrong(1, lambda dw: dw.T.reshape(dw.shape)), "linear"),
    Mutant("linear: bias is a mean", "kernels.linear:linear_backward",
           one_wrong(2, lambda db: db / 4), "linear"),
    Mutant("matmul: broadcast batches not summed", "ops.linear:unbroadcast",
           instead(first_instead_of_sum), "matmul-(5, 1, 2, 3)@(4, 3, 2)"),
    # dropout
    Mutant("dropout: no 1 / (1 - p) in backward", "ops.dropout:Dropout.backward", scaled(0.6),
           "dropout"),
    Mutant("dropout: another mask in backward", "ops.dropout:Dropout.backward",
           instead(lambda ctx, g: dropout_forward(g, ctx.p, ctx.key._replace(stream=4))),
           "dropout"),
    Mutant("dropout: no mask in backward", "ops.dropout:Dropout.backward",
           instead(lambda ctx, g: g / (1 - ctx.p)), "dropout"),
    Mutant("paper_dropout: scaled in backward", "ops.dropout:PaperDropout.backward",
           scaled(1 / 0.6), "paper_dropout"),
    # softmax and losses
    Mutant("softmax: diagonal only", SOFTMAX + "softmax_backward", instead(softmax_diagonal),
           "softmax"),
    Mutant("softmax: zero", SOFTMAX + "softmax_backward", instead(lambda g, y: g * 0), "softmax"),
    Mutant("softmax: wrong axis", LOSS + "Softmax.backward",
           instead(softmax_wrong_axis), "softmax-dim 1"),
    Mutant("log_softmax: sum forgotten", SOFTMAX + "log_softmax_backward", instead(lambda g, y: g),
           "log_softmax-dim -1"),
    Mutant("cross_entropy: without -1", SOFTMAX + "cross_entropy_backward",
           instead(lambda g, log_p, y, s: np.exp(log_p) * g[:, None]),
           "cross_entropy-mean, smoothing 0.0"),
    Mutant("cross_entropy: mean taken twice", LOSS + "CrossEntropy.backward", scaled(0.25),
           "cross_entropy-mean, smoothing 0.0"),
    Mutant("cross_entropy: smoothing ignored", SOFTMAX + "cross_entropy_backward",
           lambda right: lambda g, log_p, y, s: right(g, log_p, y, 0.0),
           "cross_entropy-mean, smoothing 0.1"),
    Mutant("cross_entropy: labels off by one", SOFTMAX + "cross_entropy_backward",
           lambda right: lambda g, log_p, y, s: right(g, log_p, (y + 1) % 5, s),
           "cross_entropy-sum, smoothing 0.0"),
    Mutant("nll_loss: wrong sign", LOSS + "NllLoss.backward", scaled(-1), "nll_loss-mean"),
    Mutant("nll_loss: axes of a map swapped", LOSS + "NllLoss.backward",
           edited("xp.moveaxis(dx.reshape(ctx.shape), -1, 1)",
                  "dx.reshape(ctx.shape[0], classes, *ctx.shape[1:-1])"),
           "nll_loss-all at once, sum"),
    Mutant("binary_cross_entropy: denominator without 1 - p",
           "ops.target_loss:BinaryCrossEntropy.backward", edited("p * (1 - p)", "p"),
           "binary_cross_entropy-sum"),
    Mutant("binary_cross_entropy: sign of the target's",
           "ops.target_loss:BinaryCrossEntropy.backward", one_wrong(1, lambda dt: -dt),
           "binary_cross_entropy-sum"),
    Mutant("logits: weight of the positive forgotten", "ops.target_loss:LogisticLoss.backward",
           edited("1 if q is None else 1 + (q - 1) * t", "1"),
           "binary_cross_entropy_with_logits-weights"),
    Mutant("logits: sigmoid mirrored", "ops.target_loss:LogisticLoss.backward",
           edited("xp.where(x.real > 0, small, 1) /", "xp.where(x.real > 0, 1, small) /"),
           "binary_cross_entropy_with_logits-sum"),
    Mutant("logits: the target's without weight", "ops.target_loss:LogisticLoss.backward",
           edited("-x if q is None else (q - 1) * _softplus(-x) - x", "-x"),
           "binary_cross_entropy_with_logits-weights"),
    Mutant("smooth_l1: not divided by beta", "ops.target_loss:SmoothL1.backward",
           edited("d / ctx.beta", "d"), "smooth_l1_loss-beta 0.5"),
    Mutant("smooth_l1: square everywhere", "ops.target_loss:SmoothL1.backward",
           edited("xp.where(flat, xp.sign(d.real), d / ctx.beta)", "d / ctx.beta"),
           "smooth_l1_loss-beta 0.5"),
    # element by element
    Mutant("abs: no sign", ELEMENTWISE + "Abs.backward", instead(lambda ctx, g: g), "abs"),
    Mutant("pow: b a^b", ELEMENTWISE + "Pow.backward",
           instead(lambda ctx, g: (g * ctx.saved[1] * ctx.saved[0] ** ctx.saved[1],)), "pow-cube"),
    Mutant("pow: exponent's gradient without the logarithm", ELEMENTWISE + "Pow.backward",
           lambda right: lambda ctx, g: (right(ctx, g)[0], g * ctx.saved[2]), "pow"),
    Mutant("div: denominator's sign", ELEMENTWISE + "Div.backward",
           one_wrong(1, lambda db: -db), "div"),
    Mutant("div: denominator not squared", ELEMENTWISE + "Div.backward",
           lambda right: lambda ctx, g: (right(ctx, g)[0], -g * ctx.saved[0] / ctx.saved[1]),
           "div"),
    Mutant("sqrt: missing 2", ELEMENTWISE + "Sqrt.backward", scaled(2), "sqrt"),
    Mutant("exp: gradient 1", ELEMENTWISE + "Exp.backward", instead(lambda ctx, g: g), "exp"),
    Mutant("sub: sign of the second", ELEMENTWISE + "Sub.backward", one_wrong(1, lambda db: -db),
           "sub"),
    Mutant("mul: factors swapped", ELEMENTWISE + "Mul.backward",
           lambda right: lambda ctx, g: right(ctx, g)[::-1], "mul"),
    Mutant("clamp: no mask", CHOICE + "Clamp.backward", instead(lambda ctx, g: g),
           "clamp-both"),
    Mutant("where: branches swapped", CHOICE + "Where.backward",
           lambda right: lambda ctx, g: (None, *right(ctx, g)[:0:-1]), "where"),
    Mutant("maximum: all to the first", CHOICE + "Maximum.backward",
           instead(lambda ctx, g: (g, 0 * g)), "maximum"),
    Mutant("remainder: quotient not rounded", "ops.integer:Remainder.backward",
           instead(lambda ctx, g: (g, -g * ctx.saved[0] / ctx.saved[1])), "remainder-signs"),
    Mutant("remainder: quotient cut off", "ops.integer:Remainder.backward",
           instead(lambda ctx, g: (g, -g * np.trunc(ctx.saved[0] / ctx.saved[1]))),
           "remainder-signs"),
    Mutant("round: gradient 1", "ops.integer:Round.backward", instead(lambda ctx, g: g),
           "round-1 decimals"),
    # reductions and shapes
    Mutant("sum: divided by n", "ops.reduce:Sum.backward", scaled(1 / 12), "sum"),
    Mutant("mean: 1 / n forgotten", ELEMENTWISE + "Mul.backward",
           lambda right: lambda ctx, g: (g, None), "mean"),
    Mutant("amax: gradient to all", "ops.reduce:Extreme.backward",
           lambda right: lambda ctx, g: np.broadcast_to(g, ctx.shape) * 1.0, "amax"),
    Mutant("max: index off by one", "ops.reduce:Take.backward",
           lambda right: lambda ctx, g: np.roll(right(ctx, g), 1, ctx.axis), "max-axis"),
    Mutant("getitem: repeated indices overwrite", SHAPE + "_add_at",
           instead(lambda target, index, values: target.__setitem__(index, values)),
           "getitem-repeated rows"),
    Mutant("getitem: shifted", SHAPE + "Getitem.backward",
           lambda right: lambda ctx, g: np.roll(right(ctx, g), 1, 0), "getitem-slices"),
    Mutant("assign: the overwritten keep their gradient", SHAPE + "Assign.backward",
           lambda right: lambda ctx, g: (g.copy(), right(ctx, g)[1]), "assign"),
    Mutant("cat: pieces shifted", SHAPE + "Concatenate.backward",
           lambda right: lambda ctx, g: right(ctx, np.roll(g, 1, ctx.axis)), "cat"),
    Mutant("pad: shifted", SHAPE + "Pad.backward",
           lambda right: lambda ctx, g: right(ctx, np.roll(g, 1, -1)), "pad"),
    Mutant("permute: not inverted", SHAPE + "Permute.backward",
           instead(lambda ctx, g: g.transpose(ctx.order).reshape(2, 3, 4)), "permute"),
    Mutant("reshape: column order", SHAPE + "Reshape.backward",
           instead(lambda ctx, g: g.reshape(ctx.shape, order="F")), "reshape"),
    Mutant("sort: not put back", "ops.order:Sort.backward",
           instead(lambda ctx, g: np.take_along_axis(g, ctx.saved[0], ctx.axis)), "sort-(1,)"),
    Mutant("sort: back to the sorted places", "ops.order:Sort.backward",
           instead(lambda ctx, g: g), "topk-3, (1,)"),
    Mutant("norm: not divided by itself", "ops.vector_norm:Norm.backward",
           edited("y ** (1 - ctx.p)", "y ** 0"), "norm-fro, ()"),
    Mutant("norm: no sign", "ops.vector_norm:Norm.backward",
           edited("whole * sign(a) *", "whole *"), "norm-3, ((0, 2),)"),
    Mutant("norm: power of p", "ops.vector_norm:Norm.backward",
           edited("** (ctx.p - 1)", "** ctx.p"), "norm-1.5, (-1,)"),
    # the engine
    Mutant("engine: a result's second consumer overwrites the first", "core:GradientSums.add",
           edited("_add(total, grad, in_place=total_owned)",
                  "grad if isinstance(target, Node) else _add(total, grad, in_place=total_owned)"),
           "std"),
    Mutant("engine: a leaf's second consumer overwrites the first", "core:GradientSums.add",
           edited("_add(total, grad, in_place=total_owned)",
                  "_add(total, grad, in_place=total_owned) if isinstance(target, Node) else grad"),
           "mul-same tensor twice"),
    Mutant("engine: broadcasting is not summed", "core:unbroadcast",
           instead(first_instead_of_sum), "mul-broadcast"),
]  # fmt: skip

# What a gradient check cannot see: the tests that pin the kink's rule find it.
KINK_MUTANTS = [
    ("relu: >= for >", ACTIVATION + "relu_backward", instead(lambda g, y: g * (y >= 0)),
     kinks.test_relu_has_derivative_0_at_0),
    ("conv2d_relu: >= for >", "kernels.conv:relu_backward", instead(lambda g, y: g * (y >= 0)),
     kinks.test_fused_relu_has_derivative_0_at_0, "plain"),
    ("conv2d_relu: >= for >, fast", "kernels.fast.conv:Steps.relu_backward",
     edited("xp.not_equal(", "xp.greater_equal("), kinks.test_fused_relu_has_derivative_0_at_0,
     "fast"),
    ("abs: 1 at 0", ELEMENTWISE + "Abs.backward",
     instead(lambda ctx, g: g * np.where(ctx.saved[0] < 0, -1.0, 1.0)),
     kinks.test_abs_has_derivative_0_at_0),
    ("clamp: nothing on the ends", CHOICE + "Clamp.forward",
     lambda right: lambda ctx, a, low, high: right(ctx, a, low + 1e-9, high - 1e-9),
     kinks.test_clamp_passes_the_gradient_on_its_ends),
    ("maximum: ties to both in full", CHOICE + "Maximum.backward",
     instead(lambda ctx, g: (g * np.greater_equal(*ctx.saved), g * np.less_equal(*ctx.saved))),
     kinks.test_maximum_and_minimum_share_ties),
    ("amax: ties to all in full", "ops.reduce:Extreme.backward",
     lambda right: lambda ctx, g: np.sign(right(ctx, g)),
     kinks.test_amax_shares_ties_and_max_gives_them_to_the_first),
    ("max_pool: last of a tie", "kernels.pool:max_pool2d_forward",
     edited("(tap.real > best.real) |", "(tap.real >= best.real) |"),
     lambda: kinks.test_max_pool_ties_go_to_the_first_in_row_major_order("float64"), "plain"),
    ("max_pool: last of a tie, fast", "kernels.fast.pool:_max_taps",
     edited("xp.greater(candidate.real, best.real, out=beats)",
            "xp.greater_equal(candidate.real, best.real, out=beats)"),
     lambda: kinks.test_max_pool_ties_go_to_the_first_in_row_major_order("float64"), "fast"),
    *((f"max_pool: winners of padding, {way}", "kernels.pool:first_taps",
       instead(lambda xp, window, out: 0), lambda plain=way == "plain":
       kinks.test_max_pool_gives_the_gradient_to_nan_and_never_to_padding(plain), way)
      for way in ("plain", "fast")),
    *((f"max_pool: NaN wins nothing, {way}", f"kernels.{place}", edited(right, wrong),
       lambda plain=way == "plain":
       kinks.test_max_pool_gives_the_gradient_to_nan_and_never_to_padding(plain), way)
      for way, place, right, wrong in (
          ("plain", "pool:max_pool2d_forward", "won[beats]", "won[tap.real > best.real]"),
          ("fast", "pool:max_pool2d_forward", "np.isnan(y[part].max())", "False"))),
    ("max_pool: padding 0", "kernels.pool:pad",
     lambda right: lambda x, window, out, value: right(x, window, out, 0.0),
     lambda: kinks.test_max_pool_pads_with_minus_infinity(np.float64), "plain"),
    ("max_pool: padding 0, fast", "kernels.fast.pool:pad_into",
     lambda right: lambda padded, x, padding, value=0.0: right(padded, x, padding),
     lambda: kinks.test_max_pool_pads_with_minus_infinity(np.float64), "fast"),
]  # fmt: skip


PLANTED = [(m, way) for m in MUTANTS for way in ways_of(m.target, m.way)]


@pytest.mark.parametrize(("mutant", "way"), PLANTED,
                         ids=[f"{m.name} {way}".strip() for m, way in PLANTED])  # fmt: skip
def test_the_check_kills(mutant: Mutant, way: str, monkeypatch: pytest.MonkeyPatch):
    case = BY_NAME[mutant.case]
    with taking(way):
        assert mg.gradcheck(case.call, case.tensors())
        plant(monkeypatch, mutant.target, mutant.wrong, way)
        for method in ("complex", "central"):
            found = mg.gradcheck(case.call, case.tensors(), method, raise_exception=False)
            assert not found, method


KINKS_PLANTED = [
    (name, target, wrong, test, one)
    for name, target, wrong, test, *way in KINK_MUTANTS
    for one in ways_of(target, *(way or [""]))
]


@pytest.mark.parametrize(("target", "wrong", "test", "way"), [m[1:] for m in KINKS_PLANTED],
                         ids=[f"{m[0]} {m[4]}".strip() for m in KINKS_PLANTED])  # fmt: skip
def test_a_test_of_the_kink_kills(target, wrong, test, way, monkeypatch: pytest.MonkeyPatch):
    with taking(way):
        test()
        plant(monkeypatch, target, wrong, way)
        with pytest.raises(AssertionError):
            test()


def test_mutants_have_a_name_each():
    names = [m.name for m in MUTANTS] + [m[0] for m in KINK_MUTANTS]
    assert len(set(names)) == len(names) >= 25


# ----- the weaknesses that checkers are known for -----


def test_an_upstream_of_ones_would_miss_what_a_random_one_finds(monkeypatch):
    plant(monkeypatch, SOFTMAX + "softmax_backward", instead(lambda g, y: g * 0))
    x = BY_NAME["softmax"].tensors()
    assert mg.gradcheck(lambda x: F.softmax(x).sum(), x)  # a gradient of 0 is right for ones
    assert not mg.gradcheck(F.softmax, x, raise_exception=False)


@pytest.mark.parametrize("shape", [(4, 6), (4, 100), (4, 20_000)])
def test_tolerance_does_not_grow_with_size(shape, monkeypatch):
    plant(monkeypatch, SOFTMAX + "softmax_backward", instead(lambda g, y: g * 0))
    x = mg.tensor(np.random.default_rng(0).normal(size=shape), requires_grad=True)
    assert not mg.gradcheck(F.softmax, x, raise_exception=False)


@pytest.mark.parametrize("seed", range(5))
def test_the_smallest_term_of_lrn_in_a_large_map(seed, monkeypatch):
    x = mg.tensor(np.random.default_rng(seed).normal(size=(1, 96, 27, 27)), requires_grad=True)
    assert mg.gradcheck(F.lrn, x, directions=1, seed=seed)
    plant(monkeypatch, LRN, lrn_with(lambda n, a, b, g: (1, a, b, g)), "fast")
    assert not mg.gradcheck(F.lrn, x, directions=1, seed=seed, raise_exception=False)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_tolerance_follows_the_scale_of_the_numbers(scale, monkeypatch):
    case = BY_NAME["lrn-n 5, alpha 1"]
    x = case.tensors()[0]
    assert mg.gradcheck(lambda x: F.lrn(x * scale, 5, 2.0, scale**-2) * scale, x)
    plant(monkeypatch, LRN, lrn_with(lambda n, a, b, g: (1, a, b, g)), "fast")
    wrong = mg.gradcheck(
        lambda x: F.lrn(x * scale, 5, 2.0, scale**-2) * scale, x, raise_exception=False
    )
    assert not wrong


def test_one_wrong_element_among_many(monkeypatch):
    def one_off(dw):
        dw = dw.copy()
        dw[3, 1, 2, 2] *= 1 + 1e-6
        return dw

    plant(monkeypatch, CONV, one_wrong(1, one_off), "fast")
    rng = np.random.default_rng(0)
    x, w = (mg.tensor(rng.normal(size=s), requires_grad=True) for s in ((2, 8, 9, 9), (8, 8, 3, 3)))
    with pytest.raises(mg.GradcheckError, match=r"input 1 \[3, 1, 2, 2\]"):
        mg.gradcheck(F.conv2d, [x, w])
