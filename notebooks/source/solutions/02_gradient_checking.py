# %% [markdown]
# # Solutions to notebook 2, gradient checking
#
# [The notebook](../02_gradient_checking.ipynb)

# %%
import numpy as np

from alexnet_course import n02_gradient_checking as check

# %% [markdown]
# ## Exercise 1: the gradient by central differences
#
# A fresh `step` for every element: nothing has to be moved back. Changing `x` itself and putting it back
# also works; but `x + eps - eps` may differ from `x` in its last digit, which the check does not notice: better
# keep the old value.


# %% tags=["solution"]
def numeric_gradient(f, x, eps):
    slopes = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        step = np.zeros(x.shape)
        step[place] = eps
        slopes[place] = (f(x + step) - f(x - step)) / (2 * eps)
    return slopes


# %%
check.numeric_gradient(numeric_gradient)

# %% [markdown]
# ## Exercise 2: the slope along a direction


# %% tags=["solution"]
def complex_slope(f, x, v):
    h = 1e-30
    return f(x + 1j * h * v).imag / h


# %%
check.complex_slope(complex_slope)

# %% [markdown]
# ## The prediction and the question
#
# The best step is where the two errors are about equal, some $10^{-5}$: the third root of the rounding.
# `backward` sums over the outputs, which are the rows of the table: it multiplies by the transpose.

# %% tags=["solution"]
best_step = 1e-5
what_backward_is = "b"

# %%
check.best_step(best_step)
check.what_backward_is(what_backward_is)
