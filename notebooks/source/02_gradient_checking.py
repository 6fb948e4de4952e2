# %% [markdown]
# # 2. Gradient checking
#
# **At the end you will know** how to prove that a backward pass is right, to ten digits and more; why
# the step of a difference must not be too large and not too small; why an imaginary step has neither
# problem; and why gradient checks in common use are blind to some bugs. You will have written a checker that
# finds fifteen wrong backwards.
#
# About 75 minutes: 45 to read, 30 for the exercises. You need notebook 1 (what a backward is, and the `grad`
# that it gets), complex numbers ($i^2 = -1$ and how they multiply), the first terms of a Taylor series, and
# matrices times vectors, transposed ones, too.

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
# a single channel, with $\alpha = 1$.) By hand we have $f'$. Let us see how well it can be measured.


# %%
def f(x):
    return x / (2 + x**2) ** 0.75


def derivative(x):
    return (2 + x**2) ** -0.75 - 1.5 * x**2 * (2 + x**2) ** -1.75


# %% [markdown]
# ## Central differences and their two errors
#
# Go a step $h$ to the right and a step to the left. Taylor's series says
#
# $$f(x \pm h) = f(x) \pm h f'(x) + \frac{h^2}{2} f''(x) \pm \frac{h^3}{6} f'''(x) + \dots$$
#
# In the difference of the two, all even terms cancel:
#
# $$\frac{f(x + h) - f(x - h)}{2 h} = f'(x) + \underbrace{\frac{h^2}{6} f'''(x) + \dots}_{\text{series cut off}}$$
#
# So the error falls with $h^2$. (A one-sided difference, $(f(x + h) - f(x)) / h$, keeps the term
# $\frac{h}{2} f''$, and its error falls only with $h$.) Then why not take the smallest $h$ there is?
#
# Because a computer rounds. Each value of $f$ is wrong by about $r |f|$, where $r$ is $2^{-24}$ in
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
    predicted = steps**2 / 6 * abs(third) + rounding * abs(f(x0)) / steps  # an estimate, not a bound
    plt.loglog(steps, predicted / derivative(x0), "--", color=colour, linewidth=1)
errors = [relative_error((f(x0 + h) - f(x0)) / h) for h in steps]
plt.loglog(steps, errors, ".", color=GREEN, markersize=3, label="one-sided, float64")
plt.ylim(1e-15, 1e3)
plt.xlabel("step h")
plt.ylabel("relative error of the slope")
plt.title("Rounding on the left, the series on the right. Dashed: the formula")
plt.legend(loc="lower left", ncols=2)
plt.show()

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
# (Errors of 0 are drawn at $10^{-17}$.) To the left of $10^{-8}$ the complex step does not care about $h$.
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
# Let $J$ be the table of all derivatives, the Jacobian: $J_{ji} = \partial y_j / \partial x_i$. We never
# build it; it is too large. But we have two machines that multiply by it:
#
# - the slope along $v$ is $J v$: for each output, $\sum_i J_{ji} v_i$;
# - `backward` gets `grad`, one number for each output: the slope of the loss along it. We call it the
#   **upstream gradient**. It returns $dx_i = \sum_j grad_j J_{ji}$, which is $J^T grad$.
#
# Multiply from both sides and both must give the same number:
#
# $$\sum_j grad_j \,(J v)_j \;=\; \sum_{j,i} grad_j\, J_{ji}\, v_i \;=\; \sum_i dx_i \, v_i.$$
#
# On the left stands only the forward, on the right only the backward. No loss is needed: the equation holds for
# any numbers in `grad`. With
# $y_j = x_j^2$, where both can be written down:

# %%
x, v, grad = np.array([1.0, 2.0]), np.array([1.0, -1.0]), np.array([3.0, 5.0])
slope = 2 * x * v  # J v
dx = grad * 2 * x  # what backward returns
print("left:", (grad * slope).sum(), "  right:", (dx * v).sum())

# %% [markdown]
# If an element of `dx` is wrong, a random $v$ makes the two sides differ.
#
# And it is cheap. Element by element, the paper's network with its 60 million parameters (paper,
# abstract) would need two forward passes for each. Along one random direction, one complex pass is
# enough for all:

# %%
print(f"forward passes, element by element: {2 * 60_000_000:,}   along a direction: 1")

# %% [markdown]
# ## What to remember
#
# - TODO
#
# [Solutions](solutions/02_gradient_checking.ipynb). Next: [notebook 3](03_linear.ipynb).
