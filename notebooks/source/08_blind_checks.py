# %% [markdown]
# # 8. How a gradient check goes blind
#
# **At the end you will know** why gradient checks in common use are blind to some bugs: what a `grad` of ones
# cannot see, what the paper's $\alpha = 10^{-4}$ hides, what an absolute tolerance lets pass, and what a kink does
# to a difference. You will have written a checker that finds fifteen wrong backwards.
#
# About 60 minutes: 41 to read, 20 for the exercise. You need notebook 2 (the complex step, and
# $grad \cdot J v = dx \cdot v$). The layers that are tested are those of notebooks 3 to 7; each is said again in a
# line where it comes up.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from alexnet_course import mutants
from alexnet_course import n08_blind_checks as check
from alexnet_course.style import BLACK, BLUE, ORANGE, PURPLE, SKY, use_style
from minigrad import nn
from minigrad.kernels.activation import relu_forward
from minigrad.kernels.lrn import lrn_backward, lrn_forward, lrn_naive
from minigrad.kernels.softmax import softmax_backward, softmax_forward

use_style()

# %% [markdown]
# ## Why ones are blind
#
# A gradient check compares what a backward returns for some `grad` with slopes that were measured with the
# forward alone. Which `grad`? All ones suggest themselves: that is what `y.sum().backward()` does, and it looks
# harmless. Look at a softmax, which turns numbers (called logits) into shares that add up to 1:
#
# $$y_j = \frac{e^{x_j}}{\sum_i e^{x_i}}.$$
#
# With a `grad` that is 1 at output $j$ and 0 elsewhere, `softmax_backward(grad, y)` returns row $j$ of the
# Jacobian:

# %%
logits = np.array([[0.5, -1.0, 2.0, 0.0, 1.0]])
shares = softmax_forward(logits)
jacobian = np.array([softmax_backward(grad[None], shares)[0] for grad in np.eye(5)])
totals = jacobian.sum(0)

fig, (left, right) = plt.subplots(2, 1, figsize=(5.4, 4.6), height_ratios=[5, 1])
for axes, table in ((left, jacobian), (right, totals[None])):
    axes.imshow(table, cmap="PuOr", vmin=-0.3, vmax=0.3, aspect="auto")
    axes.grid(False)
    for (i, j), value in np.ndenumerate(table):
        colour = "white" if value > 0.15 else BLACK
        share = f"{value + 1e-9:.3f}"  # + 1e-9: no -0.000
        axes.text(j, i, share, ha="center", va="center", color=colour)
left.set(xticks=[], yticks=range(5), ylabel="output j", title="Jacobian of a softmax")
right.set(xticks=range(5), yticks=[], xlabel="input i", title="sum over j: what grad = 1 sees")
plt.show()

# %% [markdown]
# The outputs always add up to 1, so their sum does not change, and **every column adds up to 0**. An
# upstream gradient of ones sees only these sums. A softmax whose backward returns 0 passes such a test.
#
# The same holds for everything that takes a mean away, or keeps a sum. And ones are blind in a second
# way: they hide what a backward does *with* `grad`. One that forgets to multiply by it, or takes it in a
# wrong order, gives the same result, since all entries are equal.
#
# Positive random numbers are better, but not good. A ReLU, $y = \max(x, 0)$, whose backward lets only
# positive gradients through is in use (on purpose, to draw pictures of what a network sees: "guided
# backpropagation", Springenberg and others, 2014, arXiv:1412.6806). As a derivative it is wrong, and a
# positive `grad` never shows it.
#
# A *mutant* is an operation with a bug put in on purpose. Here are five: a softmax whose `dx` is 0; a softmax that
# subtracts a plain mean; a ReLU that forgets `grad`; a linear layer that reads the rows of `grad` in reverse
# order; and the ReLU that stops negative gradients.
#
# **Predict before you run.** How many of the five pass a check whose `grad` is all ones?

# %% tags=["answer"]
pass_with_ones = None  # a number from 0 to 5

# %% [markdown]
# The same five with three kinds of `grad`. `mutants.mismatch` measures each element's slope by the complex step,
# and returns the largest error of `dx`, relative to the largest slope:

# %%
rng = np.random.default_rng(0)
print(f"{'wrong backward':<42}{'ones':>8}{'positive':>10}{'signed':>8}")
for mutant in mutants.MUTANTS[:5]:
    shape = mutant.forward(mutant.x).shape
    verdicts = [
        "passes"
        if mutants.mismatch(mutant.forward, mutant.backward, mutant.x, g) < 1e-6
        else "fails"
        for g in (np.ones(shape), rng.random(shape), rng.uniform(-1, 1, shape))
    ]
    print(f"{mutant.name:<42}{verdicts[0]:>8}{verdicts[1]:>10}{verdicts[2]:>8}")

check.pass_with_ones(pass_with_ones)

# %% [markdown]
# So: **the upstream gradient is random and has both signs.** Draw real numbers,
# `rng.uniform(-1, 1, shape)`, not only +1 and -1: a sum of equal sizes with random signs is often exactly 0.
#
# ## Why alpha = 1e-4 hides a broken LRN
#
# The paper's local response normalisation (section 3.3; notebook 7 is about it) divides each channel by a
# power of the sum of squares over $n = 5$ neighbouring channels:
#
# $$y_i = \frac{x_i}{s_i^{\beta}}, \qquad s_i = k + \alpha \sum_{j \text{ near } i} x_j^2, \qquad
# k = 2,\; \alpha = 10^{-4},\; \beta = 0.75.$$
#
# Its derivative has two terms. The first comes from $x_i$ above the line, the second from the sum below:
#
# $$dx_i = \frac{grad_i}{s_i^{\beta}} \;-\; 2\,\alpha\,\beta\, x_i \sum_{j \text{ near } i}
# \frac{grad_j\, x_j}{s_j^{\beta + 1}}.$$
#
# All that is difficult is in the second term: the sum, the neighbours, the factor 2. It has $\alpha$
# in front. If $x$ and `grad` are about 1, one summand is smaller than the first term by the factor

# %%
print(f"2 alpha beta / k = {2 * 1e-4 * 0.75 / 2:.1e}")

# %% [markdown]
# With such numbers, a test with a relative tolerance of $10^{-3}$ does not see the second term at all. You can
# leave it out. Four broken backwards, over $\alpha$:

# %%
alphas = 10.0 ** np.arange(-5, 0.01, 0.25)
channels = np.random.default_rng(3).standard_normal((2, 7, 2, 2))
upstream = np.random.default_rng(4).uniform(-1, 1, channels.shape)
broken = {
    "wrong sign": {"factor": -1.0},
    "left out": {"factor": 0.0},
    "factor 2 missing": {"factor": 0.5},
    "3 neighbours for 5": {"wrong_n": 3},
}
fig, axes = plt.subplots(figsize=(7.0, 4.2))
for (name, change), marker in zip(broken.items(), "osd^", strict=True):
    sizes = []
    for alpha in alphas:
        backward = mutants.lrn_backward_with(alpha, **change)

        def forward(x, alpha=alpha):
            return lrn_forward(x, alpha=alpha)[0]

        sizes.append(mutants.mismatch(forward, backward, channels, upstream))
    axes.loglog(alphas, sizes, marker=marker, markersize=4, label=f"second term: {name}")
for tolerance in ("1e-2", "1e-3", "1e-6"):
    axes.axhline(float(tolerance), color=BLACK, linewidth=1, linestyle=":")
    axes.text(1.0e-5, float(tolerance) * 1.15, f"tolerance {tolerance}", fontsize=10)
axes.axvline(1e-4, color=SKY, linewidth=4, alpha=0.5)
axes.text(1.15e-4, 2.5e-1, "the paper's α")
axes.set(ylim=(3e-7, 8), xlabel="α", ylabel="relative error of dx")
axes.set_title("At the paper's α, four serious bugs are below 1e-3")
axes.legend(loc="lower right")
plt.show()

# %% [markdown]
# What is to be done: check at $\alpha = 1$ as well, *and* with a fine tolerance. The error of a central
# difference is some $10^{-10}$ at its best step, that of the complex step $10^{-15}$. There is no need to allow
# $10^{-3}$.
#
# This has happened. Chainer's
# [test of its LRN](https://github.com/chainer/chainer/blob/0143075d4d103c3c8707c23924cd72398f2cf813/tests/chainer_tests/functions_tests/normalization_tests/test_local_response_normalization.py)
# compares it with a plain loop whose neighbours are `range(max(0, c - 2), min(7, c + 2))`. A Python range
# leaves out its end: these are the channels $c-2$ to $c+1$, four and not five. So the *test* (of a forward,
# here) is wrong, and it passes, because $\alpha = 10^{-4}$. Replayed with the default tolerances of Chainer's
# [`assert_allclose`](https://github.com/chainer/chainer/blob/04f79e067eca75f3645157f16b348e9e4522e0db/chainer/testing/array.py),
# and with `n=4`, which in minigrad means $c-2$ to $c+1$, just these four channels:

# %%
x = np.random.default_rng(5).uniform(-1, 1, (2, 7, 3, 2))
for alpha in (1e-4, 1.0):
    four, five = lrn_naive(x, n=4, alpha=alpha), lrn_naive(x, n=5, alpha=alpha)
    equal = np.allclose(four, five, rtol=1e-4, atol=1e-5)
    print(f"alpha {alpha}: equal to within the tolerance: {equal}")

# %% [markdown]
# **A question.** A test of LRN's backward at $\alpha = 10^{-4}$ with a relative tolerance of $10^{-3}$ passes. What do
# you change to be sure of the second term?
#
# - (a) nothing but the number of random inputs: a hundred instead of one
# - (b) $\alpha = 1$ as well, and a tolerance of $10^{-6}$
# - (c) float32 instead of float64, as in training
# - (d) all inputs positive, so that no square is lost

# %% tags=["answer"]
how_to_see_it = None  # "a", "b", "c" or "d"

# %%
check.how_to_see_it(how_to_see_it)

# %% [markdown]
# ## An absolute tolerance
#
# PyTorch's `gradcheck` allows, by default, an error of `atol=1e-5` plus `rtol=1e-3` times the slope
# ([its documentation](https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html)).
# The absolute part is there for slopes that are 0. But it also means: where the gradient as a whole is
# smaller than $10^{-5}$, *any* other gradient that is as small passes, also 0. Small gradients are common: the mean
# over a batch of images divides by their number.

# %%
images = 128 * 3 * 224 * 224
print(f"gradient of the mean of 128 images of 3 x 224 x 224: {1 / images:.1e} in each pixel")
print("would a gradient of 0 pass?", abs(0 - 1 / images) <= 1e-5 + 1e-3 / images)

# %% [markdown]
# A better scale is the gradient itself, but not element by element: an element may rightly be 0, and
# then rounding alone would fail. Compare each error with the *largest* element, or with the root mean
# square of all. Along a direction there is one number on each side: compare the difference of the two with
# the size of one. A random direction seldom makes it very small. But along it the *error*, too, is a sum with random
# signs, and seldom but sometimes a small one: a fine tolerance, or a second direction, sees it all the same.
#
# ## Kinks
#
# A ReLU has no derivative at 0. A central difference that steps over 0 measures neither the 0 on the left
# nor the 1 on the right, but something in between.
#
# On the left: what a central difference says about a ReLU near 0. On the right: a small stack of a
# convolution, a ReLU and a max-pooling, which has kinks too (where two pixels of a window change places).
# It shows the slope of all outputs along a random direction, against the complex step (`nn.Sequential` calls
# its parts one after the other, `.double()` makes the parameters float64, `mg.no_grad()` records nothing for
# a backward):

# %%
rng = np.random.default_rng(6)
steps = 10.0 ** np.arange(-12, 0.01, 0.1)
stack = nn.Sequential(nn.Conv2d(2, 5, 3), nn.ReLU(), nn.MaxPool2d(2, 2)).double()
for parameter in stack.parameters():
    parameter.data = rng.standard_normal(parameter.shape)
image, v = rng.standard_normal((1, 2, 22, 22)), rng.uniform(-1, 1, (1, 2, 22, 22))
with mg.no_grad():
    exact = stack(mg.tensor(image + 1e-30j * v)).numpy().imag / 1e-30
    sizes = []
    for step in steps:
        above, below = (stack(mg.tensor(image + s * step * v)).numpy() for s in (1, -1))
        sizes.append(np.abs((above - below) / (2 * step) - exact).max() / np.abs(exact).max())

fig, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.6))
near = np.linspace(-3, 3, 301)
left.plot(near, (relu_forward(near + 1) - relu_forward(near - 1)) / 2, label="central")
slopes = relu_forward(near + 1e-30j).imag / 1e-30
left.plot(near, slopes, color=PURPLE, linestyle="--", label="complex step, and backward")
left.set(xlabel="x, in steps h", ylabel="slope", title="ReLU: between -h and h it is wrong")
left.legend(loc="upper left", fontsize=9)
left.set_ylim(-0.1, 1.5)
right.loglog(steps, np.maximum(sizes, 1e-17), ".", color=BLUE)
right.set(xlabel="step h", ylabel="largest relative error")
right.set_title("A stack: a jump where kinks begin")
plt.show()

# %% [markdown]
# To the left of the jump no output crosses a kink within the step. Each function between its kinks is a
# straight line here, so what is left is rounding alone. To the right, single outputs are wrong by a large
# part: no tolerance helps, only a smaller step. How many units of AlexNet are that near to 0? It has
# 650,000 (paper, abstract). If their inputs were normally distributed with standard deviation 1:

# %%
for step in (1e-3, 1e-6):
    near_0 = 650_000 * math.erf(step / math.sqrt(2))
    print(f"h = {step:g}: {near_0:.1f} units closer to 0 than h")

# %% [markdown]
# The complex step stays where it is: it measures on the side on which $x$ lies. It does not go anywhere,
# so it cannot cross. At the kink itself, at $x = 0$ exactly, no measurement can say what the derivative
# should be; that is a rule to write down (minigrad: 0, like PyTorch) and to test by itself.
#
# ## Exercise 1: kill the mutants
#
# A checker is only as good as the mutants it kills. Write one. It gets a forward and a backward, as functions
# of arrays, and says whether they fit (a pair to try it on: `relu_forward` and `lambda grad, x: grad * (x > 0)`).
# You may use either of the two functions of notebook 2, which are below (or put yours there): `complex_slope`, or
# `numeric_gradient`, which wants a function with one number as its result (the sum of `grad * forward(x)` is one,
# and `dx` is its gradient). Decide:
#
# - What is `grad`?
# - Do you compare `dx` element by element, or along a random direction?
# - How large an error do you allow, and relative to what?
#
# The check cell runs your checker on right operations, which it must accept (also a ReLU with numbers close to its
# kink), and on fifteen mutants, which it must refuse. They are all bugs that are easily written.


# %%
def complex_slope(f, x, v):
    """How fast f(x) changes along v: an array of the shape of f(x)."""
    return f(x + 1e-30j * v).imag / 1e-30


def numeric_gradient(f, x, eps):
    """The gradient of f at x by central differences: an array of the shape of x."""
    slopes = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        step = np.zeros(x.shape)
        step[place] = eps
        slopes[place] = (f(x + step) - f(x - step)) / (2 * eps)
    return slopes


# %% tags=["exercise"]
def agrees(forward, backward, x):
    """True if backward is the derivative of forward at x, else False.

    y = forward(x) and dx = backward(grad, x), where grad has the shape of y and dx that of x.
    All are float64; forward takes complex numbers too.
    """
    raise NotImplementedError


# %%
check.agrees(agrees)

# %% [markdown]
# ## What other checkers see
#
# Six checkers and the fifteen mutants. Each of the first five makes one mistake: four from this notebook, and
# one that looks at a single element of `dx`, drawn at random. The last one makes none. (The one element of
# ReLU has a positive `grad`: that the negative ones are stopped does not show there.)

# %%
names = list(mutants.RECIPES)
killed = np.array(
    [
        [not run(m.forward, m.backward, m.x) for run in mutants.RECIPES.values()]
        for m in mutants.MUTANTS
    ]
)
fig, axes = plt.subplots(figsize=(9.0, 5.4))
axes.pcolormesh(~killed, cmap=plt.matplotlib.colors.ListedColormap(["#eef3f8", ORANGE]),
                edgecolors="white", linewidth=2)  # fmt: skip
for (i, j), found in np.ndenumerate(killed):
    axes.text(j + 0.5, i + 0.5, "found" if found else "PASSES", ha="center", va="center",
              fontsize=9, color="#8899aa" if found else BLACK)  # fmt: skip
axes.set_xticks(np.arange(len(names)) + 0.5, names, fontsize=9)
axes.set_yticks(np.arange(len(killed)) + 0.5, [m.name for m in mutants.MUTANTS], fontsize=9)
axes.xaxis.tick_top()
axes.invert_yaxis()
axes.grid(False)
axes.tick_params(length=0)
for spine in axes.spines.values():
    spine.set_visible(False)
plt.show()

# %% [markdown]
# ## minigrad's checker
#
# `mg.gradcheck` is what you have just written, for tensors: a signed random `grad`, two signed random directions
# through all inputs and parameters at once, the complex step, a relative tolerance of $10^{-9}$. When it fails it
# looks for the element (`[1]` is its index), and says by which factor it is wrong. That factor is often the whole
# diagnosis:


# %%
class Cube(mg.Function):
    """x^3, with a factor forgotten in backward."""

    @staticmethod
    def forward(ctx, x):
        ctx.save(x)
        return x**3

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved
        return grad * x**2


numbers = mg.tensor(np.array([0.5, -1.0, 2.0]), requires_grad=True)
try:
    mg.gradcheck(Cube.apply, [numbers])
except mg.GradcheckError as error:
    print(str(error).partition(" (analytic")[0])

# %% [markdown]
# It takes a whole network, with its loss and all its parameters, in one call:

# %%
mg.manual_seed(0)
network = nn.Sequential(
    nn.Conv2d(3, 8, 5, stride=2),
    nn.ReLU(),
    nn.LocalResponseNorm(5, alpha=1.0),
    nn.MaxPool2d(3, 2),
    nn.Flatten(),
    nn.Linear(8 * 6 * 6, 10),
).double()
labels = mg.tensor(np.array([3, 7]))
pictures = mg.tensor(rng.standard_normal((2, 3, 31, 31)), requires_grad=True)
loss = nn.CrossEntropyLoss()
print("parameters:", sum(p.numel() for p in network.parameters()))
print(mg.gradcheck(lambda x: loss(network(x), labels), [pictures], parameters=network))

# %% [markdown]
# ## What no gradient check sees
#
# It shows that the backward belongs to the forward. It does not show that the forward is the right one.
# An LRN over 3 channels, with the backward of an LRN over 3 channels, is a perfect pair, and not the
# paper's. So each kernel of minigrad has a second test: a naive twin, written like the formula, which the
# fast kernel must match.

# %%
backward = mutants.lrn_backward_with(1.0, n=3)
x, grad = channels, upstream
pair = mutants.mismatch(lambda x: lrn_forward(x, n=3, alpha=1.0)[0], backward, x, grad)
print("its backward fits: ", pair < 1e-9)
print("it is the paper's: ", np.allclose(lrn_forward(x, 3, alpha=1.0)[0], lrn_naive(x, alpha=1.0)))

# %% [markdown]
# Nor does it see float32, in which the network trains: the check runs in float64. Compare the float32
# kernel with the float64 kernel, at $\alpha = 1$ again, with a tolerance of $10^{-6}$ of the largest element
# (float32 rounds each number to $2^{-24} \approx 6 \cdot 10^{-8}$ of itself):

# %%
single, double = (
    lrn_backward(grad.astype(dtype), a, lrn_forward(a, alpha=1.0)[1], alpha=1.0)
    for dtype, a in ((np.float32, x.astype(np.float32)), (np.float64, x))
)
error = abs(single - double).max() / abs(double).max()
print(single.dtype, "agrees with", double.dtype, error < 1e-6)

# %% [markdown]
# ## What to remember
#
# - The upstream gradient is random and signed. Ones are blind.
# - The tolerance is relative to the whole gradient, and as fine as the measurement allows. At $\alpha = 10^{-4}$,
#   with x about 1, LRN's whole second term is below $10^{-3}$ of it.
# - A difference that steps over a kink is wrong by a large part; the complex step never steps anywhere.
# - A gradient check shows that backward fits forward. That forward is the right one needs a second test, and so
#   does float32.
# - Test your checker: it must kill mutants.
#
# ## Further
#
# Write a mutant of your own that `mutants.RECIPES["one element\nof dx"]` accepts, and that the last recipe
# refuses: an operation, its right forward, a backward that is wrong in one place. Then look for one that passes
# *your* checker. That should be hard. If it is easy, look again at your `grad`, at your direction (or at whether
# every element is compared), and at your tolerance.
#
# [Solutions](solutions/08_blind_checks.ipynb). Next: [notebook 9](09_dropout.ipynb), dropout.
