# %% [markdown]
# # Solutions to notebook 19, after 2012
#
# [The notebook](../19_after_2012.ipynb)

# %%
import numpy as np

from alexnet_course import n19_after_2012 as check

# %% [markdown]
# ## Three small filters for one large
#
# $3 \cdot 9\,C^2 / (49\,C^2) = 27/49$.

# %% tags=["solution"]
share_of_weights = 27 / 49

# %%
check.share_of_weights(share_of_weights)

# %% [markdown]
# ## Exercise 1: forward


# %% tags=["solution"]
def batch_norm(x, gamma, beta, eps):
    mean = x.mean(axis=0)
    variance = x.var(axis=0)
    normal = (x - mean) / np.sqrt(variance + eps)
    return gamma * normal + beta


# %%
check.batch_norm(batch_norm)

# %% [markdown]
# ## Exercise 2: backward


# %% tags=["solution"]
def batch_norm_backward(grad, x, gamma, eps):
    deviation = np.sqrt(x.var(axis=0) + eps)
    normal = (x - x.mean(axis=0)) / deviation
    g = gamma * grad
    along = normal * (g * normal).mean(axis=0)
    dx = (g - g.mean(axis=0) - along) / deviation
    return dx, (grad * normal).sum(axis=0), grad.sum(axis=0)


# %%
check.batch_norm_backward(batch_norm_backward)

# %% [markdown]
# Ones have a mean of 1, which is taken away, and no part along $\hat x$, whose mean is 0: nothing is left.

# %% tags=["solution"]
largest_slope = 0

# %%
check.largest_slope(largest_slope)

# %% [markdown]
# ## What is a layer worth?
#
# Of conv4, when we tried it: the seeds differed by 20 points and more, the means by less.

# %% tags=["solution"]
LEFT_OUT = "conv4"
expected = "b"

# %%
check.expected(expected)
