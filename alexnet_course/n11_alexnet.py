"""Checks of notebook 11, AlexNet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

import minigrad as mg
from alexnet_scratch.model import AlexNet
from minigrad import nn
from minigrad.kernels.conv import conv2d_backward
from minigrad.random import default_generator

from .checks import Function, Hint, close, exercise, generator, result_for_case, result_of
from .questions import Choice

most_work = Choice(
    "most_work",
    "b",
    "Each number of conv2 is a sum of 1,200 products, and its maps of 27x27 are still large.",
    wrong={
        "a": "Its maps are the largest, but its windows see three colours only: 363 products.",
        "c": "Its sums are the longest, 2,304 products, but its maps have 13x13 pixels only.",
        "d": "Each of its weights is used once for an image, so it has as many multiply-adds as "
        "weights. A weight of conv2 is used 729 times.",
    },
    prediction=True,
)

which_change = Choice(
    "which_change",
    "b",
    "(224 + 4 - 11) / 4 + 1 = 55.25, so 55 windows, then 27, 13 and 6: 256 * 6 * 6 = 9,216.",
    wrong={
        "a": "(224 - 11) / 4 + 1 = 54.25: 54 windows again, and 5x5 maps at the end.",
        "c": "That changes the 256, not the 5x5: 384 * 5 * 5 = 9,600.",
        "d": "Groups leave out connections. The number of pixels stays.",
    },
)

_CONVOLUTIONS = (  # maps in, maps out, kernel, groups, side of the output: section 3.5
    (3, 96, 11, 1, 55), (96, 256, 5, 2, 27), (256, 384, 3, 1, 13), (384, 384, 3, 2, 13),
    (384, 256, 3, 2, 13),
)  # fmt: skip
_WIDTHS, _FC_WIDTH, _CLASSES = (8, 16, 12, 24, 20), 28, 10
_NAMES = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")
_SIDES = ((55, "conv1"), (27, "pool1"), (27, "conv2"), (13, "pool2"), (13, "conv3"),
          (13, "conv4"), (13, "conv5"), (6, "pool5"))  # fmt: skip
_TWO: tuple[Any, ...] = (2, (2, 2), [2, 2])  # how a padding of 2 may be written


@exercise
def conv_cost(learner: Function) -> None:
    """conv_cost(inputs, maps, size, groups, side) -> (parameters, macs) of a convolution."""
    for inputs, maps, size, groups, side in _CONVOLUTIONS:
        got = result_of(learner, inputs, maps, size, groups, side)
        if not isinstance(got, tuple) or len(got) != 2:
            raise Hint("Expected two numbers: the parameters and the multiply-adds.")
        taps = inputs // groups * size * size
        weights, pixels = maps * taps, side * side
        case = f"{inputs} to {maps} maps, {size}x{size}, groups={groups}: "
        parameters, macs = got
        if (macs, parameters) == (weights + maps, weights * pixels):
            raise Hint("The two are swapped: the parameters come first.")
        if parameters == weights:
            raise Hint("The parameters are short of the biases: one for each map.")
        if groups > 1 and parameters in (weights * groups + maps, weights * groups):
            raise Hint(
                f"{case}a filter sees only the maps of its own group, inputs / groups of them."
            )
        twice = weights // groups
        if groups > 1 and parameters in (twice + maps, twice, (weights + maps) // groups):
            raise Hint(
                f"{case}you have divided by the groups twice. There are still `maps` filters; "
                "only what each of them sees is less."
            )
        biases = parameters - weights
        if biases in {1, inputs, size, maps // groups} - {maps}:
            raise Hint(f"{case}{biases:,} for the biases, expected {maps}: one for each map.")
        if parameters == maps * (inputs // groups * size + 1):
            raise Hint(f"{case}a filter has size * size numbers for each map it reads, not size.")
        if parameters != weights + maps:
            raise Hint(
                f"{case}{parameters:,} parameters, expected {weights + maps:,}: how many numbers "
                "has one filter, and how many filters are there?"
            )
        if macs == weights:
            raise Hint(
                "The parameters are right. macs is what one pixel of the output takes: how many "
                "pixels has each map?"
            )
        if macs == weights * side:
            raise Hint("The parameters are right. A map has side * side pixels, not side.")
        if groups > 1 and macs == groups * weights * pixels:
            raise Hint(
                f"The parameters are right. {case}a filter sees only inputs / groups maps, in the "
                "multiply-adds, too."
            )
        if macs == 2 * weights * pixels:
            raise Hint(
                "The parameters are right. You count a multiplication and an addition as two; a "
                "multiply-add is one."
            )
        if macs == (weights + maps) * pixels:
            raise Hint(
                "The parameters are right. The biases are only added: leave them out of macs."
            )
        if macs != weights * pixels:
            raise Hint(
                f"The parameters are right. {case}{macs:,} multiply-adds, expected "
                f"{weights * pixels:,}: every number of the output is a sum over one filter."
            )


@exercise
def conv3_backward(learner: Function) -> None:
    """conv3_backward(grad_a, grad_b, weight) -> (dx_a, dx_b), for the two cards."""
    rng = generator(0)
    grad_a, grad_b = rng.standard_normal((2, 2, 4, 5, 6))
    weight = rng.standard_normal((8, 6, 3, 3))
    got = result_for_case(
        learner,
        (grad_a, grad_b, weight),
        "For two gradients of 4 maps and 8 filters that read 6",
        question="Filters are the first axis of weight: each card uses its own half of them.",
    )
    if not isinstance(got, tuple) or len(got) != 2:
        raise Hint("Expected two arrays: what arrives at the maps of A, and at those of B.")

    def dx(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        grad = np.concatenate([first, second], 1)
        x = np.zeros((2, 6, 5, 6))
        whole, _, _ = conv2d_backward(grad, x, weight, padding=(1, 1), needs=(True, False, False))
        assert whole is not None
        return whole[:, :3], whole[:, 3:]

    right, none = dx(grad_a, grad_b), np.zeros_like(grad_a)
    from_a, from_b = dx(grad_a, none), dx(none, grad_b)
    shapes = tuple(np.shape(array) for array in got)
    if shapes == ((2, 6, 5, 6),) * 2:
        raise Hint(
            "Each result has all six maps: A made the first half of the maps that conv3 read, B "
            "the second. Cut the sum in two."
        )
    if shapes != ((2, 3, 5, 6),) * 2:
        raise Hint(f"The results have the shapes {shapes}, expected (2, 3, 5, 6) twice.")
    if _same(got, right):
        return
    if _same(got, (from_a[0], from_b[1])):
        raise Hint(
            "Each card gets only the gradient that its own filters give. But the maps of A were "
            "also read by the filters on B: what they give must come over and be added."
        )
    if _same(got, (from_b[0], from_a[1])):
        raise Hint("Each card gets only what comes from the other one: its own part is missing.")
    if _same(got, right[::-1]):
        raise Hint("The two results are swapped: A's maps are the first half of the channels.")
    if _same(got, (right[0] / 2, right[1] / 2)):
        raise Hint("Half of it: the two contributions are added, not averaged.")
    if _same(got, (right[0], from_b[1])) or _same(got, (from_a[0], right[1])):
        raise Hint(
            "One card's result is right, the other gets only what its own filters give. The maps "
            "of both were read on both cards."
        )
    swapped_a, swapped_b = dx(none, grad_a), dx(grad_b, none)
    for a, b in ((swapped_a, swapped_b), (swapped_a, from_b), (from_a, swapped_b)):
        if _same(got, (a[0] + b[0], a[1] + b[1])):
            raise Hint(
                "Each gradient must go through its own filters: grad_a belongs to the first half "
                "of them, grad_b to the second."
            )
    raise Hint(
        "The shapes are right, the numbers are not. Each result is a sum of two parts, one from "
        "the filters of each card."
    )


def _same(got: tuple[Any, ...], expected: tuple[Any, ...]) -> bool:
    return all(close(a, b) for a, b in zip(got, expected, strict=True))


@exercise
def build(learner: Function) -> None:
    """build(widths, fc_width, num_classes) -> the paper's network as an nn.Sequential."""
    with _generator_left_alone(), mg.no_grad():
        model = result_of(learner, _WIDTHS, _FC_WIDTH, _CLASSES)
        if isinstance(model, tuple):
            raise Hint("It returns a list or a tuple, expected an nn.Sequential.")
        if not isinstance(model, nn.Sequential):
            raise Hint(f"It returns {type(model).__name__}, expected an nn.Sequential.")
        _check_shapes(model)
        _check_parameters(model)
        _check_output(model)
        _check_dropout(model)


@contextmanager
def _generator_left_alone() -> Iterator[None]:
    state = default_generator.state
    try:
        yield
    finally:
        default_generator.state = state


def _check_shapes(model: nn.Sequential) -> None:
    """Run zeros through the layers, one by one, and hold the maps' sides to the paper's."""
    x = mg.zeros(1, 3, 224, 224)
    left = list(_SIDES)
    for name, layer in model.named_children():
        if isinstance(layer, nn.Linear) and left:
            raise Hint(f"There is no {left[0][1]}.")
        if isinstance(layer, nn.Linear) and x.ndim == 4:
            raise Hint(
                f"Layer {name} is linear and gets maps of shape {x.shape[1:]}: put nn.Flatten() "
                "between pool5 and fc6."
            )
        try:
            x = layer(x)
        except (ValueError, RuntimeError) as error:
            raise Hint(f"Layer {name} cannot read what the layer before gives. {error}") from error
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            if not left:
                raise Hint(f"Layer {name} is one too many: pool5 is the last layer with maps.")
            side, expected = left.pop(0)
            if expected.startswith("conv") != isinstance(layer, nn.Conv2d):
                raise Hint(f"Layer {name} is a {type(layer).__name__}, expected is {expected}.")
            if x.shape[2] == 54 and layer.padding not in _TWO:
                raise Hint(
                    f"conv1 gives maps of 54x54, expected 55x55: it has padding={layer.padding}, "
                    "expected 2."
                )
            if x.shape[2] != side:
                raise Hint(
                    f"{expected} gives maps of {x.shape[2]}x{x.shape[3]}, expected {side}x{side}: "
                    "look at its size, stride and padding."
                )
            if isinstance(layer, nn.MaxPool2d) and layer.kernel_size not in (3, (3, 3), [3, 3]):
                raise Hint(
                    f"{expected} has windows of {layer.kernel_size}: the paper's overlap, they are "
                    "3x3 at stride 2."
                )


def _check_parameters(model: nn.Sequential) -> None:
    layers: list[Any] = [m for m in model.children() if isinstance(m, nn.Conv2d | nn.Linear)]
    if len(layers) != 8:
        raise Hint(f"It has {len(layers)} layers with weights, expected 8: {', '.join(_NAMES)}.")
    reference = _reference()
    for name, layer in zip(_NAMES, layers, strict=True):
        shape, expected = layer.weight.shape, getattr(reference, name).weight.shape
        kind = "maps" if name.startswith("conv") else "units"
        if shape[0] != expected[0]:
            raise Hint(f"{name} gives {shape[0]} {kind}, expected {expected[0]}.")
        if name.startswith("conv") and shape[1] == 2 * expected[1]:
            raise Hint(
                f"{name} reads the maps of both towers. It must read those of its own: groups=2."
            )
        if name.startswith("conv") and 2 * shape[1] == expected[1]:
            raise Hint(f"{name} reads only half of the maps: this layer has no groups.")
        if shape != expected:
            raise Hint(f"The weight of {name} has shape {shape}, expected {expected}.")
        if layer.bias is None:
            raise Hint(f"{name} has no bias.")


def _reference(**options: Any) -> AlexNet:
    """The network with weights and biases drawn so that every layer matters to the output."""
    model = AlexNet(_CLASSES, widths=_WIDTHS, fc_width=_FC_WIDTH, **options)
    rng = np.random.default_rng(0)  # for all: no learner's function is given these
    for name, parameter in model.named_parameters():
        fan_in = int(np.prod(parameter.shape[1:]))
        scale = 10.0 if name.endswith("bias") else 2 / np.sqrt(fan_in)
        parameter.data[...] = scale * rng.standard_normal(parameter.shape)
    model.eval()
    return model


def _check_output(model: nn.Sequential) -> None:
    rng = np.random.default_rng(1)  # for all
    pixels = rng.normal(0, 60, (1, 3, 224, 224)).astype("f4")
    x, reference = mg.tensor(pixels), _reference()
    for ours, theirs in zip(reference.parameters(), model.parameters(), strict=True):
        theirs.data[...] = ours.data
    modes = model.training
    got, right = model.eval()(x).numpy(), reference(x).numpy()
    model.train(modes)
    if close(got, right, 1e-4):
        return
    conv1 = next(layer for layer in model.children() if isinstance(layer, nn.Conv2d))
    if conv1.padding not in _TWO:
        raise Hint(f"conv1 has padding={conv1.padding}, expected 2.")
    for wrong, hint in _wrong_outputs(x, right):
        if close(got, wrong, 1e-4):
            raise Hint(hint)
    raise Hint(
        "All shapes are right, and with the same weights the output is another one. Compare the "
        "order of the layers with the list above: which of them have ReLU, LRN, pooling behind?"
    )


def _wrong_outputs(x: Any, right: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
    """What usual mistakes give, and the hint for each."""
    yield np.maximum(right, 0), "There is a ReLU behind fc8: the logits may be negative."
    powers = np.exp(right - right.max())
    yield (
        powers / powers.sum(),
        "It ends with a softmax: leave that to the loss, return the logits.",
    )
    for name in _NAMES[:7]:
        yield _without_relu(x, name), f"There is no ReLU behind {name}."
    yield (
        _without_relu(x, *_NAMES[:5]),
        "There is no ReLU behind the convolutions: nn.ReLU() comes right behind each of them.",
    )
    yield _without_relu(x, "fc6", "fc7"), "There is no ReLU behind fc6 and fc7."
    yield _without_relu(x, *_NAMES[:7]), "There is no ReLU in it: the paper has seven."
    pair = ("relu-lrn-pool", "relu-lrn-pool")
    orders = {
        "relu-pool": "LRN is missing behind conv{}.",
        "relu-pool-lrn": "LRN comes behind the pooling in layer {}; the paper has it before.",
        "lrn-pool-relu": "LRN comes before ReLU in layer {}; the paper has it behind.",
    }
    for order, hint in orders.items():
        both = "s 1 and 2" if "layer {}" in hint else "1 and conv2"
        yield _reference(orders=(order, order))(x).numpy(), hint.replace(" {}", both).format(both)
        yield _reference(orders=(order, pair[1]))(x).numpy(), hint.format(1)
        yield _reference(orders=(pair[0], order))(x).numpy(), hint.format(2)
    for names in (("lrn1", "lrn2"), ("lrn1",), ("lrn2",)):
        yield (
            _across(x, names),
            f"The windows of {' and '.join(names)} cross the border between the towers: "
            "nn.PaperLRN takes groups=2.",
        )
    for variant in ("two-tower", "grouped"):
        for k in (1.0, 2.0):
            yield (
                _reference(variant=variant, lrn_k=k, lrn_alpha=1e-4 / 5)(x).numpy(),
                (
                    "LRN divides alpha by its window, as PyTorch's layer does. nn.PaperLRN has the "
                    "paper's formula."
                ),
            )
    yield (
        _reference(dropout="paper")(x).numpy(),
        (
            "This is the paper's form of dropout, which halves at test. Take nn.Dropout here; "
            "notebook 9 compares the two."
        ),
    )


def _across(x: Any, names: Sequence[str]) -> np.ndarray:
    """The output of the reference where the windows of these layers cross the towers' border."""
    model = _reference()
    for name, layer in model.named_children():
        if name in names and isinstance(layer, nn.PaperLRN):
            layer.groups = 1
    output: np.ndarray = model(x).numpy()
    return output


def _without_relu(x: Any, *names: str) -> np.ndarray:
    """The output of the reference without the ReLU behind these layers."""
    model = _reference()
    left_out = {f"relu{name[-1]}" for name in names}
    kept = (layer for name, layer in model.named_children() if name not in left_out)
    output: np.ndarray = nn.Sequential(*kept)(x).numpy()
    return output


def _check_dropout(model: nn.Sequential) -> None:
    layers = [m for m in model.children() if isinstance(m, nn.Linear | nn.Dropout)]
    kinds = "".join("d" if isinstance(layer, nn.Dropout) else "L" for layer in layers)
    if "d" not in kinds:
        raise Hint("The outputs are right. Dropout is missing: it stands behind fc6 and fc7.")
    if kinds == "dLdLL":
        raise Hint(
            "The outputs are right. Dropout stands before fc6 and fc7, where torchvision has it; "
            "the paper has it behind them, on their outputs."
        )
    if kinds != "LdLdL":
        raise Hint("The outputs are right. Dropout belongs behind fc6 and behind fc7, only there.")
    for layer in layers:
        if isinstance(layer, nn.Dropout) and layer.p != 0.5:
            raise Hint(f"The outputs are right. Dropout has p={layer.p}, expected 0.5.")


def whose_network(learner: Function) -> tuple[nn.Module, str]:
    """A narrow network ready for a backward pass, and whose it is: the learner's, once right."""
    widths, right = (16,) * 5, build.is_right(learner)
    with _generator_left_alone():
        mg.manual_seed(0)
        model = learner(widths, 32, 10) if right else AlexNet(10, widths=widths, fc_width=32)
        for name, parameter in model.named_parameters():
            if name.endswith("weight"):
                nn.init.kaiming_normal_(parameter)
    return model.eval(), "yours" if right else "ready-made"


def whose_cards(learner: Function) -> tuple[Function, str]:
    """conv3's backward on two cards, and whose it is: the learner's, once it is right."""
    return conv3_backward.chosen(learner, _conv3_backward, "yours", "ready-made")


def _conv3_backward(grad_a: Any, grad_b: Any, weight: Any) -> tuple[Any, Any]:
    grad, half = np.concatenate([grad_a, grad_b], 1), weight.shape[1] // 2
    x = np.zeros((len(grad), weight.shape[1], *grad.shape[2:]), grad.dtype)
    dx = conv2d_backward(grad, x, weight, padding=(1, 1), needs=(True, False, False))[0]
    assert dx is not None
    return dx[:, :half], dx[:, half:]
