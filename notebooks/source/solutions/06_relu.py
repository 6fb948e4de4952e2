# %% [markdown]
# # Solutions to notebook 6, ReLU
#
# [The notebook](../06_relu.ipynb)

# %%
import numpy as np

from alexnet_course import n06_relu as check

# %% [markdown]
# ## Exercise 1: ReLU backward
#
# `>` and not `>=`: the slope at the corner is 0. Since $y > 0$ exactly where $x > 0$, the output is enough.


# %% tags=["solution"]
def relu_backward(grad, y):
    return grad * (y > 0)


# %%
check.relu_backward(relu_backward)

# %% [markdown]
# ## Exercise 2: tanh backward


# %% tags=["solution"]
def tanh_backward(grad, y):
    return grad * (1 - y**2)


# %%
check.tanh_backward(tanh_backward)

# %% [markdown]
# ## Exercise 3: dead maps
#
# A map is dead if nothing in it is above 0: over all images, rows and columns.


# %% tags=["solution"]
def dead_maps(y):
    return ~(y > 0).any(axis=(0, 2, 3))


# %%
check.dead_maps(dead_maps)

# %% [markdown]
# ## Exercise 4: PReLU backward
#
# The weight is viewed as (C, 1, 1), so that it meets axis 1. Its gradient is summed over the three other
# axes.


# %% tags=["solution"]
def prelu_backward(grad, x, weight):
    slope = weight[:, None, None]
    dx = np.where(x > 0, grad, grad * slope)
    dweight = np.sum(grad * np.where(x > 0, 0, x), axis=(0, 2, 3))
    return dx, dweight


# %%
check.prelu_backward(prelu_backward)

# %% [markdown]
# ## The question and the predictions
#
# A unit with weight $w$ and bias $b$ is 0 on all of $[-1, 1]$ if $b \le -|w|$. With both even between $-1$ and $1$ that
# has the probability 1/4.

# %% tags=["solution"]
dead_at_the_start, stuck_at_ln_10, leak_at_large_rate = 25, "b", "c"

# %%
check.dead_at_the_start(dead_at_the_start)
check.stuck_at_ln_10(stuck_at_ln_10)
check.leak_at_large_rate(leak_at_large_rate)
