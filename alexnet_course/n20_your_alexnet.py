"""Checks of notebook 20, your AlexNet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import minigrad as mg
from minigrad.kernels.threefry import Key

from .checks import Function, Hint, close, exercise, generator
from .questions import Choice, Number
from .yours import collect, ready_made, training
from .yours.training import EPOCHS, SHAPES, Weights

DROPOUT = 0.2
LRN = (5, 2.0, 1e-4, 0.75, 2)


# ----- ready-made, until the learner's is right -----


def _alexnet(ops: Any, weights: Weights, x: mg.Tensor, keys: Any) -> mg.Tensor:
    x = ops.relu(ops.conv2d(x, *weights["conv1"], 4, 0, 1))
    x = ops.max_pool2d(ops.lrn(x, *LRN), 3, 2)
    x = ops.relu(ops.conv2d(x, *weights["conv2"], 1, 2, 2))
    x = ops.max_pool2d(ops.lrn(x, *LRN), 3, 2)
    x = ops.relu(ops.conv2d(x, *weights["conv3"], 1, 1, 1))
    x = ops.relu(ops.conv2d(x, *weights["conv4"], 1, 1, 2))
    x = ops.relu(ops.conv2d(x, *weights["conv5"], 1, 1, 2))
    x = ops.max_pool2d(x, 3, 2).flatten(1)
    for number, name in enumerate(("fc6", "fc7")):
        x = ops.relu(ops.linear(x, *weights[name]))
        if keys is not None:
            x = ops.dropout(x, DROPOUT, keys[number])
    return ops.linear(x, *weights["fc8"])  # type: ignore[no-any-return]


def _train_epoch(net: Any, batches: Any, lr: float) -> float:
    losses = []
    for x, labels in batches:
        for weight in net.weights:
            weight.grad = None
        loss = net.loss(x, labels)
        net.backward(loss)
        for i, weight in enumerate(net.weights):
            weight.data, net.velocities[i] = net.step(
                weight.data, net.velocities[i], weight.grad.data, lr
            )
        losses.append(loss.item())
    return float(sum(losses) / len(losses))


def _accuracy(net: Any, images: Any, labels: Any, batch: int) -> float:
    right = 0
    for start in range(0, len(images), batch):
        part = slice(start, start + batch)
        right += int((net.logits(images[part]).argmax(1) == labels[part]).sum())
    return right / len(images)


def in_use(*learners: Function) -> tuple[Function, ...]:
    """The functions with which the lesson goes on: the learner's where its check says "right", else
    ready ones; says which."""
    ready: dict[str, Function] = {
        "alexnet": _alexnet, "train_epoch": _train_epoch, "accuracy": _accuracy,
    }  # fmt: skip
    chosen: list[Function] = []
    for learner in learners:
        name = learner.__name__
        right = globals()[name].is_right(learner)
        print(f"{name:12} {'yours' if right else 'ready-made, until yours is right'}")
        chosen.append(learner if right else ready[name])
    return tuple(chosen)


def own(*functions: Function) -> int:
    """How many of these are the learner's."""
    return sum(f not in (_alexnet, _train_epoch, _accuracy) for f in functions)


def whole_run(assembly: Function, loop: Function, judge: Function, epochs: int = EPOCHS) -> None:
    """The notebook's run with the functions of the solutions, beside minigrad's; prints what does
    not depend on the machine."""
    mine = collect("solutions" if Path("solutions").is_dir() else ".")
    print(mine.table())
    images, test = training.drawn(), training.drawn(50, seed=1)
    run, other = (
        training.train(one, assembly, loop, judge, images, test, epochs)
        for one in (mine, ready_made())
    )
    share = training.share(run, own(assembly, loop, judge))
    print(f"functions in use: {share.functions} of {share.of_functions}")
    print(f"weights in layers of theirs: {share.weights:.0%}")
    print("at least 90% of minigrad's accuracy:", run.accuracy >= 0.9 * other.accuracy)


# ----- the network -----


class _Call(NamedTuple):
    """An operation that was called: its name, its layer ("" if it has no weights), its options."""

    name: str
    layer: str
    options: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.name} of {self.layer}" if self.layer else self.name


class _Recorder:
    """minigrad's operations; keeps what was called, in order."""

    def __init__(self, weights: Weights) -> None:
        self._calls: list[tuple[Any, ...]] = []  # plain: a grader sends them between processes
        self._ready = ready_made()
        # By their numbers: where a grader runs the learner's code, these are copies.
        self._layers = {_first(t): name for name, pair in weights.items() for t in pair}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._ready.operations or name == "cross_entropy":
            raise AttributeError(f"there is no operation {name!r}: the text names them all")
        operation = self._ready.operations[name]

        def call(*args: Any) -> mg.Tensor:
            given = [_first(a) for a in args[1:] if isinstance(a, mg.Tensor)]
            layer = next((self._layers[n] for n in given if n in self._layers), "")
            options = tuple(a for a in args if not isinstance(a, mg.Tensor))
            self._calls.append((name, layer, options))
            return operation(*args)

        return call

    @property
    def calls(self) -> list[_Call]:
        return [_Call(name, layer, tuple(options)) for name, layer, options in self._calls]


def _first(tensor: mg.Tensor) -> float:
    return float(tensor.data.flat[0])


def _weights(seed: int) -> Weights:
    """Large enough for LRN to matter, with biases that are not 0."""
    rng = generator(seed)
    return {
        name: (
            mg.tensor(rng.standard_normal(shape) * 2 / np.sqrt(np.prod(shape[1:]))),
            mg.tensor(rng.standard_normal(shape[0])),
        )
        for name, shape in SHAPES.items()
    }


@exercise
def alexnet(learner: Function) -> None:
    """alexnet(ops, weights, x, keys) -> logits (N, 6), for images x (N, 3, 67, 67)."""
    weights = _weights(0)
    x = mg.tensor(30 * generator(1).standard_normal((3, 3, 67, 67)))
    for keys in (None, (Key(1, 0), Key(1, 1))):
        expected = _Recorder(weights)
        right = _alexnet(expected, weights, x, keys).numpy()
        got = _Recorder(weights)
        when = "In training (keys given)" if keys else "In a test (keys is None)"
        try:
            logits = learner(got, weights, x, keys)
        except NotImplementedError:
            raise
        except Exception as error:
            _first_difference(got.calls, expected.calls, when)
            if got.calls and got.calls[-1].layer == "fc6":
                raise Hint(
                    "fc6 reads a row of numbers for each image: behind pool5 comes x.flatten(1)."
                ) from None
            after = f" in {got.calls[-1]}" if got.calls else " before the first operation"
            raise Hint(f"It stops{after} with {type(error).__name__}: {error}") from None
        if logits is None:
            raise Hint("It returns None: is there a `return` at the end?")
        same = isinstance(logits, mg.Tensor) and logits.shape == right.shape
        if same and close(logits.numpy(), right, 1e-5):
            continue
        _first_difference(got.calls, expected.calls, when)
        shape = getattr(logits, "shape", None)
        if shape != right.shape:
            raise Hint(
                f"It returns {type(logits).__name__} of shape {shape}, expected {right.shape}."
            )
        raise Hint(
            f"{when}, the operations are right and the logits are not: does each read what the one "
            "before it gave? And nothing comes behind fc8."
        )


def _first_difference(got: list[_Call], expected: list[_Call], when: str) -> None:
    """Raise the hint for the first call that is not the expected one."""
    before = "the image"
    for number, right in enumerate(expected):
        if number >= len(got):
            if number == 0:
                raise Hint("No operation was called: use those of `ops`, as ops.conv2d(...).")
            return  # it stopped, or it ends too early
        call = got[number]
        if call == right:
            before = str(call)
            continue
        if (call.name, call.layer) != (right.name, right.layer):
            _wrong_operation(call, right, before, when)
        _wrong_options(call, right)
    if len(got) > len(expected):
        extra = got[len(expected)]
        if extra.name == "relu":
            raise Hint(
                "A ReLU comes behind fc8: logits may be negative, nothing comes behind them."
            )
        if extra.name == "dropout":
            raise Hint("Dropout comes behind fc6 and fc7 only: fc8 gives the logits.")
        raise Hint(f"{extra} comes behind fc8, which is the last: it gives the logits.")


def _wrong_operation(call: _Call, right: _Call, before: str, when: str) -> None:
    if call.name == "dropout" and "test" in when:
        raise Hint("In a test (keys is None) nothing is dropped: dropout is for training alone.")
    if right.name == "dropout":
        raise Hint(f"{when}, dropout comes behind the ReLU of fc6 and of fc7: there is none here.")
    if call.name == "dropout":
        raise Hint(f"Dropout comes behind {before}: it belongs behind the ReLU of fc6 and fc7.")
    if right.name == "relu":
        raise Hint(f"Behind {before} comes {call}: a ReLU is missing. Each layer has one, but fc8.")
    if right.name == "lrn" and call.name == "max_pool2d":
        raise Hint(
            "Pooling comes before LRN, or LRN is left out: first ReLU, then LRN, then pooling."
        )
    if call.name == "lrn" and right.name != "lrn":
        raise Hint(f"LRN comes behind {before}: only conv1 and conv2 have it, behind their ReLU.")
    if right.name == "max_pool2d":
        raise Hint(f"Behind {before} comes {call}: pooling is missing there (conv1, conv2, conv5).")
    if call.name == "max_pool2d":
        raise Hint(f"Pooling comes behind {before}: only conv1, conv2 and conv5 have it.")
    if call.layer != right.layer and call.layer and right.layer:
        raise Hint(f"Behind {before} comes {call}, expected {right}.")
    raise Hint(f"Behind {before} comes {call}, expected {right}.")


def _wrong_options(call: _Call, right: _Call) -> None:
    """Raise the hint for options that are not those of the table."""
    where = f"ops.{call.name}" + (f" of {call.layer}" if call.layer else "")
    if len(call.options) != len(right.options):
        raise Hint(
            f"{where} got the options {call.options}, expected {len(right.options)} numbers."
        )
    pairs = list(zip(call.options, right.options, strict=True))
    if call.name == "conv2d":
        for name, (given, wanted) in zip(("stride", "padding", "groups"), pairs, strict=True):
            if given == wanted:
                continue
            if name == "groups" and wanted == 2:
                raise Hint(
                    f"{where} has groups={given}: its filters see one tower only, groups is 2."
                )
            if name == "groups":
                raise Hint(f"{where} has groups={given}: it reads both towers, groups is 1.")
            raise Hint(f"{where} has {name}={given}: see the table.")
    if call.name == "max_pool2d":
        if call.options == (2, 2):
            raise Hint("The pooling is 2 x 2 with step 2: the paper's windows of 3 overlap.")
        raise Hint(f"The pooling has size and step {call.options}, expected {right.options}.")
    if call.name == "lrn":
        if call.options[:4] == right.options[:4]:
            raise Hint(
                f"LRN has groups={call.options[4]}: the window stops at the border between the "
                "towers, groups is 2."
            )
        raise Hint(f"LRN has {call.options}: the paper has n=5, k=2, alpha=1e-4, beta=0.75.")
    if call.name == "dropout":
        if call.options[0] != right.options[0]:
            raise Hint(f"Dropout has p={call.options[0]}, expected {right.options[0]}.")
        raise Hint("Each dropout has a key of its own: keys[0] behind fc6, keys[1] behind fc7.")


# ----- the loop -----


class _Line:
    """A straight line in training, which notes what is done to it."""

    def __init__(self) -> None:
        self.weights = [mg.tensor(np.array([w]), requires_grad=True) for w in (0.5, 0.0)]
        self.velocities = [np.array([0.1]), np.array([-0.2])]
        self.steps: list[tuple[int, float]] = []  # which weight, and the rate
        self.events: list[str] = []

    def loss(self, x: Any, labels: Any) -> mg.Tensor:
        self.events.append("loss")
        slope, bias = self.weights
        return ((mg.tensor(x) * slope + bias - mg.tensor(labels)) ** 2).mean()

    def backward(self, loss: mg.Tensor) -> None:
        self.events.append("backward")
        loss.backward()

    def step(self, w: Any, v: Any, grad: Any, lr: float) -> tuple[Any, Any]:
        if isinstance(grad, mg.Tensor) or isinstance(w, mg.Tensor):
            raise Hint("net.step takes arrays: give it weight.data and weight.grad.data.")
        if grad is None:
            raise Hint("net.step gets no gradient: net.backward(loss) comes before it.")
        self.events.append("step")
        self.steps.append((0, lr))
        v = 0.9 * v + grad
        return w - lr * v, v


def _line_batches() -> list[tuple[Any, Any]]:
    rng = generator(3)
    return [(x := rng.uniform(-1, 1, size), 2 * x + 1) for size in (4, 4, 4)]


@exercise
def train_epoch(learner: Function) -> None:
    """train_epoch(net, batches, lr) -> the mean loss of an epoch."""
    net, right, lr = _Line(), _Line(), 0.05
    expected = _train_epoch(right, _line_batches(), lr)
    started = [(weight, weight.data.copy()) for weight in net.weights]
    velocities, v0 = net.velocities, [v.copy() for v in net.velocities]
    try:
        got = learner(net, iter(_line_batches()), lr)
    except (AttributeError, TypeError) as error:
        if "NoneType" in str(error) and "step" not in net.events:
            raise Hint(
                "A weight has no gradient where you take it: first net.backward(loss), then the "
                "steps; and grad becomes None before backward, not behind it."
            ) from None
        raise
    _check_events(net, got)
    moved = any(not np.array_equal(w.data, old) for w, old in started)
    if net.weights != [w for w, _ in started] and not moved:
        raise Hint("New tensors stand in net.weights: the network reads the old ones. Set .data.")
    if not moved:
        raise Hint(
            "The weights have not changed: net.step returns the new w, set weight.data to it."
        )
    if {rate for _, rate in net.steps} != {lr}:
        raise Hint("net.step does not get the rate lr as it was given.")
    if close(net.weights[1].data, started[1][1]):
        raise Hint("Only the first weight moves: each of net.weights takes a step, biases, too.")
    kept = net.velocities if net.velocities is not velocities else velocities
    if all(np.array_equal(a, b) for a, b in zip(kept, v0, strict=True)):
        raise Hint("The new velocities are lost: put them back into net.velocities.")
    _compare_runs(net, right)
    _check_mean(got, expected, net)


def _check_events(net: _Line, got: Any) -> None:
    count = {name: net.events.count(name) for name in ("loss", "backward", "step")}
    if not net.events:
        raise Hint("Nothing was done with `net`: for each batch, net.loss, net.backward, net.step.")
    if count["loss"] < 3:
        raise Hint(f"It sees {count['loss']} of 3 batches: does `return` stand inside the loop?")
    if count["backward"] == 0:
        raise Hint("net.backward(loss) is missing: without it there are no gradients.")
    if count["step"] == 0:
        raise Hint("net.step is missing: nothing is learned.")
    if count["step"] == 2 and count["backward"] == 3:
        raise Hint("The weights take a step once an epoch: they take one after each batch.")
    if net.events[:3] == ["loss", "step", "backward"] or net.events[0] == "step":
        raise Hint("The step comes before backward: it would use the batch before.")
    if count["step"] not in (3, 6):
        raise Hint(f"net.step was called {count['step']} times: 3 batches with 2 weights make 6.")


def _compare_runs(net: _Line, right: _Line) -> None:
    if close([w.data for w in net.weights], [w.data for w in right.weights], 1e-6):
        if not close(net.velocities, right.velocities, 1e-6):
            raise Hint("The weights are right and net.velocities are not: one for each weight.")
        return
    for wrong, hint in _wrong_runs():
        if close([w.data for w in net.weights], [w.data for w in wrong.weights], 1e-6):
            raise Hint(hint)
    raise Hint("The weights are not what three steps make of them: compare with the recipe above.")


def _wrong_runs() -> Iterator[tuple[_Line, str]]:
    """Lines that were trained with the usual mistakes, and the hints."""
    for mistake, hint in (
        (
            "gradients pile up",
            "The gradients of the batches pile up: backward adds to grad. Set it to None before.",
        ),
        (
            "no velocity",
            "Each step begins with velocity 0: give net.step the one of the step before.",
        ),
        (
            "old velocity",
            "The velocity is the old one in each step: put the new one into net.velocities[i].",
        ),
        ("swapped", "net.step returns the new w first, then the new v: they are swapped."),
        ("shared", "All weights share one velocity: weight i has net.velocities[i]."),
    ):
        line = _Line()
        first = list(line.velocities)
        for x, labels in _line_batches():
            if mistake != "gradients pile up":
                _fresh(line)
            line.backward(line.loss(x, labels))
            _steps(line, mistake, first)
        yield line, hint


def _fresh(net: _Line) -> None:
    for weight in net.weights:
        weight.grad = None


def _steps(net: _Line, mistake: str, first: list[Any]) -> None:
    for i, weight in enumerate(net.weights):
        place = 0 if mistake == "shared" else i
        v = {"no velocity": np.zeros(1), "old velocity": first[i]}.get(
            mistake, net.velocities[place]
        )
        assert weight.grad is not None
        new_w, new_v = net.step(weight.data, v, weight.grad.data, 0.05)
        if mistake == "swapped":
            new_w, new_v = new_v, new_w
        weight.data, net.velocities[place] = new_w, new_v


def _check_mean(got: Any, expected: float, net: _Line) -> None:
    if got is None:
        raise Hint("The weights are right. It returns None: return the mean of the losses.")
    if isinstance(got, mg.Tensor):
        raise Hint(
            "The weights are right. It returns a tensor, which keeps the graph: loss.item()."
        )
    if np.ndim(got) != 0:
        raise Hint("The weights are right. It returns several numbers: return their mean.")
    if close(float(got), 3 * expected):
        raise Hint(
            "The weights are right. It returns the sum of the losses: divide by the batches."
        )
    if not close(float(got), expected):
        raise Hint(
            f"The weights are right. It returns {float(got):.4g}, expected {expected:.4g}: the "
            "mean of the losses of all batches."
        )


# ----- the test -----


class _Told:
    """A network whose answers are given; notes how many images it is asked at a time."""

    def __init__(self, logits: Any) -> None:
        self._logits = logits
        self.sizes: list[int] = []

    def logits(self, x: Any) -> Any:
        if isinstance(x, mg.Tensor):
            x = x.data
        self.sizes.append(len(x))
        return self._logits[np.asarray(x).reshape(len(x), -1)[:, 0].astype(int)]


@exercise
def accuracy(learner: Function) -> None:
    """accuracy(net, images, labels, batch) -> the part of the images that is named right."""
    rng = generator(5)
    for count, batch in ((12, 4), (11, 4), (3, 8)):
        labels = rng.integers(0, 6, count)
        logits = rng.standard_normal((count, 6))
        sure = rng.permutation(count)[: count // 2 + 1]
        logits[sure, labels[sure]] += 9
        net = _Told(logits)
        images = np.broadcast_to(np.arange(count).reshape(-1, 1, 1, 1), (count, 3, 2, 2)).astype(
            "f4"
        )
        try:
            got = learner(net, images, labels, batch)
        except (ValueError, IndexError) as error:
            _check_sizes(net.sizes, batch)
            raise Hint(
                f"It stops with {type(error).__name__}: {error}. net.logits gives a row for each "
                "image it was shown: the class is the place of the largest number in a row "
                "(axis 1), and the labels are those of the same images."
            ) from None
        _check_accuracy(got, logits, labels, batch, net.sizes)


def _check_accuracy(got: Any, logits: Any, labels: Any, batch: int, sizes: list[int]) -> None:
    count, hits = len(labels), logits.argmax(1) == labels
    case = f"For {count} images in batches of {batch}"
    if got is None:
        raise Hint("It returns None: is there a `return` at the end?")
    if not sizes:
        raise Hint("net.logits(x) was not called: what does the network say to the images?")
    _check_sizes(sizes, batch)
    if sum(sizes) < count:
        raise Hint(
            f"{case}, only {sum(sizes)} were shown: the last batch may be smaller, and counts, too."
        )
    if sum(sizes) > count:
        raise Hint(f"{case}, {sum(sizes)} were shown: each image once.")
    if np.ndim(got) != 0:
        raise Hint("It returns several numbers, expected one.")
    value, right = float(got), float(hits.mean())
    if close(value, right):
        return
    if value == 0 and np.asarray(got).dtype.kind in "iu":
        raise Hint(
            "It returns the whole number 0: the division must keep its fraction (/, not //)."
        )
    parts = [hits[start : start + batch] for start in range(0, count, batch)]
    for wrong, hint in (
        (hits.sum(), "It returns how many are right: divide by the number of images."),
        (100 * right, "It returns percent: a part of 1 is asked for."),
        (1 - right, "It returns the error: the part that is named right is asked for."),
        (
            np.mean([part.mean() for part in parts]),
            "It is the mean of the batches' accuracies: the last batch is smaller and would count "
            "as much as the others. Count the right ones over all, then divide.",
        ),
        (hits.sum() / (len(parts) * batch), "You divide by batches times `batch`: by the images."),
        (hits.sum() / len(parts), "You divide by the number of batches: divide by the images."),
        (parts[-1].mean(), "It is the accuracy of the last batch alone: count over all."),
        (
            parts[-1].sum() / count,
            "Only those of the last batch alone are counted: is `=` written for `+=`?",
        ),
        (parts[0].mean(), "It is the accuracy of the first batch alone: count over all."),
        ((logits.argmin(1) == labels).mean(), "The class is that of the largest logit: argmax."),
    ):
        if close(value, float(wrong)):
            raise Hint(f"{case}: {hint}")
    if not 0 <= value <= 1:
        raise Hint(f"{case} it returns {value:.4g}, which is no part of 1.")
    raise Hint(
        f"{case} it returns {value:.4g}, expected {right:.4g}: along which axis is the largest "
        "logit of each image, and with which label do you compare it?"
    )


def _check_sizes(sizes: list[int], batch: int) -> None:
    if sizes and max(sizes) > batch:
        raise Hint(
            f"In batches of {batch}, net.logits got {max(sizes)} images at once: give it `batch` "
            "at most."
        )


# ----- questions -----


fc_share = Number(
    "fc_share", 20, "Here fc6 reads 32 numbers (32 maps of one pixel), in the paper 9,216: its "
    "37.7 million weights become 2,112.",
    small="More than that: fc6 and fc7 have 64 units each, and conv4 only 4,640 weights.",
    large="Less: fc6 reads 32 maps of one pixel here.",
    typical={
        96: "That is the paper's network, where fc6 reads 256 maps of 6×6.",
        50: "Half would need an fc6 of many inputs; it reads 32 maps of one pixel.",
    },
    within=5, prediction=True,
)  # fmt: skip

why_apart = Choice(
    "why_apart", "b",
    "Sums in another order differ in the last digit; a ReLU or a maximum that is nearly a tie then "
    "goes the other way, and each step builds on the one before.",
    wrong={
        "a": "Each function agreed with minigrad's to about 1e-7 or better on the same inputs: a "
        "wrong one would be off by far more, at once.",
        "c": "The masks are drawn from the same keys: they are the same bits in both networks.",
        "d": "The rate is the same number in both: rates(epochs) does not know whose code runs.",
    },
)  # fmt: skip
