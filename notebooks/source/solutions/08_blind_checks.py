# %% [markdown]
# # Solutions to notebook 8, blind checks
#
# [The notebook](../08_blind_checks.ipynb)

# %%
import numpy as np

from alexnet_course import n08_blind_checks as check


# %%
def complex_slope(f, x, v):
    return f(x + 1e-30j * v).imag / 1e-30


def numeric_gradient(f, x, eps):
    slopes = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        step = np.zeros(x.shape)
        step[place] = eps
        slopes[place] = (f(x + step) - f(x - step)) / (2 * eps)
    return slopes


# %% [markdown]
# ## Exercise 1: kill the mutants
#
# One random direction `v` looks at all elements at once. The tolerance is relative to the size that the
# sum of `v * dx` usually has: the products have random signs, so it is the root of the sum of squares.


# %% tags=["solution"]
def agrees(forward, backward, x):
    rng = np.random.default_rng()
    grad = rng.uniform(-1, 1, forward(x).shape)
    v = rng.uniform(-1, 1, x.shape)
    dx = backward(grad, x)
    numeric = np.sum(grad * complex_slope(forward, x, v))
    size = np.sqrt(np.sum((v * dx) ** 2))
    return abs(np.sum(v * dx) - numeric) <= 1e-9 * size


# %%
check.agrees(agrees)

# %% [markdown]
# With central differences it works as well, element by element, if the tolerance is relative to the
# largest slope, and the step does not cross a kink. `numeric_gradient` wants one number from `f`: the sum
# of `grad * y`, whose gradient is what backward returns.


# %% tags=["solution"]
def agrees_by_differences(forward, backward, x):
    grad = np.random.default_rng().uniform(-1, 1, forward(x).shape)
    slopes = numeric_gradient(lambda x: np.sum(grad * forward(x)), x, 1e-6)
    return np.abs(backward(grad, x) - slopes).max() <= 1e-6 * np.abs(slopes).max()


# %%
check.agrees(agrees_by_differences)

# %% [markdown]
# ## The prediction and the question
#
# All five pass: ones see only the sums over the outputs, and neither the order nor the sign of `grad`. And only
# a larger $\alpha$ makes the second term as large as the first.

# %% tags=["solution"]
pass_with_ones = 5
how_to_see_it = "b"

# %%
check.pass_with_ones(pass_with_ones)
check.how_to_see_it(how_to_see_it)
