"""The CUDA sources, compiled for the CPU: every kernel against its array version."""

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.pixels import PixelStatistics, ToInput
from alexnet_scratch.recipe import RECIPES
from minigrad import Tensor
from minigrad.kernels import conv, cuda, dropout, lrn, pool, softmax
from minigrad.kernels.layout import as_nchw
from minigrad.kernels.threefry import Key
from minigrad.optim import SGD
from minigrad.testing import cuda_on_cpu as emulate


@pytest.fixture(autouse=True)
def compiler(request):
    """Without a GPU, a C++ compiler has to do; with one, it need not be there."""
    if emulate.COMPILER is None and not request.node.get_closest_marker("gpu"):
        pytest.skip("no GPU, and no C++ compiler (g++, clang++) to do without")


def images(cupy, *shape, dtype=np.float32, seed=0):
    """Normal numbers (N, C, H, W) in channels-last memory on the device."""
    n, c, h, w = shape
    host = np.random.default_rng(seed).normal(size=(n, h, w, c)).astype(dtype)
    return as_nchw(cupy.asarray(host))


def convolution(cupy, dtype, shape, features, kernel, stride, padding, dilation=(1, 1), groups=1):
    """Forward with bias and ReLU, and all three gradients."""
    x = images(cupy, *shape, dtype=dtype)
    weight = images(cupy, features, shape[1] // groups, *kernel, dtype=dtype, seed=1)
    bias = cupy.asarray(np.linspace(-1, 1, features).astype(dtype))
    window = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    y = conv.conv2d_forward(x, weight, bias, **window, relu=True)
    plain = conv.conv2d_forward(x, weight, None, **window)
    grad = images(cupy, *y.shape, dtype=dtype, seed=2)
    return y, plain, *conv.conv2d_backward(grad, x, weight, **window, relu_output=y)


def in_16_bits(cupy, dtype, name, *arguments):
    """A convolution with 16-bit columns and weights."""
    with mg.precision(name):
        return convolution(cupy, dtype, *arguments)


def pooling(cupy, dtype, shape, kernel, stride, padding=(0, 0), dilation=(1, 1), ceil_mode=False):
    """Forward and backward."""
    x = images(cupy, *shape, dtype=dtype)
    window = (kernel, stride, padding, dilation)
    y, won = pool.max_pool2d_forward(x, *window, ceil_mode)
    alone, nothing = pool.max_pool2d_forward(x, *window, ceil_mode, winners=False)
    assert nothing is None
    grad = images(cupy, *y.shape, dtype=dtype, seed=2)
    return y, won, alone, pool.max_pool2d_backward(grad, won, x.shape, *window)


def normalisation(cupy, dtype, shape, n, beta=0.75, groups=1, alpha=0.1):
    """Forward and backward."""
    x, grad = (images(cupy, *shape, dtype=dtype, seed=seed) for seed in (0, 2))
    y, scale = lrn.lrn_forward(x, n, 2.0, alpha, beta, groups)
    alone, nothing = lrn.lrn_forward(x, n, 2.0, alpha, beta, groups, save=False)
    assert nothing is None
    return y, scale, alone, lrn.lrn_backward(grad, x, scale, n, alpha, beta, groups)


def classifying(cupy, dtype, classes, smoothing=0.0, labels=(1, 0, 2, 1)):
    """Softmax, its logarithm; cross-entropy, forward and backward."""
    rng = np.random.default_rng(0)
    x = cupy.asarray(rng.normal(3, 2, (4, classes)).astype(dtype))
    grad = cupy.asarray(rng.normal(size=4).astype(dtype))
    at = cupy.asarray(np.asarray(labels))
    loss, log_p = softmax.cross_entropy_forward(x, at, smoothing)
    dx = softmax.cross_entropy_backward(grad, log_p, at, smoothing)
    return softmax.softmax_forward(x), softmax.log_softmax_forward(x), loss, log_p, dx


def dropping(cupy, dtype, forward, size):
    """One draw for `size` elements."""
    x = images(cupy, 1, size, 1, 1, dtype=dtype)
    return (forward(x, 0.4, Key(2**40 + 7, 3)),)


def descending(cupy, dtype, count=3, **options):
    """Weights and velocities after two steps of parameters of many sizes; one joins late, one has
    options of its own, and one the kernel does not take."""
    params = [
        Tensor(images(cupy, 2, 3, 2, 1 + i % 3, dtype=dtype, seed=i), requires_grad=True)
        for i in range(count)
    ]
    gaps = Tensor(cupy.ones((3, 4), dtype)[:, ::2], requires_grad=True)
    own = {"params": params[1:2], "lr": 0.3, "weight_decay": 0.2}
    optimizer = SGD([{"params": [*params[:1], gaps, *params[2:]]}, own], lr=0.1, **options)
    for step in (1, 2):
        for i, w in enumerate(params[: count - 1] if step == 1 else params):
            w.grad = Tensor(images(cupy, *w.shape, dtype=dtype, seed=10 * step + i))
        gaps.grad = Tensor(cupy.ones((3, 4), dtype)[:, ::2])
        optimizer.step()
    velocities = (s["momentum_buffer"] for s in optimizer.state.values() if s)
    return *(p.data for p in params), gaps.data, *velocities


def preparing(cupy, dtype, mean_shape, noisy, **changes):
    """Bytes to the network's input; always float32."""
    rng = np.random.default_rng(0)
    mean, axes = (rng.uniform(0, 255, s).astype(np.float32) for s in (mean_shape, (3, 3)))
    recipe = replace(RECIPES["paper"], image_size=70, input_size=64, **changes)
    to_input = ToInput(recipe, PixelStatistics(mean, axes), "cuda")
    crops = mg.tensor(rng.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8))
    alphas = rng.normal(size=(3, 3)).astype(np.float32) if noisy else None
    places = [(0, 0, False), (4, 1, True), (2, 3, False)]
    return to_input(crops, places, alphas).data, to_input(crops).data


CALLS = {
    "conv-strided": (convolution, (3, 3, 19, 17), 6, (5, 3), (3, 2), (2, 1)),
    "conv-groups": (convolution, (2, 4, 9, 8), 8, (3, 3), (1, 1), (1, 1), (1, 1), 2),
    "conv-turned": (convolution, (2, 6, 7, 9), 4, (3, 2), (1, 1), (1, 0), (1, 1), 2),
    "conv-dilated": (convolution, (2, 2, 12, 11), 3, (3, 2), (2, 1), (2, 1), (2, 3)),
    "conv-float16": (in_16_bits, "float16", (2, 4, 9, 8), 8, (3, 3), (2, 1), (1, 1), (1, 1), 2),
    "conv-bfloat16": (in_16_bits, "bfloat16", (2, 6, 7, 9), 4, (3, 2), (1, 1), (1, 0)),
    "pool-overlapping": (pooling, (2, 5, 13, 11), (3, 3), (2, 2)),
    "pool-padded": (pooling, (2, 3, 9, 10), (3, 2), (2, 1), (1, 1), (1, 2)),
    "pool-ceil": (pooling, (1, 3, 8, 10), (3, 3), (2, 3), (0, 1), (1, 1), True),
    "pool-large": (pooling, (1, 2, 21, 19), (17, 16), (2, 2)),  # two bytes for the winner
    "lrn": (normalisation, (2, 8, 3, 5), 5),
    "lrn-small-alpha": (normalisation, (2, 8, 2, 3), 5, 0.75, 1, 1e-4),
    "lrn-large-alpha": (normalisation, (2, 12, 2, 3), 5, 0.75, 1, 1.0),
    "lrn-groups": (normalisation, (2, 16, 3, 4), 5, 0.75, 2),
    "lrn-odd-groups": (normalisation, (2, 12, 3, 4), 5, 0.75, 2, 1.0),  # 6 channels: one a thread
    "lrn-even": (normalisation, (2, 7, 3, 4), 4, 0.6),
    "lrn-even-runs": (normalisation, (2, 8, 3, 4), 4, 0.6),
    "lrn-wide": (normalisation, (2, 12, 2, 3), 11, 0.5),
    "lrn-wider-than-the-row": (normalisation, (2, 3, 2, 3), 9, 0.5),
    "softmax": (classifying, 5),
    "softmax-smoothed": (classifying, 300, 0.1, (299, 0, 256, 17)),  # more classes than threads
    "softmax-out-of-range": (classifying, 3, 0.1, (3, -1, 2, -4)),
    "dropout": (dropping, dropout.dropout_forward, 24),
    "dropout-odd": (dropping, dropout.paper_dropout_forward, 7),
    "pixels-by-place": (preparing, (70, 70, 3), True),
    "pixels-centre": (
        partial(preparing, mean="image-centre", colour_divisor=1.1),
        (70, 70, 3),
        True,
    ),
    "pixels-scaled": (
        partial(preparing, mean="constant", input_std=(50.0, 60.0, 70.0)),
        (3,),
        False,
    ),
    "sgd": (partial(descending),),
    "sgd-torch": (partial(descending, momentum=0.9, weight_decay=0.1, dampening=0.2),),
    "sgd-nesterov": (partial(descending, momentum=0.9, nesterov=True, maximize=True),),
    "sgd-paper": (partial(descending, momentum=0.9, weight_decay=0.1, rule="paper"),),
    "sgd-paper-plain": (partial(descending, weight_decay=0.1, rule="paper", maximize=True),),
    "sgd-many": (partial(descending, count=100, momentum=0.9),),  # more than a table has rows
}


def kernels():
    """The names of all kernels, as `launch` takes them."""
    return {
        f"{file}.{k}" for file in cuda.sources() for k in emulate.kernel_names(cuda.source(file))
    }


def results(cupy, name, dtype):
    """What the call of that name returns, on the host."""
    call, *arguments = CALLS[name]
    return [None if r is None else r.get() for r in call(cupy, dtype, *arguments)]


def check(cupy, monkeypatch, name, dtype=np.float32):
    """Hold a call with the CUDA kernels to the same call without."""
    launched = []
    launch = cuda.launch
    monkeypatch.setattr(cuda, "launch", lambda k, *a, **b: (launched.append(k), launch(k, *a, **b)))
    monkeypatch.setenv(cuda.SWITCH, "off")
    expected = results(cupy, name, dtype)
    assert not launched
    monkeypatch.setenv(cuda.SWITCH, "on")
    tolerance = 2e-5 if dtype == np.float32 else 1e-12
    for ours, theirs in zip(results(cupy, name, dtype), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
    return launched


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernels_equal_the_array_versions(cupy, monkeypatch, name, dtype):
    assert check(cupy, monkeypatch, name, dtype)


@pytest.mark.gpu
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernels_equal_the_array_versions_on_a_gpu(cupy, monkeypatch, name, dtype):
    assert check(cupy, monkeypatch, name, dtype)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("order", ["reversed", "shuffled"])
def test_the_order_of_the_threads_does_not_matter(cupy, monkeypatch, name, order):
    monkeypatch.setenv(cuda.SWITCH, "on")
    expected = results(cupy, name, np.float32)
    monkeypatch.setattr(emulate, "order", order)
    for ours, theirs in zip(results(cupy, name, np.float32), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", CALLS)
def test_a_small_grid_goes_round(cupy, monkeypatch, name):
    monkeypatch.setattr(cuda, "MOST_BLOCKS", 1)
    monkeypatch.setattr(cuda, "BLOCK", 32)
    check(cupy, monkeypatch, name)


def test_every_kernel_is_launched(cupy, monkeypatch):
    launched = {k for name in CALLS for k in check(cupy, monkeypatch, name)}
    assert launched == kernels()


# For every kernel an index that is wrong, and a call that must notice.
WRONG = [
    ("im2col.im2col", "+ first + c] : real(0)", "+ c] : real(0)", "conv-groups"),
    ("im2col.im2col", "int row = y * sh + u * dh", "int row = y * sh + u", "conv-dilated"),
    ("im2col.col2im", "+ u) * kw + v) * C + c]", "+ v) * kw + u) * C + c]", "conv-dilated"),
    ("im2col.col2im", "* channels + first + c] = sum", "* channels + c] = sum", "conv-groups"),
    ("im2col.col2im", "int down = row + ph", "int down = row - ph", "conv-strided"),
    ("pool.max_forward8", "right = take(t, ow) * sw", "right = take(t, ow) * sh", "pool-padded"),
    ("pool.max_forward16", "winner = u * kw + v;", "winner = u * kh + v;", "pool-large"),
    ("pool.max_backward8", "+ x) * C + c;", "+ x) * C + C - 1 - c;", "pool-overlapping"),
    ("pool.max_backward16", "== u * kw + v) sum", "== u * kh + v) sum", "pool-large"),
    ("lrn.lrn_forward", "j = OWN + c - BEFORE; j <= OWN + c + AFTER",
     "j = OWN + c - AFTER; j <= OWN + c + BEFORE", "lrn-even"),
    ("lrn.lrn_forward", "inside = place + r >= 0", "inside = place + r > 0", "lrn-groups"),
    ("lrn.lrn_forward", "held[OWN + r * RUN + c]", "held[OWN + r * RUN + RUN - 1 - c]", "lrn"),
    ("lrn.lrn_backward", "j = OWN + c - AFTER; j <= OWN + c + BEFORE",
     "j = OWN + c - BEFORE; j <= OWN + c + AFTER", "lrn-even-runs"),
    ("softmax.softmax", "y[row * C + i] =", "y[row * C + C - 1 - i] =", "softmax"),
    ("softmax.log_softmax", "row_log_softmax(y + row * C, x + row * C, C);",
     "row_log_softmax(y + row * C, x, C);", "softmax"),
    ("softmax.cross_entropy", "label < C ? log_p[row * C + label]", "label < C ? log_p[label]",
     "softmax"),
    ("softmax.cross_entropy", "i += blockDim.x) sum += exp", "i += C) sum += exp",
     "softmax-smoothed"),
    ("softmax.cross_entropy_backward", "g[row] * (exp", "g[0] * (exp", "softmax"),
    ("softmax.cross_entropy_backward", "c == label", "c + 1 == label", "softmax"),
    ("dropout.dropout", "x[other] * (b", "x[i] * (b", "dropout"),
    ("dropout.dropout", "y[i] = x[i] * (a", "y[i] = x[i] * (b", "dropout-odd"),
    ("sgd.sgd", "row.g[e] +", "row.g[0] +", "sgd-torch"),
    ("sgd.sgd", "row.v[e] = v;", "row.v[0] = v;", "sgd-paper"),
    ("sgd.sgd", "i >= table.rows[r].end", "i > table.rows[r].end", "sgd"),
    ("pixels.to_float", "int across = mirrored ?", "int across = !mirrored ?", "pixels-by-place"),
    ("pixels.to_float", "shift[3 * b + c]", "shift[c]", "pixels-centre"),
    ("pixels.to_float", "value * scale[c]", "value * scale[0]", "pixels-scaled"),
    ("bfloat16.bfloat16_bits", "bits[i] = bfloat16(x[i])", "bits[i] = bfloat16(x[i / 2])",
     "conv-bfloat16"),
    ("activation.bias_relu", "bias[i % C]", "bias[(i + 1) % C]", "conv-strided"),
    ("activation.relu_backward", "y[i] != 0 ? g[i]", "y[i] == 0 ? g[i]", "conv-strided"),
]  # fmt: skip


@pytest.mark.parametrize(("kernel", "right", "wrong", "name"), WRONG)
def test_a_wrong_index_is_noticed(cupy, monkeypatch, kernel, right, wrong, name):
    assert kernel in check(cupy, monkeypatch, name)
    file, code = kernel.partition(".")[0], cuda.source
    assert code(file).count(right) == 1
    monkeypatch.setattr(cuda.launcher, "source", lambda f: code(f).replace(right, wrong))
    compiled_anew = cuda.launcher._module.__wrapped__  # not those of before
    monkeypatch.setattr(cuda.launcher, "_module", compiled_anew)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check(cupy, monkeypatch, name)


def test_every_kernel_has_a_wrong_index():
    assert {kernel for kernel, *_ in WRONG} == kernels()


def test_sources_open_with_formula_bytes_and_launch():
    for file in cuda.sources():
        opening = re.match(r"(//.*\n)+", cuda.source_path(file).read_text())
        assert opening, file
        for word in ("=|<-", "once", "Launch: "):
            assert re.search(word, opening[0]), (file, word)


def test_sources_of_another_folder(monkeypatch, tmp_path):
    assert cuda.source_path("pixels").parent.name == "alexnet_scratch"
    monkeypatch.setattr(cuda.launcher, "_FOLDERS", cuda.launcher._FOLDERS[:1])
    assert "pixels" not in cuda.sources()
    (tmp_path / "twice.cu").write_text("// twice as much")
    cuda.add_sources(tmp_path)
    cuda.add_sources(tmp_path)
    assert "twice" in cuda.sources()
    assert cuda.source("twice").endswith("// twice as much")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "lrn.cu").touch()
    with pytest.raises(ValueError, match=r"lrn\.cu is known already: give it another name"):
        cuda.add_sources(tmp_path / "more")


def test_what_the_kernels_do_not_take(cupy, monkeypatch):
    monkeypatch.setenv(cuda.SWITCH, "on")
    x = cupy.ones((4, 6), np.float32)
    assert cuda.usable(x, x)
    assert not cuda.usable(np.ones(3, np.float32))  # on the CPU
    assert not cuda.usable(x, cupy.ones(3, np.float64))  # of two kinds
    assert not cuda.usable(x.astype(np.complex64))
    assert not cuda.usable(x[:, ::2])  # with gaps
    monkeypatch.setenv(cuda.SWITCH, "off")
    assert not cuda.usable(x)
    monkeypatch.setenv(cuda.SWITCH, "no")
    with pytest.raises(ValueError, match=r"MINIGRAD_CUDA_KERNELS=no .* expected on .* or off"):
        cuda.usable(x)


@pytest.mark.parametrize("offset", [0, 1])
def test_lrn_takes_arrays_that_are_not_aligned(cupy, monkeypatch, offset):
    numbers = np.random.default_rng(0).normal(size=offset + 2 * 3 * 8).astype(np.float32)
    x = as_nchw(cupy.asarray(numbers)[offset:].reshape(1, 2, 3, 8))
    launch, runs = cuda.launch, []
    monkeypatch.setattr(cuda, "launch", lambda *a, **b: (runs.append(b["RUN"]), launch(*a, **b)))
    expected, _ = lrn.lrn_forward(x)
    monkeypatch.setenv(cuda.SWITCH, "on")
    y, _ = lrn.lrn_forward(x)
    np.testing.assert_allclose(y.get(), expected.get(), rtol=2e-6)
    assert runs == [1 if offset else 4]


def test_a_step_is_one_launch_for_each_kind_of_parameter(cupy, monkeypatch):
    assert check(cupy, monkeypatch, "sgd-torch") == ["sgd.sgd"] * 2  # of two steps
    assert check(cupy, monkeypatch, "sgd-many") == ["sgd.sgd"] * 6  # 48 + 48 + 4 a step
    monkeypatch.setattr(cuda.launcher, "MOST", 60)
    monkeypatch.setattr(cuda, "MOST", 60)  # elements of one launch; there are 12 + 24 + 36
    assert check(cupy, monkeypatch, "sgd") == ["sgd.sgd"] * 3
