# %% [markdown]
# # Solutions to notebook 5, pooling
#
# [The notebook](../05_pooling.ipynb)

# %%
import numpy as np

from alexnet_course import n05_pooling as check

# %% [markdown]
# ## Exercise 1: forward
#
# The loop runs over the taps; what tap $(u, v)$ of all windows sees is one slice. `>` and not `>=`: the
# first of a tie stays.


# %% tags=["solution"]
def pool_forward(x, size, stride):
    rows, columns = ((length - size) // stride + 1 for length in x.shape)
    y = np.full((rows, columns), -np.inf)
    winners = np.zeros((rows, columns), int)
    for u in range(size):
        for v in range(size):
            last_row, last_column = u + (rows - 1) * stride, v + (columns - 1) * stride
            tap = x[u : last_row + 1 : stride, v : last_column + 1 : stride]
            better = tap > y
            y[better] = tap[better]
            winners[better] = u * size + v
    return y, winners


# %%
check.pool_forward(pool_forward)

# %% [markdown]
# ## Exercise 2: backward
#
# `+=`: neighbouring windows may have the same winner.


# %% tags=["solution"]
def pool_backward(grad, winners, shape, size, stride):
    dx = np.zeros(shape)
    for i, j in np.ndindex(*grad.shape):
        u, v = divmod(winners[i, j], size)
        dx[i * stride + u, j * stride + v] += grad[i, j]
    return dx


# %%
check.pool_backward(pool_backward)

# %% [markdown]
# ## The question and the prediction
#
# A pixel with an even row and an even column, not at the border, lies in four windows. And $(1/2)^9 = 0.2\%$.

# %% tags=["solution"]
largest_gradient, windows_with_a_tie = 4, 0.2

# %%
check.largest_gradient(largest_gradient)
check.windows_with_a_tie(windows_with_a_tie)
