# %% [markdown]
# # 2. Gradient checking
#
# **At the end you will know** how to prove that a backward pass is right, to ten digits and more; why
# the step of a difference must be neither too large nor too small; why an imaginary step has neither
# problem; and how one random direction tests all slopes of a network at once. You will have written the two
# measurements that the checker of notebook 8 is built from.
#
# About 45 minutes: 25 to read, 20 for the exercises. You need notebook 1 (what a backward is, and the `grad`
# that it gets) and the derivative of a power. Taylor series, complex numbers and Jacobians are explained
# where they come up, in a few lines each.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np

from alexnet_course import n02_gradient_checking as check
from alexnet_course.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, use_style
from minigrad.kernels.lrn import lrn_forward

use_style()

# %% [markdown]
# ## Why check
#
# A wrong backward seldom stops a program. The network still learns, only less well, and nobody knows what
# "well" would have been. But a backward has a property that can be tested: it must be the derivative of the
# forward. And a derivative can be measured with the forward alone.
#
# We begin with one number. Take
#
# $$f(x) = \frac{x}{(2 + x^2)^{0.75}}, \qquad
# f'(x) = \frac{1}{(2 + x^2)^{0.75}} - \frac{1.5\,x^2}{(2 + x^2)^{1.75}}.$$
#
# (It is the local response normalisation of the AlexNet paper, Krizhevsky and others, 2012, section 3.3, for
# a single channel, with $\alpha = 1$.) We have $f'$ by hand. Let us see how well it can be measured.


# %%
def f(x):
    return x / (2 + x**2) ** 0.75


def derivative(x):
    return (2 + x**2) ** -0.75 - 1.5 * x**2 * (2 + x**2) ** -1.75


# %% [markdown]
# ## Central differences and their two errors
#
# Go a step $h$ to the right and a step to the left. *Taylor's series* says what a smooth function does near
# a point: it follows the slope, with a correction for the bend, one for the change of the bend, and so on,
#
# $$f(x \pm h) = f(x) \pm h f'(x) + \frac{h^2}{2} f''(x) \pm \frac{h^3}{6} f'''(x) + \dots$$
#
# In the difference of the two, all even terms cancel:
#
# $$\frac{f(x + h) - f(x - h)}{2 h} = f'(x) + \underbrace{\frac{h^2}{6} f'''(x) + \dots}_{\text{series cut off}}$$
#
# So the error falls with $h^2$. (A one-sided difference, $(f(x + h) - f(x)) / h$, keeps the term
# $\frac{h}{2} f''$, and its error falls only with $h$.)
#
# **Predict before you run.** In float64, which step $h$ gives the smallest error? Write a number. (To a factor
# of ten; the answer is judged below the picture.)

# %% tags=["answer"]
best_step = None  # for example 0.001

# %% [markdown]
# Then why not take the smallest $h$ there is? Because a computer rounds. Each value of $f$ is wrong by about $r |f|$, where $r$ is $2^{-24}$ in
# float32 and $2^{-53}$ in float64. The difference of two almost equal numbers keeps both errors, up to about
# $2 r |f|$, and then it is divided by the small number $2h$. So we expect
#
# $$\text{error}(h) \approx \frac{h^2}{6} |f'''(x)| + \frac{r\,|f(x)|}{h}.$$
#
# The first part grows with $h$, the second shrinks. Their sum is smallest where its derivative is 0, at
# $h = \sqrt[3]{3\,r\,|f| / |f'''|}$.

# %%
x0 = 1.5
third = (derivative(x0 + 1e-3) - 2 * derivative(x0) + derivative(x0 - 1e-3)) / 1e-6  # f'''(x0)
steps = 10.0 ** np.arange(-12, 0.01, 0.1)


def central(x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


def relative_error(slope):
    return max(abs(float(slope) - derivative(x0)) / derivative(x0), 1e-17)


plt.figure(figsize=(7.0, 4.2))
for dtype, rounding, colour in ((np.float32, 2**-24, ORANGE), (np.float64, 2**-53, BLUE)):
    errors = [relative_error(central(dtype(x0), dtype(h))) for h in steps]
    plt.loglog(steps, errors, ".", color=colour, label=f"central, {dtype.__name__}")
    predicted = (
        steps**2 / 6 * abs(third) + rounding * abs(f(x0)) / steps
    )  # an estimate, not a bound
    plt.loglog(steps, predicted / derivative(x0), "--", color=colour, linewidth=1)
errors = [relative_error((f(x0 + h) - f(x0)) / h) for h in steps]
plt.loglog(steps, errors, ".", color=GREEN, markersize=3, label="one-sided, float64")
plt.ylim(1e-15, 1e3)
plt.xlabel("step h")
plt.ylabel("relative error of the slope")
plt.title("Rounding on the left, the series on the right. Dashed: the formula")
plt.legend(loc="lower left", ncols=2)
plt.show()

check.best_step(best_step)

# %% [markdown]
# (Where float32 shows an error of exactly 1, $x + h$ and $x - h$ have become the same number, and the slope
# comes out as 0.) The best step and the best error, by the formula:

# %%
for name, rounding in (("float32", 2**-24), ("float64", 2**-53)):
    best = (3 * rounding * abs(f(x0)) / abs(third)) ** (1 / 3)
    error = (best**2 / 6 * abs(third) + rounding * abs(f(x0)) / best) / derivative(x0)
    print(f"{name}: best h {best:.0e}, relative error there about {error:.0e}")

# %% [markdown]
# Two things to keep. **Check in float64**: in float32 the measurement itself can be trusted to about four
# digits, and a bug in the fifth digit stays hidden. And there is no step that is right for every function:
# the best one depends on $f'''$, which we do not know.
#
# ## Exercise 1: the gradient by central differences
#
# A function of an array has one slope for each element. Move one element at a time, by `eps` (the step
# $h$).


# %% tags=["exercise"]
def numeric_gradient(f, x, eps):
    """The gradient of f at x by central differences: an array of the shape of x.

    f takes an array of that shape and returns one number; eps is the step.
    """
    raise NotImplementedError


# %%
check.numeric_gradient(numeric_gradient)

# %% [markdown]
# ## The complex step
#
# What you need of complex numbers is this. A complex number is a pair $a + ib$: $a$ is its real part and $b$,
# written $\operatorname{Im}$, its imaginary part. They are added part by part, and multiplied as usual with the
# rule $i^2 = -1$: $(a + ib)(c + id) = (ac - bd) + i\,(ad + bc)$. Python writes $i$ as `1j`, and NumPy computes with
# arrays of such pairs:

# %%
print((2 + 3j) * (1 + 1j), (2 + 3j).imag, np.sqrt(np.array([-1 + 0j])))

# %% [markdown]
# Now take an *imaginary* step $ih$, with $i^2 = -1$. In the series, every second term becomes imaginary:
#
# $$f(x + ih) = f(x) + i h f'(x) - \frac{h^2}{2} f''(x) - \frac{i h^3}{6} f'''(x) + \dots$$
#
# The imaginary part, divided by $h$, is
#
# $$\frac{\operatorname{Im} f(x + ih)}{h} = f'(x) - \frac{h^2}{6} f'''(x) + \dots$$
#
# Nothing is subtracted. The real part holds $f$, the imaginary part holds the slope, and they do not mix. So $h$
# can be as small as we like, as long as the computer can hold it: with $h = 10^{-30}$ the second term is about
# $10^{-60}$, which is nothing. (The idea is from Lyness and Moler, 1967, in the form of Squire and Trapp, "Using
# complex variables to estimate derivatives of real functions", SIAM Review 40, 1998.)

# %%
small = 10.0 ** np.arange(-30, 0.01, 0.25)
errors = [relative_error(central(x0, h)) for h in small]
plt.loglog(small, errors, ".", color=BLUE, markersize=9, label="central")
errors = [relative_error(f(x0 + 1j * h).imag / h) for h in small]
plt.loglog(small, errors, ".", color=PURPLE, label="complex")
plt.axhline(2**-53, color=BLACK, linewidth=1, linestyle=":")
plt.text(1e-30, 3e-15, "dotted: the rounding of one number", va="bottom")
plt.ylim(3e-18, 1e3)
plt.xlabel("step h (float64)")
plt.ylabel("relative error of the slope")
plt.title("The complex step: exact to rounding for every small h")
plt.legend(loc="lower right")
plt.show()

# %% [markdown]
# (Errors of 0 are drawn at $10^{-17}$.) Below $10^{-8}$ the complex step no longer depends on $h$.
#
# The price: the function must accept complex numbers, and treat them as the series does. Most of NumPy
# does. Some functions do not, and they do not say so:

# %%
h, point = 1e-30, -0.7
functions = [
    ("x**3", lambda x: x**3, 3 * point**2),
    ("np.tanh(x)", np.tanh, 1 - math.tanh(point) ** 2),
    ("np.abs(x)", np.abs, -1.0),
    ("x * np.conj(x)", lambda x: x * np.conj(x), 2 * point),
    ("np.where(x.real < 0, -x, x)", lambda x: np.where(x.real < 0, -x, x), -1.0),
]
print(f"{'slope at -0.7':<29}{'complex step':>14}{'right':>9}")
for name, function, right in functions:
    slope = np.imag(function(np.complex128(point + 1j * h))) / h
    print(f"{name:<29}{slope + 0.0:>14.4f}{right:>9.4f}")  # + 0.0 makes -0 a 0

# %% [markdown]
# The size of a complex number, `abs`, has no imaginary part, and the slope is lost; `conj` turns its sign round.
# The cure: write $|x|$ as a choice by the sign of `x.real`, as in the last line, and `x * conj(x)` as `x * x`.
# **All kernels of minigrad are written like this**, so that you can put complex numbers through every one of
# them:

# %%
image = np.random.default_rng(1).standard_normal((1, 8, 2, 2))  # images, channels, height, width
y, plain = lrn_forward(image + 1e-30j)[0], lrn_forward(image)[0]  # [1] is kept for backward
print(y.dtype, y.shape, " the real part is what it was:", np.allclose(y.real, plain))

# %% [markdown]
# ## Exercise 2: the slope along a direction
#
# For an array $x$ we choose a direction: an array $v$ of the same shape. All elements move at the same
# time, each by its own share, $x + i h v$. The result says how fast *every* output changes when $x$ moves
# along $v$. Take $h = 10^{-30}$.


# %% tags=["exercise"]
def complex_slope(f, x, v):
    """How fast f(x) changes along v: Im f(x + ihv) / h, an array of the shape of f(x)."""
    raise NotImplementedError


# %%
check.complex_slope(complex_slope)

# %% [markdown]
# ## From a slope to a test of a backward
#
# A function with several inputs and several outputs has a slope for each pair. The table of them is the
# **Jacobian** $J$: row $j$ for output $y_j$, column $i$ for input $x_i$, $J_{ji} = \partial y_j / \partial x_i$. The
# function below has three inputs and two outputs. Each column is one complex step along a direction that moves
# one input alone, $v = (0, 1, 0)$ for the second:


# %%
def two_of_three(x):
    return np.array([x[0] * x[1], x[1] + x[2] ** 2])


x = np.array([2.0, 3.0, 4.0])
columns = [two_of_three(x + 1e-30j * v).imag / 1e-30 for v in np.eye(3)]
jacobian = np.stack(columns, axis=1)
print(jacobian)

# %% [markdown]
# For a layer of a network this table is far too large to build. But we have two machines that multiply by it:
#
# - the slope along $v$ is $J v$: for each output, $\sum_i J_{ji} v_i$;
# - `backward` gets `grad`, one number for each output: the slope of the loss along it. We call it the
#   **upstream gradient**. It returns $dx_i = \sum_j grad_j J_{ji}$: the same table, summed down its columns. That
#   is multiplication by the *transpose*, $J^T grad$.
#
# Multiply from both sides and both must give the same number:
#
# $$\sum_j grad_j \,(J v)_j \;=\; \sum_{j,i} grad_j\, J_{ji}\, v_i \;=\; \sum_i dx_i \, v_i.$$
#
# The left side uses only the forward, the right side only the backward. No loss is needed: the equation holds
# for any numbers in `grad`. With the table above:

# %%
v, grad = np.array([1.0, -1.0, 0.5]), np.array([3.0, 5.0])
slope = two_of_three(x + 1e-30j * v).imag / 1e-30  # J v, without the table
dx = np.array([grad[0] * x[1], grad[0] * x[0] + grad[1], grad[1] * 2 * x[2]])  # a backward, by hand
print("left:", (grad * slope).sum(), "  right:", (dx * v).sum())
print("the table agrees:", np.allclose(jacobian @ v, slope), np.allclose(jacobian.T @ grad, dx))

# %% [markdown]
# **A question.** A layer has 4 inputs and 3 outputs, so its Jacobian has 3 rows and 4 columns. What does its
# `backward(ctx, grad)` compute?
#
# - (a) $J\,grad$
# - (b) $J^T grad$
# - (c) $J$ itself, all 12 slopes
# - (d) the slope of the loss along each output

# %% tags=["answer"]
what_backward_is = None  # "a", "b", "c" or "d"

# %%
check.what_backward_is(what_backward_is)

# %% [markdown]
# If an element of `dx` is wrong, a random $v$ makes the two sides differ.
#
# And it is cheap. Element by element, the paper's network with its 60 million parameters (paper,
# abstract) would need two forward passes for each. Along one random direction, one complex pass is
# enough for all:

# %%
print(f"forward passes, element by element: {2 * 60_000_000:,}   along a direction: 1")

# %% [markdown]
# But *which* `grad`, which $v$, and how much may the two sides differ? That decides what a checker finds, and
# common answers are blind to common bugs. Notebook 8 shows them, once there are layers to test.
#
# ## What to remember
#
# - A central difference has two errors: the series' grows with $h$, rounding's with $1/h$. Its best in float64 is
#   about ten digits, in float32 about four.
# - The complex step has only the first, and it can be made to vanish: $\operatorname{Im} f(x + ihv) / h$ with
#   $h = 10^{-30}$. It wants a function that accepts complex numbers: no `abs`, no `conj`.
# - The slope along $v$ is $J v$, and `backward` gives $J^T grad$. Along any $v$, for any `grad`:
#   $grad \cdot J v = dx \cdot v$.
# - One random direction tests all slopes at once.
#
# ## Further
#
# Measure a *second* derivative, $f''(1.5)$, by $(f(x + h) - 2 f(x) + f(x - h)) / h^2$, and draw its error over $h$ as
# above. You would see the left branch climb twice as steeply, because rounding is divided by $h^2$ now, and a best
# error of only about eight digits. Then try $2\,(f(x) - \operatorname{Re} f(x + ih)) / h^2$: it subtracts, so it has a
# best $h$, too.
#
# [Solutions](solutions/02_gradient_checking.ipynb). Next: [notebook 3](03_linear.ipynb), the linear layer and the
# loss.
