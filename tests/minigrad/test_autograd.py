"""The engine: the walk, what is kept and when it goes, errors, hooks, modes, second order."""

import gc
import threading
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad import AnomalyError, Function, core, modes, nn, optim
from minigrad.nn import functional as F
from minigrad.random import Key


def leaf(*shape, dtype="float64", seed=0):
    data = np.random.default_rng(seed).normal(size=shape)
    return mg.tensor(data, dtype=dtype, requires_grad=True)


class Doubled(Function):
    """Saves a fresh array, so that its life can be watched."""

    kept: list = []  # noqa: RUF012
    order: list = []  # noqa: RUF012

    @staticmethod
    def forward(ctx, a):
        watched = a * 2
        ctx.save(watched)
        Doubled.kept.append(weakref.ref(watched))
        return watched * 1

    @staticmethod
    def backward(ctx, grad):
        Doubled.order.append([ref() is not None for ref in Doubled.kept])
        return grad * 2


@pytest.fixture
def doubled():
    Doubled.kept, Doubled.order = [], []
    return Doubled.apply


@pytest.fixture
def without_gc():
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


# ----- memory -----


def test_a_gradient_is_owned_where_nobody_else_holds_it():
    """Only then may the next one be added to it in place."""
    x, y, one = leaf(3), leaf(3, seed=1), np.ones(3)

    def owned(out):
        return [owned for _, _, owned in out.node.gradients(one)]

    assert [owned(x * y), owned(x - y), owned(x + y)] == [[True, True], [False, True], [False] * 2]


def test_no_reference_cycles(without_gc):
    x = leaf(3, 4)
    middle = F.relu(x @ leaf(4, 2))
    out = (middle * middle + middle.exp()).sum()
    data, node = weakref.ref(middle.data), weakref.ref(middle.node)
    middle = weakref.ref(middle)
    assert data() is not None  # the graph keeps the array, not the tensor
    assert middle() is None
    del out
    assert data() is None
    assert node() is None


def test_no_reference_cycles_after_backward_and_retain_grad(without_gc):
    x = leaf(3)
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: None)
    y.sum().backward()
    y = weakref.ref(y)
    assert y() is None


def test_no_cycle_through_the_whole_of_a_network(without_gc):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                        nn.Dropout(), nn.Linear(16, 3))  # fmt: skip
    gc.collect()
    loss = F.cross_entropy(net(mg.randn(2, 3, 6, 6)), np.array([0, 2]))
    node = weakref.ref(loss.node)
    del loss
    assert node() is None
    assert gc.collect() == 0


def test_saved_arrays_go_as_soon_as_their_node_has_run(doubled):
    x = leaf(3)
    doubled(doubled(doubled(x))).sum().backward()
    # While a node runs, those that ran before it hold nothing any more.
    assert Doubled.order == [[True, True, True], [True, True, False], [True, False, False]]
    assert [ref() for ref in Doubled.kept] == [None, None, None]


def test_saved_arrays_stay_with_retain_graph(doubled):
    x = leaf(3)
    out = doubled(x).sum()
    out.backward(retain_graph=True)
    assert Doubled.kept[0]() is not None
    out.backward()
    assert Doubled.kept[0]() is None
    assert x.grad.tolist() == [4, 4, 4]


def test_the_walk_lets_go_of_what_it_has_passed(doubled):
    out = doubled(leaf(3)).sum()
    core.backpropagate(out)
    assert Doubled.kept[0]() is None


def test_nothing_is_saved_without_need(doubled):
    doubled(mg.ones(3))
    with mg.no_grad():
        doubled(leaf(3))
    assert [ref() for ref in Doubled.kept] == [None, None]


def test_saved_bytes_are_visible():
    x = leaf(10, 10)
    assert F.sigmoid(x).node.context.saved_bytes == 800
    assert (x + x).node.context.saved_bytes == 0
    pooled = F.max_pool2d(leaf(1, 3, 4, 4), 2)
    assert pooled.node.context.saved_bytes == pooled.numel()  # one byte an output


def test_chain_of_100_000_operations(without_gc):
    x = leaf(1)
    y = x
    for _ in range(100_000):
        y = y * 1.00001
    y.backward()
    np.testing.assert_allclose(x.grad.data, 1.00001**100_000, rtol=1e-9)
    for _ in range(100_000):
        y = y + 1.0
    node = weakref.ref(y.node)
    del y  # freed without backward, and without recursion
    assert node() is None


# ----- the walk -----


def test_two_consumers_add_up():
    x = leaf(3)
    y = x.exp()
    (y * 2 + y * y).sum().backward()
    e = np.exp(x.data)
    np.testing.assert_allclose(x.grad.data, (2 + 2 * e) * e, rtol=1e-14)


def test_same_tensor_twice_in_one_operation():
    x = mg.tensor([3.0, -1.0], requires_grad=True)
    (x * x).sum().backward()
    assert x.grad.tolist() == [6, -2]


def test_diamond_runs_each_node_once(doubled):
    x = leaf(2)
    y = doubled(x)
    (y + y * 3 + y.exp() * 0).sum().backward()
    assert len(Doubled.order) == 1
    assert x.grad.tolist() == [8, 8]


def test_gradients_add_over_several_backwards():
    x = leaf(2)
    (x * 2).sum().backward()
    before = x.grad
    (x * 3).sum().backward()
    assert x.grad is before
    assert x.grad.tolist() == [5, 5]


@pytest.mark.parametrize(
    "fn",
    [
        lambda a, b: a + b,
        lambda a, b: (a + b) + (a + b),
        lambda a, b: mg.cat([a, b]),
        lambda a, b: a.reshape(2, 3) + b.reshape(2, 3),
        lambda a, b: mg.stack([a, b]).sum(0),
        lambda a, b: a.clone() + b.view(6),
    ],
)
def test_gradients_of_different_leaves_never_share_memory(fn):
    a, b = leaf(6), leaf(6)
    out = fn(a, b)
    upstream = np.ones(out.shape)
    out.backward(upstream)
    assert not np.shares_memory(a.grad.data, b.grad.data)
    for t in (a, b):
        assert not np.shares_memory(t.grad.data, upstream)
        assert not np.shares_memory(t.grad.data, out.data)
    a.grad.data += 100
    assert b.grad.data.max() < 10
    assert (upstream == 1).all()


def test_needs_tells_which_gradients_are_wanted():
    seen = []

    class Spy(Function):
        @staticmethod
        def forward(ctx, a, b, number, c):
            seen.append(ctx.needs)
            return a + b + c

        @staticmethod
        def backward(ctx, grad):
            return grad, None, None, grad

    out = Spy.apply(leaf(2), mg.ones(2, dtype="float64"), 3, leaf(2))
    assert seen == [(True, False, False, True)]
    out.sum().backward()


def test_conv1_never_computes_dx(monkeypatch):
    from minigrad.ops import conv

    asked = []
    right = conv.conv2d_backward
    monkeypatch.setattr(
        "minigrad.ops.conv.conv2d_backward",
        lambda *a: asked.append(a[-1]) or right(*a),
    )
    F.conv2d(mg.randn(1, 2, 4, 4), mg.randn(3, 2, 3, 3, requires_grad=True)).sum().backward()
    assert asked == [(False, True, False)]


def test_none_from_a_wanted_gradient_is_an_error():
    class Forgets(Function):
        @staticmethod
        def forward(ctx, a, b):
            return a + b

        @staticmethod
        def backward(ctx, grad):
            return (grad,)

    with pytest.raises(RuntimeError, match=r"forgets: .* no gradient for argument 1"):
        Forgets.apply(leaf(2), leaf(2)).sum().backward()


# ----- errors -----


def test_second_backward_names_the_operation_and_the_way_out():
    y = leaf(3).exp()
    out = y.sum()
    out.backward()
    with pytest.raises(RuntimeError, match=r"sum: backward\(\) was called a second.*retain_graph"):
        out.backward()
    with pytest.raises(RuntimeError, match=r"exp: .*second time"):
        y.backward(np.ones(3))


def test_backward_of_a_non_scalar_needs_a_gradient():
    with pytest.raises(RuntimeError, match=r"shape \(2, 3\); only a scalar"):
        (leaf(2, 3) * 2).backward()


@pytest.mark.parametrize(
    "gradient", [np.ones((3, 2)), np.ones((2, 3), np.float32), mg.ones(2, dtype="float64")]
)
def test_gradient_of_another_shape_or_dtype(gradient):
    with pytest.raises(RuntimeError, match=r"expected \(2, 3\) and float64"):
        (leaf(2, 3) * 2).backward(gradient)


def test_backward_without_a_graph():
    with pytest.raises(RuntimeError, match=r"does not require a gradient.*no_grad"):
        mg.ones(1).sum().backward()


def test_create_graph_is_refused():
    with pytest.raises(NotImplementedError, match="hvp"):
        leaf(1).sum().backward(create_graph=True)


EDITS = {
    "add_": lambda t: t.add_(1.0),
    "mul_": lambda t: t.mul_(2.0),
    "+=": lambda t: t.__iadd__(1.0),
    "/=": lambda t: t.__itruediv__(2.0),
    "setitem": lambda t: t.__setitem__(0, 7.0),
    "zero_": lambda t: t.zero_(),
    "clamp_": lambda t: t.clamp_(0.0, 1.0),
    "copy_": lambda t: t.copy_(np.zeros(3)),
    "bump_version": lambda t: t.bump_version(),
    "init": lambda t: nn.init.zeros_(t),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("way", ["itself", "detach", "view"])
def test_in_place_edit_of_a_saved_array(edit, way):
    x = leaf(3)
    out = (x * x).sum()
    target = {"itself": lambda: x, "detach": x.detach, "view": lambda: x.reshape(3)}[way]
    with mg.no_grad():
        EDITS[edit](target())
    with pytest.raises(RuntimeError, match=r"mul: argument 0 was saved .* edited in place"):
        out.backward()


def test_in_place_edit_of_a_saved_output():
    y = leaf(3).exp()
    out = y.sum()
    with mg.no_grad():
        y.add_(1.0)
    with pytest.raises(RuntimeError, match=r"exp: its output was saved .* edited in place"):
        out.backward()


@pytest.mark.parametrize("optimizer", [optim.SGD, optim.Adam])
def test_optimiser_step_between_forward_and_backward(optimizer):
    layer = nn.Linear(3, 2)
    step = optimizer(layer.parameters(), lr=0.1)
    x = mg.randn(4, 3, requires_grad=True)
    layer(x).sum().backward()
    late = layer(x).sum()
    step.step()
    with pytest.raises(RuntimeError, match=r"linear: argument 1 was saved .* edited in place"):
        late.backward()


def test_edit_of_an_array_that_was_not_saved_is_fine():
    x = leaf(3)
    out = (x + 1.0).sum()
    with mg.no_grad():
        x.add_(1.0)
    out.backward()
    assert x.grad.tolist() == [1, 1, 1]


def test_edit_of_raw_data_cannot_be_seen():
    # The documented blind spot: `data` is a plain array.
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    out = (x * x).sum()
    x.data[:] = 5
    out.backward()
    assert x.grad.tolist() == [10, 10]


def test_in_place_edit_takes_part_in_the_graph():
    x = leaf(3)
    y = x * 2
    y += x
    y[0] = 0.0
    y.sum().backward()
    assert x.grad.tolist() == [0, 3, 3]


def test_in_place_edit_of_a_leaf_needs_no_grad():
    x = leaf(3)
    with pytest.raises(RuntimeError, match="no_grad"):
        x.add_(1.0)
    with mg.no_grad():
        x.zero_()
    assert x.tolist() == [0, 0, 0]


# ----- dtypes -----


def test_a_function_that_promotes_is_an_error():
    class Promotes(Function):
        @staticmethod
        def forward(ctx, a):
            return a * np.float64(2)

        @staticmethod
        def backward(ctx, grad):
            return grad

    with pytest.raises(TypeError, match=r"promotes: float32 in, float64 out.*Python numbers"):
        Promotes.apply(leaf(3, dtype="float32"))


def test_a_backward_that_promotes_is_an_error():
    class Promotes(Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * np.float64(2)

    with pytest.raises(TypeError, match="promotes: backward returned float64 for argument 0"):
        Promotes.apply(leaf(3, dtype="float32")).sum().backward()


def test_mixed_dtypes_are_an_error_that_names_the_arguments():
    with pytest.raises(TypeError, match=r"matmul: input is float32, other is float64"):
        leaf(2, 2, dtype="float32") @ leaf(2, 2)
    with pytest.raises(TypeError, match=r"conv2d: .*tensor.to\(dtype\)"):
        F.conv2d(mg.randn(1, 1, 3, 3), leaf(1, 1, 2, 2))


@pytest.mark.parametrize("number", [2, 2.5, np.float64(2.5), np.int64(2), True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_number_never_changes_the_dtype(number, dtype):
    x = leaf(3, dtype=dtype)
    results = x + number, number * x, x / number, number - x, x**number, mg.maximum(x, number)
    for result in results:
        assert result.dtype == dtype


# ----- hooks -----


def test_hook_on_a_leaf_is_called_once_with_the_total():
    x, seen = leaf(2), []
    x.register_hook(lambda g: seen.append(g.tolist()))
    (x * 2 + x * 3).sum().backward()
    assert seen == [[5, 5]]


def test_hook_on_a_result_is_called_once_with_the_total():
    x, seen = leaf(2), []
    y = x * 1
    y.register_hook(lambda g: seen.append(g.tolist()))
    (y * 2 + y * 3).sum().backward()
    assert seen == [[5, 5]]


def test_hook_replaces_the_gradient_and_can_be_removed():
    x = leaf(2)
    y = x * 2
    handle = y.register_hook(lambda g: g * 10)
    y.sum().backward(retain_graph=True)
    assert x.grad.tolist() == [20, 20]
    x.grad = None
    handle.remove()
    handle.remove()  # a second time is harmless
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_hooks_run_in_order_and_see_what_the_one_before_returned():
    x = leaf(1)
    x.register_hook(lambda g: g + 1)
    x.register_hook(lambda g: g * 10)
    (x * 1).sum().backward()
    assert x.grad.tolist() == [20]


def test_a_retained_gradient_is_what_all_hooks_have_made_of_it():
    torch = pytest.importorskip("torch")
    kept = []
    for lib in (mg, torch):
        x = lib.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        y.register_hook(lambda g: g * 2)
        y.retain_grad()
        removed = y.register_hook(lambda g: g * 100)
        y.register_hook(lambda g: g + 1)
        removed.remove()
        y.sum().backward()
        kept.append((y.grad.tolist(), x.grad.tolist()))
    assert kept == [([3, 3], [9, 9])] * 2


def test_retain_grad():
    x = leaf(2)
    y = x * 3
    y.retain_grad()
    z = (y * 2 + y).sum()
    z.backward()
    assert y.grad.tolist() == [3, 3]
    assert x.grad.tolist() == [9, 9]


def test_hook_needs_a_gradient():
    with pytest.raises(RuntimeError, match="does not require"):
        mg.ones(2).register_hook(print)


# ----- modes -----


def test_no_grad_and_enable_grad_nest():
    x = leaf(2)
    with mg.no_grad():
        assert not (x * 2).requires_grad
        with mg.enable_grad():
            assert (x * 2).requires_grad
        assert not mg.is_grad_enabled()
    assert mg.is_grad_enabled()


def test_no_grad_as_a_decorator_and_after_an_exception():
    @mg.no_grad()
    def fails(x):
        assert not (x * 2).requires_grad
        raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            fails(leaf(2))
        assert mg.is_grad_enabled()


def test_no_grad_holds_for_its_thread_alone():
    seen = []
    with mg.no_grad():
        thread = threading.Thread(target=lambda: seen.append(mg.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_threads_build_graphs_side_by_side():
    shared = leaf(4)
    results = []

    def work(k):
        for _ in range(50):
            (g,) = mg.grad((shared * float(k)).exp().sum(), shared)
        results.append(np.allclose(g.data, k * np.exp(k * shared.data)))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 4


# ----- grad and second order -----


def test_grad_leaves_grad_alone():
    x, w = leaf(3), leaf(3)
    y = x * w
    gx, gy = mg.grad((y * y).sum(), [x, y])
    np.testing.assert_allclose(gy.data, 2 * y.data)
    np.testing.assert_allclose(gx.data, 2 * y.data * w.data)
    assert x.grad is None
    assert w.grad is None


def test_grad_can_keep_the_graph():
    x = leaf(3)
    y = (x * x).sum()
    first, second = mg.grad(y, x, retain_graph=True), mg.grad(y, x)
    assert first[0].tolist() == second[0].tolist()
    with pytest.raises(RuntimeError, match="retain_graph"):
        mg.grad(y, x)


def test_grad_of_an_unused_input():
    x = leaf(2)
    with pytest.raises(RuntimeError, match=r"inputs \[1\] were not used"):
        mg.grad((x * 2).sum(), [x, leaf(2)])


def test_hvp_against_an_analytic_hessian():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(5, 5))
    matrix = mg.tensor(matrix + matrix.T)
    x, v = mg.tensor(rng.normal(size=5)), mg.tensor(rng.normal(size=5))

    def f(x):
        return (x @ (matrix @ x)) * 0.5 + (x**4).sum() / 12 + x.exp().sum()

    expected = matrix.data @ v.data + (x.data**2 + np.exp(x.data)) * v.data
    np.testing.assert_allclose(mg.hvp(f, x, v).data, expected, rtol=1e-14)


def small_network(x, w1, w2, w3):
    """Every kernel of AlexNet once, down to a loss."""
    h = F.max_pool2d(F.lrn(F.conv2d_relu(x, w1), 5, 2.0, 0.1), 3, 2)
    h = F.avg_pool2d(F.lrn(F.sigmoid(F.conv2d(h, w2, groups=2)), 3, 2.0, 0.1), 2)
    h = F.dropout(h.flatten(1), 0.5, key=Key(1, 1))
    return F.cross_entropy(F.linear(h, w3), np.array([1, 2])) + F.softmax(h).exp().sum()


@pytest.mark.parametrize("which", range(4))
def test_hvp_of_a_network(which):
    # By the input, and by weights behind which real and complex numbers meet.
    tensors = [leaf(2, 3, 11, 11), leaf(6, 3, 3, 3, seed=1), leaf(6, 3, 3, 3, seed=2),
               leaf(5, 6, seed=3)]  # fmt: skip
    point, v = tensors[which], leaf(*tensors[which].shape, seed=4)

    def f(x):
        return small_network(*tensors[:which], x, *tensors[which + 1 :])

    def gradient(step):
        moved = mg.tensor(point.data + step * v.data, requires_grad=True)
        return mg.grad(f(moved), moved)[0].data

    exact = mg.hvp(f, point, v).data
    eps = 1e-6
    np.testing.assert_allclose(
        exact, (gradient(eps) - gradient(-eps)) / (2 * eps), rtol=1e-5, atol=1e-6 * abs(exact).max()
    )


def test_hvp_by_several_inputs_is_a_row_of_blocks():
    x, w, v, u = leaf(4), leaf(4, seed=1), leaf(4, seed=2), leaf(4, seed=3)

    def f(x, w):
        return (x * x * w).sum() + w.exp().sum()

    by_x, by_w = mg.hvp(f, (x, w), (v, u))
    np.testing.assert_allclose(by_x.data, 2 * w.data * v.data + 2 * x.data * u.data, rtol=1e-14)
    np.testing.assert_allclose(by_w.data, 2 * x.data * v.data + np.exp(w.data) * u.data, rtol=1e-14)
    by_x, by_w = mg.hvp(f, [x, w], [None, u])
    np.testing.assert_allclose(by_x.data, 2 * x.data * u.data, rtol=1e-14)
    assert mg.hvp(lambda x: x**3, mg.tensor(2.0, dtype="float64"), mg.tensor(5.0)).item() == 60


def test_hvp_by_a_parameter_that_fn_uses_itself_leaves_no_trace():
    layer, x, v = nn.Linear(3, 1).double(), leaf(2, 3), leaf(2, 3, seed=1)
    before, seen = layer.weight.data.copy(), []
    layer.weight.register_hook(seen.append)
    graph = (layer(x) ** 2).sum()
    frozen = layer.bias.requires_grad_(False)
    leaves = (x, *layer.parameters())
    products = mg.hvp(lambda x, *_: (layer(x) ** 2).sum(), leaves, (v, None, None))
    residual, along = layer(x).data, v.data @ before.T
    np.testing.assert_allclose(products[0].data, 2 * along * before, rtol=1e-13)
    expected = 2 * (along.T @ x.data + residual.T @ v.data)
    np.testing.assert_allclose(products[1].data, expected, rtol=1e-13)
    np.testing.assert_allclose(products[2].data, 2 * along.sum(0), rtol=1e-13)
    assert not seen
    assert not frozen.requires_grad
    assert x.grad is layer.weight.grad is None
    np.testing.assert_array_equal(layer.weight.data, before)
    assert layer.weight.dtype == np.float64
    graph.backward()
    with pytest.raises(ZeroDivisionError):
        mg.hvp(lambda x: 1 / 0, x, v)
    assert x.dtype == np.float64


def test_hvp_is_the_change_of_the_gradient_also_through_what_is_detached():
    x, v = leaf(3), leaf(3, seed=1)
    product = mg.hvp(lambda x: (x.detach() ** 2 * x).sum(), x, v)
    np.testing.assert_allclose(product.data, 2 * x.data * v.data, rtol=1e-14)


def critic_and_points():
    """A small network of smooth layers, convolution among them, and two batches to tell apart."""
    mg.manual_seed(0)
    critic = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(12, 8),
        nn.Sigmoid(), nn.Linear(8, 1),
    ).double()  # fmt: skip
    return critic, leaf(16, 1, 4, 4), mg.tensor(leaf(16, 1, 4, 4, seed=1).data + 1)


def penalised(critic, fake, real, strength=10):
    """Loss and penalty of a Wasserstein critic; adds their gradients to the parameters'."""
    parameters = list(critic.parameters())

    def score(x, *_):
        return critic(x).sum()

    x = mg.tensor((fake.data + real.data) / 2, requires_grad=True)
    (g,) = mg.grad(score(x), x)
    norms = g.requires_grad_().flatten(1).norm(dim=1)
    penalty = strength * ((norms - 1) ** 2).mean()
    (v,) = mg.grad(penalty, g)
    _, *products = mg.hvp(score, (x, *parameters), (v, *[None] * len(parameters)))
    loss = critic(fake).mean() - critic(real).mean()
    loss.backward()
    for parameter, product in zip(parameters, products, strict=True):
        parameter.grad.add_(product)
    return loss.item(), penalty.item()


def test_a_gradient_penalty_is_that_of_pytorchs_double_backward():
    torch = pytest.importorskip("torch")
    critic, fake, real = critic_and_points()
    twin = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3, padding=1), torch.nn.Tanh(), torch.nn.AvgPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(12, 8), torch.nn.Sigmoid(), torch.nn.Linear(8, 1),
    ).double()  # fmt: skip
    twin.load_state_dict({name: torch.tensor(p.data) for name, p in critic.state_dict().items()})
    loss, penalty = penalised(critic, fake, real)
    a, b = torch.tensor(fake.data), torch.tensor(real.data)
    x = ((a + b) / 2).requires_grad_()
    (g,) = torch.autograd.grad(twin(x).sum(), x, create_graph=True)
    expected = 10 * ((g.flatten(1).norm(dim=1) - 1) ** 2).mean()
    (twin(a).mean() - twin(b).mean() + expected).backward()
    assert penalty == pytest.approx(expected.item(), rel=1e-12)
    assert penalty > abs(loss)
    for (name, ours), theirs in zip(critic.named_parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(ours.grad.data, theirs.grad, rtol=1e-9, atol=1e-12, err_msg=name)


def test_a_gradient_penalty_is_trained():
    critic, fake, real = critic_and_points()
    optimizer = mg.optim.Adam(critic.parameters(), lr=0.01)
    history = []
    for _ in range(60):
        optimizer.zero_grad()
        history.append(penalised(critic, fake, real))
        optimizer.step()
    (first_loss, first_penalty), (loss, penalty) = history[0], history[-1]
    assert penalty < first_penalty / 3
    assert loss < first_loss - 0.5


def real_only(x):
    return mg.tensor(np.abs(x.data)).sum()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda f, x: mg.hvp(f, x, leaf(3)), ValueError, r"x has shape \(2,\), v has \(3,\)"),
        (lambda f, x: mg.hvp(f(x), x, x), TypeError, r"fn is a Tensor.*hvp\(f, x, v\)"),
        (lambda f, x: mg.hvp(f, (x, leaf(2)), x), TypeError, r"v is a Tensor for 2.*\(v, None\)"),
        (lambda f, x: mg.hvp(f, (x, leaf(2)), (x,)), TypeError, "v is 1 for 2 inputs"),
        (lambda f, x: mg.hvp(f, (x, x), (x, x)), ValueError, "input 1 comes twice"),
        (lambda f, x: mg.hvp(f, (x,), (None,)), ValueError, "None for every input"),
        (lambda f, x: mg.hvp(f, x, x.data), TypeError, "v of x is a ndarray, expected a tensor"),
        (lambda f, x: mg.hvp(f, x.data, x), TypeError, r"inputs is a ndarray.*hvp\(f, \(x, w\)"),
        (lambda f, x: mg.hvp(f, (x, 2.0), (x, x)), TypeError, "input 1 is a float"),
        (lambda f, x: mg.hvp(f, (), ()), ValueError, "no inputs"),
        (lambda f, x: mg.hvp(f, mg.tensor([1, 2]), x), TypeError, "hvp: x is int64"),
        (lambda f, x: mg.hvp(lambda x: x * 2, x, x), ValueError, r"shape \(2,\).*sum\(\)"),
        (lambda f, x: mg.hvp(lambda x: 1.0, x, x), TypeError, "fn returned float"),
        (lambda f, x: mg.hvp(real_only, x, x), RuntimeError, r"numpy\(\).*np.abs"),
        (lambda f, x: mg.hvp(f, (x, leaf(2)), (x, x)), RuntimeError, r"hvp: inputs \[1\] were not"),
        (lambda f, x: mg.grad(f, x), TypeError, r"output is a function.*grad\(f\(x\), x\)"),
        (lambda f, x: mg.grad(f(x), x.data), TypeError, r"is a ndarray.*grad\(f\(x, w\), \(x, w"),
        (lambda f, x: mg.grad(f(x), [x, "w"]), TypeError, "input 1 is a str, expected a tensor"),
        (lambda f, x: mg.grad(f(x), []), ValueError, "grad: there are no inputs"),
        (lambda f, x: mg.grad(f(x), x, create_graph=True), NotImplementedError, r"hvp\(fn, x, v\)"),
    ],
)
def test_other_ways_to_ask_for_derivatives_are_answered_with_the_right_one(call, error, words):
    with pytest.raises(error, match=words):
        call(lambda x, *_: (x * x).sum(), leaf(2))


# ----- anomalies -----


def test_detect_anomaly_in_forward_names_operation_and_line():
    x = mg.tensor([-1.0, 1.0], requires_grad=True)
    with mg.detect_anomaly(), pytest.raises(AnomalyError) as caught:
        x.log()  # this line
    assert "NaN in the output of log" in str(caught.value)
    assert "x.log()  # this line" in str(caught.value)


def test_detect_anomaly_in_backward_names_the_line_of_the_forward():
    x = mg.tensor([0.0, 1.0], requires_grad=True)
    with mg.detect_anomaly():
        y = x.sqrt()  # the culprit
        with pytest.raises(AnomalyError) as caught:
            y.sum().backward()
    assert "Inf in the gradient of argument 0 of sqrt" in str(caught.value)
    assert "y = x.sqrt()  # the culprit" in str(caught.value)


def test_detect_anomaly_says_when_an_argument_was_bad_already():
    x = mg.tensor([np.inf], requires_grad=True)
    with mg.detect_anomaly(), pytest.raises(AnomalyError, match="argument 0 held it already"):
        x * 2


def test_without_detect_anomaly_nan_is_a_result():
    x = mg.tensor([-1.0, 0.0], requires_grad=True)
    y = x.log()
    assert np.isnan(y.data[0])
    y.sum().backward()


# ----- functions of one's own -----


class Cube(Function):
    @staticmethod
    def forward(ctx, x, shift):
        ctx.save(x)
        ctx.shift = shift
        return (x + shift) ** 3

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved
        return 3 * grad * (x + ctx.shift) ** 2


def test_a_sum_of_gradients_that_overflows_is_a_result_and_no_warning():
    x = leaf(1)
    for _ in range(2):  # in the walk, and in .grad
        u = 1.0 * x
        (u * 1e308 + u * 1e308 + x * 1e308).sum().backward()
    assert np.isinf(x.grad.item())


def test_a_function_of_ones_own():
    assert Cube.operation == "cube"
    assert mg.gradcheck(lambda x: Cube.apply(x, 0.5), leaf(2, 3))
    x, v = leaf(3), leaf(3, seed=1)
    second = mg.hvp(lambda x: Cube.apply(x, 0.5).sum(), x, v)
    np.testing.assert_allclose(second.data, 6 * (x.data + 0.5) * v.data, rtol=1e-14)


@pytest.mark.parametrize(
    ("result", "error", "words"),
    [
        (lambda g: g[:1], RuntimeError, r"wrong: backward returned shape \(1,\) for argument 0"),
        (lambda g: (g, g), RuntimeError, "wrong: backward returned 2 gradients for 1 arguments"),
        (lambda g: None, RuntimeError, "no gradient for argument 0"),
        (lambda g: "g", RuntimeError, "wrong: backward returned str for argument 0"),
    ],
)
def test_a_backward_that_returns_nonsense(result, error, words):
    class Wrong(Function):
        @staticmethod
        def forward(ctx, a):
            return a * 1

        @staticmethod
        def backward(ctx, grad):
            return result(grad)

    with pytest.raises(error, match=words):
        Wrong.apply(leaf(3)).sum().backward()


def test_a_forward_that_returns_no_array():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, a):
            return [a]

    with pytest.raises(TypeError, match="wrong: forward returned list, expected one array"):
        Wrong.apply(leaf(3))


def test_a_function_that_is_called_itself_says_how():
    with pytest.raises(TypeError, match=r"cube: use Cube.apply\(...\), not the class"):
        Cube(leaf(3), 0.5)


def test_a_function_without_its_methods_says_what_is_missing():
    class Nothing(Function):
        pass

    with pytest.raises(NotImplementedError, match="forward"):
        Nothing.apply(leaf(3))


def test_observers_see_forward_and_backward():
    calls = []

    def observer(phase, operation, seconds, result, arguments):
        assert seconds >= 0
        assert arguments[0].operation == operation
        calls.append((phase, operation))

    modes.observers.append(observer)
    try:
        leaf(2).exp().sum().backward()
    finally:
        modes.observers.remove(observer)
    assert calls == [("forward", "exp"), ("forward", "sum"), ("backward", "sum"),
                     ("backward", "exp")]  # fmt: skip


def test_a_number_used_three_times_gets_the_sum_of_three_gradients():
    w = mg.tensor(2.0, dtype="float64", requires_grad=True)
    u = w * 3.0
    (u * u + u + u).backward()
    assert w.grad.item() == 2 * 9 * 2 + 6


@pytest.mark.parametrize(
    ("argument", "returned"),
    [
        ((2, 3), (3, 2)),  # as many numbers, which a reshape would take
        ((3,), (2,)),
        ((2, 3), (3,)),
        ((2, 3), (2,)),
        ((1, 3), (6,)),
        ((2, 3), (4, 2, 2)),
    ],
)
def test_a_gradient_that_no_broadcasting_explains_is_refused(argument, returned):
    class Wrong(Function):
        broadcasts = True

        @staticmethod
        def forward(ctx, a):
            return a * 1

        @staticmethod
        def backward(ctx, grad):
            return np.zeros(returned)

    x = leaf(*argument)
    found, expected = (
        str(shape).replace("(", r"\(").replace(")", r"\)") for shape in (returned, argument)
    )
    with pytest.raises(RuntimeError, match=f"returned shape {found}.*expected shape {expected}"):
        Wrong.apply(x).sum().backward()


@pytest.mark.parametrize("keep", ["save", "attribute"])
def test_what_an_operation_keeps_is_never_added_to(keep):
    """Its backward returns the very array that it keeps; another gradient arrives behind it."""

    class Weighted(Function):
        @staticmethod
        def forward(ctx, a, weights):
            if keep == "save":
                ctx.save(weights)
            else:
                ctx.weights = weights
            return np.asarray((a * weights).sum())

        @staticmethod
        def backward(ctx, grad):
            return ctx.saved[0] if keep == "save" else ctx.weights

    weights = np.array([1.0, 2.0, 3.0])
    x = leaf(3)
    y = x * 5
    out = y.sum() + Weighted.apply(y, weights)  # newest first: weights come before the ones
    for _ in range(2):
        x.grad = None
        out.backward(retain_graph=True)
        np.testing.assert_array_equal(x.grad.numpy(), 5 * (1 + np.array([1.0, 2.0, 3.0])))
    Weighted.apply(x, weights).backward()
    x.grad.data[...] = 0
    np.testing.assert_array_equal(weights, [1.0, 2.0, 3.0])


def test_a_gradient_that_is_a_broadcast_view_is_never_added_to():
    class Mean(Function):
        @staticmethod
        def forward(ctx, a):
            ctx.shape = a.shape
            return np.asarray(a.mean())

        @staticmethod
        def backward(ctx, grad):
            return np.broadcast_to(grad / 6, ctx.shape)  # one number, and read-only

    x = leaf(2, 3)
    y = x * 1
    (y.sum() + Mean.apply(y)).backward()  # newest first: the view comes before the ones
    np.testing.assert_allclose(x.grad.numpy(), np.full((2, 3), 7 / 6))
    Mean.apply(x).backward()  # and a leaf's gradient is an array of its own
    np.testing.assert_allclose(x.grad.numpy(), np.full((2, 3), 8 / 6))
    z = leaf(2, 3)
    Mean.apply(z).backward()
    z.grad.data[0, 0] = 5
    np.testing.assert_allclose(z.grad.numpy().ravel()[1:], 1 / 6)


@pytest.mark.parametrize("edit", ["backward", "zero_grad"])
def test_an_edit_of_a_saved_gradient_is_noticed(edit):
    layer = nn.Linear(2, 1)
    x = mg.ones(1, 2)
    layer(x).sum().backward()
    y = (leaf(1, 2, dtype="float32") * layer.weight.grad).sum()  # saves the gradient's memory
    if edit == "backward":
        layer(x).sum().backward()
    else:
        layer.zero_grad(set_to_none=False)
    with pytest.raises(RuntimeError, match=r"argument 1 was saved .* edited in place"):
        y.backward()


def test_an_edit_of_an_array_that_is_kept_as_an_attribute_is_noticed():
    class Times(Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.b = b
            return a * b

        @staticmethod
        def backward(ctx, grad):
            return grad * ctx.b, None

    b = mg.ones(3, dtype="float64")
    y = Times.apply(leaf(3), b).sum()
    assert y.node.edges[0].target.context.saved_bytes == 24
    b += 1
    with pytest.raises(RuntimeError, match="times: argument 1 was saved"):
        y.backward()


def test_retained_gradients_add_up_as_in_pytorch():
    torch = pytest.importorskip("torch")
    for library in (mg, torch):
        x = library.ones(2, dtype=library.float64, requires_grad=True)
        y = x * 3
        y.retain_grad()
        out = (y * y).sum()
        out.backward(retain_graph=True)
        out.backward()
        assert y.grad.tolist() == [12, 12]
        assert x.grad.tolist() == [36, 36]


def test_retain_grad_counts_once_and_says_where_there_is_none():
    x = leaf(2)
    y = x * 3
    y.retain_grad()
    y.retain_grad()
    (y * 2).sum().backward()
    assert y.grad.tolist() == [2, 2]
    with pytest.raises(RuntimeError, match="retain_grad: this tensor does not require a gradient"):
        y.detach().retain_grad()


def test_what_a_hook_that_removes_itself_keeps_is_its_own():
    x, kept = leaf(2), []

    def once(gradient):
        kept.append(gradient)
        handle.remove()

    handle = x.register_hook(once)
    (x * 3).sum().backward()
    x.grad.data[...] = 0
    assert kept[0].tolist() == [3, 3]
