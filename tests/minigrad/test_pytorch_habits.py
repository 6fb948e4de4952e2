"""What a PyTorch user does without thinking works, or is an error that says what to do."""

import importlib
import inspect

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.nn import functional as F


def leaf(*values):
    return mg.tensor(list(values), requires_grad=True)


def test_data_takes_a_tensor_for_its_array():
    w = leaf(1.0, 2.0)
    (w * w).sum().backward()
    w.data -= 0.1 * w.grad.data
    np.testing.assert_allclose(w.data, [0.8, 1.6], rtol=1e-6)
    w.data = mg.tensor([3.0, 4.0])
    assert (w * w).sum().item() == 25
    with pytest.raises(TypeError, match="data is an array, got list"):
        w.data = [1.0]


def test_assigning_data_between_forward_and_backward_is_seen():
    w = leaf(1.0)
    loss = (w * w).sum()
    w.data = np.float32([2])
    with pytest.raises(RuntimeError, match="edited in place"):
        loss.backward()


@pytest.mark.parametrize(
    "masked",
    [
        F.relu,
        lambda x: x.clamp(min=0.0),
        lambda x: mg.where(x > 0, x, 0.0 * x.detach()),
        lambda x: mg.maximum(x, mg.zeros(2)),
    ],
)
def test_an_infinite_gradient_stays_out_of_what_was_blocked(masked):
    x = leaf(-1.0, 4.0)
    mg.sqrt(masked(x)).sum().backward()
    assert x.grad.tolist() == [0, 0.25]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_infinite_gradient_reaches_the_winner_and_nobody_else(dtype):
    x = mg.tensor([[[[1.0, 2.0], [0.0, -1.0]]]], dtype=dtype, requires_grad=True)
    F.max_pool2d(x, 2).backward(mg.tensor([[[[np.inf]]]], dtype=dtype))
    assert x.grad.tolist() == [[[[0, np.inf], [0, 0]]]]


def test_an_infinite_gradient_stops_at_a_fused_relu():
    x = mg.tensor([[[[1.0, -2.0]]]], requires_grad=True)
    y = mg.nn.functional.conv2d_relu(x, mg.ones(1, 1, 1, 1))
    y.backward(mg.tensor([[[[np.inf, np.inf]]]]))
    assert x.grad.tolist() == [[[[np.inf, 0]]]]


def test_no_in_place_edit_in_the_graph_of_what_a_view_shows():
    x = leaf(1.0, 2.0)
    y = x * 1
    view = y[:1]
    with pytest.raises(RuntimeError, match="view"):
        y.mul_(3)
    assert view.tolist() == [1]
    base = mg.ones(2)
    with pytest.raises(RuntimeError, match="view"):
        base[:1].mul_(leaf(2.0))


def test_labels_and_indices_may_be_edited_after_the_forward():
    x, labels = mg.tensor([[1.0, 2.0]], requires_grad=True), mg.tensor([0])
    loss = F.cross_entropy(x, labels)
    labels.fill_(1)
    loss.backward()
    assert x.grad.data[0, 0] < 0 < x.grad.data[0, 1]
    x = mg.tensor([[1.0, 2.0]], requires_grad=True)
    values, indices = x.max(dim=1)
    indices.zero_()
    values.sum().backward()
    assert x.grad.tolist() == [[0, 1]]


class Same(mg.Function):
    """Returns the very array it was given."""

    @staticmethod
    def forward(ctx, x):
        return x

    @staticmethod
    def backward(ctx, grad):
        return grad


@pytest.mark.parametrize("alias", [Same.apply, nn.Parameter])
def test_every_tensor_on_one_memory_counts_its_edits(alias):
    x, z = leaf(3.0), mg.tensor([2.0])
    product = x * z
    with mg.no_grad():
        alias(z).zero_()
    with pytest.raises(RuntimeError, match="edited in place"):
        product.sum().backward()


def test_what_a_hook_returns_or_keeps_is_not_overwritten():
    constant, kept, x, y = mg.tensor([5.0]), [], leaf(1.0), leaf(1.0)
    x.register_hook(lambda g: constant)
    y.register_hook(kept.append)
    for _ in range(2):
        (x * y).sum().backward()
    assert x.grad.tolist() == [10]
    assert constant.tolist() == [5]
    assert [g.tolist() for g in kept] == [[1], [1]]
    x.register_hook(lambda g: mg.ones(3))
    with pytest.raises(RuntimeError, match="hook returned"):
        (x * y).sum().backward()


def test_a_parameter_is_not_lost_by_assignment():
    layer = nn.Linear(2, 2)
    with pytest.raises(TypeError, match=r"Linear.weight is a parameter, got Tensor"):
        layer.weight = mg.ones(2, 2)
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]


def test_loading_returns_the_keys_left_over():
    layer = nn.Linear(2, 2)
    left = layer.load_state_dict({"weight": mg.ones(2, 2), "other": mg.ones(1)}, strict=False)
    assert left == (["bias"], ["other"])


def test_no_grad_without_parentheses_and_twice():
    @mg.no_grad
    def double(x):
        return x * 2

    x, quiet = leaf(1.0), mg.no_grad()
    assert not double(x).requires_grad
    for _ in range(2):
        with quiet:
            assert not (x * 2).requires_grad
        assert (x * 2).requires_grad


def test_softmax_without_dim_takes_pytorchs_axis():
    for shape, axis in (((4,), 0), ((2, 3), 1), ((2, 3, 4), 0), ((2, 3, 4, 5), 1)):
        x = mg.randn(*shape)
        assert np.allclose(F.softmax(x).data.sum(axis), 1)


def test_single_corners():
    assert mg.tensor([1, 2, 3]).clamp(max=2.5).tolist() == [1, 2, 2.5]
    assert mg.tensor([1, 2], dtype="uint8").sum().dtype == np.int64
    assert mg.cat(x for x in (mg.ones(1), mg.zeros(2))).tolist() == [1, 0, 0]
    assert mg.stack(x for x in (mg.ones(1), mg.zeros(1))).tolist() == [[1], [0]]
    with pytest.raises(IndexError, match="out of range"):
        mg.ones(2, 3).permute(3, 0)
    with pytest.raises(ValueError, match="probability"):
        F.dropout(mg.ones(2), p=2, training=False)
    assert mg.ones(1, 3).var(False).item() == 0  # not along axis 0: the sum is divided by n
    with pytest.raises(TypeError, match="expected floats"):
        F.cross_entropy(mg.tensor([[1, 2]]), mg.tensor([0]))
    with pytest.raises(TypeError):
        optim.Adam([leaf(1.0)], 1e-3, (0.9, 0.999), 1e-8, 0.0, True)


def test_a_loader_that_is_left_early_goes_on_to_another_epoch():
    loader = mg.data.DataLoader(mg.data.TensorDataset(np.arange(100)), 1, shuffle=True)
    seen = {next(iter(loader))[0].item() for _ in range(30)}
    assert len(seen) > 15


def test_a_number_is_formatted_and_rounded_as_one():
    loss = mg.tensor(2.345, requires_grad=True) * 1
    assert f"{loss:.2f} {loss:>8.1e} {mg.tensor(3):03d}" == "2.35  2.3e+00 003"
    assert f"{mg.tensor([1.0])}" == "tensor([1.])"
    assert round(mg.tensor([2.345, 0.5]), 1).tolist() == pytest.approx([2.3, 0.5])
    assert round(mg.tensor(2.5)).item() == 2
    with pytest.raises(TypeError, match=r"format '.1f' is for a number.*\(2,\)"):
        f"{mg.ones(2):.1f}"


def test_operators_of_whole_numbers_and_masks():
    i, mask = mg.tensor([6, 7, -7]), mg.tensor([True, False, True])
    assert [(i // 2).tolist(), (i % 4).tolist(), (20 // i).tolist(), (20 % i).tolist()] == [
        [3, 3, -4], [2, 3, 1], [3, 2, -3], [2, 6, -1]]  # fmt: skip
    assert [(~mask).tolist(), (mask & (i > 0)).tolist(), (True ^ mask).tolist()] == [
        [False, True, False], [True, False, False], [False, True, False]]  # fmt: skip
    assert [(i & 3).tolist(), (8 | i).tolist(), (~i).tolist(), (mask | 2).tolist()] == [
        [2, 3, 1], [14, 15, -7], [-7, -8, 6], [3, 2, 3]]  # fmt: skip
    assert (mg.tensor([1], dtype="uint8") | 2).dtype == np.uint8


def test_these_operators_in_place_too():
    i = same = mg.tensor([6, 7])
    i //= 2
    i |= 4
    i ^= 1
    i &= 14
    i **= 2
    i %= 5
    assert i is same
    assert i.tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="float32"):
        i //= 2.0


def test_equal_to_none_or_a_word_is_no_question_of_numbers():
    x = mg.ones(2)
    assert [x == None, x != None, x == "a", x in ("complex", None)] == [False, True, False, False]  # noqa: E711
    assert (x == np.ones(2)).tolist() == [True, True]


def test_numpys_functions_take_tensors():
    x = mg.tensor([[1.0, 2.0], [3.0, 6.0]])
    assert [np.mean(x), np.max(x), np.median(x), np.std(x)] == [3, 6, 2.5, np.std(x.data)]
    assert np.concatenate([x, x]).shape == (4, 2)
    assert np.shape(x.requires_grad_()) == (2, 2)
    with pytest.raises(RuntimeError, match=r"detach\(\)\.numpy\(\)"):
        np.mean(x)


def test_methods_of_the_operations():
    x = mg.tensor([[3.0, 1.0], [2.0, np.nan]])
    assert [x.isnan().any().item(), x.isfinite().all().item(), x.isinf().any(1).tolist()] == [
        True, False, [False, False]]  # fmt: skip
    assert x[:, 0].norm().item() == pytest.approx(13**0.5)
    assert [p.tolist() for p in x[0].split(1)] == [p.tolist() for p in x[0].chunk(2)] == [[3], [1]]
    assert x.argsort(descending=True).tolist() == [[0, 1], [1, 0]]
    assert x.sort(dim=0).indices.tolist() == [[1, 0], [0, 1]]
    assert x[0].topk(1).indices.tolist() == [0]
    assert mg.tensor(2).topk(1).values.item() == mg.tensor(2).sort().values.item() == 2
    assert mg.tensor([1, 0], dtype="uint8").any().dtype == np.uint8
    assert [len(mg.zeros(0).split(2)), len(mg.zeros(0).chunk(3)), mg.zeros(0).norm().item()] == [
        1, 3, 0]  # fmt: skip


def test_sorting_is_stable_and_its_indices_may_be_edited():
    x = mg.tensor([1.0, 2.0, 1.0, 2.0], requires_grad=True)
    assert x.sort(descending=True).indices.tolist() == [1, 3, 0, 2]
    values, indices = x.sort()
    indices.zero_()
    (values * mg.tensor([1.0, 2, 3, 4])).sum().backward()
    assert x.grad.tolist() == [1, 3, 2, 4]


def test_einsum_of_whole_numbers_and_a_list():
    a = mg.arange(6).reshape(2, 3)
    assert mg.einsum("ij,kj->ik", [a, a]).tolist() == [[5, 14], [14, 50]]
    assert mg.einsum("ij->", a).item() == 15


def test_new_tensors_as_in_pytorch():
    assert mg.linspace(-1, 1, 5).tolist() == [-1, -0.5, 0, 0.5, 1]
    assert [mg.linspace(0, 1, 1).tolist(), mg.linspace(0, 1, 0).tolist()] == [[0], []]
    assert mg.linspace(1, 2, 5, dtype="int64").tolist() == [1, 1, 1, 1, 2]
    assert mg.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert mg.eye(2).dtype == np.float32
    mg.manual_seed(0)
    numbers = mg.randint(-2, 3, (5000,))
    assert numbers.dtype == np.int64
    assert np.bincount(numbers.data + 2).min() > 900
    assert mg.randint(2, (3, 4)).shape == (3, 4)
    order = mg.randperm(50)
    assert order.tolist() != sorted(order.tolist()) == list(range(50))
    mg.manual_seed(0)
    assert mg.randint(-2, 3, (5000,)).tolist() == numbers.tolist()


def test_random_split_takes_sizes_and_fractions():
    dataset = mg.data.TensorDataset(np.arange(11))
    for lengths, sizes in (([8, 3], [8, 3]), ([0.5, 0.25, 0.25], [6, 3, 2])):
        mg.manual_seed(1)
        parts = mg.data.random_split(dataset, lengths)
        assert [len(part) for part in parts] == sizes
        found = [part[i][0] for part in parts for i in range(len(part))]
        assert found != sorted(found) == list(range(11))
        mg.manual_seed(1)
        assert mg.data.random_split(dataset, lengths)[0].indices == parts[0].indices
    for lengths in ([8, 4], [0.5, 0.4], [12, -1]):
        with pytest.raises(ValueError, match="do not add up to 11"):
            mg.data.random_split(dataset, lengths)


@pytest.mark.parametrize(
    "call",
    [F.relu, F.softmax, F.dropout, F.one_hot, mg.abs, mg.sort, mg.argsort, mg.argmax, mg.isnan,
     mg.any, lambda x: mg.topk(x, 1)],
)  # fmt: skip
@pytest.mark.parametrize("given", [np.ones((2, 2), np.float32), [[1.0, 2.0]]])
def test_an_array_or_list_in_place_of_a_tensor_is_told_as_that(call, given):
    with pytest.raises(TypeError, match=rf"is a {type(given).__name__}, expected a tensor: use mg"):
        call(given)


@pytest.mark.parametrize("dtype", ["int64", "uint8"])
def test_whole_numbers_meet_weights_with_an_answer(dtype):
    images = mg.ones(1, 3, 4, 4).to(dtype)
    with pytest.raises(TypeError, match=rf"conv2d: input is {dtype}, weight.*input.float\(\)"):
        nn.Conv2d(3, 2, 2)(images)
    with pytest.raises(TypeError, match=rf"linear: input is {dtype}, weight.*input.float\(\)"):
        nn.Linear(4, 2)(images)


def test_mixed_dtypes_are_told_by_the_names_of_arguments():
    with pytest.raises(TypeError, match="input is float64, weight is float32, bias is float32"):
        nn.Linear(3, 2)(mg.ones(1, 3, dtype="float64"))
    with pytest.raises(TypeError, match="argument 1 is float64, argument 2 is float32"):
        mg.cat([mg.ones(1, dtype="float64"), mg.ones(1)])
@pytest.mark.parametrize(
    ("owner", "name", "near"),
    [
        (nn, "BatchNorm3d", "BatchNorm2d, BatchNorm1d"),
        (nn, "Conv1d", "Conv2d"),
        (nn, "relu", "ReLU"),
        (nn, "Dropout2d", "Dropout"),
        (optim, "Adamax", "Adam"),
        (F, "conv1d", "conv2d"),
        (mg, "load", "load_file"),
        (mg, "sigmoid_", "sigmoid"),
        (mg.ones(2), "relu_", "relu"),
        (mg.ones(2), "requires_grad_off", "requires_grad_"),
    ],
)
def test_a_name_that_is_not_there_has_its_neighbours_named(owner, name, near):
    with pytest.raises(AttributeError, match=rf"has no '{name}'; near it: .*{near}.*pytorch.md"):
        getattr(owner, name)
    assert not hasattr(owner, "_repr_html_")
    with pytest.raises(AttributeError, match=r"has no 'xyzzy'; docs/pytorch.md lists"):
        _ = owner.xyzzy


DEFAULTS = {
    "torch": mg, "torch.nn": nn, "torch.nn.functional": F, "torch.nn.init": nn.init,
    "torch.nn.utils": nn.utils, "torch.optim": optim,
    "torch.optim.lr_scheduler": optim.lr_scheduler, "torch.utils.data": mg.data,
}  # fmt: skip


def defaults(function):
    """The arguments of a function or class that may be left out, where Python can tell."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}
    return {n: p.default or None for n, p in parameters.items() if p.default is not p.empty}


@pytest.mark.parametrize("module", DEFAULTS)
def test_what_is_left_out_is_what_pytorch_takes(module):
    pytest.importorskip("torch")
    ours, theirs = DEFAULTS[module], importlib.import_module(module)
    for name in vars(ours):
        found, expected = (defaults(getattr(owner, name, None)) for owner in (ours, theirs))
        for argument in (found.keys() & expected.keys()) - {"pin_memory_device"}:
            assert found[argument] == expected[argument], f"{name}({argument}=)"


SPELLINGS = {
    "flatten two of three": lambda t, x, y: x.reshape(3, 2, 2).flatten(0, 1),
    "clamp whole numbers": lambda t, x, y: (x * 9).to(t.int64).clamp(-3, 5),
    "clamp whole numbers below": lambda t, x, y: (x * 9).to(t.int64).clamp(min=2),
    "all is smoothing": lambda t, x, y: t.nn.functional.cross_entropy(
        x, t.tensor([0, 3, 2]), label_smoothing=1.0
    ),
    "split nothing": lambda t, x, y: t.zeros(0).split(0)[0],
    "repeat nothing": lambda t, x, y: x.repeat(0, 2),
    "argsort": lambda t, x, y: x.argsort(),
    "sort": lambda t, x, y: t.sort(x).indices,
    "topk": lambda t, x, y: t.topk(x, 2).indices,
    "split": lambda t, x, y: x.split(2)[1],
    "chunk": lambda t, x, y: x.chunk(2)[1],
    "cat": lambda t, x, y: t.cat([x, y]),
    "stack": lambda t, x, y: t.stack([x, y]),
    "stack last": lambda t, x, y: t.stack([x, y], -1),
    "cat last": lambda t, x, y: t.cat([x, y], -1),
    "std and var": lambda t, x, y: x.std() + x.var(),
    "add alpha": lambda t, x, y: t.add(x, y, alpha=2),
    "sub alpha": lambda t, x, y: x.sub(y, alpha=0.5),
    "max of two": lambda t, x, y: t.max(x, y),
    "min of two": lambda t, x, y: x.min(y),
    "softmax dtype": lambda t, x, y: x.softmax(1, dtype=t.float32),
    "log_softmax dtype": lambda t, x, y: t.log_softmax(x, 0, dtype=t.float64),
    "var unbiased": lambda t, x, y: x.var(dim=1, unbiased=False, keepdim=True),
    "var True": lambda t, x, y: t.var(x, True),
    "std False": lambda t, x, y: x.std(False),
    "std correction None": lambda t, x, y: x.std(0, correction=None),
    "zeros_like": lambda t, x, y: t.zeros_like(x, dtype=t.int64),
    "ones_like": lambda t, x, y: t.ones_like(x, dtype=t.float32, device="cpu"),
    "cat of nothing": lambda t, x, y: t.cat([t.zeros(0, dtype=t.float64), x, y], dim=1),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_pytorchs_spellings_give_pytorchs_values(spelling):
    torch = pytest.importorskip("torch")
    x, y = np.random.default_rng(1).normal(size=(2, 3, 4))
    ours = SPELLINGS[spelling](mg, mg.tensor(x), mg.tensor(y)).numpy()
    theirs = SPELLINGS[spelling](torch, torch.tensor(x), torch.tensor(y)).numpy()
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
