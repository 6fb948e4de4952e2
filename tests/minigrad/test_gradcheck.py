"""The gradient check itself: what it finds, what it says, what it refuses, what it leaves alone."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Function, GradcheckError, nn
from minigrad.gradcheck import METHODS
from minigrad.nn import functional as F
from minigrad.random import Key
from minigrad.slopes import Scheme

every_method = pytest.mark.parametrize("method", METHODS)


def leaf(*shape, seed=0, dtype="float64"):
    data = np.random.default_rng(seed).normal(size=shape)
    return mg.tensor(data, dtype=dtype, requires_grad=True)


def faulty(change):
    """A product with a number whose backward goes through `change`."""

    class Faulty(Function):
        @staticmethod
        def forward(ctx, a):
            return 3.0 * a

        @staticmethod
        def backward(ctx, grad):
            return change(3.0 * grad)

    return Faulty.apply


def one_element(place, factor):
    def change(grad):
        grad[place] *= factor
        return grad

    return faulty(change)


# ----- what it says -----


@every_method
@pytest.mark.parametrize(
    ("factor", "words"),
    [(0.5, "analytic = 0.5 × numeric"), (2.0, "analytic = 2 × numeric"),
     (-1.0, "analytic = -1 × numeric"), (0.0, "analytic = 0 × numeric"),
     (7.0, "analytic = 7 × numeric"), (1 / 3, "analytic = 1/3 × numeric"),
     (1.5, "analytic = 1.5 × numeric"), (0.1, "analytic = 1/10 × numeric"),
     (12345.67, "analytic = 12346 × numeric"), (1 / 12345.67, "analytic = 1/12346 × numeric"),
     (1.234, "analytic = 1.234 × numeric"), (0.234, "analytic = 0.234 × numeric")],
)  # fmt: skip
def test_names_the_element_and_the_ratio(method, factor, words):
    with pytest.raises(GradcheckError) as caught:
        mg.gradcheck(one_element((0, 1, 1, 2), factor), leaf(1, 2, 2, 3), method)
    assert f"{words} at input 0 [0, 1, 1, 2]" in str(caught.value)
    assert method in str(caught.value)


@pytest.mark.parametrize("method", ["complex", "central"])
def test_finds_one_element_in_a_large_tensor(method):
    bad = one_element((123, 456), 2.0)
    with pytest.raises(GradcheckError, match=r"analytic = 2 × numeric at input 1 \[123, 456\]"):
        mg.gradcheck(lambda a, b: a.sum() + bad(b), [leaf(5), leaf(200, 500)], method)


def test_says_when_the_slope_is_zero():
    class FromNothing(Function):
        @staticmethod
        def forward(ctx, a):
            return a * 0

        @staticmethod
        def backward(ctx, grad):
            return grad

    with pytest.raises(GradcheckError, match=r"numeric = 0 at input 0 \[\d, \d\]"):
        mg.gradcheck(FromNothing.apply, leaf(2, 3))


def test_finds_nan_in_a_gradient():
    with pytest.raises(GradcheckError, match=r"analytic = nan.* at input 0 \[1\]"):
        mg.gradcheck(one_element((1,), np.nan), leaf(4))


@every_method
def test_false_without_an_exception(method):
    assert mg.gradcheck(faulty(lambda g: 2 * g), leaf(3), method, raise_exception=False) is False
    assert mg.gradcheck(faulty(lambda g: g), leaf(3), method) is True


def test_a_failure_is_an_assertion_error():
    assert issubclass(GradcheckError, AssertionError)


# ----- what it looks at -----


@every_method
def test_checks_the_parameters_of_a_module(method):
    net = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)).double()
    assert mg.gradcheck(net, leaf(2, 4), method)


def test_the_floor_is_the_rounding_of_the_output_along_a_step_of_size_1():
    out = np.full(4, 3.0)
    complex_step, central = Scheme("complex", None, 1e-9), Scheme("central", 1e-6, 1e-6)
    assert complex_step.floor(out, 0.5) == 2.0**-50 * 6  # an input of 0.5 is rounded, relatively
    assert complex_step.floor(out, 0.0) == 0
    assert central.floor(out, 0.5) == pytest.approx(2.0**-50 * 3e6)


def test_a_central_step_moves_every_element_by_about_eps():
    x, seen = leaf(2000), []

    def f(x):
        seen.append(x.data)
        return (x * x).sum()

    mg.gradcheck(f, x, "central", eps=1e-3, rtol=1e-5)
    moved = [np.sqrt(np.mean((data - x.data) ** 2)) for data in seen]
    assert max(moved) == pytest.approx(1e-3, rel=0.1)
    assert [round(step * 1e3) for step in moved].count(1) == 4  # two directions, there and back


@every_method
def test_names_a_parameter_by_its_path(method):
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 3).double()
            self.bad = one_element((2, 1), 0.5)

        def forward(self, x):
            return F.linear(x, self.bad(self.inner.weight), self.inner.bias)

    with pytest.raises(GradcheckError, match=r"0.5 × numeric at parameter inner.weight \[2, 1\]"):
        mg.gradcheck(Half(), leaf(2, 4), method)


@pytest.mark.parametrize("form", ["module", "named", "tensors", "mapping", "one"])
def test_parameters_of_a_closure(form):
    module = nn.Linear(3, 2, bias=False).double()
    given = {
        "module": module,
        "named": module.named_parameters(),
        "tensors": list(module.parameters()),
        "mapping": dict(module.named_parameters()),
        "one": module.weight,
    }[form]
    bad = faulty(lambda g: -g)
    x = mg.tensor(np.ones((2, 3)))  # a constant: the parameters alone are checked
    with pytest.raises(GradcheckError, match="analytic = -1 × numeric at parameter"):
        mg.gradcheck(lambda x: F.linear(x, bad(module.weight)), x, parameters=given)


def test_an_input_given_as_a_parameter_too_is_checked_once():
    x = leaf(3)
    assert mg.gradcheck(lambda x: x * x, x, parameters=[x])


def test_constants_and_integers_are_not_differentiated():
    constant, labels = mg.tensor(np.ones((2, 3))), mg.tensor(np.array([0, 2]))
    assert mg.gradcheck(lambda x, c, y: F.cross_entropy(x * c, y), [leaf(2, 3), constant, labels])


def test_results_are_taken_as_leaves_and_their_graph_stays():
    w = leaf(3)
    y = w * 2
    assert mg.gradcheck(mg.exp, y)
    y.sum().backward()
    assert w.grad.tolist() == [2, 2, 2]


def test_an_unused_input_has_gradient_zero():
    assert mg.gradcheck(lambda a, b: a * 2, [leaf(3), leaf(2)])


@every_method
def test_a_gradient_that_is_truly_zero_passes(method):
    assert mg.gradcheck(lambda x: F.softmax(x).sum(), leaf(3, 5), method)


@every_method
def test_a_scalar_of_a_scalar(method):
    assert mg.gradcheck(lambda x: x * x * x, mg.tensor(np.array(0.7), requires_grad=True), method)


def test_jacobian_by_central_differences():
    assert mg.gradcheck(F.softmax, leaf(2, 3), "jacobian", eps=1e-6)
    with pytest.raises(GradcheckError, match=r"at input 0 \[1\], output \[1\]"):
        mg.gradcheck(one_element((1,), 1.001), leaf(3), "jacobian", eps=1e-6)


def test_dropout_with_a_fixed_key():
    assert mg.gradcheck(lambda x: F.dropout(x, 0.5, key=Key(1, 2)), leaf(20))

    def seeded(x):
        mg.manual_seed(4)
        return F.dropout(x, 0.5)

    assert mg.gradcheck(seeded, leaf(20))


# ----- what it refuses -----


def test_a_random_function_is_named_as_such():
    with pytest.raises(GradcheckError, match=r"(?s)deterministic.*fixed key.*manual_seed"):
        mg.gradcheck(lambda x: F.dropout(x, 0.5), leaf(50))


def test_a_random_backward_is_found():
    rng = np.random.default_rng(0)
    noisy = faulty(lambda g: g * (1 + 1e-15 * rng.normal(size=g.shape)))
    with pytest.raises(GradcheckError, match="two backward passes gave different gradients"):
        mg.gradcheck(noisy, leaf(50))


def test_float32_is_refused():
    with pytest.raises(TypeError, match=r"input 0 is float32, expected float64.*double\(\)"):
        mg.gradcheck(mg.exp, leaf(3, dtype="float32"))
    net = nn.Linear(3, 2)
    net.weight.data = net.weight.data.astype(np.float64)
    with pytest.raises(TypeError, match="parameter bias is float32"):
        mg.gradcheck(net, leaf(1, 3))


@pytest.mark.parametrize("inputs", [[], [mg.ones(3, dtype="float64")], [mg.arange(3)]])
def test_nothing_to_check_is_an_error(inputs):
    with pytest.raises(ValueError, match="nothing to check"):
        mg.gradcheck(lambda *a: a[0] * 2, inputs)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "forward"}, "'forward' is unknown: use one of complex, central, jacobian"),
        ({"method": "complex", "eps": 1e-6}, "the complex step has no eps"),
        ({"method": "jacobian", "directions": 9}, "every entry: drop directions"),
        ({"directions": 0}, "directions is 0"),
    ],
)
def test_wrong_arguments(options, words):
    with pytest.raises(ValueError, match=words):
        mg.gradcheck(mg.exp, leaf(3), **options)


def test_a_jacobian_that_is_too_large():
    with pytest.raises(ValueError, match=r"5000 x 5000 entries.*method='complex'"):
        mg.gradcheck(mg.exp, leaf(5000), "jacobian")


def test_a_function_without_a_tensor_or_elements():
    with pytest.raises(TypeError, match="returned Extremum, expected one tensor"):
        mg.gradcheck(lambda x: mg.max(x, 0), leaf(3))
    with pytest.raises(ValueError, match="at least one element"):
        mg.gradcheck(lambda x: x[:0], leaf(3))
    with pytest.raises(ValueError, match="returned bool"):
        mg.gradcheck(lambda x: x > 0, leaf(3))


def test_leaving_the_graph_is_found():
    with pytest.raises(GradcheckError, match="does not require a gradient"):
        mg.gradcheck(lambda x: x.detach() * 2, leaf(3))


def test_nan_in_the_output_is_found():
    with pytest.raises(GradcheckError, match="NaN or Inf"):
        mg.gradcheck(mg.log, mg.tensor([-1.0], dtype="float64", requires_grad=True))


# ----- what it leaves alone -----


@every_method
@pytest.mark.parametrize("fails", [False, True])
def test_data_gradients_and_modes_stay_as_they_were(method, fails):
    calls = []

    def fn(x):
        calls.append(None)
        if fails and len(calls) > 3:
            raise KeyError("in the middle of a step")
        return net(x)

    net = nn.Linear(3, 2).double()
    tensors = [leaf(2, 3), *net.parameters()]
    arrays, copies = [t.data for t in tensors], [t.data.copy() for t in tensors]
    if fails:
        with pytest.raises(KeyError):
            mg.gradcheck(fn, tensors[0], method, parameters=net)
    else:
        mg.gradcheck(fn, tensors[0], method, parameters=net)
    for tensor, array, copy in zip(tensors, arrays, copies, strict=True):
        assert tensor.data is array
        np.testing.assert_array_equal(array, copy)
        assert tensor.grad is None
    assert mg.is_grad_enabled()


def test_the_seed_chooses_the_directions():
    points = []

    def fn(x):
        points.append(x.data.copy())
        return x * 2

    for seed in (0, 0, 1):
        mg.gradcheck(fn, leaf(4), "central", directions=1, seed=seed)
    runs = [np.array(points[i : i + 4]) for i in (0, 4, 8)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0][2:] != runs[2][2:]).all()


def test_works_under_no_grad():
    with mg.no_grad():
        assert mg.gradcheck(mg.exp, leaf(3))


class RealAbs(mg.Function):
    """Written as one would without a thought of complex numbers."""

    @staticmethod
    def forward(ctx, x):
        ctx.save(np.sign(x))
        return np.abs(x)

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved[0]


def test_what_is_not_complex_safe_is_told_as_that():
    with pytest.raises(TypeError, match=r"complex128 in, float64 out.*np\.abs.*method='central'"):
        mg.gradcheck(RealAbs.apply, leaf(3))
    assert mg.gradcheck(RealAbs.apply, leaf(3), method="central")


class RealBackward(mg.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return 2 * np.abs(grad * ctx.saved[0])


def test_a_backward_that_is_not_complex_safe_is_told_as_that():
    words = r"real_backward: backward returned float64 for argument 0.*complex128.*np\.abs.*\.real"
    with pytest.raises(TypeError, match=words):
        mg.hvp(lambda x: RealBackward.apply(x).sum(), leaf(3), leaf(3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f, x: mg.gradcheck(f, x, x), r"a tuple, gradcheck\(f, \(x, w\)\)"),
        (lambda f, x: mg.gradcheck(f, x, x, x), r"a tuple, gradcheck\(f, \(x, w, b\)\)"),
        (lambda f, x: mg.gradcheck(f(x), x), r"fn is a Tensor.*gradcheck\(f, x\)"),
        (lambda f, x: mg.gradcheck(f, x.data), "inputs is a ndarray"),
        (lambda f, x: mg.gradcheck(f, 1.0), "inputs is a float"),
        (lambda f, x: mg.gradcheck(f, x, atol=1e-4), "no atol: rtol"),
        (lambda f, x: mg.gradcheck(f, x, nondet_tol=0), "nondet_tol is unknown: use method"),
    ],
)
def test_other_ways_to_call_it_are_answered_with_the_right_one(call, message):
    with pytest.raises(TypeError, match=message):
        call(lambda *xs: xs[0] * 2, leaf(3))
