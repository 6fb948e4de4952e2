# %% [markdown]
# # Solutions to notebook 8, blind checks
#
# [The notebook](../08_blind_checks.ipynb)

# %%
import numpy as np

from alexnet_course import n08_blind_checks as check

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
